/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How often an address signs up, and a session is refreshed. Spec: contract 1.9. */
/* link: --wrap=http_respond --wrap=http_body */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/api_user.h"

#define SIGN_UPS_AN_HOUR 600u
#define ADA              ACCOUNT("ada@example.com", "abc123")
#define BOB              ACCOUNT("bob@example.com", "abc123")

/* Windows begin now. */
static void begin_hour(struct api_box *box)
{
    const int64_t s = hal_clock_wall(&box->clock.base).ms / 1000 % 3600;

    sim_clock_advance_ms(&box->clock, (uint64_t)(3600 - s) * 1000);
}

static const struct api_answer *sign_up_from(struct api_box *box, const char *peer, const char *body)
{
    const struct api_ask ask = {
        .method = "POST", .target = SIGN_UP, .key = box->publishable, .body = body, .peer = peer};

    return api_box_ask(box, &ask);
}

static void attack_13_an_address_signs_up_six_hundred_times_an_hour(void **state)
{
    struct api_box *box = *state;
    begin_hour(box);
    assert_int_equal(sign_up_from(box, NULL, ADA)->status, 201);
    for (unsigned int i = 1; i < SIGN_UPS_AN_HOUR; i++) { /* of an address that is taken: nothing is hashed */
        assert_refused(sign_up_from(box, NULL, ADA), 409, "auth/email-already-exists");
    }

    const struct api_answer *refused = sign_up_from(box, NULL, BOB);

    assert_refused(refused, 429, "auth/too-many-requests");
    assert_non_null(strstr(refused->body, "429"));
    assert_non_null(strstr(refused->headers, "Retry-After: 3600\n"));
    assert_refused(sign_up_from(box, NULL, "{\"method\":\"magiclink\",\"email\":\"bob@example.com\"}"), 429,
                   "auth/too-many-requests");
    assert_int_equal(sign_up_from(box, "198.51.100.9", BOB)->status, 201);
    sim_clock_advance_ms(&box->clock, UINT64_C(3600000));
    assert_refused(sign_up_from(box, NULL, BOB), 409, "auth/email-already-exists");
}

/* A wrong password or body does not count: nothing was asked of the box that costs. */
static void what_is_malformed_is_not_counted_as_a_sign_up(void **state)
{
    struct api_box *box = *state;
    begin_hour(box);
    for (unsigned int i = 0; i <= SIGN_UPS_AN_HOUR; i++) {
        assert_refused(sign_up_from(box, NULL, ACCOUNT("ada", "abc123")), 400, "auth/invalid-email");
    }

    assert_int_equal(sign_up_from(box, NULL, ADA)->status, 201);
}

static void take_refresh(const struct api_answer *answer, struct api_user *user)
{
    assert_int_equal(answer->status, 200);
    api_user_take(answer, user);
}

static const struct api_answer *refresh(struct api_box *box, const struct api_user *user)
{
    char body[AUTH_TOKEN_MAX + 64];

    (void)snprintf(body, sizeof body, "{\"refreshToken\":\"%s\"}", user->refresh);
    return api_box_send(box, "POST", box->publishable, REFRESH, body);
}

static void a_session_is_refreshed_ten_times_a_minute(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    struct api_user other;
    begin_hour(box);
    api_user_sign_up(box, &user);
    api_user_take(api_box_send(box, "POST", box->publishable, SIGN_IN, ADA), &other);
    for (unsigned int i = 0; i < 10; i++) {
        take_refresh(refresh(box, &user), &user);
    }

    const struct api_answer *refused = refresh(box, &user);

    assert_refused(refused, 429, "auth/too-many-requests");
    assert_non_null(strstr(refused->headers, "Retry-After: 60\n"));
    assert_int_equal(api_user_me(box, &user)->status, 200);
    take_refresh(refresh(box, &other), &other); /* another session has its own */
    sim_clock_advance_ms(&box->clock, 60000);
    take_refresh(refresh(box, &user), &user); /* the token that was refused was not consumed */
}

#define T(name) cmocka_unit_test_setup_teardown(name, api_box_set_up, api_box_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(attack_13_an_address_signs_up_six_hundred_times_an_hour),
        T(what_is_malformed_is_not_counted_as_a_sign_up),
        T(a_session_is_refreshed_ten_times_a_minute),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
