/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/data/needle.h with the alphabets that have two cases; data_filter_test.c has the rest. */
#include "firmware/data/needle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static bool finds(const char *needle, const char *text)
{
    struct arena *arena = NULL;
    const struct needle *compiled = NULL;

    assert_int_equal(arena_new(1024, 4096, &arena), ERR_OK);
    assert_int_equal(needle_new(arena, span_str(needle), &compiled), ERR_OK);
    const bool found = needle_in(compiled, span_str(text));
    arena_free(arena);
    return found;
}

static void needle_in_ignores_the_case_of_letters_of_several_alphabets(void **state)
{
    (void)state;
    static const struct {
        const char *capitals, *small;
    } same[] = {
        {"ÀÖØÞ", "àöøþ"}, {"ĀĮĲĶ", "āįĳķ"}, {"ĹŇŊŶ", "ĺňŋŷ"}, {"ŸŹŽ", "ÿźž"}, {"ƠƯǍǛǞǮǸȘȚȞȲ", "ơưǎǜǟǯǹșțȟȳ"},
        {"ΆΈΊΌΎΏ", "άέίόύώ"}, {"ΑΡΣΫ", "αρσϋ"}, {"ΟΔΟΣ", "οδος"}, {"ЀЏАЯ", "ѐџая"}, {"ѠҀҊҾӀӁӍӐԮ", "ѡҁҋҿӏӂӎӑԯ"},
        {"ԱՖ", "աֆ"}, {"ḀẔẠỾ", "ḁẕạỿ"},
    };
    static const char *const others[] = {"×", "÷", "ß", "ı", "ĸ", "ŉ", "ſ", "ǆ", "ΐ", "҂", "€", "木", "😀", "፠"};

    for (size_t i = 0; i < ARRAY_LENGTH(same); i++) {
        assert_true(finds(same[i].capitals, same[i].small));
        assert_true(finds(same[i].small, same[i].capitals));
    }
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++) {
        for (size_t j = 0; j < ARRAY_LENGTH(others); j++) {
            assert_int_equal(finds(others[i], others[j]), i == j);
        }
    }
}

static void needle_in_takes_half_a_character_for_itself(void **state)
{
    (void)state;

    assert_true(finds("\xc3", "x\xc3"));
    assert_true(finds("\xe1\xba", "\xe1\xba"));
    assert_false(finds("\xc3\xa4", "\xc3"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(needle_in_ignores_the_case_of_letters_of_several_alphabets),
        cmocka_unit_test(needle_in_takes_half_a_character_for_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
