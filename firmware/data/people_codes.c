/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What codes in mails do, on the writer thread: they are made, sent, and accepted once. Whether a code still holds is
 * decided here, in the transaction that deletes it. An unknown address is answered as a known one is, after the same
 * work. Spec: contract 5.3, 5.5, 5.6. */
#include "firmware/data/people.h"

#include <string.h>

#include "firmware/data/invitations_int.h"
#include "firmware/data/mails_int.h"
#include "firmware/data/mfa_int.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"

#define CREATED 201
#define FOUND   302

/* --- answers --- */

/* {"message":...,"email":...} */
static enum err answer_sent(struct data_call *call, struct span message)
{
    struct json_out out;

    json_out_init(&out, call->out);
    json_out_object(&out);
    json_out_member_text(&out, span_lit("message"), message);
    json_out_member_text(&out, span_lit("email"), call->sign->email);
    json_out_object_end(&out);
    return json_out_finish(&out);
}

/* --- sending --- */

/* Whose address it is; false: nobody's, and the person is another. The views end with the next change. */
static enum err find_addressee(struct data_txn *txn, struct span email, struct person *out_person, bool *out_found)
{
    bool is_it = false;

    const enum err err = people_find_email_or_other(people_snap(txn), people_where(txn), email, out_person, &is_it);
    *out_found = err == ERR_OK && is_it;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* To the address of data_sign, if it is somebody's. */
static enum err send_to_known(struct data_txn *txn, struct data_call *call, enum data_code_purpose purpose)
{
    struct mails_order order = {.purpose = purpose, .mail = &call->sign->mail, .email = call->sign->email};
    struct person person;
    bool found = false;

    TRY(find_addressee(txn, call->sign->email, &person, &found));
    if (!found) {
        return mails_pretend(txn, &order);
    }
    TRY(people_keep_person(call, &person));
    order.person = &person;
    return mails_send(txn, &order);
}

enum err data_reset_request(struct data_txn *txn, struct data_call *call)
{
    TRY(people_answer(call,
                      span_lit("If there is an account with this address, a link to reset its password was sent")));
    return send_to_known(txn, call, DATA_CODE_RESET);
}

static const char link_sent[] = "A sign-in link was sent to this address if it can be used";

enum err data_magic_sign_in(struct data_txn *txn, struct data_call *call)
{
    TRY(answer_sent(call, span_str(link_sent)));
    return send_to_known(txn, call, DATA_CODE_MAGIC);
}

/* Whoever opens the link of an address that is nobody's becomes its user. */
enum err data_magic_sign_up(struct data_txn *txn, struct data_call *call)
{
    struct mails_order order = {
        .purpose = DATA_CODE_MAGIC, .mail = &call->sign->mail, .email = call->sign->email, .name = call->sign->name};
    struct person person;
    bool found = false;

    TRY(answer_sent(call, span_str(link_sent)));
    call->status = CREATED;
    TRY(find_addressee(txn, call->sign->email, &person, &found));
    if (found) {
        TRY(people_keep_person(call, &person));
        order.person = &person;
    }
    return mails_send(txn, &order);
}

/* A new address for the account of whoever asks. */
static enum err send_change(struct data_txn *txn, struct data_call *call, struct person *account)
{
    const struct mails_order order = {
        .purpose = DATA_CODE_VERIFY, .mail = &call->sign->mail, .email = call->sign->email, .person = account};

    TRY(people_keep_person(call, account));
    return mails_send(txn, &order);
}

enum err data_verify_send(struct data_txn *txn, struct data_call *call)
{
    const struct data_sign *sign = call->sign;
    const struct mails_order pretended = {.purpose = DATA_CODE_VERIFY, .mail = &sign->mail, .email = sign->email};
    struct person person;
    bool found = false;

    TRY(answer_sent(call, span_lit("A link to confirm this address was sent to it if it can be used")));
    if (txn->principal.user.len != 0) {
        TRY(people_find_person(txn, call, txn->principal.user, REFUSAL_AUTH_UNAUTHORIZED, &person));
        if (!span_equal(person.email, sign->email)) {
            return send_change(txn, call, &person);
        }
    }
    TRY(find_addressee(txn, sign->email, &person, &found));
    if (found && person.verified && people_settings(txn).enumeration_protection) {
        return mails_pretend(txn, &pretended);
    }
    if (found && person.verified) {
        return refuse(&call->refusal, REFUSAL_AUTH_ALREADY_VERIFIED, NULL);
    }
    return send_to_known(txn, call, DATA_CODE_VERIFY);
}

/* --- accepting --- */

/* For whoever asks later how an account came into other hands. */
static void note(const char *event, struct span user)
{
    const struct log_field fields[] = {LOG_TEXT("user", user)};

    log_event(LOG_INFO, event, fields, ARRAY_LENGTH(fields));
}

/* The code that was presented. ERR_DENIED with one of the two. */
static enum err find_code(struct data_txn *txn, struct data_call *call, enum refusal_code absent,
                          enum refusal_code over, struct code *out_code)
{
    struct span encoded = SPAN_NONE;
    struct code code;
    struct row copy;

    const enum err err = code_find(people_snap(txn), people_where(txn), call->sign->presented, &code);
    if (err == ERR_NOT_FOUND) {
        return refuse(&call->refusal, absent, NULL);
    }
    TRY(err);
    if (txn->now.ms >= code.ends_at.ms) {
        return refuse(&call->refusal, over, NULL);
    }
    TRY(arena_copy(call->arena, code.row.encoded, &encoded));
    TRY(row_read(code.row.id, encoded, &copy));
    return code_read(&copy, out_code);
}

/* The user of a code, as they are now. One whose address is another by now is not who the mail went to. */
static enum err find_owner(struct data_txn *txn, struct data_call *call, const struct code *code,
                           enum refusal_code absent, struct person *out_person)
{
    TRY(people_find_person(txn, call, code->owner, absent, out_person));
    TRY(people_keep_person(call, out_person));
    return code->new_email || span_equal(code->email, out_person->email) ? ERR_OK
                                                                         : refuse(&call->refusal, absent, NULL);
}

/* Whoever has an address gets what was waiting for it. */
static enum err store_verified(struct data_txn *txn, struct data_call *call, struct person *person)
{
    struct span encoded = SPAN_NONE;

    if (!person->verified) {
        person->verified = true;
        person->verified_at = txn->now;
    }
    TRY(invitations_claim(txn, call->arena, person));
    TRY(person_encode(txn->data, person, data_txn_later(txn, person->row.updated_at), &encoded));
    TRY(store_replace(txn->store, people_where(txn)->users, person->row.id, encoded, NULL));
    people_note_change(txn);
    return ERR_OK;
}

/* An address that nobody confirmed may stand in an account that a stranger made. Whoever comes by a mail to it has the
 * address, and from here on the account: nothing holds any more by which the stranger could get in. */
static enum err claim(struct data_txn *txn, struct data_call *call, struct person *person)
{
    TRY(people_end_sessions(txn, person->id, 0));
    TRY(people_forget_rows(txn, people_where(txn)->accounts, person->id));
    TRY(people_forget_rows(txn, people_where(txn)->mfa, person->id));
    TRY(codes_end_change(txn, person->id));
    person->mfa = false;
    note("account_claimed", person->id);
    return store_verified(txn, call, person);
}

/* The code is used up and its address confirmed. Whoever opens it vouches for who signed up, or asked for the address. */
static enum err confirm(struct data_txn *txn, struct data_call *call)
{
    struct person person;
    struct code code;

    TRY(find_code(txn, call, REFUSAL_AUTH_INVALID_TOKEN, REFUSAL_AUTH_TOKEN_EXPIRED, &code));
    TRY(find_owner(txn, call, &code, REFUSAL_AUTH_INVALID_TOKEN, &person));
    if (code.new_email && !span_equal(code.email, person.email)) {
        TRY(people_refuse_taken(txn, code.email, &call->refusal));
        person.email = code.email;
        person.verified = false; /* from now on it is another */
        note("email_changed", person.id);
    }
    TRY(store_verified(txn, call, &person));
    return store_delete(txn->store, people_where(txn)->codes, code.row.id);
}

enum err data_verify_confirm(struct data_txn *txn, struct data_call *call)
{
    struct json_out out;

    json_out_init(&out, call->out);
    json_out_object(&out);
    json_out_member_text(&out, span_lit("message"), span_lit("The address is confirmed"));
    json_out_member_bool(&out, span_lit("verified"), true);
    json_out_object_end(&out);
    TRY(json_out_finish(&out));
    return confirm(txn, call);
}

/* The one body that is always in an envelope: contract 5.6. */
enum err data_verify_visit(struct data_txn *txn, struct data_call *call)
{
    struct json_out out;

    json_out_init(&out, call->out);
    json_out_object(&out);
    json_out_member_bool(&out, span_lit("success"), true);
    json_out_name(&out, span_lit("data"));
    json_out_object(&out);
    json_out_member_bool(&out, span_lit("verified"), true);
    json_out_member_text(&out, span_lit("email"), call->sign->email);
    json_out_object_end(&out);
    json_out_object_end(&out);
    TRY(json_out_finish(&out));
    call->status = call->sign->redirects ? FOUND : call->status;
    return confirm(txn, call);
}

/* --- signing in by a link --- */

/* Who has the address now; or a new user, with the id that the tokens were signed for. */
static enum err find_or_make(struct data_txn *txn, struct data_call *call, const struct code *code,
                             struct person *out_person, bool *out_new)
{
    const struct span email = code->email;
    bool found = false;

    TRY(find_addressee(txn, email, out_person, &found));
    *out_new = !found;
    if (found) {
        TRY(people_keep_person(call, out_person));
        /* Somebody else's since the reactor looked: the tokens are of no use, and the link is left for another try. */
        return span_equal(out_person->id, call->sign->user_id)
                   ? ERR_OK
                   : refuse(&call->refusal, REFUSAL_AUTH_INVALID_TOKEN, NULL);
    }
    if (!people_settings(txn).signup_enabled) {
        return refuse(&call->refusal, REFUSAL_AUTH_FORBIDDEN, "Sign-up is closed");
    }
    const struct span name = code->name.len != 0 ? code->name : span_of(email.data, span_find(email, '@'));
    *out_person = people_new(txn, call->sign->user_id, email, name);
    out_person->verified = true;
    out_person->verified_at = txn->now;
    return ERR_OK;
}

/* Whoever read the mail has the address, so it is confirmed. Of an address that was not, a second factor is anybody's. */
enum err data_magic_callback(struct data_txn *txn, struct data_call *call)
{
    struct person person;
    struct code code;
    bool is_new = false;
    bool passed = true;

    TRY(find_code(txn, call, REFUSAL_AUTH_INVALID_TOKEN, REFUSAL_AUTH_TOKEN_EXPIRED, &code));
    TRY(find_or_make(txn, call, &code, &person, &is_new));
    if (person.banned) {
        return refuse(&call->refusal, REFUSAL_AUTH_ACCOUNT_BANNED, NULL);
    }
    TRY(person.mfa && person.verified ? mfa_pass(txn, call, person.id, &passed) : ERR_OK);
    if (!passed) {
        return ERR_OK; /* the try is written, and the answer refuses; the link still holds */
    }
    if (is_new) {
        TRY(people_insert(txn, &person));
    } else if (!person.verified) {
        TRY(claim(txn, call, &person));
    }
    TRY(people_answer_pair(call, &person, &is_new));
    TRY(store_delete(txn->store, people_where(txn)->codes, code.row.id));
    TRY(people_end_sessions(txn, call->sign->user_id, people_settings(txn).max_sessions - 1));
    return people_insert_session(txn, call->sign);
}

/* --- a new password --- */

enum err data_reset_confirm(struct data_txn *txn, struct data_call *call)
{
    const enum refusal_code absent = REFUSAL_AUTH_VERIFICATION_TOKEN_NOT_FOUND;
    struct person person;
    struct code code;

    TRY(find_code(txn, call, absent, REFUSAL_AUTH_VERIFICATION_TOKEN_EXPIRED, &code));
    TRY(find_owner(txn, call, &code, absent, &person));
    TRY(people_answer(call, span_lit("The password was changed, please sign in")));
    TRY(store_delete(txn->store, people_where(txn)->codes, code.row.id));
    TRY(person.verified ? codes_end_change(txn, person.id) : claim(txn, call, &person));
    TRY(people_put_password(txn, person.id, &call->sign->stronger));
    note("password_reset", person.id);
    return people_end_sessions(txn, person.id, 0);
}

enum err data_password_change(struct data_txn *txn, struct data_call *call)
{
    const struct span user = txn->principal.user;
    struct row account;

    TRY(people_need_user(txn, call));
    TRY(people_check_password(txn, call, user, REFUSAL_AUTH_INVALID_PASSWORD, &account));
    const bool keeps = people_settings(txn).keep_current_session;
    TRY(people_answer(call, keeps ? span_lit("The password was changed")
                                  : span_lit("The password was changed, please sign in")));
    TRY(people_replace_password(txn, &account, user, &call->sign->stronger));
    TRY(codes_end_change(txn, user)); /* whoever has the old password may have asked for one */
    note("password_changed", user);
    return people_end_other_sessions(txn, user, keeps ? txn->principal.session : SPAN_NONE);
}
