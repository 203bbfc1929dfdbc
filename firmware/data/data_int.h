/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of firmware/data share: the opened data, the transaction of an operation, and the storing of records. */
#ifndef FIRMWARE_DATA_DATA_INT_H
#define FIRMWARE_DATA_DATA_INT_H

#include <stdatomic.h>

#include "firmware/audit/chain.h"
#include "firmware/auth/verify.h"
#include "firmware/data/access.h"
#include "firmware/data/call.h"
#include "firmware/data/catalog.h"
#include "firmware/data/data.h"
#include "firmware/data/regex.h"
#include "hal/base/buf.h"
#include "hal/base/mem.h"
#include "hal/base/snapshot.h"
#include "hal/clock.h"
#include "hal/linefile.h"
#include "net/json_out.h"
#include "storage/store.h"
#include "storage/writer.h"

/* System tables: those of the catalogue have the number of their kind. */
#define DATA_TABLE_SCHEMA_VERSIONS 6u
#define DATA_TABLE_INDEX_VERSIONS  7u
#define DATA_TABLE_KEPT            8u
#define DATA_TABLE_AUDIT           9u
#define DATA_SYSTEM_TABLES         9u

#define DATA_COLUMN_DOC 1          /* the one column of a system table: a JSON text */
#define DATA_DOC_MAX    (2u << 20) /* a schema of one body, in full form */

struct data_kept;

/* Where the audit log stands: its newest record, and the number of its oldest. */
struct data_audit {
    struct audit_head head;
    uint64_t first;
};

struct data {
    struct data_keys keys;
    struct store_keeper keeper;
    struct store *store;
    struct writer *writer;
    const struct hal_clock *clock;
    struct random *random; /* the writer thread's */
    struct snapshot_cell *cell;

    /* The writer thread's, once it runs. */
    struct catalog *current; /* what is published */
    struct catalog *working; /* what the transaction under way makes of it, or NULL */
    struct catalog *base;    /* what `working` was before the operation under way; not a reference */
    bool people_changed; /* by the transaction under way: users or sessions */
    unsigned int mail_notes; /* by the transaction under way: DATA_MAILS_ bits */
    bool keys_unused;    /* token keys: the keeper may not know that they are published */
    bool keys_made;      /* by the keeper, for the transaction under way: token keys of a new environment */
    atomic_ullong generation; /* of users and sessions, for all threads; see struct auth_people */
    void (*on_closed)(void *context);
    void (*on_mails)(void *context, unsigned int notes);
    void *callbacks_context; /* of the two */
    struct mono_time next_minute;
    struct arena *writer_arena; /* holds regex */
    struct regex_work *regex;
    struct regex_work *policy_work; /* of row filters, refilled for each row */
    struct data_audit audit;           /* with what the transaction under way writes */
    struct data_audit audit_committed; /* as it is on disk */
    uint64_t audit_max;                /* records: CONFIG_DATA_AUDIT_MAX */
    struct buf *audit_row;             /* an encoded record: what an operation has left in `row` is its own business */
    struct data_kept *kept;         /* counters that outlive the process; NULL: none do */
    struct linefile *breached;      /* passwords that are known to strangers; NULL: there is no list */
    struct buf *row;                /* an encoded row in the making */
    struct buf *text;               /* a document in the making */
};

struct data_reader {
    struct data *data;
    size_t slot;
    struct snapshot *held;
    struct store_reader *store;
    size_t lists;                   /* under way, each with a snapshot of its own */
    struct arena *arena;            /* holds policy_work */
    struct regex_work *policy_work; /* of row filters, refilled for each row */
};

/* Lists of one reader at a time: the snapshots that are left are for reads that are answered at once. */
#define DATA_LISTS_MAX (STORE_SNAPS_MAX - 4)

struct data_txn {
    struct data *data;
    struct store_txn *store;
    struct wall_time now;
    struct auth_principal principal; /* of the call, as the catalogue knows it now */
    const struct catalog_project *project;
    const struct catalog_environment *environment;
};

/* The keys as storage asks for them; keys outlives the answer. */
struct store_keeper data_keeper_of(struct data_keys *keys);

/* The catalogue as this transaction sees it; to be asked anew after each change. */
const struct catalog *data_txn_catalog(const struct data_txn *txn);

/* The same, to be changed. ERR_NO_MEMORY. */
enum err data_txn_edit(struct data_txn *txn, struct catalog **out_catalog) MUST_USE;

/* The list of DATA_BREACHED_FILE in the directory of the database; NULL: there is none that can be
 * opened. ERR_NO_MEMORY. */
enum err breached_open(const char *directory, struct linefile **out_list) MUST_USE;

/* Around an operation. One that fails before its first put leaves its group going, so its changes to the catalogue are
 * taken back alone: each operation changes a copy of what the one before it left. */
struct catalog *data_begin_edit(struct data *data);
void data_end_edit(struct data *data, struct catalog *take_base, enum err err);

/* The body, checked to be an object. ERR_DENIED: no body, not JSON, not an object; code is what the route answers. */
enum err data_txn_body(struct data_call *call, enum refusal_code code, const struct json_value **out_body) MUST_USE;

/* max(now, before + 1 ms): contract 1.7. */
struct wall_time data_txn_later(const struct data_txn *txn, struct wall_time before);

/* --- records: stored and put into the catalogue of the transaction, in this order: read the document back as a record,
 * change the catalogue, write the row. owner becomes createdBy of the row. --- */

/* Starts a document in data->text. */
void record_begin(struct data *data, struct json_out *out);

/* Starts the document of something new: its object is open and has a random id. */
void record_begin_new(struct data *data, struct json_out *out);

/* Stores the finished document as a new record. ERR_LIMIT: as many as there may be. */
enum err record_insert(struct data_txn *txn, enum catalog_kind kind, const struct json_out *document,
                       const struct catalog_record **out_record) MUST_USE;
/* Stores it in place of a record. */
enum err record_replace(struct data_txn *txn, const struct catalog_record *old, const struct json_out *document,
                        const struct catalog_record **out_record) MUST_USE;
enum err record_delete(struct data_txn *txn, const struct catalog_record *record) MUST_USE;

/* A row of a system table that is not in the catalogue: versions of schemas and indexes. */
enum err record_row_insert(struct data_txn *txn, uint32_t table, struct span owner, const struct json_out *document)
    MUST_USE;

/* The same for bytes of any kind; and in place of a row, whose view ends. */
enum err record_text_insert(struct data_txn *txn, uint32_t table, struct span owner, struct span text) MUST_USE;
enum err record_text_replace(struct data_txn *txn, uint32_t table, const struct row *row, struct span owner,
                             struct span text) MUST_USE;

/* The document of a row of a system table. ERR_DAMAGED. */
enum err record_row_text(const struct row *row, struct span *out_text) MUST_USE;

/* A walk over the box's own rows: the next one of the scan that the snapshot has begun, however many are passed over. Its
 * view lives until the next look-up in the snapshot. ERR_NOT_FOUND: there is none; ERR_DAMAGED, ERR_IO. */
enum err walk_next(struct store_snap *snap, struct row *out_row) MUST_USE;

/* What the last walk_next said. Its end, and that the walker had enough, are no errors and leave no trail. */
enum err walk_end(enum err err) MUST_USE;

/* --- tables, shared by the files that change them --- */

struct data_index_list {
    struct catalog_index items[CATALOG_ALL_INDEXES_MAX];
    size_t count;
};

struct data_table_edit {
    const struct catalog_table *table; /* as it is; NULL: a new one */
    struct span id, environment_id;
    struct span name, display_name, description;
    bool system;
    struct table_id store;
    uint32_t schema_version, index_version;
    const struct schema *schema;
    const struct rls_policy *policy;
    const struct data_index_list *indexes;
};

/* The edit that changes nothing. indexes is filled with the table's and becomes the edit's list. */
void table_edit_of(const struct catalog_table *table, struct data_index_list *indexes, struct data_table_edit *out);
enum err table_edit_store(struct data_txn *txn, const struct data_table_edit *edit,
                          const struct catalog_table **out_table) MUST_USE;

/* Takes the fields that `next` does not declare any more out of every row. */
enum err fields_erase(struct data_txn *txn, struct table_id store, const struct schema *schema,
                      const struct schema *next) MUST_USE;

/* Notes the schema or the indexes as a version of the table. */
enum err version_note_schema(struct data_txn *txn, const struct data_table_edit *edit) MUST_USE;
enum err version_note_indexes(struct data_txn *txn, const struct data_table_edit *edit) MUST_USE;

/* The document of the version that lies `behind` places behind the newest; the view lives as long as the scan's row. */
enum err version_find(struct store_snap *snap, uint32_t versions, struct span table_id, uint64_t behind,
                      struct span *out_text, struct wall_time *out_created) MUST_USE;

/* Reads index definitions of a body. For a table with this schema; ids are not given yet. ERR_DENIED. */
enum err index_read_list(const struct json_value *list, const struct schema *schema, struct data_index_list *out,
                         struct refusal *out_refusal) MUST_USE;
/* Brings `list` in line with the schema: uniq_<field> for each unique field, no others of that kind, column ids. */
enum err index_follow_schema(const struct schema *schema, struct data_index_list *list, struct arena *arena,
                             struct refusal *out_refusal) MUST_USE;
/* Makes the store's indexes those of `to` (from: what they are; NULL: none): first drops what is gone or different, then
 * creates what is new and fills in the ids. Rows change in between: an index that goes must not refuse them any more, and
 * one that comes must see them. ERR_DENIED data/duplicate-value. */
enum err index_drop_gone(struct data_txn *txn, struct table_id store, const struct data_index_list *from,
                         const struct data_index_list *to) MUST_USE;
enum err index_make_new(struct data_txn *txn, struct table_id store, const struct data_index_list *from,
                        struct data_index_list *to, struct refusal *out_refusal) MUST_USE;
/* Members name, `fields` (the name that this list of columns gets here), unique, sparse, into an open object. */
void index_write_definition(struct json_out *out, const struct catalog_index *index, struct span fields);
/* As it stands in the document of a table. */
void index_write_record(struct json_out *out, const struct catalog_index *index);
/* What a schema that is not valid answers. ERR_DENIED, or err if it is no such answer. */
enum err refuse_schema(enum err err, const struct schema_problem *problem, struct refusal *refusal) MUST_USE;

/* Steps 6 to 8 of contract 3.6 alone: the requester bound to the table, undecided, out->verdict left alone. ERR_DENIED. */
enum err data_access_bind(const struct catalog *catalog, const struct auth_principal *principal, struct span name,
                          enum rls_op op, struct data_access *out, struct refusal *refusal) MUST_USE;

/* What is answered for a row that the gate of the access holds back: 403, or 404 as forbiddenRows says. ERR_DENIED. */
enum err data_access_refuse_hidden(const struct data_access *access, struct refusal *refusal) MUST_USE;

/* A snapshot that goes with this catalogue. ERR_CONFLICT: the catalogue changed; the decision has to be made again. */
enum err data_snapshot(struct data_reader *reader, const struct catalog *catalog, struct store_snap **out_snap)
    MUST_USE;

/* One row, with the gate of the access applied to it; work is for row filters, see data_access_gate(). The view lives as
 * store_get says. ERR_DENIED. */
enum err data_access_row(const struct data_access *access, struct store_snap *snap, struct span id,
                         struct regex_work *work, struct row *out_row, struct refusal *refusal) MUST_USE;

/* --- management --- */

/* May the call's key manage, as it is now? ERR_DENIED. */
enum err data_txn_admin(struct data_txn *txn, struct data_call *call) MUST_USE;

/* A call of an operator: what stands for their API key (ERR_DENIED: there is no operator yet), and, once they are
 * identified, whether they may do it and where, decided again: txn->principal.key. ERR_DENIED. */
enum err operators_find(struct data_txn *txn, struct data_call *call, const struct auth_key **out_key) MUST_USE;
enum err operators_admit_call(struct data_txn *txn, struct data_call *call) MUST_USE;

/* The table of that id, as a reading administrator sees it. ERR_DENIED common/not-found. */
enum err admin_table(const struct data_admin *admin, struct span id, const struct catalog_table **out_table) MUST_USE;

/* The table of the path, if it is the environment's of the key, for a change of it. ERR_DENIED common/not-found, or
 * auth/forbidden for a built-in one. */
enum err data_txn_table(struct data_txn *txn, struct data_call *call, const struct catalog_table **out_table) MUST_USE;

/* Does the body name another project or environment than the key's? ERR_DENIED. */
enum err data_txn_check_place(struct data_txn *txn, struct data_call *call, const struct json_value *body) MUST_USE;
enum err admin_check_place(const struct data_admin *admin, const struct json_value *body) MUST_USE;

/* The body of whoever may manage what is in the place that it may name: data_txn_admin, data_txn_body and
 * data_txn_check_place, with their errors. */
enum err data_txn_admin_body(struct data_txn *txn, struct data_call *call, const struct json_value **out_body) MUST_USE;

/* {"confirmName":"<name>"}. ERR_DENIED. */
enum err data_txn_confirm(struct data_call *call, struct span name) MUST_USE;

/* {"success":true} */
enum err data_txn_answer_success(struct data_call *call) MUST_USE;

/* A text member of a body: at most max code points, at least min; missing or null leaves *out as it is and is an error
 * only if needed. ERR_DENIED. */
struct text_rule {
    struct span name;
    size_t min, max;
    bool needed;
};
enum err admin_text(const struct json_value *body, const struct text_rule *rule, struct span *out_text,
                    struct refusal *refusal) MUST_USE;

/* The same in a change of what *out holds: null empties it, and is an error where it cannot be empty. */
enum err admin_text_change(const struct json_value *body, const struct text_rule *rule, struct span *out_text,
                           struct refusal *refusal) MUST_USE;

/* The members that an object may have: a misspelt restriction must not be passed over. What is no object has none.
 * ERR_DENIED with the code, naming the first other one. */
struct member_rule {
    const char *const *names;
    size_t count;
    enum refusal_code code;
    const char *why;
};
enum err admin_members(const struct json_value *body, const struct member_rule *rule,
                       struct refusal *refusal) MUST_USE;

/* 400 data/validation-error with the first violation as its message and all as details. */
enum err refuse_report(struct refusal *refusal, const struct schema_report *report) MUST_USE;

/* 400 common/invalid-parameters or data/validation-error, for what a check reports as place and reason. */
enum err refuse_at(struct refusal *refusal, enum refusal_code code, struct span where, const char *why) MUST_USE;

/* Members id, createdAt, updatedAt of an object. */
void admin_write_head(struct json_out *out, const struct catalog_record *record);
void admin_write_times(struct json_out *out, const struct catalog_record *record);
/* A text member, or null when it is empty. */
void admin_write_text(struct json_out *out, struct span name, struct span text);

/* {"items":[...],"pagination":{...}} of the records of a kind that `wanted` takes, newest first. */
struct admin_lister {
    enum catalog_kind kind;
    bool (*wanted)(const struct data_admin *admin, const struct catalog_record *record);
    enum err (*write)(const struct data_admin *admin, struct json_out *out, const struct catalog_record *record);
};
enum err admin_list(const struct data_admin *admin, const struct admin_lister *lister) MUST_USE;

/* {"total":N,"page":P,"limit":L,"totalPages":ceil(N/L),"hasNext":...,"hasPrev":...}: contract 1.8. */
void data_write_pagination(struct json_out *out, struct data_page page, uint64_t total);

/* One object of the API, appended to out. `snap` is where rows are counted. */
void project_write(struct json_out *out, const struct catalog *catalog, const struct catalog_project *project);
void environment_write(struct json_out *out, const struct catalog_environment *environment);
enum table_detail { TABLE_BRIEF, TABLE_WHOLE };

/* ^[a-z][a-z0-9-]{0,31}$: of environments, and slugs of projects. */
bool place_name_fits(struct span text);

/* A new project, without an environment. */
struct project_new {
    struct span organization, slug, name, description, cloud, region; /* the fourth and last may be empty */
};
enum err project_make(struct data_txn *txn, const struct project_new *project,
                      const struct catalog_record **out_record) MUST_USE;

/* A new environment below a project, or the operators' place below the organization. */
struct environment_new {
    struct span parent, name, type;
};
enum err environment_make(struct data_txn *txn, const struct environment_new *environment,
                          const struct catalog_record **out_record) MUST_USE;

/* Forgets an environment: tables, users, their keys, the record. The id does not lie in it. */
enum err environment_forget(struct data_txn *txn, struct span id) MUST_USE;

/* Starts the document of the transaction's environment again, without the member of that name, for another in its place:
 * its object is left open. */
void environment_begin_again(struct data_txn *txn, struct span without, struct json_out *out);

/* Ends it, and stores it in place of the one before. The errors of record_replace. */
enum err environment_end_again(struct data_txn *txn, struct json_out *out,
                               const struct catalog_environment **out_stored) MUST_USE;

/* A new unrestricted, permanent key of the transaction's project and environment; the caller wipes the value. */
enum err apikey_make(struct data_txn *txn, enum auth_key_type type, struct span name, char out_value[AUTH_KEY_BYTES])
    MUST_USE;

/* Forgets the keys of a project (empty: of all projects that are gone) that ended first, until as many are left as are
 * remembered. */
enum err apikeys_forget_ended(struct data_txn *txn, struct span project_id) MUST_USE;

/* Leaves of the keys of a project no more than what answers whoever still sends them. Before anything else of the
 * catalogue is changed by the operation. */
enum err apikeys_strip(struct data_txn *txn, struct span project_id) MUST_USE;

/* The members of a table, without the braces: some answers add to them. */
enum err table_write_members(struct json_out *out, struct store_snap *snap, const struct catalog_table *table,
                             enum table_detail detail) MUST_USE;

/* Compiles the policy of a body: alone (then another member is refused: a misspelt restriction must not be passed over)
 * or among others. out_policy is NULL when nothing is configured. ERR_DENIED. */
enum policy_body { POLICY_ALONE, POLICY_AMONG_OTHERS };
enum err policy_read(const struct json_value *body, enum policy_body kind, struct arena *arena,
                     struct rls_policy **out_policy, struct refusal *refusal) MUST_USE;

/* Refuses a body with a member of a policy other than `allowed`: where only that one can be changed, another restriction
 * must not be passed over in silence. ERR_DENIED common/invalid-parameters. */
enum err policy_refuse_all_but(const struct json_value *body, struct span allowed, struct refusal *refusal) MUST_USE;

/* Does the policy fit the schema of the table of that name, and do its tests hold? policy may be NULL. ERR_DENIED. */
enum err policy_check(struct data_txn *txn, struct data_call *call, struct span name, const struct schema *schema,
                      const struct rls_policy *policy) MUST_USE;

/* The policy under the next schema of the table: without the rules of columns that go; NULL: unchanged. Checked as above.
 * ERR_DENIED also when a row filter or a test names a field that goes. */
enum err policy_follow_schema(struct data_txn *txn, struct data_call *call, const struct catalog_table *table,
                              const struct schema *next, struct rls_policy **out_policy) MUST_USE;

/* What a policy that is not valid answers: ERR_DENIED, or err if it is no such answer. */
enum err policy_refuse(enum err err, const struct rls_problem *problem, struct refusal *refusal) MUST_USE;

/* The table after a change of it and the warnings about its policy, as the answer. An index or a field may bring a
 * warning as well as a policy. */
enum err policy_answer(struct data_txn *txn, struct data_call *call, const struct catalog_table *table) MUST_USE;

/* Forgets a table: rows, key, versions, record. */
enum err table_forget(struct data_txn *txn, const struct catalog_table *table) MUST_USE;
enum err version_forget(struct data_txn *txn, struct span table_id) MUST_USE;

#endif
