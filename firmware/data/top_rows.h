/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The best rows of a scan in a given order, within a bound of number and of memory.
 *
 * Rows are offered one by one; the best ones are kept by key and id. When memory runs short fewer are kept, but always
 * the best of all that were offered, so the rest can be had by another scan that begins behind the last one kept. */
#ifndef FIRMWARE_DATA_TOP_ROWS_H
#define FIRMWARE_DATA_TOP_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "storage/row.h"

struct top_rows;

/* At most `most` rows and memory_bytes bytes (from TOP_ROWS_BYTES_MIN), ids in the same direction as keys. The caller
 * frees it. ERR_NO_MEMORY. */
#define TOP_ROWS_BYTES_MIN 4096
enum err top_rows_new(uint64_t most, size_t memory_bytes, bool descending, struct top_rows **out_rows) MUST_USE;
void top_rows_free(struct top_rows *rows); /* NULL is fine */

/* Offers a row; key is copied if it is kept. Keys that are objects or arrays count with their first 1024 bytes.
 * ERR_RANGE if one key is larger than half the memory, ERR_NO_MEMORY. */
enum err top_rows_offer(struct top_rows *rows, struct row_id id, const struct row_value *key) MUST_USE;

/* Puts what was kept in order: the count, and then the id of each. No more offers until top_rows_next_pass. */
size_t top_rows_sort(struct top_rows *rows);
struct row_id top_rows_id(const struct top_rows *rows, size_t position);

/* Begins again behind the last row kept: from now on only rows after it count. */
void top_rows_next_pass(struct top_rows *rows);

#endif
