/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the main thread of the worker holds. Its own, but where a member says otherwise. */
#ifndef FIRMWARE_WORKER_WORKER_INT_H
#define FIRMWARE_WORKER_WORKER_INT_H

#include "firmware/worker/worker.h"

#include <stdatomic.h>

#include "firmware/data/data.h"
#include "firmware/msg.h"
#include "firmware/worker/about.h"
#include "firmware/worker/outbound.h"
#include "firmware/worker/plan_link.h"
#include "firmware/worker/reactor.h"
#include "firmware/worker/table_keys.h"
#include "firmware/worker/update_link.h"
#include "hal/datadir.h"
#include "hal/poller.h"
#include "hal/vmgenid.h"

struct worker {
    enum msg_state state;
    struct msg_channel *control;
    struct datadir *dir;
    int calls_fd;
    int notices_fd;
    struct msg_channel *notices;
    struct poller *poller;
    struct outbound_link *outbound; /* NULL unless operational */
    struct table_keys *keys;
    struct secret_slab *slab;
    struct random *random;
    struct hal_vmgenid *vmgenid; /* NULL: the platform has none */
    uint8_t generation[HAL_VMGENID_BYTES]; /* in which this process was started; the writer thread's, once it runs */
    struct reactor_event rows_closed;
    struct reactor_event mails;
    atomic_uint mail_notes; /* from the writer thread, on their way to the first reactor */
    int updates_fd;              /* -1: this board has no slots */
    struct update_link *updates; /* NULL: the same */
    struct plan_link *plans;
    struct about about;       /* until the sandbox is entered, and its answer is written */
    struct buf *about_answer; /* plan.about is a view of it */
    char version[ABOUT_VERSION_MAX + 1]; /* the same, plan.version */
    struct data *data;
    enum data_bootstrap_shown shown;
    struct reactor_plan plan;
    struct msg_url url; /* plan.url is a view of it */
    struct wall_time date; /* as told at the start */
    size_t reactor_count;
    size_t running; /* reactors whose thread has not ended */
    size_t ready;
    size_t asked; /* reactors whose sign of life is awaited */
    struct reactor_parts parts[MSG_REACTORS_MAX];
    struct reactor *reactors[MSG_REACTORS_MAX];
    uint32_t cert_number;
    struct buf *cert_pem;
    struct msg in;  /* the message at hand; wiped after each */
    struct msg out;
};

/* Opens the rows if this state has any, and makes the first project and the offer of the first operator. What is wrong with
 * the rows makes the state failed and is no error; a keeper that is gone is one: ERR_CLOSED, ERR_TIMEOUT. ERR_NO_MEMORY.
 * Waits for the keeper and the disk. */
enum err worker_open_rows(struct worker *worker) MUST_USE;

/* `rowlock fsck`: errors of check_tell(), and as above. */
enum err worker_check_rows(struct worker *worker) MUST_USE;

#endif
