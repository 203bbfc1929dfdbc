/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The compiled schema, seen by this folder alone. */
#ifndef FIRMWARE_SCHEMA_SCHEMA_INT_H
#define FIRMWARE_SCHEMA_SCHEMA_INT_H

#include "firmware/schema/schema.h"

struct schema {
    struct arena *arena; /* holds the schema itself and everything it points at */
    const struct schema_matcher *matcher;
    struct schema_field root; /* an object whose fields are the table's */
    struct span ids;
    const struct json_value *definitions; /* of the table's fields, in their order; what a change starts from */
};

/* Appends text to a path of at most SCHEMA_WHERE_MAX bytes; a path that is cut ends in "...". */
void schema_where_put(char *where, size_t *len, struct span text);

/* Appends ".name", or "name" to an empty path. */
void schema_where_name(char *where, size_t *len, struct span name);

/* Deep copy of a tree into an arena, without recursion. ERR_RANGE deeper than JSON_DEPTH_MAX, ERR_NO_MEMORY. */
enum err schema_copy_value(struct arena *arena, const struct json_value *value, struct json_value *out_copy) MUST_USE;

/* Gives every field of `fields` its column id: the one of the same name in ids, or the next. Writes the new table of ids
 * to out_ids. ERR_DAMAGED, ERR_RANGE, ERR_NO_MEMORY. */
enum err schema_assign_ids(struct arena *arena, struct span ids, struct schema_field *fields, size_t count,
                           struct span *out_ids) MUST_USE;

/* The ids without those of the names in a JSON list (or NULL), in the arena: a field that comes back gets a new id.
 * ERR_DAMAGED, ERR_NO_MEMORY. */
enum err schema_forget_ids(struct arena *arena, struct span ids, const struct json_value *names, struct span *out_ids)
    MUST_USE;

/* What a value that is neither a checked object nor a checked array breaks, and what is stored for it. */
struct schema_finding {
    bool broken;
    enum schema_rule rule;
    const char *reason; /* a literal */
    bool has_number;    /* the reason ends with this number */
    double number;
};
struct schema_scalar {
    const struct schema_field *field;
    const struct schema_matcher *matcher;
    void *matcher_work;
};

/* Checks type and limits of one value that is not null. out_value is the value to store: dates become JSON_DATE.
 * ERR_BUDGET from the matcher; out_value is written if nothing is broken. */
enum err schema_check_value(const struct schema_scalar *check, const struct json_value *value,
                            struct schema_finding *out_finding, struct json_value *out_value) MUST_USE;

/* The child of that name, or NULL. */
const struct schema_field *schema_child(const struct schema_field *parent, struct span name);

#endif
