/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Records of the catalogue from their stored documents.
 *
 * A document is one JSON object; its members are those of the API object, and in addition
 *   organization  network (network.h)
 *   environment  stores (numbers of the stored tables of its users), tokenKeys (token_keys.c),
 *                  emailProvider (what it says itself of signing in: firmware/auth/settings.h), emailSettings (who its mails
 *                  are from and what takes them, the relay's password included: firmware/data/email_settings.h)
 *   key    hash (hex), environmentId, revokedAt, deleted, scopes as the list, value only for pk_ keys that may be shown
 *   table  environmentId, store (number of the stored table), schemaIds (hex), policy (hex of rls_policy_encode), and
 *          for each index id (number) and column (made by a field's `unique`)
 * Documents are sealed rows of our own, so anything unexpected is damage. */
#include "firmware/data/catalog.h"

#include <string.h>

#include "firmware/data/doc.h"
#include "firmware/data/email_settings.h"
#include "firmware/data/filter.h"
#include "firmware/data/people_int.h"
#include "firmware/data/policy_filters.h"
#include "firmware/data/schema_json.h"
#include "firmware/data/token_keys_int.h"
#include "firmware/rls/scope.h"
#include "hal/base/fault.h"
#include "net/json.h"
#include "storage/store.h"

#define RECORD_ARENA_KEEP 1024
#define RECORD_ARENA_MAX  ((size_t)16 << 20) /* a schema of 1 MiB as a tree */

static void free_record(struct snapshot *snapshot)
{
    struct catalog_record *record = (struct catalog_record *)snapshot;

    if (record->kind == CATALOG_TABLE) {
        struct catalog_table *table = (struct catalog_table *)record;
        schema_free(table->schema);
        policy_filters_free(table->filters);
        rls_policy_free(table->policy);
    }
    arena_free(record->arena);
    mem_free(record);
}

void catalog_record_unref(struct catalog_record *record)
{
    if (record != NULL) {
        snapshot_unref(&record->head);
    }
}

static size_t size_of(enum catalog_kind kind)
{
    switch (kind) {
    case CATALOG_ORGANIZATION:
    case CATALOG_KIND_END:
        return sizeof(struct catalog_record);
    case CATALOG_PROJECT:
        return sizeof(struct catalog_project);
    case CATALOG_ENVIRONMENT:
        return sizeof(struct catalog_environment);
    case CATALOG_TABLE:
        return sizeof(struct catalog_table);
    case CATALOG_KEY:
        return sizeof(struct catalog_key);
    }
    return 0;
}

/* Bytes written as hex digits, in the record's arena; empty if the member is missing or null. */
static enum err read_hex(struct catalog_record *record, struct span name, struct span *out_bytes)
{
    const struct span text = doc_text(record->doc, name);
    void *memory = NULL;

    TRY(arena_alloc(record->arena, text.len / 2 + 1, &memory));
    ENSURE(hex_decode(text, memory, text.len / 2) == ERR_OK, ERR_DAMAGED, "hex digits expected");
    *out_bytes = span_of(memory, text.len / 2);
    return ERR_OK;
}

static enum err read_organization(struct catalog_record *record)
{
    record->name = doc_text(record->doc, span_lit("name"));
    return ERR_OK;
}

/* A list of texts, missing or short enough. */
static enum err read_texts(const struct json_value *list, struct span *out_texts, size_t most, size_t *out_count)
{
    if (list == NULL || list->type != JSON_ARRAY) {
        return ERR_OK;
    }
    ENSURE(list->as.array.count <= most, ERR_DAMAGED, "more texts than there may be");
    for (size_t i = 0; i < list->as.array.count; i++) {
        ENSURE(list->as.array.items[i].type == JSON_STRING, ERR_DAMAGED, "a text expected");
        out_texts[(*out_count)++] = list->as.array.items[i].as.text;
    }
    return ERR_OK;
}

static enum err read_project(struct catalog_record *record)
{
    struct catalog_project *project = (struct catalog_project *)record;
    const struct json_value *settings = json_find(record->doc, span_lit("settings"));
    const struct json_value *origins = json_find(json_find(record->doc, span_lit("cors")), span_lit("origins"));
    const struct json_value *redirects = json_find(settings, span_lit("redirectUrls"));

    record->parent = doc_text(record->doc, span_lit("organizationId"));
    record->name = doc_text(record->doc, span_lit("slug"));
    project->wrapped = span_equal(doc_text(settings, span_lit("responseEnvelope")), span_lit("wrapped"));
    project->legacy_errors = span_equal(doc_text(settings, span_lit("errorEnvelope")), span_lit("legacy"));
    project->allow_localhost = doc_bool(settings, span_lit("allowLocalhostOrigins"), true);
    project->reveal_keys = doc_bool(settings, span_lit("revealPublishableKeys"), true);
    project->preset =
        span_equal(doc_text(settings, span_lit("securityPreset")), span_lit("hardened")) ? RLS_HARDENED : RLS_COMPAT;
    const int64_t rate = doc_int(settings, span_lit("requestsPerMinute"), AUTH_REQUESTS_DEFAULT);
    ENSURE(rate >= 1 && rate <= (int64_t)LIMITS_COUNT_MAX, ERR_DAMAGED, "rate limit out of range");
    project->requests_per_minute = (uint32_t)rate;
    TRY(auth_settings_read(settings, project->preset == RLS_HARDENED ? AUTH_HARDENED : AUTH_COMPAT, &project->auth));
    TRY(read_texts(origins, project->origins, CATALOG_ORIGINS_MAX, &project->origin_count));
    return read_texts(redirects, project->redirects, CATALOG_REDIRECTS_MAX, &project->redirect_count);
}

/* A document of a version that had fewer of them, or none: data_open makes what is missing. */
static enum err read_people(const struct json_value *stores, struct catalog_people *out_people)
{
    size_t count = 0;
    const struct people_table *tables = people_tables(&count);

    for (size_t i = 0; i < count; i++) {
        if (doc_has(stores, tables[i].name)) {
            const int64_t number = doc_int(stores, tables[i].name, 0);
            ENSURE(number >= STORE_TABLE_FIRST && number <= UINT32_MAX, ERR_DAMAGED,
                   "a stored table of no possible number");
            people_table_id(out_people, &tables[i])->value = (uint32_t)number;
        }
    }
    return ERR_OK;
}

static enum err read_environment(struct catalog_record *record)
{
    struct catalog_environment *environment = (struct catalog_environment *)record;

    record->parent = doc_text(record->doc, span_lit("projectId"));
    record->name = doc_text(record->doc, span_lit("environment"));
    TRY(auth_overrides_read(json_find(record->doc, span_lit("emailProvider")), &environment->auth));
    TRY(email_settings_read(json_find(record->doc, span_lit("emailSettings")), record->arena, &environment->mail));
    TRY(read_people(json_find(record->doc, span_lit("stores")), &environment->people));
    return token_keys_read(record->doc, environment);
}

static enum err read_key(struct catalog_record *record)
{
    struct catalog_key *key = (struct catalog_key *)record;
    const struct span expires = doc_text(record->doc, span_lit("expiresAt"));
    const struct span used = doc_text(record->doc, span_lit("lastUsedAt"));
    struct wall_time time = {0};
    struct span hash = SPAN_NONE;
    void *memory = NULL;

    record->parent = doc_text(record->doc, span_lit("environmentId"));
    record->name = doc_text(record->doc, span_lit("name"));
    TRY(read_hex(record, span_lit("hash"), &hash));
    ENSURE(hash.len == SHA256_BYTES, ERR_DAMAGED, "a key without its digest");
    memcpy(key->key.hash, hash.data, SHA256_BYTES);
    key->key.type = span_equal(doc_text(record->doc, span_lit("type")), span_lit("secret")) ? AUTH_KEY_SECRET
                                                                                            : AUTH_KEY_PUBLISHABLE;
    key->key.id = record->id;
    key->key.project_id = doc_text(record->doc, span_lit("projectId"));
    key->key.environment_id = record->parent;
    key->key.environment = doc_text(record->doc, span_lit("environment"));
    key->key.expires_at_ms = AUTH_KEY_NEVER;
    if (expires.len != 0) {
        ENSURE(time_parse_iso(expires, &time) == ERR_OK, ERR_DAMAGED, "an expiry that is no time");
        key->key.expires_at_ms = time.ms;
    }
    if (used.len != 0) {
        ENSURE(time_parse_iso(used, &time) == ERR_OK, ERR_DAMAGED, "a last use that is no time");
        atomic_store(&key->last_used_ms, (long long)time.ms);
    }
    key->key.last_used_ms = &key->last_used_ms;
    key->deleted = doc_bool(record->doc, span_lit("deleted"), false);
    key->key.revoked = key->deleted || doc_has(record->doc, span_lit("revokedAt"));

    SCOPED_BUF struct buf *scopes = NULL;
    TRY(buf_new(SCOPE_BYTES_MAX, &scopes));
    ENSURE(scope_compile(json_find(record->doc, span_lit("scopes")), scopes) == ERR_OK, ERR_DAMAGED, "scopes");
    const struct span compiled = buf_all(scopes);
    TRY(arena_alloc(record->arena, compiled.len, &memory));
    memcpy(memory, compiled.data, compiled.len);
    key->key.scopes = span_of(memory, compiled.len);
    return ERR_OK;
}

static enum err read_index(const struct catalog_table *table, const struct json_value *doc, struct catalog_index *out)
{
    const struct json_value *fields = json_find(doc, span_lit("fields"));
    const int64_t id = doc_int(doc, span_lit("id"), 0);

    ENSURE(fields != NULL && fields->type == JSON_OBJECT && fields->as.object.count >= 1 &&
               fields->as.object.count <= INDEX_FIELDS_MAX && id > 0 && id <= UINT32_MAX,
           ERR_DAMAGED, "an index without fields or number");
    out->name = doc_text(doc, span_lit("name"));
    out->id.value = (uint32_t)id;
    out->of_column = doc_bool(doc, span_lit("column"), false);
    out->def.unique = doc_bool(doc, span_lit("unique"), false);
    out->def.sparse = doc_bool(doc, span_lit("sparse"), false);
    out->def.field_count = fields->as.object.count;
    for (size_t i = 0; i < out->def.field_count; i++) {
        const struct json_member *member = &fields->as.object.members[i];
        out->fields[i] = member->name;
        ENSURE(filter_field(table->schema, member->name, &out->def.fields[i].field) == ERR_OK, ERR_DAMAGED,
               "an index on what is no field");
        out->def.fields[i].descending = member->value.type == JSON_INT && member->value.as.integer < 0;
    }
    return ERR_OK;
}

static enum err read_indexes(struct catalog_table *table)
{
    const struct json_value *indexes = json_find(table->record.doc, span_lit("indexes"));
    void *memory = NULL;

    if (indexes == NULL || indexes->type != JSON_ARRAY) {
        return ERR_OK;
    }
    ENSURE(indexes->as.array.count <= CATALOG_ALL_INDEXES_MAX, ERR_DAMAGED, "too many indexes");
    TRY(arena_alloc(table->record.arena, indexes->as.array.count * sizeof *table->indexes, &memory));
    table->indexes = memory;
    for (size_t i = 0; i < indexes->as.array.count; i++) {
        TRY(read_index(table, &indexes->as.array.items[i], &table->indexes[i]));
        table->index_count++;
    }
    return ERR_OK;
}

/* Which column rule is whose, so that writing a row asks for none by name. */
static enum err map_columns(struct catalog_table *table)
{
    size_t count = 0;
    const struct schema_field *fields = schema_fields(table->schema, &count);
    void *memory = NULL;

    if (!rls_columns_any(table->policy)) {
        return ERR_OK;
    }
    TRY(arena_alloc_array(table->record.arena, count, sizeof *table->column_rules, &memory));
    table->column_rules = memory;
    for (size_t i = 0; i < count; i++) {
        table->column_rules[i] = rls_column_rule(table->policy, fields[i].name);
    }
    return ERR_OK;
}

static enum err read_policy(struct catalog_table *table)
{
    struct rls_problem problem = {.why = NULL};
    struct span policy = SPAN_NONE;

    TRY(read_hex(&table->record, span_lit("policy"), &policy));
    if (policy.len == 0) {
        return ERR_OK;
    }
    TRY(rls_policy_decode(policy, &table->policy));
    const enum err err = policy_filters_new(table->policy, table->schema, &table->filters, &problem);
    ENSURE(err != ERR_MALFORMED, ERR_DAMAGED, "row filters that do not compile");
    TRY(err);
    return map_columns(table);
}

static enum err read_table(struct catalog_record *record)
{
    struct catalog_table *table = (struct catalog_table *)record;
    const int64_t store = doc_int(record->doc, span_lit("store"), 0);
    struct schema_problem problem = {0};
    struct span ids = SPAN_NONE;

    record->parent = doc_text(record->doc, span_lit("environmentId"));
    record->name = doc_text(record->doc, span_lit("tableName"));
    ENSURE(store > 0 && store <= UINT32_MAX, ERR_DAMAGED, "a table without a number");
    table->store.value = (uint32_t)store;
    table->system = doc_bool(record->doc, span_lit("system"), false);
    table->schema_version = (uint32_t)doc_int(record->doc, span_lit("schemaVersion"), 1);
    table->index_version = (uint32_t)doc_int(record->doc, span_lit("indexVersion"), 1);
    TRY(read_hex(record, span_lit("schemaIds"), &ids));
    const enum err err =
        schema_new(json_find(record->doc, span_lit("schema")), ids, &schema_json_matcher, &table->schema, &problem);
    ENSURE(err != ERR_MALFORMED && err != ERR_RANGE, ERR_DAMAGED, "a schema that does not compile");
    TRY(err);
    TRY(read_policy(table));
    return read_indexes(table);
}

static enum err read_kind(struct catalog_record *record)
{
    switch (record->kind) {
    case CATALOG_ORGANIZATION:
        return read_organization(record);
    case CATALOG_PROJECT:
        return read_project(record);
    case CATALOG_ENVIRONMENT:
        return read_environment(record);
    case CATALOG_TABLE:
        return read_table(record);
    case CATALOG_KEY:
        return read_key(record);
    case CATALOG_KIND_END:
        return ERR_BUG;
    }
    return ERR_BUG;
}

enum err catalog_record_new(const struct catalog_source *source, struct catalog_record **out_record)
{
    SCOPED_RECORD struct catalog_record *record = NULL;
    void *memory = NULL;

    TRY(mem_alloc(size_of(source->kind), &memory));
    record = memory;
    snapshot_init(&record->head, free_record);
    record->kind = source->kind;
    record->row = source->row;
    record->created_at = source->created_at;
    record->updated_at = source->updated_at;
    TRY(arena_new(RECORD_ARENA_KEEP, RECORD_ARENA_MAX, &record->arena));
    const enum err err = json_parse(source->document, record->arena, &record->doc);
    ENSURE(err != ERR_MALFORMED && err != ERR_RANGE, ERR_DAMAGED, "a document that is no JSON");
    TRY(err);
    record->id = doc_text(record->doc, span_lit("id"));
    ENSURE(auth_uuid_is_well_formed(record->id), ERR_DAMAGED, "a document without an id");
    TRY(read_kind(record));
    *out_record = TAKE(record);
    return ERR_OK;
}
