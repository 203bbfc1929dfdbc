/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Index keys. An entry is sealed whole, so the engine can order entries only through this file's comparator, which
 * opens both keys it is asked about. It runs inside the engine, takes no argument, and must answer something for any
 * bytes: hence the one thread-local context, and the poison flag for a key that does not open.
 *
 * Values as bytes, in an order that memcmp sees (contract 4.3), none the beginning of another:
 *   missing, null  0x10
 *   number         0x20 | double(8, sign turned) | rest(2): what an integer beyond 2^53 loses as a double
 *   string         0x30 | bytes, 0x00 as 0x00 0xff | 0x00 0x00
 *   object, array  0x40, 0x50 and the stored bytes, like a string
 *   boolean        0x60 | 0 or 1
 *   date           0x70 | ms(8, sign turned)
 * A descending field has every bit turned. 0x00 and 0xff begin no value in either direction. */
#include "storage/index.h"

#include <math.h>
#include <string.h>

#include "hal/base/fault.h"
#include "hal/base/num.h"
#include "storage/index_int.h"
#include "storage/table_int.h"

#define TUPLE_NULL   0x10
#define TUPLE_NUMBER 0x20
#define TUPLE_STRING 0x30
#define TUPLE_OBJECT 0x40
#define TUPLE_ARRAY  0x50
#define TUPLE_BOOL   0x60
#define TUPLE_DATE   0x70
#define SIGN64       (UINT64_C(1) << 63)
#define REST_ZERO    0x8000
#define PLAIN_BLOCK  16

/* --- tuples --- */

static enum err put_number(struct buf *tuple, double number, int64_t rest)
{
    const double plain_zero = number + 0.0; /* -0 is 0 */
    uint64_t bits = 0;

    memcpy(&bits, &plain_zero, sizeof(bits));
    bits = (bits & SIGN64) != 0 ? ~bits : bits | SIGN64;
    TRY(buf_put_u8(tuple, TUPLE_NUMBER));
    TRY(buf_put_u64be(tuple, bits));
    return buf_put_u16be(tuple, (uint16_t)(REST_ZERO + rest));
}

static enum err put_integer(struct buf *tuple, int64_t value)
{
    const double rounded = (double)value;

    /* At 2^63 the double is no int64; the distance is counted from the largest one instead. */
    const int64_t rest = rounded >= 9223372036854775808.0 ? (value - INT64_MAX) - 1 : value - (int64_t)rounded;
    return put_number(tuple, rounded, rest); /* |rest| <= 512: half the gap between doubles below 2^63 */
}

static enum err put_bytes(struct buf *tuple, uint8_t type, struct span bytes)
{
    static const uint8_t escape[] = {0x00, 0xff};
    static const uint8_t end[] = {0x00, 0x00};
    struct span rest = bytes;

    TRY(buf_put_u8(tuple, type));
    while (rest.len > 0) {
        const size_t zero = span_find(rest, 0x00);
        TRY(buf_put(tuple, span_of(rest.data, zero)));
        if (zero == rest.len) {
            break;
        }
        TRY(buf_put(tuple, span_array(escape)));
        rest = span_of(rest.data + zero + 1, rest.len - zero - 1);
    }
    return buf_put(tuple, span_array(end));
}

static enum err put_ascending(struct buf *tuple, const struct row_value *value)
{
    switch (value->type) {
    case ROW_MISSING:
    case ROW_NULL:
        return buf_put_u8(tuple, TUPLE_NULL);
    case ROW_BOOL:
        TRY(buf_put_u8(tuple, TUPLE_BOOL));
        return buf_put_u8(tuple, value->boolean ? 1 : 0);
    case ROW_INT:
        return put_integer(tuple, value->integer);
    case ROW_DOUBLE:
        return put_number(tuple, value->number, 0);
    case ROW_STRING:
        return put_bytes(tuple, TUPLE_STRING, value->bytes);
    case ROW_DATE:
        TRY(buf_put_u8(tuple, TUPLE_DATE));
        return buf_put_u64be(tuple, (uint64_t)value->date.ms ^ SIGN64);
    case ROW_OBJECT:
        return put_bytes(tuple, TUPLE_OBJECT, value->bytes);
    case ROW_ARRAY:
        return put_bytes(tuple, TUPLE_ARRAY, value->bytes);
    }
    FAIL(ERR_BUG, "value of no type", value->type);
}

/* Turns every bit from position `from` on. */
static enum err turn(struct buf *tuple, size_t from)
{
    uint8_t *at = NULL;
    const size_t len = buf_len(tuple) - from;

    buf_truncate(tuple, from);
    TRY(buf_reserve(tuple, len, &at)); /* the same memory again: nothing was written since */
    for (size_t byte = 0; byte < len; byte++) {
        at[byte] = (uint8_t)~at[byte];
    }
    buf_commit(tuple, len);
    return ERR_OK;
}

enum err index_tuple_put(struct buf *tuple, const struct row_value *value, bool descending)
{
    const size_t from = buf_len(tuple);

    TRY(put_ascending(tuple, value));
    return descending ? turn(tuple, from) : ERR_OK;
}

enum err index_tuple_of_row(const struct index_def *def, const struct row *row, struct buf *out_tuple, bool *out_skip)
{
    char id_text[ROW_ID_TEXT_BYTES] = {0};
    bool skip = false;

    buf_reset(out_tuple);
    for (size_t at = 0; at < def->field_count; at++) {
        struct row_value value = {.type = ROW_MISSING};
        TRY(row_find(row, &def->fields[at].field, id_text, &value));
        skip = skip || (def->sparse && (value.type == ROW_MISSING || value.type == ROW_NULL));
        TRY(index_tuple_put(out_tuple, &value, def->fields[at].descending));
    }
    *out_skip = skip;
    return ERR_OK;
}

/* --- entries --- */

enum err index_stored(struct key_cache *cache, const struct table *table, struct span tuple,
                      uint8_t bytes[INDEX_TUPLE_MAX], struct span *out_stored)
{
    const struct hmac_key *hmac = NULL;
    uint8_t mac[SHA256_BYTES] = {0};

    if (tuple.len <= INDEX_PREFIX_MAX) {
        *out_stored = tuple;
        return ERR_OK;
    }
    TRY(key_cache_mac(cache, table, KEY_INDEX, &hmac));
    hmac_key_mac(hmac, &tuple, 1, mac);
    memcpy(bytes, tuple.data, INDEX_PREFIX_MAX);
    memcpy(bytes + INDEX_PREFIX_MAX, mac, INDEX_HASH_BYTES);
    *out_stored = span_of(bytes, INDEX_TUPLE_MAX);
    return ERR_OK;
}

size_t index_plain_write(struct span stored, struct row_id row, uint8_t out_plain[INDEX_PLAIN_MAX])
{
    const size_t len = num_min(stored.len, INDEX_TUPLE_MAX);
    const size_t used = 2 + len + ROW_ID_BYTES;
    const size_t padded = (used + PLAIN_BLOCK - 1) / PLAIN_BLOCK * PLAIN_BLOCK;

    out_plain[0] = (uint8_t)(len >> 8);
    out_plain[1] = (uint8_t)(len & 0xff);
    memcpy(out_plain + 2, stored.data, len); /* a tuple has at least one byte */
    memcpy(out_plain + 2 + len, row.bytes, ROW_ID_BYTES);
    memset(out_plain + used, 0, padded - used);
    return padded;
}

enum err index_plain_read(struct span plain, struct index_entry *out_entry)
{
    struct reader reader = reader_of(plain);
    struct index_entry entry = {.truncated = false};
    struct span row = SPAN_NONE;
    uint16_t len = 0;

    ENSURE(reader_get_u16be(&reader, &len) == ERR_OK, ERR_DAMAGED, "entry cut short");
    ENSURE(len <= INDEX_PREFIX_MAX || len == INDEX_TUPLE_MAX, ERR_DAMAGED, "entry of no length that is stored");
    ENSURE(reader_get(&reader, len, &entry.tuple) == ERR_OK, ERR_DAMAGED, "entry cut short");
    ENSURE(reader_get(&reader, ROW_ID_BYTES, &row) == ERR_OK, ERR_DAMAGED, "entry cut short");
    memcpy(entry.row.bytes, row.data, ROW_ID_BYTES);
    entry.truncated = len > INDEX_PREFIX_MAX;
    *out_entry = entry;
    return ERR_OK;
}

size_t index_search_key(struct index_id index, struct span tuple, const struct row_id *row,
                        uint8_t out_key[INDEX_SEARCH_MAX])
{
    const size_t len = num_min(tuple.len, INDEX_SEARCH_TUPLE_MAX);
    uint8_t *at = out_key;

    *at++ = INDEX_TUPLE_ABOVE;
    put_u32be(at, index.value);
    at += INDEX_ID_BYTES;
    *at++ = row != NULL ? 1 : 0;
    if (len > 0) {
        memcpy(at, tuple.data, len);
        at += len;
    }
    if (row != NULL) {
        memcpy(at, row->bytes, ROW_ID_BYTES);
        at += ROW_ID_BYTES;
    }
    return (size_t)(at - out_key);
}

/* --- the order of sealed keys --- */

static _Thread_local struct index_context *entered;

void index_enter(struct index_context *context)
{
    context->poisoned = false;
    entered = context;
}

enum err index_leave(struct index_context *context, enum err answered)
{
    entered = NULL;
    ENSURE(!context->poisoned, ERR_DAMAGED, "an index entry does not open");
    return answered;
}

static bool same_bytes(struct span a, struct span b)
{
    return a.len == b.len && a.len > 0 && memcmp(a.data, b.data, a.len) == 0; /* sealed bytes: public */
}

enum err index_open_key(const struct index_context *context, struct span key, uint8_t plain[INDEX_PLAIN_MAX],
                        struct index_entry *out_entry)
{
    uint8_t place[INDEX_ID_BYTES] = {0};

    put_u32be(place, context->index.value);
    ENSURE(key.len > INDEX_ID_BYTES + SEAL_OVERHEAD && key.len <= INDEX_KEY_MAX, ERR_DAMAGED, "index key of no size");
    ENSURE(memcmp(key.data, place, sizeof(place)) == 0, ERR_DAMAGED, "key of another index");
    const struct seal_name name = {context->table, SEAL_INDEX, span_array(place)};
    const struct span sealed = span_of(key.data + INDEX_ID_BYTES, key.len - INDEX_ID_BYTES);
    TRY(seal_open_value(context->reader, &name, sealed, plain));
    return index_plain_read(span_of(plain, seal_plain_bytes(sealed)), out_entry);
}

/* One side of a comparison. */
struct side {
    uint32_t index;
    struct span tuple;
    bool has_row;
    struct row_id row;
};

static bool side_of_search(struct span key, struct side *out_side)
{
    const size_t head = 1 + INDEX_ID_BYTES + 1;

    if (key.len < head) {
        return false;
    }
    out_side->index = get_u32be(key.data + 1);
    out_side->has_row = key.data[1 + INDEX_ID_BYTES] == 1;
    const size_t tail = out_side->has_row ? ROW_ID_BYTES : 0;
    if (key.len < head + tail) {
        return false;
    }
    out_side->tuple = span_of(key.data + head, key.len - head - tail);
    memcpy(out_side->row.bytes, key.data + key.len - tail, tail);
    return true;
}

static bool is_search(struct span key)
{
    return key.len > 0 && key.data[0] == INDEX_TUPLE_ABOVE;
}

/* The place before all entries of an index. */
static bool is_start(struct span key)
{
    return is_search(key) && key.len == 1 + INDEX_ID_BYTES + 1;
}

static uint32_t index_of(struct span key)
{
    if (is_search(key)) {
        return key.len > INDEX_ID_BYTES ? get_u32be(key.data + 1) : UINT32_MAX;
    }
    return key.len >= INDEX_ID_BYTES ? get_u32be(key.data) : UINT32_MAX;
}

static bool side_of(const struct index_context *context, struct span key, uint8_t plain[INDEX_PLAIN_MAX],
                    struct side *out_side)
{
    struct index_entry entry = {.truncated = false};

    if (is_search(key)) {
        return side_of_search(key, out_side);
    }
    const enum err err = same_bytes(key, context->fresh_key) ? index_plain_read(context->fresh_plain, &entry)
                                                             : index_open_key(context, key, plain, &entry);
    if (err != ERR_OK) {
        return false;
    }
    *out_side = (struct side){.index = context->index.value, .tuple = entry.tuple, .has_row = true, .row = entry.row};
    return true;
}

static int compare_sides(const struct side *a, const struct side *b)
{
    const int tuples = span_compare(a->tuple, b->tuple);

    if (tuples != 0) {
        return tuples;
    }
    if (a->has_row && b->has_row) {
        return row_id_compare(a->row, b->row);
    }
    return (int)a->has_row - (int)b->has_row; /* a tuple alone lies before its first entry */
}

int index_compare_keys(struct span a, struct span b)
{
    uint8_t plain_a[INDEX_PLAIN_MAX];
    uint8_t plain_b[INDEX_PLAIN_MAX];
    struct side side_a = {.has_row = false};
    struct side side_b = {.has_row = false};
    const uint32_t index_a = index_of(a);
    const uint32_t index_b = index_of(b);

    if (index_a != index_b) {
        return index_a < index_b ? -1 : 1;
    }
    if (same_bytes(a, b)) {
        return 0;
    }
    if (is_start(a) || is_start(b)) {
        return is_start(a) ? -1 : 1; /* opens nothing: there may be no key any more */
    }
    if (entered == NULL || entered->table == NULL || entered->index.value != index_a || !side_of(entered, a, plain_a, &side_a) ||
        !side_of(entered, b, plain_b, &side_b)) {
        if (entered != NULL) {
            entered->poisoned = true;
        }
        return span_compare(a, b);
    }
    return compare_sides(&side_a, &side_b);
}
