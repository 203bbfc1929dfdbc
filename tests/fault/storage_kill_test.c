/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kill -9. A child commits rows and tells of each through a pipe; it is killed after some number of them, the store is opened
 * again in the same folder, and every row that was told of must be there, the counters exact, fsck content. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "storage/writer.h"
#include "tests/lib/store_box.h"

#define ROUNDS     20
#define WRITES_MAX 500
#define WRITES     32 /* under way at one time */
#define ROWS_MAX   200000

/* --- the child: a writer with many writes under way, each of which starts the next --- */

struct job {
    struct write_op op;
    struct buf *buf;
    struct row_id id;
};

static struct {
    struct writer *writer;
    struct table_id table;
    int told;
    struct job jobs[WRITES];
} child;

static enum err apply(struct store_txn *txn, void *context)
{
    struct job *job = context;
    struct row_builder builder;
    struct span row = SPAN_NONE;

    job->id = store_txn_row_id(txn, (struct wall_time){(int64_t)time(NULL) * 1000});
    TRY(row_build_begin(&builder, job->buf, (struct wall_time){1}, (struct wall_time){1}, span_lit("ann")));
    TRY(row_build_string(&builder, (struct row_key){.column = 1}, span_array(job->id.bytes)));
    TRY(row_build_end(&builder, &row));
    return store_insert(txn, child.table, job->id, row, NULL);
}

static void complete(void *context, enum err err)
{
    struct job *job = context;

    if (err != ERR_OK || write(child.told, job->id.bytes, ROW_ID_BYTES) != ROW_ID_BYTES ||
        writer_submit(child.writer, &job->op) != ERR_OK) {
        _exit(1);
    }
}

static void write_for_ever(const char *folder, struct table_id table, int told)
{
    struct store_box *box = store_box_at(folder);

    child.table = table;
    child.told = told;
    if (writer_start(box->store, box->random, NULL, &child.writer) != ERR_OK) {
        _exit(1);
    }
    for (size_t at = 0; at < WRITES; at++) {
        struct job *job = &child.jobs[at];
        job->op = (struct write_op){apply, complete, job};
        if (buf_new(4096, &job->buf) != ERR_OK || writer_submit(child.writer, &job->op) != ERR_OK) {
            _exit(1);
        }
    }
    for (;;) {
        pause();
    }
}

/* --- the parent --- */

struct told {
    struct row_id ids[ROWS_MAX];
    size_t count;
};

static void kill_one(const char *folder, struct table_id table, struct told *told, size_t writes)
{
    const size_t enough = told->count + writes;
    int ends[2] = {-1, -1};
    int status = 0;

    assert_int_equal(pipe(ends), 0);
    const pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        write_for_ever(folder, table, ends[1]);
    }
    close(ends[1]);
    /* While it is told of the last ones the child is anywhere in its next groups; the pipe may still hold some. */
    while (read(ends[0], told->ids[told->count].bytes, ROW_ID_BYTES) == ROW_ID_BYTES) {
        told->count++;
        assert_true(told->count < ROWS_MAX);
        if (told->count == enough) {
            assert_int_equal(kill(pid, SIGKILL), 0);
        }
    }
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void check_told(struct store_box *box, struct table_id table, const struct told *told)
{
    SCOPED_SNAP struct store_snap *snap = NULL;
    uint64_t rows = 0;
    struct row row;

    assert_int_equal(store_snap_begin(box->reader, &snap), ERR_OK);
    for (size_t at = 0; at < told->count; at++) {
        assert_int_equal(store_get(snap, table, told->ids[at], &row), ERR_OK);
        assert_true(span_equal(store_box_text(&row), span_array(told->ids[at].bytes)));
    }
    assert_int_equal(store_count(snap, table, &rows), ERR_OK);
    assert_true(rows >= told->count);
}

static void every_write_that_was_told_of_survives_kill_9(void **state UNUSED)
{
    const struct temp_dir dir = temp_dir_make();
    struct told *told = calloc(1, sizeof(*told));
    struct store_box *box = store_box_at(dir.path);
    const struct table_id table = store_box_table(box);
    store_box_free(box);

    for (uint32_t round = 0; round < ROUNDS; round++) {
        kill_one(dir.path, table, told, 1 + (round * 7919u) % WRITES_MAX);
        box = store_box_at(dir.path);
        check_told(box, table, told);
        assert_int_equal(store_box_fsck(box, true), 0);
        store_box_free(box);
    }

    print_message("%zu writes were told of\n", told->count);
    assert_true(told->count > ROUNDS);
    free(told);
    temp_dir_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_write_that_was_told_of_survives_kill_9),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
