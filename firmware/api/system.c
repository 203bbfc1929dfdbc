/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Routes without a key: health, state, unlocking, and the public half of the token keys. Contract 1.1, 10.2. */
#include "firmware/api/request_int.h"

#include "firmware/data/doc.h"
#include "hal/base/fault.h"
#include "net/json_out.h"

#define PIN_MAX             64
#define RECOVERY_MAX        160
#define UNLOCK_BODY_MAX     1024 /* room for either, escaped; who has no key makes us parse no more */
#define TPM_RECOVERY_S      600 /* the TPM gives one try back in this time: architecture, Unsealing */
#define UNAVAILABLE_RETRY_S 5

static void answer_raw(struct api_request *request, struct span json)
{
    request_finish(request, buf_put(http_body(request->exchange), json));
}

void handle_health(struct api_request *request)
{
    answer_raw(request, span_lit("{\"status\":\"ok\"}"));
}

void handle_ready(struct api_request *request)
{
    if (request->api->options.state != BOARD_OPERATIONAL) {
        const enum err err = refuse(&request->refusal, REFUSAL_COMMON_UNAVAILABLE, NULL);
        request->refusal.retry_after_s = UNAVAILABLE_RETRY_S;
        request_finish(request, err);
        return;
    }
    answer_raw(request, span_lit("{\"status\":\"ready\"}"));
}

void handle_state(struct api_request *request)
{
    const struct api_options *options = &request->api->options;
    const char *reason = life_reason_name(options->reason);
    struct json_out out;

    json_out_init(&out, http_body(request->exchange));
    json_out_object(&out);
    json_out_member_text(&out, span_lit("state"), span_str(life_state_name(options->state)));
    if (reason == NULL) {
        json_out_member_null(&out, span_lit("reason"));
    } else {
        json_out_member_text(&out, span_lit("reason"), span_str(reason));
    }
    json_out_member_text(&out, span_lit("version"), span_str(options->version));
    json_out_object_end(&out);
    request_finish(request, json_out_finish(&out));
}

void handle_version(struct api_request *request)
{
    answer_raw(request, request->api->options.about);
}

void handle_jwks(struct api_request *request)
{
    struct json_out out;

    json_out_init(&out, http_body(request->exchange));
    const enum err err = data_write_token_keys(request->catalog, request->exchange->arena, request->exchange->query,
                                               request->now, &out);
    request_finish(request, err == ERR_MALFORMED ? refuse(&request->refusal, REFUSAL_COMMON_INVALID_PARAMETERS,
                                                          "The query string is not well-formed")
                                                 : err);
}

/* --- unlocking --- */

/* What a failed try answers. No code of contract 1.6 is about unlocking, so the nearest are used: a wrong secret is a
 * credential that is not valid, a lockout or a second try within the second is a rate. */
static enum err refuse_unlock(enum err err, struct refusal *refusal)
{
    if (err == ERR_AUTH || err == ERR_PIN) {
        return refuse(refusal, REFUSAL_AUTH_INVALID_CREDENTIALS, "The PIN or recovery key is not right");
    }
    if (err == ERR_MALFORMED) {
        return refuse(refusal, REFUSAL_COMMON_INVALID_PARAMETERS,
                      "recoveryKey is mistyped: its check word does not fit");
    }
    if (err == ERR_STATE) {
        return refuse(refusal, REFUSAL_COMMON_CONFLICT, "The appliance is not locked");
    }
    if (err == ERR_LIMIT || err == ERR_LOCKED) {
        const enum err denied = refuse(refusal, REFUSAL_AUTH_TOO_MANY_LOGIN_ATTEMPTS, NULL);
        refusal->retry_after_s = err == ERR_LOCKED ? TPM_RECOVERY_S : 1;
        return denied;
    }
    const enum err denied = refuse(refusal, REFUSAL_COMMON_UNAVAILABLE, NULL);
    refusal->retry_after_s = UNAVAILABLE_RETRY_S;
    return denied;
}

static void finish_unlock(struct api_request *request, enum err err)
{
    if (err != ERR_OK) {
        fault_clear();
        request_finish(request, refuse_unlock(err, &request->refusal));
        return;
    }
    answer_raw(request, span_lit("{\"success\":true}"));
}

static void on_unlocked(struct api_unlock_job *job, enum err err)
{
    void *request = (char *)job - offsetof(struct api_request, unlock);

    finish_unlock(request, err);
}

/* Null is none; anything else that is no text was meant to be one. */
static enum err read_secret(struct api_request *request, struct span name, struct span *out_text)
{
    if (doc_has(request->body, name) && json_find(request->body, name)->type != JSON_STRING) {
        return REFUSE_TEXT(&request->refusal, REFUSAL_COMMON_INVALID_PARAMETERS, name, span_lit(" must be a string"));
    }
    *out_text = doc_text(request->body, name);
    return ERR_OK;
}

/* What only the recovery key may allow. Absent, null and false are no. */
static enum err read_consent(struct api_request *request, struct span name, bool *out_given)
{
    const bool is_there = doc_has(request->body, name);

    if (is_there && json_find(request->body, name)->type != JSON_BOOL) {
        return REFUSE_TEXT(&request->refusal, REFUSAL_COMMON_INVALID_PARAMETERS, name, span_lit(" must be true or false"));
    }
    const bool is_given = is_there && doc_bool(request->body, name, false);
    if (is_given && !request->unlock.is_recovery_key) {
        return REFUSE_TEXT(&request->refusal, REFUSAL_COMMON_INVALID_PARAMETERS, name, span_lit(" needs the recoveryKey"));
    }
    *out_given = is_given;
    return ERR_OK;
}

static enum err read_unlock(struct api_request *request)
{
    struct api_unlock_job *job = &request->unlock;
    struct span recovery = SPAN_NONE;
    struct span pin = SPAN_NONE;
    bool accepted = false;

    if (request->exchange->body.len > UNLOCK_BODY_MAX) {
        return refuse(&request->refusal, REFUSAL_COMMON_PAYLOAD_TOO_LARGE, NULL);
    }
    TRY(request_object(request));
    TRY(read_secret(request, span_lit("pin"), &pin));
    TRY(read_secret(request, span_lit("recoveryKey"), &recovery));
    if ((pin.len == 0) == (recovery.len == 0) || pin.len > PIN_MAX || recovery.len > RECOVERY_MAX) {
        return refuse(&request->refusal, REFUSAL_COMMON_INVALID_PARAMETERS, "Either pin or recoveryKey is needed");
    }
    job->is_recovery_key = recovery.len != 0;
    job->text = job->is_recovery_key ? recovery : pin;
    /* There is nothing that it would accept yet: no box is locked for a rollback before there is an NV counter. */
    TRY(read_consent(request, span_lit("acceptRollback"), &accepted));
    TRY(read_consent(request, span_lit("setDateBack"), &job->sets_date_back));
    job->done = on_unlocked;
    return ERR_OK;
}

void handle_unlock(struct api_request *request)
{
    const struct api_unlock *unlock = &request->api->options.unlock;
    const enum err read = read_unlock(request);

    if (read != ERR_OK) {
        request_finish(request, read);
        return;
    }
    const enum err err = unlock->start == NULL ? ERR_UNSUPPORTED : unlock->start(unlock->context, &request->unlock);
    if (err != ERR_OK) {
        finish_unlock(request, err);
    }
}
