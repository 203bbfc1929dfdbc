/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The writer thread. The rules stand in writer.h; the order of a group is:
 *   begin -> apply each -> before_commit -> commit (fsync) -> after_commit -> complete each
 * and of a group that fails:
 *   abort -> after_abort -> each operation alone, by the same rules.
 *
 * Between groups it deletes what dropped tables and indexes have left, and seals anew what lies under old epochs: in
 * transactions of its own, each so short that a write hardly waits for it. */
#include "storage/writer.h"

#include <pthread.h>
#include <signal.h>

#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/base/queue.h"

#define WAIT_MS     100 /* without a write; then it reseals a little. A push wakes it at once */
#define RESEAL_ROWS 64  /* some 2 ms, which a write that comes now has to wait */

/* What drops have left is deleted at once while no write waits, and between writes otherwise. */
#define CLEAR_ENTRIES 512 /* some 2 ms and an fsync */
#define CLEAR_GROUPS  8   /* commits of others between two steps */
#define CLEAR_FEW     16  /* entries of a step after one that failed: a full disk has room for few changed pages */
#define CLEAR_REST    100 /* waits of WAIT_MS before it is tried again */

struct group {
    struct write_op *ops[CONFIG_STORAGE_GROUP_MAX];
    enum err results[CONFIG_STORAGE_GROUP_MAX];
    size_t count;
};

struct writer {
    struct queue *queue;
    struct store_sealer *sealer;
    struct writer_hooks hooks;
    pthread_t thread;
    bool running;
    bool failed; /* a transaction: is the store still open? */
    bool closed; /* it is not, and that was told */
    bool resealed; /* nothing is left to do before the next start, or it failed */
    struct store *store;
    uint32_t clear_entries;    /* of the next step */
    unsigned int clear_rest;   /* waits to go before the next step, after one that failed */
    unsigned int clear_groups; /* commits since the last step */
    struct group group;
};

/* Applies the operations; an error means that the transaction must not be committed. */
static enum err apply_all(struct writer *writer, struct store_txn *txn, struct write_op *const *ops, size_t count,
                          enum err *results)
{
    for (size_t at = 0; at < count; at++) {
        const uint64_t before = store_txn_changes(txn);
        results[at] = ops[at]->apply(txn, ops[at]->context);
        if (results[at] != ERR_OK && store_txn_changes(txn) != before) {
            return results[at];
        }
    }
    return writer->hooks.before_commit == NULL ? ERR_OK : writer->hooks.before_commit(writer->hooks.context, txn);
}

static enum err apply_in_txn(struct writer *writer, struct write_op *const *ops, size_t count, enum err *results)
{
    struct store_txn *txn = NULL;

    TRY(store_txn_begin(writer->sealer, &txn));
    if (writer->hooks.begin != NULL) {
        writer->hooks.begin(writer->hooks.context, txn);
    }
    const enum err err = apply_all(writer, txn, ops, count, results);
    if (err != ERR_OK) {
        store_txn_abort(txn);
        return err;
    }
    return store_txn_commit(txn);
}

static enum err run_txn(struct writer *writer, struct write_op *const *ops, size_t count, enum err *results)
{
    const enum err err = apply_in_txn(writer, ops, count, results);
    void (*hook)(void *context) = err == ERR_OK ? writer->hooks.after_commit : writer->hooks.after_abort;

    if (hook != NULL) {
        hook(writer->hooks.context);
    }
    writer->failed = writer->failed || err != ERR_OK;
    return err;
}

static void run_alone(struct writer *writer, struct write_op *op)
{
    enum err result = ERR_OK;
    const enum err err = run_txn(writer, &op, 1, &result);

    op->complete(op->context, result != ERR_OK ? result : err);
}

static void run_group(struct writer *writer)
{
    struct group *group = &writer->group;

    if (group->count == 1) {
        run_alone(writer, group->ops[0]);
        return;
    }
    const enum err err = run_txn(writer, group->ops, group->count, group->results);
    for (size_t at = 0; at < group->count; at++) {
        if (err == ERR_OK) {
            group->ops[at]->complete(group->ops[at]->context, group->results[at]);
        } else {
            run_alone(writer, group->ops[at]);
        }
    }
}

/* Takes what else is there, without waiting. */
static void fill_group(struct writer *writer, void *first)
{
    struct group *group = &writer->group;
    void *item = first;

    group->count = 0;
    do {
        group->ops[group->count] = item;
        group->count++;
    } while (group->count < CONFIG_STORAGE_GROUP_MAX && queue_pop(writer->queue, &item) == ERR_OK);
}

static enum err clear(struct writer *writer)
{
    struct store_txn *txn = NULL;
    bool done = false;

    TRY(store_txn_begin(writer->sealer, &txn));
    const enum err err = store_clear_some(txn, writer->clear_entries, &done);
    if (err != ERR_OK) {
        store_txn_abort(txn);
        return err;
    }
    return store_txn_commit(txn);
}

/* Nobody waits for this either. After a failure it takes smaller steps, and after the failure of one a rest. */
static void clear_step(struct writer *writer)
{
    writer->clear_groups = 0;
    const enum err err = clear(writer);
    writer->failed = writer->failed || err != ERR_OK;
    if (err == ERR_OK) {
        writer->clear_entries = CLEAR_ENTRIES;
    } else if (writer->clear_entries != CLEAR_FEW) {
        writer->clear_entries = CLEAR_FEW;
    } else {
        writer->clear_rest = CLEAR_REST;
    }
    fault_clear();
}

static bool has_to_clear(const struct writer *writer)
{
    return writer->clear_rest == 0 && store_has_leftovers(writer->store);
}

static enum err reseal(struct writer *writer)
{
    struct store_txn *txn = NULL;

    TRY(store_txn_begin(writer->sealer, &txn));
    const enum err err = store_reseal_some(txn, RESEAL_ROWS, &writer->resealed);
    if (err != ERR_OK) {
        store_txn_abort(txn);
        return err;
    }
    return store_txn_commit(txn);
}

/* Nobody waits for it, so a failure only ends it until the next start: a write will meet the same disk and say so. */
static void use_idle_time(struct writer *writer)
{
    if (has_to_clear(writer)) {
        clear_step(writer);
        return;
    }
    writer->clear_rest -= writer->clear_rest > 0;
    if (!writer->resealed && reseal(writer) != ERR_OK) {
        writer->resealed = true;
        writer->failed = true;
    }
    fault_clear();
}

/* The transaction that closed the store has failed like any other; the next one is not even begun. */
static void look_if_closed(struct writer *writer)
{
    struct store_txn *txn = NULL;

    if (!writer->failed || writer->closed) {
        return;
    }
    writer->failed = false;
    const enum err err = store_txn_begin(writer->sealer, &txn);
    store_txn_abort(txn);
    fault_clear();
    writer->closed = err == ERR_CLOSED;
    if (writer->closed && writer->hooks.closed != NULL) {
        writer->hooks.closed(writer->hooks.context);
    }
}

static void *run(void *context)
{
    struct writer *writer = context;
    enum err err = ERR_OK;

    while (err != ERR_CLOSED) {
        void *first = NULL;
        err = queue_wait(writer->queue, has_to_clear(writer) ? 0 : WAIT_MS, &first);
        if (err == ERR_OK) {
            fill_group(writer, first);
            run_group(writer);
            fault_clear(); /* each operation's fate was told to its owner */
            writer->clear_groups++;
            if (writer->clear_groups >= CLEAR_GROUPS && has_to_clear(writer)) {
                clear_step(writer);
            }
        } else if (err == ERR_TIMEOUT) {
            use_idle_time(writer);
        }
        look_if_closed(writer);
    }
    return NULL;
}

/* Signals are the business of the thread that started this one. */
static enum err start_thread(struct writer *writer)
{
    sigset_t all;
    sigset_t before;

    sigfillset(&all);
    ENSURE(pthread_sigmask(SIG_SETMASK, &all, &before) == 0, ERR_IO, "signal mask");
    writer->running = pthread_create(&writer->thread, NULL, run, writer) == 0;
    ENSURE(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0, ERR_IO, "signal mask");
    ENSURE(writer->running, ERR_LIMIT, "no thread to be had");
    return ERR_OK;
}

static enum err init(struct writer *writer, struct store *store, struct random *random)
{
    writer->store = store;
    writer->clear_entries = CLEAR_ENTRIES;
    TRY(queue_new(CONFIG_STORAGE_WRITE_QUEUE, &writer->queue));
    TRY(store_sealer_new(store, random, &writer->sealer));
    return start_thread(writer);
}

enum err writer_start(struct store *store, struct random *random, const struct writer_hooks *hooks,
                      struct writer **out_writer)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct writer), &memory));
    struct writer *writer = memory;
    if (hooks != NULL) {
        writer->hooks = *hooks;
    }
    const enum err err = init(writer, store, random);
    if (err != ERR_OK) {
        writer_stop(writer);
        return err;
    }
    *out_writer = writer;
    return ERR_OK;
}

enum err writer_submit(struct writer *writer, struct write_op *op)
{
    return queue_push(writer->queue, op);
}

void writer_stop(struct writer *writer)
{
    if (writer == NULL) {
        return;
    }
    if (writer->running) {
        queue_close(writer->queue);
        const int joined = pthread_join(writer->thread, NULL);
        INVARIANT(joined == 0);
    }
    store_sealer_free(writer->sealer);
    queue_free(writer->queue);
    mem_free(writer);
}
