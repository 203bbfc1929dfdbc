/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Scopes of an API key: which tables and operations the key may be used for, before any policy is asked.
 *
 * A list of scopes is compiled to bytes when the key is made and checked as those bytes: a first byte that says
 * unrestricted or listed, then entries operation(1) | length(1) | table name. No bytes, or bytes that are not of this
 * form, allow nothing. Pure, without allocation but for the buffer that is written to.
 * Spec: contract 2.2. */
#ifndef FIRMWARE_RLS_SCOPE_H
#define FIRMWARE_RLS_SCOPE_H

#include <stdbool.h>
#include <stddef.h>

#include "firmware/rls/rls.h"
#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/json_value.h"
#include "hal/base/span.h"

#define SCOPE_COUNT_MAX 64                               /* a check walks all of them on each request */
#define SCOPE_BYTES_MAX (1 + SCOPE_COUNT_MAX * (2 + 64)) /* of the compiled form */

/* Compiles a JSON list of scopes; NULL or JSON null means unrestricted. Appends to out.
 * ERR_MALFORMED if it is not a non-empty list of "table:op" texts, or has more than SCOPE_COUNT_MAX of them; what the
 * buffer answers otherwise. After an error out holds what it held before. */
enum err scope_compile(const struct json_value *scopes, struct buf *out) MUST_USE;

/* RLS_ALLOW or RLS_DENY. `list` is satisfied by `read` as well, `read` not by `list`. The table need not exist. */
enum rls_verdict scope_check(struct span compiled, struct span table, enum rls_op op);

/* The compiled form of null. */
struct span scope_unrestricted(void);

/* RLS_ALLOW if nothing is restricted, by null or by "*:*": what /v1/admin asks for. */
enum rls_verdict scope_check_all(struct span compiled);

/* Is it the explicit null? For printing; a decision uses the two above. */
bool scope_is_null(struct span compiled);

/* Prints the list one scope at a time: `cursor` starts at 0 and is kept between calls. The text "posts:read" is
 * written to out_text (SCOPE_TEXT_MAX bytes). False when there is none left. */
#define SCOPE_TEXT_MAX 72
bool scope_next(struct span compiled, size_t *cursor, char out_text[SCOPE_TEXT_MAX], size_t *out_len);

#endif
