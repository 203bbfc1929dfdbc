/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/sandboxed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hal/base/log.h"
#include "hal/socket.h"
#include "tests/lib/temp.h"

const struct sandbox_limits sandboxed_limits = {.open_files = 256, .locked_bytes = 1 << 20, .file_bytes = 1 << 24};

int refused_or_not(int result)
{
    if (result >= 0) {
        return CHILD_FAILED;
    }
    return errno == EPERM || errno == EACCES ? CHILD_REFUSED : CHILD_FAILED;
}

int sandboxed_run(enum sandbox_profile profile, action *does)
{
    const struct temp_dir temp = temp_dir_make();
    const struct socket_listen listen_on = {.address = {.family = SOCKET_IPV4, .ip = {127, 0, 0, 1}}, .backlog = 4};
    struct socket_address bound = {.port = 0};
    struct inside inside = {.dir_fd = open(temp.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), .listener = -1};
    int status = 0;

    assert_true(inside.dir_fd >= 0);
    assert_int_equal(socket_listen(&listen_on, &inside.listener, &bound), ERR_OK);
    inside.port = bound.port;
    const pid_t pid = fork();
    if (pid == 0) {
        const struct sandbox_spec spec = {.profile = profile,
                                          .directory_fd = profile == SANDBOX_COURIER || profile == SANDBOX_COURIER_INSIDE
                                                              ? -1
                                                              : inside.dir_fd,
                                          .ports = &inside.port,
                                          .port_count = 1};
        if (sandbox_begin(&sandboxed_limits) != ERR_OK || sandbox_enter(&spec) != ERR_OK) {
            log_fault(LOG_ERROR, "setup");
            _exit(CHILD_SETUP);
        }
        _exit(does(&inside));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    (void)close(inside.dir_fd);
    socket_close(inside.listener);
    temp_dir_remove(&temp);
    return status;
}

void assert_allowed(enum sandbox_profile profile, action *does)
{
    const int status = sandboxed_run(profile, does);

    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), CHILD_OK);
}

void assert_forbidden_for(enum sandbox_profile profile, action *does)
{
    const int status = sandboxed_run(profile, does);
    const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
    const bool refused = WIFEXITED(status) && WEXITSTATUS(status) == CHILD_REFUSED;

    assert_true(killed || refused);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == CHILD_OK);
}

void assert_forbidden(action *does)
{
    assert_forbidden_for(SANDBOX_WORKER, does);
    assert_forbidden_for(SANDBOX_KEEPER, does);
    assert_forbidden_for(SANDBOX_COURIER, does);
    assert_forbidden_for(SANDBOX_COURIER_INSIDE, does);
}

static void *add_one(void *number)
{
    int *at = number;

    (*at)++;
    return NULL;
}

int sandboxed_thread(const struct inside *inside)
{
    pthread_t thread;
    int number = 1;
    const bool works =
        pthread_create(&thread, NULL, add_one, &number) == 0 && pthread_join(thread, NULL) == 0 && number == 2;

    return works ? CHILD_OK : CHILD_FAILED;
}
