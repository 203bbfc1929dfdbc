/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Paths and queries: escapes are decoded exactly once, after splitting, so an encoded separator never separates.
 * Spec: RFC 3986 sections 2.1 and 3.3; the query in the form that browsers send (URL standard,
 * application/x-www-form-urlencoded); contract 1.1. */
#include "net/http.h"

#include "hal/base/fault.h"
#include "hal/base/num.h"

#define ESCAPE_BYTES 3

static bool needs_decoding(struct span text, bool plus)
{
    return span_find(text, '%') < text.len || (plus && span_find(text, '+') < text.len);
}

/* Decodes %XX, and '+' where asked. ERR_MALFORMED: a bad escape, a NUL, or the result is no UTF-8. */
static enum err decode(struct span text, bool plus, struct arena *arena, struct span *out_text)
{
    struct span result = text;

    if (needs_decoding(text, plus)) {
        void *memory = NULL;
        size_t len = 0;

        TRY(arena_alloc(arena, text.len, &memory));
        uint8_t *const bytes = memory;

        for (size_t i = 0; i < text.len; len++) {
            if (text.data[i] == '%') {
                ENSURE(text.len - i >= ESCAPE_BYTES, ERR_MALFORMED, "a cut escape");
                TRY(hex_decode(span_of(text.data + i + 1, 2), &bytes[len], 1));
                i += ESCAPE_BYTES;
            } else {
                bytes[len] = plus && text.data[i] == '+' ? ' ' : text.data[i];
                i++;
            }
        }
        result = span_of(bytes, len);
    }
    ENSURE(span_find(result, 0) == result.len && span_is_utf8(result), ERR_MALFORMED, "not text");
    *out_text = result;
    return ERR_OK;
}

static enum err decode_segment(struct span text, struct arena *arena, struct span *out_segment)
{
    struct span segment = SPAN_NONE;
    const enum err err = decode(text, false, arena, &segment);

    if (err == ERR_MALFORMED) {
        FAIL(ERR_NOT_FOUND, "a path that is no text", 0);
    }
    TRY(err);
    ENSURE(segment.len > 0 && span_find(segment, '/') == segment.len && span_find(segment, '\\') == segment.len &&
               !span_equal(segment, span_lit(".")) && !span_equal(segment, span_lit("..")),
           ERR_NOT_FOUND, "a path that cannot exist");
    *out_segment = segment;
    return ERR_OK;
}

enum err http_path_split(struct span path, struct arena *arena, const struct span **out_segments, size_t *out_count)
{
    void *memory = NULL;
    size_t count = 0;

    ENSURE(path.len > 0 && path.data[0] == '/', ERR_NOT_FOUND, "not a path");
    TRY(arena_alloc(arena, HTTP_SEGMENTS_MAX * sizeof(struct span), &memory));
    struct span *const segments = memory;
    struct span rest = span_of(path.data + 1, path.len - 1);

    while (rest.len > 0) { /* what is after the last '/' may be empty: the one trailing '/' */
        const size_t end = span_find(rest, '/');

        ENSURE(count < HTTP_SEGMENTS_MAX, ERR_NOT_FOUND, "a path longer than any route");
        TRY(decode_segment(span_of(rest.data, end), arena, &segments[count]));
        count++;
        rest = end < rest.len ? span_of(rest.data + end + 1, rest.len - end - 1) : SPAN_NONE;
    }
    *out_segments = segments;
    *out_count = count;
    return ERR_OK;
}

enum err http_query_next(struct http_query *query, struct arena *arena, struct span *out_name, struct span *out_value)
{
    struct span name = SPAN_NONE;
    struct span value = SPAN_NONE;
    struct span piece = SPAN_NONE;

    while (piece.len == 0) {
        if (query->rest.len == 0) {
            return ERR_NOT_FOUND; /* the end of every walk: not worth a frame in the trail */
        }
        const size_t end = span_find(query->rest, '&');

        piece = span_of(query->rest.data, end);
        query->rest = end < query->rest.len ? span_of(query->rest.data + end + 1, query->rest.len - end - 1) : SPAN_NONE;
    }
    const size_t equals = span_find(piece, '=');

    TRY(decode(span_of(piece.data, equals), true, arena, &name));
    if (equals < piece.len) {
        TRY(decode(span_of(piece.data + equals + 1, piece.len - equals - 1), true, arena, &value));
    }
    *out_name = name;
    *out_value = value;
    return ERR_OK;
}

