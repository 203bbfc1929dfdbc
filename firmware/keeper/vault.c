/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where the root key comes from. Four ways lead to it:
 *
 *   provision   nothing is there: a new root key, sealed; the order of files is such that a crash before root.seal is
 *               written leaves a directory that is provisioned from the start again (it has `unseen`, nobody holds a
 *               recovery key, and no row can have been written)
 *   unseal      the TPM gives it out
 *   PIN         the same, with what a person typed
 *   recovery    the words open root.recovery, and the TPM that is there now seals the root anew
 *
 * A directory that has root.recovery or `keys` but neither root.seal nor `unseen` has lost a file: it is locked, not
 * provisioned again, because rows may lie under its keys. So it is where the disk cannot say what is there. Nothing here
 * is a fallback to plaintext.
 *
 * Whether the recovery key was shown stands in the keyring, which is authentic: whoever could make the box show a new one
 * by putting a file there would read the root key out of root.recovery with it. The file `unseen` only says that a
 * provisioning was begun. */
#include "firmware/keeper/vault.h"

#include "crypto/recovery.h"
#include "crypto/seal.h"
#include "firmware/keeper/vault_int.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/base/mem.h"

#define ENTROPY_GATE_MS 30000 /* a kernel without entropy after half a minute will not have any soon */
#define SEED_BYTES 32

static const struct {
    uint8_t len;
    char text[16];
} first_names[] = {
    {6, "tables"}, {6, "config"}, {6, "pepper"}, {6, "backup"},
    {10, "owner-auth"}, {12, "lockout-auth"}, {6, "tls-ca"}, {8, "tls-leaf"}, {6, "unseen"},
};

/* What the world did, as the reason that people see. */
static enum life_reason reason_of(const struct vault *vault, enum err err)
{
    switch (err) {
    case ERR_OK:
        return LIFE_REASON_NONE;
    case ERR_NO_DEVICE:
    case ERR_TIMEOUT:
    case ERR_DEVICE:
        return LIFE_REASON_NO_TPM;
    case ERR_STALE_KEY:
    case ERR_CONFLICT:
    case ERR_DENIED:
        return LIFE_REASON_OTHER_TPM;
    case ERR_POLICY:
        return vault->measured != NULL ? measured_reason(vault->measured) : LIFE_REASON_PCR_CHANGED;
    case ERR_PIN:
        return LIFE_REASON_PIN;
    case ERR_LOCKED:
        return LIFE_REASON_TPM_LOCKOUT;
    case ERR_ROLLBACK:
        return LIFE_REASON_ROLLBACK;
    case ERR_NO_MEMORY:
    case ERR_RANGE:
    case ERR_MALFORMED:
    case ERR_NOT_FOUND:
    case ERR_EXISTS:
    case ERR_FULL:
    case ERR_IO:
    case ERR_AGAIN:
    case ERR_CLOSED:
    case ERR_REFUSED:
    case ERR_AUTH:
    case ERR_DAMAGED:
    case ERR_LIMIT:
    case ERR_BUDGET:
    case ERR_UNSUPPORTED:
    case ERR_STATE:
    case ERR_EXPIRED:
    case ERR_REVOKED:
    case ERR_VERSION:
    case ERR_CANCELLED:
    case ERR_BUG:
    case ERR_COUNT:
        return LIFE_REASON_KEYS_DAMAGED;
    }
    return LIFE_REASON_KEYS_DAMAGED;
}

enum err vault_new(const struct vault_options *options, struct vault **out_vault)
{
    void *memory = NULL;
    uint8_t seed[SEED_BYTES] = {0};
    SCOPED_VAULT struct vault *vault = NULL;

    TRY(mem_alloc(sizeof(struct vault), &memory));
    vault = memory;
    vault->tpm = options->tpm;
    vault->entropy = options->entropy;
    vault->clock = options->clock;
    vault->dir = options->dir;
    vault->pcr_mask = options->pcr_mask;
    vault->measured = options->measured;
    vault->names = *options->names;
    vault->was_shown = options->shown;
    vault->state = BOARD_LOCKED;
    vault->reason = LIFE_REASON_STARTING;
    /* A TPM that gives no random bytes now is found out by the calls that need it; the kernel's suffice here. */
    if (vault->tpm != NULL && hal_tpm_random(vault->tpm, seed, sizeof(seed)) != ERR_OK) {
        log_fault(LOG_WARN, "tpm_random_failed");
    }
    const enum err err = random_new(span_array(seed), &vault->random);
    mem_wipe(seed, sizeof(seed));
    TRY(err);
    *out_vault = TAKE(vault);
    return ERR_OK;
}

void vault_free(struct vault *vault)
{
    if (vault == NULL) {
        return;
    }
    keyring_free(vault->ring);
    secret_free(vault->words);
    secret_free(vault->locked_key);
    secret_free(vault->ephemeral_key);
    buf_free(vault->ephemeral_der);
    random_free(vault->random);
    mem_free(vault);
}

enum board_state vault_state(const struct vault *vault)
{
    return vault->state;
}

enum life_reason vault_reason(const struct vault *vault)
{
    return vault->reason;
}

const struct secret *vault_recovery_words(const struct vault *vault)
{
    return vault->words;
}

void vault_set_names(struct vault *vault, const struct x509_names *names)
{
    vault->names = *names;
}

enum err vault_file_read(const struct vault *vault, const char *name, size_t max, struct buf **out_content)
{
    SCOPED_BUF struct buf *content = NULL;

    TRY(buf_new(max, &content));
    TRY(datadir_read(vault->dir, name, content));
    *out_content = TAKE(content);
    return ERR_OK;
}

enum err vault_save(struct vault *vault)
{
    SCOPED_BUF struct buf *file = NULL;

    if (!vault->unsaved) {
        return ERR_OK;
    }
    TRY(buf_new(KEYRING_FILE_MAX, &file));
    TRY(keyring_write(vault->ring, file));
    TRY(datadir_write(vault->dir, FILE_KEYS, buf_all(file)));
    vault->unsaved = false;
    return ERR_OK;
}

static bool is_unseen(const struct keyring *ring)
{
    const struct secret *mark = NULL;
    const bool found = keyring_get(ring, KEYRING_UNSEEN, KEYRING_NEWEST, &mark) == ERR_OK;

    fault_clear();
    return found;
}

/* The file means nothing once root.seal is there: one that cannot be removed does no harm. */
static void unseen_file_remove(struct vault *vault)
{
    if (datadir_has(vault->dir, FILE_UNSEEN) && datadir_remove(vault->dir, FILE_UNSEEN) != ERR_OK) {
        log_fault(LOG_WARN, "file_not_removed");
    }
}

enum err vault_shown(struct vault *vault)
{
    ENSURE(vault->ring != NULL, ERR_STATE, "not operational");
    if (is_unseen(vault->ring)) {
        TRY(keyring_destroy(vault->ring, KEYRING_UNSEEN, 1));
        vault->unsaved = true;
    }
    TRY(vault_save(vault));
    secret_free(vault->words);
    vault->words = NULL;
    unseen_file_remove(vault);
    return ERR_OK;
}

/* A new recovery key for this root: its words stay in memory until they were shown, its public half goes to disk. */
static enum err recovery_make(struct vault *vault, const struct secret *root)
{
    SCOPED_SECRET struct secret *key = NULL;
    SCOPED_SECRET struct secret *words = NULL;
    SCOPED_SECRET struct secret *private_key = NULL;
    SCOPED_BUF struct buf *file = NULL;
    uint8_t public_key[HPKE_PUBLIC_BYTES];

    TRY(recovery_key_new(vault->random, &key));
    TRY(recovery_to_words(key, &words));
    TRY(recovery_key_pair(key, &private_key, public_key));
    TRY(buf_new(SEAL_RECOVERY_MAX, &file));
    TRY(seal_recovery_create(vault->random, public_key, root, file));
    TRY(datadir_write(vault->dir, FILE_RECOVERY, buf_all(file)));
    secret_free(vault->words);
    vault->words = TAKE(words);
    return ERR_OK;
}

static enum err root_seal(struct vault *vault, const struct hal_tpm_name *srk, const struct secret *root,
                          struct span pin, enum measured_owner owner)
{
    SCOPED_BUF struct buf *file = NULL;
    const struct seal_policy policy = {.kind = SEAL_ROOT, .pcr_mask = vault->pcr_mask, .pin = pin};

    if (vault->measured != NULL) {
        TRY(vault_measured_keys(vault, root, pin));
        return measured_seal(vault->measured, srk, owner);
    }
    TRY(buf_new(SEAL_FILE_MAX, &file));
    TRY(seal_create(vault->tpm, srk, &policy, vault->random, root, file));
    TRY(datadir_write(vault->dir, FILE_ROOT, buf_all(file)));
    return ERR_OK;
}

/* Ownership with the ring's values. Repeated at a later start if a crash came in between. */
static enum err own(struct vault *vault, const struct keyring *ring, const struct hal_tpm_name *srk)
{
    const struct secret *owner_auth = NULL;
    const struct secret *lockout_auth = NULL;

    TRY(keyring_get(ring, KEYRING_OWNER_AUTH, KEYRING_NEWEST, &owner_auth));
    TRY(keyring_get(ring, KEYRING_LOCKOUT_AUTH, KEYRING_NEWEST, &lockout_auth));
    const struct hal_tpm_owner owner = {secret_reveal(owner_auth), secret_reveal(lockout_auth)};
    const enum err owned = hal_tpm_own(vault->tpm, srk, &owner);
    ENSURE(owned != ERR_AUTH, ERR_DENIED, "the TPM is owned by somebody else: clear it first");
    TRY(owned);
    return ERR_OK;
}

/* Before anything is written: a TPM that somebody else owns would leave a box that never opens. */
static enum err refuse_owned(struct vault *vault)
{
    struct hal_tpm_info tpm = {0};

    TRY(hal_tpm_info(vault->tpm, &tpm));
    ENSURE(!tpm.owner_auth_set && !tpm.lockout_auth_set, ERR_DENIED, "the TPM is owned already: clear it first");
    return ERR_OK;
}

static enum err own_if_not_yet(struct vault *vault, const struct hal_tpm_name *srk)
{
    struct hal_tpm_info tpm = {0};

    TRY(hal_tpm_info(vault->tpm, &tpm));
    if (!tpm.owner_auth_set || !tpm.lockout_auth_set) {
        TRY(own(vault, vault->ring, srk));
    }
    return ERR_OK;
}

/* A firmware that is configured for other PCRs than the file was sealed to. */
static enum err seal_to_configured_pcrs(struct vault *vault, const struct seal_info *seal, const struct secret *root,
                                        struct span pin)
{
    if (seal->pcr_mask == vault->pcr_mask) {
        return ERR_OK;
    }
    LOG(LOG_WARN, "sealing_to_other_pcrs", LOG_NUMBER("before", seal->pcr_mask), LOG_NUMBER("now", vault->pcr_mask));
    TRY(root_seal(vault, &seal->srk, root, seal->wants_pin ? pin : SPAN_NONE, MEASURED_OWNED));
    return ERR_OK;
}

static enum err ring_make(struct vault *vault, const struct secret *root)
{
    SCOPED_KEYRING struct keyring *ring = NULL;

    TRY(keyring_new(root, vault->random, &ring));
    for (size_t i = 0; i < ARRAY_LENGTH(first_names); i++) {
        TRY(keyring_add(ring, span_of(first_names[i].text, first_names[i].len)));
    }
    vault->ring = TAKE(ring);
    vault->unsaved = true;
    TRY(vault_save(vault));
    return ERR_OK;
}

/* Files of a first start that was cut off: their keys are gone, so nothing fits them. */
static enum err clear_remains(struct vault *vault)
{
    static const char *const names[] = {FILE_CA, FILE_LEAF, FILE_LOCKED_CERT, FILE_LOCKED, FILE_KEYS, FILE_DATE};

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (datadir_has(vault->dir, names[i])) {
            TRY(datadir_remove(vault->dir, names[i]));
        }
    }
    return ERR_OK;
}

/* 1. note that this was begun, and clear away what a crash may have left
 * 2. make root key, recovery file, keyring, certificates, locked leaf
 * 3. root.seal: from here on the box is provisioned
 * 4. take ownership, with values that are on disk */
static enum err provision(struct vault *vault, struct span pin)
{
    SCOPED_SECRET struct secret *root = NULL;
    struct hal_tpm_name srk;
    bool changed = false;

    ENSURE(vault->tpm != NULL, ERR_NO_DEVICE, "no TPM to provision with");
    if (vault->measured != NULL) {
        TRY(measured_may_provision(vault->measured));
    }
    TRY(refuse_owned(vault));
    TRY(seal_root_new(vault->tpm, vault->entropy, ENTROPY_GATE_MS, &root));
    const enum err made = hal_tpm_srk_make(vault->tpm, SPAN_NONE, &srk);
    ENSURE(made != ERR_AUTH, ERR_DENIED, "the TPM is owned already: clear it first");
    TRY(made);

    TRY(datadir_write(vault->dir, FILE_UNSEEN, span_lit("the recovery key has not been shown\n")));
    TRY(clear_remains(vault));
    TRY(recovery_make(vault, root));
    TRY(ring_make(vault, root));
    vault->state = BOARD_OPERATIONAL; /* for vault_renew; vault_start takes it back on failure */
    TRY(vault_renew(vault, &changed));
    TRY(vault_locked_make(vault, &srk));
    TRY(root_seal(vault, &srk, root, pin, MEASURED_NOT_OWNED));
    TRY(own(vault, vault->ring, &srk));
    LOG(LOG_INFO, "provisioned", LOG_NUMBER("pcr_mask", vault->pcr_mask), LOG_NUMBER("pin", pin.len != 0));
    return ERR_OK;
}

static enum err ring_open(struct vault *vault, const struct secret *root)
{
    SCOPED_BUF struct buf *file = NULL;
    struct keyring *ring = NULL;

    TRY(vault_file_read(vault, FILE_KEYS, KEYRING_FILE_MAX, &file));
    TRY(keyring_open(root, vault->random, buf_all(file), &ring));
    keyring_free(vault->ring);
    vault->ring = ring;
    vault->unsaved = false;
    return ERR_OK;
}

/* Nobody has the recovery key that was made before a crash: another is made. Or somebody has, and only the note of it was
 * lost: another would turn what was shown into a lie. That note may be made later, too. */
static enum err recovery_repair(struct vault *vault, const struct secret *root)
{
    if (!is_unseen(vault->ring)) {
        unseen_file_remove(vault);
    } else if (!vault->was_shown) {
        TRY(recovery_make(vault, root));
    } else if (vault_shown(vault) != ERR_OK) {
        log_fault(LOG_WARN, "shown_not_noted");
    }
    return ERR_OK;
}

/* The root key out of the TPM. out_seal: on a measured board only whose SRK it is. */
static enum err root_open(struct vault *vault, struct span pin, struct secret **out_root, struct seal_info *out_seal)
{
    SCOPED_BUF struct buf *file = NULL;

    if (vault->measured != NULL) {
        out_seal->pcr_mask = vault->pcr_mask;
        return measured_open(vault->measured, pin, out_root, &out_seal->srk);
    }
    TRY(vault_file_read(vault, FILE_ROOT, SEAL_FILE_MAX, &file));
    TRY(seal_open(vault->tpm, SEAL_ROOT, pin, buf_all(file), out_root));
    return seal_read(buf_all(file), out_seal);
}

static enum err unseal(struct vault *vault, struct span pin)
{
    SCOPED_SECRET struct secret *root = NULL;
    struct seal_info seal = {.pcr_mask = 0};

    ENSURE(vault->tpm != NULL, ERR_NO_DEVICE, "no TPM to unseal with");
    const struct mono_time before = hal_clock_mono(vault->clock);
    TRY(root_open(vault, pin, &root, &seal));
    LOG(LOG_INFO, "unsealed", LOG_NUMBER("ms", mono_ms_between(before, hal_clock_mono(vault->clock))));
    TRY(ring_open(vault, root));
    if (vault->measured != NULL) {
        TRY(vault_measured_keys(vault, root, measured_wants_pin(vault->measured) ? pin : SPAN_NONE));
    }
    TRY(own_if_not_yet(vault, &seal.srk));
    TRY(seal_to_configured_pcrs(vault, &seal, root, pin));
    TRY(recovery_repair(vault, root));
    if (vault_locked_repair(vault, &seal.srk) != ERR_OK) {
        log_fault(LOG_WARN, "locked_leaf_not_repaired"); /* the locked box then shows an ephemeral one */
    }
    return ERR_OK;
}

/* The locked leaf's key, for the states in which it is shown. Without it an ephemeral one is. */
static void locked_key_load(struct vault *vault)
{
    SCOPED_BUF struct buf *file = NULL;

    if (vault->tpm == NULL || vault->locked_key != NULL || !datadir_has(vault->dir, FILE_LOCKED)) {
        return;
    }
    enum err err = vault_file_read(vault, FILE_LOCKED, SEAL_FILE_MAX, &file);
    if (err == ERR_OK) {
        err = seal_open(vault->tpm, SEAL_LOCKED_LEAF, SPAN_NONE, buf_all(file), &vault->locked_key);
    }
    if (err != ERR_OK) {
        log_fault(LOG_WARN, "locked_leaf_unavailable");
    }
}

/* Nothing that only an open box has stays in memory. */
static void close_ring(struct vault *vault)
{
    keyring_free(vault->ring);
    vault->ring = NULL;
    vault->unsaved = false;
    if (vault->measured != NULL) {
        measured_forget_keys(vault->measured);
    }
}

static void settle(struct vault *vault, enum board_state otherwise, enum err err)
{
    vault->reason = reason_of(vault, err);
    if (err == ERR_OK) {
        vault->state = BOARD_OPERATIONAL;
        return;
    }
    vault->state = otherwise;
    close_ring(vault);
    secret_free(vault->words);
    vault->words = NULL;
    locked_key_load(vault);
}

/* What of a box lies in the directory. */
enum found { FOUND_NOTHING, FOUND_SEAL, FOUND_KEYS_WITHOUT_SEAL };

static enum err look(const struct vault *vault, enum found *out_found)
{
    bool sealed = false;
    bool begun = false;
    bool recovery = false;
    bool keys = false;

    TRY(datadir_look(vault->dir, FILE_ROOT, &sealed));
    TRY(datadir_look(vault->dir, FILE_UNSEEN, &begun));
    TRY(datadir_look(vault->dir, FILE_RECOVERY, &recovery));
    TRY(datadir_look(vault->dir, FILE_KEYS, &keys));
    *out_found = FOUND_NOTHING;
    if (sealed) {
        *out_found = FOUND_SEAL;
    } else if (!begun && (recovery || keys)) {
        *out_found = FOUND_KEYS_WITHOUT_SEAL;
    }
    return ERR_OK;
}

enum err vault_start(struct vault *vault, struct span pin)
{
    enum found found = FOUND_KEYS_WITHOUT_SEAL;
    enum err err = look(vault, &found);

    if (err == ERR_OK && found == FOUND_SEAL) {
        err = unseal(vault, pin);
    } else if (err == ERR_OK && found == FOUND_NOTHING) {
        err = provision(vault, pin);
    } else if (err == ERR_OK) {
        err = ERR_DAMAGED; /* root.seal is gone, and rows may depend on it */
    }
    settle(vault, found == FOUND_NOTHING ? BOARD_UNPROVISIONED : BOARD_LOCKED, err);
    TRY(err);
    return ERR_OK;
}

enum err vault_unlock_pin(struct vault *vault, struct span pin)
{
    ENSURE(vault->state == BOARD_LOCKED, ERR_STATE, "not locked");
    ENSURE(vault->reason == LIFE_REASON_PIN || vault->reason == LIFE_REASON_TPM_LOCKOUT, ERR_STATE,
           "not locked for want of a PIN");
    ENSURE(pin.len != 0, ERR_PIN, "empty PIN");

    const enum err err = unseal(vault, pin);
    settle(vault, BOARD_LOCKED, err);
    TRY(err);
    return ERR_OK;
}

/* Makes the present TPM the one that opens this box. */
static enum err adopt_tpm(struct vault *vault, const struct secret *root)
{
    struct hal_tpm_info info = {0};
    struct hal_tpm_name srk;
    const struct secret *owner_auth = NULL;
    const struct secret *lockout_auth = NULL;

    TRY(hal_tpm_info(vault->tpm, &info));
    TRY(keyring_get(vault->ring, KEYRING_OWNER_AUTH, KEYRING_NEWEST, &owner_auth));
    TRY(keyring_get(vault->ring, KEYRING_LOCKOUT_AUTH, KEYRING_NEWEST, &lockout_auth));
    const enum err made =
        hal_tpm_srk_make(vault->tpm, info.owner_auth_set ? secret_reveal(owner_auth) : SPAN_NONE, &srk);
    ENSURE(made != ERR_AUTH, ERR_DENIED, "the TPM is owned by somebody else: clear it first");
    TRY(made);
    if (info.in_lockout) {
        TRY(hal_tpm_lockout_reset(vault->tpm, &srk, secret_reveal(lockout_auth)));
    }
    TRY(own(vault, vault->ring, &srk)); /* before it is sealed to: one that cannot be owned must not open the box */
    TRY(vault_locked_make(vault, &srk));
    TRY(root_seal(vault, &srk, root, SPAN_NONE, MEASURED_OWNED));
    return ERR_OK;
}

/* What becomes of the date that was kept. */
enum date_then { DATE_STAYS, DATE_BACK };

static enum err recover(struct vault *vault, struct span words, enum date_then then)
{
    SCOPED_SECRET struct secret *key = NULL;
    SCOPED_SECRET struct secret *root = NULL;
    SCOPED_BUF struct buf *file = NULL;

    TRY(recovery_from_words(words, &key));
    TRY(vault_file_read(vault, FILE_RECOVERY, SEAL_RECOVERY_MAX, &file));
    TRY(seal_recovery_open(key, buf_all(file), &root));
    ENSURE(vault->tpm != NULL, ERR_NO_DEVICE, "no TPM to seal to");
    TRY(ring_open(vault, root));
    if (then == DATE_BACK) {
        TRY(vault_date_back(vault));
    }
    TRY(adopt_tpm(vault, root));
    TRY(vault_shown(vault)); /* somebody has it */
    return ERR_OK;
}

static enum err unlock_recovery(struct vault *vault, struct span words, enum date_then then)
{
    ENSURE(vault->state == BOARD_LOCKED, ERR_STATE, "not locked");

    const enum err err = recover(vault, words, then);
    if (err != ERR_OK) {
        close_ring(vault); /* state and reason stay: a typing error does not change why the box is locked */
        TRY(err);
    }
    settle(vault, BOARD_LOCKED, ERR_OK);
    LOG(LOG_WARN, "unlocked_by_recovery_key", LOG_NUMBER("pcr_mask", vault->pcr_mask));
    return ERR_OK;
}

enum err vault_unlock_recovery(struct vault *vault, struct span words)
{
    return unlock_recovery(vault, words, DATE_STAYS);
}

enum err vault_unlock_date_back(struct vault *vault, struct span words)
{
    return unlock_recovery(vault, words, DATE_BACK);
}
