/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The outbox over time. Spec: contract 5.11. */
/* link: --wrap=http_respond --wrap=http_body --wrap=store_insert --wrap=store_replace --wrap=log_event */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/data/outbox_int.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "tests/lib/api_mail.h"
#include "tests/lib/api_stored.h"
#include "tests/lib/api_write.h"

#define DAY_MS (24u * 3600u * 1000u)

static unsigned int writes;
static struct table_id counted[2]; /* of what is written to them */
static unsigned int told; /* of mails that are damaged */

enum err __real_store_insert(struct store_txn *txn, struct table_id table, struct row_id id, struct span encoded,
                             struct index_id *out_index);
enum err __wrap_store_insert(struct store_txn *txn, struct table_id table, struct row_id id, struct span encoded,
                             struct index_id *out_index);
enum err __wrap_store_insert(struct store_txn *txn, struct table_id table, struct row_id id, struct span encoded,
                             struct index_id *out_index)
{
    writes += table.value == counted[0].value || table.value == counted[1].value;
    return __real_store_insert(txn, table, id, encoded, out_index);
}

enum err __real_store_replace(struct store_txn *txn, struct table_id table, struct row_id id, struct span encoded,
                              struct index_id *out_index);
enum err __wrap_store_replace(struct store_txn *txn, struct table_id table, struct row_id id, struct span encoded,
                              struct index_id *out_index);
enum err __wrap_store_replace(struct store_txn *txn, struct table_id table, struct row_id id, struct span encoded,
                              struct index_id *out_index)
{
    writes += table.value == counted[0].value || table.value == counted[1].value;
    return __real_store_replace(txn, table, id, encoded, out_index);
}

void __real_log_event(enum log_level level, const char *event, const struct log_field *fields, size_t count);
void __wrap_log_event(enum log_level level, const char *event, const struct log_field *fields, size_t count);
void __wrap_log_event(enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
    told += level == LOG_ERROR && strcmp(event, "mails_damaged") == 0;
    __real_log_event(level, event, fields, count);
}

static void sign_up(struct api_box *box, const char *email)
{
    char body[256];

    (void)snprintf(body, sizeof body, "{\"email\":\"%s\",\"password\":\"abc123\",\"name\":\"Ada\"}", email);
    assert_int_equal(api_box_send(box, "POST", box->publishable, SIGN_UP, body)->status, 201);
}

static void ask(struct api_box *box, const char *path, const char *body)
{
    assert_int_equal(api_box_send(box, "POST", box->publishable, path, body)->status, 200);
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

    ask(box, RESET_REQUEST, "{\"email\":\"nobody@example.com\"}");
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

/* --- whose address it is --- */

static uint64_t stored_codes(struct api_box *box)
{
    return api_stored_rows(box, api_stored_environment(box)->people.codes);
}

/* How many rows are written for a mail to an address. A mail that stays counts for two: it takes pages that were not there.
 * before: the body, up to the address. */
static uint64_t work_of(struct api_box *box, const char *path, const char *before, const char *email)
{
    const uint64_t mails = stored_mails(box);
    char body[256];

    (void)snprintf(body, sizeof body, "%s\"email\":\"%s\"}", before, email);
    counted[0] = api_stored_environment(box)->people.outbox;
    counted[1] = api_stored_environment(box)->people.codes;
    writes = 0;
    ask(box, path, body);
    return writes + stored_mails(box) - mails;
}

/* A first mail, one that ends a code of the same purpose, and one to nobody. */
static void assert_nobody_shows(struct api_box *box)
{
    static const char *const forms[][2] = {
        {RESET_REQUEST, "{"},
        {SIGN_IN, "{\"method\":\"magiclink\","},
        {"/v1/auth/signup/email/resend", "{"},
        {"/v1/auth/email/verify/send", "{"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(forms); i++) {
        const uint64_t rows = stored_mails(box) + stored_codes(box);
        const uint64_t nobody = work_of(box, forms[i][0], forms[i][1], "nobody@example.com");
        assert_true(stored_mails(box) + stored_codes(box) == rows);
        assert_true(work_of(box, forms[i][0], forms[i][1], "ada@example.com") == nobody);
        sim_clock_advance_ms(&box->clock, 31000);
        assert_true(work_of(box, forms[i][0], forms[i][1], "ada@example.com") == nobody);
        assert_true(work_of(box, forms[i][0], forms[i][1], "nobody@example.com") == nobody);
        sim_clock_advance_ms(&box->clock, 3600000);
    }
}

static void attack_10_whose_address_it_is_does_not_show_in_what_a_mail_writes(void **state)
{
    struct api_box *box = *state;
    sign_up(box, "eve@example.com");
    sign_up(box, "ada@example.com");
    sim_clock_advance_ms(&box->clock, 31000);

    assert_nobody_shows(box);
}

static void attack_10_nor_where_the_outbox_is_full(void **state)
{
    struct api_box *box = *state;
    sign_up(box, "eve@example.com");
    sign_up(box, "ada@example.com");
    const struct span place = api_stored_environment(box)->record.id;
    api_write(box, &(struct data_call){.operation = fill, .place = place});
    sim_clock_advance_ms(&box->clock, 31000);

    assert_nobody_shows(box);
    assert_int_equal(stored_mails(box), CONFIG_DATA_OUTBOX_MAX);
}

/* Somebody else's code and mail, which are deleted and inserted again for it, are as they were. */
static void a_mail_to_nobody_changes_nothing_of_others(void **state)
{
    struct api_box *box = *state;
    char before[DATA_CODE_TEXT_BYTES + 1];
    char after[DATA_CODE_TEXT_BYTES + 1];
    sign_up(box, "ada@example.com");
    api_mail_token(box, "ada@example.com", "signup_confirmation", before);

    ask(box, RESET_REQUEST, "{\"email\":\"nobody@example.com\"}");

    api_mail_token(box, "ada@example.com", "signup_confirmation", after);
    assert_string_equal(before, after);
    assert_int_equal(api_mail_confirm(box, "ada@example.com", before)->status, 200);
    assert_int_equal(stored_codes(box), 0);
}

/* Of an address that is nobody's yet: asked to sign it in, the box pretends. */
static void a_mail_to_nobody_ends_no_link_that_signs_up(void **state)
{
    struct api_box *box = *state;
    char token[DATA_CODE_TEXT_BYTES + 1];
    assert_int_equal(api_box_send(box, "POST", box->publishable, SIGN_UP,
                                  "{\"method\":\"magiclink\",\"email\":\"new@example.com\"}")
                         ->status,
                     201);
    api_mail_token(box, "new@example.com", "magic_link", token);
    sim_clock_advance_ms(&box->clock, 31000);

    ask(box, SIGN_IN, "{\"method\":\"magiclink\",\"email\":\"new@example.com\"}");

    assert_int_equal(api_mail_count(box, "new@example.com", NULL), 1);
    assert_int_equal(api_mail_open(box, token)->status, 200);
}

/* --- damage --- */

/* The newest row of a table gets a column that none has. */
static enum err spoil(struct data_txn *txn, struct table_id table)
{
    const struct store_scan newest = {.table = table, .backward = true};
    struct row_builder builder;
    struct span encoded = SPAN_NONE;
    struct row row;

    TRY(store_scan_begin(people_snap(txn), &newest));
    TRY(walk_next(people_snap(txn), &row));
    TRY(row_build_begin(&builder, txn->data->row, row.created_at, row.updated_at, row.created_by));
    TRY(row_build_string(&builder, (struct row_key){.column = 99}, span_lit("?")));
    TRY(row_build_end(&builder, &encoded));
    return store_replace(txn->store, table, row.id, encoded, NULL);
}

static enum err spoil_mail(struct data_txn *txn, struct data_call *call)
{
    (void)call;
    return spoil(txn, people_where(txn)->outbox);
}

static enum err spoil_code(struct data_txn *txn, struct data_call *call)
{
    (void)call;
    return spoil(txn, people_where(txn)->codes);
}

static void a_mail_that_cannot_be_read_hides_no_other_from_operators(void **state)
{
    struct api_box *box = *state;
    sign_up(box, "ada@example.com");
    sign_up(box, "bob@example.com");
    api_write(box, &(struct data_call){.operation = spoil_mail, .place = api_stored_environment(box)->record.id});
    sign_up(box, "eve@example.com");
    told = 0;

    const struct api_answer *answer = api_box_get(box, box->secret, "/v1/admin/outbox");

    assert_int_equal(answer->status, 200);
    assert_string_equal(api_answer_text(answer, "items.0.to"), "eve@example.com");
    assert_string_equal(api_answer_text(answer, "items.1.to"), "ada@example.com");
    assert_string_equal(api_answer_text(answer, "pagination.total"), "2");
    assert_int_equal(told, 1);
}

static void a_code_that_cannot_be_read_keeps_nobody_from_a_new_one(void **state)
{
    struct api_box *box = *state;
    sign_up(box, "ada@example.com");
    api_write(box, &(struct data_call){.operation = spoil_code, .place = api_stored_environment(box)->record.id});

    sign_up(box, "bob@example.com");
    sim_clock_advance_ms(&box->clock, 31000);
    ask(box, RESET_REQUEST, "{\"email\":\"ada@example.com\"}");

    assert_int_equal(api_mail_count(box, "ada@example.com", "password_reset"), 1);
}

static void a_full_outbox_keeps_its_mails_while_none_comes(void **state)
{
    struct api_box *box = *state;
    char table[64];
    const struct span place = api_stored_environment(box)->record.id;
    api_write(box, &(struct data_call){.operation = fill, .place = place});
    sim_clock_advance_ms(&box->clock, 61000);

    api_box_table(box, BOARD, table);

    assert_int_equal(stored_mails(box), CONFIG_DATA_OUTBOX_MAX);
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
        T(a_full_outbox_keeps_its_mails_while_none_comes),
        T(attack_10_whose_address_it_is_does_not_show_in_what_a_mail_writes),
        T(attack_10_nor_where_the_outbox_is_full),
        T(a_mail_to_nobody_changes_nothing_of_others),
        T(a_mail_to_nobody_ends_no_link_that_signs_up),
        T(a_mail_that_cannot_be_read_hides_no_other_from_operators),
        T(a_code_that_cannot_be_read_keeps_nobody_from_a_new_one),
        T(mails_outlive_a_restart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
