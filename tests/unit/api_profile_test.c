/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Profiles and settings of users: who may, what each member may hold, and what nobody sets there. Spec: contract 5.10. */
/* link: --wrap=http_respond --wrap=http_body */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/data/data_int.h"
#include "tests/lib/api_user.h"

#define NOBODY "11111111-1111-4111-8111-111111111111"

static void sign_up_other(struct api_box *box, struct api_user *out_user)
{
    api_user_take(api_box_send(box, "POST", box->publishable, SIGN_UP, ACCOUNT("bob@example.com", "abc123")), out_user);
}

/* Of /v1/users/<id><rest> as this user, or, with NULL, as the secret key. */
static const struct api_answer *ask(struct api_box *box, const struct api_user *asker, const char *id,
                                    const char *method, const char *rest, const char *body)
{
    char target[256];

    (void)snprintf(target, sizeof target, "/v1/users/%s%s", id, rest);
    if (asker == NULL) {
        return body == NULL ? api_box_get(box, box->secret, target)
                            : api_box_send(box, method, box->secret, target, body);
    }
    return api_user_ask(box, box->publishable, asker, method, target, body);
}

static const struct api_answer *change(struct api_box *box, const struct api_user *user, const char *rest,
                                       const char *body)
{
    return ask(box, user, user->id, "PATCH", rest, body);
}

static const char *const parts[] = {"/profile", "/preferences", "/notifications", "/onboarding", "/public-settings"};

static void a_part_is_for_its_user_and_administrators_and_who_may_is_decided_before_the_id(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    struct api_user other;
    char target[256];
    api_user_sign_up(box, &user);
    sign_up_other(box, &other);

    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
        const char *body = i == 3 ? "{\"status\":\"completed\"}" : "{}";
        (void)snprintf(target, sizeof target, "/v1/users/%s%s", user.id, parts[i]);
        assert_refused(api_box_get(box, box->publishable, target), 401, "user/unauthorized");
        assert_refused(api_box_send(box, "PATCH", box->publishable, target, body), 401, "user/unauthorized");
        assert_refused(ask(box, &other, user.id, "GET", parts[i], NULL), 403, "user/forbidden");
        assert_refused(ask(box, &other, user.id, "PATCH", parts[i], body), 403, "user/forbidden");
        assert_refused(ask(box, &other, NOBODY, "GET", parts[i], NULL), 403, "user/forbidden");
        assert_refused(ask(box, &other, NOBODY, "PATCH", parts[i], body), 403, "user/forbidden");
        assert_refused(ask(box, &other, "x", "GET", parts[i], NULL), 403, "user/forbidden");
        assert_int_equal(ask(box, &user, user.id, "GET", parts[i], NULL)->status, 200);
        assert_int_equal(ask(box, &user, user.id, "PATCH", parts[i], body)->status, 200);
        assert_int_equal(ask(box, NULL, user.id, "GET", parts[i], NULL)->status, 200);
        assert_int_equal(ask(box, NULL, user.id, "PATCH", parts[i], body)->status, 200);
        assert_refused(ask(box, NULL, NOBODY, "GET", parts[i], NULL), 404, "user/not-found");
        assert_refused(ask(box, NULL, NOBODY, "PATCH", parts[i], body), 404, "user/not-found");
        assert_refused(ask(box, NULL, "x", "GET", parts[i], NULL), 404, "user/not-found");
    }
    assert_int_equal(api_user_manage(box, "PATCH", &other, "/role", "{\"role\":\"admin\"}")->status, 200);
    assert_int_equal(ask(box, &other, user.id, "GET", "/preferences", NULL)->status, 200);
    assert_refused(ask(box, &other, NOBODY, "GET", "/preferences", NULL), 404, "user/not-found");
}

static void a_profile_is_set_and_read_and_cleared_with_null(void **state)
{
    static const char *const set =
        "{\"name\":\"Ada L\",\"nickname\":\"al\",\"image\":\"https://a.example/i.png\",\"mobile\":\"+4930123456\","
        "\"gender\":\"etc\",\"bio\":\"b\",\"socialLinks\":{\"github\":\"ada\",\"twitter\":\"https://t.example/ada\"}}";
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);
    const struct api_answer *fresh = ask(box, &user, user.id, "GET", "/profile", NULL);
    assert_string_equal(api_answer_text(fresh, "name"), "Ada");
    assert_string_equal(api_answer_text(fresh, "email"), "ada@example.com");
    assert_non_null(
        strstr(fresh->body, "\"nickname\":null,\"image\":null,\"mobile\":null,\"gender\":null,\"bio\":null"));
    assert_non_null(strstr(fresh->body, "\"socialLinks\":null"));

    const struct api_answer *got = change(box, &user, "/profile", set);
    assert_int_equal(got->status, 200);
    assert_string_equal(api_answer_text(got, "socialLinks.twitter"), "https://t.example/ada");
    api_box_restart(box);
    got = ask(box, &user, user.id, "GET", "/profile", NULL);
    assert_string_equal(api_answer_text(got, "name"), "Ada L");
    assert_string_equal(api_answer_text(got, "nickname"), "al");
    assert_string_equal(api_answer_text(got, "mobile"), "+4930123456");
    assert_string_equal(api_answer_text(got, "gender"), "etc");
    assert_string_equal(api_answer_text(got, "bio"), "b");
    assert_string_equal(api_answer_text(got, "image"), "https://a.example/i.png");
    assert_string_equal(api_answer_text(got, "socialLinks.github"), "ada");
    assert_non_null(strstr(got->body, "\"linkedin\":null"));
    assert_string_equal(api_answer_text(api_user_me(box, &user), "nickname"), "al");

    got = change(box, &user, "/profile", "{\"nickname\":null,\"socialLinks\":{\"linkedin\":\"l\"}}");
    assert_non_null(strstr(got->body, "\"nickname\":null,\"image\":\"https://a.example/i.png\""));
    assert_non_null(strstr(got->body, "{\"github\":null,\"twitter\":null,\"linkedin\":\"l\"}"));
    assert_non_null(strstr(change(box, &user, "/profile", "{\"socialLinks\":null}")->body, "\"socialLinks\":null"));
}

static void a_member_out_of_its_bounds_is_refused_and_nothing_is_changed(void **state)
{
    static const struct {
        const char *part, *member, *code;
    } cases[] = {
        {"/profile", "\"name\":null", "user/invalid-name"},
        {"/profile", "\"name\":\"\"", "user/invalid-name"},
        {"/profile", "\"name\":{\"$ne\":1}", "user/invalid-name"},
        {"/profile", "\"nickname\":\"\"", "user/invalid-nickname"},
        {"/profile", "\"nickname\":\"012345678901234567890123456789012345678901234567890\"", "user/invalid-nickname"},
        {"/profile", "\"nickname\":1", "user/invalid-nickname"},
        {"/profile", "\"mobile\":\"4930123456\"", "user/invalid-request"},
        {"/profile", "\"mobile\":\"+0930123456\"", "user/invalid-request"},
        {"/profile", "\"mobile\":\"+1234567890123456\"", "user/invalid-request"},
        {"/profile", "\"mobile\":\"+49 30 12\"", "user/invalid-request"},
        {"/profile", "\"mobile\":\"+\"", "user/invalid-request"},
        {"/profile", "\"gender\":\"other\"", "user/invalid-request"},
        {"/profile", "\"gender\":\"\"", "user/invalid-request"},
        {"/profile", "\"gender\":\"male|female\"", "user/invalid-request"},
        {"/profile", "\"bio\":[]", "user/invalid-request"},
        {"/profile", "\"image\":\"javascript:alert(1)\"", "user/invalid-request"},
        {"/profile", "\"image\":\"https://\"", "user/invalid-request"},
        {"/profile", "\"image\":\"https:///x\"", "user/invalid-request"},
        {"/profile", "\"image\":\"http://a/\\\"onerror=\"", "user/invalid-request"},
        {"/profile", "\"image\":\"http://a/\\r\\nb\"", "user/invalid-request"},
        {"/profile", "\"socialLinks\":\"x\"", "user/invalid-request"},
        {"/profile", "\"socialLinks\":[]", "user/invalid-request"},
        {"/profile", "\"socialLinks\":{\"github\":1}", "user/invalid-request"},
        {"/profile", "\"socialLinks\":{\"github\":\"javascript:alert(1)\"}", "user/invalid-request"},
        {"/preferences", "\"theme\":\"blue\"", "user/invalid-request"},
        {"/preferences", "\"locale\":\"e\"", "user/invalid-request"},
        {"/preferences", "\"locale\":\"en US\"", "user/invalid-request"},
        {"/preferences", "\"timezone\":\"\"", "user/invalid-request"},
        {"/preferences", "\"timezone\":\"../etc\"", "user/invalid-request"},
        {"/notifications", "\"push\":\"true\"", "user/invalid-request"},
        {"/notifications", "\"push\":null", "user/invalid-request"},
        {"/notifications", "\"sms\":1", "user/invalid-request"},
        {"/onboarding", "\"status\":null", "user/invalid-request"},
        {"/onboarding", "\"status\":\"done\"", "user/invalid-request"},
        {"/public-settings", "\"slug\":\"ab\"", "user/invalid-request"},
        {"/public-settings", "\"slug\":\"Abc\"", "user/invalid-request"},
        {"/public-settings", "\"slug\":\"a_c\"", "user/invalid-request"},
        {"/public-settings", "\"slug\":\"012345678901234567890123456789012345678901234567890\"",
         "user/invalid-request"},
        {"/public-settings", "\"isPublic\":\"yes\"", "user/invalid-request"},
    };
    struct api_box *box = *state;
    struct api_user user;
    char before[512];
    char body[256];
    api_user_sign_up(box, &user);
    (void)snprintf(before, sizeof before, "%s", api_user_me(box, &user)->body);

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        (void)snprintf(body, sizeof body, "{%s}", cases[i].member);
        assert_refused(change(box, &user, cases[i].part, body), 400, cases[i].code);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
        assert_refused(change(box, &user, parts[i], "[]"), 400, "user/invalid-request");
        assert_refused(change(box, &user, parts[i], "{"), 400, "user/invalid-request");
    }
    assert_string_equal(api_user_me(box, &user)->body, before);
}

static void lengths_are_counted_in_characters(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    char body[1200];
    size_t len = (size_t)snprintf(body, sizeof body, "{\"bio\":\"");
    api_user_sign_up(box, &user);
    for (size_t i = 0; i < 500; i++) {
        len += (size_t)snprintf(body + len, sizeof body - len, "\xc3\xa9");
    }

    (void)snprintf(body + len, sizeof body - len, "\"}");
    assert_int_equal(change(box, &user, "/profile", body)->status, 200);
    (void)snprintf(body + len, sizeof body - len, "x\"}");
    assert_refused(change(box, &user, "/profile", body), 400, "user/invalid-request");
}

static void attack_07_no_part_takes_a_member_of_another_or_of_the_account(void **state)
{
    static const char *const all =
        "{\"id\":\"" NOBODY
        "\",\"role\":\"admin\",\"roles\":[\"x\"],\"email\":\"b@c.dd\",\"emailVerified\":\"2026-01-01\","
        "\"banned\":true,\"mfaEnabled\":true,\"createdBy\":\"x\",\"createdAt\":\"2020-01-01T00:00:00.000Z\","
        "\"__proto__\":{\"role\":\"admin\"},\"$set\":{\"role\":\"admin\"},\"locale\":\"de\",\"sms\":true,"
        "\"onboardingStatus\":\"completed\",\"socialLinks\":{\"role\":\"admin\",\"email\":\"x\"}}";
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);

    assert_int_equal(change(box, &user, "/profile", all)->status, 200);
    assert_int_equal(change(box, &user, "/onboarding", all)->status, 200);
    assert_int_equal(change(box, &user, "/public-settings", all)->status, 200);

    const struct api_answer *got = api_user_manage(box, "GET", &user, "", NULL);
    assert_string_equal(api_answer_text(got, "id"), user.id);
    assert_string_equal(api_answer_text(got, "role"), "user");
    assert_string_equal(api_answer_text(got, "roles"), "[0]");
    assert_string_equal(api_answer_text(got, "email"), "ada@example.com");
    assert_string_equal(api_answer_text(got, "onboardingStatus"), "pending");
    assert_non_null(strstr(got->body, "\"emailVerified\":null"));
    assert_non_null(strstr(got->body, "\"mfaEnabled\":false"));
    assert_non_null(strstr(got->body, "\"banned\":false"));
    assert_non_null(strstr(ask(box, &user, user.id, "GET", "/preferences", NULL)->body, "\"locale\":null"));
    assert_non_null(strstr(ask(box, &user, user.id, "GET", "/notifications", NULL)->body, "\"sms\":false"));
    assert_refused(change(box, &user, "/profile", "{\"bio\":\"a\",\"bio\":\"b\"}"), 400, "user/invalid-request");
}

static void settings_begin_as_the_contract_says_and_keep_what_they_are_told(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);

    assert_string_equal(ask(box, &user, user.id, "GET", "/preferences", NULL)->body,
                        "{\"locale\":null,\"timezone\":null,\"theme\":null}");
    assert_string_equal(ask(box, &user, user.id, "GET", "/notifications", NULL)->body,
                        "{\"service\":true,\"marketing\":false,\"push\":true,\"email\":true,\"sms\":false,"
                        "\"nightTime\":false,\"securityAlerts\":true}");
    assert_string_equal(ask(box, &user, user.id, "GET", "/public-settings", NULL)->body,
                        "{\"slug\":null,\"isPublic\":false}");
    assert_string_equal(api_answer_text(ask(box, &user, user.id, "GET", "/onboarding", NULL), "status"), "pending");

    assert_string_equal(
        change(box, &user, "/preferences", "{\"locale\":\"pt-BR\",\"timezone\":\"Etc/GMT+1\",\"theme\":\"dark\"}")
            ->body,
        "{\"locale\":\"pt-BR\",\"timezone\":\"Etc/GMT+1\",\"theme\":\"dark\"}");
    (void)change(box, &user, "/notifications", "{\"push\":false,\"sms\":true}");
    (void)change(box, &user, "/notifications", "{\"sms\":false,\"marketing\":true}");
    assert_string_equal(ask(box, &user, user.id, "GET", "/notifications", NULL)->body,
                        "{\"service\":true,\"marketing\":true,\"push\":false,\"email\":true,\"sms\":false,"
                        "\"nightTime\":false,\"securityAlerts\":true}");
    assert_string_equal(api_answer_text(change(box, &user, "/onboarding", "{\"status\":\"completed\"}"), "status"),
                        "completed");
    assert_string_equal(api_answer_text(api_user_me(box, &user), "onboardingStatus"), "completed");
    assert_string_equal(change(box, &user, "/preferences", "{\"theme\":null}")->body,
                        "{\"locale\":\"pt-BR\",\"timezone\":\"Etc/GMT+1\",\"theme\":null}");
}

static void what_reactors_remember_of_accounts_outlives_a_changed_profile_and_no_changed_role(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);
    const unsigned long long before = atomic_load(&box->data->generation);

    assert_int_equal(change(box, &user, "/profile", "{\"bio\":\"b\"}")->status, 200);
    assert_int_equal(change(box, &user, "/public-settings", "{\"slug\":\"abc\"}")->status, 200);
    assert_true(atomic_load(&box->data->generation) == before);
    assert_int_equal(api_user_manage(box, "PATCH", &user, "/role", "{\"role\":\"guest\"}")->status, 200);
    assert_true(atomic_load(&box->data->generation) > before);
}

static void a_slug_belongs_to_one_user(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    struct api_user other;
    api_user_sign_up(box, &user);
    sign_up_other(box, &other);

    assert_string_equal(change(box, &user, "/public-settings", "{\"slug\":\"ada-1\"}")->body,
                        "{\"slug\":\"ada-1\",\"isPublic\":false}");
    const struct api_answer *taken = change(box, &other, "/public-settings", "{\"slug\":\"ada-1\",\"isPublic\":true}");
    assert_refused(taken, 409, "data/duplicate-value");
    assert_null(strstr(taken->body, user.id));
    assert_non_null(strstr(ask(box, &other, other.id, "GET", "/public-settings", NULL)->body, "\"isPublic\":false"));
    assert_int_equal(change(box, &user, "/public-settings", "{\"slug\":\"ada-1\",\"isPublic\":true}")->status, 200);
    assert_int_equal(change(box, &user, "/public-settings", "{\"slug\":null}")->status, 200);
    assert_int_equal(change(box, &other, "/public-settings", "{\"slug\":\"ada-1\"}")->status, 200);
}

static void attack_01_a_public_profile_shows_others_neither_address_nor_number(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    struct api_user other;
    api_user_sign_up(box, &user);
    sign_up_other(box, &other);
    (void)change(box, &user, "/profile", "{\"mobile\":\"+4930123456\",\"bio\":\"hello\"}");

    assert_refused(ask(box, &other, user.id, "GET", "/profile", NULL), 403, "user/forbidden");
    (void)change(box, &user, "/public-settings", "{\"isPublic\":true}");
    const struct api_answer *seen = ask(box, &other, user.id, "GET", "/profile", NULL);
    assert_int_equal(seen->status, 200);
    assert_string_equal(api_answer_text(seen, "bio"), "hello");
    assert_null(strstr(seen->body, "email"));
    assert_null(strstr(seen->body, "ada@"));
    assert_null(strstr(seen->body, "mobile"));
    assert_null(strstr(seen->body, "+4930"));
    assert_refused(ask(box, &other, user.id, "PATCH", "/profile", "{\"bio\":\"x\"}"), 403, "user/forbidden");
    assert_refused(ask(box, &other, user.id, "GET", "/public-settings", NULL), 403, "user/forbidden");
    assert_non_null(strstr(ask(box, &user, user.id, "GET", "/profile", NULL)->body, "+4930"));
}

static void a_picture_has_nowhere_to_go_and_can_be_taken_away(void **state)
{
    static const struct {
        const char *body;
        unsigned int status;
        const char *code;
    } uploads[] = {
        {"{\"filename\":\"a.png\"}", 500, "file/bucket-not-configured"},
        {"{\"filename\":\"A.JPG\",\"contentType\":null}", 500, "file/bucket-not-configured"},
        {"{\"filename\":\"a\",\"contentType\":\"image/webp\"}", 500, "file/bucket-not-configured"},
        {"{\"filename\":\"a.png\",\"contentType\":\"text/html\"}", 400, "user/invalid-request"},
        {"{\"filename\":\"a.svg\"}", 400, "user/invalid-request"},
        {"{\"filename\":\".png\"}", 400, "user/invalid-request"},
        {"{\"filename\":1}", 400, "user/invalid-request"},
        {"{}", 400, "user/invalid-request"},
    };
    struct api_box *box = *state;
    struct api_user user;
    struct api_user other;
    api_user_sign_up(box, &user);
    sign_up_other(box, &other);
    (void)change(box, &user, "/profile", "{\"image\":\"https://a.example/i.png\"}");

    for (size_t i = 0; i < ARRAY_LENGTH(uploads); i++) {
        assert_refused(ask(box, &user, user.id, "POST", "/avatar/upload-url", uploads[i].body), uploads[i].status,
                       uploads[i].code);
    }
    assert_refused(change(box, &user, "/avatar", "{\"s3Key\":\"k\"}"), 404, "file/not-found");
    assert_refused(change(box, &user, "/avatar", "{\"s3Key\":{}}"), 400, "user/invalid-request");
    assert_refused(ask(box, &other, user.id, "POST", "/avatar/upload-url", "{}"), 403, "user/forbidden");
    assert_refused(ask(box, &other, NOBODY, "PATCH", "/avatar", "{}"), 403, "user/forbidden");
    assert_refused(ask(box, &other, user.id, "DELETE", "/avatar", NULL), 403, "user/forbidden");
    assert_refused(ask(box, NULL, NOBODY, "POST", "/avatar/upload-url", "{}"), 404, "user/not-found");

    assert_int_equal(ask(box, &user, user.id, "DELETE", "/avatar", NULL)->status, 200);
    assert_non_null(strstr(ask(box, &user, user.id, "GET", "/profile", NULL)->body, "\"image\":null"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, api_box_set_up, api_box_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_part_is_for_its_user_and_administrators_and_who_may_is_decided_before_the_id),
        T(a_profile_is_set_and_read_and_cleared_with_null),
        T(a_member_out_of_its_bounds_is_refused_and_nothing_is_changed),
        T(lengths_are_counted_in_characters),
        T(attack_07_no_part_takes_a_member_of_another_or_of_the_account),
        T(settings_begin_as_the_contract_says_and_keep_what_they_are_told),
        T(what_reactors_remember_of_accounts_outlives_a_changed_profile_and_no_changed_role),
        T(a_slug_belongs_to_one_user),
        T(attack_01_a_public_profile_shows_others_neither_address_nor_number),
        T(a_picture_has_nowhere_to_go_and_can_be_taken_away),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
