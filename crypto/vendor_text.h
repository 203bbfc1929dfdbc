/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the texts that a vendor signs have in common (image_policy.h, boot_plan.h): lines, each a known word, a space and a value of a
 * narrow alphabet, in one order, each ending in '\n', hex in lower case; so people can read them and one statement has one form. The
 * first line says what kind of text it is: it is signed with the rest, so a signature on one kind is none on another. The last line is
 *
 *     signature <128 hex digits>    ECDSA P-256 with SHA-256 over every byte above this line: r | s, s the lower one
 *
 * A reader takes line after line from the front and gives out what it has read only after vendor_text_end() has succeeded: until then
 * every value is a stranger's. All calls but that answer ERR_MALFORMED and nothing else. */
#ifndef CRYPTO_VENDOR_TEXT_H
#define CRYPTO_VENDOR_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "hal/tpm.h"
#include "crypto/sign.h"

#define VENDOR_TEXT_BOARD_MAX 31       /* of [a-z0-9_-] */
#define VENDOR_TEXT_SECURITY_MAX 65535 /* each step is a write to the TPM's flash, once in a box's life */

struct vendor_text {
    struct span file; /* borrowed */
    struct reader reader;
};

/* first_line: without its end. max: bytes of the file. */
enum err vendor_text_begin(struct span file, size_t max, struct span first_line, struct vendor_text *out_text) MUST_USE;

/* Does the next line begin with that? word: as in the next ones, with the space behind it. */
bool vendor_text_is_next(const struct vendor_text *text, struct span word);

/* 1 to max characters of an alphabet, NUL-ended in out_value, which has room for one more than max. */
enum err vendor_text_get(struct vendor_text *text, struct span word, bool (*fits)(uint8_t c), size_t max,
                         char *out_value) MUST_USE;
enum err vendor_text_get_board(struct vendor_text *text, char out_board[VENDOR_TEXT_BOARD_MAX + 1]) MUST_USE;

/* 1 to max, no leading zero. */
enum err vendor_text_get_number(struct vendor_text *text, struct span word, uint32_t max, uint32_t *out_number) MUST_USE;
enum err vendor_text_get_security(struct vendor_text *text, uint32_t *out_security) MUST_USE;

/* A value of a PCR, SHA-256 bank. */
enum err vendor_text_get_pcr(struct vendor_text *text, struct span word, uint8_t out_value[HAL_TPM_DIGEST_BYTES]) MUST_USE;

/* The signature's line, behind which nothing comes. vendor_key: an uncompressed point, from the program.
 * ERR_MALFORMED, ERR_AUTH (not signed by this key), ERR_NO_MEMORY. */
enum err vendor_text_end(struct vendor_text *text, const uint8_t vendor_key[SIGN_PUBLIC_BYTES]) MUST_USE;

#endif
