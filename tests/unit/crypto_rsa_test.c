/* SPDX-License-Identifier: GPL-3.0-or-later */
/* RSA signatures of others. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/crypto.h"
#include "crypto/rsa.h"
#include "hal/base/fault.h"
#include "tests/data/rsa_known.h"

static const uint8_t exponent[] = {1, 0, 1};

static struct span unhex(const char *hex, uint8_t out[RSA_MODULUS_MAX])
{
    const size_t len = strlen(hex) / 2;

    assert_int_equal(hex_decode(span_str(hex), out, len), ERR_OK);
    return span_of(out, len);
}

static struct rsa_public key_of(const char *modulus)
{
    uint8_t bytes[RSA_MODULUS_MAX];
    struct rsa_public key;

    assert_int_equal(rsa_public_read(unhex(modulus, bytes), span_array(exponent), &key), ERR_OK);
    return key;
}

static enum err verify(const struct rsa_public *key, const char *text, struct span signature)
{
    uint8_t digest[SHA256_BYTES];

    sha256(span_str(text), digest);
    const enum err err = rsa_verify_sha256(key, digest, signature);
    fault_clear();
    return err;
}

static void a_right_signature_is_taken_and_every_flipped_bit_refused(void **state)
{
    static const struct {
        const char *modulus, *signature;
    } cases[] = {{RSA_2048_N, RSA_2048_GOOD}, {RSA_3072_N, RSA_3072_GOOD}, {RSA_4096_N, RSA_4096_GOOD}};
    uint8_t bytes[RSA_MODULUS_MAX];
    (void)state;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct rsa_public key = key_of(cases[i].modulus);
        const struct span signature = unhex(cases[i].signature, bytes);

        assert_int_equal(verify(&key, RSA_TEXT, signature), ERR_OK);
        assert_int_equal(verify(&key, RSA_TEXT "!", signature), ERR_AUTH);
        for (size_t bit = 0; bit < signature.len * 8; bit += 31) {
            bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_int_equal(verify(&key, RSA_TEXT, signature), ERR_AUTH);
            bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
}

static void a_block_that_is_padded_in_any_other_way_is_refused(void **state)
{
    static const char *const cases[] = {RSA_PSS,          RSA_SHA1,         RSA_NO_NULL, RSA_GARBAGE_BEHIND,
                                        RSA_BLOCK_TYPE_2, RSA_BLOCK_TYPE_0, RSA_FILL,    RSA_BARE_DIGEST,
                                        RSA_OTHER_DIGEST};
    const struct rsa_public key = key_of(RSA_2048_N);
    uint8_t bytes[RSA_MODULUS_MAX];
    (void)state;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        assert_int_equal(verify(&key, RSA_TEXT, unhex(cases[i], bytes)), ERR_AUTH);
    }
}

static void a_signature_of_another_length_or_size_is_refused(void **state)
{
    const struct rsa_public key = key_of(RSA_2048_N);
    uint8_t bytes[RSA_MODULUS_MAX + 1] = {0};
    (void)state;
    const struct span signature = unhex(RSA_2048_GOOD, bytes);

    assert_int_equal(verify(&key, RSA_TEXT, SPAN_NONE), ERR_AUTH);
    assert_int_equal(verify(&key, RSA_TEXT, span_of(bytes, signature.len - 1)), ERR_AUTH);
    assert_int_equal(verify(&key, RSA_TEXT, span_of(bytes, signature.len + 1)), ERR_AUTH);
    assert_int_equal(verify(&key, RSA_TEXT, span_of(key.modulus, key.modulus_len)), ERR_AUTH);
    memset(bytes, 0, sizeof bytes);
    assert_int_equal(verify(&key, RSA_TEXT, span_of(bytes, 256)), ERR_AUTH);
    bytes[255] = 1;
    assert_int_equal(verify(&key, RSA_TEXT, span_of(bytes, 256)), ERR_AUTH);
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(verify(&key, RSA_TEXT, span_of(bytes, 256)), ERR_AUTH);
    assert_int_equal(verify(&key, RSA_TEXT, unhex(RSA_3072_GOOD, bytes)), ERR_AUTH);
}

static void a_key_of_another_size_or_form_is_none(void **state)
{
    uint8_t modulus[RSA_MODULUS_MAX];
    struct rsa_public key = {.exponent = 7};
    (void)state;
    const struct span good = unhex(RSA_2048_N, modulus);
    static const struct {
        uint8_t bytes[5];
        size_t len;
    } exponents[] = {{{3}, 1}, {{0}, 1}, {{1}, 1}, {{1, 0, 0}, 3}, {{1, 0, 2}, 3}, {{0, 1, 0, 1}, 4},
                     {{1, 0, 0, 0, 1}, 5}, {{0}, 0}};

    for (size_t i = 0; i < ARRAY_LENGTH(exponents); i++) {
        assert_int_equal(rsa_public_read(good, span_of(exponents[i].bytes, exponents[i].len), &key), ERR_MALFORMED);
    }
    assert_int_equal(rsa_public_read(span_of(modulus, 255), span_array(exponent), &key), ERR_MALFORMED);
    assert_int_equal(rsa_public_read(span_of(modulus, 128), span_array(exponent), &key), ERR_MALFORMED);
    assert_int_equal(rsa_public_read(span_of(modulus, 257), span_array(exponent), &key), ERR_MALFORMED);
    assert_int_equal(rsa_public_read(SPAN_NONE, span_array(exponent), &key), ERR_MALFORMED);
    modulus[255] &= 0xfe;
    assert_int_equal(rsa_public_read(good, span_array(exponent), &key), ERR_MALFORMED);
    modulus[255] |= 1;
    modulus[0] &= 0x7f;
    assert_int_equal(rsa_public_read(good, span_array(exponent), &key), ERR_MALFORMED);
    assert_int_equal(key.exponent, 7);
    fault_clear();
}

static int set_up(void **state)
{
    (void)state;
    return crypto_start() == ERR_OK ? 0 : 1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_right_signature_is_taken_and_every_flipped_bit_refused),
        cmocka_unit_test(a_block_that_is_padded_in_any_other_way_is_refused),
        cmocka_unit_test(a_signature_of_another_length_or_size_is_refused),
        cmocka_unit_test(a_key_of_another_size_or_form_is_none),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
