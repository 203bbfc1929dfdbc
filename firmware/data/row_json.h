/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows from and to JSON: a checked body becomes encoded columns, a row view becomes an object in a response.
 *
 * A declared field is stored under its column id, an undeclared one under its name. Names that were stored before they
 * were declared are found under their name, and move to their column at the next write. */
#ifndef FIRMWARE_DATA_ROW_JSON_H
#define FIRMWARE_DATA_ROW_JSON_H

#include "firmware/data/plan.h"
#include "firmware/rls/rls.h"
#include "firmware/schema/schema.h"
#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/json_value.h"
#include "hal/base/mem.h"
#include "hal/base/span.h"
#include "hal/base/time.h"
#include "net/json_out.h"
#include "storage/row.h"

/* What a write is made with; all borrowed. */
struct row_write {
    struct arena *arena; /* of the request, for sorting names */
    const struct schema *schema;
    struct wall_time now;
    struct buf *out; /* is reset; holds the encoded row afterwards; allows ROW_BYTES_MAX */
};

/* Encodes a new row from what schema_check made; out_encoded is a view into write->out.
 * ERR_RANGE: the row is larger or deeper than storage takes. ERR_NO_MEMORY: the arena (used for sorting names) is full. */
enum err row_json_create(const struct row_write *write, const struct json_value *row, struct span created_by,
                         struct span *out_encoded) MUST_USE;

/* Values of the top level that a patch may leave in a row: what one body may have, and a default for each field. Each
 * stored name is looked for in the patch, on the one thread that writes. */
#define ROW_JSON_VALUES_MAX (SCHEMA_MEMBERS_MAX + SCHEMA_FIELDS_MAX)

/* Encodes the row that a PATCH leaves: supplied fields replace stored ones whole, the others stay as they are.
 * updatedAt becomes max(now, before + 1 ms). write->out must not hold the stored row. Errors as row_json_create, ERR_RANGE
 * also beyond ROW_JSON_VALUES_MAX, and ERR_DAMAGED from reading. */
enum err row_json_update(const struct row_write *write, const struct row *stored, const struct json_value *patch,
                         struct span *out_encoded) MUST_USE;

/* Who looks, and at what. */
struct row_view {
    const struct schema *schema;
    const size_t *column_rules; /* as in struct catalog_table; NULL: asked for by name */
    const struct rls_bound *rls;
    const struct row_select *select; /* NULL: everything */
};

/* The name that a stored column of a row goes by today; empty for a column that was removed. */
struct span row_json_name(const struct schema *schema, const struct row_member *member);

/* Is this column of a row wanted and readable? owns: rls_owns() of the row. */
bool row_json_shows(const struct row_view *view, const struct row_member *member, bool owns);

/* Writes one row as an object: id, then the stored fields that are wanted and readable, then createdBy, createdAt,
 * updatedAt. ERR_DAMAGED; what the buffer refuses shows in json_out_finish. */
enum err row_json_write(struct json_out *out, const struct row_view *view, const struct row *row) MUST_USE;

/* Only the system fields: the answer to a write whose row may not be read (writeResponse "minimal"). */
void row_json_write_system(struct json_out *out, const struct row *row);

/* Writes one stored value. ERR_DAMAGED. */
enum err row_json_write_value(struct json_out *out, const struct row_value *value) MUST_USE;

#endif
