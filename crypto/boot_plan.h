/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a vendor says of a state of Secure Boot that is to come (other keys, a longer dbx): which value PCR 7 will have then, and that
 * what starts under it is as good as what starts today. A box that is brought the plan while it is open seals its root key for that
 * value, too; so nobody but the vendor may say it. Signed by the vendor's policy key; made by board/image/plan.py. A text of
 * vendor_text.h, exactly these lines:
 *
 *     rowlock-secure-boot-plan 1
 *     board qemu-x86_64        1-31 of [a-z0-9_-]
 *     serial 2026112401        1 to 4294967295, no leading zero; each plan's is above those before
 *     security 1               1 to 65535, no leading zero
 *     pcr7 <64 hex digits>     the value that PCR 7 (SHA-256 bank) will have
 *     signature <128 hex digits>
 *
 * A plan is good for all boxes of the board, and has two ends. A box takes none whose serial is below that of the newest one that it
 * has taken. And a box whose minimum (crypto/image_policy.h) is above the plan's security version does not take it, whatever it was
 * brought before: by raising that version a vendor withdraws plans that a box has never seen. */
#ifndef CRYPTO_BOOT_PLAN_H
#define CRYPTO_BOOT_PLAN_H

#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "hal/tpm.h"
#include "crypto/sign.h"
#include "crypto/vendor_text.h"

#define BOOT_PLAN_MAX 400 /* bytes of the file; the longest is 307 */
#define BOOT_PLAN_SERIAL_MAX UINT32_MAX

struct boot_plan {
    char board[VENDOR_TEXT_BOARD_MAX + 1]; /* NUL-ended */
    uint32_t serial;
    uint32_t security;
    uint8_t pcr7[HAL_TPM_DIGEST_BYTES];
};

/* Reads a plan and checks its signature. vendor_key: an uncompressed point, from the program. Nothing of the file is given out unless
 * it is the vendor's.
 * ERR_MALFORMED (not of the form above), ERR_AUTH (not signed by this key), ERR_NO_MEMORY. */
enum err boot_plan_read(struct span file, const uint8_t vendor_key[SIGN_PUBLIC_BYTES], struct boot_plan *out_plan) MUST_USE;

#endif
