/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the sealed files of both kinds share. */
#ifndef CRYPTO_SEAL_INT_H
#define CRYPTO_SEAL_INT_H

#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "hal/tpm.h"
#include "crypto/secret.h"

#define SEAL_SALT_BYTES 16

/* What the TPM takes for a PIN; empty for an empty one. The view is of out_auth. */
struct span seal_pin_auth(struct span pin, const uint8_t salt[SEAL_SALT_BYTES], struct wipe_32 *out_auth);

/* Both halves of a blob, each behind its length in two bytes. ERR_RANGE; ERR_MALFORMED. */
enum err seal_put_blob(struct buf *out_file, const struct hal_tpm_sealed *sealed) MUST_USE;
enum err seal_get_blob(struct reader *reader, struct hal_tpm_sealed *out_sealed) MUST_USE;

#endif
