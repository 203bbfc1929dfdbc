/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The row's bytes, shared by the reader (row.c) and the builder (row_build.c).
 *
 * row    = version(1) | created_at ms(8) | updated_at ms(8) | length(1) created_by | column*
 * column = id(2) [ length(2) name, if id is ROW_COLUMN_EXTRA ] value
 * value  = type(1) content
 *   null, false, true: nothing     int: zigzag varint     double, date: 8 bytes
 *   string: varint length, bytes   object: length(4) { length(2) name value }*   array: length(4) { value }*
 *
 * Numbers are big-endian but for varints, which are groups of seven bits, low ones first. Lengths come first so that
 * a value is passed over without looking inside. */
#ifndef STORAGE_ROW_INT_H
#define STORAGE_ROW_INT_H

#define ROW_VERSION          1
#define ROW_VARINT_BYTES_MAX 10 /* 64 bits in groups of seven */

enum row_tag {
    ROW_TAG_NULL = 1,
    ROW_TAG_FALSE = 2,
    ROW_TAG_TRUE = 3,
    ROW_TAG_INT = 4,
    ROW_TAG_DOUBLE = 5,
    ROW_TAG_STRING = 6,
    ROW_TAG_DATE = 7,
    ROW_TAG_OBJECT = 8,
    ROW_TAG_ARRAY = 9
};

#endif
