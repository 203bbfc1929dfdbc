/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The next version of a schema: the old definition and a change become a new definition, which is compiled like any
 * other. So a change cannot make a schema that could not have been written at once.
 *
 * Order: remove, add or update, require, unrequire. */
#include "firmware/schema/schema.h"

#include <string.h>

#include "firmware/schema/schema_int.h"
#include "hal/base/fault.h"

struct draft {
    struct arena *arena;
    struct json_member *properties;
    bool *required;
    size_t count;
    size_t room;
    struct schema_problem problem;
};

static enum err refuse(struct draft *draft, struct span name, const char *why)
{
    draft->problem = (struct schema_problem){.why = why};
    schema_where_put(draft->problem.where, &draft->problem.where_len, name);
    return ERR_MALFORMED;
}

static size_t draft_find(const struct draft *draft, struct span name)
{
    size_t i = 0;
    while (i < draft->count && !span_equal(draft->properties[i].name, name)) {
        i++;
    }
    return i;
}

static enum err draft_add(struct draft *draft, struct span name, const struct json_value *definition, bool required)
{
    if (draft->count == draft->room) {
        return refuse(draft, name, "is one field too many");
    }
    draft->properties[draft->count] = (struct json_member){name, *definition};
    draft->required[draft->count] = required;
    draft->count++;
    return ERR_OK;
}

/* A definition without a `required` flag of its own: whether the field is required stands in the draft. */
static enum err without_flag(struct draft *draft, const struct json_value *definition,
                             struct json_value *out_definition)
{
    const struct json_value *flag = json_find(definition, span_lit("required"));
    void *memory = NULL;
    *out_definition = *definition;
    if (flag == NULL || flag->type != JSON_BOOL) {
        return ERR_OK;
    }
    const size_t count = definition->as.object.count;
    TRY(arena_alloc_array(draft->arena, count, sizeof(struct json_member), &memory));
    struct json_member *members = memory;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (&definition->as.object.members[i].value != flag) {
            members[kept] = definition->as.object.members[i];
            kept++;
        }
    }
    out_definition->as.object.members = members;
    out_definition->as.object.count = kept;
    return ERR_OK;
}

static enum err draft_from(struct draft *draft, const struct schema *schema)
{
    void *memory = NULL;
    draft->room = SCHEMA_FIELDS_MAX;
    TRY(arena_alloc_array(draft->arena, draft->room, sizeof(struct json_member), &memory));
    draft->properties = memory;
    TRY(arena_alloc_array(draft->arena, draft->room, sizeof(bool), &memory));
    draft->required = memory;
    for (size_t i = 0; i < schema->root.field_count; i++) {
        struct json_value definition;
        TRY(without_flag(draft, &schema->definitions[i], &definition));
        TRY(draft_add(draft, schema->root.fields[i].name, &definition, schema->root.fields[i].required));
    }
    return ERR_OK;
}

/* Every name of the list must be a field of the draft. list may be NULL. */
static enum err check_names(struct draft *draft, const struct json_value *list)
{
    if (list == NULL || list->type == JSON_NULL) {
        return ERR_OK;
    }
    if (list->type != JSON_ARRAY) {
        return refuse(draft, SPAN_NONE, "must be a list of names");
    }
    for (size_t i = 0; i < list->as.array.count; i++) {
        const struct json_value *name = &list->as.array.items[i];
        if (name->type != JSON_STRING) {
            return refuse(draft, SPAN_NONE, "must be a list of names");
        }
        if (draft_find(draft, name->as.text) == draft->count) {
            return refuse(draft, name->as.text, "is not a field of the table");
        }
    }
    return ERR_OK;
}

static size_t list_count(const struct json_value *list)
{
    return list == NULL || list->type != JSON_ARRAY ? 0 : list->as.array.count;
}

static enum err apply_remove(struct draft *draft, const struct json_value *list)
{
    TRY(check_names(draft, list));
    for (size_t i = 0; i < list_count(list); i++) {
        const size_t at = draft_find(draft, list->as.array.items[i].as.text);
        if (at == draft->count) {
            return refuse(draft, list->as.array.items[i].as.text, "is removed twice");
        }
        const size_t behind = draft->count - at - 1;
        memmove(&draft->properties[at], &draft->properties[at + 1], behind * sizeof(draft->properties[0]));
        memmove(&draft->required[at], &draft->required[at + 1], behind * sizeof(draft->required[0]));
        draft->count--;
    }
    return ERR_OK;
}

static enum err apply_add(struct draft *draft, const struct json_value *fields)
{
    if (fields == NULL || fields->type == JSON_NULL) {
        return ERR_OK;
    }
    if (fields->type != JSON_OBJECT) {
        return refuse(draft, span_lit("fieldsToAddOrUpdate"), "must be an object of fields");
    }
    for (size_t i = 0; i < fields->as.object.count; i++) {
        const struct json_member *member = &fields->as.object.members[i];
        const size_t at = draft_find(draft, member->name);
        if (at < draft->count) {
            draft->properties[at].value = member->value;
        } else {
            TRY(draft_add(draft, member->name, &member->value, false));
        }
    }
    return ERR_OK;
}

static enum err apply_required(struct draft *draft, const struct json_value *list, bool required)
{
    TRY(check_names(draft, list));
    for (size_t i = 0; i < list_count(list); i++) {
        draft->required[draft_find(draft, list->as.array.items[i].as.text)] = required;
    }
    return ERR_OK;
}

static enum err check_members(struct draft *draft, const struct json_value *change)
{
    static const char *const names[] = {"fieldsToAddOrUpdate", "fieldsToRemove", "requiredFieldsToAdd",
                                        "requiredFieldsToRemove"};
    if (change == NULL || change->type != JSON_OBJECT) {
        return refuse(draft, SPAN_NONE, "must be an object");
    }
    for (size_t i = 0; i < change->as.object.count; i++) {
        const struct span name = change->as.object.members[i].name;
        bool known = false;
        for (size_t j = 0; j < ARRAY_LENGTH(names); j++) {
            known = known || span_equal(span_str(names[j]), name);
        }
        if (!known) {
            return refuse(draft, name, "is not part of a change of fields");
        }
    }
    return ERR_OK;
}

static enum err apply(struct draft *draft, const struct json_value *change)
{
    TRY(check_members(draft, change));
    TRY(apply_remove(draft, json_find(change, span_lit("fieldsToRemove"))));
    TRY(apply_add(draft, json_find(change, span_lit("fieldsToAddOrUpdate"))));
    TRY(apply_required(draft, json_find(change, span_lit("requiredFieldsToAdd")), true));
    return apply_required(draft, json_find(change, span_lit("requiredFieldsToRemove")), false);
}

/* The draft as a definition in full form. */
static enum err draft_definition(struct draft *draft, struct json_value *out_definition)
{
    void *memory = NULL;
    TRY(arena_alloc_array(draft->arena, draft->count, sizeof(struct json_value), &memory));
    struct json_value *required = memory;
    TRY(arena_alloc_array(draft->arena, 3, sizeof(struct json_member), &memory));
    struct json_member *members = memory;
    size_t count = 0;
    for (size_t i = 0; i < draft->count; i++) {
        if (draft->required[i]) {
            required[count] = (struct json_value){.type = JSON_STRING, .as.text = draft->properties[i].name};
            count++;
        }
    }
    members[0] = (struct json_member){span_lit("bsonType"), {.type = JSON_STRING, .as.text = span_lit("object")}};
    members[1] = (struct json_member){span_lit("required"), {.type = JSON_ARRAY, .as.array = {required, count}}};
    members[2] = (struct json_member){span_lit("properties"),
                                      {.type = JSON_OBJECT, .as.object = {draft->properties, draft->count}}};
    *out_definition = (struct json_value){.type = JSON_OBJECT, .as.object = {members, 3}};
    return ERR_OK;
}

enum err schema_apply_change(const struct schema *schema, const struct json_value *change, struct schema **out_schema,
                             struct schema_problem *out_problem)
{
    SCOPED_ARENA struct arena *arena = NULL;
    struct json_value definition;
    struct draft draft = {.count = 0};
    struct span ids;

    TRY(arena_new(0, SCHEMA_BYTES_MAX, &arena));
    draft.arena = arena;
    TRY(draft_from(&draft, schema));
    const enum err err = apply(&draft, change);
    if (err == ERR_MALFORMED) {
        *out_problem = draft.problem;
    }
    TRY(err);
    TRY(draft_definition(&draft, &definition));
    const struct json_value *removed = json_find(change, span_lit("fieldsToRemove"));
    const bool some = removed != NULL && removed->type == JSON_ARRAY;
    TRY(schema_forget_ids(arena, schema->ids, some ? removed : NULL, &ids));
    return schema_new(&definition, ids, schema->matcher, out_schema, out_problem);
}
