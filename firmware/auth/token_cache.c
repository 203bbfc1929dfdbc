/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sets of four, chosen by the first bytes of the signature's digest: nobody can choose tokens that meet, because nobody can
 * choose what our signatures look like. */
#include "firmware/auth/token_cache.h"

#include <string.h>

#include "crypto/ct.h"
#include "hal/base/buf.h"
#include "hal/base/fault.h"

#define WAYS 4u

struct auth_token_cache {
    size_t sets;
    uint64_t clock;
    struct token_remembered entries[];
};

enum err token_cache_new(size_t tokens, struct auth_token_cache **out_cache)
{
    const size_t sets = tokens / WAYS == 0 ? 1 : tokens / WAYS;
    void *memory = NULL;

    ENSURE(tokens <= UINT16_MAX + (size_t)1, ERR_RANGE, "tokens of a cache");
    TRY(mem_alloc(sizeof(struct auth_token_cache) + sets * WAYS * sizeof(struct token_remembered), &memory));
    struct auth_token_cache *cache = memory;
    cache->sets = sets;
    *out_cache = cache;
    return ERR_OK;
}

void token_cache_free(struct auth_token_cache *cache)
{
    mem_free(cache);
}

static struct token_remembered *set_of(struct auth_token_cache *cache, const uint8_t digest[SHA256_BYTES])
{
    return &cache->entries[(size_t)(get_u64be(digest) % cache->sets) * WAYS];
}

struct token_remembered *token_cache_find(struct auth_token_cache *cache, const struct auth_token_parts *token)
{
    uint8_t digest[SHA256_BYTES];

    if (cache == NULL) {
        return NULL;
    }
    sha256(token->signature, digest);
    struct token_remembered *set = set_of(cache, digest);
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].used_at != 0 && ct_equal(span_array(set[i].signature), span_array(digest)) &&
            ct_equal(span_of(set[i].text, set[i].text_bytes), token->signed_text)) {
            set[i].used_at = ++cache->clock;
            return &set[i];
        }
    }
    return NULL;
}

bool token_cache_account(const struct token_remembered *entry, uint64_t generation, struct arena *arena,
                         struct auth_account *out_account)
{
    struct span rest = SPAN_NONE;
    size_t total = 0;

    if (generation == 0 || entry->generation != generation) {
        return false;
    }
    for (size_t i = 0; i < entry->role_count; i++) {
        total += entry->role_lens[i];
    }
    if (arena_copy(arena, span_of(entry->roles, total), &rest) != ERR_OK) {
        fault_clear(); /* who needs the memory next will say so */
        return false;
    }
    *out_account = (struct auth_account){.state = entry->state,
                                         .group = entry->group,
                                         .has_mfa = entry->has_mfa,
                                         .role_count = entry->role_count,
                                         .session_ends_ms = entry->session_ends_ms};
    for (size_t i = 0; i < entry->role_count; i++) {
        out_account->roles[i] = span_of(rest.data, entry->role_lens[i]);
        rest = span_of(rest.data + entry->role_lens[i], rest.len - entry->role_lens[i]);
    }
    return true;
}

/* A free place of a set, else the one used least. */
static struct token_remembered *place_in(struct token_remembered *set)
{
    struct token_remembered *least = &set[0];

    for (size_t i = 1; i < WAYS; i++) {
        if (set[i].used_at < least->used_at) {
            least = &set[i];
        }
    }
    return least;
}

struct token_remembered *token_cache_put(struct auth_token_cache *cache, const struct auth_token_parts *token,
                                         const struct auth_bearer *bearer)
{
    uint8_t digest[SHA256_BYTES];

    if (cache == NULL || token->signed_text.len > TOKEN_CACHE_TEXT_MAX) {
        return NULL;
    }
    sha256(token->signature, digest);
    struct token_remembered *entry = place_in(set_of(cache, digest));
    memcpy(entry->signature, digest, sizeof digest);
    memcpy(entry->text, token->signed_text.data, token->signed_text.len);
    entry->text_bytes = token->signed_text.len;
    entry->used_at = ++cache->clock;
    entry->bearer = *bearer;
    entry->generation = 0;
    return entry;
}

/* false: there is no room for all of them. */
static bool copy_roles(struct token_remembered *entry, const struct auth_account *account)
{
    size_t total = 0;

    for (size_t i = 0; i < account->role_count; i++) {
        const struct span role = account->roles[i];
        if (role.len > AUTH_ROLE_MAX || total + role.len > sizeof entry->roles) {
            return false;
        }
        entry->role_lens[i] = (uint8_t)role.len;
        if (role.len > 0) {
            memcpy(entry->roles + total, role.data, role.len);
        }
        total += role.len;
    }
    entry->role_count = account->role_count;
    return true;
}

void token_remember_account(struct token_remembered *entry, uint64_t generation, const struct auth_account *account)
{
    if (entry == NULL) {
        return;
    }
    entry->generation = copy_roles(entry, account) ? generation : 0;
    entry->state = account->state;
    entry->group = account->group;
    entry->has_mfa = account->has_mfa;
    entry->session_ends_ms = account->session_ends_ms;
}
