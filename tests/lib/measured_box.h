/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A vault of a measured board on a real software TPM: boots of images and states of Secure Boot are played by extending PCRs
 * after the power came back. What must work stops the test program if it does not. One thread. */
#ifndef TESTS_LIB_MEASURED_BOX_H
#define TESTS_LIB_MEASURED_BOX_H

#include <stdbool.h>
#include <stdint.h>

#include "firmware/keeper/measured.h"
#include "firmware/keeper/vault.h"
#include "tests/lib/nv_forger.h"
#include "tests/lib/signed_policy.h"
#include "tests/lib/swtpm.h"
#include "tests/lib/temp.h"

#define MEASURED_BOARD "test-board"

/* What is started: a number that makes its measurement, its security version, and whether the vendor has signed it. */
struct image {
    uint8_t number;
    unsigned int security;
    bool unsigned_;
};

struct measured_box {
    struct temp_dir temp;
    struct datadir *dir;
    struct swtpm *swtpm;
    struct hal_tpm *tpm; /* NULL: not open */
    struct vendor vendor;
    struct x509_names names;
    struct measured *measured;
    struct vault *vault;
    uint8_t secure_boot; /* number of the state of Secure Boot at the next boot */
    char words[256];
    size_t words_len;
};

/* For cmocka. */
int measured_box_make(void **state);
int measured_box_free(void **state);

/* What is left of a process that ended or died. */
void measured_forget(struct measured_box *box);

/* Reset, firmware, image; not the keeper yet. */
void measured_power(struct measured_box *box, struct image image);

/* A keeper's start in what was booted. What vault_start answers. */
enum err measured_start(struct measured_box *box, struct image image, struct span pin);

/* Both. */
enum err measured_boot(struct measured_box *box, struct image image);
enum err measured_boot_pin(struct measured_box *box, struct image image, const char *pin);

/* The first boot; keeps the recovery words. */
void measured_provision(struct measured_box *box, struct image image, const char *pin);
enum err measured_recover(struct measured_box *box);

/* The vendor's policy of an image. */
struct signed_policy measured_policy(struct measured_box *box, struct image image);

/* A plan of the vendor's for that state of Secure Boot, of a high security version, brought to the open box as the keeper does. */
enum err measured_bring_plan(struct measured_box *box, uint8_t secure_boot, unsigned int serial);

/* PCR values. */
void measured_pcr11(struct image image, uint8_t out_value[HAL_TPM_DIGEST_BYTES]);
void measured_pcr7(uint8_t secure_boot, uint8_t out_value[HAL_TPM_DIGEST_BYTES]);

void assert_open(const struct measured_box *box);
void assert_locked(const struct measured_box *box, enum life_reason reason);

/* Somebody else on this TPM who has the box's ownerAuth. Only while the box is open; closes all of it. */
struct measured_thief {
    struct nv_forger forger;
    uint8_t owner_auth[HAL_TPM_DIGEST_BYTES];
};
void measured_steal(struct measured_box *box, struct measured_thief *out_thief);

#endif
