/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The host's button and tamper line are two signals, read from a descriptor. */
#include "hal/tamper.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/linux/sys_int.h"

struct signal_tamper {
    struct hal_tamper base;
    int fd;
};

static int signals_fd(const struct hal_tamper *tamper)
{
    return ((const struct signal_tamper *)tamper)->fd;
}

static enum err signals_next(struct hal_tamper *tamper, enum hal_tamper_event *out_event)
{
    struct signalfd_siginfo info = {0};
    const ssize_t got = read(signals_fd(tamper), &info, sizeof(info));

    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return ERR_AGAIN;
    }
    ENSURE(got == (ssize_t)sizeof(info), ERR_IO, "reading the tamper signals");
    *out_event = info.ssi_signo == SIGUSR1 ? HAL_TAMPER_BUTTON : HAL_TAMPER_OPENED;
    return ERR_OK;
}

static void signals_close(struct hal_tamper *tamper)
{
    sys_close(signals_fd(tamper));
    mem_free(tamper);
}

static const struct hal_tamper_ops signals_ops = {signals_fd, signals_next, signals_close};

enum err hal_tamper_open_signals(struct hal_tamper **out_tamper)
{
    void *memory = NULL;
    sigset_t set;

    INVARIANT(sigemptyset(&set) == 0 && sigaddset(&set, SIGUSR1) == 0 && sigaddset(&set, SIGUSR2) == 0);
    TRY(mem_alloc(sizeof(struct signal_tamper), &memory));
    struct signal_tamper *self = memory;
    self->base.ops = &signals_ops;
    self->fd = -1;
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) == 0) {
        self->fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    }
    if (self->fd < 0) {
        mem_free(self);
        FAIL(ERR_IO, "signalfd", errno);
    }

    *out_tamper = &self->base;
    return ERR_OK;
}
