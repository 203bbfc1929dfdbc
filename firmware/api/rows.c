/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The data routes of contract 4.1. A read is answered at once; a list in slices of the loop, a long one under the limit
 * of concurrent scans of its key; a write goes to the writer thread and is answered when it is on disk. */
#include "firmware/api/request_int.h"

#include <string.h>

#include "firmware/api/error.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"

static enum err open_access(struct api_request *request, enum rls_op op)
{
    return data_access_open(request->catalog, &request->auth.principal, request->params[0], op, &request->access,
                            &request->refusal);
}

static struct data_request data_request_of(struct api_request *request)
{
    const bool named = request->auth.bearer.present || request->auth.on_behalf.len != 0;

    return (struct data_request){.people = named ? &request->people : NULL,
                                 .reader = request->api->reader,
                                 .catalog = request->catalog,
                                 .access = &request->access,
                                 .arena = request->exchange->arena,
                                 .query = request->exchange->query,
                                 .out = http_body(request->exchange),
                                 .refusal = &request->refusal};
}

/* --- read --- */

#define FRESH_TRIES 4 /* a catalogue changes once in a fsync at most, a try takes microseconds */

enum err request_with_one_version(struct api_request *request, enum err (*read)(struct api_request *request))
{
    enum err err = read(request);

    for (unsigned int i = 1; err == ERR_CONFLICT && i < FRESH_TRIES; i++) {
        fault_clear();
        TRY(request_verify_again(request));
        err = read(request);
    }
    return err;
}

static enum err read_row(struct api_request *request)
{
    TRY(open_access(request, RLS_READ));
    TRY(request_begin_body(request));
    const struct data_request data = data_request_of(request);
    return data_read(&data, request->params[1]);
}

void handle_read(struct api_request *request)
{
    request_finish(request, request_with_one_version(request, read_row));
}

static enum err describe(struct api_request *request, enum err (*write)(const struct data_request *request))
{
    TRY(data_access_open_description(request->catalog, &request->auth.principal, request->params[0], &request->access,
                                     &request->refusal));
    TRY(request_begin_body(request));
    const struct data_request data = data_request_of(request);
    return write(&data);
}

void handle_spec(struct api_request *request)
{
    request_finish(request, describe(request, data_write_spec));
}

void handle_openapi(struct api_request *request)
{
    request_finish(request, describe(request, data_write_openapi));
}

/* --- list --- */

struct mono_time request_loop_now(void *context)
{
    return loop_clock_now(context);
}

enum err request_step_list(struct api_request *request, struct mono_time until)
{
    return data_list_step(request->list, request_loop_now, request->exchange->loop, until);
}

static enum loop_slice_result run_slice(struct loop_slice *slice, struct mono_time until)
{
    void *place = (char *)slice - offsetof(struct api_request, slice);
    struct api_request *request = place;
    const enum err err = request->cancelled ? ERR_CANCELLED : request->work.step(request, until);

    if (err == ERR_AGAIN) {
        fault_clear();
        return LOOP_SLICE_AGAIN;
    }
    request_finish(request, err);
    return LOOP_SLICE_DONE;
}

static void on_cancel(struct http_exchange *exchange, enum err why)
{
    struct api_request *request = exchange->user;

    (void)why; /* gone, late or stopping: in each case the work is not worth finishing */
    request->cancelled = true;
}

static enum err start_list(struct api_request *request)
{
    TRY(open_access(request, RLS_LIST));
    TRY(request_begin_body(request));
    const struct data_request data = data_request_of(request);
    return data_list_new(&data, &request->list);
}

static enum err refuse_scan(struct api_request *request, const char *why)
{
    fault_clear();
    const enum err err = refuse(&request->refusal, REFUSAL_DATA_RATE_LIMIT_EXCEEDED, why);
    request->refusal.retry_after_s = 1;
    return err;
}

/* A list that goes on beyond its first slice counts as a scan of its key, and as one of its key at this address: a
 * publishable key is everybody's, and one client of it shall not have all its scans. */
static enum err hold_scan(struct api_request *request)
{
    struct limits *limits = request->api->options.limits;
    const struct span key = span_array(request->auth.key->hash);
    const struct span own = auth_bucket(request->auth.key, request->headers.auth.address, request->scan_bucket);

    if (limits_hold(limits, AUTH_LIMIT_OWN_SCANS, own, CONFIG_API_SCANS_PER_ADDRESS) != ERR_OK) {
        return refuse_scan(request, "Too many long lists at a time (429), please retry later");
    }
    if (limits_hold(limits, AUTH_LIMIT_SCANS, key, CONFIG_API_SCANS_PER_KEY) != ERR_OK) {
        limits_drop(limits, AUTH_LIMIT_OWN_SCANS, own);
        return refuse_scan(request, "Too many long lists of this key at a time (429), please retry later");
    }
    request->scan_bucket_len = own.len;
    request->holds_scan = true;
    return ERR_OK;
}

static enum err first_slice(struct api_request *request)
{
    struct mono_time until = loop_clock_now(request->exchange->loop);

    TRY(request_with_one_version(request, request->work.start));
    until.ns += LOOP_SLICE_NS;
    const enum err err = request->work.step(request, until);
    if (err != ERR_AGAIN) {
        return err;
    }
    fault_clear();
    TRY(hold_scan(request));
    return ERR_AGAIN;
}

void request_run(struct api_request *request, struct api_work work)
{
    request->work = work;
    const enum err err = first_slice(request);

    if (err != ERR_AGAIN) {
        request_finish(request, err);
        return;
    }
    fault_clear();
    request->exchange->user = request;
    request->exchange->on_cancel = on_cancel;
    request->slice.run = run_slice;
    loop_slice_start(request->exchange->loop, &request->slice);
}

void handle_list(struct api_request *request)
{
    request_run(request, (struct api_work){start_list, request_step_list});
}

static enum err start_users(struct api_request *request)
{
    TRY(data_access_open_users(request->catalog, &request->auth.principal, &request->access, &request->refusal));
    TRY(request_begin_body(request));
    const struct data_request data = data_request_of(request);
    return data_list_new(&data, &request->list);
}

void handle_users(struct api_request *request)
{
    request_run(request, (struct api_work){start_users, request_step_list});
}

/* --- write --- */

static void on_written(struct data_call *call)
{
    struct api_request *request = call->user;

    enum err err = call->err == ERR_LIMIT ? ERR_FULL : call->err;

    request->status = call->status;
    if (err == ERR_OK && call->refusal.code != REFUSAL_NONE) {
        err = ERR_DENIED; /* what it did is on disk; the answer refuses */
    }
    if (err == ERR_DENIED) {
        request->refusal = call->refusal;
    }
    request_finish(request, err);
}

static struct span code_of(enum refusal_code code)
{
    return span_str(error_entry(code)->code);
}

/* Rows are no business of the audit log's. */
static const struct data_origin *origin_of(struct api_request *request)
{
    size_t len = 0;

    if (request->route->who == ROUTE_KEY) {
        return NULL;
    }
    if (request->exchange->peer != NULL) {
        socket_address_format(request->exchange->peer, request->address, &len);
    }
    request->origin = (struct data_origin){.ip = span_of(request->address, len),
                                           .user_agent = request->headers.user_agent.value,
                                           .request_id = span_of(request->id, request->id_len),
                                           .code_of = code_of};
    return &request->origin;
}

/* Hands the request to the writer. An operation that meets a limit of the store or of the catalogue answers as a full
 * disk does: nothing was written, and there is no room for more. */
enum err request_submit(struct api_request *request, const struct data_sign *sign)
{
    struct data_call *call = &request->call;

    call->data = request->api->options.data;
    call->loop = request->exchange->loop;
    call->arena = request->exchange->arena;
    call->out = http_body(request->exchange);
    call->operation = request->operation != NULL ? request->operation : request->route->operation;
    call->done = on_written;
    call->user = request;
    if (request->auth.key != NULL) {
        memcpy(call->key_hash, request->auth.key->hash, sizeof call->key_hash);
    }
    call->place = request->place;
    call->operators = request->operators;
    call->duty = request->duty;
    call->query = request->exchange->query;
    call->bearer = request->auth.bearer;
    call->on_behalf = request->auth.on_behalf;
    call->sign = sign;
    call->origin = origin_of(request);
    call->table = request->params[0];
    call->id = request->params[1];
    call->body = sign != NULL ? request->body : request_body(request);
    call->body_refusal = request->body_refusal.code == REFUSAL_NONE ? NULL : &request->body_refusal;
    TRY(request_begin_body(request));
    return data_submit(call);
}

static enum rls_op op_of(enum http_method method)
{
    return method == HTTP_POST ? RLS_CREATE : (method == HTTP_PATCH ? RLS_UPDATE : RLS_DELETE);
}

/* Who may not do it at all need not wait for the writer; whoever may is asked again there. */
static enum err start_write(struct api_request *request)
{
    TRY(open_access(request, op_of(request->exchange->method)));
    return request_submit(request, NULL);
}

void handle_row_write(struct api_request *request)
{
    request_begun(request, start_write(request));
}

void handle_manage(struct api_request *request)
{
    request_begun(request, request_submit(request, NULL));
}
