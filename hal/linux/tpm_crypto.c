/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The cryptography of the sessions, handed to ESYS as call-backs.
 *
 * ESYS hashes in pieces; the caller's table computes over one message. So the pieces of a message, which is never longer
 * than a TPM packet and the names beside it, are gathered here, and wiped with their key once the digest is worked out.
 * Only what our sessions use is served: SHA-256, HMAC over it, ECDH on P-256 for the salt, AES-128-CFB for parameters.
 * A key of somebody else at the SRK's handle may want another hash for its name; that is refused (NOT_SUPPORTED).
 * Spec: TPM 2.0 Part 1, 11.4.10 (KDFa, KDFe), 19.6.13 (salt), 21 (parameter encryption), C.6.1 (ECDH). */
#include "hal/linux/tpm_int.h"

#include <string.h>

#include <tss2/tss2_mu.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/base/num.h"
#include "hal/entropy.h"

#define P256_BYTES     32
#define KEY_BYTES_MAX  256  /* session key and authorisation value: two digests each at most */
#define DATA_BYTES_MAX 4608 /* a packet (4096), its code and three names */

struct gathered {
    bool keyed;
    size_t key_bytes;
    size_t data_bytes;
    uint8_t key[KEY_BYTES_MAX];
    uint8_t data[DATA_BYTES_MAX];
};

static const struct hal_tpm_crypto *table_of(const void *userdata)
{
    const struct linux_tpm *const tpm = userdata;

    return tpm->crypto;
}

static struct gathered *gathered_of(ESYS_CRYPTO_CONTEXT_BLOB *context)
{
    return (struct gathered *)context;
}

static TSS2_RC to_tss(enum err err)
{
    if (err == ERR_OK) {
        return TSS2_RC_SUCCESS;
    }
    return err == ERR_NO_MEMORY ? TSS2_ESYS_RC_MEMORY : TSS2_ESYS_RC_GENERAL_FAILURE;
}

static TSS2_RC begin(TPM2_ALG_ID algorithm, ESYS_CRYPTO_CONTEXT_BLOB **out_context)
{
    void *memory = NULL;

    if (algorithm != TPM2_ALG_SHA256) {
        return TSS2_ESYS_RC_NOT_SUPPORTED;
    }
    const enum err err = mem_alloc(sizeof(struct gathered), &memory);
    if (err == ERR_OK) {
        *out_context = memory;
    }
    return to_tss(err);
}

static TSS2_RC hash_start(ESYS_CRYPTO_CONTEXT_BLOB **out_context, TPM2_ALG_ID algorithm, void *userdata UNUSED)
{
    return begin(algorithm, out_context);
}

static TSS2_RC hmac_start(ESYS_CRYPTO_CONTEXT_BLOB **out_context, TPM2_ALG_ID algorithm, const uint8_t *key,
                          size_t size, void *userdata UNUSED)
{
    if (size > KEY_BYTES_MAX) {
        return TSS2_ESYS_RC_BAD_SIZE;
    }
    const TSS2_RC rc = begin(algorithm, out_context);
    if (rc != TSS2_RC_SUCCESS) {
        return rc;
    }
    struct gathered *const gathered = gathered_of(*out_context);
    gathered->keyed = true;
    gathered->key_bytes = size;
    if (size > 0) {
        memcpy(gathered->key, key, size);
    }
    return TSS2_RC_SUCCESS;
}

static TSS2_RC update(ESYS_CRYPTO_CONTEXT_BLOB *context, const uint8_t *data, size_t size, void *userdata UNUSED)
{
    struct gathered *const gathered = gathered_of(context);

    if (size > DATA_BYTES_MAX - gathered->data_bytes) {
        return TSS2_ESYS_RC_BAD_SIZE;
    }
    if (size > 0) {
        memcpy(gathered->data + gathered->data_bytes, data, size);
        gathered->data_bytes += size;
    }
    return TSS2_RC_SUCCESS;
}

static void abandon(ESYS_CRYPTO_CONTEXT_BLOB **context, void *userdata UNUSED)
{
    if (*context != NULL) {
        mem_wipe(*context, sizeof(struct gathered));
        mem_free(*context);
        *context = NULL;
    }
}

static TSS2_RC finish(ESYS_CRYPTO_CONTEXT_BLOB **context, uint8_t *out_digest, size_t *out_size, void *userdata)
{
    struct gathered *const gathered = gathered_of(*context);
    const struct span data = span_of(gathered->data, gathered->data_bytes);

    if (gathered->keyed) {
        table_of(userdata)->hmac_sha256(span_of(gathered->key, gathered->key_bytes), data, out_digest);
    } else {
        table_of(userdata)->sha256(data, out_digest);
    }
    *out_size = HAL_TPM_DIGEST_BYTES;
    abandon(context, userdata);
    return TSS2_RC_SUCCESS;
}

static TSS2_RC nonce(TPM2B_NONCE *out_nonce, size_t size, void *userdata UNUSED)
{
    if (size == 0 || size > sizeof(out_nonce->buffer)) {
        return TSS2_ESYS_RC_BAD_SIZE;
    }
    const enum err err = hal_entropy_fill(hal_entropy_kernel(), out_nonce->buffer, size);
    if (err == ERR_OK) {
        out_nonce->size = (UINT16)size;
    }
    return to_tss(err);
}

/* Numbers of a TPM may come without their leading zeros. */
static bool pad(const TPM2B_ECC_PARAMETER *number, uint8_t out_padded[P256_BYTES])
{
    if (number->size > P256_BYTES) {
        return false;
    }
    memset(out_padded, 0, P256_BYTES);
    memcpy(out_padded + P256_BYTES - number->size, number->buffer, number->size);
    return true;
}

/* A key pair for this salt alone: its public half goes to the TPM, marshalled, and what the two halves share is the
 * source of the salt. */
static TSS2_RC agree_callback(TPM2B_PUBLIC *key, size_t room, TPM2B_ECC_PARAMETER *out_shared,
                              TPMS_ECC_POINT *out_public, BYTE *out_bytes, size_t *out_size, void *userdata)
{
    const TPMS_ECC_POINT *const point = &key->publicArea.unique.ecc;
    uint8_t peer[HAL_TPM_POINT_BYTES];
    uint8_t mine[HAL_TPM_POINT_BYTES];
    size_t size = 0;

    if (key->publicArea.type != TPM2_ALG_ECC || key->publicArea.parameters.eccDetail.curveID != TPM2_ECC_NIST_P256 ||
        !pad(&point->x, peer) || !pad(&point->y, peer + P256_BYTES)) {
        return TSS2_ESYS_RC_NOT_SUPPORTED;
    }
    const TSS2_RC rc = to_tss(table_of(userdata)->ecdh_p256(peer, mine, out_shared->buffer));
    if (rc != TSS2_RC_SUCCESS) {
        return rc;
    }
    out_shared->size = P256_BYTES;
    memcpy(out_public->x.buffer, mine, P256_BYTES);
    memcpy(out_public->y.buffer, mine + P256_BYTES, P256_BYTES);
    out_public->x.size = P256_BYTES;
    out_public->y.size = P256_BYTES;
    const TSS2_RC written = Tss2_MU_TPMS_ECC_POINT_Marshal(out_public, out_bytes, room, &size);
    if (written == TSS2_RC_SUCCESS) {
        *out_size = size;
    }
    return written;
}

static bool is_aes128_cfb(TPM2_ALG_ID algorithm, TPMI_AES_KEY_BITS bits, TPM2_ALG_ID mode)
{
    return algorithm == TPM2_ALG_AES && bits == HAL_TPM_AES_BYTES * 8 && mode == TPM2_ALG_CFB;
}

static TSS2_RC encrypt_callback(uint8_t *key, TPM2_ALG_ID algorithm, TPMI_AES_KEY_BITS bits, TPM2_ALG_ID mode,
                                uint8_t *bytes, size_t size, uint8_t *iv, void *userdata)
{
    if (!is_aes128_cfb(algorithm, bits, mode)) {
        return TSS2_ESYS_RC_NOT_SUPPORTED;
    }
    return to_tss(table_of(userdata)->aes128_cfb_encrypt(key, iv, bytes, size));
}

static TSS2_RC decrypt_callback(uint8_t *key, TPM2_ALG_ID algorithm, TPMI_AES_KEY_BITS bits, TPM2_ALG_ID mode,
                                uint8_t *bytes, size_t size, uint8_t *iv, void *userdata)
{
    if (!is_aes128_cfb(algorithm, bits, mode)) {
        return TSS2_ESYS_RC_NOT_SUPPORTED;
    }
    return to_tss(table_of(userdata)->aes128_cfb_decrypt(key, iv, bytes, size));
}

/* Asked for when a salt is encrypted to an RSA key: ours is on P-256. */
static TSS2_RC no_rsa_callback(TPM2B_PUBLIC *key UNUSED, size_t size UNUSED, BYTE *bytes UNUSED, size_t room UNUSED,
                               BYTE *out_bytes UNUSED, size_t *out_size UNUSED, const char *label UNUSED,
                               void *userdata UNUSED)
{
    return TSS2_ESYS_RC_NOT_SUPPORTED;
}

TSS2_RC tpm_crypto_lend(ESYS_CONTEXT *esys, struct linux_tpm *tpm)
{
    ESYS_CRYPTO_CALLBACKS calls = {
        .rsa_pk_encrypt = no_rsa_callback,
        .hash_start = hash_start,
        .hash_update = update,
        .hash_finish = finish,
        .hash_abort = abandon,
        .hmac_start = hmac_start,
        .hmac_update = update,
        .hmac_finish = finish,
        .hmac_abort = abandon,
        .get_random2b = nonce,
        .get_ecdh_point = agree_callback,
        .aes_encrypt = encrypt_callback,
        .aes_decrypt = decrypt_callback,
        .userdata = tpm,
    };

    return Esys_SetCryptoCallbacks(esys, &calls);
}
