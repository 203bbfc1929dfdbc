/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Access and refresh tokens: compact JWS, ES256. One definition of their form, for the keeper that makes them and for the
 * worker that reads them.
 *
 *   header   {"alg":"ES256","kid":"<43>","typ":"JWT"}            the same for every token of a key
 *   payload  {"iss":"rowlock","aud":"<pid>","sub":..,"sid":..,"pid":..,"env":..,"typ":"access"|"refresh",
 *             "iat":..,"exp":..,"jti":".."}                       in this order, without spaces
 *
 * A reader takes nothing else. The header of a token is never parsed: it either is, byte for byte, the header of a key
 * that we hold, or the token is not ours. So no algorithm, key id, `crit`, `jku` or `x5c` of a stranger is ever obeyed.
 * Spec: RFC 7515, 7518, 7519, 7638 (kid); contract 2.3, 5.4. */
#ifndef FIRMWARE_AUTH_TOKEN_H
#define FIRMWARE_AUTH_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/hash.h"
#include "crypto/sign.h"
#include "firmware/auth/base64url.h"
#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

#define AUTH_TOKEN_MAX          800 /* bytes of a token; ours have some 600 */
#define AUTH_TOKEN_KID_BYTES    BASE64URL_CHARS(SHA256_BYTES)
#define AUTH_TOKEN_ID_BYTES     16 /* random bytes of a jti */
#define AUTH_TOKEN_HEADER_JSON  (sizeof("{\"alg\":\"ES256\",\"kid\":\"\",\"typ\":\"JWT\"}") - 1 + AUTH_TOKEN_KID_BYTES)
#define AUTH_TOKEN_HEADER_BYTES BASE64URL_CHARS(AUTH_TOKEN_HEADER_JSON)
#define AUTH_TOKEN_SIGNED_BYTES BASE64URL_CHARS(SIGN_RAW_BYTES) /* the signature as it stands in a token */
#define AUTH_TOKEN_ISSUER       "rowlock"
#define AUTH_TOKEN_ACCESS_S     3600            /* the longest life of an access token; contract 5.4 */
#define AUTH_TOKEN_REFRESH_S    (7 * 24 * 3600) /* and of a refresh token */
#define AUTH_ENVIRONMENT_MAX    32              /* bytes of an environment's name */

/* A public key, and what follows from it. */
struct auth_token_key {
    uint8_t public_key[SIGN_PUBLIC_BYTES];
    char kid[AUTH_TOKEN_KID_BYTES];
    char header[AUTH_TOKEN_HEADER_BYTES]; /* as it stands in a token */
};
void auth_token_key_init(const uint8_t public_key[SIGN_PUBLIC_BYTES], struct auth_token_key *out_key);

enum auth_token_type { AUTH_TOKEN_ACCESS = 0, AUTH_TOKEN_REFRESH = 0x6996 };

struct auth_claims {
    enum auth_token_type type;
    struct span user;        /* sub: a UUID */
    struct span session;     /* sid: a UUID */
    struct span project;     /* pid and aud: a UUID */
    struct span environment; /* env: its name */
    int64_t issued_s;
    int64_t expires_s;
    struct span id; /* jti: base64url */
};

/* Signs a token and appends it. The ids of the claims must be well-formed (ERR_MALFORMED otherwise): they are written as
 * they are. Errors of the signer; ERR_RANGE, ERR_NO_MEMORY of the buffer. */
enum err auth_token_issue(const struct auth_token_key *key, struct signer *signer, const struct auth_claims *claims,
                          struct buf *out_token) MUST_USE;

/* --- reading --- */

/* The parts of a text of the right shape: three of base64url with dots between. The third may be empty, as it is with
 * the algorithm `none`: such a token is well-formed and worth nothing. */
struct auth_token_parts {
    struct span header;
    struct span payload;
    struct span signature;
    struct span signed_text; /* header, dot, payload */
};
/* ERR_MALFORMED, also for more than AUTH_TOKEN_MAX bytes. */
enum err auth_token_split(struct span token, struct auth_token_parts *out_parts) MUST_USE;

/* The same parts for a token of ours, whose header and signature are always as long as they are, by looking at its two dots and
 * at no other byte. So it proves nothing, and what it finds is good for one question: are these the bytes of a token
 * that was split and verified before (token_cache.h)? false: no token of ours has this form. */
bool auth_token_cut(struct span token, struct auth_token_parts *out_parts);

/* The signature, with the key whose header it is. ERR_AUTH: wrong, of another length, zero, or with the upper s;
 * ERR_NO_MEMORY. Costs some 50 us. */
enum err auth_token_verify(const struct auth_token_parts *parts, const struct auth_token_key *key) MUST_USE;

/* The claims of a payload, as views into bytes. ERR_MALFORMED: not byte for byte of our form. */
struct auth_token_bytes {
    uint8_t bytes[AUTH_TOKEN_MAX];
};
enum err auth_token_read(const struct auth_token_parts *parts, struct auth_token_bytes *out_bytes,
                         struct auth_claims *out_claims) MUST_USE;

#endif
