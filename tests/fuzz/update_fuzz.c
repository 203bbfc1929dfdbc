/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/update/update.h: whatever a stranger sends and however it is cut, nothing reaches the sink, for nothing here is
 * signed by the key. The first byte says how long the pieces are. */
#include <string.h>

#include "crypto/random.h"
#include "firmware/update/update.h"
#include "tests/fuzz/fuzz.h"

static enum err begin(void *context, const struct update_info *info)
{
    (void)context;
    FUZZ_CHECK(info == NULL); /* a header that nobody signed */
    return ERR_BUG;
}

static enum err chunk(void *context, enum update_part part, uint32_t offset, struct span bytes)
{
    (void)context;
    (void)part;
    (void)offset;
    FUZZ_CHECK(bytes.data == NULL); /* a chunk behind a header that nobody signed */
    return ERR_BUG;
}

static const struct update_expect *expected(void)
{
    static struct update_expect expect = {.board = {(const uint8_t *)"qemu", 4}};

    if (expect.public_key[0] == 0) {
        SCOPED_RANDOM struct random *random = NULL;
        SCOPED_SECRET struct secret *key = NULL;
        FUZZ_CHECK(random_new(SPAN_NONE, &random) == ERR_OK && sign_key_new(random, &key) == ERR_OK);
        FUZZ_CHECK(sign_public(key, expect.public_key) == ERR_OK);
    }
    return &expect;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct update_sink sink = {.begin = begin, .chunk = chunk};
    const size_t piece = size == 0 ? 1 : (size_t)data[0] + 1;
    struct update_reader *reader = NULL;
    enum err err = ERR_OK;

    fault_clear();
    FUZZ_CHECK(update_reader_new(expected(), &sink, &reader) == ERR_OK);
    for (size_t at = 1; at < size && err == ERR_OK; at += piece) {
        err = update_reader_feed(reader, span_of(data + at, size - at < piece ? size - at : piece));
    }
    FUZZ_CHECK(err == ERR_OK || err == ERR_MALFORMED || err == ERR_VERSION || err == ERR_RANGE || err == ERR_AUTH);
    FUZZ_CHECK(update_reader_end(reader) == (err == ERR_OK ? ERR_MALFORMED : ERR_STATE));
    update_reader_free(reader);
    return 0;
}
