/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading: access to one table for one principal and one operation, and what can be read with it.
 *
 * An access is made by data_access_open alone, which runs steps 6 to 9 of contract 3.6: table name, scope, table,
 * decision. Reads take it, and look at its verdict again for each row. */
#ifndef FIRMWARE_DATA_ACCESS_H
#define FIRMWARE_DATA_ACCESS_H

#include <stdint.h>

#include "firmware/auth/refusal.h"
#include "firmware/auth/verify.h"
#include "firmware/data/catalog.h"
#include "firmware/data/data.h"
#include "firmware/data/row_gate.h"
#include "firmware/rls/rls.h"
#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/mem.h"
#include "hal/base/span.h"
#include "hal/base/time.h"

/* The newest catalogue, borrowed until the next call for this reader; who needs it longer takes a reference. */
const struct catalog *data_catalog(struct data_reader *reader);

/* The built-in tables of contract 4.1; files has nothing to show. */
enum data_built_in {
    DATA_BUILT_IN_NONE,
    DATA_BUILT_IN_USERS,
    DATA_BUILT_IN_SESSIONS,
    DATA_BUILT_IN_ACCOUNTS,
    DATA_BUILT_IN_EMPTY
};

struct data_access {
    const struct catalog_table *table;       /* NULL: a built-in table */
    const struct catalog_environment *place; /* of a built-in table */
    enum data_built_in built_in;
    bool brief;           /* of users: public fields only */
    struct rls_bound rls; /* the requester, bound to the table's policy */
    enum rls_op op;
    enum rls_verdict verdict; /* RLS_ALLOW or RLS_OWNER */
};

/* Which rows the access is for; borrows access and work (for row filters alone, refilled for each row). */
struct row_gate data_access_gate(const struct data_access *access, struct regex_work *work);

/* ERR_DENIED. The access borrows from the catalogue and lives as long as it. */
enum err data_access_open(const struct catalog *catalog, const struct auth_principal *principal, struct span table,
                          enum rls_op op, struct data_access *out_access, struct refusal *out_refusal) MUST_USE;

/* GET /v1/users: everybody who has signed in, all fields for administrators and public ones for others, if the project lets
 * others list users at all. ERR_DENIED. */
enum err data_access_open_users(const struct catalog *catalog, const struct auth_principal *principal,
                                struct data_access *out_access, struct refusal *out_refusal) MUST_USE;

/* Steps 1 to 8 alone, for spec and openapi: admin, or a principal who may read some row. ERR_DENIED. */
enum err data_access_open_description(const struct catalog *catalog, const struct auth_principal *principal,
                                      struct span table, struct data_access *out_access, struct refusal *out_refusal)
    MUST_USE;

struct data_people;

/* What a read is made with; all borrowed. */
struct data_request {
    struct data_reader *reader;
    const struct catalog *catalog; /* what the access borrows from */
    const struct data_access *access;
    const struct data_people *people; /* in which the requester was looked up; NULL: the key alone says who they are */
    struct arena *arena;
    struct span query; /* the query string, not decoded */
    struct buf *out;   /* the answer is appended */
    struct refusal *refusal;
};

/* Appends the row of that id (as in the path). ERR_DENIED: absent, not this requester's, or a bad `select`.
 * ERR_CONFLICT: the catalogue changed since the request took it, or users did; verify and decide again. */
enum err data_read(const struct data_request *request, struct span id) MUST_USE;

/* A list under way; it holds a snapshot of the database until it is freed. */
struct data_list;

/* Checks the parameters and starts. What request points at must live as long as the list. ERR_DENIED; ERR_CONFLICT as
 * data_read; ERR_LIMIT: too many lists of this reader are under way. */
enum err data_list_new(const struct data_request *request, struct data_list **out_list) MUST_USE;
void data_list_free(struct data_list *list); /* NULL is fine */

/* Goes on until `until`, as `now` tells it. ERR_AGAIN: call again; ERR_DENIED: the filters used up their steps, or the
 * page is larger than a response may be. */
enum err data_list_step(struct data_list *list, struct mono_time (*now)(void *context), void *context,
                        struct mono_time until) MUST_USE;

/* --- descriptions: contract 4.7 --- */

enum err data_write_spec(const struct data_request *request) MUST_USE;
enum err data_write_openapi(const struct data_request *request) MUST_USE;

/* --- management: what an administrator of the key's environment reads; contract 6 --- */

struct data_page {
    uint64_t page, limit;
};

/* `page` and `limit` of a query string; usual_limit when none is given. ERR_DENIED common/invalid-parameters. */
enum err data_page_read(struct arena *arena, struct span query, uint64_t usual_limit, struct data_page *out_page,
                        struct refusal *out_refusal) MUST_USE;

struct data_admin {
    struct data_reader *reader;
    const struct catalog *catalog;
    const struct auth_key *key;
    struct arena *arena;
    struct span query;
    struct buf *out;
    struct refusal *refusal;
};

struct data_asked {
    struct span query;
    bool of_environment; /* `environment` counts, too */
    struct arena *arena;
};

/* `projectId` and `environment` of a query, as often as they are there: may name the place of the key and no other, since
 * the request is answered for that one. ERR_DENIED with `other`, or common/invalid-parameters: the query is none;
 * ERR_NO_MEMORY. */
enum err data_check_query_place(const struct auth_key *key, const struct data_asked *asked, enum refusal_code other,
                                struct refusal *out_refusal) MUST_USE;

/* Lists and single objects; ids as in the path. ERR_DENIED common/not-found for what is not there or not the key's. */
enum err data_list_projects(const struct data_admin *admin) MUST_USE;
enum err data_get_project(const struct data_admin *admin, struct span id) MUST_USE;
enum err data_get_cors(const struct data_admin *admin, struct span id) MUST_USE;
enum err data_list_environments(const struct data_admin *admin) MUST_USE;
enum err data_get_environment(const struct data_admin *admin, struct span id) MUST_USE;
enum err data_list_tables(const struct data_admin *admin) MUST_USE;
enum err data_get_table(const struct data_admin *admin, struct span id) MUST_USE;
enum err data_list_schema_versions(const struct data_admin *admin, struct span id) MUST_USE;
enum err data_get_schema_version(const struct data_admin *admin, struct span id, struct span version) MUST_USE;
enum err data_list_index_versions(const struct data_admin *admin, struct span id) MUST_USE;
enum err data_list_keys(const struct data_admin *admin) MUST_USE;
enum err data_get_key(const struct data_admin *admin, struct span id) MUST_USE;

/* The outbox of the key's environment: a list as data_list_new makes it, and one mail. */
enum err data_list_outbox(const struct data_admin *admin, struct wall_time now, struct data_list **out_list) MUST_USE;
enum err data_get_mail(const struct data_admin *admin, struct span id, struct wall_time now) MUST_USE;

#endif
