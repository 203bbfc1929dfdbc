/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Operators: who manages the appliance. They are people of a place of their own, with the same tables and a token key as
 * an environment has, but of no project: no API key is bound to it, so nothing of it is reached by the data API, and the
 * token of an operator is one of another environment to every API key. The place is made together with the first owner:
 * where it is, there is an owner. Spec: contract 6, 10.1. */
#ifndef FIRMWARE_DATA_OPERATORS_H
#define FIRMWARE_DATA_OPERATORS_H

#include "firmware/auth/key.h"
#include "firmware/auth/operator.h"
#include "firmware/auth/refusal.h"
#include "firmware/auth/verify.h"
#include "firmware/data/access.h"
#include "firmware/data/call.h"
#include "firmware/data/catalog.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/mem.h"

/* The place; NULL: there is no operator yet. */
const struct catalog_environment *operators_place(const struct catalog *catalog);

/* What stands for an API key where operators ask, in the arena: bound to their place, without any right of its own.
 * Points into the catalogue. ERR_NOT_FOUND: there is no operator yet; ERR_NO_MEMORY. */
enum err operators_key(const struct catalog *catalog, struct arena *arena, const struct auth_key **out_key) MUST_USE;

struct operators_ask {
    const struct catalog *catalog;
    const struct auth_principal *principal; /* an operator, just identified */
    struct operator_duty duty;
    struct span id; /* of the path, or empty */
    struct span query;
    const struct json_value *body; /* or NULL */
    struct arena *arena;
};

/* May the operator do it, and where? What stands there for a secret key, unrestricted, in the arena; it points into the
 * catalogue, and its project_id and environment_id are empty where nothing is named. ERR_DENIED auth/forbidden,
 * common/not-found, common/invalid-parameters, also where the query names another place than the path or the body;
 * ERR_NO_MEMORY. */
enum err operators_admit(const struct operators_ask *ask, const struct auth_key **out_key, struct refusal *out_refusal)
    MUST_USE;

/* The first operator, who is an owner, and the place; of a call with `operators` and sign. ERR_DENIED common/conflict:
 * there is one already. Whoever submits it has checked the setup code. */
data_operation data_operator_setup;

/* Operators, for owners: one with the password and the address of `sign` and the role of the body; a change of name and
 * role, of the address if `sign` has one, and of another's password if it has_stronger, which ends their sessions; and
 * gone. ERR_DENIED common/conflict: the last owner, or an address that is taken. */
data_operation data_operator_create;
data_operation data_operator_update;
data_operation data_operator_delete;

/* Name and description of an organization; there is one. */
data_operation data_organization_update;
enum err data_list_organizations(const struct data_admin *admin) MUST_USE;
enum err data_get_organization(const struct data_admin *admin, struct span id) MUST_USE;

/* A project with everything in it, in one transaction. ERR_DENIED: confirmName is not its name. */
data_operation data_project_delete;

/* A project of the one organization, with an environment `dev`. ERR_DENIED common/conflict: the slug is taken. */
data_operation data_project_create;

/* A page of them, newest first. ERR_DENIED: the query. */
enum err data_list_operators(const struct data_admin *admin) MUST_USE;

#endif
