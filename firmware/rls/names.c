/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names: of operations and subjects, and what may be a table, a field or a role at all. Only exact bytes count; nothing is
 * folded, trimmed or decoded here. */
#include "firmware/rls/rls.h"

#include "firmware/rls/rls_int.h"

#define TABLE_NAME_MAX 64
#define FIELD_NAME_MAX 64
#define ROLE_NAME_MAX  32

static const char *const op_names[RLS_OPS] = {"create", "read", "update", "delete", "list"};
static const char *const subject_names[RLS_SUBJECTS] = {"admin", "user", "guest", "self"};

const char *rls_op_name(enum rls_op op)
{
    return (size_t)op < RLS_OPS ? op_names[op] : "";
}

bool rls_op_named(struct span name, enum rls_op *out_op)
{
    for (size_t op = 0; op < RLS_OPS; op++) {
        if (span_equal(span_str(op_names[op]), name)) {
            *out_op = (enum rls_op)op;
            return true;
        }
    }
    return false;
}

const char *rls_subject_name(enum rls_subject subject)
{
    return (size_t)subject < RLS_SUBJECTS ? subject_names[subject] : "";
}

#define NAME(text)                                                                                                     \
    {                                                                                                                  \
        (const uint8_t *)("" text), sizeof(text) - 1                                                                   \
    }

static bool is_one_of(const struct span *names, size_t count, struct span name)
{
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        found = found || span_equal(names[i], name);
    }
    return found;
}

bool rls_table_is_built_in(struct span name)
{
    static const struct span names[] = {NAME("users"), NAME("accounts"), NAME("sessions"), NAME("files")};
    return is_one_of(names, ARRAY_LENGTH(names), name);
}

bool rls_field_is_system(struct span field)
{
    static const struct span names[] = {NAME("id"), NAME("createdBy"), NAME("createdAt"), NAME("updatedAt")};
    return is_one_of(names, ARRAY_LENGTH(names), field);
}

static bool role_is_built_in(struct span name)
{
    static const struct span names[] = {NAME("admin"), NAME("user"), NAME("guest"), NAME("self"), NAME("public")};
    return is_one_of(names, ARRAY_LENGTH(names), name);
}

static bool is_lower(uint8_t byte)
{
    return byte >= 'a' && byte <= 'z';
}

static bool is_letter(uint8_t byte)
{
    return is_lower(byte) || (byte >= 'A' && byte <= 'Z');
}

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static bool in_role(uint8_t byte)
{
    return is_lower(byte) || is_digit(byte) || byte == '_' || byte == '-';
}

static bool in_field(uint8_t byte)
{
    return is_letter(byte) || is_digit(byte) || byte == '_';
}

static bool in_table(uint8_t byte)
{
    return in_field(byte) || byte == '-';
}

static bool begins_table(uint8_t byte)
{
    return is_letter(byte) || byte == '_';
}

/* One byte of the one class, then bytes of the other, `most` in all. */
static bool is_name(struct span text, size_t most, bool (*begins)(uint8_t), bool (*in)(uint8_t))
{
    bool valid = text.len > 0 && text.len <= most && begins(text.data[0]);
    for (size_t i = 1; valid && i < text.len; i++) {
        valid = in(text.data[i]);
    }
    return valid;
}

bool rls_table_name_valid(struct span name)
{
    return is_name(name, TABLE_NAME_MAX, begins_table, in_table);
}

bool rls_field_name_valid(struct span field)
{
    return is_name(field, FIELD_NAME_MAX, is_letter, in_field) && !rls_field_is_system(field);
}

bool rls_role_name_valid(struct span name)
{
    return is_name(name, ROLE_NAME_MAX, is_lower, in_role) && !role_is_built_in(name);
}

struct span rls_filter_ordinal(size_t filter)
{
    static const char *const numbers[RLS_FILTERS_MAX] = {"0",  "1",  "2",  "3",  "4",  "5",  "6",  "7",  "8",  "9",
                                                         "10", "11", "12", "13", "14", "15", "16", "17", "18", "19"};
    return span_str(numbers[filter]);
}
