/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names of states and reasons, as clients and the log see them. */
#include "hal/life.h"

#include <stddef.h>

#include "hal/base/fault.h"

const char *life_state_name(enum board_state state)
{
    static const char *const names[] = {
        [BOARD_UNPROVISIONED] = "unprovisioned",
        [BOARD_LOCKED] = "locked",
        [BOARD_OPERATIONAL] = "operational",
        [BOARD_FAILED] = "failed",
    };
    _Static_assert(ARRAY_LENGTH(names) == BOARD_STATE_COUNT, "every state has a name");

    INVARIANT((size_t)state < BOARD_STATE_COUNT);
    return names[state];
}

const char *life_reason_name(enum life_reason reason)
{
    static const char *const names[] = {
        [LIFE_REASON_NONE] = NULL,
        [LIFE_REASON_STARTING] = "starting",
        [LIFE_REASON_NO_TPM] = "tpm-missing",
        [LIFE_REASON_OTHER_TPM] = "tpm-changed",
        [LIFE_REASON_PCR_CHANGED] = "pcr-changed",
        [LIFE_REASON_SECURE_BOOT_CHANGED] = "secure-boot-changed",
        [LIFE_REASON_IMAGE_CHANGED] = "image-changed",
        [LIFE_REASON_VERSION_REVOKED] = "version-revoked",
        [LIFE_REASON_COUNTER_CHANGED] = "counter-changed",
        [LIFE_REASON_PIN] = "pin-required",
        [LIFE_REASON_TPM_LOCKOUT] = "tpm-lockout",
        [LIFE_REASON_KEYS_DAMAGED] = "keys-damaged",
        [LIFE_REASON_STORAGE_DAMAGED] = "storage-damaged",
        [LIFE_REASON_ROLLBACK] = "rollback-detected",
        [LIFE_REASON_WORKER_FAILED] = "worker-failed",
    };
    _Static_assert(ARRAY_LENGTH(names) == LIFE_REASON_COUNT, "every reason has a name");

    INVARIANT((size_t)reason < LIFE_REASON_COUNT);
    return names[reason];
}
