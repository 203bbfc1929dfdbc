/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/cli/answer.h: no box breaks the reader of its answer, and in whatever pieces an answer comes it is the same answer. The
 * first byte is the size of the pieces of the first reading. */
#include "firmware/cli/answer.h"
#include "tests/fuzz/fuzz.h"

static enum err receive(void *context, struct buf *in)
{
    FUZZ_CHECK(buf_room(in) != 0);
    return fuzz_words_come(context, in);
}

static enum err run(struct span bytes, size_t piece, struct buf *in, struct answer *out_answer)
{
    struct fuzz_words box = {bytes, piece};
    const struct answer_source source = {receive, &box};

    const enum err err = answer_read(&source, in, out_answer);
    fault_clear();
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SCOPED_BUF struct buf *first = NULL;
    SCOPED_BUF struct buf *second = NULL;
    struct answer a = {.status = 0};
    struct answer b = {.status = 0};

    if (size < 1) {
        return 0;
    }
    FUZZ_CHECK(buf_new(ANSWER_MAX, &first) == ERR_OK && buf_new(ANSWER_MAX, &second) == ERR_OK);
    const struct span bytes = span_of(data + 1, size - 1);
    const enum err pieces = run(bytes, (size_t)data[0] + 1, first, &a);
    const enum err whole = run(bytes, SIZE_MAX, second, &b);
    if (whole == ERR_OK) { /* what comes behind an answer is seen only where it comes with it */
        FUZZ_CHECK(pieces == ERR_OK && a.status == b.status && a.closes == b.closes && span_equal(a.body, b.body));
        FUZZ_CHECK(a.status >= 200 && a.status < 600);
    }
    return 0;
}
