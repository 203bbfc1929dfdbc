/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of invitations. There are CONFIG_DATA_INVITATIONS_MAX of them at most, so what no index answers may look at
 * all. A role is given in the transaction that writes the account, and only to an address that is confirmed: an account
 * that somebody else made with the address of another must not get what was meant for that one. */
#include "firmware/data/invitations.h"

#include <string.h>

#include "firmware/data/invitations_int.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"

#define LOOKED_AT 16 /* oldest rows; and of one address those that wait */
#define AT_ONCE   64 /* rows that one walk deletes */

/* --- rows --- */

static const size_t texts[INVITATION_COLUMN_END] = {
    [INVITATION_ID] = offsetof(struct invitation, id),
    [INVITATION_DIGEST] = offsetof(struct invitation, digest),
    [INVITATION_TYPE] = offsetof(struct invitation, type),
    [INVITATION_RESOURCE] = offsetof(struct invitation, resource),
    [INVITATION_RESOURCE_NAME] = offsetof(struct invitation, resource_name),
    [INVITATION_ROLE] = offsetof(struct invitation, role),
    [INVITATION_EMAIL] = offsetof(struct invitation, email),
    [INVITATION_INVITER] = offsetof(struct invitation, inviter),
    [INVITATION_KEY] = offsetof(struct invitation, key),
    [INVITATION_STATE] = offsetof(struct invitation, state),
};

/* NULL for a column of another kind. */
static struct span *text_of(struct invitation *invitation, unsigned int column)
{
    if (column >= ARRAY_LENGTH(texts) || texts[column] == 0) {
        return NULL;
    }
    return (struct span *)(void *)((char *)invitation + texts[column]);
}

static enum err take_column(const struct row_member *member, struct invitation *invitation)
{
    struct span *text = text_of(invitation, member->column);
    const struct row_value *value = &member->value;

    if (text != NULL) {
        ENSURE(value->type == ROW_STRING, ERR_DAMAGED, "a text expected");
        *text = value->bytes;
        return ERR_OK;
    }
    if (member->column == INVITATION_GIVEN) {
        ENSURE(value->type == ROW_BOOL, ERR_DAMAGED, "true or false expected");
        invitation->given = value->boolean;
        return ERR_OK;
    }
    ENSURE(member->column == INVITATION_ENDS_AT && value->type == ROW_DATE, ERR_DAMAGED,
           "an invitation with another column");
    invitation->ends_at = value->date;
    return ERR_OK;
}

enum err invitation_read(const struct row *row, struct invitation *out_invitation)
{
    struct row_iter iter = row_iter_columns(row);
    struct invitation invitation = {.row = *row};
    struct row_member member;
    enum err err = ERR_OK;

    while ((err = row_iter_next(&iter, &member)) == ERR_OK) {
        TRY(take_column(&member, &invitation));
    }
    ENSURE(err == ERR_NOT_FOUND, ERR_DAMAGED, "an invitation's row is damaged");
    *out_invitation = invitation;
    return ERR_OK;
}

static struct row_key key_of(unsigned int column)
{
    return (struct row_key){.column = (uint16_t)column, .name = SPAN_NONE};
}

enum err invitation_encode(struct data_txn *txn, const struct invitation *invitation, struct span *out_encoded)
{
    struct invitation all = *invitation;
    struct row_builder builder;
    char owner[CODE_OWNER_BYTES];

    code_owner_of_email(invitation->email, owner);
    TRY(row_build_begin(&builder, txn->data->row, all.row.created_at, all.row.updated_at, span_array(owner)));
    for (unsigned int column = INVITATION_ID; column <= INVITATION_STATE; column++) {
        TRY(row_build_string(&builder, key_of(column), *text_of(&all, column)));
    }
    TRY(row_build_bool(&builder, key_of(INVITATION_GIVEN), all.given));
    TRY(row_build_date(&builder, key_of(INVITATION_ENDS_AT), all.ends_at));
    return row_build_end(&builder, out_encoded);
}

enum err invitation_find(struct store_snap *snap, struct table_id table, enum invitation_column column,
                         struct span text, struct invitation *out_invitation)
{
    struct row row;

    const enum err err = people_find(snap, table, (uint16_t)column, text, &row);
    if (err == ERR_NOT_FOUND) {
        fault_clear();
    }
    return err == ERR_OK ? invitation_read(&row, out_invitation) : err;
}

enum err invitation_keep(struct arena *arena, struct invitation *invitation)
{
    struct span encoded = SPAN_NONE;
    struct row copy;

    TRY(arena_copy(arena, invitation->row.encoded, &encoded));
    TRY(row_read(invitation->row.id, encoded, &copy));
    return invitation_read(&copy, invitation);
}

enum err invitation_store(struct data_txn *txn, struct invitation *invitation)
{
    struct span encoded = SPAN_NONE;

    invitation->row.updated_at = data_txn_later(txn, invitation->row.updated_at);
    TRY(invitation_encode(txn, invitation, &encoded));
    return store_replace(txn->store, people_where(txn)->invitations, invitation->row.id, encoded, NULL);
}

/* --- what is shown --- */

static bool is_state(const struct invitation *invitation, const char *state)
{
    return span_equal(invitation->state, span_str(state));
}

struct span invitation_status(const struct invitation *invitation, struct wall_time now)
{
    return is_state(invitation, INVITATION_PENDING) && now.ms >= invitation->ends_at.ms ? span_lit(INVITATION_EXPIRED)
                                                                                        : invitation->state;
}

void invitation_write(struct json_out *out, const struct invitation *invitation, struct wall_time now)
{
    json_out_object(out);
    json_out_member_text(out, span_lit("id"), invitation->id);
    json_out_member_text(out, span_lit("resourceType"), invitation->type);
    json_out_member_text(out, span_lit("resourceId"), invitation->resource);
    json_out_member_text(out, span_lit("resourceName"), invitation->resource_name);
    json_out_member_text(out, span_lit("resourceRole"), invitation->role);
    json_out_member_text(out, span_lit("email"), invitation->email);
    json_out_member_text(out, span_lit("status"), invitation_status(invitation, now));
    json_out_member_time(out, span_lit("expiresAt"), invitation->ends_at);
    json_out_member_text(out, span_lit("invitedBy"), invitation->inviter);
    json_out_member_time(out, span_lit("createdAt"), invitation->row.created_at);
    json_out_object_end(out);
}

/* --- giving the role --- */

static bool key_holds(const struct data_txn *txn, struct span id)
{
    const struct catalog_record *record = catalog_find(data_txn_catalog(txn), CATALOG_KEY, id);
    const struct auth_key *key = record == NULL ? NULL : &((const struct catalog_key *)record)->key;

    return key != NULL && !key->revoked && txn->now.ms < key->expires_at_ms;
}

enum err invitation_holds(struct data_txn *txn, const struct invitation *invitation, bool *out_holds)
{
    struct person inviter;

    *out_holds = false;
    const enum err err = people_find_user(people_snap(txn), people_where(txn), invitation->inviter, &inviter);
    if (err == ERR_NOT_FOUND || (err == ERR_OK && inviter.banned)) {
        return ERR_OK;
    }
    TRY(err);
    const bool is_admin =
        person_group(inviter.role) == RLS_ADMIN && (inviter.mfa || !people_settings(txn).require_mfa_for_admins);
    *out_holds = is_admin || key_holds(txn, invitation->key);
    return ERR_OK;
}

void invitation_give(struct invitation *invitation, struct person *person)
{
    const struct log_field fields[] = {LOG_TEXT("invitation", invitation->id), LOG_TEXT("user", person->id)};

    invitation->given = !rls_role_name_valid(invitation->role) || person_has_role(person, invitation->role);
    if (!invitation->given && person->role_count < AUTH_ROLES_MAX) {
        person->roles[person->role_count++] = invitation->role;
        invitation->given = true;
        log_event(LOG_INFO, "invitation_gave_role", fields, ARRAY_LENGTH(fields));
    }
}

struct rows {
    struct row_id ids[AT_ONCE];
    size_t count;
};

static enum err claim_one(struct data_txn *txn, struct arena *arena, struct row_id id, struct person *person)
{
    struct invitation invitation;
    bool holds = false;
    struct row row;

    TRY(store_get(people_snap(txn), people_where(txn)->invitations, id, &row));
    TRY(invitation_read(&row, &invitation));
    TRY(invitation_keep(arena, &invitation));
    TRY(invitation_holds(txn, &invitation, &holds));
    if (!holds) {
        return ERR_OK;
    }
    invitation_give(&invitation, person);
    return invitation.given ? invitation_store(txn, &invitation) : ERR_OK;
}

enum err invitations_claim(struct data_txn *txn, struct arena *arena, struct person *person)
{
    char hash[CODE_OWNER_BYTES];
    const struct row_value owner = {.type = ROW_STRING, .bytes = span_array(hash)};
    struct rows waiting = {.count = 0};
    struct invitation invitation;
    struct row row;
    enum err err = ERR_OK;

    if (!person->verified) {
        return ERR_OK;
    }
    code_owner_of_email(person->email, hash);
    TRY(people_scan_newest(people_snap(txn), people_where(txn)->invitations, &owner));
    while (waiting.count < LOOKED_AT && (err = walk_next(people_snap(txn), &row)) == ERR_OK) {
        TRY(invitation_read(&row, &invitation));
        if (is_state(&invitation, INVITATION_ACCEPTED) && !invitation.given) {
            waiting.ids[waiting.count++] = row.id;
        }
    }
    TRY(walk_end(err));
    for (size_t i = 0; i < waiting.count; i++) {
        TRY(claim_one(txn, arena, waiting.ids[i], person));
    }
    return ERR_OK;
}

/* --- making room --- */

static enum err delete_rows(struct data_txn *txn, const struct rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        TRY(store_delete(txn->store, people_where(txn)->invitations, rows->ids[i]));
    }
    return ERR_OK;
}

static enum err scan_all(struct data_txn *txn)
{
    const struct store_scan oldest = {.table = people_where(txn)->invitations};

    return store_scan_begin(people_snap(txn), &oldest);
}

enum err invitations_make_room(struct data_txn *txn)
{
    struct rows over = {.count = 0};
    struct row row;
    enum err err = ERR_OK;

    TRY(scan_all(txn));
    while (over.count < LOOKED_AT && (err = walk_next(people_snap(txn), &row)) == ERR_OK &&
           txn->now.ms - row.created_at.ms > INVITATION_KEPT_MS) {
        over.ids[over.count++] = row.id;
    }
    TRY(walk_end(err));
    return delete_rows(txn, &over);
}

/* Neither to be answered any more, nor waiting for an account. */
static bool is_over(const struct data_txn *txn, const struct invitation *invitation)
{
    return is_state(invitation, INVITATION_ACCEPTED)
               ? invitation->given
               : !span_equal(invitation_status(invitation, txn->now), span_lit(INVITATION_PENDING));
}

enum err invitations_need_room(struct data_txn *txn)
{
    struct invitation invitation;
    uint64_t count = 0;
    struct row row;
    enum err err = ERR_OK;

    TRY(store_count(people_snap(txn), people_where(txn)->invitations, &count));
    if (count < CONFIG_DATA_INVITATIONS_MAX) {
        return ERR_OK;
    }
    TRY(scan_all(txn));
    while ((err = walk_next(people_snap(txn), &row)) == ERR_OK) {
        TRY(invitation_read(&row, &invitation));
        if (is_over(txn, &invitation)) {
            return store_delete(txn->store, people_where(txn)->invitations, row.id);
        }
    }
    TRY(walk_end(err));
    FAIL(ERR_LIMIT, "as many invitations as there may be, and none is over", count);
}

/* Some of those that are to go: one walk. */
static enum err find_forgotten(struct data_txn *txn, struct span user, struct span owner, struct rows *out)
{
    struct invitation invitation;
    struct row row;
    enum err err = ERR_OK;

    out->count = 0;
    TRY(scan_all(txn));
    while (out->count < AT_ONCE && (err = walk_next(people_snap(txn), &row)) == ERR_OK) {
        TRY(invitation_read(&row, &invitation));
        if (span_equal(invitation.inviter, user) || span_equal(row.created_by, owner)) {
            out->ids[out->count++] = row.id;
        }
    }
    return walk_end(err);
}

enum err invitations_forget(struct data_txn *txn, struct span user, struct span owner)
{
    struct rows rows;

    do { /* ends: each round deletes as many as one walk may find */
        TRY(find_forgotten(txn, user, owner, &rows));
        TRY(delete_rows(txn, &rows));
    } while (rows.count == AT_ONCE);
    return ERR_OK;
}
