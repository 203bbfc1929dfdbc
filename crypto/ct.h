/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Comparing without a branch or an index that depends on the bytes: for tags, tokens, digests, keys. */
#ifndef CRYPTO_CT_H
#define CRYPTO_CT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/base/span.h"

/* Same bytes? Time depends on the lengths alone, which are public: different lengths are unequal at once. */
bool ct_equal(struct span a, struct span b);

/* Are all bytes zero? Time depends on the length alone. */
bool ct_is_zero(struct span bytes);

/* 0xff where a == b, else 0x00; the mask may then be ANDed and ORed. */
uint8_t ct_mask_equal(uint8_t a, uint8_t b);

#endif
