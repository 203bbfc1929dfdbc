/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Resting -> turn at the queue -> (a mail) job at the courier -> turn, which settles it -> ... -> (none due) resting, with
 * a timer if one waits. A relay that is not reached is left alone for a minute: its mails would find that out one by one,
 * each as long as a connection takes to fail, and keep those of other relays waiting. */
#include "firmware/worker/mailer.h"

#include <string.h>

#include "firmware/data/mail_queue.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/base/mem.h"

#define PAUSE_MS 60000u /* of a relay; the shortest wait of a mail, too */
#define RETRY_MS 5000u  /* when writer or courier take no more */
#define SLEEP_MS 60000u /* at most: mails are due by the clock of the calendar, which may step */

enum mailer_state { MAILER_RESTING, MAILER_AT_QUEUE, MAILER_AT_COURIER };

struct mailer {
    struct loop *loop;
    struct outbound outbound;
    struct data_mail_turn *turn;
    enum mailer_state state;
    bool again;                     /* mails came while a turn was under way */
    enum data_mail_outcome outcome; /* of the mail that was found last; settled by the next turn */
    struct data_mail_pause pauses[DATA_MAIL_PAUSES];
    size_t next_pause;
    struct outbound_job job;
    struct loop_timer timer;
    void (*on_drained)(void *context); /* NULL: not draining */
    void *context;
};

/* --- relays that were not reached --- */

static bool never_reached(const struct outbound_job *job)
{
    switch (job->stage) {
    case OUTBOUND_AT_QUEUE:
    case OUTBOUND_AT_RESOLVE:
    case OUTBOUND_AT_CONNECT:
    case OUTBOUND_AT_TLS:
    case OUTBOUND_AT_GREETING:
    case OUTBOUND_AT_STARTTLS:
    case OUTBOUND_AT_SIGN_IN:
        return true;
    case OUTBOUND_AT_FROM:
    case OUTBOUND_AT_TO:
    case OUTBOUND_AT_DATA:
    case OUTBOUND_AT_REQUEST:
    case OUTBOUND_AT_ANSWER:
    case OUTBOUND_AT_END:
    case OUTBOUND_AT_KEYS:
    case OUTBOUND_AT_RATE:
    case OUTBOUND_STAGES:
        break;
    }
    return false;
}

static void leave_alone(struct mailer *mailer, struct span environment)
{
    struct data_mail_pause *place = &mailer->pauses[mailer->next_pause];

    for (size_t i = 0; i < DATA_MAIL_PAUSES; i++) {
        if (span_equal(span_array(mailer->pauses[i].environment), environment)) {
            mailer->pauses[i].until = mono_add_ms(loop_now(mailer->loop), PAUSE_MS);
            return;
        }
    }
    memcpy(place->environment, environment.data, sizeof place->environment);
    place->until = mono_add_ms(loop_now(mailer->loop), PAUSE_MS);
    mailer->next_pause = (mailer->next_pause + 1) % DATA_MAIL_PAUSES;
}

/* --- going round --- */

static void rest(struct mailer *mailer, uint64_t wait_ms)
{
    mailer->state = MAILER_RESTING;
    if (mailer->on_drained != NULL) {
        mailer->on_drained(mailer->context);
    } else if (wait_ms != DATA_MAIL_NEVER) {
        loop_timer_set(mailer->loop, &mailer->timer,
                       mono_add_ms(loop_now(mailer->loop), wait_ms < SLEEP_MS ? wait_ms : SLEEP_MS));
    }
}

static void on_turn(void *context, enum err err, const struct data_mail_found *found);

static void take_turn(struct mailer *mailer)
{
    loop_timer_clear(mailer->loop, &mailer->timer);
    mailer->again = false;
    mailer->state = MAILER_AT_QUEUE;
    if (data_mail_turn_begin(mailer->turn, mailer->outcome, mailer->pauses, on_turn, mailer) != ERR_OK) {
        fault_clear();
        rest(mailer, RETRY_MS);
    }
}

static void note_job(const struct mailer *mailer, const char *event)
{
    const struct data_letter *letter = data_mail_turn_letter(mailer->turn);
    const struct log_field fields[] = {LOG_TEXT("environment", letter->environment), LOG_TEXT("mail", letter->id),
                                       LOG_NUMBER("attempt", letter->attempts + 1),
                                       LOG_LITERAL("stage", outbound_stage_name(mailer->job.stage)),
                                       LOG_NUMBER("status", mailer->job.status)};

    log_event(mailer->job.result == OUTBOUND_DONE ? LOG_INFO : LOG_WARN, event, fields, ARRAY_LENGTH(fields));
}

static void judge(struct mailer *mailer)
{
    switch (mailer->job.result) {
    case OUTBOUND_DONE:
        mailer->outcome = DATA_MAIL_SENT;
        note_job(mailer, "mail_sent");
        return;
    case OUTBOUND_REFUSED:
        mailer->outcome = DATA_MAIL_FAILED;
        note_job(mailer, "mail_refused");
        return;
    case OUTBOUND_TEMPORARY:
    case OUTBOUND_RESULTS:
        break;
    }
    mailer->outcome = DATA_MAIL_LATER;
    note_job(mailer, "mail_delayed");
    if (never_reached(&mailer->job)) {
        leave_alone(mailer, data_mail_turn_letter(mailer->turn)->environment);
    }
}

static void on_job(struct outbound_job *job)
{
    /* The job is a member of the mailer. */
    struct mailer *mailer = (void *)((char *)job - offsetof(struct mailer, job));
    const bool is_stopped = mailer->on_drained != NULL && job->result != OUTBOUND_DONE;

    if (!is_stopped) {
        judge(mailer);
    }
    data_mail_turn_wipe(mailer->turn);
    mailer->job = (struct outbound_job){.loop = NULL};
    if (is_stopped) {
        rest(mailer, DATA_MAIL_NEVER); /* it is due as before */
    } else {
        take_turn(mailer);
    }
}

/* What is not of a form that can be sent has failed; what finds no room is tried again. */
static void hand_over(struct mailer *mailer)
{
    const struct data_letter *letter = data_mail_turn_letter(mailer->turn);

    mailer->state = MAILER_AT_COURIER;
    mailer->job = (struct outbound_job){.done = on_job, .loop = mailer->loop, .to = letter->to, .mail = letter->mail};
    const enum err err = mailer->outbound.submit(mailer->outbound.context, &mailer->job);
    if (err == ERR_OK) {
        return;
    }
    fault_clear();
    if (err == ERR_RANGE) {
        mailer->outcome = DATA_MAIL_FAILED;
        note_job(mailer, "mail_refused");
        take_turn(mailer);
        return;
    }
    data_mail_turn_wipe(mailer->turn);
    rest(mailer, RETRY_MS);
}

static void on_turn(void *context, enum err err, const struct data_mail_found *found)
{
    struct mailer *mailer = context;

    if (err != ERR_OK) {
        rest(mailer, SLEEP_MS); /* a full disk, say: what was to be settled still is */
        return;
    }
    mailer->outcome = DATA_MAIL_NONE;
    if (mailer->on_drained != NULL) {
        rest(mailer, DATA_MAIL_NEVER);
    } else if (found->mail) {
        hand_over(mailer);
    } else if (mailer->again) {
        take_turn(mailer);
    } else {
        rest(mailer, found->wait_ms);
    }
}

static void on_time(struct loop_timer *timer)
{
    /* The timer is a member of the mailer. */
    take_turn((void *)((char *)timer - offsetof(struct mailer, timer)));
}

void mailer_note(struct mailer *mailer, unsigned int notes)
{
    if ((notes & DATA_MAILS_RELAYED) != 0) {
        memset(mailer->pauses, 0, sizeof mailer->pauses);
    }
    mailer->again = true;
    if (mailer->state == MAILER_RESTING && mailer->on_drained == NULL) {
        take_turn(mailer);
    }
}

void mailer_drain(struct mailer *mailer, void (*on_drained)(void *context), void *context)
{
    loop_timer_clear(mailer->loop, &mailer->timer);
    mailer->on_drained = on_drained;
    mailer->context = context;
    if (mailer->state == MAILER_RESTING) {
        on_drained(context);
    }
}

enum err mailer_new(struct loop *loop, struct data *data, struct outbound outbound, struct mailer **out_mailer)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct mailer), &memory));
    struct mailer *mailer = memory;
    mailer->loop = loop;
    mailer->outbound = outbound;
    mailer->timer.on_time = on_time;
    const enum err err = data_mail_turn_new(data, loop, &mailer->turn);
    if (err != ERR_OK) {
        mem_free(mailer);
        return err;
    }
    loop_timer_set(loop, &mailer->timer, loop_now(loop));
    *out_mailer = mailer;
    return ERR_OK;
}

void mailer_free(struct mailer *mailer)
{
    if (mailer == NULL) {
        return;
    }
    loop_timer_clear(mailer->loop, &mailer->timer);
    if (mailer->state == MAILER_RESTING) { /* else the loop failed: others still write here until the process ends */
        data_mail_turn_free(mailer->turn);
        mem_free(mailer);
    }
}
