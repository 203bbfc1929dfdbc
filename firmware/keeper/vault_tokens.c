/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The keys that sign tokens, one name of the keyring for each environment, and the pepper of passwords. A key that is in
 * memory only signs nothing and peppers nothing: after a crash nobody could verify what it did. */
#include "firmware/keeper/vault.h"

#include <string.h>

#include "crypto/hash.h"
#include "firmware/auth/key.h"
#include "firmware/keeper/vault_int.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"

#define ROOM_FOR_OTHERS 32 /* keys of environments to come, which rotations leave alone */

struct token_name {
    char text[KEYRING_NAME_MAX];
    size_t len;
};

static enum err name_of(const struct vault *vault, struct span environment, struct token_name *out_name)
{
    const struct span prefix = KEYRING_TOKEN_PREFIX;

    ENSURE(vault->state == BOARD_OPERATIONAL && vault->ring != NULL, ERR_STATE, "not operational");
    ENSURE(auth_uuid_is_well_formed(environment), ERR_MALFORMED, "an environment without a proper id");
    memcpy(out_name->text, prefix.data, prefix.len);
    memcpy(out_name->text + prefix.len, environment.data, environment.len);
    out_name->len = prefix.len + environment.len;
    return ERR_OK;
}

enum err vault_token_make(struct vault *vault, struct span environment)
{
    struct token_name name;

    TRY(name_of(vault, environment, &name));
    const enum err err = keyring_add(vault->ring, span_of(name.text, name.len));
    if (err == ERR_EXISTS) {
        fault_clear();
    } else {
        TRY(err);
        vault->unsaved = true;
    }
    TRY(vault_save(vault));
    return ERR_OK;
}

enum err vault_token_versions(const struct vault *vault, struct span environment, struct keyring_versions *out_versions)
{
    struct token_name name;

    TRY(name_of(vault, environment, &name));
    TRY(keyring_versions(vault->ring, span_of(name.text, name.len), out_versions));
    return ERR_OK;
}

enum err vault_token_key(struct vault *vault, struct span environment, uint32_t version, const struct secret **out_key)
{
    struct token_name name;

    TRY(name_of(vault, environment, &name));
    TRY(vault_save(vault));
    TRY(keyring_get(vault->ring, span_of(name.text, name.len), version, out_key));
    return ERR_OK;
}

static enum err count_versions(const struct vault *vault, const struct token_name *name, size_t *out_count)
{
    const struct span text = span_of(name->text, name->len);
    struct keyring_versions versions = {0};
    const struct secret *key = NULL;

    TRY(keyring_versions(vault->ring, text, &versions));
    *out_count = 0;
    for (uint32_t version = versions.oldest; version <= versions.newest; version++) {
        const enum err err = keyring_get(vault->ring, text, version, &key);
        ENSURE(err == ERR_OK || err == ERR_NOT_FOUND, err, "a token key could not be looked at");
        *out_count += err == ERR_OK ? 1 : 0;
    }
    fault_clear();
    return ERR_OK;
}

enum err vault_token_rotate(struct vault *vault, struct span environment)
{
    struct token_name name;
    uint32_t version = 0;
    size_t count = 0;

    TRY(name_of(vault, environment, &name));
    TRY(count_versions(vault, &name, &count));
    ENSURE(count < VAULT_TOKEN_VERSIONS_MAX, ERR_LIMIT, "as many versions of a token key as may be");
    ENSURE(keyring_count(vault->ring) + ROOM_FOR_OTHERS < KEYRING_KEYS_MAX, ERR_LIMIT, "too many keys to rotate one");
    TRY(keyring_rotate(vault->ring, span_of(name.text, name.len), &version));
    vault->unsaved = true;
    TRY(vault_save(vault));
    return ERR_OK;
}

enum err vault_token_retire(struct vault *vault, struct span environment, uint32_t version)
{
    struct keyring_versions versions = {0};
    struct token_name name;

    TRY(name_of(vault, environment, &name));
    TRY(keyring_versions(vault->ring, span_of(name.text, name.len), &versions));
    ENSURE(version != versions.newest, ERR_STATE, "the newest token key stays");
    const enum err err = keyring_destroy(vault->ring, span_of(name.text, name.len), version);
    ENSURE(err == ERR_OK || err == ERR_NOT_FOUND, err, "a token key could not be destroyed");
    fault_clear();
    vault->unsaved = vault->unsaved || err == ERR_OK;
    TRY(vault_save(vault));
    return ERR_OK;
}

static enum err destroy_all(struct vault *vault, struct span name)
{
    struct keyring_versions versions = {0};

    TRY(keyring_versions(vault->ring, name, &versions));
    for (uint32_t version = versions.oldest; version <= versions.newest; version++) {
        const enum err err = keyring_destroy(vault->ring, name, version);
        ENSURE(err == ERR_OK || err == ERR_NOT_FOUND, err, "a token key could not be destroyed");
        vault->unsaved = true;
    }
    fault_clear();
    return ERR_OK;
}

enum err vault_token_drop(struct vault *vault, struct span environment)
{
    struct keyring_versions versions = {0};
    struct token_name name;

    TRY(name_of(vault, environment, &name));
    const enum err found = keyring_versions(vault->ring, span_of(name.text, name.len), &versions);
    if (found == ERR_NOT_FOUND) {
        fault_clear();
        return vault_save(vault);
    }
    TRY(found);
    TRY(destroy_all(vault, span_of(name.text, name.len)));
    TRY(vault_save(vault));
    return ERR_OK;
}

/* The first after it in the order of ids; empty: there is none. */
static struct span next_of(const struct keyring *ring, struct span after)
{
    const struct span prefix = KEYRING_TOKEN_PREFIX;
    struct span best = SPAN_NONE;
    uint32_t version = 0;

    for (size_t i = 0; i < keyring_count(ring); i++) {
        const struct span name = keyring_name_at(ring, i, &version);
        if (!span_starts_with(name, prefix)) {
            continue;
        }
        const struct span id = span_of(name.data + prefix.len, name.len - prefix.len);
        if (span_compare(id, after) > 0 && (best.len == 0 || span_compare(id, best) < 0)) {
            best = id;
        }
    }
    return best;
}

enum err vault_token_next(const struct vault *vault, struct span after, struct span *out_environment)
{
    ENSURE(vault->state == BOARD_OPERATIONAL && vault->ring != NULL, ERR_STATE, "not operational");
    const struct span next = next_of(vault->ring, after);
    ENSURE(next.len != 0, ERR_NOT_FOUND, "no more environments with keys");
    *out_environment = next;
    return ERR_OK;
}

/* --- all anew --- */

/* Destroyed before it is made, so that there is room for it. */
static enum err renew_one(struct vault *vault, struct span name)
{
    TRY(destroy_all(vault, name));
    return keyring_add(vault->ring, name);
}

enum err vault_tokens_renew(struct vault *vault)
{
    const struct span prefix = KEYRING_TOKEN_PREFIX;
    struct token_name name = {.len = prefix.len};

    memcpy(name.text, prefix.data, prefix.len);
    for (;;) { /* ends: ids only grow */
        const struct span id = next_of(vault->ring, span_of(name.text + prefix.len, name.len - prefix.len));
        if (id.len == 0) {
            break;
        }
        INVARIANT(prefix.len + id.len <= sizeof(name.text)); /* it is a name of the ring */
        memcpy(name.text + prefix.len, id.data, id.len);
        name.len = prefix.len + id.len;
        vault->unsaved = true;
        TRY(renew_one(vault, span_of(name.text, name.len)));
    }
    return vault_save(vault);
}

enum err vault_pepper(struct vault *vault, uint32_t version, struct span digest, struct vault_pepper *out_pepper)
{
    const struct span label = span_lit("rowlock password");
    const struct secret *key = NULL;
    struct keyring_versions versions = {0};
    SCOPED_WIPE_64 struct wipe_64 text = {{0}};

    ENSURE(vault->state == BOARD_OPERATIONAL && vault->ring != NULL, ERR_STATE, "not operational");
    ENSURE(digest.len == SHA256_BYTES, ERR_MALFORMED, "not the digest of a password");
    TRY(vault_save(vault));
    TRY(keyring_versions(vault->ring, KEYRING_PEPPER, &versions));
    const uint32_t wanted = version == KEYRING_NEWEST ? versions.newest : version;
    TRY(keyring_get(vault->ring, KEYRING_PEPPER, wanted, &key));
    memcpy(text.bytes, label.data, label.len);
    memcpy(text.bytes + label.len, digest.data, digest.len);
    hmac_sha256(secret_reveal(key), span_of(text.bytes, label.len + digest.len), out_pepper->mac);
    out_pepper->version = wanted;
    return ERR_OK;
}
