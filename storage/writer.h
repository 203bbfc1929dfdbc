/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The writer thread: takes write operations from a bounded queue and commits them in groups, one fsync for all.
 *
 * 1. It waits for an operation, then takes what else is queued, up to CONFIG_STORAGE_GROUP_MAX.
 * 2. In one transaction it calls apply of each in the order of the queue. apply decides everything before its first
 *    change. One that fails without having changed anything is completed with its error; the others go on.
 * 3. An operation that fails after a change, or a commit that fails, aborts the group; then each operation runs again
 *    in a transaction of its own, so that one bad operation cannot fail its neighbours.
 * 4. complete is called when the group's fate is on disk, on the writer thread, exactly once for each operation.
 *
 * apply may therefore run twice and must not keep anything from the first run. */
#ifndef STORAGE_WRITER_H
#define STORAGE_WRITER_H

#include "crypto/random.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "storage/store.h"

/* One operation; the memory is the caller's until complete has been called. */
struct write_op {
    enum err (*apply)(struct store_txn *txn, void *context);
    void (*complete)(void *context, enum err err);
    void *context;
};

/* What goes along with each transaction: the catalogue in work. All are called on the writer thread; each may be NULL.
 * closed is called once, after the fate of every operation was told, when the store takes no more until it is opened anew:
 * the disk failed in a commit's last write, and nobody knows what is on it.
 * before_commit runs when every apply of the transaction succeeded, and may write; its error aborts.
 * after_commit runs before any complete of the group; after_abort after every transaction that did not commit. */
struct writer_hooks {
    void *context;
    void (*begin)(void *context, struct store_txn *txn);
    enum err (*before_commit)(void *context, struct store_txn *txn);
    void (*after_commit)(void *context);
    void (*after_abort)(void *context);
    void (*closed)(void *context);
};

struct writer;

/* Starts the thread; it blocks every signal. random is lent and belongs to the writer thread from now on; hooks (NULL: none)
 * are copied. ERR_NO_MEMORY, ERR_LIMIT, ERR_IO. */
enum err writer_start(struct store *store, struct random *random, const struct writer_hooks *hooks,
                      struct writer **out_writer) MUST_USE;

/* Queues an operation; any thread, never blocks. When this fails complete is not called.
 * ERR_LIMIT: CONFIG_STORAGE_WRITE_QUEUE operations wait already; ERR_CLOSED: the writer is stopping. */
enum err writer_submit(struct writer *writer, struct write_op *op) MUST_USE;

/* Carries out everything that is queued, ends the thread and frees. NULL is fine. Blocks. Not from the writer thread. */
void writer_stop(struct writer *writer);

#endif
