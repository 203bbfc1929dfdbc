/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The one table of public errors: what a client sees of each refusal. Spec: contract 1.4, 1.6. */
#ifndef FIRMWARE_API_ERROR_H
#define FIRMWARE_API_ERROR_H

#include <stdbool.h>
#include <stdint.h>

#include "firmware/auth/refusal.h"
#include "hal/base/buf.h"
#include "hal/base/span.h"

struct error_entry {
    enum refusal_code refusal;
    unsigned int status;
    const char *code;    /* "data/not-found" */
    const char *name;    /* "NOT_FOUND" */
    const char *message; /* when the refusal brings none */
};

/* The entry of a code; the one of common/internal-error for a number that is none. */
const struct error_entry *error_entry(enum refusal_code code);

enum error_form { ERROR_SUPERSET, ERROR_LEGACY };

/* Appends the body of contract 1.4. ERR_RANGE, ERR_NO_MEMORY: the buffer's. */
enum err error_write(struct buf *out, const struct refusal *refusal, enum error_form form, struct span request_id)
    MUST_USE;

/* What a failure of ours becomes: ERR_FULL 507, ERR_LIMIT and the like 503, the rest 500. */
void error_of_failure(enum err err, struct refusal *out_refusal);

#endif
