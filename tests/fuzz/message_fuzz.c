/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/mail/message: whatever stands in the fields of a mail, it makes none, or one of nine header fields and a body,
 * in lines that a relay takes. The input is cut at its NULs into the sender's name, the subject, both addresses and the
 * body. */
#include "firmware/auth/account.h"
#include "firmware/mail/message.h"
#include "tests/fuzz/fuzz.h"

#define FIELDS     9
#define LINE_MAX   998 /* RFC 5322 section 2.1.1 */
#define FOLDED_MAX 76

static struct span next_part(struct span *rest)
{
    const size_t cut = span_find(*rest, 0);
    const struct span part = span_of(rest->data, cut);

    *rest = cut == rest->len ? SPAN_NONE : span_of(rest->data + cut + 1, rest->len - cut - 1);
    return part;
}

/* The next line, which has to end in CRLF. */
static struct span next_line(struct span *rest)
{
    const size_t end = span_find(*rest, '\n');
    const struct span line = span_of(rest->data, end > 0 ? end - 1 : 0);

    FUZZ_CHECK(end > 0 && end < rest->len && rest->data[end - 1] == '\r' && span_find(line, '\r') == line.len);
    *rest = span_of(rest->data + end + 1, rest->len - end - 1);
    return line;
}

static void check_header(struct span *rest)
{
    size_t fields = 0;

    for (;;) {
        const struct span line = next_line(rest);
        if (line.len == 0) {
            break;
        }
        const bool address = span_find(line, '<') < line.len;
        FUZZ_CHECK(line.len <= (address ? LINE_MAX : FOLDED_MAX));
        for (size_t i = 0; i < line.len; i++) {
            FUZZ_CHECK(line.data[i] >= 0x20 && line.data[i] < 0x7F);
        }
        fields += line.data[0] != ' ';
    }
    FUZZ_CHECK(fields == FIELDS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = span_of(data, size);
    struct mail_message message = {.date = {(int64_t)size * INT64_C(86400000)}, .id = span_lit("1-a")};
    SCOPED_BUF struct buf *out = NULL;

    fault_clear();
    message.from_name = next_part(&rest);
    message.subject = next_part(&rest);
    message.from = next_part(&rest);
    message.to = next_part(&rest);
    message.html = rest;
    if (message.from.len > ACCOUNT_EMAIL_MAX || message.to.len > ACCOUNT_EMAIL_MAX) {
        return 0; /* account_email_read takes no longer ones */
    }
    FUZZ_CHECK(buf_new(MAIL_MESSAGE_MAX, &out) == ERR_OK);
    const enum err err = mail_message_put(out, &message);
    FUZZ_CHECK(err == ERR_OK || err == ERR_MALFORMED || err == ERR_RANGE);
    if (err == ERR_OK) {
        struct span mail = buf_all(out);
        check_header(&mail);
        while (mail.len > 0) {
            const struct span line = next_line(&mail);
            FUZZ_CHECK(line.len > 0 && line.len <= FOLDED_MAX && line.data[0] != '.');
        }
    }
    return 0;
}
