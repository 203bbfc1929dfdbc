/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Random bytes from the kernel, and the gate that is passed before the first key is made. The bytes of the TPM come
 * from hal_tpm_random; crypto/ mixes the two. */
#ifndef HAL_ENTROPY_H
#define HAL_ENTROPY_H

#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/tpm.h"

#define HAL_ENTROPY_PROBE 32 /* bytes asked of the TPM at the gate */

struct hal_entropy;

struct hal_entropy_ops {
    enum err (*wait_ready)(struct hal_entropy *entropy, unsigned int timeout_ms);
    enum err (*fill)(struct hal_entropy *entropy, uint8_t *out_bytes, size_t len);
};

struct hal_entropy {
    const struct hal_entropy_ops *ops;
};

/* The kernel's generator (getrandom). One object for all threads. */
struct hal_entropy *hal_entropy_kernel(void);

/* Blocks until the kernel's pool has been initialised. ERR_TIMEOUT, ERR_IO. */
static inline MUST_USE enum err hal_entropy_wait_ready(struct hal_entropy *entropy, unsigned int timeout_ms)
{
    return entropy->ops->wait_ready(entropy, timeout_ms);
}

/* len random bytes; never blocks once wait_ready has succeeded. ERR_IO. */
static inline MUST_USE enum err hal_entropy_fill(struct hal_entropy *entropy, uint8_t *out_bytes, size_t len)
{
    return entropy->ops->fill(entropy, out_bytes, len);
}

/* The gate: succeeds once the kernel's pool is initialised and the TPM has delivered HAL_ENTROPY_PROBE bytes twice, and
 * not the same ones. No key may be made before. ERR_TIMEOUT, ERR_IO, those of hal_tpm_random, and ERR_DEVICE when the
 * TPM's generator repeats itself. Blocks. */
enum err hal_entropy_gate(struct hal_entropy *entropy, struct hal_tpm *tpm, unsigned int timeout_ms) MUST_USE;

#endif
