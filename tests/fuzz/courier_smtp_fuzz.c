/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/courier/smtp.h: no relay breaks the conversation, none learns anything before TLS, and in whatever pieces its words
 * come they mean the same. The first byte is the size of the pieces of the first reading, the second says where TLS begins
 * and whether there is a user. */
#include "firmware/courier/smtp.h"
#include "tests/fuzz/fuzz.h"

struct relay {
    struct fuzz_words words;
    bool secure;
    size_t sent;
};

static enum err relay_send(void *context, struct span bytes)
{
    struct relay *relay = context;

    FUZZ_CHECK(relay->secure || span_starts_with(bytes, span_lit("EHLO ")) ||
               span_equal(bytes, span_lit("STARTTLS\r\n")));
    relay->sent += bytes.len;
    return ERR_OK;
}

static enum err relay_receive(void *context, struct buf *in)
{
    struct relay *relay = context;

    FUZZ_CHECK(buf_room(in) != 0);
    return fuzz_words_come(&relay->words, in);
}

static enum err relay_start_tls(void *context)
{
    struct relay *relay = context;

    FUZZ_CHECK(!relay->secure);
    relay->secure = true;
    return ERR_OK;
}

static struct courier_answer run(struct span words, size_t piece, unsigned int how)
{
    const struct courier_job job = {
        .to = {.kind = OUTBOUND_SMTP,
               .tls = (how & 1) != 0 ? OUTBOUND_TLS : OUTBOUND_STARTTLS,
               .port = 587,
               .host = span_lit("relay.example")},
        .mail = {.from = span_lit("a@b.example"),
                 .to = span_lit("c@d.example"),
                 .user = (how & 2) != 0 ? span_lit("user") : SPAN_NONE,
                 .password = (how & 2) != 0 ? span_lit("password") : SPAN_NONE,
                 .text = span_lit("Subject: x\r\n\r\n.\r\n")}};
    struct relay relay = {.words = {words, piece}, .secure = job.to.tls == OUTBOUND_TLS};
    struct stream stream = {relay_send, relay_receive, relay_start_tls, &relay};
    struct courier_answer answer;

    smtp_send(&stream, &job, &answer);
    FUZZ_CHECK(answer.result != OUTBOUND_DONE || (relay.secure && answer.status / 100 == 2));
    FUZZ_CHECK(answer.result != OUTBOUND_REFUSED || answer.status == 0 || answer.status / 100 == 5);
    FUZZ_CHECK((unsigned int)answer.stage < OUTBOUND_STAGES && answer.status < 600);
    return answer;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fault_clear();
    if (size < 2) {
        return 0;
    }
    const struct span words = span_of(data + 2, size - 2);
    const struct courier_answer a = run(words, (size_t)data[0] + 1, data[1]);
    const struct courier_answer b = run(words, 1, data[1]);
    /* In one piece more may have come than a reply, which ends the conversation; byte by byte it comes later. */
    FUZZ_CHECK(a.result != OUTBOUND_DONE || b.result == OUTBOUND_DONE);
    fault_clear();
    return 0;
}
