/* SPDX-License-Identifier: GPL-3.0-or-later */
/* RSA over wolfCrypt, of which only the public operation is used. The padding is not taken apart but made once more and
 * compared: what takes it apart has let forged signatures pass in many libraries (Bleichenbacher, 2006). */
#include "crypto/rsa.h"

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/rsa.h>

#include <string.h>

#include "crypto/ct.h"
#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"

#define RSA_MODULUS_MID 384
#define EXPONENT_BYTES  4
#define EXPONENT_MIN    65537u

/* DigestInfo of SHA-256 up to the digest: RFC 8017 section 9.2, note 1. */
static const uint8_t digest_info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                      0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};

enum err rsa_public_read(struct span modulus, struct span exponent, struct rsa_public *out_key)
{
    uint32_t number = 0;

    ENSURE(modulus.len == RSA_MODULUS_MIN || modulus.len == RSA_MODULUS_MID || modulus.len == RSA_MODULUS_MAX,
           ERR_MALFORMED, "an RSA modulus of another size");
    ENSURE((modulus.data[0] & 0x80) != 0 && (modulus.data[modulus.len - 1] & 1) == 1, ERR_MALFORMED,
           "an RSA modulus with bits of another size, or an even one");
    ENSURE(exponent.len >= 1 && exponent.len <= EXPONENT_BYTES && exponent.data[0] != 0, ERR_MALFORMED,
           "an RSA exponent of another size");
    for (size_t i = 0; i < exponent.len; i++) {
        number = number << 8 | exponent.data[i];
    }
    ENSURE(number >= EXPONENT_MIN && (number & 1) == 1, ERR_MALFORMED, "an RSA exponent that is even or too small");
    memset(out_key, 0, sizeof *out_key);
    memcpy(out_key->modulus, modulus.data, modulus.len);
    out_key->modulus_len = modulus.len;
    out_key->exponent = number;
    return ERR_OK;
}

/* 00 01 FF .. FF 00 DigestInfo */
static void make_block(size_t len, const uint8_t digest[SHA256_BYTES], uint8_t out_block[RSA_MODULUS_MAX])
{
    const size_t tail = sizeof digest_info + SHA256_BYTES;

    memset(out_block, 0xff, len);
    out_block[0] = 0;
    out_block[1] = 1;
    out_block[len - tail - 1] = 0;
    memcpy(out_block + len - tail, digest_info, sizeof digest_info);
    memcpy(out_block + len - SHA256_BYTES, digest, SHA256_BYTES);
}

static void key_free_scoped(RsaKey **key)
{
    if (*key != NULL) {
        (void)wc_FreeRsaKey(*key); /* fails for NULL alone */
        mem_free(*key);
    }
}

static enum err key_new(const struct rsa_public *from, RsaKey **out_key)
{
    uint8_t exponent[EXPONENT_BYTES];
    void *memory = NULL;

    TRY(mem_alloc(sizeof(RsaKey), &memory));
    SCOPED(key_free_scoped) RsaKey *key = memory;

    INVARIANT(wc_InitRsaKey_ex(key, NULL, INVALID_DEVID) == 0);
    put_u32be(exponent, from->exponent);
    const int failed = wc_RsaPublicKeyDecodeRaw(from->modulus, (word32)from->modulus_len, exponent, sizeof exponent, key);
    if (failed != 0) {
        FAIL(failed == MEMORY_E ? ERR_NO_MEMORY : ERR_AUTH, "the library refuses an RSA key", failed);
    }
    *out_key = TAKE(key);
    return ERR_OK;
}

enum err rsa_verify_sha256(const struct rsa_public *key, const uint8_t digest[SHA256_BYTES], struct span signature)
{
    SCOPED(key_free_scoped) RsaKey *wolf = NULL;
    const size_t len = key->modulus_len;
    uint8_t wanted[RSA_MODULUS_MAX];
    uint8_t got[RSA_MODULUS_MAX];
    word32 got_len = (word32)len;

    ENSURE(signature.len == len, ERR_AUTH, "an RSA signature of another length");
    ENSURE(span_compare(signature, span_of(key->modulus, len)) < 0, ERR_AUTH, "an RSA signature not below the modulus");
    TRY(key_new(key, &wolf));
    const int failed =
        wc_RsaFunction(signature.data, (word32)signature.len, got, &got_len, RSA_PUBLIC_DECRYPT, wolf, NULL);
    if (failed != 0) {
        FAIL(failed == MEMORY_E ? ERR_NO_MEMORY : ERR_AUTH, "the library refuses an RSA signature", failed);
    }
    make_block(len, digest, wanted);
    ENSURE(got_len == len && ct_equal(span_of(got, len), span_of(wanted, len)), ERR_AUTH,
           "an RSA signature does not verify");
    return ERR_OK;
}
