/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The recovery key as people handle it: 256 random bits as 17 pronounceable words of five letters, the last a checksum.
 *
 *   lusab-babad-gutih-tugad-...     each word is 16 bits, the seventeenth the first 16 bits of SHA-256(key)
 *
 * Spec: arXiv 0901.4016 (proquints). */
#ifndef CRYPTO_RECOVERY_H
#define CRYPTO_RECOVERY_H

#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "crypto/hpke.h"
#include "crypto/random.h"
#include "crypto/secret.h"

#define RECOVERY_KEY_BYTES 32
#define RECOVERY_WORDS 17
#define RECOVERY_TEXT_BYTES (RECOVERY_WORDS * 5 + RECOVERY_WORDS - 1)
#define RECOVERY_INPUT_MAX 256 /* of what a person types: the words, and generous space between them */

/* A new recovery key. Errors as secret_new(). */
enum err recovery_key_new(struct random *random, struct secret **out_key) MUST_USE;

/* The words, lower case, joined by '-': RECOVERY_TEXT_BYTES characters without a NUL, as secret as the key.
 * ERR_RANGE (not a recovery key), ERR_NO_MEMORY, ERR_REFUSED. */
enum err recovery_to_words(const struct secret *key, struct secret **out_text) MUST_USE;

/* Reads the words back: letters of either case; any number of spaces, tabs, line ends and dashes before, between and
 * after words, at least one between two.
 * ERR_MALFORMED (not 17 words, a letter out of place, or a checksum that does not fit: a typing error),
 * ERR_RANGE (longer than RECOVERY_INPUT_MAX), ERR_NO_MEMORY, ERR_REFUSED. */
enum err recovery_from_words(struct span text, struct secret **out_key) MUST_USE;

/* The X25519 pair to which root keys are sealed. ERR_RANGE, ERR_NO_MEMORY, ERR_REFUSED. */
enum err recovery_key_pair(const struct secret *key, struct secret **out_private,
                           uint8_t out_public[HPKE_PUBLIC_BYTES]) MUST_USE;

#endif
