/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Somebody with the disk and no key: reads and changes what lies in the engine, behind the store's back. The box must be
 * closed (store_box_close) meanwhile. Every call stops the test program when the engine refuses. */
#ifndef TESTS_LIB_STORE_RAW_H
#define TESTS_LIB_STORE_RAW_H

#include <stdbool.h>
#include <stddef.h>

#include "storage/engine_int.h"
#include "tests/lib/store_box.h"

#define RAW_VALUE_MAX 2048

struct raw {
    uint8_t key[ENGINE_KEY_MAX];
    size_t key_len;
    uint8_t value[RAW_VALUE_MAX];
    size_t value_len;
};

/* The n-th entry whose key begins with prefix; false if there are fewer. */
bool raw_find(struct store_box *box, enum engine_map map, struct span prefix, size_t n, struct raw *out_raw);
void raw_put(struct store_box *box, enum engine_map map, const struct raw *raw);
/* Deletes the n-th entry whose key begins with prefix. */
void raw_delete(struct store_box *box, enum engine_map map, struct span prefix, size_t n);

/* Prefixes: all rows of a table, all entries of an index, the records of a kind of a table. */
struct raw_prefix {
    uint8_t bytes[5];
    size_t len;
};
struct raw_prefix raw_table(struct table_id table);
struct raw_prefix raw_index(struct index_id index);
struct raw_prefix raw_meta(char kind, struct table_id table);
#define RAW_SPAN(prefix) span_of((prefix).bytes, (prefix).len)

#endif
