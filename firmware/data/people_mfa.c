/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Turning a user's second factor on and off, on the writer thread. That the password is right was found out on the
 * reactor; that it still is, and everything about codes, is decided here. Spec: contract 5.7. */
#include "firmware/data/people.h"

#include "firmware/auth/base32.h"
#include "firmware/data/doc.h"
#include "firmware/data/mfa_int.h"
#include "firmware/mail/link.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"

#define URL_MAX 8192 /* bytes: the name of a project may be there twice, three for each of its bytes */

struct key_text {
    char text[BASE32_CHARS(TOTP_KEY_BYTES)];
};

static void wipe_key_text(struct key_text *key)
{
    mem_wipe(key, sizeof *key);
}
#define SCOPED_KEY_TEXT SCOPED(wipe_key_text)

/* The user who asks, with the password that data_sign was compared with. */
static enum err find_asker(struct data_txn *txn, struct data_call *call, struct person *out_person)
{
    struct row account;

    TRY(people_need_user(txn, call));
    TRY(people_check_password(txn, call, txn->principal.user, REFUSAL_AUTH_INVALID_CREDENTIALS, &account));
    return people_find_person(txn, call, txn->principal.user, REFUSAL_AUTH_UNAUTHORIZED, out_person);
}

/* --- answers --- */

/* otpauth://totp/<issuer>:<email>?secret=..&issuer=.. */
static enum err put_url(struct data_txn *txn, const struct person *person, struct span key, struct buf *out)
{
    const struct span issuer = /* of operators: the appliance itself */
        txn->project == NULL ? span_lit("Rowlock") : doc_text(txn->project->record.doc, span_lit("name"));
    const struct mail_parameter parameters[] = {{span_lit("secret"), key}, {span_lit("issuer"), issuer}};
    const size_t at = span_find(person->email, '@');
    SCOPED_BUF struct buf *label = NULL;

    TRY(buf_new(URL_MAX, &label));
    TRY(buf_put(label, span_lit("otpauth://totp/")));
    TRY(mail_encoded_put(label, issuer));
    TRY(buf_put(label, span_lit(":")));
    TRY(mail_encoded_put(label, span_of(person->email.data, at)));
    TRY(buf_put(label, span_lit("@")));
    TRY(mail_encoded_put(label, span_of(person->email.data + at + 1, person->email.len - at - 1)));
    return mail_link_put(out, buf_all(label), parameters, ARRAY_LENGTH(parameters));
}

static void write_codes(struct json_out *out, const struct mfa *mfa)
{
    json_out_name(out, span_lit("backupCodes"));
    json_out_array(out);
    for (size_t i = 0; i < MFA_CODES; i++) {
        json_out_text(out, span_of(mfa->fresh + i * MFA_CODE_CHARS, MFA_CODE_CHARS));
    }
    json_out_array_end(out);
}

static enum err answer_new(struct data_txn *txn, struct data_call *call, const struct person *person,
                           const struct mfa *mfa)
{
    SCOPED_KEY_TEXT struct key_text key = {{0}};
    SCOPED_BUF struct buf *url = NULL;
    struct json_out out;

    base32_encode(span_array(mfa->key), key.text);
    TRY(buf_new(URL_MAX, &url));
    TRY(put_url(txn, person, span_array(key.text), url));
    json_out_init(&out, call->out);
    json_out_object(&out);
    json_out_member_text(&out, span_lit("secret"), span_array(key.text));
    json_out_member_text(&out, span_lit("qrCodeUrl"), buf_all(url));
    write_codes(&out, mfa);
    json_out_object_end(&out);
    return json_out_finish(&out);
}

static enum err answer_codes(struct data_call *call, const struct mfa *mfa)
{
    struct json_out out;

    json_out_init(&out, call->out);
    json_out_object(&out);
    write_codes(&out, mfa);
    json_out_object_end(&out);
    return json_out_finish(&out);
}

static enum err answer_nothing(struct data_call *call)
{
    struct json_out out;

    json_out_init(&out, call->out);
    json_out_object(&out);
    json_out_object_end(&out);
    return json_out_finish(&out);
}

/* --- operations --- */

static enum err refuse_none_pending(struct data_call *call)
{
    return refuse(&call->refusal, REFUSAL_AUTH_MFA_SETUP_EXPIRED, "No authenticator app is being set up");
}

/* ERR_NOT_FOUND is none. */
static enum err find_any(struct data_txn *txn, struct mfa *out_mfa)
{
    const enum err err = mfa_find(txn, txn->principal.user, out_mfa);

    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err data_mfa_enable(struct data_txn *txn, struct data_call *call)
{
    SCOPED_MFA struct mfa mfa = {.stored = false};
    struct person person;

    TRY(find_asker(txn, call, &person));
    if (person.mfa) {
        return refuse(&call->refusal, REFUSAL_AUTH_MFA_ALREADY_ENABLED, NULL);
    }
    TRY(people_keep_person(call, &person));
    TRY(find_any(txn, &mfa));
    mfa_renew(txn, &mfa);
    TRY(answer_new(txn, call, &person, &mfa));
    return mfa_store(txn, txn->principal.user, &mfa);
}

/* What the user's row says of it, and a line in the log. */
static enum err set_mfa(struct data_txn *txn, struct person *person, bool is_on)
{
    const struct log_field fields[] = {LOG_TEXT("user", txn->principal.user)};
    struct span encoded = SPAN_NONE;

    person->mfa = is_on;
    TRY(person_encode(txn->data, person, data_txn_later(txn, person->row.updated_at), &encoded));
    TRY(store_replace(txn->store, people_where(txn)->users, person->row.id, encoded, NULL));
    people_note_change(txn);
    log_event(LOG_INFO, is_on ? "mfa_enabled" : "mfa_disabled", fields, ARRAY_LENGTH(fields));
    return ERR_OK;
}

/* One that nobody confirmed in time goes when it is met, though the answer refuses. */
static enum err forget_expired(struct data_txn *txn, struct data_call *call, const struct mfa *mfa)
{
    const enum err denied = refuse_none_pending(call);

    TRY(store_delete(txn->store, people_where(txn)->mfa, mfa->row));
    return denied == ERR_DENIED ? ERR_OK : denied;
}

enum err data_mfa_confirm(struct data_txn *txn, struct data_call *call)
{
    SCOPED_MFA struct mfa mfa = {.stored = false};
    struct person person;
    bool right = false;

    TRY(people_need_user(txn, call));
    TRY(people_find_person(txn, call, txn->principal.user, REFUSAL_AUTH_UNAUTHORIZED, &person));
    TRY(people_keep_person(call, &person));
    TRY(find_any(txn, &mfa));
    if (!mfa.stored || !mfa.pending) {
        return refuse_none_pending(call);
    }
    if (txn->now.ms >= mfa.pending_until.ms) {
        return forget_expired(txn, call, &mfa);
    }
    TRY(mfa_try(txn, call, person.id, &mfa, &right));
    if (!right) {
        return ERR_OK;
    }
    TRY(answer_codes(call, &mfa));
    mfa_turn_on(person.id, &mfa);
    TRY(mfa_store(txn, person.id, &mfa));
    return set_mfa(txn, &person, true);
}

/* A code is tried if there is one; it has to be there if the environment says so. */
static enum err try_to_disable(struct data_txn *txn, struct data_call *call, struct mfa *mfa, bool *out_may)
{
    if (call->sign->mfa_code.len == 0 && people_settings(txn).mfa_disable_requires_code) {
        return refuse(&call->refusal, REFUSAL_AUTH_MFA_REQUIRED, "A code is needed: code");
    }
    if (call->sign->mfa_code.len == 0) {
        *out_may = true;
        return ERR_OK;
    }
    return mfa_try(txn, call, txn->principal.user, mfa, out_may);
}

enum err data_mfa_disable(struct data_txn *txn, struct data_call *call)
{
    SCOPED_MFA struct mfa mfa = {.stored = false};
    struct person person;
    bool may = false;

    TRY(find_asker(txn, call, &person));
    if (!person.mfa) {
        return refuse(&call->refusal, REFUSAL_AUTH_MFA_NOT_ENABLED, NULL);
    }
    TRY(people_keep_person(call, &person));
    TRY(find_any(txn, &mfa));
    ENSURE(mfa.stored && !mfa.pending, ERR_DAMAGED, "a second factor that is on and not there");
    TRY(try_to_disable(txn, call, &mfa, &may));
    if (!may) {
        return ERR_OK;
    }
    TRY(answer_nothing(call));
    TRY(store_delete(txn->store, people_where(txn)->mfa, mfa.row));
    return set_mfa(txn, &person, false);
}
