/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hal/sim/sim_entropy.h"

uint64_t sim_entropy_next(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t mixed = *state;

    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

static enum err sim_wait_ready(struct hal_entropy *entropy, unsigned int timeout_ms UNUSED)
{
    return ((struct sim_entropy *)entropy)->ready;
}

static enum err sim_fill(struct hal_entropy *entropy, uint8_t *out_bytes, size_t len)
{
    struct sim_entropy *self = (struct sim_entropy *)entropy;

    if (self->fill != ERR_OK) {
        return self->fill;
    }
    for (size_t i = 0; i < len; i++) {
        out_bytes[i] = (uint8_t)(sim_entropy_next(&self->state) & 0xff);
    }
    return ERR_OK;
}

static const struct hal_entropy_ops sim_ops = {sim_wait_ready, sim_fill};

void sim_entropy_init(struct sim_entropy *entropy, uint64_t seed)
{
    *entropy = (struct sim_entropy){.base = {&sim_ops}, .state = seed, .ready = ERR_OK, .fill = ERR_OK};
}
