/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lists of users and sessions, newest first, slice by slice. Rows are in the order of their making, so a page costs the
 * rows before it; the total is the table's exact counter. */
#include "firmware/data/people.h"

#include "firmware/data/people_int.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"

struct people_list {
    struct people_list_input input;
    struct json_out json;
    uint64_t total;
    uint64_t passed;
    uint64_t written;
    bool done;
};

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

static struct table_id table_of(const struct people_list *list)
{
    return list->input.view == PEOPLE_SESSIONS ? list->input.where->sessions : list->input.where->users;
}

void people_list_free(struct people_list *list)
{
    mem_free(list);
}

static void list_free_scoped(struct people_list **list)
{
    people_list_free(*list);
}

enum err people_list_new(const struct people_list_input *input, struct people_list **out_list)
{
    SCOPED(list_free_scoped) struct people_list *list = NULL;
    void *memory = NULL;

    TRY(mem_alloc(sizeof *list, &memory));
    list = memory;
    list->input = *input;
    const struct store_scan scan = {.table = table_of(list), .backward = true};
    TRY(store_count(input->snap, table_of(list), &list->total));
    TRY(store_scan_begin(input->snap, &scan));
    json_out_init(&list->json, input->out);
    json_out_object(&list->json);
    json_out_name(&list->json, span_lit("items"));
    json_out_array(&list->json);
    *out_list = TAKE(list);
    return ERR_OK;
}

static enum err write_item(struct people_list *list, const struct row *row)
{
    struct session session;
    struct person person;

    if (list->input.view == PEOPLE_SESSIONS) {
        TRY(session_read(row, &session));
        session_write(&list->json, &session, SPAN_NONE);
        return ERR_OK;
    }
    TRY(person_read(row, &person));
    if (list->input.view == PEOPLE_USERS_FULL) {
        person_write_full(&list->json, &person);
    } else {
        person_write_public(&list->json, &person);
    }
    return ERR_OK;
}

static enum err finish(struct people_list *list)
{
    json_out_array_end(&list->json);
    data_write_pagination(&list->json, list->input.page, list->total);
    json_out_object_end(&list->json);
    list->done = true;
    return json_out_finish(&list->json);
}

/* Are there rows of the page left? */
static bool has_more(const struct people_list *list)
{
    const struct data_page page = list->input.page;

    return page.page - 1 <= list->total / page.limit && list->written < page.limit;
}

enum err people_list_step(struct people_list *list, struct store_budget *budget)
{
    struct row row;

    while (!list->done && has_more(list)) {
        const enum err err = store_scan_next(list->input.snap, budget, &row);
        if (err == ERR_NOT_FOUND) {
            fault_clear();
            break;
        }
        if (err != ERR_OK) {
            return err; /* a pause is no fault */
        }
        if (list->passed / list->input.page.limit == list->input.page.page - 1) {
            TRY(write_item(list, &row));
            list->written++;
        }
        list->passed++;
    }
    return list->done ? ERR_OK : finish(list);
}

enum err people_read(const struct data_access *access, struct store_snap *snap, struct span id, struct buf *out,
                     struct refusal *refusal)
{
    const struct catalog_people *where = &access->place->people;
    const bool users = access->built_in == DATA_BUILT_IN_USERS;
    struct session session;
    struct person person;
    struct json_out json;
    enum err err = ERR_NOT_FOUND;

    if (auth_uuid_is_well_formed(id) && access->built_in != DATA_BUILT_IN_EMPTY) {
        err = users ? people_find_user(snap, where, id, &person) : people_find_session(snap, where, id, &session);
    }
    if (err == ERR_NOT_FOUND) {
        fault_clear();
        return refuse(refusal, REFUSAL_DATA_NOT_FOUND, NULL);
    }
    TRY(err);
    json_out_init(&json, out);
    if (users) {
        person_write_full(&json, &person);
    } else {
        session_write(&json, &session, SPAN_NONE);
    }
    return json_out_finish(&json);
}
