/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The gate before the first key. A TPM whose generator is stuck would weaken nothing alone, because its bytes are mixed
 * with the kernel's, but it is broken, and a broken TPM must not hold the root. */
#include "hal/entropy.h"

#include "hal/base/fault.h"
#include "hal/base/span.h"

enum err hal_entropy_gate(struct hal_entropy *entropy, struct hal_tpm *tpm, unsigned int timeout_ms)
{
    uint8_t first[HAL_ENTROPY_PROBE];
    uint8_t second[HAL_ENTROPY_PROBE];

    TRY(hal_entropy_wait_ready(entropy, timeout_ms));
    TRY(hal_tpm_random(tpm, first, sizeof(first)));
    TRY(hal_tpm_random(tpm, second, sizeof(second)));
    ENSURE(!span_equal(span_array(first), span_array(second)), ERR_DEVICE, "the TPM's random generator repeats itself");
    return ERR_OK;
}
