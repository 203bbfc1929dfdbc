/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ports that are not the administrator's. */
/* link: --wrap=http_respond --wrap=http_body */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/api/request_int.h"
#include "tests/lib/api_box.h"

static const char *const methods[] = {
    [HTTP_GET] = "GET", [HTTP_POST] = "POST", [HTTP_PUT] = "PUT", [HTTP_PATCH] = "PATCH", [HTTP_DELETE] = "DELETE"};

static bool is_administrators(const struct route *route)
{
    return strncmp(route->pattern, "/v1/admin/", strlen("/v1/admin/")) == 0;
}

/* Of all routes there are; with the key that may do everything. */
static void apart_there_is_nothing_of_the_administrators(void **state)
{
    struct api_box *const box = *state;
    size_t count = 0;
    size_t asked = 0;
    const struct route *const routes = route_table(&count);

    for (size_t i = 0; i < count; i++) {
        if (!is_administrators(&routes[i])) {
            continue;
        }
        const struct api_ask ask = {
            .method = methods[routes[i].method], .target = routes[i].pattern, .key = box->secret, .apart = true};
        assert_refused(api_box_ask(box, &ask), 404, "common/not-found");
        asked++;
    }

    assert_true(asked > 50);
}

/* Nor a word of what there would be. */
static void apart_other_methods_and_odd_paths_are_not_found_either(void **state)
{
    struct api_box *const box = *state;
    static const struct {
        const char *method;
        const char *target;
    } asked[] = {{"DELETE", "/v1/admin/tables"}, {"GET", "/v1/admin"}, {"GET", "/v1/admin/nothing"},
                 {"GET", "/v1/%61dmin/tables"},  {"GET", "/v1/admin/tables?x=1"}};

    for (size_t i = 0; i < ARRAY_LENGTH(asked); i++) {
        const struct api_ask ask = {.method = asked[i].method, .target = asked[i].target, .key = box->secret, .apart = true};
        const struct api_answer *const answer = api_box_ask(box, &ask);
        assert_refused(answer, 404, "common/not-found");
        assert_null(strstr(answer->headers, "Allow:"));
    }
}

/* In the only state in which a box can be; the attempt is not even read. */
static void apart_nothing_is_unlocked(void **state)
{
    struct api_box *const box = *state;
    struct api *const locked = api_box_in_state(box, BOARD_LOCKED, LIFE_REASON_NO_TPM);
    struct api_ask ask = {.method = "POST", .target = "/v1/system/unlock", .body = "{\"pin\":1}", .api = locked};
    const struct api_ask state_of = {.method = "GET", .target = "/v1/system/state", .api = locked, .apart = true};

    assert_refused(api_box_ask(box, &ask), 400, "common/invalid-parameters");
    ask.apart = true;
    assert_refused(api_box_ask(box, &ask), 503, "common/unavailable");
    assert_int_equal(api_box_ask(box, &state_of)->status, 200);
    api_free(locked);
}

static void apart_everything_else_is_there(void **state)
{
    struct api_box *const box = *state;
    const struct api_ask health = {.method = "GET", .target = "/healthz", .apart = true};
    const struct api_ask users = {.method = "GET", .target = "/v1/users", .key = box->secret, .apart = true};

    assert_int_equal(api_box_ask(box, &health)->status, 200);
    assert_int_equal(api_box_ask(box, &users)->status, 200);
    assert_int_equal(api_box_get(box, box->secret, "/v1/admin/tables")->status, 200); /* where he is */
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, api_box_set_up, api_box_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(apart_there_is_nothing_of_the_administrators),
        TEST(apart_other_methods_and_odd_paths_are_not_found_either),
        TEST(apart_nothing_is_unlocked),
        TEST(apart_everything_else_is_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
