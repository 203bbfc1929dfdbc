/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Between JSON and the row codec.
 *
 * The codec wants columns sorted by id and extras sorted by name. So the top level of a row is first a list of cells, each
 * from the body or from the stored row; the list is sorted and then written. A stored value whose name was declared
 * meanwhile takes its column; a column that the schema no longer knows is dropped at the next write and never shown.
 * Nesting is walked with explicit stacks, bounded by the parser's and the codec's own limit. */
#include "firmware/data/row_json.h"

#include <stdlib.h>

#include "hal/base/fault.h"
#include "hal/base/num.h"

_Static_assert(ROW_DEPTH_MAX <= JSON_DEPTH_MAX, "a stack for the one serves the other");

/* --- from JSON --- */

/* One top-level value of the row to be. */
struct cell {
    struct row_key key;
    const struct json_value *json; /* from the body, or NULL */
    struct row_value stored;       /* from the row before */
};

static int compare_cells(const void *a, const void *b)
{
    const struct cell *x = a;
    const struct cell *y = b;
    if (x->key.column != y->key.column) {
        return x->key.column < y->key.column ? -1 : 1;
    }
    return span_compare(x->key.name, y->key.name);
}

static struct row_key key_of(const struct schema *schema, struct span name)
{
    const struct schema_field *field = schema_find(schema, name);
    if (field != NULL) {
        return (struct row_key){.column = field->column};
    }
    return (struct row_key){.column = ROW_COLUMN_EXTRA, .name = name};
}

/* Writes a value that holds no others; opens a container. */
static enum err build_one(struct row_builder *builder, struct row_key key, const struct json_value *value)
{
    switch (value->type) {
    case JSON_NULL:
        return row_build_null(builder, key);
    case JSON_BOOL:
        return row_build_bool(builder, key, value->as.boolean);
    case JSON_INT:
        return row_build_int(builder, key, value->as.integer);
    case JSON_DOUBLE:
        return row_build_double(builder, key, value->as.real);
    case JSON_STRING:
        return row_build_string(builder, key, value->as.text);
    case JSON_DATE:
        return row_build_date(builder, key, value->as.date);
    case JSON_ARRAY:
        return row_build_open_array(builder, key);
    case JSON_OBJECT:
        return row_build_open_object(builder, key);
    }
    FAIL(ERR_BUG, "a JSON value of no type", value->type);
}

struct level {
    const struct json_value *container;
    size_t next;
};

/* The next value inside a container and the key it goes under; NULL at the end. */
static const struct json_value *next_inside(struct level *level, struct row_key *out_key)
{
    const size_t at = level->next;
    level->next++;
    *out_key = (struct row_key){.column = ROW_COLUMN_NONE};
    if (level->container->type == JSON_ARRAY) {
        return at < level->container->as.array.count ? &level->container->as.array.items[at] : NULL;
    }
    if (at >= level->container->as.object.count) {
        return NULL;
    }
    out_key->name = level->container->as.object.members[at].name;
    return &level->container->as.object.members[at].value;
}

static enum err build_json(struct row_builder *builder, struct row_key key, const struct json_value *value)
{
    struct level levels[ROW_DEPTH_MAX];
    struct row_key at = key;
    size_t depth = 0;
    for (const struct json_value *current = value; current != NULL;) {
        TRY(build_one(builder, at, current));
        if (current->type == JSON_ARRAY || current->type == JSON_OBJECT) {
            ENSURE(depth < ROW_DEPTH_MAX, ERR_RANGE, "a value nests too deep");
            levels[depth] = (struct level){current, 0};
            depth++;
        }
        current = NULL;
        while (depth > 0 && current == NULL) {
            current = next_inside(&levels[depth - 1], &at);
            if (current == NULL) {
                TRY(row_build_close(builder));
                depth--;
            }
        }
    }
    return ERR_OK;
}

static enum err build_cells(struct row_builder *builder, struct cell *cells, size_t count)
{
    if (count > 0) {
        qsort(cells, count, sizeof(cells[0]), compare_cells);
    }
    for (size_t i = 0; i < count; i++) {
        if (cells[i].json != NULL) {
            TRY(build_json(builder, cells[i].key, cells[i].json));
        } else {
            TRY(row_build_value(builder, cells[i].key, &cells[i].stored));
        }
    }
    return ERR_OK;
}

/* Turns the members of a body into cells. */
static void cells_of_json(const struct schema *schema, const struct json_value *row, struct cell *cells)
{
    for (size_t i = 0; i < row->as.object.count; i++) {
        const struct json_member *member = &row->as.object.members[i];
        cells[i] = (struct cell){.key = key_of(schema, member->name), .json = &member->value};
    }
}

enum err row_json_create(const struct row_write *write, const struct json_value *row, struct span created_by,
                         struct span *out_encoded)
{
    struct row_builder builder;
    void *memory = NULL;
    ENSURE(row->type == JSON_OBJECT, ERR_BUG, "a row that is no object");
    TRY(arena_alloc_array(write->arena, row->as.object.count, sizeof(struct cell), &memory));
    cells_of_json(write->schema, row, memory);
    TRY(row_build_begin(&builder, write->out, write->now, write->now, created_by));
    TRY(build_cells(&builder, memory, row->as.object.count));
    return row_build_end(&builder, out_encoded);
}

/* A member, with the declared field that it belongs to (NULL: an extra, or a column that was removed) and the name that it
 * goes by today (empty for a column that was removed). */
struct named {
    const struct schema_field *field;
    struct span name;
};

static struct named name_of(const struct schema *schema, const struct row_member *member)
{
    if (member->column == ROW_COLUMN_EXTRA) {
        return (struct named){NULL, member->name};
    }
    const struct schema_field *field = schema_find_column(schema, member->column);
    return (struct named){field, field == NULL ? SPAN_NONE : field->name};
}

struct span row_json_name(const struct schema *schema, const struct row_member *member)
{
    return name_of(schema, member).name;
}

static enum err count_columns(const struct row *row, size_t *out_count)
{
    struct row_iter iter = row_iter_columns(row);
    struct row_member member;
    enum err err = ERR_OK;
    *out_count = 0;
    while ((err = row_iter_next(&iter, &member)) == ERR_OK) {
        (*out_count)++;
    }
    ENSURE(err == ERR_NOT_FOUND, ERR_DAMAGED, "a stored row is damaged");
    return ERR_OK;
}

/* An extra whose column is there as well is older than the column and gives way. */
static bool is_shadowed(const struct schema *schema, const struct row *row, const struct row_member *member)
{
    const struct schema_field *field = member->column == ROW_COLUMN_EXTRA ? schema_find(schema, member->name) : NULL;
    struct row_iter iter = row_iter_columns(row);
    struct row_member other;
    bool shadowed = false;
    while (field != NULL && !shadowed && row_iter_next(&iter, &other) == ERR_OK) {
        shadowed = other.column == field->column;
    }
    return shadowed;
}

/* Appends what the stored row has and the patch does not replace. */
static enum err keep_stored(const struct schema *schema, const struct row *stored, const struct json_value *patch,
                            struct cell *cells, size_t *count)
{
    struct row_iter iter = row_iter_columns(stored);
    struct row_member member;
    enum err err = ERR_OK;
    while ((err = row_iter_next(&iter, &member)) == ERR_OK) {
        const struct span name = row_json_name(schema, &member);
        if (name.len == 0 || json_find(patch, name) != NULL || is_shadowed(schema, stored, &member)) {
            continue;
        }
        cells[*count] = (struct cell){.key = key_of(schema, name), .stored = member.value};
        (*count)++;
    }
    ENSURE(err == ERR_NOT_FOUND, ERR_DAMAGED, "a stored row is damaged");
    return ERR_OK;
}

enum err row_json_update(const struct row_write *write, const struct row *stored, const struct json_value *patch,
                         struct span *out_encoded)
{
    struct row_builder builder;
    void *memory = NULL;
    size_t stored_count = 0;
    size_t most = 0;
    ENSURE(patch->type == JSON_OBJECT, ERR_BUG, "a patch that is no object");
    TRY(count_columns(stored, &stored_count));
    TRY(num_add(stored_count, patch->as.object.count, &most));
    TRY(arena_alloc_array(write->arena, most, sizeof(struct cell), &memory));
    struct cell *cells = memory;
    size_t count = patch->as.object.count;
    cells_of_json(write->schema, patch, cells);
    TRY(keep_stored(write->schema, stored, patch, cells, &count));
    ENSURE(count <= ROW_JSON_VALUES_MAX, ERR_RANGE, "a row of too many values");
    const int64_t after = stored->updated_at.ms + 1;
    const struct wall_time updated = {write->now.ms > after ? write->now.ms : after};
    TRY(row_build_begin(&builder, write->out, stored->created_at, updated, stored->created_by));
    TRY(build_cells(&builder, cells, count));
    return row_build_end(&builder, out_encoded);
}

/* --- to JSON --- */

/* Writes a value that holds no others; opens a container. */
static void write_one(struct json_out *out, const struct row_value *value)
{
    switch (value->type) {
    case ROW_MISSING:
    case ROW_NULL:
        json_out_null(out);
        return;
    case ROW_BOOL:
        json_out_bool(out, value->boolean);
        return;
    case ROW_INT:
        json_out_int(out, value->integer);
        return;
    case ROW_DOUBLE:
        json_out_double(out, value->number);
        return;
    case ROW_STRING:
        json_out_text(out, value->bytes);
        return;
    case ROW_DATE:
        json_out_time(out, value->date);
        return;
    case ROW_OBJECT:
        json_out_object(out);
        return;
    case ROW_ARRAY:
        json_out_array(out);
        return;
    }
}

static void write_close(struct json_out *out, enum row_type type)
{
    if (type == ROW_ARRAY) {
        json_out_array_end(out);
    } else {
        json_out_object_end(out);
    }
}

/* Containers that are being written. */
struct open_values {
    struct row_iter iters[ROW_DEPTH_MAX];
    size_t depth;
    enum err err;
};

/* Writes one value; what it contains follows. A container that cannot be entered is written empty. */
static void write_enter(struct json_out *out, struct open_values *open, const struct row_value *value)
{
    write_one(out, value);
    if (value->type != ROW_OBJECT && value->type != ROW_ARRAY) {
        return;
    }
    if (open->depth == ROW_DEPTH_MAX) {
        open->err = ERR_DAMAGED;
        write_close(out, value->type);
        return;
    }
    open->iters[open->depth] = row_iter_of(value);
    open->depth++;
}

/* Writes a whole value, or what can be read of it: containers are closed also on damage, so the writer stays usable. */
enum err row_json_write_value(struct json_out *out, const struct row_value *value)
{
    struct open_values open = {.depth = 0};
    write_enter(out, &open, value);
    while (open.depth > 0) {
        struct row_iter *iter = &open.iters[open.depth - 1];
        struct row_member member;
        const enum err next = open.err == ERR_OK ? row_iter_next(iter, &member) : open.err;
        if (next != ERR_OK) {
            open.err = next == ERR_NOT_FOUND ? ERR_OK : next;
            write_close(out, iter->of);
            open.depth--;
            continue;
        }
        if (iter->of == ROW_OBJECT) {
            json_out_name(out, member.name);
        }
        write_enter(out, &open, &member.value);
    }
    ENSURE(open.err == ERR_OK, ERR_DAMAGED, "a stored value is damaged");
    return ERR_OK;
}

static void write_id(struct json_out *out, const struct row *row)
{
    char id_text[ROW_ID_TEXT_BYTES];
    row_id_format(row->id, id_text);
    json_out_member_text(out, span_lit("id"), span_of(id_text, sizeof(id_text)));
}

static void write_rest_of_system(struct json_out *out, const struct row *row)
{
    json_out_member_text(out, span_lit("createdBy"), row->created_by);
    json_out_member_time(out, span_lit("createdAt"), row->created_at);
    json_out_member_time(out, span_lit("updatedAt"), row->updated_at);
}

/* Is it wanted and readable? What every row asks of every declared field takes no search among the rules. */
static bool is_shown(const struct row_view *view, struct named named, bool owns)
{
    size_t count = 0;

    if (named.name.len == 0 || (view->select != NULL && !row_selects(view->select, named.name))) {
        return false;
    }
    const bool mapped = view->column_rules != NULL && named.field != NULL;
    const size_t rule = mapped ? view->column_rules[named.field - schema_fields(view->schema, &count)]
                               : rls_column_rule(view->rls->table.policy, named.name);
    const enum rls_verdict verdict = rls_column_at(view->rls, rule, RLS_COLUMN_READ);
    return verdict == RLS_ALLOW || (verdict == RLS_OWNER && owns);
}

bool row_json_shows(const struct row_view *view, const struct row_member *member, bool owns)
{
    return is_shown(view, name_of(view->schema, member), owns);
}

static enum err write_columns(struct json_out *out, const struct row_view *view, const struct row *row)
{
    const bool owns = rls_owns(&view->rls->who, row->created_by);
    struct row_iter iter = row_iter_columns(row);
    struct row_member member;
    enum err err = ERR_OK;
    while ((err = row_iter_next(&iter, &member)) == ERR_OK) {
        const struct named named = name_of(view->schema, &member);
        if (is_shown(view, named, owns) && !is_shadowed(view->schema, row, &member)) {
            json_out_name(out, named.name);
            TRY(row_json_write_value(out, &member.value));
        }
    }
    ENSURE(err == ERR_NOT_FOUND, ERR_DAMAGED, "a stored row is damaged");
    return ERR_OK;
}

enum err row_json_write(struct json_out *out, const struct row_view *view, const struct row *row)
{
    json_out_object(out);
    write_id(out, row);
    const enum err err = write_columns(out, view, row);
    write_rest_of_system(out, row);
    json_out_object_end(out);
    return err;
}

void row_json_write_system(struct json_out *out, const struct row *row)
{
    json_out_object(out);
    write_id(out, row);
    write_rest_of_system(out, row);
    json_out_object_end(out);
}
