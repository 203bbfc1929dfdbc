/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Waiting for many descriptors at once (epoll, level-triggered). It borrows the descriptors: remove one before closing
 * it. A poller belongs to one thread. */
#ifndef HAL_POLLER_H
#define HAL_POLLER_H

#include <stddef.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"

struct poller;

enum {
    POLLER_READ = 1,   /* bytes, a connection or an end of file waits */
    POLLER_WRITE = 2,  /* there is room */
    POLLER_CLOSED = 4, /* in events only: error, or both sides are closed; always reported */
    POLLER_ENDED = 8   /* the other side will send no more; ask for it to be told without reading */
};

#define POLLER_FOREVER    (-1)
#define POLLER_EVENTS_MAX 256 /* taken in one poller_wait */

struct poller_event {
    void *context;
    unsigned int ready;
};

/* ERR_NO_MEMORY, ERR_LIMIT (no descriptor left). The caller frees it. */
enum err poller_new(struct poller **out_poller) MUST_USE;

/* Closes; the descriptors in it stay open. NULL is fine. */
void poller_free(struct poller *poller);

static inline void poller_free_scoped(struct poller **poller)
{
    poller_free(*poller);
}
#define SCOPED_POLLER SCOPED(poller_free_scoped)

/* Watches fd for `interest`; events carry context. ERR_EXISTS, ERR_LIMIT, ERR_NO_MEMORY, ERR_IO (a file, not a
 * stream). */
enum err poller_add(struct poller *poller, int fd, unsigned int interest, void *context) MUST_USE;

/* Another interest, which may be 0, and context. ERR_NOT_FOUND. */
enum err poller_set(struct poller *poller, int fd, unsigned int interest, void *context) MUST_USE;

/* Events of fd already taken may still lie in the caller's array. ERR_NOT_FOUND. */
enum err poller_remove(struct poller *poller, int fd) MUST_USE;

/* Waits up to timeout_ms (POLLER_FOREVER; 0 does not wait) for at least one event and takes up to max (at most
 * POLLER_EVENTS_MAX). *out_count is 0 after the time or a signal. ERR_IO. */
enum err poller_wait(struct poller *poller, int timeout_ms, struct poller_event *out_events, size_t max,
                     size_t *out_count) MUST_USE;

#endif
