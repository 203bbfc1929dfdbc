/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the appliance says of its state (enum board_state, hal/board.h): names, and the reason for it. Told from process
 * to process and shown at /v1/system/state. Spec: contract 1.1 and 10, States. */
#ifndef HAL_LIFE_H
#define HAL_LIFE_H

#include "hal/board.h"

enum life_reason {
    LIFE_REASON_NONE,
    LIFE_REASON_STARTING,        /* on its way to another state */
    LIFE_REASON_NO_TPM,          /* no TPM answers */
    LIFE_REASON_OTHER_TPM,       /* the TPM is not the one that sealed the root key, or was cleared */
    LIFE_REASON_PCR_CHANGED,     /* firmware or configuration differ from what was sealed to */
    LIFE_REASON_SECURE_BOOT_CHANGED, /* keys or state of Secure Boot (PCR 7) differ from what was sealed to */
    LIFE_REASON_IMAGE_CHANGED,       /* the running image (PCR 11) is not one that this box has approved */
    LIFE_REASON_VERSION_REVOKED,     /* the running image is below the minimum that the TPM remembers */
    LIFE_REASON_COUNTER_CHANGED,     /* the TPM's counter, which remembers it, is gone or another */
    LIFE_REASON_PIN,             /* a PIN is set, and none or a wrong one was given */
    LIFE_REASON_TPM_LOCKOUT,     /* the TPM counted too many wrong PINs: wait */
    LIFE_REASON_KEYS_DAMAGED,    /* the sealed root or the wrapped keys fail their checks */
    LIFE_REASON_STORAGE_DAMAGED, /* the database fails its checks */
    LIFE_REASON_ROLLBACK,        /* the database is older than the TPM remembers */
    LIFE_REASON_WORKER_FAILED,   /* the process that serves stopped answering again and again */
    LIFE_REASON_COUNT
};

/* "unprovisioned", "locked", "operational", "failed". A static string. */
const char *life_state_name(enum board_state state);

/* "tpm-missing", "storage-damaged" and the like, or NULL for LIFE_REASON_NONE. A static string. */
const char *life_reason_name(enum life_reason reason);

#endif
