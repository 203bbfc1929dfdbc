/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One table says what each setting may be; reading, changing and showing walk it. */
#include "firmware/data/oidc.h"

#include "firmware/auth/https_url.h"
#include "firmware/data/data_int.h"
#include "firmware/data/destinations.h"
#include "firmware/data/doc.h"
#include "firmware/data/people.h"
#include "firmware/mail/link.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "net/outbound.h"

#define MEMBER     "authProviders"
#define TEXT_MAX   128 /* bytes of a client's id or secret: both stand in one header */
#define SCOPES_MAX 16
#define SCOPE_MAX  64

/* --- what a setting may be --- */

/* Visible characters and spaces of ASCII: RFC 6749 appendix A. */
static bool is_visible(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < ' ' || text.data[i] > '~') {
            return false;
        }
    }
    return text.len != 0;
}

static bool fits_text(const struct json_value *value)
{
    return value->type == JSON_STRING && value->as.text.len <= TEXT_MAX && is_visible(value->as.text);
}

static bool fits_redirect(const struct json_value *value)
{
    return value->type == JSON_STRING && mail_url_is_plain(value->as.text) &&
           span_find(value->as.text, '#') == value->as.text.len;
}

static bool fits_issuer(const struct json_value *value)
{
    struct https_url url;

    const bool fits = value->type == JSON_STRING && https_url_read(value->as.text, &url) == ERR_OK;
    fault_clear();
    return fits;
}

static bool fits_ca(const struct json_value *value)
{
    return value->type == JSON_STRING && outbound_ca_fits(value->as.text);
}

static bool fits_scopes(const struct json_value *value)
{
    if (value->type != JSON_ARRAY || value->as.array.count > SCOPES_MAX) {
        return false;
    }
    for (size_t i = 0; i < value->as.array.count; i++) {
        const struct json_value *scope = &value->as.array.items[i];
        if (scope->type != JSON_STRING || scope->as.text.len > SCOPE_MAX || !is_visible(scope->as.text) ||
            span_find(scope->as.text, ' ') != scope->as.text.len) {
            return false;
        }
    }
    return true;
}

static bool fits_bool(const struct json_value *value)
{
    return value->type == JSON_BOOL;
}

#define LITERAL(text)                                                                                                  \
    {                                                                                                                  \
        (const uint8_t *)("" text), sizeof(text) - 1                                                                   \
    }

static const struct setting {
    struct span name;
    bool (*fits)(const struct json_value *value);
    bool secret; /* never shown */
    bool needed; /* nobody can sign in without it: read_stored() */
} settings[] = {
    {LITERAL("issuer"), fits_issuer, false, true},         {LITERAL("ca"), fits_ca, false, false},
    {LITERAL("clientId"), fits_text, false, true},         {LITERAL("clientSecret"), fits_text, true, false},
    {LITERAL("redirectUri"), fits_redirect, false, false}, {LITERAL("scopes"), fits_scopes, false, false},
    {LITERAL("enabled"), fits_bool, false, false},
};

static const struct setting *find_setting(struct span name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(settings); i++) {
        if (span_equal(settings[i].name, name)) {
            return &settings[i];
        }
    }
    return NULL;
}

/* --- names --- */

/* Not those of an address and a password: routes and accounts have them. */
static bool is_name(struct span name)
{
    if (name.len < 2 || name.len > DATA_OIDC_NAME_MAX || !place_name_fits(name)) {
        return false;
    }
    return !span_equal(name, span_lit("email")) && !span_equal(name, span_lit("credentials"));
}

static const struct json_value *stored_of(const struct catalog_environment *environment, struct span name)
{
    return environment == NULL ? NULL : json_find(json_find(environment->record.doc, span_lit(MEMBER)), name);
}

static bool read_stored(struct span name, const struct json_value *stored, struct data_oidc *out)
{
    const struct data_oidc provider = {
        .name = name,
        .issuer = doc_text(stored, span_lit("issuer")),
        .ca = doc_text(stored, span_lit("ca")),
        .client_id = doc_text(stored, span_lit("clientId")),
        .client_secret = doc_text(stored, span_lit("clientSecret")),
        .redirect_uri = doc_text(stored, span_lit("redirectUri")),
    };

    if (provider.issuer.len == 0 || provider.client_id.len == 0 || !doc_bool(stored, span_lit("enabled"), true)) {
        return false;
    }
    *out = provider;
    return true;
}

enum data_oidc_state data_oidc_find(const struct catalog_environment *environment, struct span name,
                                    struct data_oidc *out_provider)
{
    const struct json_value *stored = stored_of(environment, name);

    if (stored != NULL && read_stored(name, stored, out_provider)) {
        return DATA_OIDC_READY;
    }
    if (stored != NULL) {
        return DATA_OIDC_NOT_CONFIGURED;
    }
    return data_provider_is_known(name) ? DATA_OIDC_KNOWN : DATA_OIDC_UNKNOWN;
}

bool data_oidc_next(const struct catalog_environment *environment, size_t *at, struct data_oidc *out_provider)
{
    const struct json_value *all = json_find(environment->record.doc, span_lit(MEMBER));

    while (all != NULL && *at < all->as.object.count) {
        const struct json_member *member = &all->as.object.members[(*at)++];
        if (read_stored(member->name, &member->value, out_provider)) {
            return true;
        }
    }
    return false;
}

/* --- reading --- */

/* Also of google and github, which are stored without an issuer: whoever configures them learns why nobody can sign in. */
static void write_missing(struct json_out *out, const struct json_value *stored)
{
    json_out_name(out, span_lit("missing"));
    json_out_array(out);
    for (size_t i = 0; i < ARRAY_LENGTH(settings); i++) {
        if (settings[i].needed && json_find(stored, settings[i].name) == NULL) {
            json_out_text(out, settings[i].name);
        }
    }
    json_out_array_end(out);
}

static enum err write_provider(struct buf *to, const struct catalog_environment *environment, struct span name)
{
    const struct json_value *stored = stored_of(environment, name);
    struct data_oidc unused;
    struct json_out out;

    json_out_init(&out, to);
    json_out_object(&out);
    json_out_member_text(&out, span_lit("id"), name);
    json_out_member_text(&out, span_lit("projectId"), environment->record.parent);
    json_out_member_text(&out, span_lit("environment"), environment->record.name);
    for (size_t i = 0; i < ARRAY_LENGTH(settings); i++) {
        const struct json_value *value = json_find(stored, settings[i].name);
        if (settings[i].secret) {
            json_out_member_bool(&out, span_lit("hasClientSecret"), value != NULL);
            continue;
        }
        json_out_name(&out, settings[i].name);
        if (value != NULL) {
            json_out_value(&out, value);
        } else if (settings[i].fits == fits_bool) {
            json_out_bool(&out, true);
        } else {
            json_out_null(&out);
        }
    }
    json_out_member_bool(&out, span_lit("usable"), read_stored(name, stored, &unused));
    write_missing(&out, stored);
    json_out_member_text(&out, span_lit("createdAt"), doc_text(stored, span_lit("createdAt")));
    json_out_member_text(&out, span_lit("updatedAt"), doc_text(stored, span_lit("updatedAt")));
    json_out_object_end(&out);
    return json_out_finish(&out);
}

static enum err refuse_absent(struct refusal *refusal)
{
    return refuse(refusal, REFUSAL_COMMON_NOT_FOUND, "No provider of this name is configured");
}

enum err data_get_oidc(const struct data_admin *admin, struct span name)
{
    const struct catalog_environment *environment = catalog_environment(admin->catalog, admin->key->environment_id);

    if (environment == NULL) {
        return refuse(admin->refusal, REFUSAL_DATA_ENVIRONMENT_NOT_FOUND, NULL);
    }
    return stored_of(environment, name) != NULL ? write_provider(admin->out, environment, name)
                                                : refuse_absent(admin->refusal);
}

/* --- changing --- */

struct change {
    struct span name;
    const struct json_value *stored; /* NULL: a new one */
    const struct json_value *body;
    struct wall_time now;
};

/* What an answer has besides settings, so that it may be sent back as it came. */
static bool is_passed_over(struct span name)
{
    static const char *const others[] = {"id",     "projectId", "environment", "hasClientSecret",
                                         "usable", "missing",   "createdAt",   "updatedAt"};

    for (size_t i = 0; i < ARRAY_LENGTH(others); i++) {
        if (span_equal(name, span_str(others[i]))) {
            return true;
        }
    }
    return false;
}

static enum err check_member(const struct json_member *member, struct refusal *refusal)
{
    const struct setting *setting = find_setting(member->name);

    if (setting == NULL) {
        return is_passed_over(member->name)
                   ? ERR_OK
                   : refuse_at(refusal, REFUSAL_COMMON_INVALID_PARAMETERS, member->name, "is not a setting");
    }
    if (member->value.type != JSON_NULL && !setting->fits(&member->value)) {
        return refuse_at(refusal, REFUSAL_COMMON_INVALID_PARAMETERS, member->name, "has a value that is not allowed");
    }
    return ERR_OK;
}

/* The value that a setting will have; NULL: none. */
static const struct json_value *next_value(const struct change *change, struct span name)
{
    const struct json_value *given = json_find(change->body, name);

    if (given != NULL) {
        return given->type == JSON_NULL ? NULL : given;
    }
    return json_find(change->stored, name);
}

static struct span text_of(const struct json_value *value)
{
    return value != NULL && value->type == JSON_STRING ? value->as.text : SPAN_NONE;
}

/* Will that text be another? None is another one, too. */
static bool changes(const struct change *change, struct span name)
{
    return !span_equal(text_of(json_find(change->stored, name)), text_of(next_value(change, name)));
}

/* Whoever may change settings and not read the secret could have it sent to a machine of theirs: by another address, or,
 * where they can put themselves between us and the issuer or answer for its name, by a CA of their own. The endpoints that
 * it is sent to are the issuer's own host's, and are in no settings. */
static bool loses_secret(const struct change *change, const struct setting *setting)
{
    return setting->secret && json_find(change->body, setting->name) == NULL &&
           (changes(change, span_lit("issuer")) || changes(change, span_lit("ca")));
}

static enum err check_change(const struct change *change, struct refusal *refusal)
{
    const struct json_value *issuer = next_value(change, span_lit("issuer"));

    for (size_t i = 0; i < change->body->as.object.count; i++) {
        TRY(check_member(&change->body->as.object.members[i], refusal));
    }
    if (!data_provider_is_known(change->name) && issuer == NULL) {
        return refuse_at(refusal, REFUSAL_COMMON_INVALID_PARAMETERS, span_lit("issuer"),
                         "is needed: https://host[:port][/path]");
    }
    return ERR_OK;
}

static void write_changed(struct json_out *out, const struct change *change)
{
    const struct span created = doc_text(change->stored, span_lit("createdAt"));

    json_out_name(out, change->name);
    json_out_object(out);
    for (size_t i = 0; i < ARRAY_LENGTH(settings); i++) {
        const struct json_value *value = next_value(change, settings[i].name);
        if (value != NULL && !loses_secret(change, &settings[i])) {
            json_out_name(out, settings[i].name);
            json_out_value(out, value);
        }
    }
    if (created.len != 0) {
        json_out_member_text(out, span_lit("createdAt"), created);
    } else {
        json_out_member_time(out, span_lit("createdAt"), change->now);
    }
    json_out_member_time(out, span_lit("updatedAt"), change->now);
    json_out_object_end(out);
}

/* All providers of the environment, the changed one in its place; body NULL: without it. */
static enum err store(struct data_txn *txn, const struct change *change, const struct catalog_environment **out_stored)
{
    const struct json_value *all = json_find(txn->environment->record.doc, span_lit(MEMBER));
    struct json_out out;

    environment_begin_again(txn, span_lit(MEMBER), &out);
    json_out_name(&out, span_lit(MEMBER));
    json_out_object(&out);
    if (all != NULL) {
        json_out_members_without(&out, all, &change->name, 1);
    }
    if (change->body != NULL) {
        write_changed(&out, change);
    }
    json_out_object_end(&out);
    return environment_end_again(txn, &out, out_stored);
}

static void note(const char *event, struct data_txn *txn, struct span name)
{
    const struct log_field fields[] = {LOG_TEXT("environment", txn->environment->record.id),
                                       LOG_TEXT("provider", name)};

    log_event(LOG_INFO, event, fields, ARRAY_LENGTH(fields));
}

enum err data_oidc_set(struct data_txn *txn, struct data_call *call)
{
    const struct json_value *all = json_find(txn->environment->record.doc, span_lit(MEMBER));
    struct change change = {.name = call->table, .stored = stored_of(txn->environment, call->table), .now = txn->now};
    const struct catalog_environment *stored = NULL;

    TRY(data_txn_admin(txn, call));
    if (!is_name(call->table)) {
        return refuse(
            &call->refusal, REFUSAL_COMMON_INVALID_PARAMETERS,
            "A provider's name is 2 to 32 lower-case letters, digits and hyphens, a letter first, and neither "
            "email nor credentials");
    }
    TRY(data_txn_body(call, REFUSAL_COMMON_INVALID_PARAMETERS, &change.body));
    TRY(data_txn_check_place(txn, call, change.body));
    TRY(check_change(&change, &call->refusal));
    if (change.stored == NULL && all != NULL && all->as.object.count >= DATA_OIDC_PROVIDERS_MAX) {
        return refuse(&call->refusal, REFUSAL_COMMON_CONFLICT, "An environment has at most 8 providers");
    }
    TRY(store(txn, &change, &stored));
    TRY(destinations_check(data_txn_catalog(txn), &call->refusal));
    note("auth_provider_changed", txn, call->table);
    return write_provider(call->out, stored, call->table);
}

enum err data_oidc_delete(struct data_txn *txn, struct data_call *call)
{
    const struct change change = {.name = call->table};
    const struct catalog_environment *stored = NULL;

    TRY(data_txn_admin(txn, call));
    if (stored_of(txn->environment, call->table) == NULL) {
        return refuse_absent(&call->refusal);
    }
    TRY(data_txn_answer_success(call));
    TRY(store(txn, &change, &stored));
    note("auth_provider_removed", txn, call->table);
    return ERR_OK;
}
