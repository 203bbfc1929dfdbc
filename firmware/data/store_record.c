/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Storing records: a document becomes a row of a system table and a record of the transaction's catalogue.
 *
 * The document is read back as a record before anything is written, so nothing is stored that could not be loaded at the
 * next start. The row's createdBy is the id of what the record belongs to: the owner's index then lists the versions of
 * one table. */
#include "firmware/data/data_int.h"

#include "hal/base/fault.h"

void record_begin(struct data *data, struct json_out *out)
{
    buf_reset(data->text);
    json_out_init(out, data->text);
}

void record_begin_new(struct data *data, struct json_out *out)
{
    char id[AUTH_UUID_BYTES];

    auth_uuid_make(data->random, id);
    record_begin(data, out);
    json_out_object(out);
    json_out_member_text(out, span_lit("id"), span_array(id));
}

enum err record_row_text(const struct row *row, struct span *out_text)
{
    const struct row_field field = {.column = DATA_COLUMN_DOC, .name = SPAN_NONE, .path = SPAN_NONE};
    struct row_value value;

    TRY(row_find(row, &field, NULL, &value));
    ENSURE(value.type == ROW_STRING, ERR_DAMAGED, "a system row without its document");
    *out_text = value.bytes;
    return ERR_OK;
}

struct system_row {
    struct wall_time created, updated;
    struct span owner, text;
};

static enum err encode_row(struct data *data, const struct system_row *row, struct span *out_encoded)
{
    const struct row_key key = {.column = DATA_COLUMN_DOC, .name = SPAN_NONE};
    struct row_builder builder;

    TRY(row_build_begin(&builder, data->row, row->created, row->updated, row->owner));
    TRY(row_build_string(&builder, key, row->text));
    return row_build_end(&builder, out_encoded);
}

static enum err encode(struct data *data, struct wall_time created, struct wall_time updated, struct span owner,
                       struct span *out_encoded)
{
    const struct system_row row = {created, updated, owner, buf_all(data->text)};

    return encode_row(data, &row, out_encoded);
}

enum err record_text_insert(struct data_txn *txn, uint32_t table, struct span owner, struct span text)
{
    const struct system_row made = {txn->now, txn->now, owner, text};
    struct span encoded = SPAN_NONE;

    TRY(encode_row(txn->data, &made, &encoded));
    return store_insert(txn->store, (struct table_id){table}, store_txn_row_id(txn->store, txn->now), encoded, NULL);
}

enum err record_text_replace(struct data_txn *txn, uint32_t table, const struct row *row, struct span owner,
                             struct span text)
{
    const struct system_row made = {row->created_at, data_txn_later(txn, row->updated_at), owner, text};
    const struct row_id where = row->id;
    struct span encoded = SPAN_NONE;

    TRY(encode_row(txn->data, &made, &encoded));
    return store_replace(txn->store, (struct table_id){table}, where, encoded, NULL);
}

/* Puts a new record into the catalogue of the transaction. */
static enum err put_record(struct data_txn *txn, const struct catalog_source *source,
                           const struct catalog_record **out_record)
{
    SCOPED_RECORD struct catalog_record *record = NULL;
    struct catalog *catalog = NULL;

    TRY(catalog_record_new(source, &record));
    TRY(data_txn_edit(txn, &catalog));
    TRY(catalog_put(catalog, record));
    *out_record = TAKE(record); /* the catalogue's now */
    return ERR_OK;
}

enum err record_insert(struct data_txn *txn, enum catalog_kind kind, const struct json_out *document,
                       const struct catalog_record **out_record)
{
    const struct catalog_record *record = NULL;
    struct span encoded = SPAN_NONE;

    TRY(json_out_finish(document));
    const struct catalog_source source = {.kind = kind,
                                          .document = buf_all(txn->data->text),
                                          .row = store_txn_row_id(txn->store, txn->now),
                                          .created_at = txn->now,
                                          .updated_at = txn->now};
    TRY(put_record(txn, &source, &record));
    TRY(encode(txn->data, txn->now, txn->now, record->parent, &encoded));
    TRY(store_insert(txn->store, (struct table_id){(uint32_t)kind}, source.row, encoded, NULL));
    *out_record = record;
    return ERR_OK;
}

enum err record_replace(struct data_txn *txn, const struct catalog_record *old, const struct json_out *document,
                        const struct catalog_record **out_record)
{
    const struct catalog_record *record = NULL;
    struct span encoded = SPAN_NONE;

    TRY(json_out_finish(document));
    const struct catalog_source source = {.kind = old->kind,
                                          .document = buf_all(txn->data->text),
                                          .row = old->row,
                                          .created_at = old->created_at,
                                          .updated_at = data_txn_later(txn, old->updated_at)};
    TRY(put_record(txn, &source, &record)); /* `old` may be gone after this */
    TRY(encode(txn->data, source.created_at, source.updated_at, record->parent, &encoded));
    TRY(store_replace(txn->store, (struct table_id){(uint32_t)source.kind}, source.row, encoded, NULL));
    *out_record = record;
    return ERR_OK;
}

enum err record_delete(struct data_txn *txn, const struct catalog_record *record)
{
    const struct table_id table = {(uint32_t)record->kind};
    const struct row_id row = record->row;
    struct catalog *catalog = NULL;

    TRY(data_txn_edit(txn, &catalog));
    TRY(catalog_remove(catalog, record->id));
    return store_delete(txn->store, table, row);
}

enum err record_row_insert(struct data_txn *txn, uint32_t table, struct span owner, const struct json_out *document)
{
    TRY(json_out_finish(document));
    return record_text_insert(txn, table, owner, buf_all(txn->data->text));
}

enum err walk_next(struct store_snap *snap, struct row *out_row)
{
    struct store_budget budget = {.steps = UINT32_MAX};

    return store_scan_next(snap, &budget, out_row);
}

enum err walk_end(enum err err)
{
    if (err == ERR_OK || err == ERR_NOT_FOUND) {
        fault_clear();
        return ERR_OK;
    }
    return err;
}
