/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A line is looked at when its CRLF is there. Three digits, then a blank, a '-' or nothing: any other line is none, because
 * whoever guesses at replies takes one command's for another's. */
#include "firmware/courier/smtp_reply.h"

#include "hal/base/fault.h"

#define CODE_DIGITS 3

static enum err read_code(struct span line, unsigned int *out_code)
{
    uint64_t code = 0;

    ENSURE(line.len >= CODE_DIGITS, ERR_MALFORMED, "a reply without a code");
    TRY(span_to_u64(span_of(line.data, CODE_DIGITS), 599, &code));
    ENSURE(code >= 200, ERR_MALFORMED, "a code that no reply has");
    *out_code = (unsigned int)code;
    return ERR_OK;
}

/* Without its line end. */
static enum err parse(struct span line, struct smtp_line *out_line)
{
    struct smtp_line parsed = {.last = true, .text = SPAN_NONE};

    TRY(read_code(line, &parsed.code));
    if (line.len > CODE_DIGITS) {
        const uint8_t sign = line.data[CODE_DIGITS];
        ENSURE(sign == ' ' || sign == '-', ERR_MALFORMED, "a reply whose code does not end");
        parsed.last = sign == ' ';
        parsed.text = span_of(line.data + CODE_DIGITS + 1, line.len - CODE_DIGITS - 1);
    }
    *out_line = parsed;
    return ERR_OK;
}

enum err smtp_line_take(struct buf *in, struct smtp_line *out_line)
{
    const struct span unread = buf_unread(in);
    const size_t end = span_find(unread, '\n');
    struct span line = SPAN_NONE;

    if (end == unread.len) {
        ENSURE(unread.len < SMTP_LINE_MAX, ERR_MALFORMED, "a reply that does not end");
        return ERR_AGAIN;
    }
    ENSURE(end < SMTP_LINE_MAX, ERR_MALFORMED, "a line that is too long");
    ENSURE(end != 0 && unread.data[end - 1] == '\r', ERR_MALFORMED, "a line that ends in LF alone");
    TRY(buf_get(in, end + 1, &line));
    return parse(span_of(line.data, end - 1), out_line);
}

/* The word at the front, and what comes after the blanks behind it. */
static struct span next_word(struct span *rest)
{
    const size_t len = span_find(*rest, ' ');
    const struct span word = span_of(rest->data, len);

    *rest = span_trim(span_of(rest->data + len, rest->len - len));
    return word;
}

static void add_mechanisms(struct smtp_offers *offers, struct span rest)
{
    while (rest.len != 0) {
        const struct span word = next_word(&rest);
        offers->plain = offers->plain || span_equal_nocase(word, span_lit("PLAIN"));
        offers->login = offers->login || span_equal_nocase(word, span_lit("LOGIN"));
    }
}

void smtp_offers_add(struct smtp_offers *offers, struct span text)
{
    struct span rest = span_trim(text);

    if (rest.len == 0) {
        return;
    }
    const struct span word = next_word(&rest);
    if (span_equal_nocase(word, span_lit("STARTTLS"))) {
        offers->starttls = true;
    } else if (span_equal_nocase(word, span_lit("AUTH"))) {
        add_mechanisms(offers, rest);
    } else if (span_equal_nocase(word, span_lit("SIZE"))) {
        offers->size = true;
        if (rest.len != 0 && span_to_u64(rest, UINT64_MAX, &offers->size_max) != ERR_OK) {
            fault_clear(); /* then it is not said */
        }
    }
}
