/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who asks, and whether the route is for them: credentials by firmware/auth, looked up in the catalogue and the users of
 * the key's environment. */
#include "firmware/api/request_int.h"

#include <string.h>

#include "firmware/data/operators.h"
#include "hal/base/fault.h"

#define PEOPLE_LIST_SEGMENTS 2 /* of /v1/users */

/* The operation on users that a request of /v1/users stands for: contract 2.2. */
static enum rls_op people_op(const struct http_exchange *exchange)
{
    switch (exchange->method) {
    case HTTP_POST: /* of a user; or of something of theirs, such as the place for a picture */
        return exchange->segment_count == PEOPLE_LIST_SEGMENTS ? RLS_CREATE : RLS_UPDATE;
    case HTTP_PATCH:
        return RLS_UPDATE;
    case HTTP_DELETE:
        return RLS_DELETE;
    case HTTP_GET:
    case HTTP_HEAD:
    case HTTP_PUT:
    case HTTP_OPTIONS:
    case HTTP_OTHER:
        break;
    }
    return exchange->segment_count == PEOPLE_LIST_SEGMENTS ? RLS_LIST : RLS_READ;
}

static enum err check_people(struct api_request *request)
{
    const struct auth_principal *principal = &request->auth.principal;

    TRY(auth_check_scope(principal->key, span_lit("users"), people_op(request->exchange), &request->refusal));
    if (principal->user.len == 0 && principal->key->type != AUTH_KEY_SECRET) {
        return refuse(&request->refusal, REFUSAL_USER_UNAUTHORIZED, "An access token is required");
    }
    return ERR_OK;
}

/* A secret key manages its own place, and is never answered for that one in the name of another. */
static enum err check_manager(struct api_request *request)
{
    const struct http_exchange *exchange = request->exchange;
    const struct data_asked asked = {exchange->query, request->route->who != ROUTE_PROJECTS, exchange->arena};

    TRY(auth_check_admin(request->auth.key, &request->refusal));
    return data_check_query_place(request->auth.key, &asked, REFUSAL_AUTH_FORBIDDEN, &request->refusal);
}

/* What the route asks for besides a valid key. */
static enum err check_who(struct api_request *request)
{
    switch (request->route->who) {
    case ROUTE_TABLES:
    case ROUTE_SETTINGS:
    case ROUTE_PROJECTS:
    case ROUTE_AUDIT:
        return check_manager(request);
    case ROUTE_APPLIANCE:
    case ROUTE_AUDITORS:
    case ROUTE_OWNERS:
        TRY(auth_check_admin(request->auth.key, &request->refusal));
        return refuse(&request->refusal, REFUSAL_AUTH_FORBIDDEN, "This needs an operator");
    case ROUTE_USER:
    case ROUTE_OPERATOR:
        return request->auth.principal.user.len != 0
                   ? ERR_OK
                   : refuse(&request->refusal, REFUSAL_AUTH_UNAUTHORIZED, "An access token is required");
    case ROUTE_PEOPLE:
        return check_people(request);
    case ROUTE_KEYLESS:
    case ROUTE_KEY:
    case ROUTE_OPEN:
    case ROUTE_MAYBE:
    case ROUTE_OPERATORS:
        return ERR_OK;
    }
    return refuse(&request->refusal, REFUSAL_AUTH_FORBIDDEN, NULL);
}

/* What a route of /v1/admin asks of an operator; NULL: it is not for them to manage. */
static const struct operator_duty *duty_of(const struct route *route)
{
    static const struct operator_duty tables = {OPERATOR_TABLES, OPERATOR_NEEDS_ENVIRONMENT};
    static const struct operator_duty settings = {OPERATOR_SETTINGS, OPERATOR_NEEDS_ENVIRONMENT};
    static const struct operator_duty look_at_projects = {OPERATOR_SETTINGS, OPERATOR_NEEDS_ANY};
    static const struct operator_duty change_project = {OPERATOR_SETTINGS, OPERATOR_NEEDS_PROJECT};
    static const struct operator_duty appliance = {OPERATOR_SETTINGS, OPERATOR_NEEDS_NOTHING};
    static const struct operator_duty audit = {OPERATOR_AUDIT, OPERATOR_NEEDS_NAMED};
    static const struct operator_duty verify = {OPERATOR_AUDIT, OPERATOR_NEEDS_NOTHING};
    static const struct operator_duty anything = {OPERATOR_ANYTHING, OPERATOR_NEEDS_NOTHING};

    switch (route->who) {
    case ROUTE_TABLES:
        return &tables;
    case ROUTE_SETTINGS:
        return &settings;
    case ROUTE_PROJECTS:
        return route->operation == NULL ? &look_at_projects : &change_project;
    case ROUTE_APPLIANCE:
        return &appliance;
    case ROUTE_AUDIT:
        return &audit;
    case ROUTE_AUDITORS:
        return &verify;
    case ROUTE_OWNERS:
        return &anything;
    case ROUTE_KEYLESS:
    case ROUTE_KEY:
    case ROUTE_OPEN:
    case ROUTE_MAYBE:
    case ROUTE_USER:
    case ROUTE_PEOPLE:
    case ROUTE_OPERATORS:
    case ROUTE_OPERATOR:
        break;
    }
    return NULL;
}

/* Contract 6: a publishable key with an access token manages nothing, whoever's the token is; an operator sends none. */
static enum err refuse_publishable(struct api_request *request, enum err err)
{
    const struct auth_header *key = &request->headers.auth.key;
    const bool of_operators = request->route->who == ROUTE_OPERATOR;
    const bool elsewhere = (of_operators || duty_of(request->route) != NULL) && err == ERR_DENIED &&
                           request->refusal.code == REFUSAL_DATA_PROJECT_ACCESS_DENIED;
    const bool own = of_operators && err == ERR_OK;

    if (!(elsewhere || own) || !request->auth.bearer.present || !span_starts_with(key->value, span_lit("pk_"))) {
        return err;
    }
    return refuse(&request->refusal, REFUSAL_AUTH_FORBIDDEN, "A publishable key manages nothing");
}

/* An operator who was identified gets what stands for a secret key of the place that the request names. */
static enum err admit_operator(struct api_request *request)
{
    struct operators_ask ask = {.catalog = request->catalog,
                                .principal = &request->auth.principal,
                                .id = request->params[0],
                                .query = request->exchange->query,
                                .arena = request->exchange->arena};

    if (request->duty == NULL) {
        return check_who(request);
    }
    ask.duty = *request->duty;
    if (request->route->handle != handle_update_piece) { /* whose body is a piece of a file */
        ask.body = request_body(request);
    }
    if (request->body_refusal.code != REFUSAL_NONE) {
        request->refusal = request->body_refusal;
        return ERR_DENIED;
    }
    TRY(operators_admit(&ask, &request->auth.key, &request->refusal));
    request->auth.principal.key = request->auth.key;
    return ERR_OK;
}

/* Before there is an operator, nobody is one. */
static enum err verify_operator(struct api_request *request, const struct auth_directory *directory)
{
    struct auth_request *asked = &request->headers.auth;

    request->operators = true;
    if (request->route->who == ROUTE_OPERATORS) {
        asked->authorization.count = 0;
    }
    enum err err = operators_key(request->catalog, request->exchange->arena, &asked->place);
    if (err == ERR_NOT_FOUND) {
        fault_clear();
        return refuse(&request->refusal, REFUSAL_AUTH_UNAUTHORIZED, "There is no operator yet");
    }
    TRY(err);
    err = auth_verify_operator(asked, directory, request->api->options.limits, request->now, &request->auth,
                               &request->refusal);
    return refuse_publishable(request, err == ERR_OK ? admit_operator(request) : err);
}

/* Routes of operators alone; and of /v1/admin the requests with an access token and without a key. */
static bool is_operator(struct api_request *request)
{
    const struct auth_request *asked = &request->headers.auth;

    if (request->route->who == ROUTE_OPERATORS || request->route->who == ROUTE_OPERATOR) {
        return true;
    }
    if (asked->key.count == 0 && asked->authorization.count > 0) {
        request->duty = duty_of(request->route);
    }
    return request->duty != NULL;
}

enum err request_verify(struct api_request *request)
{
    const struct auth_directory directory =
        data_directory(request->api->reader, request->catalog, request->api->tokens, &request->people);

    request->headers.auth.arena = request->exchange->arena;
    if (is_operator(request)) {
        return verify_operator(request, &directory);
    }
    if (request->route->who == ROUTE_OPEN) {
        request->headers.auth.authorization.count = 0;
    }
    request->headers.auth.token_may_fail = request->route->who == ROUTE_MAYBE;
    const enum err err = auth_verify(&request->headers.auth, &directory, request->api->options.limits, request->now,
                                     &request->auth, &request->refusal);

    if (request->auth.key != NULL) {
        request->project = catalog_project(request->catalog, request->auth.key->project_id);
    }
    TRY(refuse_publishable(request, err));
    return check_who(request);
}

/* The same for an operator. */
static enum err verify_operator_again(struct api_request *request)
{
    struct auth_asker asker = {.bearer = &request->auth.bearer, .arena = request->exchange->arena};

    request->auth.key = NULL;
    const struct auth_directory directory =
        data_directory(request->api->reader, request->catalog, request->api->tokens, &request->people);
    TRY(operators_key(request->catalog, request->exchange->arena, &asker.key));
    request->auth.key = asker.key;
    TRY(auth_identify(&directory, &asker, request->now, &request->auth.principal, &request->refusal));
    return admit_operator(request);
}

/* The rate is not taken again, and of the access token only what the records say of its user and session is. */
enum err request_verify_again(struct api_request *request)
{
    uint8_t hash[SHA256_BYTES];
    struct auth_asker asker = {
        .bearer = &request->auth.bearer, .on_behalf = request->auth.on_behalf, .arena = request->exchange->arena};

    memcpy(hash, request->auth.key->hash, sizeof hash);
    catalog_unref(request->catalog);
    request->catalog = catalog_ref(data_catalog(request->api->reader));
    buf_reset(http_body(request->exchange));
    if (request->operators) {
        return verify_operator_again(request);
    }
    request->auth.key = NULL;
    request->project = NULL;
    const struct auth_directory directory =
        data_directory(request->api->reader, request->catalog, request->api->tokens, &request->people);
    TRY(auth_check_key(&directory, hash, request->now, &asker.key, &request->refusal));
    request->auth.key = asker.key;
    request->project = catalog_project(request->catalog, request->auth.key->project_id);
    TRY(auth_identify(&directory, &asker, request->now, &request->auth.principal, &request->refusal));
    return check_who(request);
}
