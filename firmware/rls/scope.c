/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Scopes as bytes. The compiled list is what is stored with a key and what each request is checked against, so there is
 * no second form that could differ from the first.
 *
 * Form: kind(1) = SCOPE_ALL or SCOPE_LIST; after SCOPE_LIST entries op(1) | length(1) | table, where op is an enum rls_op
 * or SCOPE_ANY_OP and the table "*" stands for every table. */
#include "firmware/rls/scope.h"

#include <string.h>

#include "hal/base/fault.h"

#define SCOPE_ALL    0xA5
#define SCOPE_LIST   0x3C
#define SCOPE_ANY_OP 0xFF

#define TABLE_MAX  64
#define ENTRY_HEAD 2 /* operation and length */

struct entry {
    uint8_t op;
    struct span table;
};

static enum err parse_op(struct span text, uint8_t *out_op)
{
    if (span_equal(text, span_lit("*"))) {
        *out_op = SCOPE_ANY_OP;
        return ERR_OK;
    }
    enum rls_op op;
    ENSURE(rls_op_named(text, &op), ERR_MALFORMED, "no such operation");
    *out_op = (uint8_t)op;
    return ERR_OK;
}

static enum err parse_scope(const struct json_value *scope, struct entry *out_entry)
{
    ENSURE(scope->type == JSON_STRING, ERR_MALFORMED, "a scope is a text");
    const struct span text = scope->as.text;
    const size_t colon = span_find(text, ':');
    ENSURE(colon < text.len, ERR_MALFORMED, "a scope is table:operation");
    out_entry->table = span_of(text.data, colon);
    ENSURE(rls_table_name_valid(out_entry->table) || span_equal(out_entry->table, span_lit("*")), ERR_MALFORMED,
           "a scope names a table or *");
    TRY(parse_op(span_of(text.data + colon + 1, text.len - colon - 1), &out_entry->op));
    return ERR_OK;
}

static enum err put_scopes(const struct json_value *scopes, struct buf *out)
{
    TRY(buf_put_u8(out, SCOPE_LIST));
    for (size_t i = 0; i < scopes->as.array.count; i++) {
        struct entry entry;
        TRY(parse_scope(&scopes->as.array.items[i], &entry));
        TRY(buf_put_u8(out, entry.op));
        TRY(buf_put_u8(out, (uint8_t)entry.table.len));
        TRY(buf_put(out, entry.table));
    }
    return ERR_OK;
}

struct span scope_unrestricted(void)
{
    static const uint8_t all[] = {SCOPE_ALL};

    return span_array(all);
}

enum err scope_compile(const struct json_value *scopes, struct buf *out)
{
    const size_t before = buf_len(out);
    if (scopes == NULL || scopes->type == JSON_NULL) {
        TRY(buf_put_u8(out, SCOPE_ALL));
        return ERR_OK;
    }
    ENSURE(scopes->type == JSON_ARRAY, ERR_MALFORMED, "scopes are a list");
    ENSURE(scopes->as.array.count > 0, ERR_MALFORMED, "an empty list of scopes is ambiguous");
    ENSURE(scopes->as.array.count <= SCOPE_COUNT_MAX, ERR_MALFORMED, "too many scopes");
    const enum err err = put_scopes(scopes, out);
    if (err != ERR_OK) {
        buf_truncate(out, before);
        FAIL(err, "a scope is not valid", before);
    }
    return ERR_OK;
}

/* Reads the entry at the reader's place; false at the end and on damage. */
static bool next_entry(struct reader *reader, struct entry *out_entry)
{
    const struct span rest = reader->rest;
    if (rest.len < ENTRY_HEAD || rest.len - ENTRY_HEAD < rest.data[1]) {
        return false;
    }
    const uint8_t op = rest.data[0];
    const size_t len = rest.data[1];
    const size_t taken = ENTRY_HEAD + len;
    *out_entry = (struct entry){op, span_of(rest.data + ENTRY_HEAD, len)};
    reader->rest = span_of(rest.data + taken, rest.len - taken);
    return (op < RLS_OPS || op == SCOPE_ANY_OP) && len > 0 && len <= TABLE_MAX;
}

static bool op_covers(uint8_t granted, enum rls_op op)
{
    return granted == SCOPE_ANY_OP || granted == (uint8_t)op || (op == RLS_LIST && granted == RLS_READ);
}

/* The entries after the first byte; none unless it says SCOPE_LIST. */
static struct reader entries_of(struct span compiled)
{
    if (compiled.len == 0 || compiled.data[0] != SCOPE_LIST) {
        return reader_of(SPAN_NONE);
    }
    return reader_of(span_of(compiled.data + 1, compiled.len - 1));
}

enum rls_verdict scope_check(struct span compiled, struct span table, enum rls_op op)
{
    if ((size_t)op >= RLS_OPS) {
        return RLS_DENY;
    }
    if (scope_is_null(compiled)) {
        return RLS_ALLOW;
    }
    struct reader reader = entries_of(compiled);
    struct entry entry;
    while (next_entry(&reader, &entry)) {
        const bool any = span_equal(entry.table, span_lit("*"));
        if (op_covers(entry.op, op) && (any || span_equal(entry.table, table))) {
            return RLS_ALLOW;
        }
    }
    return RLS_DENY;
}

enum rls_verdict scope_check_all(struct span compiled)
{
    if (scope_is_null(compiled)) {
        return RLS_ALLOW;
    }
    struct reader reader = entries_of(compiled);
    struct entry entry;
    while (next_entry(&reader, &entry)) {
        if (entry.op == SCOPE_ANY_OP && span_equal(entry.table, span_lit("*"))) {
            return RLS_ALLOW;
        }
    }
    return RLS_DENY;
}

bool scope_is_null(struct span compiled)
{
    return compiled.len == 1 && compiled.data[0] == SCOPE_ALL;
}

bool scope_next(struct span compiled, size_t *cursor, char out_text[SCOPE_TEXT_MAX], size_t *out_len)
{
    const struct span entries = entries_of(compiled).rest;
    struct entry entry;
    if (*cursor >= entries.len) {
        return false;
    }
    struct reader reader = reader_of(span_of(entries.data + *cursor, entries.len - *cursor));
    if (!next_entry(&reader, &entry)) {
        return false;
    }
    const struct span op = entry.op == SCOPE_ANY_OP ? span_lit("*") : span_str(rls_op_name((enum rls_op)entry.op));
    memcpy(out_text, entry.table.data, entry.table.len);
    out_text[entry.table.len] = ':';
    memcpy(out_text + entry.table.len + 1, op.data, op.len);
    *cursor = entries.len - reader.rest.len;
    *out_len = entry.table.len + 1 + op.len;
    return true;
}
