/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The reading routes of /v1/admin: contract 6. What changes something goes to the writer, by handle_manage. */
#include "firmware/api/request_int.h"

#include "firmware/api/error.h"
#include "firmware/data/email_settings.h"
#include "firmware/data/explain.h"
#include "firmware/data/oidc.h"
#include "firmware/data/operators.h"
#include "firmware/data/providers.h"
#include "firmware/data/templates.h"
#include "hal/base/fault.h"

static struct data_admin admin_of(struct api_request *request)
{
    return (struct data_admin){.reader = request->api->reader,
                               .catalog = request->catalog,
                               .key = request->auth.key,
                               .arena = request->exchange->arena,
                               .query = request->exchange->query,
                               .out = http_body(request->exchange),
                               .refusal = &request->refusal};
}

static enum err list(struct api_request *request, enum err (*read)(const struct data_admin *admin))
{
    TRY(request_begin_body(request));
    const struct data_admin admin = admin_of(request);
    return read(&admin);
}

static enum err get(struct api_request *request, enum err (*read)(const struct data_admin *admin, struct span id))
{
    TRY(request_begin_body(request));
    const struct data_admin admin = admin_of(request);
    return read(&admin, request->params[0]);
}

static enum err get_version(struct api_request *request)
{
    TRY(request_begin_body(request));
    const struct data_admin admin = admin_of(request);
    return data_get_schema_version(&admin, request->params[0], request->params[1]);
}

static struct explain_code code_of(enum refusal_code code)
{
    const struct error_entry *entry = error_entry(code);

    return (struct explain_code){entry->status, entry->code};
}

static enum err explain(struct api_request *request)
{
    TRY(request_begin_body(request));
    const struct data_admin admin = admin_of(request);
    return data_explain(&admin, request->body, code_of);
}

void handle_explain(struct api_request *request)
{
    const enum err err = request_object(request);

    request_finish(request, err == ERR_OK ? request_with_one_version(request, explain) : err);
}

static enum err start_simulation(struct api_request *request)
{
    TRY(request_begin_body(request));
    const struct data_admin admin = admin_of(request);
    return data_simulation_new(&admin, request->body, &request->simulation);
}

static enum err step_simulation(struct api_request *request, struct mono_time until)
{
    return data_simulation_step(request->simulation, request_loop_now, request->exchange->loop, until);
}

void handle_simulate(struct api_request *request)
{
    const enum err err = request_object(request);

    if (err != ERR_OK) {
        request_finish(request, err);
        return;
    }
    request_run(request, (struct api_work){start_simulation, step_simulation});
}

void handle_organizations(struct api_request *request)
{
    request_finish(request, list(request, data_list_organizations));
}

void handle_organization(struct api_request *request)
{
    request_finish(request, get(request, data_get_organization));
}

void handle_operators(struct api_request *request)
{
    request_finish(request, list(request, data_list_operators));
}

void handle_projects(struct api_request *request)
{
    request_finish(request, list(request, data_list_projects));
}

void handle_project(struct api_request *request)
{
    request_finish(request, get(request, data_get_project));
}

void handle_cors(struct api_request *request)
{
    request_finish(request, get(request, data_get_cors));
}

void handle_environments(struct api_request *request)
{
    request_finish(request, list(request, data_list_environments));
}

void handle_environment(struct api_request *request)
{
    request_finish(request, get(request, data_get_environment));
}

void handle_tables(struct api_request *request)
{
    request_finish(request, list(request, data_list_tables));
}

void handle_table(struct api_request *request)
{
    request_finish(request, get(request, data_get_table));
}

void handle_schema_versions(struct api_request *request)
{
    request_finish(request, get(request, data_list_schema_versions));
}

void handle_schema_version(struct api_request *request)
{
    request_finish(request, get_version(request));
}

void handle_index_versions(struct api_request *request)
{
    request_finish(request, get(request, data_list_index_versions));
}

void handle_keys(struct api_request *request)
{
    request_finish(request, list(request, data_list_keys));
}

void handle_key(struct api_request *request)
{
    request_finish(request, get(request, data_get_key));
}

static enum err start_outbox(struct api_request *request)
{
    TRY(request_begin_body(request));
    const struct data_admin admin = admin_of(request);
    return data_list_outbox(&admin, request->now, &request->list);
}

void handle_outbox(struct api_request *request)
{
    request_run(request, (struct api_work){start_outbox, request_step_list});
}

static enum err start_audit(struct api_request *request)
{
    TRY(request_begin_body(request));
    const struct data_admin admin = admin_of(request);
    return data_list_audit(&admin, &request->list);
}

void handle_audit(struct api_request *request)
{
    request_run(request, (struct api_work){start_audit, request_step_list});
}

static enum err start_verification(struct api_request *request)
{
    TRY(request_begin_body(request));
    const struct data_admin admin = admin_of(request);
    return data_verify_audit(&admin, &request->list);
}

void handle_audit_verify(struct api_request *request)
{
    request_run(request, (struct api_work){start_verification, request_step_list});
}

static enum err get_mail(struct api_request *request)
{
    TRY(request_begin_body(request));
    const struct data_admin admin = admin_of(request);
    return data_get_mail(&admin, request->params[0], request->now);
}

void handle_mail(struct api_request *request)
{
    request_finish(request, get_mail(request));
}

void handle_email_provider(struct api_request *request)
{
    request_finish(request, list(request, data_get_email_provider));
}

void handle_oidc_provider(struct api_request *request)
{
    request_finish(request, get(request, data_get_oidc));
}

void handle_email_settings(struct api_request *request)
{
    request_finish(request, list(request, data_get_email_settings));
}

void handle_templates(struct api_request *request)
{
    request_finish(request, list(request, data_list_templates));
}

void handle_template(struct api_request *request)
{
    request_finish(request, get(request, data_get_template));
}

static enum err preview(struct api_request *request)
{
    request->body = request_body(request); /* or none: the template as it is */
    if (request->body_refusal.code != REFUSAL_NONE) {
        request->refusal = request->body_refusal;
        return ERR_DENIED;
    }
    TRY(request_begin_body(request));
    const struct data_admin admin = admin_of(request);
    return data_preview_template(&admin, request->params[0], request->body);
}

void handle_template_preview(struct api_request *request)
{
    request_finish(request, preview(request));
}
