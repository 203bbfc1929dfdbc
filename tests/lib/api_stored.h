/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the API box has stored, past the API. */
#ifndef TESTS_LIB_API_STORED_H
#define TESTS_LIB_API_STORED_H

#include "firmware/data/catalog.h"
#include "tests/lib/api_box.h"

/* The environment of the first start, as long as nothing changes it. */
const struct catalog_environment *api_stored_environment(const struct api_box *box);

/* How many rows a table has. */
uint64_t api_stored_rows(struct api_box *box, struct table_id table);

/* The box as somebody with its disk sees it; it must be closed. */
struct store_box api_stored_disk(const struct api_box *box);

#endif
