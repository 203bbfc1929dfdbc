/* SPDX-License-Identifier: GPL-3.0-or-later */
/* POST /v1/admin/secure-boot/plan {pcr7}, for owners: the firmware's keys are about to change, and after that PCR 7 will have this value
 * (board/image/pcr7.py says which). The box opens under the state of today and under that one. What is measured otherwise later on
 * needs the recovery key, as without a plan. Answers {success:true}. */
#include "firmware/api/request_int.h"

#include "firmware/data/doc.h"
#include "hal/base/fault.h"

#define RETRY_S 1

static enum err refuse_plan(struct api_request *request, enum err err)
{
    if (err == ERR_UNSUPPORTED) {
        return refuse(&request->refusal, REFUSAL_COMMON_CONFLICT, "The boot of this board is not measured");
    }
    if (err == ERR_STATE) {
        return refuse(&request->refusal, REFUSAL_COMMON_CONFLICT,
                      "Not possible now: the box was opened by its recovery key, or is not open");
    }
    const enum err denied = refuse(&request->refusal, REFUSAL_COMMON_UNAVAILABLE, NULL);
    request->refusal.retry_after_s = RETRY_S;
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
    if (hex_decode(doc_text(request->body, span_lit("pcr7")), job->pcr7, sizeof(job->pcr7)) != ERR_OK) {
        fault_clear();
        return refuse(&request->refusal, REFUSAL_COMMON_INVALID_PARAMETERS, "pcr7 must be 64 hexadecimal digits");
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
