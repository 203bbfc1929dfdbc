/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An explanation on its way: filled by explain.c, written by explain_json.c. */
#ifndef FIRMWARE_DATA_EXPLAIN_INT_H
#define FIRMWARE_DATA_EXPLAIN_INT_H

#include "firmware/data/access.h"
#include "firmware/data/explain.h"
#include "firmware/data/plan.h"
#include "net/json_out.h"
#include "storage/store.h"

/* What became of the row that was asked about. */
enum row_fate {
    ROW_NOT_ASKED, /* none was named, or the requester was refused before */
    ROW_ABSENT,
    ROW_HELD_BACK,
    ROW_SHOWN,
};

struct explain {
    const struct data_admin *admin;
    explain_code_of *code_of;
    struct json_out out;

    /* The question. */
    const struct catalog_table *table; /* NULL: a built-in one */
    struct span name;
    enum rls_op op;
    struct rls_who who;
    bool has_row;
    struct span row_text;

    /* What came of it. */
    struct data_access access; /* bound; its verdict is set unless refused */
    struct rls_decision decision;
    bool opened;             /* the decision let the request go on */
    struct refusal refusal;  /* of the request; code REFUSAL_NONE: it is answered */
    const struct plan *plan; /* of a list without parameters */
    struct store_snap *snap;
    enum row_fate fate;
    bool has_row_view;
    struct row row;
};

/* Writes the answer. ERR_DAMAGED, errors of the buffer. */
enum err explain_write(struct explain *explain) MUST_USE;

#endif
