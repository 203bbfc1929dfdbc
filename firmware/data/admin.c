/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the management operations share: who may, where, pages, and the reading of bodies. Contract 6. A secret key
 * manages its own project and environment; what belongs to another is answered as not there. */
#include "firmware/data/data_int.h"

#include "firmware/data/doc.h"
#include "firmware/data/people.h"
#include "firmware/data/plan.h"
#include "hal/base/fault.h"
#include "hal/base/num.h"
#include "net/http.h"

enum err data_txn_admin(struct data_txn *txn, struct data_call *call)
{
    return auth_check_admin(txn->principal.key, &call->refusal);
}

enum err data_txn_table(struct data_txn *txn, struct data_call *call, const struct catalog_table **out_table)
{
    const struct catalog_record *record = catalog_find(data_txn_catalog(txn), CATALOG_TABLE, call->table);

    if (rls_table_is_built_in(call->table)) { /* those have no id but their name */
        return refuse(&call->refusal, REFUSAL_AUTH_FORBIDDEN, "A built-in table cannot be changed or deleted");
    }
    if (record == NULL || !span_equal(record->parent, txn->environment->record.id)) {
        return refuse(&call->refusal, REFUSAL_COMMON_NOT_FOUND, "There is no such table");
    }
    *out_table = (const struct catalog_table *)record;
    return ERR_OK;
}

static enum err check_body_place(const struct json_value *body, struct span project, struct span environment,
                                 struct refusal *refusal)
{
    if (doc_has(body, span_lit("projectId")) && !span_equal(doc_text(body, span_lit("projectId")), project)) {
        return refuse(refusal, REFUSAL_AUTH_FORBIDDEN, "A secret key manages its own project only");
    }
    if (doc_has(body, span_lit("environment")) && !span_equal(doc_text(body, span_lit("environment")), environment)) {
        return refuse(refusal, REFUSAL_AUTH_FORBIDDEN, "A secret key manages its own environment only");
    }
    return ERR_OK;
}

enum err data_txn_check_place(struct data_txn *txn, struct data_call *call, const struct json_value *body)
{
    return check_body_place(body, txn->project->record.id, txn->environment->record.name, &call->refusal);
}

enum err admin_check_place(const struct data_admin *admin, const struct json_value *body)
{
    return check_body_place(body, admin->key->project_id, admin->key->environment, admin->refusal);
}

enum err data_check_query_place(const struct auth_key *key, const struct data_asked *asked, enum refusal_code other,
                                struct refusal *out_refusal)
{
    struct http_query walk = http_query_of(asked->query);

    for (;;) {
        struct span name = SPAN_NONE;
        struct span value = SPAN_NONE;
        const enum err err = http_query_next(&walk, asked->arena, &name, &value);
        if (err == ERR_NOT_FOUND) {
            fault_clear();
            return ERR_OK;
        }
        if (err == ERR_MALFORMED) {
            return refuse(out_refusal, REFUSAL_COMMON_INVALID_PARAMETERS, "The query string is not well-formed");
        }
        TRY(err);
        const bool own_project = !span_equal(name, span_lit("projectId")) || span_equal(value, key->project_id);
        const bool own_environment = !asked->of_environment || !span_equal(name, span_lit("environment")) ||
                                     span_equal(value, key->environment);
        if (!own_project || !own_environment) {
            return refuse_at(out_refusal, other, name, "in the query is not that of the key, the path or the body");
        }
    }
}

enum err data_txn_admin_body(struct data_txn *txn, struct data_call *call, const struct json_value **out_body)
{
    const struct json_value *body = NULL;

    TRY(data_txn_admin(txn, call));
    TRY(data_txn_body(call, REFUSAL_COMMON_INVALID_PARAMETERS, &body));
    TRY(data_txn_check_place(txn, call, body));
    *out_body = body;
    return ERR_OK;
}

enum err data_txn_confirm(struct data_call *call, struct span name)
{
    const struct json_value *body = NULL;

    TRY(data_txn_body(call, REFUSAL_COMMON_INVALID_PARAMETERS, &body));
    const struct json_value *confirm = json_find(body, span_lit("confirmName"));
    if (confirm == NULL || confirm->type != JSON_STRING || !span_equal(confirm->as.text, name)) {
        return refuse(&call->refusal, REFUSAL_COMMON_INVALID_PARAMETERS,
                      "confirmName must be the name of what is deleted");
    }
    return ERR_OK;
}

enum err data_txn_answer_success(struct data_call *call)
{
    struct json_out out;

    json_out_init(&out, call->out);
    json_out_object(&out);
    json_out_member_bool(&out, span_lit("success"), true);
    json_out_object_end(&out);
    return json_out_finish(&out);
}

/* --- bodies --- */

enum err refuse_at(struct refusal *refusal, enum refusal_code code, struct span where, const char *why)
{
    return REFUSE_TEXT(refusal, code, where, where.len == 0 ? SPAN_NONE : span_lit(" "), span_str(why));
}

bool data_name_fits(struct span name)
{
    const size_t count = span_code_points(name);

    return count >= 1 && count <= DATA_PERSON_NAME;
}

enum err admin_text(const struct json_value *body, const struct text_rule *rule, struct span *out_text,
                    struct refusal *refusal)
{
    const struct json_value *value = json_find(body, rule->name);

    if (value == NULL || value->type == JSON_NULL) {
        return rule->needed ? refuse_at(refusal, REFUSAL_COMMON_INVALID_PARAMETERS, rule->name, "is required") : ERR_OK;
    }
    if (value->type != JSON_STRING) {
        return refuse_at(refusal, REFUSAL_COMMON_INVALID_PARAMETERS, rule->name, "must be a string");
    }
    const size_t count = span_code_points(value->as.text);
    if (count < rule->min || count > rule->max) {
        return refuse_at(refusal, REFUSAL_COMMON_INVALID_PARAMETERS, rule->name, "is too short or too long");
    }
    *out_text = value->as.text;
    return ERR_OK;
}

enum err admin_members(const struct json_value *body, const struct member_rule *rule, struct refusal *refusal)
{
    const size_t given = body->type == JSON_OBJECT ? body->as.object.count : 0;

    for (size_t i = 0; i < given; i++) {
        const struct span name = body->as.object.members[i].name;
        bool known = false;
        for (size_t j = 0; j < rule->count; j++) {
            known = known || span_equal(name, span_str(rule->names[j]));
        }
        if (!known) {
            return refuse_at(refusal, rule->code, name, rule->why);
        }
    }
    return ERR_OK;
}

enum err admin_text_change(const struct json_value *body, const struct text_rule *rule, struct span *out_text,
                           struct refusal *refusal)
{
    const struct json_value *value = json_find(body, rule->name);

    if (value == NULL || value->type != JSON_NULL) {
        return admin_text(body, rule, out_text, refusal);
    }
    if (rule->min > 0) {
        return refuse_at(refusal, REFUSAL_COMMON_INVALID_PARAMETERS, rule->name, "must not be null");
    }
    *out_text = SPAN_NONE;
    return ERR_OK;
}

/* --- objects --- */

void admin_write_head(struct json_out *out, const struct catalog_record *record)
{
    json_out_member_text(out, span_lit("id"), record->id);
}

void admin_write_times(struct json_out *out, const struct catalog_record *record)
{
    json_out_member_time(out, span_lit("createdAt"), record->created_at);
    json_out_member_time(out, span_lit("updatedAt"), record->updated_at);
}

void admin_write_text(struct json_out *out, struct span name, struct span text)
{
    if (text.len == 0) {
        json_out_member_null(out, name);
    } else {
        json_out_member_text(out, name, text);
    }
}

/* --- pages --- */

static enum err page_number(struct span name, struct span value, uint64_t *out_number, struct refusal *refusal)
{
    if (plan_number(value, out_number) != ERR_OK || *out_number == 0) {
        return refuse_at(refusal, REFUSAL_COMMON_INVALID_PARAMETERS, name, "must be an integer of at least 1");
    }
    return ERR_OK;
}

enum err data_page_read(struct arena *arena, struct span query, uint64_t usual_limit, struct data_page *out_page,
                        struct refusal *out_refusal)
{
    struct data_page page = {1, usual_limit};
    struct http_query walk = http_query_of(query);
    bool has_page = false;
    bool has_limit = false;

    for (;;) {
        struct span name = SPAN_NONE;
        struct span value = SPAN_NONE;
        const enum err err = http_query_next(&walk, arena, &name, &value);
        if (err == ERR_NOT_FOUND) {
            fault_clear();
            break;
        }
        if (err == ERR_MALFORMED) {
            return refuse(out_refusal, REFUSAL_COMMON_INVALID_PARAMETERS, "The query string is not well-formed");
        }
        TRY(err);
        const bool is_page = span_equal(name, span_lit("page"));
        const bool is_limit = span_equal(name, span_lit("limit"));
        if ((is_page && has_page) || (is_limit && has_limit)) {
            return refuse_at(out_refusal, REFUSAL_COMMON_INVALID_PARAMETERS, name, "is given twice");
        }
        has_page = has_page || is_page;
        has_limit = has_limit || is_limit;
        if (is_page || is_limit) {
            TRY(page_number(name, value, is_page ? &page.page : &page.limit, out_refusal));
        }
    }
    if (page.page > PLAN_NUMBER_MAX) {
        return refuse_at(out_refusal, REFUSAL_COMMON_INVALID_PARAMETERS, span_lit("page"), "is too large");
    }
    page.limit = page.limit > PLAN_LIMIT_MAX ? PLAN_LIMIT_MAX : page.limit;
    *out_page = page;
    return ERR_OK;
}

void data_write_pagination(struct json_out *out, struct data_page page, uint64_t total)
{
    const uint64_t pages = total / page.limit + (total % page.limit != 0);

    json_out_name(out, span_lit("pagination"));
    json_out_object(out);
    json_out_member_int(out, span_lit("total"), (int64_t)total);
    json_out_member_int(out, span_lit("page"), (int64_t)page.page);
    json_out_member_int(out, span_lit("limit"), (int64_t)page.limit);
    json_out_member_int(out, span_lit("totalPages"), (int64_t)pages);
    json_out_member_bool(out, span_lit("hasNext"), page.page < pages);
    json_out_member_bool(out, span_lit("hasPrev"), page.page > 1 && total > 0);
    json_out_object_end(out);
}

enum err admin_list(const struct data_admin *admin, const struct admin_lister *lister)
{
    const size_t most = catalog_count(admin->catalog, lister->kind);
    const struct catalog_record **found = NULL;
    struct data_page page;
    struct json_out out;
    size_t cursor = 0;
    size_t total = 0;
    void *memory = NULL;

    TRY(data_page_read(admin->arena, admin->query, PLAN_LIMIT_DEFAULT, &page, admin->refusal));
    TRY(arena_alloc(admin->arena, (most + 1) * sizeof *found, &memory));
    found = memory;
    for (size_t i = 0; i < most; i++) {
        const struct catalog_record *record = catalog_next(admin->catalog, lister->kind, &cursor);
        if (record != NULL && lister->wanted(admin, record)) {
            found[total++] = record;
        }
    }
    json_out_init(&out, admin->out);
    json_out_object(&out);
    json_out_name(&out, span_lit("items"));
    json_out_array(&out);
    const uint64_t skip = page.page - 1 > total / page.limit ? total : (page.page - 1) * page.limit;
    for (uint64_t i = skip; i < total && i < skip + page.limit; i++) {
        TRY(lister->write(admin, &out, found[total - 1 - i]));
    }
    json_out_array_end(&out);
    data_write_pagination(&out, page, total);
    json_out_object_end(&out);
    return json_out_finish(&out);
}
