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

static enum err read_varint(struct reader *reader, uint64_t *out_value)
{
    uint64_t value = 0;

    for (unsigned int shift = 0; shift < 7 * ROW_VARINT_BYTES_MAX; shift += 7) {
        uint8_t byte = 0;
        ENSURE(reader_get_u8(reader, &byte) == ERR_OK, ERR_DAMAGED, "number cut short");
        ENSURE(shift < 63 || byte <= 1, ERR_DAMAGED, "number too large");
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            ENSURE(byte != 0 || shift == 0, ERR_DAMAGED, "number longer than it need be");
            *out_value = value;
            return ERR_OK;
        }
    }
    FAIL(ERR_DAMAGED, "number too long", 0);
}

static enum err read_bytes(struct reader *reader, uint64_t len, struct span *out_bytes)
{
    ENSURE(len <= ROW_BYTES_MAX, ERR_DAMAGED, "length too large");
    ENSURE(reader_get(reader, (size_t)len, out_bytes) == ERR_OK, ERR_DAMAGED, "value cut short");
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

    ENSURE(reader_get_u16be(reader, &len) == ERR_OK, ERR_DAMAGED, "name cut short");
    return read_bytes(reader, len, out_name);
}

static enum err read_nested(struct reader *reader, struct row_value *value)
{
    uint32_t len = 0;

    ENSURE(reader_get_u32be(reader, &len) == ERR_OK, ERR_DAMAGED, "length cut short");
    return read_bytes(reader, len, &value->bytes);
}

static enum err read_int(struct reader *reader, struct row_value *value)
{
    uint64_t zigzag = 0;

    TRY(read_varint(reader, &zigzag));
    const uint64_t magnitude = zigzag >> 1;
    value->integer = (zigzag & 1) == 0 ? (int64_t)magnitude : -(int64_t)magnitude - 1;
    return ERR_OK;
}

static enum err read_double(struct reader *reader, struct row_value *value)
{
    uint64_t bits = 0;

    TRY(read_u64(reader, &bits));
    memcpy(&value->number, &bits, sizeof(value->number));
    ENSURE(isfinite(value->number), ERR_DAMAGED, "number not finite");
    return ERR_OK;
}

static enum err read_string(struct reader *reader, struct row_value *value)
{
    uint64_t len = 0;

    TRY(read_varint(reader, &len));
    return read_bytes(reader, len, &value->bytes);
}

static enum err read_date(struct reader *reader, struct row_value *value)
{
    uint64_t ms = 0;

    TRY(read_u64(reader, &ms));
    value->date.ms = (int64_t)ms;
    return ERR_OK;
}

static enum err read_nothing(struct reader *reader UNUSED, struct row_value *value UNUSED)
{
    return ERR_OK;
}

struct tag_reader {
    enum row_type type;
    bool boolean;
    enum err (*read)(struct reader *reader, struct row_value *value);
};

static const struct tag_reader tag_readers[] = {
    [ROW_TAG_NULL] = {ROW_NULL, false, read_nothing},    [ROW_TAG_FALSE] = {ROW_BOOL, false, read_nothing},
    [ROW_TAG_TRUE] = {ROW_BOOL, true, read_nothing},     [ROW_TAG_INT] = {ROW_INT, false, read_int},
    [ROW_TAG_DOUBLE] = {ROW_DOUBLE, false, read_double}, [ROW_TAG_STRING] = {ROW_STRING, false, read_string},
    [ROW_TAG_DATE] = {ROW_DATE, false, read_date},       [ROW_TAG_OBJECT] = {ROW_OBJECT, false, read_nested},
    [ROW_TAG_ARRAY] = {ROW_ARRAY, false, read_nested},
};

static enum err read_value(struct reader *reader, struct row_value *out_value)
{
    uint8_t tag = 0;

    ENSURE(reader_get_u8(reader, &tag) == ERR_OK, ERR_DAMAGED, "type cut short");
    ENSURE(tag < ARRAY_LENGTH(tag_readers) && tag_readers[tag].read != NULL, ERR_DAMAGED, "unknown type");
    struct row_value value = {.type = tag_readers[tag].type, .boolean = tag_readers[tag].boolean};
    TRY(tag_readers[tag].read(reader, &value));
    *out_value = value;
    return ERR_OK;
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
        ENSURE(reader_get_u16be(&iter->rest, &member.column) == ERR_OK, ERR_DAMAGED, "column cut short");
    }
    if (iter->of == ROW_OBJECT || member.column == ROW_COLUMN_EXTRA) {
        TRY(read_name(&iter->rest, &member.name));
    }
    TRY(read_value(&iter->rest, &member.value));
    *out_member = member;
    return ERR_OK;
}

/* A stored column by id, or the extra of that name; ROW_MISSING if there is neither. */
static enum err find_column(const struct row *row, const struct row_field *field, struct row_value *out_value)
{
    struct row_iter iter = row_iter_columns(row);
    struct row_member member = {.column = ROW_COLUMN_NONE};
    enum err err = row_iter_next(&iter, &member);

    while (err == ERR_OK) {
        const bool declared = field->column != ROW_COLUMN_NONE && member.column == field->column;
        const bool extra =
            member.column == ROW_COLUMN_EXTRA && field->name.len > 0 && span_equal(member.name, field->name);
        if (declared || extra) {
            *out_value = member.value;
            return ERR_OK;
        }
        err = row_iter_next(&iter, &member);
    }
    if (err != ERR_NOT_FOUND) {
        return err;
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

enum err row_find(const struct row *row, const struct row_field *field, char id_text[ROW_ID_TEXT_BYTES],
                  struct row_value *out_value)
{
    struct row_value value = {.type = ROW_MISSING};

    if (field->column == ROW_COLUMN_ID) {
        value = id_value(row, id_text);
    } else if (field->column == ROW_COLUMN_CREATED_AT) {
        value = (struct row_value){.type = ROW_DATE, .date = row->created_at};
    } else if (field->column == ROW_COLUMN_UPDATED_AT) {
        value = (struct row_value){.type = ROW_DATE, .date = row->updated_at};
    } else if (field->column == ROW_COLUMN_CREATED_BY) {
        value = (struct row_value){.type = ROW_STRING, .bytes = row->created_by};
    } else {
        TRY(find_column(row, field, &value));
    }
    return row_find_in(&value, field->path, out_value);
}
