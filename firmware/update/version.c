/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Both texts are walked side by side, piece by piece: characters that no version has are passed over, then the marks count
 * in the order of the table, then a run of digits as a number or a run of letters as text. */
#include "firmware/update/version.h"

#include <stdbool.h>
#include <string.h>

#include "hal/base/num.h"

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_counted(uint8_t c)
{
    return is_digit(c) || is_letter(c) || c == '~' || c == '-' || c == '^' || c == '.';
}

static enum version_order order_of(size_t mine, size_t others)
{
    if (mine == others) {
        return VERSION_SAME;
    }
    return mine < others ? VERSION_OLDER : VERSION_NEWER;
}

static size_t run(struct span text, bool (*counts)(uint8_t c))
{
    size_t len = 0;

    while (len < text.len && counts(text.data[len])) {
        len++;
    }
    return len;
}

static struct span rest_from(struct span text, size_t from)
{
    return span_of(text.data + from, text.len - from);
}

static struct span skip(struct span text)
{
    struct span rest = text;

    while (rest.len != 0 && !is_counted(rest.data[0])) {
        rest = rest_from(rest, 1);
    }
    return rest;
}

static bool starts(struct span text, char mark)
{
    return text.len != 0 && text.data[0] == (uint8_t)mark;
}

static enum version_order order_of_bytes(struct span mine, struct span others)
{
    const int difference = memcmp(mine.data, others.data, num_min(mine.len, others.len));

    return difference == 0 ? VERSION_SAME : (difference < 0 ? VERSION_OLDER : VERSION_NEWER);
}

/* A number is newer than letters, whatever it is. */
static enum version_order compare_numbers(struct span *version, struct span *other)
{
    const enum version_order kinds = order_of(num_min(run(*version, is_digit), 1), num_min(run(*other, is_digit), 1));

    if (kinds != VERSION_SAME) {
        return kinds;
    }
    while (starts(*version, '0')) {
        *version = rest_from(*version, 1);
    }
    while (starts(*other, '0')) {
        *other = rest_from(*other, 1);
    }
    const size_t mine = run(*version, is_digit);
    const size_t others = run(*other, is_digit);
    enum version_order order = order_of(mine, others);
    if (order == VERSION_SAME) {
        order = order_of_bytes(span_of(version->data, mine), span_of(other->data, others));
    }
    *version = rest_from(*version, mine);
    *other = rest_from(*other, others);
    return order;
}

static enum version_order compare_letters(struct span *version, struct span *other)
{
    const size_t mine = run(*version, is_letter);
    const size_t others = run(*other, is_letter);
    enum version_order order = order_of_bytes(span_of(version->data, mine), span_of(other->data, others));

    if (order == VERSION_SAME) {
        order = order_of(mine, others);
    }
    *version = rest_from(*version, mine);
    *other = rest_from(*other, others);
    return order;
}

/* Who has the mark and the other not is older; where both have it, it is passed over. */
static enum version_order compare_mark(struct span *version, struct span *other, char mark)
{
    const bool mine = starts(*version, mark);
    const bool others = starts(*other, mark);

    if (mine && others) {
        *version = rest_from(*version, 1);
        *other = rest_from(*other, 1);
    }
    return order_of(mine ? 0 : 1, others ? 0 : 1);
}

static enum version_order compare_piece(struct span *version, struct span *other)
{
    static const char marks[] = {'-', '^', '.'};

    for (size_t i = 0; i < sizeof(marks); i++) {
        const enum version_order order = compare_mark(version, other, marks[i]);
        if (order != VERSION_SAME) {
            return order;
        }
    }
    const bool digits =
        (version->len != 0 && is_digit(version->data[0])) || (other->len != 0 && is_digit(other->data[0]));
    return digits ? compare_numbers(version, other) : compare_letters(version, other);
}

enum version_order version_compare(struct span version, struct span other)
{
    for (;;) { /* ends: what both have is taken from one of them at least */
        version = skip(version);
        other = skip(other);
        const enum version_order before = compare_mark(&version, &other, '~'); /* 1~rc is before 1 */
        if (before != VERSION_SAME) {
            return before;
        }
        if (version.len == 0 || other.len == 0) {
            return order_of(version.len, other.len);
        }
        const enum version_order order = compare_piece(&version, &other);
        if (order != VERSION_SAME) {
            return order;
        }
    }
}
