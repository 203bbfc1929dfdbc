/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hazard pointers, one per reader: a reader announces the value that it is about to count before it counts it, and the
 * publisher drops its own reference only when no reader announces the old value. A slot is held for a few
 * instructions, so the publisher's wait is short and never on a sleeping thread's work. */
#include "hal/base/snapshot.h"

#include <sched.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"

struct hazard {
    _Atomic(struct snapshot *) value;
    char padding[64 - sizeof(void *)]; /* a cache line of its own: readers must not slow each other */
};

struct snapshot_cell {
    _Atomic(struct snapshot *) current;
    size_t readers;
    struct hazard hazards[];
};

void snapshot_init(struct snapshot *snapshot, void (*free)(struct snapshot *snapshot))
{
    atomic_init(&snapshot->references, 1);
    snapshot->free = free;
}

struct snapshot *snapshot_ref(struct snapshot *snapshot)
{
    atomic_fetch_add_explicit(&snapshot->references, 1, memory_order_relaxed);
    return snapshot;
}

void snapshot_unref(struct snapshot *snapshot)
{
    if (snapshot != NULL && atomic_fetch_sub_explicit(&snapshot->references, 1, memory_order_acq_rel) == 1) {
        snapshot->free(snapshot);
    }
}

enum err snapshot_cell_new(size_t readers, struct snapshot *take_first, struct snapshot_cell **out_cell)
{
    void *memory = NULL;

    ENSURE(readers <= SNAPSHOT_READERS_MAX, ERR_RANGE, "more readers than threads could be");
    TRY(mem_alloc(sizeof(struct snapshot_cell) + readers * sizeof(struct hazard), &memory));
    struct snapshot_cell *const cell = memory;

    atomic_init(&cell->current, take_first);
    cell->readers = readers;
    for (size_t i = 0; i < readers; i++) {
        atomic_init(&cell->hazards[i].value, NULL);
    }
    *out_cell = cell;
    return ERR_OK;
}

void snapshot_cell_free(struct snapshot_cell *cell)
{
    if (cell == NULL) {
        return;
    }
    snapshot_unref(atomic_load(&cell->current));
    mem_free(cell);
}

void snapshot_publish(struct snapshot_cell *cell, struct snapshot *take_next)
{
    struct snapshot *const old = atomic_exchange(&cell->current, take_next);

    for (size_t i = 0; i < cell->readers; i++) {
        while (old != NULL && atomic_load(&cell->hazards[i].value) == old) {
            sched_yield();
        }
    }
    snapshot_unref(old);
}

struct snapshot *snapshot_refresh(struct snapshot_cell *cell, size_t slot, struct snapshot *held)
{
    struct snapshot *seen = atomic_load_explicit(&cell->current, memory_order_acquire);
    struct snapshot *again = seen;

    INVARIANT(slot < cell->readers);
    if (seen == held) {
        return held;
    }
    do {
        seen = again;
        atomic_store(&cell->hazards[slot].value, seen);
        again = atomic_load(&cell->current);
    } while (again != seen);
    if (seen != NULL) {
        snapshot_ref(seen);
    }
    atomic_store(&cell->hazards[slot].value, NULL);
    snapshot_unref(held);
    return seen;
}
