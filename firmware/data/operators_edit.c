/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Operators as owners list, make, change and remove them. There is always an owner: the last one is neither removed nor
 * given another role, also not by themselves. Spec: contract 6. */
#include "firmware/data/doc.h"
#include "firmware/data/operators.h"
#include "firmware/data/people_int.h"
#include "firmware/data/plan.h"
#include "hal/base/fault.h"

#define CREATED       201
#define OPERATORS_MAX 100 /* a list and a count of owners read all of them */

static bool is_owner(const struct person *person)
{
    return operator_may(person->role, OPERATOR_ANYTHING);
}

/* The operation is about the place of the operators. */
static struct table_id enter(struct data_txn *txn)
{
    txn->environment = operators_place(data_txn_catalog(txn));
    INVARIANT(txn->environment != NULL); /* an operator asks */
    return people_where(txn)->users;
}

static enum err count_owners(struct data_txn *txn, uint64_t *out_owners)
{
    const struct store_scan scan = {.table = people_where(txn)->users};
    struct person person;
    struct row row;
    enum err err = ERR_OK;

    *out_owners = 0;
    TRY(store_scan_begin(people_snap(txn), &scan));
    while ((err = walk_next(people_snap(txn), &row)) == ERR_OK) {
        TRY(person_read(&row, &person));
        *out_owners += is_owner(&person);
    }
    return walk_end(err);
}

/* The operator of the path. ERR_DENIED: there is none. */
static enum err find(struct data_txn *txn, struct data_call *call, struct person *out_person)
{
    return people_find_person(txn, call, call->table, REFUSAL_COMMON_NOT_FOUND, out_person);
}

static enum err refuse_last(struct data_call *call, uint64_t owners)
{
    return owners > 1 ? ERR_OK : refuse(&call->refusal, REFUSAL_COMMON_CONFLICT, "The last owner has to stay");
}

static enum err refuse_taken(struct data_txn *txn, struct data_call *call)
{
    const enum err err = people_refuse_taken(txn, call->sign->email, &call->refusal);

    return err == ERR_DENIED
               ? refuse(&call->refusal, REFUSAL_COMMON_CONFLICT, "An operator of this email already exists")
               : err;
}

static enum err check_role(struct span role, struct refusal *refusal)
{
    return operator_role_is_known(role) ? ERR_OK
                                        : refuse_at(refusal, REFUSAL_COMMON_INVALID_PARAMETERS, span_lit("role"),
                                                    "must be owner, admin, member, auditor, backup or metrics");
}

static enum err answer(struct data_call *call, const struct person *person)
{
    struct json_out out;

    json_out_init(&out, call->out);
    person_write_brief(&out, person);
    return json_out_finish(&out);
}

enum err data_operator_create(struct data_txn *txn, struct data_call *call)
{
    const struct text_rule role_rule = {span_lit("role"), 1, AUTH_ROLE_MAX, true};
    const struct data_sign *sign = call->sign;
    const struct table_id users = enter(txn);
    struct person person = people_new(txn, sign->user_id, sign->email, sign->name);
    uint64_t count = 0;

    TRY(admin_text(call->body, &role_rule, &person.role, &call->refusal));
    TRY(check_role(person.role, &call->refusal));
    person.roles[person.role_count++] = person.role;
    TRY(refuse_taken(txn, call));
    TRY(store_count(people_snap(txn), users, &count));
    if (count >= OPERATORS_MAX) {
        return refuse(&call->refusal, REFUSAL_COMMON_CONFLICT, "There are as many operators as there may be");
    }
    call->status = CREATED;
    TRY(answer(call, &person));
    TRY(people_insert(txn, &person));
    return people_insert_password(txn, sign->user_id, &sign->password);
}

/* What the body says, into the person; the address and the password are those of data_sign. */
static enum err read_change(struct data_txn *txn, struct data_call *call, struct person *person)
{
    static const char *const names[] = {"name", "role", "email", "password"};
    const struct member_rule known = {names, ARRAY_LENGTH(names), REFUSAL_COMMON_INVALID_PARAMETERS,
                                      "cannot be changed"};
    const struct text_rule name_rule = {span_lit("name"), 1, DATA_PERSON_NAME, false};
    const struct text_rule role_rule = {span_lit("role"), 1, AUTH_ROLE_MAX, false};
    const struct data_sign *sign = call->sign;
    struct span role = person->role;
    uint64_t owners = 0;

    TRY(admin_members(call->body, &known, &call->refusal));
    TRY(admin_text_change(call->body, &name_rule, &person->name, &call->refusal));
    TRY(admin_text_change(call->body, &role_rule, &role, &call->refusal));
    TRY(check_role(role, &call->refusal));
    TRY(count_owners(txn, &owners));
    if (is_owner(person) && !operator_may(role, OPERATOR_ANYTHING)) {
        TRY(refuse_last(call, owners));
    }
    if (sign->has_stronger && span_equal(person->id, txn->principal.user)) {
        return refuse(&call->refusal, REFUSAL_AUTH_FORBIDDEN, "One's own password is changed by the current one");
    }
    if (sign->email.len != 0 && !span_equal(sign->email, person->email)) {
        TRY(refuse_taken(txn, call));
        person->email = sign->email;
        person->verified = false;
    }
    person->role = role;
    person->roles[0] = person->role;
    return ERR_OK;
}

enum err data_operator_update(struct data_txn *txn, struct data_call *call)
{
    const struct table_id users = enter(txn);
    struct span encoded = SPAN_NONE;
    struct person person;

    TRY(find(txn, call, &person));
    TRY(people_keep_person(call, &person));
    TRY(read_change(txn, call, &person));
    person.row.updated_at = data_txn_later(txn, person.row.updated_at);
    TRY(answer(call, &person));
    TRY(person_encode(txn->data, &person, person.row.updated_at, &encoded));
    TRY(store_replace(txn->store, users, person.row.id, encoded, NULL));
    people_note_change(txn);
    if (!call->sign->has_stronger) {
        return ERR_OK;
    }
    TRY(people_put_password(txn, person.id, &call->sign->stronger));
    return people_end_sessions(txn, person.id, 0);
}

enum err data_operator_delete(struct data_txn *txn, struct data_call *call)
{
    struct person person;
    uint64_t owners = 0;

    (void)enter(txn); /* for people_where */
    TRY(count_owners(txn, &owners));
    TRY(find(txn, call, &person));
    if (is_owner(&person)) {
        TRY(refuse_last(call, owners));
    }
    TRY(data_txn_answer_success(call));
    return people_forget_person(txn, call->table, &person);
}

/* --- listing --- */

static enum err write_page(struct json_out *out, struct store_snap *snap, struct table_id users, struct data_page page,
                           uint64_t *out_total)
{
    const struct store_scan scan = {.table = users, .backward = true};
    struct person person;
    struct row row;
    enum err err = ERR_OK;

    TRY(store_scan_begin(snap, &scan));
    for (; (err = walk_next(snap, &row)) == ERR_OK; (*out_total)++) {
        if (*out_total / page.limit == page.page - 1) {
            TRY(person_read(&row, &person));
            person_write_brief(out, &person);
        }
    }
    return walk_end(err);
}

enum err data_list_operators(const struct data_admin *admin)
{
    const struct catalog_environment *place = operators_place(admin->catalog);
    SCOPED_SNAP struct store_snap *snap = NULL;
    struct data_page page;
    struct json_out out;
    uint64_t total = 0;

    INVARIANT(place != NULL); /* an operator asks */
    TRY(data_page_read(admin->arena, admin->query, PLAN_LIMIT_DEFAULT, &page, admin->refusal));
    TRY(store_snap_begin(admin->reader->store, &snap));
    json_out_init(&out, admin->out);
    json_out_object(&out);
    json_out_name(&out, span_lit("items"));
    json_out_array(&out);
    TRY(write_page(&out, snap, place->people.users, page, &total));
    json_out_array_end(&out);
    data_write_pagination(&out, page, total);
    json_out_object_end(&out);
    return json_out_finish(&out);
}
