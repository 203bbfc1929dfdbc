/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Failed sign-ins: limits of an address and of an account, across starts, and what keeping them costs. Spec: contract 1.9;
 * attacks.md classes 11 and 13. */
/* link: --wrap=http_respond --wrap=http_body --wrap=limits_kept_write */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/data/data_int.h"
#include "hal/base/fault.h"
#include "tests/lib/api_user.h"

#define ADA_RIGHT ACCOUNT("ada@example.com", "abc123")
#define ADA_WRONG ACCOUNT("ada@example.com", "wrong1")
#define FAILS     5
#define LOCKS     50
#define KEEP_MS   5000
#define WINDOW_MS 900000

/* The disk is full, say. */
static bool writes_fail;

enum err __wrap_limits_kept_write(struct limits *limits, uint32_t block, struct wall_time now, struct buf *out);
enum err __real_limits_kept_write(struct limits *limits, uint32_t block, struct wall_time now, struct buf *out);

enum err __wrap_limits_kept_write(struct limits *limits, uint32_t block, struct wall_time now, struct buf *out)
{
    const enum err err = __real_limits_kept_write(limits, block, now, out);

    return writes_fail ? ERR_FULL : err;
}

static const struct api_answer *sign_in(struct api_box *box, const char *peer, const char *body)
{
    const struct api_ask ask = {
        .method = "POST", .target = SIGN_IN, .key = box->publishable, .body = body, .peer = peer};

    return api_box_ask(box, &ask);
}

static void guess(struct api_box *box, const char *peer, unsigned int times)
{
    for (unsigned int i = 0; i < times; i++) {
        assert_refused(sign_in(box, peer, ADA_WRONG), 401, "auth/invalid-credentials");
    }
}

/* From addresses of their own, a few each. */
static void guess_from_many(struct api_box *box, unsigned int times)
{
    char peer[32];

    for (unsigned int i = 0; i < times; i++) {
        (void)snprintf(peer, sizeof peer, "198.51.100.%u", i / 4);
        guess(box, peer, 1);
    }
}

/* Another process: the table of counters is a new one. */
static void new_process(struct api_box *box)
{
    static const uint8_t seed[LIMITS_SEED_BYTES] = {7};

    limits_free(box->limits);
    box->limits = NULL;
    assert_int_equal(limits_new(4096, seed, &box->limits), ERR_OK);
    assert_int_equal(api_box_open(box), ERR_OK);
}

static void restart(struct api_box *box)
{
    api_box_close(box);
    new_process(box);
}

static uint32_t changed_blocks(const struct api_box *box)
{
    uint32_t changed = 0;

    for (uint32_t block = 0; block < LIMITS_KEPT_BLOCKS; block++) {
        changed += limits_kept_changed(box->limits, block);
    }
    return changed;
}

/* What is queued is written before this is. */
static void wait_for_writer(struct api_box *box)
{
    assert_int_equal(
        api_box_send(box, "POST", box->secret, "/v1/admin/tables", "{\"tableName\":\"7\",\"schema\":{}}")->status, 400);
}

static void attack_11_an_account_is_locked_for_every_address_after_fifty_failures(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);
    guess_from_many(box, LOCKS - 1);
    api_user_take(sign_in(box, "203.0.113.1", ADA_RIGHT), &user);
    guess(box, "203.0.113.2", 1);

    const struct api_answer *locked = sign_in(box, "203.0.113.1", ADA_RIGHT);

    assert_refused(locked, 429, "auth/account-locked");
    assert_non_null(strstr(locked->headers, "Retry-After: "));
    assert_int_equal(api_user_me(box, &user)->status, 200); /* sessions go on */
    assert_int_equal(
        api_box_send(box, "POST", box->publishable, SIGN_UP, ACCOUNT("bob@example.com", "abc123"))->status, 201);
    sim_clock_advance_ms(&box->clock, WINDOW_MS);
    api_user_take(sign_in(box, "203.0.113.1", ADA_RIGHT), &user);
}

static void attack_11_a_start_gives_no_new_tries(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);
    guess(box, "203.0.113.1", FAILS - 1);

    restart(box);
    guess(box, "203.0.113.1", 1);
    assert_refused(sign_in(box, "203.0.113.1", ADA_RIGHT), 429, "auth/too-many-login-attempts");
    guess_from_many(box, LOCKS - FAILS);
    restart(box);

    assert_refused(sign_in(box, "203.0.113.1", ADA_RIGHT), 429, "auth/too-many-login-attempts");
    assert_refused(sign_in(box, "203.0.113.9", ADA_RIGHT), 429, "auth/account-locked");
    restart(box); /* what nobody counted since is still there */
    assert_refused(sign_in(box, "203.0.113.9", ADA_RIGHT), 429, "auth/account-locked");
    sim_clock_advance_ms(&box->clock, WINDOW_MS);
    restart(box);
    api_user_take(sign_in(box, "203.0.113.1", ADA_RIGHT), &user);
}

static void attack_11_an_ipv6_household_has_five_tries(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    char peer[64];
    api_user_sign_up(box, &user);

    for (unsigned int i = 0; i < FAILS; i++) {
        (void)snprintf(peer, sizeof peer, "2001:db8:1:2:%u::7", i);
        guess(box, peer, 1);
    }

    assert_refused(sign_in(box, "2001:db8:1:2:ffff::1", ADA_RIGHT), 429, "auth/too-many-login-attempts");
    api_user_take(sign_in(box, "2001:db8:1:3::1", ADA_RIGHT), &user);
}

/* However many tries there are, one write in five seconds, and none without any. */
static void attack_13_failed_sign_ins_are_written_together_and_seldom(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);
    data_keep(box->data);
    guess(box, "203.0.113.1", 1);
    assert_int_not_equal(changed_blocks(box), 0); /* a try writes nothing */

    data_keep(box->data);
    wait_for_writer(box);
    assert_int_equal(changed_blocks(box), 0);
    guess(box, "203.0.113.2", 2);
    sim_clock_advance_ms(&box->clock, KEEP_MS - 1);
    data_keep(box->data);
    wait_for_writer(box);
    assert_int_not_equal(changed_blocks(box), 0);
    sim_clock_advance_ms(&box->clock, 1);
    data_keep(box->data);
    wait_for_writer(box);

    assert_int_equal(changed_blocks(box), 0);
}

/* With nearly every counter in use a write takes 64 KiB of them and no more, and in turn all are written. */
static void attack_13_a_write_of_counters_is_bounded(void **state)
{
    const struct limits_rule rule = {.kind = LIMITS_KIND_KEPT, .limit = 5, .window_s = 900};
    struct api_box *box = *state;
    struct limits_state left = {0};
    uint32_t lost = 0;
    for (uint32_t i = 0; i < 24000; i++) {
        assert_int_equal(limits_take(box->limits, &rule, span_of(&i, sizeof i), hal_clock_wall(&box->clock.base), &left),
                         ERR_OK);
    }

    for (uint32_t before = LIMITS_KEPT_BLOCKS; before > 0; before = changed_blocks(box)) {
        assert_int_equal(changed_blocks(box), before);
        data_keep(box->data);
        wait_for_writer(box);
        sim_clock_advance_ms(&box->clock, KEEP_MS);
        assert_in_range(before - changed_blocks(box), before < 8 ? before : 8, 10);
    }
    restart(box);

    for (uint32_t i = 0; i < 24000; i++) {
        assert_int_equal(limits_look(box->limits, &rule, span_of(&i, sizeof i), hal_clock_wall(&box->clock.base), &left),
                         ERR_OK);
        lost += left.remaining != 4;
    }
    assert_in_range(lost, 0, 1200); /* of sets that were full */
}

static void what_could_not_be_written_is_written_the_next_time(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);
    guess(box, "203.0.113.1", FAILS);
    const uint32_t before = changed_blocks(box);
    writes_fail = true;
    data_keep(box->data);
    wait_for_writer(box);
    assert_int_equal(changed_blocks(box), before);
    writes_fail = false;
    sim_clock_advance_ms(&box->clock, KEEP_MS);

    data_keep(box->data);
    wait_for_writer(box);

    assert_int_equal(changed_blocks(box), 0);
    restart(box);
    assert_refused(sign_in(box, "203.0.113.1", ADA_RIGHT), 429, "auth/too-many-login-attempts");
}

static void a_reset_of_the_password_gives_all_tries_back(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);
    guess(box, "203.0.113.1", FAILS);
    assert_refused(sign_in(box, "203.0.113.1", ADA_RIGHT), 429, "auth/too-many-login-attempts");

    assert_int_equal(api_user_ask(box, box->publishable, &user, "POST", "/v1/auth/password/change",
                                  "{\"currentPassword\":\"abc123\",\"newPassword\":\"other1\"}")
                         ->status,
                     200);

    api_user_take(sign_in(box, "203.0.113.1", ACCOUNT("ada@example.com", "other1")), &user);
}

#define T(name) cmocka_unit_test_setup_teardown(name, api_box_set_up, api_box_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(attack_11_an_account_is_locked_for_every_address_after_fifty_failures),
        T(attack_11_a_start_gives_no_new_tries),
        T(attack_11_an_ipv6_household_has_five_tries),
        T(attack_13_failed_sign_ins_are_written_together_and_seldom),
        T(attack_13_a_write_of_counters_is_bounded),
        T(what_could_not_be_written_is_written_the_next_time),
        T(a_reset_of_the_password_gives_all_tries_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
