/* SPDX-License-Identifier: GPL-3.0-or-later */
/* POST /v1/admin/secure-boot/plan {plan}, for owners: the firmware's keys are about to change, and this is the text that the vendor has
 * signed about what PCR 7 will be then (board/image/plan.py). The keeper verifies it; here it is bytes. The box opens under the state of
 * today and under that one. What is measured otherwise later on needs the recovery key, as without a plan. Answers {success:true}. */
#include "firmware/api/request_int.h"

#include "firmware/data/doc.h"
#include "hal/base/fault.h"

#define BUSY_RETRY_S 5 /* the keeper looks at no more than one in that time */
#define GONE_RETRY_S 1

static const struct {
    enum err err;
    enum refusal_code code;
    const char *text;
} refusals[] = {
    {ERR_MALFORMED, REFUSAL_COMMON_INVALID_PARAMETERS, "Not a plan of Secure Boot"},
    {ERR_AUTH, REFUSAL_COMMON_INVALID_PARAMETERS, "The plan is not signed by the vendor, or was changed"},
    {ERR_UNSUPPORTED, REFUSAL_COMMON_CONFLICT, "The boot of this board is not measured"},
    {ERR_CONFLICT, REFUSAL_COMMON_CONFLICT, "The plan is for another board"},
    {ERR_ROLLBACK, REFUSAL_COMMON_CONFLICT, "The plan is older than one that this box has taken"},
    {ERR_REVOKED, REFUSAL_COMMON_CONFLICT, "The plan is below the minimum security version"},
    {ERR_STATE, REFUSAL_COMMON_CONFLICT, "Not possible now: the box was opened by its recovery key, or is not open"},
    {ERR_FULL, REFUSAL_COMMON_INSUFFICIENT_STORAGE, NULL},
};

static enum err refuse_plan(struct api_request *request, enum err err)
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

static void on_planned(struct api_plan_job *job, enum err err)
{
    struct api_request *const request =
        (struct api_request *)(void *)((char *)job - offsetof(struct api_request, plan));

    if (err != ERR_OK) {
        fault_clear();
        request_finish(request, refuse_plan(request, err));
        return;
    }
    err = request_begin_body(request);
    request_finish(request, err != ERR_OK ? err : buf_put(http_body(request->exchange), span_lit("{\"success\":true}")));
}

static enum err start(struct api_request *request)
{
    const struct api_plans *const plans = &request->api->options.plans;
    struct api_plan_job *const job = &request->plan;

    TRY(request_object(request));
    job->plan = doc_text(request->body, span_lit("plan"));
    if (job->plan.len == 0 || job->plan.len > API_PLAN_MAX) {
        return refuse(&request->refusal, REFUSAL_COMMON_INVALID_PARAMETERS, "plan must be the text of a signed plan");
    }
    job->done = on_planned;
    job->loop = request->exchange->loop;
    const enum err err = plans->start == NULL ? ERR_UNSUPPORTED : plans->start(plans->context, job);
    if (err != ERR_OK) {
        fault_clear();
        return refuse_plan(request, err);
    }
    return ERR_OK;
}

void handle_secure_boot_plan(struct api_request *request)
{
    request_begun(request, start(request));
}
