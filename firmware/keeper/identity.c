/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/keeper/identity.h"

#include "crypto/sign.h"
#include "firmware/keeper/bucket.h"
#include "firmware/keeper/tls_content.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"

struct held {
    uint32_t number; /* 0: none */
    enum board_state state;
    struct signer *signer;
};

struct identity {
    const struct hal_clock *clock;
    struct random *random;
    struct held now;
    struct held before;
    uint32_t last_number;
    struct msg_leaf leaf;
    struct bucket bucket;
    uint64_t count;
};

enum err identity_new(const struct hal_clock *clock, struct identity **out_identity)
{
    void *memory = NULL;
    struct random *random = NULL;

    TRY(random_new(SPAN_NONE, &random));
    const enum err err = mem_alloc(sizeof(struct identity), &memory);
    if (err != ERR_OK) {
        random_free(random);
        TRY(err);
    }
    struct identity *const identity = memory;
    identity->clock = clock;
    identity->random = random;
    bucket_init(&identity->bucket, CONFIG_KEEPER_SIGNATURES_PER_S, "signatures", hal_clock_mono(clock));
    *out_identity = identity;
    return ERR_OK;
}

void identity_free(struct identity *identity)
{
    if (identity == NULL) {
        return;
    }
    signer_free(identity->now.signer);
    signer_free(identity->before.signer);
    random_free(identity->random);
    mem_free(identity);
}

enum err identity_load(struct identity *identity, struct vault *vault)
{
    SCOPED_BUF struct buf *der = NULL;
    SCOPED_SIGNER struct signer *signer = NULL;
    const struct secret *key = NULL;

    TRY(buf_new(X509_DER_MAX, &der));
    TRY(vault_identity(vault, der, &key));
    TRY(signer_new(key, identity->random, &signer));
    TRY(MSG_SET(&identity->leaf, buf_all(der)));

    signer_free(identity->before.signer);
    identity->before = identity->now;
    if (identity->before.signer != NULL && identity->before.state != vault_state(vault)) {
        signer_free(identity->before.signer);
        identity->before = (struct held){0};
    }
    identity->last_number++;
    identity->now = (struct held){identity->last_number, vault_state(vault), TAKE(signer)};
    return ERR_OK;
}

enum err identity_cert(const struct identity *identity, struct msg *out_msg)
{
    ENSURE(identity->now.number != 0, ERR_NOT_FOUND, "no certificate yet");
    *out_msg = MSG_NEW(MSG_CERT);
    out_msg->as.cert.number = identity->now.number;
    out_msg->as.cert.leaf = identity->leaf;
    return ERR_OK;
}

static struct held *held_by_number(struct identity *identity, uint32_t number)
{
    if (number != 0 && identity->now.number == number) {
        return &identity->now;
    }
    if (number != 0 && identity->before.number == number) {
        return &identity->before;
    }
    return NULL;
}

enum err identity_sign(struct identity *identity, const struct msg *request, struct msg_signature *out_signature)
{
    uint8_t digest[SHA256_BYTES];
    uint8_t signature[SIGN_DER_MAX];
    size_t len = 0;
    const uint32_t number =
        request->type == MSG_SIGN_TLS13 ? request->as.sign_tls13.certificate : request->as.sign_tls12.certificate;
    const struct held *const held = held_by_number(identity, number);

    ENSURE(held != NULL, ERR_STALE_KEY, "a certificate that is no longer held");
    const enum board_action action =
        held->state == BOARD_OPERATIONAL ? BOARD_SIGN_OPERATIONAL : BOARD_SIGN_LOCKED;
    ENSURE(board_permits(held->state, action) == BOARD_ALLOW, ERR_DENIED, "the board's policy");
    TRY(tls_content_digest(request, digest));
    TRY(bucket_take(&identity->bucket, hal_clock_mono(identity->clock)));
    TRY(signer_sign_der(held->signer, span_array(digest), signature, &len));
    TRY(MSG_SET(out_signature, span_of(signature, len)));
    identity->count++;
    return ERR_OK;
}

uint64_t identity_count(const struct identity *identity)
{
    return identity->count;
}
