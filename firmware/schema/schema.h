/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Schemas: which fields a table declares, what a row must look like, and how a schema changes.
 *
 * A schema is compiled from its JSON definition (flat or full form, abstract or bson names) together with the column ids
 * given so far. Top-level fields have a column id; a name keeps its id, a new name gets the next one, and an id is never
 * given twice, also not after its field was removed. What is stored is the definition in full form (written by
 * firmware/data) and schema_ids().
 *
 * The folder is pure: it sees JSON as a tree, and the regular expression matcher comes as a table of functions.
 * Spec: contract 4.5 and the row `fields` of section 6. */
#ifndef FIRMWARE_SCHEMA_SCHEMA_H
#define FIRMWARE_SCHEMA_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/json_value.h"
#include "hal/base/mem.h"
#include "hal/base/span.h"

#define SCHEMA_FIELDS_MAX     200  /* top-level fields: each costs a comparison per member of a body */
#define SCHEMA_MEMBERS_MAX    2000 /* of a checked object: each is looked for among the fields, and the other way */
#define SCHEMA_NODES_MAX      1000 /* fields of all levels, and items */
#define SCHEMA_DEPTH_MAX      8    /* levels of properties and items below a field */
#define SCHEMA_ENUM_MAX       256  /* values of one enum: compared one by one */
#define SCHEMA_NAME_MAX       64   /* bytes of a field name */
#define SCHEMA_PATTERN_MAX    256  /* bytes of a pattern, as in a filter */
#define SCHEMA_TEXT_MAX       1024 /* bytes of a description */
#define SCHEMA_BYTES_MAX      (4u << 20) /* memory of one compiled schema */
#define SCHEMA_COLUMN_MAX     0xFEFFu    /* largest column id */
#define SCHEMA_VIOLATIONS_MAX 20         /* contract 1.4: details */
#define SCHEMA_WHERE_MAX      160        /* bytes of a field path in a report */
#define SCHEMA_REASON_MAX     96

enum schema_type {
    SCHEMA_MIXED,
    SCHEMA_STRING, /* also a reference: then `reference` is not empty */
    SCHEMA_DOUBLE,
    SCHEMA_INT,
    SCHEMA_LONG,
    SCHEMA_BOOL,
    SCHEMA_DATE,
    SCHEMA_OBJECT,
    SCHEMA_ARRAY,
};

/* The matcher for `pattern`, given by firmware/data. A program lives as long as the arena it was compiled into. */
struct schema_matcher {
    /* ERR_MALFORMED or ERR_UNSUPPORTED for a pattern that is refused, ERR_RANGE for one that is too large. */
    enum err (*compile)(struct arena *arena, struct span pattern, const void **out_program);
    /* work: what schema_check was given. ERR_BUDGET when its steps are used up. */
    enum err (*match)(const void *program, struct span text, void *work, bool *out_match);
};

/* One declared field or the items of an array; immutable, owned by its schema. */
struct schema_field {
    struct span name; /* empty for items */
    uint16_t column;  /* top-level fields only, otherwise 0 */
    enum schema_type type;
    bool required; /* among the fields beside it */
    bool unique;
    bool has_min_length, has_max_length, has_minimum, has_maximum;
    uint64_t min_length, max_length; /* code points */
    double minimum, maximum;
    struct span pattern; /* empty: none */
    const void *program; /* of the pattern */
    struct span reference;
    struct span description;
    const struct json_value *enumeration;   /* an array, or NULL */
    const struct json_value *default_value; /* or NULL */
    bool has_fields;                        /* an object with declared properties */
    const struct schema_field *fields;      /* properties of an object, in the order of the definition */
    size_t field_count;
    const struct schema_field *items; /* of an array, or NULL */
};

/* A compiled schema: immutable, may be read by any number of threads. */
struct schema;

struct schema_problem {
    char where[SCHEMA_WHERE_MAX]; /* path of the field, "address.city"; may be empty */
    size_t where_len;
    const char *why; /* a literal: "has an unknown type" */
};

/* Compiles a definition; NULL, JSON null and {} declare nothing.
 *
 * ids       schema_ids() of the version before, empty for a new table; borrowed
 * matcher   borrowed for the life of the schema
 * out       the caller frees it with schema_free(); out_problem is written on ERR_MALFORMED only
 *
 * ERR_MALFORMED  the definition is not valid (also when it is over a limit); the problem says where
 * ERR_DAMAGED    ids are not what schema_ids() writes
 * ERR_RANGE      more than SCHEMA_BYTES_MAX, or no column id is left
 * ERR_NO_MEMORY */
enum err schema_new(const struct json_value *definition, struct span ids, const struct schema_matcher *matcher,
                    struct schema **out_schema, struct schema_problem *out_problem) MUST_USE;
void schema_free(struct schema *schema);

static inline void schema_free_scoped(struct schema **schema)
{
    schema_free(*schema);
}
#define SCOPED_SCHEMA SCOPED(schema_free_scoped)

/* The top-level fields, in the order of the definition. */
const struct schema_field *schema_fields(const struct schema *schema, size_t *out_count);

/* The field of that name or column id, or NULL. */
const struct schema_field *schema_find(const struct schema *schema, struct span name);
const struct schema_field *schema_find_column(const struct schema *schema, uint16_t column);

/* The field that a dotted path leads to: "address.city", "tags.0", "lines.0.price". NULL if the path leaves what is
 * declared. */
const struct schema_field *schema_resolve(const struct schema *schema, struct span path);

/* Which column id belongs to which name, and which id is next: to be stored beside the definition. Lives as long as the
 * schema. */
struct span schema_ids(const struct schema *schema);

/* ^[a-zA-Z][a-zA-Z0-9_]{0,63}$ and no system name. */
bool schema_field_name_valid(struct span name);

/* id, _id, createdBy, createdAt, updatedAt. */
bool schema_is_system_field(struct span name);

/* May a new table have this name? ^[a-zA-Z][a-zA-Z0-9_-]{0,63}$ (a leading "_" only for a system table), not reserved
 * for a route, not built in. Contract 4.1 and 6. */
bool schema_table_name_valid(struct span name, bool system);

/* --- rows -------------------------------------------------------------------------------------------------------- */

enum schema_mode { SCHEMA_CREATE, SCHEMA_PATCH };
enum schema_additional { SCHEMA_EXTRA_REJECT, SCHEMA_EXTRA_STRIP, SCHEMA_EXTRA_ALLOW };

enum schema_rule {
    SCHEMA_RULE_REQUIRED,
    SCHEMA_RULE_TYPE,
    SCHEMA_RULE_PATTERN,
    SCHEMA_RULE_MIN_LENGTH,
    SCHEMA_RULE_MAX_LENGTH,
    SCHEMA_RULE_MINIMUM,
    SCHEMA_RULE_MAXIMUM,
    SCHEMA_RULE_ENUM,
    SCHEMA_RULE_ITEMS,
    SCHEMA_RULE_UNKNOWN,
    SCHEMA_RULE_NAME,
    SCHEMA_RULE_JSON,
    SCHEMA_RULE_TEST, /* of a policy, which reports the same way; no row breaks it */
};

/* "required", "minLength" ...: as it stands in `details`. A static string. */
const char *schema_rule_name(enum schema_rule rule);

struct schema_violation {
    enum schema_rule rule;
    char field[SCHEMA_WHERE_MAX]; /* "title", "lines.2.price"; a cut path ends in "..." */
    size_t field_len;
    char reason[SCHEMA_REASON_MAX]; /* "is required", without the field */
    size_t reason_len;
};

struct schema_report {
    struct schema_violation items[SCHEMA_VIOLATIONS_MAX];
    size_t count;
};

struct schema_check {
    const struct schema *schema;
    enum schema_mode mode;
    enum schema_additional additional;
    struct arena *arena; /* of the request: what is built lives there */
    void *matcher_work;  /* handed to the matcher */
};

/* Checks a body and makes the object that is stored: system fields dropped, defaults added (create), declared dates
 * turned into JSON_DATE, undeclared fields kept, dropped or refused. Parts that need no change are shared with body.
 * On PATCH only the supplied fields are looked at.
 *
 * out_row     valid as long as the arena and the body
 * out_report  large: the caller keeps one per thread or in the arena; written on ERR_MALFORMED only
 *
 * ERR_MALFORMED  the body breaks the schema; the first SCHEMA_VIOLATIONS_MAX violations are in the report
 * ERR_BUDGET     the patterns used up the matcher's steps
 * ERR_NO_MEMORY  the arena is full */
enum err schema_check(const struct schema_check *check, const struct json_value *body, struct json_value *out_row,
                      struct schema_report *out_report) MUST_USE;

/* "Validation failed: <field> <reason>" of one violation, at most SCHEMA_MESSAGE_MAX bytes, without a NUL. Returns the
 * length. With `details` "title is required". */
#define SCHEMA_MESSAGE_MAX (SCHEMA_WHERE_MAX + SCHEMA_REASON_MAX + 24)
size_t schema_violation_message(const struct schema_violation *violation, char out_text[SCHEMA_MESSAGE_MAX]);
size_t schema_violation_detail(const struct schema_violation *violation, char out_text[SCHEMA_MESSAGE_MAX]);

/* --- changes ----------------------------------------------------------------------------------------------------- */

/* Makes the next version of a schema from the body of POST /tables/:id/fields: an object of fieldsToAddOrUpdate,
 * fieldsToRemove, requiredFieldsToAdd, requiredFieldsToRemove, all optional; anything else is refused. Fields that stay keep their column id; a field that is removed and added in the
 * same change gets a new one, so its old data is gone. Removing or unrequiring an unknown field is refused.
 * Errors as schema_new. */
enum err schema_apply_change(const struct schema *schema, const struct json_value *change, struct schema **out_schema,
                             struct schema_problem *out_problem) MUST_USE;

#endif
