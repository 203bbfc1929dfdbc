/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Slots of readers that were killed: pages that one of them saw are never used again, and the database would grow. While
 * another process has the database open LMDB forgets them only when it is told to look. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <lmdb.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hal/base/attr.h"
#include "hal/base/fault.h"
#include "tests/lib/store_box.h"

/* Begins to read, says so, and waits for its end. */
NO_RETURN static void be_reader(const char *folder, int told)
{
    MDB_env *env = NULL;
    MDB_txn *txn = NULL;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody behind */
    if (mdb_env_create(&env) != 0 || mdb_env_open(env, folder, MDB_RDONLY | MDB_NOTLS, 0600) != 0 ||
        mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) != 0 || write(told, "x", 1) != 1) {
        _exit(1);
    }
    for (;;) {
        (void)pause();
    }
}

struct listed {
    char text[1024];
};

static int note(const char *line, void *context)
{
    struct listed *const listed = context;

    (void)strncat(listed->text, line, sizeof listed->text - strlen(listed->text) - 1);
    return 0;
}

static bool is_listed(const char *folder, pid_t pid)
{
    MDB_env *env = NULL;
    struct listed listed = {""};
    char number[16];

    (void)snprintf(number, sizeof number, "%d ", (int)pid);
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_open(env, folder, MDB_RDONLY | MDB_NOTLS, 0600), 0);
    assert_true(mdb_reader_list(env, note, &listed) >= 0);
    mdb_env_close(env);
    return strstr(listed.text, number) != NULL;
}

static pid_t begin_reader(const char *folder)
{
    int ends[2] = {-1, -1};
    char byte = 0;

    assert_int_equal(pipe(ends), 0);
    const pid_t reader = fork();
    if (reader == 0) {
        be_reader(folder, ends[1]);
    }
    assert_int_equal(read(ends[0], &byte, 1), 1);
    (void)close(ends[0]);
    (void)close(ends[1]);
    return reader;
}

static void end_reader(pid_t reader)
{
    int status = 0;

    assert_int_equal(kill(reader, SIGKILL), 0);
    assert_int_equal(waitpid(reader, &status, 0), reader);
}

static void readers_that_were_killed_are_forgotten_at_the_next_open(void **state)
{
    struct store_box *box = *state;
    store_box_close(box);
    const pid_t killed = begin_reader(box->path);
    const pid_t alive = begin_reader(box->path);
    end_reader(killed);
    assert_true(is_listed(box->path, killed));

    const enum err err = store_box_open(box);
    const bool killed_listed = is_listed(box->path, killed);
    const bool alive_listed = is_listed(box->path, alive);
    end_reader(alive);

    assert_int_equal(err, ERR_OK);
    assert_false(killed_listed);
    assert_true(alive_listed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(readers_that_were_killed_are_forgotten_at_the_next_open, store_box_set_up,
                                        store_box_tear_down),
    };

    return cmocka_run_group_tests_name("storage/readers", tests, NULL, NULL);
}
