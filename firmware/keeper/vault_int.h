/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of the vault share. */
#ifndef FIRMWARE_KEEPER_VAULT_INT_H
#define FIRMWARE_KEEPER_VAULT_INT_H

#include "firmware/keeper/vault.h"

#define FILE_UNSEEN   "unseen"
#define FILE_RECOVERY "root.recovery"
#define FILE_KEYS     "keys"
#define FILE_ROOT     "root.seal"
#define FILE_LOCKED   "locked.seal"
#define FILE_CA       "ca.der"
#define FILE_LEAF     "leaf.der"
#define FILE_LOCKED_CERT "locked.der"
#define FILE_DATE     "date.seal"

struct vault {
    struct hal_tpm *tpm;
    struct hal_entropy *entropy;
    const struct hal_clock *clock;
    struct datadir *dir;
    uint32_t pcr_mask;
    struct measured *measured; /* borrowed; NULL: the board is not measured */
    struct x509_names names;
    struct random *random;
    enum board_state state;
    enum life_reason reason;
    struct keyring *ring;      /* NULL unless operational */
    bool unsaved;              /* the ring has what its file has not: nothing is wrapped until it is written */
    bool was_shown;            /* as the options had it; the ring may not say so yet */
    struct secret *words;      /* of the recovery key, until shown */
    struct secret *locked_key; /* private key of the locked leaf, if the TPM gave it */
    struct secret *ephemeral_key;
    struct buf *ephemeral_der;
};

/* A whole file, in a new buffer of at most max bytes. Errors of datadir_read(). */
enum err vault_file_read(const struct vault *vault, const char *name, size_t max, struct buf **out_content) MUST_USE;

/* Writes the keyring's file if it is not on disk as it is in memory. */
enum err vault_save(struct vault *vault) MUST_USE;

/* Makes the key of every environment anew, and forgets all others; on disk when the call returns. Of an open ring, in any state.
 * ERR_NO_MEMORY, ERR_REFUSED, ERR_FULL, ERR_IO. */
enum err vault_tokens_renew(struct vault *vault) MUST_USE;

/* vault_unlock_date_back(), of an open ring. */
enum err vault_date_back(struct vault *vault) MUST_USE;

/* Hands measured.h what it needs of an open ring. A ring without a key of the box is given one. */
enum err vault_measured_keys(struct vault *vault, const struct secret *root, struct span pin) MUST_USE;

/* Seals a locked leaf's key under the SRK, making one if there is none, and issues its certificate. */
enum err vault_locked_make(struct vault *vault, const struct hal_tpm_name *srk) MUST_USE;

/* The same, if its certificate is missing or is not of our CA, or the key is missing. */
enum err vault_locked_repair(struct vault *vault, const struct hal_tpm_name *srk) MUST_USE;

/* Makes a pair that nobody has signed, for a box without a TPM. */
enum err vault_ephemeral_make(struct vault *vault) MUST_USE;

#endif
