/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fills refusals. What the requester named is cut to REFUSAL_PART_MAX bytes, so that the answer says which field is
 * meant without repeating kilobytes of it. */
#include "firmware/auth/refusal.h"

#include <string.h>

#include "hal/base/num.h"

#define REFUSAL_PART_MAX 160

/* The longest front of text that has at most max bytes and does not split a UTF-8 sequence. */
static size_t whole_characters(struct span text, size_t max)
{
    size_t len = num_min(text.len, max);

    while (len > 0 && len < text.len && (text.data[len] & 0xC0u) == 0x80u) {
        len--;
    }
    return len;
}

enum err refuse(struct refusal *out, enum refusal_code code, const char *why)
{
    const struct span text = why == NULL ? SPAN_NONE : span_str(why);
    return refuse_parts(out, code, &text, 1);
}

enum err refuse_parts(struct refusal *out, enum refusal_code code, const struct span *parts, size_t count)
{
    out->code = code;
    out->message_len = 0;
    out->report = NULL;
    out->retry_after_s = 0;
    for (size_t i = 0; i < count; i++) {
        const size_t room = REFUSAL_MESSAGE_MAX - out->message_len;
        const size_t len = whole_characters(parts[i], num_min(room, REFUSAL_PART_MAX));
        if (len > 0) {
            memcpy(out->message + out->message_len, parts[i].data, len);
            out->message_len += len;
        }
    }
    return ERR_DENIED;
}
