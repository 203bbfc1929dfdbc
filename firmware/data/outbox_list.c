/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an operator reads of the outbox, newest first, slice by slice. With `email` the rows of its owner are walked,
 * otherwise all: there are few, see CONFIG_DATA_OUTBOX_MAX. Mails of more than seven days are not there, though their
 * rows stay until the next one is written. Nor is one that cannot be read, which the log tells of: it must not hide the
 * others. */
#include "firmware/data/codes_int.h"
#include "firmware/data/outbox_int.h"

#include "firmware/auth/account.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/base/mem.h"
#include "net/http.h"

struct outbox_list {
    struct outbox_list_input input;
    struct json_out json;
    uint64_t passed;
    size_t damaged; /* rows that nothing can be read of */
};

/* `email` and `category`; an address is compared in its one form. ERR_DENIED. */
enum err outbox_filter_read(struct arena *arena, struct span query, struct outbox_filter *out, struct refusal *refusal)
{
    struct http_query walk = http_query_of(query);
    struct outbox_filter filter = {.email_len = 0};
    struct account_email email;
    struct span name = SPAN_NONE;
    struct span value = SPAN_NONE;
    enum err err = ERR_OK;

    while ((err = http_query_next(&walk, arena, &name, &value)) == ERR_OK) {
        if (span_equal(name, span_lit("email"))) {
            if (account_email_read(value, &email) != ERR_OK) {
                fault_clear();
                return refuse_at(refusal, REFUSAL_COMMON_INVALID_PARAMETERS, name, "is not a valid address");
            }
            filter.email_len = sizeof filter.email;
            code_owner_of_email(span_of(email.text, email.len), filter.email);
        }
        if (span_equal(name, span_lit("category"))) {
            filter.category = value;
        }
    }
    ENSURE(err == ERR_NOT_FOUND, err, "the query of the outbox");
    fault_clear();
    *out = filter;
    return ERR_OK;
}

void outbox_list_free(struct outbox_list *list)
{
    mem_free(list);
}

static void list_free_scoped(struct outbox_list **list)
{
    outbox_list_free(*list);
}

enum err outbox_list_new(const struct outbox_list_input *input, struct outbox_list **out_list)
{
    const struct row_value owner = {.type = ROW_STRING, .bytes = span_of(input->filter.email, input->filter.email_len)};
    const struct store_scan all = {.table = input->outbox, .backward = true};
    SCOPED(list_free_scoped) struct outbox_list *list = NULL;
    void *memory = NULL;

    TRY(mem_alloc(sizeof *list, &memory));
    list = memory;
    list->input = *input;
    TRY(owner.bytes.len != 0 ? people_scan_newest(input->snap, input->outbox, &owner)
                             : store_scan_begin(input->snap, &all));
    json_out_init(&list->json, input->out);
    json_out_object(&list->json);
    json_out_name(&list->json, span_lit("items"));
    json_out_array(&list->json);
    *out_list = TAKE(list);
    return ERR_OK;
}

static void take(struct outbox_list *list, const struct row *row)
{
    const struct outbox_list_input *input = &list->input;
    struct outbox_mail mail;

    if (outbox_read(row, &mail) != ERR_OK) {
        fault_clear();
        list->damaged++;
        return;
    }
    if (input->now.ms - row->created_at.ms > OUTBOX_KEPT_MS ||
        (input->filter.category.len != 0 && !span_equal(input->filter.category, mail.category))) {
        return;
    }
    if (list->passed / input->page.limit == input->page.page - 1) {
        outbox_write(&list->json, &mail);
    }
    list->passed++;
}

static void note_damage(const struct outbox_list *list)
{
    const struct log_field fields[] = {LOG_TEXT("environment", list->input.environment),
                                       LOG_NUMBER("rows", list->damaged)};

    log_event(LOG_ERROR, "mails_damaged", fields, ARRAY_LENGTH(fields));
}

enum err outbox_list_step(struct outbox_list *list, struct store_budget *budget)
{
    struct row row;
    enum err err = ERR_OK;

    while ((err = store_scan_next(list->input.snap, budget, &row)) == ERR_OK) {
        take(list, &row);
    }
    if (err != ERR_NOT_FOUND) {
        return err; /* a pause is no fault */
    }
    fault_clear();
    if (list->damaged != 0) {
        note_damage(list);
    }
    json_out_array_end(&list->json);
    data_write_pagination(&list->json, list->input.page, list->passed);
    json_out_object_end(&list->json);
    return json_out_finish(&list->json);
}

enum err data_get_mail(const struct data_admin *admin, struct span id, struct wall_time now)
{
    const struct catalog_environment *place = catalog_environment(admin->catalog, admin->key->environment_id);
    SCOPED_SNAP struct store_snap *snap = NULL;
    struct outbox_mail mail;
    struct json_out out;
    struct row row;
    enum err err = ERR_NOT_FOUND;

    TRY(store_snap_begin(admin->reader->store, &snap));
    if (place != NULL && auth_uuid_is_well_formed(id)) {
        err = people_find(snap, place->people.outbox, OUTBOX_ID, id, &row);
    }
    if (err == ERR_NOT_FOUND || (err == ERR_OK && now.ms - row.created_at.ms > OUTBOX_KEPT_MS)) {
        fault_clear();
        return refuse(admin->refusal, REFUSAL_COMMON_NOT_FOUND, "There is no such mail");
    }
    TRY(err);
    TRY(outbox_read(&row, &mail));
    json_out_init(&out, admin->out);
    outbox_write(&out, &mail);
    return json_out_finish(&out);
}
