/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A change of stored things, from a reactor to the writer thread and back.
 *
 * The reactor fills a call and submits it; the writer thread, inside its transaction, looks the key up again, makes the
 * principal anew, and runs the call's operation, which decides everything before its first change and writes the answer.
 * After the commit, or when it is refused, `done` runs on the loop's thread, exactly once. Between the two the call, its
 * arena and its buffer belong to the writer.
 *
 * An operation may run twice (a group that is replayed); it keeps nothing of the first run but memory of the arena. */
#ifndef FIRMWARE_DATA_CALL_H
#define FIRMWARE_DATA_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "firmware/auth/operator.h"
#include "firmware/auth/refusal.h"
#include "firmware/auth/verify.h"
#include "firmware/data/data.h"
#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/json_value.h"
#include "hal/base/mem.h"
#include "hal/base/span.h"
#include "crypto/hash.h"
#include "net/loop.h"

struct data_txn;
struct data_call;
struct data_sign;   /* people.h */
struct data_origin; /* audit.h */

/* ERR_DENIED: call->refusal says why. */
typedef enum err data_operation(struct data_txn *txn, struct data_call *call);

struct data_call {
    /* The caller's. */
    struct data *data;
    struct loop *loop;
    struct arena *arena; /* of the request */
    struct buf *out;     /* the answer is appended: JSON, without an envelope */
    data_operation *operation;
    void (*done)(struct data_call *call); /* on the loop's thread */
    void *user;
    uint8_t key_hash[SHA256_BYTES];
    struct span place; /* without a key: the id of the environment; the operation has no principal. Else empty */
    bool operators; /* without a key, at the place of the operators: operators.h */
    const struct operator_duty *duty; /* what the route asks of an operator; NULL: what they do with themselves */
    struct span query;                /* in which they may name the place */
    struct auth_bearer bearer;    /* the verified access token; looked up again */
    struct span on_behalf;        /* X-On-Behalf-Of, or empty */
    const struct data_origin *origin; /* for its record in the audit log; NULL: it has none */
    const struct data_sign *sign; /* of the operations on users that need it; else NULL */
    struct span table; /* rows: the table's name as in the path. Management: the id in the path, of whatever kind */
    struct span id;    /* rows: the row's id as in the path. Management: the second id or number in the path */
    const struct json_value *body;      /* NULL when there is none, or body_refusal is set */
    const struct refusal *body_refusal; /* what is wrong with the body; answered when the operation comes to it */

    /* The answer. */
    enum err err; /* ERR_OK, ERR_DENIED with refusal, or a failure: ERR_FULL, ERR_IO ... */
    unsigned int status;
    struct refusal refusal; /* with ERR_OK and a code: what was done was done, and the answer refuses all the same */

    /* The data's. */
    size_t out_at;
    void *op;
    struct loop_post post;
};

/* Hands a call to the writer. ERR_LIMIT: too many wait already; ERR_NO_MEMORY; then done is not called. */
enum err data_submit(struct data_call *call) MUST_USE;

/* --- rows: contract 3.6; key scope, table, policy and row as they are in the transaction --- */

data_operation data_row_create;
data_operation data_row_update;
data_operation data_row_delete;

/* --- management: contract 6; for unrestricted secret keys, within their own project and environment --- */

data_operation data_project_update;
data_operation data_project_set_cors;
data_operation data_environment_create;
data_operation data_environment_delete;
data_operation data_keys_rotate; /* of an operator */
data_operation data_table_create;
data_operation data_table_update;
data_operation data_table_set_policy;
data_operation data_table_delete;
data_operation data_table_change_fields;
data_operation data_table_change_indexes;
data_operation data_table_rollback_schema;
data_operation data_key_create;
data_operation data_key_revoke;
data_operation data_key_delete;

#endif
