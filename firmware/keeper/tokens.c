/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A private key made ready to sign costs as much as a signature or two, so the few that are used most are kept ready.
 * Which version signs is asked of the vault each time: a rotation or a drop counts for the next token.
 *
 * Rotation: tokens_rotate makes a version and notes that it waits -> the worker writes its public half where everybody
 * finds it -> tokens_use. Until then the version before signs. The note is in memory: the worker of a new keeper process is
 * a new one too, and publishes every key that is there before it asks for a token. */
#include "firmware/keeper/tokens.h"

#include <string.h>

#include "crypto/random.h"
#include "firmware/auth/token.h"
#include "firmware/keeper/bucket.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"

#define READY_MAX   8 /* each takes a page of locked memory */
#define WAITING_MAX 8 /* one is used at once, unless its publication failed */
#define MS_PER_S  1000

_Static_assert(MSG_TOKEN_MAX == AUTH_TOKEN_MAX, "a token fits its message");
_Static_assert(MSG_ACCESS_S_MAX == AUTH_TOKEN_ACCESS_S && MSG_REFRESH_S_MAX == AUTH_TOKEN_REFRESH_S, "lives of tokens");
_Static_assert(MSG_POINT_BYTES == SIGN_PUBLIC_BYTES, "a public key fits its message");
_Static_assert(MSG_TOKEN_KEYS_MAX == VAULT_TOKEN_VERSIONS_MAX, "all public keys fit their message");
_Static_assert(MSG_UUID_BYTES == 36, "a UUID as text");

struct ready {
    struct signer *signer; /* NULL: free */
    uint8_t environment[MSG_UUID_BYTES];
    uint32_t version;
    uint64_t used_at;
    struct auth_token_key key;
};

/* A version that is not published yet. */
struct waiting {
    uint8_t environment[MSG_UUID_BYTES];
    uint32_t version; /* 0: free */
    uint32_t signs;   /* the version that does meanwhile */
};

struct tokens {
    const struct hal_clock *clock;
    struct random *random;
    struct buf *text; /* of the token that is being made */
    struct bucket signatures;
    struct bucket peppers;
    uint64_t uses;
    struct ready ready[READY_MAX];
    struct waiting waiting[WAITING_MAX];
};

enum err tokens_new(const struct hal_clock *clock, struct tokens **out_tokens)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct tokens), &memory));
    struct tokens *const tokens = memory;
    enum err err = random_new(SPAN_NONE, &tokens->random);
    if (err == ERR_OK) {
        err = buf_new(AUTH_TOKEN_MAX, &tokens->text);
    }
    if (err != ERR_OK) {
        tokens_free(tokens);
        TRY(err);
    }
    tokens->clock = clock;
    bucket_init(&tokens->signatures, CONFIG_KEEPER_TOKENS_PER_S, "tokens", hal_clock_mono(clock));
    bucket_init(&tokens->peppers, CONFIG_KEEPER_PEPPERS_PER_S, "peppers", hal_clock_mono(clock));
    *out_tokens = tokens;
    return ERR_OK;
}

static void forget(struct ready *ready)
{
    signer_free(ready->signer);
    *ready = (struct ready){.signer = NULL};
}

void tokens_free(struct tokens *tokens)
{
    if (tokens == NULL) {
        return;
    }
    for (size_t i = 0; i < READY_MAX; i++) {
        forget(&tokens->ready[i]);
    }
    random_free(tokens->random);
    buf_free(tokens->text);
    mem_free(tokens);
}

static bool is_for(const struct ready *ready, struct span environment)
{
    return ready->signer != NULL && span_equal(span_array(ready->environment), environment);
}

static struct ready *least_used(struct tokens *tokens)
{
    struct ready *least = &tokens->ready[0];

    for (size_t i = 1; i < READY_MAX; i++) {
        if (tokens->ready[i].used_at < least->used_at) {
            least = &tokens->ready[i];
        }
    }
    return least;
}

/* The note of an environment, or NULL; of an empty id a place for a new one. */
static struct waiting *waiting_of(struct tokens *tokens, struct span environment)
{
    for (size_t i = 0; i < WAITING_MAX; i++) {
        struct waiting *const each = &tokens->waiting[i];
        if (environment.len == 0 ? each->version == 0
                                 : each->version != 0 && span_equal(span_array(each->environment), environment)) {
            return each;
        }
    }
    return NULL;
}

/* The version that signs. The vault is asked first: it knows whether the id is one. */
static enum err signing_version(struct tokens *tokens, const struct vault *vault, struct span environment,
                                uint32_t *out_version)
{
    struct keyring_versions versions = {0};

    TRY(vault_token_versions(vault, environment, &versions));
    const struct waiting *const waiting = waiting_of(tokens, environment);
    *out_version = waiting != NULL ? waiting->signs : versions.newest;
    return ERR_OK;
}

/* The key of an environment, ready to sign. */
static enum err get_ready(struct tokens *tokens, struct vault *vault, struct span environment, struct ready **out_ready)
{
    const struct secret *key = NULL;
    uint8_t public_key[SIGN_PUBLIC_BYTES];
    uint32_t version = 0;

    TRY(signing_version(tokens, vault, environment, &version));
    tokens->uses++;
    for (size_t i = 0; i < READY_MAX; i++) {
        struct ready *const ready = &tokens->ready[i];
        if (is_for(ready, environment) && ready->version == version) {
            ready->used_at = tokens->uses;
            *out_ready = ready;
            return ERR_OK;
        }
    }
    TRY(vault_token_key(vault, environment, version, &key));
    struct ready *const ready = least_used(tokens);
    forget(ready);
    TRY(signer_new(key, tokens->random, &ready->signer));
    memcpy(ready->environment, environment.data, sizeof ready->environment);
    ready->version = version;
    ready->used_at = tokens->uses;
    signer_public(ready->signer, public_key);
    auth_token_key_init(public_key, &ready->key);
    *out_ready = ready;
    return ERR_OK;
}

static enum err issue(struct tokens *tokens, struct ready *ready, struct auth_claims *claims,
                      struct msg_token *out_token)
{
    uint8_t id[AUTH_TOKEN_ID_BYTES];
    char id_text[BASE64URL_CHARS(AUTH_TOKEN_ID_BYTES)];

    random_fill(tokens->random, id, sizeof id);
    base64url_encode(span_array(id), id_text);
    claims->id = span_array(id_text);
    enum err err = auth_token_issue(&ready->key, ready->signer, claims, tokens->text);
    claims->id = SPAN_NONE;
    if (err == ERR_OK) {
        err = MSG_SET(out_token, buf_all(tokens->text));
    }
    buf_wipe(tokens->text);
    return err;
}

enum err tokens_sign(struct tokens *tokens, struct vault *vault, const struct msg *request, struct msg *out_answer)
{
    struct ready *ready = NULL;
    const int64_t now_s = hal_clock_wall(tokens->clock).ms / MS_PER_S;
    struct auth_claims claims = {.type = AUTH_TOKEN_ACCESS,
                                 .user = MSG_VIEW(&request->as.token_sign.user),
                                 .session = MSG_VIEW(&request->as.token_sign.session),
                                 .project = MSG_VIEW(&request->as.token_sign.project),
                                 .environment = MSG_VIEW(&request->as.token_sign.environment),
                                 .issued_s = now_s,
                                 .expires_s = now_s + (int64_t)request->as.token_sign.access_s};

    TRY(bucket_take(&tokens->signatures, hal_clock_mono(tokens->clock)));
    TRY(get_ready(tokens, vault, MSG_VIEW(&request->as.token_sign.environment_id), &ready));
    TRY(issue(tokens, ready, &claims, &out_answer->as.token_signed.access));
    claims.type = AUTH_TOKEN_REFRESH;
    claims.expires_s = now_s + (int64_t)request->as.token_sign.refresh_s;
    TRY(issue(tokens, ready, &claims, &out_answer->as.token_signed.refresh));
    out_answer->as.token_signed.issued_s = (uint64_t)now_s;
    return ERR_OK;
}

enum err tokens_pepper(struct tokens *tokens, struct vault *vault, const struct msg *request, struct msg *out_answer)
{
    struct vault_pepper pepper = {0};

    TRY(bucket_take(&tokens->peppers, hal_clock_mono(tokens->clock)));
    TRY(vault_pepper(vault, request->as.pepper.version, span_array(request->as.pepper.digest), &pepper));
    out_answer->as.peppered.version = pepper.version;
    memcpy(out_answer->as.peppered.mac, pepper.mac, sizeof pepper.mac);
    mem_wipe(&pepper, sizeof pepper);
    return ERR_OK;
}

/* The public keys, the newest first. */
static enum err list_keys(struct vault *vault, struct span environment, struct msg *out_answer)
{
    struct msg_points *const points = &out_answer->as.token_public.points;
    struct keyring_versions versions = {0};
    const struct secret *key = NULL;

    TRY(vault_token_versions(vault, environment, &versions));
    points->len = 0;
    for (uint32_t version = versions.newest; version >= versions.oldest && version > 0; version--) {
        const enum err err = vault_token_key(vault, environment, version, &key);
        if (err == ERR_NOT_FOUND) {
            fault_clear(); /* versions in between may be gone */
            continue;
        }
        TRY(err);
        ENSURE(points->len < sizeof points->data, ERR_LIMIT, "more token keys than a message holds");
        TRY(sign_public(key, points->data + points->len));
        points->len += MSG_POINT_BYTES;
    }
    TRY(MSG_SET(&out_answer->as.token_public.environment, environment));
    return ERR_OK;
}

enum err tokens_keys(struct tokens *tokens, struct vault *vault, const struct msg *request, struct msg *out_answer)
{
    const struct span environment = MSG_VIEW(&request->as.token_environment);

    (void)tokens; /* keys that are ready stay so */
    TRY(vault_token_make(vault, environment));
    TRY(list_keys(vault, environment, out_answer));
    return ERR_OK;
}

/* No key of the environment stays ready, and none waits. */
static void forget_environment(struct tokens *tokens, struct span environment)
{
    struct waiting *const waiting = waiting_of(tokens, environment);

    if (waiting != NULL) {
        waiting->version = 0;
    }
    for (size_t i = 0; i < READY_MAX; i++) {
        if (is_for(&tokens->ready[i], environment)) {
            forget(&tokens->ready[i]);
        }
    }
}

enum err tokens_drop(struct tokens *tokens, struct vault *vault, const struct msg *request)
{
    const struct span environment = MSG_VIEW(&request->as.token_environment);

    TRY(vault_token_drop(vault, environment));
    forget_environment(tokens, environment);
    return ERR_OK;
}

/* A version that could not be written is there all the same, and must not sign either. */
static enum err make_waiting(struct tokens *tokens, struct vault *vault, struct span environment)
{
    struct waiting *const waiting = waiting_of(tokens, SPAN_NONE);
    struct keyring_versions before = {0};
    struct keyring_versions after = {0};

    ENSURE(waiting != NULL, ERR_LIMIT, "too many token keys wait to be published");
    TRY(vault_token_versions(vault, environment, &before));
    const enum err err = vault_token_rotate(vault, environment);
    TRY(vault_token_versions(vault, environment, &after));
    if (after.newest != before.newest) {
        memcpy(waiting->environment, environment.data, sizeof waiting->environment);
        waiting->version = after.newest;
        waiting->signs = before.newest;
    }
    return err;
}

enum err tokens_rotate(struct tokens *tokens, struct vault *vault, const struct msg *request, struct msg *out_answer)
{
    const struct span environment = MSG_VIEW(&request->as.token_environment);
    uint32_t version = 0;

    TRY(signing_version(tokens, vault, environment, &version));
    if (waiting_of(tokens, environment) == NULL) {
        TRY(make_waiting(tokens, vault, environment));
    }
    TRY(list_keys(vault, environment, out_answer));
    return ERR_OK;
}

void tokens_use(struct tokens *tokens, const struct msg *request)
{
    const struct span environment = MSG_VIEW(&request->as.token_environment);

    if (environment.len == MSG_UUID_BYTES) {
        forget_environment(tokens, environment);
    }
}

/* The version with that public key. ERR_NOT_FOUND. */
static enum err version_of(struct vault *vault, struct span environment, struct span point, uint32_t *out_version)
{
    struct keyring_versions versions = {0};
    uint8_t public_key[SIGN_PUBLIC_BYTES];
    const struct secret *key = NULL;

    TRY(vault_token_versions(vault, environment, &versions));
    for (uint32_t version = versions.oldest; version <= versions.newest; version++) {
        const enum err err = vault_token_key(vault, environment, version, &key);
        if (err == ERR_NOT_FOUND) {
            fault_clear();
            continue;
        }
        TRY(err);
        TRY(sign_public(key, public_key));
        if (span_equal(span_array(public_key), point)) {
            *out_version = version;
            return ERR_OK;
        }
    }
    return ERR_NOT_FOUND;
}

enum err tokens_retire(struct tokens *tokens, struct vault *vault, const struct msg *request)
{
    const struct span environment = MSG_VIEW(&request->as.token_retire.environment);
    uint32_t signs = 0;
    uint32_t version = 0;

    TRY(signing_version(tokens, vault, environment, &signs));
    const enum err err = version_of(vault, environment, span_array(request->as.token_retire.point), &version);
    if (err == ERR_NOT_FOUND) {
        return ERR_OK;
    }
    TRY(err);
    ENSURE(version != signs, ERR_STATE, "this token key signs");
    TRY(vault_token_retire(vault, environment, version));
    return ERR_OK;
}

enum err tokens_next(struct vault *vault, const struct msg *request, struct msg *out_answer)
{
    struct span environment = SPAN_NONE;

    const enum err err = vault_token_next(vault, MSG_VIEW(&request->as.token_environment), &environment);
    if (err == ERR_NOT_FOUND) {
        fault_clear();
    } else {
        TRY(err);
    }
    TRY(MSG_SET(&out_answer->as.token_public.environment, environment));
    return ERR_OK;
}
