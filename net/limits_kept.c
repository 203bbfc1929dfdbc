/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Counters as bytes, a block of them at a time:
 *
 *   version(1) | block(1) | seed(16) | when, s(8) | any number of times: place(2) | cell(8)
 *
 * With the time goes the whole end of each window. One that is over, or whose end lies further ahead than any window does,
 * is not read: neither a long sleep nor another clock makes an old count a new one. The seed is a secret of the box, as
 * the bytes are, which are sealed where they lie. */
#include "hal/base/fault.h"
#include "net/limits_int.h"

#define VERSION     1
#define SECONDS_MAX (INT64_MAX / 2)

_Static_assert(LIMITS_KEPT_BYTES == 1 + 1 + LIMITS_SEED_BYTES + 8 + LIMITS_BLOCK_CELLS * 10, "room for a full block");
_Static_assert(LIMITS_KEPT_BLOCKS * LIMITS_BLOCK_CELLS == LIMITS_KEPT_CELLS, "blocks are whole");

static int64_t seconds(struct wall_time now)
{
    return now.ms > 0 ? now.ms / 1000 : 0;
}

/* When the window of a cell ends; 0: it is empty, or over. */
static int64_t end_of(uint64_t cell, int64_t now_s)
{
    const uint64_t end = (cell >> LIMITS_END_SHIFT) & LIMITS_END_MASK;
    const uint64_t left = (end - (uint64_t)now_s) & LIMITS_END_MASK;

    return cell == 0 || left == 0 || left > LIMITS_WINDOW_S_MAX ? 0 : now_s + (int64_t)left;
}

bool limits_kept_changed(const struct limits *limits, uint32_t block)
{
    return atomic_load(&limits->changed[block]);
}

void limits_kept_unsaved(struct limits *limits, uint32_t block)
{
    atomic_store(&limits->changed[block], true);
}

static enum err write_cells(const struct limits *limits, uint32_t block, int64_t now_s, struct buf *out)
{
    const _Atomic uint64_t *const cells = limits->kept.cells + (size_t)block * LIMITS_BLOCK_CELLS;

    for (uint32_t i = 0; i < LIMITS_BLOCK_CELLS; i++) {
        const uint64_t cell = atomic_load(&cells[i]);
        if (end_of(cell, now_s) != 0) {
            TRY(buf_put_u16be(out, (uint16_t)i));
            TRY(buf_put_u64be(out, cell));
        }
    }
    return ERR_OK;
}

enum err limits_kept_write(struct limits *limits, uint32_t block, struct wall_time now, struct buf *out)
{
    INVARIANT(block < LIMITS_KEPT_BLOCKS);
    atomic_store(&limits->changed[block], false); /* first: what is counted from here on is another change */
    TRY(buf_put_u8(out, VERSION));
    TRY(buf_put_u8(out, (uint8_t)block));
    TRY(buf_put_u64be(out, limits->kept.seed[0]));
    TRY(buf_put_u64be(out, limits->kept.seed[1]));
    TRY(buf_put_u64be(out, (uint64_t)seconds(now)));
    TRY(write_cells(limits, block, seconds(now), out));
    return ERR_OK;
}

/* From when the block was written to now. */
struct times {
    int64_t written_s, now_s;
};

static enum err read_cell(struct limits *limits, uint8_t block, const struct times *times, struct reader *reader)
{
    uint16_t place = 0;
    uint64_t cell = 0;

    TRY(reader_get_u16be(reader, &place));
    TRY(reader_get_u64be(reader, &cell));
    const int64_t end_s = end_of(cell, times->written_s);
    ENSURE(place < LIMITS_BLOCK_CELLS && cell >> LIMITS_TAG_SHIFT != 0 && end_s != 0, ERR_MALFORMED,
           "a counter that was never written");
    if (end_s > times->now_s && end_s - times->now_s <= (int64_t)LIMITS_WINDOW_S_MAX) {
        atomic_store(&limits->kept.cells[(size_t)block * LIMITS_BLOCK_CELLS + place], cell);
    }
    return ERR_OK;
}

enum err limits_kept_read(struct limits *limits, struct span bytes, struct wall_time now)
{
    struct reader reader = reader_of(bytes);
    uint8_t version = 0;
    uint8_t block = 0;
    uint64_t seed[2] = {0, 0};
    uint64_t written_s = 0;

    TRY(reader_get_u8(&reader, &version));
    TRY(reader_get_u8(&reader, &block));
    TRY(reader_get_u64be(&reader, &seed[0]));
    TRY(reader_get_u64be(&reader, &seed[1]));
    TRY(reader_get_u64be(&reader, &written_s));
    ENSURE(version == VERSION && block < LIMITS_KEPT_BLOCKS && written_s <= SECONDS_MAX, ERR_MALFORMED,
           "counters of another form");
    const struct times times = {(int64_t)written_s, seconds(now)};
    if (limits->restored && (seed[0] != limits->kept.seed[0] || seed[1] != limits->kept.seed[1])) {
        return ERR_OK; /* of another life of the table: its hashes mean nothing here */
    }
    limits->restored = true;
    limits->kept.seed[0] = seed[0];
    limits->kept.seed[1] = seed[1];
    while (reader.rest.len > 0) {
        TRY(read_cell(limits, block, &times, &reader));
    }
    return ERR_OK;
}
