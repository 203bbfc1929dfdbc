/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A JSON text as a tree of immutable values. It is made by net/json.c, which checks the text (no duplicate keys, no
 * U+0000, no lone surrogates, a bounded depth), and read by everybody, also by the pure folders that may not see net/.
 *
 * The tree lives in the arena that it was parsed into. Items and members are contiguous, in the order of the text. */
#ifndef HAL_BASE_JSON_VALUE_H
#define HAL_BASE_JSON_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/base/span.h"
#include "hal/base/time.h"

#define JSON_DEPTH_MAX 32 /* contract 1.1; the value at the root has depth 1 */

/* JSON_DATE is never made by the parser: the schema puts it in place of a text that stands in a declared date field. */
enum json_type { JSON_NULL, JSON_BOOL, JSON_INT, JSON_DOUBLE, JSON_STRING, JSON_DATE, JSON_ARRAY, JSON_OBJECT };

struct json_member;

struct json_value {
    enum json_type type;
    union {
        bool boolean;
        int64_t integer;  /* a number without fraction and exponent that fits */
        double real;      /* any other number; always finite */
        struct span text; /* valid UTF-8 */
        struct wall_time date;
        struct {
            const struct json_value *items;
            size_t count;
        } array;
        struct {
            const struct json_member *members;
            size_t count;
        } object;
    } as;
};

struct json_member {
    struct span name; /* valid UTF-8 */
    struct json_value value;
};

/* The member of that name, or NULL: also when object is NULL or not an object. */
const struct json_value *json_find(const struct json_value *object, struct span name);

#endif
