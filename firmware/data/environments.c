/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Environments of a project: contract 6. A secret key sees those of its project, makes new ones, and may delete its
 * own; what lies in another is not its to destroy. */
#include "firmware/data/access.h"
#include "firmware/data/people_int.h"
#include "firmware/data/doc.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"

#define CREATED              201
#define ENVIRONMENT_NAME_MAX 32

void environment_write(struct json_out *out, const struct catalog_environment *environment)
{
    json_out_object(out);
    admin_write_head(out, &environment->record);
    json_out_member_text(out, span_lit("projectId"), environment->record.parent);
    json_out_member_text(out, span_lit("environment"), environment->record.name);
    json_out_member_text(out, span_lit("environmentType"),
                         doc_text(environment->record.doc, span_lit("environmentType")));
    json_out_member_text(out, span_lit("status"), span_lit("active"));
    admin_write_times(out, &environment->record);
    json_out_object_end(out);
}

/* An operator who names none sees those of all projects, and not the one of operators, which is of none. */
static bool of_project(const struct data_admin *admin, const struct catalog_record *record)
{
    return admin->key->project_id.len == 0 ? catalog_project(admin->catalog, record->parent) != NULL
                                           : span_equal(record->parent, admin->key->project_id);
}

static enum err write_item(const struct data_admin *admin, struct json_out *out, const struct catalog_record *record)
{
    (void)admin; /* the form of a lister */
    environment_write(out, (const struct catalog_environment *)record);
    return ERR_OK;
}

enum err data_list_environments(const struct data_admin *admin)
{
    const struct admin_lister lister = {CATALOG_ENVIRONMENT, of_project, write_item};

    return admin_list(admin, &lister);
}

enum err data_get_environment(const struct data_admin *admin, struct span id)
{
    const struct catalog_environment *environment = catalog_environment(admin->catalog, id);
    struct json_out out;

    if (environment == NULL || !of_project(admin, &environment->record)) {
        return refuse(admin->refusal, REFUSAL_COMMON_NOT_FOUND, "There is no such environment");
    }
    json_out_init(&out, admin->out);
    environment_write(&out, environment);
    return json_out_finish(&out);
}

bool place_name_fits(struct span text)
{
    if (text.len == 0 || text.len > ENVIRONMENT_NAME_MAX || text.data[0] < 'a' || text.data[0] > 'z') {
        return false;
    }
    for (size_t i = 1; i < text.len; i++) {
        const uint8_t byte = text.data[i];
        if (!((byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-')) {
            return false;
        }
    }
    return true;
}

static bool is_type(struct span text)
{
    return span_equal(text, span_lit("dev")) || span_equal(text, span_lit("staging")) ||
           span_equal(text, span_lit("prod")) || span_equal(text, span_lit("custom"));
}

void environment_begin_again(struct data_txn *txn, struct span without, struct json_out *out)
{
    record_begin(txn->data, out);
    json_out_object(out);
    json_out_members_without(out, txn->environment->record.doc, &without, 1);
}

enum err environment_end_again(struct data_txn *txn, struct json_out *out,
                               const struct catalog_environment **out_stored)
{
    const struct catalog_record *record = NULL;

    json_out_object_end(out);
    TRY(record_replace(txn, &txn->environment->record, out, &record));
    *out_stored = (const struct catalog_environment *)record;
    return ERR_OK;
}

enum err environment_make(struct data_txn *txn, const struct environment_new *environment,
                          const struct catalog_record **out_record)
{
    char id[AUTH_UUID_BYTES];
    struct json_out out;

    /* Before the keeper makes a key that nothing would name. */
    ENSURE(catalog_count(data_txn_catalog(txn), CATALOG_ENVIRONMENT) < CONFIG_DATA_ENVIRONMENTS_MAX, ERR_LIMIT,
           "as many environments as there may be");
    auth_uuid_make(txn->data->random, id);
    record_begin(txn->data, &out);
    json_out_object(&out);
    json_out_member_text(&out, span_lit("id"), span_array(id));
    json_out_member_text(&out, span_lit("projectId"), environment->parent);
    json_out_member_text(&out, span_lit("environment"), environment->name);
    json_out_member_text(&out, span_lit("environmentType"), environment->type);
    TRY(people_make(txn, span_array(id), NULL, &out));
    json_out_object_end(&out);
    return record_insert(txn, CATALOG_ENVIRONMENT, &out, out_record);
}

enum err data_environment_create(struct data_txn *txn, struct data_call *call)
{
    const struct text_rule name_rule = {span_lit("environment"), 1, ENVIRONMENT_NAME_MAX, true};
    const struct text_rule type_rule = {span_lit("environmentType"), 1, ENVIRONMENT_NAME_MAX, false};
    const struct catalog_record *record = NULL;
    const struct json_value *body = NULL;
    struct span name = SPAN_NONE;
    struct span type = SPAN_NONE;
    struct json_out out;

    TRY(data_txn_admin(txn, call));
    TRY(data_txn_body(call, REFUSAL_COMMON_INVALID_PARAMETERS, &body));
    if (doc_has(body, span_lit("projectId")) &&
        !span_equal(doc_text(body, span_lit("projectId")), txn->project->record.id)) {
        return refuse(&call->refusal, REFUSAL_AUTH_FORBIDDEN, "A secret key manages its own project only");
    }
    TRY(admin_text(body, &name_rule, &name, &call->refusal));
    TRY(admin_text(body, &type_rule, &type, &call->refusal));
    type = type.len != 0 ? type : (is_type(name) ? name : span_lit("custom"));
    if (!place_name_fits(name)) {
        return refuse_at(&call->refusal, REFUSAL_COMMON_INVALID_PARAMETERS, name_rule.name,
                         "must be lower-case letters, digits and hyphens, at most 32");
    }
    if (!is_type(type)) {
        return refuse_at(&call->refusal, REFUSAL_COMMON_INVALID_PARAMETERS, type_rule.name,
                         "must be dev, staging, prod or custom");
    }
    if (catalog_find_named(data_txn_catalog(txn), CATALOG_ENVIRONMENT, txn->project->record.id, name) != NULL) {
        return refuse(&call->refusal, REFUSAL_COMMON_CONFLICT, "The project has an environment of this name");
    }
    const struct environment_new environment = {txn->project->record.id, name, type};
    TRY(environment_make(txn, &environment, &record));
    call->status = CREATED;
    json_out_init(&out, call->out);
    environment_write(&out, (const struct catalog_environment *)record);
    return json_out_finish(&out);
}

/* One table of the environment, or NULL. */
static const struct catalog_table *any_table(const struct catalog *catalog, struct span environment_id)
{
    size_t cursor = 0;

    for (;;) {
        const struct catalog_record *record = catalog_next(catalog, CATALOG_TABLE, &cursor);
        if (record == NULL || span_equal(record->parent, environment_id)) {
            return (const struct catalog_table *)record;
        }
    }
}

enum err environment_forget(struct data_txn *txn, struct span id)
{
    const struct catalog_people people = catalog_environment(data_txn_catalog(txn), id)->people;

    for (;;) { /* ends: each round forgets a table */
        const struct catalog_table *table = any_table(data_txn_catalog(txn), id);
        if (table == NULL) {
            break;
        }
        TRY(table_forget(txn, table));
    }
    TRY(people_forget(txn, &people));
    return record_delete(txn, catalog_find(data_txn_catalog(txn), CATALOG_ENVIRONMENT, id));
}

enum err data_environment_delete(struct data_txn *txn, struct data_call *call)
{
    TRY(data_txn_admin(txn, call));
    const struct catalog_environment *environment = catalog_environment(data_txn_catalog(txn), call->table);
    if (environment == NULL || !span_equal(environment->record.parent, txn->project->record.id)) {
        return refuse(&call->refusal, REFUSAL_COMMON_NOT_FOUND, "There is no such environment");
    }
    if (environment != txn->environment) {
        return refuse(&call->refusal, REFUSAL_AUTH_FORBIDDEN, "A secret key deletes its own environment only");
    }
    TRY(data_txn_confirm(call, environment->record.name));
    TRY(environment_forget(txn, call->table));
    TRY(apikeys_forget_ended(txn, txn->project->record.id)); /* its keys have ended with it */
    return data_txn_answer_success(call);
}
