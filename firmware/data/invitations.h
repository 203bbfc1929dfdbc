/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Invitations of an environment: an administrator asks somebody by mail to join the project or the organization.
 *
 * The mail's token is random; stored is its digest (codes.h), in the invitation itself, so that a token that was used is
 * told from one that never was. An invitation that is accepted gives the account of its address the custom role that it
 * names, as soon as that address is confirmed, and as long as whoever sent it may still give it. Spec: contract 5.9. */
#ifndef FIRMWARE_DATA_INVITATIONS_H
#define FIRMWARE_DATA_INVITATIONS_H

#include <stdbool.h>

#include "firmware/auth/verify.h"
#include "firmware/data/access.h"
#include "firmware/data/call.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "hal/base/time.h"

#define DATA_INVITATION_NAME 100 /* code points, of a resource and of whoever invites */

/* What a new one says; of data_sign. The names may be empty: then they are those of the records. */
struct data_invitation {
    struct span type; /* data_invitation_is_type */
    struct span resource_id, resource_name;
    struct span role; /* data_invitation_is_role */
    struct span inviter_name;
};

/* "organization" or "project". */
bool data_invitation_is_type(struct span text);

/* A custom role, or "user", which gives none. */
bool data_invitation_is_role(struct span text);

/* May the principal invite? Administrators who have signed in, with a key that may change users. ERR_DENIED. */
enum err data_invitation_check(const struct auth_principal *principal, struct refusal *refusal) MUST_USE;

/* Is what it is to the project, or its organization? ERR_DENIED auth/forbidden. */
enum err data_invitation_check_resource(const struct catalog_project *project, const struct data_invitation *invitation,
                                        struct refusal *refusal) MUST_USE;

/* With data_sign. Accepting and rejecting: `presented` is the digest of the token, `email` whose it is said to be; when
 * accepting it may be empty. */
data_operation data_invitation_create;
data_operation data_invitation_accept;
data_operation data_invitation_reject;
data_operation data_invitation_revoke;

/* Whoever has signed in sees what they sent, administrators see all; an id is as in the path. ERR_DENIED; ERR_CONFLICT as
 * data_read. request->access is not looked at. */
struct data_invitations_request {
    const struct data_request *request;
    const struct auth_principal *principal;
    struct wall_time now;
};
enum err data_list_invitations(const struct data_invitations_request *request, struct data_list **out_list) MUST_USE;
enum err data_get_invitation(const struct data_invitations_request *request, struct span id) MUST_USE;

#endif
