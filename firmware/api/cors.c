/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Cross-origin requests of browsers: contract 1.10. Not a border of security: a refused origin is still answered, only
 * without the headers that let a page read the answer. Every answer carries them, errors too; otherwise a page sees a
 * network error in place of the status that it reacts to. */
#include "firmware/api/request_int.h"

#include "firmware/mail/link.h"

#define CORS_ORIGIN_MAX 512

/* http://localhost or http://127.0.0.1, with or without a port. */
static bool is_localhost(struct span origin)
{
    static const char *const hosts[] = {"http://localhost", "http://127.0.0.1"};

    for (size_t i = 0; i < ARRAY_LENGTH(hosts); i++) {
        const struct span host = span_str(hosts[i]);
        if (!span_starts_with(origin, host)) {
            continue;
        }
        if (origin.len == host.len) {
            return true;
        }
        uint64_t port = 0;
        if (origin.data[host.len] == ':' &&
            span_to_u64(span_of(origin.data + host.len + 1, origin.len - host.len - 1), UINT16_MAX, &port) == ERR_OK) {
            return true;
        }
    }
    return false;
}

static bool is_listed(const struct catalog_project *project, struct span origin)
{
    if (project->allow_localhost && is_localhost(origin)) {
        return true;
    }
    for (size_t i = 0; i < project->origin_count; i++) {
        if (span_equal(project->origins[i], origin)) {
            return true;
        }
    }
    return false;
}

static bool project_allows(const struct catalog_project *project, struct span origin)
{
    return project->origin_count == 0 || is_listed(project, origin);
}

bool cors_redirects(const struct catalog_project *project, struct span url)
{
    const struct span origin = mail_url_origin(url);

    if (project == NULL || !mail_url_is_plain(url)) {
        return false;
    }
    for (size_t i = 0; i < project->redirect_count; i++) {
        if (span_equal(project->redirects[i], mail_url_place(url))) {
            return true;
        }
    }
    return origin.len != 0 && is_listed(project, origin);
}

bool cors_allows(const struct catalog *catalog, const struct catalog_project *project, struct span origin)
{
    size_t cursor = 0;

    if (origin.len == 0 || origin.len > CORS_ORIGIN_MAX) {
        return false;
    }
    if (project != NULL) {
        return project_allows(project, origin);
    }
    if (catalog == NULL) {
        return true; /* not operational: there is nothing but the state to read */
    }
    for (;;) {
        const struct catalog_record *record = catalog_next(catalog, CATALOG_PROJECT, &cursor);
        if (record == NULL) {
            return false;
        }
        if (project_allows((const struct catalog_project *)record, origin)) {
            return true;
        }
    }
}

static void add(struct http_header *headers, size_t *count, struct span name, struct span value)
{
    headers[*count] = (struct http_header){name, value};
    (*count)++;
}

void cors_headers(struct http_header *headers, size_t *count, struct span origin)
{
    add(headers, count, span_lit("Access-Control-Allow-Origin"), origin);
    add(headers, count, span_lit("Access-Control-Expose-Headers"),
        span_lit("ETag, X-Request-Id, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining"));
}

void cors_preflight_headers(struct http_header *headers, size_t *count)
{
    add(headers, count, span_lit("Access-Control-Allow-Methods"), span_lit("GET, POST, PATCH, PUT, DELETE, OPTIONS"));
    add(headers, count, span_lit("Access-Control-Allow-Headers"),
        span_lit("X-API-Key, Authorization, Content-Type, X-Request-Id"));
    add(headers, count, span_lit("Access-Control-Max-Age"), span_lit("600"));
}
