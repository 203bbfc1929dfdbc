/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A ring of pointers under one mutex. The eventfd is written only when the ring turns non-empty and read only when it is
 * found empty, so a busy queue costs no system call. */
#include "hal/base/queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    void **ring;
    size_t capacity;
    size_t head; /* index of the oldest item */
    size_t len;
    int event_fd;
    bool signalled; /* the eventfd holds a count */
    bool closed;
};

enum err queue_new(size_t capacity, struct queue **out_queue)
{
    pthread_condattr_t monotonic;
    void *memory = NULL;
    void *ring = NULL;

    ENSURE(capacity > 0, ERR_RANGE, "queue without room");
    const int event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (event_fd < 0) {
        FAIL(ERR_IO, "no descriptor for a queue", errno);
    }
    if (mem_alloc(sizeof(struct queue), &memory) != ERR_OK ||
        mem_alloc_array(capacity, sizeof(void *), &ring) != ERR_OK) {
        mem_free(memory);
        close(event_fd);
        FAIL(ERR_NO_MEMORY, "no memory for a queue", capacity);
    }
    struct queue *const queue = memory;

    queue->ring = ring;
    queue->capacity = capacity;
    queue->event_fd = event_fd;
    INVARIANT(pthread_mutex_init(&queue->lock, NULL) == 0);
    INVARIANT(pthread_condattr_init(&monotonic) == 0);
    INVARIANT(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
    INVARIANT(pthread_cond_init(&queue->filled, &monotonic) == 0);
    pthread_condattr_destroy(&monotonic);

    *out_queue = queue;
    return ERR_OK;
}

void queue_free(struct queue *queue)
{
    if (queue == NULL) {
        return;
    }
    close(queue->event_fd);
    pthread_cond_destroy(&queue->filled);
    pthread_mutex_destroy(&queue->lock);
    mem_free(queue->ring);
    mem_free(queue);
}

static void signal_event(struct queue *queue)
{
    const uint64_t one = 1;

    if (!queue->signalled) {
        queue->signalled = write(queue->event_fd, &one, sizeof one) == (ssize_t)sizeof one;
    }
}

static void clear_event(struct queue *queue)
{
    uint64_t count = 0;

    if (queue->signalled && !queue->closed) {
        queue->signalled = read(queue->event_fd, &count, sizeof count) != (ssize_t)sizeof count;
    }
}

enum err queue_push(struct queue *queue, void *item)
{
    enum err result = ERR_OK;

    INVARIANT(item != NULL);
    pthread_mutex_lock(&queue->lock);
    if (queue->closed) {
        result = ERR_CLOSED;
    } else if (queue->len == queue->capacity) {
        result = ERR_LIMIT;
    } else {
        queue->ring[(queue->head + queue->len) % queue->capacity] = item;
        queue->len++;
        signal_event(queue);
        pthread_cond_signal(&queue->filled);
    }
    pthread_mutex_unlock(&queue->lock);
    return result;
}

static enum err pop_locked(struct queue *queue, void **out_item)
{
    if (queue->len == 0) {
        clear_event(queue);
        return queue->closed ? ERR_CLOSED : ERR_AGAIN;
    }
    *out_item = queue->ring[queue->head];
    queue->head = (queue->head + 1) % queue->capacity;
    queue->len--;
    return ERR_OK;
}

enum err queue_pop(struct queue *queue, void **out_item)
{
    pthread_mutex_lock(&queue->lock);
    const enum err result = pop_locked(queue, out_item);

    pthread_mutex_unlock(&queue->lock);
    return result;
}

enum err queue_wait(struct queue *queue, unsigned int timeout_ms, void **out_item)
{
    struct timespec until = {0, 0};
    enum err result = ERR_AGAIN;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(timeout_ms / 1000);
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    pthread_mutex_lock(&queue->lock);
    result = pop_locked(queue, out_item);
    while (result == ERR_AGAIN) {
        const bool timed_out = pthread_cond_timedwait(&queue->filled, &queue->lock, &until) == ETIMEDOUT;

        result = pop_locked(queue, out_item);
        if (result == ERR_AGAIN && timed_out) {
            result = ERR_TIMEOUT;
        }
    }
    pthread_mutex_unlock(&queue->lock);
    return result;
}

void queue_close(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    signal_event(queue);
    pthread_cond_broadcast(&queue->filled);
    pthread_mutex_unlock(&queue->lock);
}

int queue_fd(const struct queue *queue)
{
    return queue->event_fd;
}

size_t queue_len(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    const size_t len = queue->len;

    pthread_mutex_unlock(&queue->lock);
    return len;
}
