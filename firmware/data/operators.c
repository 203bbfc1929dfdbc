/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The place of the operators is an environment of the organization instead of a project: its name is free in every
 * project, and looking for its project finds none. The role of an operator is also the first of the custom roles, which
 * is how it reaches whoever asks who is asking. */
#include "firmware/data/operators.h"

#include "firmware/data/people_int.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"

#define CREATED    201
#define PLACE_NAME "operators"
#define ROLE_OWNER "owner"

static const struct catalog_record *organization(const struct catalog *catalog)
{
    size_t cursor = 0;

    return catalog_next(catalog, CATALOG_ORGANIZATION, &cursor);
}

const struct catalog_environment *operators_place(const struct catalog *catalog)
{
    const struct catalog_record *owner = organization(catalog);

    return owner == NULL ? NULL
                         : (const struct catalog_environment *)catalog_find_named(catalog, CATALOG_ENVIRONMENT,
                                                                                  owner->id, span_lit(PLACE_NAME));
}

enum err operators_key(const struct catalog *catalog, struct arena *arena, const struct auth_key **out_key)
{
    struct made {
        struct auth_key key;
        atomic_llong used_ms;
    };
    const struct catalog_environment *place = operators_place(catalog);
    void *memory = NULL;

    if (place == NULL) {
        return ERR_NOT_FOUND;
    }
    TRY(arena_alloc(arena, sizeof(struct made), &memory));
    struct made *made = memory;
    made->key = (struct auth_key){.type = AUTH_KEY_PUBLISHABLE,
                                  .id = span_lit(PLACE_NAME),
                                  .project_id = place->record.parent,
                                  .environment_id = place->record.id,
                                  .environment = place->record.name,
                                  .expires_at_ms = AUTH_KEY_NEVER,
                                  .last_used_ms = &made->used_ms};
    sha256(place->record.id, made->key.hash); /* of counters; no key that can be sent has it */
    *out_key = &made->key;
    return ERR_OK;
}

static enum err make_place(struct data_txn *txn, const struct catalog_record *owner,
                           const struct catalog_record **out_record)
{
    const struct catalog_people none = {.users = {0}};
    char id[AUTH_UUID_BYTES];
    struct json_out out;

    /* Before the keeper makes a key that nothing would name. */
    ENSURE(catalog_count(data_txn_catalog(txn), CATALOG_ENVIRONMENT) < CONFIG_DATA_ENVIRONMENTS_MAX, ERR_LIMIT,
           "as many environments as there may be");
    auth_uuid_make(txn->data->random, id);
    record_begin(txn->data, &out);
    json_out_object(&out);
    json_out_member_text(&out, span_lit("id"), span_array(id));
    json_out_member_text(&out, span_lit("projectId"), owner->id);
    json_out_member_text(&out, span_lit("environment"), span_lit(PLACE_NAME));
    json_out_member_text(&out, span_lit("environmentType"), span_lit("custom"));
    TRY(people_make(txn, span_array(id), &none, &out));
    json_out_object_end(&out);
    return record_insert(txn, CATALOG_ENVIRONMENT, &out, out_record);
}

enum err data_operator_setup(struct data_txn *txn, struct data_call *call)
{
    const struct data_sign *sign = call->sign;
    const struct catalog_record *owner = organization(data_txn_catalog(txn));
    const struct catalog_record *record = NULL;
    struct json_out out;

    if (operators_place(data_txn_catalog(txn)) != NULL) {
        return refuse(&call->refusal, REFUSAL_COMMON_CONFLICT, "There is an owner already");
    }
    ENSURE(owner != NULL, ERR_DAMAGED, "an appliance without its organization");
    TRY(make_place(txn, owner, &record));
    txn->environment = (const struct catalog_environment *)record;
    struct person person = people_new(txn, sign->user_id, sign->email, sign->name);
    person.role = span_lit(ROLE_OWNER);
    person.roles[person.role_count++] = person.role;
    TRY(people_insert(txn, &person));
    TRY(people_insert_password(txn, sign->user_id, &sign->password));
    call->status = CREATED;
    json_out_init(&out, call->out);
    person_write_brief(&out, &person);
    return json_out_finish(&out);
}
