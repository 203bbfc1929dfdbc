/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of counters. A key's hash names a set of WAYS cells and a tag; a cell is one 64-bit word that is only ever
 * changed by compare-and-swap, so a counter is never half written and two threads never both take the last unit.
 *
 *   rate:  tag(22) | end of the window in seconds(18) | count(24)        0 is an empty cell
 *   hold:  tag(40) | count(24)
 *
 * A rate cell is reused for another key when its window is over, the oldest first. A hold cell is empty again when its
 * count reaches 0. Where the end of a window is compared, it is compared modulo 2^18 s (three days) with windows of one
 * day at most, so a cell that nobody touched for days may live a little longer and no more.
 *
 * Rates that are kept (limits_kept.c) have a table of their own, in which each cell has cost somebody a password hash: what is
 * counted for free, such as requests of strangers, cannot push them out. */
#include "net/limits.h"

#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/base/num.h"
#include "net/limits_int.h"

#define WAYS     LIMITS_WAYS
#define KEYS_MAX ((size_t)1 << 24)
#define TRIES_MAX 100000u /* a try fails only when another thread has succeeded */

#define COUNT_MASK UINT64_C(0xffffff)
#define END_MASK       LIMITS_END_MASK
#define END_SHIFT      LIMITS_END_SHIFT
#define RATE_TAG_SHIFT LIMITS_TAG_SHIFT
#define HOLD_TAG_SHIFT 24u

_Static_assert(LIMITS_COUNT_MAX == COUNT_MASK, "a count fits its place in a cell");
_Static_assert(2 * LIMITS_WINDOW_S_MAX < END_MASK, "two ends of windows are told apart");

/* --- SipHash-2-4 (Aumasson, Bernstein 2012) of an 8-byte prefix and the key --- */

static uint64_t rotate(uint64_t value, unsigned int bits)
{
    return (value << bits) | (value >> (64 - bits));
}

static uint64_t little_endian(const uint8_t *bytes, size_t len)
{
    uint64_t value = 0;

    for (size_t i = 0; i < len; i++) {
        value |= (uint64_t)bytes[i] << (8 * i);
    }
    return value;
}

static void sip_rounds(uint64_t v[4], unsigned int rounds)
{
    for (unsigned int i = 0; i < rounds; i++) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = rotate(v[1], 13) ^ v[0];
        v[3] = rotate(v[3], 16) ^ v[2];
        v[0] = rotate(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = rotate(v[1], 17) ^ v[2];
        v[3] = rotate(v[3], 21) ^ v[0];
        v[2] = rotate(v[2], 32);
    }
}

static void sip_block(uint64_t v[4], uint64_t block)
{
    v[3] ^= block;
    sip_rounds(v, 2);
    v[0] ^= block;
}

static uint64_t sip_hash(const uint64_t seed[2], uint64_t prefix, struct span key)
{
    uint64_t v[4] = {seed[0] ^ UINT64_C(0x736f6d6570736575), seed[1] ^ UINT64_C(0x646f72616e646f6d),
                     seed[0] ^ UINT64_C(0x6c7967656e657261), seed[1] ^ UINT64_C(0x7465646279746573)};
    size_t at = 0;

    sip_block(v, prefix);
    for (; key.len - at >= 8; at += 8) {
        sip_block(v, little_endian(key.data + at, 8));
    }
    const uint64_t tail = key.len - at == 0 ? 0 : little_endian(key.data + at, key.len - at);

    sip_block(v, tail | ((uint64_t)(key.len + 8) << 56));
    v[2] ^= 0xff;
    sip_rounds(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* --- life --- */

enum err limits_new(size_t keys, const uint8_t seed[LIMITS_SEED_BYTES], struct limits **out_limits)
{
    void *memory = NULL;
    void *rates = NULL;
    void *holds = NULL;
    void *kept = NULL;
    size_t sets = 1;

    ENSURE(keys > 0 && keys <= KEYS_MAX, ERR_RANGE, "size of the table of limits");
    while (sets * WAYS < 2 * keys) { /* half full, so that a set seldom overflows */
        sets *= 2;
    }
    TRY(mem_alloc(sizeof(struct limits), &memory));
    struct limits *const limits = memory;

    if (mem_alloc_array(sets * WAYS, sizeof(*limits->rates.cells), &rates) != ERR_OK ||
        mem_alloc_array(sets * WAYS, sizeof(*limits->holds), &holds) != ERR_OK ||
        mem_alloc_array(LIMITS_KEPT_CELLS, sizeof(*limits->kept.cells), &kept) != ERR_OK) {
        mem_free(rates);
        mem_free(holds);
        mem_free(limits);
        FAIL(ERR_NO_MEMORY, "no memory for the table of limits", sets);
    }
    limits->rates = (struct limits_rates){
        .seed = {little_endian(seed, 8), little_endian(seed + 8, 8)}, .sets = sets, .cells = rates};
    limits->kept = limits->rates;
    limits->kept.sets = LIMITS_KEPT_SETS;
    limits->kept.cells = kept;
    limits->holds = holds;
    *out_limits = limits;
    return ERR_OK;
}

void limits_free(struct limits *limits)
{
    if (limits == NULL) {
        return;
    }
    mem_free(limits->rates.cells);
    mem_free(limits->kept.cells);
    mem_free(limits->holds);
    mem_wipe(&limits->rates, sizeof(limits->rates));
    mem_wipe(&limits->kept, sizeof(limits->kept));
    mem_free(limits);
}

/* --- rates --- */

/* One key at one time, as cells see it. */
struct rate_key {
    _Atomic uint64_t *cells; /* of its set */
    uint64_t tag;            /* never 0 */
    uint64_t end;            /* modulo 2^END_BITS */
    uint64_t now;            /* the same */
    int64_t end_s;
};

static uint64_t cell_count(uint64_t cell)
{
    return cell & COUNT_MASK;
}

static uint64_t cell_end(uint64_t cell)
{
    return (cell >> END_SHIFT) & END_MASK;
}

static uint64_t rate_cell(const struct rate_key *key, uint64_t end, uint64_t count)
{
    return key->tag << RATE_TAG_SHIFT | end << END_SHIFT | count;
}

static bool is_kept(const struct limits_rule *rule)
{
    return rule->kind >= LIMITS_KIND_KEPT;
}

/* Counted, so what was written of the block is no longer what there is. */
static void note_change(struct limits *limits, const struct limits_rule *rule, const _Atomic uint64_t *cell)
{
    if (is_kept(rule)) {
        atomic_store(&limits->changed[(size_t)(cell - limits->kept.cells) / LIMITS_BLOCK_CELLS], true);
    }
}

static struct rate_key rate_key_of(struct limits *limits, const struct limits_rule *rule, struct span key,
                                   struct wall_time now)
{
    const int64_t now_s = now.ms > 0 ? now.ms / 1000 : 0;
    const struct limits_rates *rates = is_kept(rule) ? &limits->kept : &limits->rates;
    const uint64_t hash = sip_hash(rates->seed, (uint64_t)rule->kind << 32 | rule->window_s, key);
    const uint64_t tag = hash >> RATE_TAG_SHIFT;
    const int64_t end_s = (now_s / rule->window_s + 1) * rule->window_s;

    return (struct rate_key){
        .cells = rates->cells + (size_t)(hash & (rates->sets - 1)) * WAYS,
        .tag = tag == 0 ? 1 : tag,
        .end = (uint64_t)end_s & END_MASK,
        .now = (uint64_t)now_s & END_MASK,
        .end_s = end_s,
    };
}

/* How long ago the window of a cell ended; 0 if it has not. */
static uint64_t cell_age(uint64_t cell, uint64_t now)
{
    const uint64_t left = (cell_end(cell) - now) & END_MASK;

    return left > 0 && left <= LIMITS_WINDOW_S_MAX ? 0 : 1 + ((now - cell_end(cell)) & END_MASK);
}

/* Is `a` a better place for a new key than `b`? Empty, then long over, then the smallest count. */
static bool better_place(uint64_t a, uint64_t b, uint64_t now)
{
    if (b == 0 || a == 0) {
        return b != 0;
    }
    const uint64_t age_a = cell_age(a, now);
    const uint64_t age_b = cell_age(b, now);

    return age_a != age_b ? age_a > age_b : cell_count(a) < cell_count(b);
}

struct place {
    _Atomic uint64_t *cell;
    uint64_t seen; /* what stood in it */
    bool found;    /* it is the key's own */
};

static struct place find_rate(const struct rate_key *key)
{
    struct place best = {0};

    for (size_t i = 0; i < WAYS; i++) {
        const uint64_t cell = atomic_load(&key->cells[i]);

        if (cell >> RATE_TAG_SHIFT == key->tag) {
            return (struct place){&key->cells[i], cell, true};
        }
        if (best.cell == NULL || better_place(cell, best.seen, key->now)) {
            best = (struct place){&key->cells[i], cell, false};
        }
    }
    return best;
}

/* The count that holds for this key now, and the end of the window it belongs to. Another thread may have read the clock
 * a moment later and begun the next window already: then that one holds. */
static uint64_t current_count(const struct rate_key *key, const struct limits_rule *rule, const struct place *place,
                              uint64_t *out_end)
{
    const uint64_t ahead = (cell_end(place->seen) - key->end) & END_MASK;

    if (place->found && ahead <= rule->window_s) {
        *out_end = cell_end(place->seen);
        return cell_count(place->seen);
    }
    *out_end = key->end;
    return 0;
}

static void fill_state(const struct rate_key *key, const struct limits_rule *rule, uint64_t end, uint64_t count,
                       struct limits_state *out_state)
{
    out_state->remaining = count >= rule->limit ? 0 : (uint32_t)(rule->limit - count);
    out_state->reset_s = key->end_s + (int64_t)((end - key->end) & END_MASK);
}

static bool rule_holds(const struct limits_rule *rule)
{
    return rule->limit > 0 && rule->limit <= LIMITS_COUNT_MAX && rule->window_s > 0 &&
           rule->window_s <= LIMITS_WINDOW_S_MAX;
}

enum err limits_take(struct limits *limits, const struct limits_rule *rule, struct span key, struct wall_time now,
                     struct limits_state *out_state)
{
    INVARIANT(rule_holds(rule));
    const struct rate_key rate = rate_key_of(limits, rule, key, now);

    for (unsigned int i = 0; i < TRIES_MAX; i++) {
        struct place place = find_rate(&rate);
        uint64_t end = 0;
        const uint64_t count = current_count(&rate, rule, &place, &end);

        if (count >= rule->limit) {
            fill_state(&rate, rule, end, count, out_state);
            return ERR_LIMIT;
        }
        if (atomic_compare_exchange_strong(place.cell, &place.seen, rate_cell(&rate, end, count + 1))) {
            note_change(limits, rule, place.cell);
            fill_state(&rate, rule, end, count + 1, out_state);
            return ERR_OK;
        }
    }
    fill_state(&rate, rule, rate.end, rule->limit, out_state);
    return ERR_LIMIT;
}

enum err limits_look(struct limits *limits, const struct limits_rule *rule, struct span key, struct wall_time now,
                     struct limits_state *out_state)
{
    INVARIANT(rule_holds(rule));
    const struct rate_key rate = rate_key_of(limits, rule, key, now);
    const struct place place = find_rate(&rate);
    uint64_t end = 0;
    const uint64_t count = current_count(&rate, rule, &place, &end);

    fill_state(&rate, rule, end, count, out_state);
    return count >= rule->limit ? ERR_LIMIT : ERR_OK;
}

/* --- holds --- */

struct hold_key {
    _Atomic uint64_t *cells;
    uint64_t tag; /* never 0 */
};

static struct hold_key hold_key_of(struct limits *limits, uint32_t kind, struct span key)
{
    const uint64_t hash = sip_hash(limits->rates.seed, (uint64_t)kind << 32 | UINT32_MAX, key);
    const uint64_t tag = hash >> HOLD_TAG_SHIFT;

    return (struct hold_key){
        .cells = limits->holds + (size_t)(hash & (limits->rates.sets - 1)) * WAYS,
        .tag = tag == 0 ? 1 : tag,
    };
}

/* The key's own cell, or else the first empty one; cell is NULL when the set is full. */
static struct place find_hold(const struct hold_key *key)
{
    struct place best = {0};

    for (size_t i = 0; i < WAYS; i++) {
        const uint64_t cell = atomic_load(&key->cells[i]);

        if (cell >> HOLD_TAG_SHIFT == key->tag) {
            return (struct place){&key->cells[i], cell, true};
        }
        if (best.cell == NULL && cell == 0) {
            best = (struct place){&key->cells[i], cell, false};
        }
    }
    return best;
}

enum err limits_hold(struct limits *limits, uint32_t kind, struct span key, uint32_t limit)
{
    const struct hold_key hold = hold_key_of(limits, kind, key);

    for (unsigned int i = 0; i < TRIES_MAX; i++) {
        struct place place = find_hold(&hold);

        if (place.cell == NULL || cell_count(place.seen) >= num_min(limit, LIMITS_COUNT_MAX)) {
            return ERR_LIMIT;
        }
        if (atomic_compare_exchange_strong(place.cell, &place.seen,
                                           hold.tag << HOLD_TAG_SHIFT | (cell_count(place.seen) + 1))) {
            return ERR_OK;
        }
    }
    return ERR_LIMIT;
}

void limits_drop(struct limits *limits, uint32_t kind, struct span key)
{
    const struct hold_key hold = hold_key_of(limits, kind, key);

    for (;;) { /* ends: each failure is a success of another thread */
        struct place place = find_hold(&hold);

        INVARIANT(place.cell != NULL && place.found && cell_count(place.seen) > 0);
        const uint64_t left = cell_count(place.seen) - 1;

        if (atomic_compare_exchange_strong(place.cell, &place.seen,
                                           left == 0 ? 0 : hold.tag << HOLD_TAG_SHIFT | left)) {
            return;
        }
    }
}
