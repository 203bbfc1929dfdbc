/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The first start: one organization, one project, its environment `dev`, and two keys, in one transaction of the writer.
 * Whether it was is asked inside the transaction. Keys that no person has seen are replaced. */
#include "firmware/data/data.h"

#include <stdatomic.h>
#include <string.h>

#include "firmware/data/data_int.h"
#include "firmware/data/operators.h"
#include "hal/base/fault.h"
#include "hal/base/queue.h"

#define BOOTSTRAP_WAIT_MS 60000u
#define FIRST_ENVIRONMENT "dev"

struct bootstrap {
    struct data *data;
    enum data_bootstrap_shown shown;
    struct data_bootstrap result;
    struct queue *done;
    struct write_op op;
    enum err err;
};

static enum err make_organization(struct data_txn *txn, const struct catalog_record **out_record)
{
    struct json_out out;

    record_begin_new(txn->data, &out);
    json_out_member_text(&out, span_lit("name"), span_lit("default"));
    json_out_member_text(&out, span_lit("displayName"), span_lit("Default organization"));
    json_out_object_end(&out);
    return record_insert(txn, CATALOG_ORGANIZATION, &out, out_record);
}

/* Two keys for the project and environment of the transaction. */
static enum err make_keys(struct data_txn *txn, struct data_bootstrap *result)
{
    const struct span environment = txn->environment->record.name;

    ENSURE(environment.len <= DATA_ENVIRONMENT_MAX, ERR_DAMAGED, "the name of the first environment");
    TRY(apikey_make(txn, AUTH_KEY_PUBLISHABLE, span_lit("first publishable key"), result->publishable_key));
    TRY(apikey_make(txn, AUTH_KEY_SECRET, span_lit("first secret key"), result->secret_key));
    memcpy(result->project_id, txn->project->record.id.data, DATA_UUID_BYTES);
    memcpy(result->environment, environment.data, environment.len);
    result->environment_len = environment.len;
    result->made = true;
    return ERR_OK;
}

static enum err make_all(struct data_txn *txn, struct data_bootstrap *result)
{
    const struct catalog_record *record = NULL;
    const struct span name = span_lit(FIRST_ENVIRONMENT);

    TRY(make_organization(txn, &record));
    const struct project_new project = {.organization = record->id,
                                        .slug = span_lit("default"),
                                        .name = span_lit("Default project"),
                                        .cloud = span_lit("onprem")};
    TRY(project_make(txn, &project, &record));
    txn->project = (const struct catalog_project *)record;
    const struct environment_new environment = {record->id, name, name};
    TRY(environment_make(txn, &environment, &record));
    txn->environment = (const struct catalog_environment *)record;
    return make_keys(txn, result);
}

/* Is everything as the first start left it, and no key ever used? */
static bool is_untouched(const struct catalog *catalog)
{
    const struct catalog_record *record = NULL;
    size_t cursor = 0;

    if (catalog_count(catalog, CATALOG_PROJECT) != 1 || catalog_count(catalog, CATALOG_ENVIRONMENT) != 1 ||
        catalog_count(catalog, CATALOG_TABLE) != 0 || operators_place(catalog) != NULL) {
        return false;
    }
    while ((record = catalog_next(catalog, CATALOG_KEY, &cursor)) != NULL) {
        const struct catalog_key *key = (const struct catalog_key *)record;
        if (atomic_load_explicit(&key->last_used_ms, memory_order_relaxed) != 0) {
            return false;
        }
    }
    return true;
}

static enum err replace_keys(struct data_txn *txn, struct data_bootstrap *result)
{
    const struct catalog *catalog = data_txn_catalog(txn);
    size_t cursor = 0;
    const struct catalog_record *key = catalog_next(catalog, CATALOG_KEY, &cursor);

    while (key != NULL) {
        TRY(record_delete(txn, key));
        cursor = 0;
        key = catalog_next(data_txn_catalog(txn), CATALOG_KEY, &cursor);
    }
    catalog = data_txn_catalog(txn);
    cursor = 0;
    txn->project = (const struct catalog_project *)catalog_next(catalog, CATALOG_PROJECT, &cursor);
    cursor = 0;
    txn->environment = (const struct catalog_environment *)catalog_next(catalog, CATALOG_ENVIRONMENT, &cursor);
    return make_keys(txn, result);
}

static enum err apply(struct store_txn *store, void *context)
{
    struct bootstrap *bootstrap = context;
    struct data *data = bootstrap->data;
    struct data_txn txn = {.data = data, .store = store, .now = hal_clock_wall(data->clock)};

    data_bootstrap_wipe(&bootstrap->result);
    bootstrap->result.has_operator = operators_place(data_txn_catalog(&txn)) != NULL;
    /* Not the projects are asked: operators may have deleted the last one. */
    const bool empty = catalog_count(data_txn_catalog(&txn), CATALOG_ORGANIZATION) == 0;
    if (!empty && (bootstrap->shown == DATA_BOOTSTRAP_SHOWN || !is_untouched(data_txn_catalog(&txn)))) {
        return ERR_OK;
    }
    struct catalog *base = data_begin_edit(data);
    const enum err err = empty ? make_all(&txn, &bootstrap->result) : replace_keys(&txn, &bootstrap->result);
    data_end_edit(data, base, err);
    return err;
}

static void complete(void *context, enum err err)
{
    struct bootstrap *bootstrap = context;

    bootstrap->err = err;
    INVARIANT(queue_push(bootstrap->done, bootstrap) == ERR_OK); /* room for the one item there is */
}

static void wipe_scoped(struct bootstrap *bootstrap)
{
    data_bootstrap_wipe(&bootstrap->result);
    queue_free(bootstrap->done);
}

enum err data_bootstrap(struct data *data, enum data_bootstrap_shown shown, struct data_bootstrap *out_bootstrap)
{
    SCOPED(wipe_scoped) struct bootstrap bootstrap = {.data = data, .shown = shown, .err = ERR_OK};
    void *item = NULL;

    bootstrap.op = (struct write_op){.apply = apply, .complete = complete, .context = &bootstrap};
    TRY(queue_new(1, &bootstrap.done));
    TRY(writer_submit(data->writer, &bootstrap.op));
    /* The operation points into this frame, so there is no way out before the writer is done with it. */
    while (queue_wait(bootstrap.done, BOOTSTRAP_WAIT_MS, &item) == ERR_TIMEOUT) {
        fault_clear();
    }
    TRY(bootstrap.err);
    *out_bootstrap = bootstrap.result;
    return ERR_OK;
}

void data_bootstrap_wipe(struct data_bootstrap *bootstrap)
{
    mem_wipe(bootstrap, sizeof *bootstrap);
}
