/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The updater as a process, in its sandbox, with a folder and a file in place of ESP and partition; the test is its supervisor,
 * and the worker by worker/update_link.h, or a hostile one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "firmware/msg.h"
#include "firmware/updater/updater.h"
#include "firmware/worker/update_link.h"
#include "hal/base/fault.h"
#include "hal/board.h"
#include "hal/clock.h"
#include "hal/process.h"
#include "hal/sandbox.h"
#include "tests/lib/temp.h"

#define WAIT_MS  20000
#define FILE_MAX ((size_t)2 << 20)
#define PIECE    ((size_t)1 << 20)

struct fixture {
    struct temp_dir temp;
    int folder;
    pid_t pid;
    struct msg_channel *control;
    struct loop *loop;
    struct update_link *link;
    struct api_update_job job;
    enum err err;
    bool done;
    uint8_t *file;
    size_t bytes;
    struct msg in;
};

NO_RETURN static void be_updater(int control, int folder)
{
    const int high_control = fcntl(control, F_DUPFD, 100);
    const int high_folder = fcntl(folder, F_DUPFD, 100);

    (void)alarm(60); /* one that does not end where it should */
    if (dup2(high_control, UPDATER_FD_CONTROL) < 0 || dup2(high_folder, UPDATER_FD_FOLDER) < 0 ||
        syscall(SYS_close_range, UPDATER_FD_FOLDER + 1, ~0U, 0U) != 0) {
        _exit(3);
    }
    if (geteuid() == 0 && sandbox_drop_user(board_desc.supervisor_uid, board_desc.supervisor_gid) != ERR_OK) {
        _exit(3); /* as the supervisor does before it starts one */
    }
    _exit(updater_run() == ERR_OK ? 0 : 1);
}

static void run(const char *command)
{
    assert_int_equal(system(command), 0);
}

static void make_update(struct fixture *f)
{
    static const char format[] =
        "cd %s && printf kernel >k && head -c 1300000 /dev/zero | tr '\\0' r >r && m=%s && "
        "python3 -B $m/board/image/policy.py --key $m/board/keys/qemu/policy.key --board host --version 1.1 --security "
        "1 "
        "--pcr11 $(printf '%%064d' 0) -o p && python3 -B $m/board/image/update.py --key $m/board/keys/qemu/update.key "
        "--board host --version 1.1 --security 1 --uki k --root r --policy p --out u";
    char command[1500];
    char here[512];
    char path[TEMP_PATH_MAX + 8];

    assert_non_null(getcwd(here, sizeof(here)));
    (void)snprintf(command, sizeof(command), format, f->temp.path, here);
    run(command);
    (void)snprintf(path, sizeof(path), "%s/u", f->temp.path);
    FILE *const file = fopen(path, "rb");
    assert_non_null(file);
    f->bytes = fread(f->file, 1, FILE_MAX, file);
    assert_int_equal(fclose(file), 0);
}

static enum msg_type hear(struct fixture *f)
{
    assert_int_equal(msg_recv(f->control, MSG_OPERATIONAL, &f->in), ERR_OK);
    return f->in.type;
}

static void say(struct fixture *f, struct msg *msg)
{
    assert_int_equal(msg_send(f->control, msg), ERR_OK);
}

/* A new worker: the other end of its channel. */
static int connect_worker(struct fixture *f)
{
    struct msg msg = MSG_NEW(MSG_UPDATER_WORKER);
    int ends[2];

    assert_int_equal(channel_pair(ends), ERR_OK);
    msg.fd = ends[0];
    say(f, &msg);
    (void)close(ends[0]);
    return ends[1];
}

static void start_updater(struct fixture *f, const char *image)
{
    struct msg msg = MSG_NEW(MSG_UPDATER_START);
    char path[TEMP_PATH_MAX + 8];
    int ends[2];

    const int file = openat(f->folder, image, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(file, "image", 5), 5);
    assert_int_equal(close(file), 0);
    assert_int_equal(fchownat(f->folder, image, board_desc.supervisor_uid, board_desc.supervisor_gid, 0), 0);
    assert_int_equal(channel_pair(ends), ERR_OK);
    f->pid = fork();
    assert_true(f->pid >= 0);
    if (f->pid == 0) {
        be_updater(ends[1], f->folder);
    }
    (void)close(ends[1]);
    assert_int_equal(channel_set_timeout(ends[0], WAIT_MS), ERR_OK);
    assert_int_equal(msg_channel_new(ends[0], MSG_TO_UPDATER, MSG_UPPER, &f->control), ERR_OK);
    (void)snprintf(path, sizeof(path), "%s/slot", f->temp.path);
    msg.fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(msg.fd >= 0);
    assert_int_equal(ftruncate(msg.fd, (off_t)FILE_MAX), 0);
    assert_int_equal(MSG_SET(&msg.as.updater_start, span_lit("1.0")), ERR_OK);
    say(f, &msg);
    (void)close(msg.fd);
    assert_int_equal(msg_recv(f->control, MSG_STARTING, &f->in), ERR_OK);
    assert_int_equal(f->in.type, MSG_UPDATER_READY);
}

static int setup(void **state)
{
    static struct fixture fixture;
    struct fixture *const f = &fixture;
    char path[TEMP_PATH_MAX + 8];

    *f = (struct fixture){.temp = temp_dir_make(), .file = malloc(FILE_MAX)};
    assert_non_null(f->file);
    (void)snprintf(path, sizeof(path), "%s/esp", f->temp.path);
    assert_int_equal(mkdir(path, 0700), 0);
    f->folder = open(path, O_RDONLY | O_DIRECTORY);
    assert_true(f->folder >= 0);
    if (geteuid() == 0) {
        assert_int_equal(fchown(f->folder, board_desc.supervisor_uid, board_desc.supervisor_gid), 0);
    }
    assert_int_equal(loop_new(hal_clock_system(), 8, &f->loop), ERR_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *const f = *state;
    struct msg stop = MSG_NEW(MSG_UPDATER_STOP);
    int status = -1;

    update_link_free(f->link);
    say(f, &stop);
    assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
    assert_int_equal(status, 0);
    msg_channel_free(f->control);
    loop_free(f->loop);
    (void)close(f->folder);
    temp_dir_remove(&f->temp);
    free(f->file);
    return 0;
}

static bool is_there(const struct fixture *f, const char *name)
{
    return faccessat(f->folder, name, F_OK, 0) == 0;
}

static void on_done(struct api_update_job *job, enum err err)
{
    struct fixture *const f = (void *)((char *)job - offsetof(struct fixture, job));

    f->err = err;
    f->done = true;
}

static void wait_for_answer(struct fixture *f)
{
    while (!f->done) {
        assert_int_equal(loop_turn(f->loop, WAIT_MS), ERR_OK);
    }
}

static void begin_ask(struct fixture *f, enum api_update_kind kind, uint64_t offset, struct span bytes)
{
    const struct api_updates updates = update_link_table(f->link);

    f->job = (struct api_update_job){.done = on_done, .loop = f->loop, .kind = kind, .offset = offset, .bytes = bytes};
    f->done = false;
    assert_int_equal(updates.start(updates.context, &f->job), ERR_OK);
}

static enum err ask(struct fixture *f, enum api_update_kind kind, uint64_t offset, struct span bytes)
{
    begin_ask(f, kind, offset, bytes);
    wait_for_answer(f);
    return f->err;
}

static void send_file(struct fixture *f)
{
    assert_int_equal(ask(f, API_UPDATE_BEGIN, 0, SPAN_NONE), ERR_OK);
    for (size_t at = 0; at < f->bytes; at += PIECE) {
        const size_t len = f->bytes - at < PIECE ? f->bytes - at : PIECE;
        assert_int_equal(ask(f, API_UPDATE_PIECE, at, span_of(f->file + at, len)), ERR_OK);
    }
    assert_string_equal(f->job.phase, "complete");
}

static void answer_approval(struct fixture *f, enum err err)
{
    struct msg msg = MSG_NEW(MSG_UPDATER_APPROVED);

    assert_int_equal(hear(f), MSG_UPDATER_APPROVE);
    assert_true(
        span_starts_with(MSG_VIEW(&f->in.as.keeper_policy), span_lit("rowlock-policy 1\nboard host\nversion 1.1\n")));
    msg.as.err = (uint32_t)err;
    say(f, &msg);
}

static void an_update_is_installed_once_the_keeper_approved_it(void **state)
{
    struct fixture *const f = *state;
    start_updater(f, "rowlock-1.0.efi");
    assert_int_equal(update_link_new(connect_worker(f), &f->link), ERR_OK);
    make_update(f);

    assert_int_equal(ask(f, API_UPDATE_ASK, 0, SPAN_NONE), ERR_OK);
    assert_string_equal(f->job.phase, "none");
    assert_string_equal(f->job.running, "1.0");
    send_file(f);
    assert_string_equal(f->job.version, "1.1");
    begin_ask(f, API_UPDATE_INSTALL, 0, SPAN_NONE);
    answer_approval(f, ERR_REVOKED);
    wait_for_answer(f);
    assert_int_equal(f->err, ERR_REVOKED);
    assert_false(is_there(f, "rowlock-1.1+3.efi"));

    begin_ask(f, API_UPDATE_INSTALL, 0, SPAN_NONE);
    answer_approval(f, ERR_OK);
    wait_for_answer(f);
    assert_int_equal(f->err, ERR_OK);
    assert_string_equal(f->job.phase, "installed");
    assert_int_equal(hear(f), MSG_UPDATER_INSTALLED);
    assert_true(is_there(f, "rowlock-1.1+3.efi") && is_there(f, "rowlock-1.0.efi"));
}

static void a_piece_that_comes_twice_loses_nothing(void **state)
{
    struct fixture *const f = *state;
    start_updater(f, "rowlock-1.0.efi");
    assert_int_equal(update_link_new(connect_worker(f), &f->link), ERR_OK);
    make_update(f);

    assert_int_equal(ask(f, API_UPDATE_PIECE, 0, span_of(f->file, 10)), ERR_STATE);
    assert_int_equal(ask(f, API_UPDATE_BEGIN, 0, SPAN_NONE), ERR_OK);
    assert_int_equal(ask(f, API_UPDATE_PIECE, 0, span_of(f->file, 5000)), ERR_OK);
    assert_int_equal(ask(f, API_UPDATE_PIECE, 0, span_of(f->file, 5000)), ERR_CONFLICT);
    assert_int_equal(f->job.received, 5000);
    assert_int_equal(ask(f, API_UPDATE_PIECE, 5000, span_of(f->file + 5000, 100)), ERR_OK);
    assert_int_equal(ask(f, API_UPDATE_INSTALL, 0, SPAN_NONE), ERR_STATE);
}

static void an_image_on_trial_takes_no_update_before_it_is_blessed(void **state)
{
    struct fixture *const f = *state;
    struct msg bless = MSG_NEW(MSG_UPDATER_BLESS);
    start_updater(f, "rowlock-1.0+2-1.efi");
    assert_int_equal(f->in.as.updater_ready.trial, 1);
    assert_int_equal(update_link_new(connect_worker(f), &f->link), ERR_OK);

    assert_int_equal(ask(f, API_UPDATE_BEGIN, 0, SPAN_NONE), ERR_STATE);
    assert_true(f->job.trial);
    say(f, &bless);
    assert_int_equal(hear(f), MSG_UPDATER_BLESSED);
    assert_int_equal(f->in.as.err, ERR_OK);

    assert_true(is_there(f, "rowlock-1.0.efi"));
    assert_int_equal(ask(f, API_UPDATE_BEGIN, 0, SPAN_NONE), ERR_OK);
}

static void a_worker_that_sends_what_it_may_not_is_told_of_and_heard_no_more(void **state)
{
    struct fixture *const f = *state;
    struct msg_channel *worker = NULL;
    struct msg bytes = MSG_NEW(MSG_UPDATE_BYTES); /* of no piece */
    struct msg question = MSG_NEW(MSG_UPDATER_ASK);
    start_updater(f, "rowlock-1.0.efi");
    assert_int_equal(msg_channel_new(connect_worker(f), MSG_UPDATES, MSG_LOWER, &worker), ERR_OK);
    assert_int_equal(MSG_SET(&bytes.as.part, span_lit("x")), ERR_OK);

    assert_int_equal(msg_send(worker, &bytes), ERR_OK);

    assert_int_equal(hear(f), MSG_UPDATER_OFFENCE);
    assert_int_equal(msg_recv(worker, MSG_OPERATIONAL, &f->in), ERR_CLOSED);
    say(f, &question);
    assert_int_equal(hear(f), MSG_UPDATER_ANSWER);
    msg_channel_free(worker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_update_is_installed_once_the_keeper_approved_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_piece_that_comes_twice_loses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(an_image_on_trial_takes_no_update_before_it_is_blessed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_worker_that_sends_what_it_may_not_is_told_of_and_heard_no_more, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
