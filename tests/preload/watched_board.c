/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The host as a board with a watchdog and a VM generation: files of these names in the directory where it is started. */
#include "hal/board.h"

#define SERVICE_USER 65534 /* as board/host */

const struct board_desc board_desc = {
    .name = "watched",
    .tcti = "swtpm:host=127.0.0.1,port=2321",
    .watchdog = "watchdog",
    .watchdog_s = 60,
    .vmgenid = "generation",
    .light = "",
    .image_policy = "",
    .tpm_is_software = true,
    .supervisor_uid = SERVICE_USER,
    .supervisor_gid = SERVICE_USER,
    .worker_uid = SERVICE_USER,
    .worker_gid = SERVICE_USER,
    .keeper_uid = SERVICE_USER,
    .keeper_gid = SERVICE_USER,
    .courier_uid = SERVICE_USER,
    .courier_gid = SERVICE_USER,
};
