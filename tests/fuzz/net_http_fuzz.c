/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as a request: head, chunks, path, query. What must hold besides memory: bytes given one by one and bytes given
 * at once are read the same, every span lies inside the head, and what is accepted has exactly one framing. */
#include <stdlib.h>

#include "hal/base/fault.h"
#include "hal/base/num.h"
#include "net/http_int.h"

#define BODY_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

static bool inside(struct span part, struct span whole)
{
    return part.len == 0 ||
           (part.data >= whole.data && part.len <= whole.len && part.data + part.len <= whole.data + whole.len);
}

static enum err find_end_slowly(struct span bytes, size_t *out_bytes)
{
    size_t scanned = 0;
    enum err err = ERR_AGAIN;

    for (size_t len = 1; len <= bytes.len && err == ERR_AGAIN; len++) {
        err = http_head_end(span_of(bytes.data, len), &scanned, out_bytes);
    }
    return err;
}

static void read_chunks(struct span bytes, size_t step, struct buf *out_body, enum err *out_err)
{
    struct http_chunks chunks = {.state = HTTP_CHUNK_SIZE};
    SCOPED_BUF struct buf *in = NULL;

    *out_err = ERR_AGAIN;
    check(buf_new(bytes.len + 1, &in) == ERR_OK);
    for (size_t at = 0; at < bytes.len && *out_err == ERR_AGAIN; at += step) {
        check(buf_put(in, span_of(bytes.data + at, num_min(step, bytes.len - at))) == ERR_OK);
        *out_err = http_chunks_take(&chunks, BODY_MAX, in, out_body);
    }
}

static void try_chunks(struct span bytes)
{
    SCOPED_BUF struct buf *slow = NULL;
    SCOPED_BUF struct buf *fast = NULL;
    enum err slow_err = ERR_OK;
    enum err fast_err = ERR_OK;

    check(buf_new(BODY_MAX, &slow) == ERR_OK && buf_new(BODY_MAX, &fast) == ERR_OK);
    read_chunks(bytes, 1, slow, &slow_err);
    read_chunks(bytes, num_max(bytes.len, 1), fast, &fast_err);
    check(slow_err == fast_err);
    check(slow_err != ERR_OK || span_equal(buf_all(slow), buf_all(fast)));
}

static void try_target(const struct http_head *head)
{
    SCOPED_ARENA struct arena *arena = NULL;
    struct http_query query = http_query_of(head->query);
    const struct span *segments = NULL;
    struct span name = SPAN_NONE;
    struct span value = SPAN_NONE;
    size_t count = 0;
    enum err err = ERR_OK;

    check(arena_new(1024, (size_t)1 << 20, &arena) == ERR_OK);
    if (http_path_split(head->path, arena, &segments, &count) == ERR_OK) {
        check(count <= HTTP_SEGMENTS_MAX);
        for (size_t i = 0; i < count; i++) {
            check(segments[i].len > 0 && span_is_utf8(segments[i]) && span_find(segments[i], '/') == segments[i].len);
        }
    }
    do {
        err = http_query_next(&query, arena, &name, &value);
        check(err != ERR_OK || (span_is_utf8(name) && span_is_utf8(value)));
        check(err != ERR_OK || (span_find(name, 0) == name.len && span_find(value, 0) == value.len));
    } while (err == ERR_OK || err == ERR_MALFORMED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct http_head_rules rules = {.scheme = {(const uint8_t *)"https", 5}, .body_max = BODY_MAX};
    static struct http_head head;
    const struct span bytes = span_of(data, size);
    size_t scanned = 0;
    size_t end = 0;
    size_t slow_end = 0;
    const enum err err = http_head_end(bytes, &scanned, &end);

    check(size == 0 || find_end_slowly(bytes, &slow_end) == err);
    if (err == ERR_OK && http_head_parse(span_of(data, end), &rules, &head) == ERR_OK) {
        const struct span whole = span_of(data, end);

        check(slow_end == end && head.host.len > 0 && head.body_bytes <= BODY_MAX);
        check(inside(head.host, whole) && inside(head.query, whole) && inside(head.method_name, whole));
        for (size_t i = 0; i < head.header_count; i++) {
            check(inside(head.headers[i].name, whole) && inside(head.headers[i].value, whole));
        }
        try_target(&head);
        if (head.framing == HTTP_CHUNKED) {
            try_chunks(span_of(data + end, size - end));
        }
    }
    try_chunks(bytes);
    fault_clear();
    return 0;
}
