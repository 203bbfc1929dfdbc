/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Changes of users by administrators and by themselves, on the writer thread. Who may not is refused before the id is
 * looked up. Spec: contract 5.10. */
#include "firmware/data/people.h"

#include "firmware/data/codes_int.h"
#include "firmware/data/doc.h"
#include "firmware/data/invitations_int.h"
#include "firmware/data/people_fields.h"
#include "firmware/data/people_int.h"
#include "hal/base/fault.h"

#define CREATED 201

static bool is_admin(const struct data_txn *txn)
{
    return txn->principal.who.group == RLS_ADMIN;
}

/* Not allowed is answered before the id is looked up. */
static enum err need_admin(const struct data_txn *txn, struct data_call *call)
{
    return is_admin(txn) ? ERR_OK : refuse(&call->refusal, REFUSAL_USER_FORBIDDEN, NULL);
}

static enum err need_self_or_admin(const struct data_txn *txn, struct data_call *call)
{
    const bool self = txn->principal.user.len != 0 && span_equal(txn->principal.user, call->table);

    return self || is_admin(txn) ? ERR_OK : refuse(&call->refusal, REFUSAL_USER_FORBIDDEN, NULL);
}

/* The user whom a request names, and their row in memory of the request: a change ends the views of a transaction. */
static enum err find_target(struct data_txn *txn, struct data_call *call, struct person *out_person)
{
    TRY(people_find_person(txn, call, call->table, REFUSAL_USER_NOT_FOUND, out_person));
    return people_keep_person(call, out_person);
}

/* The user whom a change is for, and its body. */
static enum err read_change(struct data_txn *txn, struct data_call *call, struct person *out_person,
                            const struct json_value **out_body)
{
    TRY(find_target(txn, call, out_person));
    return data_txn_body(call, REFUSAL_USER_INVALID_REQUEST, out_body);
}

static enum err answer_person(struct data_call *call, const struct person *person, bool full)
{
    struct json_out out;

    json_out_init(&out, call->out);
    if (full) {
        person_write_full(&out, person);
    } else {
        person_write_me(&out, person);
    }
    return json_out_finish(&out);
}

static enum err answer_part(struct data_call *call, enum person_part part, struct person *person)
{
    struct json_out out;

    json_out_init(&out, call->out);
    person_part_write(&out, part, person, false);
    return json_out_finish(&out);
}

/* What users say of themselves is in nothing that reactors remember, so a change of that alone is not noted. */
static enum err replace_person(struct data_txn *txn, struct data_call *call, const struct person *person)
{
    struct span encoded = SPAN_NONE;
    struct index_id taken = {0};

    TRY(person_encode(txn->data, person, person->row.updated_at, &encoded));
    const enum err err = store_replace(txn->store, people_where(txn)->users, person->row.id, encoded, &taken);
    if (err == ERR_EXISTS) { /* an address is never changed here */
        return refuse(&call->refusal, REFUSAL_DATA_DUPLICATE_VALUE, "slug is already taken");
    }
    return err;
}

static enum err store_person(struct data_txn *txn, struct data_call *call, struct person *person)
{
    person->row.updated_at = data_txn_later(txn, person->row.updated_at);
    TRY(answer_person(call, person, is_admin(txn)));
    TRY(replace_person(txn, call, person));
    people_note_change(txn);
    return ERR_OK;
}

static bool is_role(struct span role)
{
    return span_equal(role, span_lit("admin")) || span_equal(role, span_lit("user")) ||
           span_equal(role, span_lit("guest"));
}

/* `roles` replaces the list; absent leaves it. */
static enum err read_roles(const struct json_value *body, struct person *person, struct refusal *refusal)
{
    const struct json_value *roles = json_find(body, span_lit("roles"));

    if (roles == NULL) {
        return ERR_OK;
    }
    if (roles->type != JSON_ARRAY || roles->as.array.count > AUTH_ROLES_MAX) {
        return refuse(refusal, REFUSAL_USER_INVALID_ROLE, "roles must be a list of at most 20 names");
    }
    person->role_count = 0;
    for (size_t i = 0; i < roles->as.array.count; i++) {
        const struct json_value *role = &roles->as.array.items[i];
        if (role->type != JSON_STRING || !rls_role_name_valid(role->as.text)) {
            return refuse(
                refusal, REFUSAL_USER_INVALID_ROLE,
                "roles: a custom role is lower-case letters, digits, _ and -, at most 32, and no built-in name");
        }
        if (!person_has_role(person, role->as.text)) {
            person->roles[person->role_count++] = role->as.text;
        }
    }
    return ERR_OK;
}

static enum err read_role(const struct json_value *body, struct person *person, struct refusal *refusal)
{
    const struct json_value *role = json_find(body, span_lit("role"));

    if (role == NULL || role->type != JSON_STRING || !is_role(role->as.text)) {
        return refuse(refusal, REFUSAL_USER_INVALID_ROLE, "role must be admin, user or guest");
    }
    person->role = role->as.text;
    return read_roles(body, person, refusal);
}

enum err data_user_set_role(struct data_txn *txn, struct data_call *call)
{
    const struct json_value *body = NULL;
    struct person person;

    TRY(need_admin(txn, call));
    TRY(read_change(txn, call, &person, &body));
    TRY(read_role(body, &person, &call->refusal));
    return store_person(txn, call, &person);
}

enum err data_user_set_ban(struct data_txn *txn, struct data_call *call)
{
    const struct json_value *body = NULL;
    struct person person;

    TRY(need_admin(txn, call));
    TRY(read_change(txn, call, &person, &body));
    const struct json_value *banned = json_find(body, span_lit("banned"));
    if (banned == NULL || banned->type != JSON_BOOL) {
        return refuse(&call->refusal, REFUSAL_USER_INVALID_REQUEST, "banned must be true or false");
    }
    person.banned = banned->as.boolean;
    TRY(store_person(txn, call, &person));
    return person.banned ? people_end_sessions(txn, call->table, 0) : ERR_OK;
}

enum err data_user_update(struct data_txn *txn, struct data_call *call)
{
    const struct json_value *body = NULL;
    struct person person;

    TRY(need_self_or_admin(txn, call));
    TRY(read_change(txn, call, &person, &body));
    TRY(person_part_read(PERSON_NAME, body, &person, &call->refusal));
    return store_person(txn, call, &person);
}

enum err data_user_change_part(struct data_txn *txn, struct data_call *call)
{
    enum person_part part = PERSON_NAME;
    const struct json_value *body = NULL;
    struct person person;

    TRY(need_self_or_admin(txn, call));
    TRY(person_part_find(call->id, &part));
    TRY(read_change(txn, call, &person, &body));
    TRY(person_part_read(part, body, &person, &call->refusal));
    person.row.updated_at = data_txn_later(txn, person.row.updated_at);
    TRY(answer_part(call, part, &person));
    return replace_person(txn, call, &person);
}

/* --- the picture. There is no store for files, so nothing can be put anywhere and nothing was: contract 5.10, 7 --- */

static bool is_picture(const struct json_value *body)
{
    static const char *const types[] = {"image/jpeg", "image/png", "image/gif", "image/webp"};
    static const char *const endings[] = {".jpeg", ".jpg", ".png", ".gif", ".webp"};
    const struct span name = doc_text(body, span_lit("filename"));
    const struct span type = doc_text(body, span_lit("contentType"));
    bool is = false;

    for (size_t i = 0; i < ARRAY_LENGTH(types); i++) {
        is = is || span_equal(type, span_str(types[i]));
    }
    for (size_t i = 0; !doc_has(body, span_lit("contentType")) && i < ARRAY_LENGTH(endings); i++) {
        const struct span ending = span_str(endings[i]);
        is = is || (name.len > ending.len &&
                    span_equal_nocase(span_of(name.data + name.len - ending.len, ending.len), ending));
    }
    return is;
}

enum err data_avatar_upload(struct data_txn *txn, struct data_call *call)
{
    const struct json_value *body = NULL;
    struct person person;

    TRY(need_self_or_admin(txn, call));
    TRY(read_change(txn, call, &person, &body));
    if (doc_text(body, span_lit("filename")).len == 0) {
        return refuse(&call->refusal, REFUSAL_USER_INVALID_REQUEST, "filename must be a text");
    }
    if (!is_picture(body)) {
        return refuse(&call->refusal, REFUSAL_USER_INVALID_REQUEST,
                      "contentType must be image/jpeg, image/png, image/gif or image/webp");
    }
    return refuse(&call->refusal, REFUSAL_FILE_BUCKET_NOT_CONFIGURED, "This appliance has no store for files");
}

enum err data_avatar_set(struct data_txn *txn, struct data_call *call)
{
    const struct json_value *body = NULL;
    struct person person;

    TRY(need_self_or_admin(txn, call));
    TRY(read_change(txn, call, &person, &body));
    if (doc_text(body, span_lit("s3Key")).len == 0) {
        return refuse(&call->refusal, REFUSAL_USER_INVALID_REQUEST, "s3Key must be a text");
    }
    return refuse(&call->refusal, REFUSAL_FILE_NOT_FOUND, NULL);
}

enum err data_avatar_delete(struct data_txn *txn, struct data_call *call)
{
    struct person person;

    TRY(need_self_or_admin(txn, call));
    TRY(find_target(txn, call, &person));
    person.image = SPAN_NONE;
    person.row.updated_at = data_txn_later(txn, person.row.updated_at);
    TRY(people_answer(call, span_lit("The picture was removed")));
    return replace_person(txn, call, &person);
}

/* Without a password a mail gives one. */
enum err data_user_create(struct data_txn *txn, struct data_call *call)
{
    const struct data_sign *sign = call->sign;
    struct person person = people_new(txn, sign->user_id, sign->email, sign->name);

    TRY(need_admin(txn, call));
    if (json_find(call->body, span_lit("role")) != NULL) {
        TRY(read_role(call->body, &person, &call->refusal));
    }
    TRY(read_roles(call->body, &person, &call->refusal));
    TRY(people_refuse_taken(txn, sign->email, &call->refusal));
    TRY(answer_person(call, &person, true));
    call->status = CREATED;
    TRY(people_insert(txn, &person));
    return sign->has_stronger ? people_insert_password(txn, sign->user_id, &sign->stronger) : ERR_OK;
}

enum err people_forget_rows(struct data_txn *txn, struct table_id table, struct span owner)
{
    const struct row_value value = {.type = ROW_STRING, .bytes = owner};
    struct row row;

    for (;;) { /* ends: each round deletes a row */
        TRY(people_scan(people_snap(txn), table, 0, &value));
        const enum err err = walk_next(people_snap(txn), &row);
        if (err != ERR_OK) {
            return walk_end(err);
        }
        TRY(store_delete(txn->store, table, row.id));
    }
}

/* Into data->text, which has room for any row of these tables: a mail is the largest. */
static enum err copy_row(struct data_txn *txn, struct table_id table, struct row_id id)
{
    struct row row;

    buf_reset(txn->data->text);
    TRY(store_get(people_snap(txn), table, id, &row));
    return buf_put(txn->data->text, row.encoded);
}

enum err people_put_again(struct data_txn *txn, struct table_id table, struct row_id id)
{
    TRY(copy_row(txn, table, id));
    TRY(store_delete(txn->store, table, id));
    TRY(store_insert(txn->store, table, id, buf_all(txn->data->text), NULL));
    buf_wipe(txn->data->text);
    return ERR_OK;
}

enum err people_write_again(struct data_txn *txn, struct table_id table, struct row_id id)
{
    TRY(copy_row(txn, table, id));
    TRY(store_replace(txn->store, table, id, buf_all(txn->data->text), NULL));
    buf_wipe(txn->data->text);
    return ERR_OK;
}

enum err people_forget_person(struct data_txn *txn, struct span id, const struct person *person)
{
    char mails[CODE_OWNER_BYTES];

    code_owner_of_email(person->email, mails);
    TRY(store_delete(txn->store, people_where(txn)->users, person->row.id));
    people_note_change(txn);
    TRY(people_forget_rows(txn, people_where(txn)->accounts, id));
    TRY(people_forget_rows(txn, people_where(txn)->codes, id));
    TRY(people_forget_rows(txn, people_where(txn)->mfa, id));
    TRY(people_forget_rows(txn, people_where(txn)->outbox, span_array(mails)));
    TRY(invitations_forget(txn, id, span_array(mails)));
    return people_end_sessions(txn, id, 0);
}

static enum err forget_user(struct data_txn *txn, struct data_call *call, struct span id)
{
    struct person person;

    TRY(people_find_person(txn, call, id, REFUSAL_USER_NOT_FOUND, &person));
    TRY(people_answer(call, span_lit("The account was deleted")));
    return people_forget_person(txn, id, &person);
}

enum err data_user_delete(struct data_txn *txn, struct data_call *call)
{
    TRY(need_self_or_admin(txn, call));
    return forget_user(txn, call, call->table);
}

enum err data_withdraw(struct data_txn *txn, struct data_call *call)
{
    TRY(people_need_user(txn, call));
    return forget_user(txn, call, txn->principal.user);
}
