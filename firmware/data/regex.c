/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One pass over a text with all live threads of a program at once (Thompson's simulation).
 *
 * A thread is a place in the program. At each character every thread either takes it or ends, and what is reachable from
 * the survivors without a character is added, each place at most once. So a character costs at most two visits per
 * state, whatever the pattern; every visit is paid for from the request's steps. A new thread starts at every character,
 * since a match may begin anywhere; while no thread lives, bytes that cannot begin a match are passed over.
 *
 * \b looks at single bytes: only ASCII letters are word characters, and no byte of a longer character is one. */
#include "firmware/data/regex.h"

#include <string.h>

#include "firmware/data/regex_int.h"
#include "hal/base/fault.h"

#define SKIP_BYTES_PER_STEP 16
#define RANGES_PER_STEP     8
_Static_assert(REGEX_STATES_MAX <= UINT16_MAX, "a place in a program is 16 bits");

struct threads {
    uint16_t at[REGEX_STATES_MAX]; /* instructions that take a character */
    size_t count;
};

struct regex_work {
    uint64_t steps;
    uint32_t round;                       /* of the marks; grows with every position of every match */
    uint32_t mark[REGEX_STATES_MAX];      /* mark[pc] == round: already reached at this position */
    uint16_t stack[REGEX_STATES_MAX + 1]; /* places still to be looked at */
    struct threads lists[2];
};

enum err regex_work_new(struct arena *arena, uint64_t steps, struct regex_work **out_work)
{
    void *memory = NULL;
    TRY(arena_alloc(arena, sizeof(struct regex_work), &memory));
    *out_work = memory;
    (*out_work)->steps = steps;
    return ERR_OK;
}

void regex_work_refill(struct regex_work *work, uint64_t steps)
{
    work->steps = steps;
}

uint64_t regex_work_left(const struct regex_work *work)
{
    return work->steps;
}

enum err regex_work_spend(struct regex_work *work, uint64_t steps)
{
    ENSURE(steps <= work->steps, ERR_BUDGET, "the steps of this request are used up");
    work->steps -= steps;
    return ERR_OK;
}

uint32_t regex_decode(struct span text, size_t *out_len)
{
    const uint8_t first = text.data[0];
    const size_t len = first < 0x80 ? 1 : first < 0xC0 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF8 ? 4 : 0;
    *out_len = 1;
    if (len == 1) {
        return first;
    }
    if (len == 0 || len > text.len || !span_is_utf8(span_of(text.data, len))) {
        return REGEX_REPLACEMENT;
    }
    uint32_t code_point = first & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        code_point = (code_point << 6) | (text.data[i] & 0x3fu);
    }
    *out_len = len;
    return code_point;
}

/* One match under way. */
struct run {
    const struct regex *regex;
    struct span text;
    struct regex_work *work;
    size_t at;        /* position in text */
    uint64_t visited; /* steps not yet paid for */
    bool matched;
};

static bool word_before(const struct run *run)
{
    return run->at > 0 && regex_is_word(run->text.data[run->at - 1]);
}

static bool word_after(const struct run *run)
{
    return run->at < run->text.len && regex_is_word(run->text.data[run->at]);
}

/* Does an instruction that takes no character let a thread pass here? */
static bool holds(const struct run *run, enum regex_op op)
{
    switch (op) {
    case REGEX_TEXT_START:
        return run->at == 0;
    case REGEX_TEXT_END:
        return run->at == run->text.len;
    case REGEX_WORD_EDGE:
        return word_before(run) != word_after(run);
    case REGEX_NO_WORD_EDGE:
        return word_before(run) == word_after(run);
    case REGEX_SPLIT:
    case REGEX_JUMP:
        return true;
    case REGEX_CHAR:
    case REGEX_ANY:
    case REGEX_CLASS:
    case REGEX_MATCH:
        return false;
    }
    return false;
}

static void push(struct regex_work *work, size_t *depth, size_t place)
{
    if (work->mark[place] != work->round) {
        work->mark[place] = work->round;
        work->stack[*depth] = (uint16_t)place;
        (*depth)++;
    }
}

/* Adds what is reachable from `place` at this position without a character. Marks keep each place to one visit, so the
 * stack never holds more than there are states. */
static void add_thread(struct run *run, struct threads *threads, size_t place)
{
    struct regex_work *work = run->work;
    size_t depth = 0;
    push(work, &depth, place);
    while (depth > 0) {
        depth--;
        const size_t at = work->stack[depth];
        const struct regex_inst *inst = &run->regex->code[at];
        run->visited++;
        if (inst->op == REGEX_CHAR || inst->op == REGEX_ANY || inst->op == REGEX_CLASS) {
            threads->at[threads->count] = (uint16_t)at;
            threads->count++;
        } else if (inst->op == REGEX_MATCH) {
            run->matched = true;
        } else if (holds(run, inst->op)) {
            const bool jumps = inst->op == REGEX_SPLIT || inst->op == REGEX_JUMP;
            push(work, &depth, jumps ? (size_t)((int64_t)at + inst->a) : at + 1);
            if (inst->op == REGEX_SPLIT) {
                push(work, &depth, (size_t)((int64_t)at + inst->b));
            }
        }
    }
}

static bool class_takes(struct run *run, const struct regex_class *class, uint32_t code_point)
{
    if (code_point < 128) {
        return ((class->ascii[code_point / 64] >> (code_point % 64)) & 1u) != 0;
    }
    bool found = false;
    run->visited += class->count / RANGES_PER_STEP;
    for (size_t i = 0; i < class->count && !found; i++) {
        const struct regex_range *range = &run->regex->ranges[class->first + i];
        found = code_point >= range->low && code_point <= range->high;
    }
    return found != class->negated;
}

static bool takes(struct run *run, const struct regex_inst *inst, uint32_t code_point)
{
    if (inst->op == REGEX_CHAR) {
        const bool fold = run->regex->letters == REGEX_CASE_IGNORED;
        return (fold ? regex_fold(code_point) : code_point) == (uint32_t)inst->a;
    }
    if (inst->op == REGEX_CLASS) {
        return class_takes(run, &run->regex->classes[inst->a], code_point);
    }
    return code_point != '\n';
}

static void next_round(struct regex_work *work)
{
    work->round++;
    if (work->round == 0) {
        memset(work->mark, 0, sizeof(work->mark));
        work->round = 1;
    }
}

/* Passes over whole characters that cannot begin a match. */
static void skip_dull(struct run *run)
{
    const size_t before = run->at;
    while (run->at < run->text.len) {
        const uint8_t byte = run->text.data[run->at];
        if ((run->regex->starts[byte / 8] & (1u << (byte % 8))) != 0) {
            break;
        }
        size_t len = 1;
        if (byte >= 0x80) {
            (void)regex_decode(span_of(run->text.data + run->at, run->text.len - run->at), &len);
        }
        run->at += len;
    }
    if (run->at != before) {
        run->visited += (run->at - before) / SKIP_BYTES_PER_STEP;
        next_round(run->work); /* an assertion that failed where we were may hold here */
    }
}

/* Moves every thread of `from` over one character; what survives is in `to`. */
static void step(struct run *run, const struct threads *from, struct threads *to)
{
    size_t len = 0;
    const uint32_t code_point = regex_decode(span_of(run->text.data + run->at, run->text.len - run->at), &len);
    run->at += len;
    next_round(run->work);
    to->count = 0;
    for (size_t i = 0; i < from->count; i++) {
        run->visited++;
        if (takes(run, &run->regex->code[from->at[i]], code_point)) {
            add_thread(run, to, (size_t)from->at[i] + 1);
        }
    }
}

enum err regex_match(const struct regex *regex, struct span text, struct regex_work *work, bool *out_match)
{
    struct run run = {.regex = regex, .text = text, .work = work, .visited = 1};
    size_t current = 0;
    work->lists[current].count = 0;
    next_round(work);
    for (;;) {
        struct threads *threads = &work->lists[current];
        if (threads->count == 0 && regex->may_skip) {
            skip_dull(&run);
        }
        if (run.at == 0 || !regex->anchored) {
            add_thread(&run, threads, 0);
        }
        TRY(regex_work_spend(work, run.visited));
        run.visited = 0;
        const bool dead = threads->count == 0 && regex->anchored;
        if (run.matched || run.at >= text.len || dead) {
            break;
        }
        step(&run, threads, &work->lists[1 - current]);
        current = 1 - current;
    }
    *out_match = run.matched;
    return ERR_OK;
}
