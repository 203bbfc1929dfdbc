/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A box's own signature on an image: with it the TPM releases what was sealed under this box's authority (hal/tpm.h) to
 * the image that has been measured, as long as the TPM's counter is not above a number. The digest is worked out here, as
 * the TPM will work it out; nothing is asked of the TPM.
 *
 * Spec: TPM 2.0 Part 3, TPM2_PolicyPCR, TPM2_PolicyNV (digests), TPM2_PolicyAuthorize (what is signed). */
#ifndef CRYPTO_APPROVAL_H
#define CRYPTO_APPROVAL_H

#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/tpm.h"
#include "crypto/sign.h"

#define APPROVAL_PCR 11 /* what the stub of a unified kernel image measures itself into */

struct approval_subject {
    const uint8_t *pcr11; /* HAL_TPM_DIGEST_BYTES: the value that the image has there */
    const struct hal_tpm_name *counter;
    uint64_t counter_max;
};

/* Signs. authority->key must be the signer's own. ERR_BUG (the library failed). */
enum err approval_sign(struct signer *signer, const struct hal_tpm_authority *authority,
                       const struct approval_subject *subject, struct hal_tpm_approval *out_approval) MUST_USE;

/* What is handed to the TPM, for a subject and a signature that lay on a disk. Nothing is checked: the TPM does. */
void approval_of(const struct approval_subject *subject, const uint8_t signature[HAL_TPM_SIGNATURE_BYTES],
                 struct hal_tpm_approval *out_approval);

/* Did this authority sign it? ERR_AUTH, ERR_MALFORMED (a key that is no point), ERR_NO_MEMORY. */
enum err approval_check(const struct hal_tpm_authority *authority, const struct hal_tpm_approval *approval) MUST_USE;

#endif
