/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Indexes of a table: contract 4.6. The undeletable ones have no record: rows lie in the order of their ids, and the
 * store keeps the createdBy index by itself. uniq_<field> follows the flag `unique` of a field; the rest is custom. */
#include "firmware/data/data_int.h"
#include "firmware/data/doc.h"
#include "firmware/data/filter.h"
#include "hal/base/fault.h"

#include <string.h>

#define INDEX_NAME_MAX 64
#define UNIQUE_PREFIX  span_lit("uniq_")

static bool is_default_name(struct span name)
{
    return span_equal(name, span_lit("_id_")) || span_equal(name, span_lit("idx_createdAt_desc")) ||
           span_equal(name, span_lit("idx_updatedAt_desc")) || span_equal(name, span_lit("idx_createdBy"));
}

static bool is_index_name(struct span name)
{
    if (name.len == 0 || name.len > INDEX_NAME_MAX) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        const uint8_t byte = name.data[i];
        const bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_';
        const bool other = (byte >= '0' && byte <= '9') || byte == '-' || byte == '.';
        if (!letter && !(other && i > 0)) {
            return false;
        }
    }
    return true;
}

/* --- showing --- */

static void write_fields(struct json_out *out, const struct catalog_index *index)
{
    json_out_object(out);
    for (size_t i = 0; i < index->def.field_count; i++) {
        json_out_member_int(out, index->fields[i], index->def.fields[i].descending ? -1 : 1);
    }
    json_out_object_end(out);
}

void index_write_definition(struct json_out *out, const struct catalog_index *index, struct span fields)
{
    json_out_member_text(out, span_lit("name"), index->name);
    json_out_name(out, fields);
    write_fields(out, index);
    json_out_member_bool(out, span_lit("unique"), index->def.unique);
    json_out_member_bool(out, span_lit("sparse"), index->def.sparse);
}

void index_write_record(struct json_out *out, const struct catalog_index *index)
{
    json_out_object(out);
    index_write_definition(out, index, span_lit("fields"));
    json_out_member_int(out, span_lit("id"), index->id.value);
    json_out_member_bool(out, span_lit("column"), index->of_column);
    json_out_object_end(out);
}

/* --- reading definitions --- */

static enum err refuse_index(struct refusal *refusal, struct span name, const char *why)
{
    return REFUSE_TEXT(refusal, REFUSAL_COMMON_INVALID_PARAMETERS, span_lit("index "), name, span_lit(": "),
                       span_str(why));
}

static enum err read_field(const struct json_member *member, const struct schema *schema, struct catalog_index *out,
                           struct refusal *refusal)
{
    struct index_field *field = &out->def.fields[out->def.field_count];
    const bool one = member->value.type == JSON_INT && member->value.as.integer == 1;
    const bool minus = member->value.type == JSON_INT && member->value.as.integer == -1;

    if (!one && !minus) {
        return refuse_index(refusal, out->name, "a direction is 1 or -1");
    }
    if (filter_field(schema, member->name, &field->field) != ERR_OK || field->field.column == ROW_COLUMN_ID) {
        fault_clear();
        return refuse_index(refusal, out->name, "a name is not one of a field that can be indexed");
    }
    field->descending = minus;
    out->fields[out->def.field_count] = member->name;
    out->def.field_count++;
    return ERR_OK;
}

static enum err read_flag(const struct json_value *doc, struct span name, struct catalog_index *index, bool *out_flag,
                          struct refusal *refusal)
{
    const struct json_value *value = json_find(doc, name);

    if (value != NULL && value->type != JSON_BOOL && value->type != JSON_NULL) {
        return refuse_index(refusal, index->name, "unique and sparse are booleans");
    }
    *out_flag = value != NULL && value->type == JSON_BOOL && value->as.boolean;
    return ERR_OK;
}

static enum err check_index_members(const struct json_value *doc, struct refusal *refusal)
{
    static const char *const names[] = {"name", "fields", "unique", "sparse"};
    const struct member_rule rule = {names, ARRAY_LENGTH(names), REFUSAL_COMMON_INVALID_PARAMETERS,
                                     "is not a member of an index"};

    return admin_members(doc, &rule, refusal);
}

static enum err read_index(const struct json_value *doc, const struct schema *schema, struct catalog_index *out,
                           struct refusal *refusal)
{
    const struct json_value *fields = json_find(doc, span_lit("fields"));

    TRY(check_index_members(doc, refusal));
    *out = (struct catalog_index){.name = doc_text(doc, span_lit("name"))};
    if (!is_index_name(out->name)) {
        return refuse_at(refusal, REFUSAL_COMMON_INVALID_PARAMETERS, span_lit("indexes"),
                         "need a name of letters, digits, '_', '-' and '.'");
    }
    if (is_default_name(out->name) || span_starts_with(out->name, UNIQUE_PREFIX)) {
        return refuse_index(refusal, out->name, "the name belongs to an index that cannot be changed");
    }
    if (fields == NULL || fields->type != JSON_OBJECT || fields->as.object.count == 0 ||
        fields->as.object.count > INDEX_FIELDS_MAX) {
        return refuse_index(refusal, out->name, "fields must be an object of 1 to 8 fields");
    }
    for (size_t i = 0; i < fields->as.object.count; i++) {
        TRY(read_field(&fields->as.object.members[i], schema, out, refusal));
    }
    TRY(read_flag(doc, span_lit("unique"), out, &out->def.unique, refusal));
    return read_flag(doc, span_lit("sparse"), out, &out->def.sparse, refusal);
}

static struct catalog_index *find_index(struct data_index_list *list, struct span name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (span_equal(list->items[i].name, name)) {
            return &list->items[i];
        }
    }
    return NULL;
}

static size_t count_custom(const struct data_index_list *list)
{
    size_t count = 0;

    for (size_t i = 0; i < list->count; i++) {
        count += !list->items[i].of_column;
    }
    return count;
}

/* Adds the definitions to the list, or puts them in the place of those of the same name. */
static enum err merge_list(const struct json_value *given, const struct schema *schema, struct data_index_list *list,
                           struct refusal *refusal)
{
    if (given == NULL || given->type == JSON_NULL) {
        return ERR_OK;
    }
    if (given->type != JSON_ARRAY) {
        return refuse(refusal, REFUSAL_COMMON_INVALID_PARAMETERS, "indexes must be a list");
    }
    for (size_t i = 0; i < given->as.array.count; i++) {
        struct catalog_index index;
        TRY(read_index(&given->as.array.items[i], schema, &index, refusal));
        struct catalog_index *place = find_index(list, index.name);
        if (place == NULL) {
            if (count_custom(list) >= CATALOG_INDEXES_MAX || list->count >= CATALOG_ALL_INDEXES_MAX - 1) {
                return refuse_index(refusal, index.name, "a table has at most 20 indexes");
            }
            place = &list->items[list->count++];
        }
        *place = index;
    }
    return ERR_OK;
}

enum err index_read_list(const struct json_value *list, const struct schema *schema, struct data_index_list *out,
                         struct refusal *out_refusal)
{
    out->count = 0;
    return merge_list(list, schema, out, out_refusal);
}

/* --- following the schema --- */

static void remove_at(struct data_index_list *list, size_t at)
{
    memmove(&list->items[at], &list->items[at + 1], (list->count - at - 1) * sizeof list->items[0]);
    list->count--;
}

/* Does the index still make sense, and under which column ids? */
static bool follow_fields(const struct schema *schema, struct catalog_index *index)
{
    for (size_t i = 0; i < index->def.field_count; i++) {
        struct row_field field = {0};
        const uint16_t before = index->def.fields[i].field.column;
        if (filter_field(schema, index->fields[i], &field) != ERR_OK) {
            fault_clear();
            return false;
        }
        if (before != ROW_COLUMN_NONE && field.column == ROW_COLUMN_NONE) {
            return false; /* the field was removed, and its data with it */
        }
        index->def.fields[i].field = field;
    }
    return true;
}

static bool stays(const struct schema *schema, struct catalog_index *index)
{
    if (index->of_column) {
        const struct schema_field *field = schema_find(schema, index->fields[0]);
        if (field == NULL || !field->unique) {
            return false;
        }
    }
    return follow_fields(schema, index);
}

static enum err add_unique(const struct schema *schema, const struct schema_field *field, struct data_index_list *list,
                           struct arena *arena, struct refusal *refusal)
{
    char text[SCHEMA_NAME_MAX + 8];
    struct catalog_index index = {.of_column = true};
    const struct span prefix = UNIQUE_PREFIX;

    memcpy(text, prefix.data, prefix.len);
    memcpy(text + prefix.len, field->name.data, field->name.len);
    TRY(arena_copy(arena, span_of(text, prefix.len + field->name.len), &index.name));
    if (find_index(list, index.name) != NULL) {
        return ERR_OK;
    }
    if (list->count >= CATALOG_ALL_INDEXES_MAX - 1) {
        return refuse(refusal, REFUSAL_DATA_VALIDATION_ERROR, "The table has too many unique fields and indexes");
    }
    TRY(arena_copy(arena, field->name, &index.fields[0]));
    TRY(filter_field(schema, index.fields[0], &index.def.fields[0].field));
    index.def.field_count = 1;
    index.def.unique = true;
    list->items[list->count++] = index;
    return ERR_OK;
}

enum err index_follow_schema(const struct schema *schema, struct data_index_list *list, struct arena *arena,
                             struct refusal *out_refusal)
{
    size_t count = 0;
    const struct schema_field *fields = schema_fields(schema, &count);

    for (size_t i = list->count; i > 0; i--) {
        if (!stays(schema, &list->items[i - 1])) {
            remove_at(list, i - 1);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (fields[i].unique) {
            TRY(add_unique(schema, &fields[i], list, arena, out_refusal));
        }
    }
    return ERR_OK;
}

/* --- carrying out --- */

static bool same_def(const struct index_def *a, const struct index_def *b)
{
    if (a->field_count != b->field_count || a->unique != b->unique || a->sparse != b->sparse) {
        return false;
    }
    for (size_t i = 0; i < a->field_count; i++) {
        const struct index_field *one = &a->fields[i];
        const struct index_field *two = &b->fields[i];
        if (one->descending != two->descending || one->field.column != two->field.column ||
            !span_equal(one->field.name, two->field.name) || !span_equal(one->field.path, two->field.path)) {
            return false;
        }
    }
    return true;
}

static const struct catalog_index *find_same(const struct data_index_list *list, const struct catalog_index *index)
{
    for (size_t i = 0; list != NULL && i < list->count; i++) {
        if (span_equal(list->items[i].name, index->name) && same_def(&list->items[i].def, &index->def)) {
            return &list->items[i];
        }
    }
    return NULL;
}

enum err index_drop_gone(struct data_txn *txn, struct table_id store, const struct data_index_list *from,
                         const struct data_index_list *to)
{
    for (size_t i = 0; i < from->count; i++) {
        if (find_same(to, &from->items[i]) == NULL) {
            TRY(store_index_drop(txn->store, store, from->items[i].id));
        }
    }
    return ERR_OK;
}

enum err index_make_new(struct data_txn *txn, struct table_id store, const struct data_index_list *from,
                        struct data_index_list *to, struct refusal *out_refusal)
{
    for (size_t i = 0; i < to->count; i++) {
        const struct catalog_index *same = find_same(from, &to->items[i]);
        if (same != NULL) {
            to->items[i].id = same->id;
            continue;
        }
        const enum err err = store_index_create(txn->store, store, &to->items[i].def, &to->items[i].id);
        if (err == ERR_EXISTS) {
            return REFUSE_TEXT(out_refusal, REFUSAL_DATA_DUPLICATE_VALUE, span_lit("index "), to->items[i].name,
                               span_lit(": rows with the same value exist"));
        }
        TRY(err);
    }
    return ERR_OK;
}

static enum err remove_named(const struct json_value *names, struct data_index_list *list, struct refusal *refusal)
{
    if (names == NULL || names->type == JSON_NULL) {
        return ERR_OK;
    }
    if (names->type != JSON_ARRAY) {
        return refuse(refusal, REFUSAL_COMMON_INVALID_PARAMETERS, "indexesToRemove must be a list of names");
    }
    for (size_t i = 0; i < names->as.array.count; i++) {
        const struct json_value *name = &names->as.array.items[i];
        if (name->type != JSON_STRING) {
            return refuse(refusal, REFUSAL_COMMON_INVALID_PARAMETERS, "indexesToRemove must be a list of names");
        }
        const struct catalog_index *index = find_index(list, name->as.text);
        if (is_default_name(name->as.text) || (index != NULL && index->of_column)) {
            return refuse_index(refusal, name->as.text, "this index cannot be removed");
        }
        if (index == NULL) {
            return refuse_index(refusal, name->as.text, "there is no such index");
        }
        remove_at(list, (size_t)(index - list->items));
    }
    return ERR_OK;
}

static enum err check_change_members(const struct json_value *body, struct refusal *refusal)
{
    static const char *const names[] = {"indexesToAddOrUpdate", "indexesToRemove"};
    const struct member_rule rule = {names, ARRAY_LENGTH(names), REFUSAL_COMMON_INVALID_PARAMETERS,
                                     "is not part of a change of indexes"};

    return admin_members(body, &rule, refusal);
}

enum err data_table_change_indexes(struct data_txn *txn, struct data_call *call)
{
    const struct catalog_table *table = NULL;
    const struct json_value *body = NULL;
    struct data_index_list *from = NULL;
    struct data_index_list *to = NULL;
    struct data_table_edit edit;
    void *memory = NULL;

    TRY(data_txn_admin(txn, call));
    TRY(data_txn_table(txn, call, &table));
    TRY(data_txn_body(call, REFUSAL_COMMON_INVALID_PARAMETERS, &body));
    TRY(check_change_members(body, &call->refusal));
    TRY(arena_alloc(call->arena, sizeof *from, &memory));
    from = memory;
    TRY(arena_alloc(call->arena, sizeof *to, &memory));
    to = memory;
    table_edit_of(table, from, &edit);
    *to = *from;
    TRY(remove_named(json_find(body, span_lit("indexesToRemove")), to, &call->refusal));
    TRY(merge_list(json_find(body, span_lit("indexesToAddOrUpdate")), table->schema, to, &call->refusal));
    TRY(index_drop_gone(txn, table->store, from, to));
    TRY(index_make_new(txn, table->store, from, to, &call->refusal));
    edit.indexes = to;
    edit.index_version++;
    TRY(table_edit_store(txn, &edit, &table));
    TRY(version_note_indexes(txn, &edit));
    return policy_answer(txn, call, table);
}
