/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Opening and closing; the writer's side of a call.
 *
 * The catalogue follows the transaction: the first operation that changes it works on a copy (data->working), later ones
 * of the group see that copy, the commit publishes it, an abort throws it away. So an operation always decides on what
 * the operations before it in the queue have done, and a reactor never sees what is not on disk. */
#include "firmware/data/data.h"

#include <string.h>

#include "firmware/data/audit_int.h"
#include "firmware/data/codes_int.h"
#include "firmware/data/kept.h"
#include "firmware/data/invitations_int.h"
#include "firmware/data/operators.h"
#include "firmware/data/outbox_int.h"
#include "firmware/data/people_int.h"
#include "firmware/data/token_keys_int.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/base/num.h"
#include "hal/base/queue.h"

#define USE_FLUSH_MS     60000 /* contract: lastUsedAt at most once a minute */
#define WRITER_ARENA_MAX ((size_t)1 << 20)
#define READER_ARENA_MAX ((size_t)1 << 18)

/* --- transactions --- */

const struct catalog *data_txn_catalog(const struct data_txn *txn)
{
    return txn->data->working != NULL ? txn->data->working : txn->data->current;
}

enum err data_txn_edit(struct data_txn *txn, struct catalog **out_catalog)
{
    struct data *data = txn->data;

    if (data->working == data->base) {
        struct catalog *copy = NULL;
        TRY(catalog_copy(data_txn_catalog(txn), &copy));
        data->working = copy; /* data_begin_edit's caller holds on to the former one */
    }
    *out_catalog = data->working;
    return ERR_OK;
}

struct catalog *data_begin_edit(struct data *data)
{
    data->base = data->working;
    return data->working;
}

void data_end_edit(struct data *data, struct catalog *take_base, enum err err)
{
    if (data->working == take_base) {
        return;
    }
    if (err == ERR_OK) {
        catalog_unref(take_base);
    } else {
        catalog_unref(data->working);
        data->working = take_base;
    }
}

enum err data_txn_body(struct data_call *call, enum refusal_code code, const struct json_value **out_body)
{
    if (call->body_refusal != NULL) {
        call->refusal = *call->body_refusal;
        return ERR_DENIED;
    }
    if (call->body == NULL || call->body->type != JSON_OBJECT) {
        return refuse(&call->refusal, code, "The body must be a JSON object");
    }
    *out_body = call->body;
    return ERR_OK;
}

struct wall_time data_txn_later(const struct data_txn *txn, struct wall_time before)
{
    return txn->now.ms > before.ms ? txn->now : (struct wall_time){before.ms + 1};
}

/* --- calls --- */

struct call_op {
    struct write_op op;
    struct data_call *call;
};

/* What it did is recorded with it, or did not happen. */
static enum err operate(struct data_txn *txn, struct data_call *call)
{
    TRY(call->operation(txn, call));
    return audit_call(txn, call);
}

/* A code in a mail says of itself what it is for: nobody else asks. */
static enum err run_keyless(struct data_txn *txn, struct data_call *call)
{
    txn->environment = catalog_environment(data_txn_catalog(txn), call->place);
    if (txn->environment == NULL) {
        return refuse(&call->refusal, REFUSAL_DATA_ENVIRONMENT_NOT_FOUND, NULL);
    }
    txn->project = catalog_project(data_txn_catalog(txn), txn->environment->record.parent);
    return operate(txn, call);
}

static enum err run_call(struct store_txn *store, struct data_call *call)
{
    struct data *data = call->data;
    struct data_txn txn = {.data = data, .store = store, .now = hal_clock_wall(data->clock)};
    struct data_people people;
    const struct auth_directory directory = data_directory_in(&txn, &people);
    struct auth_asker asker = {.bearer = &call->bearer, .on_behalf = call->on_behalf, .arena = call->arena};

    buf_truncate(call->out, call->out_at);
    call->status = 200;
    call->refusal.code = REFUSAL_NONE;
    if (call->place.len != 0) {
        return run_keyless(&txn, call);
    }
    if (call->operation == data_operator_setup) {
        return operate(&txn, call);
    }
    TRY(call->operators ? operators_find(&txn, call, &asker.key)
                        : auth_check_key(&directory, call->key_hash, txn.now, &asker.key, &call->refusal));
    TRY(auth_identify(&directory, &asker, txn.now, &txn.principal, &call->refusal));
    TRY(call->operators && call->duty != NULL ? operators_admit_call(&txn, call) : ERR_OK);
    txn.project = catalog_project(data_txn_catalog(&txn), txn.principal.key->project_id);
    txn.environment = catalog_environment(data_txn_catalog(&txn), txn.principal.key->environment_id);
    return operate(&txn, call);
}

static enum err apply_call(struct store_txn *store, void *context)
{
    struct data_call *call = ((struct call_op *)context)->call;
    struct catalog *base = data_begin_edit(call->data);
    const enum err err = run_call(store, call);

    data_end_edit(call->data, base, err);
    return err;
}

static void run_done(struct loop_post *post)
{
    /* The post is a member of the call. */
    struct data_call *call = (void *)((char *)post - offsetof(struct data_call, post));

    mem_free(TAKE(call->op));
    call->done(call);
}

static void complete_call(void *context, enum err err)
{
    struct data_call *call = ((struct call_op *)context)->call;

    call->err = err;
    if (err != ERR_OK && err != ERR_DENIED) {
        log_fault(LOG_WARN, "write failed");
    }
    fault_clear();
    call->post.run = run_done;
    /* The loop has room for a post of every exchange that can be under way, and it is freed after the writer. */
    INVARIANT(loop_post(call->loop, &call->post) == ERR_OK);
}

enum err data_submit(struct data_call *call)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct call_op), &memory));
    struct call_op *op = memory;
    op->op = (struct write_op){.apply = apply_call, .complete = complete_call, .context = op};
    op->call = call;
    call->op = op;
    call->out_at = buf_len(call->out);
    const enum err err = writer_submit(call->data->writer, &op->op);
    if (err != ERR_OK) {
        mem_free(TAKE(call->op));
        FAIL(err, "the writer takes no more", 0);
    }
    return ERR_OK;
}

/* --- hooks of the writer --- */

/* Writes one key's record with its newest use. */
static enum err flush_use(struct data_txn *txn, const struct catalog_key *key, struct wall_time used)
{
    const struct span name = span_lit("lastUsedAt");
    const struct catalog_record *stored = NULL;
    struct json_out out;

    record_begin(txn->data, &out);
    json_out_object(&out);
    json_out_members_without(&out, key->record.doc, &name, 1);
    json_out_member_time(&out, name, used);
    json_out_object_end(&out);
    return record_replace(txn, &key->record, &out, &stored);
}

static bool use_is_stale(const struct catalog_key *key, struct wall_time *out_used)
{
    const struct json_value *noted = json_find(key->record.doc, span_lit("lastUsedAt"));
    struct wall_time stored = {0};

    out_used->ms = (int64_t)atomic_load_explicit(key->key.last_used_ms, memory_order_relaxed);
    if (noted != NULL && noted->type == JSON_STRING && time_parse_iso(noted->as.text, &stored) != ERR_OK) {
        stored.ms = 0;
    }
    return out_used->ms >= stored.ms + USE_FLUSH_MS;
}

static enum err flush_uses(struct data *data, struct store_txn *store)
{
    struct data_txn txn = {.data = data, .store = store, .now = hal_clock_wall(data->clock)};
    SCOPED_CATALOG struct catalog *walked = catalog_ref(data_txn_catalog(&txn));
    size_t cursor = 0;

    for (;;) {
        const struct catalog_record *record = catalog_next(walked, CATALOG_KEY, &cursor);
        struct wall_time used = {0};
        if (record == NULL) {
            return ERR_OK;
        }
        const struct catalog_key *key = (const struct catalog_key *)record;
        if (use_is_stale(key, &used)) {
            TRY(flush_use(&txn, key, used));
        }
    }
}

/* One mail that cannot be read, or a keeper that is away, must not keep everybody's writes from being committed. */
static enum err unless_untouched(struct data_txn *txn, enum err (*make_room)(struct data_txn *txn), const char *event)
{
    const uint64_t changes = store_txn_changes(txn->store);
    const enum err err = make_room(txn);

    if (err != ERR_OK && store_txn_changes(txn->store) == changes) {
        log_fault(LOG_WARN, event);
        fault_clear();
        return ERR_OK;
    }
    return err;
}

/* Mails, codes and invitations that are over, some of each environment. */
static enum err sweep(struct data *data, struct store_txn *store)
{
    struct data_txn txn = {.data = data, .store = store, .now = hal_clock_wall(data->clock)};
    SCOPED_CATALOG struct catalog *walked = catalog_ref(data_txn_catalog(&txn));
    size_t cursor = 0;

    for (;;) {
        txn.environment = (const struct catalog_environment *)catalog_next(walked, CATALOG_ENVIRONMENT, &cursor);
        if (txn.environment == NULL) {
            return ERR_OK;
        }
        TRY(unless_untouched(&txn, outbox_sweep, "mails_not_swept"));
        TRY(unless_untouched(&txn, codes_make_room, "mails_not_swept"));
        TRY(unless_untouched(&txn, invitations_make_room, "invitations_not_swept"));
        TRY(unless_untouched(&txn, token_keys_sweep, "token_keys_not_swept"));
    }
}

static enum err each_minute(struct data *data, struct store_txn *store)
{
    const struct mono_time now = hal_clock_mono(data->clock);

    if (now.ns < data->next_minute.ns) {
        return ERR_OK;
    }
    TRY(flush_uses(data, store));
    TRY(sweep(data, store));
    data->next_minute = mono_add_ms(now, USE_FLUSH_MS);
    return ERR_OK;
}

/* Last uses, and what is over, ride along in a group that is written anyway, and at most once a minute. */
static enum err before_commit(void *context, struct store_txn *store)
{
    struct data *data = context;
    struct catalog *base = data_begin_edit(data);
    const enum err err = each_minute(data, store);

    data_end_edit(data, base, err);
    return err;
}

static void after_commit(void *context)
{
    struct data *data = context;

    audit_committed(data);
    if (data->people_changed) {
        atomic_fetch_add_explicit(&data->generation, 1, memory_order_release);
        data->people_changed = false;
    }
    if (data->working != NULL) {
        SCOPED_CATALOG struct catalog *before = data->current;
        data->current = TAKE(data->working);
        snapshot_publish(data->cell, catalog_snapshot(catalog_ref(data->current)));
        people_drop_keys(data, before, data->current);
        token_keys_use(data, before);
    } else {
        token_keys_use(data, NULL);
    }
    data->keys_made = false;
    if (data->mail_notes != 0 && data->on_mails != NULL) {
        data->on_mails(data->callbacks_context, data->mail_notes);
    }
    data->mail_notes = 0;
}

static void after_abort(void *context)
{
    struct data *data = context;

    audit_aborted(data);
    data->mail_notes = 0;
    data->people_changed = false;
    catalog_unref(TAKE(data->working));
    people_drop_unnamed_keys(data);
}

static void closed(void *context)
{
    const struct data *data = context;

    LOG(LOG_ERROR, "rows_closed", LOG_LITERAL("reason", "the disk failed in the last write of a commit"));
    if (data->on_closed != NULL) {
        data->on_closed(data->callbacks_context);
    }
}

/* --- opening --- */

static void take_wrapped(const struct data_wrapped *from, struct store_wrapped *out)
{
    out->len = num_min(from->len, sizeof out->bytes);
    memcpy(out->bytes, from->bytes, out->len);
}

static enum err keeper_new_key(void *context, struct table_id table, struct secret **out_key,
                               struct store_wrapped *out_wrapped)
{
    const struct data_keys *keys = context;
    struct data_wrapped wrapped = {.len = 0};

    TRY(keys->new_key(keys->context, table.value, out_key, &wrapped));
    take_wrapped(&wrapped, out_wrapped);
    return ERR_OK;
}

static enum err keeper_open_key(void *context, struct table_id table, struct span wrapped, struct secret **out_key)
{
    const struct data_keys *keys = context;

    return keys->open_key(keys->context, table.value, wrapped, out_key);
}

static enum err keeper_rotate_begin(void *context)
{
    const struct data_keys *keys = context;

    return keys->rotate_begin(keys->context);
}

static enum err keeper_rewrap(void *context, struct table_id table, struct span wrapped,
                              struct store_wrapped *out_wrapped)
{
    const struct data_keys *keys = context;
    struct data_wrapped again = {.len = 0};

    TRY(keys->rewrap(keys->context, table.value, wrapped, &again));
    take_wrapped(&again, out_wrapped);
    return ERR_OK;
}

static enum err keeper_rotate_end(void *context)
{
    const struct data_keys *keys = context;

    return keys->rotate_end(keys->context);
}

static enum err keeper_rotate_pending(void *context, bool *out_pending)
{
    const struct data_keys *keys = context;

    return keys->rotate_pending(keys->context, out_pending);
}

struct store_keeper data_keeper_of(struct data_keys *keys)
{
    return (struct store_keeper){.context = keys,
                                 .new_key = keeper_new_key,
                                 .open_key = keeper_open_key,
                                 .rotate_begin = keeper_rotate_begin,
                                 .rewrap = keeper_rewrap,
                                 .rotate_end = keeper_rotate_end,
                                 .rotate_pending = keeper_rotate_pending};
}

static enum err open_store(struct data *data, const struct data_config *config)
{
    /* What decides who may do what: an old key, policy or setting put back is looked for at every start. Users, sessions
     * and accounts follow as soon as it is known where they lie, see people_verify. */
    static const struct table_id verified[] = {
        {CATALOG_ORGANIZATION}, {CATALOG_PROJECT}, {CATALOG_ENVIRONMENT}, {CATALOG_TABLE}, {CATALOG_KEY}};
    _Static_assert(ARRAY_LENGTH(verified) == CATALOG_KIND_END - CATALOG_ORGANIZATION, "every kind of record");
    const struct store_config store = {.path = config->path,
                                       .map_bytes = config->map_bytes,
                                       .keeper = &data->keeper,
                                       .slab = config->slab,
                                       .verify = verified,
                                       .verify_count = ARRAY_LENGTH(verified),
                                       .must_exist = config->must_exist,
                                       .may_seal = config->may_seal,
                                       .may_seal_context = config->context};

    data->keys = *config->keys;
    data->keeper = data_keeper_of(&data->keys);
    return store_open(&store, config->random, &data->store);
}

static void sealer_free_scoped(struct store_sealer **sealer)
{
    store_sealer_free(*sealer);
}

static void txn_abort_scoped(struct store_txn **txn)
{
    store_txn_abort(*txn);
}

/* Makes the system tables that are not there. */
static enum err make_tables(struct data *data, struct random *random)
{
    SCOPED(sealer_free_scoped) struct store_sealer *sealer = NULL;
    SCOPED(txn_abort_scoped) struct store_txn *txn = NULL;
    bool made = false;

    TRY(store_sealer_new(data->store, random, &sealer));
    TRY(store_txn_begin(sealer, &txn));
    for (uint32_t i = 1; i <= DATA_SYSTEM_TABLES; i++) {
        const struct table_id table = {i};
        uint64_t rows = 0;
        const enum err err = store_count(store_txn_snap(txn), table, &rows);
        if (err == ERR_NOT_FOUND) {
            fault_clear();
            TRY(store_table_create(txn, table));
            made = true;
        } else {
            TRY(err);
        }
    }
    return made ? store_txn_commit(TAKE(txn)) : ERR_OK;
}

static enum err load_row(struct catalog *catalog, enum catalog_kind kind, const struct row *row)
{
    SCOPED_RECORD struct catalog_record *record = NULL;
    struct catalog_source source = {
        .kind = kind, .row = row->id, .created_at = row->created_at, .updated_at = row->updated_at};

    TRY(record_row_text(row, &source.document));
    TRY(catalog_record_new(&source, &record));
    TRY(catalog_put_unindexed(catalog, record));
    (void)TAKE(record); /* the catalogue's now */
    return ERR_OK;
}

static enum err load_kind(struct store_snap *snap, struct catalog *catalog, enum catalog_kind kind)
{
    const struct store_scan scan = {.table = {(uint32_t)kind}};
    struct row row;
    enum err err = ERR_OK;

    TRY(store_scan_begin(snap, &scan));
    while ((err = walk_next(snap, &row)) == ERR_OK) {
        TRY(load_row(catalog, kind, &row));
    }
    return walk_end(err);
}

static void reader_free_scoped(struct store_reader **reader)
{
    store_reader_free(*reader);
}

/* What is stored about everything but rows, and, now that it is known where they lie, the check of the users. */
static enum err load_catalog(struct data *data)
{
    SCOPED(reader_free_scoped) struct store_reader *reader = NULL;
    SCOPED_SNAP struct store_snap *snap = NULL;

    TRY(catalog_new(&data->current));
    TRY(store_reader_new(data->store, &reader));
    TRY(store_snap_begin(reader, &snap));
    for (int kind = CATALOG_ORGANIZATION; kind < CATALOG_KIND_END; kind++) {
        TRY(load_kind(snap, data->current, (enum catalog_kind)kind));
    }
    TRY(catalog_index(data->current));
    return people_verify(data->current, snap);
}

enum err data_open(const struct data_config *config, struct data **out_data)
{
    SCOPED_DATA struct data *data = NULL;
    void *memory = NULL;

    TRY(mem_alloc(sizeof *data, &memory));
    data = memory;
    data->clock = config->clock;
    data->random = config->random;
    data->on_closed = config->on_closed;
    data->on_mails = config->on_mails;
    data->callbacks_context = config->context;
    TRY(buf_new(ROW_BYTES_MAX, &data->row));
    TRY(buf_new(DATA_DOC_MAX, &data->text));
    TRY(arena_new(0, WRITER_ARENA_MAX, &data->writer_arena));
    TRY(regex_work_new(data->writer_arena, CONFIG_DATA_REGEX_STEPS, &data->regex));
    TRY(regex_work_new(data->writer_arena, CONFIG_DATA_POLICY_STEPS, &data->policy_work));
    TRY(open_store(data, config));
    TRY(make_tables(data, config->random));
    TRY(load_catalog(data));
    TRY(audit_open(data));
    TRY(people_prepare(data, config->random));
    TRY(kept_open(data, config->limits));
    TRY(breached_open(config->path, &data->breached));
    atomic_store(&data->generation, 1);
    TRY(snapshot_cell_new(config->readers, catalog_snapshot(catalog_ref(data->current)), &data->cell));
    const struct writer_hooks hooks = {.context = data,
                                       .before_commit = before_commit,
                                       .after_commit = after_commit,
                                       .after_abort = after_abort,
                                       .closed = closed};
    TRY(writer_start(data->store, config->random, &hooks, &data->writer));
    *out_data = TAKE(data);
    return ERR_OK;
}

void data_close(struct data *data)
{
    if (data == NULL) {
        return;
    }
    kept_flush(data);
    writer_stop(data->writer);
    kept_free(data->kept);
    audit_close(data);
    snapshot_cell_free(data->cell);
    catalog_unref(data->working);
    catalog_unref(data->current);
    store_close(data->store);
    linefile_close(data->breached);
    arena_free(data->writer_arena);
    buf_free(data->row);
    buf_free(data->text);
    mem_free(data);
}

/* --- readers --- */

static void data_reader_free_scoped(struct data_reader **reader)
{
    data_reader_free(*reader);
}

enum err data_reader_new(struct data *data, size_t slot, struct data_reader **out_reader)
{
    SCOPED(data_reader_free_scoped) struct data_reader *reader = NULL;
    void *memory = NULL;

    TRY(mem_alloc(sizeof *reader, &memory));
    reader = memory;
    reader->data = data;
    reader->slot = slot;
    TRY(arena_new(0, READER_ARENA_MAX, &reader->arena));
    TRY(regex_work_new(reader->arena, CONFIG_DATA_POLICY_STEPS, &reader->policy_work));
    TRY(store_reader_new(data->store, &reader->store));
    *out_reader = TAKE(reader);
    return ERR_OK;
}

void data_reader_free(struct data_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    snapshot_unref(reader->held);
    store_reader_free(reader->store);
    arena_free(reader->arena);
    mem_free(reader);
}
