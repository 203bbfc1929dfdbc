/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "crypto/aead.h"
#include "crypto/kdf.h"
#include "tests/data/aead_known.h"
#include "tests/lib/known.h"

#define TEXT_BYTES 100

struct fixture {
    struct secret_slab *slab;
    struct secret *key;
    struct aead *aead;
    uint8_t nonce[AEAD_NONCE_BYTES];
    uint8_t plain[TEXT_BYTES];
    uint8_t cipher[TEXT_BYTES];
    uint8_t tag[AEAD_TAG_BYTES];
    uint8_t opened[TEXT_BYTES];
};

#define AAD span_lit("table 7, row 12")

static int setup(void **state)
{
    static struct fixture fixture;

    fixture = (struct fixture){.nonce = {1, 2, 3}};
    memset(fixture.plain, 'p', sizeof(fixture.plain));
    assert_int_equal(secret_slab_new(8192, 1040, &fixture.slab), ERR_OK);
    assert_int_equal(secret_new_copy(span_lit("0123456789abcdef0123456789abcdef"), &fixture.key), ERR_OK);
    assert_int_equal(aead_new(fixture.slab, fixture.key, &fixture.aead), ERR_OK);
    assert_int_equal(aead_seal(fixture.aead, fixture.nonce, AAD, span_array(fixture.plain), fixture.cipher, fixture.tag),
                     ERR_OK);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *const f = *state;

    aead_free(f->aead);
    secret_free(f->key);
    secret_slab_free(f->slab);
    fault_clear();
    return 0;
}

static enum err open_message(struct fixture *f, struct span aad, size_t len)
{
    memset(f->opened, 0x5a, sizeof(f->opened));
    return aead_open(f->aead, f->nonce, aad, span_of(f->cipher, len), f->tag, f->opened);
}

static void assert_zero(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(bytes[i], 0);
    }
}

static void aead_gives_the_published_answers(void **state)
{
    struct fixture *const f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(aead_known); i++) {
        const struct known key = known_hex(aead_known[i].key);
        const struct known nonce = known_hex(aead_known[i].nonce);
        const struct known aad = known_hex(aead_known[i].aad);
        const struct known plain = known_hex(aead_known[i].plain);
        const struct known cipher = known_hex(aead_known[i].cipher);
        const struct known tag = known_hex(aead_known[i].tag);
        SCOPED_SECRET struct secret *secret = NULL;
        SCOPED_AEAD struct aead *aead = NULL;
        uint8_t out[KNOWN_BYTES_MAX] = {0};
        uint8_t out_tag[AEAD_TAG_BYTES] = {0};

        assert_int_equal(secret_new_copy(known_span(&key), &secret), ERR_OK);
        assert_int_equal(aead_new(f->slab, secret, &aead), ERR_OK);
        assert_int_equal(aead_seal(aead, nonce.bytes, known_span(&aad), known_span(&plain), out, out_tag), ERR_OK);
        assert_memory_equal(out, cipher.bytes, cipher.len);
        assert_memory_equal(out_tag, tag.bytes, AEAD_TAG_BYTES);
        assert_int_equal(aead_open(aead, nonce.bytes, known_span(&aad), known_span(&cipher), tag.bytes, out), ERR_OK);
        assert_memory_equal(out, plain.bytes, plain.len);
    }
}

static void aead_open_gives_back_what_was_sealed_at_every_length(void **state)
{
    struct fixture *const f = *state;

    for (size_t len = 0; len <= TEXT_BYTES; len++) {
        assert_int_equal(aead_seal(f->aead, f->nonce, AAD, span_of(f->plain, len), f->cipher, f->tag), ERR_OK);
        assert_int_equal(open_message(f, AAD, len), ERR_OK);
        assert_memory_equal(f->opened, f->plain, len);
        assert_int_equal(len < TEXT_BYTES ? f->opened[len] : 0x5a, 0x5a);
    }
}

static void aead_open_refuses_every_flipped_bit_and_leaves_no_plaintext(void **state)
{
    struct fixture *const f = *state;

    for (size_t bit = 0; bit < 8 * TEXT_BYTES; bit++) {
        f->cipher[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(open_message(f, AAD, TEXT_BYTES), ERR_AUTH);
        assert_zero(f->opened, TEXT_BYTES);
        f->cipher[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t bit = 0; bit < 8 * AEAD_TAG_BYTES; bit++) {
        f->tag[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(open_message(f, AAD, TEXT_BYTES), ERR_AUTH);
        assert_zero(f->opened, TEXT_BYTES);
        f->tag[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t bit = 0; bit < 8 * AEAD_NONCE_BYTES; bit++) {
        f->nonce[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(open_message(f, AAD, TEXT_BYTES), ERR_AUTH);
        f->nonce[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(open_message(f, AAD, TEXT_BYTES), ERR_OK);
}

static void aead_open_refuses_every_shorter_message(void **state)
{
    struct fixture *const f = *state;

    for (size_t len = 0; len < TEXT_BYTES; len++) {
        assert_int_equal(open_message(f, AAD, len), ERR_AUTH);
        assert_zero(f->opened, len);
    }
}

static void aead_open_refuses_other_additional_data(void **state)
{
    struct fixture *const f = *state;

    assert_int_equal(open_message(f, span_lit("table 7, row 13"), TEXT_BYTES), ERR_AUTH);
    assert_int_equal(open_message(f, SPAN_NONE, TEXT_BYTES), ERR_AUTH);
    assert_int_equal(open_message(f, span_of(AAD.data, AAD.len - 1), TEXT_BYTES), ERR_AUTH);
}

static void aead_works_in_place(void **state)
{
    struct fixture *const f = *state;
    uint8_t bytes[TEXT_BYTES];

    memcpy(bytes, f->plain, sizeof(bytes));
    assert_int_equal(aead_seal(f->aead, f->nonce, AAD, span_array(bytes), bytes, f->tag), ERR_OK);
    assert_memory_equal(bytes, f->cipher, sizeof(bytes));
    assert_int_equal(aead_open(f->aead, f->nonce, AAD, span_array(bytes), f->tag, bytes), ERR_OK);
    assert_memory_equal(bytes, f->plain, sizeof(bytes));
}

static void aead_refuses_messages_over_its_maximum(void **state)
{
    struct fixture *const f = *state;
    const struct span huge = span_of(f->plain, AEAD_BYTES_MAX + 1); /* never read */

    assert_int_equal(aead_seal(f->aead, f->nonce, AAD, huge, f->cipher, f->tag), ERR_RANGE);
    assert_int_equal(aead_seal(f->aead, f->nonce, huge, SPAN_NONE, f->cipher, f->tag), ERR_RANGE);
    assert_int_equal(aead_open(f->aead, f->nonce, AAD, huge, f->tag, f->opened), ERR_RANGE);
    assert_int_equal(aead_open(f->aead, f->nonce, huge, SPAN_NONE, f->tag, f->opened), ERR_RANGE);
}

static void aead_new_refuses_a_key_of_another_length(void **state)
{
    struct fixture *const f = *state;
    SCOPED_SECRET struct secret *shorter = NULL;
    struct aead *aead = NULL;

    assert_int_equal(secret_new(AEAD_KEY_BYTES - 16, &shorter), ERR_OK);
    assert_int_equal(aead_new(f->slab, shorter, &aead), ERR_RANGE);
    assert_null(aead);
}

static void aead_new_reports_a_full_slab(void **state)
{
    struct fixture *const f = *state;
    struct aead *others[16] = {NULL};
    struct aead *one_more = NULL;
    size_t made = 0;

    while (secret_slab_used(f->slab) < secret_slab_capacity(f->slab)) {
        assert_int_equal(aead_new(f->slab, f->key, &others[made++]), ERR_OK);
    }

    assert_int_equal(aead_new(f->slab, f->key, &one_more), ERR_LIMIT);
    assert_int_equal(aead_new_derived(f->slab, f->key, AAD, AAD, &one_more), ERR_LIMIT);
    assert_null(one_more);
    for (size_t i = 0; i < made; i++) {
        aead_free(others[i]);
    }
}

static void aead_new_derived_uses_the_key_that_hkdf_gives(void **state)
{
    struct fixture *const f = *state;
    SCOPED_SECRET struct secret *derived = NULL;

    assert_int_equal(hkdf_sha256(f->key, span_lit("salt"), span_lit("info"), AEAD_KEY_BYTES, &derived), ERR_OK);
    SCOPED_AEAD struct aead *plain = NULL;
    assert_int_equal(aead_new(f->slab, derived, &plain), ERR_OK);
    assert_int_equal(aead_seal(plain, f->nonce, AAD, span_array(f->plain), f->cipher, f->tag), ERR_OK);
    SCOPED_AEAD struct aead *other = NULL;
    assert_int_equal(aead_new_derived(f->slab, f->key, span_lit("salt"), span_lit("info"), &other), ERR_OK);

    assert_int_equal(aead_open(other, f->nonce, AAD, span_array(f->cipher), f->tag, f->opened), ERR_OK);
    aead_rekey_derived(other, f->key, span_lit("salt"), span_lit("other"));
    assert_int_equal(aead_open(other, f->nonce, AAD, span_array(f->cipher), f->tag, f->opened), ERR_AUTH);
    aead_rekey_derived(other, f->key, span_lit("salt"), span_lit("info"));
    assert_int_equal(aead_open(other, f->nonce, AAD, span_array(f->cipher), f->tag, f->opened), ERR_OK);
}

static void aead_free_takes_nothing(void **state)
{
    aead_free(NULL);
}

static void crypto_slab_new_has_the_configured_size(void **state)
{
    SCOPED_SECRET_SLAB struct secret_slab *slab = NULL;

    assert_int_equal(crypto_slab_new(&slab), ERR_OK);
    assert_true(secret_slab_capacity(slab) >= 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(aead_gives_the_published_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(aead_open_gives_back_what_was_sealed_at_every_length, setup, teardown),
        cmocka_unit_test_setup_teardown(aead_open_refuses_every_flipped_bit_and_leaves_no_plaintext, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(aead_open_refuses_every_shorter_message, setup, teardown),
        cmocka_unit_test_setup_teardown(aead_open_refuses_other_additional_data, setup, teardown),
        cmocka_unit_test_setup_teardown(aead_works_in_place, setup, teardown),
        cmocka_unit_test_setup_teardown(aead_refuses_messages_over_its_maximum, setup, teardown),
        cmocka_unit_test_setup_teardown(aead_new_refuses_a_key_of_another_length, setup, teardown),
        cmocka_unit_test_setup_teardown(aead_new_reports_a_full_slab, setup, teardown),
        cmocka_unit_test_setup_teardown(aead_new_derived_uses_the_key_that_hkdf_gives, setup, teardown),
        cmocka_unit_test_setup_teardown(aead_free_takes_nothing, setup, teardown),
        cmocka_unit_test(crypto_slab_new_has_the_configured_size),
    };

    return cmocka_run_group_tests_name("crypto_aead", tests, NULL, NULL);
}
