/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What asks for a mail is answered at its hour, whatever happened behind. Contract 5.5; attacks.md 10. */
/* link: --wrap=http_respond --wrap=http_body */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/api_user.h"

#define HOLD_MS 16
#define TURNS   4 /* what is due runs in the first */

static int set_up(void **state)
{
    struct api_box *box = api_box_new();

    box->mail_hold_ms = HOLD_MS;
    api_box_restart(box);
    *state = box;
    return 0;
}

static struct api_box_pending *begin(struct api_box *box, const char *target, const char *body)
{
    const struct api_ask ask = {.method = "POST", .target = target, .key = box->publishable, .body = body};

    return api_box_begin(box, &ask);
}

/* The writer works in order: what was handed to it before is done when this is, and its answer has been taken. */
static void let_the_writer_finish(struct api_box *box)
{
    assert_int_equal(
        api_box_send(box, "POST", box->secret, "/v1/users", "{\"email\":\"last@example.com\",\"name\":\"L\"}")->status,
        201);
}

static void pass_ms(struct api_box *box, uint64_t ms)
{
    sim_clock_advance_ms(&box->clock, ms);
    for (unsigned int i = 0; i < TURNS; i++) {
        assert_int_equal(loop_turn(box->loop, 0), ERR_OK);
    }
}

/* Asked, done behind, and not answered before its hour. */
static void assert_held(struct api_box *box, const char *target, const char *body)
{
    struct api_box_pending *asked = begin(box, target, body);
    let_the_writer_finish(box);
    assert_false(api_box_is_done(asked));

    pass_ms(box, HOLD_MS - 1);
    const bool early = api_box_is_done(asked);
    pass_ms(box, LOOP_TICK_MS + 1);

    assert_false(early);
    assert_true(api_box_is_done(asked));
    assert_int_equal(api_box_finish(box, asked)->status, 200);
}

static void attack_10_a_mail_to_nobody_is_answered_at_its_hour(void **state)
{
    assert_held(*state, "/v1/auth/password/reset/request", "{\"email\":\"nobody@example.com\"}");
}

static void attack_10_a_mail_to_somebody_is_answered_at_the_same_hour(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);
    api_box_pass_s(box, 31);

    assert_held(box, "/v1/auth/password/reset/request", "{\"email\":\"ada@example.com\"}");
}

static void a_sign_in_link_is_held_too(void **state)
{
    assert_held(*state, "/v1/auth/email/signin", "{\"email\":\"nobody@example.com\",\"method\":\"magiclink\"}");
}

static void a_confirmation_is_held_too(void **state)
{
    assert_held(*state, "/v1/auth/signup/email/resend", "{\"email\":\"nobody@example.com\"}");
}

static void a_verification_is_held_too(void **state)
{
    assert_held(*state, "/v1/auth/email/verify/send", "{\"email\":\"nobody@example.com\"}");
}

static void what_took_longer_is_held_until_the_next_hour(void **state)
{
    struct api_box *box = *state;
    struct api_box_pending *asked = begin(box, "/v1/auth/password/reset/request", "{\"email\":\"n@example.com\"}");
    sim_clock_advance_ms(&box->clock, 2 * HOLD_MS + 1);
    let_the_writer_finish(box);

    pass_ms(box, HOLD_MS - 2);
    const bool early = api_box_is_done(asked);
    pass_ms(box, LOOP_TICK_MS + 1);

    assert_false(early);
    assert_int_equal(api_box_finish(box, asked)->status, 200);
}

static void a_client_that_goes_while_its_answer_is_held_does_no_harm(void **state)
{
    struct api_box *box = *state;
    struct api_box_pending *asked = begin(box, "/v1/auth/password/reset/request", "{\"email\":\"n@example.com\"}");
    let_the_writer_finish(box);

    api_box_hang_up(asked);
    pass_ms(box, HOLD_MS + LOOP_TICK_MS);

    assert_true(api_box_is_done(asked));
    (void)api_box_finish(box, asked);
}

static void a_request_that_is_refused_before_it_asks_for_a_mail_is_not_held(void **state)
{
    struct api_box *box = *state;

    assert_refused(api_box_post(box, "/v1/auth/password/reset/request", "{\"email\":\"no address\"}"), 400,
                   "auth/invalid-email");
}

#define HELD(test_) cmocka_unit_test_setup_teardown(test_, set_up, api_box_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HELD(attack_10_a_mail_to_nobody_is_answered_at_its_hour),
        HELD(attack_10_a_mail_to_somebody_is_answered_at_the_same_hour),
        HELD(a_sign_in_link_is_held_too),
        HELD(a_confirmation_is_held_too),
        HELD(a_verification_is_held_too),
        HELD(what_took_longer_is_held_until_the_next_hour),
        HELD(a_client_that_goes_while_its_answer_is_held_does_no_harm),
        HELD(a_request_that_is_refused_before_it_asks_for_a_mail_is_not_held),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
