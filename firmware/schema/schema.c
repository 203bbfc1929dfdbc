/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Looking things up in a compiled schema, the names that are allowed, and the table of column ids.
 *
 * The table of ids is what keeps a column's old data away from a new field of the same name: next id(2), then for each
 * field id(2) | length(1) | name. It trusts nothing: damaged ids are found when they are read. */
#include "firmware/schema/schema.h"

#include <string.h>

#include "firmware/schema/schema_int.h"
#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "hal/base/num.h"

void schema_free(struct schema *schema)
{
    if (schema != NULL) {
        arena_free(schema->arena);
    }
}

const struct schema_field *schema_fields(const struct schema *schema, size_t *out_count)
{
    *out_count = schema->root.field_count;
    return schema->root.fields;
}

const struct schema_field *schema_child(const struct schema_field *parent, struct span name)
{
    for (size_t i = 0; i < parent->field_count; i++) {
        if (span_equal(parent->fields[i].name, name)) {
            return &parent->fields[i];
        }
    }
    return NULL;
}

const struct schema_field *schema_find(const struct schema *schema, struct span name)
{
    return schema_child(&schema->root, name);
}

const struct schema_field *schema_find_column(const struct schema *schema, uint16_t column)
{
    for (size_t i = 0; i < schema->root.field_count; i++) {
        if (schema->root.fields[i].column == column) {
            return &schema->root.fields[i];
        }
    }
    return NULL;
}

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_letter(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

static bool is_number(struct span text)
{
    bool digits = text.len > 0;
    for (size_t i = 0; i < text.len; i++) {
        digits = digits && is_digit(text.data[i]);
    }
    return digits;
}

const struct schema_field *schema_resolve(const struct schema *schema, struct span path)
{
    const struct schema_field *field = &schema->root;
    struct span rest = path;
    while (field != NULL && rest.len > 0) {
        const size_t len = span_find(rest, '.');
        const struct span part = span_of(rest.data, len);
        const size_t used = num_min(len + 1, rest.len);
        rest = span_of(rest.data + used, rest.len - used);
        field = field->type == SCHEMA_ARRAY && is_number(part) ? field->items : schema_child(field, part);
    }
    return field == &schema->root ? NULL : field;
}

struct span schema_ids(const struct schema *schema)
{
    return schema->ids;
}

bool schema_is_system_field(struct span name)
{
    static const char *const names[] = {"id", "_id", "createdBy", "createdAt", "updatedAt"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (span_equal(span_str(names[i]), name)) {
            return true;
        }
    }
    return false;
}

bool schema_field_name_valid(struct span name)
{
    if (name.len == 0 || name.len > SCHEMA_NAME_MAX || !is_letter(name.data[0])) {
        return false;
    }
    for (size_t i = 1; i < name.len; i++) {
        if (!is_letter(name.data[i]) && !is_digit(name.data[i]) && name.data[i] != '_') {
            return false;
        }
    }
    return !schema_is_system_field(name);
}

/* First segments of routes (contract 4.1) and built-in tables. */
static bool is_reserved_table(struct span name)
{
    static const char *const names[] = {"data",         "auth",    "users",    "files",    "admin",
                                        "mcp",          "storage", "health",   "system",   "batch",
                                        "openapi.json", "healthz", "accounts", "sessions", "readyz"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (span_equal(span_str(names[i]), name)) {
            return true;
        }
    }
    return false;
}

bool schema_table_name_valid(struct span name, bool system)
{
    if (name.len == 0 || name.len > SCHEMA_NAME_MAX || is_reserved_table(name)) {
        return false;
    }
    const bool first = is_letter(name.data[0]) || (system && name.data[0] == '_');
    bool rest = true;
    for (size_t i = 1; i < name.len; i++) {
        const uint8_t byte = name.data[i];
        rest = rest && (is_letter(byte) || is_digit(byte) || byte == '_' || byte == '-');
    }
    return first && rest;
}

void schema_where_put(char *where, size_t *len, struct span text)
{
    static const char dots[] = "...";
    const size_t room = SCHEMA_WHERE_MAX - *len;
    const size_t taken = num_min(text.len, room);
    if (taken > 0) {
        memcpy(where + *len, text.data, taken);
        *len += taken;
    }
    if (taken < text.len) {
        memcpy(where + SCHEMA_WHERE_MAX - 3, dots, 3);
    }
}

void schema_where_name(char *where, size_t *len, struct span name)
{
    if (*len > 0) {
        schema_where_put(where, len, span_lit("."));
    }
    schema_where_put(where, len, name);
}

/* --- column ids --- */

#define IDS_BYTES_MAX (2 + SCHEMA_FIELDS_MAX * (3 + SCHEMA_NAME_MAX))

struct id_entry {
    uint16_t id;
    struct span name;
};

static enum err read_entry(struct reader *reader, struct id_entry *out_entry)
{
    uint8_t len = 0;
    TRY(reader_get_u16be(reader, &out_entry->id));
    TRY(reader_get_u8(reader, &len));
    TRY(reader_get(reader, len, &out_entry->name));
    const bool valid = out_entry->id != 0 && out_entry->id <= SCHEMA_COLUMN_MAX;
    ENSURE(valid && schema_field_name_valid(out_entry->name), ERR_MALFORMED, "an id or name that cannot be");
    return ERR_OK;
}

/* Starts reading ids; no ids at all begin with column 1. */
static enum err read_next_id(struct span ids, struct reader *out_reader, uint16_t *out_next)
{
    *out_reader = reader_of(ids);
    *out_next = 1;
    if (ids.len > 0) {
        ENSURE(reader_get_u16be(out_reader, out_next) == ERR_OK && *out_next > 0, ERR_DAMAGED, "ids are damaged");
    }
    return ERR_OK;
}

/* The id of a name, or 0. */
static enum err find_id(struct span ids, struct span name, uint16_t *out_id)
{
    struct reader reader;
    struct id_entry entry;
    uint16_t next = 0;
    TRY(read_next_id(ids, &reader, &next));
    *out_id = 0;
    while (reader.rest.len > 0) {
        ENSURE(read_entry(&reader, &entry) == ERR_OK && entry.id < next, ERR_DAMAGED, "ids are damaged");
        if (span_equal(entry.name, name)) {
            *out_id = entry.id;
        }
    }
    return ERR_OK;
}

static enum err put_entry(struct buf *out, uint16_t id, struct span name)
{
    TRY(buf_put_u16be(out, id));
    TRY(buf_put_u8(out, (uint8_t)name.len));
    return buf_put(out, name);
}

enum err schema_assign_ids(struct arena *arena, struct span ids, struct schema_field *fields, size_t count,
                           struct span *out_ids)
{
    SCOPED_BUF struct buf *entries = NULL;
    SCOPED_BUF struct buf *whole = NULL;
    struct reader reader;
    uint16_t next = 0;

    TRY(buf_new(IDS_BYTES_MAX, &entries));
    TRY(buf_new(IDS_BYTES_MAX, &whole));
    TRY(read_next_id(ids, &reader, &next));
    for (size_t i = 0; i < count; i++) {
        TRY(find_id(ids, fields[i].name, &fields[i].column));
        if (fields[i].column == 0) {
            ENSURE(next <= SCHEMA_COLUMN_MAX, ERR_RANGE, "no column id is left");
            fields[i].column = next;
            next++;
        }
        TRY(put_entry(entries, fields[i].column, fields[i].name));
    }
    TRY(buf_put_u16be(whole, next));
    TRY(buf_put(whole, buf_all(entries)));
    return arena_copy(arena, buf_all(whole), out_ids);
}

static bool is_listed(const struct json_value *names, struct span name)
{
    bool listed = false;
    for (size_t i = 0; names != NULL && i < names->as.array.count; i++) {
        listed = listed || span_equal(names->as.array.items[i].as.text, name);
    }
    return listed;
}

enum err schema_forget_ids(struct arena *arena, struct span ids, const struct json_value *names, struct span *out_ids)
{
    SCOPED_BUF struct buf *kept = NULL;
    struct reader reader;
    struct id_entry entry;
    uint16_t next = 0;

    TRY(buf_new(IDS_BYTES_MAX, &kept));
    TRY(read_next_id(ids, &reader, &next));
    TRY(buf_put_u16be(kept, next));
    while (reader.rest.len > 0) {
        ENSURE(read_entry(&reader, &entry) == ERR_OK, ERR_DAMAGED, "ids are damaged");
        if (!is_listed(names, entry.name)) {
            TRY(put_entry(kept, entry.id, entry.name));
        }
    }
    return arena_copy(arena, buf_all(kept), out_ids);
}
