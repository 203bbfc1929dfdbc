/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an appliance permits in each state of its life, on every board that has an image.conf. Complete: every action is named in
 * every state, in the order of the enum; the assertion below breaks the build when a state or an action is added. No keeper
 * is started again: its root key opens once after each start of the machine, so the machine is started again. */
#include "hal/board.h"

_Static_assert(BOARD_STATE_COUNT == 4 && BOARD_ACTION_COUNT == 9, "a row or a column of the table is missing");

const struct board_policy board_policy = {
    .verdicts =
        {
            [BOARD_UNPROVISIONED] =
                {
                    [BOARD_SERVE_DATA] = BOARD_DENY,
                    [BOARD_SERVE_STATE] = BOARD_ALLOW,
                    [BOARD_SERVE_CONSOLE] = BOARD_DENY,
                    [BOARD_UNLOCK] = BOARD_DENY,
                    [BOARD_PROVISION] = BOARD_ALLOW,
                    [BOARD_SIGN_OPERATIONAL] = BOARD_DENY,
                    [BOARD_SIGN_LOCKED] = BOARD_ALLOW, /* an ephemeral key: without it the state cannot be asked for */
                    [BOARD_RESTART_KEEPER] = BOARD_DENY,
                    [BOARD_RESTORE] = BOARD_ALLOW,
                },
            [BOARD_LOCKED] =
                {
                    [BOARD_SERVE_DATA] = BOARD_DENY,
                    [BOARD_SERVE_STATE] = BOARD_ALLOW,
                    [BOARD_SERVE_CONSOLE] = BOARD_ALLOW,
                    [BOARD_UNLOCK] = BOARD_ALLOW,
                    [BOARD_PROVISION] = BOARD_DENY,
                    [BOARD_SIGN_OPERATIONAL] = BOARD_DENY,
                    [BOARD_SIGN_LOCKED] = BOARD_ALLOW,
                    [BOARD_RESTART_KEEPER] = BOARD_DENY,
                    [BOARD_RESTORE] = BOARD_DENY,
                },
            [BOARD_OPERATIONAL] =
                {
                    [BOARD_SERVE_DATA] = BOARD_ALLOW,
                    [BOARD_SERVE_STATE] = BOARD_ALLOW,
                    [BOARD_SERVE_CONSOLE] = BOARD_ALLOW,
                    [BOARD_UNLOCK] = BOARD_DENY,
                    [BOARD_PROVISION] = BOARD_DENY,
                    [BOARD_SIGN_OPERATIONAL] = BOARD_ALLOW,
                    [BOARD_SIGN_LOCKED] = BOARD_DENY,
                    [BOARD_RESTART_KEEPER] = BOARD_DENY,
                    [BOARD_RESTORE] = BOARD_DENY,
                },
            [BOARD_FAILED] =
                {
                    [BOARD_SERVE_DATA] = BOARD_DENY,
                    [BOARD_SERVE_STATE] = BOARD_ALLOW,
                    [BOARD_SERVE_CONSOLE] = BOARD_DENY,
                    [BOARD_UNLOCK] = BOARD_DENY,
                    [BOARD_PROVISION] = BOARD_DENY,
                    [BOARD_SIGN_OPERATIONAL] = BOARD_DENY,
                    [BOARD_SIGN_LOCKED] = BOARD_ALLOW,
                    [BOARD_RESTART_KEEPER] = BOARD_DENY,
                    [BOARD_RESTORE] = BOARD_DENY,
                },
        },
};
