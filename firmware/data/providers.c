/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/data/providers.h"

#include "firmware/auth/settings.h"
#include "firmware/data/data_int.h"
#include "firmware/data/doc.h"
#include "hal/base/fault.h"

static enum err write_provider(struct buf *to, const struct catalog *catalog,
                               const struct catalog_environment *environment)
{
    const struct auth_settings settings = catalog_auth_settings(catalog, environment->record.id);
    const struct auth_setting *setting = NULL;
    struct json_out out;
    size_t at = 0;

    json_out_init(&out, to);
    json_out_object(&out);
    json_out_member_text(&out, span_lit("id"), span_lit("email"));
    json_out_member_text(&out, span_lit("projectId"), environment->record.parent);
    json_out_member_text(&out, span_lit("environment"), environment->record.name);
    while ((setting = auth_setting_next(AUTH_SETTING_PROVIDER, &at)) != NULL) {
        auth_setting_write(setting, &settings, &out);
    }
    admin_write_times(&out, &environment->record);
    json_out_object_end(&out);
    return json_out_finish(&out);
}

enum err data_get_email_provider(const struct data_admin *admin)
{
    const struct catalog_environment *environment = catalog_environment(admin->catalog, admin->key->environment_id);

    return environment != NULL ? write_provider(admin->out, admin->catalog, environment)
                               : refuse(admin->refusal, REFUSAL_DATA_ENVIRONMENT_NOT_FOUND, NULL);
}

/* What an answer has besides settings, so that it may be sent back as it came. */
static bool is_passed_over(struct span name)
{
    return span_equal(name, span_lit("id")) || span_equal(name, span_lit("projectId")) ||
           span_equal(name, span_lit("environment")) || span_equal(name, span_lit("createdAt")) ||
           span_equal(name, span_lit("updatedAt"));
}

static enum err check_member(const struct json_member *member, struct refusal *refusal)
{
    const struct auth_setting *setting = auth_setting_find(AUTH_SETTING_PROVIDER, member->name);

    if (setting == NULL) {
        return is_passed_over(member->name)
                   ? ERR_OK
                   : refuse_at(refusal, REFUSAL_COMMON_INVALID_PARAMETERS, member->name, "is not a setting");
    }
    if (member->value.type != JSON_NULL && !auth_setting_fits(setting, &member->value)) {
        return refuse_at(refusal, REFUSAL_COMMON_INVALID_PARAMETERS, member->name, "has a value that is not allowed");
    }
    return ERR_OK;
}

/* The stored provider with the members of body over it. */
static void write_stored(struct json_out *out, const struct json_value *stored, const struct json_value *body)
{
    const struct auth_setting *setting = NULL;
    size_t at = 0;

    json_out_name(out, span_lit("emailProvider"));
    json_out_object(out);
    while ((setting = auth_setting_next(AUTH_SETTING_PROVIDER, &at)) != NULL) {
        const struct span name = auth_setting_name(setting);
        const struct json_value *given = json_find(body, name);
        const struct json_value *value = given != NULL ? given : json_find(stored, name);
        if (value != NULL && auth_setting_fits(setting, value)) {
            json_out_name(out, name);
            json_out_value(out, value);
        }
    }
    json_out_object_end(out);
}

enum err data_email_provider_set(struct data_txn *txn, struct data_call *call)
{
    const struct catalog_environment *stored = NULL;
    const struct json_value *body = NULL;
    struct json_out out;

    TRY(data_txn_admin_body(txn, call, &body));
    for (size_t i = 0; i < body->as.object.count; i++) {
        TRY(check_member(&body->as.object.members[i], &call->refusal));
    }
    environment_begin_again(txn, span_lit("emailProvider"), &out);
    write_stored(&out, json_find(txn->environment->record.doc, span_lit("emailProvider")), body);
    TRY(environment_end_again(txn, &out, &stored));
    return write_provider(call->out, data_txn_catalog(txn), stored);
}
