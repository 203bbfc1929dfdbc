/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Users and their sessions: who they are, and what administrators do with them. What changes something goes to the
 * writer. Spec: contract 5.4, 5.10. */
#include "firmware/api/sign_int.h"

#include "hal/base/fault.h"

static struct data_people_request people_request_of(struct api_request *request)
{
    struct data_people_request people = {.principal = &request->auth.principal,
                                         .arena = request->exchange->arena,
                                         .query = request->exchange->query,
                                         .now = request->now,
                                         .out = http_body(request->exchange),
                                         .refusal = &request->refusal};

    (void)data_directory(request->api->reader, request->catalog, NULL, &people.people); /* fills people */
    return people;
}

static enum err me(struct api_request *request)
{
    TRY(request_begin_body(request));
    const struct data_people_request people = people_request_of(request);
    return data_write_me(&people);
}

static enum err sessions(struct api_request *request)
{
    TRY(request_begin_body(request));
    const struct data_people_request people = people_request_of(request);
    return data_list_sessions(&people);
}

static enum err user(struct api_request *request)
{
    TRY(request_begin_body(request));
    const struct data_people_request people = people_request_of(request);
    return data_get_user(&people, request->params[0]);
}

/* The last segment of the path. */
static struct span part_of(const struct api_request *request)
{
    return request->exchange->segments[request->exchange->segment_count - 1];
}

static enum err user_part(struct api_request *request)
{
    TRY(request_begin_body(request));
    const struct data_people_request people = people_request_of(request);
    return data_get_user_part(&people, request->params[0], part_of(request));
}

void handle_user_part(struct api_request *request)
{
    request_finish(request, user_part(request));
}

void handle_user_part_change(struct api_request *request)
{
    request->params[1] = part_of(request);
    request_begun(request, request_submit(request, NULL));
}

void handle_me(struct api_request *request)
{
    request_finish(request, me(request));
}

static enum err accounts(struct api_request *request)
{
    TRY(request_begin_body(request));
    const struct data_people_request people = people_request_of(request);
    return data_list_accounts(&people);
}

void handle_accounts(struct api_request *request)
{
    request_finish(request, accounts(request));
}

void handle_sessions(struct api_request *request)
{
    request_finish(request, sessions(request));
}

void handle_user(struct api_request *request)
{
    request_finish(request, user(request));
}

/* --- making one: for administrators --- */

static enum err read_new_user(struct sign *sign)
{
    struct api_request *request = sign->request;
    const struct span email = doc_text(request->body, span_lit("email"));

    sign->data.name = doc_text(request->body, span_lit("name"));
    if (!data_name_fits(sign->data.name)) {
        return refuse(&request->refusal, REFUSAL_USER_INVALID_NAME, "name must be a text of 1 to 100 characters");
    }
    if (account_email_read(email, &sign->email) != ERR_OK) {
        fault_clear();
        return refuse(&request->refusal, REFUSAL_USER_INVALID_REQUEST, "email is not a valid address");
    }
    sign->data.email = span_of(sign->email.text, sign->email.len);
    auth_uuid_make(request->api->random, sign->user_id);
    sign->data.user_id = span_array(sign->user_id);
    return ERR_OK;
}

static enum err create_user(struct api_request *request)
{
    struct sign *sign = NULL;

    if (request->auth.principal.who.group != RLS_ADMIN) {
        return refuse(&request->refusal, REFUSAL_USER_FORBIDDEN, NULL);
    }
    TRY(sign_new(request, &sign));
    TRY(request_object(request));
    TRY(read_new_user(sign));
    const struct json_value *password = json_find(request->body, span_lit("password"));
    if (password == NULL || password->type == JSON_NULL) {
        return request_submit(request, &sign->data);
    }
    if (password->type != JSON_STRING) {
        return refuse(&request->refusal, REFUSAL_USER_INVALID_REQUEST, "password must be a text");
    }
    TRY(sign_check_password(request, password->as.text));
    return sign_hash_new(sign, password->as.text, sign_submit_hashed);
}

void handle_user_create(struct api_request *request)
{
    request_begun(request, create_user(request));
}
