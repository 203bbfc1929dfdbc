/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Holds the records of the audit log against each other, slice by slice: contract 6, GET /audit/verify. A row that does not
 * open is a bad record like one that does not fit: this answers where, it does not fail. */
#include "firmware/data/audit_int.h"

#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "net/json_out.h"

struct audit_check {
    struct audit_check_input input;
    struct audit_head head;   /* of the newest record; seq 0: there is none */
    bool head_is_bad;         /* it is no record */
    struct audit_head behind; /* what was looked at last */
    bool bound;               /* behind.hash is known: the next record has to name it */
    uint64_t first;           /* the first that is looked at */
    uint64_t bad;             /* the first that is not as it was; 0: none yet */
};

void audit_check_free(struct audit_check *check)
{
    mem_free(check);
}

static void check_free_scoped(struct audit_check **check)
{
    audit_check_free(*check);
}

/* A record that is one, and stands in the row of its number. */
static enum err read_row(const struct row *row, struct audit_head *out_before, struct audit_head *out_head)
{
    struct span text = SPAN_NONE;

    TRY(record_row_text(row, &text));
    TRY(audit_read(text, out_before, out_head));
    return out_head->seq == audit_seq_of(row->id) ? ERR_OK : ERR_DAMAGED;
}

/* Damage is an answer. */
static bool is_bad(enum err err)
{
    if (err == ERR_DAMAGED || err == ERR_MALFORMED) {
        fault_clear();
        return true;
    }
    return false;
}

static enum err find_ends(struct audit_check *check)
{
    struct audit_head before;
    struct row row;
    enum err err = audit_end_row(check->input.snap, true, &row);

    if (err == ERR_NOT_FOUND) {
        fault_clear();
        return ERR_OK;
    }
    TRY(err);
    err = read_row(&row, &before, &check->head);
    check->head_is_bad = is_bad(err);
    TRY(check->head_is_bad ? ERR_OK : err);
    check->head.seq = audit_seq_of(row.id);
    TRY(audit_end_row(check->input.snap, false, &row));
    check->first = audit_seq_of(row.id);
    return ERR_OK;
}

/* What lies before the first that is asked for says what that one has to name. */
static enum err find_before(struct audit_check *check)
{
    struct audit_head before;
    struct row row;

    if (check->input.from <= check->first) {
        return ERR_OK;
    }
    check->first = check->input.from;
    const enum err err =
        store_get(check->input.snap, (struct table_id){DATA_TABLE_AUDIT}, audit_row_of(check->first - 1), &row);
    if (err == ERR_NOT_FOUND || is_bad(err)) { /* its own place in the chain is not what was asked about */
        fault_clear();
        return ERR_OK;
    }
    TRY(err);
    const enum err read = read_row(&row, &before, &check->behind);
    check->bound = read == ERR_OK;
    return is_bad(read) ? ERR_OK : read;
}

enum err audit_check_new(const struct audit_check_input *input, struct audit_check **out_check)
{
    SCOPED(check_free_scoped) struct audit_check *check = NULL;
    void *memory = NULL;

    TRY(mem_alloc(sizeof *check, &memory));
    check = memory;
    check->input = *input;
    TRY(find_ends(check));
    TRY(find_before(check));
    check->behind.seq = check->first == 0 ? 0 : check->first - 1;
    const struct row_id after = audit_row_of(check->behind.seq);
    const struct store_scan scan = {.table = {DATA_TABLE_AUDIT}, .after = &after};
    TRY(store_scan_begin(input->snap, &scan));
    *out_check = TAKE(check);
    return ERR_OK;
}

/* ERR_DAMAGED: it is not what has to come here. */
static enum err take(struct audit_check *check, const struct row *row)
{
    struct audit_head before;
    struct audit_head head;

    TRY(read_row(row, &before, &head));
    if (head.seq != check->behind.seq + 1 || (check->bound && !audit_head_equal(&before, &check->behind))) {
        return ERR_DAMAGED;
    }
    check->behind = head;
    check->bound = true;
    return ERR_OK;
}

static enum err finish(const struct audit_check *check)
{
    char text[HEX_BYTES(SHA256_BYTES)];
    struct json_out out;

    json_out_init(&out, check->input.out);
    json_out_object(&out);
    json_out_member_bool(&out, span_lit("ok"), check->bad == 0);
    json_out_name(&out, span_lit("firstBadSeq"));
    if (check->bad == 0) {
        json_out_null(&out);
    } else {
        json_out_int(&out, (int64_t)check->bad);
    }
    json_out_member_int(&out, span_lit("firstSeq"), (int64_t)check->first);
    json_out_name(&out, span_lit("head"));
    if (check->head.seq == 0 || check->head_is_bad) {
        json_out_null(&out);
    } else {
        hex_encode(span_array(check->head.hash), text);
        json_out_object(&out);
        json_out_member_int(&out, span_lit("seq"), (int64_t)check->head.seq);
        json_out_member_text(&out, span_lit("hash"), span_array(text));
        json_out_object_end(&out);
    }
    json_out_object_end(&out);
    return json_out_finish(&out);
}

/* How far it has to come. */
static uint64_t last_of(const struct audit_check *check)
{
    return check->input.to != 0 && check->input.to < check->head.seq ? check->input.to : check->head.seq;
}

enum err audit_check_step(struct audit_check *check, struct store_budget *budget)
{
    struct row row;

    while (check->behind.seq < last_of(check)) {
        enum err err = store_scan_next(check->input.snap, budget, &row);
        if (err == ERR_AGAIN) {
            return err; /* a pause is no fault */
        }
        err = err == ERR_OK ? take(check, &row) : err;
        if (err == ERR_NOT_FOUND || is_bad(err)) { /* the head is there, so something is missing before it */
            fault_clear();
            check->bad = check->behind.seq + 1;
            break;
        }
        TRY(err);
    }
    return finish(check);
}
