/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A generator whose bytes are known: the same seed gives the same bytes. For tests only; nothing here is random. */
#ifndef HAL_SIM_ENTROPY_H
#define HAL_SIM_ENTROPY_H

#include "hal/entropy.h"

struct sim_entropy {
    struct hal_entropy base; /* &entropy.base is the generator */
    uint64_t state;
    enum err ready; /* what wait_ready answers; ERR_OK at first */
    enum err fill;  /* what fill answers; ERR_OK at first */
};

void sim_entropy_init(struct sim_entropy *entropy, uint64_t seed);

/* The next number of the sequence (splitmix64). */
uint64_t sim_entropy_next(uint64_t *state);

#endif
