/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Read-mostly values that are replaced whole: the catalogue of tables and keys, ticket keys.
 *
 * One thread publishes; a fixed number of readers each have a slot and may look at any time without a lock. A value is
 * immutable once published and counted by references, so a reader may keep one across events and see the same version
 * for a whole request. Looking again costs one atomic load while nothing has changed. */
#ifndef HAL_BASE_SNAPSHOT_H
#define HAL_BASE_SNAPSHOT_H

#include <stdatomic.h>
#include <stddef.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"

/* The head of every value that is published; the first member of its struct. */
struct snapshot {
    atomic_size_t references;
    void (*free)(struct snapshot *snapshot); /* called by whoever drops the last reference */
};

/* Sets the head of a new value: one reference, which is the caller's. */
void snapshot_init(struct snapshot *snapshot, void (*free)(struct snapshot *snapshot));
struct snapshot *snapshot_ref(struct snapshot *snapshot);
void snapshot_unref(struct snapshot *snapshot); /* NULL is fine */

struct snapshot_cell;

#define SNAPSHOT_READERS_MAX 1024 /* more than a process has threads; each costs a cache line */

/* A cell for readers many readers, holding `take_first` (may be NULL), whose reference it takes. ERR_NO_MEMORY,
 * ERR_RANGE (more than SNAPSHOT_READERS_MAX). */
enum err snapshot_cell_new(size_t readers, struct snapshot *take_first, struct snapshot_cell **out_cell) MUST_USE;

/* When no reader is left. Drops the cell's reference. NULL is fine. */
void snapshot_cell_free(struct snapshot_cell *cell);

/* Replaces the value, whose reference the cell takes. One publishing thread at a time. */
void snapshot_publish(struct snapshot_cell *cell, struct snapshot *take_next);

/* The newest value, for the reader that owns `slot`. `held` is what the reader already holds (or NULL): if it is still
 * the newest it is handed back, otherwise its reference is dropped and the answer carries a new one. */
struct snapshot *snapshot_refresh(struct snapshot_cell *cell, size_t slot, struct snapshot *held) MUST_USE;

#endif
