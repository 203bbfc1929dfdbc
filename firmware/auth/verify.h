/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who is asking: the credentials of a request become a principal, in the order of contract 2.1, or a refusal.
 *
 * An invalid credential never becomes a guest. Users do not exist yet, so no access token can be valid: one of the right
 * form is refused as auth/invalid-token, any other Authorization as auth/invalid-token-format. */
#ifndef FIRMWARE_AUTH_VERIFY_H
#define FIRMWARE_AUTH_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "firmware/auth/key.h"
#include "firmware/auth/refusal.h"
#include "firmware/rls/rls.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "hal/base/time.h"
#include "net/limits.h"

/* Buckets of contract 1.9 in the one table of counters. */
#define AUTH_LIMIT_REQUESTS   (LIMITS_KIND_FIRST + 0u) /* key: key hash and address */
#define AUTH_LIMIT_FAILURES   (LIMITS_KIND_FIRST + 1u) /* key: address */
#define AUTH_LIMIT_SCANS      (LIMITS_KIND_FIRST + 2u) /* a hold; key: key hash */
#define AUTH_LIMIT_OWN_SCANS  (LIMITS_KIND_FIRST + 3u) /* a hold; key: key hash and address */
#define AUTH_REQUESTS_DEFAULT 6000u                    /* a minute */
#define AUTH_FAILURES_DEFAULT 300u                     /* a minute */
#define AUTH_WINDOW_S         60u

/* Where keys are looked up: a version of the catalogue. */
struct auth_directory {
    const void *context;
    /* The key of that hash, also a revoked one; NULL if there is none. Compares in constant time. */
    const struct auth_key *(*find_key)(const void *context, const uint8_t hash[SHA256_BYTES]);
    bool (*has_project)(const void *context, const struct auth_key *key);
    bool (*has_environment)(const void *context, const struct auth_key *key);
    /* The rate limit of the key's project, requests a minute. */
    uint32_t (*requests_per_minute)(const void *context, const struct auth_key *key);
};

/* One of the headers that identify: how often it was sent and its value. */
struct auth_header {
    size_t count;
    struct span value;
};

struct auth_request {
    struct auth_header key;           /* X-API-Key */
    struct auth_header authorization; /* Authorization */
    struct auth_header project;       /* X-Project-Id */
    struct auth_header environment;   /* X-Environment */
    struct auth_header on_behalf;     /* X-On-Behalf-Of */
    struct span address;              /* stack_address_key of the peer */
};

struct auth_principal {
    struct rls_who who;
    const struct auth_key *key; /* as long as the directory's catalogue */
};

struct auth_rate {
    bool known; /* the rest is set */
    uint32_t limit;
    uint32_t remaining;
    int64_t reset_s;
};

/* Steps 1 to 9 of contract 2.1. The outcome is written also on failure: key as soon as it is known (for CORS and the log)
 * and NULL before, rate whenever a unit was asked for. ERR_DENIED: see the refusal. */
struct auth_outcome {
    struct auth_principal principal;
    const struct auth_key *key;
    struct auth_rate rate;
};
enum err auth_verify(const struct auth_request *request, const struct auth_directory *directory, struct limits *limits,
                     struct wall_time now, struct auth_outcome *out_outcome, struct refusal *out_refusal) MUST_USE;

/* What buckets of a key and an address are keyed by. A view into bytes. */
#define AUTH_ADDRESS_MAX 32
#define AUTH_BUCKET_MAX  (SHA256_BYTES + AUTH_ADDRESS_MAX)
struct span auth_bucket(const struct auth_key *key, struct span address, uint8_t bytes[AUTH_BUCKET_MAX]);

/* Steps 3 to 6: for a write, which asks again in its own transaction. ERR_DENIED. */
enum err auth_check_key(const struct auth_directory *directory, const uint8_t hash[SHA256_BYTES], struct wall_time now,
                        const struct auth_key **out_key, struct refusal *out_refusal) MUST_USE;

/* Step 10: the scope of the key. ERR_DENIED data/scope-insufficient. */
enum err auth_check_scope(const struct auth_key *key, struct span table, enum rls_op op, struct refusal *out_refusal)
    MUST_USE;

/* May the key manage things (contract 2, Rights; 2.2)? A secret key with unrestricted scopes. ERR_DENIED
 * auth/forbidden, or data/scope-insufficient. */
enum err auth_check_admin(const struct auth_key *key, struct refusal *out_refusal) MUST_USE;

#endif
