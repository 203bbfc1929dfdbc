/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Power cuts. A child writes to a store under the recorder (tests/preload/recorder.c) and notes when each commit was
 * acknowledged. For every point of the recorded calls, and for several choices of what the disk kept of the writes that
 * were not synced, the folder is built anew, and the store must open, pass fsck, and hold exactly what had been
 * acknowledged, but for the one commit that was on its way.
 *
 * The same with syncs switched off must fail, or the test could not. */
/* link: --wrap=mdb_env_open */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "tests/lib/child.h"
#include "tests/lib/replay.h"
#include "tests/lib/store_box.h"

#define COMMITS      24
#define UPDATE_EVERY 5  /* these also set the number of row 0 */
#define DELETE_EVERY 7  /* these also delete the row before last but one */
#define INDEX_AT     10 /* this one also makes an index */
#define DROP_AT      12 /* this one also drops the other table, and those behind it clear what that left */
#define OTHER_ROWS   16
#define CLEAR_A_STEP 5 /* entries: with two for each row and some records, it goes on to the last commits */
#define OTHER_TABLE  (STORE_TABLE_FIRST + 1)
#define CHOICES      4
#define NO_SYNC      0x10000u /* MDB_NOSYNC */
#define NO_SYNC_NAME "ROWLOCK_TEST_NO_SYNC"

int __real_mdb_env_open(void *env, const char *path, unsigned int flags, unsigned int mode);
int __wrap_mdb_env_open(void *env, const char *path, unsigned int flags, unsigned int mode);

int __wrap_mdb_env_open(void *env, const char *path, unsigned int flags, unsigned int mode)
{
    return __real_mdb_env_open(env, path, getenv(NO_SYNC_NAME) != NULL ? flags | NO_SYNC : flags, mode);
}

/* --- what commit n does --- */

static struct row_id id_of(uint32_t number)
{
    struct row_id id = {{0}};

    put_u32be(id.bytes, number + 1);
    return id;
}

static bool updates(uint32_t commit)
{
    return commit > 0 && commit % UPDATE_EVERY == 0;
}

static bool deletes(uint32_t commit)
{
    return commit > DELETE_EVERY && commit % DELETE_EVERY == 0;
}

static enum err fill_other(struct store_box *box, struct store_txn *txn)
{
    const struct index_def def = {.fields = {{.field = {.column = 1}}}, .field_count = 1};
    struct index_id index = {0};
    struct table_id other = {0};

    TRY(store_table_new(txn, &other));
    TRY(store_index_create(txn, other, &def, &index));
    for (uint32_t at = 0; at < OTHER_ROWS; at++) {
        TRY(store_insert(txn, other, id_of(at), store_box_row(box, "bob", "of the other", at), NULL));
    }
    return other.value == OTHER_TABLE ? ERR_OK : ERR_BUG;
}

static enum err drop_other(struct store_txn *txn, uint32_t commit)
{
    bool done = false;

    if (commit == DROP_AT) {
        return store_table_drop(txn, (struct table_id){OTHER_TABLE});
    }
    return commit > DROP_AT ? store_clear_some(txn, CLEAR_A_STEP, &done) : ERR_OK;
}

static enum err write_commit(struct store_box *box, struct store_txn *txn, struct table_id table, uint32_t commit)
{
    char text[64];
    struct index_id index = {0};
    const struct index_def def = {.fields = {{.field = {.column = 1}}}, .field_count = 1, .unique = true};

    snprintf(text, sizeof(text), "the text of row %u", commit);
    TRY(store_insert(txn, table, id_of(commit), store_box_row(box, "ann", text, commit), NULL));
    if (updates(commit)) {
        TRY(store_replace(txn, table, id_of(0), store_box_row(box, "ann", "row 0", commit), NULL));
    }
    if (deletes(commit)) {
        TRY(store_delete(txn, table, id_of(commit - 2)));
    }
    TRY(drop_other(txn, commit));
    return commit == INDEX_AT ? store_index_create(txn, table, &def, &index) : ERR_OK;
}

/* --- the child that writes --- */

static int drive(const char *folder, const char *acks)
{
    struct store_box *box = store_box_at(folder);
    FILE *out = fopen(acks, "wb");
    const struct table_id table = store_box_table(box);
    struct store_txn *first = NULL;

    if (store_txn_begin(box->sealer, &first) != ERR_OK || fill_other(box, first) != ERR_OK ||
        store_txn_commit(first) != ERR_OK) {
        return 1;
    }
    for (uint32_t commit = 0; commit < COMMITS; commit++) {
        struct store_txn *txn = NULL;
        struct timespec now;
        if (store_txn_begin(box->sealer, &txn) != ERR_OK || write_commit(box, txn, table, commit) != ERR_OK ||
            store_txn_commit(txn) != ERR_OK) {
            return 1;
        }
        clock_gettime(CLOCK_MONOTONIC, &now);
        const uint64_t ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
        if (fwrite(&ns, sizeof(ns), 1, out) != 1) {
            return 1;
        }
    }
    fclose(out);
    store_box_free(box);
    return 0;
}

static void recorder_path(char path[1024])
{
    const ssize_t len = readlink("/proc/self/exe", path, 1023);

    assert_true(len > 0);
    path[len] = 0;
    for (size_t up = 0; up < 4; up++) { /* <out>/<variant>/tests/fault/<program> */
        *strrchr(path, '/') = 0;
    }
    strcat(path, "/preload/recorder.so");
    assert_int_equal(access(path, R_OK), 0);
}

struct run {
    struct temp_dir dir;
    char folder[TEMP_PATH_MAX + 16];
    char log[TEMP_PATH_MAX + 16];
    char acks[TEMP_PATH_MAX + 16];
    uint64_t acked[COMMITS];
    struct replay *replay;
};

static void child(const struct run *run, bool no_sync)
{
    char preload[1024];

    recorder_path(preload);
    setenv("LD_PRELOAD", preload, 1);
    setenv("ROWLOCK_RECORD", run->log, 1);
    setenv("ROWLOCK_RECORD_UNDER", run->folder, 1);
    setenv("ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0", 1);
    if (no_sync) {
        setenv(NO_SYNC_NAME, "1", 1);
    }
    execl("/proc/self/exe", "storage_durability_test", "drive", run->folder, run->acks, (char *)NULL);
    _exit(127);
}

static struct run record_run(bool no_sync)
{
    struct run run = {.dir = temp_dir_make()};
    int status = 0;

    snprintf(run.folder, sizeof(run.folder), "%s/db", run.dir.path);
    snprintf(run.log, sizeof(run.log), "%s/log", run.dir.path);
    snprintf(run.acks, sizeof(run.acks), "%s/acks", run.dir.path);
    assert_int_equal(mkdir(run.folder, 0700), 0);
    const pid_t pid = fork();
    if (pid == 0) {
        child(&run, no_sync);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);

    FILE *in = fopen(run.acks, "rb");
    assert_non_null(in);
    assert_int_equal(fread(run.acked, sizeof(uint64_t), COMMITS, in), COMMITS);
    fclose(in);
    run.replay = replay_open(run.log);
    return run;
}

/* --- after a cut --- */

static bool has_row(struct store_snap *snap, struct table_id table, uint32_t number, int64_t *out_number)
{
    struct row row;

    const enum err err = store_get(snap, table, id_of(number), &row);
    if (err == ERR_OK) {
        *out_number = store_box_number(&row);
    }
    return err == ERR_OK;
}

/* Is this the state after exactly `commits` commits? */
static bool is_state(struct store_snap *snap, struct table_id table, uint32_t commits)
{
    int64_t number = 0;
    int64_t expected = 0;

    for (uint32_t at = 0; at < COMMITS; at++) {
        const uint32_t deleter = at + 2;
        const bool gone = deletes(deleter) && deleter < commits;
        if (has_row(snap, table, at, &number) != (at < commits && !gone)) {
            return false;
        }
        expected = at < commits && updates(at) ? at : expected;
    }
    return commits == 0 || (has_row(snap, table, 0, &number) && number == expected);
}

/* In a process of its own, since a damaged file may stop it. 0: all is well. */
struct cut {
    char folder[TEMP_PATH_MAX];
    uint32_t acked;
};

/* The other table is whole or dropped; and what is left of it can be cleared. */
static bool other_is_sound(struct store_box *box, uint32_t acked)
{
    SCOPED_SNAP struct store_snap *snap = NULL;
    uint64_t rows = 0;

    if (store_snap_begin(box->reader, &snap) != ERR_OK) {
        return false;
    }
    const enum err err = store_count(snap, (struct table_id){OTHER_TABLE}, &rows);
    const bool whole = err == ERR_OK && rows == OTHER_ROWS && acked <= DROP_AT;
    const bool dropped = err == ERR_NOT_FOUND && (acked >= DROP_AT || acked == 0); /* 0: not made yet, perhaps */
    store_box_clear(box, CLEAR_A_STEP);
    return (whole || dropped) && store_box_fsck(box, false) == 0 && store_box_leftovers(box) == 0;
}

static int look(void *context)
{
    const struct cut *cut = context;
    struct store_box *box = NULL;
    const struct table_id table = {STORE_TABLE_FIRST};
    struct store_snap *snap = NULL;

    setenv(NO_SYNC_NAME, "1", 1); /* what this process writes is not what is looked at */
    if (store_box_try_cut(cut->folder, 2, &box) != ERR_OK) {
        return 1;
    }
    if (store_box_fsck(box, false) != 0) {
        return 2;
    }
    if (!other_is_sound(box, cut->acked)) {
        return 5;
    }
    if (store_snap_begin(box->reader, &snap) != ERR_OK) {
        return 3;
    }
    return is_state(snap, table, cut->acked) || (cut->acked < COMMITS && is_state(snap, table, cut->acked + 1)) ? 0 : 4;
}

static bool survives(const struct run *run, size_t point, uint32_t choice)
{
    const struct temp_dir dir = temp_dir_make();
    struct cut cut = {.acked = 0};

    while (cut.acked < COMMITS && run->acked[cut.acked] < replay_time(run->replay, point)) {
        cut.acked++;
    }
    memcpy(cut.folder, dir.path, sizeof(cut.folder));
    replay_build(run->replay, point, choice, dir.path);
    const int status = child_run(CHILD_SILENT, look, &cut);
    temp_dir_remove(&dir);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static size_t count_losses(const struct run *run)
{
    size_t losses = 0;

    for (size_t point = 0; point <= replay_points(run->replay); point++) {
        for (uint32_t choice = 0; choice < CHOICES; choice++) {
            if (!survives(run, point, choice)) {
                losses++;
                print_message("point %zu of %zu, choice %u\n", point, replay_points(run->replay), choice);
            }
        }
    }
    return losses;
}

static void every_acknowledged_commit_survives_a_power_cut_at_any_point(void **state UNUSED)
{
    struct run run = record_run(false);

    assert_true(replay_points(run.replay) > 3 * COMMITS); /* at least pages, sync and meta page for each */
    assert_int_equal(count_losses(&run), 0);
    print_message("%zu calls recorded, %zu states of the disk\n", replay_points(run.replay),
                  (replay_points(run.replay) + 1) * CHOICES);

    replay_free(run.replay);
    temp_dir_remove(&run.dir);
}

static void without_syncs_power_cuts_lose_commits_and_this_test_sees_it(void **state UNUSED)
{
    struct run run = record_run(true);
    size_t losses = 0;
    size_t states = 0;

    for (size_t point = 0; point <= replay_points(run.replay); point += 5) {
        for (uint32_t choice = 1; choice < 3; choice++) {
            losses += survives(&run, point, choice) ? 0 : 1;
            states++;
        }
    }
    print_message("%zu of %zu states lose something\n", losses, states);

    assert_true(losses > 0);
    replay_free(run.replay);
    temp_dir_remove(&run.dir);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_acknowledged_commit_survives_a_power_cut_at_any_point),
        cmocka_unit_test(without_syncs_power_cuts_lose_commits_and_this_test_sees_it),
    };

    if (argc == 4 && strcmp(argv[1], "drive") == 0) {
        return drive(argv[2], argv[3]);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
