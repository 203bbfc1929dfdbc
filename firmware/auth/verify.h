/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who is asking: the credentials of a request become a principal, in the order of contract 2.1, or a refusal.
 *
 * An invalid credential never becomes a guest. A token is verified once and then remembered (token_cache.h); the key that
 * signed it, its session and its user are looked up for every request, so what ends them counts for the next one. */
#ifndef FIRMWARE_AUTH_VERIFY_H
#define FIRMWARE_AUTH_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "firmware/auth/key.h"
#include "firmware/auth/refusal.h"
#include "firmware/auth/token.h"
#include "firmware/rls/rls.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/mem.h"
#include "hal/base/span.h"
#include "hal/base/time.h"
#include "net/limits.h"

/* Buckets of contract 1.9 in the one table of counters. */
#define AUTH_LIMIT_REQUESTS   (LIMITS_KIND_FIRST + 0u)  /* key: key hash and address */
#define AUTH_LIMIT_FAILURES   (LIMITS_KIND_FIRST + 1u)  /* key: address */
#define AUTH_LIMIT_SCANS      (LIMITS_KIND_FIRST + 2u)  /* a hold; key: key hash */
#define AUTH_LIMIT_OWN_SCANS  (LIMITS_KIND_FIRST + 3u)  /* a hold; key: key hash and address */
#define AUTH_LIMIT_SIGN_UPS   (LIMITS_KIND_FIRST + 4u)  /* key: address */
#define AUTH_LIMIT_REFRESHES  (LIMITS_KIND_FIRST + 5u)  /* key: session */
#define AUTH_LIMIT_MAILS      (LIMITS_KIND_FIRST + 8u)  /* an hour; key: environment, email */
#define AUTH_LIMIT_MAILS_NEXT (LIMITS_KIND_FIRST + 9u)  /* one after the other; the same key */
#define AUTH_LIMIT_CHECKS     (LIMITS_KIND_FIRST + 11u) /* of accounts; key: address */
#define AUTH_LIMIT_OAUTH      (LIMITS_KIND_FIRST + 13u) /* sign-ins by other providers; key: address */
#define AUTH_LIMIT_SETUP      (LIMITS_KIND_FIRST + 12u) /* tries of the setup code, of everybody */
/* Kept across starts; each unit costs a password hash. */
#define AUTH_LIMIT_SIGN_INS   (LIMITS_KIND_KEPT + 0u)   /* failed ones; key: environment, email, address */
#define AUTH_LIMIT_ACCOUNT    (LIMITS_KIND_KEPT + 1u)   /* failed ones; key: environment, email */
#define AUTH_REQUESTS_DEFAULT 6000u                     /* a minute */
#define AUTH_FAILURES_DEFAULT 300u                      /* a minute */
#define AUTH_WINDOW_S         60u

/* By how much the clock may be behind a token, because a correction may have set it back a little. */
#define AUTH_TOKEN_EARLY_S 60

#define AUTH_ROLES_MAX 20 /* custom roles of one user */
#define AUTH_ROLE_MAX  32 /* bytes of a custom role: contract 3.1 */

/* What a verified access token says. The environment is the one whose key signed it. */
struct auth_bearer {
    bool present;
    char user[AUTH_UUID_BYTES];
    char session[AUTH_UUID_BYTES];
    int64_t issued_s;
    int64_t expires_s;
    uint8_t digest[SHA256_BYTES]; /* of the token */
};

/* What the records of a session and its user say now. */
enum auth_account_state { AUTH_SESSION_ENDED = 0, AUTH_USER_GONE, AUTH_BANNED, AUTH_ALIVE = 0x5a3c };
struct auth_account {
    enum auth_account_state state;
    enum rls_group group; /* that the role of the user stands for */
    bool has_mfa;         /* a second factor is on */
    struct span roles[AUTH_ROLES_MAX];
    size_t role_count;
    int64_t session_ends_ms; /* when it ends if nothing happens */
};

/* Where users and sessions are looked up: rows of the environment of an API key. */
struct auth_people {
    const void *context;
    /* Grows with every change of a user or a session that is on disk: what was found under the same number still holds.
     * 0: may not be remembered. Asked before find_account. */
    uint64_t (*generation)(const void *context);
    /* The views live in the arena. Errors are failures of ours; who is not there is a state. */
    enum err (*find_account)(const void *context, const struct auth_key *key, const struct auth_bearer *bearer,
                             struct arena *arena, struct auth_account *out_account);
    /* Is there such a user? */
    enum err (*has_user)(const void *context, const struct auth_key *key, struct span user, bool *out_found);
};

/* The environment that a token was signed for. */
struct auth_place {
    struct span project_id;
    struct span environment_id;
    struct span environment; /* name */
    int64_t key_ends_ms;     /* from then on the key counts for nothing */
};

struct auth_token_cache;

/* Where keys are looked up: a version of the catalogue. */
struct auth_directory {
    const void *context;
    /* The key of that hash, also a revoked one; NULL if there is none. Compares in constant time. */
    const struct auth_key *(*find_key)(const void *context, const uint8_t hash[SHA256_BYTES]);
    bool (*has_project)(const void *context, const struct auth_key *key);
    bool (*has_environment)(const void *context, const struct auth_key *key);
    /* The rate limit of the key's project, requests a minute. */
    uint32_t (*requests_per_minute)(const void *context, const struct auth_key *key);
    /* Is an administrator without a second factor only a user there? Contract 9.2, requireMfaForAdmins. */
    bool (*admins_need_mfa)(const void *context, const struct auth_key *key);
    /* The token key with that header, the API key's own environment first. NULL: none has it. */
    const struct auth_token_key *(*find_token_key)(const void *context, const struct auth_key *key, struct span header,
                                                   struct auth_place *out_place);
    struct auth_people people;
    struct auth_token_cache *cache; /* of the reactor; NULL: nothing is remembered */
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
    struct arena *arena;              /* what a principal points to */
    const struct auth_key *place;     /* of operators: what stands for their API key; else NULL */
    bool token_may_fail;              /* an access token that does not hold counts as none: contract 5.6 */
};

struct auth_principal {
    struct rls_who who;
    const struct auth_key *key; /* as long as the directory's catalogue */
    struct span user;           /* of the access token; empty: there is none */
    struct span session;
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
    struct auth_bearer bearer; /* for a write, which asks again */
    struct span on_behalf;     /* X-On-Behalf-Of, or empty */
};
enum err auth_verify(const struct auth_request *request, const struct auth_directory *directory, struct limits *limits,
                     struct wall_time now, struct auth_outcome *out_outcome, struct refusal *out_refusal) MUST_USE;

/* The same for an operator, who has no API key but an access token: request->place stands for it. Without a token the principal
 * is nobody, and what the route makes of that is the route's. X-API-Key and X-On-Behalf-Of count for nothing. */
enum err auth_verify_operator(const struct auth_request *request, const struct auth_directory *directory,
                              struct limits *limits, struct wall_time now, struct auth_outcome *out_outcome,
                              struct refusal *out_refusal) MUST_USE;

/* What buckets of a key and an address are keyed by. A view into bytes. */
#define AUTH_ADDRESS_MAX 32
#define AUTH_BUCKET_MAX  (SHA256_BYTES + AUTH_ADDRESS_MAX)
struct span auth_bucket(const struct auth_key *key, struct span address, uint8_t bytes[AUTH_BUCKET_MAX]);

/* Steps 3 to 6: for a write, which asks again in its own transaction. ERR_DENIED. */
enum err auth_check_key(const struct auth_directory *directory, const uint8_t hash[SHA256_BYTES], struct wall_time now,
                        const struct auth_key **out_key, struct refusal *out_refusal) MUST_USE;

/* Who asks, with a key that was just checked: for a write. What the principal points to lives in the arena or is borrowed
 * from bearer and on_behalf. ERR_DENIED, and failures of the look-up. */
struct auth_asker {
    const struct auth_key *key;
    const struct auth_bearer *bearer;
    struct span on_behalf; /* empty: nobody else */
    struct arena *arena;
};
enum err auth_identify(const struct auth_directory *directory, const struct auth_asker *asker, struct wall_time now,
                       struct auth_principal *out_principal, struct refusal *out_refusal) MUST_USE;

/* Step 10: the scope of the key. ERR_DENIED data/scope-insufficient. */
enum err auth_check_scope(const struct auth_key *key, struct span table, enum rls_op op, struct refusal *out_refusal)
    MUST_USE;

/* May the key manage things (contract 2, Rights; 2.2)? A secret key with unrestricted scopes. ERR_DENIED
 * auth/forbidden, or data/scope-insufficient. */
enum err auth_check_admin(const struct auth_key *key, struct refusal *out_refusal) MUST_USE;

#endif
