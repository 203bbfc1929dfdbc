/* SPDX-License-Identifier: GPL-3.0-or-later */
/* epoll, with our bits in place of the kernel's. */
#include "hal/poller.h"

#include <errno.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/base/num.h"
#include "hal/linux/sys_int.h"

struct poller {
    int fd;
    struct epoll_event taken[POLLER_EVENTS_MAX];
};

static uint32_t to_epoll(unsigned int interest)
{
    uint32_t events = 0;

    events |= (interest & POLLER_READ) != 0 ? (uint32_t)EPOLLIN : 0u;
    events |= (interest & POLLER_WRITE) != 0 ? (uint32_t)EPOLLOUT : 0u;
    events |= (interest & POLLER_ENDED) != 0 ? (uint32_t)EPOLLRDHUP : 0u;
    return events;
}

static unsigned int from_epoll(uint32_t events)
{
    unsigned int ready = 0;

    ready |= (events & EPOLLIN) != 0 ? POLLER_READ : 0u;
    ready |= (events & EPOLLOUT) != 0 ? POLLER_WRITE : 0u;
    ready |= (events & EPOLLRDHUP) != 0 ? POLLER_ENDED : 0u;
    ready |= (events & ((uint32_t)EPOLLERR | (uint32_t)EPOLLHUP)) != 0 ? POLLER_CLOSED : 0u;
    return ready;
}

enum err poller_new(struct poller **out_poller)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct poller), &memory));
    struct poller *poller = memory;
    poller->fd = epoll_create1(EPOLL_CLOEXEC);
    if (poller->fd < 0) {
        const int error = errno;
        mem_free(poller);
        FAIL_ERRNO(error, "epoll_create1");
    }

    *out_poller = poller;
    return ERR_OK;
}

void poller_free(struct poller *poller)
{
    if (poller != NULL) {
        sys_close(poller->fd);
        mem_free(poller);
    }
}

static enum err control(const struct poller *poller, int operation, int fd, struct epoll_event *event)
{
    if (epoll_ctl(poller->fd, operation, fd, event) != 0) {
        FAIL(errno == EPERM ? ERR_IO : sys_err(errno), "epoll_ctl", errno);
    }
    return ERR_OK;
}

enum err poller_add(struct poller *poller, int fd, unsigned int interest, void *context)
{
    struct epoll_event event = {.events = to_epoll(interest), .data = {.ptr = context}};

    return control(poller, EPOLL_CTL_ADD, fd, &event);
}

enum err poller_set(struct poller *poller, int fd, unsigned int interest, void *context)
{
    struct epoll_event event = {.events = to_epoll(interest), .data = {.ptr = context}};

    return control(poller, EPOLL_CTL_MOD, fd, &event);
}

enum err poller_remove(struct poller *poller, int fd)
{
    return control(poller, EPOLL_CTL_DEL, fd, NULL);
}

enum err poller_wait(struct poller *poller, int timeout_ms, struct poller_event *out_events, size_t max,
                     size_t *out_count)
{
    ENSURE(max > 0, ERR_RANGE, "no room for events");
    const int got = epoll_wait(poller->fd, poller->taken, (int)num_min(max, POLLER_EVENTS_MAX), timeout_ms);

    if (got < 0) {
        ENSURE(errno == EINTR, ERR_IO, "epoll_wait");
        *out_count = 0;
        return ERR_OK;
    }
    for (int i = 0; i < got; i++) {
        out_events[i].context = poller->taken[i].data.ptr;
        out_events[i].ready = from_epoll(poller->taken[i].events);
    }
    *out_count = (size_t)got;
    return ERR_OK;
}
