/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The catalogue: everything that the API manages, in memory, as one immutable value: projects, environments, tables with
 * their compiled schema and policy, API keys.
 *
 * It is built from the system tables at start. The writer thread copies it when an operation changes something, changes
 * the copy, and publishes it after the commit; reactors hold one version for a whole request. Records are immutable too
 * and shared between versions by reference. The size is bounded by CONFIG_DATA_*_MAX. */
#ifndef FIRMWARE_DATA_CATALOG_H
#define FIRMWARE_DATA_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "firmware/auth/key.h"
#include "firmware/auth/settings.h"
#include "firmware/auth/verify.h"
#include "firmware/data/keys.h"
#include "firmware/data/mail_settings.h"
#include "firmware/rls/rls.h"
#include "firmware/schema/schema.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/json_value.h"
#include "hal/base/mem.h"
#include "hal/base/snapshot.h"
#include "hal/base/span.h"
#include "hal/base/time.h"
#include "storage/id.h"
#include "storage/index.h"

enum catalog_kind {
    CATALOG_ORGANIZATION = 1,
    CATALOG_PROJECT,
    CATALOG_ENVIRONMENT,
    CATALOG_TABLE,
    CATALOG_KEY,
    CATALOG_KIND_END
};

/* What all records have. The kinds below begin with it. */
struct catalog_record {
    struct snapshot head;
    enum catalog_kind kind;
    struct arena *arena;          /* holds everything below */
    const struct json_value *doc; /* the stored document; its members are the fields of the API object */
    struct row_id row;            /* where it is stored */
    struct wall_time created_at;
    struct wall_time updated_at;
    struct span id;     /* a UUID */
    struct span parent; /* id of what it belongs to; empty for an organization */
    struct span name;   /* unique within parent and kind, except for keys */
};

#define CATALOG_ORIGINS_MAX   3  /* contract 1.10 */
#define CATALOG_REDIRECTS_MAX 10 /* entries of redirectUrls */

struct catalog_project {
    struct catalog_record record; /* name: slug */
    bool wrapped;                 /* responseEnvelope is "wrapped" */
    bool legacy_errors;           /* errorEnvelope is "legacy" */
    bool allow_localhost;
    bool reveal_keys; /* revealPublishableKeys */
    enum rls_preset preset;
    uint32_t requests_per_minute;
    struct auth_settings auth; /* of its environments, but for what they say themselves: catalog_auth_settings() */
    struct span origins[CATALOG_ORIGINS_MAX];
    size_t origin_count;
    struct span redirects[CATALOG_REDIRECTS_MAX]; /* redirectUrls: contract 5.6 */
    size_t redirect_count;
};

/* Where the users of an environment, and what belongs to them, are stored: people.h. people_tables() lists them. */
struct catalog_people {
    struct table_id users, sessions, accounts; /* value 0: not made yet, which only an old database has */
    struct table_id codes, mfa, outbox, invitations;
};

#define CATALOG_KEY_SIGNS INT64_MAX

struct catalog_environment {
    struct catalog_record record; /* parent: project */
    struct catalog_people people;
    struct auth_overrides auth;
    struct mail_settings mail; /* email_settings.h */
    struct auth_token_key token_keys[DATA_TOKEN_KEYS_MAX]; /* the newest first */
    int64_t token_key_ends_ms[DATA_TOKEN_KEYS_MAX];        /* from then on it verifies nothing; of the first: never */
    size_t token_key_count;
};

#define CATALOG_INDEXES_MAX     20 /* custom ones of one table, contract 4.6; unique columns come on top */
#define CATALOG_ALL_INDEXES_MAX INDEX_PER_TABLE_MAX

struct catalog_index {
    struct span name;
    struct index_id id;
    struct index_def def;
    struct span fields[INDEX_FIELDS_MAX]; /* as the API writes them */
    bool of_column;                       /* made by `unique` of a field, named uniq_<field> */
};

struct policy_filters;

struct catalog_table {
    struct catalog_record record; /* parent: environment; name: tableName */
    struct table_id store;
    bool system;
    uint32_t schema_version;
    uint32_t index_version;
    struct schema *schema;
    struct rls_policy *policy;      /* NULL: nothing configured */
    struct policy_filters *filters; /* its row filters, compiled against the schema; NULL: none */
    size_t *column_rules;           /* rls_column_rule() of each of schema_fields(); NULL: no column is restricted */
    struct catalog_index *indexes;
    size_t index_count;
};

struct catalog_key {
    struct catalog_record record; /* parent: environment */
    struct auth_key key;
    atomic_llong last_used_ms;
    bool deleted; /* a tombstone */
};

struct catalog;

/* An empty one; the caller owns its one reference. ERR_NO_MEMORY. */
enum err catalog_new(struct catalog **out_catalog) MUST_USE;

/* A copy that may be changed until it is published. ERR_NO_MEMORY. */
enum err catalog_copy(const struct catalog *catalog, struct catalog **out_catalog) MUST_USE;

struct snapshot *catalog_snapshot(struct catalog *catalog);
struct catalog *catalog_from_snapshot(struct snapshot *snapshot); /* NULL for NULL */
struct catalog *catalog_ref(const struct catalog *catalog);
void catalog_unref(struct catalog *catalog); /* NULL is fine */

static inline void catalog_unref_scoped(struct catalog **catalog)
{
    catalog_unref(*catalog);
}
#define SCOPED_CATALOG SCOPED(catalog_unref_scoped)

/* Adds a record, or replaces the one of the same id. Takes the reference only on success. ERR_LIMIT: as many of the kind
 * as there may be; ERR_NO_MEMORY. */
enum err catalog_put(struct catalog *catalog, struct catalog_record *take_record) MUST_USE;
/* Forgets a record; an unknown id is no error. ERR_NO_MEMORY, and then nothing has changed. */
enum err catalog_remove(struct catalog *catalog, struct span id) MUST_USE;

/* Builds the look-up tables after a run of catalog_put_unindexed at start. ERR_NO_MEMORY. */
enum err catalog_put_unindexed(struct catalog *catalog, struct catalog_record *take_record) MUST_USE;
enum err catalog_index(struct catalog *catalog) MUST_USE;

/* --- records --- */

/* Reads a stored document (JSON text, borrowed) into a record of one reference. ERR_DAMAGED if it is not of its form,
 * ERR_NO_MEMORY. */
struct catalog_source {
    enum catalog_kind kind;
    struct span document;
    struct row_id row;
    struct wall_time created_at;
    struct wall_time updated_at;
};
enum err catalog_record_new(const struct catalog_source *source, struct catalog_record **out_record) MUST_USE;
void catalog_record_unref(struct catalog_record *record); /* NULL is fine */

static inline void catalog_record_unref_scoped(struct catalog_record **record)
{
    catalog_record_unref(*record);
}
#define SCOPED_RECORD SCOPED(catalog_record_unref_scoped)

/* --- looking --- */

/* All views live as long as the catalogue. NULL: there is none. */
const struct catalog_record *catalog_find(const struct catalog *catalog, enum catalog_kind kind, struct span id);
const struct catalog_record *catalog_find_named(const struct catalog *catalog, enum catalog_kind kind,
                                                struct span parent, struct span name);
const struct catalog_project *catalog_project(const struct catalog *catalog, struct span id);
const struct catalog_environment *catalog_environment(const struct catalog *catalog, struct span id);
const struct catalog_table *catalog_table(const struct catalog *catalog, struct span environment_id, struct span name);
const struct catalog_key *catalog_key(const struct catalog *catalog, const uint8_t hash[SHA256_BYTES]);

/* What holds for signing in to an environment; of one that is gone, what is strictest. */
struct auth_settings catalog_auth_settings(const struct catalog *catalog, struct span environment_id);

/* Walks the records of a kind, oldest first: cursor starts at 0. NULL: no more. */
const struct catalog_record *catalog_next(const struct catalog *catalog, enum catalog_kind kind, size_t *cursor);
size_t catalog_count(const struct catalog *catalog, enum catalog_kind kind);

/* For firmware/auth: all but people and cache. */
struct auth_directory catalog_directory(const struct catalog *catalog);

#endif
