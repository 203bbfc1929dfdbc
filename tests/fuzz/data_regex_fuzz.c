/* SPDX-License-Identifier: GPL-3.0-or-later */
/* link: -lpcre2-8 */
/* Any pattern on any text: no fault, no more steps than allowed, and the answer of PCRE2.
 *
 * Input: one byte (bit 0: ignore case) | pattern | 0xFF | text. What we take, PCRE2 must take too; where both read the
 * text the same way (it is UTF-8, and ASCII when case is ignored, since PCRE2 folds more letters) the answers agree. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "firmware/data/regex.h"
#include "hal/base/fault.h"

#define STEPS 200000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_ascii(struct span text)
{
    bool ascii = true;
    for (size_t i = 0; i < text.len; i++) {
        ascii = ascii && text.data[i] < 0x80;
    }
    return ascii;
}

static void compare(struct span pattern, struct span text, bool ignore, bool ours)
{
    int error = 0;
    PCRE2_SIZE offset = 0;
    pcre2_code *oracle =
        pcre2_compile(pattern.data, pattern.len, PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | (ignore ? PCRE2_CASELESS : 0),
                      &error, &offset, NULL);
    if (oracle == NULL) {
        /* Only its own limits excuse PCRE2, a pattern that would compile to too much, and that it takes [..], a class of
         * dots, for the name of a collating element. */
        if (error != PCRE2_ERROR_PATTERN_TOO_LARGE && error != PCRE2_ERROR_PATTERN_TOO_COMPLICATED &&
            error != PCRE2_ERROR_PARENTHESES_NEST_TOO_DEEP && error != PCRE2_ERROR_POSIX_CLASS_NOT_IN_CLASS &&
            error != PCRE2_ERROR_POSIX_NO_SUPPORT_COLLATING) {
            abort();
        }
        return;
    }
    pcre2_match_data *match = pcre2_match_data_create(1, NULL);
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    pcre2_set_match_limit(context, 100000);
    const int found = pcre2_match(oracle, text.data, text.len, 0, 0, match, context);
    if (found >= 0 || found == PCRE2_ERROR_NOMATCH) {
        if (ours != (found >= 0)) {
            abort();
        }
    }
    pcre2_match_context_free(context);
    pcre2_match_data_free(match);
    pcre2_code_free(oracle);
}

static void run(struct arena *arena, struct span pattern, struct span text, bool ignore)
{
    struct regex_work *work = NULL;
    const struct regex *regex = NULL;
    bool match = false;
    if (regex_work_new(arena, STEPS, &work) != ERR_OK ||
        regex_compile(arena, pattern, ignore ? REGEX_CASE_IGNORED : REGEX_CASE_SENSITIVE, &regex) != ERR_OK) {
        return;
    }
    const enum err err = regex_match(regex, text, work, &match);
    if (err != ERR_OK && err != ERR_BUDGET) {
        abort();
    }
    const bool comparable = span_is_utf8(text) && (!ignore || (is_ascii(text) && is_ascii(pattern)));
    if (err == ERR_OK && comparable) {
        compare(pattern, text, ignore, match);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SCOPED_ARENA struct arena *arena = NULL;
    if (size == 0 || arena_new(1 << 16, 1 << 22, &arena) != ERR_OK) {
        return 0;
    }
    const struct span rest = span_of(data + 1, size - 1);
    const size_t end = span_find(rest, 0xff);
    const size_t skipped = end < rest.len ? end + 1 : end;
    run(arena, span_of(rest.data, end), span_of(rest.data + skipped, rest.len - skipped), (data[0] & 1u) != 0);
    fault_clear();
    return 0;
}
