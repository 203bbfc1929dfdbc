/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/data/mail_queue.h"

#include <string.h>

#include "firmware/data/outbox_int.h"
#include "firmware/mail/message.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/base/mem.h"

#define STRINGS_MAX ((size_t)32768)   /* addresses, credentials and a CA */
#define UNFIT_MAX   8                 /* mails of one turn that cannot be sent to anybody */
#define DAMAGED_MAX 64                /* rows of one outbox that are passed over, because nothing can be read there */
#define DAMAGED_MS  UINT64_C(60000)   /* until an outbox is looked at again whose rows do not even open */
#define TOLD_MS     UINT64_C(3600000) /* between two lines of the log about it */
#define MS_PER_MIN  INT64_C(60000)

_Static_assert(MAIL_MESSAGE_MAX <= OUTBOUND_MAIL_MAX, "the courier takes every mail that is built");

/* What a mail waits after its first failure, its second... After the last it has failed. */
static const int64_t waits_ms[] = {MS_PER_MIN, 5 * MS_PER_MIN, 30 * MS_PER_MIN, 120 * MS_PER_MIN, 360 * MS_PER_MIN};

struct data_mail_turn {
    struct data *data;
    struct loop *loop;
    data_mail_done *done;
    void *context;
    struct data_mail_pause pauses[DATA_MAIL_PAUSES]; /* a copy: who sends has another thread than the writer */

    /* The mail that was found last: what is settled next, and whose environment is the last to be asked now. */
    char environment[DATA_UUID_BYTES];
    struct row_id row;

    /* What this turn does with it, so that a turn that is run twice does the same. */
    enum data_mail_outcome outcome;
    char settled_in[DATA_UUID_BYTES];
    struct row_id settled;

    struct mono_time damage_told_until; /* 0: it was never told; the writer's, as the next */
    size_t damaged;                     /* rows, of the environment at hand */

    struct arena *strings;
    struct buf *text;
    struct data_letter letter;
    struct data_mail_found found;
    enum err err;
    struct write_op op;
    struct loop_post post;
};

static void turn_free_scoped(struct data_mail_turn **turn)
{
    data_mail_turn_free(*turn);
}

enum err data_mail_turn_new(struct data *data, struct loop *loop, struct data_mail_turn **out_turn)
{
    SCOPED(turn_free_scoped) struct data_mail_turn *turn = NULL;
    void *memory = NULL;

    TRY(mem_alloc(sizeof *turn, &memory));
    turn = memory;
    turn->data = data;
    turn->loop = loop;
    TRY(arena_new(0, STRINGS_MAX, &turn->strings));
    TRY(buf_new(MAIL_MESSAGE_MAX, &turn->text));
    *out_turn = TAKE(turn);
    return ERR_OK;
}

void data_mail_turn_free(struct data_mail_turn *turn)
{
    if (turn != NULL) {
        arena_free(turn->strings);
        buf_free(turn->text);
        mem_free(turn);
    }
}

const struct data_letter *data_mail_turn_letter(const struct data_mail_turn *turn)
{
    return &turn->letter;
}

void data_mail_turn_wipe(struct data_mail_turn *turn)
{
    arena_reset(turn->strings);
    buf_wipe(turn->text);
    buf_shrink(turn->text, 0);
    turn->letter = (struct data_letter){.attempts = 0};
}

/* --- settling --- */

/* The mail with what became of it. */
static void apply_outcome(struct data_txn *txn, enum data_mail_outcome outcome, struct outbox_mail *mail)
{
    const bool has_waits = mail->attempts >= 0 && mail->attempts < (int64_t)ARRAY_LENGTH(waits_ms);

    switch (outcome) {
    case DATA_MAIL_NONE:
        return;
    case DATA_MAIL_SENT:
        mail->status = OUTBOX_SENT;
        break;
    case DATA_MAIL_LATER:
        if (has_waits) {
            mail->due_at.ms = txn->now.ms + waits_ms[mail->attempts];
        } else {
            mail->status = OUTBOX_FAILED;
        }
        break;
    case DATA_MAIL_FAILED:
        mail->status = OUTBOX_FAILED;
        break;
    }
    mail->attempts++;
}

/* Environment, mail and queue may have gone meanwhile. */
static enum err settle(struct data_txn *txn, struct row_id id, enum data_mail_outcome outcome)
{
    struct outbox_mail mail;
    struct row row;

    const enum err err = store_get(people_snap(txn), people_where(txn)->outbox, id, &row);
    if (err == ERR_NOT_FOUND) {
        fault_clear();
        return ERR_OK;
    }
    TRY(err);
    TRY(outbox_read(&row, &mail));
    if (!span_equal(mail.status, OUTBOX_QUEUED)) {
        return ERR_OK;
    }
    apply_outcome(txn, outcome, &mail);
    return outbox_replace(txn, &mail);
}

static enum err settle_last(struct data_txn *txn, const struct data_mail_turn *turn)
{
    txn->environment = catalog_environment(data_txn_catalog(txn), span_array(turn->settled_in));
    return turn->outcome == DATA_MAIL_NONE || txn->environment == NULL ? ERR_OK
                                                                       : settle(txn, turn->settled, turn->outcome);
}

/* --- finding --- */

/* The mail that is or was due first, of those that can be read: one that cannot stays where it is until its seven days are
 * over, and must not keep the others there. ERR_NOT_FOUND: none waits; ERR_DAMAGED: a row does not open, and the scan ends
 * there. */
static enum err first_waiting(struct data_txn *txn, struct data_mail_turn *turn, struct outbox_mail *out_mail)
{
    struct row row;

    turn->damaged = 0;
    TRY(people_scan_sorted(people_snap(txn), people_where(txn)->outbox, OUTBOX_DUE_AT));
    while (turn->damaged < DAMAGED_MAX) {
        const enum err err = walk_next(people_snap(txn), &row);
        if (err == ERR_NOT_FOUND) {
            fault_clear();
            return err;
        }
        TRY(err);
        if (outbox_read(&row, out_mail) == ERR_OK) {
            return ERR_OK;
        }
        fault_clear();
        turn->damaged++;
    }
    return ERR_NOT_FOUND;
}

/* rows: how many are passed over; 0: one does not open, and what is behind it is not known. */
static void note_damage(const struct data_txn *txn, struct data_mail_turn *turn, size_t rows)
{
    const struct log_field fields[] = {LOG_TEXT("environment", txn->environment->record.id), LOG_NUMBER("rows", rows)};
    const struct mono_time now = hal_clock_mono(turn->data->clock);

    if (now.ns >= turn->damage_told_until.ns) {
        log_event(LOG_ERROR, rows != 0 ? "mails_damaged" : "outbox_damaged", fields, ARRAY_LENGTH(fields));
        turn->damage_told_until = mono_add_ms(now, TOLD_MS);
    }
}

static uint64_t pause_ms(const struct data_mail_turn *turn, struct span environment)
{
    const struct mono_time now = hal_clock_mono(turn->data->clock);

    for (size_t i = 0; i < DATA_MAIL_PAUSES; i++) {
        if (span_equal(span_array(turn->pauses[i].environment), environment)) {
            return mono_ms_between(now, turn->pauses[i].until);
        }
    }
    return 0;
}

/* How long until the first mail of the transaction's environment may be tried. */
static enum err wait_of(struct data_txn *txn, struct data_mail_turn *turn, uint64_t *out_wait_ms)
{
    const uint64_t paused_ms = pause_ms(turn, txn->environment->record.id);
    struct outbox_mail mail;

    *out_wait_ms = DATA_MAIL_NEVER;
    if (txn->environment->mail.relay.to.host.len == 0) {
        return ERR_OK;
    }
    const enum err err = first_waiting(txn, turn, &mail);
    if (turn->damaged != 0 || err == ERR_DAMAGED) {
        note_damage(txn, turn, turn->damaged);
    }
    if (err == ERR_DAMAGED) {
        fault_clear(); /* the mails of other environments are not to wait */
        *out_wait_ms = DAMAGED_MS;
        return ERR_OK;
    }
    if (err == ERR_NOT_FOUND) {
        return ERR_OK;
    }
    TRY(err);
    const uint64_t due_ms = mail.due_at.ms > txn->now.ms ? (uint64_t)(mail.due_at.ms - txn->now.ms) : 0;
    *out_wait_ms = due_ms > paused_ms ? due_ms : paused_ms;
    return ERR_OK;
}

/* The environment that may send: the first behind the one that was served last, so that none keeps others waiting. NULL:
 * none, and *out_wait_ms says how long. */
static enum err choose(struct data_txn *txn, struct data_mail_turn *turn, const struct catalog_environment **out_chosen,
                       uint64_t *out_wait_ms)
{
    const struct catalog *catalog = data_txn_catalog(txn);
    const struct catalog_environment *before = NULL;
    bool behind = false;
    size_t cursor = 0;

    *out_chosen = NULL;
    *out_wait_ms = DATA_MAIL_NEVER;
    while (*out_chosen == NULL) {
        uint64_t wait_ms = DATA_MAIL_NEVER;
        txn->environment = (const struct catalog_environment *)catalog_next(catalog, CATALOG_ENVIRONMENT, &cursor);
        if (txn->environment == NULL) {
            *out_chosen = before;
            return ERR_OK;
        }
        TRY(wait_of(txn, turn, &wait_ms));
        *out_wait_ms = wait_ms < *out_wait_ms ? wait_ms : *out_wait_ms;
        *out_chosen = wait_ms == 0 && behind ? txn->environment : NULL;
        before = wait_ms == 0 && before == NULL ? txn->environment : before;
        behind = behind || span_equal(txn->environment->record.id, span_array(turn->environment));
    }
    return ERR_OK;
}

/* --- taking --- */

static enum err copy_relay(struct data_mail_turn *turn, const struct mail_relay *relay)
{
    struct data_letter *letter = &turn->letter;

    letter->to = relay->to;
    TRY(arena_copy(turn->strings, relay->to.host, &letter->to.host));
    TRY(arena_copy(turn->strings, relay->to.ca, &letter->to.ca));
    TRY(arena_copy(turn->strings, relay->user, &letter->mail.user));
    return arena_copy(turn->strings, relay->password, &letter->mail.password);
}

/* Everything is copied: the relay may be another, and the mail gone, before it is sent. */
static enum err take(struct data_txn *txn, struct data_mail_turn *turn, const struct outbox_mail *stored)
{
    const struct mail_settings *settings = &txn->environment->mail;
    const struct mail_message message = {.date = stored->row.created_at,
                                         .id = stored->id,
                                         .from_name = settings->sender_name,
                                         .from = settings->sender_email,
                                         .to = stored->to,
                                         .subject = stored->subject,
                                         .html = stored->body};
    struct data_letter *letter = &turn->letter;

    TRY(mail_message_put(turn->text, &message));
    TRY(copy_relay(turn, &settings->relay));
    TRY(arena_copy(turn->strings, settings->sender_email, &letter->mail.from));
    TRY(arena_copy(turn->strings, stored->to, &letter->mail.to));
    TRY(arena_copy(turn->strings, stored->id, &letter->id));
    TRY(arena_copy(turn->strings, txn->environment->record.id, &letter->environment));
    letter->mail.text = buf_all(turn->text);
    letter->attempts = stored->attempts;
    turn->row = stored->row.id;
    memcpy(turn->environment, letter->environment.data, sizeof turn->environment);
    turn->found.mail = true;
    return ERR_OK;
}

static void note_unfit(const struct data_txn *txn, struct span id)
{
    const struct log_field fields[] = {LOG_TEXT("environment", txn->environment->record.id), LOG_TEXT("mail", id)};

    log_event(LOG_WARN, "mail_unfit", fields, ARRAY_LENGTH(fields));
}

/* The first mail of that environment; one that no relay could be given has failed. */
static enum err take_first(struct data_txn *txn, struct data_mail_turn *turn)
{
    struct outbox_mail mail;

    TRY(first_waiting(txn, turn, &mail));
    const enum err err = take(txn, turn, &mail);
    if (err != ERR_RANGE && err != ERR_MALFORMED) {
        return err;
    }
    fault_clear();
    note_unfit(txn, mail.id);
    data_mail_turn_wipe(turn);
    return settle(txn, mail.row.id, DATA_MAIL_FAILED);
}

static enum err find(struct data_txn *txn, struct data_mail_turn *turn)
{
    const struct catalog_environment *chosen = NULL;
    uint64_t wait_ms = 0;

    for (size_t i = 0; i < UNFIT_MAX && !turn->found.mail; i++) {
        TRY(choose(txn, turn, &chosen, &wait_ms));
        if (chosen == NULL) {
            break;
        }
        txn->environment = chosen;
        TRY(take_first(txn, turn));
    }
    turn->found.wait_ms = wait_ms;
    return ERR_OK;
}

/* --- the turn --- */

static enum err apply_turn(struct store_txn *store, void *context)
{
    struct data_mail_turn *turn = context;
    struct data_txn txn = {.data = turn->data, .store = store, .now = hal_clock_wall(turn->data->clock)};

    data_mail_turn_wipe(turn);
    turn->found = (struct data_mail_found){.mail = false, .wait_ms = DATA_MAIL_NEVER};
    TRY(settle_last(&txn, turn));
    return find(&txn, turn);
}

static void run_done(struct loop_post *post)
{
    /* The post is a member of the turn. */
    struct data_mail_turn *turn = (void *)((char *)post - offsetof(struct data_mail_turn, post));

    turn->done(turn->context, turn->err, &turn->found);
}

static void complete_turn(void *context, enum err err)
{
    struct data_mail_turn *turn = context;

    turn->err = err;
    if (err != ERR_OK) {
        log_fault(LOG_WARN, "mail_queue_not_read");
    }
    fault_clear();
    turn->post.run = run_done;
    INVARIANT(loop_post(turn->loop, &turn->post) == ERR_OK); /* as of calls: there is room for one more */
}

enum err data_mail_turn_begin(struct data_mail_turn *turn, enum data_mail_outcome outcome,
                              const struct data_mail_pause *pauses, data_mail_done *done, void *context)
{
    turn->outcome = outcome;
    if (turn->err == ERR_OK) { /* else what was to be settled still is */
        turn->settled = turn->row;
        memcpy(turn->settled_in, turn->environment, sizeof turn->settled_in);
    }
    memcpy(turn->pauses, pauses, sizeof turn->pauses);
    turn->done = done;
    turn->context = context;
    turn->op = (struct write_op){.apply = apply_turn, .complete = complete_turn, .context = turn};
    const enum err err = writer_submit(turn->data->writer, &turn->op);
    ENSURE(err == ERR_OK, err, "the writer takes no more");
    return ERR_OK;
}
