/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One update on its way into the other slot: the reader of its file, and what it writes to. */
#ifndef FIRMWARE_UPDATER_INTAKE_H
#define FIRMWARE_UPDATER_INTAKE_H

#include <stdint.h>

#include "crypto/image_policy.h"
#include "firmware/msg.h"
#include "firmware/update/update.h"
#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "hal/bootslot.h"

/* Whose updates are taken, and over what. */
struct intake_options {
    const uint8_t *update_key; /* SIGN_PUBLIC_BYTES, as the next */
    const uint8_t *policy_key;
    struct span board;
    struct span running;
    uint32_t security; /* no update below it */
    struct bootslot *slot;
};

struct intake;

/* options and what it points to are borrowed. ERR_NO_MEMORY. */
enum err intake_new(const struct intake_options *options, struct intake **out_intake) MUST_USE;
void intake_free(struct intake *intake); /* NULL is fine */

/* From its start; what was received before is forgotten. ERR_STATE: installed, and waiting for the start. ERR_NO_MEMORY. */
enum err intake_begin(struct intake *intake) MUST_USE;

/* The next bytes. ERR_STATE: not begun, whole already, or refused before; errors of update_reader_feed() and
 * bootslot_begin(), after which it has to be begun again. */
enum err intake_feed(struct intake *intake, struct span bytes) MUST_USE;

/* All was received: the policy for the keeper, a view. It is the vendor's, for this board, and of the version that the file
 * names. ERR_STATE: not whole; ERR_AUTH, ERR_MALFORMED, ERR_CONFLICT: another policy. */
enum err intake_policy(struct intake *intake, struct span *out_policy) MUST_USE;

/* Approved: gives it its name. Errors of bootslot_commit(). */
enum err intake_install(struct intake *intake) MUST_USE;

enum msg_update_phase intake_phase(const struct intake *intake);
uint64_t intake_received(const struct intake *intake);

/* The header, once it is known; NULL before. */
const struct update_info *intake_info(const struct intake *intake);

#endif
