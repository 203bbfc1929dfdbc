/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a board says of itself (board.c) and what is permitted in each state of its life (policy.c). Both are constant
 * tables of the board that is linked. */
#ifndef HAL_BOARD_H
#define HAL_BOARD_H

#include <stdbool.h>
#include <stdint.h>

#include "hal/base/attr.h"

struct board_desc {
    const char *name;
    const char *tcti;     /* used where the command line gives none */
    const char *watchdog; /* path; "" = none */
    unsigned int watchdog_s;
    const char *vmgenid;  /* path; "" = none */
    const char *light;    /* the place of the status light, as hal_status_open_light() takes it; "" = none */
    const char *image_folder; /* where the boot loader finds images; NULL: there are no slots to boot from */
    const char *image_about; /* folder with version.json and sbom.json of the running image; NULL: it is none */
    const char *image_policy; /* of a board whose boot is measured: path of the signed policy of the running image, which
                                 PID 1 puts there; "" = not measured */
    const char *network;  /* the interface of a box, whose frames the worker takes; "" = the kernel's sockets are used */
    const char *admin_interface; /* a second one, the kernel's, where the administrator is served and nowhere else, if it is
                                    there at the start; "" = the board has none */
    const char *admin_address;   /* IPv4 */
    unsigned int admin_prefix;
    bool data_volume;     /* the worker's directory is an encrypted volume, which the first process mounts */
    bool data_has_tags;   /* each of its blocks is authenticated, at the price of a journal */
    bool tpm_is_software; /* its state can be copied: said loudly */
    unsigned int supervisor_uid; /* all of them used when started as root */
    unsigned int supervisor_gid;
    unsigned int worker_uid; /* the supervisor's, or one of its own, as the keeper's and the courier's */
    unsigned int worker_gid;
    unsigned int keeper_uid;
    unsigned int keeper_gid;
    unsigned int courier_uid;
    unsigned int courier_gid;
};

enum board_state { BOARD_UNPROVISIONED, BOARD_LOCKED, BOARD_OPERATIONAL, BOARD_FAILED, BOARD_STATE_COUNT };

enum board_action {
    BOARD_SERVE_DATA,       /* the data API */
    BOARD_SERVE_STATE,      /* health and state */
    BOARD_SERVE_CONSOLE,    /* the console's static files */
    BOARD_UNLOCK,           /* unlock by PIN or recovery key over the network */
    BOARD_PROVISION,        /* make keys, take ownership of the TPM */
    BOARD_SIGN_OPERATIONAL, /* use the operational TLS key */
    BOARD_SIGN_LOCKED,      /* use the TLS key of the locked state */
    BOARD_RESTART_KEEPER,   /* start a keeper that died again, and unseal again */
    BOARD_RESTORE,          /* restore a backup */
    BOARD_ACTION_COUNT
};

/* Far from 0 in bits, so that cleared or flipped memory denies. Test with == BOARD_ALLOW only. */
enum board_verdict { BOARD_DENY = 0, BOARD_ALLOW = 0x5aa53cc3 };

struct board_policy {
    enum board_verdict verdicts[BOARD_STATE_COUNT][BOARD_ACTION_COUNT];
};

/* Defined by the chosen board. */
extern const struct board_desc board_desc;
extern const struct board_policy board_policy;

/* May this be done in this state? Denies what is outside the table. */
enum board_verdict board_permits(enum board_state state, enum board_action action) MUST_USE;

#endif
