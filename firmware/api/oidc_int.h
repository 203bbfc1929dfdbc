/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a reactor knows of OpenID Connect issuers: where they exchange codes, and the keys they sign with. It is fetched when
 * it is first needed, kept in bounded memory, and asked for again when it is old or when a token names a key that is not
 * there. Each reactor has its own; nothing of it is shared.
 *
 * Everything that an issuer names has to lie on its own host and port: it could send the client's secret elsewhere
 * otherwise. Spec: OpenID Connect Discovery 1.0 sections 3, 4. */
#ifndef FIRMWARE_API_OIDC_INT_H
#define FIRMWARE_API_OIDC_INT_H

#include "firmware/api/request_int.h"
#include "firmware/auth/https_url.h"
#include "firmware/auth/id_token.h"
#include "firmware/data/oidc.h"
#include "net/outbound.h"

#define OIDC_ISSUERS_MAX 8     /* of all environments; the courier reaches as many places */
#define OIDC_FRESH_S     3600  /* how long it is taken without asking */
#define OIDC_STALE_S     86400 /* and how long if the issuer cannot be reached */
#define OIDC_AGAIN_S     60    /* between two fetches from an issuer that is away */
#define OIDC_RENEWALS    4     /* fetches for tokens of unknown keys at once, */
#define OIDC_RENEWAL_S   15    /* and one more each time so much has passed: anybody can make such tokens */

/* --- what a client sends --- */

#define OIDC_VERIFIER_MAX 128 /* RFC 7636 section 4.1 */

/* What the client sends, by body or query. */
struct oidc_fields {
    struct span code, redirect_uri, id_token, nonce, verifier, mfa_code;
    struct span state;                /* of a query */
    struct span error;                /* of an issuer that sends the browser back without a code */
    struct span project, environment; /* of a query, or its state: where, if several could be meant */
};

/* Absent, null and empty are none; what is no field is passed over. ERR_DENIED auth/invalid-request; ERR_NO_MEMORY. */
enum err oidc_fields_read_body(struct api_request *request, struct oidc_fields *out_fields) MUST_USE;

/* A query may say where in its `state`, too: "<projectId>.<environment>.<what the client made up>". projectId or environment
 * beside it count instead. Any other state is the client's business. Errors as above. */
enum err oidc_fields_read_query(struct api_request *request, struct oidc_fields *out_fields) MUST_USE;

/* --- issuers --- */

/* One issuer, as of now: not to be kept while something is waited for. */
struct oidc_known {
    struct span token_path; /* of the token endpoint */
    bool secret_in_form;    /* client_secret_post, because client_secret_basic is not offered */
    const struct id_keys *keys;
};

struct oidc_wait {
    /* On the loop's thread. ERR_OK: ask again; ERR_LIMIT: too much is under way; others: the issuer, or the way to it. */
    void (*ready)(struct oidc_wait *wait, enum err err);
    struct oidc_wait *next; /* the issuer's, as the next */
    bool newer;             /* what was known before is not enough */
};

struct oidc; /* of one reactor; NULL until it is needed */

void oidc_free(struct oidc *oidc); /* when nobody waits. NULL is fine */

/* What is known of the provider's issuer, or about to be. The provider lives until wait->ready was called, if it is.
 * ERR_AGAIN: wait->ready follows; ERR_LIMIT, ERR_CLOSED: too much is under way, or the worker stops; ERR_NO_MEMORY. */
enum err oidc_look(struct api *api, const struct data_oidc *provider, struct oidc_wait *wait,
                   struct oidc_known *out_known) MUST_USE;

/* For a token of an unknown key: asks anew, whatever is known. ERR_AGAIN: wait->ready follows, with ERR_OK only if the issuer
 * has answered; ERR_NOT_FOUND: it was asked for such tokens too often of late; and as above. */
enum err oidc_look_again(struct api *api, const struct data_oidc *provider, struct oidc_wait *wait) MUST_USE;

/* Where the provider's issuer is; views into the provider. ERR_MALFORMED: its issuer is no https address. */
enum err oidc_destination(const struct data_oidc *provider, struct outbound_destination *out_to) MUST_USE;

/* A job of the courier that was not answered as it should be, for whoever set the provider up. */
void oidc_log_failure(const struct data_oidc *provider, const char *step, const struct outbound_job *job);

#endif
