/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The supervisor's state, and its parts in other files. */
#ifndef FIRMWARE_SUPERVISOR_SUPERVISOR_INT_H
#define FIRMWARE_SUPERVISOR_SUPERVISOR_INT_H

#include "firmware/supervisor/child.h"
#include "firmware/supervisor/clock_rule.h"
#include "firmware/supervisor/destinations.h"
#include "firmware/supervisor/options.h"
#include "hal/clock.h"
#include "hal/datadir.h"
#include "hal/frame.h"
#include "hal/life.h"
#include "hal/base/log_limit.h"
#include "hal/onward.h"
#include "hal/poller.h"
#include "hal/socket.h"
#include "hal/status.h"
#include "hal/tamper.h"
#include "hal/vmgenid.h"
#include "hal/watchdog.h"

#define PATH_MAX_BYTES 4096

/* What the certificate is for: localhost and its addresses, the host's own name, the address listened on or, where that
 * is any, those of the machine, that for the administrator, and the names of the command line. */
#define NAMES_ADDRESSES_MAX 8
#define NAMES_MAX           (6 + NAMES_ADDRESSES_MAX + OPTIONS_NAMES_MAX)
struct names {
    size_t count;
    char text[NAMES_MAX][MSG_NAME_MAX + 1]; /* NUL-ended; zero behind it, so equal lists are equal bytes */
};

/* Told once, when requests are first answered; wiped then. */
struct news {
    struct msg_recovery recovery;
    struct msg_uuid project;
    struct msg_environment environment;
    struct msg_api_key publishable;
    struct msg_api_key secret;
    struct msg_setup setup;
};

/* Keeper, worker and courier; the updater works with what is the supervisor's. */
#define STARTERS 3

/* Of a board that has one. */
enum volume { VOLUME_NOT_ASKED, VOLUME_ASKED, VOLUME_THERE };

/* A setting of the clock on its way. */
struct clock_setting {
    struct clock_ask ask;
    struct wall_time from;
    struct wall_time to;
    struct msg_name source;
};

/* Lines that a worker can cause as often as it likes. */
struct supervisor_lines {
    struct log_limit clock_refused;
    struct log_limit clock_not_set;
    struct log_limit addresses;
    struct log_limit names;
    struct log_limit plans;
    struct log_limit untold;
    struct log_limit refused;
};

struct supervisor {
    const struct options *options;
    enum msg_worker_mode mode;
    const struct hal_clock *clock;
    struct hal_onward calendar; /* what the keeper has told of, and since then */
    struct wall_time image;        /* the date of it; of a box only */
    struct clock_rule clock_rule;
    bool clock_doubted;            /* it had lost the time when the box began */
    bool clock_asked;              /* the first process sets it at the moment, as `setting` says */
    bool clock_refused;            /* a step that was refused has been told */
    struct clock_setting setting;
    struct supervisor_lines lines;
    struct poller *poller;
    struct datadir *dir;
    int keeper_dir;
    int worker_dir;
    enum volume volume;
    int signals;
    struct hal_watchdog *watchdog;
    struct hal_status *status;
    struct hal_tamper *tamper;
    struct hal_vmgenid *vmgenid;
    uint8_t generation[HAL_VMGENID_BYTES]; /* of the virtual machine, at the start of this worker */
    bool has_generation;
    uint8_t keeper_generation[HAL_VMGENID_BYTES]; /* at the start of this keeper, if there is one */
    struct child keeper;
    struct child worker;
    struct child courier;
    struct starter starters[STARTERS]; /* none where all are one user */
    struct child updater; /* only where the board has slots */
    int slot_folder;      /* of images on the ESP; -1: there are no slots */
    int slot_root;        /* the partition that does not run */
    struct msg_version version; /* of the image that runs, where there are slots */
    bool trial;           /* it is on trial, and has until trial_until to prove itself */
    struct mono_time trial_until;
    bool plan_asked;      /* of the keeper, about a change of Secure Boot */
    bool plan_of_worker;  /* by the worker that runs, under that number */
    uint64_t plan_number;
    struct destinations told;   /* by the worker, and not in use yet */
    struct destinations list;   /* in use */
    struct mono_time next_list; /* not before */
    enum board_state state;
    enum life_reason reason;
    bool first;    /* the recovery key has not been shown */
    bool known;    /* the keeper has told the state since it was started */
    bool failed;   /* the worker serves no rows although it might */
    bool given_up; /* until the end of this process: workers that opened the rows crashed too often */
    enum life_reason failure; /* why failed */
    bool ending;
    bool report_is_due; /* requests are answered; it waits for an address, until report_by */
    struct mono_time report_by;
    bool reported;
    bool shown; /* a recovery key stood in the report: each later keeper is told, if this one dies before it hears */
    int exit_status;
    struct mono_time next_tick;
    size_t reactors;
    int https[MSG_REACTORS_MAX];
    int http;            /* -1: none */
    int admin;           /* the administrator's; -1: every port is his, too */
    int frames;          /* the source of frames of the stack in user space; -1: none */
    struct hal_frame_about frames_about;
    size_t net_count; /* addresses of that stack, as the worker told them */
    struct socket_address net[MSG_ADDRESSES_MAX];
    uint16_t port;       /* in use */
    uint16_t plain_port; /* in use */
    uint16_t admin_port; /* in use */
    char ca_file[PATH_MAX_BYTES];
    struct names names; /* as the keeper has them */
    struct mono_time next_names;
    struct news news;
    struct msg in;
    struct msg out;
};

/* From here on the box ends in order, with that exit status. */
void supervisor_begin_end(struct supervisor *supervisor, int exit_status);

/* Clock, light, signals, watchdog and the poller. */
enum err supervisor_open_devices(struct supervisor *supervisor) MUST_USE;

/* A starter for each child whose user is not the supervisor's: while this is root. The end of one is an event of
 * &supervisor->starters. Errors of starter_open(). */
void supervisor_init_starters(struct supervisor *supervisor);
enum err supervisor_open_starters(struct supervisor *supervisor) MUST_USE;
void supervisor_close_starters(struct supervisor *supervisor);

/* Opens one listener for each reactor on one port, and the plain one. ERR_EXISTS, ERR_REFUSED and others of
 * socket_listen(). */
enum err supervisor_listen(struct supervisor *supervisor) MUST_USE;

/* The stack in user space: opens its source of frames; hands it to a worker that starts; takes supervisor->in, the worker's
 * list of addresses, for the certificate. Errors of hal_frame_open() and msg_send(). */
enum err supervisor_open_frames(struct supervisor *supervisor) MUST_USE;
enum err supervisor_give_frames(struct supervisor *supervisor) MUST_USE;
void supervisor_on_addresses(struct supervisor *supervisor);

/* Starts the keeper and gives it names, TCTI and PIN. pin is wiped by the caller. */
enum err supervisor_start_keeper(struct supervisor *supervisor, struct span pin) MUST_USE;

/* Tells the keeper if the machine has other names or addresses than before: it renews the certificate. ERR_CLOSED and
 * others of msg_send(): the keeper is not there. */
enum err supervisor_look_at_names(struct supervisor *supervisor) MUST_USE;

/* The worker's directory, as it is now. Errors of datadir_open_for(). */
enum err supervisor_open_worker_dir(struct supervisor *supervisor) MUST_USE;

/* Is there what a worker of the present state needs of the disk? Where it is not, it is asked for, once. */
bool supervisor_has_volume(struct supervisor *supervisor);

/* An answer of the first process of the box. ERR_CLOSED, ERR_MALFORMED, ERR_STATE: it is not what it should be. */
enum err supervisor_on_init(struct supervisor *supervisor) MUST_USE;

/* The clock, the calendar, and what is known of their past. ERR_IO. */
enum err supervisor_open_clock(struct supervisor *supervisor) MUST_USE;

/* Is the clock, as it is at the start, to be doubted? By the date of the image. */
void supervisor_look_at_clock(struct supervisor *supervisor);

/* What the worker knows of the time: supervisor->in; and what became of it. */
void supervisor_on_time(struct supervisor *supervisor);
void supervisor_on_clock_set(struct supervisor *supervisor, enum err result);

/* Starts a worker for the present state and connects it with the keeper. */
enum err supervisor_start_worker(struct supervisor *supervisor) MUST_USE;

/* A part of a list of destinations: supervisor->in. */
void supervisor_on_destination(struct supervisor *supervisor);

/* A message of the courier: supervisor->in. */
void supervisor_on_courier(struct supervisor *supervisor);

/* Starts and ends what the list asks for; called after every event. */
void supervisor_advance_courier(struct supervisor *supervisor, struct mono_time now);

/* Until there is something to do for it; UINT64_MAX: nothing. */
uint64_t supervisor_courier_wait_ms(const struct supervisor *supervisor, struct mono_time now);

/* Opens folder and partition of the slot that does not run; needs root. Where that fails the box does without updates. */
void supervisor_open_slots(struct supervisor *supervisor);

/* A message of the updater, an answer of the keeper about images: supervisor->in. */
void supervisor_on_updater(struct supervisor *supervisor);
void supervisor_on_image(struct supervisor *supervisor);

/* Starts and ends it; called after every event. */
void supervisor_advance_updater(struct supervisor *supervisor, struct mono_time now);

/* Is it there, or is there none to wait for? */
bool supervisor_has_updater(const struct supervisor *supervisor);

/* A channel between it and the worker that is being started. */
enum err supervisor_connect_updater(struct supervisor *supervisor) MUST_USE;

/* supervisor->in, a worker's plan of a change of Secure Boot; the keeper's answer to it; the end of a child. */
void supervisor_on_plan(struct supervisor *supervisor);
void supervisor_on_planned(struct supervisor *supervisor, enum err err);
void supervisor_plan_lost(struct supervisor *supervisor, const struct child *child);

/* Requests are answered: if that is with rows, the running image has proved itself. */
void supervisor_bless(struct supervisor *supervisor);

/* Has an image on trial not proved itself in time, or does it serve no rows? */
bool supervisor_trial_failed(const struct supervisor *supervisor, struct mono_time now);

/* Says why, and ends the box: the machine is started again, and the loader counts. */
void supervisor_end_trial(struct supervisor *supervisor);

/* Appends the URL of the box: the name in it stands in the certificate and leads here. ERR_RANGE. */
enum err supervisor_put_url(const struct supervisor *supervisor, struct buf *url) MUST_USE;

/* The administrator's, if he has a port of his own. ERR_RANGE. */
enum err supervisor_put_admin_url(const struct supervisor *supervisor, struct buf *url) MUST_USE;

/* Requests are answered from here on: the report is due. */
enum err supervisor_answers(struct supervisor *supervisor) MUST_USE;

/* Prints what there is to tell, once, and tells the keeper that the recovery key was shown, if that is due and the box
 * knows its address or has waited long enough for one. */
enum err supervisor_look_at_report(struct supervisor *supervisor) MUST_USE;

/* The CA file of the keeper's message. */
enum err supervisor_write_ca(struct supervisor *supervisor, struct span pem) MUST_USE;

#endif
