/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/courier/fetch.h: no server breaks the reader of its answer, and in whatever pieces an answer comes it is the same
 * answer. The first byte is the size of the pieces of the first reading. */
#include "firmware/courier/fetch.h"
#include "tests/fuzz/fuzz.h"

static enum err server_send(void *context, struct span bytes)
{
    (void)context;
    FUZZ_CHECK(bytes.len != 0);
    return ERR_OK;
}

static enum err server_receive(void *context, struct buf *in)
{
    FUZZ_CHECK(buf_room(in) != 0);
    return fuzz_words_come(context, in);
}

static struct courier_answer run(struct span answer, size_t piece, struct buf *body)
{
    const struct courier_job job = {.to = {.kind = OUTBOUND_HTTPS, .port = 443, .host = span_lit("id.example")},
                                    .fetch = {.method = OUTBOUND_GET, .path = span_lit("/keys")}};
    struct fuzz_words server = {answer, piece};
    struct stream stream = {.send = server_send, .receive = server_receive, .context = &server};
    struct courier_answer result;

    fetch_run(&stream, &job, &result, body);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SCOPED_BUF struct buf *first = NULL;
    SCOPED_BUF struct buf *second = NULL;

    fault_clear();
    if (size < 1) {
        return 0;
    }
    FUZZ_CHECK(buf_new(OUTBOUND_ANSWER_MAX, &first) == ERR_OK && buf_new(OUTBOUND_ANSWER_MAX, &second) == ERR_OK);
    const struct span answer = span_of(data + 1, size - 1);
    const struct courier_answer a = run(answer, (size_t)data[0] + 1, first);
    const struct courier_answer b = run(answer, SIZE_MAX, second);
    FUZZ_CHECK(a.result == b.result && a.stage == b.stage && a.status == b.status);
    if (a.result == OUTBOUND_DONE) {
        FUZZ_CHECK(a.status >= 200 && a.status < 600 && span_equal(buf_all(first), buf_all(second)));
    }
    return 0;
}
