/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/supervisor/health.h, with a clock that the test turns. */
#include "firmware/supervisor/health.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "hal/base/attr.h"

#define S_MS 1000U

static const struct health_limits limits = {
    .start_ms = 30 * S_MS, .silence_ms = 16 * S_MS, .crashes = 3, .window_ms = 100 * S_MS};

static struct mono_time at(unsigned int seconds)
{
    return mono_add_ms((struct mono_time){UINT64_C(1000000000000)}, (uint64_t)seconds * S_MS);
}

/* Looks once a second, from the second after `from` to `to`; the last verdict. */
static enum health_verdict look_until(struct health *health, unsigned int from, unsigned int to)
{
    enum health_verdict verdict = HEALTH_WELL;

    for (unsigned int second = from + 1; second <= to; second++) {
        verdict = health_look(health, at(second));
    }
    return verdict;
}

static void a_child_that_does_not_get_ready_is_late_at_the_limit_and_not_before(void **state)
{
    struct health health;
    health_init(&health, &limits);
    health_started(&health, at(0));

    assert_int_equal(look_until(&health, 0, 29), HEALTH_WELL);
    assert_int_equal(look_until(&health, 29, 30), HEALTH_LATE);
    assert_int_equal(look_until(&health, 30, 31), HEALTH_LATE);
}

static void a_start_without_a_limit_takes_as_long_as_it_takes(void **state)
{
    struct health_limits patient = limits;
    struct health health;
    patient.start_ms = 0;
    health_init(&health, &patient);
    health_started(&health, at(0));

    assert_int_equal(look_until(&health, 0, 4000), HEALTH_WELL);
}

static void a_ready_child_is_asked_once_and_again_after_its_answer(void **state)
{
    struct health health;
    health_init(&health, &limits);
    health_started(&health, at(0));
    health_ready(&health, at(10));

    assert_int_equal(look_until(&health, 10, 11), HEALTH_WELL);
    assert_int_equal(look_until(&health, 11, 12), HEALTH_ASK);
    assert_int_equal(look_until(&health, 12, 13), HEALTH_WELL);
    assert_true(health_answered(&health));
    assert_int_equal(look_until(&health, 13, 14), HEALTH_WELL);
    assert_int_equal(look_until(&health, 14, 15), HEALTH_ASK);
}

static void a_child_that_does_not_answer_is_silent_and_then_hung(void **state)
{
    struct health health;
    health_init(&health, &limits);
    health_started(&health, at(0));
    health_ready(&health, at(0));
    assert_int_equal(look_until(&health, 0, 2), HEALTH_ASK);

    assert_int_equal(look_until(&health, 2, 9), HEALTH_WELL);
    assert_int_equal(look_until(&health, 9, 10), HEALTH_SILENT);
    assert_int_equal(look_until(&health, 10, 17), HEALTH_SILENT);
    assert_int_equal(look_until(&health, 17, 18), HEALTH_HUNG);
}

static void an_answer_ends_the_silence(void **state)
{
    struct health health;
    health_init(&health, &limits);
    health_ready(&health, at(0));
    assert_int_equal(look_until(&health, 0, 12), HEALTH_SILENT);

    assert_true(health_answered(&health));

    assert_int_equal(look_until(&health, 12, 13), HEALTH_WELL);
    assert_int_equal(look_until(&health, 13, 14), HEALTH_ASK);
}

static void an_answer_that_nobody_asked_for_is_told_and_puts_no_question_off(void **state)
{
    struct health health;
    health_init(&health, &limits);
    health_ready(&health, at(0));
    assert_int_equal(look_until(&health, 0, 1), HEALTH_WELL);

    assert_false(health_answered(&health));

    assert_int_equal(look_until(&health, 1, 2), HEALTH_ASK);
}

static void a_supervisor_that_stood_still_blames_no_child(void **state)
{
    struct health health;
    health_init(&health, &limits);
    health_ready(&health, at(0));
    assert_int_equal(look_until(&health, 0, 2), HEALTH_ASK);

    assert_int_equal(health_look(&health, at(3600)), HEALTH_WELL);
    health_started(&health, at(3600));
    assert_int_equal(health_look(&health, at(7200)), HEALTH_WELL);
}

static void one_that_has_ended_is_neither_late_nor_hung(void **state)
{
    struct health health;
    health_init(&health, &limits);
    health_started(&health, at(0));
    assert_int_equal(look_until(&health, 0, 40), HEALTH_LATE);

    health_ended(&health);

    assert_int_equal(look_until(&health, 40, 100), HEALTH_WELL);
}

static void a_new_child_does_not_inherit_the_wait_of_the_old_one(void **state)
{
    struct health health;
    health_init(&health, &limits);
    health_ready(&health, at(0));
    assert_int_equal(look_until(&health, 0, 20), HEALTH_HUNG);
    health_ended(&health);

    health_started(&health, at(25));

    assert_int_equal(look_until(&health, 25, 54), HEALTH_WELL);
    assert_int_equal(look_until(&health, 54, 55), HEALTH_LATE);
}

static void crashes_within_the_window_are_too_many_at_the_bound_although_each_child_was_ready(void **state)
{
    struct health health;
    health_init(&health, &limits);

    for (unsigned int i = 0; i < 2; i++) {
        health_started(&health, at(i * 40));
        health_ready(&health, at(i * 40 + 1));
        health_ended(&health);
        assert_false(health_crashed(&health, at(i * 40 + 39)));
    }
    assert_true(health_crashed(&health, at(39 + 99)));
}

static void crashes_that_lie_a_window_apart_are_never_too_many(void **state)
{
    struct health health;
    health_init(&health, &limits);

    for (unsigned int i = 0; i < 3 * HEALTH_CRASHES_MAX; i++) {
        assert_false(health_crashed(&health, at(i * 50)));
    }
}

static void the_largest_bound_counts_exactly(void **state)
{
    struct health_limits many = limits;
    struct health health;
    many.crashes = HEALTH_CRASHES_MAX;
    health_init(&health, &many);
    assert_false(health_crashed(&health, at(0)));

    for (unsigned int i = 1; i < HEALTH_CRASHES_MAX; i++) {
        assert_false(health_crashed(&health, at(200)));
    }
    assert_true(health_crashed(&health, at(200)));
}

static void the_configured_limits_are_whole(void **state)
{
    static const struct health_limits *const all[] = {&health_of_keeper, &health_of_worker, &health_of_check};

    for (size_t i = 0; i < ARRAY_LENGTH(all); i++) {
        assert_in_range(all[i]->crashes, 2, HEALTH_CRASHES_MAX);
        assert_true(all[i]->silence_ms >= 2 * HEALTH_STEP_MAX_MS && all[i]->window_ms > 0);
    }
    assert_int_equal(health_of_check.start_ms, 0);
    assert_true(health_of_worker.start_ms > 0 && health_of_keeper.start_ms > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_that_does_not_get_ready_is_late_at_the_limit_and_not_before),
        cmocka_unit_test(a_start_without_a_limit_takes_as_long_as_it_takes),
        cmocka_unit_test(a_ready_child_is_asked_once_and_again_after_its_answer),
        cmocka_unit_test(a_child_that_does_not_answer_is_silent_and_then_hung),
        cmocka_unit_test(an_answer_ends_the_silence),
        cmocka_unit_test(an_answer_that_nobody_asked_for_is_told_and_puts_no_question_off),
        cmocka_unit_test(a_supervisor_that_stood_still_blames_no_child),
        cmocka_unit_test(one_that_has_ended_is_neither_late_nor_hung),
        cmocka_unit_test(a_new_child_does_not_inherit_the_wait_of_the_old_one),
        cmocka_unit_test(crashes_within_the_window_are_too_many_at_the_bound_although_each_child_was_ready),
        cmocka_unit_test(crashes_that_lie_a_window_apart_are_never_too_many),
        cmocka_unit_test(the_largest_bound_counts_exactly),
        cmocka_unit_test(the_configured_limits_are_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
