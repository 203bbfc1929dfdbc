/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The queue of mails where rows of an outbox are damaged: they are passed over, and all others go on. */
/* link: --wrap=http_respond --wrap=http_body --wrap=store_scan_next */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/data/data_int.h"
#include "firmware/data/mail_queue.h"
#include "firmware/data/outbox_int.h"
#include "hal/base/fault.h"
#include "tests/lib/api_operator.h"
#include "tests/lib/api_write.h"

#define SETTINGS  "/v1/admin/email-settings"
#define TURNS_MAX 5000

/* --- a row that does not open --- */

enum err __real_store_scan_next(struct store_snap *snap, struct store_budget *budget, struct row *out_row);
enum err __wrap_store_scan_next(struct store_snap *snap, struct store_budget *budget, struct row *out_row);

static bool spoils_next; /* the scan that the writer steps next is over, as by a row whose tag fails */

enum err __wrap_store_scan_next(struct store_snap *snap, struct store_budget *budget, struct row *out_row)
{
    if (spoils_next) {
        spoils_next = false;
        FAIL(ERR_DAMAGED, "a row that does not open", 0);
    }
    return __real_store_scan_next(snap, budget, out_row);
}

/* --- mails --- */

static const char *address; /* of the mail that is written next */

static enum err put_mail(struct data_txn *txn, struct data_call *call)
{
    const struct outbox_order order = {.category = MAIL_MAGIC_LINK, .to = span_str(address)};
    struct row_id row;
    (void)call;

    return outbox_put(txn, &order, &row);
}

/* The mail that is due first has a column that no mail has. */
static enum err spoil_first(struct data_txn *txn, struct data_call *call)
{
    struct outbox_mail mail;
    struct row_builder builder;
    struct span encoded = SPAN_NONE;
    struct row row;
    (void)call;

    TRY(people_scan_sorted(people_snap(txn), people_where(txn)->outbox, OUTBOX_DUE_AT));
    TRY(walk_next(people_snap(txn), &row));
    TRY(outbox_read(&row, &mail));
    TRY(row_build_begin(&builder, txn->data->row, row.created_at, row.updated_at, SPAN_NONE));
    TRY(row_build_date(&builder, (struct row_key){.column = OUTBOX_DUE_AT}, mail.due_at));
    TRY(row_build_string(&builder, (struct row_key){.column = OUTBOX_COLUMN_END}, span_lit("?")));
    TRY(row_build_end(&builder, &encoded));
    return store_replace(txn->store, people_where(txn)->outbox, row.id, encoded, NULL);
}

static struct span place_named(struct api_box *box, struct span name)
{
    const struct catalog_record *record = NULL;
    size_t cursor = 0;

    do {
        record = catalog_next(box->data->current, CATALOG_ENVIRONMENT, &cursor);
        assert_non_null(record);
    } while (!span_equal(record->name, name));
    return record->id;
}

static void write_mail(struct api_box *box, struct span place, const char *to)
{
    address = to;
    api_write(box, &(struct data_call){.operation = put_mail, .place = place});
}

static void relay(struct api_box *box)
{
    assert_int_equal(api_box_send(box, "PUT", box->secret, SETTINGS,
                                  "{\"senderEmail\":\"a@shop.example\",\"smtp\":{\"host\":\"mail.example.com\"}}")
                         ->status,
                     200);
}

/* A second environment with a relay. */
static struct span make_other(struct api_box *box)
{
    struct api_user owner;
    char body[512];

    api_operator_owner(box, &owner);
    assert_int_equal(
        api_box_send(box, "POST", box->secret, "/v1/admin/environments", "{\"environment\":\"other\"}")->status, 201);
    (void)snprintf(body, sizeof body,
                   "{\"projectId\":\"%.36s\",\"environment\":\"other\",\"senderEmail\":\"a@b.example\","
                   "\"smtp\":{\"host\":\"mail.other.example\"}}",
                   box->first.project_id);
    assert_int_equal(api_operator_ask(box, &owner, "PUT", SETTINGS, body)->status, 200);
    return place_named(box, span_lit("other"));
}

/* --- turns --- */

struct ended {
    bool done;
    enum err err;
    struct data_mail_found found;
};

static void on_done(void *context, enum err err, const struct data_mail_found *found)
{
    *(struct ended *)context = (struct ended){.done = true, .err = err, .found = *found};
}

static struct data_mail_found take_turn(struct api_box *box, struct data_mail_turn *turn,
                                        enum data_mail_outcome outcome)
{
    static const struct data_mail_pause pauses[DATA_MAIL_PAUSES];
    struct ended ended = {.done = false};

    assert_int_equal(data_mail_turn_begin(turn, outcome, pauses, on_done, &ended), ERR_OK);
    for (int i = 0; i < TURNS_MAX && !ended.done; i++) {
        assert_int_equal(loop_turn(box->loop, 1), ERR_OK);
    }
    assert_true(ended.done);
    assert_int_equal(ended.err, ERR_OK);
    return ended.found;
}

static void assert_letter_to(const struct data_mail_turn *turn, const char *to)
{
    assert_true(span_equal(data_mail_turn_letter(turn)->mail.to, span_str(to)));
}

/* A mail to Ada that cannot be read, and behind it one to Bob. */
static struct data_mail_turn *begin_behind_a_damaged_one(struct api_box *box, struct span place)
{
    struct data_mail_turn *turn = NULL;

    relay(box);
    write_mail(box, place, "ada@example.com");
    api_write(box, &(struct data_call){.operation = spoil_first, .place = place});
    sim_clock_advance_ms(&box->clock, 1);
    write_mail(box, place, "bob@example.com");
    assert_int_equal(data_mail_turn_new(box->data, box->loop, &turn), ERR_OK);
    return turn;
}

static void a_mail_that_cannot_be_read_keeps_no_other_waiting(void **state)
{
    struct api_box *box = *state;
    const struct span place = place_named(box, span_lit("dev"));
    struct data_mail_turn *turn = begin_behind_a_damaged_one(box, place);

    assert_true(take_turn(box, turn, DATA_MAIL_NONE).mail);
    assert_letter_to(turn, "bob@example.com");
    const struct data_mail_found none = take_turn(box, turn, DATA_MAIL_SENT);
    assert_false(none.mail);
    assert_true(none.wait_ms == DATA_MAIL_NEVER);
    write_mail(box, place, "eve@example.com");
    assert_true(take_turn(box, turn, DATA_MAIL_NONE).mail);
    assert_letter_to(turn, "eve@example.com");
    data_mail_turn_free(turn);
}

static void settings_are_saved_past_a_mail_that_cannot_be_read(void **state)
{
    struct api_box *box = *state;
    struct data_mail_turn *turn = begin_behind_a_damaged_one(box, place_named(box, span_lit("dev")));
    assert_true(take_turn(box, turn, DATA_MAIL_NONE).mail);
    assert_int_equal(take_turn(box, turn, DATA_MAIL_LATER).wait_ms, 60000);

    relay(box); /* what waits is due at once, whatever lies before it */

    assert_true(take_turn(box, turn, DATA_MAIL_NONE).mail);
    assert_letter_to(turn, "bob@example.com");
    data_mail_turn_free(turn);
}

static void an_outbox_that_cannot_be_read_keeps_no_other_waiting(void **state)
{
    struct api_box *box = *state;
    struct data_mail_turn *turn = NULL;
    relay(box);
    const struct span other = make_other(box);
    write_mail(box, place_named(box, span_lit("dev")), "ada@example.com");
    write_mail(box, other, "bob@example.com");
    assert_int_equal(data_mail_turn_new(box->data, box->loop, &turn), ERR_OK);

    spoils_next = true; /* that of the first environment */
    assert_true(take_turn(box, turn, DATA_MAIL_NONE).mail);

    assert_letter_to(turn, "bob@example.com");
    spoils_next = true;
    const struct data_mail_found none = take_turn(box, turn, DATA_MAIL_SENT);
    assert_false(none.mail);
    assert_int_equal(none.wait_ms, 60000);
    assert_true(take_turn(box, turn, DATA_MAIL_NONE).mail);
    assert_letter_to(turn, "ada@example.com");
    data_mail_turn_free(turn);
}

#define T(name) cmocka_unit_test_setup_teardown(name, api_box_set_up, api_box_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_mail_that_cannot_be_read_keeps_no_other_waiting),
        T(settings_are_saved_past_a_mail_that_cannot_be_read),
        T(an_outbox_that_cannot_be_read_keeps_no_other_waiting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
