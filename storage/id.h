/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The ids of stored things, each its own type so that two cannot be swapped. */
#ifndef STORAGE_ID_H
#define STORAGE_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "hal/base/time.h"

struct table_id {
    uint32_t value; /* 1 to 255: tables of the appliance itself; from STORE_TABLE_FIRST: an app's, never reused */
};

struct index_id {
    uint32_t value; /* given by the store, never reused; 0 names no index */
};

#define ROW_ID_BYTES      12
#define ROW_ID_TEXT_BYTES HEX_BYTES(ROW_ID_BYTES)

/* creation second(4, big-endian) | counter within it(3) | random(5), so ids sort by creation.
 * Spec: contract 1.7. */
struct row_id {
    uint8_t bytes[ROW_ID_BYTES];
};

/* Negative, zero or positive as a sorts before, with or after b. */
int row_id_compare(struct row_id a, struct row_id b);

static inline bool row_id_equal(struct row_id a, struct row_id b)
{
    return row_id_compare(a, b) == 0;
}

/* Writes ROW_ID_TEXT_BYTES lower-case hex digits, without a NUL. */
void row_id_format(struct row_id id, char out_text[ROW_ID_TEXT_BYTES]);

/* ERR_MALFORMED unless text is exactly 24 lower-case hex digits; a path id that is not one names no row. */
enum err row_id_parse(struct span text, struct row_id *out_id) MUST_USE;

#endif
