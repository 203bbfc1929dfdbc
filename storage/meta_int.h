/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names of what is kept in ENGINE_META. For this folder only.
 *
 *   'F'                      format: version(4), in clear
 *   'K' table(4)             the wrapped table key
 *   'E' table(4) epoch(4)    the epoch's salt, in clear
 *   'D' table(4)             sealed: definition (table.c)
 *   'C' table(4)             sealed: rows(8) | freshness hash(32)
 *   'O' table(4) owner(16)   sealed: rows of that owner(8); owner = HMAC of created_by, cut
 *   'N'                      sealed under table 0: next table id(4) | next index id(4) | tables(4)
 *   'X' index(4) table(4)    sealed under table 0: what a drop left is to be deleted (txn_clear.c) */
#ifndef STORAGE_META_INT_H
#define STORAGE_META_INT_H

#include <string.h>

#include "hal/base/buf.h"
#include "hal/base/span.h"
#include "storage/id.h"
#include "storage/store.h"

#define META_FORMAT_VERSION 2
#define META_OWNER_BYTES    16
#define META_COUNT_BYTES    40
#define META_IDS_BYTES      12
#define META_CLEAR_BYTES    9                      /* of the name */
#define META_REST_MAX       (4 + META_OWNER_BYTES) /* of a name: table and owner */

enum meta_kind {
    META_FORMAT = 'F',
    META_KEY = 'K',
    META_EPOCH = 'E',
    META_TABLE = 'D',
    META_COUNT = 'C',
    META_OWNER = 'O',
    META_IDS = 'N',
    META_CLEAR = 'X'
};

struct meta_name {
    uint8_t bytes[1 + META_REST_MAX];
    size_t len;
};

static inline struct span meta_span(const struct meta_name *name)
{
    return span_of(name->bytes, name->len);
}

/* rest is at most META_REST_MAX bytes. */
static inline struct meta_name meta_name_of(enum meta_kind kind, struct span rest)
{
    struct meta_name name = {.bytes = {(uint8_t)kind}, .len = 1 + rest.len};

    if (rest.len > 0) {
        memcpy(name.bytes + 1, rest.data, rest.len);
    }
    return name;
}

static inline struct meta_name meta_name_table(enum meta_kind kind, struct table_id table)
{
    uint8_t id[4] = {0};

    put_u32be(id, table.value);
    return meta_name_of(kind, span_array(id));
}

static inline struct meta_name meta_name_epoch(struct table_id table, uint32_t epoch)
{
    uint8_t rest[8] = {0};

    put_u32be(rest, table.value);
    put_u32be(rest + 4, epoch);
    return meta_name_of(META_EPOCH, span_array(rest));
}

static inline struct meta_name meta_name_clear(struct table_id table, struct index_id index)
{
    uint8_t rest[META_CLEAR_BYTES - 1] = {0};

    put_u32be(rest, index.value);
    put_u32be(rest + 4, table.value);
    return meta_name_of(META_CLEAR, span_array(rest));
}

static inline struct meta_name meta_name_owner(struct table_id table, const uint8_t owner[META_OWNER_BYTES])
{
    uint8_t rest[4 + META_OWNER_BYTES] = {0};

    put_u32be(rest, table.value);
    memcpy(rest + 4, owner, META_OWNER_BYTES);
    return meta_name_of(META_OWNER, span_array(rest));
}

#endif
