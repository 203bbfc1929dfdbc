/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/auth/id_token.h: no key set and no token breaks the reader, and what it takes is what it promises. The first
 * byte chooses: a key set; a token as it is; or, rightly signed by a key that is known, a payload or a header. */
#include <string.h>

#include "crypto/crypto.h"
#include "firmware/auth/base64url.h"
#include "firmware/auth/id_token.h"
#include "tests/fuzz/fuzz.h"

#define ARENA_BYTES ((size_t)8 << 20)
#define NOW_S       1700000000

/* Made once. The signer holds memory of a library in its own locked page, where the leak checker does not look. */
static struct signer *signer;
static struct arena *arena;
static struct id_keys known;

static void end(void)
{
    signer_free(signer);
    arena_free(arena);
}

static void start(void)
{
    struct random *random = NULL;
    struct secret *secret = NULL;

    FUZZ_CHECK(crypto_start() == ERR_OK && random_new(SPAN_NONE, &random) == ERR_OK);
    FUZZ_CHECK(sign_key_new(random, &secret) == ERR_OK && signer_new(secret, random, &signer) == ERR_OK);
    FUZZ_CHECK(arena_new(1024, ARENA_BYTES, &arena) == ERR_OK && atexit(end) == 0);
    known.count = 1;
    known.keys[0].type = ID_KEY_P256;
    known.keys[0].name[0] = 'k';
    known.keys[0].name_len = 1;
    signer_public(signer, known.keys[0].point);
    secret_free(secret);
    random_free(random);
}

static void verify(struct span token, const struct id_keys *keys)
{
    const struct id_expected expected = {span_lit("https://id.example"), span_lit("box"), SPAN_NONE, NOW_S};
    struct id_claims claims;

    const enum err err = id_token_verify(token, keys, &expected, arena, &claims);
    FUZZ_CHECK(err == ERR_OK || err == ERR_MALFORMED || err == ERR_NOT_FOUND || err == ERR_AUTH || err == ERR_EXPIRED ||
               err == ERR_NO_MEMORY);
    if (err == ERR_OK) {
        FUZZ_CHECK(claims.subject.len >= 1 && claims.subject.len <= ID_SUBJECT_MAX);
        FUZZ_CHECK(claims.email.len <= ACCOUNT_EMAIL_MAX && span_is_utf8(claims.name));
    }
}

static void read_set(struct span json)
{
    static struct id_keys keys;

    const enum err err = id_keys_read(json, arena, &keys);
    FUZZ_CHECK(err == ERR_OK || err == ERR_MALFORMED || err == ERR_NOT_FOUND || err == ERR_NO_MEMORY);
    if (err == ERR_OK) {
        FUZZ_CHECK(keys.count >= 1 && keys.count <= ID_KEYS_MAX);
        verify(span_lit("eyJhbGciOiJFUzI1NiJ9.e30.AAAA"), &keys);
    }
}

static size_t put_encoded(uint8_t *text, size_t at, struct span bytes)
{
    base64url_encode(bytes, (char *)text + at);
    return at + BASE64URL_CHARS(bytes.len);
}

static void sign_whole(struct span header, struct span payload)
{
    static uint8_t text[ID_TOKEN_MAX * 2];
    uint8_t digest[SHA256_BYTES];
    uint8_t signature[SIGN_RAW_BYTES];

    if (header.len + payload.len > ID_TOKEN_MAX) {
        return;
    }
    size_t at = put_encoded(text, 0, header);
    text[at++] = '.';
    at = put_encoded(text, at, payload);
    sha256(span_of(text, at), digest);
    FUZZ_CHECK(signer_sign_raw(signer, span_array(digest), signature) == ERR_OK);
    text[at++] = '.';
    at = put_encoded(text, at, span_array(signature));
    verify(span_of(text, at), &known);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fault_clear();
    if (size < 1) {
        return 0;
    }
    if (signer == NULL) {
        start();
    }
    const struct span rest = span_of(data + 1, size - 1);
    switch (data[0] % 4) {
    case 0:
        read_set(rest);
        break;
    case 1:
        verify(rest, &known);
        break;
    case 2:
        sign_whole(span_lit("{\"alg\":\"ES256\",\"kid\":\"k\"}"), rest);
        break;
    default:
        sign_whole(rest, span_lit("{\"iss\":\"https://id.example\",\"sub\":\"a\",\"aud\":\"box\",\"iat\":1700000000,"
                                  "\"exp\":1700000300}"));
        break;
    }
    arena_reset(arena);
    return 0;
}
