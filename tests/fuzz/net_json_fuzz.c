/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as JSON. What is accepted must be written and read again to the same text. */
#include <stdlib.h>

#include "hal/base/fault.h"
#include "net/json.h"
#include "net/json_out.h"

#define TEXT_MAX ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void write_tree(const struct json_value *value, struct buf *out_text)
{
    struct json_out out;

    json_out_init(&out, out_text);
    json_out_value(&out, value);
    check(json_out_finish(&out) == ERR_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SCOPED_ARENA struct arena *arena = NULL;
    SCOPED_BUF struct buf *first = NULL;
    SCOPED_BUF struct buf *second = NULL;
    const struct json_value *value = NULL;

    check(arena_new(4096, (size_t)16 << 20, &arena) == ERR_OK);
    check(buf_new(TEXT_MAX, &first) == ERR_OK && buf_new(TEXT_MAX, &second) == ERR_OK);
    if (json_parse(span_of(data, size), arena, &value) == ERR_OK) {
        write_tree(value, first);
        check(span_is_utf8(buf_all(first)));
        check(json_parse(buf_all(first), arena, &value) == ERR_OK);
        write_tree(value, second);
        check(span_equal(buf_all(first), buf_all(second)));
    }
    fault_clear();
    return 0;
}
