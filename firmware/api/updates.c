/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Updates over the network, for owners. What the contract (10.2) leaves open:
 *
 *   GET  /v1/admin/updates                 what there is
 *   POST /v1/admin/updates                 begins one, or begins it anew
 *   POST /v1/admin/updates/bytes?offset=N  the next bytes of the file, at most a MiB and as they are
 *   POST /v1/admin/updates/install         once all of it is there: it is tried at the next start, which comes at once
 *
 * Each answers with the same object. The file is verified by the updater while it comes in; a piece that is refused ends the
 * update, one that comes twice does not (409, and `received` says where to go on). */
#include "firmware/api/request_int.h"

#include "hal/base/fault.h"
#include "net/json_out.h"

#define PIECE_MAX    1048576 /* bytes; the text below says so, too */
#define BUSY_RETRY_S 1
#define GONE_RETRY_S 5

/* --- answers --- */

static const struct {
    enum err err;
    enum refusal_code code;
    const char *text;
} refusals[] = {
    {ERR_UNSUPPORTED, REFUSAL_COMMON_CONFLICT, "The update is for another board"},
    {ERR_ROLLBACK, REFUSAL_COMMON_CONFLICT, "The update is not newer than what runs"},
    {ERR_REVOKED, REFUSAL_COMMON_CONFLICT, "The update is below the minimum security version"},
    {ERR_EXISTS, REFUSAL_COMMON_CONFLICT, "This version runs already"},
    {ERR_STATE, REFUSAL_COMMON_CONFLICT, "Not possible now: see state and trial"},
    {ERR_CONFLICT, REFUSAL_COMMON_CONFLICT,
     "offset is not where the last piece ended, or the parts are of different images"},
    {ERR_NOT_FOUND, REFUSAL_COMMON_CONFLICT, "What runs was not started from a slot"},
    {ERR_AUTH, REFUSAL_COMMON_INVALID_PARAMETERS, "The file is not signed by the vendor, or was changed"},
    {ERR_MALFORMED, REFUSAL_COMMON_INVALID_PARAMETERS, "Not an update file"},
    {ERR_VERSION, REFUSAL_COMMON_INVALID_PARAMETERS, "An update file of another format"},
    {ERR_RANGE, REFUSAL_COMMON_INVALID_PARAMETERS, "The update is larger than a slot"},
    {ERR_FULL, REFUSAL_COMMON_INSUFFICIENT_STORAGE, NULL},
};

static enum err refuse_update(struct api_request *request, enum err err)
{
    for (size_t i = 0; i < ARRAY_LENGTH(refusals); i++) {
        if (refusals[i].err == err) {
            return refuse(&request->refusal, refusals[i].code, refusals[i].text);
        }
    }
    const enum err denied = refuse(&request->refusal, REFUSAL_COMMON_UNAVAILABLE, NULL);
    request->refusal.retry_after_s = err == ERR_LIMIT ? BUSY_RETRY_S : GONE_RETRY_S;
    return denied;
}

static enum err write_status(struct api_request *request, const struct api_update_job *job)
{
    struct json_out out;

    TRY(request_begin_body(request));
    json_out_init(&out, http_body(request->exchange));
    json_out_object(&out);
    json_out_member_text(&out, span_lit("running"), span_str(job->running));
    json_out_member_bool(&out, span_lit("trial"), job->trial);
    json_out_member_text(&out, span_lit("state"), span_str(job->phase));
    json_out_member_int(&out, span_lit("received"), (int64_t)job->received);
    if (job->version[0] == '\0') {
        json_out_member_null(&out, span_lit("version"));
        json_out_member_null(&out, span_lit("securityVersion"));
    } else {
        json_out_member_text(&out, span_lit("version"), span_str(job->version));
        json_out_member_int(&out, span_lit("securityVersion"), job->security);
    }
    json_out_object_end(&out);
    return json_out_finish(&out);
}

static void on_answer(struct api_update_job *job, enum err err)
{
    struct api_request *const request =
        (struct api_request *)(void *)((char *)job - offsetof(struct api_request, update));

    if (err != ERR_OK) {
        fault_clear();
        request_finish(request, refuse_update(request, err));
        return;
    }
    request_finish(request, write_status(request, job));
}

/* --- questions --- */

static enum err start(struct api_request *request, enum api_update_kind kind)
{
    const struct api_updates *const updates = &request->api->options.updates;
    struct api_update_job *const job = &request->update;

    if (updates->start == NULL) {
        return refuse(&request->refusal, REFUSAL_COMMON_CONFLICT, "This board has no slots for updates");
    }
    job->done = on_answer;
    job->loop = request->exchange->loop;
    job->kind = kind;
    const enum err err = updates->start(updates->context, job);
    if (err != ERR_OK) {
        fault_clear();
        return refuse_update(request, err);
    }
    return ERR_OK;
}

void handle_update(struct api_request *request)
{
    request_begun(request, start(request, API_UPDATE_ASK));
}

void handle_update_begin(struct api_request *request)
{
    request_begun(request, start(request, API_UPDATE_BEGIN));
}

static enum err read_offset(struct api_request *request, uint64_t *out_offset)
{
    struct http_query query = http_query_of(request->exchange->query);
    struct span name = SPAN_NONE;
    struct span value = SPAN_NONE;

    if (http_query_next(&query, request->exchange->arena, &name, &value) != ERR_OK ||
        !span_equal(name, span_lit("offset")) || span_to_u64(value, INT64_MAX, out_offset) != ERR_OK ||
        http_query_next(&query, request->exchange->arena, &name, &value) != ERR_NOT_FOUND) {
        fault_clear();
        return refuse(&request->refusal, REFUSAL_COMMON_INVALID_PARAMETERS, "offset is needed, and nothing else");
    }
    fault_clear();
    return ERR_OK;
}

static enum err start_piece(struct api_request *request)
{
    TRY(read_offset(request, &request->update.offset));
    request->update.bytes = request->exchange->body;
    if (request->update.bytes.len == 0 || request->update.bytes.len > PIECE_MAX) {
        return refuse(&request->refusal, REFUSAL_COMMON_INVALID_PARAMETERS, "A piece is 1 to 1048576 bytes");
    }
    return start(request, API_UPDATE_PIECE);
}

void handle_update_piece(struct api_request *request)
{
    request_begun(request, start_piece(request));
}

void handle_update_install(struct api_request *request)
{
    request_begun(request, start(request, API_UPDATE_INSTALL));
}
