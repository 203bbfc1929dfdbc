/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A text of printable ASCII that fits its line stands there as it is; any other becomes encoded words, each of whole code
 * points and each on a line of its own (RFC 2047 section 5). "=?" is encoded always: it would be read as a word. */
#include "firmware/mail/message.h"

#include "firmware/mail/base64.h"
#include "hal/base/fault.h"

#define LINE_MAX   76 /* of a line with encoded words: RFC 2047 section 2 */
#define WORD_FRAME 12 /* =?utf-8?B? and ?= */
#define BODY_BYTES 57 /* they make a line of 76: RFC 2045 section 6.8 */
#define MS_PER_DAY INT64_C(86400000)

static enum err put(struct buf *out, const char *text)
{
    return buf_put(out, span_str(text));
}

/* --- what may stand in a header --- */

static enum err check_text(struct span text)
{
    ENSURE(span_is_utf8(text), ERR_MALFORMED, "a header field that is no UTF-8");
    for (size_t i = 0; i < text.len; i++) {
        ENSURE(text.data[i] >= 0x20 && text.data[i] != 0x7F, ERR_MALFORMED, "a control character in a header field");
    }
    return ERR_OK;
}

/* Printable ASCII without what means something around an address. */
static enum err check_address(struct span address)
{
    const struct span special = span_lit("<>()[],;:\\\"");
    const size_t at = span_find(address, '@');

    ENSURE(at > 0 && at + 1 < address.len, ERR_MALFORMED, "an address without two parts");
    for (size_t i = 0; i < address.len; i++) {
        const uint8_t byte = address.data[i];
        ENSURE(byte > 0x20 && byte < 0x7F && span_find(special, byte) == special.len && (byte != '@' || i == at),
               ERR_MALFORMED, "an address that is not plain");
    }
    return ERR_OK;
}

static enum err check_id(struct span id)
{
    ENSURE(id.len > 0, ERR_MALFORMED, "a mail without an id");
    for (size_t i = 0; i < id.len; i++) {
        const uint8_t byte = id.data[i];
        ENSURE((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
                   byte == '-',
               ERR_MALFORMED, "a character in the id of a mail");
    }
    return ERR_OK;
}

static enum err check(const struct mail_message *message)
{
    TRY(check_id(message->id));
    TRY(check_text(message->from_name));
    TRY(check_text(message->subject));
    TRY(check_address(message->from));
    return check_address(message->to);
}

/* --- fields --- */

static bool is_plain(struct span text, size_t room)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] >= 0x80 || (text.data[i] == '=' && i + 1 < text.len && text.data[i + 1] == '?')) {
            return false;
        }
    }
    return text.len <= room && (text.len == 0 || (text.data[0] != ' ' && text.data[text.len - 1] != ' '));
}

/* From that column on; the next lines begin with the blank that folds them. */
static enum err put_encoded(struct buf *out, struct span text, size_t column)
{
    while (text.len > 0) {
        const struct span part = span_cut(text, (LINE_MAX - WORD_FRAME - column) / 4 * 3);
        TRY(put(out, "=?utf-8?B?"));
        TRY(mail_base64_put(out, part));
        TRY(put(out, "?="));
        text = span_of(text.data + part.len, text.len - part.len);
        TRY(put(out, text.len > 0 ? "\r\n " : ""));
        column = 1;
    }
    return ERR_OK;
}

static enum err put_subject(struct buf *out, struct span subject)
{
    const struct span name = span_lit("Subject: ");

    TRY(buf_put(out, name));
    TRY(is_plain(subject, LINE_MAX - name.len) ? buf_put(out, subject) : put_encoded(out, subject, name.len));
    return put(out, "\r\n");
}

static enum err put_quoted(struct buf *out, struct span text)
{
    TRY(put(out, "\""));
    for (size_t i = 0; i < text.len; i++) {
        TRY(put(out, text.data[i] == '"' || text.data[i] == '\\' ? "\\" : ""));
        TRY(buf_put(out, span_of(text.data + i, 1)));
    }
    return put(out, "\"");
}

static enum err put_from(struct buf *out, const struct mail_message *message)
{
    const struct span name = span_lit("From: ");
    const struct span shown = message->from_name;
    const size_t quoted_max = (LINE_MAX - name.len - 2) / 2; /* a quote at each end, and each character may want another */

    TRY(buf_put(out, name));
    if (shown.len > 0) {
        TRY(is_plain(shown, quoted_max) ? put_quoted(out, shown) : put_encoded(out, shown, name.len));
        TRY(put(out, "\r\n "));
    }
    TRY(put(out, "<"));
    TRY(buf_put(out, message->from));
    return put(out, ">\r\n");
}

/* Date: Tue, 24 Nov 2026 00:05:09 +0000 */
static enum err put_date(struct buf *out, struct wall_time date)
{
    static const char days[][6] = {"Thu, ", "Fri, ", "Sat, ", "Sun, ", "Mon, ", "Tue, ", "Wed, "};
    static const char months[][6] = {" Jan ", " Feb ", " Mar ", " Apr ", " May ", " Jun ",
                                     " Jul ", " Aug ", " Sep ", " Oct ", " Nov ", " Dec "};
    const int64_t ms = date.ms < 0 ? 0 : (date.ms > TIME_WALL_MS_MAX ? TIME_WALL_MS_MAX : date.ms);
    char iso[TIME_ISO_BYTES];

    time_format_iso((struct wall_time){ms}, iso);
    const size_t month = (size_t)(iso[5] - '0') * 10 + (size_t)(iso[6] - '0') - 1;
    TRY(put(out, "Date: "));
    TRY(put(out, days[(ms / MS_PER_DAY) % 7]));
    TRY(buf_put(out, span_of(iso + 8, 2)));
    TRY(put(out, months[month]));
    TRY(buf_put(out, span_of(iso, 4)));
    TRY(put(out, " "));
    TRY(buf_put(out, span_of(iso + 11, 8)));
    return put(out, " +0000\r\n");
}

static enum err put_id(struct buf *out, const struct mail_message *message)
{
    const size_t at = span_find(message->from, '@');

    TRY(put(out, "Message-ID: <"));
    TRY(buf_put(out, message->id));
    TRY(buf_put(out, span_of(message->from.data + at, message->from.len - at)));
    return put(out, ">\r\n");
}

static enum err put_body(struct buf *out, struct span html)
{
    for (size_t i = 0; i < html.len; i += BODY_BYTES) {
        const size_t left = html.len - i;
        TRY(mail_base64_put(out, span_of(html.data + i, left < BODY_BYTES ? left : BODY_BYTES)));
        TRY(put(out, "\r\n"));
    }
    return ERR_OK;
}

enum err mail_message_put(struct buf *out, const struct mail_message *message)
{
    TRY(check(message));
    TRY(put_date(out, message->date));
    TRY(put_id(out, message));
    TRY(put_from(out, message));
    TRY(put(out, "To: <"));
    TRY(buf_put(out, message->to));
    TRY(put(out, ">\r\n"));
    TRY(put_subject(out, message->subject));
    TRY(put(out, "MIME-Version: 1.0\r\n"
                 "Content-Type: text/html; charset=utf-8\r\n"
                 "Content-Transfer-Encoding: base64\r\n"
                 "Auto-Submitted: auto-generated\r\n"
                 "\r\n"));
    return put_body(out, message->html);
}
