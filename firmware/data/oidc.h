/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Providers of identities other than this box, as an environment has them configured. They stand in its document
 * (`authProviders`, a member each):
 *   google, github   known by name, so that apps may ask for them before anybody has configured anything. The box knows no
 *                    issuer of theirs: their own endpoints lie on several hosts of the internet, and github gives no ID
 *                    token. Without an `issuer` settings are kept, and nobody signs in by them; with one they are as
 *   other names      an OpenID Connect issuer on the premises: `issuer`, and `ca` if the system does not know who signed
 *                    its certificate. These are none without it
 * The client's secret is never shown again. Spec: contract 5.8, 6. */
#ifndef FIRMWARE_DATA_OIDC_H
#define FIRMWARE_DATA_OIDC_H

#include <stdbool.h>

#include "firmware/data/access.h"
#include "firmware/data/call.h"
#include "firmware/data/catalog.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

#define DATA_OIDC_PROVIDERS_MAX 8    /* of one environment */
#define DATA_OIDC_NAME_MAX      32   /* bytes: ^[a-z][a-z0-9-]{1,31}$ */

/* Views into the catalogue; empty where nothing is set. */
struct data_oidc {
    struct span name;
    struct span issuer; /* an https_url */
    struct span ca;     /* certificates that are trusted instead of the system's, PEM */
    struct span client_id, client_secret;
    struct span redirect_uri;
};

/* How a name stands in an environment. */
enum data_oidc_state {
    DATA_OIDC_UNKNOWN,        /* no provider */
    DATA_OIDC_KNOWN,          /* by name, and the environment has no settings of it */
    DATA_OIDC_NOT_CONFIGURED, /* has settings, and nobody can sign in by it: not all of it is set, or it is not enabled */
    DATA_OIDC_READY
};

/* Fills out_provider if it is ready. environment may be NULL: only what is known by name is known. */
enum data_oidc_state data_oidc_find(const struct catalog_environment *environment, struct span name,
                                    struct data_oidc *out_provider);

/* Walks those of an environment that are ready: at starts at 0. False: no more. */
bool data_oidc_next(const struct catalog_environment *environment, size_t *at, struct data_oidc *out_provider);

/* GET /v1/admin/auth-providers/:provider, with what nobody can sign in without and is not set (`missing`). ERR_DENIED
 * common/not-found: nothing is configured under that name. */
enum err data_get_oidc(const struct data_admin *admin, struct span name) MUST_USE;

/* PUT: changes what the body names; null takes it back. Another issuer, or one that somebody else vouches for (ca), is
 * never sent the secret that was given for the one before. DELETE forgets everything of it; accounts that were linked stay. */
data_operation data_oidc_set;
data_operation data_oidc_delete;

#endif
