/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hal/board.h, with the policy of the board that is linked: what no board may permit. */
#include "hal/board.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* An action that every board permits in this state and in no other. */
static void assert_only_in(enum board_state only, enum board_action action)
{
    for (unsigned int state = 0; state < BOARD_STATE_COUNT; state++) {
        assert_int_equal(board_permits((enum board_state)state, action), state == only ? BOARD_ALLOW : BOARD_DENY);
    }
}

static void data_is_served_under_the_operational_key_and_only_while_operational(void **state)
{
    assert_only_in(BOARD_OPERATIONAL, BOARD_SERVE_DATA);
    assert_only_in(BOARD_OPERATIONAL, BOARD_SIGN_OPERATIONAL);
}

static void only_a_locked_box_is_unlocked_and_only_a_new_one_provisioned(void **state)
{
    assert_only_in(BOARD_LOCKED, BOARD_UNLOCK);
    assert_only_in(BOARD_UNPROVISIONED, BOARD_PROVISION);
}

static void every_state_can_be_asked_for_under_one_of_the_keys(void **state)
{
    for (unsigned int life = 0; life < BOARD_STATE_COUNT; life++) {
        const enum board_state each = (enum board_state)life;

        assert_int_equal(board_permits(each, BOARD_SERVE_STATE), BOARD_ALLOW);
        assert_int_equal(board_permits(each, BOARD_SIGN_LOCKED), each == BOARD_OPERATIONAL ? BOARD_DENY : BOARD_ALLOW);
    }
}

static void what_is_outside_the_table_is_denied(void **state)
{
    static const unsigned int far[] = {0, 1, 1000, UINT32_MAX - BOARD_ACTION_COUNT};

    for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
        assert_int_equal(board_permits((enum board_state)(BOARD_STATE_COUNT + far[i]), BOARD_SERVE_STATE), BOARD_DENY);
        assert_int_equal(board_permits(BOARD_OPERATIONAL, (enum board_action)(BOARD_ACTION_COUNT + far[i])), BOARD_DENY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_is_served_under_the_operational_key_and_only_while_operational),
        cmocka_unit_test(only_a_locked_box_is_unlocked_and_only_a_new_one_provisioned),
        cmocka_unit_test(every_state_can_be_asked_for_under_one_of_the_keys),
        cmocka_unit_test(what_is_outside_the_table_is_denied),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
