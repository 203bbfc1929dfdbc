/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One request on its way through the API, and the table of routes. For the files of this folder. */
#ifndef FIRMWARE_API_REQUEST_INT_H
#define FIRMWARE_API_REQUEST_INT_H

#include "firmware/api/api.h"
#include "firmware/auth/refusal.h"
#include "firmware/auth/verify.h"
#include "firmware/data/access.h"
#include "firmware/data/audit.h"
#include "firmware/data/call.h"
#include "firmware/data/catalog.h"
#include "firmware/data/people.h"
#include "firmware/data/simulate.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "crypto/random.h"
#include "net/http.h"
#include "net/loop.h"

#define API_PARAMS_MAX     2
#define API_REQUEST_ID_MAX 64
#define API_HEADERS_MAX    20
#define API_IDS_DRAWN      64 /* request ids are no secret, and drawing each alone costs a system call */

struct api {
    struct api_options options;
    struct data_reader *reader;                         /* NULL unless operational */
    struct random *random;                              /* for request ids */
    uint8_t ids[API_IDS_DRAWN][AUTH_UUID_RANDOM_BYTES]; /* drawn ahead; the first ids_left of them are unused */
    size_t ids_left;
    struct auth_token_cache *tokens; /* NULL unless operational */
    struct oidc *oidc;               /* oidc_int.h; NULL until it is needed */
};

enum route_who {
    ROUTE_KEYLESS,
    ROUTE_KEY,    /* any valid API key, with or without an access token */
    ROUTE_TABLES,    /* an unrestricted secret key, or an operator with the right to tables */
    ROUTE_SETTINGS,  /* the same with the right to settings, of an environment */
    ROUTE_PROJECTS,  /* the same, of a project */
    ROUTE_APPLIANCE, /* an operator with the right to settings; no key */
    ROUTE_OWNERS,    /* an operator who may do anything; no key */
    ROUTE_AUDIT,    /* an unrestricted secret key, or an operator with the right to the audit log */
    ROUTE_AUDITORS, /* such an operator; no key */
    ROUTE_OPEN,   /* any valid API key; Authorization is ignored, whatever it holds: contract 1.2 */
    ROUTE_MAYBE,  /* any valid API key; an access token counts if it is valid, and is ignored otherwise: contract 5.6 */
    ROUTE_USER,   /* an API key and an access token */
    ROUTE_PEOPLE, /* /v1/users: an access token or a secret key, and the scope users:<op> */
    ROUTE_OPERATORS, /* operators without a token: they sign in. A key and Authorization are ignored */
    ROUTE_OPERATOR,  /* an operator's access token; a key is ignored */
};

#define ROUTE_IN(state) (1u << (unsigned int)(state))
#define ROUTE_ALWAYS    (ROUTE_IN(BOARD_STATE_COUNT) - 1u)

struct api_request;

/* What a route does in the writer thread, if it does. */
struct route {
    enum http_method method;
    const char *pattern; /* "/v1/data/:table/:id": ":" any segment, "~" any segment that is not reserved */
    void (*handle)(struct api_request *request);
    data_operation *operation; /* of a handler that hands the request to the writer; else NULL */
    enum route_who who;
    unsigned int states; /* ROUTE_IN bits; elsewhere 503 */
};

/* The first route of that path and method. ERR_NOT_FOUND: no such path; ERR_UNSUPPORTED: not this method, and out_allowed
 * holds a bit (1u << method) for each that there is. */
enum err route_find(const struct http_exchange *exchange, const struct route **out_route,
                    struct span out_params[API_PARAMS_MAX], unsigned int *out_allowed) MUST_USE;

/* Is it asked for what is below /v1/admin, whether there is such a route or not, or for a box to be unlocked? Guesses of a
 * PIN are bounded for all together, so whoever may guess keeps the administrator from it. */
bool route_is_administrators(const struct http_exchange *exchange);

/* All of them, in order. */
const struct route *route_table(size_t *out_count);

/* Headers that the API reads, collected in one walk. */
struct api_headers {
    struct auth_request auth;
    struct auth_header origin;
    struct auth_header request_id;
    struct auth_header content_type;
    struct auth_header user_agent;
};

/* Work in slices of the loop. start decides and makes it ready, and may be run again (request_with_one_version); step goes
 * on until `until`: ERR_AGAIN to be called again, anything else is the outcome. */
struct api_work {
    enum err (*start)(struct api_request *request);
    enum err (*step)(struct api_request *request, struct mono_time until);
};

/* Lives in the arena of the exchange. */
struct api_request {
    struct api *api;
    struct http_exchange *exchange;
    const struct route *route; /* NULL until it is known */
    struct span params[API_PARAMS_MAX];
    struct api_headers headers;
    struct catalog *catalog;               /* a reference; NULL unless operational */
    const struct catalog_project *project; /* of the key, once that is known */
    struct auth_outcome auth;
    struct data_people people; /* what the directory of auth looks into */
    const struct json_value *body;
    struct refusal refusal;
    struct refusal body_refusal;
    char id[API_REQUEST_ID_MAX];
    size_t id_len;
    struct wall_time now;
    unsigned int status; /* of a success */
    unsigned int allowed;
    data_operation *operation; /* for the writer, instead of the route's; or NULL */
    struct span place;         /* of a keyless write: the id of its environment, which is there */
    struct span location;      /* of a 302 */
    const struct operator_duty *duty; /* what the route asks of an operator who manages */
    bool apart;                /* the administrator has a port of his own, and this is not it */
    bool operators;            /* asked for at the place of the operators, without an API key */
    unsigned int hold_ms;      /* request_hold; or 0 */
    enum err held;             /* the outcome that waits for it */
    struct loop_timer hold;
    bool bare;                 /* never in an envelope */
    bool enveloped;            /* the opening of the envelope is written */

    /* A list or a write under way. */
    struct data_access access;
    struct api_work work;
    struct data_list *list;
    struct data_simulation *simulation;
    struct loop_slice slice;
    bool holds_scan;
    uint8_t scan_bucket[AUTH_BUCKET_MAX]; /* of the key and the address, while holds_scan */
    size_t scan_bucket_len;
    bool cancelled;
    struct data_call call;
    struct data_origin origin;             /* of the call */
    char address[SOCKET_ADDRESS_TEXT_MAX]; /* of the origin */
    struct api_unlock_job unlock;
    struct api_update_job update;
    struct api_plan_job plan;
};

/* Answers, once: ERR_OK with what is in http_body and request->status, ERR_DENIED with the refusal, anything else as a
 * failure of ours. The request is gone afterwards. */
void request_finish(struct api_request *request, enum err err);

/* Must the answer wait? Then it is held, and finished with err at the next whole multiple of request->hold_ms since
 * it came. A failure of ours is not held. */
bool request_hold(struct api_request *request, enum err err) MUST_USE;

/* After a step that answers later: answers now if it failed. */
void request_begun(struct api_request *request, enum err err);

/* Credentials, rate, and what the route asks for besides a valid key. ERR_DENIED. */
enum err request_verify(struct api_request *request) MUST_USE;

/* Takes the newest catalogue and looks the key up in it, and who asks: a right taken away before a policy was changed is
 * not held against the changed policy. ERR_DENIED. */
enum err request_verify_again(struct api_request *request) MUST_USE;

/* Runs a read against one version of keys, policies and rows: when the catalogue changes while the read takes its
 * snapshot, everything is asked again with the new one. Errors of read. */
enum err request_with_one_version(struct api_request *request, enum err (*read)(struct api_request *request)) MUST_USE;

/* Does work and finishes the request with its outcome: at once if the first slice is enough, otherwise as a scan of its key. */
void request_run(struct api_request *request, struct api_work work);

/* The step of request->list: errors of data_list_step. */
enum err request_step_list(struct api_request *request, struct mono_time until) MUST_USE;

/* The clock of a struct loop, for work that is given one. */
struct mono_time request_loop_now(void *context);

/* Opens the envelope if the project has one; before a body is built. ERR_RANGE, ERR_NO_MEMORY: the body's. */
enum err request_begin_body(struct api_request *request) MUST_USE;

/* Parses the body. What is wrong with it is left in request->body_refusal with code != REFUSAL_NONE: some routes come to
 * the body only after other refusals. NULL for an empty body. */
const struct json_value *request_body(struct api_request *request);

/* The same for a route that needs an object and needs it now: request->body. ERR_DENIED. */
enum err request_object(struct api_request *request) MUST_USE;

/* Hands the request to the writer, for its route's operation: sign is NULL unless that needs it, and then the body has been
 * parsed already. ERR_LIMIT, ERR_NO_MEMORY: it was not taken. */
enum err request_submit(struct api_request *request, const struct data_sign *sign) MUST_USE;

/* --- cors.c --- */

/* Is the origin allowed, by the project, or, when that is not known, by any? */
bool cors_allows(const struct catalog *catalog, const struct catalog_project *project, struct span origin);

/* May a link in a mail, or the answer to one, lead there? The address must be one of `redirectUrls`, or its
 * origin listed or this machine: what an empty list of origins allows to browsers would here let anybody have the codes of
 * others sent to a page of their own. Contract 5.6. */
bool cors_redirects(const struct catalog_project *project, struct span url);

/* Appends headers to a list of API_HEADERS_MAX. */
void cors_headers(struct http_header *headers, size_t *count, struct span origin);
void cors_preflight_headers(struct http_header *headers, size_t *count);

/* --- handlers --- */

void handle_health(struct api_request *request);
void handle_ready(struct api_request *request);
void handle_state(struct api_request *request);
void handle_version(struct api_request *request);
void handle_jwks(struct api_request *request);
void handle_unlock(struct api_request *request);

void handle_list(struct api_request *request);
void handle_read(struct api_request *request);
void handle_spec(struct api_request *request);
void handle_openapi(struct api_request *request);
void handle_row_write(struct api_request *request);

void handle_sign_up(struct api_request *request);
void handle_sign_in(struct api_request *request);
void handle_refresh(struct api_request *request);
void handle_reset_request(struct api_request *request);
void handle_reset_confirm(struct api_request *request);
void handle_password_change(struct api_request *request);
void handle_confirmation_send(struct api_request *request);
void handle_verify_send(struct api_request *request);
void handle_verify_confirm(struct api_request *request);
void handle_verify_visit(struct api_request *request);
void handle_magic_callback(struct api_request *request);
void handle_mfa_enable(struct api_request *request);
void handle_mfa_confirm(struct api_request *request);
void handle_mfa_disable(struct api_request *request);
void handle_me(struct api_request *request);
void handle_sessions(struct api_request *request);
void handle_accounts(struct api_request *request);
void handle_account_link(struct api_request *request);
void handle_account_check(struct api_request *request);
void handle_provider_callback(struct api_request *request);
void handle_provider_visit(struct api_request *request);
void handle_switch(struct api_request *request);
void handle_invitations(struct api_request *request);
void handle_invitation(struct api_request *request);
void handle_invite(struct api_request *request);
void handle_invitation_accept(struct api_request *request);
void handle_invitation_reject(struct api_request *request);
void handle_users(struct api_request *request);
void handle_user(struct api_request *request);
void handle_user_create(struct api_request *request);
void handle_user_part(struct api_request *request);
void handle_user_part_change(struct api_request *request);

void handle_organizations(struct api_request *request);
void handle_organization(struct api_request *request);
void handle_operators(struct api_request *request);
void handle_operator_create(struct api_request *request);
void handle_operator_update(struct api_request *request);
void handle_operator_setup(struct api_request *request);
void handle_manage(struct api_request *request);
void handle_secure_boot_plan(struct api_request *request);
void handle_update(struct api_request *request);
void handle_update_begin(struct api_request *request);
void handle_update_piece(struct api_request *request);
void handle_update_install(struct api_request *request);

/* network.c */
void handle_network(struct api_request *request);
void handle_projects(struct api_request *request);
void handle_project(struct api_request *request);
void handle_cors(struct api_request *request);
void handle_environments(struct api_request *request);
void handle_environment(struct api_request *request);
void handle_tables(struct api_request *request);
void handle_table(struct api_request *request);
void handle_schema_versions(struct api_request *request);
void handle_schema_version(struct api_request *request);
void handle_index_versions(struct api_request *request);
void handle_explain(struct api_request *request);
void handle_simulate(struct api_request *request);
void handle_keys(struct api_request *request);
void handle_key(struct api_request *request);
void handle_audit(struct api_request *request);
void handle_audit_verify(struct api_request *request);
void handle_outbox(struct api_request *request);
void handle_mail(struct api_request *request);
void handle_email_provider(struct api_request *request);
void handle_oidc_provider(struct api_request *request);
void handle_email_settings(struct api_request *request);
void handle_templates(struct api_request *request);
void handle_template(struct api_request *request);
void handle_template_preview(struct api_request *request);

#endif
