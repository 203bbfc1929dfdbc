/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Versions of a table's schema and indexes: contract 6. They are rows of two system tables whose createdBy is the table's
 * id, so the owner's index lists those of one table in the order they were made; version n of N lies N - n behind the
 * newest. */
#include "firmware/data/access.h"
#include "firmware/data/data_int.h"
#include "firmware/data/doc.h"
#include "firmware/data/plan.h"
#include "firmware/data/schema_json.h"
#include "hal/base/fault.h"
#include "net/json.h"

static struct row_value text_value(struct span text)
{
    return (struct row_value){.type = ROW_STRING, .bytes = text};
}

/* Starts to walk the versions of a table, newest first. */
static enum err scan_versions(struct store_snap *snap, uint32_t versions, struct span table_id)
{
    const struct row_value owner = text_value(table_id);
    const struct store_index *indexes = NULL;
    size_t count = 0;

    TRY(store_indexes(snap, (struct table_id){versions}, &indexes, &count));
    ENSURE(count > 0, ERR_DAMAGED, "a table without the owner's index");
    const struct store_scan scan = {
        .table = {versions}, .backward = true, .index = indexes[0].id, .equal = &owner, .equal_count = 1};
    return store_scan_begin(snap, &scan);
}

/* --- writing --- */

static void begin_version(struct data_txn *txn, const struct data_table_edit *edit, uint32_t version,
                          struct json_out *out)
{
    record_begin(txn->data, out);
    json_out_object(out);
    json_out_member_text(out, span_lit("tableId"), edit->id);
    json_out_member_int(out, span_lit("version"), version);
    json_out_member_text(out, span_lit("createdBy"), txn->principal.key == NULL ? SPAN_NONE : txn->principal.key->id);
}

enum err version_note_schema(struct data_txn *txn, const struct data_table_edit *edit)
{
    struct json_out out;

    begin_version(txn, edit, edit->schema_version, &out);
    json_out_name(&out, span_lit("schema"));
    schema_json_write(&out, edit->schema, NULL);
    json_out_object_end(&out);
    return record_row_insert(txn, DATA_TABLE_SCHEMA_VERSIONS, edit->id, &out);
}

enum err version_note_indexes(struct data_txn *txn, const struct data_table_edit *edit)
{
    struct json_out out;

    begin_version(txn, edit, edit->index_version, &out);
    json_out_name(&out, span_lit("indexes"));
    json_out_array(&out);
    for (size_t i = 0; i < edit->indexes->count; i++) {
        const struct catalog_index *index = &edit->indexes->items[i];
        json_out_object(&out);
        index_write_definition(&out, index, span_lit("fields"));
        json_out_object_end(&out);
    }
    json_out_array_end(&out);
    json_out_object_end(&out);
    return record_row_insert(txn, DATA_TABLE_INDEX_VERSIONS, edit->id, &out);
}

static enum err forget_in(struct data_txn *txn, uint32_t versions, struct span table_id)
{
    for (;;) { /* ends: each round deletes a row */
        struct row row;
        TRY(scan_versions(store_txn_snap(txn->store), versions, table_id));
        const enum err err = walk_next(store_txn_snap(txn->store), &row);
        if (err != ERR_OK) {
            return walk_end(err);
        }
        TRY(store_delete(txn->store, (struct table_id){versions}, row.id));
    }
}

enum err version_forget(struct data_txn *txn, struct span table_id)
{
    TRY(forget_in(txn, DATA_TABLE_SCHEMA_VERSIONS, table_id));
    return forget_in(txn, DATA_TABLE_INDEX_VERSIONS, table_id);
}

/* --- reading --- */

enum err version_find(struct store_snap *snap, uint32_t versions, struct span table_id, uint64_t behind,
                      struct span *out_text, struct wall_time *out_created)
{
    struct row row;

    TRY(scan_versions(snap, versions, table_id));
    for (uint64_t i = 0; i <= behind; i++) {
        TRY(walk_next(snap, &row));
    }
    *out_created = row.created_at;
    return record_row_text(&row, out_text);
}

/* A stored version as an object of the API. */
static enum err write_version(const struct data_admin *admin, struct json_out *out, struct wall_time created_at,
                              struct span text, uint32_t current)
{
    const struct json_value *doc = NULL;

    TRY(json_parse(text, admin->arena, &doc));
    const int64_t version = doc_int(doc, span_lit("version"), 0);
    const struct json_value *schema = json_find(doc, span_lit("schema"));
    const struct json_value *indexes = json_find(doc, span_lit("indexes"));
    json_out_object(out);
    json_out_member_int(out, span_lit("version"), version);
    json_out_member_bool(out, span_lit("current"), version == (int64_t)current);
    json_out_member_time(out, span_lit("createdAt"), created_at);
    json_out_member_text(out, span_lit("createdBy"), doc_text(doc, span_lit("createdBy")));
    if (schema != NULL) {
        json_out_name(out, span_lit("schema"));
        json_out_value(out, schema);
    }
    if (indexes != NULL) {
        json_out_name(out, span_lit("indexes"));
        json_out_value(out, indexes);
    }
    json_out_object_end(out);
    return ERR_OK;
}

static enum err find_table(const struct data_admin *admin, struct span id, const struct catalog_table **out_table)
{
    const struct catalog_record *record = catalog_find(admin->catalog, CATALOG_TABLE, id);

    if (record == NULL || !span_equal(record->parent, admin->key->environment_id)) {
        return refuse(admin->refusal, REFUSAL_COMMON_NOT_FOUND, "There is no such table");
    }
    *out_table = (const struct catalog_table *)record;
    return ERR_OK;
}

static enum err write_page(const struct data_admin *admin, struct store_snap *snap, struct data_page page,
                           uint32_t current, struct json_out *out)
{
    const uint64_t skip = page.page > UINT32_MAX ? UINT64_MAX : (page.page - 1) * page.limit;

    for (uint64_t i = 0; i < page.limit || i < skip + page.limit; i++) {
        struct span text = SPAN_NONE;
        struct row row;
        const enum err err = walk_next(snap, &row);
        if (err != ERR_OK) {
            return walk_end(err);
        }
        if (i >= skip) {
            TRY(record_row_text(&row, &text));
            TRY(write_version(admin, out, row.created_at, text, current));
        }
    }
    return ERR_OK;
}

static enum err list_versions(const struct data_admin *admin, const struct catalog_table *table, uint32_t versions,
                              uint32_t current)
{
    SCOPED_SNAP struct store_snap *snap = NULL;
    struct data_page page;
    struct json_out out;
    uint64_t total = 0;

    TRY(data_page_read(admin->arena, admin->query, PLAN_LIMIT_DEFAULT, &page, admin->refusal));
    TRY(store_snap_begin(admin->reader->store, &snap));
    TRY(store_count_owned(snap, (struct table_id){versions}, table->record.id, &total));
    TRY(scan_versions(snap, versions, table->record.id));
    json_out_init(&out, admin->out);
    json_out_object(&out);
    json_out_name(&out, span_lit("items"));
    json_out_array(&out);
    TRY(write_page(admin, snap, page, current, &out));
    json_out_array_end(&out);
    data_write_pagination(&out, page, total);
    json_out_object_end(&out);
    return json_out_finish(&out);
}

enum err data_list_schema_versions(const struct data_admin *admin, struct span id)
{
    const struct catalog_table *table = NULL;

    TRY(find_table(admin, id, &table));
    return list_versions(admin, table, DATA_TABLE_SCHEMA_VERSIONS, table->schema_version);
}

enum err data_list_index_versions(const struct data_admin *admin, struct span id)
{
    const struct catalog_table *table = NULL;

    TRY(find_table(admin, id, &table));
    return list_versions(admin, table, DATA_TABLE_INDEX_VERSIONS, table->index_version);
}

enum err data_get_schema_version(const struct data_admin *admin, struct span id, struct span version)
{
    SCOPED_SNAP struct store_snap *snap = NULL;
    const struct catalog_table *table = NULL;
    struct span text = SPAN_NONE;
    struct json_out out;
    struct wall_time created = {0};
    uint64_t number = 0;
    uint64_t total = 0;

    TRY(find_table(admin, id, &table));
    TRY(store_snap_begin(admin->reader->store, &snap));
    /* Not table->schema_version: the snapshot may be newer than the catalogue. */
    TRY(store_count_owned(snap, (struct table_id){DATA_TABLE_SCHEMA_VERSIONS}, table->record.id, &total));
    if (span_to_u64(version, total, &number) != ERR_OK || number == 0) {
        fault_clear();
        return refuse(admin->refusal, REFUSAL_COMMON_NOT_FOUND, "There is no such version");
    }
    TRY(version_find(snap, DATA_TABLE_SCHEMA_VERSIONS, table->record.id, total - number, &text, &created));
    json_out_init(&out, admin->out);
    TRY(write_version(admin, &out, created, text, table->schema_version));
    return json_out_finish(&out);
}
