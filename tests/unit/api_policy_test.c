/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Policies through the API: what an answer about a hidden row costs, counted in values opened and filters asked. */
/* link: --wrap=http_respond --wrap=http_body --wrap=aead_open --wrap=filter_match --wrap=store_snap_begin */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/aead.h"
#include "firmware/data/filter.h"
#include "tests/lib/api_box.h"
#include "tests/lib/api_user.h"

struct counts {
    size_t opened;
    size_t asked;
};

static struct counts counts;

enum err __real_aead_open(struct aead *aead, const uint8_t nonce[AEAD_NONCE_BYTES], struct span aad, struct span cipher,
                          const uint8_t tag[AEAD_TAG_BYTES], uint8_t *out_plain);
enum err __wrap_aead_open(struct aead *aead, const uint8_t nonce[AEAD_NONCE_BYTES], struct span aad, struct span cipher,
                          const uint8_t tag[AEAD_TAG_BYTES], uint8_t *out_plain);
enum err __real_filter_match(const struct filter *filter, const struct filter_subject *subject, bool *out_match);
enum err __wrap_filter_match(const struct filter *filter, const struct filter_subject *subject, bool *out_match);

enum err __wrap_aead_open(struct aead *aead, const uint8_t nonce[AEAD_NONCE_BYTES], struct span aad, struct span cipher,
                          const uint8_t tag[AEAD_TAG_BYTES], uint8_t *out_plain)
{
    counts.opened++;
    return __real_aead_open(aead, nonce, aad, cipher, tag, out_plain);
}

enum err __wrap_filter_match(const struct filter *filter, const struct filter_subject *subject, bool *out_match)
{
    counts.asked++;
    return __real_filter_match(filter, subject, out_match);
}

/* Done once, right before the next snapshot is taken. */
static void (*meanwhile)(void);

enum err __real_store_snap_begin(struct store_reader *reader, struct store_snap **out_snap);
enum err __wrap_store_snap_begin(struct store_reader *reader, struct store_snap **out_snap);

enum err __wrap_store_snap_begin(struct store_reader *reader, struct store_snap **out_snap)
{
    void (*const act)(void) = meanwhile;

    meanwhile = NULL;
    if (act != NULL) {
        act();
    }
    return __real_store_snap_begin(reader, out_snap);
}

#define TABLE(forbidden)                                                                                               \
    "{\"tableName\":\"posts\",\"permissions\":{\"guest\":{\"read\":true,\"update\":true,\"delete\":true}},"            \
    "\"rowFilters\":[{\"expression\":\"public\",\"filter\":{\"shown\":true}},"                                         \
    "{\"expression\":\"guest\",\"filter\":{\"shown\":{\"$in\":[true,1]}}}],"                                           \
    "\"security\":{\"rowFilterScope\":\"all\",\"forbiddenRows\":\"" forbidden "\"}}"

struct rows {
    char hidden[64];
    char absent[64]; /* between two rows that are there */
    char last[64];   /* behind all */
};

static void target_of(struct api_box *box, const char *body, char out_target[64])
{
    char id[32];
    const struct api_answer *made = api_box_send(box, "POST", box->secret, "/v1/data/posts", body);

    assert_int_equal(made->status, 201);
    assert_true(api_answer_member(made, "id", id, sizeof id));
    (void)snprintf(out_target, 64, "/v1/data/posts/%s", id);
}

static struct rows make_rows(struct api_box *box)
{
    struct rows rows;
    char neighbour[64];

    target_of(box, "{\"shown\":false}", rows.hidden);
    target_of(box, "{\"shown\":false}", rows.absent);
    target_of(box, "{\"shown\":false}", neighbour);
    assert_int_equal(api_box_send(box, "DELETE", box->secret, rows.absent, NULL)->status, 200);
    (void)snprintf(rows.last, sizeof rows.last, "/v1/data/posts/ffffffffffffffffffffffff");
    return rows;
}

/* What a guest's request costs, the second time: the first one may load keys. */
static struct counts cost_of(struct api_box *box, const char *method, const char *target, unsigned int status)
{
    const char *body = strcmp(method, "PATCH") == 0 ? "{}" : NULL;

    for (unsigned int i = 0; i < 2; i++) {
        counts = (struct counts){0, 0};
        assert_int_equal(api_box_send(box, method, box->publishable, target, body)->status, status);
    }
    return counts;
}

static void attack_10_an_absent_row_costs_what_a_hidden_one_does(void **state)
{
    static const char *const methods[] = {"GET", "PATCH", "DELETE"};
    struct api_box *box = *state;
    char id[64];
    api_box_table(box, TABLE("404"), id);
    const struct rows rows = make_rows(box);

    for (size_t i = 0; i < ARRAY_LENGTH(methods); i++) {
        const struct counts hidden = cost_of(box, methods[i], rows.hidden, 404);
        const struct counts absent = cost_of(box, methods[i], rows.absent, 404);
        const struct counts last = cost_of(box, methods[i], rows.last, 404);

        assert_int_equal(hidden.asked, 2);
        assert_true(hidden.opened > 0);
        assert_int_equal(absent.asked, hidden.asked);
        assert_int_equal(absent.opened, hidden.opened);
        assert_int_equal(last.asked, hidden.asked);
        assert_int_equal(last.opened, hidden.opened);
    }
}

/* The count can fail: where the setting does not ask for it, an absent row costs less. */
static void where_a_hidden_row_is_told_an_absent_one_costs_nothing(void **state)
{
    struct api_box *box = *state;
    char id[64];
    api_box_table(box, TABLE("403"), id);
    const struct rows rows = make_rows(box);

    const struct counts hidden = cost_of(box, "GET", rows.hidden, 403);
    const struct counts absent = cost_of(box, "GET", rows.absent, 404);

    assert_int_equal(hidden.asked, 2);
    assert_int_equal(absent.asked, 0);
    assert_true(absent.opened < hidden.opened);
}

/* --- users --- */

struct person {
    char id[64];
    char header[2048]; /* Authorization */
};

static struct person sign_up(struct api_box *box, const char *name)
{
    struct person person;
    char body[256];
    char token[1500];

    (void)snprintf(body, sizeof body, "{\"email\":\"%s@example.com\",\"password\":\"abc123\",\"name\":\"%s\"}", name,
                   name);
    const struct api_answer *answer = api_box_send(box, "POST", box->publishable, "/v1/auth/email/signup", body);
    assert_int_equal(answer->status, 201);
    assert_true(api_answer_member(answer, "user.id", person.id, sizeof person.id));
    assert_true(api_answer_member(answer, "accessToken", token, sizeof token));
    (void)snprintf(person.header, sizeof person.header, "Authorization: Bearer %s", token);
    return person;
}

static const struct api_answer *ask_as(struct api_box *box, const struct person *person, const char *key,
                                       const char *method, const char *target, const char *body)
{
    const struct api_ask ask = {.method = method, .target = target, .key = key, .body = body, .header = person->header};

    return api_box_ask(box, &ask);
}

static void attack_10_an_absent_row_costs_an_owner_what_anothers_does(void **state)
{
    struct api_box *box = *state;
    char id[64];
    api_box_table(box,
                  "{\"tableName\":\"posts\",\"permissions\":{\"user\":{\"create\":true},\"self\":{\"read\":true}},"
                  "\"security\":{\"forbiddenRows\":\"404\"}}",
                  id);
    const struct rows rows = make_rows(box);
    const struct person ann = sign_up(box, "ann");
    const char *const targets[] = {rows.hidden, rows.absent, rows.last};
    struct counts cost[ARRAY_LENGTH(targets)];

    for (size_t i = 0; i < ARRAY_LENGTH(targets); i++) {
        for (unsigned int twice = 0; twice < 2; twice++) {
            counts = (struct counts){0, 0};
            assert_refused(ask_as(box, &ann, box->publishable, "GET", targets[i], NULL), 404, "data/not-found");
        }
        cost[i] = counts;
    }

    assert_true(cost[0].opened > 0);
    assert_int_equal(cost[1].opened, cost[0].opened);
    assert_int_equal(cost[2].opened, cost[0].opened);
}

/* A list that can only show own rows looks at no other, whether the right or the filters say so. */
static void a_list_of_owned_rows_opens_no_others(void **state)
{
    static const char *const tables[] = {
        "{\"tableName\":\"right\",\"permissions\":{\"user\":{\"create\":true},\"self\":{\"list\":true}}}",
        "{\"tableName\":\"filter\",\"permissions\":{\"user\":{\"create\":true,\"list\":true}},"
        "\"rowFilters\":[{\"expression\":\"self\",\"filter\":{\"n\":1}},{\"expression\":\"admin\",\"filter\":{}}]}",
    };
    static const char *const targets[] = {"/v1/data/right", "/v1/data/filter"};
    struct api_box *box = *state;
    const struct person ann = sign_up(box, "ann");
    for (size_t i = 0; i < ARRAY_LENGTH(tables); i++) {
        char id[64];
        api_box_table(box, tables[i], id);
        for (unsigned int row = 0; row < 40; row++) {
            assert_int_equal(api_box_send(box, "POST", box->secret, targets[i], "{\"n\":1}")->status, 201);
        }
        assert_int_equal(ask_as(box, &ann, box->publishable, "POST", targets[i], "{\"n\":1}")->status, 201);
        assert_int_equal(ask_as(box, &ann, box->publishable, "POST", targets[i], "{\"n\":1}")->status, 201);

        counts = (struct counts){0, 0};
        const struct api_answer *answer = ask_as(box, &ann, box->publishable, "GET", targets[i], NULL);

        assert_string_equal(api_answer_text(answer, "pagination.total"), "2");
        assert_string_equal(api_answer_text(answer, "items.1.createdBy"), ann.id);
        assert_true(counts.opened < 40);
    }
}

static void vectors_123_and_124_a_token_that_has_expired_is_not_a_guest(void **state)
{
    struct api_box *box = *state;
    char id[64];
    api_box_table(box, "{\"tableName\":\"posts\"}", id);
    const struct person ann = sign_up(box, "ann");
    assert_int_equal(ask_as(box, &ann, box->publishable, "GET", "/v1/data/posts", NULL)->status, 200);

    sim_clock_advance_ms(&box->clock, 3601 * UINT64_C(1000));

    assert_refused(ask_as(box, &ann, box->publishable, "GET", "/v1/data/posts", NULL), 401, "auth/token-expired");
    assert_refused(ask_as(box, &ann, box->secret, "GET", "/v1/data/posts", NULL), 401, "auth/token-expired");
}

static void vector_125_a_token_of_another_environment_is_refused(void **state)
{
    struct api_box *box = *state;
    char id[64];
    char body[256];
    char environment[64];
    char token[AUTH_TOKEN_MAX + 1];
    struct person stranger;
    api_box_table(box, "{\"tableName\":\"posts\"}", id);
    const struct person ann = sign_up(box, "ann");
    (void)snprintf(body, sizeof body, "{\"projectId\":\"%.36s\",\"environment\":\"prod\",\"environmentType\":\"prod\"}",
                   box->first.project_id);
    const struct api_answer *made = api_box_send(box, "POST", box->secret, "/v1/admin/environments", body);
    assert_int_equal(made->status, 201);
    assert_true(api_answer_member(made, "id", environment, sizeof environment));
    const int64_t now_s = box->clock.wall.ms / 1000;
    const struct auth_claims claims = {.type = AUTH_TOKEN_ACCESS,
                                       .user = span_str(ann.id),
                                       .session = span_str(ann.id),
                                       .project = span_array(box->first.project_id),
                                       .environment = span_lit("prod"),
                                       .issued_s = now_s,
                                       .expires_s = now_s + 60,
                                       .id = span_lit("AAAAAAAAAAAAAAAAAAAAAA")};
    api_box_token(box, span_str(environment), &claims, token);
    (void)snprintf(stranger.header, sizeof stranger.header, "Authorization: Bearer %s", token);

    assert_refused(ask_as(box, &stranger, box->publishable, "GET", "/v1/data/posts", NULL), 403,
                   "data/project-access-denied");
}

/* --- one version --- */

static struct {
    struct api_box *box;
    struct api_user user;
    char policy[128]; /* of the table */
} demoted;

/* First the role goes, then the policy gives the role a right: nobody ever had both. */
static void demote_and_trust_moderators(void)
{
    assert_int_equal(
        api_user_manage(demoted.box, "PATCH", &demoted.user, "/role", "{\"role\":\"user\",\"roles\":[]}")->status, 200);
    assert_int_equal(api_box_send(demoted.box, "PUT", demoted.box->secret, demoted.policy,
                                  "{\"expressionPermissions\":{\"read\":\"role:moderator\"}}")
                         ->status,
                     200);
}

static void attack_03_a_changed_policy_is_not_asked_about_what_somebody_was_before(void **state)
{
    struct api_box *box = *state;
    char id[64];
    char row[64];
    api_box_table(box, "{\"tableName\":\"posts\",\"expressionPermissions\":{\"read\":\"user\",\"list\":\"user\"}}", id);
    (void)snprintf(demoted.policy, sizeof demoted.policy, "/v1/admin/tables/%s/policy", id);
    demoted.box = box;
    api_user_sign_up(box, &demoted.user);
    assert_int_equal(
        api_user_manage(box, "PATCH", &demoted.user, "/role", "{\"role\":\"user\",\"roles\":[\"moderator\"]}")->status,
        200);
    target_of(box, "{\"title\":\"x\"}", row);
    assert_int_equal(api_user_ask(box, box->publishable, &demoted.user, "GET", row, NULL)->status, 200);

    meanwhile = demote_and_trust_moderators; /* the account is remembered: the next snapshot is the read's */
    const struct api_answer *answer = api_user_ask(box, box->publishable, &demoted.user, "GET", row, NULL);

    assert_null(meanwhile);
    assert_refused(answer, 403, "data/permission-denied");
}

static void demote_and_write(void)
{
    assert_int_equal(
        api_user_manage(demoted.box, "PATCH", &demoted.user, "/role", "{\"role\":\"user\",\"roles\":[]}")->status, 200);
    assert_int_equal(
        api_box_send(demoted.box, "POST", demoted.box->secret, "/v1/data/posts", "{\"title\":\"later\"}")->status, 201);
}

static void attack_03_no_row_is_shown_that_was_written_after_a_right_was_lost(void **state)
{
    static const char moderators[] =
        "{\"tableName\":\"posts\",\"expressionPermissions\":{\"read\":\"role:moderator\"}}";
    struct api_box *box = *state;
    char id[64];
    api_box_table(box, moderators, id);
    demoted.box = box;
    api_user_sign_up(box, &demoted.user);
    assert_int_equal(
        api_user_manage(box, "PATCH", &demoted.user, "/role", "{\"role\":\"user\",\"roles\":[\"moderator\"]}")->status,
        200);
    const struct api_answer *before = api_user_ask(box, box->publishable, &demoted.user, "GET", "/v1/data/posts", NULL);
    assert_int_equal(before->status, 200);

    meanwhile = demote_and_write; /* the account is remembered: the next snapshot is the list's */
    const struct api_answer *answer = api_user_ask(box, box->publishable, &demoted.user, "GET", "/v1/data/posts", NULL);

    assert_null(meanwhile);
    assert_refused(answer, 403, "data/permission-denied");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, api_box_set_up, api_box_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(attack_10_an_absent_row_costs_what_a_hidden_one_does),
        TEST(where_a_hidden_row_is_told_an_absent_one_costs_nothing),
        TEST(attack_10_an_absent_row_costs_an_owner_what_anothers_does),
        TEST(a_list_of_owned_rows_opens_no_others),
        TEST(vectors_123_and_124_a_token_that_has_expired_is_not_a_guest),
        TEST(attack_03_a_changed_policy_is_not_asked_about_what_somebody_was_before),
        TEST(attack_03_no_row_is_shown_that_was_written_after_a_right_was_lost),
        TEST(vector_125_a_token_of_another_environment_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
