/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/auth/id_token.h: tokens of an issuer, and those that somebody else made. */
#include "firmware/auth/id_token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/crypto.h"
#include "firmware/auth/base64url.h"
#include "hal/base/fault.h"
#include "tests/data/rsa_known.h"

#define NOW    1700000000
#define ISSUER "https://id.example"
#define ES     "{\"alg\":\"ES256\",\"kid\":\"ec\"}"
#define WHO    "\"iss\":\"" ISSUER "\",\"sub\":\"ada\""
#define TIMES  "\"iat\":1700000000,\"exp\":1700000300"
#define FOR_US "\"aud\":\"box\""
#define GOOD   "{" WHO "," FOR_US "," TIMES "}"

struct fixture {
    struct random *random;
    struct signer *signer; /* of the key "ec" */
    struct arena *arena;
    struct id_keys *keys; /* "ec", and the RSA key "rsa" */
    struct id_claims claims;
    char token[ID_TOKEN_MAX + 4096];
    char set[8192];
};

static struct span encode(struct span bytes, char *out)
{
    base64url_encode(bytes, out);
    return span_of(out, BASE64URL_CHARS(bytes.len));
}

static void write_set(struct fixture *f)
{
    uint8_t point[SIGN_PUBLIC_BYTES];
    uint8_t modulus[RSA_MODULUS_MIN];
    char text[3][512] = {{0}};
    signer_public(f->signer, point);
    (void)encode(span_of(point + 1, 32), text[0]);
    (void)encode(span_of(point + 33, 32), text[1]);
    assert_int_equal(hex_decode(span_str(RSA_2048_N), modulus, sizeof modulus), ERR_OK);
    (void)encode(span_array(modulus), text[2]);

    (void)snprintf(f->set, sizeof f->set,
                   "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"ec\",\"x\":\"%s\",\"y\":\"%s\"},"
                   "{\"kty\":\"RSA\",\"kid\":\"rsa\",\"use\":\"sig\",\"alg\":\"RS256\",\"n\":\"%s\",\"e\":\"AQAB\"}]}",
                   text[0], text[1], text[2]);
}

static int set_up(void **state)
{
    struct secret *secret = NULL;
    void *memory = NULL;

    assert_int_equal(crypto_start(), ERR_OK);
    assert_int_equal(mem_alloc(sizeof(struct fixture), &memory), ERR_OK);
    struct fixture *f = memory;
    assert_int_equal(mem_alloc(sizeof(struct id_keys), &memory), ERR_OK);
    f->keys = memory;
    assert_int_equal(random_new(SPAN_NONE, &f->random), ERR_OK);
    assert_int_equal(arena_new(1024, (size_t)4 << 20, &f->arena), ERR_OK);
    assert_int_equal(sign_key_new(f->random, &secret), ERR_OK);
    assert_int_equal(signer_new(secret, f->random, &f->signer), ERR_OK);
    secret_free(secret);
    write_set(f);
    assert_int_equal(id_keys_read(span_str(f->set), f->arena, f->keys), ERR_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    signer_free(f->signer);
    arena_free(f->arena);
    random_free(f->random);
    mem_free(f->keys);
    mem_free(f);
    fault_clear();
    return 0;
}

/* header.payload without a signature. */
static size_t write_text(struct fixture *f, const char *header, const char *payload)
{
    size_t at = encode(span_str(header), f->token).len;

    f->token[at++] = '.';
    return at + encode(span_str(payload), f->token + at).len;
}

static struct span add_signature(struct fixture *f, size_t at, struct span signature)
{
    f->token[at++] = '.';
    return span_of(f->token, at + encode(signature, f->token + at).len);
}

/* A token rightly signed by the key "ec". */
static struct span sign_text(struct fixture *f, const char *header, const char *payload)
{
    uint8_t digest[SHA256_BYTES];
    uint8_t signature[SIGN_RAW_BYTES];
    const size_t len = write_text(f, header, payload);

    sha256(span_of(f->token, len), digest);
    assert_int_equal(signer_sign_raw(f->signer, span_array(digest), signature), ERR_OK);
    return add_signature(f, len, span_array(signature));
}

static enum err verify_with(struct fixture *f, struct span token, const struct id_expected *expected)
{
    const enum err err = id_token_verify(token, f->keys, expected, f->arena, &f->claims);

    fault_clear();
    return err;
}

static enum err verify(struct fixture *f, struct span token)
{
    const struct id_expected expected = {span_lit(ISSUER), span_lit("box"), SPAN_NONE, NOW};

    return verify_with(f, token, &expected);
}

static void what_the_issuer_signed_is_taken(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(verify(f, sign_text(f, ES, GOOD)), ERR_OK);
    assert_true(span_equal(f->claims.subject, span_lit("ada")));
    assert_int_equal(f->claims.email.len, 0);
    assert_int_equal(f->claims.name.len, 0);
    assert_int_equal(verify(f, span_str(RSA_TOKEN)), ERR_OK);
    assert_true(span_equal(f->claims.subject, span_lit("ada")));
    assert_true(span_equal(span_of(f->claims.email.text, f->claims.email.len), span_lit("ada@example.com")));
    assert_true(span_equal(f->claims.name, span_lit("Ada")));
}

/* Each payload is rightly signed. */
static void claims_that_do_not_hold_are_refused(void **state)
{
    static const struct {
        const char *header, *payload;
        enum err err;
    } cases[] = {
        {ES, "{" WHO ",\"aud\":[\"box\"]," TIMES "}", ERR_OK},
        {ES, "{" WHO ",\"aud\":[\"other\",\"box\"],\"azp\":\"box\"," TIMES "}", ERR_OK},
        {ES, "{" WHO ",\"aud\":[\"other\",\"box\"]," TIMES "}", ERR_AUTH},
        {ES, "{" WHO ",\"aud\":[\"other\",\"box\"],\"azp\":\"other\"," TIMES "}", ERR_AUTH},
        {ES, "{" WHO "," FOR_US ",\"azp\":\"other\"," TIMES "}", ERR_AUTH},
        {ES, "{" WHO "," FOR_US ",\"azp\":null," TIMES "}", ERR_AUTH},
        {ES, "{" WHO ",\"aud\":\"other\"," TIMES "}", ERR_AUTH},
        {ES, "{" WHO ",\"aud\":\"Box\"," TIMES "}", ERR_AUTH},
        {ES, "{" WHO ",\"aud\":[]," TIMES "}", ERR_AUTH},
        {ES, "{" WHO ",\"aud\":[[\"box\"]]," TIMES "}", ERR_AUTH},
        {ES, "{" WHO ",\"aud\":{\"box\":1}," TIMES "}", ERR_AUTH},
        {ES, "{" WHO ",\"aud\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,\"box\"],\"azp\":\"box\"," TIMES "}", ERR_AUTH},
        {ES, "{" WHO "," TIMES "}", ERR_AUTH},
        {ES, "{\"iss\":\"" ISSUER "/\",\"sub\":\"ada\"," FOR_US "," TIMES "}", ERR_AUTH},
        {ES, "{\"iss\":\"https://evil.example\",\"sub\":\"ada\"," FOR_US "," TIMES "}", ERR_AUTH},
        {ES, "{\"iss\":[\"" ISSUER "\"],\"sub\":\"ada\"," FOR_US "," TIMES "}", ERR_AUTH},
        {ES, "{\"sub\":\"ada\"," FOR_US "," TIMES "}", ERR_AUTH},
        {ES, "{\"iss\":\"" ISSUER "\"," FOR_US "," TIMES "}", ERR_AUTH},
        {ES, "{\"iss\":\"" ISSUER "\",\"sub\":\"\"," FOR_US "," TIMES "}", ERR_AUTH},
        {ES, "{\"iss\":\"" ISSUER "\",\"sub\":7," FOR_US "," TIMES "}", ERR_AUTH},
        {ES, "{" WHO "," FOR_US ",\"iat\":1700000000}", ERR_AUTH},
        {ES, "{" WHO "," FOR_US ",\"exp\":1700000300}", ERR_AUTH},
        {ES, "{" WHO "," FOR_US ",\"iat\":\"1700000000\",\"exp\":1700000300}", ERR_AUTH},
        {ES, "{" WHO "," FOR_US ",\"iat\":1700000000,\"exp\":1.7e300}", ERR_AUTH},
        {ES, "{" WHO "," FOR_US ",\"iat\":-1,\"exp\":1700000300}", ERR_AUTH},
        {ES, "{" WHO "," FOR_US ",\"iat\":1700000000,\"exp\":9223372036854775807}", ERR_AUTH},
        {ES, "{" WHO "," FOR_US ",\"nbf\":\"x\"," TIMES "}", ERR_AUTH},
        {ES, "{" WHO "," FOR_US ",\"nbf\":1700000060," TIMES "}", ERR_OK},
        {ES, "{" WHO "," FOR_US ",\"nbf\":1700000061," TIMES "}", ERR_EXPIRED},
        {ES, "{" WHO "," FOR_US ",\"iat\":1700000060,\"exp\":1700000300}", ERR_OK},
        {ES, "{" WHO "," FOR_US ",\"iat\":1700000061,\"exp\":1700000300}", ERR_EXPIRED},
        {ES, "{" WHO "," FOR_US ",\"iat\":1699999000,\"exp\":1699999941}", ERR_OK},
        {ES, "{" WHO "," FOR_US ",\"iat\":1699999000,\"exp\":1699999940}", ERR_EXPIRED},
        {ES, "{" WHO "," FOR_US ",\"iat\":1699913600,\"exp\":1800000000}", ERR_OK},
        {ES, "{" WHO "," FOR_US ",\"iat\":1699913599,\"exp\":1800000000}", ERR_EXPIRED},
        {ES, "[" WHO "]", ERR_MALFORMED},
        {ES, "[1]", ERR_MALFORMED},
        {ES, "{" WHO "," WHO "," FOR_US "," TIMES "}", ERR_MALFORMED},
        {ES, "", ERR_MALFORMED},
        {"{\"alg\":\"ES256\",\"kid\":\"ec\",\"typ\":\"jwt\"}", GOOD, ERR_OK},
        {"{\"alg\":\"ES256\",\"kid\":\"ec\",\"typ\":\"at+jwt\"}", GOOD, ERR_AUTH},
        {"{\"alg\":\"ES256\",\"kid\":\"ec\",\"typ\":7}", GOOD, ERR_AUTH},
        {"{\"alg\":\"ES256\",\"kid\":\"ec\",\"crit\":[\"exp\"]}", GOOD, ERR_AUTH},
        {"{\"alg\":\"ES256\",\"kid\":\"ec\",\"crit\":[]}", GOOD, ERR_AUTH},
        {"{\"alg\":\"ES256\",\"kid\":\"ec\",\"b64\":false}", GOOD, ERR_AUTH},
        {"{\"alg\":\"ES256\"}", GOOD, ERR_OK}, /* one key of that kind */
        {"{\"alg\":\"ES256\",\"kid\":\"\"}", GOOD, ERR_NOT_FOUND},
        {"{\"alg\":\"ES256\",\"kid\":\"newer\"}", GOOD, ERR_NOT_FOUND},
        {"{\"alg\":\"ES256\",\"kid\":{\"$ne\":1}}", GOOD, ERR_AUTH},
        {"{\"alg\":\"ES256\",\"kid\":\"EC\"}", GOOD, ERR_NOT_FOUND},
        {"[\"ES256\"]", GOOD, ERR_MALFORMED},
        {"{\"alg\":\"ES256\",\"alg\":\"ES256\",\"kid\":\"ec\"}", GOOD, ERR_MALFORMED},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const enum err got = verify(f, sign_text(f, cases[i].header, cases[i].payload));
        if (got != cases[i].err) {
            print_message("%s %s\n", cases[i].header, cases[i].payload);
        }
        assert_int_equal(got, cases[i].err);
    }
}

static void attack_09_no_algorithm_but_that_of_the_key_is_obeyed(void **state)
{
    static const char *const headers[] = {
        "{\"alg\":\"none\",\"kid\":\"ec\"}",  "{\"alg\":\"NONE\"}",
        "{\"alg\":\"HS256\",\"kid\":\"ec\"}", "{\"alg\":\"HS256\",\"kid\":\"rsa\"}",
        "{\"alg\":\"ES384\",\"kid\":\"ec\"}", "{\"alg\":\"PS256\",\"kid\":\"rsa\"}",
        "{\"alg\":\"es256\",\"kid\":\"ec\"}", "{\"alg\":[\"ES256\"],\"kid\":\"ec\"}",
        "{\"kid\":\"ec\"}",                   "{\"alg\":null,\"kid\":\"ec\"}",
    };
    uint8_t modulus[RSA_MODULUS_MIN];
    uint8_t mac[SHA256_BYTES];
    struct fixture *f = *state;
    const struct id_key *const ec = &f->keys->keys[0];
    assert_int_equal(hex_decode(span_str(RSA_2048_N), modulus, sizeof modulus), ERR_OK);

    for (size_t i = 0; i < ARRAY_LENGTH(headers); i++) {
        assert_int_equal(verify(f, sign_text(f, headers[i], GOOD)), ERR_AUTH);
        size_t len = write_text(f, headers[i], GOOD);
        assert_int_equal(verify(f, add_signature(f, len, SPAN_NONE)), ERR_AUTH);
        const struct span keys[] = {span_array(ec->point), span_array(modulus)};
        for (size_t key = 0; key < ARRAY_LENGTH(keys); key++) {
            len = write_text(f, headers[i], GOOD);
            hmac_sha256(keys[key], span_of(f->token, len), mac);
            assert_int_equal(verify(f, add_signature(f, len, span_array(mac))), ERR_AUTH);
        }
    }
    /* The algorithm of one key with the name of the other. */
    assert_int_equal(verify(f, sign_text(f, "{\"alg\":\"RS256\",\"kid\":\"ec\"}", GOOD)), ERR_NOT_FOUND);
    assert_int_equal(verify(f, sign_text(f, "{\"alg\":\"ES256\",\"kid\":\"rsa\"}", GOOD)), ERR_NOT_FOUND);
    assert_int_equal(verify(f, sign_text(f, "{\"alg\":\"RS256\",\"kid\":\"rsa\"}", GOOD)), ERR_AUTH);
}

static void attack_09_a_key_inside_of_a_token_is_not_looked_at(void **state)
{
    struct fixture *f = *state;
    struct signer *stranger = NULL;
    struct secret *secret = NULL;
    uint8_t point[SIGN_PUBLIC_BYTES];
    uint8_t digest[SHA256_BYTES];
    uint8_t signature[SIGN_RAW_BYTES];
    char x[64] = {0};
    char y[64] = {0};
    char header[512];
    assert_int_equal(sign_key_new(f->random, &secret), ERR_OK);
    assert_int_equal(signer_new(secret, f->random, &stranger), ERR_OK);
    secret_free(secret);
    signer_public(stranger, point);
    (void)encode(span_of(point + 1, 32), x);
    (void)encode(span_of(point + 33, 32), y);

    (void)snprintf(header, sizeof header,
                   "{\"alg\":\"ES256\",\"kid\":\"ec\",\"jku\":\"https://evil.example/keys\","
                   "\"jwk\":{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"ec\",\"x\":\"%s\",\"y\":\"%s\"}}",
                   x, y);
    const size_t len = write_text(f, header, GOOD);
    sha256(span_of(f->token, len), digest);
    assert_int_equal(signer_sign_raw(stranger, span_array(digest), signature), ERR_OK);
    signer_free(stranger);

    assert_int_equal(verify(f, add_signature(f, len, span_array(signature))), ERR_AUTH);
}

static void a_changed_or_cut_token_is_refused(void **state)
{
    struct fixture *f = *state;
    const struct span token = sign_text(f, ES, GOOD);
    char zero[SIGN_RAW_BYTES] = {0};

    for (size_t len = 0; len < token.len; len++) {
        assert_int_not_equal(verify(f, span_of(token.data, len)), ERR_OK);
    }
    for (size_t i = 0; i < token.len; i++) {
        const char before = f->token[i];
        f->token[i] = before == 'A' ? 'B' : 'A';
        assert_int_not_equal(verify(f, token), ERR_OK);
        f->token[i] = '=';
        assert_int_not_equal(verify(f, token), ERR_OK);
        f->token[i] = before;
    }
    assert_int_equal(verify(f, token), ERR_OK);
    f->token[token.len] = '.';
    assert_int_equal(verify(f, span_of(f->token, token.len + 1)), ERR_AUTH);
    assert_int_equal(verify(f, add_signature(f, write_text(f, ES, GOOD), span_array(zero))), ERR_AUTH);
}

static void a_token_has_a_longest_form(void **state)
{
    struct fixture *f = *state;
    char text[ID_TOKEN_MAX];
    memset(text, ' ', sizeof text);
    text[sizeof text - 1] = 0;
    memcpy(text, GOOD, strlen(GOOD));

    text[5900] = 0;
    assert_int_equal(verify(f, sign_text(f, ES, text)), ERR_OK);
    text[5900] = ' ';
    text[6200] = 0;
    assert_int_equal(verify(f, sign_text(f, ES, text)), ERR_MALFORMED);
    memset(text, ' ', sizeof text);
    memcpy(text, ES, strlen(ES));
    text[ID_HEADER_MAX] = 0;
    assert_int_equal(verify(f, sign_text(f, text, GOOD)), ERR_OK);
    text[ID_HEADER_MAX] = ' ';
    text[ID_HEADER_MAX + 1] = 0;
    assert_int_equal(verify(f, sign_text(f, text, GOOD)), ERR_MALFORMED);
}

static void a_subject_has_at_most_255_bytes(void **state)
{
    struct fixture *f = *state;
    char subject[ID_SUBJECT_MAX + 2] = {0};
    char payload[1024];
    memset(subject, 's', ID_SUBJECT_MAX);

    (void)snprintf(payload, sizeof payload, "{\"iss\":\"" ISSUER "\",\"sub\":\"%s\"," FOR_US "," TIMES "}", subject);
    assert_int_equal(verify(f, sign_text(f, ES, payload)), ERR_OK);
    subject[ID_SUBJECT_MAX] = 's';
    (void)snprintf(payload, sizeof payload, "{\"iss\":\"" ISSUER "\",\"sub\":\"%s\"," FOR_US "," TIMES "}", subject);
    assert_int_equal(verify(f, sign_text(f, ES, payload)), ERR_AUTH);
}

static void a_nonce_that_was_asked_for_has_to_be_there(void **state)
{
    const struct id_expected expected = {span_lit(ISSUER), span_lit("box"), span_lit("n-1"), NOW};
    struct fixture *f = *state;

    assert_int_equal(verify_with(f, sign_text(f, ES, "{" WHO "," FOR_US "," TIMES ",\"nonce\":\"n-1\"}"), &expected),
                     ERR_OK);
    assert_int_equal(verify_with(f, sign_text(f, ES, "{" WHO "," FOR_US "," TIMES ",\"nonce\":\"n-2\"}"), &expected),
                     ERR_AUTH);
    assert_int_equal(verify_with(f, sign_text(f, ES, "{" WHO "," FOR_US "," TIMES ",\"nonce\":[\"n-1\"]}"), &expected),
                     ERR_AUTH);
    assert_int_equal(verify_with(f, sign_text(f, ES, GOOD), &expected), ERR_AUTH);
}

static void an_address_counts_only_if_the_issuer_verified_it(void **state)
{
    static const struct {
        const char *members;
        bool counts;
    } cases[] = {
        {"\"email\":\"Ada@Example.com\",\"email_verified\":true", true},
        {"\"email\":\"Ada@Example.com\",\"email_verified\":false", false},
        {"\"email\":\"Ada@Example.com\",\"email_verified\":\"true\"", false},
        {"\"email\":\"Ada@Example.com\",\"email_verified\":1", false},
        {"\"email\":\"Ada@Example.com\"", false},
        {"\"email\":\"ada\",\"email_verified\":true", false},
        {"\"email\":\"ada@example.com\\r\\nBcc: x@example.com\",\"email_verified\":true", false},
        {"\"email\":[\"ada@example.com\"],\"email_verified\":true", false},
        {"\"email_verified\":true", false},
    };
    struct fixture *f = *state;
    char payload[512];

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        (void)snprintf(payload, sizeof payload, "{" WHO "," FOR_US "," TIMES ",%s}", cases[i].members);
        assert_int_equal(verify(f, sign_text(f, ES, payload)), ERR_OK);
        assert_int_equal(f->claims.email.len, cases[i].counts ? strlen("ada@example.com") : 0);
    }
}

static void keys_for_something_else_are_passed_over(void **state)
{
#define X  "\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\""
#define Y  "\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\""
#define EC "{\"kty\":\"EC\",\"crv\":\"P-256\"," X "," Y
    static const struct {
        const char *key;
        bool taken;
    } cases[] = {
        {EC "}", true},
        {EC ",\"use\":\"sig\",\"alg\":\"ES256\",\"key_ops\":[\"verify\"]}", true},
        {EC ",\"use\":\"enc\"}", false},
        {EC ",\"alg\":\"ES512\"}", false},
        {EC ",\"alg\":7}", false},
        {EC ",\"key_ops\":[\"sign\"]}", false},
        {EC ",\"key_ops\":\"verify\"}", false},
        {EC ",\"d\":\"AAAA\"}", false}, /* the private half */
        {EC ",\"kid\":7}", false},
        {"{\"kty\":\"EC\",\"crv\":\"P-384\"," X "," Y "}", false},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\"," X "}", false},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\"," X ",\"y\":\"AAAA\"}", false},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\"," X ",\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}", false},
        {"{\"kty\":\"RSA\",\"n\":\"gQ\",\"e\":\"AQAB\"}", false},
        {"{\"kty\":\"RSA\",\"e\":\"AQAB\"}", false},
        {"{\"kty\":\"oct\",\"k\":\"AAAA\"}", false},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\"," X "}", false},
        {"{}", false},
        {"7", false},
    };
    struct fixture *f = *state;
    char set[1024];

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        (void)snprintf(set, sizeof set, "{\"keys\":[%s]}", cases[i].key);
        const enum err got = id_keys_read(span_str(set), f->arena, f->keys);
        if (got != (cases[i].taken ? ERR_OK : ERR_NOT_FOUND)) {
            print_message("%s\n", cases[i].key);
        }
        assert_int_equal(got, cases[i].taken ? ERR_OK : ERR_NOT_FOUND);
    }
    assert_int_equal(id_keys_read(span_lit("{\"keys\":{}}"), f->arena, f->keys), ERR_MALFORMED);
    assert_int_equal(id_keys_read(span_lit("[]"), f->arena, f->keys), ERR_MALFORMED);
    assert_int_equal(id_keys_read(span_lit("<html>"), f->arena, f->keys), ERR_MALFORMED);
    /* A point that is not on the curve is a key that nothing verifies with. */
    assert_int_equal(id_keys_read(span_lit("{\"keys\":[" EC "}]}"), f->arena, f->keys), ERR_OK);
    assert_int_equal(verify(f, sign_text(f, "{\"alg\":\"ES256\"}", GOOD)), ERR_AUTH);
}

static void a_set_of_many_keys_is_read_up_to_a_bound(void **state)
{
    struct fixture *f = *state;
    size_t at = (size_t)snprintf(f->set, sizeof f->set, "{\"keys\":[");

    for (unsigned int i = 0; i < ID_KEYS_MAX + 4; i++) {
        at += (size_t)snprintf(f->set + at, sizeof f->set - at, "%s" EC ",\"kid\":\"%u\"}", i == 0 ? "" : ",", i);
    }
    (void)snprintf(f->set + at, sizeof f->set - at, "]}");

    assert_int_equal(id_keys_read(span_str(f->set), f->arena, f->keys), ERR_OK);
    assert_int_equal(f->keys->count, ID_KEYS_MAX);
    assert_int_equal(verify(f, sign_text(f, "{\"alg\":\"ES256\"}", GOOD)), ERR_AUTH); /* which of them? */
}

#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_the_issuer_signed_is_taken),
        T(claims_that_do_not_hold_are_refused),
        T(attack_09_no_algorithm_but_that_of_the_key_is_obeyed),
        T(attack_09_a_key_inside_of_a_token_is_not_looked_at),
        T(a_changed_or_cut_token_is_refused),
        T(a_token_has_a_longest_form),
        T(a_subject_has_at_most_255_bytes),
        T(a_nonce_that_was_asked_for_has_to_be_there),
        T(an_address_counts_only_if_the_issuer_verified_it),
        T(keys_for_something_else_are_passed_over),
        T(a_set_of_many_keys_is_read_up_to_a_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
