/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The queue of mails and who empties it, against a courier that the test is. Spec: contract 5.11. */
/* link: --wrap=http_respond --wrap=http_body */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <semaphore.h>

#include "firmware/data/data_int.h"
#include "firmware/data/mail_queue.h"
#include "firmware/data/outbox_int.h"
#include "firmware/worker/mailer.h"
#include "hal/base/fault.h"
#include "tests/lib/api_mail.h"
#include "tests/lib/api_operator.h"
#include "tests/lib/api_stored.h"
#include "tests/lib/api_write.h"

#define SETTINGS  "/v1/admin/email-settings"
#define TURNS_MAX 5000
#define MINUTE_MS 60000u
#define WITH_RELAY                                                                                                     \
    "{\"senderEmail\":\"noreply@shop.example\",\"senderName\":\"Caf\xc3\xa9\",\"smtp\":{\"host\":\"mail.shop."         \
    "example\","                                                                                                       \
    "\"port\":2525,\"user\":\"box\",\"password\":\"secret\"}}"

struct fixture {
    struct api_box *box;
    struct mailer *mailer;
    struct outbound_job *job; /* at hand */
    enum err answer;          /* of submit */
    size_t jobs;              /* handed over so far */
    bool drained;
};

static enum err submit(void *context, struct outbound_job *job)
{
    struct fixture *f = context;

    assert_null(f->job); /* one at a time */
    f->jobs++;
    if (f->answer == ERR_OK) {
        f->job = job;
    }
    return f->answer;
}

static void start_mailer(struct fixture *f)
{
    const struct outbound outbound = {.submit = submit, .context = f};

    f->drained = false;
    assert_int_equal(mailer_new(f->box->loop, f->box->data, outbound, &f->mailer), ERR_OK);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->box = api_box_new();
    start_mailer(f);
    *state = f;
    return 0;
}

static void on_drained(void *context)
{
    ((struct fixture *)context)->drained = true;
}

/* As the worker's main thread hands on what the writer told; and what is due. */
static void turn(struct fixture *f)
{
    const unsigned int notes = atomic_exchange(&f->box->mail_notes, 0);

    if (notes != 0) {
        mailer_note(f->mailer, notes);
    }
    assert_int_equal(loop_turn(f->box->loop, 1), ERR_OK);
}

/* Whatever was begun before is over afterwards: it went through the writer, and so does this. */
static void settle(struct fixture *f)
{
    for (int i = 0; i < 3; i++) {
        turn(f);
        const struct api_answer *answer =
            api_box_send(f->box, "PUT", f->box->secret, "/v1/admin/auth-providers/email", "{}");
        assert_int_equal(answer->status, 200);
    }
    turn(f);
}

static void advance(struct fixture *f, uint64_t ms)
{
    settle(f);
    for (; ms > MINUTE_MS; ms -= MINUTE_MS) { /* the mailer sleeps no longer */
        sim_clock_advance_ms(&f->box->clock, MINUTE_MS);
        settle(f);
    }
    sim_clock_advance_ms(&f->box->clock, ms);
    settle(f);
}

static void wait_for_job(struct fixture *f)
{
    for (int i = 0; i < TURNS_MAX && f->job == NULL; i++) {
        turn(f);
    }
    assert_non_null(f->job);
}

static void wait_for_mail_to(struct fixture *f, const char *email)
{
    wait_for_job(f);
    assert_true(span_equal(f->job->mail.to, span_str(email)));
}

static void end_job(struct fixture *f, enum outbound_result result, enum outbound_stage stage)
{
    struct outbound_job *job = f->job;

    assert_non_null(job);
    f->job = NULL;
    job->result = result;
    job->stage = stage;
    job->done(job);
    settle(f);
}

static void stop_mailer(struct fixture *f)
{
    mailer_drain(f->mailer, on_drained, f);
    if (f->job != NULL) {
        end_job(f, OUTBOUND_TEMPORARY, OUTBOUND_AT_QUEUE);
    }
    for (int i = 0; i < TURNS_MAX && !f->drained; i++) {
        turn(f);
    }
    assert_true(f->drained);
    mailer_free(f->mailer);
    f->mailer = NULL;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    stop_mailer(f);
    api_box_free(f->box);
    free(f);
    return 0;
}

static void relay(struct fixture *f)
{
    assert_int_equal(api_box_send(f->box, "PUT", f->box->secret, SETTINGS, WITH_RELAY)->status, 200);
}

/* A sign-in link, for an address that becomes a user's by it. */
static void order(struct fixture *f, const char *key, const char *email)
{
    char body[256];

    (void)snprintf(body, sizeof body, "{\"method\":\"magiclink\",\"email\":\"%s\"}", email);
    assert_int_equal(api_box_send(f->box, "POST", key, SIGN_UP, body)->status, 201);
}

static const char *status_of(struct fixture *f, const char *email)
{
    char target[128];

    (void)snprintf(target, sizeof target, "/v1/admin/outbox?email=%s", email);
    return api_answer_text(api_box_get(f->box, f->box->secret, target), "items.0.status");
}

/* --- sending --- */

static void a_mail_goes_to_the_relay_and_is_sent_when_it_has_it(void **state)
{
    struct fixture *f = *state;
    relay(f);

    order(f, f->box->publishable, "ada@example.com");
    assert_string_equal(status_of(f, "ada@example.com"), "queued");
    wait_for_job(f);

    assert_true(f->job->to.kind == OUTBOUND_SMTP && f->job->to.tls == OUTBOUND_STARTTLS && f->job->to.port == 2525);
    assert_true(span_equal(f->job->to.host, span_lit("mail.shop.example")) && f->job->to.ca.len == 0);
    assert_true(span_equal(f->job->mail.user, span_lit("box")) &&
                span_equal(f->job->mail.password, span_lit("secret")));
    assert_true(span_equal(f->job->mail.from, span_lit("noreply@shop.example")));
    assert_true(span_equal(f->job->mail.to, span_lit("ada@example.com")));
    assert_true(
        span_starts_with(f->job->mail.text, span_lit("Date: Thu, 01 Jan 2026 00:00:00 +0000\r\nMessage-ID: <")));
    assert_non_null(memmem(f->job->mail.text.data, f->job->mail.text.len, "\r\nSubject: Your sign-in link\r\n", 30));
    assert_non_null(memmem(f->job->mail.text.data, f->job->mail.text.len, "\r\nFrom: =?utf-8?B?Q2Fmw6k=?=\r\n", 30));
    end_job(f, OUTBOUND_DONE, OUTBOUND_AT_END);
    assert_string_equal(status_of(f, "ada@example.com"), "sent");
    assert_int_equal(f->jobs, 1);
}

static void without_a_relay_nothing_leaves_the_outbox(void **state)
{
    struct fixture *f = *state;

    order(f, f->box->publishable, "ada@example.com");
    settle(f);
    relay(f);
    settle(f);

    assert_string_equal(status_of(f, "ada@example.com"), "local");
    assert_int_equal(f->jobs, 0);
}

static void mails_wait_for_a_relay_that_was_taken_away(void **state)
{
    struct fixture *f = *state;
    relay(f);
    f->answer = ERR_LIMIT;
    order(f, f->box->publishable, "ada@example.com");
    settle(f);
    assert_int_equal(api_box_send(f->box, "PUT", f->box->secret, SETTINGS, "{\"smtp\":null}")->status, 200);
    f->answer = ERR_OK;

    advance(f, 10 * MINUTE_MS);
    assert_null(f->job);
    assert_string_equal(status_of(f, "ada@example.com"), "queued");
    relay(f);

    wait_for_job(f);
    end_job(f, OUTBOUND_DONE, OUTBOUND_AT_END);
    assert_string_equal(status_of(f, "ada@example.com"), "sent");
}

static void attack_10_an_unknown_address_is_queued_for_nobody(void **state)
{
    struct fixture *f = *state;
    relay(f);

    const struct api_answer *answer = api_box_send(
        f->box, "POST", f->box->publishable, "/v1/auth/password/reset/request", "{\"email\":\"nobody@example.com\"}");

    assert_int_equal(answer->status, 200);
    settle(f);
    assert_int_equal(f->jobs, 0);
    assert_int_equal(api_mail_count(f->box, "nobody@example.com", NULL), 0);
}

/* --- trying again --- */

static void a_mail_is_tried_after_1_and_5_and_30_minutes_and_2_and_6_hours_and_has_failed_then(void **state)
{
    static const uint64_t waits_ms[] = {MINUTE_MS, 5 * MINUTE_MS, 30 * MINUTE_MS, 120 * MINUTE_MS, 360 * MINUTE_MS};
    struct fixture *f = *state;
    relay(f);
    order(f, f->box->publishable, "ada@example.com");
    wait_for_job(f);

    for (size_t i = 0; i < ARRAY_LENGTH(waits_ms); i++) {
        end_job(f, OUTBOUND_TEMPORARY, OUTBOUND_AT_TO);
        assert_string_equal(status_of(f, "ada@example.com"), "queued");
        advance(f, waits_ms[i] - 1000);
        assert_null(f->job);
        advance(f, 1100);
        wait_for_job(f);
    }
    end_job(f, OUTBOUND_TEMPORARY, OUTBOUND_AT_TO);

    assert_string_equal(status_of(f, "ada@example.com"), "failed");
    advance(f, 360 * MINUTE_MS);
    assert_int_equal(f->jobs, 6);
}

static void a_mail_that_is_refused_for_good_has_failed_at_once(void **state)
{
    struct fixture *f = *state;
    relay(f);
    order(f, f->box->publishable, "ada@example.com");
    wait_for_job(f);

    end_job(f, OUTBOUND_REFUSED, OUTBOUND_AT_TO);

    assert_string_equal(status_of(f, "ada@example.com"), "failed");
}

static void a_relay_that_is_set_again_is_tried_at_once(void **state)
{
    struct fixture *f = *state;
    relay(f);
    order(f, f->box->publishable, "ada@example.com");
    wait_for_job(f);
    end_job(f, OUTBOUND_TEMPORARY, OUTBOUND_AT_CONNECT);
    assert_null(f->job);

    relay(f);

    wait_for_job(f);
    end_job(f, OUTBOUND_DONE, OUTBOUND_AT_END);
    assert_string_equal(status_of(f, "ada@example.com"), "sent");
}

/* An environment of the same project with a relay of its own; its publishable key. */
static void make_other(struct fixture *f, char out_key[DATA_KEY_BYTES + 1])
{
    struct api_box *box = f->box;
    struct api_user owner;
    char body[512];
    api_operator_owner(box, &owner);

    (void)snprintf(body, sizeof body, "{\"projectId\":\"%.36s\",\"environment\":\"other\"}", box->first.project_id);
    assert_int_equal(api_operator_ask(box, &owner, "POST", "/v1/admin/environments", body)->status, 201);
    (void)snprintf(body, sizeof body,
                   "{\"projectId\":\"%.36s\",\"environment\":\"other\",\"senderEmail\":\"a@b.c\","
                   "\"smtp\":{\"host\":\"mail.other.example\"}}",
                   box->first.project_id);
    assert_int_equal(api_operator_ask(box, &owner, "PUT", SETTINGS, body)->status, 200);
    (void)snprintf(body, sizeof body,
                   "{\"projectId\":\"%.36s\",\"environment\":\"other\",\"name\":\"k\",\"type\":\"publishable\"}",
                   box->first.project_id);
    const struct api_answer *key = api_operator_ask(box, &owner, "POST", "/v1/admin/api-keys", body);
    assert_true(api_answer_member(key, "value", out_key, DATA_KEY_BYTES + 1));
}

/* Two mails of the environment, then one of another that has a relay of its own. */
static void order_from_two(struct fixture *f)
{
    char other[DATA_KEY_BYTES + 1];

    make_other(f, other);
    relay(f);
    settle(f);
    order(f, f->box->publishable, "ada@example.com");
    order(f, f->box->publishable, "bob@example.com");
    order(f, other, "eve@example.com");
}

static void a_relay_that_is_not_reached_is_left_alone_and_others_go_on(void **state)
{
    struct fixture *f = *state;
    order_from_two(f);
    wait_for_mail_to(f, "ada@example.com");

    end_job(f, OUTBOUND_TEMPORARY, OUTBOUND_AT_CONNECT);

    wait_for_mail_to(f, "eve@example.com");
    end_job(f, OUTBOUND_DONE, OUTBOUND_AT_END);
    assert_null(f->job);
    advance(f, MINUTE_MS + 100);
    wait_for_mail_to(f, "bob@example.com");
    end_job(f, OUTBOUND_DONE, OUTBOUND_AT_END);
    wait_for_mail_to(f, "ada@example.com");
}

static void environments_take_turns(void **state)
{
    struct fixture *f = *state;
    order_from_two(f);

    wait_for_job(f);
    end_job(f, OUTBOUND_DONE, OUTBOUND_AT_END);
    wait_for_mail_to(f, "eve@example.com");
    end_job(f, OUTBOUND_DONE, OUTBOUND_AT_END);
    wait_for_mail_to(f, "bob@example.com");
    end_job(f, OUTBOUND_DONE, OUTBOUND_AT_END);
    assert_int_equal(f->jobs, 3);
}

static void a_courier_without_room_is_asked_again(void **state)
{
    struct fixture *f = *state;
    relay(f);
    f->answer = ERR_LIMIT;
    order(f, f->box->publishable, "ada@example.com");
    settle(f);
    assert_true(f->jobs >= 1);
    f->answer = ERR_OK;

    advance(f, 5100);

    wait_for_job(f);
    assert_string_equal(status_of(f, "ada@example.com"), "queued");
}

static void a_job_that_may_not_be_has_failed(void **state)
{
    struct fixture *f = *state;
    relay(f);
    f->answer = ERR_RANGE;

    order(f, f->box->publishable, "ada@example.com");
    settle(f);

    assert_string_equal(status_of(f, "ada@example.com"), "failed");
    assert_int_equal(f->jobs, 1);
}

/* A name that fills the longest template with more than a relay is given. */
static enum err put_monster(struct data_txn *txn, struct data_call *call)
{
    static uint8_t name[MAIL_VALUE_MAX];
    struct outbox_order monster = {.category = MAIL_INVITATION, .to = span_lit("bob@example.com")};
    struct row_id row;
    (void)call;

    memset(name, '"', sizeof name);
    monster.values.of[MAIL_INVITER_NAME] = span_array(name);
    monster.values.of[MAIL_USER_NAME] = span_array(name);
    monster.values.of[MAIL_RESOURCE_NAME] = span_array(name);
    return outbox_put(txn, &monster, &row);
}

static void a_mail_that_no_relay_takes_has_failed_and_the_next_goes_on(void **state)
{
    struct fixture *f = *state;
    relay(f);
    assert_int_equal(api_box_send(f->box, "PUT", f->box->secret, "/v1/admin/email-templates/invitation",
                                  "{\"subject\":\"s\",\"body\":\"{{userName}}{{userName}}{{userName}}{{userName}}\"}")
                         ->status,
                     200);
    const struct span place = api_stored_environment(f->box)->record.id;

    api_write(f->box, &(struct data_call){.operation = put_monster, .place = place});
    order(f, f->box->publishable, "ada@example.com");

    wait_for_mail_to(f, "ada@example.com");
    assert_string_equal(status_of(f, "bob@example.com"), "failed");
}

/* --- beginning and end --- */

static void the_queue_outlives_a_restart(void **state)
{
    struct fixture *f = *state;
    relay(f);
    order(f, f->box->publishable, "ada@example.com");
    order(f, f->box->publishable, "bob@example.com");
    wait_for_job(f);

    stop_mailer(f); /* with a mail at hand, of which nothing is known */
    api_box_restart(f->box);
    start_mailer(f);
    sim_clock_advance_ms(&f->box->clock, 20); /* its first look is a timer's */

    for (size_t i = 0; i < 2; i++) {
        wait_for_job(f);
        end_job(f, OUTBOUND_DONE, OUTBOUND_AT_END);
    }
    assert_string_equal(status_of(f, "ada@example.com"), "sent");
    assert_string_equal(status_of(f, "bob@example.com"), "sent");
    assert_int_equal(f->jobs, 3);
}

static void what_the_relay_took_at_the_last_moment_is_sent(void **state)
{
    struct fixture *f = *state;
    relay(f);
    order(f, f->box->publishable, "ada@example.com");
    wait_for_job(f);
    mailer_drain(f->mailer, on_drained, f);
    assert_false(f->drained);

    end_job(f, OUTBOUND_DONE, OUTBOUND_AT_END);

    assert_true(f->drained);
    assert_string_equal(status_of(f, "ada@example.com"), "sent");
    mailer_free(f->mailer);
    start_mailer(f);
}

static void a_mail_whose_user_is_gone_meanwhile_is_settled_nowhere(void **state)
{
    struct fixture *f = *state;
    char target[128];
    relay(f);
    const struct api_answer *made =
        api_box_send(f->box, "POST", f->box->secret, "/v1/users", "{\"email\":\"ada@example.com\",\"name\":\"Ada\"}");
    (void)snprintf(target, sizeof target, "/v1/users/%s", api_answer_text(made, "id"));
    assert_int_equal(api_box_send(f->box, "POST", f->box->publishable, "/v1/auth/password/reset/request",
                                  "{\"email\":\"ada@example.com\"}")
                         ->status,
                     200);
    wait_for_job(f);
    assert_int_equal(api_box_send(f->box, "DELETE", f->box->secret, target, NULL)->status, 200);

    end_job(f, OUTBOUND_DONE, OUTBOUND_AT_END);

    assert_int_equal(api_mail_count(f->box, "ada@example.com", NULL), 0);
    order(f, f->box->publishable, "bob@example.com");
    wait_for_job(f);
}

/* --- pauses and the writer --- */

/* Keeps the writer busy until the test lets it go on. */
struct held {
    struct write_op op;
    sem_t go;
    sem_t ended;
};

static enum err hold(struct store_txn *store, void *context)
{
    while (sem_wait(&((struct held *)context)->go) != 0) {
        /* a signal */
    }
    return ERR_OK;
}

static void note_end(void *context, enum err err)
{
    (void)sem_post(&((struct held *)context)->ended);
}

struct own_turn {
    bool done;
    bool mail;
};

static void on_own_turn(void *context, enum err err, const struct data_mail_found *found)
{
    struct own_turn *own = context;

    assert_int_equal(err, ERR_OK);
    *own = (struct own_turn){.done = true, .mail = found->mail};
}

static bool finds_a_mail(struct fixture *f, struct own_turn *own)
{
    for (int i = 0; i < TURNS_MAX && !own->done; i++) {
        assert_int_equal(loop_turn(f->box->loop, 1), ERR_OK);
    }
    assert_true(own->done);
    return own->mail;
}

static void a_turn_knows_the_pauses_as_they_were_when_it_began(void **state)
{
    struct fixture *f = *state;
    struct data_mail_pause pauses[DATA_MAIL_PAUSES] = {{.environment = {0}}};
    struct held held = {.op = {.apply = hold, .complete = note_end, .context = &held}};
    struct data_mail_turn *turns = NULL;
    struct own_turn own = {.done = false};
    settle(f);
    relay(f);
    order(f, f->box->publishable, "ada@example.com");
    assert_int_equal(data_mail_turn_new(f->box->data, f->box->loop, &turns), ERR_OK);
    assert_int_equal(data_mail_turn_begin(turns, DATA_MAIL_NONE, pauses, on_own_turn, &own), ERR_OK);
    assert_true(finds_a_mail(f, &own));
    memcpy(pauses[0].environment, data_mail_turn_letter(turns)->environment.data, sizeof pauses[0].environment);
    pauses[0].until = mono_add_ms(loop_now(f->box->loop), MINUTE_MS);
    assert_int_equal(sem_init(&held.go, 0, 0), 0);
    assert_int_equal(sem_init(&held.ended, 0, 0), 0);

    assert_int_equal(writer_submit(f->box->data->writer, &held.op), ERR_OK);
    own.done = false;
    assert_int_equal(data_mail_turn_begin(turns, DATA_MAIL_NONE, pauses, on_own_turn, &own), ERR_OK);
    memset(pauses, 0, sizeof pauses); /* as mailer_note does, while the writer is at it */
    assert_int_equal(sem_post(&held.go), 0);

    assert_false(finds_a_mail(f, &own));
    assert_int_equal(sem_wait(&held.ended), 0);
    data_mail_turn_free(turns);
    assert_int_equal(sem_destroy(&held.go), 0);
    assert_int_equal(sem_destroy(&held.ended), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_mail_goes_to_the_relay_and_is_sent_when_it_has_it),
        T(without_a_relay_nothing_leaves_the_outbox),
        T(mails_wait_for_a_relay_that_was_taken_away),
        T(attack_10_an_unknown_address_is_queued_for_nobody),
        T(a_mail_is_tried_after_1_and_5_and_30_minutes_and_2_and_6_hours_and_has_failed_then),
        T(a_mail_that_is_refused_for_good_has_failed_at_once),
        T(a_relay_that_is_set_again_is_tried_at_once),
        T(a_relay_that_is_not_reached_is_left_alone_and_others_go_on),
        T(environments_take_turns),
        T(a_courier_without_room_is_asked_again),
        T(a_job_that_may_not_be_has_failed),
        T(a_mail_that_no_relay_takes_has_failed_and_the_next_goes_on),
        T(the_queue_outlives_a_restart),
        T(what_the_relay_took_at_the_last_moment_is_sent),
        T(a_mail_whose_user_is_gone_meanwhile_is_settled_nowhere),
        T(a_turn_knows_the_pauses_as_they_were_when_it_began),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
