/* SPDX-License-Identifier: GPL-3.0-or-later */
/* storage/row.h: bytes that are not a row are refused without an access outside them, and a row that can be walked to its
 * end is rebuilt to the same bytes. */
#include <string.h>

#include "hal/base/buf.h"
#include "storage/row.h"
#include "tests/fuzz/fuzz.h"

#define STEPS_MAX 10000

/* Walks a value and everything in it with a stack of its own. False: something in it is damaged. */
static bool walk(struct row_value value)
{
    struct row_iter stack[ROW_DEPTH_MAX + 2];
    struct row_member member;
    size_t depth = 0;

    stack[depth++] = row_iter_of(&value);
    for (size_t steps = 0; depth > 0 && steps < STEPS_MAX; steps++) {
        const enum err got = row_iter_next(&stack[depth - 1], &member);

        if (got == ERR_NOT_FOUND) {
            depth--;
        } else if (got != ERR_OK) {
            return false;
        } else if (member.value.type == ROW_OBJECT || member.value.type == ROW_ARRAY) {
            if (depth == ROW_DEPTH_MAX + 2) {
                return false;
            }
            stack[depth++] = row_iter_of(&member.value);
        }
    }
    return depth == 0;
}

static bool rebuild(const struct row *row, struct buf *out)
{
    struct row_builder builder;
    struct row_iter columns = row_iter_columns(row);
    struct row_member member;
    struct span encoded = SPAN_NONE;
    enum err got = row_build_begin(&builder, out, row->created_at, row->updated_at, row->created_by);

    while (got == ERR_OK) {
        got = row_iter_next(&columns, &member);
        if (got == ERR_OK && !walk(member.value)) {
            return false;
        }
        if (got == ERR_OK) {
            got = row_build_value(&builder, (struct row_key){member.column, member.name}, &member.value);
        }
    }
    return got == ERR_NOT_FOUND && row_build_end(&builder, &encoded) == ERR_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct row_field fields[] = {
        {.column = 1, .path = {(const uint8_t *)"a.0.b", 5}},
        {.column = ROW_COLUMN_NONE, .name = {(const uint8_t *)"name", 4}, .path = {(const uint8_t *)"1", 1}},
        {.column = ROW_COLUMN_CREATED_BY},
        {.column = ROW_COLUMN_ID},
    };
    struct row row;
    char id_text[ROW_ID_TEXT_BYTES];
    SCOPED_BUF struct buf *again = NULL;

    fault_clear();
    if (row_read((struct row_id){{1}}, span_of(data, size), &row) != ERR_OK) {
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(fields); i++) {
        struct row_value value = {0};
        const enum err got = row_find(&row, &fields[i], id_text, &value);

        FUZZ_CHECK(got == ERR_OK || got == ERR_DAMAGED);
    }
    FUZZ_CHECK(buf_new(ROW_BYTES_MAX, &again) == ERR_OK);
    if (rebuild(&row, again)) {
        FUZZ_CHECK(span_equal(buf_all(again), row.encoded));
    }
    return 0;
}
