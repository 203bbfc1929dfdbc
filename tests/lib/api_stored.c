/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/api_stored.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "firmware/data/data_int.h"

const struct catalog_environment *api_stored_environment(const struct api_box *box)
{
    size_t cursor = 0;

    return (const struct catalog_environment *)catalog_next(box->data->current, CATALOG_ENVIRONMENT, &cursor);
}

uint64_t api_stored_rows(struct api_box *box, struct table_id table)
{
    struct store_reader *reader = NULL;
    struct store_snap *snap = NULL;
    uint64_t rows = 0;

    assert_int_equal(store_reader_new(box->data->store, &reader), ERR_OK);
    assert_int_equal(store_snap_begin(reader, &snap), ERR_OK);
    assert_int_equal(store_count(snap, table, &rows), ERR_OK);
    store_snap_end(snap);
    store_reader_free(reader);
    return rows;
}

struct store_box api_stored_disk(const struct api_box *box)
{
    struct store_box disk = {.store = NULL};

    (void)snprintf(disk.path, sizeof disk.path, "%s", box->dir.path);
    return disk;
}
