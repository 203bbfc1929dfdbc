/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ID tokens of OpenID Connect issuers, and the keys they are signed by. Pure.
 *
 * Signatures are RS256 (RSA of 2048, 3072 or 4096 bits) or ES256. The algorithm of a token has to be the one that its key is
 * for: the issuer's keys are read first, each with a type of its own, and a token merely names one of them. `none`, the
 * HMACs and every other algorithm are no algorithms here, so no key is ever used for another than its own; and no key, link
 * or certificate inside of a token is looked at. A header with `crit` is refused.
 * Spec: RFC 7515, 7517, 7518; OpenID Connect Core 1.0 section 3.1.3.7. */
#ifndef FIRMWARE_AUTH_ID_TOKEN_H
#define FIRMWARE_AUTH_ID_TOKEN_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/rsa.h"
#include "crypto/sign.h"
#include "firmware/auth/account.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/mem.h"
#include "hal/base/span.h"

#define ID_TOKEN_MAX    8192  /* bytes of a token; usual ones have 1 to 2 KiB */
#define ID_HEADER_MAX   1024  /* bytes of its header, decoded */
#define ID_KEYS_MAX     16    /* of one issuer; issuers have two to five */
#define ID_KEYS_READ    64    /* entries of a set that are looked at */
#define ID_KEY_NAME_MAX 128   /* bytes of a kid */
#define ID_SUBJECT_MAX  255   /* bytes of a sub: OpenID Connect Core 1.0 section 2 */
#define ID_SKEW_S       60    /* how far the issuer's clock may be from ours */
#define ID_AGE_S        86400 /* how old a token may be, however long it says it lives */

enum id_key_type { ID_KEY_RSA, ID_KEY_P256 };

struct id_key {
    enum id_key_type type;
    size_t name_len;
    uint8_t name[ID_KEY_NAME_MAX]; /* kid; empty: it has none */
    struct rsa_public rsa;         /* of ID_KEY_RSA */
    uint8_t point[SIGN_PUBLIC_BYTES]; /* of ID_KEY_P256 */
};

/* Some 11 KiB: not for a stack. */
struct id_keys {
    size_t count;
    struct id_key keys[ID_KEYS_MAX];
};

/* Reads a JSON Web Key Set. Keys that are not for signatures of the two kinds, and those whose private half is in it, are
 * passed over, as are the ones beyond ID_KEYS_MAX. The tree lies in the arena, the keys do not.
 * ERR_MALFORMED: no key set; ERR_NOT_FOUND: none of its keys can be used; ERR_NO_MEMORY. out_keys is written on success
 * only. */
enum err id_keys_read(struct span json, struct arena *arena, struct id_keys *out_keys) MUST_USE;

/* What a token has to be. */
struct id_expected {
    struct span issuer;    /* byte for byte */
    struct span client_id; /* for whom it is */
    struct span nonce;     /* empty: none was asked for */
    int64_t now_s;
};

/* What it says; views into the arena, but the address. */
struct id_claims {
    struct span subject;
    struct account_email email; /* len 0 unless the issuer says that it has verified it, and it is an address */
    struct span name;           /* or preferred_username, or empty; any UTF-8 */
};

/* ERR_OK only if the token is all of that.
 * ERR_MALFORMED  no token, or too long
 * ERR_NOT_FOUND  none of the keys is the one it names: there may be newer ones
 * ERR_AUTH       another algorithm, a wrong signature, or a claim that does not hold
 * ERR_EXPIRED    too old, or from the future
 * ERR_NO_MEMORY
 * Costs some 100 us. */
enum err id_token_verify(struct span token, const struct id_keys *keys, const struct id_expected *expected,
                         struct arena *arena, struct id_claims *out_claims) MUST_USE;

#endif
