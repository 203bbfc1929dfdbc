/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The worker's end of what leaves the box: jobs of all threads in, datagrams to the courier out.
 *
 * The link belongs to the worker's main thread, which polls it beside its other channels. Other threads know the function
 * table of net/outbound.h: submit puts the job in a queue, and the answer comes as a post to the job's loop, so neither a
 * reactor nor the writer ever waits for a relay.
 *
 * The list of destinations is made of what jobs name. A job for one that is not on it is told to the supervisor with the
 * whole new list (the longest unused one goes where there is no room), and the supervisor replaces the courier. What no
 * job has named for CONFIG_COURIER_IDLE_S is forgotten; when nothing is left, no courier runs. */
#ifndef FIRMWARE_WORKER_OUTBOUND_H
#define FIRMWARE_WORKER_OUTBOUND_H

#include "firmware/msg.h"
#include "firmware/worker/outbound_reach.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/clock.h"
#include "hal/poller.h"
#include "net/outbound.h"

struct outbound_link;

/* clock and poller are borrowed. control is the channel to the supervisor, non-blocking, borrowed: the link only sends on
 * it. The contexts of the poller's events that are the link's mean nothing to others. ERR_NO_MEMORY, ERR_IO. */
enum err outbound_link_new(const struct hal_clock *clock, struct poller *poller, struct msg_channel *control,
                           struct outbound_link **out_link) MUST_USE;

/* When nobody waits for an answer any more: after the reactors. NULL is fine. */
void outbound_link_free(struct outbound_link *link);

/* For api_options and whoever else has something to send. Valid as long as the link. */
struct outbound outbound_link_table(struct outbound_link *link);

/* A courier for list `number` was started: take_fd, its channel, is taken, also on failure. What the courier before it had
 * at hand is answered OUTBOUND_TEMPORARY. ERR_NO_MEMORY, ERR_IO, ERR_STATE (there is no link). */
enum err outbound_link_courier(struct outbound_link *link, uint32_t number, int take_fd) MUST_USE;

/* Who makes the courier's connections; without this call it makes them itself. Before the first turn. */
void outbound_link_reach(struct outbound_link *link, struct outbound_reach reach);

/* In each turn of the main thread: takes what came, sends what can be sent, answers what is over. NULL is fine. */
void outbound_link_run(struct outbound_link *link);

/* How long the main thread may sleep before the next outbound_link_run; POLLER_FOREVER when nothing is under way, or link is
 * NULL. */
int outbound_link_wait_ms(const struct outbound_link *link);

/* No jobs any more: those that wait are answered OUTBOUND_TEMPORARY now, those that the courier has in some seconds at the
 * latest. NULL is fine. */
void outbound_link_stop(struct outbound_link *link);

#endif
