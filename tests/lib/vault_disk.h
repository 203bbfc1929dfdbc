/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A keeper's vault with a TPM, a clock and entropy in memory, and a directory of its own. What must work stops the test
 * program if it does not. One thread. */
#ifndef TESTS_LIB_VAULT_DISK_H
#define TESTS_LIB_VAULT_DISK_H

#include <stddef.h>
#include <stdint.h>

#include "firmware/keeper/vault.h"
#include "hal/sim/sim_clock.h"
#include "hal/sim/sim_entropy.h"
#include "hal/sim/sim_tpm.h"
#include "tests/lib/temp.h"

#define WORDS_MAX 256

struct vault_disk {
    struct temp_dir temp;
    struct datadir *dir;
    struct sim_tpm *tpm;
    struct sim_clock clock;
    struct sim_entropy entropy;
    struct x509_names names;
    uint32_t pcr_mask;
    struct vault *vault;
    uint8_t words[WORDS_MAX];
    size_t words_len;
};

void vault_disk_make(struct vault_disk *f);
void vault_disk_unmake(struct vault_disk *f);

/* A start of the keeper, as far as the vault goes; ends the one before. */
enum err vault_disk_start(struct vault_disk *f, struct span pin);

/* The recovery key is read by a person, and the keeper told so. */
void vault_disk_show(struct vault_disk *f);
struct span vault_disk_words(const struct vault_disk *f);

/* A first start, and the recovery key shown. */
void vault_disk_provision(struct vault_disk *f);

/* Files of the vault. vault_disk_read makes the buffer; the caller frees it. */
void vault_disk_read(const struct vault_disk *f, const char *name, struct buf **out);
bool vault_disk_file_is(const struct vault_disk *f, const char *name, struct span content);
void vault_disk_put(struct vault_disk *f, const char *name, struct span content);
void vault_disk_remove(struct vault_disk *f, const char *name);

/* The certificate shown now is the key's, and, if the box is operational, signed by the CA that clients are given. */
void vault_disk_check_identity(struct vault_disk *f);

/* Is the certificate shown now the one of that file? */
bool vault_disk_shows(struct vault_disk *f, const char *file_name);

#endif
