/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From a pattern to its program, in one pass over the pattern and without recursion.
 *
 * Each piece of pattern becomes a contiguous piece of program that is entered at its first instruction and left past its
 * last one. So to follow is to append; an alternative or an optional piece gets an instruction inserted before it; and
 * {m,n} copies a piece, which works because jumps are relative and never leave their piece. Open groups are kept on a
 * small stack. Size is checked before anything is copied. */
#include "firmware/data/regex.h"

#include <string.h>

#include "firmware/data/regex_int.h"
#include "hal/base/fault.h"
#include "hal/base/num.h"

#define CODE_MAX       REGEX_STATES_MAX
#define CLASS_MAX      (REGEX_PATTERN_MAX / 2)
#define RANGES_MAX     1024
#define NONE           SIZE_MAX
#define CODE_POINT_MAX 0x10FFFFu

struct group {
    size_t start;   /* of its program */
    size_t branch;  /* of the alternative that is being read */
    size_t pending; /* the last of its jumps that wait for the end of the group; they are chained through `a` */
};

struct compiler {
    struct span rest;
    enum regex_case letters;
    struct regex_inst code[CODE_MAX];
    size_t code_count;
    struct regex_class classes[CLASS_MAX];
    size_t class_count;
    struct regex_range ranges[RANGES_MAX];
    size_t range_count;
    struct group groups[REGEX_GROUPS_MAX + 1];
    size_t depth;             /* groups[depth] is open; 0 is the pattern itself */
    size_t atom;              /* where the piece begins that a quantifier would repeat, or NONE */
    uint8_t seen[CODE_MAX];   /* for find_starts */
    uint16_t stack[CODE_MAX]; /* for find_starts: each place is put there once */
};

/* --- emitting --- */

static enum err emit(struct compiler *c, enum regex_op op, int32_t a, int32_t b)
{
    ENSURE(c->code_count < CODE_MAX - 1, ERR_RANGE, "the pattern is too large");
    c->code[c->code_count] = (struct regex_inst){op, a, b};
    c->code_count++;
    return ERR_OK;
}

static enum err insert(struct compiler *c, size_t at, enum regex_op op, int32_t a, int32_t b)
{
    ENSURE(c->code_count < CODE_MAX - 1, ERR_RANGE, "the pattern is too large");
    memmove(&c->code[at + 1], &c->code[at], (c->code_count - at) * sizeof(c->code[0]));
    c->code[at] = (struct regex_inst){op, a, b};
    c->code_count++;
    return ERR_OK;
}

/* Appends a copy of the piece [from, from + count). */
static enum err emit_copy(struct compiler *c, size_t from, size_t count)
{
    ENSURE(c->code_count + count < CODE_MAX, ERR_RANGE, "the pattern is too large");
    memcpy(&c->code[c->code_count], &c->code[from], count * sizeof(c->code[0]));
    c->code_count += count;
    return ERR_OK;
}

static enum err emit_atom(struct compiler *c, enum regex_op op, int32_t a)
{
    c->atom = c->code_count;
    return emit(c, op, a, 0);
}

/* --- reading the pattern --- */

static bool at_end(const struct compiler *c)
{
    return c->rest.len == 0;
}

static bool next_is(const struct compiler *c, char byte)
{
    return c->rest.len > 0 && c->rest.data[0] == (uint8_t)byte;
}

static void skip(struct compiler *c, size_t bytes)
{
    c->rest = span_of(c->rest.data + bytes, c->rest.len - bytes);
}

static bool take(struct compiler *c, char byte)
{
    const bool found = next_is(c, byte);
    if (found) {
        skip(c, 1);
    }
    return found;
}

/* The next code point; the pattern is known to be UTF-8 and not at its end. */
static uint32_t take_code_point(struct compiler *c)
{
    size_t len = 0;
    const uint32_t code_point = regex_decode(c->rest, &len);
    skip(c, len);
    return code_point;
}

/* --- classes --- */

static enum err add_range(struct compiler *c, uint32_t low, uint32_t high)
{
    ENSURE(c->range_count < RANGES_MAX, ERR_RANGE, "too many ranges");
    c->ranges[c->range_count] = (struct regex_range){low, high};
    c->range_count++;
    return ERR_OK;
}

static const struct regex_range digits[] = {{'0', '9'}};
static const struct regex_range words[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
static const struct regex_range blanks[] = {{'\t', '\r'}, {' ', ' '}};

/* Adds \d, \w, \s (sorted ranges) or, for a capital letter, everything else. */
static enum err add_shorthand(struct compiler *c, uint32_t letter)
{
    const uint32_t folded = regex_fold(letter);
    const struct regex_range *set = folded == 'd' ? digits : folded == 'w' ? words : blanks;
    const size_t count = folded == 'd' ? ARRAY_LENGTH(digits) : folded == 'w' ? ARRAY_LENGTH(words) : 2;
    uint32_t after = 0;
    for (size_t i = 0; i < count; i++) {
        if (letter == folded) {
            TRY(add_range(c, set[i].low, set[i].high));
        } else {
            TRY(add_range(c, after, set[i].low - 1));
            after = set[i].high + 1;
        }
    }
    if (letter != folded) {
        TRY(add_range(c, after, CODE_POINT_MAX));
    }
    return ERR_OK;
}

static bool is_shorthand(uint32_t letter)
{
    return letter == 'd' || letter == 'D' || letter == 'w' || letter == 'W' || letter == 's' || letter == 'S';
}

static bool in_ranges(const struct compiler *c, size_t first, uint32_t code_point)
{
    bool found = false;
    for (size_t i = first; i < c->range_count; i++) {
        found = found || (code_point >= c->ranges[i].low && code_point <= c->ranges[i].high);
    }
    return found;
}

static enum err finish_class(struct compiler *c, size_t first, bool negated)
{
    struct regex_class class = {.first = (uint16_t)first, .negated = negated};
    class.count = (uint16_t)(c->range_count - first);
    for (uint32_t code_point = 0; code_point < 128; code_point++) {
        bool found = in_ranges(c, first, code_point);
        const uint32_t lower = code_point | 0x20u;
        const bool letter = lower >= 'a' && lower <= 'z';
        if (c->letters == REGEX_CASE_IGNORED && letter) {
            found = found || in_ranges(c, first, code_point ^ 0x20u);
        }
        if (found != negated) {
            class.ascii[code_point / 64] |= UINT64_C(1) << (code_point % 64);
        }
    }
    ENSURE(c->class_count < CLASS_MAX, ERR_RANGE, "too many classes");
    c->classes[c->class_count] = class;
    c->class_count++;
    return emit_atom(c, REGEX_CLASS, (int32_t)(c->class_count - 1));
}

/* What a backslash and `letter` mean as one character: a control character, or punctuation itself. */
static enum err escaped_char(uint32_t letter, uint32_t *out_code_point)
{
    static const char names[] = "nrtf";
    static const char values[] = "\n\r\t\f";
    for (size_t i = 0; i < sizeof(names) - 1; i++) {
        if (letter == (uint8_t)names[i]) {
            *out_code_point = (uint8_t)values[i];
            return ERR_OK;
        }
    }
    const bool punctuation = letter > ' ' && letter < 127 && (!regex_is_word(letter) || letter == '_');
    ENSURE(punctuation, ERR_UNSUPPORTED, "an escape that this matcher does not have");
    *out_code_point = letter;
    return ERR_OK;
}

/* One end of a range, or a single member. out_shorthand is the letter of \d and the like, otherwise 0. */
static enum err class_member(struct compiler *c, uint32_t *out_code_point, uint32_t *out_shorthand)
{
    ENSURE(!at_end(c), ERR_MALFORMED, "a class that does not end");
    uint32_t code_point = take_code_point(c);
    *out_shorthand = 0;
    if (code_point == '[') {
        const bool posix = next_is(c, ':') || next_is(c, '.') || next_is(c, '=');
        ENSURE(!posix, ERR_UNSUPPORTED, "a named class");
    }
    if (code_point == '\\') {
        ENSURE(!at_end(c), ERR_MALFORMED, "a backslash at the end");
        const uint32_t letter = take_code_point(c);
        if (is_shorthand(letter)) {
            *out_shorthand = letter;
            return ERR_OK;
        }
        TRY(escaped_char(letter, &code_point));
    }
    *out_code_point = code_point;
    return ERR_OK;
}

static enum err class_item(struct compiler *c)
{
    uint32_t low = 0;
    uint32_t shorthand = 0;
    TRY(class_member(c, &low, &shorthand));
    const bool dash = c->rest.len >= 2 && c->rest.data[0] == '-' && c->rest.data[1] != ']';
    if (shorthand != 0) {
        ENSURE(!dash, ERR_MALFORMED, "a range from a set");
        return add_shorthand(c, shorthand);
    }
    uint32_t high = low;
    if (dash) {
        skip(c, 1);
        TRY(class_member(c, &high, &shorthand));
        ENSURE(shorthand == 0, ERR_MALFORMED, "a range to a set");
        ENSURE(high >= low, ERR_MALFORMED, "a range that runs backwards");
    }
    return add_range(c, low, high);
}

/* After "[". A "]" that comes first stands for itself. */
static enum err parse_class(struct compiler *c)
{
    const size_t first = c->range_count;
    const bool negated = take(c, '^');
    bool leading = true;
    while (leading || !next_is(c, ']')) {
        TRY(class_item(c));
        leading = false;
    }
    skip(c, 1);
    return finish_class(c, first, negated);
}

/* --- the rest of the grammar --- */

static enum err parse_escape(struct compiler *c)
{
    uint32_t code_point = 0;
    ENSURE(!at_end(c), ERR_MALFORMED, "a backslash at the end");
    const uint32_t letter = take_code_point(c);
    if (letter == 'b' || letter == 'B') {
        c->atom = NONE;
        return emit(c, letter == 'b' ? REGEX_WORD_EDGE : REGEX_NO_WORD_EDGE, 0, 0);
    }
    if (is_shorthand(letter)) {
        const size_t first = c->range_count;
        TRY(add_shorthand(c, letter));
        return finish_class(c, first, false);
    }
    TRY(escaped_char(letter, &code_point));
    return emit_atom(c, REGEX_CHAR, (int32_t)(c->letters == REGEX_CASE_IGNORED ? regex_fold(code_point) : code_point));
}

static enum err open_group(struct compiler *c)
{
    ENSURE(!next_is(c, '*'), ERR_UNSUPPORTED, "a control verb");
    if (take(c, '?')) {
        ENSURE(take(c, ':'), ERR_UNSUPPORTED, "a group with special meaning");
    }
    ENSURE(c->depth < REGEX_GROUPS_MAX, ERR_RANGE, "groups too deep");
    c->depth++;
    c->groups[c->depth] = (struct group){c->code_count, c->code_count, NONE};
    c->atom = NONE;
    return ERR_OK;
}

/* "|": the alternative so far may be left out, and ends with a jump to the end of the group. */
static enum err next_branch(struct compiler *c)
{
    struct group *group = &c->groups[c->depth];
    const size_t len = c->code_count - group->branch;
    TRY(insert(c, group->branch, REGEX_SPLIT, 1, (int32_t)len + 2));
    TRY(emit(c, REGEX_JUMP, group->pending == NONE ? -1 : (int32_t)group->pending, 0));
    group->pending = c->code_count - 1;
    group->branch = c->code_count;
    c->atom = NONE;
    return ERR_OK;
}

/* Points the waiting jumps of the open group to here. */
static void close_branches(struct compiler *c)
{
    size_t at = c->groups[c->depth].pending;
    while (at != NONE) {
        const int32_t before = c->code[at].a;
        c->code[at].a = (int32_t)(c->code_count - at);
        at = before < 0 ? NONE : (size_t)before;
    }
}

static enum err close_group(struct compiler *c)
{
    ENSURE(c->depth > 0, ERR_MALFORMED, "a group that was not opened");
    close_branches(c);
    c->atom = c->groups[c->depth].start;
    c->depth--;
    return ERR_OK;
}

static enum err take_number(struct compiler *c, size_t *out_number)
{
    size_t digits_len = 0;
    uint64_t number = 0;
    while (digits_len < c->rest.len && c->rest.data[digits_len] >= '0' && c->rest.data[digits_len] <= '9') {
        digits_len++;
    }
    const enum err err = span_to_u64(span_of(c->rest.data, digits_len), REGEX_REPEAT_MAX, &number);
    ENSURE(err == ERR_OK, ERR_MALFORMED, "a count that is no number up to 1000");
    skip(c, digits_len);
    *out_number = (size_t)number;
    return ERR_OK;
}

/* Repeats the piece from `at`, which has `len` instructions and stands there once, at least `least` times and at most
 * `most` (NONE: without end). */
static enum err repeat(struct compiler *c, size_t at, size_t least, size_t most)
{
    const size_t len = c->code_count - at;
    const int32_t length = (int32_t)len;
    if (most == 0) {
        c->code_count = at;
        return ERR_OK;
    }
    size_t piece = at; /* where a copy without a split before it stands */
    size_t done = 1;
    if (least == 0) {
        TRY(insert(c, at, REGEX_SPLIT, 1, most == NONE ? length + 2 : length + 1));
        piece = at + 1;
        if (most == NONE) {
            return emit(c, REGEX_JUMP, -(length + 1), 0);
        }
    }
    for (; done < least; done++) {
        TRY(emit_copy(c, piece, len));
    }
    if (most == NONE) {
        return emit(c, REGEX_SPLIT, -length, 1);
    }
    for (; done < most; done++) {
        TRY(emit(c, REGEX_SPLIT, 1, length + 1));
        TRY(emit_copy(c, piece, len));
    }
    return ERR_OK;
}

/* "{" was taken. */
static enum err take_counts(struct compiler *c, size_t *out_least, size_t *out_most)
{
    TRY(take_number(c, out_least));
    *out_most = *out_least;
    if (take(c, ',')) {
        *out_most = NONE;
        if (!next_is(c, '}')) {
            TRY(take_number(c, out_most));
            ENSURE(*out_most >= *out_least, ERR_MALFORMED, "counts that run backwards");
        }
    }
    ENSURE(take(c, '}'), ERR_MALFORMED, "a count that does not end");
    return ERR_OK;
}

static enum err parse_quantifier(struct compiler *c, uint32_t sign)
{
    size_t least = sign == '+' ? 1 : 0;
    size_t most = sign == '?' ? 1 : NONE;
    ENSURE(c->atom != NONE, ERR_MALFORMED, "nothing to repeat");
    if (sign == '{') {
        TRY(take_counts(c, &least, &most));
    }
    const bool special = next_is(c, '?') || next_is(c, '+');
    ENSURE(!special, ERR_UNSUPPORTED, "a lazy or possessive repetition");
    TRY(repeat(c, c->atom, least, most));
    c->atom = NONE;
    return ERR_OK;
}

static enum err parse_one(struct compiler *c)
{
    const uint32_t code_point = take_code_point(c);
    switch (code_point) {
    case '(':
        return open_group(c);
    case ')':
        return close_group(c);
    case '|':
        return next_branch(c);
    case '[':
        return parse_class(c);
    case '\\':
        return parse_escape(c);
    case '.':
        return emit_atom(c, REGEX_ANY, 0);
    case '^':
    case '$':
        c->atom = NONE;
        return emit(c, code_point == '^' ? REGEX_TEXT_START : REGEX_TEXT_END, 0, 0);
    case '*':
    case '+':
    case '?':
    case '{':
        return parse_quantifier(c, code_point);
    }
    return emit_atom(c, REGEX_CHAR, (int32_t)(c->letters == REGEX_CASE_IGNORED ? regex_fold(code_point) : code_point));
}

/* --- what can begin a match --- */

static void mark_start(struct regex *regex, const struct regex_inst *inst)
{
    uint8_t ascii[16] = {0};
    bool rest = true;
    if (inst->op == REGEX_CHAR) {
        const uint32_t code_point = (uint32_t)inst->a;
        rest = code_point >= 128;
        if (!rest) {
            ascii[code_point / 8] = (uint8_t)(1u << (code_point % 8));
            const bool letter = code_point >= 'a' && code_point <= 'z' && regex->letters == REGEX_CASE_IGNORED;
            const uint32_t other = letter ? code_point - ('a' - 'A') : code_point;
            ascii[other / 8] = (uint8_t)(ascii[other / 8] | (1u << (other % 8)));
        }
    } else if (inst->op == REGEX_CLASS) {
        const struct regex_class *class = &regex->classes[inst->a];
        rest = class->negated;
        for (size_t i = 0; i < class->count; i++) {
            rest = rest || regex->ranges[class->first + i].high >= 128;
        }
        for (size_t i = 0; i < sizeof(ascii); i++) {
            ascii[i] = (uint8_t)(class->ascii[i / 8] >> (8 * (i % 8)));
        }
    } else {
        memset(ascii, 0xff, sizeof(ascii));
    }
    for (size_t i = 0; i < sizeof(regex->starts); i++) {
        const uint8_t byte = i < sizeof(ascii) ? ascii[i] : (rest ? 0xff : 0);
        regex->starts[i] = (uint8_t)(regex->starts[i] | byte);
    }
}

static void find_start_push(struct compiler *c, size_t *depth, size_t place)
{
    if (c->seen[place] == 0) {
        c->seen[place] = 1;
        c->stack[*depth] = (uint16_t)place;
        (*depth)++;
    }
}

/* Walks what is reachable without a character. A pattern that can match nothing at all may match anywhere, so no place
 * can be skipped. Behind a "^" nothing is looked at: if that is the only way on, the pattern is anchored, and the set of
 * starts is not used. */
static void find_starts(struct compiler *c, struct regex *regex)
{
    size_t depth = 0;
    regex->may_skip = true;
    regex->anchored = true;
    find_start_push(c, &depth, 0);
    while (depth > 0) {
        depth--;
        const size_t at = c->stack[depth];
        const struct regex_inst *inst = &regex->code[at];
        size_t next[2] = {at + 1, at + 1};
        if (inst->op == REGEX_TEXT_START) {
            regex->may_skip = false;
            continue;
        }
        if (inst->op == REGEX_CHAR || inst->op == REGEX_ANY || inst->op == REGEX_CLASS) {
            regex->anchored = false;
            mark_start(regex, inst);
            continue;
        }
        if (inst->op == REGEX_MATCH) {
            regex->anchored = false;
            regex->may_skip = false;
            continue;
        }
        if (inst->op == REGEX_SPLIT || inst->op == REGEX_JUMP) {
            next[0] = (size_t)((int64_t)at + inst->a);
            next[1] = inst->op == REGEX_SPLIT ? (size_t)((int64_t)at + inst->b) : next[0];
        }
        find_start_push(c, &depth, next[0]);
        find_start_push(c, &depth, next[1]);
    }
}

static void compiler_free_scoped(struct compiler **compiler)
{
    mem_free(*compiler);
}

static enum err copy_array(struct arena *arena, const void *from, size_t bytes, void **out_copy)
{
    TRY(arena_alloc(arena, bytes, out_copy));
    if (bytes > 0) {
        memcpy(*out_copy, from, bytes);
    }
    return ERR_OK;
}

/* The finished program, copied to the arena in its real size. */
static enum err publish(struct compiler *c, struct arena *arena, const struct regex **out_regex)
{
    void *memory = NULL;
    void *code = NULL;
    void *classes = NULL;
    void *ranges = NULL;
    TRY(copy_array(arena, c->code, c->code_count * sizeof(c->code[0]), &code));
    TRY(copy_array(arena, c->classes, c->class_count * sizeof(c->classes[0]), &classes));
    TRY(copy_array(arena, c->ranges, c->range_count * sizeof(c->ranges[0]), &ranges));
    TRY(arena_alloc(arena, sizeof(struct regex), &memory));
    struct regex *regex = memory;
    *regex = (struct regex){
        .letters = c->letters, .code = code, .code_count = c->code_count, .classes = classes, .ranges = ranges};
    find_starts(c, regex);
    *out_regex = regex;
    return ERR_OK;
}

enum err regex_compile(struct arena *arena, struct span pattern, enum regex_case letters,
                       const struct regex **out_regex)
{
    SCOPED(compiler_free_scoped) struct compiler *c = NULL;
    void *memory = NULL;

    ENSURE(pattern.len <= REGEX_PATTERN_MAX, ERR_RANGE, "the pattern is too long");
    ENSURE(span_is_utf8(pattern), ERR_MALFORMED, "the pattern is not UTF-8");
    TRY(mem_alloc(sizeof(*c), &memory));
    c = memory;
    c->rest = pattern;
    c->letters = letters;
    c->atom = NONE;
    c->groups[0] = (struct group){0, 0, NONE};
    while (!at_end(c)) {
        TRY(parse_one(c));
    }
    ENSURE(c->depth == 0, ERR_MALFORMED, "a group that does not end");
    close_branches(c);
    c->code[c->code_count] = (struct regex_inst){REGEX_MATCH, 0, 0}; /* emit() left room for it */
    c->code_count++;
    return publish(c, arena, out_regex);
}
