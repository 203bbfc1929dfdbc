/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The freshness hash of a table: a sum modulo 2^256 of one keyed term for each row. A row that is put back in an older
 * version, taken out, or added, changes the sum, and nobody without the table's key can make up for it. A sum, unlike a
 * chain, is updated in any order with two HMACs a write. */
#include <string.h>

#include "crypto/ct.h"
#include "hal/base/fault.h"
#include "storage/store_int.h"

enum err fresh_term(struct key_cache *cache, const struct table *table, const uint8_t key[ROW_KEY_BYTES],
                    struct span sealed, uint8_t out_term[FRESH_BYTES])
{
    const struct hmac_key *hmac = NULL;

    ENSURE(sealed.len >= SEAL_OVERHEAD, ERR_DAMAGED, "sealed row cut short");
    TRY(key_cache_mac(cache, table, KEY_FRESHNESS, &hmac));
    const struct span parts[] = {
        span_of(key, ROW_KEY_BYTES),
        span_of(sealed.data, SEAL_HEADER_BYTES),
        span_of(sealed.data + sealed.len - AEAD_TAG_BYTES, AEAD_TAG_BYTES),
    };
    hmac_key_mac(hmac, parts, ARRAY_LENGTH(parts), out_term);
    return ERR_OK;
}

void fresh_add(struct fresh *fresh, const uint8_t term[FRESH_BYTES])
{
    unsigned int carry = 0;

    for (size_t at = FRESH_BYTES; at-- > 0;) {
        carry += (unsigned int)fresh->sum[at] + term[at];
        fresh->sum[at] = (uint8_t)(carry & 0xff);
        carry >>= 8;
    }
    fresh->rows++;
}

void fresh_subtract(struct fresh *fresh, const uint8_t term[FRESH_BYTES])
{
    unsigned int borrow = 0;

    for (size_t at = FRESH_BYTES; at-- > 0;) {
        const unsigned int difference = 0x100u + fresh->sum[at] - term[at] - borrow;
        fresh->sum[at] = (uint8_t)(difference & 0xff);
        borrow = difference > 0xff ? 0 : 1;
    }
    fresh->rows--;
}

enum err fresh_load(const struct seal_reader *opener, const struct table *table, struct fresh *out_fresh)
{
    const struct meta_name name = meta_name_table(META_COUNT, table->id);
    uint8_t bytes[META_COUNT_BYTES] = {0};

    const enum err err = meta_load(opener, table, SEAL_COUNT, &name, bytes, sizeof(bytes));
    ENSURE(err != ERR_NOT_FOUND, ERR_DAMAGED, "a table without counters");
    TRY(err);
    out_fresh->rows = get_u64be(bytes);
    memcpy(out_fresh->sum, bytes + 8, FRESH_BYTES);
    return ERR_OK;
}

void fresh_write(const struct fresh *fresh, uint8_t out_bytes[META_COUNT_BYTES])
{
    put_u64be(out_bytes, fresh->rows);
    memcpy(out_bytes + 8, fresh->sum, FRESH_BYTES);
}

static enum err sum_up(const struct seal_reader *opener, const struct table *table, struct engine_cursor *cursor,
                       struct fresh *fresh)
{
    uint8_t start[ROW_KEY_BYTES] = {0};
    uint8_t term[FRESH_BYTES] = {0};
    struct span key = SPAN_NONE;
    struct span sealed = SPAN_NONE;

    put_u32be(start, table->id.value);
    enum err err = engine_cursor_seek(cursor, span_array(start), &key, &sealed);
    while (err == ERR_OK && key.len == ROW_KEY_BYTES && memcmp(key.data, start, 4) == 0) {
        TRY(fresh_term(opener->cache, table, key.data, sealed, term));
        fresh_add(fresh, term);
        err = engine_cursor_step(cursor, ENGINE_NEXT, &key, &sealed);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err fresh_recount(const struct seal_reader *opener, const struct table *table, struct fresh *out_fresh)
{
    struct engine_cursor *cursor = NULL;
    struct fresh fresh = {.rows = 0};

    TRY(engine_cursor_new(opener->txn, ENGINE_ROWS, &cursor));
    const enum err err = sum_up(opener, table, cursor, &fresh);
    engine_cursor_free(cursor);
    TRY(err);
    *out_fresh = fresh;
    return ERR_OK;
}

bool fresh_equal(const struct fresh *a, const struct fresh *b)
{
    return a->rows == b->rows && ct_equal(span_array(a->sum), span_array(b->sum));
}

enum err fresh_verify(const struct seal_reader *opener, const struct table *table)
{
    struct fresh kept = {.rows = 0};
    struct fresh found = {.rows = 0};

    TRY(fresh_load(opener, table, &kept));
    TRY(fresh_recount(opener, table, &found));
    ENSURE(fresh_equal(&kept, &found), ERR_ROLLBACK, "rows are not those of the last commit");
    return ERR_OK;
}
