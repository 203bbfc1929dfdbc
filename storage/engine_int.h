/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an engine must do: an ordered map of bytes to bytes, three of them, in one environment, with transactions that
 * are durable when they commit, readers that see one moment and never wait, and one writer at a time. The engine knows
 * nothing of tables, rows or keys, and all that it is given is sealed.
 *
 * Spans into stored bytes live until the transaction ends, in a write transaction until its next change.
 * ERR_NOT_FOUND leaves no trail: it is an ordinary answer here. */
#ifndef STORAGE_ENGINE_INT_H
#define STORAGE_ENGINE_INT_H

#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

#define ENGINE_KEY_MAX 511 /* bytes of a stored key */

struct engine;
struct engine_txn;
struct engine_cursor;

/* ENGINE_INDEX is ordered by index_compare_keys() of index_int.h, the others by bytes. */
enum engine_map { ENGINE_ROWS, ENGINE_INDEX, ENGINE_META, ENGINE_MAP_COUNT };

struct engine_config {
    const char *path; /* an existing folder; NUL-ended */
    uint64_t map_bytes;
    unsigned int readers_max;
};

/* Blocks on disk. ERR_DAMAGED, ERR_VERSION, ERR_IO, ERR_FULL, ERR_REFUSED, ERR_NO_MEMORY. */
enum err engine_open(const struct engine_config *config, struct engine **out_engine) MUST_USE;
void engine_close(struct engine *engine); /* NULL is fine */

/* A read transaction may be parked (reset: its view is given up) and begun anew without an allocation.
 * ERR_LIMIT when the reader table is full. */
enum err engine_read_begin(struct engine *engine, struct engine_txn **out_txn) MUST_USE;
void engine_read_reset(struct engine_txn *txn);
enum err engine_read_renew(struct engine_txn *txn) MUST_USE;

/* Waits for the write transaction that is open. */
enum err engine_write_begin(struct engine *engine, struct engine_txn **out_txn) MUST_USE;

/* Durable when ERR_OK; nothing has changed when ERR_FULL or ERR_IO. The transaction is gone in every case. */
enum err engine_commit(struct engine_txn *txn) MUST_USE;
void engine_abort(struct engine_txn *txn); /* also frees a read transaction; NULL is fine */

/* The number of the commit that a read transaction sees, or that a write transaction would make. */
uint64_t engine_txn_number(const struct engine_txn *txn);

/* ERR_NOT_FOUND, ERR_FULL, ERR_IO, ERR_DAMAGED. put replaces. */
enum err engine_get(struct engine_txn *txn, enum engine_map map, struct span key, struct span *out_value) MUST_USE;
enum err engine_put(struct engine_txn *txn, enum engine_map map, struct span key, struct span value) MUST_USE;
enum err engine_delete(struct engine_txn *txn, enum engine_map map, struct span key) MUST_USE;

/* A cursor belongs to one transaction at a time; free it before the transaction ends, or renew it for the next read
 * transaction. */
enum err engine_cursor_new(struct engine_txn *txn, enum engine_map map, struct engine_cursor **out_cursor) MUST_USE;
enum err engine_cursor_renew(struct engine_cursor *cursor, struct engine_txn *txn) MUST_USE;
void engine_cursor_free(struct engine_cursor *cursor); /* NULL is fine */

enum engine_step { ENGINE_FIRST, ENGINE_LAST, ENGINE_NEXT, ENGINE_PREV };

/* To the first entry at or behind key, or a step from where it stands (NEXT of a fresh cursor is FIRST).
 * ERR_NOT_FOUND when there is none; ERR_DAMAGED also after more steps than the file has room for entries. out_value may
 * be NULL. */
enum err engine_cursor_seek(struct engine_cursor *cursor, struct span key, struct span *out_key, struct span *out_value)
    MUST_USE;
enum err engine_cursor_step(struct engine_cursor *cursor, enum engine_step step, struct span *out_key,
                            struct span *out_value) MUST_USE;

/* Deletes the entry it stands on; the next NEXT then gives the one behind it. */
enum err engine_cursor_delete(struct engine_cursor *cursor) MUST_USE;

#endif
