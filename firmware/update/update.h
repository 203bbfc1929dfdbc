/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reads an update file as it comes in. Nothing of it is handed on before it has been verified: no part before the header's
 * signature, no chunk before its hash. The format stands in update.c; board/image/update.py makes such files.
 *
 * A reader belongs to one thread and holds one chunk. */
#ifndef FIRMWARE_UPDATE_UPDATE_H
#define FIRMWARE_UPDATE_UPDATE_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/sign.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

#define UPDATE_CHUNK_BYTES 1048576 /* one hash each: what is held in memory until it is verified */
#define UPDATE_NAME_BYTES  32      /* of a board, of a version */

/* In the order of the file. */
enum update_part { UPDATE_UKI, UPDATE_ROOT, UPDATE_POLICY, UPDATE_PART_COUNT };

/* What is taken: files that this key signed for this board, newer than what runs, and of this security version or a later
 * one. The boot loader starts the newest image there is, so one that is older would never be tried. */
struct update_expect {
    uint8_t public_key[SIGN_PUBLIC_BYTES];
    struct span board;   /* borrowed while the reader lives */
    struct span running; /* its version; borrowed, too */
    uint32_t minimum_security;
};

/* The signed header. The version is NUL-ended and may be part of a file's name: [A-Za-z0-9._~-], no dot in front. */
struct update_info {
    char version[UPDATE_NAME_BYTES + 1];
    uint32_t security;
    uint32_t bytes[UPDATE_PART_COUNT]; /* none is 0 */
};

/* Where verified bytes go. An error of either ends the reading and is returned. */
struct update_sink {
    /* The header is verified: is there room, is the update wanted? */
    enum err (*begin)(void *context, const struct update_info *info);
    /* A verified chunk, parts in their order and each from its start without a gap. Lives until the function returns. */
    enum err (*chunk)(void *context, enum update_part part, uint32_t offset, struct span bytes);
    void *context; /* borrowed */
};

/* What the front of a file says of itself, for whoever sends it: nothing of it has been verified, and it decides nothing. head: the
 * first UPDATE_HEAD_BYTES. ERR_MALFORMED, ERR_VERSION, as below. */
#define UPDATE_HEAD_BYTES 92
enum err update_peek(struct span head, struct update_info *out_info) MUST_USE;

struct update_reader;

/* The caller frees it. ERR_NO_MEMORY. */
enum err update_reader_new(const struct update_expect *expect, const struct update_sink *sink,
                           struct update_reader **out_reader) MUST_USE;
void update_reader_free(struct update_reader *reader); /* NULL is fine */

/* Takes the next bytes of the file, however they are cut. After an error the reader takes no more: ERR_STATE.
 * ERR_MALFORMED: not such a file, or more bytes than it announces
 * ERR_VERSION: of a format that this program does not read
 * ERR_RANGE: a part is empty, or larger than a slot
 * ERR_AUTH: not signed by the key, or changed since
 * ERR_UNSUPPORTED: for another board
 * ERR_REVOKED: below the minimum security version
 * ERR_ROLLBACK: not newer than what runs
 * ERR_NO_MEMORY, and what the sink returns. */
enum err update_reader_feed(struct update_reader *reader, struct span bytes) MUST_USE;

/* The file is at its end, and so is the update? Only then may it be made bootable. ERR_MALFORMED: bytes are missing;
 * ERR_STATE: an error came before. */
enum err update_reader_end(const struct update_reader *reader) MUST_USE;

static inline void update_reader_free_scoped(struct update_reader **reader)
{
    update_reader_free(*reader);
}
#define SCOPED_UPDATE_READER SCOPED(update_reader_free_scoped)

#endif
