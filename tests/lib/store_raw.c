/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/store_raw.h"

#include <stdlib.h>
#include <string.h>

#include "hal/base/buf.h"

static void must(enum err err)
{
    if (err != ERR_OK) {
        abort();
    }
}

static struct engine *open_engine(struct store_box *box)
{
    const struct engine_config config = {.path = box->path, .map_bytes = UINT64_C(64) << 20, .readers_max = 16};
    struct engine *engine = NULL;

    must(engine_open(&config, &engine));
    return engine;
}

/* The cursor on the n-th entry; entries are looked for one by one, since the order of an index needs its key. */
static bool stand_on(struct engine_cursor *cursor, struct span prefix, size_t n, struct span *out_key,
                     struct span *out_value)
{
    size_t seen = 0;
    enum err err = engine_cursor_step(cursor, ENGINE_FIRST, out_key, out_value);

    while (err == ERR_OK) {
        if (span_starts_with(*out_key, prefix)) {
            if (seen == n) {
                return true;
            }
            seen++;
        }
        err = engine_cursor_step(cursor, ENGINE_NEXT, out_key, out_value);
    }
    return false;
}

bool raw_find(struct store_box *box, enum engine_map map, struct span prefix, size_t n, struct raw *out_raw)
{
    struct engine *engine = open_engine(box);
    struct engine_txn *txn = NULL;
    struct engine_cursor *cursor = NULL;
    struct span key = SPAN_NONE;
    struct span value = SPAN_NONE;

    must(engine_read_begin(engine, &txn));
    must(engine_cursor_new(txn, map, &cursor));
    const bool found = stand_on(cursor, prefix, n, &key, &value);
    if (found && value.len <= RAW_VALUE_MAX) {
        memcpy(out_raw->key, key.data, key.len);
        out_raw->key_len = key.len;
        if (value.len > 0) {
            memcpy(out_raw->value, value.data, value.len);
        }
        out_raw->value_len = value.len;
    }
    engine_cursor_free(cursor);
    engine_abort(txn);
    engine_close(engine);
    return found;
}

void raw_put(struct store_box *box, enum engine_map map, const struct raw *raw)
{
    struct engine *engine = open_engine(box);
    struct engine_txn *txn = NULL;

    must(engine_write_begin(engine, &txn));
    must(engine_put(txn, map, span_of(raw->key, raw->key_len), span_of(raw->value, raw->value_len)));
    must(engine_commit(txn));
    engine_close(engine);
}

void raw_delete(struct store_box *box, enum engine_map map, struct span prefix, size_t n)
{
    struct engine *engine = open_engine(box);
    struct engine_txn *txn = NULL;
    struct engine_cursor *cursor = NULL;
    struct span key = SPAN_NONE;
    struct span value = SPAN_NONE;

    must(engine_write_begin(engine, &txn));
    must(engine_cursor_new(txn, map, &cursor));
    if (!stand_on(cursor, prefix, n, &key, &value)) {
        abort();
    }
    must(engine_cursor_delete(cursor));
    engine_cursor_free(cursor);
    must(engine_commit(txn));
    engine_close(engine);
}

struct raw_prefix raw_table(struct table_id table)
{
    struct raw_prefix prefix = {.len = 4};

    put_u32be(prefix.bytes, table.value);
    return prefix;
}

struct raw_prefix raw_index(struct index_id index)
{
    return raw_table((struct table_id){index.value});
}

struct raw_prefix raw_meta(char kind, struct table_id table)
{
    struct raw_prefix prefix = {.bytes = {(uint8_t)kind}, .len = 5};

    put_u32be(prefix.bytes + 1, table.value);
    return prefix;
}
