/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Projects as operators delete them, and the organization. Power cuts: tests/blackbox/test_admin_projects.py.
 * Spec: contract 6, 9.3. */
/* link: --wrap=http_respond --wrap=http_body */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/data/data_int.h"
#include "firmware/data/people_int.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "tests/lib/api_operator.h"

#define A      "/v1/admin/"
#define NO_ID  "11111111-1111-4111-8111-111111111111"
#define ID_MAX 64

/* A project with an environment more, a table with a row in each, a user who has signed in, and keys. */
struct shop {
    struct api_user owner, user;
    char id[ID_MAX], dev[ID_MAX], prod[ID_MAX];
    char publishable[DATA_KEY_BYTES + 1], secret[DATA_KEY_BYTES + 1], revoked[DATA_KEY_BYTES + 1];
};

static void make_key(struct api_box *box, const struct shop *shop, const char *type, char value[DATA_KEY_BYTES + 1])
{
    char body[256];

    (void)snprintf(body, sizeof body,
                   "{\"projectId\":\"%s\",\"environment\":\"dev\",\"name\":\"a name to forget\",\"type\":\"%s\"}",
                   shop->id, type);
    const struct api_answer *made = api_operator_ask(box, &shop->owner, "POST", A "api-keys", body);
    assert_true(api_answer_member(made, "value", value, DATA_KEY_BYTES + 1));
}

static void make_table(struct api_box *box, const struct shop *shop, const char *environment)
{
    char body[256];

    (void)snprintf(body, sizeof body,
                   "{\"projectId\":\"%s\",\"environment\":\"%s\",\"tableName\":\"notes\",\"schema\":{}}", shop->id,
                   environment);
    assert_int_equal(api_operator_ask(box, &shop->owner, "POST", A "tables", body)->status, 201);
}

static void revoke(struct api_box *box, const struct shop *shop, const char *value)
{
    uint8_t hash[SHA256_BYTES];
    char target[128];

    auth_key_hash(span_str(value), hash);
    const struct catalog_key *key = catalog_key(box->data->current, hash);
    (void)snprintf(target, sizeof target, A "api-keys/%.36s/revoke", (const char *)key->record.id.data);
    assert_int_equal(api_operator_ask(box, &shop->owner, "POST", target, NULL)->status, 200);
}

static void make_shop(struct api_box *box, struct shop *shop)
{
    char text[256];

    api_operator_owner(box, &shop->owner);
    const struct api_answer *made =
        api_operator_ask(box, &shop->owner, "POST", A "projects", "{\"slug\":\"shop\",\"name\":\"The shop\"}");
    assert_true(api_answer_member(made, "id", shop->id, sizeof shop->id));
    (void)snprintf(text, sizeof text, "{\"projectId\":\"%s\",\"environment\":\"prod\"}", shop->id);
    made = api_operator_ask(box, &shop->owner, "POST", A "environments", text);
    assert_true(api_answer_member(made, "id", shop->prod, sizeof shop->prod));
    (void)snprintf(text, sizeof text, A "environments?projectId=%s", shop->id);
    made = api_operator_ask(box, &shop->owner, "GET", text, NULL);
    assert_true(api_answer_member(made, "items.1.id", shop->dev, sizeof shop->dev));
    make_table(box, shop, "dev");
    make_table(box, shop, "prod");
    make_key(box, shop, "publishable", shop->publishable);
    make_key(box, shop, "secret", shop->secret);
    make_key(box, shop, "publishable", shop->revoked);
    revoke(box, shop, shop->revoked);
    assert_int_equal(api_box_send(box, "POST", shop->secret, "/v1/data/notes", "{\"text\":\"x\"}")->status, 201);
    api_user_take(api_box_send(box, "POST", shop->publishable, SIGN_UP, ACCOUNT("ada@example.com", "abc123")),
                  &shop->user);
}

static const struct api_answer *delete_project(struct api_box *box, const struct shop *shop, const char *body)
{
    char target[128];

    (void)snprintf(target, sizeof target, A "projects/%s", shop->id);
    return api_operator_ask(box, &shop->owner, "DELETE", target, body);
}

static size_t count_of(const struct api_box *box, enum catalog_kind kind)
{
    return catalog_count(box->data->current, kind);
}

/* The stored tables of an environment and of what the API manages in it. */
struct stores {
    struct table_id ids[64];
    size_t count;
};

static void collect(const struct api_box *box, const char *environment_id, struct stores *out)
{
    struct catalog_people where = catalog_environment(box->data->current, span_str(environment_id))->people;
    const struct catalog_table *table = catalog_table(box->data->current, span_str(environment_id), span_lit("notes"));
    size_t count = 0;
    const struct people_table *tables = people_tables(&count);

    for (size_t i = 0; i < count; i++) {
        out->ids[out->count++] = *people_table_id(&where, &tables[i]);
    }
    out->ids[out->count++] = table->store;
}

static void assert_dropped(struct api_box *box, const struct stores *stores)
{
    struct store_reader *reader = NULL;
    struct store_snap *snap = NULL;
    uint64_t rows = 0;

    assert_int_equal(store_reader_new(box->data->store, &reader), ERR_OK);
    assert_int_equal(store_snap_begin(reader, &snap), ERR_OK);
    for (size_t i = 0; i < stores->count; i++) {
        assert_int_equal(store_count(snap, stores->ids[i], &rows), ERR_NOT_FOUND);
    }
    fault_clear();
    store_snap_end(snap);
    store_reader_free(reader);
}

static void check_gone(struct api_box *box, const struct shop *shop)
{
    assert_refused(api_box_get(box, shop->publishable, "/v1/data/notes"), 404, "data/project-not-found");
    assert_refused(api_box_get(box, shop->secret, "/v1/data/notes"), 404, "data/project-not-found");
    assert_refused(api_box_get(box, shop->revoked, "/v1/data/notes"), 401, "auth/token-revoked");
    assert_refused(api_user_ask(box, shop->publishable, &shop->user, "GET", "/v1/auth/me", NULL), 404,
                   "data/project-not-found");
    assert_refused(api_user_me(box, &shop->user), 401, "auth/invalid-token"); /* the key that signed it is nobody's */
    assert_refused(delete_project(box, shop, "{\"confirmName\":\"The shop\"}"), 404, "common/not-found");
    assert_int_equal(count_of(box, CATALOG_PROJECT), 1);
    assert_int_equal(count_of(box, CATALOG_ENVIRONMENT), 2); /* the first project's, and the operators' place */
    assert_int_equal(count_of(box, CATALOG_TABLE), 0);
    assert_int_equal(box->environment_count, 2); /* whose token keys there are */
}

static void a_deleted_project_leaves_nothing_and_nobody_signed_in(void **state)
{
    struct api_box *box = *state;
    struct stores stores = {.count = 0};
    struct shop shop;
    make_shop(box, &shop);
    collect(box, shop.dev, &stores);
    collect(box, shop.prod, &stores);

    assert_string_equal(api_answer_text(delete_project(box, &shop, "{\"confirmName\":\"The shop\"}"), "success"),
                        "true");

    check_gone(box, &shop);
    assert_dropped(box, &stores);
    api_box_restart(box);
    check_gone(box, &shop);
    assert_dropped(box, &stores);
    assert_int_equal(api_box_get(box, box->secret, A "tables")->status, 200);
    assert_int_equal(
        api_operator_ask(box, &shop.owner, "POST", A "projects", "{\"slug\":\"shop\",\"name\":\"S\"}")->status, 201);
}

static void of_its_api_keys_only_what_answers_them_is_kept(void **state)
{
    struct api_box *box = *state;
    const struct catalog_record *record = NULL;
    struct shop shop;
    size_t cursor = 0;
    size_t found = 0;
    make_shop(box, &shop);

    assert_int_equal(delete_project(box, &shop, "{\"confirmName\":\"The shop\"}")->status, 200);

    while ((record = catalog_next(box->data->current, CATALOG_KEY, &cursor)) != NULL) {
        if (!span_equal(((const struct catalog_key *)record)->key.project_id, span_str(shop.id))) {
            continue;
        }
        assert_null(json_find(record->doc, span_lit("name")));
        assert_null(json_find(record->doc, span_lit("value")));
        assert_null(json_find(record->doc, span_lit("prefix")));
        found++;
    }
    assert_int_equal(found, 3);
}

static void a_project_is_deleted_by_its_name_alone(void **state)
{
    static const char *const wrong[] = {"{\"confirmName\":\"shop\"}",      "{\"confirmName\":\"the shop\"}",
                                        "{\"confirmName\":\"\"}",          "{\"confirmName\":{\"$ne\":\"\"}}",
                                        "{\"confirmName\":null}",          "{}",
                                        "{\"confirmName\":\"The shop \"}", "[]"};
    struct api_box *box = *state;
    struct shop shop;
    char target[128];
    make_shop(box, &shop);

    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        assert_refused(delete_project(box, &shop, wrong[i]), 400, "common/invalid-parameters");
    }
    assert_refused(delete_project(box, &shop, NULL), 400, "common/invalid-parameters");
    (void)snprintf(target, sizeof target, A "projects/%s", shop.id);
    assert_refused(api_box_send(box, "DELETE", shop.secret, target, "{\"confirmName\":\"The shop\"}"), 403,
                   "auth/forbidden");
    assert_refused(api_operator_ask(box, &shop.owner, "DELETE", A "projects/" NO_ID, "{\"confirmName\":\"The shop\"}"),
                   404, "common/not-found");
    assert_int_equal(api_user_ask(box, shop.publishable, &shop.user, "GET", "/v1/auth/me", NULL)->status, 200);
}

/* Nor does the start after it make what the first start made. */
static void the_last_project_can_be_deleted_and_does_not_come_again(void **state)
{
    struct api_box *box = *state;
    struct data_bootstrap again = {.made = true};
    struct api_user owner;
    char target[128];
    api_operator_owner(box, &owner);
    (void)snprintf(target, sizeof target, A "projects/%.36s", box->first.project_id);

    assert_int_equal(api_operator_ask(box, &owner, "DELETE", target, "{\"confirmName\":\"Default project\"}")->status,
                     200);

    api_box_restart(box);
    assert_int_equal(data_bootstrap(box->data, DATA_BOOTSTRAP_SHOWN, &again), ERR_OK);
    assert_false(again.made);
    assert_int_equal(data_bootstrap(box->data, DATA_BOOTSTRAP_UNSEEN, &again), ERR_OK);
    assert_false(again.made);
    assert_refused(api_box_get(box, box->secret, A "tables"), 404, "data/project-not-found");
    assert_string_equal(api_answer_text(api_operator_ask(box, &owner, "GET", A "projects", NULL), "pagination.total"),
                        "0");
    assert_int_equal(api_operator_ask(box, &owner, "POST", A "projects", "{\"slug\":\"new\",\"name\":\"New\"}")->status,
                     201);
    assert_int_equal(data_bootstrap(box->data, DATA_BOOTSTRAP_UNSEEN, &again), ERR_OK);
    assert_false(again.made);
}

static void a_write_under_way_is_answered_for_the_project_that_is_gone(void **state)
{
    struct api_box *box = *state;
    struct shop shop;
    char target[128];
    make_shop(box, &shop);
    (void)snprintf(target, sizeof target, A "projects/%s", shop.id);
    const struct api_ask deletion = {
        .method = "DELETE", .target = target, .header = shop.owner.header, .body = "{\"confirmName\":\"The shop\"}"};
    const struct api_ask row = {
        .method = "POST", .target = "/v1/data/notes", .key = shop.secret, .body = "{\"text\":\"late\"}"};

    struct api_box_pending *first = api_box_begin(box, &deletion);
    struct api_box_pending *second = api_box_begin(box, &row);

    assert_int_equal(api_box_finish(box, first)->status, 200);
    assert_refused(api_box_finish(box, second), 404, "data/project-not-found");
}

static void keys_of_projects_that_are_gone_are_remembered_up_to_a_limit(void **state)
{
    struct api_box *box = *state;
    struct api_user owner;
    struct shop shop;
    size_t live = 0;
    api_operator_owner(box, &owner);
    live = count_of(box, CATALOG_KEY);

    for (size_t i = 0; i < CONFIG_DATA_DELETED_KEYS_MAX + 2; i += 20) {
        const struct api_answer *made =
            api_operator_ask(box, &owner, "POST", A "projects", "{\"slug\":\"shop\",\"name\":\"The shop\"}");
        shop.owner = owner;
        assert_true(api_answer_member(made, "id", shop.id, sizeof shop.id));
        for (unsigned int key = 0; key < 20; key++) {
            make_key(box, &shop, "publishable", shop.publishable);
        }
        assert_int_equal(delete_project(box, &shop, "{\"confirmName\":\"The shop\"}")->status, 200);
        sim_clock_advance_ms(&box->clock, 1);
    }

    assert_int_equal(count_of(box, CATALOG_KEY), live + CONFIG_DATA_DELETED_KEYS_MAX);
    assert_refused(api_box_get(box, shop.publishable, "/v1/data/notes"), 404, "data/project-not-found");
}

static void an_environment_goes_the_same_way(void **state)
{
    struct api_box *box = *state;
    struct stores stores = {.count = 0};
    struct shop shop;
    char target[128];
    make_shop(box, &shop);
    collect(box, shop.dev, &stores);
    (void)snprintf(target, sizeof target, A "environments/%s", shop.dev);

    assert_refused(api_operator_ask(box, &shop.owner, "DELETE", target, "{\"confirmName\":\"prod\"}"), 400,
                   "common/invalid-parameters");
    assert_int_equal(api_operator_ask(box, &shop.owner, "DELETE", target, "{\"confirmName\":\"dev\"}")->status, 200);

    assert_dropped(box, &stores);
    assert_refused(api_box_get(box, shop.secret, "/v1/data/notes"), 404, "data/environment-not-found");
    assert_refused(api_user_ask(box, shop.publishable, &shop.user, "GET", "/v1/auth/me", NULL), 404,
                   "data/environment-not-found");
    assert_int_equal(box->environment_count, 3);
    assert_non_null(catalog_table(box->data->current, span_str(shop.prod), span_lit("notes")));
    assert_refused(api_operator_ask(box, &shop.owner, "DELETE", target, "{\"confirmName\":\"dev\"}"), 404,
                   "common/not-found");
}

/* --- organizations --- */

static void an_operator_renames_the_organization(void **state)
{
    static const char *const refused[] = {"{\"name\":\"\"}", "{\"name\":7}", "{\"id\":\"" NO_ID "\"}",
                                          "{\"name\":{\"$ne\":\"\"}}", "{\"name\":null,\"description\":\"x\"}", "[]"};
    struct api_box *box = *state;
    struct api_user owner;
    char target[128];
    char id[ID_MAX];
    api_operator_owner(box, &owner);
    const struct api_answer *all = api_operator_ask(box, &owner, "GET", A "organizations", NULL);
    assert_string_equal(api_answer_text(all, "pagination.total"), "1");
    assert_true(api_answer_member(all, "items.0.id", id, sizeof id));
    (void)snprintf(target, sizeof target, A "organizations/%s", id);

    for (size_t i = 0; i < ARRAY_LENGTH(refused); i++) {
        assert_refused(api_operator_ask(box, &owner, "PATCH", target, refused[i]), 400, "common/invalid-parameters");
    }
    sim_clock_advance_ms(&box->clock, 5);
    const struct api_answer *changed = api_operator_ask(
        box, &owner, "PATCH", target, "{\"name\":\"acme\",\"displayName\":\"Acme \\u00c5B\",\"description\":\"d\"}");

    assert_string_equal(api_answer_text(changed, "displayName"), "Acme \xc3\x85"
                                                                 "B");
    api_box_restart(box);
    const struct api_answer *one = api_operator_ask(box, &owner, "GET", target, NULL);
    assert_string_equal(api_answer_text(one, "name"), "acme");
    assert_string_equal(api_answer_text(one, "description"), "d");
    assert_true(strcmp(api_answer_text(one, "updatedAt"), api_answer_text(one, "createdAt")) > 0);
    const struct api_answer *cleared =
        api_operator_ask(box, &owner, "PATCH", target, "{\"displayName\":null,\"description\":null}");
    assert_string_equal(api_answer_text(cleared, "displayName"), "null");
    assert_string_equal(api_answer_text(cleared, "description"), "null");
    assert_string_equal(api_answer_text(cleared, "name"), "acme");
    assert_refused(api_operator_ask(box, &owner, "GET", A "organizations/" NO_ID, NULL), 404, "common/not-found");
    assert_refused(api_box_send(box, "PATCH", box->secret, target, "{\"name\":\"x\"}"), 403, "auth/forbidden");
    assert_int_equal(api_box_get(box, box->secret, A "projects")->status, 200); /* what lies below it still does */
}

#define T(name) cmocka_unit_test_setup_teardown(name, api_box_set_up, api_box_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_deleted_project_leaves_nothing_and_nobody_signed_in),
        T(of_its_api_keys_only_what_answers_them_is_kept),
        T(a_project_is_deleted_by_its_name_alone),
        T(the_last_project_can_be_deleted_and_does_not_come_again),
        T(a_write_under_way_is_answered_for_the_project_that_is_gone),
        T(keys_of_projects_that_are_gone_are_remembered_up_to_a_limit),
        T(an_environment_goes_the_same_way),
        T(an_operator_renames_the_organization),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
