/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The growing buffer. Content may be plaintext or a message to a peer, so memory is always wiped before it is given
 * back, also when the buffer grows. */
#include "hal/base/buf.h"

#include <string.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/base/num.h"

#define BUF_FIRST_BYTES 256 /* most replies and messages fit; doubling from here wastes little */

struct buf {
    uint8_t *data;
    size_t held;  /* bytes allocated */
    size_t len;   /* bytes written */
    size_t read;  /* bytes read, at most len */
    size_t used;  /* bytes from the start that may have been written since the last wipe */
    size_t max;
};

enum err buf_new(size_t max_bytes, struct buf **out_buf)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct buf), &memory));
    struct buf *const buf = memory;

    buf->max = max_bytes;
    *out_buf = buf;
    return ERR_OK;
}

static void drop_memory(struct buf *buf)
{
    mem_wipe(buf->data, buf->held);
    mem_free(buf->data);
    buf->data = NULL;
    buf->held = 0;
    buf->used = 0;
}

void buf_free(struct buf *buf)
{
    if (buf == NULL) {
        return;
    }
    drop_memory(buf);
    mem_free(buf);
}

void buf_reset(struct buf *buf)
{
    buf->len = 0;
    buf->read = 0;
}

void buf_wipe(struct buf *buf)
{
    mem_wipe(buf->data, buf->used);
    buf->used = 0;
    buf_reset(buf);
}

void buf_shrink(struct buf *buf, size_t keep_bytes)
{
    if (buf->len == 0 && buf->held > keep_bytes) {
        drop_memory(buf);
        buf_reset(buf);
    }
}

struct span buf_all(const struct buf *buf)
{
    return span_of(buf->data, buf->len);
}

struct span buf_unread(const struct buf *buf)
{
    return span_of(buf->data == NULL ? NULL : buf->data + buf->read, buf->len - buf->read);
}

size_t buf_len(const struct buf *buf)
{
    return buf->len;
}

size_t buf_room(const struct buf *buf)
{
    return buf->max - buf->len;
}

void buf_compact(struct buf *buf)
{
    if (buf->read == 0) {
        return;
    }
    const size_t left = buf->len - buf->read;

    if (left != 0) {
        memmove(buf->data, buf->data + buf->read, left);
    }
    mem_wipe(buf->data + left, buf->len - left);
    buf->len = left;
    buf->read = 0;
}

void buf_truncate(struct buf *buf, size_t len)
{
    INVARIANT(len <= buf->len);
    buf->len = len;
    buf->read = num_min(buf->read, len);
}

static enum err grow(struct buf *buf, size_t needed)
{
    size_t size = num_max(buf->held, BUF_FIRST_BYTES);
    void *memory = NULL;

    while (size < needed) {
        size = size > SIZE_MAX / 2 ? needed : size * 2;
    }
    size = num_min(size, buf->max);
    TRY(mem_alloc(size, &memory));
    if (buf->len != 0) {
        memcpy(memory, buf->data, buf->len);
    }
    mem_wipe(buf->data, buf->held);
    mem_free(buf->data);
    buf->data = memory;
    buf->held = size;
    return ERR_OK;
}

enum err buf_reserve(struct buf *buf, size_t len, uint8_t **out_at)
{
    size_t needed = 0;

    TRY(num_add(buf->len, len, &needed));
    ENSURE(needed <= buf->max, ERR_RANGE, "buffer is at its maximum");
    if (needed > buf->held) {
        TRY(grow(buf, needed));
    }
    buf->used = num_max(buf->used, needed);
    *out_at = buf->data == NULL ? NULL : buf->data + buf->len;
    return ERR_OK;
}

void buf_commit(struct buf *buf, size_t len)
{
    INVARIANT(len <= buf->held - buf->len);
    buf->len += len;
}

enum err buf_put(struct buf *buf, struct span bytes)
{
    uint8_t *at = NULL;

    TRY(buf_reserve(buf, bytes.len, &at));
    if (bytes.len != 0) {
        memcpy(at, bytes.data, bytes.len); /* analyzer: reserved, so at is set */
    }
    buf_commit(buf, bytes.len);
    return ERR_OK;
}

enum err buf_put_u8(struct buf *buf, uint8_t value)
{
    return buf_put(buf, span_of(&value, 1));
}

enum err buf_put_u16be(struct buf *buf, uint16_t value)
{
    const uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};

    return buf_put(buf, span_array(bytes));
}

enum err buf_put_u32be(struct buf *buf, uint32_t value)
{
    uint8_t bytes[4];

    put_u32be(bytes, value);
    return buf_put(buf, span_array(bytes));
}

enum err buf_put_u64be(struct buf *buf, uint64_t value)
{
    uint8_t bytes[8];

    put_u64be(bytes, value);
    return buf_put(buf, span_array(bytes));
}

enum err buf_patch_u32be(struct buf *buf, size_t at, uint32_t value)
{
    ENSURE(at <= buf->len && buf->len - at >= 4, ERR_RANGE, "patch lies outside the content");

    put_u32be(buf->data + at, value);
    return ERR_OK;
}

enum err buf_get(struct buf *buf, size_t len, struct span *out_bytes)
{
    struct reader reader = reader_of(buf_unread(buf));

    TRY(reader_get(&reader, len, out_bytes));
    buf->read += len;
    return ERR_OK;
}

enum err buf_get_u8(struct buf *buf, uint8_t *out_value)
{
    struct reader reader = reader_of(buf_unread(buf));

    TRY(reader_get_u8(&reader, out_value));
    buf->read += 1;
    return ERR_OK;
}

enum err buf_get_u16be(struct buf *buf, uint16_t *out_value)
{
    struct reader reader = reader_of(buf_unread(buf));

    TRY(reader_get_u16be(&reader, out_value));
    buf->read += 2;
    return ERR_OK;
}

enum err buf_get_u32be(struct buf *buf, uint32_t *out_value)
{
    struct reader reader = reader_of(buf_unread(buf));

    TRY(reader_get_u32be(&reader, out_value));
    buf->read += 4;
    return ERR_OK;
}

enum err buf_get_u64be(struct buf *buf, uint64_t *out_value)
{
    struct reader reader = reader_of(buf_unread(buf));

    TRY(reader_get_u64be(&reader, out_value));
    buf->read += 8;
    return ERR_OK;
}

enum err reader_get(struct reader *reader, size_t len, struct span *out_bytes)
{
    ENSURE(len <= reader->rest.len, ERR_MALFORMED, "fewer bytes than announced");

    *out_bytes = span_of(reader->rest.data, len);
    if (len != 0) {
        reader->rest = span_of(reader->rest.data + len, reader->rest.len - len);
    }
    return ERR_OK;
}

enum err reader_get_u8(struct reader *reader, uint8_t *out_value)
{
    struct span bytes;

    TRY(reader_get(reader, 1, &bytes));
    *out_value = bytes.data[0]; /* analyzer: there is a byte */
    return ERR_OK;
}

enum err reader_get_u16be(struct reader *reader, uint16_t *out_value)
{
    struct span bytes;

    TRY(reader_get(reader, 2, &bytes));
    *out_value = (uint16_t)(bytes.data[0] << 8 | bytes.data[1]); /* analyzer: there are two */
    return ERR_OK;
}

enum err reader_get_u32be(struct reader *reader, uint32_t *out_value)
{
    struct span bytes;

    TRY(reader_get(reader, 4, &bytes));
    *out_value = get_u32be(bytes.data);
    return ERR_OK;
}

enum err reader_get_u64be(struct reader *reader, uint64_t *out_value)
{
    struct span bytes;

    TRY(reader_get(reader, 8, &bytes));
    *out_value = get_u64be(bytes.data);
    return ERR_OK;
}

void put_u32be(uint8_t out_bytes[4], uint32_t value)
{
    for (size_t i = 0; i < 4; i++) {
        out_bytes[i] = (uint8_t)(value >> (24 - 8 * i));
    }
}

void put_u64be(uint8_t out_bytes[8], uint64_t value)
{
    for (size_t i = 0; i < 8; i++) {
        out_bytes[i] = (uint8_t)(value >> (56 - 8 * i));
    }
}

uint32_t get_u32be(const uint8_t bytes[4])
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | /* analyzer: callers have four bytes */
           (uint32_t)bytes[2] << 8 | (uint32_t)bytes[3];
}

uint64_t get_u64be(const uint8_t bytes[8])
{
    return (uint64_t)get_u32be(bytes) << 32 | get_u32be(bytes + 4);
}
