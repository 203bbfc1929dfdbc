/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A keeper's vault in a temporary directory, with a TPM, a clock and a generator in memory. What must work
 * stops the test program if it does not. One thread. */
#ifndef TESTS_LIB_VAULT_BOX_H
#define TESTS_LIB_VAULT_BOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "firmware/keeper/vault.h"
#include "hal/sim/sim_clock.h"
#include "hal/sim/sim_entropy.h"
#include "hal/sim/sim_tpm.h"
#include "tests/lib/temp.h"

#define DAY_MS (INT64_C(24) * 3600 * 1000)
#define PCR_16 (UINT32_C(1) << 16)

struct box {
    struct temp_dir temp;
    struct datadir *dir;
    struct sim_tpm *tpm;
    bool has_tpm;
    struct sim_clock clock;
    struct sim_entropy entropy;
    struct x509_names names;
    uint32_t pcr_mask;
    struct vault *vault;
};

/* The words of the first start, kept by a person. */
struct words {
    char text[256];
    size_t len;
};

/* For cmocka: set-up and tear-down. */
int make_box(void **state);
int free_box(void **state);

/* A start of the process: nothing is left of the one before. What vault_start answers. */
enum err start_with(struct box *box, struct span pin);
enum err start(struct box *box);

/* The same, and the look at the certificates that follows it in a keeper. */
enum err start_and_renew(struct box *box);

void assert_state(const struct box *box, enum board_state state, enum life_reason reason);
struct words read_words(const struct box *box);

/* The first start, whose words were shown. */
struct words provision(struct box *box);
enum err unlock(struct box *box, const struct words *words);
void other_tpm(struct box *box, uint64_t seed);

/* Files of the vault. read_file makes the buffer; the caller frees it. */
void read_file(const struct box *box, const char *name, struct buf **out);
bool file_is(const struct box *box, const char *name, struct span content);
void put_file(struct box *box, const char *name, struct span content);
void remove_file(struct box *box, const char *name);

/* The certificate shown now is the key's, and, if the box is operational, signed by the CA that clients are given. */
void assert_identity_fits(struct box *box);

/* Is the certificate shown now the one of that file? */
bool shows_file(struct box *box, const char *name);

#endif
