/* SPDX-License-Identifier: GPL-3.0-or-later */
/* link: -lpcre2-8 */
/* firmware/data/regex.h beside PCRE2: a pattern that is accepted here is accepted there, and both give the same answer.
 * The first byte is the length of the pattern, the rest is the text. Only texts in UTF-8: what counts as a character in
 * others is this matcher's own rule. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "firmware/data/regex.h"
#include "tests/fuzz/fuzz.h"

#define STEPS 2000000

/* PCRE2's own limits keep a slow pattern from looking like a hang of ours. */
static pcre2_match_context *limits(void)
{
    static pcre2_match_context *context;

    if (context == NULL) {
        context = pcre2_match_context_create(NULL);
        pcre2_set_match_limit(context, 200000);
        pcre2_set_depth_limit(context, 2000);
    }
    return context;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *const arena = fuzz_arena();
    struct regex_work *work = NULL;
    const struct regex *regex = NULL;
    bool match = false;
    int error = 0;
    PCRE2_SIZE offset = 0;

    if (size < 1 || (size_t)data[0] + 1 > size) {
        return 0;
    }
    const struct span pattern = span_of(data + 1, data[0]);
    const struct span text = span_of(data + 1 + data[0], size - 1 - data[0]);

    FUZZ_CHECK(regex_work_new(arena, STEPS, &work) == ERR_OK);
    if (regex_compile(arena, pattern, REGEX_CASE_SENSITIVE, &regex) != ERR_OK || !span_is_utf8(text) ||
        regex_match(regex, text, work, &match) != ERR_OK) {
        return 0;
    }
    pcre2_code *const oracle =
        pcre2_compile(pattern.data, pattern.len, PCRE2_UTF | PCRE2_DOLLAR_ENDONLY, &error, &offset, NULL);
    FUZZ_CHECK(oracle != NULL);
    pcre2_match_data *const found = pcre2_match_data_create(1, NULL);
    const int got = pcre2_match(oracle, text.data == NULL ? (PCRE2_SPTR) "" : text.data, text.len, 0, 0, found, limits());

    FUZZ_CHECK(got == PCRE2_ERROR_NOMATCH ? !match : got < 0 || match);
    pcre2_match_data_free(found);
    pcre2_code_free(oracle);
    return 0;
}
