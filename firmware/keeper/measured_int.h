/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What opening (measured.c) and sealing (measured_seal.c) share. */
#ifndef FIRMWARE_KEEPER_MEASURED_INT_H
#define FIRMWARE_KEEPER_MEASURED_INT_H

#include "crypto/approval.h"
#include "crypto/box_seal.h"
#include "firmware/keeper/approvals.h"
#include "firmware/keeper/measured.h"

#define FILE_ROOT      "root.seal"
#define FILE_NEXT      "root.next"
#define FILE_APPROVALS "approvals"

struct measured {
    struct hal_tpm *tpm;
    struct datadir *dir;
    const uint8_t *vendor_key;
    const char *board;
    struct random *random;
    bool has_image; /* the running image showed a policy of the vendor for this board */
    struct image_policy image;
    bool capped;
    uint8_t pcr7[HAL_TPM_DIGEST_BYTES];  /* of the moment */
    uint8_t pcr11[HAL_TPM_DIGEST_BYTES]; /* of the moment, before the cap */
    enum life_reason reason;
    bool sealed;                /* the facts and the number below are those by which the box is open */
    struct box_seal_info info;
    uint64_t counter_max;       /* of the running image */
    struct approvals before;    /* what was signed on the facts before, while new ones take their place */
    struct secret *root;        /* these while the box is open */
    struct secret *box;
    struct secret *owner_auth;
    struct secret *pin;         /* NULL: none */
};

/* Reads the PCRs of the moment; PCR 11 only before the cap. */
enum err measured_look(struct measured *measured) MUST_USE;

/* Is what was measured what the running image's policy says? */
bool measured_is_vendors(const struct measured *measured);

/* Extends PCR 11, once. */
enum err measured_cap(struct measured *measured) MUST_USE;

/* A sealed file and what it says. ERR_NOT_FOUND and others of datadir_read() and box_seal_read(). */
enum err measured_file_read(const struct measured *measured, const char *name, struct buf **out_file,
                            struct box_seal_info *out_info) MUST_USE;

/* The approvals on disk that are good for these facts, in their order; none where the file is missing or damaged.
 * ERR_NO_MEMORY. */
enum err measured_approvals(const struct measured *measured, const struct box_seal_facts *facts,
                            struct approvals *out_good) MUST_USE;

/* What the TPM is given for an entry. */
void measured_approval_of(const struct box_seal_facts *facts, const struct approval_entry *entry,
                          struct hal_tpm_approval *out_approval);

#endif
