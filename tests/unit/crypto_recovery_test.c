/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "crypto/ct.h"
#include "crypto/recovery.h"

struct fixture {
    struct random *random;
    struct secret *key;
    struct secret *text;
    char words[RECOVERY_TEXT_BYTES];
};

static int setup(void **state)
{
    static struct fixture fixture;
    struct fixture *const f = &fixture;

    fixture = (struct fixture){.random = NULL};
    assert_int_equal(random_new(SPAN_NONE, &f->random), ERR_OK);
    assert_int_equal(recovery_key_new(f->random, &f->key), ERR_OK);
    assert_int_equal(recovery_to_words(f->key, &f->text), ERR_OK);
    memcpy(f->words, secret_reveal(f->text).data, sizeof(f->words));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *const f = *state;

    secret_free(f->text);
    secret_free(f->key);
    random_free(f->random);
    fault_clear();
    return 0;
}

static enum err read_back(struct fixture *f, struct span text, bool *out_same)
{
    SCOPED_SECRET struct secret *key = NULL;
    const enum err err = recovery_from_words(text, &key);

    assert_int_equal(err == ERR_OK, key != NULL);
    *out_same = err == ERR_OK && ct_equal(secret_reveal(key), secret_reveal(f->key));
    return err;
}

/* 127.0.0.1, 63.84.220.193, 63.118.7.35, 140.98.193.141: examples of the proquint paper. */
static void the_words_are_proquints(void **state)
{
    static const uint8_t start[16] = {127, 0, 0, 1, 63, 84, 220, 193, 63, 118, 7, 35, 140, 98, 193, 141};
    static const char words[] = "lusab-babad-gutih-tugad-gutuk-bisog-mudof-sakat-";
    SCOPED_SECRET struct secret *key = NULL;
    SCOPED_SECRET struct secret *text = NULL;
    assert_int_equal(secret_new(RECOVERY_KEY_BYTES, &key), ERR_OK);
    memcpy(secret_fill(key), start, sizeof(start));

    assert_int_equal(recovery_to_words(key, &text), ERR_OK);

    assert_int_equal(secret_len(text), RECOVERY_TEXT_BYTES);
    assert_memory_equal(secret_reveal(text).data, words, sizeof(words) - 1);
    assert_memory_equal(secret_reveal(text).data + 48, "babab-babab", 11);
}

static void many_keys_come_back_from_their_words(void **state)
{
    struct fixture *const f = *state;

    for (size_t i = 0; i < 200; i++) {
        SCOPED_SECRET struct secret *key = NULL;
        SCOPED_SECRET struct secret *text = NULL;
        SCOPED_SECRET struct secret *back = NULL;

        assert_int_equal(recovery_key_new(f->random, &key), ERR_OK);
        assert_int_equal(recovery_to_words(key, &text), ERR_OK);
        assert_int_equal(recovery_from_words(secret_reveal(text), &back), ERR_OK);
        assert_true(ct_equal(secret_reveal(key), secret_reveal(back)));
    }
}

static void case_spaces_and_dashes_do_not_matter(void **state)
{
    struct fixture *const f = *state;
    char typed[RECOVERY_INPUT_MAX];
    size_t len = 0;
    bool same = false;

    typed[len++] = ' ';
    for (size_t i = 0; i < sizeof(f->words); i++) {
        const bool dash = f->words[i] == '-';

        typed[len++] = dash ? " \t\r\n-"[i % 5] : (char)(i % 3 == 0 ? f->words[i] & ~0x20 : f->words[i]);
        if (dash) {
            typed[len++] = ' ';
        }
    }
    typed[len++] = '\n';

    assert_int_equal(read_back(f, span_of(typed, len), &same), ERR_OK);
    assert_true(same);
}

static void every_single_wrong_letter_is_noticed(void **state)
{
    struct fixture *const f = *state;
    bool same = false;
    size_t unnoticed = 0;
    size_t tried = 0;

    for (size_t i = 0; i < sizeof(f->words); i++) {
        const char right = f->words[i];

        if (right == '-') {
            continue;
        }
        for (char letter = 'a'; letter <= 'z'; letter++) {
            f->words[i] = letter;
            if (letter != right) {
                const enum err err = read_back(f, span_array(f->words), &same);

                assert_true(err == ERR_MALFORMED || err == ERR_OK);
                unnoticed += err == ERR_OK;
                tried++;
            }
        }
        f->words[i] = right;
    }
    /* Sixteen bits of checksum: one in 65,536 slips through, of some thousand. */
    assert_in_range(tried, 2125, 2125);
    assert_in_range(unnoticed, 0, 1);
}

static void other_shapes_are_refused(void **state)
{
    struct fixture *const f = *state;
    char longer[RECOVERY_INPUT_MAX + 1];
    bool same = false;
    memset(longer, ' ', sizeof(longer));
    memcpy(longer, f->words, sizeof(f->words));

    for (size_t cut = 0; cut < sizeof(f->words); cut++) {
        assert_int_equal(read_back(f, span_of(f->words, cut), &same), ERR_MALFORMED);
    }
    assert_int_equal(read_back(f, span_of(longer, RECOVERY_INPUT_MAX), &same), ERR_OK);
    assert_int_equal(read_back(f, span_array(longer), &same), ERR_RANGE);
    longer[sizeof(f->words)] = 'b';
    assert_int_equal(read_back(f, span_of(longer, RECOVERY_INPUT_MAX), &same), ERR_MALFORMED);
    longer[sizeof(f->words)] = '-';
    memcpy(longer + sizeof(f->words) + 1, "babab", 5);
    assert_int_equal(read_back(f, span_of(longer, RECOVERY_INPUT_MAX), &same), ERR_MALFORMED);
    f->words[5] = '_';
    assert_int_equal(read_back(f, span_array(f->words), &same), ERR_MALFORMED);
    f->words[5] = 'b';
    assert_int_equal(read_back(f, span_array(f->words), &same), ERR_MALFORMED);
    f->words[5] = '\0';
    assert_int_equal(read_back(f, span_array(f->words), &same), ERR_MALFORMED);
}

static void two_words_that_changed_places_are_noticed(void **state)
{
    struct fixture *const f = *state;
    char first[5];
    bool same = false;
    memcpy(first, f->words, 5);
    memcpy(f->words, f->words + 6, 5);
    memcpy(f->words + 6, first, 5);

    assert_int_equal(read_back(f, span_array(f->words), &same), ERR_MALFORMED);
}

static void a_recovery_key_has_its_length(void **state)
{
    SCOPED_SECRET struct secret *shorter = NULL;
    struct secret *out = NULL;
    uint8_t public_key[HPKE_PUBLIC_BYTES];
    assert_int_equal(secret_new(31, &shorter), ERR_OK);

    assert_int_equal(recovery_to_words(shorter, &out), ERR_RANGE);
    assert_int_equal(recovery_key_pair(shorter, &out, public_key), ERR_RANGE);
    assert_null(out);
    fault_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_words_are_proquints),
        cmocka_unit_test_setup_teardown(many_keys_come_back_from_their_words, setup, teardown),
        cmocka_unit_test_setup_teardown(case_spaces_and_dashes_do_not_matter, setup, teardown),
        cmocka_unit_test_setup_teardown(every_single_wrong_letter_is_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(other_shapes_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(two_words_that_changed_places_are_noticed, setup, teardown),
        cmocka_unit_test(a_recovery_key_has_its_length),
    };

    return cmocka_run_group_tests_name("crypto_recovery", tests, NULL, NULL);
}
