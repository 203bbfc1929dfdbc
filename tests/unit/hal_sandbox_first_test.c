/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the first process of a box keeps, and what it gives up; and the one thing that its keeper may do besides. Each is tried
 * by a child that has entered. */
#include "hal/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/keyctl.h>
#include <linux/rtc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/kernel_key.h"
#include "hal/process.h"
#include "tests/lib/sandboxed.h"

/* The wait status of a child that entered and did it. */
static int run_first(action *does)
{
    const struct inside nothing = {.dir_fd = -1, .listener = -1};
    int status = 0;

    const pid_t pid = fork();
    if (pid == 0) {
        if (sandbox_begin(&sandboxed_limits) != ERR_OK || sandbox_enter_first() != ERR_OK) {
            _exit(CHILD_SETUP);
        }
        _exit(does(&nothing));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* Of calls with arguments that the kernel refuses for themselves: the answer comes, whatever it is. */
static int answered(void)
{
    return CHILD_OK;
}

static int do_mount(const struct inside *inside)
{
    (void)inside;
    (void)mount("none", "/nonexistent", "tmpfs", 0, NULL);
    (void)umount2("/nonexistent", 0);
    return answered();
}

static int do_ask_devices(const struct inside *inside)
{
    (void)inside;
    (void)ioctl(-1, DM_DEV_CREATE, NULL);
    (void)ioctl(-1, DM_TABLE_LOAD, NULL);
    (void)ioctl(-1, DM_DEV_SUSPEND, NULL);
    (void)ioctl(-1, DM_DEV_REMOVE, NULL);
    return answered();
}

static int do_files(const struct inside *inside)
{
    const int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    (void)inside;
    const bool asked = chown("/nonexistent/x", 0, 0) != 0 && chmod("/nonexistent/x", 0700) != 0 &&
                       mkdir("/nonexistent/x", 0700) != 0; /* none of them ends the process */
    sync();
    return fd >= 0 && asked ? CHILD_OK : CHILD_FAILED;
}

static int do_restart(const struct inside *inside)
{
    (void)inside;
    (void)reboot(0); /* no command that there is */
    return answered();
}

static int do_keys(const struct inside *inside)
{
    (void)inside;
    (void)syscall(SYS_keyctl, KEYCTL_UNLINK, 0, KEY_SPEC_SESSION_KEYRING);
    return answered();
}

static int do_reap(const struct inside *inside)
{
    const struct process nobody = {.pid = 0, .pidfd = -1};

    (void)inside;
    process_reap_strays(&nobody);
    return answered();
}

static int do_set_clock(const struct inside *inside)
{
    struct timex nothing = {.modes = 0};

    (void)inside;
    (void)clock_settime(-1, &(const struct timespec){.tv_sec = 0});
    (void)adjtimex(&nothing);
    (void)ioctl(-1, RTC_SET_TIME, NULL);
    return answered();
}

static int do_fork(const struct inside *inside)
{
    (void)inside;
    return refused_or_not((int)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
}

static int do_exec(const struct inside *inside)
{
    (void)inside;
    return refused_or_not(execl("/bin/true", "true", (char *)NULL));
}

static int do_socket(const struct inside *inside)
{
    (void)inside;
    return refused_or_not(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static int do_load_module(const struct inside *inside)
{
    (void)inside;
    return refused_or_not((int)syscall(SYS_finit_module, -1, "", 0));
}

static int do_other_ioctl(const struct inside *inside)
{
    (void)inside;
    return refused_or_not(ioctl(-1, DM_REMOVE_ALL, NULL));
}

static int do_trace(const struct inside *inside)
{
    (void)inside;
    return refused_or_not((int)syscall(SYS_ptrace, 16, getppid(), 0, 0));
}

static int do_put_key(const struct inside *inside)
{
    (void)inside;
    /* Where the machine's own sandbox takes keys away the call fails; it is not stopped by ours. */
    const enum err err = kernel_key_put(KERNEL_KEY_VOLUME, span_lit("0123456789abcdef0123456789abcdef"));
    return err == ERR_OK || err == ERR_REFUSED || err == ERR_LIMIT ? CHILD_OK : CHILD_FAILED;
}

static int do_put_key_elsewhere(const struct inside *inside)
{
    (void)inside;
    return refused_or_not((int)syscall(SYS_add_key, "user", "x:y", "z", 1, KEY_SPEC_USER_KEYRING));
}

static int do_read_keys(const struct inside *inside)
{
    (void)inside;
    return refused_or_not((int)syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", "x:y", 0));
}

static bool was_stopped(int status)
{
    return (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) ||
           (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_REFUSED);
}

static void the_first_process_mounts_maps_gives_and_restarts(void **state)
{
    static action *const actions[] = {do_mount, do_ask_devices, do_files, do_restart, do_keys, do_reap, do_set_clock};

    for (size_t i = 0; i < ARRAY_LENGTH(actions); i++) {
        const int status = run_first(actions[i]);

        if (!WIFEXITED(status) || WEXITSTATUS(status) != CHILD_OK) {
            fail_msg("action %zu: status %d", i, status);
        }
    }
}

static void the_first_process_starts_opens_and_loads_nothing_more(void **state)
{
    static action *const actions[] = {do_fork, do_exec, do_socket, do_load_module, do_other_ioctl, do_trace,
                                      do_put_key_elsewhere};

    for (size_t i = 0; i < ARRAY_LENGTH(actions); i++) {
        const int status = run_first(actions[i]);

        if (!was_stopped(status)) {
            fail_msg("action %zu: status %d", i, status);
        }
    }
}

/* The wait status of a keeper, of a board with a data volume or without, that did it. */
static int run_keeper(bool puts_keys, action *does)
{
    const struct inside nothing = {.dir_fd = -1, .listener = -1};
    int status = 0;

    const pid_t pid = fork();
    if (pid == 0) {
        const struct sandbox_spec spec = {.profile = SANDBOX_KEEPER, .directory_fd = -1, .puts_kernel_keys = puts_keys};
        if (sandbox_begin(&sandboxed_limits) != ERR_OK || sandbox_enter(&spec) != ERR_OK) {
            _exit(CHILD_SETUP);
        }
        _exit(does(&nothing));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void a_keeper_of_a_board_with_a_volume_puts_its_key_and_does_nothing_else_with_keys(void **state)
{
    const int put = run_keeper(true, do_put_key);

    assert_true(WIFEXITED(put) && WEXITSTATUS(put) == CHILD_OK);
    assert_true(was_stopped(run_keeper(true, do_put_key_elsewhere)));
    assert_true(was_stopped(run_keeper(true, do_read_keys)));
}

static void a_keeper_of_another_board_puts_none(void **state)
{
    assert_true(was_stopped(run_keeper(false, do_put_key_elsewhere)));
    const int put = run_keeper(false, do_put_key);
    assert_true(WIFSIGNALED(put) || !CONFIG_ON(HAL_SANDBOX_KILL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_process_mounts_maps_gives_and_restarts),
        cmocka_unit_test(the_first_process_starts_opens_and_loads_nothing_more),
        cmocka_unit_test(a_keeper_of_a_board_with_a_volume_puts_its_key_and_does_nothing_else_with_keys),
        cmocka_unit_test(a_keeper_of_another_board_puts_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
