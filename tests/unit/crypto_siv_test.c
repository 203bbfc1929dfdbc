/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "crypto/siv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/crypto.h"
#include "hal/base/fault.h"
#include "tests/data/siv_known.h"
#include "tests/lib/known.h"

#define TEXT span_lit("a message of some length")
#define SEALED_BYTES (SIV_TAG_BYTES + 24)

static const struct siv_parts two = {.part = {{(const uint8_t *)"header", 6}, {(const uint8_t *)"nonce", 5}}, .count = 2};

static struct secret *key_of(struct span bytes)
{
    struct secret *key = NULL;

    assert_int_equal(secret_new_copy(bytes, &key), ERR_OK);
    return key;
}

static struct secret *some_key(void)
{
    return key_of(span_lit("0123456789abcdefFEDCBA9876543210"));
}

static int set_up(void **state)
{
    static uint8_t sealed[SEALED_BYTES];
    SCOPED_SECRET struct secret *key = some_key();

    assert_int_equal(siv_seal(key, &two, TEXT, sealed), ERR_OK);
    *state = sealed;
    return 0;
}

static int tear_down(void **state)
{
    fault_clear();
    return 0;
}

static void siv_gives_the_published_answers(void **state)
{
    for (size_t i = 0; i < ARRAY_LENGTH(siv_known); i++) {
        const struct known key_bytes = known_hex(siv_known[i].key);
        const struct known plain = known_hex(siv_known[i].plain);
        const struct known sealed = known_hex(siv_known[i].sealed);
        struct known part[SIV_PARTS_MAX];
        struct siv_parts parts = {.count = 0};
        uint8_t out[128];
        SCOPED_SECRET struct secret *key = key_of(known_span(&key_bytes));

        for (size_t p = 0; p < SIV_PARTS_MAX && siv_known[i].parts[p] != NULL; p++) {
            part[p] = known_hex(siv_known[i].parts[p]);
            parts.part[parts.count++] = known_span(&part[p]);
        }
        assert_int_equal(siv_seal(key, &parts, known_span(&plain), out), ERR_OK);
        assert_memory_equal(out, sealed.bytes, sealed.len);
        assert_int_equal(siv_open(key, &parts, known_span(&sealed), out), ERR_OK);
        assert_memory_equal(out, plain.bytes, plain.len);
    }
}

static void siv_seals_nothing_but_its_parts(void **state)
{
    uint8_t tag[SIV_TAG_BYTES];
    uint8_t nothing = 0x5a;
    SCOPED_SECRET struct secret *key = some_key();

    assert_int_equal(siv_seal(key, &two, SPAN_NONE, tag), ERR_OK);
    assert_int_equal(siv_open(key, &two, span_array(tag), &nothing), ERR_OK);
    assert_int_equal(nothing, 0x5a);
    tag[3] ^= 1;
    assert_int_equal(siv_open(key, &two, span_array(tag), &nothing), ERR_AUTH);
}

static void siv_open_refuses_every_flipped_bit_and_leaves_no_plaintext(void **state)
{
    uint8_t *const sealed = *state;
    static const uint8_t zeros[SEALED_BYTES - SIV_TAG_BYTES] = {0};
    SCOPED_SECRET struct secret *key = some_key();

    for (size_t bit = 0; bit < (size_t)SEALED_BYTES * 8; bit++) {
        uint8_t plain[SEALED_BYTES - SIV_TAG_BYTES];
        memset(plain, 0x5a, sizeof(plain));
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(siv_open(key, &two, span_of(sealed, SEALED_BYTES), plain), ERR_AUTH);
        assert_memory_equal(plain, zeros, sizeof(plain));
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        fault_clear();
    }
}

static void siv_open_refuses_every_shorter_message(void **state)
{
    uint8_t plain[SEALED_BYTES];
    SCOPED_SECRET struct secret *key = some_key();

    for (size_t len = 0; len < SEALED_BYTES; len++) {
        const enum err err = siv_open(key, &two, span_of(*state, len), plain);
        assert_int_equal(err, len < SIV_TAG_BYTES ? ERR_MALFORMED : ERR_AUTH);
        fault_clear();
    }
}

static void siv_open_refuses_other_parts_and_another_key(void **state)
{
    const struct siv_parts another = {.part = {span_lit("headeR"), span_lit("nonce")}, .count = 2};
    const struct siv_parts moved = {.part = {span_lit("headern"), span_lit("once")}, .count = 2};
    const struct siv_parts fewer = {.part = {span_lit("header")}, .count = 1};
    const struct span sealed = span_of(*state, SEALED_BYTES);
    uint8_t plain[SEALED_BYTES];
    SCOPED_SECRET struct secret *key = some_key();
    SCOPED_SECRET struct secret *other = key_of(span_lit("0123456789abcdefFEDCBA9876543211"));

    assert_int_equal(siv_open(key, &another, sealed, plain), ERR_AUTH);
    assert_int_equal(siv_open(key, &moved, sealed, plain), ERR_AUTH);
    assert_int_equal(siv_open(key, &fewer, sealed, plain), ERR_AUTH);
    assert_int_equal(siv_open(other, &two, sealed, plain), ERR_AUTH);
    assert_int_equal(siv_open(key, &two, sealed, plain), ERR_OK);
}

static void siv_refuses_lengths_that_it_does_not_have(void **state)
{
    static uint8_t long_bytes[SIV_BYTES_MAX + 1];
    static uint8_t out[SIV_BYTES_MAX + SIV_TAG_BYTES];
    const struct siv_parts none = {.count = 0};
    const struct siv_parts empty = {.part = {span_lit("header"), SPAN_NONE}, .count = 2};
    const struct siv_parts many = {.count = SIV_PARTS_MAX + 1};
    SCOPED_SECRET struct secret *key = some_key();
    SCOPED_SECRET struct secret *shorter = key_of(span_lit("0123456789abcdefFEDCBA987654321"));

    assert_int_equal(siv_seal(shorter, &two, TEXT, out), ERR_RANGE);
    assert_int_equal(siv_seal(key, &none, TEXT, out), ERR_RANGE);
    assert_int_equal(siv_seal(key, &empty, TEXT, out), ERR_RANGE);
    assert_int_equal(siv_seal(key, &many, TEXT, out), ERR_RANGE);
    assert_int_equal(siv_seal(key, &two, span_array(long_bytes), out), ERR_RANGE);
    assert_int_equal(siv_seal(key, &two, span_of(long_bytes, SIV_BYTES_MAX), out), ERR_OK);
}

static int start(void **state)
{
    return crypto_start() == ERR_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(siv_gives_the_published_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(siv_seals_nothing_but_its_parts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(siv_open_refuses_every_flipped_bit_and_leaves_no_plaintext, set_up, tear_down),
        cmocka_unit_test_setup_teardown(siv_open_refuses_every_shorter_message, set_up, tear_down),
        cmocka_unit_test_setup_teardown(siv_open_refuses_other_parts_and_another_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(siv_refuses_lengths_that_it_does_not_have, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
