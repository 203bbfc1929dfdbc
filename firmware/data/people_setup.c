/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The stored tables and token keys of an environment's users. The keeper holds the keys; the environment's document has
 * their public halves, brought in line with the keeper at every start: after a restore or a rollback of the database the
 * keeper is right. */
#include <string.h>

#include "firmware/data/doc.h"
#include "firmware/data/invitations_int.h"
#include "firmware/data/outbox_int.h"
#include "firmware/data/people_int.h"
#include "firmware/data/token_keys_int.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"

#define UNIQUE_COLUMN 1 /* of most tables: what a row is looked up by */

#define TABLE(member, first, second, in_order)                                                                         \
    {                                                                                                                  \
        {(const uint8_t *)#member, sizeof(#member) - 1}, offsetof(struct catalog_people, member), {first, second},     \
            in_order                                                                                                   \
    }
static const struct people_table tables[] = {
    TABLE(users, UNIQUE_COLUMN, USER_SLUG, 0),
    TABLE(sessions, UNIQUE_COLUMN, 0, 0),
    TABLE(accounts, UNIQUE_COLUMN, ACCOUNT_IDENTITY, 0),
    TABLE(codes, UNIQUE_COLUMN, 0, 0),
    TABLE(mfa, 0, 0, 0),
    TABLE(outbox, UNIQUE_COLUMN, 0, OUTBOX_DUE_AT),
    TABLE(invitations, UNIQUE_COLUMN, INVITATION_DIGEST, 0),
};
_Static_assert(sizeof(struct catalog_people) == ARRAY_LENGTH(tables) * sizeof(struct table_id), "each is listed");
_Static_assert((int)USER_EMAIL == UNIQUE_COLUMN && (int)SESSION_ID == UNIQUE_COLUMN &&
                   (int)ACCOUNT_ID == UNIQUE_COLUMN && (int)INVITATION_ID == UNIQUE_COLUMN,
               "what they are looked up by");

const struct people_table *people_tables(size_t *out_count)
{
    *out_count = ARRAY_LENGTH(tables);
    return tables;
}

struct table_id *people_table_id(struct catalog_people *where, const struct people_table *table)
{
    return (struct table_id *)(void *)((char *)where + table->offset);
}

static enum err has_index(struct data_txn *txn, struct table_id table, uint16_t column, bool *out_has)
{
    const struct store_index *indexes = NULL;
    size_t count = 0;

    *out_has = false;
    TRY(store_indexes(store_txn_snap(txn->store), table, &indexes, &count));
    for (size_t i = 0; i < count; i++) {
        *out_has = *out_has || (indexes[i].def.field_count == 1 && indexes[i].def.fields[0].field.column == column);
    }
    return ERR_OK;
}

static enum err make_index(struct data_txn *txn, struct table_id id, const struct index_def *def, bool *made)
{
    struct index_id index = {0};
    bool has = false;

    TRY(has_index(txn, id, def->fields[0].field.column, &has));
    if (!has) {
        TRY(store_index_create(txn->store, id, def, &index));
        *made = true;
    }
    return ERR_OK;
}

/* The indexes of a table that it does not have yet: all of a new one's, of an older one's those that came later. */
static enum err make_indexes(struct data_txn *txn, struct table_id id, const struct people_table *table, bool *made)
{
    struct index_def unique = {.field_count = 1, .unique = true, .sparse = true};
    struct index_def sorted = {.field_count = 1, .sparse = true};

    for (size_t i = 0; i < PEOPLE_UNIQUE_MAX && table->unique[i] != 0; i++) {
        unique.fields[0].field.column = table->unique[i];
        TRY(make_index(txn, id, &unique, made));
    }
    sorted.fields[0].field.column = table->sorted;
    return table->sorted != 0 ? make_index(txn, id, &sorted, made) : ERR_OK;
}

/* Makes what is missing and names each in the document. */
static enum err make_tables(struct data_txn *txn, struct catalog_people *made, struct json_out *out)
{
    bool indexed = false;

    for (size_t i = 0; i < ARRAY_LENGTH(tables); i++) {
        struct table_id *id = people_table_id(made, &tables[i]);
        if (id->value == 0) {
            TRY(store_table_new(txn->store, id));
            TRY(make_indexes(txn, *id, &tables[i], &indexed));
        }
        json_out_member_int(out, tables[i].name, (int64_t)id->value);
    }
    return ERR_OK;
}

enum err people_make(struct data_txn *txn, struct span environment_id, const struct catalog_environment *have,
                     struct json_out *out)
{
    struct catalog_people made = {.users = {0}};
    struct data_token_keys keys = {.count = 0};

    if (have != NULL) {
        made = have->people;
    }
    json_out_name(out, span_lit("stores"));
    json_out_object(out);
    TRY(make_tables(txn, &made, out));
    json_out_object_end(out);
    /* After the tables: what fails from here on gives the transaction up, and with it the keys. */
    txn->data->keys_made = true;
    TRY(txn->data->keys.token_keys(txn->data->keys.context, environment_id, &keys));
    token_keys_write(out, &keys, have, txn->now);
    return ERR_OK;
}

enum err people_forget(struct data_txn *txn, const struct catalog_people *where)
{
    struct catalog_people gone = *where;

    for (size_t i = 0; i < ARRAY_LENGTH(tables); i++) {
        TRY(store_table_drop(txn->store, *people_table_id(&gone, &tables[i])));
    }
    return ERR_OK;
}

static void drop_keys(struct data *data, struct span environment_id)
{
    if (data->keys.token_drop(data->keys.context, environment_id) != ERR_OK) {
        log_fault(LOG_WARN, "token_keys_not_destroyed"); /* the next start does it */
    }
}

void people_drop_keys(struct data *data, const struct catalog *before, const struct catalog *after)
{
    size_t cursor = 0;

    for (;;) {
        const struct catalog_record *record = catalog_next(before, CATALOG_ENVIRONMENT, &cursor);
        if (record == NULL) {
            return;
        }
        if (catalog_environment(after, record->id) == NULL) {
            drop_keys(data, record->id);
        }
    }
}

/* Drops the keys of every environment that is not there. */
static enum err sweep(struct data *data)
{
    char id[DATA_TOKEN_ID_BYTES] = {0};
    struct span after = SPAN_NONE;

    for (;;) { /* ends: ids only grow */
        const enum err err = data->keys.token_next(data->keys.context, after, id);
        if (err == ERR_NOT_FOUND) {
            fault_clear();
            return ERR_OK;
        }
        TRY(err);
        after = span_array(id);
        if (catalog_environment(data->current, after) == NULL) {
            drop_keys(data, after);
        }
    }
}

void people_drop_unnamed_keys(struct data *data)
{
    if (data->keys_made && sweep(data) != ERR_OK) {
        log_fault(LOG_WARN, "token_keys_not_destroyed"); /* the next start does it */
    }
    data->keys_made = false;
}

/* --- at start --- */

static enum err verify_table(struct store_snap *snap, struct table_id table)
{
    const enum err err = store_verify(snap, table);

    ENSURE(err != ERR_NOT_FOUND, ERR_DAMAGED, "a table of users is gone");
    return err;
}

/* Those that are not made yet are made by people_prepare. */
static enum err verify_tables(struct store_snap *snap, struct catalog_people where)
{
    for (size_t i = 0; i < ARRAY_LENGTH(tables); i++) {
        const struct table_id id = *people_table_id(&where, &tables[i]);
        TRY(id.value == 0 ? ERR_OK : verify_table(snap, id));
    }
    return ERR_OK;
}

static bool has_tables(struct catalog_people where)
{
    for (size_t i = 0; i < ARRAY_LENGTH(tables); i++) {
        if (people_table_id(&where, &tables[i])->value == 0) {
            return false;
        }
    }
    return true;
}

enum err people_verify(const struct catalog *catalog, struct store_snap *snap)
{
    size_t cursor = 0;

    for (;;) {
        const struct catalog_record *record = catalog_next(catalog, CATALOG_ENVIRONMENT, &cursor);
        if (record == NULL) {
            return ERR_OK;
        }
        const struct catalog_environment *environment = (const struct catalog_environment *)record;
        TRY(verify_tables(snap, environment->people));
    }
}

/* The document of an environment with what it has to have. */
static enum err rewrite(struct data_txn *txn, const struct catalog_environment *environment)
{
    const struct span made[] = {span_lit("stores"), span_lit("tokenKeys")};
    const struct catalog_record *stored = NULL;
    struct json_out out;

    record_begin(txn->data, &out);
    json_out_object(&out);
    json_out_members_without(&out, environment->record.doc, made, ARRAY_LENGTH(made));
    TRY(people_make(txn, environment->record.id, environment, &out));
    json_out_object_end(&out);
    return record_replace(txn, &environment->record, &out, &stored);
}

static enum err prepare_one(struct data_txn *txn, const struct catalog_environment *environment, bool *changed)
{
    struct data_token_keys keys = {.count = 0};
    struct catalog_people where = environment->people;

    TRY(token_keys_retire(txn, environment));
    TRY(txn->data->keys.token_keys(txn->data->keys.context, environment->record.id, &keys));
    for (size_t i = 0; i < ARRAY_LENGTH(tables); i++) {
        const struct table_id id = *people_table_id(&where, &tables[i]);
        TRY(id.value == 0 ? ERR_OK : make_indexes(txn, id, &tables[i], changed));
    }
    if (has_tables(environment->people) && token_keys_are(environment, &keys)) {
        return ERR_OK;
    }
    *changed = true;
    return rewrite(txn, environment);
}

static void sealer_free_scoped(struct store_sealer **sealer)
{
    store_sealer_free(*sealer);
}

static void txn_abort_scoped(struct store_txn **txn)
{
    store_txn_abort(*txn);
}

static enum err prepare_all(struct data *data, struct store_txn *store, bool *changed)
{
    struct data_txn txn = {.data = data, .store = store, .now = hal_clock_wall(data->clock)};
    SCOPED_CATALOG struct catalog *walked = catalog_ref(data->current);
    size_t cursor = 0;

    for (;;) {
        const struct catalog_record *record = catalog_next(walked, CATALOG_ENVIRONMENT, &cursor);
        if (record == NULL) {
            return ERR_OK;
        }
        TRY(prepare_one(&txn, (const struct catalog_environment *)record, changed));
    }
}

enum err people_prepare(struct data *data, struct random *random)
{
    SCOPED(sealer_free_scoped) struct store_sealer *sealer = NULL;
    SCOPED(txn_abort_scoped) struct store_txn *txn = NULL;
    bool changed = false;

    TRY(sweep(data)); /* first: the keys of environments that are gone may take the room of those to come */
    TRY(store_sealer_new(data->store, random, &sealer));
    TRY(store_txn_begin(sealer, &txn));
    data->base = NULL; /* the first change makes the working catalogue, all others go on with it */
    TRY(prepare_all(data, txn, &changed));
    if (changed) {
        TRY(store_txn_commit(TAKE(txn)));
        if (data->working != NULL) { /* not when indexes alone were made */
            catalog_unref(data->current);
            data->current = TAKE(data->working);
        }
    }
    data->keys_unused = true;
    token_keys_use(data, NULL); /* nothing was signed yet, and all is published before something is */
    return ERR_OK;
}
