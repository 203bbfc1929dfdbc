/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Invitations as they are read: one, and lists of them, newest first. What somebody did not send is to them as what is not
 * there, unless they are an administrator. Spec: contract 1.8, 5.9. */
#include "firmware/data/invitations.h"

#include "firmware/data/invitations_int.h"
#include "firmware/data/plan.h"
#include "hal/base/fault.h"
#include "net/http.h"

#define INVITATIONS_PAGE 10 /* contract 5.9 */

struct wanted {
    struct list_rows rows;
    struct plan plan;
    struct span sender; /* empty: any */
    struct span type, resource, status;
    struct wall_time now;
};

static bool is_status(struct span text)
{
    static const char *const all[] = {INVITATION_PENDING, INVITATION_ACCEPTED, INVITATION_REJECTED, INVITATION_EXPIRED,
                                      INVITATION_REVOKED};

    for (size_t i = 0; i < ARRAY_LENGTH(all); i++) {
        if (span_equal(text, span_str(all[i]))) {
            return true;
        }
    }
    return false;
}

static enum err take_param(struct wanted *wanted, struct span name, struct span value, struct refusal *refusal)
{
    const struct {
        const char *name;
        struct span *place;
        bool fits;
    } params[] = {{"resourceType", &wanted->type, data_invitation_is_type(value)},
                  {"resourceId", &wanted->resource, value.len != 0},
                  {"status", &wanted->status, is_status(value)}};

    for (size_t i = 0; i < ARRAY_LENGTH(params); i++) {
        if (!span_equal(name, span_str(params[i].name))) {
            continue;
        }
        if (!params[i].fits || params[i].place->len != 0) {
            return refuse_at(refusal, REFUSAL_COMMON_INVALID_PARAMETERS, name,
                             params[i].fits ? "is given twice" : "has a value that there is not");
        }
        *params[i].place = value;
    }
    return ERR_OK;
}

static enum err read_query(const struct data_request *request, struct wanted *wanted)
{
    struct http_query walk = http_query_of(request->query);
    struct span name = SPAN_NONE;
    struct span value = SPAN_NONE;
    struct data_page page;
    enum err err = ERR_OK;

    TRY(data_page_read(request->arena, request->query, INVITATIONS_PAGE, &page, request->refusal));
    wanted->plan = (struct plan){.page = page.page,
                                 .limit = page.limit,
                                 .skip = (page.page - 1) * page.limit, /* below 2^53 * 100 */
                                 .sort = {.column = ROW_COLUMN_ID},
                                 .descending = true};
    while ((err = http_query_next(&walk, request->arena, &name, &value)) == ERR_OK) {
        TRY(take_param(wanted, name, value, request->refusal));
    }
    ENSURE(err == ERR_NOT_FOUND, err, "the query of a list"); /* it was well-formed when its page was read */
    fault_clear();
    return ERR_OK;
}

static bool is_any_or(struct span wanted, struct span text)
{
    return wanted.len == 0 || span_equal(wanted, text);
}

static enum err is_wanted(void *context, const struct row *row, bool *out_take)
{
    const struct wanted *wanted = context;
    struct invitation invitation;

    TRY(invitation_read(row, &invitation));
    *out_take = is_any_or(wanted->sender, invitation.inviter) && is_any_or(wanted->type, invitation.type) &&
                is_any_or(wanted->resource, invitation.resource) &&
                is_any_or(wanted->status, invitation_status(&invitation, wanted->now));
    return ERR_OK;
}

static enum err write_row(void *context, struct json_out *out, const struct row *row)
{
    const struct wanted *wanted = context;
    struct invitation invitation;

    TRY(invitation_read(row, &invitation));
    invitation_write(out, &invitation, wanted->now);
    return ERR_OK;
}

/* Whose only they see; empty: all. */
static struct span sender_of(const struct auth_principal *principal)
{
    INVARIANT(principal->user.len != 0); /* the route lets nobody else in */
    return principal->who.group == RLS_ADMIN ? SPAN_NONE : principal->user;
}

enum err invitation_list_new(const struct invitation_list_input *input, struct list_query **out_query)
{
    const struct data_request *request = input->asked->request;
    void *memory = NULL;

    TRY(arena_alloc(request->arena, sizeof(struct wanted), &memory));
    struct wanted *wanted = memory;
    wanted->rows = (struct list_rows){.take = is_wanted, .write = write_row, .context = wanted};
    wanted->sender = sender_of(input->asked->principal);
    wanted->now = input->asked->now;
    TRY(read_query(request, wanted));
    const struct list_input list = {
        .plan = &wanted->plan, .rows = &wanted->rows, .snap = input->snap, .table = input->table, .out = request->out};
    return list_query_new(&list, out_query);
}

enum err data_get_invitation(const struct data_invitations_request *asked, struct span id)
{
    const struct data_request *request = asked->request;
    const struct span environment_id = asked->principal->key->environment_id;
    SCOPED_SNAP struct store_snap *snap = NULL;
    struct catalog_people where;
    struct invitation invitation;
    struct json_out out;
    enum err err = ERR_NOT_FOUND;

    TRY(data_snapshot(request->reader, request->catalog, &snap));
    ENSURE(data_people_unchanged(request->people), ERR_CONFLICT, "users changed meanwhile");
    TRY(people_of(request->catalog, environment_id, &where));
    if (auth_uuid_is_well_formed(id)) {
        err = invitation_find(snap, where.invitations, INVITATION_ID, id, &invitation);
    }
    if (err == ERR_NOT_FOUND || (err == ERR_OK && !is_any_or(sender_of(asked->principal), invitation.inviter))) {
        return refuse(request->refusal, REFUSAL_AUTH_INVITATION_NOT_FOUND, NULL);
    }
    TRY(err);
    json_out_init(&out, request->out);
    invitation_write(&out, &invitation, asked->now);
    return json_out_finish(&out);
}
