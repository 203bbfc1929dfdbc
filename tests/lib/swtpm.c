/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/swtpm.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"

#define ARGUMENT_MAX  192
#define READY_TRIES   6000 /* a minute: a loaded machine; only ever waited for in full by a failure */
#define STEP_MS       10
#define DATA_NAME     "data"
#define CONTROL_NAME  "control"

struct swtpm {
    pid_t pid; /* 0: no power */
    char state[48];
    char data[SWTPM_PATH_MAX];
    char control[SWTPM_PATH_MAX];
    char tcti[SWTPM_TCTI_MAX];
};

NO_RETURN static void become_swtpm(const struct swtpm *swtpm)
{
    char state[ARGUMENT_MAX];
    char server[ARGUMENT_MAX];
    char control[ARGUMENT_MAX];
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    sigset_t none;

    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)snprintf(state, sizeof(state), "dir=%s,mode=0600", swtpm->state);
    (void)snprintf(server, sizeof(server), "type=unixio,path=%s,mode=0666", swtpm->data);
    (void)snprintf(control, sizeof(control), "type=unixio,path=%s,mode=0600", swtpm->control);
    (void)dup2(null, STDIN_FILENO);
    (void)dup2(null, STDOUT_FILENO);
    (void)dup2(null, STDERR_FILENO);
    (void)execlp("swtpm", "swtpm", "socket", "--tpm2", "--tpmstate", state, "--server", server, "--ctrl", control,
                 "--flags", "not-need-init", (char *)NULL);
    _exit(127);
}

int swtpm_connect(const char *path)
{
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    union {
        struct sockaddr_un local;
        struct sockaddr any;
    } address = {.local = {.sun_family = AF_UNIX}};

    INVARIANT(fd >= 0 && strlen(path) < sizeof(address.local.sun_path));
    (void)strcpy(address.local.sun_path, path);
    if (connect(fd, &address.any, sizeof(address.local)) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

/* Asks the control channel what it can do: whoever answers has opened both sockets. */
static bool answers(const struct swtpm *swtpm)
{
    static const uint8_t question[] = {0, 0, 0, 1}; /* CMD_GET_CAPABILITY */
    uint8_t answer = 0;
    const int fd = swtpm_connect(swtpm->control);

    if (fd < 0) {
        return false;
    }
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    const bool asked = send(fd, question, sizeof(question), MSG_NOSIGNAL) == (ssize_t)sizeof(question);
    const bool answered = asked && poll(&wait, 1, READY_TRIES * STEP_MS) == 1 && recv(fd, &answer, 1, 0) == 1;
    (void)close(fd);
    return answered;
}

void swtpm_power_on(struct swtpm *swtpm)
{
    const struct timespec step = {0, STEP_MS * 1000000};

    (void)unlink(swtpm->data); /* the one that lost its power has left them */
    (void)unlink(swtpm->control);
    swtpm->pid = fork();
    INVARIANT(swtpm->pid >= 0);
    if (swtpm->pid == 0) {
        become_swtpm(swtpm);
    }
    for (int i = 0; i < READY_TRIES; i++) {
        if (answers(swtpm)) {
            return;
        }
        if (waitpid(swtpm->pid, NULL, WNOHANG) != 0) {
            break;
        }
        (void)nanosleep(&step, NULL);
    }
    (void)fputs("cannot start swtpm\n", stderr);
    abort();
}

struct swtpm *swtpm_new(void)
{
    void *memory = NULL;

    INVARIANT(mem_alloc(sizeof(struct swtpm), &memory) == ERR_OK);
    struct swtpm *swtpm = memory;
    (void)snprintf(swtpm->state, sizeof(swtpm->state), "/tmp/rowlock-test-tpm-XXXXXX");
    /* A keeper that root's test starts changes to another user before it connects. The state itself stays closed. */
    INVARIANT(mkdtemp(swtpm->state) != NULL && chmod(swtpm->state, 0711) == 0);
    (void)snprintf(swtpm->data, sizeof(swtpm->data), "%s/" DATA_NAME, swtpm->state);
    (void)snprintf(swtpm->control, sizeof(swtpm->control), "%s/" CONTROL_NAME, swtpm->state);
    (void)snprintf(swtpm->tcti, sizeof(swtpm->tcti), "swtpm:path=%s", swtpm->data);
    (void)signal(SIGPIPE, SIG_IGN); /* as every program of ours that holds a TPM */
    swtpm_power_on(swtpm);
    return swtpm;
}

void swtpm_cut_power(struct swtpm *swtpm)
{
    if (swtpm->pid > 0) {
        (void)kill(swtpm->pid, SIGKILL);
        INVARIANT(waitpid(swtpm->pid, NULL, 0) == swtpm->pid);
        swtpm->pid = 0;
    }
}

void swtpm_pause(struct swtpm *swtpm)
{
    INVARIANT(kill(swtpm->pid, SIGSTOP) == 0);
}

void swtpm_resume(struct swtpm *swtpm)
{
    INVARIANT(kill(swtpm->pid, SIGCONT) == 0);
}

const char *swtpm_tcti(const struct swtpm *swtpm)
{
    return swtpm->tcti;
}

const char *swtpm_path(const struct swtpm *swtpm)
{
    return swtpm->data;
}

static void remove_state(const char *path)
{
    DIR *dir = opendir(path);

    if (dir == NULL) {
        return;
    }
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        (void)unlinkat(dirfd(dir), entry->d_name, 0); /* "." and ".." refuse */
    }
    (void)closedir(dir);
    (void)rmdir(path);
}

void swtpm_free(struct swtpm *swtpm)
{
    if (swtpm != NULL) {
        swtpm_cut_power(swtpm);
        remove_state(swtpm->state);
        mem_free(swtpm);
    }
}
