/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From a parsed request to its handler, and from an outcome to the answer. The order of the steps is contract 3.6:
 * preflight, route and method, state, key and token, rate limit, then the handler. */
#include "firmware/api/api.h"

#include <string.h>

#include "firmware/api/error.h"
#include "firmware/api/oidc_int.h"
#include "firmware/api/request_int.h"
#include "firmware/auth/token_cache.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/base/num.h"
#include "net/json.h"
#include "net/stack.h"

#define STATUS_PREFLIGHT 204
#define STATUS_FOUND     302
#define ALLOW_TEXT_MAX   64

enum err api_new(const struct api_options *options, struct api **out_api)
{
    SCOPED(api_free_scoped) struct api *api = NULL;
    void *memory = NULL;

    TRY(mem_alloc(sizeof *api, &memory));
    api = memory;
    api->options = *options;
    TRY(random_new(SPAN_NONE, &api->random));
    if (options->data != NULL) {
        TRY(data_reader_new(options->data, options->reactor, &api->reader));
        TRY(token_cache_new(CONFIG_AUTH_TOKEN_CACHE, &api->tokens));
    }
    *out_api = TAKE(api);
    return ERR_OK;
}

void api_free(struct api *api)
{
    if (api == NULL) {
        return;
    }
    oidc_free(api->oidc);
    token_cache_free(api->tokens);
    data_reader_free(api->reader);
    random_free(api->random);
    mem_free(api);
}

/* --- headers of the request --- */

struct known_header {
    struct span name;
    size_t offset; /* of its struct auth_header */
};

#define KNOWN(text, member)                                                                                            \
    {                                                                                                                  \
        {(const uint8_t *)("" text), sizeof(text) - 1}, offsetof(struct api_headers, member)                           \
    }
static const struct known_header known_headers[] = {
    KNOWN("X-API-Key", auth.key),
    KNOWN("Authorization", auth.authorization),
    KNOWN("X-Project-Id", auth.project),
    KNOWN("X-Environment", auth.environment),
    KNOWN("X-On-Behalf-Of", auth.on_behalf),
    KNOWN("Origin", origin),
    KNOWN("X-Request-Id", request_id),
    KNOWN("Content-Type", content_type),
    KNOWN("User-Agent", user_agent),
};

static void collect_headers(const struct http_exchange *exchange, struct api_headers *out)
{
    for (size_t i = 0; i < exchange->header_count; i++) {
        const struct http_header *header = &exchange->headers[i];
        for (size_t known = 0; known < ARRAY_LENGTH(known_headers); known++) {
            if (span_equal_nocase(header->name, known_headers[known].name)) {
                void *place = (char *)out + known_headers[known].offset;
                struct auth_header *found = place;
                found->count++;
                found->value = header->value;
            }
        }
    }
    if (exchange->peer != NULL) {
        out->auth.address = stack_address_key(exchange->peer);
    }
}

/* 1 to 64 of [A-Za-z0-9._-]: what may safely stand in a header, a body and a log. */
static bool is_request_id(struct span text)
{
    if (text.len == 0 || text.len > API_REQUEST_ID_MAX) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t byte = text.data[i];
        if (!((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
              byte == '.' || byte == '_' || byte == '-')) {
            return false;
        }
    }
    return true;
}

static void name_request(struct api_request *request)
{
    const struct auth_header *sent = &request->headers.request_id;
    struct api *api = request->api;

    if (sent->count == 1 && is_request_id(sent->value)) {
        memcpy(request->id, sent->value.data, sent->value.len);
        request->id_len = sent->value.len;
        return;
    }
    if (api->ids_left == 0) {
        random_fill(api->random, &api->ids[0][0], sizeof api->ids);
        api->ids_left = API_IDS_DRAWN;
    }
    api->ids_left--;
    auth_uuid_write(api->ids[api->ids_left], request->id);
    request->id_len = AUTH_UUID_BYTES;
}

/* --- the answer --- */

static void add_header(struct http_header *headers, size_t *count, struct span name, struct span value)
{
    INVARIANT(*count < API_HEADERS_MAX);
    headers[(*count)++] = (struct http_header){name, value};
}

/* Decimal digits in the arena; an arena that is full gives an empty value, which is a legal header. */
static struct span number_text(struct arena *arena, uint64_t number)
{
    char digits[SPAN_U64_TEXT_MAX];
    struct span text = SPAN_NONE;

    return arena_copy(arena, span_from_u64(number, digits), &text) == ERR_OK ? text : SPAN_NONE;
}

static struct span allow_text(struct arena *arena, unsigned int allowed)
{
    static const struct {
        enum http_method method;
        const char *name;
    } names[] = {{HTTP_GET, "GET"},     {HTTP_POST, "POST"},     {HTTP_PUT, "PUT"},
                 {HTTP_PATCH, "PATCH"}, {HTTP_DELETE, "DELETE"}, {HTTP_OPTIONS, "OPTIONS"}};
    char text[ALLOW_TEXT_MAX];
    struct span copy = SPAN_NONE;
    size_t len = 0;

    allowed |= 1u << (unsigned int)HTTP_OPTIONS;
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        const struct span name = span_str(names[i].name);
        if ((allowed & (1u << (unsigned int)names[i].method)) != 0) {
            if (len > 0) {
                memcpy(text + len, ", ", 2);
                len += 2;
            }
            memcpy(text + len, name.data, name.len);
            len += name.len;
        }
    }
    return arena_copy(arena, span_of(text, len), &copy) == ERR_OK ? copy : SPAN_NONE;
}

static void rate_headers(const struct api_request *request, struct http_header *headers, size_t *count)
{
    const struct auth_rate *rate = &request->auth.rate;
    struct arena *arena = request->exchange->arena;

    if (!rate->known) {
        return;
    }
    add_header(headers, count, span_lit("X-RateLimit-Limit"), number_text(arena, rate->limit));
    add_header(headers, count, span_lit("X-RateLimit-Remaining"), number_text(arena, rate->remaining));
    add_header(headers, count, span_lit("X-RateLimit-Reset"), number_text(arena, (uint64_t)rate->reset_s));
}

static size_t answer_headers(const struct api_request *request, unsigned int status,
                             struct http_header headers[API_HEADERS_MAX])
{
    const struct span origin = request->headers.origin.count == 1 ? request->headers.origin.value : SPAN_NONE;
    struct arena *arena = request->exchange->arena;
    size_t count = 0;

    if (status != STATUS_PREFLIGHT) {
        add_header(headers, &count, span_lit("Content-Type"), span_lit("application/json; charset=utf-8"));
    }
    add_header(headers, &count, span_lit("X-Request-Id"), span_of(request->id, request->id_len));
    add_header(headers, &count, span_lit("Cache-Control"), span_lit("no-store"));
    add_header(headers, &count, span_lit("X-Content-Type-Options"), span_lit("nosniff"));
    add_header(headers, &count, span_lit("Strict-Transport-Security"), span_lit("max-age=31536000"));
    rate_headers(request, headers, &count);
    if (request->refusal.retry_after_s != 0) {
        add_header(headers, &count, span_lit("Retry-After"), number_text(arena, request->refusal.retry_after_s));
    }
    if (request->allowed != 0) {
        add_header(headers, &count, span_lit("Allow"), allow_text(arena, request->allowed));
    }
    if (status == STATUS_FOUND) {
        add_header(headers, &count, span_lit("Location"), request->location);
    }
    if (request->headers.origin.count > 0) {
        add_header(headers, &count, span_lit("Vary"), span_lit("Origin"));
        if (cors_allows(request->catalog, request->project, origin)) {
            cors_headers(headers, &count, origin);
            if (status == STATUS_PREFLIGHT) {
                cors_preflight_headers(headers, &count);
            }
        }
    }
    return count;
}

static const char *method_name(enum http_method method)
{
    switch (method) {
    case HTTP_GET:
        return "GET";
    case HTTP_HEAD:
        return "HEAD";
    case HTTP_POST:
        return "POST";
    case HTTP_PUT:
        return "PUT";
    case HTTP_PATCH:
        return "PATCH";
    case HTTP_DELETE:
        return "DELETE";
    case HTTP_OPTIONS:
        return "OPTIONS";
    case HTTP_OTHER:
        return "other";
    }
    return "other";
}

/* One line a request: the route's pattern and never the path, the key's id and never the key. Refused credentials,
 * rights and rates are events of security. */
static void log_request(const struct api_request *request, unsigned int status)
{
    const struct error_entry *entry = error_entry(request->refusal.code);
    const struct auth_key *key = request->auth.key;
    const struct mono_time now = loop_clock_now(request->exchange->loop);
    const uint64_t since = request->exchange->received.ns;
    const struct log_field fields[] = {
        LOG_LITERAL("method", method_name(request->exchange->method)),
        LOG_LITERAL("route", request->route == NULL ? "none" : request->route->pattern),
        LOG_NUMBER("status", status),
        LOG_LITERAL("code", request->refusal.code == REFUSAL_NONE ? "" : entry->code),
        LOG_TEXT("key", key == NULL ? span_lit("") : key->id),
        LOG_NUMBER("us", now.ns <= since ? 0 : (now.ns - since) / 1000),
        LOG_TEXT("request", span_of(request->id, request->id_len)),
    };
    const bool security = status == 401 || status == 403 || status == 429;

    if (security) {
        log_event(LOG_WARN, "refused", fields, ARRAY_LENGTH(fields));
    } else {
        log_event(status >= 500 ? LOG_WARN : LOG_INFO, "request", fields, ARRAY_LENGTH(fields));
    }
}

enum err request_begin_body(struct api_request *request)
{
    request->enveloped = request->project != NULL && request->project->wrapped && !request->bare;
    return request->enveloped ? buf_put(http_body(request->exchange), span_lit("{\"success\":true,\"data\":")) : ERR_OK;
}

/* The body of a refusal or failure, in place of whatever was built. Should even that not fit, there is none. */
static unsigned int write_error(struct api_request *request)
{
    struct buf *body = http_body(request->exchange);
    const enum error_form form =
        request->project != NULL && request->project->legacy_errors ? ERROR_LEGACY : ERROR_SUPERSET;

    buf_reset(body);
    if (error_write(body, &request->refusal, form, span_of(request->id, request->id_len)) != ERR_OK) {
        log_fault(LOG_ERROR, "error body");
        buf_reset(body);
    }
    return error_entry(request->refusal.code)->status;
}

static void release(struct api_request *request)
{
    data_list_free(TAKE(request->list));
    data_simulation_free(TAKE(request->simulation));
    if (request->holds_scan) {
        limits_drop(request->api->options.limits, AUTH_LIMIT_OWN_SCANS,
                    span_of(request->scan_bucket, request->scan_bucket_len));
        limits_drop(request->api->options.limits, AUTH_LIMIT_SCANS, span_array(request->auth.key->hash));
        request->holds_scan = false;
    }
}

void request_finish(struct api_request *request, enum err err)
{
    struct http_header headers[API_HEADERS_MAX];
    struct http_response response = {.status = request->status, .headers = headers};

    if (request_hold(request, err)) {
        return;
    }
    release(request);
    if (err == ERR_OK && request->enveloped) {
        err = buf_put(http_body(request->exchange), span_lit("}"));
    }
    if (err != ERR_OK && err != ERR_DENIED) {
        log_fault(LOG_WARN, "request failed");
        error_of_failure(err, &request->refusal);
    }
    fault_clear();
    if (err != ERR_OK) {
        response.status = write_error(request);
    }
    response.header_count = answer_headers(request, response.status, headers);
    log_request(request, response.status);
    struct http_exchange *exchange = request->exchange;
    struct catalog *catalog = TAKE(request->catalog);
    exchange->on_cancel = NULL;
    http_respond(exchange, &response); /* headers borrow from the catalogue and the request until here */
    catalog_unref(catalog);
}

void request_begun(struct api_request *request, enum err err)
{
    if (err != ERR_OK) {
        request_finish(request, err);
    }
}

/* --- bodies --- */

/* One parameter, without its ';': does it let the body be what we read? Only a charset can keep it from that. */
static bool is_charset_read(struct span parameter)
{
    const size_t equals = span_find(parameter, '=');

    if (!span_equal_nocase(span_trim(span_of(parameter.data, equals)), span_lit("charset"))) {
        return true;
    }
    if (equals == parameter.len) {
        return false;
    }
    const struct span name = span_trim(span_of(parameter.data + equals + 1, parameter.len - equals - 1));
    return span_equal_nocase(name, span_lit("utf-8")) || span_equal_nocase(name, span_lit("\"utf-8\""));
}

/* Contract 1.2: application/json; parameters are ignored, but a charset must be UTF-8. A ';' inside quotes ends a
 * parameter here: nothing that says UTF-8 has one. */
static bool is_json_type(struct span value)
{
    struct span rest = value;
    size_t end = span_find(rest, ';');
    bool read = span_equal_nocase(span_trim(span_of(rest.data, end)), span_lit("application/json"));

    while (read && end < rest.len) {
        rest = span_of(rest.data + end + 1, rest.len - end - 1);
        end = span_find(rest, ';');
        read = is_charset_read(span_of(rest.data, end));
    }
    return read;
}

/* What a body that cannot be read answers. */
static enum refusal_code bad_body_code(enum route_who who)
{
    switch (who) {
    case ROUTE_KEY:
        return REFUSAL_DATA_VALIDATION_ERROR;
    case ROUTE_OPEN:
    case ROUTE_MAYBE:
    case ROUTE_USER:
    case ROUTE_OPERATORS:
    case ROUTE_OPERATOR:
        return REFUSAL_AUTH_INVALID_REQUEST;
    case ROUTE_PEOPLE:
        return REFUSAL_USER_INVALID_REQUEST;
    case ROUTE_KEYLESS:
    case ROUTE_TABLES:
    case ROUTE_SETTINGS:
    case ROUTE_PROJECTS:
    case ROUTE_APPLIANCE:
    case ROUTE_AUDIT:
    case ROUTE_AUDITORS:
    case ROUTE_OWNERS:
        return REFUSAL_COMMON_INVALID_PARAMETERS;
    }
    return REFUSAL_COMMON_INVALID_PARAMETERS;
}

static enum err parse_body(struct api_request *request, const struct json_value **out_body)
{
    const struct auth_header *type = &request->headers.content_type;
    const enum refusal_code bad = bad_body_code(request->route->who);

    if (type->count != 1 || !is_json_type(type->value)) {
        return refuse(&request->body_refusal,
                      request->route->who == ROUTE_KEY ? REFUSAL_DATA_INVALID_HEADER : REFUSAL_COMMON_INVALID_PARAMETERS,
                      "Content-Type must be application/json");
    }
    const enum err err = json_parse(request->exchange->body, request->exchange->arena, out_body);
    if (err == ERR_MALFORMED) {
        return refuse(&request->body_refusal, bad, "The body is not valid JSON");
    }
    if (err == ERR_RANGE) {
        return refuse(&request->body_refusal, bad, "The body is nested too deep or has too many values");
    }
    if (err == ERR_NO_MEMORY) {
        return refuse(&request->body_refusal, REFUSAL_COMMON_PAYLOAD_TOO_LARGE, NULL);
    }
    return err;
}

const struct json_value *request_body(struct api_request *request)
{
    const struct json_value *body = NULL;

    if (request->exchange->body.len == 0) {
        return NULL;
    }
    const enum err err = parse_body(request, &body);
    fault_clear();
    if (err != ERR_OK && err != ERR_DENIED) {
        error_of_failure(err, &request->body_refusal);
    }
    return err == ERR_OK ? body : NULL;
}

enum err request_object(struct api_request *request)
{
    request->body = request_body(request);
    if (request->body_refusal.code != REFUSAL_NONE) {
        request->refusal = request->body_refusal;
        return ERR_DENIED;
    }
    if (request->body == NULL || request->body->type != JSON_OBJECT) {
        return refuse(&request->refusal, bad_body_code(request->route->who), "The body must be a JSON object");
    }
    return ERR_OK;
}

/* --- the way in --- */

static enum err refuse_unavailable(struct api_request *request)
{
    const enum err err = refuse(&request->refusal, REFUSAL_COMMON_UNAVAILABLE, NULL);

    request->refusal.retry_after_s = 5;
    return err;
}

static enum err find_route(struct api_request *request)
{
    const bool hidden = request->apart && route_is_administrators(request->exchange);
    const enum err err =
        hidden ? ERR_NOT_FOUND : route_find(request->exchange, &request->route, request->params, &request->allowed);

    if (err != ERR_OK && request->api->options.state != BOARD_OPERATIONAL) {
        fault_clear();
        return refuse_unavailable(request); /* contract 9.3: 503 to everything, also to what there is not */
    }
    if (err == ERR_NOT_FOUND) {
        return refuse(&request->refusal, REFUSAL_COMMON_NOT_FOUND, NULL);
    }
    if (err == ERR_UNSUPPORTED) {
        return refuse(&request->refusal, REFUSAL_COMMON_METHOD_NOT_ALLOWED, NULL);
    }
    return err;
}

static enum err check_state(struct api_request *request)
{
    if ((request->route->states & ROUTE_IN(request->api->options.state)) != 0) {
        return ERR_OK;
    }
    return refuse_unavailable(request);
}

static enum err admit(struct api_request *request)
{
    TRY(find_route(request));
    TRY(check_state(request));
    return request->route->who == ROUTE_KEYLESS ? ERR_OK : request_verify(request);
}

static enum err start_request(struct api *api, struct http_exchange *exchange, struct api_request **out_request)
{
    void *memory = NULL;

    TRY(arena_alloc(exchange->arena, sizeof(struct api_request), &memory));
    struct api_request *request = memory;
    request->api = api;
    request->exchange = exchange;
    request->status = 200;
    request->now = hal_clock_wall(api->options.clock);
    collect_headers(exchange, &request->headers);
    name_request(request);
    if (api->reader != NULL) {
        request->catalog = catalog_ref(data_catalog(api->reader));
    }
    *out_request = request;
    return ERR_OK;
}

/* An arena that cannot hold the request: an answer without a body is all there is. */
static void answer_bare(struct http_exchange *exchange, unsigned int status)
{
    const struct http_response response = {.status = status, .close = true};

    fault_clear();
    http_respond(exchange, &response);
}

static void serve(struct api *api, struct http_exchange *exchange, bool apart)
{
    struct api_request *request = NULL;

    if (start_request(api, exchange, &request) != ERR_OK) {
        answer_bare(exchange, 503);
        return;
    }
    request->apart = apart;
    if (exchange->method == HTTP_OPTIONS) { /* with or without an Origin: Allow names it, so it must not be a 405 */
        request->status = STATUS_PREFLIGHT;
        request_finish(request, ERR_OK);
        return;
    }
    const enum err err = admit(request);
    if (err != ERR_OK) {
        request_finish(request, err);
        return;
    }
    request->route->handle(request);
}

static void on_request(void *context, struct http_exchange *exchange)
{
    serve(context, exchange, false);
}

static void on_data_request(void *context, struct http_exchange *exchange)
{
    serve(context, exchange, true);
}

static enum refusal_code code_of_status(unsigned int status)
{
    switch (status) {
    case 408:
        return REFUSAL_COMMON_REQUEST_TIMEOUT;
    case 413:
        return REFUSAL_COMMON_PAYLOAD_TOO_LARGE;
    case 503:
        return REFUSAL_COMMON_UNAVAILABLE;
    default: /* numbers, not an enum */
        return REFUSAL_COMMON_INVALID_PARAMETERS;
    }
}

static void on_refused(void *context, struct http_exchange *exchange, unsigned int status)
{
    const enum refusal_code code = code_of_status(status);
    struct api_request *request = NULL;

    if (start_request(context, exchange, &request) != ERR_OK) {
        answer_bare(exchange, status);
        return;
    }
    const enum err err =
        refuse(&request->refusal, code,
               code == REFUSAL_COMMON_INVALID_PARAMETERS ? "The request is not well-formed HTTP" : NULL);
    if (status == 503) {
        request->refusal.retry_after_s = 1;
    }
    request_finish(request, err);
}

const struct http_handler *api_handler(void)
{
    static const struct http_handler handler = {.on_request = on_request, .on_refused = on_refused};

    return &handler;
}

const struct http_handler *api_data_handler(void)
{
    static const struct http_handler handler = {.on_request = on_data_request, .on_refused = on_refused};

    return &handler;
}
