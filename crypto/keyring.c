/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The key hierarchy in memory: entries in the order of (name, version), each key a secret. keyring_file.c writes and reads
 * them; this file makes, finds, rotates and destroys them and wraps other keys by them. */
#include "crypto/keyring.h"

#include <string.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "crypto/keyring_int.h"
#include "crypto/sign.h"
#include "crypto/wrap.h"

struct known_name {
    const char *name; /* that ends in ':' stands for a family */
    enum keyring_kind kind;
};

static const struct known_name known_names[] = {
    {"tables", KEYRING_SYMMETRIC},     {"config", KEYRING_SYMMETRIC},      {"pepper", KEYRING_SYMMETRIC},
    {"backup", KEYRING_SYMMETRIC},     {"owner-auth", KEYRING_TPM_AUTH},   {"lockout-auth", KEYRING_TPM_AUTH},
    {"tls-ca", KEYRING_SIGNING},       {"tls-leaf", KEYRING_SIGNING},      {"token:", KEYRING_SIGNING},
    {"unseen", KEYRING_SYMMETRIC},     {"box-policy", KEYRING_SIGNING},       {"volume", KEYRING_SYMMETRIC},
    {"planned", KEYRING_SYMMETRIC},
};

static bool is_id(struct span id)
{
    bool good = id.len != 0;

    for (size_t i = 0; i < id.len; i++) {
        const uint8_t c = id.data[i];

        good = good && ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_');
    }
    return good;
}

enum err keyring_kind_of(struct span name, enum keyring_kind *out_kind)
{
    ENSURE(name.len <= KEYRING_NAME_MAX, ERR_MALFORMED, "a key's name is too long");
    for (size_t i = 0; i < ARRAY_LENGTH(known_names); i++) {
        const struct span known = span_str(known_names[i].name);
        const bool family = known.data[known.len - 1] == ':';

        if (family ? span_starts_with(name, known) && is_id(span_of(name.data + known.len, name.len - known.len))
                   : span_equal(name, known)) {
            *out_kind = known_names[i].kind;
            return ERR_OK;
        }
    }
    FAIL(ERR_MALFORMED, "no such key name", 0);
}

static struct span name_of(const struct keyring_entry *entry)
{
    return span_of(entry->name, entry->name_len);
}

/* Where (name, version) is, or would be inserted. */
static size_t position_of(const struct keyring *ring, struct span name, uint32_t version)
{
    size_t at = 0;

    while (at < ring->count) {
        const int order = span_compare(name_of(&ring->entries[at]), name);

        if (order > 0 || (order == 0 && ring->entries[at].version >= version)) {
            break;
        }
        at++;
    }
    return at;
}

static bool is_at(const struct keyring *ring, size_t at, struct span name)
{
    return at < ring->count && span_equal(name_of(&ring->entries[at]), name);
}

enum err keyring_versions(const struct keyring *ring, struct span name, struct keyring_versions *out_versions)
{
    const size_t first = position_of(ring, name, 0);
    size_t last = first;

    ENSURE(is_at(ring, first, name), ERR_NOT_FOUND, "no key of that name");
    while (is_at(ring, last + 1, name)) {
        last++;
    }
    *out_versions = (struct keyring_versions){ring->entries[first].version, ring->entries[last].version};
    return ERR_OK;
}

enum err keyring_get(const struct keyring *ring, struct span name, uint32_t version, const struct secret **out_key)
{
    struct keyring_versions versions = {0, 0};

    TRY(keyring_versions(ring, name, &versions));
    const uint32_t wanted = version == KEYRING_NEWEST ? versions.newest : version;
    const size_t at = position_of(ring, name, wanted);

    ENSURE(is_at(ring, at, name) && ring->entries[at].version == wanted, ERR_NOT_FOUND, "no such version of a key");
    *out_key = ring->entries[at].key;
    return ERR_OK;
}

size_t keyring_count(const struct keyring *ring)
{
    return ring->count;
}

struct span keyring_name_at(const struct keyring *ring, size_t at, uint32_t *out_version)
{
    INVARIANT(at < ring->count);
    *out_version = ring->entries[at].version;
    return name_of(&ring->entries[at]);
}

enum err keyring_insert(struct keyring *ring, struct span name, uint32_t version, struct secret **take_key)
{
    const size_t at = position_of(ring, name, version);

    ENSURE(ring->count < KEYRING_KEYS_MAX, ERR_LIMIT, "the keyring is full");
    ENSURE(!is_at(ring, at, name) || ring->entries[at].version != version, ERR_EXISTS, "that version of the key is there");
    struct keyring_entry *const entry = &ring->entries[at];

    memmove(entry + 1, entry, (ring->count - at) * sizeof(*entry));
    ring->count++;
    *entry = (struct keyring_entry){.name_len = name.len, .version = version, .key = TAKE(*take_key)};
    memcpy(entry->name, name.data, name.len);
    return ERR_OK;
}

static enum err make_key(struct keyring *ring, enum keyring_kind kind, struct secret **out_key)
{
    switch (kind) {
    case KEYRING_SYMMETRIC:
        return random_secret(ring->random, KEYRING_KEY_BYTES, out_key);
    case KEYRING_SIGNING:
        return sign_key_new(ring->random, out_key);
    case KEYRING_TPM_AUTH:
        TRY(random_secret(ring->random, KEYRING_KEY_BYTES, out_key));
        secret_fill(*out_key)[KEYRING_KEY_BYTES - 1] |= 1; /* TPMs strip zeros at the end */
        return ERR_OK;
    }
    FAIL(ERR_BUG, "no such kind of key", kind);
}

static enum err make_version(struct keyring *ring, struct span name, uint32_t version)
{
    SCOPED_SECRET struct secret *key = NULL;
    enum keyring_kind kind = KEYRING_SYMMETRIC;

    TRY(keyring_kind_of(name, &kind));
    ENSURE(ring->count < KEYRING_KEYS_MAX, ERR_LIMIT, "the keyring is full");
    TRY(make_key(ring, kind, &key));
    return keyring_insert(ring, name, version, &key);
}

enum err keyring_add(struct keyring *ring, struct span name)
{
    ENSURE(!is_at(ring, position_of(ring, name, 0), name), ERR_EXISTS, "a key of that name is there");
    return make_version(ring, name, 1);
}

enum err keyring_rotate(struct keyring *ring, struct span name, uint32_t *out_version)
{
    struct keyring_versions versions = {0, 0};

    TRY(keyring_versions(ring, name, &versions));
    ENSURE(versions.newest < UINT32_MAX, ERR_LIMIT, "a key was rotated too often");
    TRY(make_version(ring, name, versions.newest + 1));
    *out_version = versions.newest + 1;
    return ERR_OK;
}

enum err keyring_destroy(struct keyring *ring, struct span name, uint32_t version)
{
    struct keyring_versions versions = {0, 0};

    ENSURE(version != KEYRING_NEWEST, ERR_RANGE, "a version to destroy must be named");
    TRY(keyring_versions(ring, name, &versions));
    const size_t at = position_of(ring, name, version);

    ENSURE(is_at(ring, at, name) && ring->entries[at].version == version, ERR_NOT_FOUND, "no such version of a key");
    ENSURE(version != versions.newest || versions.oldest == versions.newest, ERR_STATE,
           "the newest version while older ones are there");
    struct keyring_entry *const entry = &ring->entries[at];

    secret_free(entry->key);
    ring->count--;
    memmove(entry, entry + 1, (ring->count - at) * sizeof(*entry));
    return ERR_OK;
}

enum err keyring_raise(struct keyring *ring, struct span name, uint32_t version)
{
    struct keyring_versions versions = {0, 0};
    const size_t first = position_of(ring, name, 0);

    if (is_at(ring, first, name)) {
        TRY(keyring_versions(ring, name, &versions));
    }
    ENSURE(version > versions.newest, ERR_RANGE, "a version that is not above the newest");
    TRY(make_version(ring, name, version));
    while (ring->entries[first].version != version) {
        TRY(keyring_destroy(ring, name, ring->entries[first].version));
    }
    return ERR_OK;
}

static enum err copy_root(const struct secret *root, struct secret **out_copy)
{
    ENSURE(secret_len(root) == KEYRING_KEY_BYTES, ERR_RANGE, "length of a root key");
    return secret_new_copy(secret_reveal(root), out_copy);
}

enum err keyring_new(const struct secret *root, struct random *random, struct keyring **out_ring)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct keyring), &memory));
    SCOPED_KEYRING struct keyring *ring = memory;

    TRY(copy_root(root, &ring->root));
    ring->root_version = 1;
    ring->random = random;
    *out_ring = TAKE(ring);
    return ERR_OK;
}

void keyring_free(struct keyring *ring)
{
    if (ring == NULL) {
        return;
    }
    for (size_t i = 0; i < ring->count; i++) {
        secret_free(ring->entries[i].key);
    }
    secret_free(ring->root);
    mem_free(ring);
}

enum err keyring_wrap(struct keyring *ring, struct span name, const struct keyring_subject *subject,
                      const struct secret *key, struct buf *out_wrapped)
{
    const struct secret *wrapping = NULL;
    struct keyring_versions versions = {0, 0};

    TRY(keyring_versions(ring, name, &versions));
    TRY(keyring_get(ring, name, versions.newest, &wrapping));
    const struct wrap_scope scope = {subject->label, subject->context, versions.newest};

    return wrap_key(ring->random, wrapping, &scope, key, out_wrapped);
}

enum err keyring_unwrap(struct keyring *ring, struct span name, const struct keyring_subject *subject,
                        struct span wrapped, struct secret **out_key)
{
    struct keyring_versions versions = {0, 0};
    uint32_t version = 0;

    TRY(wrap_version(wrapped, &version));
    TRY(keyring_versions(ring, name, &versions));
    const size_t at = position_of(ring, name, version);

    ENSURE(is_at(ring, at, name) && ring->entries[at].version == version, ERR_STALE_KEY,
           "wrapped under a version that is not held");
    const struct wrap_scope scope = {subject->label, subject->context, version};

    return wrap_open(ring->entries[at].key, &scope, wrapped, out_key);
}

enum err keyring_rewrap(struct keyring *ring, struct span name, const struct keyring_subject *subject,
                        struct span wrapped, struct buf *out_wrapped)
{
    SCOPED_SECRET struct secret *key = NULL;

    TRY(keyring_unwrap(ring, name, subject, wrapped, &key));
    return keyring_wrap(ring, name, subject, key, out_wrapped);
}
