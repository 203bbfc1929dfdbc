/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Arithmetic on numbers from outside: it fails instead of wrapping. Plain comparisons, which compilers turn into the
 * carry flag and provers understand. */
#ifndef HAL_BASE_NUM_H
#define HAL_BASE_NUM_H

#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"

/* out = a + b; ERR_RANGE if it does not fit. */
static inline MUST_USE enum err num_add(size_t a, size_t b, size_t *out_sum)
{
    if (a > SIZE_MAX - b) {
        return ERR_RANGE;
    }
    *out_sum = a + b;
    return ERR_OK;
}

/* out = a * b; ERR_RANGE if it does not fit. */
static inline MUST_USE enum err num_mul(size_t a, size_t b, size_t *out_product)
{
    if (b != 0 && a > SIZE_MAX / b) {
        return ERR_RANGE;
    }
    *out_product = a * b;
    return ERR_OK;
}

/* out = a - b; ERR_RANGE if b > a. */
static inline MUST_USE enum err num_sub(size_t a, size_t b, size_t *out_difference)
{
    if (b > a) {
        return ERR_RANGE;
    }
    *out_difference = a - b;
    return ERR_OK;
}

/* out = value as a 32-bit length of a wire or disk format; ERR_RANGE if it does not fit. */
static inline MUST_USE enum err num_u32_from_size(size_t value, uint32_t *out_value)
{
    if (value > UINT32_MAX) {
        return ERR_RANGE;
    }
    *out_value = (uint32_t)value;
    return ERR_OK;
}

static inline size_t num_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t num_max(size_t a, size_t b)
{
    return a > b ? a : b;
}

#endif
