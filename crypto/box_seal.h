/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The root key of a box whose boot is measured: sealed in the TPM under an authority of the box's own, so that each image
 * which the box has approved (approval.h) opens it, and no other. Bytes in, bytes out: who calls keeps the files.
 *
 * The policy of the sealed object, in the order in which the TPM counts it:
 *   1. PolicyPCR(11)           the value of the image that was approved
 *   2. PolicyNV(counter <= n)  the box's counter has not gone past the image's security version
 *      -> together the digest that the box's key has signed
 *   3. PolicyAuthorize         by the box's key, under a reference
 *   4. PolicyPCR(7)            literally the state and keys of Secure Boot at the sealing, or those that are expected
 *   5. PolicyCommandCode(TPM2_Unseal)
 *   6. PolicyAuthValue         where a PIN is used
 *
 * The reference is a digest of the facts below. Signatures are good for one sealing's facts only: on another TPM, whose
 * counter stands elsewhere, an old one opens nothing; and facts that somebody changed on the disk lead to another
 * reference, for which there is no signature. So once a file has opened, its facts are authentic.
 *
 * All of it blocks on the TPM (see hal/tpm.h). */
#ifndef CRYPTO_BOX_SEAL_H
#define CRYPTO_BOX_SEAL_H

#include <stdbool.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "hal/tpm.h"
#include "crypto/random.h"
#include "crypto/secret.h"

#define BOX_SEAL_FILE_MAX 900
#define BOX_SEAL_PCR 7
#define BOX_SEAL_NONCE_BYTES 16

/* What one sealing stands on. */
struct box_seal_facts {
    uint8_t key[HAL_TPM_POINT_BYTES];    /* the box's, public */
    uint8_t nonce[BOX_SEAL_NONCE_BYTES]; /* random: no two sealings have one reference */
    struct hal_tpm_counter counter;      /* its name, and where it stood */
    uint32_t security;                   /* the lowest security version that is let in while it stands there */
};

/* The highest value that the counter may have for an image of this security version, which is at least facts->security:
 * one step of the counter is one security version. */
uint64_t box_seal_counter_max(const struct box_seal_facts *facts, uint32_t security);

/* The authority whose signatures open what is sealed on these facts. */
void box_seal_authority(const struct box_seal_facts *facts, struct hal_tpm_authority *out_authority);

struct box_seal_subject {
    const struct hal_tpm_name *srk;
    const struct box_seal_facts *facts;
    const uint8_t *pcr7; /* HAL_TPM_DIGEST_BYTES: the value that is expected; NULL: as it is now */
    struct span pin;     /* empty: none */
};

/* Seals the root key and appends the file. ERR_RANGE (not a root key, length of the PIN, no room) and those of
 * hal_tpm_seal() and hal_tpm_pcr_read(). */
enum err box_seal_create(struct hal_tpm *tpm, const struct box_seal_subject *subject, struct random *random,
                         const struct secret *root, struct buf *out_file) MUST_USE;

/* What a file says of itself; authentic only once it has been opened. pcr7: the value it was sealed for, to tell people
 * why it does not open. ERR_MALFORMED, ERR_VERSION. */
struct box_seal_info {
    struct hal_tpm_name srk;
    struct box_seal_facts facts;
    uint8_t pcr7[HAL_TPM_DIGEST_BYTES];
    bool wants_pin;
};
enum err box_seal_read(struct span file, struct box_seal_info *out_info) MUST_USE;

/* Opens a file for an image with this approval. pin: empty if none was given. out_root: the caller owns it; untouched on
 * failure.
 * ERR_POLICY     PCR 7, PCR 11 or the counter is not as it has to be, or the approval is not one of this box
 * ERR_PIN        wrong or missing PIN; a missing one does not count as a try
 * ERR_LOCKED     too many wrong PINs
 * ERR_STALE_KEY  another TPM, or one that was cleared
 * ERR_AUTH       the blob was changed, or an answer of the TPM was
 * ERR_MALFORMED, ERR_VERSION as box_seal_read(), and the other errors of hal/tpm.h and secret_new(). */
enum err box_seal_open(struct hal_tpm *tpm, struct span file, const struct hal_tpm_approval *approval, struct span pin,
                       struct secret **out_root) MUST_USE;

#endif
