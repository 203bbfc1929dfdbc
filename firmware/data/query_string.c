/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Splits and decodes a query string. Each value is decoded once, into the request's arena. */
#include "firmware/data/query_string.h"

#include <stdint.h>

#include "hal/base/fault.h"
#include "hal/base/num.h"

static enum err decode(struct arena *arena, struct span text, struct span *out_text)
{
    void *memory = NULL;
    size_t len = 0;
    TRY(arena_alloc(arena, text.len, &memory));
    uint8_t *bytes = memory;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.data[i] == '+' ? (uint8_t)' ' : text.data[i];
        if (byte == '%') {
            struct span digits;
            ENSURE(span_slice(text, i + 1, 2, &digits) == ERR_OK, ERR_MALFORMED, "a percent sign at the end");
            ENSURE(hex_decode(digits, &byte, 1) == ERR_OK, ERR_MALFORMED, "a percent sign without digits");
            i += 2;
        }
        ENSURE(byte != 0, ERR_MALFORMED, "U+0000 in a query");
        bytes[len] = byte;
        len++;
    }
    const struct span decoded = span_of(bytes, len);
    ENSURE(span_is_utf8(decoded), ERR_MALFORMED, "a query that is not UTF-8");
    *out_text = decoded;
    return ERR_OK;
}

enum err query_string_next(struct query_string *query, struct arena *arena, struct query_param *out_param)
{
    struct query_param param;
    while (query->rest.len > 0 && query->rest.data[0] == '&') {
        query->rest = span_of(query->rest.data + 1, query->rest.len - 1);
    }
    if (query->rest.len == 0) {
        return ERR_NOT_FOUND; /* the end is no fault */
    }
    const struct span part = span_of(query->rest.data, span_find(query->rest, '&'));
    const size_t equals = span_find(part, '=');
    const size_t skipped = num_min(equals + 1, part.len);
    TRY(decode(arena, span_of(part.data, equals), &param.name));
    TRY(decode(arena, span_of(part.data + skipped, part.len - skipped), &param.value));
    query->rest = span_of(query->rest.data + part.len, query->rest.len - part.len);
    *out_param = param;
    return ERR_OK;
}
