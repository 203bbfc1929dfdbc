/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A job as the courier has it, and its answer. */
#ifndef FIRMWARE_COURIER_JOB_H
#define FIRMWARE_COURIER_JOB_H

#include "hal/base/buf.h"
#include "net/outbound.h"

/* to, mail and fetch are as in struct outbound_job; fetch.answer is not used here. Borrowed while it is carried out. */
struct courier_job {
    struct outbound_destination to; /* kind says which of the next two counts */
    struct outbound_mail mail;
    struct outbound_fetch fetch;
};

struct courier_answer {
    enum outbound_result result;
    enum outbound_stage stage;
    uint32_t status; /* SMTP reply or HTTP status; 0: none came */
};

#endif
