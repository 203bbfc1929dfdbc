/* SPDX-License-Identifier: GPL-3.0-or-later */
/* HKDF-SHA-256, written as RFC 5869 section 2 has it. */
#include "crypto/kdf.h"

#include <string.h>

#include "hal/base/fault.h"
#include "hal/base/num.h"
#include "crypto/hash.h"

_Static_assert(HKDF_PRK_BYTES == SHA256_BYTES, "the pseudo-random key is one digest");

struct expand_block {
    uint8_t bytes[SHA256_BYTES + HKDF_INFO_MAX + 1]; /* T(i - 1) | info | i */
};

static void wipe_block_scoped(struct expand_block *block)
{
    mem_wipe(block, sizeof(*block));
}

void hkdf_sha256_extract(struct span salt, struct span input_key, uint8_t out_prk[HKDF_PRK_BYTES])
{
    hmac_sha256(salt, input_key, out_prk); /* an absent salt is 32 zero bytes, which as an HMAC key is the empty one */
}

enum err hkdf_sha256_expand(const uint8_t prk[HKDF_PRK_BYTES], struct span info, size_t bytes, uint8_t *out_key)
{
    SCOPED(wipe_block_scoped) struct expand_block block = {{0}};
    SCOPED_WIPE_32 struct wipe_32 digest = {{0}};
    size_t done = 0;
    size_t kept = 0; /* length of T(i - 1): none before the first */

    ENSURE(bytes >= 1 && bytes <= HKDF_OUT_MAX, ERR_RANGE, "length of a derived key");
    ENSURE(info.len <= HKDF_INFO_MAX, ERR_RANGE, "length of the info of a derived key");
    for (uint8_t i = 1; done < bytes; i++) {
        if (info.len != 0) {
            memcpy(block.bytes + kept, info.data, info.len);
        }
        block.bytes[kept + info.len] = i;
        hmac_sha256(span_of(prk, HKDF_PRK_BYTES), span_of(block.bytes, kept + info.len + 1), digest.bytes);
        const size_t part = num_min(bytes - done, sizeof(digest.bytes));

        memcpy(out_key + done, digest.bytes, part);
        memcpy(block.bytes, digest.bytes, sizeof(digest.bytes));
        kept = sizeof(digest.bytes);
        done += part;
    }
    return ERR_OK;
}

enum err hkdf_sha256(const struct secret *key, struct span salt, struct span info, size_t bytes,
                     struct secret **out_key)
{
    SCOPED_WIPE_32 struct wipe_32 prk = {{0}};
    SCOPED_SECRET struct secret *derived = NULL;

    ENSURE(bytes >= 1 && bytes <= HKDF_OUT_MAX, ERR_RANGE, "length of a derived key");
    TRY(secret_new(bytes, &derived));
    hkdf_sha256_extract(salt, secret_reveal(key), prk.bytes);
    TRY(hkdf_sha256_expand(prk.bytes, info, bytes, secret_fill(derived)));
    *out_key = TAKE(derived);
    return ERR_OK;
}
