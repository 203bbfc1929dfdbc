/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The outbox over time. Spec: contract 5.11. */
/* link: --wrap=http_respond --wrap=http_body --wrap=store_delete */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/data/outbox_int.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "tests/lib/api_mail.h"
#include "tests/lib/api_stored.h"
#include "tests/lib/api_write.h"

#define DAY_MS (24u * 3600u * 1000u)

static unsigned int deletions;

enum err __real_store_delete(struct store_txn *txn, struct table_id table, struct row_id id);
enum err __wrap_store_delete(struct store_txn *txn, struct table_id table, struct row_id id);
enum err __wrap_store_delete(struct store_txn *txn, struct table_id table, struct row_id id)
{
    deletions++;
    return __real_store_delete(txn, table, id);
}

static void sign_up(struct api_box *box, const char *email)
{
    char body[256];

    (void)snprintf(body, sizeof body, "{\"email\":\"%s\",\"password\":\"abc123\",\"name\":\"Ada\"}", email);
    assert_int_equal(api_box_send(box, "POST", box->publishable, SIGN_UP, body)->status, 201);
}

static uint64_t stored_mails(struct api_box *box)
{
    return api_stored_rows(box, api_stored_environment(box)->people.outbox);
}

static void a_mail_is_shown_for_seven_days(void **state)
{
    struct api_box *box = *state;
    char id[64];
    char target[128];
    sign_up(box, "ada@example.com");
    assert_true(api_answer_member(api_box_get(box, box->secret, "/v1/admin/outbox"), "items.0.id", id, sizeof id));
    (void)snprintf(target, sizeof target, "/v1/admin/outbox/%s", id);

    sim_clock_advance_ms(&box->clock, 7 * DAY_MS);
    assert_int_equal(api_mail_count(box, "ada@example.com", NULL), 1);
    assert_int_equal(api_box_get(box, box->secret, target)->status, 200);
    sim_clock_advance_ms(&box->clock, 1);

    assert_int_equal(api_mail_count(box, "ada@example.com", NULL), 0);
    assert_refused(api_box_get(box, box->secret, target), 404, "common/not-found");
}

static void a_new_mail_deletes_those_that_are_over(void **state)
{
    struct api_box *box = *state;
    sign_up(box, "ada@example.com");
    sign_up(box, "bob@example.com");
    sim_clock_advance_ms(&box->clock, 7 * DAY_MS + 1);
    assert_int_equal(stored_mails(box), 2);

    sign_up(box, "eve@example.com");

    assert_int_equal(stored_mails(box), 1);
    assert_int_equal(api_mail_count(box, "eve@example.com", NULL), 1);
}

static void whatever_is_written_deletes_mails_that_are_over(void **state)
{
    struct api_box *box = *state;
    char table[64];
    sign_up(box, "ada@example.com");
    sim_clock_advance_ms(&box->clock, 7 * DAY_MS + 1);

    api_box_table(box, BOARD, table);

    assert_int_equal(stored_mails(box), 0);
}

/* As many mails as there may be, in one transaction. */
static enum err fill(struct data_txn *txn, struct data_call *call)
{
    const struct outbox_order order = {.category = MAIL_INVITATION, .to = span_lit("bob@example.com")};
    struct row_id row;
    uint64_t count = 0;
    (void)call;

    TRY(store_count(store_txn_snap(txn->store), txn->environment->people.outbox, &count));
    for (; count < CONFIG_DATA_OUTBOX_MAX; count++) {
        TRY(outbox_put(txn, &order, &row));
    }
    return ERR_OK;
}

static void attack_13_of_as_many_mails_as_there_may_be_the_oldest_makes_room(void **state)
{
    struct api_box *box = *state;
    sign_up(box, "ada@example.com");
    const struct span place = api_stored_environment(box)->record.id;
    api_write(box, &(struct data_call){.operation = fill, .place = place});
    assert_int_equal(stored_mails(box), CONFIG_DATA_OUTBOX_MAX);
    assert_int_equal(api_mail_count(box, "ada@example.com", NULL), 1);

    /* A mail to nobody is written where one to somebody is: the oldest goes, and is there again. */
    deletions = 0;
    assert_int_equal(api_box_send(box, "POST", box->publishable, "/v1/auth/password/reset/request",
                                  "{\"email\":\"nobody@example.com\"}")
                         ->status,
                     200);
    assert_int_equal(deletions, 3); /* it, and the code and the mail that do not stay */
    assert_int_equal(stored_mails(box), CONFIG_DATA_OUTBOX_MAX);
    assert_int_equal(api_mail_count(box, "ada@example.com", NULL), 1);

    sign_up(box, "eve@example.com");

    assert_int_equal(stored_mails(box), CONFIG_DATA_OUTBOX_MAX);
    assert_int_equal(api_mail_count(box, "ada@example.com", NULL), 0);
    assert_int_equal(api_mail_count(box, "eve@example.com", NULL), 1);
    assert_string_equal(api_answer_text(api_box_get(box, box->secret, "/v1/admin/outbox?category=invitation"),
                                        "pagination.total"),
                        "9999");
}

static void mails_outlive_a_restart(void **state)
{
    struct api_box *box = *state;
    char before[DATA_CODE_TEXT_BYTES + 1];
    char after[DATA_CODE_TEXT_BYTES + 1];
    sign_up(box, "ada@example.com");
    api_mail_token(box, "ada@example.com", "signup_confirmation", before);

    api_box_restart(box);

    api_mail_token(box, "ada@example.com", "signup_confirmation", after);
    assert_string_equal(before, after);
}

#define T(name) cmocka_unit_test_setup_teardown(name, api_box_set_up, api_box_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_mail_is_shown_for_seven_days),
        T(a_new_mail_deletes_those_that_are_over),
        T(whatever_is_written_deletes_mails_that_are_over),
        T(attack_13_of_as_many_mails_as_there_may_be_the_oldest_makes_room),
        T(mails_outlive_a_restart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
