/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SHA-256, SHA-384 and HMAC-SHA-256 over wolfCrypt.
 *
 * wolfCrypt's hash calls report failure for absent memory, which they do not use in this build, and for wrong arguments:
 * any failure here is a defect. HMAC is written out over the hash (RFC 2104 is two lines), because a key that is used often
 * then costs two blocks of hashing less a message and no 1 KiB context of wolfCrypt's own. */
#include "crypto/hash.h"

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/sha256.h>
#include <wolfssl/wolfcrypt/sha512.h>

#include <string.h>

#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "crypto/kdf.h"

#define BLOCK_BYTES 64 /* of SHA-256 */

_Static_assert(sizeof(wc_Sha256) <= SHA256_STATE_BYTES, "a stream holds wolfCrypt's state");
_Static_assert(_Alignof(wc_Sha256) <= 64, "a stream is aligned for wolfCrypt's state");
_Static_assert(WC_SHA256_DIGEST_SIZE == SHA256_BYTES && WC_SHA384_DIGEST_SIZE == SHA384_BYTES, "digest sizes");

struct hmac_key {
    wc_Sha256 inner; /* the key's first block is in both */
    wc_Sha256 outer;
    struct secret_slab *slab;
};

static void start(wc_Sha256 *hash)
{
    INVARIANT(wc_InitSha256_ex(hash, NULL, INVALID_DEVID) == 0);
}

static void add(wc_Sha256 *hash, struct span data)
{
    INVARIANT(data.len <= HASH_BYTES_MAX);
    if (data.len != 0) {
        INVARIANT(wc_Sha256Update(hash, data.data, (word32)data.len) == 0);
    }
}

static void finish(wc_Sha256 *hash, uint8_t out_digest[SHA256_BYTES])
{
    INVARIANT(wc_Sha256Final(hash, out_digest) == 0);
    wc_Sha256Free(hash);
    mem_wipe(hash, sizeof(*hash));
}

void sha256(struct span data, uint8_t out_digest[SHA256_BYTES])
{
    wc_Sha256 hash;

    start(&hash);
    add(&hash, data);
    finish(&hash, out_digest);
}

void sha384(struct span data, uint8_t out_digest[SHA384_BYTES])
{
    wc_Sha384 hash;

    INVARIANT(data.len <= HASH_BYTES_MAX);
    INVARIANT(wc_InitSha384_ex(&hash, NULL, INVALID_DEVID) == 0);
    if (data.len != 0) {
        INVARIANT(wc_Sha384Update(&hash, data.data, (word32)data.len) == 0);
    }
    INVARIANT(wc_Sha384Final(&hash, out_digest) == 0);
    wc_Sha384Free(&hash);
    mem_wipe(&hash, sizeof(hash));
}

static wc_Sha256 *state_of(struct sha256_stream *stream)
{
    void *const state = stream->state;

    return state;
}

void sha256_init(struct sha256_stream *out_stream)
{
    start(state_of(out_stream));
}

void sha256_update(struct sha256_stream *stream, struct span data)
{
    add(state_of(stream), data);
}

void sha256_final(struct sha256_stream *stream, uint8_t out_digest[SHA256_BYTES])
{
    finish(state_of(stream), out_digest);
}

void sha256_parts(const struct span *parts, size_t count, uint8_t out_digest[SHA256_BYTES])
{
    wc_Sha256 hash;
    uint8_t len[sizeof(uint64_t)];

    start(&hash);
    for (size_t i = 0; i < count; i++) {
        put_u64be(len, parts[i].len);
        add(&hash, span_array(len));
        add(&hash, parts[i]);
    }
    finish(&hash, out_digest);
}

/* Hashes the key's block, which differs for the two hashes of a MAC in the byte that is mixed in. */
static void start_keyed(wc_Sha256 *hash, struct span key, uint8_t mixed)
{
    SCOPED_WIPE_64 struct wipe_64 block = {{0}};

    if (key.len > BLOCK_BYTES) {
        sha256(key, block.bytes);
    } else if (key.len != 0) {
        memcpy(block.bytes, key.data, key.len);
    }
    for (size_t i = 0; i < BLOCK_BYTES; i++) {
        block.bytes[i] ^= mixed;
    }
    start(hash);
    add(hash, span_array(block.bytes));
}

static void set_key(struct hmac_key *hmac, struct span key)
{
    start_keyed(&hmac->inner, key, 0x36);
    start_keyed(&hmac->outer, key, 0x5c);
}

static void copy(const wc_Sha256 *from, wc_Sha256 *out_to)
{
    /* The only pointer inside is the unused heap hint, so a copy of the struct is a copy of the state; wc_Sha256Copy()
     * wants a source that it may write to. */
    *out_to = *from;
}

void hmac_key_mac(const struct hmac_key *key, const struct span *parts, size_t count, uint8_t out_mac[SHA256_BYTES])
{
    SCOPED_WIPE_32 struct wipe_32 digest = {{0}};
    wc_Sha256 hash;

    copy(&key->inner, &hash);
    for (size_t i = 0; i < count; i++) {
        add(&hash, parts[i]);
    }
    finish(&hash, digest.bytes);
    copy(&key->outer, &hash);
    add(&hash, span_array(digest.bytes));
    finish(&hash, out_mac);
}

void hmac_sha256(struct span key, struct span data, uint8_t out_mac[SHA256_BYTES])
{
    struct hmac_key hmac = {.slab = NULL};

    set_key(&hmac, key);
    hmac_key_mac(&hmac, &data, 1, out_mac);
    mem_wipe(&hmac, sizeof(hmac));
}

static enum err new_key(struct secret_slab *slab, struct span key, struct hmac_key **out_key)
{
    void *object = NULL;

    INVARIANT(secret_slab_object_bytes(slab) >= sizeof(struct hmac_key));
    TRY(secret_slab_take(slab, &object));
    struct hmac_key *const hmac = object;

    set_key(hmac, key);
    hmac->slab = slab;
    *out_key = hmac;
    return ERR_OK;
}

enum err hmac_key_new(struct secret_slab *slab, const struct secret *key, struct hmac_key **out_key)
{
    return new_key(slab, secret_reveal(key), out_key);
}

enum err hmac_key_new_derived(struct secret_slab *slab, const struct secret *key, struct span salt, struct span info,
                              struct hmac_key **out_key)
{
    SCOPED_WIPE_32 struct wipe_32 prk = {{0}};
    SCOPED_WIPE_32 struct wipe_32 derived = {{0}};

    hkdf_sha256_extract(salt, secret_reveal(key), prk.bytes);
    TRY(hkdf_sha256_expand(prk.bytes, info, sizeof(derived.bytes), derived.bytes));
    return new_key(slab, span_array(derived.bytes), out_key);
}

void hmac_key_free(struct hmac_key *key)
{
    if (key != NULL) {
        secret_slab_give(key->slab, key);
    }
}
