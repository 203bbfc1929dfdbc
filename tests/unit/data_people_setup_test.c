/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The stored tables of users, sessions and accounts at start. Spec: architecture section 4. */
/* link: --wrap=http_respond --wrap=http_body */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/data/outbox_int.h"
#include "firmware/data/people_int.h"
#include "hal/base/fault.h"
#include "tests/lib/api_stored.h"
#include "tests/lib/api_user.h"
#include "tests/lib/api_write.h"
#include "tests/lib/store_raw.h"

static void look_at_row(struct api_box *box, struct table_id table, struct raw *out_row)
{
    const struct raw_prefix prefix = raw_table(table);
    struct store_box disk;

    api_box_close(box);
    disk = api_stored_disk(box);
    assert_true(raw_find(&disk, ENGINE_ROWS, RAW_SPAN(prefix), 0, out_row));
    assert_int_equal(api_box_open(box), ERR_OK);
}

static void assert_refuses(struct api_box *box, const struct raw *old)
{
    struct store_box disk;

    api_box_close(box);
    disk = api_stored_disk(box);
    raw_put(&disk, ENGINE_ROWS, old);

    assert_int_equal(api_box_open(box), ERR_ROLLBACK);
    fault_clear();
}

static void attack_19_a_user_from_before_the_loss_of_a_role_put_back_is_found_at_start(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    struct raw old;
    api_user_sign_up(box, &user);
    assert_int_equal(api_user_manage(box, "PATCH", &user, "/role", "{\"role\":\"admin\"}")->status, 200);
    look_at_row(box, api_stored_environment(box)->people.users, &old);
    assert_int_equal(api_user_manage(box, "PATCH", &user, "/role", "{\"role\":\"guest\"}")->status, 200);

    assert_refuses(box, &old);
}

static void attack_19_a_session_that_was_ended_put_back_is_found_at_start(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    struct raw old;
    api_user_sign_up(box, &user);
    look_at_row(box, api_stored_environment(box)->people.sessions, &old);
    assert_int_equal(api_user_ask(box, box->publishable, &user, "POST", "/v1/auth/signout", NULL)->status, 200);

    assert_refuses(box, &old);
}

static void attack_19_counters_from_before_failed_sign_ins_put_back_are_found_at_start(void **state)
{
    struct api_box *box = *state;
    struct raw old;
    assert_int_equal(api_box_send(box, "POST", box->publishable, SIGN_IN, ACCOUNT("ada@example.com", "wrong1"))->status, 401);
    look_at_row(box, (struct table_id){DATA_TABLE_KEPT}, &old); /* what is closed in order is kept */
    assert_int_equal(api_box_send(box, "POST", box->publishable, SIGN_IN, ACCOUNT("ada@example.com", "wrong1"))->status, 401);

    assert_refuses(box, &old);
}

static void attack_19_an_account_that_was_withdrawn_put_back_is_found_at_start(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    struct raw old;
    api_user_sign_up(box, &user);
    look_at_row(box, api_stored_environment(box)->people.accounts, &old);
    assert_int_equal(api_user_ask(box, box->publishable, &user, "DELETE", "/v1/auth/withdraw", NULL)->status, 200);

    assert_refuses(box, &old);
}

static void attack_19_a_policy_from_before_it_was_narrowed_put_back_is_found_at_start(void **state)
{
    struct api_box *box = *state;
    char target[128];
    char table[64];
    struct raw old;
    api_box_table(box, BOARD, table);
    look_at_row(box, (struct table_id){CATALOG_TABLE}, &old);
    (void)snprintf(target, sizeof target, "/v1/admin/tables/%s", table);
    assert_int_equal(api_box_send(box, "PATCH", box->secret, target, "{\"permissions\":{}}")->status, 200);

    assert_refuses(box, &old);
}

/* The document of the first environment as a version wrote it that knew of three tables. */
static enum err forget_newer_tables(struct data_txn *txn, struct data_call *call)
{
    const struct catalog_people *have = &txn->environment->people;
    const struct catalog_record *record = NULL;
    struct json_out out;
    (void)call;

    environment_begin_again(txn, span_lit("stores"), &out);
    json_out_name(&out, span_lit("stores"));
    json_out_object(&out);
    json_out_member_int(&out, span_lit("users"), (int64_t)have->users.value);
    json_out_member_int(&out, span_lit("sessions"), (int64_t)have->sessions.value);
    json_out_member_int(&out, span_lit("accounts"), (int64_t)have->accounts.value);
    json_out_object_end(&out);
    json_out_object_end(&out);
    return record_replace(txn, &txn->environment->record, &out, &record);
}

static void an_environment_of_an_older_database_gets_what_it_lacks(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);
    const struct catalog_people before = api_stored_environment(box)->people;
    api_write(box,
              &(struct data_call){.operation = forget_newer_tables, .place = api_stored_environment(box)->record.id});
    assert_int_equal(api_stored_environment(box)->people.outbox.value, 0);

    api_box_restart(box);

    const struct catalog_people after = api_stored_environment(box)->people;
    assert_int_equal(after.users.value, before.users.value);
    assert_true(after.codes.value != 0 && after.outbox.value != 0 && after.codes.value != after.outbox.value);
    assert_int_equal(api_user_me(box, &user)->status, 200);
    assert_int_equal(api_box_send(box, "POST", box->publishable, SIGN_UP, ACCOUNT("bob@example.com", "abc123"))->status,
                     201);
}

/* Users, accounts and mails as a version left them that looked them up by less. */
static enum err drop_newer_indexes(struct data_txn *txn, struct data_call *call)
{
    const struct table_id stores[] = {txn->environment->people.users, txn->environment->people.accounts,
                                      txn->environment->people.outbox};
    const uint16_t columns[] = {USER_SLUG, ACCOUNT_IDENTITY, OUTBOX_DUE_AT};
    (void)call;

    for (size_t i = 0; i < ARRAY_LENGTH(stores); i++) {
        const struct store_index *indexes = NULL;
        size_t count = 0;
        TRY(store_indexes(store_txn_snap(txn->store), stores[i], &indexes, &count));
        assert_int_equal(indexes[count - 1].def.fields[0].field.column, columns[i]);
        TRY(store_index_drop(txn->store, stores[i], indexes[count - 1].id));
    }
    return ERR_OK;
}

static enum err find_newest_account_index(struct data_txn *txn, struct data_call *call)
{
    const struct store_index *indexes = NULL;
    size_t count = 0;
    (void)call;

    TRY(store_indexes(store_txn_snap(txn->store), txn->environment->people.accounts, &indexes, &count));
    assert_int_equal(indexes[count - 1].def.fields[0].field.column, ACCOUNT_IDENTITY);
    assert_true(indexes[count - 1].def.unique);
    return ERR_OK;
}

static void a_table_of_an_older_database_gets_the_indexes_that_it_lacks(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    struct api_user other;
    char target[128];
    api_user_sign_up(box, &user);
    api_user_take(api_box_send(box, "POST", box->publishable, SIGN_UP, ACCOUNT("bob@example.com", "abc123")), &other);
    (void)api_user_manage(box, "PATCH", &user, "/public-settings", "{\"slug\":\"one\"}");
    api_write(box,
              &(struct data_call){.operation = drop_newer_indexes, .place = api_stored_environment(box)->record.id});

    api_box_restart(box);

    (void)snprintf(target, sizeof target, "/v1/users/%s/public-settings", other.id);
    assert_refused(api_box_send(box, "PATCH", box->secret, target, "{\"slug\":\"one\"}"), 409, "data/duplicate-value");
    assert_int_equal(api_user_me(box, &user)->status, 200);
    api_write(box, &(struct data_call){.operation = find_newest_account_index,
                                       .place = api_stored_environment(box)->record.id});
    /* Setting a relay looks for the mails that wait, in their order. */
    const struct api_answer *relayed = api_box_send(box, "PUT", box->secret, "/v1/admin/email-settings",
                                                    "{\"senderEmail\":\"a@b.c\",\"smtp\":{\"host\":\"mail.b.c\"}}");
    assert_int_equal(relayed->status, 200);
}

static void users_that_nobody_touched_pass_the_check_at_start(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);

    api_box_close(box);

    assert_int_equal(api_box_open(box), ERR_OK);
    assert_int_equal(api_user_me(box, &user)->status, 200);
}

static enum err (*make_token_keys)(void *context, struct span environment_id, struct data_token_keys *out_keys);

static enum err token_keys_whose_answer_is_lost(void *context, struct span environment_id,
                                                struct data_token_keys *out_keys)
{
    TRY(make_token_keys(context, environment_id, out_keys));
    FAIL(ERR_TIMEOUT, "the keeper of a test", 0);
}

static void an_environment_that_could_not_be_made_leaves_no_token_key(void **state)
{
    struct api_box *box = *state;
    const size_t before = box->environment_count;
    make_token_keys = box->data->keys.token_keys;
    box->data->keys.token_keys = token_keys_whose_answer_is_lost;

    const struct api_answer *answer =
        api_box_send(box, "POST", box->secret, "/v1/admin/environments", "{\"environment\":\"staging\"}");

    assert_int_equal(answer->status, 503);
    assert_int_equal(box->environment_count, before);
}

/* As many keys as the keeper has room for, of which all but one are nobody's: there is room for the one that is missing. */
static void keys_of_environments_that_are_gone_make_room_at_start(void **state)
{
    struct api_box *box = *state;
    struct data_token_keys keys;
    char id[DATA_TOKEN_ID_BYTES];
    const struct data_keys keeper = box->data->keys;
    memcpy(id, box->environments[0].id, sizeof id);
    api_box_close(box);
    assert_int_equal(keeper.token_drop(keeper.context, span_array(id)), ERR_OK);
    while (box->environment_count < API_BOX_ENVIRONMENTS_MAX) {
        auth_uuid_make(box->random, id);
        assert_int_equal(keeper.token_keys(keeper.context, span_array(id), &keys), ERR_OK);
    }

    assert_int_equal(api_box_open(box), ERR_OK);
    assert_int_equal(box->environment_count, 1);
}

static void a_user_whose_id_is_of_another_length_is_damage(void **state UNUSED)
{
    static const struct {
        size_t len;
        enum err err;
    } ids[] = {{0, ERR_DAMAGED}, {35, ERR_DAMAGED}, {36, ERR_OK}, {37, ERR_DAMAGED}};
    static const uint8_t letters[37] = {'a'};
    SCOPED_BUF struct buf *bytes = NULL;
    assert_int_equal(buf_new(ROW_BYTES_MAX, &bytes), ERR_OK);

    for (size_t i = 0; i < ARRAY_LENGTH(ids); i++) {
        const struct wall_time now = {1};
        struct row_builder builder;
        struct span encoded = SPAN_NONE;
        struct person person;
        struct row row;
        assert_int_equal(row_build_begin(&builder, bytes, now, now, span_of(letters, ids[i].len)), ERR_OK);
        assert_int_equal(row_build_end(&builder, &encoded), ERR_OK);
        assert_int_equal(row_read((struct row_id){{0}}, encoded, &row), ERR_OK);

        assert_int_equal(person_read(&row, &person), ids[i].err);
    }
    fault_clear();
}

#define T(name) cmocka_unit_test_setup_teardown(name, api_box_set_up, api_box_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(attack_19_a_user_from_before_the_loss_of_a_role_put_back_is_found_at_start),
        T(attack_19_a_session_that_was_ended_put_back_is_found_at_start),
        T(attack_19_counters_from_before_failed_sign_ins_put_back_are_found_at_start),
        T(attack_19_an_account_that_was_withdrawn_put_back_is_found_at_start),
        T(attack_19_a_policy_from_before_it_was_narrowed_put_back_is_found_at_start),
        T(an_environment_that_could_not_be_made_leaves_no_token_key),
        T(keys_of_environments_that_are_gone_make_room_at_start),
        T(an_environment_of_an_older_database_gets_what_it_lacks),
        T(a_table_of_an_older_database_gets_the_indexes_that_it_lacks),
        T(users_that_nobody_touched_pass_the_check_at_start),
        cmocka_unit_test(a_user_whose_id_is_of_another_length_is_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
