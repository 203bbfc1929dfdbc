/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/auth/token.h: a token is byte for byte of our form and signed by the key whose header it has, or it is none. */
#include "firmware/auth/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/crypto.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"

#define USER    "11111111-1111-4111-8111-111111111111"
#define SESSION "22222222-2222-4222-8222-222222222222"
#define PROJECT "33333333-3333-4333-8333-333333333333"

struct fixture {
    struct random *random;
    struct signer *signer;
    struct auth_token_key key;
    struct buf *text; /* of the token at hand */
};

static void make_key(struct fixture *f, struct signer **out_signer, struct auth_token_key *out_key)
{
    struct secret *secret = NULL;
    uint8_t point[SIGN_PUBLIC_BYTES];

    assert_int_equal(sign_key_new(f->random, &secret), ERR_OK);
    assert_int_equal(signer_new(secret, f->random, out_signer), ERR_OK);
    secret_free(secret);
    signer_public(*out_signer, point);
    auth_token_key_init(point, out_key);
}

static int set_up(void **state)
{
    void *memory = NULL;

    assert_int_equal(crypto_start(), ERR_OK);
    assert_int_equal(mem_alloc(sizeof(struct fixture), &memory), ERR_OK);
    struct fixture *f = memory;
    assert_int_equal(random_new(SPAN_NONE, &f->random), ERR_OK);
    assert_int_equal(buf_new(4096, &f->text), ERR_OK);
    make_key(f, &f->signer, &f->key);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    signer_free(f->signer);
    random_free(f->random);
    buf_free(f->text);
    fault_clear();
    mem_free(f);
    return 0;
}

static struct auth_claims claims_of(enum auth_token_type type)
{
    return (struct auth_claims){.type = type,
                                .user = span_lit(USER),
                                .session = span_lit(SESSION),
                                .project = span_lit(PROJECT),
                                .environment = span_lit("dev"),
                                .issued_s = 1700000000,
                                .expires_s = 1700003600,
                                .id = span_lit("AAECAwQFBgcICQoLDA0ODw")};
}

static struct span issue(struct fixture *f)
{
    const struct auth_claims claims = claims_of(AUTH_TOKEN_ACCESS);

    buf_reset(f->text);
    assert_int_equal(auth_token_issue(&f->key, f->signer, &claims, f->text), ERR_OK);
    return buf_all(f->text);
}

/* A token of any header and payload, rightly signed by our key: what only a defect of the keeper could make. */
static struct span sign_text(struct fixture *f, const char *header, const char *payload)
{
    char text[2048];
    uint8_t digest[SHA256_BYTES];
    uint8_t signature[SIGN_RAW_BYTES];
    size_t at = BASE64URL_CHARS(strlen(header));

    base64url_encode(span_str(header), text);
    text[at++] = '.';
    base64url_encode(span_str(payload), text + at);
    at += BASE64URL_CHARS(strlen(payload));
    sha256(span_of(text, at), digest);
    assert_int_equal(signer_sign_raw(f->signer, span_array(digest), signature), ERR_OK);
    text[at++] = '.';
    base64url_encode(span_array(signature), text + at);
    at += BASE64URL_CHARS(sizeof signature);
    buf_reset(f->text);
    assert_int_equal(buf_put(f->text, span_of(text, at)), ERR_OK);
    return buf_all(f->text);
}

/* What the worker does with a token. */
static enum err verify(const struct fixture *f, struct span token, struct auth_claims *out_claims)
{
    static struct auth_token_bytes bytes;
    struct auth_token_parts parts;

    TRY(auth_token_split(token, &parts));
    if (!span_equal(parts.header, span_array(f->key.header))) {
        return ERR_NOT_FOUND;
    }
    TRY(auth_token_verify(&parts, &f->key));
    return auth_token_read(&parts, &bytes, out_claims);
}

static void a_token_says_what_it_was_made_of(void **state)
{
    struct fixture *f = *state;
    struct auth_claims got;

    assert_int_equal(verify(f, issue(f), &got), ERR_OK);

    assert_int_equal(got.type, AUTH_TOKEN_ACCESS);
    assert_true(span_equal(got.user, span_lit(USER)));
    assert_true(span_equal(got.session, span_lit(SESSION)));
    assert_true(span_equal(got.project, span_lit(PROJECT)));
    assert_true(span_equal(got.environment, span_lit("dev")));
    assert_int_equal(got.issued_s, 1700000000);
    assert_int_equal(got.expires_s, 1700003600);
}

static void a_token_fits_its_place_also_with_the_longest_claims(void **state)
{
    struct fixture *f = *state;
    struct auth_claims claims = claims_of(AUTH_TOKEN_REFRESH);
    struct auth_claims got;
    claims.environment = span_lit("abcdefghijklmnopqrstuvwxyz-01234");
    claims.issued_s = INT64_MAX;
    claims.expires_s = INT64_MAX;

    buf_reset(f->text);
    assert_int_equal(auth_token_issue(&f->key, f->signer, &claims, f->text), ERR_OK);

    assert_true(buf_len(f->text) <= AUTH_TOKEN_MAX);
    assert_int_equal(verify(f, buf_all(f->text), &got), ERR_OK);
    assert_int_equal(got.type, AUTH_TOKEN_REFRESH);
}

static void auth_token_issue_refuses_claims_that_could_break_out_of_their_quotes(void **state)
{
    struct fixture *f = *state;
    struct auth_claims claims[5];

    for (size_t i = 0; i < 5; i++) {
        claims[i] = claims_of(AUTH_TOKEN_ACCESS);
    }
    claims[0].user = span_lit("11111111-1111-4111-8111-1111111111\",");
    claims[1].session = SPAN_NONE;
    claims[2].environment = span_lit("dev\",\"typ\":\"x");
    claims[3].project = span_lit("33333333-3333-4333-8333-33333333333X");
    claims[4].id = span_lit("\"}");

    for (size_t i = 0; i < 5; i++) {
        buf_reset(f->text);
        assert_int_equal(auth_token_issue(&f->key, f->signer, &claims[i], f->text), ERR_MALFORMED);
        assert_int_equal(buf_len(f->text), 0);
    }
}

static void auth_token_issue_appends_or_leaves_the_buffer_alone(void **state)
{
    struct fixture *f = *state;
    const struct span before = span_lit("Bearer ");
    SCOPED_BUF struct buf *small = NULL;
    const struct auth_claims claims = claims_of(AUTH_TOKEN_ACCESS);
    struct auth_claims got;
    assert_int_equal(buf_new(AUTH_TOKEN_HEADER_BYTES + AUTH_TOKEN_SIGNED_BYTES, &small), ERR_OK);
    assert_int_equal(buf_put(small, before), ERR_OK);
    buf_reset(f->text);
    assert_int_equal(buf_put(f->text, before), ERR_OK);

    assert_int_equal(auth_token_issue(&f->key, f->signer, &claims, small), ERR_RANGE);
    assert_int_equal(auth_token_issue(&f->key, f->signer, &claims, f->text), ERR_OK);

    const struct span all = buf_all(f->text);
    assert_true(span_equal(buf_all(small), before));
    assert_memory_equal(all.data, before.data, before.len);
    assert_int_equal(verify(f, span_of(all.data + before.len, all.len - before.len), &got), ERR_OK);
}

static void attack_09_each_flipped_bit_is_noticed(void **state)
{
    struct fixture *f = *state;
    const struct span token = issue(f);
    uint8_t text[AUTH_TOKEN_MAX];
    struct auth_claims got;

    for (size_t at = 0; at < token.len; at++) {
        memcpy(text, token.data, token.len);
        text[at] ^= 1;
        assert_int_not_equal(verify(f, span_of(text, token.len), &got), ERR_OK);
        fault_clear();
    }
}

static void attack_09_a_token_cut_at_any_length_is_none(void **state)
{
    struct fixture *f = *state;
    const struct span token = issue(f);
    struct auth_claims got;

    for (size_t len = 0; len < token.len; len++) {
        assert_int_not_equal(verify(f, span_of(token.data, len), &got), ERR_OK);
        fault_clear();
    }
}

static void auth_token_cut_finds_the_parts_of_our_tokens_and_of_no_shorter_text(void **state)
{
    struct fixture *f = *state;
    const struct span token = issue(f);
    struct auth_token_parts cut;
    struct auth_token_parts split;
    uint8_t text[AUTH_TOKEN_MAX + 1];

    assert_true(auth_token_cut(token, &cut));
    assert_int_equal(auth_token_split(token, &split), ERR_OK);
    assert_true(span_equal(cut.header, split.header) && span_equal(cut.payload, split.payload));
    assert_true(span_equal(cut.signature, split.signature) && span_equal(cut.signed_text, split.signed_text));
    for (size_t len = 0; len < token.len; len++) {
        assert_false(auth_token_cut(span_of(token.data, len), &cut));
    }
    memset(text, '.', sizeof text); /* dots wherever they are looked for */
    assert_false(auth_token_cut(span_of(text, AUTH_TOKEN_HEADER_BYTES + 2 + AUTH_TOKEN_SIGNED_BYTES), &cut));
    assert_true(auth_token_cut(span_of(text, AUTH_TOKEN_HEADER_BYTES + 3 + AUTH_TOKEN_SIGNED_BYTES), &cut));
    assert_int_equal(cut.payload.len, 1);
    assert_true(auth_token_cut(span_of(text, AUTH_TOKEN_MAX), &cut));
    assert_false(auth_token_cut(span_of(text, AUTH_TOKEN_MAX + 1), &cut));
}

static void attack_09_a_header_that_is_not_ours_byte_for_byte_is_none(void **state)
{
    static const char *const headers[] = {
        "{\"alg\":\"none\",\"kid\":\"%s\",\"typ\":\"JWT\"}",
        "{\"alg\":\"None\",\"kid\":\"%s\",\"typ\":\"JWT\"}",
        "{\"alg\":\"HS256\",\"kid\":\"%s\",\"typ\":\"JWT\"}",
        "{\"alg\":\"es256\",\"kid\":\"%s\",\"typ\":\"JWT\"}",
        "{\"alg\":\"ES384\",\"kid\":\"%s\",\"typ\":\"JWT\"}",
        "{\"typ\":\"JWT\",\"alg\":\"ES256\",\"kid\":\"%s\"}",
        "{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"JWT\",\"crit\":[\"exp\"]}",
        "{\"alg\":\"ES256\",\"crit\":[],\"kid\":\"%s\",\"typ\":\"JWT\"}",
        "{\"alg\":\"ES256\",\"kid\":\"../../%s\",\"typ\":\"JWT\"}",
        "{\"alg\":\"ES256\",\"kid\":\"%s' OR '1'='1\",\"typ\":\"JWT\"}",
        "{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"JWT\",\"jku\":\"https://evil.example\"}",
        "{\"alg\":\"ES256\",\"jwk\":{},\"kid\":\"%s\",\"typ\":\"JWT\"}",
        "{\"alg\":\"ES256\",\"alg\":\"none\",\"kid\":\"%s\",\"typ\":\"JWT\"}",
        "{ \"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"JWT\"}",
        "{\"alg\":\"ES256\",\"typ\":\"JWT\"}",
        "{}",
    };
    struct fixture *f = *state;
    char kid[AUTH_TOKEN_KID_BYTES + 1] = {0};
    struct auth_claims got;
    memcpy(kid, f->key.kid, AUTH_TOKEN_KID_BYTES);

    for (size_t i = 0; i < ARRAY_LENGTH(headers); i++) {
        const char *text = headers[i];
        char header[256];
        const char *at = strstr(text, "%s");
        if (at == NULL) {
            (void)snprintf(header, sizeof header, "%s", text);
        } else {
            (void)snprintf(header, sizeof header, "%.*s%s%s", (int)(at - text), text, kid, at + 2);
        }
        assert_int_equal(verify(f, sign_text(f, header, "{}"), &got), ERR_NOT_FOUND);
    }
}

static void attack_09_hmac_with_the_public_key_is_no_signature(void **state)
{
    struct fixture *f = *state;
    const struct span token = issue(f);
    const size_t signed_len = token.len - BASE64URL_CHARS(SIGN_RAW_BYTES) - 1;
    uint8_t mac[SHA256_BYTES];
    char text[AUTH_TOKEN_MAX];
    struct auth_claims got;

    hmac_sha256(span_array(f->key.public_key), span_of(token.data, signed_len), mac);
    memcpy(text, token.data, signed_len);
    text[signed_len] = '.';
    base64url_encode(span_array(mac), text + signed_len + 1);

    assert_int_equal(verify(f, span_of(text, signed_len + 1 + BASE64URL_CHARS(sizeof mac)), &got), ERR_AUTH);
}

/* n - s, for the upper of the two signatures. */
static void negate(uint8_t s[32])
{
    static const uint8_t order[32] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
                                      0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
                                      0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
    int borrow = 0;

    for (size_t i = 32; i-- > 0;) {
        const int digit = order[i] - s[i] - borrow;
        borrow = digit < 0;
        s[i] = (uint8_t)(digit + (borrow ? 256 : 0));
    }
}

static void attack_09_zero_upper_and_foreign_signatures_are_refused(void **state)
{
    struct fixture *f = *state;
    const struct span token = issue(f);
    const size_t at = token.len - BASE64URL_CHARS(SIGN_RAW_BYTES);
    struct auth_token_key other_key;
    struct signer *other = NULL;
    uint8_t signature[SIGN_RAW_BYTES];
    char text[AUTH_TOKEN_MAX];
    struct auth_claims got;
    size_t len = 0;
    memcpy(text, token.data, token.len);

    memset(signature, 0, sizeof signature);
    base64url_encode(span_array(signature), text + at);
    assert_int_equal(verify(f, span_of(text, token.len), &got), ERR_AUTH);

    assert_int_equal(base64url_decode(span_of(token.data + at, token.len - at), sizeof signature, signature, &len),
                     ERR_OK);
    negate(signature + 32);
    base64url_encode(span_array(signature), text + at);
    assert_int_equal(verify(f, span_of(text, token.len), &got), ERR_AUTH);

    make_key(f, &other, &other_key);
    uint8_t digest[SHA256_BYTES];
    sha256(span_of(token.data, at - 1), digest);
    assert_int_equal(signer_sign_raw(other, span_array(digest), signature), ERR_OK);
    signer_free(other);
    base64url_encode(span_array(signature), text + at);
    assert_int_equal(verify(f, span_of(text, token.len), &got), ERR_AUTH);

    assert_int_equal(verify(f, span_of(text, at), &got), ERR_AUTH); /* none at all */
}

#define HEAD                                                                                                           \
    "{\"iss\":\"rowlock\",\"aud\":\"" PROJECT "\",\"sub\":\"" USER "\",\"sid\":\"" SESSION "\",\"pid\":\"" PROJECT "\""
#define TIMES ",\"iat\":1,\"exp\":2,\"jti\":\"AAECAwQFBgcICQoLDA0ODw\"}"

static void attack_09_a_payload_of_another_form_is_none_though_it_is_signed(void **state)
{
    static const char *const payloads[] = {
        "",
        "{}",
        "null",
        "[]",
        HEAD ",\"env\":\"dev\"" TIMES,                                   /* no typ */
        HEAD ",\"env\":\"dev\",\"typ\":\"id\"" TIMES,                    /* another typ */
        HEAD ",\"env\":\"dev\",\"typ\":\"access\"" TIMES " ",            /* behind the end */
        HEAD ",\"env\":\"dev\",\"typ\":\"access\",\"admin\":true" TIMES, /* one more */
        HEAD ",\"env\":\"\",\"typ\":\"access\"" TIMES,                   /* no environment */
        HEAD ",\"env\":\"dev\",\"typ\":\"access\",\"iat\":01,\"exp\":2,\"jti\":\"AAECAwQFBgcICQoLDA0ODw\"}",
        HEAD ",\"env\":\"dev\",\"typ\":\"access\",\"iat\":1,\"exp\":-2,\"jti\":\"AAECAwQFBgcICQoLDA0ODw\"}",
        HEAD
        ",\"env\":\"dev\",\"typ\":\"access\",\"iat\":1,\"exp\":9223372036854775808,\"jti\":\"AAECAwQFBgcICQoLDA0ODw\"}",
        HEAD ",\"env\":\"dev\",\"typ\":\"access\",\"iat\":1,\"exp\":\"2\",\"jti\":\"AAECAwQFBgcICQoLDA0ODw\"}",
        "{\"iss\":\"other\",\"aud\":\"" PROJECT "\",\"sub\":\"" USER "\",\"sid\":\"" SESSION "\",\"pid\":\"" PROJECT
        "\",\"env\":\"dev\",\"typ\":\"access\"" TIMES,
        "{\"iss\":\"rowlock\",\"aud\":\"" USER "\",\"sub\":\"" USER "\",\"sid\":\"" SESSION "\",\"pid\":\"" PROJECT
        "\",\"env\":\"dev\",\"typ\":\"access\"" TIMES,
        "{\"iss\":\"rowlock\",\"sub\":\"" USER "\",\"sid\":\"" SESSION "\",\"pid\":\"" PROJECT
        "\",\"env\":\"dev\",\"typ\":\"access\"" TIMES,
    };
    struct fixture *f = *state;
    char header[128] = {0};
    struct auth_claims got;
    (void)snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"kid\":\"%.*s\",\"typ\":\"JWT\"}", AUTH_TOKEN_KID_BYTES,
                   f->key.kid);

    assert_int_equal(verify(f, sign_text(f, header, HEAD ",\"env\":\"dev\",\"typ\":\"access\"" TIMES), &got), ERR_OK);
    for (size_t i = 0; i < ARRAY_LENGTH(payloads); i++) {
        assert_int_equal(verify(f, sign_text(f, header, payloads[i]), &got), ERR_MALFORMED);
        fault_clear();
    }
}

static void a_key_id_is_the_thumbprint_of_the_key(void **state)
{
    /* The example of RFC 7517, appendix A.1, whose thumbprint (RFC 7638) was computed with Python's hashlib. */
    static const char point[] = "0430a0424cd21c2944838a2d75c92b37e76ea20d9f00893a3b4eee8a3c0aafec3e"
                                "e04b65e92456d9888b52b379bdfbd51ee869ef1f0fc65b6659695b6cce081723";
    struct auth_token_key key;
    uint8_t bytes[SIGN_PUBLIC_BYTES];

    assert_int_equal(hex_decode(span_str(point), bytes, sizeof bytes), ERR_OK);
    auth_token_key_init(bytes, &key);

    assert_memory_equal(key.kid, "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s", AUTH_TOKEN_KID_BYTES);
}

static void base64url_takes_one_text_for_each_value_only(void **state)
{
    static const struct {
        const char *text;
        enum err err;
    } cases[] = {
        {"", ERR_OK},
        {"AA", ERR_OK},
        {"AAA", ERR_OK},
        {"AAAA", ERR_OK},
        {"-_-_", ERR_OK},
        {"A", ERR_MALFORMED},
        {"AB", ERR_MALFORMED},
        {"AAB", ERR_MALFORMED},
        {"AA==", ERR_MALFORMED},
        {"A+AA", ERR_MALFORMED},
        {"A/AA", ERR_MALFORMED},
        {"AA A", ERR_MALFORMED},
        {"AAAAA", ERR_MALFORMED},
        {"AAAAAAAA", ERR_RANGE},
    };
    uint8_t bytes[4];
    size_t len = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        assert_int_equal(base64url_decode(span_str(cases[i].text), sizeof bytes, bytes, &len), cases[i].err);
        fault_clear();
    }
}

/* The texts of RFC 4648 section 10, without padding, and both characters that base64 has others for. */
static void base64url_writes_the_texts_of_its_specification(void **state)
{
    static const struct {
        const char *bytes, *text;
    } cases[] = {
        {"", ""},           {"f", "Zg"},           {"fo", "Zm8"},           {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xbf", "-_-_"},
    };
    uint8_t bytes[8];
    size_t len = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct span wanted = span_str(cases[i].text);
        char text[12] = "~~~~~~~~~~~";

        base64url_encode(span_str(cases[i].bytes), text);

        assert_int_equal(BASE64URL_CHARS(strlen(cases[i].bytes)), wanted.len);
        assert_memory_equal(text, wanted.data, wanted.len);
        assert_int_equal(text[wanted.len], '~');
        assert_int_equal(base64url_decode(wanted, sizeof bytes, bytes, &len), ERR_OK);
        assert_true(span_equal(span_of(bytes, len), span_str(cases[i].bytes)));
    }
}

static void base64url_reads_64_characters_and_no_others(void **state)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t bytes[3];
    size_t len = 0;

    for (unsigned int character = 0; character <= UINT8_MAX; character++) {
        const uint8_t text[] = {'A', 'A', 'A', (uint8_t)character};
        const size_t value = span_find(span_of(alphabet, sizeof alphabet - 1), (uint8_t)character);
        const enum err err = base64url_decode(span_array(text), sizeof bytes, bytes, &len);

        assert_int_equal(err, value < 64 ? ERR_OK : ERR_MALFORMED);
        assert_true(err != ERR_OK || bytes[2] == value);
        fault_clear();
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_token_says_what_it_was_made_of),
        T(a_token_fits_its_place_also_with_the_longest_claims),
        T(auth_token_issue_refuses_claims_that_could_break_out_of_their_quotes),
        T(auth_token_issue_appends_or_leaves_the_buffer_alone),
        T(attack_09_each_flipped_bit_is_noticed),
        T(attack_09_a_token_cut_at_any_length_is_none),
        T(auth_token_cut_finds_the_parts_of_our_tokens_and_of_no_shorter_text),
        T(attack_09_a_header_that_is_not_ours_byte_for_byte_is_none),
        T(attack_09_hmac_with_the_public_key_is_no_signature),
        T(attack_09_zero_upper_and_foreign_signatures_are_refused),
        T(attack_09_a_payload_of_another_form_is_none_though_it_is_signed),
        T(a_key_id_is_the_thumbprint_of_the_key),
        cmocka_unit_test(base64url_takes_one_text_for_each_value_only),
        cmocka_unit_test(base64url_writes_the_texts_of_its_specification),
        cmocka_unit_test(base64url_reads_64_characters_and_no_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
