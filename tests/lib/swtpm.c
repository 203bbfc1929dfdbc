/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/swtpm.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"

#define PORT_FIRST   20000u
#define PORT_COUNT   12000u /* below the range from which the kernel takes ports for outgoing connections */
#define ARGUMENT_MAX 192
#define READY_TRIES  500
#define START_TRIES  20

struct swtpm {
    pid_t pid; /* 0: no power */
    uint16_t port;
    char state[64];
    char tcti[SWTPM_TCTI_MAX];
};

static int bound_socket(uint16_t port)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    union {
        struct sockaddr_in in;
        struct sockaddr any;
    } address = {.in = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}}};
    const int on = 1;

    INVARIANT(fd >= 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)); /* TIME_WAIT does not make a port taken */
    if (bind(fd, &address.any, sizeof(address.in)) != 0 || listen(fd, 1) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

uint16_t swtpm_free_ports(void)
{
    struct timespec now = {0, 0};
    INVARIANT(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    unsigned int at = ((unsigned int)now.tv_nsec / 1000u + (unsigned int)getpid() * 64u) % PORT_COUNT;

    for (unsigned int tries = 0; tries < PORT_COUNT / 2; tries++, at = (at + 2) % PORT_COUNT) {
        const uint16_t port = (uint16_t)(PORT_FIRST + at);
        const int data = bound_socket(port);
        const int control = bound_socket((uint16_t)(port + 1));
        if (data >= 0) {
            (void)close(data);
        }
        if (control >= 0) {
            (void)close(control);
        }
        if (data >= 0 && control >= 0) {
            return port;
        }
    }
    INVARIANT(false);
    return 0;
}

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
    (void)snprintf(server, sizeof(server), "type=tcp,port=%u,bindaddr=127.0.0.1", (unsigned int)swtpm->port);
    (void)snprintf(control, sizeof(control), "type=tcp,port=%u,bindaddr=127.0.0.1", (unsigned int)swtpm->port + 1);
    (void)dup2(null, STDIN_FILENO);
    (void)dup2(null, STDOUT_FILENO);
    (void)dup2(null, STDERR_FILENO);
    (void)execlp("swtpm", "swtpm", "socket", "--tpm2", "--tpmstate", state, "--server", server, "--ctrl", control,
                 "--flags", "not-need-init", (char *)NULL);
    _exit(127);
}

static bool answers(const struct swtpm *swtpm)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    union {
        struct sockaddr_in in;
        struct sockaddr any;
    } address = {.in = {.sin_family = AF_INET,
                        .sin_port = htons((uint16_t)(swtpm->port + 1)),
                        .sin_addr = {htonl(INADDR_LOOPBACK)}}};

    INVARIANT(fd >= 0);
    const bool connected = connect(fd, &address.any, sizeof(address.in)) == 0;
    (void)close(fd);
    return connected;
}

/* False if the process ended, for instance because somebody else took the port. */
static bool start(struct swtpm *swtpm)
{
    const struct timespec step = {0, 10000000};

    swtpm->pid = fork();
    INVARIANT(swtpm->pid >= 0);
    if (swtpm->pid == 0) {
        become_swtpm(swtpm);
    }
    for (int i = 0; i < READY_TRIES; i++) {
        if (waitpid(swtpm->pid, NULL, WNOHANG) != 0) {
            swtpm->pid = 0;
            return false;
        }
        if (answers(swtpm)) {
            return true;
        }
        (void)nanosleep(&step, NULL);
    }
    swtpm_cut_power(swtpm);
    return false;
}

static void use_port(struct swtpm *swtpm, uint16_t port)
{
    swtpm->port = port;
    (void)snprintf(swtpm->tcti, sizeof(swtpm->tcti), "swtpm:host=127.0.0.1,port=%u", (unsigned int)port);
}

struct swtpm *swtpm_new(void)
{
    void *memory = NULL;

    INVARIANT(mem_alloc(sizeof(struct swtpm), &memory) == ERR_OK);
    struct swtpm *swtpm = memory;
    (void)snprintf(swtpm->state, sizeof(swtpm->state), "/tmp/rowlock-test-tpm-XXXXXX");
    INVARIANT(mkdtemp(swtpm->state) != NULL);
    (void)signal(SIGPIPE, SIG_IGN); /* as every program of ours that holds a TPM */
    for (int i = 0; i < START_TRIES; i++) {
        use_port(swtpm, swtpm_free_ports());
        if (start(swtpm)) {
            return swtpm;
        }
    }
    (void)fputs("cannot start swtpm\n", stderr);
    abort();
}

void swtpm_cut_power(struct swtpm *swtpm)
{
    if (swtpm->pid > 0) {
        (void)kill(swtpm->pid, SIGKILL);
        INVARIANT(waitpid(swtpm->pid, NULL, 0) == swtpm->pid);
        swtpm->pid = 0;
    }
}

void swtpm_power_on(struct swtpm *swtpm)
{
    for (int i = 0; i < START_TRIES; i++) {
        if (start(swtpm)) {
            return;
        }
        use_port(swtpm, swtpm_free_ports()); /* somebody took ours meanwhile */
    }
    INVARIANT(false);
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

uint16_t swtpm_port(const struct swtpm *swtpm)
{
    return swtpm->port;
}

const char *swtpm_state_dir(const struct swtpm *swtpm)
{
    return swtpm->state;
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
