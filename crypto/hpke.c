/* SPDX-License-Identifier: GPL-3.0-or-later */
/* HPKE base mode for one message, step by step as RFC 9180 has it (section 4.1 Encap and Decap, 5.1 key schedule, 5.2
 * sequence number 0, 7.1.3 DeriveKeyPair). Written out over our own HKDF rather than taken from wolfCrypt, whose keys lie
 * in the ordinary heap and which has no DeriveKeyPair; tests compare the two. */
#include "crypto/hpke.h"

#include <string.h>

#include "hal/base/fault.h"
#include "hal/base/num.h"
#include "crypto/aead.h"
#include "crypto/aead_once.h"
#include "crypto/hash.h"
#include "crypto/hpke_int.h"
#include "crypto/kdf.h"
#include "crypto/x25519_int.h"

#define INPUT_MAX 1024 /* of a labeled input: version, suite, label, content */

/* suite_id: KEM 0x0020 alone, and KEM 0x0020, KDF 0x0001, AEAD 0x0002. */
static const uint8_t suite_kem[] = {'K', 'E', 'M', 0x00, 0x20};
static const uint8_t suite_hpke[] = {'H', 'P', 'K', 'E', 0x00, 0x20, 0x00, 0x01, 0x00, 0x02};

_Static_assert(HPKE_OVERHEAD == X25519_BYTES + AEAD_TAG_BYTES, "the parts of a sealed message");

struct labeled {
    uint8_t bytes[INPUT_MAX];
    size_t len;
};

static void labeled_wipe_scoped(struct labeled *labeled)
{
    mem_wipe(labeled, sizeof(*labeled));
}
#define SCOPED_LABELED SCOPED(labeled_wipe_scoped)

static enum err add(struct labeled *labeled, struct span bytes)
{
    ENSURE(bytes.len <= INPUT_MAX - labeled->len, ERR_RANGE, "an HPKE input that is too long");
    if (bytes.len != 0) {
        memcpy(labeled->bytes + labeled->len, bytes.data, bytes.len);
    }
    labeled->len += bytes.len;
    return ERR_OK;
}

struct label {
    struct span suite;
    struct span text;
};

static enum err extract(struct span salt, struct label label, struct span input, uint8_t out_prk[HKDF_PRK_BYTES])
{
    SCOPED_LABELED struct labeled labeled = {.len = 0};

    TRY(add(&labeled, span_lit("HPKE-v1")));
    TRY(add(&labeled, label.suite));
    TRY(add(&labeled, label.text));
    TRY(add(&labeled, input));
    hkdf_sha256_extract(salt, span_of(labeled.bytes, labeled.len), out_prk);
    return ERR_OK;
}

static enum err expand(const uint8_t prk[HKDF_PRK_BYTES], struct label label, struct span info, size_t bytes,
                       uint8_t *out_key)
{
    SCOPED_LABELED struct labeled labeled = {.len = 0};
    const uint8_t length[2] = {(uint8_t)(bytes >> 8), (uint8_t)bytes};

    TRY(add(&labeled, span_array(length)));
    TRY(add(&labeled, span_lit("HPKE-v1")));
    TRY(add(&labeled, label.suite));
    TRY(add(&labeled, label.text));
    TRY(add(&labeled, info));
    return hkdf_sha256_expand(prk, span_of(labeled.bytes, labeled.len), bytes, out_key);
}

enum err hpke_key_pair(const struct secret *input, struct secret **out_private, uint8_t out_public[HPKE_PUBLIC_BYTES])
{
    SCOPED_WIPE_32 struct wipe_32 prk = {{0}};
    SCOPED_SECRET struct secret *private_key = NULL;

    ENSURE(secret_len(input) >= HPKE_PRIVATE_BYTES, ERR_RANGE, "too little to derive a key pair from");
    TRY(secret_new(HPKE_PRIVATE_BYTES, &private_key));
    TRY(extract(SPAN_NONE, (struct label){span_array(suite_kem), span_lit("dkp_prk")}, secret_reveal(input), prk.bytes));
    TRY(expand(prk.bytes, (struct label){span_array(suite_kem), span_lit("sk")}, SPAN_NONE, HPKE_PRIVATE_BYTES,
               secret_fill(private_key)));
    x25519_public(private_key, out_public);
    *out_private = TAKE(private_key);
    return ERR_OK;
}

/* ExtractAndExpand: the KEM's shared secret from the Diffie-Hellman result and both public values. */
static enum err kem_secret(const uint8_t shared[X25519_BYTES], const uint8_t *enc, const uint8_t *receiver,
                           struct wipe_32 *out_secret)
{
    SCOPED_WIPE_32 struct wipe_32 prk = {{0}};
    uint8_t context[2 * X25519_BYTES];

    memcpy(context, enc, X25519_BYTES);
    memcpy(context + X25519_BYTES, receiver, X25519_BYTES);
    TRY(extract(SPAN_NONE, (struct label){span_array(suite_kem), span_lit("eae_prk")}, span_of(shared, X25519_BYTES),
                prk.bytes));
    return expand(prk.bytes, (struct label){span_array(suite_kem), span_lit("shared_secret")}, span_array(context),
                  sizeof(out_secret->bytes), out_secret->bytes);
}

struct schedule {
    struct secret *key;
    uint8_t nonce[AEAD_NONCE_BYTES];
};

static void schedule_done_scoped(struct schedule *schedule)
{
    secret_free(schedule->key);
}

static enum err key_schedule(const struct wipe_32 *shared, struct span info, struct schedule *out_schedule)
{
    const struct span suite = span_array(suite_hpke);
    SCOPED_WIPE_32 struct wipe_32 secret = {{0}};
    uint8_t context[1 + 2 * HKDF_PRK_BYTES] = {0}; /* mode_base | hash of the empty PSK id | hash of info */

    TRY(extract(SPAN_NONE, (struct label){suite, span_lit("psk_id_hash")}, SPAN_NONE, context + 1));
    TRY(extract(SPAN_NONE, (struct label){suite, span_lit("info_hash")}, info, context + 1 + HKDF_PRK_BYTES));
    TRY(extract(span_array(shared->bytes), (struct label){suite, span_lit("secret")}, SPAN_NONE, secret.bytes));
    TRY(expand(secret.bytes, (struct label){suite, span_lit("base_nonce")}, span_array(context), AEAD_NONCE_BYTES,
               out_schedule->nonce));
    TRY(secret_new(AEAD_KEY_BYTES, &out_schedule->key));
    return expand(secret.bytes, (struct label){suite, span_lit("key")}, span_array(context), AEAD_KEY_BYTES,
                  secret_fill(out_schedule->key));
}

enum err hpke_seal_from(const struct secret *ephemeral, const uint8_t public_key[HPKE_PUBLIC_BYTES],
                        struct hpke_scope scope, struct span plain, struct buf *out_sealed)
{
    SCOPED_WIPE_32 struct wipe_32 shared = {{0}};
    SCOPED_WIPE_32 struct wipe_32 kem = {{0}};
    SCOPED(schedule_done_scoped) struct schedule schedule = {.key = NULL};
    uint8_t enc[HPKE_PUBLIC_BYTES];
    uint8_t *at = NULL;

    x25519_public(ephemeral, enc);
    TRY(x25519_shared(ephemeral, public_key, shared.bytes));
    TRY(kem_secret(shared.bytes, enc, public_key, &kem));
    TRY(key_schedule(&kem, scope.info, &schedule));
    TRY(buf_reserve(out_sealed, HPKE_OVERHEAD + plain.len, &at));
    memcpy(at, enc, sizeof(enc));
    TRY(aead_once_seal_at(schedule.key, schedule.nonce, scope.aad, plain, at + sizeof(enc)));
    buf_commit(out_sealed, HPKE_OVERHEAD + plain.len);
    return ERR_OK;
}

enum err hpke_seal(struct random *random, const uint8_t public_key[HPKE_PUBLIC_BYTES], struct hpke_scope scope,
                   const struct secret *plain, struct buf *out_sealed)
{
    SCOPED_SECRET struct secret *ephemeral = NULL;

    TRY(random_secret(random, HPKE_PRIVATE_BYTES, &ephemeral));
    return hpke_seal_from(ephemeral, public_key, scope, secret_reveal(plain), out_sealed);
}

enum err hpke_open(const struct secret *private_key, struct hpke_scope scope, struct span sealed,
                   struct secret **out_plain)
{
    SCOPED_WIPE_32 struct wipe_32 shared = {{0}};
    SCOPED_WIPE_32 struct wipe_32 kem = {{0}};
    SCOPED(schedule_done_scoped) struct schedule schedule = {.key = NULL};
    SCOPED_SECRET struct secret *plain = NULL;
    uint8_t receiver[HPKE_PUBLIC_BYTES];

    ENSURE(secret_len(private_key) == HPKE_PRIVATE_BYTES, ERR_RANGE, "length of an X25519 private key");
    ENSURE(sealed.len > HPKE_OVERHEAD && sealed.len - HPKE_OVERHEAD <= SECRET_BYTES_MAX, ERR_MALFORMED,
           "length of an HPKE message");
    x25519_public(private_key, receiver);
    TRY(x25519_shared(private_key, sealed.data, shared.bytes));
    TRY(kem_secret(shared.bytes, sealed.data, receiver, &kem));
    TRY(key_schedule(&kem, scope.info, &schedule));
    TRY(secret_new(sealed.len - HPKE_OVERHEAD, &plain));
    TRY(aead_once_open_at(schedule.key, schedule.nonce, scope.aad,
                          span_of(sealed.data + HPKE_PUBLIC_BYTES, sealed.len - HPKE_PUBLIC_BYTES), secret_fill(plain)));
    *out_plain = TAKE(plain);
    return ERR_OK;
}
