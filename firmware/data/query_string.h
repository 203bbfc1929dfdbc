/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The query part of a URL as a list of decoded names and values. */
#ifndef FIRMWARE_DATA_QUERY_STRING_H
#define FIRMWARE_DATA_QUERY_STRING_H

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/mem.h"
#include "hal/base/span.h"

struct query_param {
    struct span name, value; /* decoded, UTF-8, in the arena */
};

/* A reader over the text; `rest` is private. */
struct query_string {
    struct span rest;
};

static inline struct query_string query_string_of(struct span query)
{
    return (struct query_string){query};
}

/* The next parameter: "name=value" or "name", "+" means a space.
 * ERR_NOT_FOUND at the end; ERR_MALFORMED for a bad percent sign, U+0000 or bytes that are no UTF-8; ERR_NO_MEMORY. */
enum err query_string_next(struct query_string *query, struct arena *arena, struct query_param *out_param) MUST_USE;

#endif
