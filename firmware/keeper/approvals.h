/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The file `approvals`: the box's signatures on images, the newest first. Nothing in it is secret, and nothing in it is
 * believed: a signature is checked against the facts of the sealing that it is used with.
 *
 *   "RLAP" | version 1 (1) | count (1) | entries: PCR 11 (32) | security version (4) | highest counter (8) | signature (64)
 *
 * All numbers big-endian. */
#ifndef FIRMWARE_KEEPER_APPROVALS_H
#define FIRMWARE_KEEPER_APPROVALS_H

#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "hal/tpm.h"

#define APPROVALS_MAX 16 /* two images with as many values of PCR 11 as a policy may have */
#define APPROVALS_FILE_MAX 4096

struct approval_entry {
    uint8_t pcr11[HAL_TPM_DIGEST_BYTES];
    uint32_t security;
    uint64_t counter_max;
    uint8_t signature[HAL_TPM_SIGNATURE_BYTES];
};

struct approvals {
    size_t count;
    struct approval_entry entries[APPROVALS_MAX];
};

/* Puts an entry in front; where there is no room the last one goes. */
void approvals_put(struct approvals *approvals, const struct approval_entry *entry);

/* Appends the file. ERR_RANGE (no room), ERR_NO_MEMORY. */
enum err approvals_write(const struct approvals *approvals, struct buf *out_file) MUST_USE;

/* ERR_MALFORMED, ERR_VERSION. out_approvals is untouched on failure. */
enum err approvals_read(struct span file, struct approvals *out_approvals) MUST_USE;

#endif
