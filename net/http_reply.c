/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The head of an answer. Framing headers are written here and nowhere else; what a handler adds is checked byte by byte,
 * so no value that came from a client can end a header and begin another. Spec: RFC 9112 section 4; RFC 9110 section 5. */
#include "net/http_int.h"

#include <string.h>

#include "hal/base/fault.h"
#include "hal/base/num.h"

#define NAME(text)                                                                                                     \
    {                                                                                                                  \
        (const uint8_t *)("" text), sizeof(text) - 1                                                                   \
    }

static struct span reason_of(unsigned int status)
{
    static const struct {
        unsigned int status;
        const char *reason;
    } reasons[] = {
        {200, "OK"},
        {201, "Created"},
        {204, "No Content"},
        {302, "Found"},
        {304, "Not Modified"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {413, "Content Too Large"},
        {429, "Too Many Requests"},
        {500, "Internal Server Error"},
        {503, "Service Unavailable"},
        {507, "Insufficient Storage"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(reasons); i++) {
        if (reasons[i].status == status) {
            return span_str(reasons[i].reason);
        }
    }
    return SPAN_NONE; /* the phrase may be empty */
}

static enum err put_number(struct buf *out_text, size_t number)
{
    char digits[SPAN_U64_TEXT_MAX];

    return buf_put(out_text, span_from_u64(number, digits));
}

static bool frames(struct span name)
{
    static const struct span names[] = {NAME("Content-Length"), NAME("Transfer-Encoding"), NAME("Connection"),
                                        NAME("Trailer"), NAME("Upgrade")};

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (span_equal_nocase(name, names[i])) {
            return true;
        }
    }
    return false;
}

static uint8_t *put_bytes(uint8_t *at, struct span bytes)
{
    if (bytes.len > 0) {
        memcpy(at, bytes.data, bytes.len);
    }
    return at + bytes.len;
}

static enum err put_header(const struct http_header *header, struct buf *out_text)
{
    ENSURE(http_is_token(header->name) && !frames(header->name), ERR_MALFORMED, "a header that frames");
    ENSURE(http_is_value(header->value), ERR_MALFORMED, "a header that ends early");
    size_t bytes = 0;
    uint8_t *at = NULL;

    TRY(num_add(header->name.len, header->value.len, &bytes));
    TRY(num_add(bytes, 4, &bytes)); /* ": " and the line's end */
    TRY(buf_reserve(out_text, bytes, &at));
    at = put_bytes(at, header->name);
    at = put_bytes(at, span_lit(": "));
    at = put_bytes(at, header->value);
    (void)put_bytes(at, span_lit("\r\n")); /* the end of what was reserved */
    buf_commit(out_text, bytes);
    return ERR_OK;
}

enum err http_reply_write(const struct http_reply *reply, struct buf *out_text)
{
    const struct http_response *const response = reply->response;

    ENSURE(response->status >= 200 && response->status <= 599, ERR_MALFORMED, "not a status");
    TRY(buf_put(out_text, span_lit("HTTP/1.1 ")));
    TRY(put_number(out_text, response->status));
    TRY(buf_put(out_text, span_lit(" ")));
    TRY(buf_put(out_text, reason_of(response->status)));
    TRY(buf_put(out_text, span_lit("\r\n")));
    for (size_t i = 0; i < response->header_count; i++) {
        TRY(put_header(&response->headers[i], out_text));
    }
    if (!reply->without_length) {
        TRY(buf_put(out_text, span_lit("Content-Length: ")));
        TRY(put_number(out_text, reply->body_bytes));
        TRY(buf_put(out_text, span_lit("\r\n")));
    }
    if (reply->close) {
        TRY(buf_put(out_text, span_lit("Connection: close\r\n")));
    }
    return buf_put(out_text, span_lit("\r\n"));
}
