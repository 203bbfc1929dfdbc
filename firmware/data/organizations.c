/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Organizations as operators see them: the appliance has one, made at the first start. Spec: contract 6. */
#include "firmware/data/data_int.h"
#include "firmware/data/doc.h"
#include "firmware/data/operators.h"
#include "hal/base/fault.h"

#define NAME_POINTS_MAX 100
#define DESCRIPTION_MAX 1024

static void write_organization(struct json_out *out, const struct catalog_record *record)
{
    json_out_object(out);
    admin_write_head(out, record);
    json_out_member_text(out, span_lit("name"), record->name);
    admin_write_text(out, span_lit("displayName"), doc_text(record->doc, span_lit("displayName")));
    admin_write_text(out, span_lit("description"), doc_text(record->doc, span_lit("description")));
    admin_write_times(out, record);
    json_out_object_end(out);
}

static bool is_any(const struct data_admin *admin, const struct catalog_record *record)
{
    (void)admin; /* the form of a lister */
    (void)record;
    return true;
}

static enum err write_item(const struct data_admin *admin, struct json_out *out, const struct catalog_record *record)
{
    (void)admin; /* the form of a lister */
    write_organization(out, record);
    return ERR_OK;
}

enum err data_list_organizations(const struct data_admin *admin)
{
    const struct admin_lister lister = {CATALOG_ORGANIZATION, is_any, write_item};

    return admin_list(admin, &lister);
}

static enum err find(const struct catalog *catalog, struct span id, struct refusal *refusal,
                     const struct catalog_record **out_record)
{
    const struct catalog_record *record = catalog_find(catalog, CATALOG_ORGANIZATION, id);

    if (record == NULL) {
        return refuse(refusal, REFUSAL_COMMON_NOT_FOUND, "There is no such organization");
    }
    *out_record = record;
    return ERR_OK;
}

enum err data_get_organization(const struct data_admin *admin, struct span id)
{
    const struct catalog_record *record = NULL;
    struct json_out out;

    TRY(find(admin->catalog, id, admin->refusal, &record));
    json_out_init(&out, admin->out);
    write_organization(&out, record);
    return json_out_finish(&out);
}

struct organization_edit {
    struct span name, display_name, description;
};

static enum err read_edit(const struct json_value *body, struct organization_edit *edit, struct refusal *refusal)
{
    static const char *const names[] = {"name", "displayName", "description"};
    const struct member_rule known = {names, ARRAY_LENGTH(names), REFUSAL_COMMON_INVALID_PARAMETERS,
                                      "is not a member of an organization that can be changed"};
    const struct text_rule name = {span_lit("name"), 1, NAME_POINTS_MAX, false};
    const struct text_rule display_name = {span_lit("displayName"), 0, NAME_POINTS_MAX, false};
    const struct text_rule description = {span_lit("description"), 0, DESCRIPTION_MAX, false};

    TRY(admin_members(body, &known, refusal));
    TRY(admin_text_change(body, &name, &edit->name, refusal));
    TRY(admin_text_change(body, &display_name, &edit->display_name, refusal));
    return admin_text_change(body, &description, &edit->description, refusal);
}

enum err data_organization_update(struct data_txn *txn, struct data_call *call)
{
    const struct catalog_record *record = NULL;
    const struct json_value *body = NULL;
    struct json_out out;

    TRY(find(data_txn_catalog(txn), call->table, &call->refusal, &record));
    TRY(data_txn_body(call, REFUSAL_COMMON_INVALID_PARAMETERS, &body));
    struct organization_edit edit = {.name = record->name,
                                     .display_name = doc_text(record->doc, span_lit("displayName")),
                                     .description = doc_text(record->doc, span_lit("description"))};
    TRY(read_edit(body, &edit, &call->refusal));
    record_begin(txn->data, &out);
    json_out_object(&out);
    json_out_member_text(&out, span_lit("id"), record->id);
    json_out_member_text(&out, span_lit("name"), edit.name);
    json_out_member_text(&out, span_lit("displayName"), edit.display_name);
    json_out_member_text(&out, span_lit("description"), edit.description);
    if (doc_has(record->doc, span_lit("network"))) { /* network.h */
        json_out_name(&out, span_lit("network"));
        json_out_value(&out, json_find(record->doc, span_lit("network")));
    }
    json_out_object_end(&out);
    TRY(record_replace(txn, record, &out, &record));
    json_out_init(&out, call->out);
    write_organization(&out, record);
    return json_out_finish(&out);
}
