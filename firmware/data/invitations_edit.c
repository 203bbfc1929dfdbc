/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inviting, and what is answered to an invitation, on the writer thread. Whether there is an account of the address is
 * looked up only for whoever has the token, and changes no answer. Spec: contract 5.9. */
#include "firmware/data/invitations.h"

#include "firmware/data/doc.h"
#include "firmware/data/invitations_int.h"
#include "firmware/data/outbox_int.h"
#include "hal/base/fault.h"

#define CREATED      201
#define PROJECT      "project"
#define ORGANIZATION "organization"
#define NO_ROLE      "user"
#define SUPERSEDED   16 /* pending ones of one address and resource; each new one ends those before, so there is one */

bool data_invitation_is_type(struct span text)
{
    return span_equal(text, span_lit(PROJECT)) || span_equal(text, span_lit(ORGANIZATION));
}

bool data_invitation_is_role(struct span text)
{
    return rls_role_name_valid(text) || span_equal(text, span_lit(NO_ROLE));
}

/* What an invitation gives could be given by PATCH /users/:id/role, which such a key could not ask for. */
enum err data_invitation_check(const struct auth_principal *principal, struct refusal *refusal)
{
    struct refusal scope;

    if (principal->user.len == 0) {
        return refuse(refusal, REFUSAL_AUTH_UNAUTHORIZED, "An access token is required");
    }
    if (principal->who.group != RLS_ADMIN) {
        return refuse(refusal, REFUSAL_AUTH_FORBIDDEN, "Only administrators invite");
    }
    if (auth_check_scope(principal->key, span_lit("users"), RLS_UPDATE, &scope) != ERR_OK) {
        return refuse(refusal, REFUSAL_AUTH_FORBIDDEN, "This API key may not change users");
    }
    return ERR_OK;
}

static enum err answer(struct data_txn *txn, struct data_call *call, const struct invitation *invitation)
{
    struct json_out out;

    json_out_init(&out, call->out);
    invitation_write(&out, invitation, txn->now);
    return json_out_finish(&out);
}

/* --- inviting --- */

enum err data_invitation_check_resource(const struct catalog_project *project, const struct data_invitation *invitation,
                                        struct refusal *refusal)
{
    const bool to_project = span_equal(invitation->type, span_lit(PROJECT));

    return span_equal(invitation->resource_id, to_project ? project->record.id : project->record.parent)
               ? ERR_OK
               : refuse(refusal, REFUSAL_AUTH_FORBIDDEN, "Only to the API key's own project or organization");
}

static struct span first_of(struct span text, struct span otherwise)
{
    return text.len != 0 ? text : otherwise;
}

/* What its record is called. */
static struct span name_of_resource(const struct data_txn *txn, const struct data_invitation *invitation)
{
    const enum catalog_kind kind =
        span_equal(invitation->type, span_lit(PROJECT)) ? CATALOG_PROJECT : CATALOG_ORGANIZATION;
    const struct catalog_record *record = catalog_find(data_txn_catalog(txn), kind, invitation->resource_id);

    if (record == NULL) {
        return SPAN_NONE;
    }
    return first_of(doc_text(record->doc, span_lit("displayName")), doc_text(record->doc, span_lit("name")));
}

/* Of one address and resource there is one that can be accepted. */
static enum err find_superseded(struct data_txn *txn, const struct invitation *next, struct row_id out[SUPERSEDED],
                                size_t *out_count)
{
    const struct row_value owner = {.type = ROW_STRING, .bytes = next->row.created_by};
    struct invitation old;
    struct row row;
    enum err err = ERR_OK;

    *out_count = 0;
    TRY(people_scan_newest(people_snap(txn), people_where(txn)->invitations, &owner));
    while (*out_count < SUPERSEDED && (err = walk_next(people_snap(txn), &row)) == ERR_OK) {
        TRY(invitation_read(&row, &old));
        if (span_equal(old.type, next->type) &&
            span_equal(invitation_status(&old, txn->now), span_lit(INVITATION_PENDING))) {
            out[(*out_count)++] = row.id;
        }
    }
    return walk_end(err);
}

static enum err revoke_superseded(struct data_txn *txn, struct arena *arena, const struct invitation *next)
{
    struct row_id rows[SUPERSEDED];
    struct invitation old;
    size_t count = 0;
    struct row row;

    TRY(find_superseded(txn, next, rows, &count));
    for (size_t i = 0; i < count; i++) {
        TRY(store_get(people_snap(txn), people_where(txn)->invitations, rows[i], &row));
        TRY(invitation_read(&row, &old));
        TRY(invitation_keep(arena, &old));
        old.state = span_lit(INVITATION_REVOKED);
        TRY(invitation_store(txn, &old));
    }
    return ERR_OK;
}

static enum err insert(struct data_txn *txn, const struct invitation *invitation)
{
    struct span encoded = SPAN_NONE;

    TRY(invitation_encode(txn, invitation, &encoded));
    return store_insert(txn->store, people_where(txn)->invitations, store_txn_row_id(txn->store, txn->now), encoded,
                        NULL);
}

static enum err send(struct data_txn *txn, const struct data_sign *sign, const struct invitation *invitation,
                     struct span inviter)
{
    struct outbox_order mail = {
        .category = MAIL_INVITATION, .to = invitation->email, .link = sign->mail.link, .code = sign->mail.code};

    mail.values.of[MAIL_USER_NAME] = first_of(sign->name, invitation->email);
    mail.values.of[MAIL_USER_EMAIL] = invitation->email;
    mail.values.of[MAIL_LINK] = mail.link;
    mail.values.of[MAIL_INVITER_NAME] = inviter;
    mail.values.of[MAIL_RESOURCE_NAME] = invitation->resource_name;
    return outbox_send(txn, &mail);
}

enum err data_invitation_create(struct data_txn *txn, struct data_call *call)
{
    const struct data_sign *sign = call->sign;
    const struct data_invitation *asked = sign->invitation;
    const struct auth_key *key = txn->principal.key;
    char digest[HEX_BYTES(SHA256_BYTES)];
    char owner[CODE_OWNER_BYTES];
    char id[AUTH_UUID_BYTES];
    struct person inviter;

    TRY(data_invitation_check(&txn->principal, &call->refusal));
    TRY(data_invitation_check_resource(txn->project, asked, &call->refusal));
    TRY(people_find_person(txn, call, txn->principal.user, REFUSAL_AUTH_UNAUTHORIZED, &inviter));
    TRY(people_keep_person(call, &inviter));
    auth_uuid_make(txn->data->random, id);
    hex_encode(span_array(sign->mail.digest), digest);
    code_owner_of_email(sign->email, owner);
    const struct invitation invitation = {
        .row = {.created_at = txn->now, .updated_at = txn->now, .created_by = span_array(owner)},
        .id = span_array(id),
        .digest = span_array(digest),
        .type = asked->type,
        .resource = asked->resource_id,
        .resource_name = first_of(asked->resource_name, name_of_resource(txn, asked)),
        .role = asked->role,
        .email = sign->email,
        .inviter = inviter.id,
        .key = key->type == AUTH_KEY_SECRET ? key->id : SPAN_NONE,
        .state = span_lit(INVITATION_PENDING),
        .ends_at = {txn->now.ms + DATA_CODE_INVITE_MS}};
    call->status = CREATED;
    TRY(answer(txn, call, &invitation));
    TRY(invitations_need_room(txn));
    TRY(revoke_superseded(txn, call->arena, &invitation));
    TRY(insert(txn, &invitation));
    return send(txn, sign, &invitation, first_of(asked->inviter_name, inviter.name));
}

/* --- answering --- */

/* Why it cannot be answered any more. A token that was for somebody else, or that its sender took back, is none. */
static enum err check_open(struct data_txn *txn, struct data_call *call, const struct invitation *invitation)
{
    const struct span status = invitation_status(invitation, txn->now);
    const struct span email = call->sign->email;
    bool holds = false;

    if (email.len != 0 && !span_equal(email, invitation->email)) {
        return refuse(&call->refusal, REFUSAL_AUTH_INVALID_TOKEN, NULL);
    }
    if (span_equal(status, span_lit(INVITATION_ACCEPTED))) {
        return refuse(&call->refusal, REFUSAL_AUTH_INVITATION_ALREADY_ACCEPTED, NULL);
    }
    if (span_equal(status, span_lit(INVITATION_EXPIRED))) {
        return refuse(&call->refusal, REFUSAL_AUTH_INVITATION_EXPIRED, NULL);
    }
    TRY(invitation_holds(txn, invitation, &holds));
    return holds && span_equal(status, span_lit(INVITATION_PENDING))
               ? ERR_OK
               : refuse(&call->refusal, REFUSAL_AUTH_INVALID_TOKEN, NULL);
}

/* The invitation of the token, which can be answered. */
static enum err find_open(struct data_txn *txn, struct data_call *call, struct invitation *out)
{
    char digest[HEX_BYTES(SHA256_BYTES)];

    hex_encode(span_array(call->sign->presented), digest);
    const enum err err =
        invitation_find(people_snap(txn), people_where(txn)->invitations, INVITATION_DIGEST, span_array(digest), out);
    if (err == ERR_NOT_FOUND) {
        return refuse(&call->refusal, REFUSAL_AUTH_INVALID_TOKEN, NULL);
    }
    TRY(err);
    TRY(invitation_keep(call->arena, out));
    return check_open(txn, call, out);
}

/* The account of the address, if it is confirmed. */
static enum err find_account(struct data_txn *txn, struct data_call *call, struct span email, struct person *out_person,
                             bool *out_found)
{
    const enum err err = people_find_email(people_snap(txn), people_where(txn), email, out_person);

    *out_found = err == ERR_OK && out_person->verified;
    if (err == ERR_NOT_FOUND) {
        return ERR_OK;
    }
    TRY(err);
    return people_keep_person(call, out_person);
}

static enum err store_account(struct data_txn *txn, struct person *person)
{
    struct span encoded = SPAN_NONE;

    TRY(person_encode(txn->data, person, data_txn_later(txn, person->row.updated_at), &encoded));
    TRY(store_replace(txn->store, people_where(txn)->users, person->row.id, encoded, NULL));
    people_note_change(txn);
    return ERR_OK;
}

enum err data_invitation_accept(struct data_txn *txn, struct data_call *call)
{
    struct invitation invitation;
    struct person person;
    bool found = false;

    TRY(find_open(txn, call, &invitation));
    TRY(find_account(txn, call, invitation.email, &person, &found));
    invitation.state = span_lit(INVITATION_ACCEPTED);
    TRY(answer(txn, call, &invitation));
    if (found) {
        invitation_give(&invitation, &person);
        TRY(store_account(txn, &person));
    }
    return invitation_store(txn, &invitation);
}

enum err data_invitation_reject(struct data_txn *txn, struct data_call *call)
{
    struct invitation invitation;
    struct json_out out;

    TRY(find_open(txn, call, &invitation));
    invitation.state = span_lit(INVITATION_REJECTED);
    json_out_init(&out, call->out);
    json_out_object(&out);
    json_out_object_end(&out);
    TRY(json_out_finish(&out));
    return invitation_store(txn, &invitation);
}

/* --- taking back --- */

/* What was given stays given, and is taken back by changing the user; what waits for an account is given to nobody. */
enum err data_invitation_revoke(struct data_txn *txn, struct data_call *call)
{
    struct invitation invitation;
    enum err err = ERR_NOT_FOUND;

    TRY(people_need_user(txn, call));
    if (auth_uuid_is_well_formed(call->table)) {
        err =
            invitation_find(people_snap(txn), people_where(txn)->invitations, INVITATION_ID, call->table, &invitation);
    }
    if (err == ERR_NOT_FOUND) {
        return refuse(&call->refusal, REFUSAL_AUTH_INVITATION_NOT_FOUND, NULL);
    }
    TRY(err);
    if (txn->principal.who.group != RLS_ADMIN && !span_equal(invitation.inviter, txn->principal.user)) {
        return refuse(&call->refusal, REFUSAL_AUTH_FORBIDDEN, "Only who sent an invitation takes it back");
    }
    if (invitation.given) {
        return refuse(&call->refusal, REFUSAL_AUTH_INVITATION_ALREADY_ACCEPTED, NULL);
    }
    TRY(invitation_keep(call->arena, &invitation));
    invitation.state = span_lit(INVITATION_REVOKED);
    TRY(people_answer(call, span_lit("The invitation was revoked")));
    return invitation_store(txn, &invitation);
}
