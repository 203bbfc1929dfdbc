/* SPDX-License-Identifier: GPL-3.0-or-later */
/* link: -lpcre2-8 */
/* The bounded matcher: its grammar, its limits, its budget, and the same answers as PCRE2 on random patterns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "firmware/data/regex.h"
#include "hal/base/fault.h"

#define STEPS 5000000

struct fixture {
    struct arena *arena;
    struct regex_work *work;
};

static int setup(void **state)
{
    static struct fixture f;
    assert_int_equal(arena_new(1 << 16, 1 << 22, &f.arena), ERR_OK);
    assert_int_equal(regex_work_new(f.arena, STEPS, &f.work), ERR_OK);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    arena_free(f->arena);
    fault_clear();
    return 0;
}

static enum err compile(struct fixture *f, const char *pattern, enum regex_case letters, const struct regex **out)
{
    return regex_compile(f->arena, span_str(pattern), letters, out);
}

struct match_case {
    const char *pattern;
    const char *text;
    bool matches;
};

static void check_cases(struct fixture *f, const struct match_case *cases, size_t count, enum regex_case letters)
{
    for (size_t i = 0; i < count; i++) {
        const struct regex *regex = NULL;
        bool match = !cases[i].matches;
        if (compile(f, cases[i].pattern, letters, &regex) != ERR_OK) {
            fail_msg("does not compile: %s", cases[i].pattern);
        }
        assert_int_equal(regex_match(regex, span_str(cases[i].text), f->work, &match), ERR_OK);
        if (match != cases[i].matches) {
            fail_msg("pattern %s on %s", cases[i].pattern, cases[i].text);
        }
    }
}

/* clang-format off */
static const struct match_case grammar[] = {
    {"", "", true}, {"", "abc", true}, {"abc", "xxabcxx", true}, {"abc", "ab", false}, {"^abc$", "abc", true},
    {"^abc$", "abcd", false}, {"^abc$", "abc\n", false}, {"a.c", "a\nc", false}, {"a.c", "a\xe2\x82\xac" "c", true},
    {"^.$", "\xf0\x9f\x98\x80", true}, {"^..$", "\xe2\x82\xac", false}, {"[a-c]+$", "xxabc", true},
    {"[^a-c]", "abc", false}, {"[^a-c]", "abcd", true}, {"[]x]", "]", true}, {"[^]x]", "]", false},
    {"[a-]", "-", true}, {"[\\]]", "]", true}, {"[\xc3\xa4-\xc3\xbc]", "\xc3\xb6", true},
    {"[^\xc3\xa4]", "\xc3\xa4", false}, {"[\\w-]", "-", true}, {"[\\D]", "5", false}, {"[\\D]", "\xe2\x82\xac", true},
    {"(ab|cd)+$", "abcdab", true}, {"^(ab|cd)+$", "abcda", false}, {"(?:a|b)c", "bc", true}, {"a|b|", "", true},
    {"^(a|b|c)$", "c", true}, {"^(a|b|c)$", "d", false}, {"(|a)b", "b", true}, {"()", "", true}, {"()*a", "a", true},
    {"^a*$", "", true}, {"^a*$", "aaab", false}, {"^a+$", "", false}, {"^ab?c$", "ac", true}, {"^(a*)*$", "aaaa", true},
    {"^(a*)+b$", "aaac", false}, {"^a{3}$", "aaa", true}, {"^a{3}$", "aa", false}, {"^a{3}$", "aaaa", false},
    {"^a{2,}$", "a", false}, {"^a{2,}$", "aaaaa", true}, {"^a{1,3}$", "aaaa", false}, {"^a{0,2}$", "", true},
    {"^a{0,2}$", "aaa", false}, {"^a{0,}$", "aaa", true}, {"^a{0}$", "", true}, {"^a{0}b$", "b", true},
    {"^(ab){2}c$", "ababc", true}, {"^(a|bc){2,3}$", "bcabc", true}, {"^(a{2}){2}$", "aaaa", true},
    {"^(a{2}){2}$", "aaa", false}, {"\\d+", "a1", true}, {"^\\D+$", "a1", false}, {"^\\w+$", "a_9", true},
    {"^\\w+$", "\xc3\xa4", false}, {"\\s", "a\tb", true}, {"^\\S+$", "a b", false}, {"\\bcat\\b", "a cat sat", true},
    {"\\bcat\\b", "concat", false}, {"\\bfoo", "xfoo foo", true}, {"\\Bcat", "concat", true}, {"\\Bcat", "cat", false}, {"(a|)\\bfoo", "ab foo", true},
    {"\\.", "a.b", true}, {"\\.", "ab", false}, {"a\\nb", "a\nb", true}, {"\\$\\{\\}", "${}", true},
    {"a^b", "a^b", false}, {"a]b}", "a]b}", true}, {"(^a|b)c", "xbc", true}, {"(^a|b)c", "xac", false},
    {"x*y", "zzzzy", true}, {"abc", "aabc", true}, {"[A]", "a", false}, {"A", "a", false},
};
static const struct match_case folded[] = {
    {"ABC", "xabcx", true}, {"abc", "ABC", true}, {"[a-c]+$", "ABC", true}, {"^[^a]$", "A", false}, {"[Z-a]", "z", true},
    {"\xc3\xa4", "\xc3\x84", false}, {"\xc3\xa4", "\xc3\xa4", true}, {"k", "\xe2\x84\xaa", false},
    {"^[^\\W]$", "A", true}, {"[_]", "?", false},
};
static const struct match_case not_utf8[] = {
    {"^..$", "\xff\xfe", true}, {"^.$", "\xe2\x82", false}, {"^\xef\xbf\xbd$", "\x80", true}, {"\xef\xbf\xbd", "a\xc3", true},
};
static const struct refusal {
    const char *pattern;
    enum err err;
} refusals[] = {
    {"(", ERR_MALFORMED}, {")", ERR_MALFORMED}, {"a)", ERR_MALFORMED}, {"(a", ERR_MALFORMED}, {"[a", ERR_MALFORMED},
    {"[]", ERR_MALFORMED}, {"[b-a]", ERR_MALFORMED}, {"[a-\\d]", ERR_MALFORMED}, {"[\\d-z]", ERR_MALFORMED},
    {"*a", ERR_MALFORMED}, {"^*", ERR_MALFORMED}, {"\\b+", ERR_MALFORMED}, {"a**", ERR_MALFORMED}, {"a|*", ERR_MALFORMED},
    {"a{", ERR_MALFORMED}, {"a{1", ERR_MALFORMED}, {"a{,2}", ERR_MALFORMED}, {"a{2,1}", ERR_MALFORMED}, {"{1}", ERR_MALFORMED},
    {"a{1001}", ERR_MALFORMED}, {"a{1,1001}", ERR_MALFORMED}, {"a{99999999999999999999}", ERR_MALFORMED},
    {"a\\", ERR_MALFORMED}, {"[\\", ERR_MALFORMED}, {"\xff", ERR_MALFORMED}, {"(*", ERR_UNSUPPORTED},
    {"(a)\\1", ERR_UNSUPPORTED}, {"\\k<n>", ERR_UNSUPPORTED}, {"(?=a)", ERR_UNSUPPORTED}, {"(?!a)", ERR_UNSUPPORTED},
    {"(?<=a)b", ERR_UNSUPPORTED}, {"(?<n>a)", ERR_UNSUPPORTED}, {"(?R)", ERR_UNSUPPORTED}, {"(?1)", ERR_UNSUPPORTED},
    {"(?C1)", ERR_UNSUPPORTED}, {"(*ACCEPT)", ERR_UNSUPPORTED}, {"(*UTF8)a", ERR_UNSUPPORTED}, {"(?i)a", ERR_UNSUPPORTED},
    {"(?>a)", ERR_UNSUPPORTED}, {"a*?", ERR_UNSUPPORTED}, {"a*+", ERR_UNSUPPORTED}, {"a{1}?", ERR_UNSUPPORTED},
    {"\\x41", ERR_UNSUPPORTED}, {"\\pL", ERR_UNSUPPORTED}, {"\\A", ERR_UNSUPPORTED}, {"\\0", ERR_UNSUPPORTED},
    {"\\K", ERR_UNSUPPORTED}, {"[\\b]", ERR_UNSUPPORTED}, {"[[:alpha:]]", ERR_UNSUPPORTED}, {"\\\xc3\xa4", ERR_UNSUPPORTED},
};
/* clang-format on */

static void regex_match_finds_what_the_grammar_promises(void **state)
{
    check_cases(*state, grammar, ARRAY_LENGTH(grammar), REGEX_CASE_SENSITIVE);
}

static void regex_match_folds_ascii_letters_only_when_case_is_ignored(void **state)
{
    check_cases(*state, folded, ARRAY_LENGTH(folded), REGEX_CASE_IGNORED);
}

static void regex_match_reads_bytes_that_are_not_utf8_as_replacement_characters(void **state)
{
    check_cases(*state, not_utf8, ARRAY_LENGTH(not_utf8), REGEX_CASE_SENSITIVE);
}

static void regex_compile_refuses_what_the_grammar_does_not_have(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LENGTH(refusals); i++) {
        const struct regex *regex = NULL;

        const enum err got = compile(f, refusals[i].pattern, REGEX_CASE_SENSITIVE, &regex);

        if (got != refusals[i].err) {
            fail_msg("%s gave %s", refusals[i].pattern, err_name(got));
        }
        assert_null(regex);
    }
}

static void regex_compile_takes_a_pattern_at_each_limit_and_refuses_one_past_it(void **state)
{
    struct fixture *f = *state;
    const struct regex *regex = NULL;
    char pattern[REGEX_PATTERN_MAX + 1];

    memset(pattern, 'a', sizeof(pattern));
    assert_int_equal(regex_compile(f->arena, span_of(pattern, 256), REGEX_CASE_SENSITIVE, &regex), ERR_OK);
    assert_int_equal(regex_compile(f->arena, span_of(pattern, 257), REGEX_CASE_SENSITIVE, &regex), ERR_RANGE);
    assert_int_equal(compile(f, "[a-z]{1,1000}", REGEX_CASE_SENSITIVE, &regex), ERR_OK);
    assert_int_equal(compile(f, "a{1000}b{1000}c{1000}d{1000}e{95}", REGEX_CASE_SENSITIVE, &regex), ERR_OK);
    assert_int_equal(compile(f, "a{1000}b{1000}c{1000}d{1000}e{96}", REGEX_CASE_SENSITIVE, &regex), ERR_RANGE);
    assert_int_equal(compile(f, "(a{1000}){1000}", REGEX_CASE_SENSITIVE, &regex), ERR_RANGE);
    assert_int_equal(compile(f, "((((a{0,9}){0,9}){0,9}){0,9}){0,9}", REGEX_CASE_SENSITIVE, &regex), ERR_RANGE);
    memset(pattern, '(', 32);
    memset(pattern + 32, ')', 32);
    assert_int_equal(regex_compile(f->arena, span_of(pattern, 64), REGEX_CASE_SENSITIVE, &regex), ERR_OK);
    memset(pattern, '(', 33);
    memset(pattern + 33, ')', 33);
    assert_int_equal(regex_compile(f->arena, span_of(pattern, 66), REGEX_CASE_SENSITIVE, &regex), ERR_RANGE);
}

static void regex_compile_reports_an_arena_that_is_used_up(void **state)
{
    (void)state;
    struct arena *arena = NULL;
    const struct regex *regex = NULL;
    struct regex_work *work = NULL;
    assert_int_equal(arena_new(0, 64, &arena), ERR_OK);

    const enum err got = regex_compile(arena, span_lit("abcdefgh"), REGEX_CASE_SENSITIVE, &regex);

    assert_int_equal(got, ERR_NO_MEMORY);
    assert_int_equal(regex_work_new(arena, 1, &work), ERR_NO_MEMORY);
    assert_null(regex);
    arena_free(arena);
}

static void attack_13_a_pattern_that_explodes_elsewhere_costs_states_times_bytes(void **state)
{
    struct fixture *f = *state;
    static const char *const patterns[] = {"^(a+)+$", "a*[bc]", "(a|a)*b", "(a*)*(a*)*(a*)*c",
                                           "^(([a-z])+.)+[A-Z]([a-z])+$"};
    const size_t len = 20000;
    uint8_t *text = malloc(len);
    memset(text, 'a', len);
    for (size_t i = 0; i < ARRAY_LENGTH(patterns); i++) {
        const struct regex *regex = NULL;
        bool match = false;
        assert_int_equal(compile(f, patterns[i], REGEX_CASE_SENSITIVE, &regex), ERR_OK);
        regex_work_refill(f->work, STEPS);

        assert_int_equal(regex_match(regex, span_of(text, len), f->work, &match), ERR_OK);

        assert_true(STEPS - regex_work_left(f->work) < 30 * len);
    }
    free(text);
}

static void attack_13_all_matches_of_a_request_share_one_budget_of_steps(void **state)
{
    struct fixture *f = *state;
    const struct regex *regex = NULL;
    bool match = false;
    uint8_t text[1000];
    size_t matches = 0;
    enum err err = ERR_OK;
    memset(text, 'a', sizeof(text));
    assert_int_equal(compile(f, "(a|b){1,600}c", REGEX_CASE_SENSITIVE, &regex), ERR_OK);

    while (matches < 1000 && (err = regex_match(regex, span_array(text), f->work, &match)) == ERR_OK) {
        matches++;
    }

    assert_int_equal(err, ERR_BUDGET);
    assert_true(matches >= 1 && matches < 10);
}

/* --- the same answers as PCRE2 --- */

static uint64_t random_state = 0x9e3779b97f4a7c15u;

static unsigned int roll(size_t sides)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned int)((random_state >> 33) % sides);
}

static size_t random_text(const char *const *pieces, size_t piece_count, unsigned int count, char *out)
{
    size_t len = 0;
    for (unsigned int i = 0; i < count; i++) {
        const char *piece = pieces[roll(piece_count)];
        memcpy(out + len, piece, strlen(piece));
        len += strlen(piece);
    }
    return len;
}

/* clang-format off */
static const char *const pattern_pieces[] = {
    "a", "b", "c", "A", "1", "_", " ", ".", "\\d", "\\w", "\\s", "\\W", "\\S", "\\D", "\\b", "\\B", "^", "$", "(", ")", "(?:",
    "|", "*", "+", "?", "{2}", "{1,3}", "{0,2}", "{2,}", "{0}", "[ab]", "[^a]", "[a-c]", "[^\\w]", "[\\d_]", "[A-b]",
    "\xe2\x82\xac", "[\xc3\xa4-\xe2\x82\xac]", "[^\xe2\x82\xac]", "\\.", "-", "\\n", ")", "(", "a", "b"};
static const char *const text_pieces[] = {
    "a", "b", "c", "A", "B", "1", "_", " ", "-", ".", "\n", "\xe2\x82\xac", "\xc3\xa4"};
/* clang-format on */

static void compare_one(struct fixture *f, pcre2_match_data *data, size_t *compared)
{
    char pattern[128];
    char text[64];
    int error = 0;
    PCRE2_SIZE offset = 0;
    const struct regex *regex = NULL;
    const size_t pattern_len = random_text(pattern_pieces, ARRAY_LENGTH(pattern_pieces), 1 + roll(12), pattern);
    /* Ranges that PCRE2 folds beyond ASCII are not comparable when case is ignored. */
    const bool ignore = roll(4) == 0 && memchr(pattern, '\xc3', pattern_len) == NULL;
    if (regex_compile(f->arena, span_of(pattern, pattern_len), ignore ? REGEX_CASE_IGNORED : REGEX_CASE_SENSITIVE,
                      &regex) != ERR_OK) {
        fault_clear();
        return;
    }
    pcre2_code *oracle =
        pcre2_compile((PCRE2_SPTR)pattern, pattern_len,
                      PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | (ignore ? PCRE2_CASELESS : 0), &error, &offset, NULL);
    if (oracle == NULL) {
        fail_msg("PCRE2 refuses %.*s", (int)pattern_len, pattern);
    }
    for (size_t i = 0; i < 8; i++) {
        bool match = false;
        const size_t text_len = random_text(text_pieces, ARRAY_LENGTH(text_pieces), roll(10), text);
        const int found = pcre2_match(oracle, (PCRE2_SPTR)text, text_len, 0, 0, data, NULL);
        assert_int_equal(regex_match(regex, span_of(text, text_len), f->work, &match), ERR_OK);
        if (match != (found >= 0)) {
            fail_msg("pattern %.*s on text %.*s: ours %d", (int)pattern_len, pattern, (int)text_len, text, match);
        }
        (*compared)++;
    }
    pcre2_code_free(oracle);
}

static void regex_match_agrees_with_pcre2_on_random_patterns(void **state)
{
    struct fixture *f = *state;
    size_t compared = 0;
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    for (size_t round = 0; round < 20000; round++) {
        if (round % 64 == 0) {
            arena_reset(f->arena);
            assert_int_equal(regex_work_new(f->arena, STEPS, &f->work), ERR_OK);
        }
        compare_one(f, data, &compared);
    }
    pcre2_match_data_free(data);

    assert_true(compared > 20000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(regex_match_finds_what_the_grammar_promises),
        TEST(regex_match_folds_ascii_letters_only_when_case_is_ignored),
        TEST(regex_match_reads_bytes_that_are_not_utf8_as_replacement_characters),
        TEST(regex_compile_refuses_what_the_grammar_does_not_have),
        TEST(regex_compile_takes_a_pattern_at_each_limit_and_refuses_one_past_it),
        TEST(regex_compile_reports_an_arena_that_is_used_up),
        TEST(attack_13_a_pattern_that_explodes_elsewhere_costs_states_times_bytes),
        TEST(attack_13_all_matches_of_a_request_share_one_budget_of_steps),
        TEST(regex_match_agrees_with_pcre2_on_random_patterns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
