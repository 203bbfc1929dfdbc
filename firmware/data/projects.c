/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Projects and environments: contract 6, 9.2, 1.10. A secret key sees its own project; making and deleting projects is
 * an operator's. Deleting an environment destroys the keys of its tables; its API keys stay, and are answered
 * data/environment-not-found. */
#include "firmware/auth/settings.h"
#include "firmware/data/access.h"
#include "firmware/data/data_int.h"
#include "firmware/data/doc.h"
#include "firmware/mail/link.h"
#include "hal/base/fault.h"

#define NAME_MAX_POINTS 100
#define DESCRIPTION_MAX 1024

/* --- projects --- */

void project_write(struct json_out *out, const struct catalog *catalog, const struct catalog_project *project)
{
    const struct json_value *doc = project->record.doc;
    const struct json_value *settings = json_find(doc, span_lit("settings"));
    size_t environments = 0;
    size_t cursor = 0;

    for (size_t i = catalog_count(catalog, CATALOG_ENVIRONMENT); i > 0; i--) {
        const struct catalog_record *record = catalog_next(catalog, CATALOG_ENVIRONMENT, &cursor);
        environments += record != NULL && span_equal(record->parent, project->record.id);
    }
    json_out_object(out);
    admin_write_head(out, &project->record);
    json_out_member_text(out, span_lit("organizationId"), project->record.parent);
    json_out_member_text(out, span_lit("slug"), project->record.name);
    json_out_member_text(out, span_lit("name"), doc_text(doc, span_lit("name")));
    admin_write_text(out, span_lit("description"), doc_text(doc, span_lit("description")));
    json_out_member_text(out, span_lit("primaryCloud"), doc_text(doc, span_lit("primaryCloud")));
    admin_write_text(out, span_lit("primaryRegion"), doc_text(doc, span_lit("primaryRegion")));
    json_out_name(out, span_lit("settings"));
    if (settings == NULL) {
        json_out_raw(out, span_lit("{}"));
    } else {
        json_out_value(out, settings);
    }
    json_out_member_int(out, span_lit("environmentCount"), (int64_t)environments);
    json_out_member_text(out, span_lit("status"), span_lit("active"));
    admin_write_times(out, &project->record);
    json_out_object_end(out);
}

/* An operator who names none sees all. */
static bool own_project(const struct data_admin *admin, const struct catalog_record *record)
{
    return admin->key->project_id.len == 0 || span_equal(record->id, admin->key->project_id);
}

static enum err write_project_item(const struct data_admin *admin, struct json_out *out,
                                   const struct catalog_record *record)
{
    project_write(out, admin->catalog, (const struct catalog_project *)record);
    return ERR_OK;
}

enum err data_list_projects(const struct data_admin *admin)
{
    const struct admin_lister lister = {CATALOG_PROJECT, own_project, write_project_item};

    return admin_list(admin, &lister);
}

static enum err find_project(const struct data_admin *admin, struct span id, const struct catalog_project **out_project)
{
    const struct catalog_project *project = catalog_project(admin->catalog, id);

    if (project == NULL || !own_project(admin, &project->record)) {
        return refuse(admin->refusal, REFUSAL_COMMON_NOT_FOUND, "There is no such project");
    }
    *out_project = project;
    return ERR_OK;
}

enum err data_get_project(const struct data_admin *admin, struct span id)
{
    const struct catalog_project *project = NULL;
    struct json_out out;

    TRY(find_project(admin, id, &project));
    json_out_init(&out, admin->out);
    project_write(&out, admin->catalog, project);
    return json_out_finish(&out);
}

static enum err write_cors(struct buf *to, const struct catalog_project *project)
{
    struct json_out out;

    json_out_init(&out, to);
    json_out_object(&out);
    json_out_name(&out, span_lit("origins"));
    json_out_array(&out);
    for (size_t i = 0; i < project->origin_count; i++) {
        json_out_text(&out, project->origins[i]);
    }
    json_out_array_end(&out);
    json_out_object_end(&out);
    return json_out_finish(&out);
}

enum err data_get_cors(const struct data_admin *admin, struct span id)
{
    const struct catalog_project *project = NULL;

    TRY(find_project(admin, id, &project));
    return write_cors(admin->out, project);
}

/* --- settings: contract 9.2 --- */

enum setting_type { SETTING_CHOICE, SETTING_BOOL, SETTING_NUMBER, SETTING_URLS, SETTING_POLICY, SETTING_LATER };

struct setting {
    struct span name;
    enum setting_type type;
    struct span choices[2];
    int64_t most;
};

#define LITERAL(text)                                                                                                  \
    {                                                                                                                  \
        (const uint8_t *)("" text), sizeof(text) - 1                                                                   \
    }
static const struct setting settings[] = {
    {LITERAL("responseEnvelope"), SETTING_CHOICE, {LITERAL("bare"), LITERAL("wrapped")}, 0},
    {LITERAL("errorEnvelope"), SETTING_CHOICE, {LITERAL("superset"), LITERAL("legacy")}, 0},
    {LITERAL("securityPreset"), SETTING_CHOICE, {LITERAL("compat"), LITERAL("hardened")}, 0},
    {LITERAL("allowLocalhostOrigins"), SETTING_BOOL, {{0}, {0}}, 0},
    {LITERAL("revealPublishableKeys"), SETTING_BOOL, {{0}, {0}}, 0},
    {LITERAL("requestsPerMinute"), SETTING_NUMBER, {{0}, {0}}, LIMITS_COUNT_MAX},
    {LITERAL("redirectUrls"), SETTING_URLS, {{0}, {0}}, CATALOG_REDIRECTS_MAX},
    {LITERAL("passwordPolicy"), SETTING_POLICY, {{0}, {0}}, 0},
    {LITERAL("storage"), SETTING_LATER, {{0}, {0}}, 0},
};

/* --- addresses: contract 1.10, 5.6 --- */

#define ORIGIN_MAX 253

static bool is_host_byte(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '.' || byte == '-' || byte == ':' ||
           byte == '[' || byte == ']';
}

/* scheme://host[:port], lower case as a browser sends it, nothing behind; http only for this machine. */
static bool is_origin(struct span text)
{
    const struct span https = span_lit("https://");
    const struct span http = span_lit("http://");
    const bool plain = span_starts_with(text, http);

    if (text.len > ORIGIN_MAX || (!plain && !span_starts_with(text, https))) {
        return false;
    }
    const size_t from = plain ? http.len : https.len;
    const struct span host = span_of(text.data + from, text.len - from);
    for (size_t i = 0; i < host.len; i++) {
        if (!is_host_byte(host.data[i])) {
            return false;
        }
    }
    const struct span name = span_of(host.data, span_find(host, ':'));
    const bool local = span_equal(name, span_lit("localhost")) || span_equal(name, span_lit("127.0.0.1"));
    return name.len > 0 && (!plain || local);
}

/* Addresses that links may lead to, without a query: of an app's own scheme, or of the web under the rule for origins. */
static bool are_redirects(const struct json_value *list, size_t most)
{
    if (list->type != JSON_ARRAY || list->as.array.count > most) {
        return false;
    }
    for (size_t i = 0; i < list->as.array.count; i++) {
        const struct json_value *item = &list->as.array.items[i];
        const struct span url = item->type == JSON_STRING ? item->as.text : SPAN_NONE;
        const bool is_web = span_starts_with(url, span_lit("http:")) || span_starts_with(url, span_lit("https:"));
        if (!mail_url_is_plain(url) || mail_url_place(url).len != url.len ||
            (is_web && !is_origin(mail_url_origin(url)))) {
            return false;
        }
    }
    return true;
}

static bool setting_fits(const struct setting *setting, const struct json_value *value)
{
    switch (setting->type) {
    case SETTING_CHOICE:
        return value->type == JSON_STRING &&
               (span_equal(value->as.text, setting->choices[0]) || span_equal(value->as.text, setting->choices[1]));
    case SETTING_BOOL:
        return value->type == JSON_BOOL;
    case SETTING_NUMBER:
        return value->type == JSON_INT && value->as.integer >= 1 && value->as.integer <= setting->most;
    case SETTING_URLS:
        return are_redirects(value, (size_t)setting->most);
    case SETTING_POLICY:
        return auth_policy_fits(value);
    case SETTING_LATER:
        return false;
    }
    return false;
}

static enum err refuse_value(struct span name, struct refusal *refusal)
{
    return refuse_at(refusal, REFUSAL_COMMON_INVALID_PARAMETERS, name, "has a value that is not allowed");
}

/* The others are about signing in. */
static enum err check_auth_setting(const struct json_member *member, struct refusal *refusal)
{
    const struct auth_setting *setting = auth_setting_find(AUTH_SETTING_PROJECT, member->name);

    if (setting == NULL) {
        return refuse_at(refusal, REFUSAL_COMMON_INVALID_PARAMETERS, member->name, "is not a setting");
    }
    return member->value.type == JSON_NULL || auth_setting_fits(setting, &member->value)
               ? ERR_OK
               : refuse_value(member->name, refusal);
}

static enum err check_setting(const struct json_member *member, struct refusal *refusal)
{
    for (size_t i = 0; i < ARRAY_LENGTH(settings); i++) {
        if (!span_equal(settings[i].name, member->name)) {
            continue;
        }
        if (settings[i].type == SETTING_LATER) {
            return refuse_at(refusal, REFUSAL_COMMON_INVALID_PARAMETERS, member->name,
                             "is not available in this version");
        }
        if (member->value.type != JSON_NULL && !setting_fits(&settings[i], &member->value)) {
            return refuse_value(member->name, refusal);
        }
        return ERR_OK;
    }
    return check_auth_setting(member, refusal);
}

static enum err check_settings(const struct json_value *value, struct refusal *refusal)
{
    if (value->type != JSON_OBJECT) {
        return refuse(refusal, REFUSAL_COMMON_INVALID_PARAMETERS, "settings must be an object");
    }
    for (size_t i = 0; i < value->as.object.count; i++) {
        TRY(check_setting(&value->as.object.members[i], refusal));
    }
    return ERR_OK;
}

static void write_setting(struct json_out *out, struct span name, const struct json_value *stored,
                          const struct json_value *given)
{
    const struct json_value *of_given = json_find(given, name);
    const struct json_value *value = of_given != NULL ? of_given : json_find(stored, name);

    if (value != NULL && value->type != JSON_NULL) {
        json_out_name(out, name);
        json_out_value(out, value);
    }
}

/* The stored settings with the given ones over them; null puts a setting back to its default. */
static void write_settings(struct json_out *out, const struct json_value *stored, const struct json_value *given)
{
    const struct auth_setting *setting = NULL;
    size_t at = 0;

    json_out_object(out);
    for (size_t i = 0; i < ARRAY_LENGTH(settings); i++) {
        write_setting(out, settings[i].name, stored, given);
    }
    while ((setting = auth_setting_next(AUTH_SETTING_PROJECT, &at)) != NULL) {
        write_setting(out, auth_setting_name(setting), stored, given);
    }
    json_out_object_end(out);
}

struct project_edit {
    struct span name, description;
    const struct json_value *settings; /* over the stored ones; may be NULL */
    const struct json_value *origins;  /* instead of the stored ones; may be NULL */
};

static enum err store_project(struct data_txn *txn, const struct project_edit *edit,
                              const struct catalog_project **out_project)
{
    const struct json_value *doc = txn->project->record.doc;
    const struct json_value *origins = json_find(json_find(doc, span_lit("cors")), span_lit("origins"));
    const struct catalog_record *record = NULL;
    struct json_out out;

    origins = edit->origins != NULL ? edit->origins : origins;
    record_begin(txn->data, &out);
    json_out_object(&out);
    json_out_member_text(&out, span_lit("id"), txn->project->record.id);
    json_out_member_text(&out, span_lit("organizationId"), txn->project->record.parent);
    json_out_member_text(&out, span_lit("slug"), txn->project->record.name);
    json_out_member_text(&out, span_lit("name"), edit->name);
    json_out_member_text(&out, span_lit("description"), edit->description);
    json_out_member_text(&out, span_lit("primaryCloud"), doc_text(doc, span_lit("primaryCloud")));
    json_out_member_text(&out, span_lit("primaryRegion"), doc_text(doc, span_lit("primaryRegion")));
    json_out_name(&out, span_lit("settings"));
    write_settings(&out, json_find(doc, span_lit("settings")), edit->settings);
    json_out_name(&out, span_lit("cors"));
    json_out_object(&out);
    if (origins != NULL) {
        json_out_name(&out, span_lit("origins"));
        json_out_value(&out, origins);
    }
    json_out_object_end(&out);
    json_out_object_end(&out);
    TRY(record_replace(txn, &txn->project->record, &out, &record));
    *out_project = (const struct catalog_project *)record;
    return ERR_OK;
}

/* The project of the path, which must be the key's own. */
static enum err check_own(struct data_txn *txn, struct data_call *call)
{
    TRY(data_txn_admin(txn, call));
    if (!span_equal(call->table, txn->project->record.id)) {
        return refuse(&call->refusal, REFUSAL_COMMON_NOT_FOUND, "There is no such project");
    }
    return ERR_OK;
}

static struct project_edit edit_of(const struct catalog_project *project)
{
    return (struct project_edit){.name = doc_text(project->record.doc, span_lit("name")),
                                 .description = doc_text(project->record.doc, span_lit("description")),
                                 .settings = NULL,
                                 .origins = NULL};
}

/* The rest of a project is given once, or not by its owner; who sends it means to change it. */
static enum err check_project_members(const struct json_value *body, struct refusal *refusal)
{
    static const char *const names[] = {"name", "description", "settings"};
    const struct member_rule rule = {names, ARRAY_LENGTH(names), REFUSAL_COMMON_INVALID_PARAMETERS,
                                     "is not a member of a project that can be changed"};

    return admin_members(body, &rule, refusal);
}

enum err data_project_update(struct data_txn *txn, struct data_call *call)
{
    const struct text_rule name = {span_lit("name"), 1, NAME_MAX_POINTS, false};
    const struct text_rule description = {span_lit("description"), 0, DESCRIPTION_MAX, false};
    const struct catalog_project *project = NULL;
    const struct json_value *body = NULL;
    struct json_out out;

    TRY(check_own(txn, call));
    TRY(data_txn_body(call, REFUSAL_COMMON_INVALID_PARAMETERS, &body));
    TRY(check_project_members(body, &call->refusal));
    struct project_edit edit = edit_of(txn->project);
    TRY(admin_text_change(body, &name, &edit.name, &call->refusal));
    TRY(admin_text_change(body, &description, &edit.description, &call->refusal));
    edit.settings = json_find(body, span_lit("settings"));
    TRY(edit.settings == NULL ? ERR_OK : check_settings(edit.settings, &call->refusal));
    TRY(store_project(txn, &edit, &project));
    json_out_init(&out, call->out);
    project_write(&out, data_txn_catalog(txn), project);
    return json_out_finish(&out);
}

/* --- origins: contract 1.10 --- */

enum err data_project_set_cors(struct data_txn *txn, struct data_call *call)
{
    const struct catalog_project *project = NULL;
    const struct json_value *body = NULL;

    TRY(check_own(txn, call));
    TRY(data_txn_body(call, REFUSAL_COMMON_INVALID_PARAMETERS, &body));
    const struct json_value *origins = json_find(body, span_lit("origins"));
    if (origins == NULL || origins->type != JSON_ARRAY || origins->as.array.count > CATALOG_ORIGINS_MAX) {
        return refuse(&call->refusal, REFUSAL_COMMON_INVALID_PARAMETERS, "origins must be a list of at most 3 origins");
    }
    for (size_t i = 0; i < origins->as.array.count; i++) {
        const struct json_value *origin = &origins->as.array.items[i];
        if (origin->type != JSON_STRING || !is_origin(origin->as.text)) {
            return refuse(&call->refusal, REFUSAL_COMMON_INVALID_PARAMETERS,
                          "origins: an origin is https://host[:port], or http://localhost[:port]");
        }
    }
    struct project_edit edit = edit_of(txn->project);
    edit.origins = origins;
    TRY(store_project(txn, &edit, &project));
    return write_cors(call->out, project);
}
