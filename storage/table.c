/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tables in memory, and their definitions as bytes.
 *
 * definition = version(1) | index count(1) | index*
 * index      = id(4) | flags(1): 1 unique, 2 sparse | field count(1) | field*
 * field      = column(2) | descending(1) | length(1) name | length(1) path */
#include "storage/table_int.h"

#include <string.h>

#include "crypto/aead.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "storage/index_int.h"

#define DEFINITION_VERSION 1
#define FLAG_UNIQUE        1
#define FLAG_SPARSE        2

/* --- keys --- */

static void table_key_free(struct snapshot *head)
{
    struct table_key *key = (struct table_key *)head;

    secret_free(key->secret);
    mem_free(key);
}

enum err table_key_new(struct secret_slab *slab, struct secret *take_key, struct table_key **out_key)
{
    SCOPED_SECRET struct secret *taken = take_key;
    void *memory = NULL;

    ENSURE(secret_len(taken) == AEAD_KEY_BYTES, ERR_MALFORMED, "table key of another size");
    TRY(mem_alloc(sizeof(struct table_key), &memory));
    struct table_key *key = memory;
    const enum err err = secret_new_in(slab, secret_reveal(taken), &key->secret);
    if (err != ERR_OK) {
        mem_free(key);
        return err;
    }
    snapshot_init(&key->head, table_key_free);
    *out_key = key;
    return ERR_OK;
}

/* --- tables --- */

static void table_free(struct snapshot *head)
{
    struct table *table = (struct table *)head;

    snapshot_unref(table->key == NULL ? NULL : &table->key->head);
    mem_free(table->indexes);
    mem_free(table->texts);
    mem_free(table);
}

void table_unref(struct table *table)
{
    snapshot_unref(table == NULL ? NULL : &table->head);
}

static size_t text_bytes(const struct store_index *indexes, size_t count)
{
    size_t bytes = 0;

    for (size_t at = 0; at < count; at++) {
        for (size_t field = 0; field < indexes[at].def.field_count; field++) {
            bytes += indexes[at].def.fields[field].field.name.len + indexes[at].def.fields[field].field.path.len;
        }
    }
    return bytes;
}

static struct span keep_text(uint8_t *texts, size_t *used, struct span text)
{
    const struct span kept = span_of(texts + *used, text.len);

    if (text.len > 0) {
        memcpy(texts + *used, text.data, text.len);
    }
    *used += text.len;
    return kept;
}

static void copy_indexes(struct table *table, const struct store_index *indexes)
{
    size_t used = 0;

    for (size_t at = 0; at < table->index_count; at++) {
        table->indexes[at] = indexes[at];
        struct index_def *def = &table->indexes[at].def;
        for (size_t field = 0; field < def->field_count; field++) {
            def->fields[field].field.name = keep_text(table->texts, &used, def->fields[field].field.name);
            def->fields[field].field.path = keep_text(table->texts, &used, def->fields[field].field.path);
        }
    }
}

static enum err check_indexes(const struct store_index *indexes, size_t count)
{
    ENSURE(count <= INDEX_PER_TABLE_MAX, ERR_RANGE, "too many indexes");
    for (size_t at = 0; at < count; at++) {
        const struct index_def *def = &indexes[at].def;
        ENSURE(def->field_count >= 1 && def->field_count <= INDEX_FIELDS_MAX, ERR_RANGE, "number of index fields");
        for (size_t field = 0; field < def->field_count; field++) {
            const struct row_field *name = &def->fields[field].field;
            ENSURE(name->name.len <= INDEX_FIELD_TEXT_MAX && name->path.len <= INDEX_FIELD_TEXT_MAX &&
                       name->name.len + name->path.len <= INDEX_FIELD_TEXT_MAX,
                   ERR_RANGE, "index field too long");
        }
    }
    return ERR_OK;
}

enum err table_new(struct table_id id, struct table_key *key, const struct store_index *indexes, size_t index_count,
                   struct table **out_table)
{
    void *memory = NULL;
    void *index_memory = NULL;
    void *texts = NULL;

    TRY(check_indexes(indexes, index_count));
    TRY(mem_alloc(sizeof(struct table), &memory));
    struct table *table = memory;
    snapshot_init(&table->head, table_free);
    if (mem_alloc_array(index_count, sizeof(struct store_index), &index_memory) != ERR_OK ||
        mem_alloc(text_bytes(indexes, index_count), &texts) != ERR_OK) {
        mem_free(index_memory);
        table_free(&table->head);
        FAIL(ERR_NO_MEMORY, "no memory for a table", index_count);
    }
    table->id = id;
    table->indexes = index_memory;
    table->index_count = index_count;
    table->texts = texts;
    copy_indexes(table, indexes);
    snapshot_ref(&key->head);
    table->key = key;
    *out_table = table;
    return ERR_OK;
}

const struct store_index *table_index(const struct table *table, struct index_id index)
{
    for (size_t at = 0; at < table->index_count; at++) {
        if (table->indexes[at].id.value == index.value) {
            return &table->indexes[at];
        }
    }
    return NULL;
}

/* --- definitions as bytes --- */

static enum err put_text(struct buf *out, struct span text)
{
    TRY(buf_put_u8(out, (uint8_t)text.len)); /* at most INDEX_FIELD_TEXT_MAX, see check_indexes() */
    return buf_put(out, text);
}

static enum err put_index(struct buf *out, const struct store_index *index)
{
    const struct index_def *def = &index->def;

    TRY(buf_put_u32be(out, index->id.value));
    TRY(buf_put_u8(out, (uint8_t)((def->unique ? FLAG_UNIQUE : 0) | (def->sparse ? FLAG_SPARSE : 0))));
    TRY(buf_put_u8(out, (uint8_t)def->field_count));
    for (size_t field = 0; field < def->field_count; field++) {
        TRY(buf_put_u16be(out, def->fields[field].field.column));
        TRY(buf_put_u8(out, def->fields[field].descending ? 1 : 0));
        TRY(put_text(out, def->fields[field].field.name));
        TRY(put_text(out, def->fields[field].field.path));
    }
    return ERR_OK;
}

enum err table_encode(const struct table *table, struct buf *out_bytes)
{
    TRY(buf_put_u8(out_bytes, DEFINITION_VERSION));
    TRY(buf_put_u8(out_bytes, (uint8_t)table->index_count));
    for (size_t at = 0; at < table->index_count; at++) {
        TRY(put_index(out_bytes, &table->indexes[at]));
    }
    return ERR_OK;
}

static enum err get_text(struct reader *reader, struct span *out_text)
{
    uint8_t len = 0;

    TRY(reader_get_u8(reader, &len));
    return reader_get(reader, len, out_text);
}

static enum err get_field(struct reader *reader, struct index_field *field)
{
    uint8_t descending = 0;

    TRY(reader_get_u16be(reader, &field->field.column));
    TRY(reader_get_u8(reader, &descending));
    TRY(get_text(reader, &field->field.name));
    TRY(get_text(reader, &field->field.path));
    field->descending = descending != 0;
    return ERR_OK;
}

static enum err get_index(struct reader *reader, struct store_index *index)
{
    uint8_t flags = 0;
    uint8_t fields = 0;

    TRY(reader_get_u32be(reader, &index->id.value));
    TRY(reader_get_u8(reader, &flags));
    TRY(reader_get_u8(reader, &fields));
    ENSURE(fields <= INDEX_FIELDS_MAX, ERR_MALFORMED, "too many fields");
    index->def.unique = (flags & FLAG_UNIQUE) != 0;
    index->def.sparse = (flags & FLAG_SPARSE) != 0;
    index->def.field_count = fields;
    for (size_t field = 0; field < fields; field++) {
        TRY(get_field(reader, &index->def.fields[field]));
    }
    return ERR_OK;
}

static void free_memory(void **memory)
{
    mem_free(*memory);
}

enum err table_decode(struct table_id id, struct table_key *key, struct span bytes, struct table **out_table)
{
    struct reader reader = reader_of(bytes);
    SCOPED(free_memory) void *memory = NULL;
    uint8_t version = 0;
    uint8_t count = 0;

    TRY(reader_get_u8(&reader, &version));
    ENSURE(version == DEFINITION_VERSION, ERR_VERSION, "definition of another version");
    TRY(reader_get_u8(&reader, &count));
    ENSURE(count <= INDEX_PER_TABLE_MAX, ERR_MALFORMED, "too many indexes");
    TRY(mem_alloc_array(count, sizeof(struct store_index), &memory));
    struct store_index *indexes = memory;
    for (size_t at = 0; at < count; at++) {
        TRY(get_index(&reader, &indexes[at]));
    }
    ENSURE(reader.rest.len == 0, ERR_MALFORMED, "bytes behind a definition");
    return table_new(id, key, indexes, count, out_table);
}

/* --- sets --- */

static void table_set_free(struct snapshot *head)
{
    struct table_set *set = (struct table_set *)head;

    for (size_t at = 0; at < set->count; at++) {
        table_unref(set->tables[at]);
    }
    table_set_unref(set->former); /* which has none itself: table_int.h, two steps */
    mem_free(set->tables);
    mem_free(set);
}

enum err table_set_new(struct table_set **out_set)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct table_set), &memory));
    struct table_set *set = memory;
    snapshot_init(&set->head, table_set_free);
    *out_set = set;
    return ERR_OK;
}

enum err table_set_copy(const struct table_set *set, struct table_set **out_copy)
{
    struct table_set *copy = NULL;
    void *tables = NULL;

    TRY(table_set_new(&copy));
    const enum err err = mem_alloc_array(set->count, sizeof(struct table *), &tables);
    if (err != ERR_OK) {
        table_set_unref(copy);
        return err;
    }
    copy->tables = tables;
    copy->count = set->count;
    copy->commit = set->commit;
    for (size_t at = 0; at < set->count; at++) {
        snapshot_ref(&set->tables[at]->head);
        copy->tables[at] = set->tables[at];
    }
    *out_copy = copy;
    return ERR_OK;
}

void table_set_unref(struct table_set *set)
{
    snapshot_unref(set == NULL ? NULL : &set->head);
}

struct table_set *table_set_ref(struct table_set *set)
{
    return (struct table_set *)snapshot_ref(&set->head);
}

/* The position of the first table whose id is not below this one. */
static size_t position(const struct table_set *set, struct table_id id)
{
    size_t low = 0;
    size_t high = set->count;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (set->tables[middle]->id.value < id.value) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct table *table_set_find(const struct table_set *set, struct table_id id)
{
    const size_t at = position(set, id);

    return at < set->count && set->tables[at]->id.value == id.value ? set->tables[at] : NULL;
}

enum err table_set_put(struct table_set *set, struct table *take_table)
{
    const size_t at = position(set, take_table->id);
    void *memory = NULL;

    if (at < set->count && set->tables[at]->id.value == take_table->id.value) {
        table_unref(set->tables[at]);
        set->tables[at] = take_table;
        return ERR_OK;
    }
    const enum err err = mem_alloc_array(set->count + 1, sizeof(struct table *), &memory);
    if (err != ERR_OK) {
        table_unref(take_table);
        return err;
    }
    struct table **tables = memory;
    for (size_t from = 0; from < set->count; from++) {
        tables[from < at ? from : from + 1] = set->tables[from];
    }
    tables[at] = take_table;
    mem_free(set->tables);
    set->tables = tables;
    set->count++;
    return ERR_OK;
}

void table_set_remove(struct table_set *set, struct table_id id)
{
    const size_t at = position(set, id);

    if (at == set->count || set->tables[at]->id.value != id.value) {
        return;
    }
    table_unref(set->tables[at]);
    for (size_t to = at; to + 1 < set->count; to++) {
        set->tables[to] = set->tables[to + 1];
    }
    set->count--;
}
