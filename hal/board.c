/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hal/board.h"

enum board_verdict board_permits(enum board_state state, enum board_action action)
{
    if ((unsigned int)state >= BOARD_STATE_COUNT || (unsigned int)action >= BOARD_ACTION_COUNT) {
        return BOARD_DENY;
    }
    return board_policy.verdicts[state][action] == BOARD_ALLOW ? BOARD_ALLOW : BOARD_DENY;
}
