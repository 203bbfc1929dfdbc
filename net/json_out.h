/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writes compact JSON straight into a buffer.
 *
 * The first failure sticks: later calls do nothing, and json_out_finish tells. So a body is written as one run of calls
 * without a check after each. Commas and colons are placed by the writer; unbalanced calls are a defect of ours and
 * stop the process. Spec: RFC 8259; contract 1.1 (compact), 1.7 (numbers). */
#ifndef NET_JSON_OUT_H
#define NET_JSON_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/json_value.h"
#include "hal/base/span.h"
#include "hal/base/time.h"

#define JSON_OUT_DEPTH_MAX 64 /* a row nests 32 deep and stands inside a few levels of ours */

struct json_out {
    struct buf *buf; /* borrowed */
    enum err err;
    size_t depth;
    bool more[JSON_OUT_DEPTH_MAX]; /* a comma is due before the next item of this level */
    bool named;                    /* a name was just written */
};

/* Appends to buf, which may already hold something. */
void json_out_init(struct json_out *out, struct buf *buf);

void json_out_object(struct json_out *out);
void json_out_object_end(struct json_out *out);
void json_out_array(struct json_out *out);
void json_out_array_end(struct json_out *out);

/* The name of the member that comes next. */
void json_out_name(struct json_out *out, struct span name);

/* Text must be UTF-8; what is not becomes U+FFFD, so that no stored byte can break a response. */
void json_out_text(struct json_out *out, struct span text);
void json_out_int(struct json_out *out, int64_t value);

/* Integral and |value| <= 2^53: without point or exponent. Otherwise the shortest form that reads back the same.
 * NaN and infinities cannot be stored; should one arrive, it is written as null. */
void json_out_double(struct json_out *out, double value);
void json_out_bool(struct json_out *out, bool value);
void json_out_null(struct json_out *out);
void json_out_time(struct json_out *out, struct wall_time time);

/* A whole tree. */
void json_out_value(struct json_out *out, const struct json_value *value);

/* The members of a tree's object, but for those of these names, into the object that is open. */
void json_out_members_without(struct json_out *out, const struct json_value *object, const struct span *names,
                              size_t count);

/* Bytes that are one JSON value already: a stored policy, a constant. */
void json_out_raw(struct json_out *out, struct span json);

/* Name and value in one call. */
void json_out_member_text(struct json_out *out, struct span name, struct span text);
void json_out_member_int(struct json_out *out, struct span name, int64_t value);
void json_out_member_bool(struct json_out *out, struct span name, bool value);
void json_out_member_null(struct json_out *out, struct span name);
void json_out_member_time(struct json_out *out, struct span name, struct wall_time time);

/* ERR_RANGE    the buffer is full: the response is larger than it may be
 * ERR_NO_MEMORY
 * ERR_BUG      something was left open */
enum err json_out_finish(const struct json_out *out) MUST_USE;

#endif
