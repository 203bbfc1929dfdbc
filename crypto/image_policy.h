/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a vendor says of one image: for which board it is, its version, its security version, and what the TPM measures
 * when it starts. Signed by the vendor's policy key; made by board/image/policy.py. A text of vendor_text.h, exactly these lines:
 *
 *     rowlock-policy 1
 *     board qemu-x86_64        1-31 of [a-z0-9_-]
 *     version 1.2.3            1-63 of [A-Za-z0-9._+~-]
 *     security 1               1 to 65535, no leading zero
 *     pcr11 <64 hex digits>    one to eight such lines: a value that PCR 11 (SHA-256 bank) has once the image runs
 *     signature <128 hex digits>
 *
 * The security version is raised when images below must never run again; a box remembers the highest in its TPM. */
#ifndef CRYPTO_IMAGE_POLICY_H
#define CRYPTO_IMAGE_POLICY_H

#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "hal/tpm.h"
#include "crypto/sign.h"
#include "crypto/vendor_text.h"

#define IMAGE_POLICY_MAX 1200 /* bytes of the file; the longest is 850 */
#define IMAGE_POLICY_BOARD_MAX VENDOR_TEXT_BOARD_MAX
#define IMAGE_POLICY_VERSION_MAX 63
#define IMAGE_POLICY_SECURITY_MAX VENDOR_TEXT_SECURITY_MAX
#define IMAGE_POLICY_PCRS_MAX 8

struct image_policy {
    char board[IMAGE_POLICY_BOARD_MAX + 1]; /* NUL-ended */
    char version[IMAGE_POLICY_VERSION_MAX + 1];
    uint32_t security;
    size_t pcr11_count;
    uint8_t pcr11[IMAGE_POLICY_PCRS_MAX][HAL_TPM_DIGEST_BYTES];
};

/* Reads a policy and checks its signature. vendor_key: an uncompressed point, from the program. Nothing of the file is
 * given out unless it is the vendor's.
 * ERR_MALFORMED (not of the form above), ERR_AUTH (not signed by this key), ERR_NO_MEMORY. */
enum err image_policy_read(struct span file, const uint8_t vendor_key[SIGN_PUBLIC_BYTES],
                           struct image_policy *out_policy) MUST_USE;

#endif
