/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two queues, and an event counter that is readable while the first holds something. */
#include "hal/sim/sim_frame.h"

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"

struct held {
    uint8_t *bytes;
    size_t len;
    enum hal_frame_sums sums;
};

struct queue_of_frames {
    struct held frames[SIM_FRAME_QUEUE];
    size_t first;
    size_t count;
    uint8_t *lent;
};

struct sim_frame {
    struct hal_frame frame;
    struct queue_of_frames in;
    struct queue_of_frames out;
    size_t refusals;
};

static void push(struct queue_of_frames *queue, const struct span *parts, size_t count, enum hal_frame_sums sums)
{
    size_t bytes = 0;
    void *memory = NULL;

    for (size_t i = 0; i < count; i++) {
        bytes += parts[i].len;
    }
    if (queue->count == SIM_FRAME_QUEUE || mem_alloc(bytes, &memory) != ERR_OK) {
        return;
    }
    struct held *const held = &queue->frames[(queue->first + queue->count) % SIM_FRAME_QUEUE];
    *held = (struct held){.bytes = memory, .len = bytes, .sums = sums};
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        memcpy(held->bytes + at, parts[i].data, parts[i].len);
        at += parts[i].len;
    }
    queue->count++;
}

static enum err pop(struct queue_of_frames *queue, struct span *out_bytes, enum hal_frame_sums *out_sums)
{
    mem_free(queue->lent);
    queue->lent = NULL;
    if (queue->count == 0) {
        return ERR_AGAIN;
    }
    const struct held held = queue->frames[queue->first];
    queue->first = (queue->first + 1) % SIM_FRAME_QUEUE;
    queue->count--;
    queue->lent = held.bytes;
    *out_bytes = span_of(held.bytes, held.len);
    *out_sums = held.sums;
    return ERR_OK;
}

static enum err sim_receive(struct hal_frame *frame, struct span *out_bytes, enum hal_frame_sums *out_sums)
{
    struct sim_frame *const sim = (struct sim_frame *)frame;
    eventfd_t events = 0;

    if (sim->in.count == 0) {
        (void)eventfd_read(frame->fd, &events); /* it may be quiet already */
    }
    return pop(&sim->in, out_bytes, out_sums);
}

static enum err sim_send(struct hal_frame *frame, const struct span *parts, size_t count)
{
    struct sim_frame *const sim = (struct sim_frame *)frame;

    if (sim->refusals > 0) {
        sim->refusals--;
        return ERR_AGAIN;
    }
    push(&sim->out, parts, count, HAL_FRAME_SUMS_UNKNOWN);
    return ERR_OK;
}

static void drop(struct queue_of_frames *queue)
{
    struct span bytes = SPAN_NONE;
    enum hal_frame_sums sums = HAL_FRAME_SUMS_UNKNOWN;

    while (pop(queue, &bytes, &sums) == ERR_OK) {
        continue;
    }
}

static void sim_close(struct hal_frame *frame)
{
    struct sim_frame *const sim = (struct sim_frame *)frame;

    drop(&sim->in);
    drop(&sim->out);
    (void)close(frame->fd);
    mem_free(sim);
}

static const struct hal_frame_ops sim_ops = {.receive = sim_receive, .send = sim_send, .close = sim_close};

enum err sim_frame_new(const uint8_t own[HAL_FRAME_MAC_BYTES], struct sim_frame **out_sim)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct sim_frame), &memory));
    struct sim_frame *const sim = memory;
    sim->frame = (struct hal_frame){.ops = &sim_ops, .about = {.mtu = HAL_FRAME_MTU_MAX}};
    sim->frame.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    memcpy(sim->frame.about.mac, own, HAL_FRAME_MAC_BYTES);
    if (sim->frame.fd < 0) {
        mem_free(sim);
        FAIL(ERR_IO, "eventfd", 0);
    }
    *out_sim = sim;
    return ERR_OK;
}

struct hal_frame *sim_frame_hal(struct sim_frame *sim)
{
    return &sim->frame;
}

void sim_frame_give(struct sim_frame *sim, struct span bytes, enum hal_frame_sums sums)
{
    push(&sim->in, &bytes, 1, sums);
    (void)eventfd_write(sim->frame.fd, 1); /* a counter that is full is readable, too */
}

enum err sim_frame_take(struct sim_frame *sim, struct span *out_bytes)
{
    enum hal_frame_sums sums = HAL_FRAME_SUMS_UNKNOWN;

    return pop(&sim->out, out_bytes, &sums);
}

void sim_frame_refuse(struct sim_frame *sim, size_t times)
{
    sim->refusals = times;
}
