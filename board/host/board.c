/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hal/board.h"

const struct board_desc board_desc = {
    .name = "host",
    .tcti = "swtpm:host=127.0.0.1,port=2321",
    .watchdog = "",
    .watchdog_s = 60,
    .vmgenid = "",
    .tpm_is_software = true,
    .require_landlock = false, /* a developer's kernel may lack it; the log says so */
    /* nobody and nogroup: a host has no users of ours, and its data directory belongs to whoever started the program */
    .worker_uid = 65534,
    .worker_gid = 65534,
    .keeper_uid = 65534,
    .keeper_gid = 65534,
};
