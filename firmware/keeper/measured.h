/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The sealing of a board whose boot is measured: which images may open the box, and why one may not.
 *
 * Files, in the keeper's directory:
 *   root.seal   the root key under the box's authority (crypto/box_seal.h)
 *   root.next   the same for a PCR 7 that is expected after a planned change of Secure Boot
 *   approvals   the box's signatures on images (approvals.h)
 *
 * The box's key, P-256, is made at provisioning, in the keeper, and lies in the keyring under the root key: it signs only
 * while the box is open, and nobody but the keeper has it. It signs for an image only what the vendor's policy of it
 * (crypto/image_policy.h) says, after the vendor's signature was checked: its PCR 11, and the highest counter for its
 * security version.
 *
 * The life of it:
 *   1. Provisioning: the running image shows its policy; one that has none, or is not what was measured, provisions
 *      nothing. The counter is made; the image is approved; the root key is sealed.
 *   2. A start: the approval for the PCR 11 of the moment, and the PCR 7 of the moment, open the box. Then PCR 11 is extended
 *      once more (capped), so that nothing that runs later has the root key given out again before the next reset.
 *   3. Update: while the old image runs and the box is open, the policy of the new one is approved and on disk
 *      (measured_approve) before it can be started. It then opens the box by itself. So does the old one: whichever of the
 *      two the trial leaves, the box opens.
 *   4. The new image proved itself: measured_bless raises the counter to its security version. From now on the TPM refuses
 *      every image below, whatever lies on the disk.
 *   5. A change of Secure Boot (keys, dbx) is planned: the vendor says which PCR 7 it leads to (crypto/boot_plan.h), and
 *      measured_plan seals a second file for that. The start that finds it makes it the first, and the old one is gone. Who
 *      brings the plan is not asked: without the vendor's signature anybody who can speak with the keeper would choose under
 *      which firmware the box opens.
 *   6. Something else was measured: locked, with the reason. The recovery key opens the box; it is sealed for what is
 *      measured now, on new facts: all earlier signatures are void, those that the box had given are given anew. An image
 *      below the minimum is let in for this one run and is not sealed for; one that has no policy of the vendor is sealed
 *      for at the minimum, because who has the recovery key has said so, and goes with the next raise. Where the counter
 *      cannot be made, because somebody with the chip in hand has put an index of the platform's in its place, nothing is
 *      sealed, and every start takes the recovery key until that index is gone.
 *
 * A kill between any two steps leaves a box that opens as before or as after: signatures are on disk before the file that
 * needs them, and the counter goes up only for an image that has just opened the box.
 *
 * A struct measured belongs to one thread at a time: to the vault's until the box is open, then to the TPM thread. It has
 * copies of the secrets that it needs, so that it does not touch the vault then. All calls but _new and _free block on the
 * TPM; errors beside their own are those of hal/tpm.h and hal/datadir.h. */
#ifndef FIRMWARE_KEEPER_MEASURED_H
#define FIRMWARE_KEEPER_MEASURED_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/boot_plan.h"
#include "crypto/image_policy.h"
#include "crypto/secret.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "hal/datadir.h"
#include "hal/life.h"
#include "hal/tpm.h"

struct measured;

struct measured_options {
    struct hal_tpm *tpm; /* NULL: there is none */
    struct datadir *dir;
    const uint8_t *vendor_key; /* SIGN_PUBLIC_BYTES; borrowed for ever */
    const char *board;         /* the same */
    struct span policy;        /* signed policy of the running image; empty: it showed none. Read now */
};

/* Borrows tpm and dir for its life. ERR_NO_MEMORY, ERR_REFUSED. */
enum err measured_new(const struct measured_options *options, struct measured **out_measured) MUST_USE;
void measured_free(struct measured *measured); /* NULL is fine; wipes */

static inline void measured_free_scoped(struct measured **measured)
{
    measured_free(*measured);
}
#define SCOPED_MEASURED SCOPED(measured_free_scoped)

/* May the running image make keys? ERR_POLICY: it has no policy of the vendor for this board, or is not what was
 * measured. */
enum err measured_may_provision(struct measured *measured) MUST_USE;

/* Opens root.seal or root.next for the image and the boot state of the moment, and caps PCR 11. out_srk: whose SRK it is.
 * ERR_POLICY (measured_reason says which), ERR_NOT_FOUND (no root.seal) and those of box_seal_open(). */
enum err measured_open(struct measured *measured, struct span pin, struct secret **out_root,
                       struct hal_tpm_name *out_srk) MUST_USE;

/* Does the file that measured_open opened want a PIN? */
bool measured_wants_pin(const struct measured *measured);

/* Why the last measured_open or measured_may_provision answered ERR_POLICY. */
enum life_reason measured_reason(const struct measured *measured);

/* What it needs of an open box; everything is copied. */
struct measured_keys {
    const struct secret *root;
    const struct secret *box;        /* P-256 */
    const struct secret *owner_auth;
    struct span pin;                 /* empty: none. What it is sealed with from now on */
};
enum err measured_take_keys(struct measured *measured, const struct measured_keys *keys) MUST_USE;
void measured_forget_keys(struct measured *measured);

/* After measured_take_keys: seals for what is measured now and caps PCR 11. owned: ownerAuth has been set in the TPM. For
 * provisioning and for the recovery key. An image below the minimum is not sealed for, and at a recovery nothing is
 * where the counter cannot be made: ERR_OK, the files stay. */
enum measured_owner { MEASURED_NOT_OWNED, MEASURED_OWNED };
enum err measured_seal(struct measured *measured, const struct hal_tpm_name *srk, enum measured_owner owner) MUST_USE;

/* Approves an image by its signed policy; on disk when the call returns. Again is fine.
 * ERR_STATE      not open, or open for this run only
 * ERR_MALFORMED, ERR_AUTH  not a policy of the vendor
 * ERR_CONFLICT   for another board
 * ERR_REVOKED    its security version is below the minimum
 * ERR_RANGE      it is further above the minimum than MEASURED_JUMP_MAX */
#define MEASURED_JUMP_MAX 256 /* steps of the TPM's counter that one blessing may take */
enum err measured_approve(struct measured *measured, struct span policy) MUST_USE;

/* Raises the minimum to the security version of the running image, by which the box was opened. Again is fine.
 * ERR_STATE as above. */
enum err measured_bless(struct measured *measured, uint32_t *out_minimum) MUST_USE;

/* Reads a plan of Secure Boot as the vendor has signed it for this board. Looks only at what never changes: for any thread, and does
 * not block. ERR_MALFORMED, ERR_AUTH (not the vendor's), ERR_CONFLICT (for another board), ERR_NO_MEMORY. */
enum err measured_read_plan(const struct measured *measured, struct span plan, struct boot_plan *out_plan) MUST_USE;

/* Seals a second file for the PCR 7 of a plan; replaces one planned before. That it is not older than one before is the caller's to
 * see to (vault_plan_take). ERR_STATE as above; ERR_REVOKED: its security version is below the minimum; those of
 * measured_read_plan(). */
enum err measured_plan(struct measured *measured, struct span plan) MUST_USE;

#endif
