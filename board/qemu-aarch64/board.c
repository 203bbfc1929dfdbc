/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hal/board.h"

/* The box knows no other users, so the number alone says whose a file is. */
#define SUPERVISOR 100
#define KEEPER     101
#define WORKER     102
#define COURIER    103

const struct board_desc board_desc = {
    .name = "qemu-aarch64",
    .tcti = "device:/dev/tpmrm0",
    .watchdog = "/dev/watchdog0",
    .watchdog_s = 60,
    .vmgenid = "",
    .light = "gpio:/dev/gpiochip0:4",
    .image_policy = "/run/rowlock/policy",
    .network = "eth0",
    .admin_interface = "eth1",
    .admin_address = "192.168.77.1",
    .admin_prefix = 24,
    .data_volume = true,
    .data_has_tags = true,
    .image_folder = "/boot/EFI/Linux",
    .image_about = "/usr/share/rowlock",
    .tpm_is_software = true,
    .supervisor_uid = SUPERVISOR,
    .supervisor_gid = SUPERVISOR,
    .worker_uid = WORKER,
    .worker_gid = WORKER,
    .keeper_uid = KEEPER,
    .keeper_gid = KEEPER,
    .courier_uid = COURIER,
    .courier_gid = COURIER,
};
