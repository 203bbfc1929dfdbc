/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The offline check of a database, told to whoever asked in literals and ids. */
#include "firmware/data/data.h"

#include "firmware/data/data_int.h"
#include "hal/base/fault.h"
#include "storage/fsck.h"

struct listener {
    void (*on_damage)(void *context, const struct data_damage *damage);
    void *context;
};

static bool is_no_row(struct row_id id)
{
    const struct row_id none = {{0}};

    return row_id_equal(id, none);
}

static void tell(void *context, const struct fsck_damage *damage)
{
    const struct listener *listener = context;
    char row[ROW_ID_TEXT_BYTES];

    row_id_format(damage->row, row);
    const struct data_damage told = {.kind = fsck_kind_name(damage->kind),
                                     .table = damage->table.value,
                                     .index = damage->index.value,
                                     .row = is_no_row(damage->row) ? SPAN_NONE : span_array(row)};
    listener->on_damage(listener->context, &told);
}

enum err data_check(const struct data_config *config,
                    void (*on_damage)(void *context, const struct data_damage *damage), void *context,
                    struct data_check_report *out_report)
{
    struct listener listener = {on_damage, context};
    struct fsck_report report = {0};
    struct store *store = NULL;
    struct data_keys keys = *config->keys;
    const struct store_keeper keeper = data_keeper_of(&keys);
    const struct store_config options = {
        .path = config->path, .map_bytes = config->map_bytes, .keeper = &keeper, .slab = config->slab,
        .must_exist = config->must_exist};

    TRY(store_open(&options, config->random, &store));
    const enum err err = fsck_run(store, tell, &listener, &report);
    store_close(store);
    TRY(err);
    *out_report = (struct data_check_report){
        .tables = report.tables, .rows = report.rows, .entries = report.entries, .damaged = report.damaged};
    return ERR_OK;
}
