/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A simulation on its way: filled by simulate.c, written by simulate_json.c. */
#ifndef FIRMWARE_DATA_SIMULATE_INT_H
#define FIRMWARE_DATA_SIMULATE_INT_H

#include "firmware/data/access.h"
#include "firmware/data/policy_filters.h"
#include "firmware/data/policy_tests.h"
#include "firmware/data/simulate.h"
#include "net/json_out.h"
#include "storage/store.h"

#define SIMULATE_IDS_MAX 10               /* row ids of one finding */
#define SIMULATE_OTHER   "any-other-role" /* stands for the roles that only role:* means */

/* Rows that change sides. */
struct simulate_rows {
    uint32_t count;
    struct row_id ids[SIMULATE_IDS_MAX]; /* the newest of them */
};

/* One operation on rows, for one kind of requester. */
struct simulate_change {
    struct simulate_rows allowed;
    struct simulate_rows denied;
    uint32_t before; /* rows for which it is allowed */
    uint32_t after;
};

/* A kind of requester. As the owner it has the id of each row's owner in turn, and no say in rows without one. */
struct simulate_kind {
    enum rls_group group;
    struct span role; /* empty: none */
    bool owner;
    uint32_t rows;                           /* that it was asked about */
    struct simulate_change changes[RLS_OPS]; /* that of RLS_CREATE is not used */
};

/* One of the two policies. */
struct simulate_side {
    const struct rls_policy *policy;
    const struct policy_filters *filters;
    struct rls_bound bound; /* of the kind and row under way */
};

enum simulate_which { SIMULATE_STORED, SIMULATE_PROPOSED };

struct data_simulation {
    struct data_reader *reader;
    struct catalog *catalog; /* what table and the stored side borrow from */
    const struct catalog_table *table;
    enum rls_preset preset;
    struct store_snap *snap;
    struct buf *out;
    struct rls_policy *policy; /* the proposed one */
    struct policy_filters *filters;
    struct simulate_side sides[2];
    struct refusal *refusal;
    struct buf *row_bytes;           /* of a test's row */
    struct policy_tests tests;       /* of the proposed policy */
    struct policy_test_run *testing; /* NULL: all were run */
    struct schema_report *failed;    /* the tests that do not hold */
    struct simulate_kind *kinds;
    size_t kind_count;
    uint32_t sample;

    /* Where it stands. */
    uint32_t sampled;
    bool has_row;
    struct row row;
    size_t kind;
    size_t op;
    bool writing; /* all rows are done; kind is the next to be written */
    struct json_out json;
};

/* Binds both sides to this kind; as the owner, to somebody of that id. */
void simulate_bind(struct data_simulation *simulation, const struct simulate_kind *kind, struct span owner);

/* The answer: begun once, one kind after the other, ended once. Errors of the store; at the end those of the buffer. */
enum err simulate_write_begin(struct data_simulation *simulation) MUST_USE;
void simulate_write_kind(struct data_simulation *simulation, const struct simulate_kind *kind);
enum err simulate_write_end(struct data_simulation *simulation) MUST_USE;

#endif
