/* SPDX-License-Identifier: GPL-3.0-or-later */
/* crypto/seal.c: no root.seal, locked.seal or root.recovery that somebody wrote opens, or is read outside its end. */
#include "crypto/recovery.h"
#include "crypto/seal.h"
#include "hal/sim/sim_tpm.h"
#include "tests/fuzz/fuzz.h"

static struct hal_tpm *tpm_once(void)
{
    static struct sim_tpm *tpm;
    struct hal_tpm_name srk;

    if (tpm == NULL) {
        FUZZ_CHECK(sim_tpm_new(1, &tpm) == ERR_OK);
        FUZZ_CHECK(hal_tpm_srk_make(sim_tpm_hal(tpm), SPAN_NONE, &srk) == ERR_OK);
    }
    return sim_tpm_hal(tpm);
}

static const struct secret *recovery_once(void)
{
    static const uint8_t bytes[RECOVERY_KEY_BYTES] = {9};
    static struct secret *key;

    if (key == NULL) {
        FUZZ_CHECK(secret_new_copy(span_array(bytes), &key) == ERR_OK);
    }
    return key;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct span file = span_of(data, size);
    SCOPED_SECRET struct secret *secret = NULL;
    struct seal_info info;

    fault_clear();
    const enum err read = seal_read(file, &info);
    FUZZ_CHECK(read == ERR_OK || read == ERR_MALFORMED || read == ERR_VERSION);
    if (read == ERR_OK) {
        FUZZ_CHECK(info.kind == SEAL_ROOT || info.kind == SEAL_LOCKED_LEAF);
        FUZZ_CHECK(info.pcr_mask < UINT32_C(1) << HAL_TPM_PCR_COUNT);
        FUZZ_CHECK(info.kind == SEAL_ROOT || (info.pcr_mask == 0 && !info.wants_pin));
    }
    FUZZ_CHECK(seal_open(tpm_once(), SEAL_ROOT, span_lit("1234"), file, &secret) != ERR_OK && secret == NULL);
    FUZZ_CHECK(seal_open(tpm_once(), SEAL_LOCKED_LEAF, SPAN_NONE, file, &secret) != ERR_OK && secret == NULL);
    FUZZ_CHECK(seal_recovery_open(recovery_once(), file, &secret) != ERR_OK && secret == NULL);
    return 0;
}
