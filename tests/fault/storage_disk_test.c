/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Disks that fail and disks that fill. The system calls that LMDB makes are replaced by ours (a program's own symbols come
 * before the C library's), which fail the k-th call of a kind; for k = 1, 2, ... until a run is untouched, the error must
 * be the right one, nothing that was acknowledged may be lost, and nothing else may appear. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "storage/writer.h"
#include "tests/lib/leave_out.h"
#include "tests/lib/store_box.h"

#define EXPORT   __attribute__((visibility("default")))
#define COMMITS  6
#define ROW_TEXT 20000
#define SKIPPED  77

#define META_BYTES 8192 /* LMDB's first two pages: a write there makes a commit count */

enum call { CALL_NONE, CALL_WRITE, CALL_SYNC, CALL_STAT, CALL_META };

static struct {
    enum call kind;
    unsigned int left; /* calls of the kind until one fails; 0: none will */
    int error;
    bool cut; /* the write is done in part instead */
    unsigned int failed;
} plan;

static bool fails(enum call kind)
{
    if (plan.kind != kind || plan.left == 0) {
        return false;
    }
    plan.left--;
    if (plan.left == 0) {
        plan.failed++;
        errno = plan.error;
    }
    return plan.left == 0;
}

EXPORT ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
    if (offset < META_BYTES && fails(CALL_META)) {
        return -1;
    }
    if (fails(CALL_WRITE)) {
        return plan.cut ? syscall(SYS_pwrite64, fd, bytes, len / 2, offset) : -1;
    }
    return syscall(SYS_pwrite64, fd, bytes, len, offset);
}

EXPORT ssize_t writev(int fd, const struct iovec *parts, int count)
{
    if (fails(CALL_WRITE)) {
        return plan.cut && count > 1 ? syscall(SYS_writev, fd, parts, count - 1) : -1;
    }
    return syscall(SYS_writev, fd, parts, count);
}

EXPORT int fdatasync(int fd)
{
    return fails(CALL_SYNC) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

EXPORT int stat(const char *path, struct stat *out_state)
{
    return fails(CALL_STAT) ? -1 : fstatat(AT_FDCWD, path, out_state, 0);
}

/* --- the k-th call fails --- */

static struct row_id id_of(uint32_t number)
{
    struct row_id id = {{0}};

    put_u32be(id.bytes, number + 1);
    return id;
}

static enum err write_row(struct store_box *box, struct table_id table, uint32_t number)
{
    struct store_txn *txn = NULL;

    const enum err begun = store_txn_begin(box->sealer, &txn);
    if (begun != ERR_OK) {
        return begun;
    }
    const enum err err = store_insert(txn, table, id_of(number), store_box_row(box, "ann", "words", number), NULL);
    if (err != ERR_OK) {
        store_txn_abort(txn);
        return err;
    }
    return store_txn_commit(txn);
}

/* Which of the rows are there must be which of the commits were told to be. */
static void check_rows(struct store_box *box, struct table_id table, const bool *there, bool may_be_closed)
{
    SCOPED_SNAP struct store_snap *snap = NULL;
    struct row row;

    const enum err err = store_snap_begin(box->reader, &snap);
    if (may_be_closed && err == ERR_CLOSED) {
        return;
    }
    assert_int_equal(err, ERR_OK);
    for (uint32_t at = 0; at < COMMITS; at++) {
        assert_int_equal(store_get(snap, table, id_of(at), &row), there[at] ? ERR_OK : ERR_NOT_FOUND);
    }
}

/* One run with the k-th call failing. False when no call failed. */
static bool run_with(enum call kind, unsigned int k, int error, bool cut, enum err expected)
{
    struct store_box *box = store_box_new();
    const struct table_id table = store_box_table(box);
    bool there[COMMITS] = {false};
    bool broken = false;

    memset(&plan, 0, sizeof(plan));
    plan.kind = kind;
    plan.left = k;
    plan.error = error;
    plan.cut = cut;
    for (uint32_t at = 0; at < COMMITS; at++) {
        const enum err err = write_row(box, table, at);
        there[at] = err == ERR_OK;
        if (err != ERR_OK) {
            /* After a failure of the page that makes a commit count, nothing more until a restart. */
            assert_int_equal(err, broken ? ERR_CLOSED : expected);
            broken = true;
        }
    }
    plan.kind = CALL_NONE;
    const bool failed = plan.failed > 0;
    assert_int_equal(failed, broken);
    check_rows(box, table, there, broken);
    store_box_reopen(box);
    check_rows(box, table, there, false);
    assert_int_equal(store_box_fsck(box, true), 0);
    assert_int_equal(write_row(box, table, COMMITS), ERR_OK);
    store_box_free(box);
    fault_clear();
    return failed;
}

static void run_all(enum call kind, int error, bool cut, enum err expected)
{
    unsigned int k = 1;

    while (run_with(kind, k, error, cut, expected)) {
        k++;
    }
    assert_true(k > COMMITS); /* every commit makes at least one such call */
}

static void a_write_that_finds_no_room_answers_full_and_changes_nothing(void **state UNUSED)
{
    run_all(CALL_WRITE, ENOSPC, false, ERR_FULL);
}

static void a_write_that_fails_answers_io_and_changes_nothing(void **state UNUSED)
{
    run_all(CALL_WRITE, EIO, false, ERR_IO);
}

static void a_write_cut_short_changes_nothing(void **state UNUSED)
{
    run_all(CALL_WRITE, EIO, true, ERR_IO);
}

static void a_sync_that_fails_answers_io_and_changes_nothing(void **state UNUSED)
{
    run_all(CALL_SYNC, EIO, false, ERR_IO);
}

static void a_database_that_cannot_be_looked_at_is_not_made_anew(void **state UNUSED)
{
    struct store_box *box = store_box_new();
    const struct table_id table = store_box_table(box);
    const bool there[COMMITS] = {true};
    assert_int_equal(write_row(box, table, 0), ERR_OK);
    store_box_close(box);
    memset(&plan, 0, sizeof(plan));
    plan.kind = CALL_STAT;
    plan.left = 1;
    plan.error = EIO;

    const enum err err = store_box_open(box);

    assert_int_equal(err, ERR_IO);
    assert_int_equal(plan.failed, 1);
    fault_clear();
    store_box_close(box);
    assert_int_equal(store_box_open(box), ERR_OK);
    check_rows(box, table, there, false);
    store_box_free(box);
}

/* --- no room --- */

/* Rows of 20 KiB until one is refused; gives the number that were taken. */
static uint32_t fill(struct store_box *box, struct table_id table, uint32_t from, enum err *out_err)
{
    static char text[ROW_TEXT + 1];
    uint32_t number = from;

    memset(text, 'w', ROW_TEXT);
    *out_err = ERR_OK;
    while (*out_err == ERR_OK && number < 1000) {
        struct store_txn *txn = NULL;
        assert_int_equal(store_txn_begin(box->sealer, &txn), ERR_OK);
        *out_err = store_insert(txn, table, id_of(number), store_box_row(box, "ann", text, number), NULL);
        if (*out_err == ERR_OK) {
            *out_err = store_txn_commit(txn);
        } else {
            store_txn_abort(txn);
        }
        number += *out_err == ERR_OK ? 1 : 0;
    }
    return number;
}

static void check_filled(struct store_box *box, struct table_id table, uint32_t count)
{
    SCOPED_SNAP struct store_snap *snap = NULL;
    uint64_t rows = 0;
    struct row row;

    assert_int_equal(store_snap_begin(box->reader, &snap), ERR_OK);
    assert_int_equal(store_count(snap, table, &rows), ERR_OK);
    assert_int_equal(rows, count);
    for (uint32_t at = 0; at < count; at++) {
        assert_int_equal(store_get(snap, table, id_of(at), &row), ERR_OK);
        assert_int_equal(store_box_number(&row), at);
    }
    assert_int_equal(store_get(snap, table, id_of(count), &row), ERR_NOT_FOUND);
}

/* --- a writer on such a disk --- */

struct told {
    struct store_box *box;
    struct table_id table;
    uint32_t number;
    sem_t done;
    enum err err;
    sem_t closed;
};

static enum err insert_one(struct store_txn *txn, void *context)
{
    struct told *told = context;

    return store_insert(txn, told->table, id_of(told->number), store_box_row(told->box, "ann", "words", 1), NULL);
}

static void tell_done(void *context, enum err err)
{
    struct told *told = context;

    told->err = err;
    sem_post(&told->done);
}

static void tell_closed(void *context)
{
    sem_post(&((struct told *)context)->closed);
}

static enum err write_one(struct writer *writer, struct told *told)
{
    struct write_op op = {insert_one, tell_done, told};

    told->number++;
    assert_int_equal(writer_submit(writer, &op), ERR_OK);
    sem_wait(&told->done);
    return told->err;
}

static void a_store_that_a_failed_write_has_closed_is_told_of_once_and_opens_anew(void **state UNUSED)
{
    struct told told = {.box = store_box_new()};
    const struct writer_hooks hooks = {.context = &told, .closed = tell_closed};
    struct writer *writer = NULL;
    struct random *random = NULL;
    int waiting = -1;
    told.table = store_box_table(told.box);
    sem_init(&told.done, 0, 0);
    sem_init(&told.closed, 0, 0);
    assert_int_equal(random_new(SPAN_NONE, &random), ERR_OK);
    assert_int_equal(writer_start(told.box->store, random, &hooks, &writer), ERR_OK);
    assert_int_equal(write_one(writer, &told), ERR_OK);

    memset(&plan, 0, sizeof(plan));
    plan.kind = CALL_META;
    plan.left = 1;
    plan.error = EIO;
    assert_int_equal(write_one(writer, &told), ERR_IO);
    sem_wait(&told.closed); /* without another write */
    assert_int_equal(write_one(writer, &told), ERR_CLOSED);
    assert_int_equal(write_one(writer, &told), ERR_CLOSED);
    writer_stop(writer);

    assert_int_equal(sem_getvalue(&told.closed, &waiting), 0);
    assert_int_equal(waiting, 0);
    store_box_reopen(told.box);
    assert_int_equal(store_box_fsck(told.box, true), 0);
    assert_int_equal(write_row(told.box, told.table, 100), ERR_OK);
    random_free(random);
    store_box_free(told.box);
    fault_clear();
}

static void a_full_map_answers_full_and_loses_nothing(void **state UNUSED)
{
    struct store_box *box = store_box_new();
    const struct table_id table = store_box_table(box);
    enum err err = ERR_OK;
    store_box_close(box);
    box->map_bytes = 1 << 20;
    assert_int_equal(store_box_open(box), ERR_OK);

    const uint32_t count = fill(box, table, 0, &err);

    assert_int_equal(err, ERR_FULL);
    assert_true(count > 20 && count < 60);
    check_filled(box, table, count);
    assert_int_equal(store_box_fsck(box, true), 0);
    box->map_bytes = 2 << 20;
    store_box_reopen(box);
    assert_true(fill(box, table, count, &err) > count);
    assert_int_equal(store_box_fsck(box, true), 0);
    store_box_free(box);
}

/* In a child, because the limit and the mount are the process's. */
static int fill_limited_file(void)
{
    struct store_box *box = store_box_new();
    const struct table_id table = store_box_table(box);
    const struct rlimit limit = {1 << 20, RLIM_INFINITY};
    const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
    enum err err = ERR_OK;

    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    const uint32_t count = fill(box, table, 0, &err);
    assert_int_equal(err, ERR_FULL);
    assert_true(count > 20);
    check_filled(box, table, count);
    store_box_reopen(box);
    check_filled(box, table, count);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    assert_int_equal(store_box_fsck(box, true), 0);
    assert_true(fill(box, table, count, &err) > count);
    store_box_free(box);
    return 0;
}

static int fill_small_disk(void)
{
    const struct temp_dir dir = temp_dir_make();
    enum err err = ERR_OK;

    if (unshare(geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) != 0 ||
        mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", dir.path, "tmpfs", 0, "size=1m") != 0) {
        temp_dir_remove(&dir);
        return SKIPPED;
    }
    struct store_box *box = store_box_at(dir.path);
    const struct table_id table = store_box_table(box);
    const uint32_t count = fill(box, table, 0, &err);
    assert_int_equal(err, ERR_FULL);
    assert_true(count > 20);
    check_filled(box, table, count);
    store_box_reopen(box);
    check_filled(box, table, count);
    assert_int_equal(store_box_fsck(box, true), 0);
    for (uint32_t at = 0; at < count / 2; at++) { /* room can be made */
        assert_int_equal(store_box_delete(box, table, id_of(at)), ERR_OK);
    }
    assert_int_equal(store_box_fsck(box, true), 0);
    store_box_free(box);
    umount(dir.path);
    temp_dir_remove(&dir);
    return 0;
}

static int in_child(int (*work)(void))
{
    int status = 0;

    const pid_t pid = fork();
    if (pid == 0) {
        _exit(work());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void a_file_that_may_not_grow_answers_full_and_loses_nothing(void **state UNUSED)
{
    assert_int_equal(in_child(fill_limited_file), 0);
}

static void a_full_disk_answers_full_and_room_can_be_made(void **state UNUSED)
{
    const int status = in_child(fill_small_disk);

    if (status == SKIPPED) {
        leave_out("no right to mount a small disk");
    }
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_that_finds_no_room_answers_full_and_changes_nothing),
        cmocka_unit_test(a_write_that_fails_answers_io_and_changes_nothing),
        cmocka_unit_test(a_write_cut_short_changes_nothing),
        cmocka_unit_test(a_sync_that_fails_answers_io_and_changes_nothing),
        cmocka_unit_test(a_database_that_cannot_be_looked_at_is_not_made_anew),
        cmocka_unit_test(a_full_map_answers_full_and_loses_nothing),
        cmocka_unit_test(a_file_that_may_not_grow_answers_full_and_loses_nothing),
        cmocka_unit_test(a_full_disk_answers_full_and_room_can_be_made),
        cmocka_unit_test(a_store_that_a_failed_write_has_closed_is_told_of_once_and_opens_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
