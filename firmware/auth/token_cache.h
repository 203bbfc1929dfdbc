/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Access tokens whose signature was verified, by the SHA-256 of the whole token, and what their accounts said.
 *
 * An entry says only that these bytes were signed by a key of ours and what they hold. Whether that key is still held,
 * the time, and the account are the caller's to check for each request; the account may be taken from here while the
 * generation of users and sessions is the one it was found under. Only verified tokens come in, so a stranger can push
 * nothing out. Bounded; belongs to one thread. Spec: contract 2.3. */
#ifndef FIRMWARE_AUTH_TOKEN_CACHE_H
#define FIRMWARE_AUTH_TOKEN_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/hash.h"
#include "firmware/auth/verify.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/mem.h"

#define TOKEN_CACHE_ROLES_MAX 256 /* bytes of all roles; an account with more is looked up each time */

struct auth_token_cache;

struct token_remembered {
    uint8_t digest[SHA256_BYTES];
    uint64_t used_at; /* 0: free */
    struct auth_bearer bearer;
    uint64_t generation; /* 0: the account is not remembered */
    enum auth_account_state state;
    enum rls_group group;
    bool has_mfa;
    int64_t session_ends_ms;
    size_t role_count;
    uint8_t role_lens[AUTH_ROLES_MAX];
    uint8_t roles[TOKEN_CACHE_ROLES_MAX];
};

/* For at most `tokens` tokens, some 500 bytes each. ERR_NO_MEMORY. */
enum err token_cache_new(size_t tokens, struct auth_token_cache **out_cache) MUST_USE;
void token_cache_free(struct auth_token_cache *cache); /* NULL is fine */

/* The entry of a token, or NULL; lives until the next token_cache_put. cache may be NULL. */
struct token_remembered *token_cache_find(struct auth_token_cache *cache, const uint8_t digest[SHA256_BYTES]);

/* The account of an entry, if it was found under this generation; its roles are copied into the arena. */
bool token_cache_account(const struct token_remembered *entry, uint64_t generation, struct arena *arena,
                         struct auth_account *out_account);

/* Remembers a verified token and its account; the least recently used of its set makes room. cache may be NULL. */
void token_cache_put(struct auth_token_cache *cache, const uint8_t digest[SHA256_BYTES],
                     const struct auth_bearer *bearer, uint64_t generation, const struct auth_account *account);

#endif
