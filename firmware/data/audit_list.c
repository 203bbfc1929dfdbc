/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading the audit log. A record is answered as the bytes that were written. What the query asks about is looked for in
 * those bytes as the writer of JSON put them there: a quote within a text has a backslash before it, so no text that
 * somebody chose can look like a member. */
#include "firmware/data/audit_int.h"

#include <string.h>

#include "firmware/data/plan.h"
#include "hal/base/fault.h"
#include "net/http.h"

#define MEMBER_MAX (6 * AUDIT_NAME_MAX + 64) /* a name, and a value of which each byte became six */

enum param { PARAM_ACTOR, PARAM_ACTION, PARAM_RESOURCE, PARAM_OUTCOME, PARAM_FROM, PARAM_TO, PARAMS };
static const struct {
    const char *name, *member; /* as it begins in a record */
} params[PARAMS] = {
    [PARAM_ACTOR] = {"actor", ",\"id\":"},
    [PARAM_ACTION] = {"action", ",\"action\":"},
    [PARAM_RESOURCE] = {"resource", ",\"resource\":"},
    [PARAM_OUTCOME] = {"outcome", ",\"outcome\":"},
    [PARAM_FROM] = {"from", NULL},
    [PARAM_TO] = {"to", NULL},
};

/* What is looked for in a record: the parameters before `from`, and the place of whoever asks. */
enum { WANTED_PROJECT = PARAM_FROM, WANTED_ENVIRONMENT, WANTED };

/* A list in the making; in the arena of the request. */
struct audit_rows {
    struct list_rows rows;
    struct plan plan;
    struct span wanted[WANTED]; /* each is in the record; empty: not asked for */
    bool has[PARAMS];
    struct wall_time from, to;
};

/* --- the query --- */

static enum err refuse_param(const struct data_admin *admin, struct span name, const char *why)
{
    return refuse_at(admin->refusal, REFUSAL_COMMON_INVALID_PARAMETERS, name, why);
}

/* A member with its value as it stands in a record that has it. */
static enum err make_wanted(const struct data_admin *admin, const char *member, struct span value, struct span *out)
{
    SCOPED_BUF struct buf *text = NULL;
    struct json_out json;
    void *memory = NULL;

    TRY(buf_new(MEMBER_MAX, &text));
    TRY(buf_put(text, span_str(member)));
    json_out_init(&json, text);
    json_out_text(&json, value);
    TRY(json_out_finish(&json));
    const struct span made = buf_all(text);
    TRY(arena_alloc(admin->arena, made.len, &memory));
    memcpy(memory, made.data, made.len);
    *out = span_of(memory, made.len);
    return ERR_OK;
}

static enum err take_param(const struct data_admin *admin, struct audit_rows *rows, enum param param, struct span value)
{
    const struct span name = span_str(params[param].name);
    struct wall_time *const instant = param == PARAM_FROM ? &rows->from : &rows->to;

    if (rows->has[param]) {
        return refuse_param(admin, name, "is given twice");
    }
    rows->has[param] = true;
    if (params[param].member == NULL) {
        if (time_parse_iso(value, instant) != ERR_OK) {
            fault_clear();
            return refuse_param(admin, name, "must be a date or an instant of ISO 8601");
        }
        return ERR_OK;
    }
    if (value.len == 0 || value.len > AUDIT_NAME_MAX || !span_is_utf8(value)) {
        return refuse_param(admin, name, "must be a text of 1 to 128 bytes");
    }
    return make_wanted(admin, params[param].member, value, &rows->wanted[param]);
}

static enum err read_query(const struct data_admin *admin, struct audit_rows *rows)
{
    struct http_query walk = http_query_of(admin->query);
    struct span name = SPAN_NONE;
    struct span value = SPAN_NONE;
    enum err err = ERR_OK;

    while ((err = http_query_next(&walk, admin->arena, &name, &value)) == ERR_OK) {
        for (size_t i = 0; i < PARAMS; i++) {
            TRY(span_equal(name, span_str(params[i].name)) ? take_param(admin, rows, (enum param)i, value) : ERR_OK);
        }
    }
    ENSURE(err == ERR_NOT_FOUND, err, "the query of the audit log"); /* it was well-formed when its page was read */
    fault_clear();
    return ERR_OK;
}

enum err audit_range_read(const struct data_admin *admin, uint64_t *out_from, uint64_t *out_to)
{
    struct http_query walk = http_query_of(admin->query);
    struct span name = SPAN_NONE;
    struct span value = SPAN_NONE;
    enum err err = ERR_OK;

    *out_from = 0;
    *out_to = 0;
    while ((err = http_query_next(&walk, admin->arena, &name, &value)) == ERR_OK) {
        const bool is_from = span_equal(name, span_lit("fromSeq"));
        uint64_t *const number = is_from ? out_from : out_to;
        if (!is_from && !span_equal(name, span_lit("toSeq"))) {
            continue;
        }
        if (*number != 0 || plan_number(value, number) != ERR_OK || *number == 0) {
            return refuse_param(admin, name, "must be an integer of at least 1, given once");
        }
    }
    if (err == ERR_MALFORMED) {
        return refuse(admin->refusal, REFUSAL_COMMON_INVALID_PARAMETERS, "The query string is not well-formed");
    }
    ENSURE(err == ERR_NOT_FOUND, err, "the query of the audit log");
    fault_clear();
    return *out_from != 0 && *out_to != 0 && *out_from > *out_to
               ? refuse_param(admin, span_lit("toSeq"), "is before fromSeq")
               : ERR_OK;
}

/* --- rows --- */

/* Every member that is looked for begins with a comma, of which a record has few. */
static bool is_in(struct span text, struct span wanted)
{
    for (struct span rest = text; rest.len >= wanted.len;) {
        if (memcmp(rest.data, wanted.data, wanted.len) == 0) {
            return true;
        }
        const struct span behind = span_of(rest.data + 1, rest.len - 1);
        const size_t next = span_find(behind, ',');
        rest = span_of(behind.data + next, behind.len - next);
    }
    return false;
}

static enum err is_wanted(void *context, const struct row *row, bool *out_take)
{
    const struct audit_rows *rows = context;
    struct span text = SPAN_NONE;

    *out_take = (!rows->has[PARAM_FROM] || row->created_at.ms >= rows->from.ms) &&
                (!rows->has[PARAM_TO] || row->created_at.ms <= rows->to.ms);
    TRY(record_row_text(row, &text));
    for (size_t i = 0; *out_take && i < ARRAY_LENGTH(rows->wanted); i++) {
        *out_take = rows->wanted[i].len == 0 || is_in(text, rows->wanted[i]);
    }
    return ERR_OK;
}

static enum err write_record(void *context, struct json_out *out, const struct row *row)
{
    struct span text = SPAN_NONE;

    (void)context; /* every record is written alike */
    TRY(record_row_text(row, &text));
    json_out_raw(out, text);
    return ERR_OK;
}

/* A secret key reads of its own place, an operator of the one that they name, or of all. */
static enum err keep_to_place(const struct data_admin *admin, struct audit_rows *rows)
{
    const struct auth_key *key = admin->key;

    TRY(key->project_id.len == 0
            ? ERR_OK
            : make_wanted(admin, ",\"projectId\":", key->project_id, &rows->wanted[WANTED_PROJECT]));
    return key->environment_id.len == 0
               ? ERR_OK
               : make_wanted(admin, ",\"environment\":", key->environment, &rows->wanted[WANTED_ENVIRONMENT]);
}

enum err audit_list_new(const struct data_admin *admin, struct store_snap *snap, struct list_query **out_query)
{
    struct data_page page;
    void *memory = NULL;
    bool filtered = false;

    TRY(data_page_read(admin->arena, admin->query, PLAN_LIMIT_DEFAULT, &page, admin->refusal));
    TRY(arena_alloc(admin->arena, sizeof(struct audit_rows), &memory));
    struct audit_rows *rows = memory;
    *rows = (struct audit_rows){.rows = {.write = write_record, .context = rows},
                                .plan = {.page = page.page,
                                         .limit = page.limit,
                                         .skip = (page.page - 1) * page.limit, /* below 2^53 * 100 */
                                         .sort = {.column = ROW_COLUMN_ID},
                                         .descending = true}};
    TRY(read_query(admin, rows));
    TRY(keep_to_place(admin, rows));
    for (size_t i = 0; i < ARRAY_LENGTH(rows->wanted); i++) {
        filtered = filtered || rows->wanted[i].len != 0;
    }
    rows->rows.take = filtered || rows->has[PARAM_FROM] || rows->has[PARAM_TO] ? is_wanted : NULL;
    const struct list_input list = {.plan = &rows->plan,
                                    .rows = &rows->rows,
                                    .snap = snap,
                                    .table = {DATA_TABLE_AUDIT},
                                    .out = admin->out};
    return list_query_new(&list, out_query);
}
