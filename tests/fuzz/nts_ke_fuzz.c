/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/courier/nts_ke.h: no server breaks the reader of its message, and in whatever pieces one comes it says the same.
 * The first byte is the size of the pieces of the first reading. */
#include "firmware/courier/nts_ke.h"
#include "tests/fuzz/fuzz.h"

static enum err server_send(void *context, struct span bytes)
{
    (void)context;
    FUZZ_CHECK(bytes.len != 0);
    return ERR_OK;
}

static enum err server_receive(void *context, struct buf *in)
{
    return fuzz_words_come(context, in);
}

static enum err run(struct span says, size_t piece, struct nts_session *session, uint16_t *out_port)
{
    struct fuzz_words server = {says, piece};
    struct stream stream = {.send = server_send, .receive = server_receive, .context = &server};
    const enum err err = nts_ke_run(&stream, span_lit("time.example"), session, out_port);

    fault_clear();
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct nts_session first;
    static struct nts_session second;
    uint16_t first_port = 0;
    uint16_t second_port = 0;

    if (size < 1) {
        return 0;
    }
    first = (struct nts_session){.count = 0};
    second = first;
    const struct span says = span_of(data + 1, size - 1);
    const enum err a = run(says, (size_t)data[0] + 1, &first, &first_port);
    const enum err b = run(says, SIZE_MAX, &second, &second_port);
    FUZZ_CHECK(a == b && first_port == second_port && first.count == second.count);
    if (a == ERR_OK) {
        FUZZ_CHECK(first_port != 0 && first.count != 0 && first.count <= NTS_COOKIES_MAX);
    }
    for (size_t i = 0; i < first.count; i++) {
        FUZZ_CHECK(first.cookies[i].len != 0 && first.cookies[i].len <= NTS_COOKIE_MAX);
    }
    return 0;
}
