/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The cryptography that the TPM's driver borrows for its sessions (hal/tpm.h), so that the firmware has one cryptographic
 * library and not a second one inside tpm2-tss. crypto_start() must have been called. May be used by any thread. */
#ifndef CRYPTO_TPM_CRYPTO_H
#define CRYPTO_TPM_CRYPTO_H

#include "hal/tpm.h"

extern const struct hal_tpm_crypto tpm_crypto;

#endif
