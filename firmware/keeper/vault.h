/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The keeper's keys on disk and in the TPM: provisioning, unsealing, unlocking, and the rotation of the key that wraps
 * table keys.
 *
 * Files, in the keeper's own directory; root.seal is the commit point of provisioning:
 *   unseen         a provisioning was begun; means nothing beside root.seal
 *   root.recovery  the root key, to the recovery key
 *   keys           the keyring, wrapped by the root key
 *   ca.der leaf.der locked.der   certificates; public
 *   locked.seal    the locked leaf's private key, under the SRK without PCRs or PIN
 *   root.seal      the root key, under the SRK and the policy
 *   date.seal      the latest date that the box has had
 * and on a measured board those of measured.h, which is who seals and opens there.
 *
 * A vault belongs to one thread at a time. Calls that reach the TPM block for seconds at worst and say so. */
#ifndef FIRMWARE_KEEPER_VAULT_H
#define FIRMWARE_KEEPER_VAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/keyring.h"
#include "crypto/random.h"
#include "crypto/secret.h"
#include "crypto/x509.h"
#include "firmware/keeper/measured.h"
#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "hal/clock.h"
#include "hal/datadir.h"
#include "hal/entropy.h"
#include "hal/life.h"
#include "hal/tpm.h"

struct vault;

struct vault_options {
    struct hal_tpm *tpm; /* NULL: there is none */
    struct hal_entropy *entropy;
    const struct hal_clock *clock;
    struct datadir *dir;
    uint32_t pcr_mask; /* of a board that is not measured */
    struct measured *measured; /* NULL: the board is not measured */
    const struct x509_names *names; /* copied */
    bool shown; /* somebody has the recovery key, whatever the files say: it stays */
};

/* Borrows tpm, entropy, clock, dir and measured for its life. ERR_NO_MEMORY, ERR_REFUSED. */
enum err vault_new(const struct vault_options *options, struct vault **out_vault) MUST_USE;
void vault_free(struct vault *vault); /* NULL is fine; wipes every key */

static inline void vault_free_scoped(struct vault **vault)
{
    vault_free(*vault);
}
#define SCOPED_VAULT SCOPED(vault_free_scoped)

/* Finds the state: provisions an empty directory, unseals otherwise. pin: empty if none was given. Blocks on the TPM.
 * Whatever it answers, vault_state and vault_reason are right afterwards; the error is for the log. */
enum err vault_start(struct vault *vault, struct span pin) MUST_USE;

/* Another try with a PIN. ERR_STATE (not locked, or no PIN would help), ERR_PIN, ERR_LOCKED and others of seal_open().
 * Blocks on the TPM. */
enum err vault_unlock_pin(struct vault *vault, struct span pin) MUST_USE;

/* Opens with the recovery key and seals anew under the TPM that is there now and the present PCRs, without a PIN; on a
 * measured board as measured_seal() does.
 * ERR_STATE (not locked), ERR_MALFORMED (a typing error), ERR_AUTH (not the recovery key of this box), ERR_NO_DEVICE,
 * ERR_DENIED (the TPM is owned by somebody else) and others of seal_create(). Blocks on the TPM. */
enum err vault_unlock_recovery(struct vault *vault, struct span words) MUST_USE;

/* The same, and from then on the box has no later date than its clock has now: for one whose clock was wrong, and ahead, when
 * its date was kept. All keys that sign tokens are made anew before, so no token or session that was over comes to life by it,
 * and none that was not goes on. Errors as above, and ERR_RANGE: the clock has no date; ERR_FULL, ERR_IO. */
enum err vault_unlock_date_back(struct vault *vault, struct span words) MUST_USE;

enum board_state vault_state(const struct vault *vault);
enum life_reason vault_reason(const struct vault *vault);

/* The recovery key to be shown, or NULL. Made anew at each start until vault_shown, or with vault_options.shown. */
const struct secret *vault_recovery_words(const struct vault *vault);

/* It was shown: it is forgotten here and never shown again. ERR_STATE (not operational), ERR_IO, ERR_FULL. */
enum err vault_shown(struct vault *vault) MUST_USE;

/* Makes the certificates that are missing, outlived or of other names, with a new key for the operational leaf, and writes
 * them. ERR_STATE (not operational); errors of x509.h and datadir_write(). Does not reach the TPM. */
enum err vault_renew(struct vault *vault, bool *out_changed) MUST_USE;

/* Other names for the certificates, at the next vault_renew. */
void vault_set_names(struct vault *vault, const struct x509_names *names);

/* The certificate and private key to show in the present state: the operational leaf, the locked leaf, or where there is
 * no TPM an ephemeral pair, made at the first call. The key is borrowed until the next change of state or renewal.
 * out_der gets the certificate appended. ERR_RANGE, ERR_NO_MEMORY, ERR_REFUSED. */
enum err vault_identity(struct vault *vault, struct buf *out_der, const struct secret **out_key) MUST_USE;

/* The CA's certificate, DER. ERR_NOT_FOUND before provisioning. */
enum err vault_ca(const struct vault *vault, struct buf *out_der) MUST_USE;

/* --- keys of tables: only while operational, otherwise ERR_STATE --- */

#define VAULT_WRAPPED_MAX 96

enum err vault_table_new(struct vault *vault, uint32_t table, struct secret **out_key, struct buf *out_wrapped) MUST_USE;
/* ERR_AUTH, ERR_STALE_KEY, ERR_MALFORMED. */
enum err vault_table_open(struct vault *vault, uint32_t table, struct span wrapped, struct secret **out_key) MUST_USE;
enum err vault_table_rewrap(struct vault *vault, uint32_t table, struct span wrapped, struct buf *out_wrapped) MUST_USE;

/* Rotation of the key that wraps them: on disk when the call returns. ERR_FULL, ERR_IO: as before the call. */
enum err vault_rotate_begin(struct vault *vault) MUST_USE;
enum err vault_rotate_end(struct vault *vault) MUST_USE;
enum err vault_rotate_pending(const struct vault *vault, bool *out_pending) MUST_USE;

/* --- keys that sign tokens, and the pepper: only while operational, otherwise ERR_STATE. An environment is named by its
 * id, a UUID (ERR_MALFORMED otherwise). --- */

/* Makes the first key of an environment, on disk when the call returns; ERR_OK also if it has one. ERR_LIMIT: as many
 * keys as there may be; ERR_FULL, ERR_IO. */
enum err vault_token_make(struct vault *vault, struct span environment) MUST_USE;
/* ERR_NOT_FOUND: it has none. */
enum err vault_token_versions(const struct vault *vault, struct span environment,
                              struct keyring_versions *out_versions) MUST_USE;
/* A key, borrowed until the next change. version KEYRING_NEWEST: the one that signs. ERR_NOT_FOUND, ERR_FULL, ERR_IO. */
enum err vault_token_key(struct vault *vault, struct span environment, uint32_t version,
                         const struct secret **out_key) MUST_USE;
/* Makes one version more, on disk when the call returns. ERR_NOT_FOUND: it has none; ERR_LIMIT: VAULT_TOKEN_VERSIONS_MAX
 * are held, or so many keys in all that new environments could have none. ERR_FULL, ERR_IO: the version is there, and on disk
 * before the first use of it. */
#define VAULT_TOKEN_VERSIONS_MAX 4
enum err vault_token_rotate(struct vault *vault, struct span environment) MUST_USE;
/* Destroys one version; ERR_OK also if it is not there. ERR_STATE: it is the newest. ERR_FULL, ERR_IO. */
enum err vault_token_retire(struct vault *vault, struct span environment, uint32_t version) MUST_USE;
/* Destroys all its keys; ERR_OK also if it has none. ERR_FULL, ERR_IO. */
enum err vault_token_drop(struct vault *vault, struct span environment) MUST_USE;
/* The environment with a key that comes next after `after` (empty: the first), in the order of ids; the view lives until
 * the next change. ERR_NOT_FOUND: no more. */
enum err vault_token_next(const struct vault *vault, struct span after, struct span *out_environment) MUST_USE;

/* HMAC-SHA-256 over the SHA-256 of a password, under a version of the pepper (KEYRING_NEWEST: the newest): what is
 * hashed in place of the password, so that a stolen database alone cannot be guessed at. ERR_NOT_FOUND (no such version),
 * ERR_MALFORMED (not a digest). */
struct vault_pepper {
    uint32_t version;
    uint8_t mac[32];
};
enum err vault_pepper(struct vault *vault, uint32_t version, struct span digest, struct vault_pepper *out_pepper) MUST_USE;

/* Hands the key of the data volume, with tags or without, to the kernel, under KERNEL_KEY_VOLUME; makes it at the first time, and has it on the disk
 * before. ERR_STATE: not operational; others as keyring_add(), datadir_write(), kernel_key_put(). */
enum err vault_volume_key_put(struct vault *vault, bool has_tags) MUST_USE;

/* Takes up a plan of Secure Boot (crypto/boot_plan.h) whose signature was checked, by its serial: on disk when the call returns, and
 * from then on no older one is taken. The newest may come again, so that what failed behind this can be done anew. The serial lies in
 * the keyring, without which the box has no keys: it can neither be forged nor left out, and whoever can put back an older keyring has
 * the older root.seal beside it, which opens under the older state by itself. Does not reach the TPM.
 * ERR_STATE (not operational), ERR_ROLLBACK (a newer one was taken), ERR_FULL, ERR_IO and those of keyring_raise(). */
enum err vault_plan_take(struct vault *vault, uint32_t serial) MUST_USE;

/* Keeps the latest date that the box has had, on disk when the call returns; and gives it back, which may be at a later start.
 * Neither reaches the TPM. ERR_STATE: not operational; ERR_RANGE: before 1970 or after 9999; ERR_FULL, ERR_IO. ERR_NOT_FOUND:
 * none was kept; ERR_AUTH, ERR_STALE_KEY, ERR_MALFORMED, ERR_DAMAGED: what is there is no date of this box. */
enum err vault_date_keep(struct vault *vault, struct wall_time date) MUST_USE;
enum err vault_date(struct vault *vault, struct wall_time *out_date) MUST_USE;

#endif
