/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The audit log as the API writes and reads it: contract 6 (GET /audit, /audit/verify), 9.4, 10.1. */
/* link: --wrap=http_respond --wrap=http_body */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/api/request_int.h"
#include "firmware/data/audit_int.h"
#include "firmware/data/invitations.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "tests/lib/api_operator.h"
#include "tests/lib/api_stored.h"
#include "tests/lib/api_write.h"
#include "tests/lib/store_raw.h"

#define A      "/v1/admin/"
#define AUDIT  A "audit"
#define VERIFY AUDIT "/verify"
#define TABLE_MEMBERS "\"tableName\":\"notes\",\"schema\":{\"text\":{\"type\":\"string\"}}"
#define TABLE  "{" TABLE_MEMBERS "}"
#define WHOLE  "{\"ok\":true,\"firstBadSeq\":null,"

struct fixture {
    struct api_box *box;
    struct api_user owner;
};

static int set_up(void **state)
{
    struct fixture *const f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->box = api_box_new();
    api_operator_make_owner(f->box); /* record 1 */
    api_operator_sign_in(f->box, OPERATOR_EMAIL, &f->owner);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *const f = *state;

    api_box_free(f->box);
    free(f);
    return 0;
}

static const struct api_answer *ask(struct fixture *f, const char *target)
{
    return api_operator_ask(f->box, &f->owner, "GET", target, NULL);
}

static void make_table(struct fixture *f, char out_id[64])
{
    api_box_table(f->box, TABLE, out_id);
}

/* So many records more. */
static void change_settings(struct fixture *f, size_t times)
{
    for (size_t i = 0; i < times; i++) {
        assert_int_equal(api_operator_ask(f->box, &f->owner, "PUT", A "network", "{\"time\":null}")->status, 200);
    }
}

static void assert_total(const struct api_answer *answer, const char *total)
{
    assert_int_equal(answer->status, 200);
    assert_string_equal(api_answer_text(answer, "pagination.total"), total);
}

static void what_was_done_is_told_with_who_where_and_what(void **state)
{
    struct fixture *const f = *state;
    const struct api_ask create = {.method = "POST",
                                   .target = A "tables",
                                   .key = f->box->secret,
                                   .body = TABLE,
                                   .header = "User-Agent: curl/8",
                                   .header2 = "X-Request-Id: my-request",
                                   .peer = "2001:db8::7"};
    char id[64];
    char resource[128];

    const struct api_answer *const made = api_box_ask(f->box, &create);
    assert_int_equal(made->status, 201);
    assert_true(api_answer_member(made, "id", id, sizeof id));
    (void)snprintf(resource, sizeof resource, "table/%s", id);

    const struct api_answer *const log = ask(f, AUDIT);
    assert_total(log, "2");
    assert_string_equal(api_answer_text(log, "items.0.seq"), "2");
    assert_string_equal(api_answer_text(log, "items.0.action"), "table.create");
    assert_string_equal(api_answer_text(log, "items.0.resource"), resource);
    assert_string_equal(api_answer_text(log, "items.0.actor.type"), "key");
    assert_string_equal(api_answer_text(log, "items.0.ip"), "2001:db8::7");
    assert_string_equal(api_answer_text(log, "items.0.userAgent"), "curl/8");
    assert_string_equal(api_answer_text(log, "items.0.requestId"), "my-request");
    assert_string_equal(api_answer_text(log, "items.0.outcome"), "success");
    assert_string_equal(api_answer_text(log, "items.0.environment"), "dev");
    assert_string_equal(api_answer_text(log, "items.1.action"), "operator.setup");
    assert_string_equal(api_answer_text(log, "items.1.actor.type"), "setup");
    (void)snprintf(resource, sizeof resource, "%.36s", f->box->first.project_id);
    assert_string_equal(api_answer_text(log, "items.0.projectId"), resource);
}

static void what_was_refused_changed_nothing_and_rows_are_not_in_it(void **state)
{
    struct fixture *const f = *state;
    char id[64];

    make_table(f, id);
    assert_int_equal(api_box_send(f->box, "POST", f->box->secret, A "tables", TABLE)->status, 409);
    assert_int_equal(api_box_send(f->box, "POST", f->box->secret, "/v1/data/notes", "{\"text\":\"secret\"}")->status, 201);
    assert_total(ask(f, AUDIT), "2");
    assert_null(strstr(ask(f, AUDIT)->body, "secret\""));
}

static void every_operation_of_a_route_is_recorded_or_is_known_not_to_be(void **state)
{
    /* What users do with what is theirs alone, sign-ins, and what only sends a mail. */
    static data_operation *const others[] = {
        data_row_create,      data_row_update,        data_row_delete,        data_sign_up,        data_sign_in,
        data_refresh,         data_sign_out,          data_switch,            data_oidc_sign_in,   data_account_link,
        data_account_unlink,  data_session_delete,    data_reset_request,     data_verify_send,    data_verify_confirm,
        data_verify_visit,    data_magic_callback,    data_user_change_part,  data_avatar_upload,  data_avatar_set,
        data_avatar_delete,   data_invitation_create, data_invitation_accept, data_invitation_reject,
        data_invitation_revoke};
    size_t count = 0;
    size_t recorded = 0;
    const struct route *const routes = route_table(&count);
    (void)state;

    for (size_t i = 0; i < count; i++) {
        bool other = routes[i].operation == NULL;
        for (size_t j = 0; j < ARRAY_LENGTH(others); j++) {
            other = other || others[j] == routes[i].operation;
        }
        if (other == (routes[i].operation != NULL && data_audit_action(routes[i].operation) != NULL)) {
            print_message("%s\n", routes[i].pattern);
            assert_true(false);
        }
        recorded += other ? 0 : 1;
    }
    assert_true(recorded > 30);
}

static void the_query_leaves_what_it_asks_for(void **state)
{
    static const struct {
        const char *query, *total;
    } asked[] = {{"", "4"},
                 {"?action=table.create", "1"},
                 {"?action=table", "0"},
                 {"?outcome=success", "4"},
                 {"?outcome=denied", "0"},
                 {"?resource=network", "2"},
                 {"?resource=network&action=network.set", "2"},
                 {"?resource=network&action=table.create", "0"},
                 {"?from=2026-01-01", "4"},
                 {"?to=2025-12-31", "0"},
                 {"?from=2100-01-01", "0"},
                 {"?actor=nobody", "0"},
                 {"?limit=1&page=4", "4"}};
    static const char *const bad[] = {"?from=yesterday", "?action=", "?action=a&action=b", "?page=0", "?outcome=%ff",
                                      "?to="};
    struct fixture *const f = *state;
    char target[512];
    char actor[64];
    char id[64];

    make_table(f, id);
    change_settings(f, 2);
    for (size_t i = 0; i < ARRAY_LENGTH(asked); i++) {
        (void)snprintf(target, sizeof target, AUDIT "%s", asked[i].query);
        assert_total(ask(f, target), asked[i].total);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        (void)snprintf(target, sizeof target, AUDIT "%s", bad[i]);
        assert_refused(ask(f, target), 400, "common/invalid-parameters");
    }
    assert_true(api_answer_member(ask(f, AUDIT), "items.0.actor.id", actor, sizeof actor));
    (void)snprintf(target, sizeof target, AUDIT "?actor=%s", actor);
    assert_total(ask(f, target), "2");
    assert_string_equal(api_answer_text(ask(f, AUDIT "?limit=1&page=4"), "items.0.seq"), "1");
}

static void no_text_of_a_client_looks_like_a_member(void **state)
{
    struct fixture *const f = *state;
    const struct api_ask create = {.method = "POST",
                                   .target = A "tables",
                                   .key = f->box->secret,
                                   .body = TABLE,
                                   .header = "User-Agent: x\",\"action\":\"operator.delete\",\"y\":\""};

    assert_int_equal(api_box_ask(f->box, &create)->status, 201);

    assert_total(ask(f, AUDIT "?action=operator.delete"), "0");
    assert_string_equal(api_answer_text(ask(f, AUDIT), "items.0.userAgent"),
                        "x\",\"action\":\"operator.delete\",\"y\":\"");
}

static void a_secret_key_sees_its_own_place(void **state)
{
    struct fixture *const f = *state;
    char id[64];

    char target[256];

    make_table(f, id);
    change_settings(f, 3);
    const struct api_answer *const shop = api_operator_ask(f->box, &f->owner, "POST", A "projects",
                                                           "{\"slug\":\"shop\",\"name\":\"Shop\"}");
    assert_int_equal(shop->status, 201);
    (void)snprintf(target, sizeof target, "{\"projectId\":\"%s\",\"environment\":\"dev\"," TABLE_MEMBERS "}",
                   api_answer_text(shop, "id"));
    assert_int_equal(api_operator_ask(f->box, &f->owner, "POST", A "tables", target)->status, 201);
    assert_total(ask(f, AUDIT "?action=table.create"), "2");
    (void)snprintf(target, sizeof target, AUDIT "?action=table.create&projectId=%.36s", f->box->first.project_id);
    assert_total(ask(f, target), "1");
    (void)snprintf(target, sizeof target, AUDIT "?projectId=%.36s&environment=prod", f->box->first.project_id);
    assert_refused(ask(f, target), 404, "common/not-found");
    assert_refused(ask(f, AUDIT "?environment=dev"), 400, "common/invalid-parameters");
    (void)snprintf(target, sizeof target, AUDIT "?action=table.create&projectId=%.36s&environment=dev",
                   f->box->first.project_id);
    assert_total(ask(f, target), "1");
    const struct api_answer *const log = api_box_get(f->box, f->box->secret, AUDIT);
    assert_total(log, "1");
    assert_string_equal(api_answer_text(log, "items.0.action"), "table.create");
    assert_refused(api_box_get(f->box, f->box->secret, VERIFY), 403, "auth/forbidden");
    assert_refused(api_box_get(f->box, f->box->publishable, AUDIT), 403, "auth/forbidden");
}

static void the_chain_goes_on_over_restarts(void **state)
{
    struct fixture *const f = *state;
    char hash[80];

    change_settings(f, 2);
    assert_true(api_answer_member(ask(f, AUDIT), "items.0.hash", hash, sizeof hash));
    api_box_restart(f->box);
    change_settings(f, 1);
    const struct api_answer *const log = ask(f, AUDIT);
    assert_string_equal(api_answer_text(log, "items.0.seq"), "4");
    assert_string_equal(api_answer_text(log, "items.0.prevHash"), hash);
    const struct api_answer *const check = ask(f, VERIFY);
    assert_non_null(strstr(check->body, WHOLE "\"firstSeq\":1,\"head\":{\"seq\":4,"));
}

static void a_part_of_it_can_be_verified(void **state)
{
    static const struct {
        const char *query, *begins;
    } asked[] = {{"", WHOLE "\"firstSeq\":1,"},
                 {"?fromSeq=3", WHOLE "\"firstSeq\":3,"},
                 {"?fromSeq=2&toSeq=4", WHOLE "\"firstSeq\":2,"},
                 {"?toSeq=99999", WHOLE "\"firstSeq\":1,"},
                 {"?fromSeq=99999", WHOLE "\"firstSeq\":99999,"}};
    static const char *const bad[] = {"?fromSeq=0", "?fromSeq=x", "?fromSeq=1&fromSeq=2", "?fromSeq=3&toSeq=2",
                                      "?toSeq=-1"};
    struct fixture *const f = *state;
    char target[128];

    change_settings(f, 5);
    for (size_t i = 0; i < ARRAY_LENGTH(asked); i++) {
        (void)snprintf(target, sizeof target, VERIFY "%s", asked[i].query);
        assert_memory_equal(ask(f, target)->body, asked[i].begins, strlen(asked[i].begins));
    }
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        (void)snprintf(target, sizeof target, VERIFY "%s", bad[i]);
        assert_refused(ask(f, target), 400, "common/invalid-parameters");
    }
}

/* --- somebody with the keys of the rows changes the log --- */

static enum err delete_one(struct data_txn *txn, struct data_call *call)
{
    uint64_t seq = 0;

    TRY(span_to_u64(call->table, AUDIT_SEQ_MAX, &seq));
    return store_delete(txn->store, (struct table_id){DATA_TABLE_AUDIT}, audit_row_of(seq));
}

/* A record that is right in itself and of another chain. */
static enum err replace_one(struct data_txn *txn, struct data_call *call)
{
    const struct audit_record record = {.action = span_lit("table.delete")};
    struct audit_head head = {.seq = 0};
    struct row row;

    TRY(span_to_u64(call->table, AUDIT_SEQ_MAX, &head.seq));
    const struct row_id id = audit_row_of(head.seq);
    head.seq--;
    buf_reset(txn->data->text);
    TRY(audit_write(&record, &head, txn->data->text, &head));
    TRY(store_get(store_txn_snap(txn->store), (struct table_id){DATA_TABLE_AUDIT}, id, &row));
    TRY(store_delete(txn->store, (struct table_id){DATA_TABLE_AUDIT}, id));
    return audit_put(txn, audit_seq_of(id), buf_all(txn->data->text));
}

static void change(struct fixture *f, data_operation *operation, const char *seq)
{
    api_write(f->box, &(struct data_call){.operation = operation,
                                          .place = api_stored_environment(f->box)->record.id,
                                          .table = span_str(seq)});
}

static void a_record_that_is_missing_is_found(void **state)
{
    struct fixture *const f = *state;

    change_settings(f, 6);
    change(f, delete_one, "3");
    const struct api_answer *const check = ask(f, VERIFY);
    assert_string_equal(api_answer_text(check, "ok"), "false");
    assert_string_equal(api_answer_text(check, "firstBadSeq"), "3");
    assert_string_equal(api_answer_text(ask(f, VERIFY "?fromSeq=5"), "ok"), "true");
    assert_string_equal(api_answer_text(ask(f, VERIFY "?toSeq=2"), "ok"), "true");
}

static void a_record_of_another_chain_is_found(void **state)
{
    struct fixture *const f = *state;

    change_settings(f, 6);
    change(f, replace_one, "4");
    assert_string_equal(api_answer_text(ask(f, VERIFY), "firstBadSeq"), "4");
    assert_string_equal(api_answer_text(ask(f, VERIFY "?fromSeq=5"), "firstBadSeq"), "5");
    assert_string_equal(api_answer_text(ask(f, VERIFY "?fromSeq=6"), "ok"), "true");
}

static void a_row_that_does_not_open_is_found(void **state)
{
    struct fixture *const f = *state;
    struct raw raw;

    change_settings(f, 6);
    api_box_close(f->box);
    struct store_box disk = api_stored_disk(f->box);
    const struct raw_prefix rows = raw_table((struct table_id){DATA_TABLE_AUDIT});
    assert_true(raw_find(&disk, ENGINE_ROWS, RAW_SPAN(rows), 2, &raw));
    raw.value[raw.value_len / 2] ^= 1;
    raw_put(&disk, ENGINE_ROWS, &raw);
    assert_int_equal(api_box_open(f->box), ERR_OK);
    assert_string_equal(api_answer_text(ask(f, VERIFY), "firstBadSeq"), "3");
}

static void a_write_that_fails_is_not_recorded(void **state)
{
    struct fixture *const f = *state;

    change_settings(f, 1);
    assert_int_equal(api_operator_ask(f->box, &f->owner, "PUT", A "network", "{\"time\":5}")->status, 400);
    change_settings(f, 1);
    assert_string_equal(api_answer_text(ask(f, AUDIT), "items.0.seq"), "3");
    assert_string_equal(api_answer_text(ask(f, VERIFY), "ok"), "true");
}

/* --- the writer --- */

static atomic_bool held;
static atomic_size_t completed;

static enum err hold(struct store_txn *txn, void *context)
{
    (void)txn;
    (void)context;
    while (atomic_load(&held)) {
        (void)sched_yield();
    }
    return ERR_OK;
}

/* Fails when it has changed something already, so that its neighbours have to be done again. */
static enum err spoil(struct store_txn *txn, void *context)
{
    (void)context;
    TRY(store_delete(txn, (struct table_id){DATA_TABLE_AUDIT}, audit_row_of(1)));
    return ERR_IO;
}

static void note_completed(void *context, enum err err)
{
    (void)err;
    (void)context;
    fault_clear();
    atomic_fetch_add(&completed, 1);
}

static void what_is_done_twice_by_the_writer_is_recorded_once(void **state)
{
    struct fixture *const f = *state;
    struct write_op holding = {.apply = hold, .complete = note_completed};
    struct write_op spoiling = {.apply = spoil, .complete = note_completed};
    const struct api_ask create = {.method = "POST", .target = A "tables", .key = f->box->secret, .body = TABLE};

    atomic_store(&held, true);
    atomic_store(&completed, 0);
    assert_int_equal(writer_submit(f->box->data->writer, &holding), ERR_OK);
    struct api_box_pending *const pending = api_box_begin(f->box, &create);
    assert_int_equal(writer_submit(f->box->data->writer, &spoiling), ERR_OK);
    atomic_store(&held, false);
    assert_int_equal(api_box_finish(f->box, pending)->status, 201);
    while (atomic_load(&completed) < 2) {
        (void)sched_yield();
    }
    change_settings(f, 1);
    assert_total(ask(f, AUDIT), "3");
    assert_non_null(strstr(ask(f, VERIFY)->body, WHOLE "\"firstSeq\":1,\"head\":{\"seq\":3,"));
}

static void of_too_many_the_oldest_goes(void **state)
{
    struct fixture *const f = *state;

    f->box->data->audit_max = 3;
    change_settings(f, 6);
    assert_total(ask(f, AUDIT), "3");
    assert_string_equal(api_answer_text(ask(f, AUDIT), "items.2.seq"), "5");
    assert_non_null(strstr(ask(f, VERIFY)->body, WHOLE "\"firstSeq\":5,\"head\":{\"seq\":7,"));
    api_box_restart(f->box);
    f->box->data->audit_max = 2;
    change_settings(f, 1);
    assert_total(ask(f, AUDIT), "2");
    assert_non_null(strstr(ask(f, VERIFY)->body, WHOLE "\"firstSeq\":7,\"head\":{\"seq\":8,"));
}

int main(void)
{
#define WITH_BOX(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_BOX(what_was_done_is_told_with_who_where_and_what),
        WITH_BOX(what_was_refused_changed_nothing_and_rows_are_not_in_it),
        cmocka_unit_test(every_operation_of_a_route_is_recorded_or_is_known_not_to_be),
        WITH_BOX(the_query_leaves_what_it_asks_for),
        WITH_BOX(no_text_of_a_client_looks_like_a_member),
        WITH_BOX(a_secret_key_sees_its_own_place),
        WITH_BOX(the_chain_goes_on_over_restarts),
        WITH_BOX(a_part_of_it_can_be_verified),
        WITH_BOX(a_record_that_is_missing_is_found),
        WITH_BOX(a_record_of_another_chain_is_found),
        WITH_BOX(a_row_that_does_not_open_is_found),
        WITH_BOX(a_write_that_fails_is_not_recorded),
        WITH_BOX(what_is_done_twice_by_the_writer_is_recorded_once),
        WITH_BOX(of_too_many_the_oldest_goes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
