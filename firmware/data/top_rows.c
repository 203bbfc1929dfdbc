/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A heap with the worst row on top. When a key does not fit, worst rows are dropped, and the number that may be kept
 * shrinks to what is left: a later row must then be better than the worst one, so what is kept stays the best prefix. */
#include "firmware/data/top_rows.h"

#include <stdlib.h>
#include <string.h>

#include "firmware/data/value.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/base/num.h"

#define CONTAINER_KEY_MAX 1024

struct entry {
    struct row_id id;
    struct row_value key;
    void *bytes; /* owned: what key.bytes points at, or NULL */
};

typedef int order_function(const void *a, const void *b);

struct top_rows {
    order_function *order;
    struct entry *entries;
    size_t count;
    size_t most;
    size_t room;      /* entries that the memory holds */
    size_t key_bytes; /* owned by entries */
    size_t key_budget;
    bool has_floor;
    struct entry floor; /* the last row of the pass before */
};

static int order_ascending(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;
    const int order = value_compare(&x->key, &y->key);
    return order != 0 ? order : row_id_compare(x->id, y->id);
}

static int order_descending(const void *a, const void *b)
{
    return order_ascending(b, a);
}

enum err top_rows_new(uint64_t most, size_t memory_bytes, bool descending, struct top_rows **out_rows)
{
    void *memory = NULL;
    void *entries = NULL;
    ENSURE(memory_bytes >= TOP_ROWS_BYTES_MIN, ERR_BUG, "too little memory to sort in");
    const size_t fit = memory_bytes / 2 / sizeof(struct entry);
    const size_t room = most < fit ? (size_t)most : fit;
    TRY(mem_alloc(sizeof(struct top_rows), &memory));
    struct top_rows *rows = memory;
    const enum err err = mem_alloc_array(room, sizeof(struct entry), &entries);
    if (err != ERR_OK) {
        mem_free(rows);
        FAIL(err, "no memory to sort in", 0);
    }
    rows->order = descending ? order_descending : order_ascending;
    rows->entries = entries;
    rows->room = room;
    rows->most = room;
    rows->key_budget = memory_bytes / 2;
    *out_rows = rows;
    return ERR_OK;
}

static void drop_all(struct top_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        mem_free(rows->entries[i].bytes);
    }
    rows->count = 0;
    rows->key_bytes = 0;
}

void top_rows_free(struct top_rows *rows)
{
    if (rows == NULL) {
        return;
    }
    drop_all(rows);
    if (rows->has_floor) {
        mem_free(rows->floor.bytes);
    }
    mem_free(rows->entries);
    mem_free(rows);
}

static void swap(struct top_rows *rows, size_t a, size_t b)
{
    const struct entry entry = rows->entries[a];
    rows->entries[a] = rows->entries[b];
    rows->entries[b] = entry;
}

static void sift_up(struct top_rows *rows, size_t from)
{
    for (size_t at = from; at > 0 && rows->order(&rows->entries[(at - 1) / 2], &rows->entries[at]) < 0;) {
        swap(rows, at, (at - 1) / 2);
        at = (at - 1) / 2;
    }
}

static void sift_down(struct top_rows *rows)
{
    size_t at = 0;
    for (;;) {
        size_t worst = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < rows->count; child++) {
            worst = rows->order(&rows->entries[worst], &rows->entries[child]) < 0 ? child : worst;
        }
        if (worst == at) {
            return;
        }
        swap(rows, at, worst);
        at = worst;
    }
}

static size_t owned_bytes(const struct entry *entry)
{
    return entry->bytes == NULL ? 0 : entry->key.bytes.len;
}

static void drop_worst(struct top_rows *rows)
{
    rows->key_bytes -= owned_bytes(&rows->entries[0]);
    mem_free(rows->entries[0].bytes);
    rows->count--;
    rows->entries[0] = rows->entries[rows->count];
    sift_down(rows);
}

static struct row_value key_of(const struct row_value *key)
{
    struct row_value cut = *key;
    if (key->type == ROW_OBJECT || key->type == ROW_ARRAY) {
        cut.bytes.len = num_min(cut.bytes.len, CONTAINER_KEY_MAX);
    } else if (key->type != ROW_STRING) {
        cut.bytes = SPAN_NONE;
    }
    return cut;
}

/* Makes room for a key by giving up the worst rows. False if the new row would be the worst itself. */
static bool make_room(struct top_rows *rows, const struct entry *entry)
{
    while (rows->count > 0 && rows->key_bytes + entry->key.bytes.len > rows->key_budget) {
        if (rows->order(entry, &rows->entries[0]) > 0) {
            rows->most = rows->count;
            return false;
        }
        drop_worst(rows);
        rows->most = rows->count + 1;
    }
    return true;
}

enum err top_rows_offer(struct top_rows *rows, struct row_id id, const struct row_value *key)
{
    struct entry entry = {.id = id, .key = key_of(key)};
    ENSURE(entry.key.bytes.len <= rows->key_budget, ERR_RANGE, "a sort key is larger than the memory to sort in");
    if (rows->most == 0 || (rows->has_floor && rows->order(&entry, &rows->floor) <= 0)) {
        return ERR_OK;
    }
    if (rows->count == rows->most) {
        if (rows->order(&entry, &rows->entries[0]) > 0) {
            return ERR_OK;
        }
        drop_worst(rows);
    }
    if (!make_room(rows, &entry)) {
        return ERR_OK;
    }
    if (entry.key.bytes.len > 0) {
        TRY(mem_alloc(entry.key.bytes.len, &entry.bytes));
        memcpy(entry.bytes, entry.key.bytes.data, entry.key.bytes.len);
        entry.key.bytes = span_of(entry.bytes, entry.key.bytes.len);
        rows->key_bytes += entry.key.bytes.len;
    }
    rows->entries[rows->count] = entry;
    rows->count++;
    sift_up(rows, rows->count - 1);
    return ERR_OK;
}

size_t top_rows_sort(struct top_rows *rows)
{
    if (rows->count > 0) {
        qsort(rows->entries, rows->count, sizeof(rows->entries[0]), rows->order);
    }
    return rows->count;
}

struct row_id top_rows_id(const struct top_rows *rows, size_t position)
{
    INVARIANT(position < rows->count);
    return rows->entries[position].id;
}

void top_rows_next_pass(struct top_rows *rows)
{
    if (rows->count > 0) {
        if (rows->has_floor) {
            mem_free(rows->floor.bytes);
        }
        rows->count--;
        rows->floor = rows->entries[rows->count];
        rows->has_floor = true;
    }
    drop_all(rows);
    rows->most = rows->room;
}
