/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the TPM's driver borrows. That a TPM understands it is shown by the hal_tpm_* tests, against swtpm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/crypto.h"
#include "crypto/tpm_crypto.h"
#include "hal/base/fault.h"

#define TEXT_BYTES 64

/* SP 800-38A, F.3.13 and F.3.14 (CFB128-AES128). */
static const uint8_t key[HAL_TPM_AES_BYTES] = {0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6,
                                               0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c};
static const uint8_t iv[HAL_TPM_AES_BYTES] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
static const uint8_t plain[TEXT_BYTES] = {
    0x6b, 0xc1, 0xbe, 0xe2, 0x2e, 0x40, 0x9f, 0x96, 0xe9, 0x3d, 0x7e, 0x11, 0x73, 0x93, 0x17, 0x2a,
    0xae, 0x2d, 0x8a, 0x57, 0x1e, 0x03, 0xac, 0x9c, 0x9e, 0xb7, 0x6f, 0xac, 0x45, 0xaf, 0x8e, 0x51,
    0x30, 0xc8, 0x1c, 0x46, 0xa3, 0x5c, 0xe4, 0x11, 0xe5, 0xfb, 0xc1, 0x19, 0x1a, 0x0a, 0x52, 0xef,
    0xf6, 0x9f, 0x24, 0x45, 0xdf, 0x4f, 0x9b, 0x17, 0xad, 0x2b, 0x41, 0x7b, 0xe6, 0x6c, 0x37, 0x10};
static const uint8_t cipher[TEXT_BYTES] = {
    0x3b, 0x3f, 0xd9, 0x2e, 0xb7, 0x2d, 0xad, 0x20, 0x33, 0x34, 0x49, 0xf8, 0xe8, 0x3c, 0xfb, 0x4a,
    0xc8, 0xa6, 0x45, 0x37, 0xa0, 0xb3, 0xa9, 0x3f, 0xcd, 0xe3, 0xcd, 0xad, 0x9f, 0x1c, 0xe5, 0x8b,
    0x26, 0x75, 0x1f, 0x67, 0xa3, 0xcb, 0xb1, 0x40, 0xb1, 0x80, 0x8c, 0xf1, 0x87, 0xa4, 0xf4, 0xdf,
    0xc0, 0x4b, 0x05, 0x35, 0x7c, 0x5d, 0x1c, 0x0e, 0xea, 0xc4, 0xc6, 0x6f, 0x9f, 0xf7, 0xf2, 0xe6};

/* The generator of P-256: the public key of the private key 1. SP 800-186, 3.2.1.3. */
static const uint8_t generator[HAL_TPM_POINT_BYTES] = {
    0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2,
    0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96,
    0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16,
    0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5};

static int start(void **state)
{
    fault_clear();
    return crypto_start() == ERR_OK ? 0 : 1;
}

static void cfb_gives_the_known_answer_at_every_length(void **state)
{
    for (size_t len = 0; len <= TEXT_BYTES; len++) {
        uint8_t bytes[TEXT_BYTES];
        memcpy(bytes, plain, sizeof(bytes));

        assert_int_equal(tpm_crypto.aes128_cfb_encrypt(key, iv, bytes, len), ERR_OK);

        assert_memory_equal(bytes, cipher, len);
        assert_memory_equal(bytes + len, plain + len, TEXT_BYTES - len);
    }
}

static void cfb_decrypts_what_it_encrypted_at_every_length(void **state)
{
    for (size_t len = 0; len <= TEXT_BYTES; len++) {
        uint8_t bytes[TEXT_BYTES];
        memcpy(bytes, cipher, sizeof(bytes));

        assert_int_equal(tpm_crypto.aes128_cfb_decrypt(key, iv, bytes, len), ERR_OK);

        assert_memory_equal(bytes, plain, len);
        assert_memory_equal(bytes + len, cipher + len, TEXT_BYTES - len);
    }
}

/* With the generator as peer, the shared point is the own public one. */
static void agreeing_with_the_private_key_one_gives_the_own_point(void **state)
{
    uint8_t mine[HAL_TPM_POINT_BYTES] = {0};
    uint8_t shared[HAL_TPM_DIGEST_BYTES] = {0};

    assert_int_equal(tpm_crypto.ecdh_p256(generator, mine, shared), ERR_OK);

    assert_memory_equal(shared, mine, sizeof(shared));
    assert_memory_not_equal(mine, generator, sizeof(mine));
}

static void each_agreement_has_a_key_pair_of_its_own(void **state)
{
    uint8_t first[HAL_TPM_POINT_BYTES] = {0};
    uint8_t second[HAL_TPM_POINT_BYTES] = {0};
    uint8_t shared[HAL_TPM_DIGEST_BYTES] = {0};

    assert_int_equal(tpm_crypto.ecdh_p256(generator, first, shared), ERR_OK);
    assert_int_equal(tpm_crypto.ecdh_p256(generator, second, shared), ERR_OK);

    assert_memory_not_equal(first, second, sizeof(first));
}

/* A point of another curve would give the salt away. */
static void attack_16_a_peer_that_is_no_point_of_the_curve_is_refused(void **state)
{
    uint8_t zeros[HAL_TPM_POINT_BYTES] = {0};
    uint8_t mine[HAL_TPM_POINT_BYTES] = {0};
    uint8_t shared[HAL_TPM_DIGEST_BYTES] = {0};

    for (size_t at = 0; at < HAL_TPM_POINT_BYTES; at++) {
        uint8_t peer[HAL_TPM_POINT_BYTES];
        memcpy(peer, generator, sizeof(peer));
        peer[at] ^= 0x01;

        assert_int_equal(tpm_crypto.ecdh_p256(peer, mine, shared), ERR_MALFORMED);
        fault_clear();
    }
    assert_int_equal(tpm_crypto.ecdh_p256(zeros, mine, shared), ERR_MALFORMED);
    assert_memory_equal(mine, zeros, sizeof(mine));
    assert_memory_equal(shared, zeros, sizeof(shared));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cfb_gives_the_known_answer_at_every_length),
        cmocka_unit_test(cfb_decrypts_what_it_encrypted_at_every_length),
        cmocka_unit_test(agreeing_with_the_private_key_one_gives_the_own_point),
        cmocka_unit_test(each_agreement_has_a_key_pair_of_its_own),
        cmocka_unit_test(attack_16_a_peer_that_is_no_point_of_the_curve_is_refused),
    };

    return cmocka_run_group_tests_name("crypto_tpm_crypto", tests, start, NULL);
}
