/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The place of the operators is an environment of the organization instead of a project: its name is free in every
 * project, and looking for its project finds none. The role of an operator is also the first of the custom roles, which
 * is how it reaches whoever asks who is asking. */
#include "firmware/data/operators.h"

#include "firmware/data/doc.h"
#include "firmware/data/people_int.h"
#include "firmware/rls/scope.h"
#include "hal/base/fault.h"
#include "net/http.h"

#define CREATED    201
#define PLACE_NAME "operators"
#define ROLE_OWNER "owner"

static const struct catalog_record *organization(const struct catalog *catalog)
{
    size_t cursor = 0;

    return catalog_next(catalog, CATALOG_ORGANIZATION, &cursor);
}

const struct catalog_environment *operators_place(const struct catalog *catalog)
{
    const struct catalog_record *owner = organization(catalog);

    return owner == NULL ? NULL
                         : (const struct catalog_environment *)catalog_find_named(catalog, CATALOG_ENVIRONMENT,
                                                                                  owner->id, span_lit(PLACE_NAME));
}

struct made {
    struct auth_key key;
    atomic_llong used_ms;
};

enum err operators_key(const struct catalog *catalog, struct arena *arena, const struct auth_key **out_key)
{
    const struct catalog_environment *place = operators_place(catalog);
    void *memory = NULL;

    if (place == NULL) {
        return ERR_NOT_FOUND;
    }
    TRY(arena_alloc(arena, sizeof(struct made), &memory));
    struct made *made = memory;
    made->key = (struct auth_key){.type = AUTH_KEY_PUBLISHABLE,
                                  .id = span_lit(PLACE_NAME),
                                  .project_id = place->record.parent,
                                  .environment_id = place->record.id,
                                  .environment = place->record.name,
                                  .expires_at_ms = AUTH_KEY_NEVER,
                                  .last_used_ms = &made->used_ms};
    sha256(place->record.id, made->key.hash); /* of counters; no key that can be sent has it */
    *out_key = &made->key;
    return ERR_OK;
}

/* --- where an operator manages --- */

static bool is_named(const struct json_value *body, struct span name)
{
    return body != NULL && body->type == JSON_OBJECT && doc_has(body, name);
}

/* `name` of the body, or else of the query. ERR_DENIED: the query is none. */
static enum err named(const struct operators_ask *ask, struct span name, struct span *out_value,
                      struct refusal *refusal)
{
    struct http_query walk = http_query_of(ask->query);
    struct span each = SPAN_NONE;
    struct span value = SPAN_NONE;
    enum err err = ERR_OK;

    *out_value = SPAN_NONE;
    if (is_named(ask->body, name)) {
        *out_value = doc_text(ask->body, name);
        return out_value->len != 0 ? ERR_OK
                                   : refuse_at(refusal, REFUSAL_COMMON_INVALID_PARAMETERS, name, "must be a text");
    }
    while ((err = http_query_next(&walk, ask->arena, &each, &value)) == ERR_OK) {
        if (span_equal(each, name) && out_value->len != 0) {
            return refuse_at(refusal, REFUSAL_COMMON_INVALID_PARAMETERS, name, "is given twice");
        }
        *out_value = span_equal(each, name) ? value : *out_value;
    }
    if (err == ERR_NOT_FOUND) {
        fault_clear();
        return ERR_OK;
    }
    return err == ERR_MALFORMED
               ? refuse(refusal, REFUSAL_COMMON_INVALID_PARAMETERS, "The query string is not well-formed")
               : err;
}

struct where {
    const struct catalog_project *project;
    const struct catalog_environment *environment;
};

/* An environment of a project: not that of the operators, which is nobody's to manage this way. */
static void where_environment(const struct catalog *catalog, struct span id, struct where *out)
{
    const struct catalog_environment *environment = catalog_environment(catalog, id);

    out->project = environment == NULL ? NULL : catalog_project(catalog, environment->record.parent);
    out->environment = out->project == NULL ? NULL : environment;
}

/* Where the thing of that id is; ids are unique among all kinds. */
static void where_id(const struct catalog *catalog, struct span id, struct where *out)
{
    const struct catalog_record *record = catalog_find(catalog, CATALOG_TABLE, id);

    record = record != NULL ? record : catalog_find(catalog, CATALOG_KEY, id);
    where_environment(catalog, record != NULL ? record->parent : id, out);
    if (out->project == NULL) {
        out->project = catalog_project(catalog, id);
    }
}

static enum err where_named(const struct operators_ask *ask, struct where *out, struct refusal *refusal)
{
    struct span project = SPAN_NONE;
    struct span environment = SPAN_NONE;

    TRY(named(ask, span_lit("projectId"), &project, refusal));
    TRY(named(ask, span_lit("environment"), &environment, refusal));
    const bool of_environment =
        ask->duty.need == OPERATOR_NEEDS_ENVIRONMENT || ask->duty.need == OPERATOR_NEEDS_NAMED;
    if (project.len == 0) {
        return environment.len == 0 || ask->duty.need != OPERATOR_NEEDS_NAMED
                   ? ERR_OK
                   : refuse(refusal, REFUSAL_COMMON_INVALID_PARAMETERS, "environment is of no project without projectId");
    }
    out->project = catalog_project(ask->catalog, project);
    if (out->project == NULL) {
        return refuse(refusal, REFUSAL_COMMON_NOT_FOUND, "There is no such project");
    }
    if (environment.len == 0 || !of_environment) {
        return ERR_OK;
    }
    out->environment =
        (const struct catalog_environment *)catalog_find_named(ask->catalog, CATALOG_ENVIRONMENT, project, environment);
    return out->environment != NULL ? ERR_OK
                                    : refuse(refusal, REFUSAL_COMMON_NOT_FOUND, "There is no such environment");
}

static enum err find_where(const struct operators_ask *ask, struct where *out, struct refusal *refusal)
{
    *out = (struct where){NULL, NULL};
    if (ask->duty.need == OPERATOR_NEEDS_NOTHING) {
        return ERR_OK;
    }
    where_id(ask->catalog, ask->id, out);
    if (out->project == NULL && is_named(ask->body, span_lit("tableId"))) {
        where_id(ask->catalog, doc_text(ask->body, span_lit("tableId")), out);
    }
    if (out->project == NULL) {
        TRY(where_named(ask, out, refusal));
    }
    const bool needs_none = ask->duty.need == OPERATOR_NEEDS_ANY || ask->duty.need == OPERATOR_NEEDS_NAMED;
    if (needs_none || (out->project != NULL && ask->duty.need == OPERATOR_NEEDS_PROJECT) ||
        out->environment != NULL) {
        return ERR_OK;
    }
    if (auth_uuid_is_well_formed(ask->id)) {
        return refuse(refusal, REFUSAL_COMMON_NOT_FOUND, "There is no such thing to manage");
    }
    return refuse(refusal, REFUSAL_COMMON_INVALID_PARAMETERS,
                  ask->duty.need == OPERATOR_NEEDS_PROJECT ? "projectId is required"
                                                           : "projectId and environment are required");
}

enum err operators_admit(const struct operators_ask *ask, const struct auth_key **out_key, struct refusal *out_refusal)
{
    const struct auth_principal *principal = ask->principal;
    const struct data_asked asked = {
        ask->query, ask->duty.need == OPERATOR_NEEDS_ENVIRONMENT || ask->duty.need == OPERATOR_NEEDS_NAMED, ask->arena};
    struct where where;
    void *memory = NULL;

    if (principal->user.len == 0 || principal->who.role_count == 0 ||
        !operator_may(principal->who.roles[0], ask->duty.right)) {
        return refuse(out_refusal, REFUSAL_AUTH_FORBIDDEN, "Your role does not allow this");
    }
    TRY(find_where(ask, &where, out_refusal));
    TRY(arena_alloc(ask->arena, sizeof(struct made), &memory));
    struct made *made = memory;
    made->key = (struct auth_key){.type = AUTH_KEY_SECRET,
                                  .id = principal->user,
                                  .scopes = scope_unrestricted(),
                                  .expires_at_ms = AUTH_KEY_NEVER,
                                  .last_used_ms = &made->used_ms};
    if (where.project != NULL) {
        made->key.project_id = where.project->record.id;
    }
    if (where.environment != NULL) {
        made->key.environment_id = where.environment->record.id;
        made->key.environment = where.environment->record.name;
    }
    if (ask->duty.need != OPERATOR_NEEDS_NOTHING) {
        TRY(data_check_query_place(&made->key, &asked, REFUSAL_COMMON_INVALID_PARAMETERS, out_refusal));
    }
    sha256(principal->user, made->key.hash); /* of counters, as above */
    *out_key = &made->key;
    return ERR_OK;
}

/* --- in the transaction --- */

enum err operators_find(struct data_txn *txn, struct data_call *call, const struct auth_key **out_key)
{
    const enum err err = operators_key(data_txn_catalog(txn), call->arena, out_key);

    if (err == ERR_NOT_FOUND) {
        fault_clear();
        return refuse(&call->refusal, REFUSAL_AUTH_UNAUTHORIZED, NULL);
    }
    return err;
}

enum err operators_admit_call(struct data_txn *txn, struct data_call *call)
{
    const struct operators_ask ask = {.catalog = data_txn_catalog(txn),
                                      .principal = &txn->principal,
                                      .duty = *call->duty,
                                      .id = call->table,
                                      .query = call->query,
                                      .body = call->body,
                                      .arena = call->arena};

    return operators_admit(&ask, &txn->principal.key, &call->refusal);
}

enum err data_operator_setup(struct data_txn *txn, struct data_call *call)
{
    const struct data_sign *sign = call->sign;
    const struct catalog_record *owner = organization(data_txn_catalog(txn));
    const struct catalog_record *record = NULL;
    struct json_out out;

    if (operators_place(data_txn_catalog(txn)) != NULL) {
        return refuse(&call->refusal, REFUSAL_COMMON_CONFLICT, "There is an owner already");
    }
    ENSURE(owner != NULL, ERR_DAMAGED, "an appliance without its organization");
    const struct environment_new place = {owner->id, span_lit(PLACE_NAME), span_lit("custom")};
    TRY(environment_make(txn, &place, &record));
    txn->environment = (const struct catalog_environment *)record;
    struct person person = people_new(txn, sign->user_id, sign->email, sign->name);
    person.role = span_lit(ROLE_OWNER);
    person.roles[person.role_count++] = person.role;
    TRY(people_insert(txn, &person));
    TRY(people_insert_password(txn, sign->user_id, &sign->password));
    call->status = CREATED;
    json_out_init(&out, call->out);
    person_write_brief(&out, &person);
    return json_out_finish(&out);
}
