/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The update file, numbers big-endian:
 *
 *   magic(8) "RLUPDATE" | format(4) 1 | board(32) | version(32) | security version(4) | bytes(4) of each part
 *   SHA-256(32) of each MiB of each part; the last of a part may be shorter
 *   ECDSA P-256 signature(64), r | s, over SHA-256 of all of the above
 *   the parts: unified kernel image, root slot, signed policy file
 *
 * Names are padded with NUL. The length of the header follows from the sizes, which are held against their limits
 * before the header is gathered: an unsigned stranger can make the reader hold HEADER_MAX bytes. All else in it is
 * looked at only after the signature. The chunk is taken from memory first with the verified header. */
#include "firmware/update/update.h"

#include "crypto/ct.h"
#include "crypto/hash.h"
#include "firmware/update/version.h"
#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/base/num.h"

#define MAGIC       "RLUPDATE"
#define MAGIC_BYTES 8
#define FORMAT      1
#define FIXED_BYTES (MAGIC_BYTES + 4 + 2 * UPDATE_NAME_BYTES + 4 + 4 * UPDATE_PART_COUNT)
#define SIZES_AT    (FIXED_BYTES - 4 * UPDATE_PART_COUNT)
#define MIB         1048576u
_Static_assert(FIXED_BYTES == UPDATE_HEAD_BYTES, "as the header says");
#define CHUNKS_MAX  (64 + 256 + 1) /* of limits[] */
#define HEADER_MAX  (FIXED_BYTES + CHUNKS_MAX * SHA256_BYTES + SIGN_RAW_BYTES)

/* Several times what an image has, and small beside a disk. */
static const uint32_t limits[UPDATE_PART_COUNT] = {
    [UPDATE_UKI] = 64 * MIB, [UPDATE_ROOT] = 256 * MIB, [UPDATE_POLICY] = 65536};

enum stage { STAGE_FIXED, STAGE_HEADER, STAGE_PARTS, STAGE_DONE, STAGE_FAILED };

struct update_reader {
    struct update_expect expect;
    struct update_sink sink;
    enum stage stage;
    struct buf *header; /* with the signature, until the end: the hashes are read where they lie */
    struct buf *chunk;
    size_t header_bytes; /* known after STAGE_FIXED */
    struct update_info info;
    size_t part;
    uint32_t offset; /* of the chunk within the part */
    size_t hash_at;  /* of the chunk within the header */
};

enum err update_reader_new(const struct update_expect *expect, const struct update_sink *sink,
                           struct update_reader **out_reader)
{
    SCOPED_UPDATE_READER struct update_reader *reader = NULL;
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct update_reader), &memory));
    reader = memory;
    *reader = (struct update_reader){.expect = *expect, .sink = *sink, .stage = STAGE_FIXED};
    TRY(buf_new(HEADER_MAX, &reader->header));
    TRY(buf_new(UPDATE_CHUNK_BYTES, &reader->chunk));
    *out_reader = TAKE(reader);
    return ERR_OK;
}

void update_reader_free(struct update_reader *reader)
{
    if (reader != NULL) {
        buf_free(reader->header);
        buf_free(reader->chunk);
        mem_free(reader);
    }
}

static size_t chunks_of(uint32_t bytes)
{
    return (bytes - 1) / UPDATE_CHUNK_BYTES + 1; /* bytes is not 0 */
}

/* Moves bytes from the front of *rest until target holds want. */
static enum err gather(struct buf *target, size_t want, struct span *rest)
{
    const size_t take = num_min(want - buf_len(target), rest->len);

    TRY(buf_put(target, span_of(rest->data, take)));
    *rest = span_of(rest->data + take, rest->len - take);
    return ERR_OK;
}

static enum err read_fixed(struct update_reader *reader)
{
    struct reader from = reader_of(buf_all(reader->header));
    struct span skipped = SPAN_NONE;
    struct span magic = SPAN_NONE;
    uint32_t format = 0;
    size_t chunks = 0;

    TRY(reader_get(&from, MAGIC_BYTES, &magic));
    ENSURE(span_equal(magic, span_lit(MAGIC)), ERR_MALFORMED, "not an update file");
    TRY(reader_get_u32be(&from, &format));
    ENSURE(format == FORMAT, ERR_VERSION, "an update file of another format");
    TRY(reader_get(&from, SIZES_AT - MAGIC_BYTES - 4, &skipped));
    for (size_t i = 0; i < UPDATE_PART_COUNT; i++) {
        TRY(reader_get_u32be(&from, &reader->info.bytes[i]));
        ENSURE(reader->info.bytes[i] > 0 && reader->info.bytes[i] <= limits[i], ERR_RANGE, "a part's size");
        chunks += chunks_of(reader->info.bytes[i]);
    }
    reader->header_bytes = FIXED_BYTES + chunks * SHA256_BYTES + SIGN_RAW_BYTES;
    reader->stage = STAGE_HEADER;
    return ERR_OK;
}

/* Without its padding; what lies behind the first NUL must be NUL. */
static enum err read_name(struct reader *from, struct span *out_name)
{
    struct span padded = SPAN_NONE;

    TRY(reader_get(from, UPDATE_NAME_BYTES, &padded));
    const size_t len = span_find(padded, '\0');
    for (size_t i = len; i < padded.len; i++) {
        ENSURE(padded.data[i] == 0, ERR_MALFORMED, "bytes behind a name");
    }
    *out_name = span_of(padded.data, len);
    return ERR_OK;
}

static bool in_names(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-' || c == '~';
}

static enum err read_version(struct reader *from, char out_version[UPDATE_NAME_BYTES + 1])
{
    struct span version = SPAN_NONE;

    TRY(read_name(from, &version));
    ENSURE(version.len > 0 && version.data[0] != '.', ERR_MALFORMED, "a version that is none");
    for (size_t i = 0; i < version.len; i++) {
        ENSURE(in_names(version.data[i]), ERR_MALFORMED, "a version that is none");
        out_version[i] = (char)version.data[i];
    }
    out_version[version.len] = '\0';
    return ERR_OK;
}

enum err update_peek(struct span head, struct update_info *out_info)
{
    struct update_info info = {.security = 0};
    struct reader from = reader_of(head);
    struct span magic = SPAN_NONE;
    struct span board = SPAN_NONE;
    uint32_t format = 0;

    TRY(reader_get(&from, MAGIC_BYTES, &magic));
    ENSURE(span_equal(magic, span_lit(MAGIC)), ERR_MALFORMED, "not an update file");
    TRY(reader_get_u32be(&from, &format));
    ENSURE(format == FORMAT, ERR_VERSION, "an update file of another format");
    TRY(read_name(&from, &board));
    TRY(read_version(&from, info.version));
    TRY(reader_get_u32be(&from, &info.security));
    for (size_t i = 0; i < UPDATE_PART_COUNT; i++) {
        TRY(reader_get_u32be(&from, &info.bytes[i]));
    }
    *out_info = info;
    return ERR_OK;
}

static enum err check_header(struct update_reader *reader)
{
    const struct span all = buf_all(reader->header);
    const struct span body = span_of(all.data, all.len - SIGN_RAW_BYTES);
    struct reader from = reader_of(body);
    struct span skipped = SPAN_NONE;
    struct span board = SPAN_NONE;
    uint8_t digest[SHA256_BYTES];

    sha256(body, digest);
    TRY(sign_verify_raw(reader->expect.public_key, span_array(digest), all.data + body.len, SIGN_ANY_S));
    TRY(reader_get(&from, MAGIC_BYTES + 4, &skipped));
    TRY(read_name(&from, &board));
    ENSURE(span_equal(board, reader->expect.board), ERR_UNSUPPORTED, "an update for another board");
    TRY(read_version(&from, reader->info.version));
    TRY(reader_get_u32be(&from, &reader->info.security));
    ENSURE(reader->info.security >= reader->expect.minimum_security, ERR_REVOKED, "below the minimum version");
    ENSURE(version_compare(span_str(reader->info.version), reader->expect.running) == VERSION_NEWER, ERR_ROLLBACK,
           "not newer than what runs");
    TRY(reader->sink.begin(reader->sink.context, &reader->info));
    reader->hash_at = FIXED_BYTES;
    reader->stage = STAGE_PARTS;
    return ERR_OK;
}

/* The chunk is whole: verified, handed on, forgotten. */
static enum err end_chunk(struct update_reader *reader)
{
    const struct span chunk = buf_all(reader->chunk);
    const uint8_t *const wanted = buf_all(reader->header).data + reader->hash_at;
    uint8_t digest[SHA256_BYTES];

    sha256(chunk, digest);
    ENSURE(ct_equal(span_array(digest), span_of(wanted, SHA256_BYTES)), ERR_AUTH, "a chunk was changed");
    TRY(reader->sink.chunk(reader->sink.context, (enum update_part)reader->part, reader->offset, chunk));
    reader->hash_at += SHA256_BYTES;
    reader->offset += (uint32_t)chunk.len;
    if (reader->offset == reader->info.bytes[reader->part]) {
        reader->offset = 0;
        reader->part++;
    }
    if (reader->part == UPDATE_PART_COUNT) {
        reader->stage = STAGE_DONE;
    }
    buf_reset(reader->chunk);
    return ERR_OK;
}

/* One stage's worth of the bytes at most. */
static enum err step(struct update_reader *reader, struct span *rest)
{
    switch (reader->stage) {
    case STAGE_FIXED:
        TRY(gather(reader->header, FIXED_BYTES, rest));
        return buf_len(reader->header) == FIXED_BYTES ? read_fixed(reader) : ERR_OK;
    case STAGE_HEADER:
        TRY(gather(reader->header, reader->header_bytes, rest));
        return buf_len(reader->header) == reader->header_bytes ? check_header(reader) : ERR_OK;
    case STAGE_PARTS: {
        const size_t want = num_min(UPDATE_CHUNK_BYTES, reader->info.bytes[reader->part] - reader->offset);
        TRY(gather(reader->chunk, want, rest));
        return buf_len(reader->chunk) == want ? end_chunk(reader) : ERR_OK;
    }
    case STAGE_DONE:
        FAIL(ERR_MALFORMED, "bytes behind the update", rest->len);
    case STAGE_FAILED:
        FAIL(ERR_STATE, "a reader that has failed", 0);
    }
    FAIL(ERR_BUG, "a stage that is none", reader->stage);
}

enum err update_reader_feed(struct update_reader *reader, struct span bytes)
{
    struct span rest = bytes;
    enum err err = reader->stage == STAGE_FAILED ? step(reader, &rest) : ERR_OK;

    while (err == ERR_OK && rest.len > 0) { /* ends: each step takes a byte or more, or fails */
        err = step(reader, &rest);
    }
    if (err != ERR_OK) {
        reader->stage = STAGE_FAILED;
    }
    return err;
}

enum err update_reader_end(const struct update_reader *reader)
{
    ENSURE(reader->stage != STAGE_FAILED, ERR_STATE, "a reader that has failed");
    ENSURE(reader->stage == STAGE_DONE, ERR_MALFORMED, "an update file that ends early");
    return ERR_OK;
}
