/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The stack in user space on a cable in memory, for the fuzzers of what comes by it: a new one for each input, on a loop and a slab
 * that stay. */
#ifndef TESTS_FUZZ_LWIP_CABLE_H
#define TESTS_FUZZ_LWIP_CABLE_H

#include "crypto/aead.h"
#include "crypto/crypto.h"
#include "hal/sim/sim_clock.h"
#include "hal/sim/sim_frame.h"
#include "net/stack_lwip.h"
#include "tests/fuzz/fuzz.h"

#define LWIP_CABLE_TICK_MS 100u

struct lwip_cable {
    struct sim_clock clock;
    struct loop *loop;
    struct secret_slab *slab;
    struct sim_frame *wire;
    struct stack *stack;
};

/* Begins as zeros. `addresses` says what the stack has; its loop and slab are put in here. */
static inline void lwip_cable_lay(struct lwip_cable *cable, const struct stack_lwip_options *addresses,
                                  const uint8_t card[HAL_FRAME_MAC_BYTES])
{
    struct stack_lwip_options options = *addresses;

    if (cable->loop == NULL) {
        sim_clock_init(&cable->clock);
        FUZZ_CHECK(crypto_start() == ERR_OK && crypto_slab_new(&cable->slab) == ERR_OK);
        FUZZ_CHECK(loop_new(&cable->clock.base, 16, &cable->loop) == ERR_OK);
    }
    options.loop = cable->loop;
    options.slab = cable->slab;
    FUZZ_CHECK(sim_frame_new(card, &cable->wire) == ERR_OK);
    FUZZ_CHECK(stack_lwip_new(&options, sim_frame_hal(cable->wire), &cable->stack) == ERR_OK);
}

#endif
