/* SPDX-License-Identifier: GPL-3.0-or-later */
/* API keys: made, shown, revoked, deleted. Contract 2 and 6. A secret key's value leaves in the answer that made it and
 * exists nowhere afterwards; a publishable one's may be kept in the sealed record.
 *
 * A deleted key stays as a tombstone with its digest, so that it is answered as revoked. Keys of an environment that was
 * deleted stay likewise, and are answered as such. Neither counts toward what a project may have: of both together a
 * project keeps the CONFIG_DATA_DELETED_KEYS_MAX that ended last, and so do all projects that are gone together. One that
 * had to make room is unknown afterwards: still 401, and its value cannot come back, since values are random. */
#include "firmware/data/access.h"
#include "firmware/data/data_int.h"
#include "firmware/data/doc.h"
#include "firmware/data/schema_json.h"
#include "firmware/rls/scope.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"

#define CREATED         201
#define NAME_MAX_POINTS 100
#define TIME_TEXT_MAX   64

static const char *status_of(const struct catalog_key *key, struct wall_time now)
{
    if (key->key.revoked) {
        return "revoked";
    }
    return now.ms >= key->key.expires_at_ms ? "expired" : "active";
}

static void write_key(struct json_out *out, const struct catalog_key *key, struct wall_time now, struct span value)
{
    const struct json_value *doc = key->record.doc;
    const int64_t used = (int64_t)atomic_load_explicit(key->key.last_used_ms, memory_order_relaxed);

    json_out_object(out);
    admin_write_head(out, &key->record);
    json_out_member_text(out, span_lit("name"), key->record.name);
    json_out_member_text(out, span_lit("type"), doc_text(doc, span_lit("type")));
    json_out_member_text(out, span_lit("prefix"), doc_text(doc, span_lit("prefix")));
    json_out_member_text(out, span_lit("projectId"), key->key.project_id);
    json_out_member_text(out, span_lit("environment"), key->key.environment);
    json_out_name(out, span_lit("scopes"));
    scope_json_write(out, key->key.scopes);
    admin_write_text(out, span_lit("expiresAt"), doc_text(doc, span_lit("expiresAt")));
    json_out_member_text(out, span_lit("createdBy"), doc_text(doc, span_lit("createdBy")));
    admin_write_times(out, &key->record);
    if (used == 0) {
        json_out_member_null(out, span_lit("lastUsedAt"));
    } else {
        json_out_member_time(out, span_lit("lastUsedAt"), (struct wall_time){used});
    }
    json_out_member_text(out, span_lit("status"), span_str(status_of(key, now)));
    if (value.len != 0) {
        json_out_member_text(out, span_lit("value"), value);
    }
    json_out_object_end(out);
}

/* The kept value, as long as the project wants publishable keys to be shown. */
static struct span shown_value(const struct catalog *catalog, const struct catalog_key *key)
{
    const struct catalog_project *project = catalog_project(catalog, key->key.project_id);

    return project != NULL && project->reveal_keys && key->key.type == AUTH_KEY_PUBLISHABLE
               ? doc_text(key->record.doc, span_lit("value"))
               : SPAN_NONE;
}

/* --- reading --- */

static bool of_environment(const struct data_admin *admin, const struct catalog_record *record)
{
    return span_equal(record->parent, admin->key->environment_id) && !((const struct catalog_key *)record)->deleted;
}

static enum err write_item(const struct data_admin *admin, struct json_out *out, const struct catalog_record *record)
{
    const struct catalog_key *key = (const struct catalog_key *)record;

    write_key(out, key, hal_clock_wall(admin->reader->data->clock), shown_value(admin->catalog, key));
    return ERR_OK;
}

enum err data_list_keys(const struct data_admin *admin)
{
    const struct admin_lister lister = {CATALOG_KEY, of_environment, write_item};

    return admin_list(admin, &lister);
}

enum err data_get_key(const struct data_admin *admin, struct span id)
{
    const struct catalog_record *record = catalog_find(admin->catalog, CATALOG_KEY, id);
    struct json_out out;

    if (record == NULL || !of_environment(admin, record)) {
        return refuse(admin->refusal, REFUSAL_COMMON_NOT_FOUND, "There is no such API key");
    }
    json_out_init(&out, admin->out);
    TRY(write_item(admin, &out, record));
    return json_out_finish(&out);
}

/* --- how many --- */

/* Is the key one that can never be used again, and that nobody can delete any more? */
static bool has_ended(const struct catalog *catalog, const struct catalog_key *key)
{
    return key->deleted || catalog_environment(catalog, key->key.environment_id) == NULL;
}

struct key_numbers {
    size_t live;                              /* of all projects */
    size_t of_project;                        /* live ones */
    size_t ended;                             /* of the project */
    const struct catalog_record *ended_first; /* of those; NULL if there are none */
};

/* Of a project, or of all that are gone. */
static bool is_of(const struct catalog *catalog, const struct catalog_key *key, struct span project_id)
{
    return project_id.len != 0 ? span_equal(key->key.project_id, project_id)
                               : catalog_project(catalog, key->key.project_id) == NULL;
}

static struct key_numbers count_keys(const struct catalog *catalog, struct span project_id)
{
    struct key_numbers numbers = {.ended_first = NULL};
    size_t cursor = 0;

    for (;;) {
        const struct catalog_record *record = catalog_next(catalog, CATALOG_KEY, &cursor);
        const struct catalog_key *key = (const struct catalog_key *)record;
        if (record == NULL) {
            return numbers;
        }
        const bool ours = is_of(catalog, key, project_id);
        if (!has_ended(catalog, key)) {
            numbers.live++;
            numbers.of_project += ours;
        } else if (ours) {
            const struct catalog_record *first = numbers.ended_first;
            numbers.ended++;
            numbers.ended_first = first == NULL || record->updated_at.ms < first->updated_at.ms ? record : first;
        }
    }
}

static enum err check_room(struct data_txn *txn)
{
    const struct key_numbers numbers = count_keys(data_txn_catalog(txn), txn->project->record.id);

    ENSURE(numbers.live < CONFIG_DATA_API_KEYS_MAX, ERR_LIMIT, "as many API keys as there may be");
    ENSURE(numbers.of_project < CONFIG_DATA_PROJECT_KEYS_MAX, ERR_LIMIT, "as many API keys as a project may have");
    return ERR_OK;
}

enum err apikeys_forget_ended(struct data_txn *txn, struct span project_id)
{
    for (;;) { /* ends: each round forgets one */
        const struct key_numbers numbers = count_keys(data_txn_catalog(txn), project_id);
        if (numbers.ended <= CONFIG_DATA_DELETED_KEYS_MAX) {
            return ERR_OK;
        }
        TRY(record_delete(txn, numbers.ended_first));
    }
}

/* --- making --- */

struct new_key {
    enum auth_key_type type;
    struct span name;
    const struct json_value *scopes; /* NULL: unrestricted */
    struct wall_time expires;
    bool has_expiry;
};

static enum err read_scopes(const struct json_value *body, struct new_key *out, struct refusal *refusal)
{
    SCOPED_BUF struct buf *compiled = NULL;

    out->scopes = json_find(body, span_lit("scopes"));
    TRY(buf_new(SCOPE_BYTES_MAX, &compiled));
    const enum err err = scope_compile(out->scopes, compiled);
    if (err == ERR_MALFORMED) {
        return refuse_at(refusal, REFUSAL_COMMON_INVALID_PARAMETERS, span_lit("scopes"),
                         "must be null or a list of \"table:operation\"");
    }
    return err;
}

static enum err read_expiry(const struct json_value *body, struct wall_time now, struct new_key *out,
                            struct refusal *refusal)
{
    const struct text_rule rule = {span_lit("expiresAt"), 1, TIME_TEXT_MAX, false};
    struct span text = SPAN_NONE;

    TRY(admin_text(body, &rule, &text, refusal));
    if (text.len == 0) {
        return ERR_OK;
    }
    if (time_parse_iso(text, &out->expires) != ERR_OK || out->expires.ms <= now.ms) {
        return refuse_at(refusal, REFUSAL_COMMON_INVALID_PARAMETERS, rule.name, "must be an instant in the future");
    }
    out->has_expiry = true;
    return ERR_OK;
}

/* A misspelt scope or expiry would make a key that may everything, for ever. */
static enum err check_key_members(const struct json_value *body, struct refusal *refusal)
{
    static const char *const names[] = {"projectId", "environment", "name", "type", "scopes", "expiresAt"};
    const struct member_rule rule = {names, ARRAY_LENGTH(names), REFUSAL_COMMON_INVALID_PARAMETERS,
                                     "is not a member of an API key"};

    return admin_members(body, &rule, refusal);
}

static enum err read_new_key(const struct json_value *body, struct wall_time now, struct new_key *out,
                             struct refusal *refusal)
{
    const struct text_rule name = {span_lit("name"), 1, NAME_MAX_POINTS, true};
    const struct span type = doc_text(body, span_lit("type"));

    TRY(check_key_members(body, refusal));
    TRY(admin_text(body, &name, &out->name, refusal));
    if (span_equal(type, span_lit("secret"))) {
        out->type = AUTH_KEY_SECRET;
    } else if (span_equal(type, span_lit("publishable"))) {
        out->type = AUTH_KEY_PUBLISHABLE;
    } else {
        return refuse_at(refusal, REFUSAL_COMMON_INVALID_PARAMETERS, span_lit("type"), "must be publishable or secret");
    }
    TRY(read_scopes(body, out, refusal));
    return read_expiry(body, now, out, refusal);
}

/* Makes, stores and hands back a key's value, which the caller wipes. */
static enum err store_key(struct data_txn *txn, const struct new_key *key, char out_value[AUTH_KEY_BYTES],
                          const struct catalog_record **out_record)
{
    const struct span value = span_of(out_value, AUTH_KEY_BYTES);
    uint8_t hash[SHA256_BYTES];
    char hex[HEX_BYTES(SHA256_BYTES)];
    struct json_out out;

    TRY(check_room(txn));
    auth_key_make(txn->data->random, key->type, out_value);
    auth_key_hash(value, hash);
    hex_encode(span_array(hash), hex);
    record_begin_new(txn->data, &out);
    json_out_member_text(&out, span_lit("projectId"), txn->project->record.id);
    json_out_member_text(&out, span_lit("environmentId"), txn->environment->record.id);
    json_out_member_text(&out, span_lit("environment"), txn->environment->record.name);
    json_out_member_text(&out, span_lit("name"), key->name);
    json_out_member_text(&out, span_lit("type"),
                         key->type == AUTH_KEY_SECRET ? span_lit("secret") : span_lit("publishable"));
    json_out_member_text(&out, span_lit("prefix"), span_of(out_value, AUTH_KEY_PREFIX_BYTES));
    json_out_member_text(&out, span_lit("hash"), span_array(hex));
    if (key->scopes != NULL) {
        json_out_name(&out, span_lit("scopes"));
        json_out_value(&out, key->scopes);
    }
    if (key->has_expiry) {
        json_out_member_time(&out, span_lit("expiresAt"), key->expires);
    }
    json_out_member_text(&out, span_lit("createdBy"), txn->principal.key == NULL ? SPAN_NONE : txn->principal.key->id);
    if (key->type == AUTH_KEY_PUBLISHABLE && txn->project->reveal_keys) {
        json_out_member_text(&out, span_lit("value"), value);
    }
    json_out_object_end(&out);
    const enum err err = record_insert(txn, CATALOG_KEY, &out, out_record);
    buf_wipe(txn->data->text);
    return err;
}

enum err apikey_make(struct data_txn *txn, enum auth_key_type type, struct span name, char out_value[AUTH_KEY_BYTES])
{
    const struct new_key key = {.type = type, .name = name};
    const struct catalog_record *record = NULL;

    return store_key(txn, &key, out_value, &record);
}

static void wipe_value(char (*value)[AUTH_KEY_BYTES])
{
    mem_wipe(*value, sizeof *value);
}

enum err data_key_create(struct data_txn *txn, struct data_call *call)
{
    SCOPED(wipe_value) char value[AUTH_KEY_BYTES] = {0};
    const struct catalog_record *record = NULL;
    const struct json_value *body = NULL;
    struct new_key key = {.type = AUTH_KEY_PUBLISHABLE};
    struct json_out out;

    TRY(data_txn_admin_body(txn, call, &body));
    TRY(read_new_key(body, txn->now, &key, &call->refusal));
    TRY(store_key(txn, &key, value, &record));
    call->status = CREATED;
    json_out_init(&out, call->out);
    write_key(&out, (const struct catalog_key *)record, txn->now, span_array(value));
    return json_out_finish(&out);
}

/* --- taking back --- */

static enum err find_key(struct data_txn *txn, struct data_call *call, const struct catalog_key **out_key)
{
    const struct catalog_record *record = catalog_find(data_txn_catalog(txn), CATALOG_KEY, call->table);

    TRY(data_txn_admin(txn, call));
    if (record == NULL || !span_equal(record->parent, txn->environment->record.id) ||
        ((const struct catalog_key *)record)->deleted) {
        return refuse(&call->refusal, REFUSAL_COMMON_NOT_FOUND, "There is no such API key");
    }
    *out_key = (const struct catalog_key *)record;
    return ERR_OK;
}

/* What a tombstone keeps of its document: nobody sees it any more. */
static bool tombstone_keeps(struct span name)
{
    static const char *const names[] = {"id", "projectId", "environmentId", "environment", "type", "hash", "revokedAt"};
    bool keeps = false;

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        keeps = keeps || span_equal(name, span_str(names[i]));
    }
    return keeps;
}

/* The key's document without what the new state replaces, and without a value. */
static enum err store_end(struct data_txn *txn, const struct catalog_key *key, bool deleted,
                          const struct catalog_record **out_record)
{
    const struct json_value *doc = key->record.doc;
    const bool was_revoked = doc_has(doc, span_lit("revokedAt"));
    struct json_out out;

    record_begin(txn->data, &out);
    json_out_object(&out);
    for (size_t i = 0; i < doc->as.object.count; i++) {
        const struct json_member *member = &doc->as.object.members[i];
        const bool kept = deleted ? tombstone_keeps(member->name) : !span_equal(member->name, span_lit("value"));
        if (kept) {
            json_out_name(&out, member->name);
            json_out_value(&out, &member->value);
        }
    }
    if (!was_revoked) {
        json_out_member_time(&out, span_lit("revokedAt"), txn->now);
    }
    if (deleted) {
        json_out_member_bool(&out, span_lit("deleted"), true);
    }
    json_out_object_end(&out);
    return record_replace(txn, &key->record, &out, out_record);
}

static enum err strip(struct data_txn *txn, const struct catalog_key *key)
{
    const struct json_value *doc = key->record.doc;
    const struct catalog_record *stored = NULL;
    struct json_out out;

    record_begin(txn->data, &out);
    json_out_object(&out);
    for (size_t i = 0; i < doc->as.object.count; i++) {
        const struct json_member *member = &doc->as.object.members[i];
        if (tombstone_keeps(member->name) || span_equal(member->name, span_lit("deleted"))) {
            json_out_name(&out, member->name);
            json_out_value(&out, &member->value);
        }
    }
    json_out_object_end(&out);
    return record_replace(txn, &key->record, &out, &stored);
}

enum err apikeys_strip(struct data_txn *txn, struct span project_id)
{
    SCOPED_CATALOG struct catalog *walked = catalog_ref(data_txn_catalog(txn)); /* the first change makes another */
    size_t cursor = 0;

    for (;;) {
        const struct catalog_record *record = catalog_next(walked, CATALOG_KEY, &cursor);
        if (record == NULL) {
            return ERR_OK;
        }
        const struct catalog_key *key = (const struct catalog_key *)record;
        if (span_equal(key->key.project_id, project_id)) {
            TRY(strip(txn, key));
        }
    }
}

enum err data_key_revoke(struct data_txn *txn, struct data_call *call)
{
    const struct catalog_record *record = NULL;
    const struct catalog_key *key = NULL;
    struct json_out out;

    TRY(find_key(txn, call, &key));
    record = &key->record;
    if (!key->key.revoked) {
        TRY(store_end(txn, key, false, &record));
    }
    json_out_init(&out, call->out);
    write_key(&out, (const struct catalog_key *)record, txn->now, SPAN_NONE);
    return json_out_finish(&out);
}

enum err data_key_delete(struct data_txn *txn, struct data_call *call)
{
    const struct catalog_record *record = NULL;
    const struct catalog_key *key = NULL;

    TRY(find_key(txn, call, &key));
    TRY(data_txn_confirm(call, key->record.name));
    TRY(store_end(txn, key, true, &record));
    TRY(apikeys_forget_ended(txn, txn->project->record.id));
    return data_txn_answer_success(call);
}
