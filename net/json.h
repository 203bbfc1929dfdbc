/* SPDX-License-Identifier: GPL-3.0-or-later */
/* JSON from strangers into the immutable tree of hal/base/json_value.h. */
#ifndef NET_JSON_H
#define NET_JSON_H

#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/json_value.h"
#include "hal/base/mem.h"
#include "hal/base/span.h"

#define JSON_VALUES_MAX ((size_t)100000) /* values in one text: a bulk write of 1 MiB stays below, a bomb does not */

/* Sets the seed of the hash over member names, so that nobody can choose names that meet. Random; once in a process,
 * before its threads and before the first text: jansson would look for /dev/urandom, which a sandbox forbids. */
void json_seed(uint32_t seed);

/* Parses one JSON text (any type at the root). The tree lies in the arena and borrows nothing from `text`.
 * ERR_MALFORMED  not JSON: also for duplicate keys, U+0000, lone surrogates, invalid UTF-8, trailing bytes, a number
 *                beyond the range of a double
 * ERR_RANGE      containers nest deeper than JSON_DEPTH_MAX, or more than JSON_VALUES_MAX values
 * ERR_NO_MEMORY  the arena is used up
 * An integer that does not fit int64_t becomes a double. Spec: RFC 8259; contract 1.7. */
enum err json_parse(struct span text, struct arena *arena, const struct json_value **out_value) MUST_USE;

#endif
