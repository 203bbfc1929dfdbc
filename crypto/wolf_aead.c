/* SPDX-License-Identifier: GPL-3.0-or-later */
/* AES-256-GCM over wolfCrypt, which chooses between VAES, AVX, AES-NI and plain C by itself. The expanded key lies in the
 * slab, so neither it nor the hash key derived from it ever reaches an ordinary heap. */
#include "crypto/aead.h"

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/aes.h>

#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "crypto/kdf.h"

struct aead {
    Aes aes;
    struct secret_slab *slab;
};

_Static_assert(_Alignof(Aes) <= SECRET_SLAB_ALIGN, "an object of the slab is aligned for a key schedule");

enum err crypto_slab_new(struct secret_slab **out_slab)
{
    return secret_slab_new((size_t)CONFIG_CRYPTO_SECRET_SLAB_KIB * 1024, sizeof(struct aead), out_slab);
}

/* The length was checked, and that is all that wolfCrypt can refuse. */
static void set_key(struct aead *aead, struct span key)
{
    INVARIANT(wc_AesInit(&aead->aes, NULL, INVALID_DEVID) == 0);
    INVARIANT(wc_AesGcmSetKey(&aead->aes, key.data, (word32)key.len) == 0);
}

static void drop_key(struct aead *aead)
{
    wc_AesFree(&aead->aes);
    mem_wipe(&aead->aes, sizeof(aead->aes));
}

static enum err take_object(struct secret_slab *slab, struct aead **out_aead)
{
    void *object = NULL;

    INVARIANT(secret_slab_object_bytes(slab) >= sizeof(struct aead));
    TRY(secret_slab_take(slab, &object));
    struct aead *const aead = object;

    aead->slab = slab;
    *out_aead = aead;
    return ERR_OK;
}

static void derive_key(struct aead *aead, const struct secret *key, struct span salt, struct span info)
{
    SCOPED_WIPE_32 struct wipe_32 prk = {{0}};
    SCOPED_WIPE_32 struct wipe_32 derived = {{0}};

    hkdf_sha256_extract(salt, secret_reveal(key), prk.bytes);
    INVARIANT(hkdf_sha256_expand(prk.bytes, info, sizeof(derived.bytes), derived.bytes) == ERR_OK);
    set_key(aead, span_array(derived.bytes));
}

enum err aead_new(struct secret_slab *slab, const struct secret *key, struct aead **out_aead)
{
    struct aead *aead = NULL;

    ENSURE(secret_len(key) == AEAD_KEY_BYTES, ERR_RANGE, "length of an AES-256 key");
    TRY(take_object(slab, &aead));
    set_key(aead, secret_reveal(key));
    *out_aead = aead;
    return ERR_OK;
}

enum err aead_new_derived(struct secret_slab *slab, const struct secret *key, struct span salt, struct span info,
                          struct aead **out_aead)
{
    struct aead *aead = NULL;

    TRY(take_object(slab, &aead));
    derive_key(aead, key, salt, info);
    *out_aead = aead;
    return ERR_OK;
}

void aead_rekey_derived(struct aead *aead, const struct secret *key, struct span salt, struct span info)
{
    drop_key(aead);
    derive_key(aead, key, salt, info);
}

void aead_free(struct aead *aead)
{
    if (aead != NULL) {
        wc_AesFree(&aead->aes);
        secret_slab_give(aead->slab, aead);
    }
}

enum err aead_seal(struct aead *aead, const uint8_t nonce[AEAD_NONCE_BYTES], struct span aad, struct span plain,
                   uint8_t *out_cipher, uint8_t out_tag[AEAD_TAG_BYTES])
{
    ENSURE(plain.len <= AEAD_BYTES_MAX && aad.len <= AEAD_BYTES_MAX, ERR_RANGE, "length of a message to seal");
    const int failed = wc_AesGcmEncrypt(&aead->aes, out_cipher, plain.data, (word32)plain.len, nonce, AEAD_NONCE_BYTES,
                                        out_tag, AEAD_TAG_BYTES, aad.data, (word32)aad.len);

    INVARIANT(failed == 0); /* the arguments were checked, and nothing else can fail */
    return ERR_OK;
}

enum err aead_open(struct aead *aead, const uint8_t nonce[AEAD_NONCE_BYTES], struct span aad, struct span cipher,
                   const uint8_t tag[AEAD_TAG_BYTES], uint8_t *out_plain)
{
    ENSURE(cipher.len <= AEAD_BYTES_MAX && aad.len <= AEAD_BYTES_MAX, ERR_RANGE, "length of a message to open");
    const int failed = wc_AesGcmDecrypt(&aead->aes, out_plain, cipher.data, (word32)cipher.len, nonce, AEAD_NONCE_BYTES,
                                        tag, AEAD_TAG_BYTES, aad.data, (word32)aad.len);

    if (failed != 0) {
        mem_wipe(out_plain, cipher.len); /* wolfCrypt decrypts before it compares */
        FAIL(ERR_AUTH, "a sealed value does not verify", failed);
    }
    return ERR_OK;
}
