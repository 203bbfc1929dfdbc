/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The TPM sessions' cryptography over wolfCrypt: ECDH with a key pair that lives for one call, and AES-128-CFB.
 *
 * CFB is written out over the block cipher (two lines), because the mode is nobody else's here and so stays out of the
 * library's build; the block cipher is AES-CBC of one block of zeros, whose IV is then the block.
 * Keys in wolfCrypt's form lie in secrets.
 * Spec: SP 800-38A, 6.3 (CFB-128), checked with its appendix F.3.13; SP 800-56A revision 3, 5.7.1.2 (ECC CDH) with
 * a full check of the peer's point (5.6.2.3.3). */
#include "crypto/tpm_crypto.h"

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/random.h>

#include <string.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/base/num.h"
#include "crypto/hash.h"
#include "crypto/secret.h"

#define NUMBER_BYTES   32
#define BLOCK_BYTES    16
#define X963_BYTES     65 /* 04 | x | y */
#define ALIGNED(bytes) (((bytes) + 63) / 64 * 64)

struct agreement {
    ecc_key mine;
    ecc_key peer;
    WC_RNG rng;
};

static enum err from_wolf(int failed, enum err otherwise)
{
    return failed == MEMORY_E ? ERR_NO_MEMORY : otherwise;
}

static enum err take_peer(struct agreement *with, const uint8_t peer[HAL_TPM_POINT_BYTES])
{
    uint8_t point[X963_BYTES] = {0x04};

    memcpy(point + 1, peer, HAL_TPM_POINT_BYTES);
    int failed = wc_ecc_import_x963_ex(point, sizeof(point), &with->peer, ECC_SECP256R1);
    if (failed == 0) {
        failed = wc_ecc_check_key(&with->peer);
    }
    if (failed != 0) {
        FAIL(from_wolf(failed, ERR_MALFORMED), "the peer's is no point of P-256", failed);
    }
    return ERR_OK;
}

static enum err make_mine(struct agreement *with, uint8_t out_point[X963_BYTES])
{
    word32 point_bytes = X963_BYTES;
    int failed = wc_ecc_make_key_ex(&with->rng, NUMBER_BYTES, &with->mine, ECC_SECP256R1);

    if (failed == 0) {
        failed = wc_ecc_set_rng(&with->mine, &with->rng);
    }
    if (failed == 0) {
        failed = wc_ecc_export_x963(&with->mine, out_point, &point_bytes);
    }
    if (failed != 0 || point_bytes != X963_BYTES) {
        FAIL(from_wolf(failed, ERR_BUG), "the library makes no key pair", failed);
    }
    return ERR_OK;
}

/* With keys and generator initialised. */
static enum err agree(struct agreement *with, const uint8_t peer[HAL_TPM_POINT_BYTES],
                      uint8_t out_public[HAL_TPM_POINT_BYTES], uint8_t out_shared[HAL_TPM_DIGEST_BYTES])
{
    SCOPED_WIPE_32 struct wipe_32 shared = {{0}};
    uint8_t mine[X963_BYTES];
    word32 shared_bytes = NUMBER_BYTES;

    TRY(take_peer(with, peer));
    TRY(make_mine(with, mine));
    const int failed = wc_ecc_shared_secret(&with->mine, &with->peer, shared.bytes, &shared_bytes);
    if (failed != 0 || shared_bytes != NUMBER_BYTES) {
        FAIL(from_wolf(failed, ERR_BUG), "the library does not agree on a secret", failed);
    }

    memcpy(out_public, mine + 1, HAL_TPM_POINT_BYTES);
    memcpy(out_shared, shared.bytes, NUMBER_BYTES);
    return ERR_OK;
}

static enum err ecdh_p256(const uint8_t peer[HAL_TPM_POINT_BYTES], uint8_t out_public[HAL_TPM_POINT_BYTES],
                          uint8_t out_shared[HAL_TPM_DIGEST_BYTES])
{
    SCOPED_SECRET struct secret *memory = NULL;

    TRY(secret_new(ALIGNED(sizeof(struct agreement)), &memory));
    void *const state = secret_fill(memory);
    struct agreement *const with = state;
    const int failed = wc_InitRng(&with->rng);
    if (failed != 0) {
        FAIL(ERR_NO_MEMORY, "the library's random generator does not start", failed);
    }
    INVARIANT(wc_ecc_init_ex(&with->mine, NULL, INVALID_DEVID) == 0);
    INVARIANT(wc_ecc_init_ex(&with->peer, NULL, INVALID_DEVID) == 0);
    const enum err err = agree(with, peer, out_public, out_shared);
    wc_ecc_free(&with->peer);
    wc_ecc_free(&with->mine);
    wc_FreeRng(&with->rng);
    return err;
}

static void encrypt_block(Aes *aes, const uint8_t block[BLOCK_BYTES], uint8_t out_block[BLOCK_BYTES])
{
    static const uint8_t zeros[BLOCK_BYTES] = {0};

    INVARIANT(wc_AesSetIV(aes, block) == 0);
    INVARIANT(wc_AesCbcEncrypt(aes, out_block, zeros, BLOCK_BYTES) == 0);
}

/* Each block is mixed with the encrypted ciphertext before it; both directions differ in which side that is. */
static void run_encrypt(Aes *aes, const uint8_t *iv, uint8_t *bytes, size_t len)
{
    uint8_t before[BLOCK_BYTES];
    uint8_t stream[BLOCK_BYTES];

    memcpy(before, iv, BLOCK_BYTES);
    for (size_t at = 0; at < len; at += BLOCK_BYTES) {
        const size_t part = num_min(len - at, BLOCK_BYTES);

        encrypt_block(aes, before, stream);
        for (size_t i = 0; i < part; i++) {
            bytes[at + i] ^= stream[i];
        }
        memcpy(before, bytes + at, part); /* a short block is the last one */
    }
    mem_wipe(stream, sizeof(stream));
}

static void run_decrypt(Aes *aes, const uint8_t *iv, uint8_t *bytes, size_t len)
{
    uint8_t before[BLOCK_BYTES];
    uint8_t stream[BLOCK_BYTES];

    memcpy(before, iv, BLOCK_BYTES);
    for (size_t at = 0; at < len; at += BLOCK_BYTES) {
        const size_t part = num_min(len - at, BLOCK_BYTES);

        encrypt_block(aes, before, stream);
        memcpy(before, bytes + at, part);
        for (size_t i = 0; i < part; i++) {
            bytes[at + i] ^= stream[i];
        }
    }
    mem_wipe(stream, sizeof(stream));
}

static enum err cfb(void (*run)(Aes *, const uint8_t *, uint8_t *, size_t), const uint8_t *key, const uint8_t *iv,
                    uint8_t *bytes, size_t len)
{
    SCOPED_SECRET struct secret *memory = NULL;

    TRY(secret_new(ALIGNED(sizeof(Aes)), &memory));
    void *const state = secret_fill(memory);
    Aes *const aes = state;

    INVARIANT(wc_AesInit(aes, NULL, INVALID_DEVID) == 0);
    INVARIANT(wc_AesSetKey(aes, key, HAL_TPM_AES_BYTES, iv, AES_ENCRYPTION) == 0);
    run(aes, iv, bytes, len);
    wc_AesFree(aes);
    return ERR_OK;
}

static enum err cfb_encrypt(const uint8_t key[HAL_TPM_AES_BYTES], const uint8_t iv[HAL_TPM_AES_BYTES], uint8_t *bytes,
                            size_t len)
{
    return cfb(run_encrypt, key, iv, bytes, len);
}

static enum err cfb_decrypt(const uint8_t key[HAL_TPM_AES_BYTES], const uint8_t iv[HAL_TPM_AES_BYTES], uint8_t *bytes,
                            size_t len)
{
    return cfb(run_decrypt, key, iv, bytes, len);
}

const struct hal_tpm_crypto tpm_crypto = {
    .sha256 = sha256,
    .hmac_sha256 = hmac_sha256,
    .ecdh_p256 = ecdh_p256,
    .aes128_cfb_encrypt = cfb_encrypt,
    .aes128_cfb_decrypt = cfb_decrypt,
};
