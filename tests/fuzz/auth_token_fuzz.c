/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/auth/token.h: no text breaks its parts, no payload its claims, and a payload that is taken is the one that the
 * writer would write. The first byte chooses: a whole token, or a payload before it is encoded. */
#include <string.h>

#include "crypto/crypto.h"
#include "firmware/auth/token.h"
#include "tests/fuzz/fuzz.h"

static void split(struct span text)
{
    struct auth_token_parts parts;
    struct auth_token_parts cut;
    struct auth_token_bytes bytes;
    struct auth_claims claims;

    if (auth_token_cut(text, &cut)) {
        FUZZ_CHECK(cut.header.len + cut.payload.len + cut.signature.len + 2 == text.len && cut.payload.len > 0);
    }
    if (auth_token_split(text, &parts) != ERR_OK) {
        return;
    }
    if (parts.header.len == AUTH_TOKEN_HEADER_BYTES && parts.signature.len == AUTH_TOKEN_SIGNED_BYTES) {
        FUZZ_CHECK(auth_token_cut(text, &cut) && span_equal(cut.payload, parts.payload));
    }
    FUZZ_CHECK(parts.header.len + parts.payload.len + parts.signature.len + 2 == text.len);
    FUZZ_CHECK(parts.header.len > 0 && parts.payload.len > 0);
    const enum err err = auth_token_read(&parts, &bytes, &claims);
    FUZZ_CHECK(err == ERR_OK || err == ERR_MALFORMED);
}

/* Made once. It holds memory of a library in its own locked page, where the leak checker does not look for pointers. */
static struct signer *signer;

static void signer_end(void)
{
    signer_free(signer);
}

static void signer_make(struct auth_token_key *out_key)
{
    struct random *random = NULL;
    struct secret *secret = NULL;
    uint8_t point[SIGN_PUBLIC_BYTES];

    FUZZ_CHECK(crypto_start() == ERR_OK && random_new(SPAN_NONE, &random) == ERR_OK);
    FUZZ_CHECK(sign_key_new(random, &secret) == ERR_OK && signer_new(secret, random, &signer) == ERR_OK);
    FUZZ_CHECK(atexit(signer_end) == 0);
    signer_public(signer, point);
    auth_token_key_init(point, out_key);
    secret_free(secret);
    random_free(random);
}

static void read_payload(struct span json)
{
    static struct auth_token_key key;
    char encoded[BASE64URL_CHARS(AUTH_TOKEN_MAX)];
    struct auth_token_parts parts = {.header = SPAN_NONE};
    struct auth_token_parts again;
    struct auth_token_bytes bytes;
    struct auth_claims claims;
    SCOPED_BUF struct buf *token = NULL;

    if (signer == NULL) {
        signer_make(&key);
    }
    if (json.len > AUTH_TOKEN_MAX) {
        return;
    }
    base64url_encode(json, encoded);
    parts.payload = span_of(encoded, BASE64URL_CHARS(json.len));
    const enum err err = auth_token_read(&parts, &bytes, &claims);
    FUZZ_CHECK(err == ERR_OK || err == ERR_MALFORMED);
    if (err == ERR_OK) {
        FUZZ_CHECK(buf_new(4096, &token) == ERR_OK);
        FUZZ_CHECK(auth_token_issue(&key, signer, &claims, token) == ERR_OK);
        if (auth_token_split(buf_all(token), &again) == ERR_OK) {
            FUZZ_CHECK(span_equal(again.payload, parts.payload));
            FUZZ_CHECK(auth_token_verify(&again, &key) == ERR_OK);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fault_clear();
    if (size < 1) {
        return 0;
    }
    if ((data[0] & 1) == 0) {
        split(span_of(data + 1, size - 1));
    } else {
        read_payload(span_of(data + 1, size - 1));
    }
    return 0;
}
