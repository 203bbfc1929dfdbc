/* SPDX-License-Identifier: GPL-3.0-or-later */
/* API keys: their form, their digest, and what is known of one. Only the SHA-256 of a key is kept; a publishable key's
 * value may be kept sealed beside it. Spec: contract 2. */
#ifndef FIRMWARE_AUTH_KEY_H
#define FIRMWARE_AUTH_KEY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "hal/base/time.h"
#include "crypto/hash.h"
#include "crypto/random.h"

#define AUTH_KEY_BYTES        67        /* "pk_" or "sk_", then 64 hex digits */
#define AUTH_KEY_PREFIX_BYTES 11        /* what may be shown of any key */
#define AUTH_KEY_NEVER        INT64_MAX /* expires_at_ms of a permanent key */

enum auth_key_type { AUTH_KEY_PUBLISHABLE = 0, AUTH_KEY_SECRET = 0x3c5a };

/* A key as requests see it. Immutable but for last_used_ms, which any reactor may move forward. */
struct auth_key {
    uint8_t hash[SHA256_BYTES];
    enum auth_key_type type;
    struct span id;         /* a UUID */
    struct span project_id; /* what it is bound to */
    struct span environment_id;
    struct span environment; /* name */
    struct span scopes;      /* compiled, firmware/rls/scope.h */
    int64_t expires_at_ms;
    bool revoked;               /* also a deleted one: it stays as a tombstone */
    atomic_llong *last_used_ms; /* 0: never since the start */
};

/* ^[ps]k_[0-9a-fA-F]{64}$ */
bool auth_key_is_well_formed(struct span text);

/* SHA-256 over the whole text, case included. */
void auth_key_hash(struct span text, uint8_t out_hash[SHA256_BYTES]);

/* A new key from 32 random bytes. The caller wipes it. */
void auth_key_make(struct random *random, enum auth_key_type type, char out_text[AUTH_KEY_BYTES]);

/* Notes a use; writes only when the noted one is older than a minute, so that reactors do not share a hot line. */
void auth_key_touch(const struct auth_key *key, struct wall_time now);

/* A UUID of version 4 (RFC 9562), lower case. */
#define AUTH_UUID_RANDOM_BYTES 16
#define AUTH_UUID_BYTES        36
void auth_uuid_make(struct random *random, char out_text[AUTH_UUID_BYTES]);
/* The same of bytes that were drawn before. */
void auth_uuid_write(const uint8_t random_bytes[AUTH_UUID_RANDOM_BYTES], char out_text[AUTH_UUID_BYTES]);
bool auth_uuid_is_well_formed(struct span text);

#endif
