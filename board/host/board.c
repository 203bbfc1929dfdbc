/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hal/board.h"

/* nobody and nogroup: every Linux has them and the installation makes no user of ours. board/host/run gives the TPM's
 * socket to the same number. */
#define SERVICE_USER 65534

const struct board_desc board_desc = {
    .name = "host",
    .tcti = "swtpm:host=127.0.0.1,port=2321",
    .watchdog = "",
    .watchdog_s = 60,
    .vmgenid = "",
    .light = "",
    .network = "",
    .admin_interface = "",
    .admin_address = "",
    .image_policy = "",
    .image_folder = NULL,
    .image_about = NULL,
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
