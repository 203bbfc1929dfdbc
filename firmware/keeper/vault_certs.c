/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The box's own certificates. The CA's key signs here and nowhere else. The operational leaf gets a new key at each
 * renewal; a certificate that does not fit its key (a crash came between the two files) is issued again. The locked
 * leaf keeps its key, which only the TPM gives out, and has its certificate renewed together with the other.
 *
 * The certificates lie on disk in clear, where a stranger may have changed them while the box was off. So the CA's counts
 * only if it is of the key in the ring, and a leaf's only if that CA signed it: otherwise the box would certify the key
 * of whoever put a certificate there. */
#include "firmware/keeper/vault.h"

#include <string.h>

#include "crypto/ct.h"
#include "crypto/seal.h"
#include "crypto/sign.h"
#include "firmware/keeper/vault_int.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/base/mem.h"

#define CA_NAME span_lit("Rowlock local CA")

static enum err issue(struct vault *vault, const uint8_t public_key[SIGN_PUBLIC_BYTES], const char *file_name)
{
    SCOPED_BUF struct buf *ca = NULL;
    SCOPED_BUF struct buf *der = NULL;
    struct x509_leaf leaf = {.names = &vault->names, .now = hal_clock_wall(vault->clock)};

    TRY(vault_file_read(vault, FILE_CA, X509_DER_MAX, &ca)); /* x509_leaf_new looks whether it is of this key */
    TRY(keyring_get(vault->ring, KEYRING_TLS_CA, KEYRING_NEWEST, &leaf.ca_private));
    leaf.ca_der = buf_all(ca);
    memcpy(leaf.public_key, public_key, SIGN_PUBLIC_BYTES);
    TRY(buf_new(X509_DER_MAX, &der));
    TRY(x509_leaf_new(&leaf, vault->random, der));
    TRY(datadir_write(vault->dir, file_name, buf_all(der)));
    return ERR_OK;
}

/* Is the file the certificate of that key? One that cannot be read is not. */
static enum err ca_is_ours(const struct vault *vault, const struct secret *key, bool *out_ours)
{
    SCOPED_BUF struct buf *der = NULL;
    uint8_t public_key[SIGN_PUBLIC_BYTES];

    *out_ours = false;
    if (!datadir_has(vault->dir, FILE_CA)) {
        return ERR_OK;
    }
    TRY(sign_public(key, public_key));
    TRY(vault_file_read(vault, FILE_CA, X509_DER_MAX, &der));
    *out_ours = x509_is_ca_of(buf_all(der), public_key) == ERR_OK;
    if (!*out_ours) {
        log_fault(LOG_WARN, "foreign_ca_replaced");
    }
    return ERR_OK;
}

static enum err ca_make_if_missing(struct vault *vault, bool *out_made)
{
    SCOPED_BUF struct buf *der = NULL;
    const struct secret *key = NULL;
    bool ours = false;

    TRY(keyring_get(vault->ring, KEYRING_TLS_CA, KEYRING_NEWEST, &key));
    TRY(ca_is_ours(vault, key, &ours));
    if (ours) {
        return ERR_OK;
    }
    TRY(buf_new(X509_DER_MAX, &der));
    TRY(x509_ca_new(key, vault->random, CA_NAME, hal_clock_wall(vault->clock), der));
    TRY(datadir_write(vault->dir, FILE_CA, buf_all(der)));
    *out_made = true;
    return ERR_OK;
}

/* What matters of a certificate on disk. */
struct look {
    bool found; /* one that cannot be read or that our CA did not sign counts as none: it is made again */
    bool wants_renewal;
    uint8_t public_key[SIGN_PUBLIC_BYTES];
};

static enum err look_at(const struct vault *vault, const char *file_name, struct look *out_look)
{
    SCOPED_BUF struct buf *der = NULL;
    SCOPED_BUF struct buf *ca = NULL;
    void *memory = NULL;

    *out_look = (struct look){.found = false};
    if (!datadir_has(vault->dir, file_name)) {
        return ERR_OK;
    }
    TRY(vault_file_read(vault, file_name, X509_DER_MAX, &der));
    TRY(vault_file_read(vault, FILE_CA, X509_DER_MAX, &ca));
    TRY(mem_alloc(sizeof(struct x509_info), &memory)); /* too large for the stack */
    struct x509_info *const info = memory;
    if (x509_read(buf_all(der), info) == ERR_OK && x509_verify(buf_all(ca), buf_all(der)) == ERR_OK) {
        out_look->found = true;
        out_look->wants_renewal = x509_wants_renewal(info, &vault->names, hal_clock_wall(vault->clock));
        memcpy(out_look->public_key, info->public_key, SIGN_PUBLIC_BYTES);
    } else {
        log_fault(LOG_WARN, "certificate_not_ours");
    }
    mem_free(info);
    return ERR_OK;
}

static enum err leaf_public(const struct vault *vault, uint8_t out_public[SIGN_PUBLIC_BYTES])
{
    const struct secret *key = NULL;

    TRY(keyring_get(vault->ring, KEYRING_TLS_LEAF, KEYRING_NEWEST, &key));
    TRY(sign_public(key, out_public));
    return ERR_OK;
}

/* The new key is on disk before the certificate that names it; the old one goes last. */
static enum err leaf_key_replace(struct vault *vault)
{
    struct keyring_versions versions = {0};
    uint32_t version = 0;

    TRY(keyring_rotate(vault->ring, KEYRING_TLS_LEAF, &version));
    vault->unsaved = true;
    TRY(keyring_versions(vault->ring, KEYRING_TLS_LEAF, &versions));
    for (uint32_t old = versions.oldest; old < versions.newest; old++) {
        const enum err err = keyring_destroy(vault->ring, KEYRING_TLS_LEAF, old);
        ENSURE(err == ERR_OK || err == ERR_NOT_FOUND, err, "an old leaf key could not be destroyed");
    }
    TRY(vault_save(vault));
    return ERR_OK;
}

static enum err leaf_renew(struct vault *vault, bool *out_changed)
{
    struct look look;
    uint8_t public_key[SIGN_PUBLIC_BYTES];

    TRY(leaf_public(vault, public_key));
    TRY(look_at(vault, FILE_LEAF, &look));
    const bool fits = look.found && ct_equal(span_array(look.public_key), span_array(public_key));
    if (fits && !look.wants_renewal) {
        return ERR_OK;
    }
    if (fits) {
        TRY(leaf_key_replace(vault));
        TRY(leaf_public(vault, public_key));
    }
    TRY(issue(vault, public_key, FILE_LEAF));
    *out_changed = true;
    return ERR_OK;
}

/* It is made together with its key, at provisioning and when a TPM is adopted; here only the certificate is. */
static enum err locked_renew(struct vault *vault)
{
    struct look look;

    TRY(look_at(vault, FILE_LOCKED_CERT, &look));
    if (look.found && look.wants_renewal) {
        TRY(issue(vault, look.public_key, FILE_LOCKED_CERT));
    }
    return ERR_OK;
}

enum err vault_renew(struct vault *vault, bool *out_changed)
{
    bool changed = false;

    ENSURE(vault->state == BOARD_OPERATIONAL && vault->ring != NULL, ERR_STATE, "not operational");
    TRY(ca_make_if_missing(vault, &changed));
    TRY(leaf_renew(vault, &changed));
    TRY(locked_renew(vault));
    *out_changed = changed;
    return ERR_OK;
}

enum err vault_locked_make(struct vault *vault, const struct hal_tpm_name *srk)
{
    SCOPED_SECRET struct secret *key = NULL;
    SCOPED_BUF struct buf *file = NULL;
    uint8_t public_key[SIGN_PUBLIC_BYTES];
    const struct seal_policy policy = {.kind = SEAL_LOCKED_LEAF};

    TRY(sign_key_new(vault->random, &key));
    TRY(sign_public(key, public_key));
    TRY(buf_new(SEAL_FILE_MAX, &file));
    TRY(seal_create(vault->tpm, srk, &policy, vault->random, key, file));
    TRY(issue(vault, public_key, FILE_LOCKED_CERT));
    TRY(datadir_write(vault->dir, FILE_LOCKED, buf_all(file)));
    return ERR_OK;
}

enum err vault_locked_repair(struct vault *vault, const struct hal_tpm_name *srk)
{
    struct look look;
    bool made = false;

    TRY(ca_make_if_missing(vault, &made));
    TRY(look_at(vault, FILE_LOCKED_CERT, &look));
    if (!look.found || !datadir_has(vault->dir, FILE_LOCKED)) {
        TRY(vault_locked_make(vault, srk));
    }
    return ERR_OK;
}

enum err vault_ephemeral_make(struct vault *vault)
{
    SCOPED_SECRET struct secret *ca_key = NULL;
    SCOPED_SECRET struct secret *key = NULL;
    SCOPED_BUF struct buf *ca = NULL;
    SCOPED_BUF struct buf *der = NULL;
    struct x509_leaf leaf = {.names = &vault->names, .now = hal_clock_wall(vault->clock)};
    uint8_t fingerprint[X509_FINGERPRINT_BYTES];
    char hex[HEX_BYTES(X509_FINGERPRINT_BYTES)];

    TRY(sign_key_new(vault->random, &ca_key));
    TRY(sign_key_new(vault->random, &key));
    TRY(buf_new(X509_DER_MAX, &ca));
    TRY(x509_ca_new(ca_key, vault->random, span_lit("Rowlock without TPM"), leaf.now, ca));
    leaf.ca_private = ca_key;
    leaf.ca_der = buf_all(ca);
    TRY(sign_public(key, leaf.public_key));
    TRY(buf_new(X509_DER_MAX, &der));
    TRY(x509_leaf_new(&leaf, vault->random, der));
    x509_fingerprint(buf_all(der), fingerprint);
    hex_encode(span_array(fingerprint), hex);
    LOG(LOG_WARN, "ephemeral_certificate", LOG_TEXT("sha256", span_array(hex)));
    vault->ephemeral_key = TAKE(key);
    vault->ephemeral_der = TAKE(der);
    return ERR_OK;
}

static enum err append_file(const struct vault *vault, const char *file_name, struct buf *out_der)
{
    SCOPED_BUF struct buf *der = NULL;

    TRY(vault_file_read(vault, file_name, X509_DER_MAX, &der));
    TRY(buf_put(out_der, buf_all(der)));
    return ERR_OK;
}

/* The locked leaf is two files: a crash may have come between them, or a stranger. With a certificate of another key no
 * handshake would succeed, and nobody could unlock the box over the network. */
static bool locked_leaf_fits(const struct vault *vault)
{
    SCOPED_BUF struct buf *der = NULL;
    uint8_t public_key[SIGN_PUBLIC_BYTES];

    if (vault->locked_key == NULL || !datadir_has(vault->dir, FILE_LOCKED_CERT)) {
        return false;
    }
    enum err err = sign_public(vault->locked_key, public_key);
    if (err == ERR_OK) {
        err = vault_file_read(vault, FILE_LOCKED_CERT, X509_DER_MAX, &der);
    }
    if (err == ERR_OK) {
        err = x509_is_of(buf_all(der), public_key);
    }
    if (err != ERR_OK) {
        log_fault(LOG_WARN, "locked_leaf_does_not_fit");
    }
    return err == ERR_OK;
}

enum err vault_identity(struct vault *vault, struct buf *out_der, const struct secret **out_key)
{
    const struct secret *key = NULL;

    if (vault->state == BOARD_OPERATIONAL) {
        TRY(keyring_get(vault->ring, KEYRING_TLS_LEAF, KEYRING_NEWEST, &key));
        TRY(append_file(vault, FILE_LEAF, out_der));
    } else if (locked_leaf_fits(vault)) {
        key = vault->locked_key;
        TRY(append_file(vault, FILE_LOCKED_CERT, out_der));
    } else {
        if (vault->ephemeral_key == NULL) {
            TRY(vault_ephemeral_make(vault));
        }
        key = vault->ephemeral_key;
        TRY(buf_put(out_der, buf_all(vault->ephemeral_der)));
    }
    *out_key = key;
    return ERR_OK;
}

enum err vault_ca(const struct vault *vault, struct buf *out_der)
{
    ENSURE(datadir_has(vault->dir, FILE_CA), ERR_NOT_FOUND, "no CA yet");
    TRY(append_file(vault, FILE_CA, out_der));
    return ERR_OK;
}
