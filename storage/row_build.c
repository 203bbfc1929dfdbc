/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Building rows. The format stands in row_int.h; the builder keeps its order: declared columns by id, then extras by
 * name, so that equal rows are equal bytes and a reader may stop early. */
#include <math.h>
#include <string.h>

#include "hal/base/fault.h"
#include "hal/base/num.h"
#include "storage/row.h"
#include "storage/row_int.h"

static enum err put_varint(struct buf *out, uint64_t value)
{
    uint8_t bytes[ROW_VARINT_BYTES_MAX] = {0};
    size_t len = 0;
    uint64_t rest = value;

    do {
        const uint8_t low = (uint8_t)(rest & 0x7f);
        rest >>= 7;
        bytes[len] = rest == 0 ? low : (uint8_t)(low | 0x80);
        len++;
    } while (rest != 0);
    return buf_put(out, span_of(bytes, len));
}

enum err row_build_begin(struct row_builder *builder, struct buf *out, struct wall_time created_at,
                         struct wall_time updated_at, struct span created_by)
{
    ENSURE(created_by.len <= ROW_CREATED_BY_MAX, ERR_RANGE, "created_by too long");
    buf_reset(out);
    TRY(buf_put_u8(out, ROW_VERSION));
    TRY(buf_put_u64be(out, (uint64_t)created_at.ms));
    TRY(buf_put_u64be(out, (uint64_t)updated_at.ms));
    TRY(buf_put_u8(out, (uint8_t)created_by.len));
    TRY(buf_put(out, created_by));
    *builder = (struct row_builder){.out = out};
    return ERR_OK;
}

/* Is this column allowed behind the last one? */
static enum err check_order(const struct row_builder *builder, struct row_key key)
{
    ENSURE((key.column >= 1 && key.column <= ROW_COLUMN_DECLARED_MAX) || key.column == ROW_COLUMN_EXTRA, ERR_STATE,
           "not a column that is stored");
    if (key.column != ROW_COLUMN_EXTRA) {
        ENSURE(key.column > builder->last_column, ERR_STATE, "columns out of order");
        return ERR_OK;
    }
    if (builder->last_column == ROW_COLUMN_EXTRA) {
        struct span last = SPAN_NONE;
        TRY(span_slice(buf_all(builder->out), builder->last_name_at, builder->last_name_len, &last));
        ENSURE(span_compare(last, key.name) < 0, ERR_STATE, "extras out of order");
    }
    return ERR_OK;
}

static enum err put_name(struct row_builder *builder, struct span name)
{
    ENSURE(name.len <= ROW_NAME_MAX, ERR_RANGE, "name too long");
    TRY(buf_put_u16be(builder->out, (uint16_t)name.len));
    return buf_put(builder->out, name);
}

static enum err put_key(struct row_builder *builder, struct row_key key)
{
    if (builder->depth > 0) {
        return builder->kinds[builder->depth - 1] == ROW_OBJECT ? put_name(builder, key.name) : ERR_OK;
    }
    TRY(check_order(builder, key));
    TRY(buf_put_u16be(builder->out, key.column));
    if (key.column == ROW_COLUMN_EXTRA) {
        TRY(put_name(builder, key.name));
        builder->last_name_len = key.name.len;
        builder->last_name_at = buf_len(builder->out) - key.name.len;
    }
    builder->last_column = key.column;
    return ERR_OK;
}

static enum err put_tag(struct row_builder *builder, struct row_key key, enum row_tag tag)
{
    TRY(put_key(builder, key));
    return buf_put_u8(builder->out, (uint8_t)tag);
}

enum err row_build_null(struct row_builder *builder, struct row_key key)
{
    return put_tag(builder, key, ROW_TAG_NULL);
}

enum err row_build_bool(struct row_builder *builder, struct row_key key, bool value)
{
    return put_tag(builder, key, value ? ROW_TAG_TRUE : ROW_TAG_FALSE);
}

enum err row_build_int(struct row_builder *builder, struct row_key key, int64_t value)
{
    const uint64_t zigzag = value >= 0 ? (uint64_t)value << 1 : ((uint64_t)(-(value + 1)) << 1) | 1;

    TRY(put_tag(builder, key, ROW_TAG_INT));
    return put_varint(builder->out, zigzag);
}

enum err row_build_double(struct row_builder *builder, struct row_key key, double value)
{
    uint64_t bits = 0;

    ENSURE(isfinite(value), ERR_RANGE, "number not finite");
    memcpy(&bits, &value, sizeof(bits));
    TRY(put_tag(builder, key, ROW_TAG_DOUBLE));
    return buf_put_u64be(builder->out, bits);
}

enum err row_build_string(struct row_builder *builder, struct row_key key, struct span value)
{
    TRY(put_tag(builder, key, ROW_TAG_STRING));
    TRY(put_varint(builder->out, value.len));
    return buf_put(builder->out, value);
}

enum err row_build_date(struct row_builder *builder, struct row_key key, struct wall_time value)
{
    TRY(put_tag(builder, key, ROW_TAG_DATE));
    return buf_put_u64be(builder->out, (uint64_t)value.ms);
}

static enum err put_nested(struct row_builder *builder, struct row_key key, enum row_tag tag, struct span content)
{
    uint32_t len = 0;

    TRY(num_u32_from_size(content.len, &len));
    TRY(put_tag(builder, key, tag));
    TRY(buf_put_u32be(builder->out, len));
    return buf_put(builder->out, content);
}

enum err row_build_value(struct row_builder *builder, struct row_key key, const struct row_value *value)
{
    switch (value->type) {
    case ROW_MISSING:
        return ERR_OK;
    case ROW_NULL:
        return row_build_null(builder, key);
    case ROW_BOOL:
        return row_build_bool(builder, key, value->boolean);
    case ROW_INT:
        return row_build_int(builder, key, value->integer);
    case ROW_DOUBLE:
        return row_build_double(builder, key, value->number);
    case ROW_STRING:
        return row_build_string(builder, key, value->bytes);
    case ROW_DATE:
        return row_build_date(builder, key, value->date);
    case ROW_OBJECT:
        return put_nested(builder, key, ROW_TAG_OBJECT, value->bytes);
    case ROW_ARRAY:
        return put_nested(builder, key, ROW_TAG_ARRAY, value->bytes);
    }
    FAIL(ERR_BUG, "value of no type", value->type);
}

static enum err open_nested(struct row_builder *builder, struct row_key key, enum row_tag tag, enum row_type kind)
{
    ENSURE(builder->depth < ROW_DEPTH_MAX, ERR_RANGE, "nested too deep");
    TRY(put_tag(builder, key, tag));
    TRY(buf_put_u32be(builder->out, 0));
    builder->starts[builder->depth] = buf_len(builder->out);
    builder->kinds[builder->depth] = kind;
    builder->depth++;
    return ERR_OK;
}

enum err row_build_open_object(struct row_builder *builder, struct row_key key)
{
    return open_nested(builder, key, ROW_TAG_OBJECT, ROW_OBJECT);
}

enum err row_build_open_array(struct row_builder *builder, struct row_key key)
{
    return open_nested(builder, key, ROW_TAG_ARRAY, ROW_ARRAY);
}

enum err row_build_close(struct row_builder *builder)
{
    uint32_t len = 0;

    ENSURE(builder->depth > 0, ERR_STATE, "nothing is open");
    const size_t start = builder->starts[builder->depth - 1];
    TRY(num_u32_from_size(buf_len(builder->out) - start, &len));
    TRY(buf_patch_u32be(builder->out, start - 4, len));
    builder->depth--;
    return ERR_OK;
}

enum err row_build_end(struct row_builder *builder, struct span *out_encoded)
{
    ENSURE(builder->depth == 0, ERR_STATE, "an object or array is still open");
    ENSURE(buf_len(builder->out) <= ROW_BYTES_MAX, ERR_RANGE, "row too large");
    *out_encoded = buf_all(builder->out);
    return ERR_OK;
}
