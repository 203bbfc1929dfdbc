/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The catalogue: a list of records in the order they were made, and three open-addressing tables over it, by id, by
 * (kind, parent, name), and keys by the SHA-256 of their value. The tables are rebuilt after a change: changes are rare
 * and an administrator's, look-ups are every request's.
 *
 * Buckets of the key table come from the digest of what a stranger sent, which nobody can choose; the comparison of the
 * whole digest is constant-time. */
#include "firmware/data/catalog.h"

#include <string.h>

#include "hal/base/buf.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/base/num.h"
#include "crypto/ct.h"

struct catalog {
    struct snapshot head;
    struct catalog_record **records; /* a reference each */
    size_t count;
    size_t room;
    size_t of_kind[CATALOG_KIND_END];
    const struct catalog_record **by_id; /* `slots` places each; NULL: free */
    const struct catalog_record **by_name;
    const struct catalog_record **by_hash;
    size_t slots; /* a power of two, more than twice count */
};

#define CATALOG_ROOM_FIRST 16u

static size_t kind_limit(enum catalog_kind kind)
{
    switch (kind) {
    case CATALOG_ORGANIZATION:
        return 1;
    case CATALOG_PROJECT:
        return CONFIG_DATA_PROJECTS_MAX;
    case CATALOG_ENVIRONMENT:
        return CONFIG_DATA_ENVIRONMENTS_MAX;
    case CATALOG_TABLE:
        return CONFIG_DATA_TABLES_MAX;
    case CATALOG_KEY:
        return CONFIG_DATA_API_KEYS_MAX + (size_t)CONFIG_DATA_PROJECTS_MAX * CONFIG_DATA_DELETED_KEYS_MAX;
    case CATALOG_KIND_END:
        return 0;
    }
    return 0;
}

/* FNV-1a, eight bytes at a time with the upper half folded down: names and ids are given by administrators, so nobody
 * gains from choosing ones that meet. */
static uint64_t hash_bytes(uint64_t hash, struct span bytes)
{
    uint64_t eight = 0;
    size_t at = 0;

    for (; bytes.len - at >= sizeof(eight); at += sizeof(eight)) {
        memcpy(&eight, bytes.data + at, sizeof(eight));
        hash = (hash ^ eight) * UINT64_C(0x100000001b3);
        hash ^= hash >> 32;
    }
    for (; at < bytes.len; at++) {
        hash = (hash ^ bytes.data[at]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

static uint64_t hash_id(struct span id)
{
    return hash_bytes(UINT64_C(0xcbf29ce484222325), id);
}

static uint64_t hash_name(enum catalog_kind kind, struct span parent, struct span name)
{
    const uint8_t tag = (uint8_t)kind;

    return hash_bytes(hash_bytes(hash_id(span_of(&tag, 1)), parent), name);
}

static const struct catalog_key *key_of(const struct catalog_record *record)
{
    return (const struct catalog_key *)record;
}

static void free_catalog(struct snapshot *snapshot)
{
    struct catalog *catalog = (struct catalog *)snapshot;

    for (size_t i = 0; i < catalog->count; i++) {
        catalog_record_unref(catalog->records[i]);
    }
    mem_free(catalog->records);
    mem_free(catalog->by_id);
    mem_free(catalog->by_name);
    mem_free(catalog->by_hash);
    mem_free(catalog);
}

static enum err new_with_room(size_t room, struct catalog **out_catalog)
{
    SCOPED_CATALOG struct catalog *catalog = NULL;
    void *memory = NULL;

    TRY(mem_alloc(sizeof *catalog, &memory));
    catalog = memory;
    snapshot_init(&catalog->head, free_catalog);
    TRY(mem_alloc_array(room, sizeof *catalog->records, &memory));
    catalog->records = memory;
    catalog->room = room;
    *out_catalog = TAKE(catalog);
    return ERR_OK;
}

enum err catalog_new(struct catalog **out_catalog)
{
    SCOPED_CATALOG struct catalog *catalog = NULL;

    TRY(new_with_room(CATALOG_ROOM_FIRST, &catalog));
    TRY(catalog_index(catalog));
    *out_catalog = TAKE(catalog);
    return ERR_OK;
}

enum err catalog_copy(const struct catalog *catalog, struct catalog **out_catalog)
{
    SCOPED_CATALOG struct catalog *copy = NULL;

    TRY(new_with_room(catalog->room, &copy));
    for (size_t i = 0; i < catalog->count; i++) {
        (void)snapshot_ref(&catalog->records[i]->head); /* the same pointer */
        copy->records[i] = catalog->records[i];
    }
    copy->count = catalog->count;
    memcpy(copy->of_kind, catalog->of_kind, sizeof copy->of_kind);
    TRY(catalog_index(copy));
    *out_catalog = TAKE(copy);
    return ERR_OK;
}

struct snapshot *catalog_snapshot(struct catalog *catalog)
{
    return &catalog->head;
}

struct catalog *catalog_from_snapshot(struct snapshot *snapshot)
{
    return (struct catalog *)snapshot;
}

struct catalog *catalog_ref(const struct catalog *catalog)
{
    /* The count is not part of what is immutable. */
    union {
        const struct catalog *borrowed;
        struct catalog *counted;
    } same = {.borrowed = catalog};

    (void)snapshot_ref(&same.counted->head); /* the same pointer */
    return same.counted;
}

void catalog_unref(struct catalog *catalog)
{
    if (catalog != NULL) {
        snapshot_unref(&catalog->head);
    }
}

/* --- the look-up tables --- */

static void place(const struct catalog_record **table, size_t slots, uint64_t hash, const struct catalog_record *record)
{
    size_t at = (size_t)hash & (slots - 1);

    while (table[at] != NULL) { /* ends: there are more slots than records */
        at = (at + 1) & (slots - 1);
    }
    table[at] = record;
}

static enum err new_table(size_t slots, const struct catalog_record ***out_table)
{
    void *memory = NULL;

    TRY(mem_alloc_array(slots, sizeof(struct catalog_record *), &memory));
    *out_table = memory;
    return ERR_OK;
}

struct tables {
    const struct catalog_record **id, **name, **hash;
};

static void free_tables(struct tables *tables)
{
    mem_free(tables->id);
    mem_free(tables->name);
    mem_free(tables->hash);
}

enum err catalog_index(struct catalog *catalog)
{
    SCOPED(free_tables) struct tables tables = {NULL, NULL, NULL};
    size_t slots = CATALOG_ROOM_FIRST;

    while (slots <= catalog->count * 2) {
        slots *= 2;
    }
    TRY(new_table(slots, &tables.id));
    TRY(new_table(slots, &tables.name));
    TRY(new_table(slots, &tables.hash));
    for (size_t i = 0; i < catalog->count; i++) {
        const struct catalog_record *record = catalog->records[i];
        place(tables.id, slots, hash_id(record->id), record);
        if (record->kind == CATALOG_KEY) {
            place(tables.hash, slots, get_u64be(key_of(record)->key.hash), record);
        } else {
            place(tables.name, slots, hash_name(record->kind, record->parent, record->name), record);
        }
    }
    const struct tables old = {catalog->by_id, catalog->by_name, catalog->by_hash};
    catalog->by_id = tables.id;
    catalog->by_name = tables.name;
    catalog->by_hash = tables.hash;
    catalog->slots = slots;
    tables = old;
    return ERR_OK;
}

/* --- changing --- */

static size_t position_of(const struct catalog *catalog, struct span id)
{
    for (size_t i = 0; i < catalog->count; i++) {
        if (span_equal(catalog->records[i]->id, id)) {
            return i;
        }
    }
    return catalog->count;
}

static enum err make_room(struct catalog *catalog)
{
    void *memory = NULL;

    if (catalog->count < catalog->room) {
        return ERR_OK;
    }
    TRY(mem_alloc_array(catalog->room * 2, sizeof *catalog->records, &memory));
    memcpy(memory, catalog->records, catalog->count * sizeof *catalog->records);
    mem_free(catalog->records);
    catalog->records = memory;
    catalog->room *= 2;
    return ERR_OK;
}

enum err catalog_put_unindexed(struct catalog *catalog, struct catalog_record *take_record)
{
    ENSURE(catalog->of_kind[take_record->kind] < kind_limit(take_record->kind), ERR_LIMIT, "as many as there may be");
    TRY(make_room(catalog));
    catalog->records[catalog->count++] = take_record;
    catalog->of_kind[take_record->kind]++;
    return ERR_OK;
}

enum err catalog_put(struct catalog *catalog, struct catalog_record *take_record)
{
    const size_t at = position_of(catalog, take_record->id);

    if (at == catalog->count) {
        TRY(catalog_put_unindexed(catalog, take_record));
        const enum err err = catalog_index(catalog);
        if (err != ERR_OK) {
            catalog->count--;
            catalog->of_kind[take_record->kind]--;
        }
        return err;
    }
    struct catalog_record *old = catalog->records[at];
    catalog->records[at] = take_record;
    const enum err err = catalog_index(catalog);
    if (err != ERR_OK) {
        catalog->records[at] = old;
        return err;
    }
    catalog_record_unref(old);
    return ERR_OK;
}

enum err catalog_remove(struct catalog *catalog, struct span id)
{
    const size_t at = position_of(catalog, id);

    if (at == catalog->count) {
        return ERR_OK;
    }
    struct catalog_record *old = catalog->records[at];
    memmove(&catalog->records[at], &catalog->records[at + 1], (catalog->count - at - 1) * sizeof *catalog->records);
    catalog->count--;
    const enum err err = catalog_index(catalog);
    if (err != ERR_OK) {
        memmove(&catalog->records[at + 1], &catalog->records[at], (catalog->count - at) * sizeof *catalog->records);
        catalog->records[at] = old;
        catalog->count++;
        return err;
    }
    catalog->of_kind[old->kind]--;
    catalog_record_unref(old);
    return ERR_OK;
}

/* --- looking --- */

const struct catalog_record *catalog_find(const struct catalog *catalog, enum catalog_kind kind, struct span id)
{
    size_t at = (size_t)hash_id(id) & (catalog->slots - 1);

    for (; catalog->by_id[at] != NULL; at = (at + 1) & (catalog->slots - 1)) {
        if (span_equal(catalog->by_id[at]->id, id)) {
            return catalog->by_id[at]->kind == kind ? catalog->by_id[at] : NULL;
        }
    }
    return NULL;
}

const struct catalog_record *catalog_find_named(const struct catalog *catalog, enum catalog_kind kind,
                                                struct span parent, struct span name)
{
    size_t at = (size_t)hash_name(kind, parent, name) & (catalog->slots - 1);

    for (; catalog->by_name[at] != NULL; at = (at + 1) & (catalog->slots - 1)) {
        const struct catalog_record *record = catalog->by_name[at];
        if (record->kind == kind && span_equal(record->parent, parent) && span_equal(record->name, name)) {
            return record;
        }
    }
    return NULL;
}

const struct catalog_project *catalog_project(const struct catalog *catalog, struct span id)
{
    return (const struct catalog_project *)catalog_find(catalog, CATALOG_PROJECT, id);
}

const struct catalog_environment *catalog_environment(const struct catalog *catalog, struct span id)
{
    return (const struct catalog_environment *)catalog_find(catalog, CATALOG_ENVIRONMENT, id);
}

struct auth_settings catalog_auth_settings(const struct catalog *catalog, struct span environment_id)
{
    const struct catalog_environment *environment = catalog_environment(catalog, environment_id);
    const struct catalog_project *project =
        environment == NULL ? NULL : catalog_project(catalog, environment->record.parent);

    if (environment != NULL && catalog_find(catalog, CATALOG_ORGANIZATION, environment->record.parent) != NULL) {
        return auth_settings_operators();
    }
    return project == NULL ? auth_settings_strictest() : auth_settings_over(&project->auth, &environment->auth);
}

const struct catalog_table *catalog_table(const struct catalog *catalog, struct span environment_id, struct span name)
{
    return (const struct catalog_table *)catalog_find_named(catalog, CATALOG_TABLE, environment_id, name);
}

const struct catalog_key *catalog_key(const struct catalog *catalog, const uint8_t hash[SHA256_BYTES])
{
    size_t at = (size_t)get_u64be(hash) & (catalog->slots - 1);

    for (; catalog->by_hash[at] != NULL; at = (at + 1) & (catalog->slots - 1)) {
        const struct catalog_key *key = key_of(catalog->by_hash[at]);
        if (ct_equal(span_array(key->key.hash), span_of(hash, SHA256_BYTES))) {
            return key;
        }
    }
    return NULL;
}

const struct catalog_record *catalog_next(const struct catalog *catalog, enum catalog_kind kind, size_t *cursor)
{
    while (*cursor < catalog->count) {
        const struct catalog_record *record = catalog->records[(*cursor)++];
        if (record->kind == kind) {
            return record;
        }
    }
    return NULL;
}

size_t catalog_count(const struct catalog *catalog, enum catalog_kind kind)
{
    return catalog->of_kind[kind];
}

/* --- for firmware/auth --- */

static const struct auth_key *find_auth_key(const void *context, const uint8_t hash[SHA256_BYTES])
{
    const struct catalog_key *key = catalog_key(context, hash);

    return key == NULL ? NULL : &key->key;
}

static bool has_project(const void *context, const struct auth_key *key)
{
    return catalog_project(context, key->project_id) != NULL;
}

static bool has_environment(const void *context, const struct auth_key *key)
{
    return catalog_environment(context, key->environment_id) != NULL;
}

static uint32_t requests_per_minute(const void *context, const struct auth_key *key)
{
    const struct catalog_project *project = catalog_project(context, key->project_id);

    return project == NULL ? AUTH_REQUESTS_DEFAULT : project->requests_per_minute;
}

static const struct auth_token_key *key_with_header(const struct catalog_environment *environment, struct span header)
{
    for (size_t i = 0; i < environment->token_key_count; i++) {
        if (span_equal(span_array(environment->token_keys[i].header), header)) {
            return &environment->token_keys[i];
        }
    }
    return NULL;
}

static struct auth_place place_of(const struct catalog_environment *environment, const struct auth_token_key *key)
{
    const size_t at = (size_t)(key - environment->token_keys);

    return (struct auth_place){.project_id = environment->record.parent,
                               .environment_id = environment->record.id,
                               .environment = environment->record.name,
                               .key_ends_ms = environment->token_key_ends_ms[at]};
}

static const struct auth_token_key *find_token_key(const void *context, const struct auth_key *key, struct span header,
                                                   struct auth_place *out_place)
{
    const struct catalog_environment *environment = catalog_environment(context, key->environment_id);
    const struct auth_token_key *found = environment == NULL ? NULL : key_with_header(environment, header);
    size_t cursor = 0;

    while (found == NULL) {
        environment = (const struct catalog_environment *)catalog_next(context, CATALOG_ENVIRONMENT, &cursor);
        if (environment == NULL) {
            return NULL;
        }
        found = key_with_header(environment, header);
    }
    *out_place = place_of(environment, found);
    return found;
}

static bool admins_need_mfa(const void *context, const struct auth_key *key)
{
    return catalog_auth_settings(context, key->environment_id).require_mfa_for_admins;
}

struct auth_directory catalog_directory(const struct catalog *catalog)
{
    return (struct auth_directory){.context = catalog,
                                   .find_token_key = find_token_key,
                                   .find_key = find_auth_key,
                                   .has_project = has_project,
                                   .has_environment = has_environment,
                                   .requests_per_minute = requests_per_minute,
                                   .admins_need_mfa = admins_need_mfa};
}
