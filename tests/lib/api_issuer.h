/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An OpenID Connect issuer behind the courier of an API box, with an ES256 key. What it says is what the test makes it say;
 * what was asked of it is kept. */
#ifndef TESTS_LIB_API_ISSUER_H
#define TESTS_LIB_API_ISSUER_H

#include "firmware/auth/id_token.h"
#include "tests/lib/api_box.h"

#define ISSUER_URL "https://id.example:8443/realms/a"
#define ISSUER_AT  "/v1/admin/auth-providers/"
#define CALLBACK   "/v1/auth/corp/callback"
#define LINK       "/v1/auth/accounts"
#define VERIFIER   "0123456789012345678901234567890123456789-._~"

/* What it says of somebody who is new to the box. */
#define GRACE "\"sub\":\"g\",\"email\":\"Grace@example.com\",\"email_verified\":true,\"name\":\"Grace\""

struct api_issuer {
    struct api_box *box;
    struct signer *signer;
    const char *kid;

    /* Members of the document. */
    const char *says, *token_endpoint, *jwks_uri, *methods; /* the last may be NULL: no such member */

    enum outbound_result result; /* of every job: where it is not OUTBOUND_DONE, */
    enum outbound_stage stage;   /* how far it came, */
                                 /* and otherwise: */
    uint32_t status;             /* of document and keys */
    uint32_t token_status;
    const char *token_body; /* NULL: an id_token with `claims` */
    const char *claims;     /* members behind iss, aud, iat and exp */
    enum err refuses;       /* what taking a job answers */
    bool holds;             /* the job that is taken next ends with api_issuer_release */
    struct outbound_job *held;

    unsigned int documents, keys, exchanges;
    char form[OUTBOUND_BODY_MAX + 1];
    char authorization[OUTBOUND_AUTHORIZATION_MAX + 1];
    char path[OUTBOUND_PATH_MAX + 1]; /* of the last job */
    char host[OUTBOUND_HOST_MAX + 1];
    uint16_t port;
};

/* Is the courier of the box from now on, until the box is gone. The caller frees it after the box. */
struct api_issuer *api_issuer_new(struct api_box *box);
void api_issuer_free(struct api_issuer *issuer);

/* The job that is held ends now. */
void api_issuer_release(struct api_issuer *issuer);

/* Another key, under another name. */
void api_issuer_new_key(struct api_issuer *issuer, const char *kid);

/* A signed ID token for "box" with those members. It lives until the next call. */
const char *api_issuer_token(struct api_issuer *issuer, const char *claims);

/* Configures it as the provider `name`, with further members of settings (or ""). */
void api_issuer_configure(struct api_box *box, const char *name, const char *members);

/* For cmocka: a box and an issuer that is configured there as "corp" and speaks of Grace; and the end of both. The state is
 * the box. */
int api_issuer_set_up(void **state);
int api_issuer_tear_down(void **state);

/* The issuer behind a box. */
struct api_issuer *api_issuer_of(const struct api_box *box);

/* The body of a callback with that ID token, and further members (or ""). It lives until the next call. */
const char *api_issuer_body(const char *token, const char *members);

#endif
