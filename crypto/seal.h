/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Secrets that one TPM keeps: the root key, and the private key that the box uses while it is locked. Bytes in, bytes out:
 * who calls keeps the files.
 *
 * First start:   hal_tpm_srk_make -> seal_root_new -> seal_create(SEAL_ROOT) and seal_recovery_create -> both files on disk
 * Later starts:  seal_open. The SRK's name is read from the file and must be that of the key in the TPM.
 * Another TPM:   recovery words -> seal_recovery_open -> hal_tpm_srk_make on the new one -> seal_create
 *
 * All of it blocks on the TPM (see hal/tpm.h), so it belongs to the keeper's TPM thread. */
#ifndef CRYPTO_SEAL_H
#define CRYPTO_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "hal/entropy.h"
#include "hal/tpm.h"
#include "crypto/hpke.h"
#include "crypto/random.h"
#include "crypto/secret.h"

#define SEAL_ROOT_BYTES 32
#define SEAL_FILE_MAX 1024     /* root.seal, locked.seal */
#define SEAL_RECOVERY_MAX 256  /* root.recovery */
#define SEAL_PIN_MAX 128       /* of what a person types */

/* What is sealed; written in the file, so that one cannot stand in for the other. */
enum seal_kind {
    SEAL_ROOT = 1,       /* the root key */
    SEAL_LOCKED_LEAF = 2 /* the locked TLS leaf's private key: neither PCRs nor PIN */
};

struct seal_policy {
    enum seal_kind kind;
    uint32_t pcr_mask; /* bit n = PCR n; 0 for SEAL_LOCKED_LEAF */
    struct span pin;   /* empty: none. Borrowed; empty for SEAL_LOCKED_LEAF */
};

/* A new root key: HKDF over bytes of the TPM and of the kernel, after the entropy gate, so that either source alone
 * suffices. Waits up to gate_ms for the kernel. The caller owns it. Errors of hal_entropy_gate(), hal_tpm_random() and
 * secret_new(). */
enum err seal_root_new(struct hal_tpm *tpm, struct hal_entropy *entropy, unsigned int gate_ms,
                       struct secret **out_root) MUST_USE;

/* Seals a secret of HAL_TPM_SECRET_MIN to HAL_TPM_SECRET_MAX bytes and appends the file to out_file. srk is the name that
 * hal_tpm_srk_make gave; it is pinned in the file.
 * ERR_RANGE (length of the secret or the PIN, PCRs, no room), ERR_STATE (PCRs or PIN with SEAL_LOCKED_LEAF), and those of
 * hal_tpm_seal(). */
enum err seal_create(struct hal_tpm *tpm, const struct hal_tpm_name *srk, const struct seal_policy *policy,
                     struct random *random, const struct secret *secret, struct buf *out_file) MUST_USE;

/* Opens a sealed secret. The TPM releases it only while the PCRs hold the values they had at sealing.
 * pin         what the person typed; empty if the file wants none (a PIN given in vain is ignored)
 * out_secret  the caller owns it; untouched on failure
 *
 * ERR_POLICY     PCRs differ: the firmware changed, or somebody changed it
 * ERR_PIN        wrong or missing PIN; a missing one does not count as a try
 * ERR_LOCKED     too many wrong PINs
 * ERR_STALE_KEY  another TPM, or one that was cleared: only the recovery key helps
 * ERR_AUTH       the blob was changed, or an answer of the TPM was
 * ERR_MALFORMED  not such a file, of another kind, or damaged
 * ERR_VERSION    of a later format
 * and the other errors of hal/tpm.h and secret_new(). Spec: TPM 2.0 Part 3, TPM2_Unseal. */
enum err seal_open(struct hal_tpm *tpm, enum seal_kind kind, struct span pin, struct span file,
                   struct secret **out_secret) MUST_USE;

/* What a sealed file says of itself. Not authenticated: the TPM decides by its own record.
 * ERR_MALFORMED, ERR_VERSION. */
struct seal_info {
    enum seal_kind kind;
    uint32_t pcr_mask;
    bool wants_pin;
    struct hal_tpm_name srk;
};
enum err seal_read(struct span file, struct seal_info *out_info) MUST_USE;

/* Appends the recovery file: the root key sealed by HPKE to the recovery key's public half, and that half.
 * ERR_RANGE (not a root key, no room), and those of hpke_seal(). */
enum err seal_recovery_create(struct random *random, const uint8_t public_key[HPKE_PUBLIC_BYTES],
                              const struct secret *root, struct buf *out_file) MUST_USE;

/* The root key back, with the recovery key of recovery_from_words().
 * ERR_AUTH (not the recovery key of this box, or the file was changed), ERR_MALFORMED, ERR_VERSION, ERR_RANGE (not a
 * recovery key), ERR_NO_MEMORY, ERR_REFUSED. */
enum err seal_recovery_open(const struct secret *recovery_key, struct span file, struct secret **out_root) MUST_USE;

#endif
