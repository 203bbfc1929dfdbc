/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The row codec: a row as compact, typed, sorted bytes, read where they lie.
 *
 * A reader never decodes what it does not ask for and never trusts a length: bytes that are not a row give ERR_DAMAGED
 * and no access outside them. A view (struct row, row_value, row_iter) borrows the encoded bytes and lives as long as
 * they do. All functions are pure and may be called by any thread.
 *
 * Columns that the schema declares have ids 1 to ROW_COLUMN_DECLARED_MAX, given by the schema and never reused.
 * What a client sent undeclared is kept under ROW_COLUMN_EXTRA with its name. */
#ifndef STORAGE_ROW_H
#define STORAGE_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "hal/base/time.h"
#include "storage/id.h"

/* 3 MiB: a JSON body of 1 MiB becomes at most 2.25 MiB here (a list of 4-character decimals, 9 bytes each). */
#define ROW_BYTES_MAX      (3u * 1024 * 1024)
#define ROW_DEPTH_MAX      32    /* objects and arrays inside each other; the JSON parser's own limit */
#define ROW_NAME_MAX       65535 /* bytes of a member's name */
#define ROW_CREATED_BY_MAX 64    /* bytes */

#define ROW_COLUMN_NONE         0
#define ROW_COLUMN_DECLARED_MAX 0xFEFF
#define ROW_COLUMN_ID           0xFF01 /* a string: the id's 24 hex digits */
#define ROW_COLUMN_CREATED_BY   0xFF02
#define ROW_COLUMN_CREATED_AT   0xFF03
#define ROW_COLUMN_UPDATED_AT   0xFF04
#define ROW_COLUMN_EXTRA        0xFFFF /* undeclared: known by its name */

enum row_type {
    ROW_MISSING, /* answered for a field that is not there; never stored */
    ROW_NULL,
    ROW_BOOL,
    ROW_INT,
    ROW_DOUBLE,
    ROW_STRING,
    ROW_DATE,
    ROW_OBJECT,
    ROW_ARRAY
};

struct row_value {
    enum row_type type;
    bool boolean;          /* ROW_BOOL */
    int64_t integer;       /* ROW_INT */
    double number;         /* ROW_DOUBLE; finite */
    struct wall_time date; /* ROW_DATE */
    struct span bytes;     /* ROW_STRING: the text. ROW_OBJECT, ROW_ARRAY: encoded members, for row_iter_of */
};

/* A row that was read: the header decoded, the rest where it lies. */
struct row {
    struct row_id id;
    struct wall_time created_at;
    struct wall_time updated_at;
    struct span created_by; /* empty: nobody */
    struct span columns;    /* encoded */
    struct span encoded;    /* the whole row */
};

/* Which value of a row is meant. A field named before it was declared may lie under its name: lookup tries the column
 * id first, then an extra of that name. System fields have a column id and no need of a name. */
struct row_field {
    uint16_t column;  /* declared or system id, or ROW_COLUMN_NONE */
    struct span name; /* "author" */
    struct span path; /* what follows the first dot: "" or "address.0.city" */
};

/* Reads the header. ERR_DAMAGED, ERR_VERSION. */
enum err row_read(struct row_id id, struct span encoded, struct row *out_row) MUST_USE;

/* Looks a field up; a numeric part of the path is an array index. out_value is ROW_MISSING if there is none.
 * id_text holds the digits if the field is the id; it may be NULL if the caller never asks for it, and the value is
 * then ROW_MISSING. ERR_DAMAGED. */
enum err row_find(const struct row *row, const struct row_field *field, char id_text[ROW_ID_TEXT_BYTES],
                  struct row_value *out_value) MUST_USE;

/* The value a dotted path names inside a value; an empty path names the value itself. ERR_DAMAGED. */
enum err row_find_in(const struct row_value *value, struct span path, struct row_value *out_value) MUST_USE;

/* One member of a row, object or array. */
struct row_member {
    uint16_t column;  /* of a row: declared id or ROW_COLUMN_EXTRA; otherwise ROW_COLUMN_NONE */
    struct span name; /* of an extra or of an object's member; otherwise empty */
    struct row_value value;
};

struct row_iter {
    struct reader rest;
    enum row_type of; /* ROW_OBJECT, ROW_ARRAY, or ROW_MISSING for a row's columns */
};

/* Over the stored columns (not the system fields), in the order of ids, then names. */
struct row_iter row_iter_columns(const struct row *row);

/* Over the members of an object or array, in stored order; of any other value: nothing. */
struct row_iter row_iter_of(const struct row_value *value);

/* ERR_NOT_FOUND at the end; ERR_DAMAGED. */
enum err row_iter_next(struct row_iter *iter, struct row_member *out_member) MUST_USE;

/* --- building --- */

/* Where a value goes: at the top level a declared column, or ROW_COLUMN_EXTRA and a name; inside an object a name;
 * inside an array neither. */
struct row_key {
    uint16_t column;
    struct span name;
};

/* Open only so that it can live on the stack; touched by row_build_* alone. */
struct row_builder {
    struct buf *out;
    size_t starts[ROW_DEPTH_MAX];
    enum row_type kinds[ROW_DEPTH_MAX];
    size_t depth;
    uint16_t last_column;
    size_t last_name_at; /* position of the last extra's name in out, for the order check */
    size_t last_name_len;
};

/* Starts a row at the front of `out` (which is reset, borrowed until row_build_end, and should allow ROW_BYTES_MAX).
 * ERR_RANGE if created_by is longer than ROW_CREATED_BY_MAX. */
enum err row_build_begin(struct row_builder *builder, struct buf *out, struct wall_time created_at,
                         struct wall_time updated_at, struct span created_by) MUST_USE;

/* Each adds one value. At the top level columns come sorted by id, then extras sorted by name (bytes), none twice:
 * ERR_STATE otherwise. ERR_RANGE: too large, too deep, or a name too long. */
enum err row_build_null(struct row_builder *builder, struct row_key key) MUST_USE;
enum err row_build_bool(struct row_builder *builder, struct row_key key, bool value) MUST_USE;
enum err row_build_int(struct row_builder *builder, struct row_key key, int64_t value) MUST_USE;
enum err row_build_double(struct row_builder *builder, struct row_key key, double value) MUST_USE; /* finite */
enum err row_build_string(struct row_builder *builder, struct row_key key, struct span value) MUST_USE;
enum err row_build_date(struct row_builder *builder, struct row_key key, struct wall_time value) MUST_USE;

/* Copies a value that was read, nested ones whole. ROW_MISSING adds nothing. */
enum err row_build_value(struct row_builder *builder, struct row_key key, const struct row_value *value) MUST_USE;

/* Values added between open and close belong to the object or array. ERR_STATE for a close without an open. */
enum err row_build_open_object(struct row_builder *builder, struct row_key key) MUST_USE;
enum err row_build_open_array(struct row_builder *builder, struct row_key key) MUST_USE;
enum err row_build_close(struct row_builder *builder) MUST_USE;

/* Ends the row; out_encoded is a view into `out`. ERR_STATE if something is still open. */
enum err row_build_end(struct row_builder *builder, struct span *out_encoded) MUST_USE;

#endif
