/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lists of users, sessions and accounts: which parameters there are, and how each item is shown. The rest is a list like
 * any other (list.h): slices, order, pages, totals.
 *
 * Whoever sees public fields alone may ask about those alone: neither an order nor a search tells of the others. What is
 * not offered here is refused: it must not look as if it had been done. Spec: contract 1.8, 4.1, 5.10. */
#include "firmware/data/people.h"

#include "firmware/data/needle.h"
#include "firmware/data/people_int.h"
#include "hal/base/fault.h"
#include "net/http.h"

#define ACCOUNTS_MAX 100 /* of one user in a list */

enum param {
    PARAM_SEARCH,
    PARAM_SEARCH_TYPE,
    PARAM_SORT_BY,
    PARAM_SORT_DIRECTION,
    PARAM_INCLUDE_ACCOUNTS,
    PARAM_REFUSED, /* the first of those that tables have and these lists do not */
};
static const char *const params[] = {"search",     "searchType", "sortBy", "sortDirection", "includeAccounts",
                                     "andFilters", "orFilters",  "select", "fields",        "offset"};

/* A list of these in the making; in the arena of the request. */
struct people_rows {
    struct list_rows rows;
    struct people_list_input input;
    struct span given[PARAM_REFUSED];
    bool has[PARAM_REFUSED];
    struct plan plan;
    const struct needle *needle;
    unsigned int searched; /* bits of fields[] */
    bool with_accounts;
};

/* What may be sorted by, and searched. */
#define IN(view) (1u << (unsigned int)(view))
#define IN_USERS (IN(PEOPLE_USERS_FULL) | IN(PEOPLE_USERS_PUBLIC))
static const struct {
    const char *name;
    unsigned int views;
    uint16_t column;
    bool sorted, searched, open; /* open: also to whoever sees public fields alone */
} fields[] = {
    {"name", IN_USERS, USER_NAME, true, true, true},
    {"nickname", IN_USERS, USER_NICKNAME, false, true, true},
    {"email", IN_USERS, USER_EMAIL, true, true, false},
    {"role", IN_USERS, USER_ROLE, true, false, false},
    {"createdAt", IN_USERS | IN(PEOPLE_SESSIONS), ROW_COLUMN_CREATED_AT, true, false, true},
    {"updatedAt", IN_USERS, ROW_COLUMN_UPDATED_AT, true, false, false},
    {"lastActivityAt", IN(PEOPLE_SESSIONS), SESSION_ACTIVE_AT, true, false, true},
    {"connectedAt", IN(PEOPLE_ACCOUNTS), ROW_COLUMN_CREATED_AT, true, false, true},
};

static enum err refuse_param(const struct people_rows *rows, enum param param, const char *why)
{
    return refuse_at(rows->input.refusal, REFUSAL_COMMON_INVALID_PARAMETERS, span_str(params[param]), why);
}

/* --- reading the query --- */

static enum err take_param(struct people_rows *rows, struct span name, struct span value)
{
    for (size_t i = 0; i < ARRAY_LENGTH(params); i++) {
        if (!span_equal(name, span_str(params[i]))) {
            continue;
        }
        if (i >= PARAM_REFUSED) {
            return refuse_at(rows->input.refusal, REFUSAL_COMMON_INVALID_PARAMETERS, name,
                             "is not available for built-in tables");
        }
        if (rows->has[i]) {
            return refuse_param(rows, (enum param)i, "is given twice");
        }
        rows->has[i] = true;
        rows->given[i] = value;
    }
    return ERR_OK;
}

static enum err collect(struct people_rows *rows)
{
    struct http_query walk = http_query_of(rows->input.query);
    struct span name = SPAN_NONE;
    struct span value = SPAN_NONE;
    enum err err = ERR_OK;

    while ((err = http_query_next(&walk, rows->input.arena, &name, &value)) == ERR_OK) {
        TRY(take_param(rows, name, value));
    }
    ENSURE(err == ERR_NOT_FOUND, err, "the query of a list"); /* it was well-formed when its page was read */
    fault_clear();
    return ERR_OK;
}

/* The field that a parameter names. */
static enum err find_field(const struct people_rows *rows, enum param param, size_t *out_field)
{
    for (size_t i = 0; i < ARRAY_LENGTH(fields); i++) {
        const bool usable = param == PARAM_SORT_BY ? fields[i].sorted : fields[i].searched;
        if (!usable || (fields[i].views & IN(rows->input.view)) == 0 ||
            !span_equal(rows->given[param], span_str(fields[i].name))) {
            continue;
        }
        *out_field = i;
        return fields[i].open || rows->input.view != PEOPLE_USERS_PUBLIC
                   ? ERR_OK
                   : refuse(rows->input.refusal, REFUSAL_USER_FORBIDDEN, NULL);
    }
    return refuse_param(rows, param, "is not a field that this can be done by");
}

static enum err read_order(struct people_rows *rows)
{
    struct plan *plan = &rows->plan;
    size_t field = 0;

    plan->sort = (struct row_field){.column = ROW_COLUMN_ID};
    plan->descending = true;
    if (rows->has[PARAM_SORT_DIRECTION]) {
        plan->descending = span_equal_nocase(rows->given[PARAM_SORT_DIRECTION], span_lit("desc"));
        if (!plan->descending && !span_equal_nocase(rows->given[PARAM_SORT_DIRECTION], span_lit("asc"))) {
            return refuse_param(rows, PARAM_SORT_DIRECTION, "must be asc or desc");
        }
    }
    if (rows->has[PARAM_SORT_BY]) {
        TRY(find_field(rows, PARAM_SORT_BY, &field));
        plan->sort.column = fields[field].column;
    }
    return ERR_OK;
}

static enum err read_search(struct people_rows *rows)
{
    const bool whole = rows->input.view != PEOPLE_USERS_PUBLIC;
    size_t field = 0;

    if (rows->given[PARAM_SEARCH].len == 0) {
        return ERR_OK;
    }
    if (rows->given[PARAM_SEARCH].len > NEEDLE_MAX) {
        return refuse_param(rows, PARAM_SEARCH, "must have at most 256 bytes");
    }
    if (rows->has[PARAM_SEARCH_TYPE]) {
        TRY(find_field(rows, PARAM_SEARCH_TYPE, &field));
        rows->searched = 1u << field;
    }
    for (size_t i = 0; !rows->has[PARAM_SEARCH_TYPE] && i < ARRAY_LENGTH(fields); i++) {
        const bool open = fields[i].searched && (fields[i].views & IN(rows->input.view)) != 0;
        rows->searched |= open && (whole || fields[i].open) ? 1u << i : 0;
    }
    if (rows->searched == 0) {
        return refuse_param(rows, PARAM_SEARCH, "is not available for this table");
    }
    return needle_new(rows->input.arena, rows->given[PARAM_SEARCH], &rows->needle);
}

/* Accounts are looked up for each user, so the users must not be under a scan meanwhile: they are sorted first. */
static enum err read_accounts(struct people_rows *rows)
{
    const struct span given = rows->given[PARAM_INCLUDE_ACCOUNTS];

    if (!rows->has[PARAM_INCLUDE_ACCOUNTS] || span_equal(given, span_lit("false"))) {
        return ERR_OK;
    }
    if (!span_equal(given, span_lit("true")) || (IN(rows->input.view) & IN_USERS) == 0) {
        return refuse_param(rows, PARAM_INCLUDE_ACCOUNTS, "must be true or false, and is for users");
    }
    if (rows->input.view == PEOPLE_USERS_PUBLIC) {
        return refuse(rows->input.refusal, REFUSAL_USER_FORBIDDEN, NULL);
    }
    rows->with_accounts = true;
    if (rows->plan.sort.column == ROW_COLUMN_ID) {
        rows->plan.sort.column = ROW_COLUMN_CREATED_AT;
    }
    return ERR_OK;
}

/* --- rows --- */

static enum err is_found(void *context, const struct row *row, bool *out_take)
{
    const struct people_rows *rows = context;

    *out_take = false;
    for (size_t i = 0; !*out_take && i < ARRAY_LENGTH(fields); i++) {
        const struct row_field field = {.column = fields[i].column};
        struct row_value value = {.type = ROW_MISSING};
        if ((rows->searched & (1u << i)) != 0) {
            TRY(row_find(row, &field, NULL, &value));
            *out_take = value.type == ROW_STRING && needle_in(rows->needle, value.bytes);
        }
    }
    return ERR_OK;
}

void session_write(struct json_out *out, const struct session *session, struct span current)
{
    json_out_object(out);
    json_out_member_text(out, span_lit("id"), session->id);
    json_out_member_text(out, span_lit("userId"), session->user);
    admin_write_text(out, span_lit("userAgent"), session->user_agent);
    admin_write_text(out, span_lit("ipAddress"), session->address);
    admin_write_text(out, span_lit("deviceInfo"), session->device);
    json_out_member_time(out, span_lit("lastActivityAt"), session->active_at);
    json_out_member_time(out, span_lit("createdAt"), session->row.created_at);
    json_out_member_bool(out, span_lit("current"), span_equal(session->id, current));
    json_out_object_end(out);
}

/* One of them as administrators see it. */
static enum err write_whole(struct json_out *out, enum people_view view, const struct row *row)
{
    struct session session;
    struct account account;
    struct person person;

    switch (view) {
    case PEOPLE_SESSIONS:
        TRY(session_read(row, &session));
        session_write(out, &session, SPAN_NONE);
        return ERR_OK;
    case PEOPLE_ACCOUNTS:
        TRY(account_read(row, &account));
        account_write(out, &account);
        return ERR_OK;
    case PEOPLE_USERS_FULL:
        TRY(person_read(row, &person));
        person_write_full(out, &person);
        return ERR_OK;
    case PEOPLE_USERS_PUBLIC:
        TRY(person_read(row, &person));
        person_write_public(out, &person);
        return ERR_OK;
    }
    FAIL(ERR_BUG, "people in no view", view);
}

static enum err write_with_accounts(struct json_out *out, const struct people_rows *rows, const struct row *row)
{
    uint64_t count = 0;
    struct person person;

    TRY(person_read(row, &person));
    person_write_open(out, &person);
    json_out_name(out, span_lit("accounts"));
    TRY(accounts_write(out, rows->input.snap, rows->input.where, person.id, (struct data_page){1, ACCOUNTS_MAX},
                       &count));
    json_out_object_end(out);
    return ERR_OK;
}

static enum err write_row(void *context, struct json_out *out, const struct row *row)
{
    const struct people_rows *rows = context;

    return rows->with_accounts ? write_with_accounts(out, rows, row) : write_whole(out, rows->input.view, row);
}

static struct table_id table_of(const struct catalog_people *where, enum people_view view)
{
    if (view == PEOPLE_SESSIONS) {
        return where->sessions;
    }
    return view == PEOPLE_ACCOUNTS ? where->accounts : where->users;
}

enum err people_list_new(const struct people_list_input *input, struct list_query **out_query)
{
    struct data_page page;
    void *memory = NULL;

    TRY(arena_alloc(input->arena, sizeof(struct people_rows), &memory));
    struct people_rows *rows = memory;
    *rows = (struct people_rows){.input = *input, .rows = {.write = write_row, .context = rows}};
    TRY(data_page_read(input->arena, input->query, PLAN_LIMIT_DEFAULT, &page, input->refusal));
    rows->plan.page = page.page;
    rows->plan.limit = page.limit;
    rows->plan.skip = (page.page - 1) * page.limit; /* below 2^53 * 100 */
    TRY(collect(rows));
    TRY(read_order(rows));
    TRY(read_search(rows));
    TRY(read_accounts(rows));
    rows->rows.take = rows->needle == NULL ? NULL : is_found;
    const struct list_input list = {.plan = &rows->plan,
                                    .rows = &rows->rows,
                                    .snap = input->snap,
                                    .table = table_of(input->where, input->view),
                                    .out = input->out};
    return list_query_new(&list, out_query);
}

/* --- one of them --- */

static enum err find_row(struct store_snap *snap, const struct catalog_people *where, enum people_view view,
                         struct span id, struct row *out_row)
{
    static const uint16_t columns[] = {[PEOPLE_SESSIONS] = SESSION_ID, [PEOPLE_ACCOUNTS] = ACCOUNT_ID};

    return people_find(snap, table_of(where, view), columns[view], id, out_row); /* a user by createdBy: 0 */
}

enum people_view people_view_of(const struct data_access *access)
{
    if (access->built_in == DATA_BUILT_IN_SESSIONS) {
        return PEOPLE_SESSIONS;
    }
    if (access->built_in == DATA_BUILT_IN_ACCOUNTS) {
        return PEOPLE_ACCOUNTS;
    }
    return access->brief ? PEOPLE_USERS_PUBLIC : PEOPLE_USERS_FULL;
}

enum err people_read(const struct data_access *access, struct store_snap *snap, struct span id, struct buf *out,
                     struct refusal *refusal)
{
    const enum people_view view = people_view_of(access);
    struct json_out json;
    struct row row;
    enum err err = ERR_NOT_FOUND;

    if (auth_uuid_is_well_formed(id) && access->built_in != DATA_BUILT_IN_EMPTY) {
        err = find_row(snap, &access->place->people, view, id, &row);
    }
    if (err == ERR_NOT_FOUND) {
        fault_clear();
        return refuse(refusal, REFUSAL_DATA_NOT_FOUND, NULL);
    }
    TRY(err);
    json_out_init(&json, out);
    TRY(write_whole(&json, view, &row));
    return json_out_finish(&json);
}
