/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Access tokens whose signature was verified, and what their accounts said.
 *
 *   absent --token_cache_put--> verified --token_remember_account--> verified, account of generation g
 *      ^                           ^  |                                 |
 *      |                           |  '-- g is not the generation now --'   the account is looked up again
 *      '-- room is needed ---------'
 *
 * An entry says only that these bytes were signed by a key of ours and what they hold. It never ends by itself, because
 * nothing that can change is taken from it unasked: whether the key that signed is still held by its environment, that this
 * is the API key's environment, the time of the token and that of its session are the caller's to check for each request
 * (verify.c), and the account is taken from here only while the generation of users and sessions is the one it was
 * found under. So a sign-out, a ban, another role or a deleted user (another generation), a key rotated out (past its
 * end, or not found by its header), a token's end or a step of the clock count for the next request as they would without
 * a memory.
 *
 * A token is known again by all its bytes, compared in constant time: its signed text, and the SHA-256 of its signature. The
 * signature itself is not kept, so this memory holds nothing that a thief could present, and hashing it alone costs two
 * blocks instead of ten. Which set is looked into follows from that digest. Only verified tokens come in, so a stranger
 * can push nothing out. Bounded; belongs to one thread. Spec: contract 2.3. */
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
#define TOKEN_CACHE_TEXT_MAX  536 /* header, dot, payload: ours have 530 at most until 2286; longer ones are not kept */

struct auth_token_cache;

struct token_remembered {
    uint64_t used_at; /* 0: free */
    uint8_t signature[SHA256_BYTES]; /* digest of its text */
    size_t text_bytes;
    uint8_t text[TOKEN_CACHE_TEXT_MAX];
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

/* For at most `tokens` tokens, some KiB each once it is used. ERR_NO_MEMORY. */
enum err token_cache_new(size_t tokens, struct auth_token_cache **out_cache) MUST_USE;
void token_cache_free(struct auth_token_cache *cache); /* NULL is fine */

/* The entry of a token, or NULL; lives until the next token_cache_put. cache may be NULL. */
struct token_remembered *token_cache_find(struct auth_token_cache *cache, const struct auth_token_parts *token);

/* The account of an entry, if it was found under this generation; its roles are copied into the arena. */
bool token_cache_account(const struct token_remembered *entry, uint64_t generation, struct arena *arena,
                         struct auth_account *out_account);

/* Remembers a token that was verified and is not here; the least recently used of its set makes room. Its entry, without an
 * account, or NULL: there is no cache, or it is too long. */
struct token_remembered *token_cache_put(struct auth_token_cache *cache, const struct auth_token_parts *token,
                                         const struct auth_bearer *bearer);

/* Remembers what the records said of an entry's session and user, in place of what they said before. entry may be NULL. */
void token_remember_account(struct token_remembered *entry, uint64_t generation, const struct auth_account *account);

#endif
