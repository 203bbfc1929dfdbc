/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Making projects: the first one at the first start, others by operators. Spec: contract 6. */
#include <string.h>

#include "firmware/data/data_int.h"
#include "firmware/data/doc.h"
#include "firmware/data/operators.h"
#include "hal/base/fault.h"

#define CREATED           201
#define SLUG_MAX          32
#define NAME_POINTS_MAX   100
#define REGION_MAX        64
#define DESCRIPTION_MAX   1024
#define FIRST_ENVIRONMENT "dev"

enum err project_make(struct data_txn *txn, const struct project_new *project, const struct catalog_record **out_record)
{
    struct json_out out;

    record_begin_new(txn->data, &out);
    json_out_member_text(&out, span_lit("organizationId"), project->organization);
    json_out_member_text(&out, span_lit("slug"), project->slug);
    json_out_member_text(&out, span_lit("name"), project->name);
    json_out_member_text(&out, span_lit("description"), project->description);
    json_out_member_text(&out, span_lit("primaryCloud"), project->cloud);
    json_out_member_text(&out, span_lit("primaryRegion"), project->region);
    json_out_name(&out, span_lit("settings"));
    json_out_raw(&out, span_lit("{}"));
    json_out_object_end(&out);
    return record_insert(txn, CATALOG_PROJECT, &out, out_record);
}

static bool is_cloud(struct span text)
{
    return span_equal(text, span_lit("aws")) || span_equal(text, span_lit("gcp")) ||
           span_equal(text, span_lit("azu")) || span_equal(text, span_lit("onprem"));
}

static enum err read_members(const struct json_value *body, struct project_new *project, struct refusal *refusal)
{
    static const char *const names[] = {"organizationId", "slug",          "name",
                                        "primaryCloud",   "primaryRegion", "description"};
    const struct member_rule known = {names, ARRAY_LENGTH(names), REFUSAL_COMMON_INVALID_PARAMETERS, "is not known"};
    const struct text_rule slug = {span_lit("slug"), 1, SLUG_MAX, true};
    const struct text_rule name = {span_lit("name"), 1, NAME_POINTS_MAX, true};
    const struct text_rule cloud = {span_lit("primaryCloud"), 1, SLUG_MAX, false};
    const struct text_rule region = {span_lit("primaryRegion"), 0, REGION_MAX, false};
    const struct text_rule description = {span_lit("description"), 0, DESCRIPTION_MAX, false};

    TRY(admin_members(body, &known, refusal));
    TRY(admin_text(body, &slug, &project->slug, refusal));
    TRY(admin_text(body, &name, &project->name, refusal));
    TRY(admin_text(body, &cloud, &project->cloud, refusal));
    TRY(admin_text(body, &region, &project->region, refusal));
    TRY(admin_text(body, &description, &project->description, refusal));
    if (!place_name_fits(project->slug)) {
        return refuse_at(refusal, REFUSAL_COMMON_INVALID_PARAMETERS, slug.name,
                         "must be lower-case letters, digits and hyphens, at most 32");
    }
    if (!is_cloud(project->cloud)) {
        return refuse_at(refusal, REFUSAL_COMMON_INVALID_PARAMETERS, cloud.name, "must be aws, gcp, azu or onprem");
    }
    if (doc_has(body, span_lit("organizationId")) &&
        !span_equal(doc_text(body, span_lit("organizationId")), project->organization)) {
        return refuse_at(refusal, REFUSAL_COMMON_INVALID_PARAMETERS, span_lit("organizationId"),
                         "must be that of the appliance");
    }
    return ERR_OK;
}

enum err data_project_create(struct data_txn *txn, struct data_call *call)
{
    const struct span first = span_lit(FIRST_ENVIRONMENT);
    const struct catalog_record *record = NULL;
    const struct json_value *body = NULL;
    struct json_out out;
    size_t cursor = 0;

    TRY(data_txn_body(call, REFUSAL_COMMON_INVALID_PARAMETERS, &body));
    record = catalog_next(data_txn_catalog(txn), CATALOG_ORGANIZATION, &cursor);
    ENSURE(record != NULL, ERR_DAMAGED, "an appliance without its organization");
    struct project_new project = {.organization = record->id, .cloud = span_lit("onprem")};
    TRY(read_members(body, &project, &call->refusal));
    if (catalog_find_named(data_txn_catalog(txn), CATALOG_PROJECT, project.organization, project.slug) != NULL) {
        return refuse(&call->refusal, REFUSAL_COMMON_CONFLICT, "There is a project of this slug");
    }
    TRY(project_make(txn, &project, &record));
    char id[AUTH_UUID_BYTES]; /* the record is another after each change of the catalogue */
    memcpy(id, record->id.data, sizeof id);
    txn->project = (const struct catalog_project *)record;
    const struct environment_new environment = {record->id, first, first};
    TRY(environment_make(txn, &environment, &record));
    call->status = CREATED;
    json_out_init(&out, call->out);
    project_write(&out, data_txn_catalog(txn), catalog_project(data_txn_catalog(txn), span_array(id)));
    return json_out_finish(&out);
}
