/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading rows where they lie. The format stands in row_int.h.
 *
 * The bytes were authenticated before they come here, and are still not trusted: every length is checked by the reader
 * before it is used, so a defect elsewhere, or a forged row, ends in ERR_DAMAGED. Nesting is followed only along a path
 * that a caller asks for, one level at a time, so depth costs nothing. */
#include "storage/row.h"

#include <math.h>
#include <string.h>

#include "hal/base/fault.h"
#include "storage/row_int.h"

/* What reader_get does, where the compiler can inline it: a list reads the columns of thousands of rows. */
static inline bool take(struct reader *reader, size_t len, const uint8_t **out_at)
{
    if (len > reader->rest.len) {
        return false;
    }
    *out_at = reader->rest.data;
    reader->rest = span_of(reader->rest.data + len, reader->rest.len - len);
    return true;
}

#define VARINT_MORE 0x80 /* a byte with this bit is not the last */

static inline enum err read_varint(struct reader *reader, uint64_t *out_value)
{
    uint64_t value = 0;

    for (unsigned int shift = 0; shift < 7 * ROW_VARINT_BYTES_MAX; shift += 7) {
        const uint8_t *at = NULL;
        ENSURE(take(reader, 1, &at), ERR_DAMAGED, "number cut short");
        ENSURE(shift < 63 || *at <= 1, ERR_DAMAGED, "number too large");
        value |= (uint64_t)(*at & 0x7f) << shift;
        if ((*at & VARINT_MORE) == 0) {
            ENSURE(*at != 0 || shift == 0, ERR_DAMAGED, "number longer than it need be");
            *out_value = value;
            return ERR_OK;
        }
    }
    FAIL(ERR_DAMAGED, "number too long", 0);
}

static inline enum err read_bytes(struct reader *reader, uint64_t len, struct span *out_bytes)
{
    const uint8_t *at = NULL;

    ENSURE(len <= ROW_BYTES_MAX, ERR_DAMAGED, "length too large");
    ENSURE(take(reader, (size_t)len, &at), ERR_DAMAGED, "value cut short");
    *out_bytes = span_of(at, (size_t)len);
    return ERR_OK;
}

static inline enum err read_u16(struct reader *reader, uint16_t *out_value)
{
    const uint8_t *at = NULL;

    ENSURE(take(reader, 2, &at), ERR_DAMAGED, "number cut short");
    *out_value = (uint16_t)(at[0] << 8 | at[1]);
    return ERR_OK;
}

static enum err read_u64(struct reader *reader, uint64_t *out_value)
{
    ENSURE(reader_get_u64be(reader, out_value) == ERR_OK, ERR_DAMAGED, "number cut short");
    return ERR_OK;
}

static enum err read_name(struct reader *reader, struct span *out_name)
{
    uint16_t len = 0;

    TRY(read_u16(reader, &len));
    return read_bytes(reader, len, out_name);
}

/* Values are composed where they are wanted: copying one whose parts were just written makes the processor wait. */
static enum err read_nested(struct reader *reader, enum row_type type, struct row_value *out_value)
{
    struct span bytes = SPAN_NONE;
    uint32_t len = 0;

    ENSURE(reader_get_u32be(reader, &len) == ERR_OK, ERR_DAMAGED, "length cut short");
    TRY(read_bytes(reader, len, &bytes));
    *out_value = (struct row_value){.type = type, .bytes = bytes};
    return ERR_OK;
}

static inline int64_t integer_of(uint64_t zigzag)
{
    const int64_t magnitude = (int64_t)(zigzag >> 1);

    return (zigzag & 1) == 0 ? magnitude : -magnitude - 1;
}

static inline enum err read_int(struct reader *reader, struct row_value *out_value)
{
    uint64_t zigzag = 0;

    TRY(read_varint(reader, &zigzag));
    *out_value = (struct row_value){.type = ROW_INT, .integer = integer_of(zigzag)};
    return ERR_OK;
}

static enum err read_double(struct reader *reader, struct row_value *out_value)
{
    uint64_t bits = 0;
    double number = 0;

    TRY(read_u64(reader, &bits));
    memcpy(&number, &bits, sizeof(number));
    ENSURE(isfinite(number), ERR_DAMAGED, "number not finite");
    *out_value = (struct row_value){.type = ROW_DOUBLE, .number = number};
    return ERR_OK;
}

static inline enum err read_string(struct reader *reader, struct row_value *out_value)
{
    struct span bytes = SPAN_NONE;
    uint64_t len = 0;

    TRY(read_varint(reader, &len));
    TRY(read_bytes(reader, len, &bytes));
    *out_value = (struct row_value){.type = ROW_STRING, .bytes = bytes};
    return ERR_OK;
}

static enum err read_date(struct reader *reader, struct row_value *out_value)
{
    uint64_t ms = 0;

    TRY(read_u64(reader, &ms));
    *out_value = (struct row_value){.type = ROW_DATE, .date = {(int64_t)ms}};
    return ERR_OK;
}

/* out_value is untouched on failure, as in all that it calls. */
static inline enum err read_value(struct reader *reader, struct row_value *out_value)
{
    const uint8_t *tag = NULL;

    ENSURE(take(reader, 1, &tag), ERR_DAMAGED, "type cut short");
    switch ((enum row_tag) * tag) {
    case ROW_TAG_STRING:
        return read_string(reader, out_value);
    case ROW_TAG_INT:
        return read_int(reader, out_value);
    case ROW_TAG_NULL:
        *out_value = (struct row_value){.type = ROW_NULL};
        return ERR_OK;
    case ROW_TAG_FALSE:
    case ROW_TAG_TRUE:
        *out_value = (struct row_value){.type = ROW_BOOL, .boolean = *tag == ROW_TAG_TRUE};
        return ERR_OK;
    case ROW_TAG_DOUBLE:
        return read_double(reader, out_value);
    case ROW_TAG_DATE:
        return read_date(reader, out_value);
    case ROW_TAG_OBJECT:
        return read_nested(reader, ROW_OBJECT, out_value);
    case ROW_TAG_ARRAY:
        return read_nested(reader, ROW_ARRAY, out_value);
    }
    FAIL(ERR_DAMAGED, "unknown type", *tag);
}

enum err row_read(struct row_id id, struct span encoded, struct row *out_row)
{
    struct reader reader = reader_of(encoded);
    struct row row = {.id = id, .encoded = encoded};
    uint8_t version = 0;
    uint8_t created_by_len = 0;
    uint64_t created_at = 0;
    uint64_t updated_at = 0;

    ENSURE(encoded.len <= ROW_BYTES_MAX, ERR_DAMAGED, "row too large");
    ENSURE(reader_get_u8(&reader, &version) == ERR_OK, ERR_DAMAGED, "row cut short");
    ENSURE(version == ROW_VERSION, ERR_VERSION, "row of another version");
    TRY(read_u64(&reader, &created_at));
    TRY(read_u64(&reader, &updated_at));
    ENSURE(reader_get_u8(&reader, &created_by_len) == ERR_OK, ERR_DAMAGED, "row cut short");
    ENSURE(created_by_len <= ROW_CREATED_BY_MAX, ERR_DAMAGED, "created_by too long");
    TRY(read_bytes(&reader, created_by_len, &row.created_by));

    row.created_at.ms = (int64_t)created_at;
    row.updated_at.ms = (int64_t)updated_at;
    row.columns = reader.rest;
    *out_row = row;
    return ERR_OK;
}

struct row_iter row_iter_columns(const struct row *row)
{
    return (struct row_iter){.rest = reader_of(row->columns), .of = ROW_MISSING};
}

struct row_iter row_iter_of(const struct row_value *value)
{
    const bool nested = value->type == ROW_OBJECT || value->type == ROW_ARRAY;

    return (struct row_iter){.rest = reader_of(nested ? value->bytes : SPAN_NONE), .of = value->type};
}

enum err row_iter_next(struct row_iter *iter, struct row_member *out_member)
{
    struct row_member member = {.column = ROW_COLUMN_NONE};

    if (iter->rest.rest.len == 0) {
        return ERR_NOT_FOUND; /* no trail: the end is not a fault */
    }
    if (iter->of == ROW_MISSING) {
        TRY(read_u16(&iter->rest, &member.column));
    }
    if (iter->of == ROW_OBJECT || member.column == ROW_COLUMN_EXTRA) {
        TRY(read_name(&iter->rest, &member.name));
    }
    TRY(read_value(&iter->rest, &member.value));
    *out_member = member;
    return ERR_OK;
}

#define SHORT_HEAD 4 /* two bytes of id, the type, one byte of length or number */

/* Is the column asked for the next but for short texts and small numbers, which most columns are, and one itself? Whatever
 * else comes ends the search: there the reader then stands, and has not passed the one asked for. */
static inline bool find_short(struct reader *columns, uint16_t asked, struct row_value *out_value)
{
    const uint8_t *head = columns->rest.data;
    size_t left = columns->rest.len;

    while (left >= SHORT_HEAD) {
        const uint16_t column = (uint16_t)(head[0] << 8 | head[1]);
        const bool text = head[2] == ROW_TAG_STRING;
        const size_t len = SHORT_HEAD + (text ? (size_t)head[3] : 0);
        if (column == ROW_COLUMN_EXTRA || head[3] >= VARINT_MORE || !(text || head[2] == ROW_TAG_INT) || len > left) {
            break;
        }
        if (column == asked && asked != ROW_COLUMN_NONE) {
            *out_value = text ? (struct row_value){.type = ROW_STRING, .bytes = {head + SHORT_HEAD, head[3]}}
                              : (struct row_value){.type = ROW_INT, .integer = integer_of(head[3])};
            return true;
        }
        head += len;
        left -= len;
    }
    columns->rest = span_of(head, left);
    return false;
}

/* A stored column by id, or the extra of that name, among those that the reader has not passed; ROW_MISSING if there is
 * neither. */
static enum err find_column(struct reader *reader, const struct row_field *field, struct row_value *out_value)
{
    struct row_value value;

    while (reader->rest.len > 0) {
        uint16_t column = ROW_COLUMN_NONE;
        struct span name = SPAN_NONE;
        TRY(read_u16(reader, &column));
        if (column == ROW_COLUMN_EXTRA) {
            TRY(read_name(reader, &name));
        }
        const bool declared = field->column != ROW_COLUMN_NONE && column == field->column;
        const bool extra = column == ROW_COLUMN_EXTRA && field->name.len > 0 && span_equal(name, field->name);
        if (declared || extra) {
            return read_value(reader, out_value);
        }
        TRY(read_value(reader, &value));
    }
    *out_value = (struct row_value){.type = ROW_MISSING};
    return ERR_OK;
}

static enum err member_named(const struct row_value *object, struct span name, struct row_value *out_value)
{
    struct row_iter iter = row_iter_of(object);
    struct row_member member = {.column = ROW_COLUMN_NONE};
    enum err err = row_iter_next(&iter, &member);

    while (err == ERR_OK && !span_equal(member.name, name)) {
        err = row_iter_next(&iter, &member);
    }
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        return err;
    }
    *out_value = err == ERR_OK ? member.value : (struct row_value){.type = ROW_MISSING};
    return ERR_OK;
}

static enum err element_at(const struct row_value *array, struct span digits, struct row_value *out_value)
{
    struct row_iter iter = row_iter_of(array);
    struct row_member member = {.column = ROW_COLUMN_NONE};
    uint64_t index = 0;

    *out_value = (struct row_value){.type = ROW_MISSING};
    for (size_t at = 0; at < digits.len; at++) {
        if (digits.data[at] < '0' || digits.data[at] > '9') {
            return ERR_OK;
        }
    }
    if (digits.len > 9 || span_to_u64(digits, ROW_BYTES_MAX, &index) != ERR_OK) {
        return ERR_OK; /* no row is long enough for such an element */
    }
    for (uint64_t at = 0; at <= index; at++) {
        const enum err err = row_iter_next(&iter, &member);
        if (err != ERR_OK) {
            return err == ERR_NOT_FOUND ? ERR_OK : err;
        }
    }
    *out_value = member.value;
    return ERR_OK;
}

enum err row_find_in(const struct row_value *value, struct span path, struct row_value *out_value)
{
    struct row_value at = *value;
    struct span rest = path;

    while (rest.len > 0) {
        const size_t dot = span_find(rest, '.');
        const struct span part = span_of(rest.data, dot);
        struct row_value next = {.type = ROW_MISSING};

        if (at.type == ROW_OBJECT) {
            TRY(member_named(&at, part, &next));
        }
        if (at.type == ROW_ARRAY) {
            TRY(element_at(&at, part, &next));
        }
        at = next;
        rest = dot == rest.len ? SPAN_NONE : span_of(rest.data + dot + 1, rest.len - dot - 1);
    }
    *out_value = at;
    return ERR_OK;
}

static struct row_value id_value(const struct row *row, char *id_text)
{
    if (id_text == NULL) {
        return (struct row_value){.type = ROW_MISSING};
    }
    row_id_format(row->id, id_text);
    return (struct row_value){.type = ROW_STRING, .bytes = span_of(id_text, ROW_ID_TEXT_BYTES)};
}

static inline bool is_system(uint16_t column)
{
    return column >= ROW_COLUMN_ID && column <= ROW_COLUMN_UPDATED_AT;
}

static void read_system(const struct row *row, uint16_t column, char *id_text, struct row_value *out_value)
{
    if (column == ROW_COLUMN_CREATED_BY) {
        *out_value = (struct row_value){.type = ROW_STRING, .bytes = row->created_by};
    } else if (column == ROW_COLUMN_CREATED_AT) {
        *out_value = (struct row_value){.type = ROW_DATE, .date = row->created_at};
    } else if (column == ROW_COLUMN_UPDATED_AT) {
        *out_value = (struct row_value){.type = ROW_DATE, .date = row->updated_at};
    } else {
        *out_value = id_value(row, id_text);
    }
}

/* The field in another way than row_find() tries first; the reader has passed none that it could be. */
static enum err find_else(const struct row *row, const struct row_field *field, struct reader *columns, char *id_text,
                          struct row_value *out_value)
{
    struct row_value value;

    if (is_system(field->column)) {
        read_system(row, field->column, id_text, &value);
    } else {
        TRY(find_column(columns, field, &value));
    }
    return row_find_in(&value, field->path, out_value);
}

enum err row_find(const struct row *row, const struct row_field *field, char id_text[ROW_ID_TEXT_BYTES],
                  struct row_value *out_value)
{
    const bool plain = field->path.len == 0 && !is_system(field->column);
    struct reader columns = reader_of(row->columns);

    if (plain && find_short(&columns, field->column, out_value)) {
        return ERR_OK;
    }
    return find_else(row, field, &columns, id_text, out_value);
}
