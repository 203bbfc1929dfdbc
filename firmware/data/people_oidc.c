/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Signing in by an issuer, and linking an account there, on the writer thread. The reactor has verified what the issuer
 * says; who that is here, and whether the environment still takes that issuer's word, is decided in the transaction.
 *
 * An account is found by its identity and by nothing else. An address that is somebody's here makes no link: whoever runs
 * the issuer could take any account over by it. Spec: contract 5.8. */
#include "firmware/data/people.h"

#include <string.h>

#include "firmware/data/codes_int.h"
#include "firmware/data/mfa_int.h"
#include "firmware/data/oidc.h"
#include "firmware/data/people_int.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"

#define CREATED 201

/* --- identities --- */

void data_identity_digest(const struct data_identity *identity, uint8_t out_digest[SHA256_BYTES])
{
    const struct span parts[] = {identity->provider, identity->issuer, identity->subject};

    sha256_parts(parts, ARRAY_LENGTH(parts), out_digest);
}

enum err people_find_identity(struct store_snap *snap, const struct catalog_people *where,
                              const uint8_t digest[SHA256_BYTES], struct account *out_account)
{
    char text[HEX_BYTES(SHA256_BYTES)];
    struct row row;

    hex_encode(span_of(digest, SHA256_BYTES), text);
    const enum err err = people_find(snap, where->accounts, ACCOUNT_IDENTITY, span_array(text), &row);
    if (err == ERR_NOT_FOUND) {
        fault_clear();
        return err;
    }
    TRY(err);
    return account_read(&row, out_account);
}

static enum err insert_account(struct data_txn *txn, struct span user, const struct data_identity *identity)
{
    char id[AUTH_UUID_BYTES];
    char text[HEX_BYTES(SHA256_BYTES)];
    uint8_t digest[SHA256_BYTES];
    struct row_builder builder;
    struct span encoded = SPAN_NONE;

    auth_uuid_make(txn->data->random, id);
    data_identity_digest(identity, digest);
    hex_encode(span_array(digest), text);
    TRY(row_build_begin(&builder, txn->data->row, txn->now, txn->now, user));
    TRY(row_build_string(&builder, (struct row_key){.column = ACCOUNT_ID}, span_array(id)));
    TRY(row_build_string(&builder, (struct row_key){.column = ACCOUNT_PROVIDER}, identity->provider));
    TRY(row_build_string(&builder, (struct row_key){.column = ACCOUNT_PROVIDER_ID}, identity->subject));
    TRY(row_build_string(&builder, (struct row_key){.column = ACCOUNT_IDENTITY}, span_array(text)));
    TRY(row_build_end(&builder, &encoded));
    return store_insert(txn->store, people_where(txn)->accounts, store_txn_row_id(txn->store, txn->now), encoded, NULL);
}

/* Does the environment still take the word of that issuer? */
static enum err check_provider(const struct data_txn *txn, struct data_call *call)
{
    const struct data_identity *identity = &call->sign->identity;
    struct data_oidc provider;

    const bool ready = data_oidc_find(txn->environment, identity->provider, &provider) == DATA_OIDC_READY;
    return ready && span_equal(provider.issuer, identity->issuer)
               ? ERR_OK
               : refuse(&call->refusal, REFUSAL_AUTH_OAUTH_NOT_CONFIGURED, NULL);
}

static void note(const char *event, struct span user, struct span provider)
{
    const struct log_field fields[] = {LOG_TEXT("user", user), LOG_TEXT("provider", provider)};

    log_event(LOG_INFO, event, fields, ARRAY_LENGTH(fields));
}

/* The user of the identity. out_user lasts: memory of the request. ERR_NOT_FOUND. */
static enum err find_user(struct data_txn *txn, struct data_call *call, const struct data_identity *identity,
                          struct span *out_user)
{
    uint8_t digest[SHA256_BYTES];
    struct account account;

    data_identity_digest(identity, digest);
    const enum err err = people_find_identity(people_snap(txn), people_where(txn), digest, &account);
    return err == ERR_OK ? arena_copy(call->arena, account.user, out_user) : err;
}

/* --- a code that was taken before the second factor was shown ---
 *
 * An issuer takes each code once, and a client asks its user for a second factor only after it was told to, with the code
 * in its hands. So what the code brought is kept for a while under the code's digest: nobody gets in by it but with the
 * second factor, also if that was turned off meanwhile. Otherwise we would take a code twice that the issuer takes once. */

static enum err keep_code(struct data_txn *txn, const struct data_sign *sign, const struct person *person)
{
    struct code code = {.purpose = DATA_CODE_OAUTH,
                        .owner = person->id,
                        .email = person->email,
                        .name = sign->identity.subject,
                        .ends_at = {txn->now.ms + DATA_CODE_OAUTH_MS}};

    if (!sign->identity.may_keep) {
        return ERR_OK;
    }
    memcpy(code.digest, sign->presented, sizeof code.digest);
    return code_insert(txn, &code);
}

/* The identity that is kept with a code. ERR_DENIED: it is over, or was used meanwhile. */
static enum err find_kept(struct data_txn *txn, struct data_call *call, struct data_identity *identity,
                          struct row_id *out_row)
{
    struct code code;

    const enum err err = code_find(people_snap(txn), people_where(txn), call->sign->presented, &code);
    if (err == ERR_NOT_FOUND || (err == ERR_OK && txn->now.ms >= code.ends_at.ms)) {
        return refuse(&call->refusal, REFUSAL_AUTH_INVALID_OAUTH_CODE, NULL);
    }
    TRY(err);
    *out_row = code.row.id;
    return arena_copy(call->arena, code.name, &identity->subject);
}

/* Does the person show a second factor, if they have one? false: the try and the code are written, and the answer refuses. */
static enum err pass(struct data_txn *txn, struct data_call *call, const struct person *person, bool *out_passed)
{
    const struct data_sign *sign = call->sign;

    if (!person->mfa && sign->identity.kept) {
        return refuse(&call->refusal, REFUSAL_AUTH_INVALID_OAUTH_CODE, NULL);
    }
    *out_passed = !person->mfa;
    if (!person->mfa) {
        return ERR_OK;
    }
    const enum err err = mfa_pass(txn, call, person->id, out_passed);
    if (err == ERR_OK && !*out_passed) {
        return keep_code(txn, sign, person);
    }
    if (err == ERR_DENIED && sign->mfa_code.len == 0 && sign->identity.may_keep) {
        *out_passed = false;
        return keep_code(txn, sign, person); /* the refusal stands in the call */
    }
    return err;
}

/* --- signing in --- */

static enum err make_person(struct data_txn *txn, struct data_call *call, struct person *out_person)
{
    const struct data_identity *identity = &call->sign->identity;
    struct person other;

    if (!people_settings(txn).signup_enabled) {
        return refuse(&call->refusal, REFUSAL_AUTH_FORBIDDEN, "Sign-up is closed");
    }
    if (identity->email.len == 0) {
        return refuse(&call->refusal, REFUSAL_AUTH_EMAIL_NOT_VERIFIED,
                      "The provider has not verified an email address");
    }
    const enum err err = people_find_email(people_snap(txn), people_where(txn), identity->email, &other);
    if (err == ERR_OK) {
        return refuse(&call->refusal, REFUSAL_AUTH_ACCOUNT_EXISTS_DIFFERENT_PROVIDER, NULL);
    }
    ENSURE(err == ERR_NOT_FOUND, err, "looking for an address");
    fault_clear();
    *out_person = people_new(txn, call->sign->user_id, identity->email, identity->name);
    out_person->verified = true;
    out_person->verified_at = txn->now;
    return ERR_OK;
}

/* Whose account it is; or a new user, with the id that the tokens were signed for. */
static enum err find_or_make(struct data_txn *txn, struct data_call *call, const struct data_identity *identity,
                             struct person *out_person, bool *out_new)
{
    const struct data_sign *sign = call->sign;
    struct span user = SPAN_NONE;

    const enum err err = find_user(txn, call, identity, &user);
    *out_new = err == ERR_NOT_FOUND;
    if (err == ERR_OK ? !span_equal(user, sign->user_id) : err == ERR_NOT_FOUND && identity->known) {
        return refuse(&call->refusal, REFUSAL_AUTH_INVALID_OAUTH_CODE, NULL); /* changed since the reactor looked */
    }
    if (*out_new) {
        return make_person(txn, call, out_person);
    }
    TRY(err);
    TRY(people_find_person(txn, call, user, REFUSAL_AUTH_INVALID_OAUTH_CODE, out_person));
    return people_keep_person(call, out_person);
}

static enum err check_person(struct data_txn *txn, struct data_call *call, const struct person *person)
{
    if (person->banned) {
        return refuse(&call->refusal, REFUSAL_AUTH_ACCOUNT_BANNED, NULL);
    }
    if (people_settings(txn).require_email_verification && !person->verified) {
        return refuse(&call->refusal, REFUSAL_AUTH_EMAIL_NOT_VERIFIED, NULL);
    }
    return ERR_OK;
}

enum err data_oidc_sign_in(struct data_txn *txn, struct data_call *call)
{
    const struct data_sign *sign = call->sign;
    struct data_identity identity = sign->identity;
    struct row_id kept = {{0}};
    struct person person;
    bool is_new = false;
    bool passed = false;

    TRY(check_provider(txn, call));
    TRY(identity.kept ? find_kept(txn, call, &identity, &kept) : ERR_OK);
    TRY(find_or_make(txn, call, &identity, &person, &is_new));
    TRY(check_person(txn, call, &person));
    TRY(pass(txn, call, &person, &passed));
    if (!passed) {
        return ERR_OK; /* what is kept holds for another try */
    }
    TRY(people_answer_pair(call, &person, &is_new));
    if (identity.kept) {
        TRY(store_delete(txn->store, people_where(txn)->codes, kept));
    }
    if (is_new) {
        TRY(people_insert(txn, &person));
        TRY(insert_account(txn, person.id, &identity));
        note("oauth_signed_up", sign->user_id, identity.provider);
    }
    TRY(people_end_sessions(txn, sign->user_id, people_settings(txn).max_sessions - 1));
    return people_insert_session(txn, sign);
}

/* --- linking --- */

enum err data_account_link(struct data_txn *txn, struct data_call *call)
{
    const struct data_identity *identity = &call->sign->identity;
    struct row_id row = {{0}};
    struct span user = SPAN_NONE;
    uint64_t count = 0;

    TRY(people_need_user(txn, call));
    TRY(check_provider(txn, call));
    enum err err = find_user(txn, call, identity, &user); /* theirs or another's */
    if (err == ERR_NOT_FOUND) {
        err = people_find_account(txn, txn->principal.user, identity->provider, &row, &count);
    }
    if (err == ERR_OK) {
        return refuse(&call->refusal, REFUSAL_AUTH_ACCOUNT_ALREADY_LINKED, NULL);
    }
    ENSURE(err == ERR_NOT_FOUND, err, "looking for an account");
    TRY(buf_put(call->out, span_lit("{}")));
    call->status = CREATED;
    TRY(insert_account(txn, txn->principal.user, identity));
    note("account_linked", txn->principal.user, identity->provider);
    return ERR_OK;
}
