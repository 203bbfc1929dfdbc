/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keys from keys: HKDF with SHA-256. Spec: RFC 5869. */
#ifndef CRYPTO_KDF_H
#define CRYPTO_KDF_H

#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "crypto/secret.h"

#define HKDF_PRK_BYTES 32
#define HKDF_OUT_MAX (255 * 32) /* RFC 5869 section 2.3 */
#define HKDF_INFO_MAX 1024       /* names and ids; a longer one is a defect of the caller */

/* Extract then expand, into a new secret of `bytes` bytes. salt and info are public and may be empty.
 * ERR_RANGE (0 bytes or more than HKDF_OUT_MAX, info over HKDF_INFO_MAX), ERR_NO_MEMORY, ERR_REFUSED as secret_new(). */
enum err hkdf_sha256(const struct secret *key, struct span salt, struct span info, size_t bytes,
                     struct secret **out_key) MUST_USE;

/* The two steps over bytes of the caller, for those who keep them in their own locked or scoped memory.
 * ERR_RANGE as above; out_key is untouched then. */
void hkdf_sha256_extract(struct span salt, struct span input_key, uint8_t out_prk[HKDF_PRK_BYTES]);
enum err hkdf_sha256_expand(const uint8_t prk[HKDF_PRK_BYTES], struct span info, size_t bytes,
                            uint8_t *out_key) MUST_USE;

#endif
