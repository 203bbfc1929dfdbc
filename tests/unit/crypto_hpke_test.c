/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/curve25519.h>
#include <wolfssl/wolfcrypt/hpke.h>

#include "hal/base/fault.h"
#include "crypto/ct.h"
#include "crypto/hpke.h"
#include "crypto/hpke_int.h"
#include "tests/lib/known.h"

#define INFO span_lit("for recovery")
#define AAD span_lit("header")

/* Source: RFC 9180 appendix A.1.1, DHKEM(X25519, HKDF-SHA256): the key pairs do not depend on the AEAD. */
#define IKM_E "7268600d403fce431561aef583ee1613527cff655c1343f29812e66706df3234"
#define SK_E "52c4a758a802cd8b936eceea314432798d5baf2d7e9235dc084ab1b9cfa2f736"
#define PK_E "37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431"
#define IKM_R "6db9df30aa07dd42ee5e8181afdb977e538f5e1fec8a06223f33f7013e525037"
#define SK_R "4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8"
#define PK_R "3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d"

struct fixture {
    struct random *random;
    struct secret *private_key;
    struct secret *plain;
    struct buf *sealed;
    struct hpke_scope scope;
    uint8_t public_key[HPKE_PUBLIC_BYTES];
};

static int setup(void **state)
{
    static struct fixture fixture;
    struct fixture *const f = &fixture;
    SCOPED_SECRET struct secret *input = NULL;

    fixture = (struct fixture){.scope = {INFO, AAD}};
    assert_int_equal(random_new(SPAN_NONE, &f->random), ERR_OK);
    assert_int_equal(random_secret(f->random, 32, &input), ERR_OK);
    assert_int_equal(random_secret(f->random, 32, &f->plain), ERR_OK);
    assert_int_equal(hpke_key_pair(input, &f->private_key, f->public_key), ERR_OK);
    assert_int_equal(buf_new(1024, &f->sealed), ERR_OK);
    assert_int_equal(hpke_seal(f->random, f->public_key, f->scope, f->plain, f->sealed), ERR_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *const f = *state;

    buf_free(f->sealed);
    secret_free(f->plain);
    secret_free(f->private_key);
    random_free(f->random);
    fault_clear();
    return 0;
}

static enum err open_message(struct fixture *f, struct hpke_scope scope, struct span sealed)
{
    SCOPED_SECRET struct secret *plain = NULL;
    const enum err err = hpke_open(f->private_key, scope, sealed, &plain);

    assert_int_equal(err == ERR_OK, plain != NULL);
    assert_true(err != ERR_OK || ct_equal(secret_reveal(plain), secret_reveal(f->plain)));
    return err;
}

static void derived_key_pairs_are_the_published_ones(void **state)
{
    static const char *const known[][3] = {{IKM_E, SK_E, PK_E}, {IKM_R, SK_R, PK_R}};

    for (size_t i = 0; i < ARRAY_LENGTH(known); i++) {
        const struct known ikm = known_hex(known[i][0]);
        const struct known private_key = known_hex(known[i][1]);
        const struct known public_key = known_hex(known[i][2]);
        SCOPED_SECRET struct secret *input = NULL;
        SCOPED_SECRET struct secret *got = NULL;
        uint8_t got_public[HPKE_PUBLIC_BYTES];

        assert_int_equal(secret_new_copy(known_span(&ikm), &input), ERR_OK);
        assert_int_equal(hpke_key_pair(input, &got, got_public), ERR_OK);
        assert_memory_equal(secret_reveal(got).data, private_key.bytes, 32);
        assert_memory_equal(got_public, public_key.bytes, 32);
    }
}

static void wolfcrypt_opens_what_we_seal(void **state)
{
    struct fixture *const f = *state;
    Hpke hpke = {0};
    curve25519_key key;
    uint8_t opened[32] = {0};
    const struct span sealed = buf_all(f->sealed);
    uint8_t copy[32 + HPKE_OVERHEAD];
    memcpy(copy, sealed.data, sizeof(copy));
    assert_int_equal(wc_HpkeInit(&hpke, DHKEM_X25519_HKDF_SHA256, HKDF_SHA256, HPKE_AES_256_GCM, NULL), 0);
    assert_int_equal(wc_curve25519_init(&key), 0);
    assert_int_equal(wc_curve25519_import_private_raw_ex(secret_reveal(f->private_key).data, 32, f->public_key, 32, &key,
                                                         EC25519_LITTLE_ENDIAN),
                     0);

    const int failed = wc_HpkeOpenBase(&hpke, &key, copy, 32, (byte *)(uintptr_t)INFO.data, (word32)INFO.len,
                                       (byte *)(uintptr_t)AAD.data, (word32)AAD.len, copy + 32, 32, opened);

    assert_int_equal(failed, 0);
    assert_memory_equal(opened, secret_reveal(f->plain).data, 32);
    wc_curve25519_free(&key);
}

static void a_message_sealed_from_the_published_key_carries_it(void **state)
{
    struct fixture *const f = *state;
    const struct known private_key = known_hex(SK_E);
    const struct known enc = known_hex(PK_E);
    SCOPED_SECRET struct secret *ephemeral = NULL;
    assert_int_equal(secret_new_copy(known_span(&private_key), &ephemeral), ERR_OK);
    buf_reset(f->sealed);

    assert_int_equal(hpke_seal_from(ephemeral, f->public_key, f->scope, secret_reveal(f->plain), f->sealed), ERR_OK);

    assert_memory_equal(buf_all(f->sealed).data, enc.bytes, 32);
    assert_int_equal(open_message(f, f->scope, buf_all(f->sealed)), ERR_OK);
}

static void every_flipped_bit_and_every_cut_is_refused(void **state)
{
    struct fixture *const f = *state;
    uint8_t bytes[32 + HPKE_OVERHEAD];
    memcpy(bytes, buf_all(f->sealed).data, sizeof(bytes));

    for (size_t bit = 0; bit < 8 * sizeof(bytes); bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(open_message(f, f->scope, span_array(bytes)), ERR_AUTH);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t cut = 0; cut < sizeof(bytes); cut++) {
        assert_int_equal(open_message(f, f->scope, span_of(bytes, cut)), cut <= HPKE_OVERHEAD ? ERR_MALFORMED : ERR_AUTH);
    }
    assert_int_equal(open_message(f, f->scope, span_array(bytes)), ERR_OK);
}

static void another_info_aad_or_key_does_not_open(void **state)
{
    struct fixture *const f = *state;
    const struct hpke_scope other_info = {span_lit("for backup"), AAD};
    const struct hpke_scope other_aad = {INFO, span_lit("Header")};

    assert_int_equal(open_message(f, other_info, buf_all(f->sealed)), ERR_AUTH);
    assert_int_equal(open_message(f, other_aad, buf_all(f->sealed)), ERR_AUTH);
    secret_fill(f->private_key)[1] ^= 1;
    assert_int_equal(open_message(f, f->scope, buf_all(f->sealed)), ERR_AUTH);
}

static void keys_of_small_order_are_refused(void **state)
{
    struct fixture *const f = *state;
    uint8_t bytes[32 + HPKE_OVERHEAD];
    memcpy(bytes, buf_all(f->sealed).data, sizeof(bytes));
    memset(bytes, 0, 32);
    memset(f->public_key, 0, sizeof(f->public_key));
    const size_t before = buf_len(f->sealed);

    assert_int_equal(open_message(f, f->scope, span_array(bytes)), ERR_MALFORMED);
    assert_int_equal(hpke_seal(f->random, f->public_key, f->scope, f->plain, f->sealed), ERR_MALFORMED);
    assert_int_equal(buf_len(f->sealed), before);
}

static void inputs_have_limits(void **state)
{
    static const uint8_t info[1024];
    struct fixture *const f = *state;
    const struct hpke_scope longer = {span_array(info), AAD};
    SCOPED_SECRET struct secret *shorter = NULL;
    SCOPED_BUF struct buf *small = NULL;
    struct secret *none = NULL;
    assert_int_equal(secret_new(31, &shorter), ERR_OK);
    assert_int_equal(buf_new(32 + HPKE_OVERHEAD - 1, &small), ERR_OK);

    assert_int_equal(hpke_key_pair(shorter, &none, f->public_key), ERR_RANGE);
    assert_int_equal(hpke_seal(f->random, f->public_key, f->scope, f->plain, small), ERR_RANGE);
    assert_int_equal(hpke_seal(f->random, f->public_key, longer, f->plain, f->sealed), ERR_RANGE);
    assert_int_equal(hpke_open(shorter, f->scope, buf_all(f->sealed), &none), ERR_RANGE);
    assert_null(none);
    assert_int_equal(buf_len(small), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(derived_key_pairs_are_the_published_ones),
        cmocka_unit_test_setup_teardown(wolfcrypt_opens_what_we_seal, setup, teardown),
        cmocka_unit_test_setup_teardown(a_message_sealed_from_the_published_key_carries_it, setup, teardown),
        cmocka_unit_test_setup_teardown(every_flipped_bit_and_every_cut_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(another_info_aad_or_key_does_not_open, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_of_small_order_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(inputs_have_limits, setup, teardown),
    };

    return cmocka_run_group_tests_name("crypto_hpke", tests, NULL, NULL);
}
