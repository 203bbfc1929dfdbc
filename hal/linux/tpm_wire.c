/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How the driver speaks on the bus: always encrypted. This file holds nothing else, so that a test program which
 * defines tpm_wire() itself is linked without it, and no program can switch encryption off at run time. */
#include "hal/linux/tpm_int.h"

#include "hal/base/config.h"

struct tpm_wire tpm_wire(void)
{
    return (struct tpm_wire){.encrypt = true, .timeout_ms = CONFIG_HAL_TPM_TIMEOUT_MS};
}
