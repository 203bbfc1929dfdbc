/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Invitations: what is sent, answered and read. Whoever may not invite is refused before the body is looked at and before
 * anything is counted for an address. Spec: contract 5.9. */
#include "firmware/api/sign_int.h"

#include "firmware/data/invitations.h"
#include "hal/base/fault.h"

/* --- inviting --- */

/* A text that may be missing: null and an empty one are none. */
static enum err read_name(struct api_request *request, struct span name, struct span *out_text)
{
    struct span text = SPAN_NONE;

    TRY(sign_read_maybe(request, name, &text));
    if (span_code_points(text) > DATA_INVITATION_NAME) {
        return sign_refuse_field(request, name, "must have at most 100 characters");
    }
    *out_text = text;
    return ERR_OK;
}

static enum err read_role(struct api_request *request, struct span *out_role)
{
    const struct span name = span_lit("resourceRole");

    TRY(sign_read_text(request, name, out_role));
    if (span_equal(*out_role, span_lit("admin"))) {
        return refuse(&request->refusal, REFUSAL_AUTH_FORBIDDEN, "An invitation makes nobody an administrator");
    }
    return data_invitation_is_role(*out_role)
               ? ERR_OK
               : sign_refuse_field(request, name, "must be user, or a custom role: a-z, 0-9, _ and -, at most 32");
}

static enum err read_invitation(struct sign *sign, struct data_invitation *out)
{
    struct api_request *request = sign->request;
    const struct span type = span_lit("resourceType");

    TRY(request_object(request));
    TRY(sign_read_text(request, type, &out->type));
    if (!data_invitation_is_type(out->type)) {
        return sign_refuse_field(request, type, "must be organization or project");
    }
    TRY(sign_read_text(request, span_lit("resourceId"), &out->resource_id));
    TRY(sign_read_callback(sign));
    TRY(sign_read_email(sign));
    TRY(read_name(request, span_lit("name"), &sign->data.name));
    TRY(read_name(request, span_lit("resourceName"), &out->resource_name));
    TRY(read_name(request, span_lit("inviterName"), &out->inviter_name));
    TRY(read_role(request, &out->role));
    return data_invitation_check_resource(request->project, out, &request->refusal);
}

static enum err start_invite(struct api_request *request)
{
    struct data_invitation *invitation = NULL;
    struct sign *sign = NULL;
    void *memory = NULL;

    TRY(data_invitation_check(&request->auth.principal, &request->refusal));
    TRY(sign_new(request, &sign));
    TRY(arena_alloc(request->exchange->arena, sizeof *invitation, &memory));
    invitation = memory;
    TRY(read_invitation(sign, invitation));
    sign->data.invitation = invitation;
    TRY(sign_take_mail(sign));
    TRY(sign_make_mail(sign, MAIL_INVITATION));
    return request_submit(request, &sign->data);
}

void handle_invite(struct api_request *request)
{
    request_begun(request, start_invite(request));
}

/* --- answering --- */

enum email_need { EMAIL_MAYBE, EMAIL_NEEDED };

static enum err start_answer(struct api_request *request, enum email_need need)
{
    struct data_code_of of = {.purpose = DATA_CODE_INVITE};
    struct sign *sign = NULL;

    TRY(sign_new(request, &sign));
    TRY(request_object(request));
    TRY(sign_read_text(request, span_lit("token"), &of.code));
    if (need == EMAIL_NEEDED || doc_has(request->body, span_lit("email"))) {
        TRY(sign_read_email(sign));
    }
    of.environment_id = sign_environment(sign);
    data_code_digest(&of, sign->data.presented);
    return request_submit(request, &sign->data);
}

void handle_invitation_accept(struct api_request *request)
{
    request_begun(request, start_answer(request, EMAIL_MAYBE));
}

void handle_invitation_reject(struct api_request *request)
{
    request_begun(request, start_answer(request, EMAIL_NEEDED));
}

/* --- reading --- */

static struct data_request data_request_of(struct api_request *request)
{
    return (struct data_request){.people = &request->people,
                                 .reader = request->api->reader,
                                 .catalog = request->catalog,
                                 .arena = request->exchange->arena,
                                 .query = request->exchange->query,
                                 .out = http_body(request->exchange),
                                 .refusal = &request->refusal};
}

/* What a list points at has to live as long as it. */
struct kept {
    struct data_request data;
    struct data_invitations_request asked;
};

static enum err ask(struct api_request *request, struct kept **out_kept)
{
    void *memory = NULL;

    TRY(arena_alloc(request->exchange->arena, sizeof **out_kept, &memory));
    *out_kept = memory;
    (*out_kept)->data = data_request_of(request);
    (*out_kept)->asked = (struct data_invitations_request){
        .request = &(*out_kept)->data, .principal = &request->auth.principal, .now = request->now};
    return ERR_OK;
}

static enum err start_list(struct api_request *request)
{
    struct kept *kept = NULL;

    TRY(ask(request, &kept));
    TRY(request_begin_body(request));
    return data_list_invitations(&kept->asked, &request->list);
}

void handle_invitations(struct api_request *request)
{
    request_run(request, (struct api_work){start_list, request_step_list});
}

static enum err get_one(struct api_request *request)
{
    struct kept *kept = NULL;

    TRY(ask(request, &kept));
    TRY(request_begin_body(request));
    return data_get_invitation(&kept->asked, request->params[0]);
}

void handle_invitation(struct api_request *request)
{
    request_finish(request, request_with_one_version(request, get_one));
}
