/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A buffer that owns its bytes, has a hard maximum from birth, a write end and a read cursor, and refuses with
 * ERR_RANGE rather than grow past the maximum. Parsers read with buf_get_*, so there are no pointer walks.
 * A failed call changes nothing. A buffer belongs to one thread. */
#ifndef HAL_BASE_BUF_H
#define HAL_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

struct buf;

/* Makes an empty buffer that may hold up to max_bytes; memory is taken as it fills. The caller frees it.
 * ERR_NO_MEMORY. */
enum err buf_new(size_t max_bytes, struct buf **out_buf) MUST_USE;

/* Wipes and frees. NULL is fine. */
void buf_free(struct buf *buf);

static inline void buf_free_scoped(struct buf **buf)
{
    buf_free(*buf);
}
#define SCOPED_BUF SCOPED(buf_free_scoped)

/* Forgets the content and both cursors; keeps the memory. buf_wipe also overwrites what was written since the last wipe,
 * also what buf_reset and buf_truncate had forgotten. */
void buf_reset(struct buf *buf);
void buf_wipe(struct buf *buf);

/* Gives memory back to the system when more than keep_bytes are held and the buffer is empty. */
void buf_shrink(struct buf *buf, size_t keep_bytes);

/* All bytes written, those not yet read, and how many more would fit. A view lives until the next change. */
struct span buf_all(const struct buf *buf);
struct span buf_unread(const struct buf *buf);
size_t buf_len(const struct buf *buf);
size_t buf_room(const struct buf *buf);

/* Drops and overwrites what has been read, and moves the rest to the front. */
void buf_compact(struct buf *buf);

/* Cuts the content back to len bytes (len <= buf_len). */
void buf_truncate(struct buf *buf, size_t len);

/* Writing. Numbers are big-endian. ERR_RANGE past the maximum, ERR_NO_MEMORY. */
enum err buf_put(struct buf *buf, struct span bytes) MUST_USE;
enum err buf_put_u8(struct buf *buf, uint8_t value) MUST_USE;
enum err buf_put_u16be(struct buf *buf, uint16_t value) MUST_USE;
enum err buf_put_u32be(struct buf *buf, uint32_t value) MUST_USE;
enum err buf_put_u64be(struct buf *buf, uint64_t value) MUST_USE;

/* Room for len bytes at the write end, to be filled by the caller before buf_commit(buf, n <= len). The pointer lives
 * until the next call on the buffer. */
enum err buf_reserve(struct buf *buf, size_t len, uint8_t **out_at) MUST_USE;
void buf_commit(struct buf *buf, size_t len);

/* Overwrites four bytes that were written before, for lengths that are known only later. ERR_RANGE. */
enum err buf_patch_u32be(struct buf *buf, size_t at, uint32_t value) MUST_USE;

/* Reading from the cursor. ERR_MALFORMED if fewer bytes are left; the cursor then stays. buf_get's view lives until the
 * next change. */
enum err buf_get(struct buf *buf, size_t len, struct span *out_bytes) MUST_USE;
enum err buf_get_u8(struct buf *buf, uint8_t *out_value) MUST_USE;
enum err buf_get_u16be(struct buf *buf, uint16_t *out_value) MUST_USE;
enum err buf_get_u32be(struct buf *buf, uint32_t *out_value) MUST_USE;
enum err buf_get_u64be(struct buf *buf, uint64_t *out_value) MUST_USE;

/* A reader over borrowed bytes, with the same rules and no ownership, for formats that are parsed where they lie. */
struct reader {
    struct span rest;
};

static inline struct reader reader_of(struct span bytes)
{
    return (struct reader){bytes};
}

enum err reader_get(struct reader *reader, size_t len, struct span *out_bytes) MUST_USE;
enum err reader_get_u8(struct reader *reader, uint8_t *out_value) MUST_USE;
enum err reader_get_u16be(struct reader *reader, uint16_t *out_value) MUST_USE;
enum err reader_get_u32be(struct reader *reader, uint32_t *out_value) MUST_USE;
enum err reader_get_u64be(struct reader *reader, uint64_t *out_value) MUST_USE;

/* Numbers in memory that the caller owns: exactly 4 or 8 bytes, big-endian. */
void put_u32be(uint8_t out_bytes[4], uint32_t value);
void put_u64be(uint8_t out_bytes[8], uint64_t value);
uint32_t get_u32be(const uint8_t bytes[4]);
uint64_t get_u64be(const uint8_t bytes[8]);

#endif
