/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The start of this folder: library versions, then one published answer through each primitive. A wrong answer means a
 * broken library, compiler or processor, and the process must not touch a key. */
#include "crypto/crypto.h"

#include <string.h>

#include "hal/base/fault.h"
#include "crypto/aead.h"
#include "crypto/ct.h"
#include "crypto/hash.h"
#include "crypto/hpke.h"
#include "crypto/kdf.h"
#include "crypto/sign.h"
#include "crypto/start_int.h"

#define HEX_MAX 65

struct answer {
    uint8_t bytes[HEX_MAX];
};

/* The literal's digits as bytes; only our own literals come here. */
static struct answer from_hex(const char *hex)
{
    const struct span text = span_str(hex);
    struct answer answer = {{0}};

    INVARIANT(text.len <= HEX_BYTES(HEX_MAX) && hex_decode(text, answer.bytes, text.len / 2) == ERR_OK);
    return answer;
}

static bool is_answer(const uint8_t *got, const char *hex)
{
    const struct answer wanted = from_hex(hex);

    return ct_equal(span_of(got, span_str(hex).len / 2), span_of(wanted.bytes, span_str(hex).len / 2));
}

/* McGrew and Viega, GCM, test case 14; and the same with a changed tag must not open. */
static enum err test_aead(void)
{
    SCOPED_SECRET_SLAB struct secret_slab *slab = NULL;
    SCOPED_SECRET struct secret *key = NULL;
    SCOPED_AEAD struct aead *aead = NULL;
    const uint8_t nonce[AEAD_NONCE_BYTES] = {0};
    const uint8_t plain[16] = {0};
    uint8_t cipher[16];
    uint8_t opened[16];
    uint8_t tag[AEAD_TAG_BYTES];

    TRY(secret_slab_new(2048, 1280, &slab));
    TRY(secret_new(AEAD_KEY_BYTES, &key));
    TRY(aead_new(slab, key, &aead));
    TRY(aead_seal(aead, nonce, SPAN_NONE, span_array(plain), cipher, tag));
    ENSURE(is_answer(cipher, "cea7403d4d606b6e074ec5d3baf39d18") && is_answer(tag, "d0d1c8a799996bf0265b98b5d48ab919"),
           ERR_BUG, "AES-256-GCM seals wrongly");
    TRY(aead_open(aead, nonce, SPAN_NONE, span_array(cipher), tag, opened));
    ENSURE(ct_is_zero(span_array(opened)), ERR_BUG, "AES-256-GCM opens wrongly");
    tag[15] ^= 1;
    const enum err err = aead_open(aead, nonce, SPAN_NONE, span_array(cipher), tag, opened);

    fault_clear();
    ENSURE(err == ERR_AUTH, ERR_BUG, "AES-256-GCM accepts a wrong tag");
    return ERR_OK;
}

/* FIPS 180-4 "abc"; RFC 4231 test case 2; RFC 5869 test case 1. */
static enum err test_hashes(void)
{
    const struct answer input = from_hex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b");
    const struct answer salt = from_hex("000102030405060708090a0b0c");
    const struct answer info = from_hex("f0f1f2f3f4f5f6f7f8f9");
    uint8_t digest[SHA384_BYTES];
    uint8_t key[42];

    sha256(span_lit("abc"), digest);
    ENSURE(is_answer(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"), ERR_BUG,
           "SHA-256 is wrong");
    sha384(span_lit("abc"), digest);
    ENSURE(is_answer(digest, "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"),
           ERR_BUG, "SHA-384 is wrong");
    hmac_sha256(span_lit("Jefe"), span_lit("what do ya want for nothing?"), digest);
    ENSURE(is_answer(digest, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"), ERR_BUG,
           "HMAC-SHA-256 is wrong");
    hkdf_sha256_extract(span_of(salt.bytes, 13), span_of(input.bytes, 22), digest);
    TRY(hkdf_sha256_expand(digest, span_of(info.bytes, 10), sizeof(key), key));
    ENSURE(is_answer(key, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"), ERR_BUG,
           "HKDF-SHA-256 is wrong");
    return ERR_OK;
}

/* RFC 6979 appendix A.2.5: SHA-256, message "sample"; and a fresh signature verifies, a changed one does not. */
static enum err test_sign(void)
{
    SCOPED_SECRET struct secret *key = NULL;
    SCOPED_SIGNER struct signer *signer = NULL;
    SCOPED_RANDOM struct random *random = NULL;
    const struct answer private_key = from_hex("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721");
    const struct answer r = from_hex("efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716");
    const struct answer s = from_hex("f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8");
    uint8_t public_key[SIGN_PUBLIC_BYTES];
    uint8_t signature[SIGN_RAW_BYTES];
    uint8_t digest[SHA256_BYTES];

    TRY(random_new(SPAN_NONE, &random));
    TRY(secret_new_copy(span_of(private_key.bytes, SIGN_PRIVATE_BYTES), &key));
    TRY(signer_new(key, random, &signer));
    signer_public(signer, public_key);
    ENSURE(is_answer(public_key, "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
                                 "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"),
           ERR_BUG, "P-256 multiplies wrongly");
    sha256(span_lit("sample"), digest);
    memcpy(signature, r.bytes, 32);
    memcpy(signature + 32, s.bytes, 32);
    TRY(sign_verify_raw(public_key, span_array(digest), signature, SIGN_ANY_S));
    TRY(signer_sign_raw(signer, span_array(digest), signature));
    TRY(sign_verify_raw(public_key, span_array(digest), signature, SIGN_LOW_S));
    digest[0] ^= 1;
    const enum err err = sign_verify_raw(public_key, span_array(digest), signature, SIGN_LOW_S);

    fault_clear();
    ENSURE(err == ERR_AUTH, ERR_BUG, "ECDSA accepts a signature of something else");
    return ERR_OK;
}

/* RFC 9180 appendix A.1.1: the receiver's pair. */
static enum err test_key_agreement(void)
{
    SCOPED_SECRET struct secret *input = NULL;
    SCOPED_SECRET struct secret *private_key = NULL;
    const struct answer seed = from_hex("6db9df30aa07dd42ee5e8181afdb977e538f5e1fec8a06223f33f7013e525037");
    uint8_t public_key[HPKE_PUBLIC_BYTES];

    TRY(secret_new_copy(span_of(seed.bytes, 32), &input));
    TRY(hpke_key_pair(input, &private_key, public_key));
    ENSURE(is_answer(public_key, "3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d"), ERR_BUG,
           "X25519 is wrong");
    return ERR_OK;
}

enum err crypto_start(void)
{
    TRY(sodium_start());
    TRY(wolf_start());
    TRY(test_hashes());
    TRY(test_aead());
    TRY(test_sign());
    return test_key_agreement();
}

enum err crypto_dispatch(struct crypto_dispatch *out_dispatch)
{
    bool native = false;

    TRY(wolf_uses_native_aes(&native));
    *out_dispatch = (struct crypto_dispatch){
        .wolfcrypt = wolf_version(),
        .sodium = sodium_version(),
        .cpu_aes = cpu_has_aes(),
        .aes_native = native,
        .cpu_sha = cpu_has_sha(),
        .assembly = wolf_has_assembly(),
    };
    return ERR_OK;
}
