/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The state of the keeper's crypto thread, and the worker's channels (links.c). */
#ifndef FIRMWARE_KEEPER_KEEPER_INT_H
#define FIRMWARE_KEEPER_KEEPER_INT_H

#include <stdbool.h>

#include "firmware/keeper/identity.h"
#include "firmware/keeper/tokens.h"
#include "firmware/keeper/tpm_thread.h"
#include "firmware/keeper/vault.h"
#include "firmware/msg.h"
#include "hal/base/attr.h"
#include "hal/base/log_limit.h"
#include "hal/clock.h"
#include "hal/onward.h"
#include "hal/poller.h"
#include "hal/vmgenid.h"

#define LINKS_MAX (MSG_REACTORS_MAX + 2) /* reactors, calls, notices */

/* A channel to the worker of the moment. */
struct link {
    struct msg_channel *channel; /* NULL: none */
    enum msg_fd_kind kind;
    bool unlocking; /* a try that began here is under way */
};

struct keeper {
    enum msg_state state;
    enum life_reason reason; /* as told */
    const struct hal_clock *clock;
    struct hal_onward calendar; /* by which tokens are dated */
    bool told_of_clock;         /* that it went back */
    bool date_taken;            /* the calendar knows what the vault has kept */
    struct mono_time next_date; /* to be kept */
    struct msg_channel *control;
    struct poller *poller;
    struct x509_names *names;
    bool names_changed; /* the vault does not have them yet */
    struct hal_tpm *tpm; /* NULL: there is none */
    struct hal_vmgenid *vmgenid; /* NULL: the platform has none */
    uint8_t generation[HAL_VMGENID_BYTES]; /* in which this process was started, before it drew anything at random */
    struct datadir *dir;
    struct measured *measured; /* NULL: the board is not measured */
    struct vault *vault;
    struct identity *identity;
    struct tokens *tokens;
    struct tpm_thread *tpm_thread;
    bool image_waits;         /* a job about an image came while the TPM was at work, and comes next */
    struct tpm_job image_job;
    bool image_asked;         /* one is waiting or under way */
    struct mono_time next_plan; /* of Secure Boot, to be looked at */
    bool tpm_gone; /* while operational */
    bool volume_key_given;
    unsigned int tick_ms;
    struct mono_time next_tick;
    struct msg_policy policy; /* of the running image; empty: none came */
    struct msg in;      /* the message at hand; wiped after each */
    struct msg tickets; /* MSG_TICKETS, as the worker has them */
    struct mono_time tickets_made;
    struct mono_time last_unlock; /* one try a second */
    struct log_limit users_lines; /* what a worker asked for and did not get */
    struct log_limit call_lines;
    struct link links[LINKS_MAX];
};

/* Tells the supervisor the state and takes it as this process's own. */
enum err keeper_tell_state(struct keeper *keeper) MUST_USE;

/* A channel that came with MSG_KEEPER_WORKER; takes the descriptor. Errors end the keeper. */
enum err keeper_links_add(struct keeper *keeper, struct msg *msg) MUST_USE;

/* Reads and answers what came over a link. A worker that breaks the rules loses all its links. */
void keeper_links_serve(struct keeper *keeper, struct link *link);
void keeper_links_answer_unlock(struct keeper *keeper, const struct tpm_job *job);
void keeper_links_tell_cert(struct keeper *keeper);
void keeper_links_tell_tickets(struct keeper *keeper);
void keeper_links_end(struct keeper *keeper);

/* Images (images.c): what the supervisor asks about one, once the box is open, and the job's outcome. */
enum err keeper_image_ask(struct keeper *keeper, const struct msg *msg) MUST_USE;
enum err keeper_image_done(struct keeper *keeper, const struct tpm_job *job) MUST_USE;

/* Starts what waits, when the TPM is free. */
enum err keeper_image_go_on(struct keeper *keeper) MUST_USE;

/* New ticket keys; the present ones become the predecessors. */
void keeper_tickets_rotate(struct keeper *keeper);

/* Rotates keys that are an hour old and tells the worker. To be called now and then. */
void keeper_tickets_keep(struct keeper *keeper);

#endif
