/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The keeper: the process that owns the TPM, the root key, the signing keys and the TLS private keys. It has no network
 * and no files but its own directory. Started by the supervisor with two descriptors. */
#ifndef FIRMWARE_KEEPER_KEEPER_H
#define FIRMWARE_KEEPER_KEEPER_H

#define KEEPER_FD_CONTROL   3 /* MSG_TO_KEEPER, lower end */
#define KEEPER_FD_DIRECTORY 4 /* the keeper's own */

/* Runs until the supervisor says stop or is gone. The process's exit status: 0 in order, 1 otherwise. */
int keeper_main(void);

#endif
