/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Members of a JSON object, by name and with a default: for stored documents and for bodies of the management API. */
#ifndef FIRMWARE_DATA_DOC_H
#define FIRMWARE_DATA_DOC_H

#include <stdbool.h>
#include <stdint.h>

#include "hal/base/json_value.h"
#include "hal/base/span.h"

/* The text, or an empty span if it is missing, null or of another type. */
static inline struct span doc_text(const struct json_value *doc, struct span name)
{
    const struct json_value *value = json_find(doc, name);

    return value != NULL && value->type == JSON_STRING ? value->as.text : SPAN_NONE;
}

static inline bool doc_bool(const struct json_value *doc, struct span name, bool otherwise)
{
    const struct json_value *value = json_find(doc, name);

    return value != NULL && value->type == JSON_BOOL ? value->as.boolean : otherwise;
}

static inline int64_t doc_int(const struct json_value *doc, struct span name, int64_t otherwise)
{
    const struct json_value *value = json_find(doc, name);

    return value != NULL && value->type == JSON_INT ? value->as.integer : otherwise;
}

/* Is the member there and not null? */
static inline bool doc_has(const struct json_value *doc, struct span name)
{
    const struct json_value *value = json_find(doc, name);

    return value != NULL && value->type != JSON_NULL;
}

#endif
