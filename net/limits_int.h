/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tables of counters, for the files of this folder. */
#ifndef NET_LIMITS_INT_H
#define NET_LIMITS_INT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "net/limits.h"

#define LIMITS_WAYS 16u /* 128 bytes, two cache lines: room for many keys of one hash */

#define LIMITS_END_BITS  18u
#define LIMITS_END_MASK  ((UINT64_C(1) << LIMITS_END_BITS) - 1)
#define LIMITS_END_SHIFT 24u
#define LIMITS_TAG_SHIFT 42u /* of a rate */

#define LIMITS_KEPT_SETS  2048u
#define LIMITS_KEPT_CELLS (LIMITS_KEPT_SETS * LIMITS_WAYS)
#define LIMITS_BLOCK_CELLS (LIMITS_KEPT_CELLS / LIMITS_KEPT_BLOCKS)

/* Rates. A key's hash names a set of cells and a tag. */
struct limits_rates {
    uint64_t seed[2];
    size_t sets; /* a power of two */
    _Atomic uint64_t *cells;
};

struct limits {
    struct limits_rates rates;
    struct limits_rates kept;
    bool restored; /* the seed of `kept` is one that was written */
    atomic_bool changed[LIMITS_KEPT_BLOCKS]; /* of `kept`, since it was written */
    _Atomic uint64_t *holds; /* as many sets as of rates, under the same seed */
};

#endif
