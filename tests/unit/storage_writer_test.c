/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "storage/writer.h"
#include "tests/lib/store_box.h"

#define OPS 100

/* Stands before storage/txn_clear.c: while steps are refused it writes down how large they were to be. */
static atomic_bool refuse_steps;
static atomic_uint refused_steps;
static uint32_t refused_entries[2];

enum err __real_store_clear_some(struct store_txn *txn, uint32_t max_entries, bool *out_done);
enum err __wrap_store_clear_some(struct store_txn *txn, uint32_t max_entries, bool *out_done);
enum err __wrap_store_clear_some(struct store_txn *txn, uint32_t max_entries, bool *out_done)
{
    if (!atomic_load(&refuse_steps)) {
        return __real_store_clear_some(txn, max_entries, out_done);
    }
    if (atomic_load(&refused_steps) < ARRAY_LENGTH(refused_entries)) {
        refused_entries[atomic_load(&refused_steps)] = max_entries;
    }
    atomic_fetch_add(&refused_steps, 1);
    return ERR_FULL;
}
/* link: --wrap=store_clear_some */

/* What one operation does, and what became of it. */
struct job {
    struct write_op op;
    struct bench *bench;
    struct buf *buf;
    struct row_id id;
    enum err fail_before; /* answered instead of a change */
    enum err fail_after;  /* answered after a change */
    bool wait;            /* for the bench's gate, in apply */
    unsigned int applied;
    unsigned int completed;
    enum err result;
    enum err seen; /* what a reader found in complete */
};

struct bench {
    struct store_box *box;
    struct random *random;
    struct writer *writer;
    struct table_id table;
    sem_t gate;
    sem_t entered;
    sem_t done;
    unsigned int commits;
    unsigned int aborts;
    enum err before_commit;
    struct job jobs[OPS];
};

static enum err apply(struct store_txn *txn, void *context)
{
    struct job *job = context;
    struct row_builder builder;
    struct span row = SPAN_NONE;

    job->applied++;
    if (job->wait) {
        sem_post(&job->bench->entered);
        sem_wait(&job->bench->gate);
    }
    if (job->fail_before != ERR_OK) {
        return job->fail_before;
    }
    job->id = store_txn_row_id(txn, (struct wall_time){1000});
    TRY(row_build_begin(&builder, job->buf, (struct wall_time){1}, (struct wall_time){1}, span_lit("ann")));
    TRY(row_build_end(&builder, &row));
    TRY(store_insert(txn, job->bench->table, job->id, row, NULL));
    return job->fail_after;
}

static void complete(void *context, enum err err)
{
    struct job *job = context;
    struct store_snap *snap = NULL;
    struct row row;

    job->result = err;
    job->completed++;
    assert_int_equal(store_snap_begin(job->bench->box->reader, &snap), ERR_OK);
    job->seen = store_get(snap, job->bench->table, job->id, &row);
    store_snap_end(snap);
    sem_post(&job->bench->done);
}

static enum err before_commit(void *context, struct store_txn *txn UNUSED)
{
    const struct bench *bench = context;

    return bench->before_commit;
}

static void after_commit(void *context)
{
    struct bench *bench = context;

    bench->commits++;
}

static void after_abort(void *context)
{
    struct bench *bench = context;

    bench->aborts++;
}

static int setup(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    const struct writer_hooks hooks = {
        .context = bench, .before_commit = before_commit, .after_commit = after_commit, .after_abort = after_abort};

    bench->box = store_box_new();
    bench->table = store_box_table(bench->box);
    assert_int_equal(random_new(SPAN_NONE, &bench->random), ERR_OK);
    sem_init(&bench->gate, 0, 0);
    sem_init(&bench->entered, 0, 0);
    sem_init(&bench->done, 0, 0);
    for (size_t at = 0; at < OPS; at++) {
        struct job *job = &bench->jobs[at];
        assert_int_equal(buf_new(4096, &job->buf), ERR_OK);
        job->bench = bench;
        job->op = (struct write_op){apply, complete, job};
    }
    assert_int_equal(writer_start(bench->box->store, bench->random, &hooks, &bench->writer), ERR_OK);
    *state = bench;
    return 0;
}

static int teardown(void **state)
{
    struct bench *bench = *state;

    writer_stop(bench->writer);
    for (size_t at = 0; at < OPS; at++) {
        buf_free(bench->jobs[at].buf);
    }
    random_free(bench->random);
    assert_int_equal(store_box_fsck(bench->box, true), 0);
    store_box_free(bench->box);
    free(bench);
    return 0;
}

static void submit(struct bench *bench, size_t at)
{
    assert_int_equal(writer_submit(bench->writer, &bench->jobs[at].op), ERR_OK);
}

/* Job 0 holds the writer while jobs 1 to count are queued, so that they make one group. */
static void run_group_of(struct bench *bench, size_t count)
{
    bench->jobs[0].wait = true;
    submit(bench, 0);
    sem_wait(&bench->entered);
    for (size_t at = 1; at <= count; at++) {
        submit(bench, at);
    }
    sem_post(&bench->gate);
    for (size_t at = 0; at <= count; at++) {
        sem_wait(&bench->done);
    }
}

static void writes_that_wait_together_share_one_commit(void **state)
{
    struct bench *bench = *state;

    run_group_of(bench, 20);

    assert_int_equal(bench->commits, 2);
    for (size_t at = 0; at <= 20; at++) {
        assert_int_equal(bench->jobs[at].result, ERR_OK);
        assert_int_equal(bench->jobs[at].seen, ERR_OK); /* committed before it was told */
        assert_int_equal(bench->jobs[at].completed, 1);
    }
}

static void a_group_has_a_largest_size(void **state)
{
    struct bench *bench = *state;

    run_group_of(bench, CONFIG_STORAGE_GROUP_MAX + 1);

    assert_int_equal(bench->commits, 3);
}

static void one_that_fails_before_a_change_does_not_disturb_the_others(void **state)
{
    struct bench *bench = *state;
    bench->jobs[2].fail_before = ERR_DENIED;

    run_group_of(bench, 3);

    assert_int_equal(bench->jobs[1].result, ERR_OK);
    assert_int_equal(bench->jobs[2].result, ERR_DENIED);
    assert_int_equal(bench->jobs[3].result, ERR_OK);
    assert_int_equal(bench->commits, 2);
    assert_int_equal(bench->aborts, 0);
}

static void one_that_fails_after_a_change_is_undone_and_the_others_are_replayed(void **state)
{
    struct bench *bench = *state;
    bench->jobs[2].fail_after = ERR_CONFLICT;

    run_group_of(bench, 3);

    assert_int_equal(bench->jobs[1].result, ERR_OK);
    assert_int_equal(bench->jobs[1].seen, ERR_OK);
    assert_int_equal(bench->jobs[1].applied, 2);
    assert_int_equal(bench->jobs[2].result, ERR_CONFLICT);
    assert_int_equal(bench->jobs[2].seen, ERR_NOT_FOUND);
    assert_int_equal(bench->jobs[3].result, ERR_OK);
    assert_int_equal(bench->jobs[3].completed, 1);
    assert_int_equal(bench->commits, 3); /* job 0, and 1 and 3 alone */
    assert_int_equal(bench->aborts, 2);  /* the group, and 2 alone */
}

static void a_hook_that_refuses_the_commit_fails_every_write(void **state)
{
    struct bench *bench = *state;
    bench->before_commit = ERR_NO_MEMORY;

    run_group_of(bench, 2);

    for (size_t at = 0; at <= 2; at++) {
        assert_int_equal(bench->jobs[at].result, ERR_NO_MEMORY);
        assert_int_equal(bench->jobs[at].seen, ERR_NOT_FOUND);
    }
    assert_int_equal(bench->commits, 0);
}

static void a_full_queue_refuses_at_once(void **state)
{
    struct bench *bench = *state;
    static struct write_op ops[CONFIG_STORAGE_WRITE_QUEUE + 1];
    size_t taken = 0;
    bench->jobs[0].wait = true;
    submit(bench, 0);
    sem_wait(&bench->entered);
    for (size_t at = 0; at < ARRAY_LENGTH(ops); at++) {
        ops[at] = bench->jobs[1].op;
        const enum err err = writer_submit(bench->writer, &ops[at]);
        assert_int_equal(err, at < CONFIG_STORAGE_WRITE_QUEUE ? ERR_OK : ERR_LIMIT);
        taken += err == ERR_OK ? 1 : 0;
    }
    assert_int_equal(taken, CONFIG_STORAGE_WRITE_QUEUE);

    sem_post(&bench->gate);
    for (size_t at = 0; at <= taken; at++) {
        sem_wait(&bench->done);
    }
    assert_int_equal(bench->jobs[1].completed, taken);
}

static void an_idle_writer_empties_old_epochs(void **state)
{
    struct bench *bench = *state;
    const struct timespec long_enough = {time(NULL) + 20, 0};
    writer_stop(TAKE(bench->writer));
    for (int64_t start = 0; start < 20; start++) {
        store_box_reopen(bench->box); /* a new epoch at each start */
        (void)store_box_insert(bench->box, bench->table, "ann", "x", start);
    }
    assert_int_equal(store_box_epochs(bench->box, bench->table), 21);

    assert_int_equal(writer_start(bench->box->store, bench->random, NULL, &bench->writer), ERR_OK);
    while (store_box_epochs(bench->box, bench->table) > 16 && time(NULL) < long_enough.tv_sec) {
        sched_yield();
    }

    assert_int_equal(store_box_epochs(bench->box, bench->table), 16);
}

#define LEFT_ROWS 700 /* and as many entries: more than one step deletes */
#define CHAIN_MAX 1000

static struct table_id filled_table(struct store_box *box)
{
    const struct table_id table = store_box_table(box);
    struct store_txn *txn = NULL;

    assert_int_equal(store_txn_begin(box->sealer, &txn), ERR_OK);
    for (uint32_t at = 0; at < LEFT_ROWS; at++) {
        struct row_id id = {{0}};
        put_u32be(id.bytes, at);
        assert_int_equal(store_insert(txn, table, id, store_box_row(box, "ann", "x", at), NULL), ERR_OK);
    }
    assert_int_equal(store_txn_commit(txn), ERR_OK);
    return table;
}

static void an_idle_writer_deletes_what_a_drop_left(void **state)
{
    struct bench *bench = *state;
    const struct timespec long_enough = {time(NULL) + 20, 0};
    struct store_txn *txn = NULL;
    writer_stop(TAKE(bench->writer));
    const struct table_id table = filled_table(bench->box);
    assert_int_equal(store_txn_begin(bench->box->sealer, &txn), ERR_OK);
    assert_int_equal(store_table_drop(txn, table), ERR_OK);
    assert_int_equal(store_txn_commit(txn), ERR_OK);
    assert_true(store_box_leftovers(bench->box) > 2 * LEFT_ROWS);

    assert_int_equal(writer_start(bench->box->store, bench->random, NULL, &bench->writer), ERR_OK);
    while (store_box_leftovers(bench->box) > 0 && time(NULL) < long_enough.tv_sec) {
        sched_yield();
    }

    assert_int_equal(store_box_leftovers(bench->box), 0);
}

/* An operation that drops a table and then puts itself into the queue again, before the writer could find it empty. */
struct chain {
    struct write_op op;
    struct bench *bench;
    struct table_id table;
    unsigned int runs;
    unsigned int steps; /* commits after which less was left than before */
    uint64_t left;
    sem_t done;
};

static enum err apply_link(struct store_txn *txn, void *context)
{
    const struct chain *chain = context;

    return chain->runs == 0 ? store_table_drop(txn, chain->table) : ERR_OK;
}

static void complete_link(void *context, enum err err)
{
    struct chain *chain = context;
    struct bench *bench = chain->bench;
    const uint64_t before = chain->left;

    chain->left = err == ERR_OK ? store_box_leftovers(bench->box) : 0;
    chain->steps += chain->left < before;
    chain->runs++;
    if (chain->left == 0 || chain->runs == CHAIN_MAX || writer_submit(bench->writer, &chain->op) != ERR_OK) {
        sem_post(&chain->done);
    }
}

static void a_busy_writer_deletes_what_a_drop_left_now_and_then(void **state)
{
    struct bench *bench = *state;
    writer_stop(TAKE(bench->writer)); /* tables are made on one thread only */
    struct chain chain = {
        .op = {apply_link, complete_link, &chain}, .bench = bench, .table = filled_table(bench->box), .left = 0};
    sem_init(&chain.done, 0, 0);
    assert_int_equal(writer_start(bench->box->store, bench->random, NULL, &bench->writer), ERR_OK);

    assert_int_equal(writer_submit(bench->writer, &chain.op), ERR_OK);
    sem_wait(&chain.done);

    assert_int_equal(chain.left, 0);
    assert_true(chain.steps > 2 * LEFT_ROWS / 512);
    assert_true(chain.runs > 4 * chain.steps); /* most commits are of writes */
    sem_destroy(&chain.done);
}

static void deleting_that_fails_is_tried_in_small_and_then_left_alone_for_a_while(void **state)
{
    struct bench *bench = *state;
    const time_t long_enough = time(NULL) + 20;
    struct store_txn *txn = NULL;
    writer_stop(TAKE(bench->writer));
    const struct table_id table = filled_table(bench->box);
    assert_int_equal(store_txn_begin(bench->box->sealer, &txn), ERR_OK);
    assert_int_equal(store_table_drop(txn, table), ERR_OK);
    assert_int_equal(store_txn_commit(txn), ERR_OK);
    atomic_store(&refuse_steps, true);

    assert_int_equal(writer_start(bench->box->store, bench->random, NULL, &bench->writer), ERR_OK);
    while (atomic_load(&refused_steps) < 2 && time(NULL) < long_enough) {
        sched_yield();
    }
    for (size_t at = 0; at < 20; at++) { /* writes go on, and bring no further try with them */
        submit(bench, at);
        sem_wait(&bench->done);
        assert_int_equal(bench->jobs[at].result, ERR_OK);
    }
    writer_stop(TAKE(bench->writer));
    atomic_store(&refuse_steps, false);

    assert_int_equal(atomic_load(&refused_steps), 2);
    assert_int_equal(refused_entries[0], 512);
    assert_int_equal(refused_entries[1], 16);
}

static void stopping_carries_out_what_is_queued(void **state)
{
    struct bench *bench = *state;
    bench->jobs[0].wait = true;
    submit(bench, 0);
    sem_wait(&bench->entered);
    for (size_t at = 1; at < OPS; at++) {
        submit(bench, at);
    }
    sem_post(&bench->gate);

    writer_stop(TAKE(bench->writer));

    for (size_t at = 0; at < OPS; at++) {
        assert_int_equal(bench->jobs[at].result, ERR_OK);
        assert_int_equal(bench->jobs[at].completed, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writes_that_wait_together_share_one_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(a_group_has_a_largest_size, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_fails_before_a_change_does_not_disturb_the_others, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_fails_after_a_change_is_undone_and_the_others_are_replayed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_hook_that_refuses_the_commit_fails_every_write, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_queue_refuses_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(an_idle_writer_empties_old_epochs, setup, teardown),
        cmocka_unit_test_setup_teardown(an_idle_writer_deletes_what_a_drop_left, setup, teardown),
        cmocka_unit_test_setup_teardown(a_busy_writer_deletes_what_a_drop_left_now_and_then, setup, teardown),
        cmocka_unit_test_setup_teardown(deleting_that_fails_is_tried_in_small_and_then_left_alone_for_a_while, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(stopping_carries_out_what_is_queued, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
