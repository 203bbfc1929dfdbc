/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One reactor of the worker: a thread with its own loop, listener, TLS server, API and channel to the keeper. What is
 * shared is either read-only, a snapshot, or the table of limits. */
#ifndef FIRMWARE_WORKER_REACTOR_H
#define FIRMWARE_WORKER_REACTOR_H

#include <stdint.h>

#include "crypto/secret_slab.h"
#include "firmware/api/api.h"
#include "firmware/msg.h"
#include "firmware/worker/timekeeper.h"
#include "firmware/worker/outbound_reach.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/queue.h"
#include "hal/base/snapshot.h"
#include "hal/base/span.h"
#include "hal/onward.h"
#include "net/limits.h"
#include "net/stack_lwip.h"

struct reactor;

/* The same for all reactors; borrowed for their life. */
struct reactor_plan {
    struct hal_onward calendar; /* the clock */
    struct limits *limits;
    struct secret_slab *slab;
    struct snapshot_cell *ticket_keys;
    struct data *data;             /* NULL unless operational */
    struct auth_hash_pool *hashes; /* the same */
    struct setup_code setup;
    struct outbound outbound; /* submit is NULL unless operational */
    struct api_updates updates; /* start is NULL on a board without slots */
    struct api_plans plans;
    struct snapshot_cell *times; /* what the timekeeper knows */
    bool sets_clock;             /* the box sets its clock by it */
    const char *version;   /* of what runs here */
    struct span about;     /* all of that: one JSON object */
    struct queue *events; /* of struct reactor_event; room for REACTOR_EVENTS of each reactor */
    bool admin_apart; /* the administrator has a port of his own */
    enum board_state state;
    enum life_reason reason;
    uint16_t https_port; /* as clients see it */
    uint16_t http_port;  /* of the stack in user space; 0: none */
    struct span url;     /* of this box */
};

/* What one reactor is given. The descriptors and the channel are taken, also on failure. */
struct reactor_parts {
    size_t index;
    int https_fd;
    int admin_fd; /* of one reactor at most; -1: none, as the next */
    int http_fd; /* -1: none, as the one before on a box without the kernel's sockets */
    struct hal_frame *frame; /* of one reactor at most: it owns the stack in user space. NULL: none */
    struct stack_lwip_options net; /* of that stack: the addresses */
    struct msg_channel *channel;
};

enum reactor_event_kind {
    REACTOR_READY,
    REACTOR_ALIVE,
    REACTOR_ENDED,
    REACTOR_ADDRESSES, /* the stack in user space has others: reactor_addresses() */
    REACTOR_TIME,      /* servers have told it: reactor_time() */
    REACTOR_ROWS_CLOSED,
    REACTOR_MAILS
};
#define REACTOR_EVENTS        5 /* one of each of the first five kinds may wait */
#define REACTOR_WRITER_EVENTS 2 /* and of the other two, which are the writer's, one in all */

struct reactor_event {
    enum reactor_event_kind kind;
    struct reactor *reactor;
    enum err err; /* of the end; ERR_OK after a drain */
};

/* Starts the thread; REACTOR_READY follows, or REACTOR_ENDED with an error. ERR_NO_MEMORY, ERR_LIMIT, ERR_IO. */
enum err reactor_start(const struct reactor_plan *plan, struct reactor_parts *take_parts,
                       struct reactor **out_reactor) MUST_USE;

/* From the main thread: the certificate for new handshakes, PEM. ERR_NO_MEMORY, ERR_LIMIT, ERR_CLOSED. */
enum err reactor_cert(struct reactor *reactor, uint32_t number, struct span chain_pem) MUST_USE;

/* From the main thread: REACTOR_ALIVE follows when the loop has come round to it. Not again before that. ERR_LIMIT,
 * ERR_CLOSED. */
enum err reactor_ask(struct reactor *reactor) MUST_USE;

/* From the main thread, once for each REACTOR_ADDRESSES: which they are, at most STACK_LWIP_ADDRESSES_MAX. */
void reactor_addresses(struct reactor *reactor, struct socket_address *out_addresses, size_t *out_count);

/* From the main thread, once for each REACTOR_TIME. */
void reactor_time(struct reactor *reactor, struct timekeeper_word *out_word);

/* From the main thread, to the reactor of index 0, which sends mails: what data_config.on_mails told. */
void reactor_mails(struct reactor *reactor, unsigned int notes);

/* For the main thread: connections of the stack in user space, if this reactor owns it. */
struct outbound_reach reactor_reach(struct reactor *reactor);

/* From the main thread, once: accept no more, answer what is under way, end. */
void reactor_drain(struct reactor *reactor);

/* Waits for the thread and frees. NULL is fine. */
void reactor_join(struct reactor *reactor);

#endif
