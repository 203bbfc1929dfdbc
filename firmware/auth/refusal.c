/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fills refusals. What the requester named is cut to REFUSAL_PART_MAX bytes, so that the answer says which field is
 * meant without repeating kilobytes of it. */
#include "firmware/auth/refusal.h"

#include <string.h>

#include "hal/base/num.h"

#define REFUSAL_PART_MAX 160

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
        const struct span part = span_cut(parts[i], num_min(room, REFUSAL_PART_MAX));
        if (part.len > 0) {
            memcpy(out->message + out->message_len, part.data, part.len);
            out->message_len += part.len;
        }
    }
    return ERR_DENIED;
}
