/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/json.h: what is accepted is written and read again to the same bytes. */
#include "hal/base/buf.h"
#include "net/json.h"
#include "net/json_out.h"
#include "tests/fuzz/fuzz.h"

static struct buf *written(struct span text, struct arena *arena)
{
    const struct json_value *value = NULL;
    struct buf *buf = NULL;
    struct json_out out;

    if (json_parse(text, arena, &value) != ERR_OK) {
        FUZZ_CHECK(value == NULL);
        return NULL;
    }
    FUZZ_CHECK(buf_new(1u << 24, &buf) == ERR_OK);
    json_out_init(&out, buf);
    json_out_value(&out, value);
    FUZZ_CHECK(json_out_finish(&out) == ERR_OK);
    return buf;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *const arena = fuzz_arena();
    SCOPED_BUF struct buf *first = written(span_of(data, size), arena);

    if (first != NULL) {
        SCOPED_BUF struct buf *second = written(buf_all(first), arena);

        FUZZ_CHECK(second != NULL && span_equal(buf_all(first), buf_all(second)));
    }
    return 0;
}
