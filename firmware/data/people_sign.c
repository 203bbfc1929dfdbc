/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Signing up, in and out, on the writer thread. As everywhere, what the reactor found out counts for nothing:
 * whether an address is free, a password is still the same, a session alive and a token the current one is decided here,
 * in the transaction that acts on it. Spec: contract 5.3, 5.4. */
#include "firmware/data/people.h"

#include <string.h>

#include "crypto/ct.h"
#include "firmware/data/doc.h"
#include "firmware/data/invitations_int.h"
#include "firmware/data/mails_int.h"
#include "firmware/data/mfa_int.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"

#define CREATED         201
#define UNAUTHORIZED    401
#define MS_PER_S        1000
#define MS_PER_DAY      INT64_C(86400000)
#define ENDED_AT_ONCE   64 /* sessions of one user that one transaction ends; there are AUTH_SESSIONS_MAX at most */
#define CLAIM_ARENA_MAX ((size_t)1 << 18) /* some invitations, of some KiB each at most */
_Static_assert(ENDED_AT_ONCE > AUTH_SESSIONS_MAX, "all of them, whatever was allowed before");

void people_note_change(struct data_txn *txn)
{
    txn->data->people_changed = true;
}

const struct catalog_people *people_where(const struct data_txn *txn)
{
    return &txn->environment->people;
}

struct store_snap *people_snap(const struct data_txn *txn)
{
    return store_txn_snap(txn->store);
}

struct auth_settings people_settings(const struct data_txn *txn)
{
    return catalog_auth_settings(data_txn_catalog(txn), txn->environment->record.id);
}

/* --- answers --- */

static void write_tokens(struct json_out *out, const struct data_sign *sign)
{
    json_out_member_text(out, span_lit("accessToken"), sign->access_token);
    json_out_member_text(out, span_lit("refreshToken"), sign->refresh_token);
    json_out_member_text(out, span_lit("tokenType"), span_lit("Bearer"));
    json_out_member_int(out, span_lit("expiresIn"), (int64_t)sign->access_s);
}

enum err people_answer_pair(struct data_call *call, const struct person *person, const bool *is_new)
{
    struct json_out out;

    json_out_init(&out, call->out);
    json_out_object(&out);
    write_tokens(&out, call->sign);
    if (person != NULL) {
        json_out_name(&out, span_lit("user"));
        person_write_brief(&out, person);
    }
    if (is_new != NULL) {
        json_out_member_bool(&out, span_lit("is_new_user"), *is_new);
    }
    json_out_object_end(&out);
    return json_out_finish(&out);
}

enum err people_answer(struct data_call *call, struct span message)
{
    struct json_out out;

    json_out_init(&out, call->out);
    json_out_object(&out);
    json_out_member_text(&out, span_lit("message"), message);
    json_out_object_end(&out);
    return json_out_finish(&out);
}

/* --- sessions --- */

static struct wall_time at_most(int64_t ms, int64_t most)
{
    return (struct wall_time){ms < most ? ms : most};
}

enum err people_insert_session(struct data_txn *txn, const struct data_sign *sign)
{
    struct session session = {.id = sign->session_id,
                              .user = sign->user_id,
                              .user_agent = sign->user_agent,
                              .address = sign->address,
                              .active_at = txn->now};
    struct span encoded = SPAN_NONE;

    session.row.created_at = txn->now;
    session.ends_at =
        at_most((sign->issued_s + (int64_t)sign->refresh_s) * MS_PER_S, txn->now.ms + DATA_SESSION_MAX_MS);
    memcpy(session.refresh, sign->refresh, sizeof session.refresh);
    TRY(session_encode(txn->data, &session, txn->now, &encoded));
    TRY(store_insert(txn->store, people_where(txn)->sessions, store_txn_row_id(txn->store, txn->now), encoded, NULL));
    people_note_change(txn);
    return ERR_OK;
}

/* Rows that are to go, the oldest first. */
struct ended {
    struct row_id rows[ENDED_AT_ONCE];
    size_t count;
};

static void note(struct ended *ended, struct row_id row)
{
    if (ended->count < ENDED_AT_ONCE) {
        ended->rows[ended->count++] = row;
    }
}

/* The sessions of a user: those that are over, and of the others, but for the one of the id `except`, the oldest beyond
 * `keep`. */
static enum err find_ended(struct data_txn *txn, struct span user, uint64_t keep, struct span except, struct ended *out)
{
    const struct row_value owner = {.type = ROW_STRING, .bytes = user};
    struct ended alive = {.count = 0};
    struct session session;
    struct row row;
    enum err err = ERR_OK;

    out->count = 0;
    TRY(people_scan(people_snap(txn), people_where(txn)->sessions, 0, &owner));
    while (alive.count < ENDED_AT_ONCE && (err = walk_next(people_snap(txn), &row)) == ERR_OK) {
        TRY(session_read(&row, &session));
        if (!span_equal(session.id, except)) {
            note(session.ends_at.ms <= txn->now.ms ? out : &alive, row.id);
        }
    }
    TRY(walk_end(err));
    for (size_t i = 0; i + keep < alive.count; i++) {
        note(out, alive.rows[i]);
    }
    return ERR_OK;
}

static enum err end_sessions(struct data_txn *txn, struct span user, uint64_t keep, struct span except)
{
    struct ended ended;

    TRY(find_ended(txn, user, keep, except, &ended));
    for (size_t i = 0; i < ended.count; i++) {
        TRY(store_delete(txn->store, people_where(txn)->sessions, ended.rows[i]));
    }
    if (ended.count > 0) {
        people_note_change(txn);
    }
    return ERR_OK;
}

enum err people_end_sessions(struct data_txn *txn, struct span user, uint64_t keep)
{
    return end_sessions(txn, user, keep, SPAN_NONE);
}

enum err people_end_other_sessions(struct data_txn *txn, struct span user, struct span session)
{
    return end_sessions(txn, user, 0, session);
}

/* --- passwords --- */

/* When an account was made, and when its password was chosen. */
struct account_times {
    struct wall_time created, chosen;
};

static enum err encode_account(struct data_txn *txn, struct span id, struct span user,
                               const struct data_password *password, struct account_times times,
                               struct span *out_encoded)
{
    char text[PASSWORD_TEXT_BYTES];
    struct row_builder builder;

    password_encode(password, text);
    TRY(row_build_begin(&builder, txn->data->row, times.created, times.chosen, user));
    TRY(row_build_string(&builder, (struct row_key){.column = ACCOUNT_ID}, id));
    TRY(row_build_string(&builder, (struct row_key){.column = ACCOUNT_PROVIDER}, span_lit(ACCOUNT_PASSWORD_PROVIDER)));
    TRY(row_build_string(&builder, (struct row_key){.column = ACCOUNT_PROVIDER_ID}, user));
    TRY(row_build_string(&builder, (struct row_key){.column = ACCOUNT_PASSWORD}, span_array(text)));
    return row_build_end(&builder, out_encoded);
}

enum err people_insert_password(struct data_txn *txn, struct span user, const struct data_password *password)
{
    char id[AUTH_UUID_BYTES];
    struct span encoded = SPAN_NONE;

    auth_uuid_make(txn->data->random, id);
    TRY(encode_account(txn, span_array(id), user, password, (struct account_times){txn->now, txn->now}, &encoded));
    return store_insert(txn->store, people_where(txn)->accounts, store_txn_row_id(txn->store, txn->now), encoded, NULL);
}

static enum err replace_password(struct data_txn *txn, const struct row *row, struct span user,
                                 const struct data_password *password, struct wall_time chosen)
{
    const struct row_field field = {.column = ACCOUNT_ID};
    struct row_value id = {.type = ROW_MISSING};
    char id_text[AUTH_UUID_BYTES];
    struct span encoded = SPAN_NONE;
    const struct row_id where = row->id;

    TRY(row_find(row, &field, NULL, &id));
    ENSURE(id.type == ROW_STRING && id.bytes.len == sizeof id_text, ERR_DAMAGED, "an account without an id");
    memcpy(id_text, id.bytes.data, sizeof id_text);
    const struct account_times times = {row->created_at, chosen};
    TRY(encode_account(txn, span_array(id_text), user, password, times, &encoded));
    return store_replace(txn->store, people_where(txn)->accounts, where, encoded, NULL);
}

enum err people_replace_password(struct data_txn *txn, const struct row *row, struct span user,
                                 const struct data_password *password)
{
    return replace_password(txn, row, user, password, data_txn_later(txn, row->updated_at));
}

enum err people_put_password(struct data_txn *txn, struct span user, const struct data_password *password)
{
    struct data_password old;
    struct row row;

    const enum err err = people_find_password(people_snap(txn), people_where(txn), user, &row, &old);
    if (err == ERR_NOT_FOUND) {
        return people_insert_password(txn, user, password);
    }
    TRY(err);
    return people_replace_password(txn, &row, user, password);
}

/* --- signing up --- */

enum err people_refuse_taken(struct data_txn *txn, struct span email, struct refusal *refusal)
{
    struct person person;

    const enum err err = people_find_email(people_snap(txn), people_where(txn), email, &person);
    if (err == ERR_NOT_FOUND) {
        return ERR_OK;
    }
    TRY(err);
    return refuse(refusal, REFUSAL_AUTH_EMAIL_ALREADY_EXISTS, "A user with this email already exists");
}

enum err people_insert(struct data_txn *txn, const struct person *person)
{
    SCOPED_ARENA struct arena *arena = NULL;
    struct span encoded = SPAN_NONE;
    struct person all = *person;

    if (person->verified) { /* who comes with a confirmed address gets what was waiting for it */
        TRY(arena_new(0, CLAIM_ARENA_MAX, &arena));
        TRY(invitations_claim(txn, arena, &all));
    }
    TRY(person_encode(txn->data, &all, txn->now, &encoded));
    TRY(store_insert(txn->store, people_where(txn)->users, store_txn_row_id(txn->store, txn->now), encoded, NULL));
    people_note_change(txn);
    return ERR_OK;
}

struct person people_new(const struct data_txn *txn, struct span id, struct span email, struct span name)
{
    struct person person = {.id = id, .email = email, .name = name, .role = span_lit("user")};

    person.row.created_at = txn->now;
    person.row.updated_at = txn->now;
    return person;
}

enum err data_sign_up(struct data_txn *txn, struct data_call *call)
{
    const struct data_sign *sign = call->sign;
    const struct person person = people_new(txn, sign->user_id, sign->email, sign->name);
    const struct mails_order mail = {.purpose = DATA_CODE_VERIFY, .mail = &sign->mail, .person = &person};

    if (!people_settings(txn).signup_enabled) {
        return refuse(&call->refusal, REFUSAL_AUTH_FORBIDDEN, "Sign-up is closed");
    }
    TRY(people_refuse_taken(txn, sign->email, &call->refusal));
    TRY(people_answer_pair(call, &person, NULL));
    call->status = CREATED;
    TRY(people_insert(txn, &person));
    TRY(people_insert_password(txn, sign->user_id, &sign->password));
    TRY(people_insert_session(txn, sign));
    return sign->mail.code.len != 0 ? mails_send(txn, &mail) : ERR_OK;
}

/* --- signing in --- */

enum err people_check_password(struct data_txn *txn, struct data_call *call, struct span user, enum refusal_code wrong,
                               struct row *out_account)
{
    struct data_password password;
    char now[PASSWORD_TEXT_BYTES];
    char compared[PASSWORD_TEXT_BYTES];

    const enum err err = people_find_password(people_snap(txn), people_where(txn), user, out_account, &password);
    if (err == ERR_NOT_FOUND) {
        return refuse(&call->refusal, wrong, NULL);
    }
    TRY(err);
    password_encode(&password, now);
    password_encode(&call->sign->password, compared);
    if (!ct_equal(span_array(now), span_array(compared))) {
        return refuse(&call->refusal, wrong, NULL);
    }
    return ERR_OK;
}

enum err people_find_person(struct data_txn *txn, struct data_call *call, struct span id, enum refusal_code absent,
                            struct person *out_person)
{
    const enum err err = people_find_user(people_snap(txn), people_where(txn), id, out_person);

    return err == ERR_NOT_FOUND ? refuse(&call->refusal, absent, NULL) : err;
}

enum err people_keep_person(struct data_call *call, struct person *person)
{
    struct row copy;
    struct span encoded = SPAN_NONE;

    TRY(arena_copy(call->arena, person->row.encoded, &encoded));
    TRY(row_read(person->row.id, encoded, &copy));
    return person_read(&copy, person);
}

/* A password is stored again in the form of today. Its row is found anew: what was written meanwhile ended the views. */
static enum err store_stronger(struct data_txn *txn, struct data_call *call)
{
    const struct data_sign *sign = call->sign;
    struct row account;

    if (!sign->has_stronger) {
        return ERR_OK;
    }
    TRY(people_check_password(txn, call, sign->user_id, REFUSAL_AUTH_INVALID_CREDENTIALS, &account));
    return replace_password(txn, &account, sign->user_id, &sign->stronger, account.updated_at); /* as old as it was */
}

/* What the environment asks for besides the right password. A password that is too old is changed by a reset: whoever can
 * do that has the address. */
static enum err check_settings(struct data_txn *txn, struct data_call *call, bool verified, const struct row *account)
{
    const struct auth_settings settings = people_settings(txn);
    const int64_t age_ms = txn->now.ms - account->updated_at.ms;

    if (settings.require_email_verification && !verified) {
        return refuse(&call->refusal, REFUSAL_AUTH_EMAIL_NOT_VERIFIED, NULL);
    }
    if (settings.password_days != 0 && age_ms >= (int64_t)settings.password_days * MS_PER_DAY) {
        return refuse(&call->refusal, REFUSAL_AUTH_FORBIDDEN, "The password has expired, please reset it");
    }
    return ERR_OK;
}

enum err data_sign_in(struct data_txn *txn, struct data_call *call)
{
    const struct data_sign *sign = call->sign;
    struct person person;
    struct row account;
    bool passed = true;

    TRY(people_find_person(txn, call, sign->user_id, REFUSAL_AUTH_INVALID_CREDENTIALS, &person));
    if (person.banned) {
        return refuse(&call->refusal, REFUSAL_AUTH_ACCOUNT_BANNED, NULL);
    }
    TRY(people_answer_pair(call, &person, NULL));
    /* The person's views end here. */
    TRY(people_check_password(txn, call, sign->user_id, REFUSAL_AUTH_INVALID_CREDENTIALS, &account));
    TRY(check_settings(txn, call, person.verified, &account));
    TRY(person.mfa ? mfa_pass(txn, call, sign->user_id, &passed) : ERR_OK);
    if (!passed) {
        return ERR_OK; /* the try is written, and the answer refuses */
    }
    TRY(store_stronger(txn, call));
    TRY(people_end_sessions(txn, sign->user_id, people_settings(txn).max_sessions - 1));
    return people_insert_session(txn, sign);
}

/* --- refreshing --- */

/* A token that was consumed before: somebody else has it. Everything of the user ends, and that is written though the
 * answer refuses. */
static enum err end_everything(struct data_txn *txn, struct data_call *call)
{
    const struct log_field fields[] = {LOG_TEXT("user", call->sign->user_id)};

    log_event(LOG_WARN, "refresh_token_reused", fields, ARRAY_LENGTH(fields));
    TRY(people_end_sessions(txn, call->sign->user_id, 0));
    call->status = UNAUTHORIZED;
    const enum err denied = refuse(&call->refusal, REFUSAL_AUTH_INVALID_REFRESH_TOKEN, NULL);
    return denied == ERR_DENIED ? ERR_OK : denied; /* answered after the commit */
}

static enum err check_person(struct data_txn *txn, struct data_call *call)
{
    struct person person;

    TRY(people_find_person(txn, call, call->sign->user_id, REFUSAL_AUTH_INVALID_REFRESH_TOKEN, &person));
    return person.banned ? refuse(&call->refusal, REFUSAL_AUTH_ACCOUNT_BANNED, NULL) : ERR_OK;
}

/* What the session remembers of the tokens that are given out: those whom the token before may still bring, and the one
 * access token that counts. */
static void remember(struct data_txn *txn, const struct data_sign *sign, struct session *session)
{
    const struct auth_settings settings = people_settings(txn);
    const bool graceful = settings.refresh_reuse_grace_ms != 0;

    session->has_before = graceful;
    memcpy(session->before, session->refresh, sizeof session->before);
    session->next_refresh = graceful ? sign->refresh_token : SPAN_NONE;
    session->next_access = graceful ? sign->access_token : SPAN_NONE;
    session->has_access = settings.invalidate_access_on_refresh;
    if (session->has_access) {
        sha256(sign->access_token, session->access);
    }
}

static enum err rotate(struct data_txn *txn, const struct data_sign *sign, struct session *session)
{
    const int64_t end_ms = session->row.created_at.ms + DATA_SESSION_MAX_MS;
    const struct row_id where = session->row.id;
    struct span encoded = SPAN_NONE;

    remember(txn, sign, session);
    memcpy(session->refresh, sign->refresh, sizeof session->refresh);
    session->active_at = txn->now;
    session->ends_at = at_most((sign->issued_s + (int64_t)sign->refresh_s) * MS_PER_S, end_ms);
    TRY(session_encode(txn->data, session, data_txn_later(txn, session->row.updated_at), &encoded));
    TRY(store_replace(txn->store, people_where(txn)->sessions, where, encoded, NULL));
    people_note_change(txn);
    return ERR_OK;
}

/* Is it the token before the current one, a moment after that was given out: refreshReuseGraceMs? A clock that was set
 * back makes no moment longer. */
static bool may_come_again(struct data_txn *txn, const struct data_sign *sign, const struct session *session)
{
    const int64_t age_ms = txn->now.ms - session->active_at.ms;

    return session->has_before && ct_equal(span_array(session->before), span_array(sign->presented)) && age_ms >= 0 &&
           age_ms < (int64_t)people_settings(txn).refresh_reuse_grace_ms;
}

/* The tokens that the first of two refreshes was given; those signed for the second one are of no use. */
static enum err answer_again(struct data_txn *txn, struct data_call *call, const struct session *session)
{
    const int64_t age_s = (txn->now.ms - session->active_at.ms) / MS_PER_S + 1;
    struct data_sign given = *call->sign;
    struct json_out out;

    given.access_token = session->next_access;
    given.refresh_token = session->next_refresh;
    given.access_s = (int64_t)given.access_s > age_s ? given.access_s - (uint32_t)age_s : 1;
    json_out_init(&out, call->out);
    json_out_object(&out);
    write_tokens(&out, &given);
    json_out_object_end(&out);
    return json_out_finish(&out);
}

enum err data_refresh(struct data_txn *txn, struct data_call *call)
{
    const struct data_sign *sign = call->sign;
    struct session session;

    TRY(check_person(txn, call));
    const enum err err = people_find_session(people_snap(txn), people_where(txn), sign->session_id, &session);
    if (err == ERR_NOT_FOUND || (err == ERR_OK && !span_equal(session.user, sign->user_id))) {
        return refuse(&call->refusal, REFUSAL_AUTH_INVALID_REFRESH_TOKEN, NULL);
    }
    TRY(err);
    if (txn->now.ms >= session.ends_at.ms) {
        return refuse(&call->refusal, REFUSAL_AUTH_SESSION_EXPIRED, NULL);
    }
    if (may_come_again(txn, sign, &session)) {
        return answer_again(txn, call, &session);
    }
    if (!ct_equal(span_array(session.refresh), span_array(sign->presented))) {
        return end_everything(txn, call);
    }
    TRY(people_answer_pair(call, NULL, NULL));
    return rotate(txn, sign, &session);
}

/* The session goes on with new tokens, as after a refresh. */
enum err data_switch(struct data_txn *txn, struct data_call *call)
{
    const struct data_sign *sign = call->sign;
    struct session session;

    TRY(people_need_user(txn, call));
    const enum err err = people_find_session(people_snap(txn), people_where(txn), txn->principal.session, &session);
    if (err == ERR_NOT_FOUND || (err == ERR_OK && !span_equal(session.user, sign->user_id))) {
        return refuse(&call->refusal, REFUSAL_AUTH_SESSION_EXPIRED, NULL);
    }
    TRY(err);
    TRY(people_answer_pair(call, NULL, NULL));
    return rotate(txn, sign, &session);
}

/* --- signing out --- */

static enum err delete_session(struct data_txn *txn, struct data_call *call, struct span id, struct span message)
{
    struct session session;

    const enum err err = people_find_session(people_snap(txn), people_where(txn), id, &session);
    if (err == ERR_NOT_FOUND || (err == ERR_OK && !span_equal(session.user, txn->principal.user))) {
        return refuse(&call->refusal, REFUSAL_AUTH_SESSION_NOT_FOUND, NULL);
    }
    TRY(err);
    TRY(people_answer(call, message));
    TRY(store_delete(txn->store, people_where(txn)->sessions, session.row.id));
    people_note_change(txn);
    return ERR_OK;
}

enum err people_need_user(const struct data_txn *txn, struct data_call *call)
{
    return txn->principal.user.len != 0 ? ERR_OK : refuse(&call->refusal, REFUSAL_AUTH_UNAUTHORIZED, NULL);
}

enum err data_sign_out(struct data_txn *txn, struct data_call *call)
{
    TRY(people_need_user(txn, call));
    return delete_session(txn, call, txn->principal.session, span_lit("Signed out"));
}

enum err data_session_delete(struct data_txn *txn, struct data_call *call)
{
    TRY(people_need_user(txn, call));
    return delete_session(txn, call, call->table, span_lit("The session was ended"));
}
