/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Users and their sessions: who they are, and what administrators do with them. What changes something goes to the
 * writer. Spec: contract 5.4, 5.10. */
#include "firmware/api/request_int.h"

#include <string.h>

#include "firmware/auth/account.h"
#include "firmware/data/doc.h"
#include "firmware/data/people.h"
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

void handle_sessions(struct api_request *request)
{
    request_finish(request, sessions(request));
}

void handle_user(struct api_request *request)
{
    request_finish(request, user(request));
}

/* --- making one: for administrators --- */

struct new_user {
    struct data_sign sign;
    struct account_email email;
    char id[AUTH_UUID_BYTES];
};

static enum err read_new_user(struct api_request *request, struct new_user *out)
{
    const struct span email = doc_text(request->body, span_lit("email"));

    out->sign.name = doc_text(request->body, span_lit("name"));
    if (!data_name_fits(out->sign.name)) {
        return refuse(&request->refusal, REFUSAL_USER_INVALID_NAME, "name must be a text of 1 to 100 characters");
    }
    if (account_email_read(email, &out->email) != ERR_OK) {
        fault_clear();
        return refuse(&request->refusal, REFUSAL_USER_INVALID_REQUEST, "email is not a valid address");
    }
    if (doc_has(request->body, span_lit("password"))) {
        return refuse(&request->refusal, REFUSAL_USER_INVALID_REQUEST,
                      "password is not available here: the user signs up, or resets it");
    }
    out->sign.email = span_of(out->email.text, out->email.len);
    auth_uuid_make(request->api->random, out->id);
    out->sign.user_id = span_array(out->id);
    return ERR_OK;
}

static enum err create_user(struct api_request *request)
{
    void *memory = NULL;

    if (request->auth.principal.who.group != RLS_ADMIN) {
        return refuse(&request->refusal, REFUSAL_USER_FORBIDDEN, NULL);
    }
    TRY(arena_alloc(request->exchange->arena, sizeof(struct new_user), &memory));
    struct new_user *user = memory;
    TRY(request_object(request));
    TRY(read_new_user(request, user));
    return request_submit(request, &user->sign);
}

void handle_user_create(struct api_request *request)
{
    request_begun(request, create_user(request));
}
