/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ECDSA P-256 over wolfCrypt.
 *
 * A private key in wolfCrypt's form lies in a secret. Its random generator is seeded by the kernel and by our own, but its
 * state lies in wolfCrypt's heap, which is neither dumped nor swapped on a board. Ranges of numbers are checked here, not
 * left to the library: 0 < private key < n, 0 < r < n, 0 < s < n. */
#include "crypto/sign.h"

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/random.h>

#include <string.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "crypto/ct.h"
#include "crypto/hash.h"

#define NUMBER_BYTES 32
#define NONCE_BYTES 32 /* of our generator, mixed into wolfCrypt's */

struct signer_state {
    ecc_key key;
    WC_RNG rng;
};

struct signer {
    struct secret *memory; /* a struct signer_state */
    bool key_ready;
    bool rng_ready;
    uint8_t public_key[SIGN_PUBLIC_BYTES];
};

/* The order n of the group, and its half, rounded down: an s above it is the upper one. */
static const uint8_t order[NUMBER_BYTES] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
                                            0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
                                            0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
static const uint8_t half_order[NUMBER_BYTES] = {0x7f, 0xff, 0xff, 0xff, 0x80, 0x00, 0x00, 0x00, 0x7f, 0xff, 0xff,
                                                 0xff, 0xff, 0xff, 0xff, 0xff, 0xde, 0x73, 0x7d, 0x56, 0xd3, 0x8b,
                                                 0xcf, 0x42, 0x79, 0xdc, 0xe5, 0x61, 0x7e, 0x31, 0x92, 0xa8};

/* out = a - b modulo 2^256; returns 1 if b > a. No branch depends on the numbers. */
static uint32_t subtract(const uint8_t *a, const uint8_t *b, uint8_t *out_difference)
{
    uint32_t borrow = 0;

    for (size_t i = NUMBER_BYTES; i-- > 0;) {
        const uint32_t digit = (uint32_t)a[i] - b[i] - borrow;

        out_difference[i] = (uint8_t)digit;
        borrow = digit >> 31;
    }
    return borrow;
}

static bool in_range(const uint8_t *number)
{
    SCOPED_WIPE_32 struct wipe_32 scratch = {{0}};

    return subtract(number, order, scratch.bytes) == 1 && !ct_is_zero(span_of(number, NUMBER_BYTES));
}

static bool is_high(const uint8_t *s)
{
    uint8_t scratch[NUMBER_BYTES];

    return subtract(half_order, s, scratch) == 1;
}

enum err sign_key_new(struct random *random, struct secret **out_private)
{
    SCOPED_SECRET struct secret *key = NULL;

    TRY(secret_new(SIGN_PRIVATE_BYTES, &key));
    do { /* outside the range about once in 2^32 */
        random_fill(random, secret_fill(key), SIGN_PRIVATE_BYTES);
    } while (!in_range(secret_fill(key)));
    *out_private = TAKE(key);
    return ERR_OK;
}

static struct signer_state *state_of(const struct signer *signer)
{
    void *const state = secret_fill(signer->memory);

    return state;
}

static enum err load_private(struct signer *signer, const struct secret *private_key)
{
    struct signer_state *const state = state_of(signer);
    word32 public_bytes = SIGN_PUBLIC_BYTES;

    INVARIANT(wc_ecc_init_ex(&state->key, NULL, INVALID_DEVID) == 0);
    signer->key_ready = true;
    int failed = wc_ecc_import_private_key_ex(secret_reveal(private_key).data, SIGN_PRIVATE_BYTES, NULL, 0, &state->key,
                                              ECC_SECP256R1);
    if (failed == 0) {
        failed = wc_ecc_set_rng(&state->key, &state->rng);
    }
    if (failed == 0) {
        failed = wc_ecc_make_pub_ex(&state->key, NULL, &state->rng);
    }
    if (failed == 0) {
        failed = wc_ecc_export_x963(&state->key, signer->public_key, &public_bytes);
    }
    if (failed != 0 || public_bytes != SIGN_PUBLIC_BYTES) {
        FAIL(ERR_BUG, "the library refuses a private key in range", failed);
    }
    return ERR_OK;
}

static enum err start_rng(struct signer *signer, struct random *random)
{
    SCOPED_WIPE_32 struct wipe_32 nonce = {{0}};

    if (random != NULL) {
        random_fill(random, nonce.bytes, NONCE_BYTES);
    }
    const int failed = wc_InitRngNonce_ex(&state_of(signer)->rng, nonce.bytes, NONCE_BYTES, NULL, INVALID_DEVID);

    if (failed != 0) {
        FAIL(ERR_NO_MEMORY, "the library's random generator does not start", failed);
    }
    signer->rng_ready = true;
    return ERR_OK;
}

static enum err make_signer(const struct secret *private_key, struct random *random, struct signer **out_signer)
{
    void *handle = NULL;
    const size_t bytes = (sizeof(struct signer_state) + 63) / 64 * 64; /* so that it is aligned */

    ENSURE(secret_len(private_key) == SIGN_PRIVATE_BYTES, ERR_MALFORMED, "length of a P-256 private key");
    ENSURE(in_range(secret_reveal(private_key).data), ERR_MALFORMED, "a P-256 private key outside 1 to n - 1");
    TRY(mem_alloc(sizeof(struct signer), &handle));
    SCOPED_SIGNER struct signer *signer = handle;

    TRY(secret_new(bytes, &signer->memory));
    TRY(start_rng(signer, random));
    TRY(load_private(signer, private_key));
    *out_signer = TAKE(signer);
    return ERR_OK;
}

enum err signer_new(const struct secret *private_key, struct random *random, struct signer **out_signer)
{
    return make_signer(private_key, random, out_signer);
}

enum err sign_public(const struct secret *private_key, uint8_t out_public[SIGN_PUBLIC_BYTES])
{
    SCOPED_SIGNER struct signer *signer = NULL;

    TRY(make_signer(private_key, NULL, &signer));
    signer_public(signer, out_public);
    return ERR_OK;
}

void signer_free(struct signer *signer)
{
    if (signer == NULL) {
        return;
    }
    if (signer->key_ready) {
        wc_ecc_free(&state_of(signer)->key);
    }
    if (signer->rng_ready) {
        wc_FreeRng(&state_of(signer)->rng);
    }
    secret_free(signer->memory);
    mem_free(signer);
}

void signer_public(const struct signer *signer, uint8_t out_public[SIGN_PUBLIC_BYTES])
{
    memcpy(out_public, signer->public_key, SIGN_PUBLIC_BYTES);
}

static enum err check_digest(struct span digest)
{
    ENSURE(digest.len == SHA256_BYTES || digest.len == SHA384_BYTES, ERR_RANGE, "length of a digest to sign");
    return ERR_OK;
}

enum err signer_sign_raw(struct signer *signer, struct span digest, uint8_t out_signature[SIGN_RAW_BYTES])
{
    struct signer_state *const state = state_of(signer);
    uint8_t der[80] = {0};
    uint8_t raw[SIGN_RAW_BYTES];
    word32 der_bytes = sizeof(der);

    TRY(check_digest(digest));
    const int failed = wc_ecc_sign_hash(digest.data, (word32)digest.len, der, &der_bytes, &state->rng, &state->key);

    if (failed != 0) {
        FAIL(ERR_BUG, "the library does not sign", failed);
    }
    TRY(sign_raw_from_der(span_of(der, der_bytes), raw));
    uint8_t *const s = raw + NUMBER_BYTES;

    if (is_high(s)) {
        const uint32_t borrow = subtract(order, s, s);

        INVARIANT(borrow == 0);
    }
    memcpy(out_signature, raw, sizeof(raw));
    return ERR_OK;
}

enum err signer_sign_der(struct signer *signer, struct span digest, uint8_t out_signature[SIGN_DER_MAX], size_t *out_len)
{
    uint8_t raw[SIGN_RAW_BYTES];

    TRY(signer_sign_raw(signer, digest, raw));
    *out_len = sign_der_from_raw(raw, out_signature);
    return ERR_OK;
}

/* Want of memory says nothing about a signature or a key. */
static enum err from_wolf(int failed, enum err otherwise)
{
    return failed == MEMORY_E ? ERR_NO_MEMORY : otherwise;
}

/* Verifying needs no secret, but wolfCrypt's key is too large for the stack. */
struct verifier {
    ecc_key key;
};

static void verifier_free_scoped(struct verifier **verifier)
{
    if (*verifier != NULL) {
        wc_ecc_free(&(*verifier)->key);
        mem_free(*verifier);
    }
}

static enum err verifier_new(const uint8_t public_key[SIGN_PUBLIC_BYTES], struct verifier **out_verifier)
{
    void *memory = NULL;

    ENSURE(public_key[0] == 0x04, ERR_MALFORMED, "a P-256 public key that is no uncompressed point");
    TRY(mem_alloc(sizeof(struct verifier), &memory));
    SCOPED(verifier_free_scoped) struct verifier *verifier = memory;

    INVARIANT(wc_ecc_init_ex(&verifier->key, NULL, INVALID_DEVID) == 0);
    int failed = wc_ecc_import_x963_ex(public_key, SIGN_PUBLIC_BYTES, &verifier->key, ECC_SECP256R1);

    if (failed == 0) {
        failed = wc_ecc_point_is_on_curve(&verifier->key.pubkey, verifier->key.idx);
    }
    if (failed != 0) {
        FAIL(from_wolf(failed, ERR_MALFORMED), "a P-256 public key that is no point of the curve", failed);
    }
    *out_verifier = TAKE(verifier);
    return ERR_OK;
}

enum err sign_verify_raw(const uint8_t public_key[SIGN_PUBLIC_BYTES], struct span digest,
                         const uint8_t signature[SIGN_RAW_BYTES], enum sign_strictness strictness)
{
    SCOPED(verifier_free_scoped) struct verifier *verifier = NULL;
    uint8_t der[SIGN_DER_MAX];
    int good = 0;

    TRY(check_digest(digest));
    TRY(verifier_new(public_key, &verifier));
    ENSURE(in_range(signature) && in_range(signature + NUMBER_BYTES), ERR_AUTH, "r or s is not in 1 to n - 1");
    ENSURE(strictness == SIGN_ANY_S || !is_high(signature + NUMBER_BYTES), ERR_AUTH, "the upper s where that is refused");
    const size_t der_bytes = sign_der_from_raw(signature, der);
    const int failed =
        wc_ecc_verify_hash(der, (word32)der_bytes, digest.data, (word32)digest.len, &good, &verifier->key);

    /* The DER is ours: if the library cannot take it apart it lacks the memory to. */
    ENSURE(failed != ASN_ECC_KEY_E, ERR_NO_MEMORY, "the library has no memory for a signature");
    if (failed != 0) {
        FAIL(from_wolf(failed, ERR_AUTH), "the library refuses a signature", failed);
    }
    ENSURE(good == 1, ERR_AUTH, "a signature does not verify");
    return ERR_OK;
}

enum err sign_verify_der(const uint8_t public_key[SIGN_PUBLIC_BYTES], struct span digest, struct span signature,
                         enum sign_strictness strictness)
{
    uint8_t raw[SIGN_RAW_BYTES];

    TRY(sign_raw_from_der(signature, raw));
    return sign_verify_raw(public_key, digest, raw, strictness);
}
