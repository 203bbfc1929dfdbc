/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The conversation, one command and one reply at a time:
 *
 *   greeting  EHLO  [STARTTLS, TLS, EHLO]  [AUTH]  MAIL  RCPT  DATA  text  QUIT
 *
 * What a reply means is decided by its first digit. More bytes than the reply are never left over for the next one: a relay
 * that talks ahead, or somebody who put words of his own in front of its TLS (the injection of RFC 3207 section 6), ends
 * the conversation. The text's line ends are made CRLF, whatever they were, so that no line of a mail can end it and be
 * read as a command by anybody on its way. */
#include "firmware/courier/smtp.h"

#include <string.h>

#include "firmware/courier/smtp_reply.h"
#include "firmware/mail/base64.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"

#define IN_MAX      SMTP_LINE_MAX
#define COMMAND_MAX 1024 /* AUTH PLAIN with the longest user and password is some 700 bytes */
#define CHUNK_MAX   4096 /* of the text, sent at once */

struct smtp {
    struct stream *stream;
    const struct courier_job *job;
    struct buf *in;
    struct buf *out;
    bool secure;
    struct smtp_offers offers;
    enum outbound_stage stage;
    unsigned int code; /* of the last reply; 0: none in this stage */
};

/* --- replies and commands --- */

static enum err next_line(struct smtp *smtp, struct smtp_line *out_line)
{
    for (;;) {
        const enum err err = smtp_line_take(smtp->in, out_line);
        if (err != ERR_AGAIN) {
            return err;
        }
        buf_compact(smtp->in);
        TRY(stream_receive(smtp->stream, smtp->in));
    }
}

/* Reads one whole reply. offers: where what it lists is noted; NULL for any but that to EHLO. */
static enum err read_reply(struct smtp *smtp, struct smtp_offers *offers)
{
    struct smtp_line line = {.last = false};
    unsigned int code = 0;

    smtp->code = 0;
    for (size_t count = 0; !line.last; count++) {
        ENSURE(count < SMTP_LINES_MAX, ERR_MALFORMED, "a reply of too many lines");
        TRY(next_line(smtp, &line));
        ENSURE(count == 0 || line.code == code, ERR_MALFORMED, "a reply of two minds");
        code = line.code;
        if (offers != NULL && count != 0) {
            smtp_offers_add(offers, line.text);
        }
    }
    ENSURE(buf_unread(smtp->in).len == 0, ERR_MALFORMED, "more than a reply");
    buf_wipe(smtp->in);
    smtp->code = code;
    return ERR_OK;
}

/* Is the reply of the wanted hundred? ERR_DENIED: 5xx; ERR_REFUSED: anything else. */
static enum err expect(struct smtp *smtp, unsigned int hundred)
{
    TRY(read_reply(smtp, NULL));
    if (smtp->code / 100 != hundred) {
        FAIL(smtp->code / 100 == 5 ? ERR_DENIED : ERR_REFUSED, "the relay says no", smtp->code);
    }
    return ERR_OK;
}

/* Sends what stands in out as one line. */
static enum err send_line(struct smtp *smtp)
{
    enum err err = buf_put(smtp->out, span_lit("\r\n"));

    if (err == ERR_OK) {
        err = stream_send(smtp->stream, buf_all(smtp->out));
    }
    buf_wipe(smtp->out); /* it may be a password */
    TRY(err);
    return ERR_OK;
}

static enum err command(struct smtp *smtp, struct span word, unsigned int hundred)
{
    TRY(buf_put(smtp->out, word));
    TRY(send_line(smtp));
    return expect(smtp, hundred);
}

/* --- the steps --- */

static struct span host_of(struct span mailbox)
{
    const size_t at = span_find(mailbox, '@');

    return at >= mailbox.len ? SPAN_NONE : span_of(mailbox.data + at + 1, mailbox.len - at - 1);
}

/* We say of ourselves what the sender's address says; a box behind a router has no better name. */
static enum err hello(struct smtp *smtp)
{
    const struct span host = host_of(smtp->job->mail.from);

    smtp->stage = OUTBOUND_AT_GREETING;
    smtp->offers = (struct smtp_offers){.starttls = false};
    TRY(buf_put(smtp->out, span_lit("EHLO ")));
    TRY(buf_put(smtp->out, outbound_host_fits(host) ? host : span_lit("localhost")));
    TRY(send_line(smtp));
    TRY(read_reply(smtp, &smtp->offers));
    ENSURE(smtp->code / 100 == 2, ERR_REFUSED, "the relay does not greet us");
    return ERR_OK;
}

static enum err start_tls(struct smtp *smtp)
{
    smtp->stage = OUTBOUND_AT_STARTTLS;
    ENSURE(smtp->offers.starttls, ERR_UNSUPPORTED, "the relay offers no STARTTLS");
    TRY(command(smtp, span_lit("STARTTLS"), 2));
    smtp->stage = OUTBOUND_AT_TLS;
    TRY(stream_start_tls(smtp->stream));
    smtp->secure = true;
    return hello(smtp);
}

static enum err sign_in_plain(struct smtp *smtp)
{
    SCOPED_BUF struct buf *words = NULL;

    TRY(buf_new(OUTBOUND_USER_MAX + OUTBOUND_PASSWORD_MAX + 2, &words));
    TRY(buf_put_u8(words, 0));
    TRY(buf_put(words, smtp->job->mail.user));
    TRY(buf_put_u8(words, 0));
    TRY(buf_put(words, smtp->job->mail.password));
    TRY(buf_put(smtp->out, span_lit("AUTH PLAIN ")));
    TRY(mail_base64_put(smtp->out, buf_all(words)));
    TRY(send_line(smtp));
    return expect(smtp, 2);
}

static enum err sign_in_login(struct smtp *smtp)
{
    TRY(command(smtp, span_lit("AUTH LOGIN"), 3));
    TRY(mail_base64_put(smtp->out, smtp->job->mail.user));
    TRY(send_line(smtp));
    TRY(expect(smtp, 3));
    TRY(mail_base64_put(smtp->out, smtp->job->mail.password));
    TRY(send_line(smtp));
    return expect(smtp, 2);
}

static enum err sign_in(struct smtp *smtp)
{
    if (smtp->job->mail.user.len == 0) {
        return ERR_OK;
    }
    smtp->stage = OUTBOUND_AT_SIGN_IN;
    INVARIANT(smtp->secure);
    ENSURE(smtp->offers.plain || smtp->offers.login, ERR_UNSUPPORTED, "the relay offers no sign-in that we know");
    return smtp->offers.plain ? sign_in_plain(smtp) : sign_in_login(smtp);
}

/* Visible ASCII, and nothing that ends a path. What the worker says is not believed either. */
static bool mailbox_fits(struct span mailbox)
{
    for (size_t i = 0; i < mailbox.len; i++) {
        const uint8_t byte = mailbox.data[i];
        if (byte <= ' ' || byte >= 0x7f || byte == '<' || byte == '>') {
            return false;
        }
    }
    return mailbox.len != 0 && mailbox.len <= OUTBOUND_ADDRESS_MAX;
}

/* --- the text --- */

/* How the text goes out: line by line, through a buffer. */
struct text_out {
    struct smtp *smtp;   /* NULL: it is only counted */
    struct buf *chunk;
    size_t bytes;
};

static enum err text_flush(struct text_out *text)
{
    TRY(stream_send(text->smtp->stream, buf_all(text->chunk)));
    buf_reset(text->chunk);
    return ERR_OK;
}

static enum err text_put(struct text_out *text, struct span bytes)
{
    struct span rest = bytes;

    text->bytes += bytes.len; /* at most three times OUTBOUND_MAIL_MAX */
    while (text->smtp != NULL && rest.len != 0) {
        const size_t part = buf_room(text->chunk) < rest.len ? buf_room(text->chunk) : rest.len;
        TRY(buf_put(text->chunk, span_of(rest.data, part)));
        rest = span_of(rest.data + part, rest.len - part);
        if (buf_room(text->chunk) == 0) {
            TRY(text_flush(text));
        }
    }
    return ERR_OK;
}

static size_t line_len(struct span text)
{
    const size_t cr = span_find(text, '\r');
    const size_t lf = span_find(span_of(text.data, cr), '\n'); /* within what comes before the CR */

    return lf;
}

/* Of what stands behind a line: CRLF, CR or LF, or the end of the text. */
static size_t end_len(struct span rest)
{
    if (span_starts_with(rest, span_lit("\r\n"))) {
        return 2;
    }
    return rest.len == 0 ? 0 : 1;
}

/* CRLF, CR and LF each end a line, and a dot at its front is doubled. RFC 5321 section 4.5.2. */
static enum err put_text(struct text_out *out, struct span text)
{
    struct span rest = text;

    while (rest.len != 0) {
        const size_t len = line_len(rest);
        const size_t ends = end_len(span_of(rest.data + len, rest.len - len));
        if (rest.data[0] == '.') {
            TRY(text_put(out, span_lit(".")));
        }
        TRY(text_put(out, span_of(rest.data, len)));
        TRY(text_put(out, span_lit("\r\n")));
        rest = span_of(rest.data + len + ends, rest.len - len - ends);
    }
    return ERR_OK;
}

static enum err send_text(struct smtp *smtp)
{
    SCOPED_BUF struct buf *chunk = NULL;

    TRY(buf_new(CHUNK_MAX, &chunk));
    struct text_out out = {.smtp = smtp, .chunk = chunk};
    TRY(put_text(&out, smtp->job->mail.text));
    TRY(text_put(&out, span_lit(".\r\n")));
    return buf_len(chunk) == 0 ? ERR_OK : text_flush(&out);
}

/* --- one mail --- */

/* The sender, with the size of the text where the relay wants to know. */
static enum err say_from(struct smtp *smtp)
{
    char digits[SPAN_U64_TEXT_MAX];
    struct text_out count = {.smtp = NULL};

    TRY(put_text(&count, smtp->job->mail.text));
    smtp->code = 0;
    smtp->stage = OUTBOUND_AT_DATA;
    ENSURE(smtp->offers.size_max == 0 || count.bytes <= smtp->offers.size_max, ERR_DENIED,
           "a mail that is too long for the relay");
    smtp->stage = OUTBOUND_AT_FROM;
    ENSURE(mailbox_fits(smtp->job->mail.from), ERR_DENIED, "no sender");
    TRY(buf_put(smtp->out, span_lit("MAIL FROM:<")));
    TRY(buf_put(smtp->out, smtp->job->mail.from));
    TRY(buf_put(smtp->out, span_lit(">")));
    if (smtp->offers.size) {
        TRY(buf_put(smtp->out, span_lit(" SIZE=")));
        TRY(buf_put(smtp->out, span_from_u64(count.bytes, digits)));
    }
    TRY(send_line(smtp));
    return expect(smtp, 2);
}

static enum err say_to(struct smtp *smtp)
{
    smtp->code = 0;
    smtp->stage = OUTBOUND_AT_TO;
    ENSURE(mailbox_fits(smtp->job->mail.to), ERR_DENIED, "no recipient");
    TRY(buf_put(smtp->out, span_lit("RCPT TO:<")));
    TRY(buf_put(smtp->out, smtp->job->mail.to));
    return command(smtp, span_lit(">"), 2);
}

static enum err converse(struct smtp *smtp)
{
    smtp->stage = OUTBOUND_AT_GREETING;
    TRY(expect(smtp, 2));
    TRY(hello(smtp));
    if (!smtp->secure) {
        TRY(start_tls(smtp));
    }
    TRY(sign_in(smtp));
    TRY(say_from(smtp));
    TRY(say_to(smtp));
    smtp->stage = OUTBOUND_AT_DATA;
    TRY(command(smtp, span_lit("DATA"), 3));
    TRY(send_text(smtp));
    TRY(expect(smtp, 2));
    smtp->stage = OUTBOUND_AT_END;
    return ERR_OK;
}

/* What a relay says that lets nobody send without a user, or not with this one, whatever the mail is. Many say so only
 * when they hear of a mail. RFC 4954 section 6. */
static bool wants_sign_in(unsigned int code)
{
    return code == 530 || code == 534 || code == 535 || code == 538;
}

/* A mail that is refused for good is one whose own sender, recipient or text was; what the relay has against us may be
 * repaired in the settings. */
static enum outbound_result result_of(const struct smtp *smtp, enum err err)
{
    const bool about_the_mail =
        smtp->stage == OUTBOUND_AT_FROM || smtp->stage == OUTBOUND_AT_TO || smtp->stage == OUTBOUND_AT_DATA;

    if (err == ERR_OK) {
        return OUTBOUND_DONE;
    }
    return err == ERR_DENIED && about_the_mail ? OUTBOUND_REFUSED : OUTBOUND_TEMPORARY;
}

static enum err set_up(struct smtp *smtp)
{
    TRY(buf_new(IN_MAX, &smtp->in));
    TRY(buf_new(COMMAND_MAX, &smtp->out));
    return converse(smtp);
}

void smtp_send(struct stream *stream, const struct courier_job *job, struct courier_answer *out_answer)
{
    struct smtp smtp = {.stream = stream, .job = job, .secure = job->to.tls == OUTBOUND_TLS};

    const enum err err = set_up(&smtp);
    if (err == ERR_DENIED && wants_sign_in(smtp.code)) {
        smtp.stage = OUTBOUND_AT_SIGN_IN;
    }
    *out_answer = (struct courier_answer){
        .result = result_of(&smtp, err), .stage = smtp.stage, .status = smtp.code};
    if (err == ERR_OK && stream_send(stream, span_lit("QUIT\r\n")) != ERR_OK) {
        fault_clear(); /* the mail is gone, and nobody waits for an answer to this */
    }
    buf_free(smtp.in);
    buf_free(smtp.out);
}
