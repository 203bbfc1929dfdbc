/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Body and stored document are of one form and read by the same functions. An answer may be sent back as it came: what it tells of
 * the clock is passed over. */
#include "firmware/data/network.h"

#include <string.h>

#include "firmware/data/data_int.h"
#include "firmware/data/doc.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "net/outbound.h"

#define PORT_MAX 65535

_Static_assert(NETWORK_TIME_SERVERS_MAX <= OUTBOUND_TIMES, "all of them are asked at once");

/* --- reading --- */

static enum err refuse_server(struct refusal *refusal, const char *why)
{
    return refuse_at(refusal, REFUSAL_COMMON_INVALID_PARAMETERS, span_lit("time.servers"), why);
}

/* A member that is missing or null; or of its type. */
static bool is_a(const struct json_value *value, enum json_type type)
{
    return value == NULL || value->type == JSON_NULL || value->type == type;
}

static enum err read_port(const struct json_value *from, struct network_time_server *server, struct refusal *refusal)
{
    const struct json_value *const port = json_find(from, span_lit("port"));

    server->port = server->nts ? NETWORK_NTS_PORT : NETWORK_NTP_PORT;
    if (port == NULL || port->type == JSON_NULL) {
        return ERR_OK;
    }
    if (port->type != JSON_INT || port->as.integer < 1 || port->as.integer > PORT_MAX) {
        return refuse_server(refusal, "have ports from 1 to 65535");
    }
    server->port = (uint16_t)port->as.integer;
    return ERR_OK;
}

static enum err read_server(const struct json_value *from, struct network_time_server *server, struct refusal *refusal)
{
    static const char *const names[] = {"host", "port", "nts", "ca"};
    const struct member_rule rule = {names, ARRAY_LENGTH(names), REFUSAL_COMMON_INVALID_PARAMETERS,
                                     "is not a setting of a time server"};

    if (from->type != JSON_OBJECT) {
        return refuse_server(refusal, "must be objects");
    }
    TRY(admin_members(from, &rule, refusal));
    server->host = doc_text(from, span_lit("host"));
    server->ca = doc_text(from, span_lit("ca"));
    server->nts = doc_bool(from, span_lit("nts"), true);
    if (!outbound_host_fits(server->host)) {
        return refuse_server(refusal, "need a host each, which must be a name");
    }
    if (!is_a(json_find(from, span_lit("nts")), JSON_BOOL)) {
        return refuse_server(refusal, "have nts true or false");
    }
    if (!is_a(json_find(from, span_lit("ca")), JSON_STRING) ||
        (server->ca.len != 0 && (!server->nts || !outbound_ca_fits(server->ca)))) {
        return refuse_server(refusal, "have a ca, if any, of whole certificates as PEM, and with nts alone");
    }
    return read_port(from, server, refusal);
}

static bool is_there(const struct network_time *time, const struct network_time_server *server)
{
    for (size_t i = 0; i < time->count; i++) {
        if (span_equal_nocase(time->servers[i].host, server->host)) {
            return true;
        }
    }
    return false;
}

static enum err read_servers(const struct json_value *list, struct network_time *time, struct refusal *refusal)
{
    if (!is_a(list, JSON_ARRAY)) {
        return refuse_server(refusal, "must be a list");
    }
    if (list == NULL || list->type == JSON_NULL) {
        return ERR_OK;
    }
    if (list->as.array.count > NETWORK_TIME_SERVERS_MAX) {
        return refuse_server(refusal, "may be four at most");
    }
    for (size_t i = 0; i < list->as.array.count; i++) {
        struct network_time_server server = {.port = 0};
        TRY(read_server(&list->as.array.items[i], &server, refusal));
        if (is_there(time, &server)) {
            return refuse_server(refusal, "must be different hosts: one has one voice");
        }
        time->servers[time->count++] = server;
    }
    return ERR_OK;
}

static enum err read_time(const struct json_value *from, struct network_time *time, struct refusal *refusal)
{
    static const char *const names[] = {"servers", "clock"};
    const struct member_rule rule = {names, ARRAY_LENGTH(names), REFUSAL_COMMON_INVALID_PARAMETERS,
                                     "is not a setting of time"};

    *time = (struct network_time){.count = 0};
    if (!is_a(from, JSON_OBJECT)) {
        return refuse_at(refusal, REFUSAL_COMMON_INVALID_PARAMETERS, span_lit("time"), "must be an object or null");
    }
    if (from == NULL || from->type == JSON_NULL) {
        return ERR_OK;
    }
    TRY(admin_members(from, &rule, refusal));
    return read_servers(json_find(from, span_lit("servers")), time, refusal);
}

/* The one organization. */
static const struct catalog_record *organization_of(const struct catalog *catalog)
{
    size_t cursor = 0;

    return catalog_next(catalog, CATALOG_ORGANIZATION, &cursor);
}

void network_time_read(const struct catalog *catalog, struct network_time *out_time)
{
    const struct catalog_record *const record = organization_of(catalog);
    struct refusal unused = {.code = REFUSAL_NONE};
    struct network_time time = {.count = 0};

    if (record != NULL &&
        read_time(json_find(json_find(record->doc, span_lit("network")), span_lit("time")), &time, &unused) != ERR_OK) {
        time.count = 0;
    }
    *out_time = time;
}

/* --- writing --- */

void network_time_write(struct json_out *out, const struct network_time *time)
{
    json_out_name(out, span_lit("servers"));
    json_out_array(out);
    for (size_t i = 0; i < time->count; i++) {
        const struct network_time_server *const server = &time->servers[i];
        json_out_object(out);
        json_out_member_text(out, span_lit("host"), server->host);
        json_out_member_int(out, span_lit("port"), server->port);
        json_out_member_bool(out, span_lit("nts"), server->nts);
        if (server->ca.len != 0) {
            json_out_member_text(out, span_lit("ca"), server->ca);
        }
        json_out_object_end(out);
    }
    json_out_array_end(out);
}

static void write_network(struct json_out *out, const struct network_time *time)
{
    json_out_object(out);
    json_out_name(out, span_lit("time"));
    json_out_object(out);
    network_time_write(out, time);
    json_out_object_end(out);
    json_out_object_end(out);
}

static void write_record(struct json_out *out, const struct catalog_record *record, const struct network_time *time)
{
    json_out_object(out);
    for (size_t i = 0; i < record->doc->as.object.count; i++) {
        const struct json_member *const member = &record->doc->as.object.members[i];
        if (!span_equal(member->name, span_lit("network"))) {
            json_out_name(out, member->name);
            json_out_value(out, &member->value);
        }
    }
    json_out_name(out, span_lit("network"));
    write_network(out, time);
    json_out_object_end(out);
}

static enum err check_members(const struct json_value *body, struct refusal *refusal)
{
    static const char *const names[] = {"time"};
    const struct member_rule rule = {names, ARRAY_LENGTH(names), REFUSAL_COMMON_INVALID_PARAMETERS, "is not a setting"};

    return admin_members(body, &rule, refusal);
}

enum err data_network_set(struct data_txn *txn, struct data_call *call)
{
    const struct catalog_record *record = organization_of(data_txn_catalog(txn));
    const struct json_value *body = NULL;
    struct network_time time;
    struct json_out out;

    INVARIANT(record != NULL); /* made before the first request */
    TRY(data_txn_body(call, REFUSAL_COMMON_INVALID_PARAMETERS, &body));
    TRY(check_members(body, &call->refusal));
    network_time_read(data_txn_catalog(txn), &time);
    if (json_find(body, span_lit("time")) != NULL) {
        TRY(read_time(json_find(body, span_lit("time")), &time, &call->refusal));
    }
    record_begin(txn->data, &out);
    write_record(&out, record, &time);
    TRY(record_replace(txn, record, &out, &record));
    LOG(LOG_INFO, "network_changed", LOG_NUMBER("time_servers", time.count));
    json_out_init(&out, call->out);
    write_network(&out, &time);
    return json_out_finish(&out);
}
