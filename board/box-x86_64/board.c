/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hal/board.h"

/* The box knows no other users, so the number alone says whose a file is. */
#define SERVICE_USER 100

const struct board_desc board_desc = {
    .name = "box-x86_64",
    .tcti = "device:/dev/tpmrm0",
    .watchdog = "/dev/watchdog0",
    .watchdog_s = 60,
    .vmgenid = "",
    .light = "led:/sys/class/leds/*::scrolllock",
    .image_policy = "/run/rowlock/policy",
    .network = "eth0",
    .data_volume = true,
    .data_has_tags = true,
    .image_folder = "/boot/EFI/Linux",
    .tpm_is_software = false,
    .supervisor_uid = SERVICE_USER,
    .supervisor_gid = SERVICE_USER,
    .worker_uid = SERVICE_USER,
    .worker_gid = SERVICE_USER,
    .keeper_uid = SERVICE_USER,
    .keeper_gid = SERVICE_USER,
    .courier_uid = SERVICE_USER,
    .courier_gid = SERVICE_USER,
};
