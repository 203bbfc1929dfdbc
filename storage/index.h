/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an index is: which fields, in which direction, and with which promises.
 *
 * Order of values (contract 4.3): missing and null, numbers, strings (bytes), objects, arrays, booleans, dates. An
 * integer and a double of the same value are the same. Objects and arrays are ordered by their stored bytes: equal ones
 * are together, their order among each other means nothing. */
#ifndef STORAGE_INDEX_H
#define STORAGE_INDEX_H

#include <stdbool.h>
#include <stddef.h>

#include "hal/base/span.h"
#include "storage/id.h"
#include "storage/row.h"

#define INDEX_FIELDS_MAX     8
#define INDEX_FIELD_TEXT_MAX 255 /* bytes of a field's name and path together */
#define INDEX_PER_TABLE_MAX  64  /* 20 custom ones, unique columns, the owner's */

struct index_field {
    struct row_field field;
    bool descending;
};

/* unique: no two rows with byte-equal tuples; missing equals null and collides.
 * sparse: rows in which any of the fields is missing or null are not in the index. */
struct index_def {
    struct index_field fields[INDEX_FIELDS_MAX];
    size_t field_count; /* 1 to INDEX_FIELDS_MAX */
    bool unique;
    bool sparse;
};

#endif
