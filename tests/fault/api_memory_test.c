/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a request answers when the k-th allocation on its way is refused, for k = 1, 2, ... until one is untouched: a
 * clean error, nothing half done, and a box that goes on as if nothing had been. */
/* link: --wrap=http_respond --wrap=http_body --wrap=calloc --wrap=queue_wait --wrap=store_has_leftovers */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/queue.h"
#include "storage/store.h"
#include "tests/lib/api_issuer.h"
#include "tests/lib/api_mail.h"
#include "tests/lib/api_mfa.h"

void *__real_calloc(size_t count, size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);

static atomic_int left; /* allocations until one is refused; 0: none is */
static int next;
static atomic_bool refused;

void *__wrap_calloc(size_t count, size_t bytes)
{
    if (atomic_load(&left) > 0 && atomic_fetch_sub(&left, 1) == 1) {
        atomic_store(&refused, true);
        return NULL;
    }
    return __real_calloc(count, bytes);
}

/* What the writer does when nobody asks for anything would meet the refusal in place of the request: it does nothing. */
enum err __real_queue_wait(struct queue *queue, unsigned int timeout_ms, void **out_item);
enum err __wrap_queue_wait(struct queue *queue, unsigned int timeout_ms, void **out_item);
enum err __wrap_queue_wait(struct queue *queue, unsigned int timeout_ms, void **out_item)
{
    enum err err = ERR_OK;

    do {
        err = __real_queue_wait(queue, timeout_ms, out_item);
    } while (err == ERR_TIMEOUT);
    return err;
}

bool __wrap_store_has_leftovers(const struct store *store);
bool __wrap_store_has_leftovers(const struct store *store)
{
    (void)store;
    return false;
}

static struct api_box *hourly; /* an hour passes before each try, if set */

static void arm(void)
{
    if (hourly != NULL) {
        sim_clock_advance_ms(&hourly->clock, 3600 * 1000);
    }
    atomic_store(&refused, false);
    atomic_store(&left, next);
}

static int setup(void **state)
{
    struct api_box *box = api_box_new();
    char id[64];
    api_box_table(box, "{\"tableName\":\"posts\",\"schema\":{\"n\":{\"type\":\"int\"}}}", id);
    *state = box;
    return 0;
}

static int teardown(void **state)
{
    api_box_free(*state);
    return 0;
}

#define LONG_TARGET 6000
#define MOST        400 /* more allocations than any request makes */

/* Asks with the k-th allocation refused, for each k; hands back the first untouched answer. After a refusal `unchanged`
 * must still answer as it did before. */
static unsigned int survive(struct api_box *box, const struct api_ask *ask, const struct api_ask *unchanged)
{
    struct api_answer before = *api_box_ask(box, unchanged);

    for (next = 1; next < MOST; next++) {
        box->before = arm;
        const unsigned int status = api_box_ask(box, ask)->status;
        atomic_store(&left, 0);
        box->before = NULL;
        if (status < 400) { /* untouched, or only something that may fail was refused: the answer stands */
            print_message("%d refusals\n", next - 1);
            assert_true(next > 3);
            return status;
        }
        assert_true(atomic_load(&refused));
        assert_true(status == 503 || status == 413 || status == 500);
        const struct api_answer *now = api_box_ask(box, unchanged);
        assert_int_equal(now->status, before.status);
        assert_string_equal(now->body, before.body);
    }
    return 0;
}

static void a_row_is_created_whole_or_not_at_all(void **state)
{
    struct api_box *box = *state;
    const struct api_ask ask = {
        .method = "POST", .target = "/v1/data/posts", .key = box->secret, .body = "{\"n\":1,\"x\":[1,{\"y\":2}]}"};
    const struct api_ask list = {.method = "GET", .target = "/v1/data/posts", .key = box->publishable};

    assert_int_equal(survive(box, &ask, &list), 201);
}

static void a_list_is_answered_whole_or_not_at_all(void **state)
{
    struct api_box *box = *state;
    const struct api_ask ask = {.method = "GET",
                                .target = "/v1/data/posts?sortBy=n&andFilters=%7B%22n%22%3A%7B%22%24gte%22%3A0%7D%7D",
                                .key = box->publishable};
    const struct api_ask list = {.method = "GET", .target = "/v1/data/posts", .key = box->publishable};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(api_box_send(box, "POST", box->secret, "/v1/data/posts", "{\"n\":1}")->status, 201);
    }

    assert_int_equal(survive(box, &ask, &list), 200);
}

static void users_are_listed_with_their_accounts_whole_or_not_at_all(void **state)
{
    struct api_box *box = *state;
    const struct api_ask ask = {
        .method = "GET", .target = "/v1/users?search=a&sortBy=email&includeAccounts=true", .key = box->secret};
    const struct api_ask list = {.method = "GET", .target = "/v1/users", .key = box->secret};
    struct api_user user;
    api_user_sign_up(box, &user);

    assert_int_equal(survive(box, &ask, &list), 200);
}

static void a_built_in_table_is_described_whole_or_not_at_all(void **state)
{
    struct api_box *box = *state;
    const struct api_ask ask = {.method = "GET", .target = "/v1/data/users/spec", .key = box->secret};
    const struct api_ask list = {.method = "GET", .target = "/v1/users", .key = box->secret};

    assert_int_equal(survive(box, &ask, &list), 200);
}

static void a_profile_is_changed_whole_or_not_at_all(void **state)
{
    struct api_box *box = *state;
    char target[128];
    struct api_user user;
    api_user_sign_up(box, &user);
    (void)snprintf(target, sizeof target, "/v1/users/%s/profile", user.id);
    const struct api_ask ask = {.method = "PATCH",
                                .target = target,
                                .key = box->secret,
                                .body = "{\"bio\":\"b\",\"socialLinks\":{\"github\":\"g\"}}"};
    const struct api_ask read = {.method = "GET", .target = target, .key = box->secret};

    assert_int_equal(survive(box, &ask, &read), 200);
}

static void a_table_is_made_whole_or_not_at_all(void **state)
{
    struct api_box *box = *state;
    const struct api_ask ask = {.method = "POST",
                                .target = "/v1/admin/tables",
                                .key = box->secret,
                                .body = "{\"tableName\":\"more\",\"schema\":{\"a\":{\"type\":\"int\",\"unique\":true}},"
                                        "\"permissions\":{\"guest\":{\"read\":true}},"
                                        "\"indexes\":[{\"name\":\"i\",\"fields\":{\"b\":-1}}]}"};
    const struct api_ask list = {.method = "GET", .target = "/v1/admin/tables", .key = box->secret};

    assert_int_equal(survive(box, &ask, &list), 201);
    api_box_restart(box);
    assert_int_equal(api_box_get(box, box->publishable, "/v1/data/more")->status, 200);
}

static void a_key_is_made_whole_or_not_at_all(void **state)
{
    struct api_box *box = *state;
    const struct api_ask ask = {.method = "POST",
                                .target = "/v1/admin/api-keys",
                                .key = box->secret,
                                .body = "{\"name\":\"k\",\"type\":\"secret\",\"scopes\":[\"posts:read\"]}"};
    const struct api_ask list = {.method = "GET", .target = "/v1/admin/api-keys", .key = box->secret};

    assert_int_equal(survive(box, &ask, &list), 201);
}

static void a_mail_is_sent_whole_or_not_at_all(void **state)
{
    struct api_box *box = *state;
    const struct api_ask ask = {.method = "POST",
                                .target = SIGN_UP,
                                .key = box->publishable,
                                .body = "{\"method\":\"magiclink\",\"email\":\"ada@example.com\",\"name\":\"Ada\","
                                        "\"callbackUrl\":\"http://localhost:3000/\"}"};
    const struct api_ask mails = {.method = "GET", .target = "/v1/admin/outbox", .key = box->secret};

    hourly = box; /* the limit of mails is taken before anything can fail */
    assert_int_equal(survive(box, &ask, &mails), 201);
    hourly = NULL;

    assert_int_equal(api_mail_count(box, "ada@example.com", "magic_link"), 1);
}

static void a_code_is_accepted_whole_or_not_at_all(void **state)
{
    struct api_box *box = *state;
    char code[DATA_CODE_TEXT_BYTES + 1];
    char body[256];
    struct api_user user;
    const struct api_ask ask = {
        .method = "POST", .target = "/v1/auth/email/verify/confirm", .key = box->publishable, .body = body};
    const struct api_ask users = {.method = "GET", .target = "/v1/users", .key = box->secret};
    api_user_sign_up(box, &user);
    api_mail_token(box, "ada@example.com", "signup_confirmation", code);
    (void)snprintf(body, sizeof body, "{\"email\":\"ada@example.com\",\"token\":\"%s\"}", code);

    assert_int_equal(survive(box, &ask, &users), 200);
}

static void a_second_factor_is_confirmed_and_a_code_used_whole_or_not_at_all(void **state)
{
    struct api_box *box = *state;
    char code[64];
    char password[128];
    struct api_user user;
    struct api_app app;
    const struct api_ask confirm = {
        .method = "POST", .target = MFA_CONFIRM, .key = box->publishable, .header = user.header, .body = code};
    const struct api_ask disable = {
        .method = "POST", .target = MFA_DISABLE, .key = box->publishable, .header = user.header, .body = password};
    const struct api_ask users = {.method = "GET", .target = "/v1/users", .key = box->secret};
    api_user_sign_up(box, &user);
    api_app_enable(box, &user, &app);
    (void)snprintf(code, sizeof code, "{\"code\":\"%s\"}", api_app_code(box, &app, 0));
    (void)snprintf(password, sizeof password, "{\"password\":\"abc123\",\"code\":\"%s\"}", app.backup[0]);

    assert_int_equal(survive(box, &confirm, &users), 200);
    assert_string_equal(api_app_is_on(box, &user), "true");
    assert_int_equal(survive(box, &disable, &users), 200); /* no refused one used the code up */
    assert_string_equal(api_app_is_on(box, &user), "false");
}

static void a_template_is_changed_whole_or_not_at_all(void **state)
{
    struct api_box *box = *state;
    const struct api_ask ask = {.method = "PUT",
                                .target = "/v1/admin/email-templates/invitation",
                                .key = box->secret,
                                .body = "{\"subject\":\"s\",\"body\":\"b\"}"};
    const struct api_ask templates = {.method = "GET", .target = "/v1/admin/email-templates", .key = box->secret};

    assert_int_equal(survive(box, &ask, &templates), 200);
}

static void mail_settings_are_changed_whole_or_not_at_all(void **state)
{
    struct api_box *box = *state;
    const struct api_ask ask = {.method = "PUT",
                                .target = "/v1/admin/email-settings",
                                .key = box->secret,
                                .body = "{\"senderEmail\":\"a@b.c\",\"smtp\":{\"host\":\"mail.example.com\","
                                        "\"user\":\"u\",\"password\":\"p\"}}"};
    const struct api_ask settings = {.method = "GET", .target = "/v1/admin/email-settings", .key = box->secret};

    assert_int_equal(survive(box, &ask, &settings), 200);
}

/* Document and keys are an hour old at each try, so they are fetched as well. */
static void check_sign_up_by_an_issuer(struct api_box *box, const struct api_ask *ask)
{
    struct api_issuer *issuer = api_issuer_new(box);
    const struct api_ask users = {.method = "GET", .target = "/v1/users", .key = box->secret};
    issuer->claims = "\"sub\":\"g\",\"email\":\"grace@example.com\",\"email_verified\":true";
    api_issuer_configure(box, "corp", ",\"redirectUri\":\"https://app.example/\"");

    hourly = box; /* thirty tries a minute */
    assert_int_equal(survive(box, ask, &users), 200);
    hourly = NULL;

    assert_string_equal(api_answer_text(api_box_ask(box, &users), "pagination.total"), "1");
    box->outbound = (struct outbound){.submit = NULL};
    api_box_restart(box);
    api_issuer_free(issuer);
}

static void somebody_signs_up_by_an_issuer_whole_or_not_at_all(void **state)
{
    struct api_box *box = *state;
    const struct api_ask ask = {.method = "POST",
                                .target = CALLBACK,
                                .key = box->publishable,
                                .body = "{\"code\":\"c\",\"redirectUri\":\"https://app.example/\"}"};

    check_sign_up_by_an_issuer(box, &ask);
}

/* The query is longer than what is free of the arena's first block, so decoding it asks for memory. */
static void somebody_comes_back_from_an_issuer_whole_or_not_at_all(void **state)
{
    struct api_box *box = *state;
    char target[LONG_TARGET];
    int at = snprintf(target, sizeof target, CALLBACK "?code=c&state=");
    for (; (size_t)at + 4 < sizeof target; at += 3) {
        memcpy(target + at, "%61", 4);
    }
    const struct api_ask ask = {.method = "GET", .target = target};

    check_sign_up_by_an_issuer(box, &ask);
}

static void an_issuer_is_configured_whole_or_not_at_all(void **state)
{
    struct api_box *box = *state;
    const struct api_ask ask = {.method = "PUT",
                                .target = ISSUER_AT "corp",
                                .key = box->secret,
                                .body = "{\"issuer\":\"https://id.example/\",\"scopes\":[\"openid\"]}"};
    const struct api_ask read = {.method = "GET", .target = ISSUER_AT "corp", .key = box->secret};
    api_issuer_configure(box, "corp", "");

    assert_int_equal(survive(box, &ask, &read), 200);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_row_is_created_whole_or_not_at_all),
        T(a_list_is_answered_whole_or_not_at_all),
        T(users_are_listed_with_their_accounts_whole_or_not_at_all),
        T(a_built_in_table_is_described_whole_or_not_at_all),
        T(a_profile_is_changed_whole_or_not_at_all),
        T(a_table_is_made_whole_or_not_at_all),
        T(a_key_is_made_whole_or_not_at_all),
        T(a_mail_is_sent_whole_or_not_at_all),
        T(a_code_is_accepted_whole_or_not_at_all),
        T(a_second_factor_is_confirmed_and_a_code_used_whole_or_not_at_all),
        T(a_template_is_changed_whole_or_not_at_all),
        T(mail_settings_are_changed_whole_or_not_at_all),
        T(somebody_signs_up_by_an_issuer_whole_or_not_at_all),
        T(somebody_comes_back_from_an_issuer_whole_or_not_at_all),
        T(an_issuer_is_configured_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
