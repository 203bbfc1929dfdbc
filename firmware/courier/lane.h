/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A lane: a thread that carries out jobs of one kind, one at a time. */
#ifndef FIRMWARE_COURIER_LANE_H
#define FIRMWARE_COURIER_LANE_H

#include <stdbool.h>

#include "firmware/courier/job.h"
#include "firmware/courier/reach.h"
#include "firmware/courier/time_server.h"
#include "firmware/msg.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/clock.h"
#include "net/tls_client.h"

/* One of the list, with memory of its own. */
struct courier_destination {
    struct outbound_destination to; /* views of the rest */
    struct msg_name host;
    struct buf *ca;
    struct tls_roots *roots; /* NULL: there are none to trust */
    struct time_server *time; /* NULL: it is none */
    bool shared;             /* roots are those of all without a CA of their own */
};

struct courier_list {
    size_t count;
    struct courier_destination items[OUTBOUND_DESTINATIONS_MAX];
};

/* A job with memory of its own: the main thread's, or the lane's between lane_start and lane_finished. */
struct lane_job {
    uint64_t number;
    size_t destination; /* index in the list */
    size_t bytes;       /* of text, when it is complete */
    struct buf *text;   /* of the mail, or body of the request */
    union {
        struct {
            struct msg_mailbox from;
            struct msg_mailbox to;
            struct msg_user user;
            struct msg_password password;
        } mail;
        struct {
            uint32_t method;
            struct msg_path path;
            struct msg_authorization authorization;
        } fetch;
    } as;
    struct courier_answer answer;
    struct buf *body; /* of the answer to a request */
    struct outbound_reading reading; /* of a time server, if answer.result is OUTBOUND_DONE */
};

struct lane;

/* list, clock and reach (NULL: its own sockets) are borrowed. Starts the thread. ERR_NO_MEMORY, ERR_LIMIT, ERR_IO. */
enum err lane_new(enum outbound_kind kind, const struct courier_list *list, const struct hal_clock *clock,
                  struct reach *reach, struct lane **out_lane) MUST_USE;

/* Of a lane that is not busy: ends the thread and frees. NULL is fine. */
void lane_free(struct lane *lane);

/* The job to be filled while the lane is not busy. */
struct lane_job *lane_job(struct lane *lane);

/* Has it carried out. */
void lane_start(struct lane *lane);
bool lane_is_busy(const struct lane *lane);

/* Readable when lane_finished has something to say: true once for each lane_start, when the job has its answer. */
int lane_fd(const struct lane *lane);
bool lane_finished(struct lane *lane);

/* Wipes the job. */
void lane_clear(struct lane *lane);

#endif
