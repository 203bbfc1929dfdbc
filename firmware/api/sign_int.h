/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the routes of sign-in share: a request on its way through keeper, hash pool and writer. A route reads its fields,
 * looks things up and begins a step; the step calls back, and the last one hands the request to the writer. */
#ifndef FIRMWARE_API_SIGN_INT_H
#define FIRMWARE_API_SIGN_INT_H

#include "firmware/api/request_int.h"
#include "firmware/auth/account.h"
#include "firmware/auth/settings.h"
#include "firmware/data/doc.h"
#include "firmware/data/people.h"
#include "hal/socket.h"

/* In the arena of the request. */
struct sign {
    struct api_request *request;
    enum err (*hashed)(struct sign *sign); /* what follows the hash under way */
    struct account_email email;
    struct span password;
    struct span callback; /* where a link may lead, if the request says so */
    struct data_login login;
    struct data_people people;
    struct data_sign data; /* what the writer gets */
    char user_id[AUTH_UUID_BYTES];
    char session_id[AUTH_UUID_BYTES];
    char address[SOCKET_ADDRESS_TEXT_MAX];
    char code[DATA_CODE_TEXT_BYTES];
    struct api_pepper_job pepper;
    struct auth_hash_job hash;
    struct api_token_job tokens;
};

/* Of a request whose key was verified, with the client's address and agent. ERR_NO_MEMORY. */
enum err sign_new(struct api_request *request, struct sign **out_sign) MUST_USE;

/* The id of the API key's environment; without a key of request->place. */
struct span sign_environment(const struct sign *sign);

/* What holds for signing in to it, by the catalogue of the request. */
struct auth_settings sign_settings(const struct api_request *request);

/* --- fields: ERR_DENIED --- */

/* 400 auth/invalid-request: the field and why. */
enum err sign_refuse_field(struct api_request *request, struct span name, const char *why) MUST_USE;

/* A text that has to be there; anything else in its place, an object of operators for one, is no text. */
enum err sign_read_text(struct api_request *request, struct span name, struct span *out_text) MUST_USE;

/* A text that may be missing: null is none. What is there and no text is refused as above. */
enum err sign_read_maybe(struct api_request *request, struct span name, struct span *out_text) MUST_USE;

/* The code of a second factor, into sign->data.mfa_code: absent, null and an empty text are none. */
enum err sign_read_code(struct sign *sign, struct span name) MUST_USE;

/* `name`, into sign->data.name. */
enum err sign_read_name(struct sign *sign) MUST_USE;

/* `email`, into sign->email and sign->data.email. */
enum err sign_read_email(struct sign *sign) MUST_USE;

/* `callbackUrl`, into sign->callback if the project lets it: it is ignored otherwise. */
enum err sign_read_callback(struct sign *sign) MUST_USE;

/* Does a new password obey the policy of the environment? */
enum err sign_check_password(struct api_request *request, struct span password) MUST_USE;

/* --- mails and codes --- */

/* A sign-in link instead of a password: codes.c. The operation decides what becomes of an address that is nobody's. */
enum err sign_send_link(struct sign *sign, data_operation *operation) MUST_USE;

/* The digest of the code in `token` that came back, for purpose and, unless it is empty, address, into
 * sign->data.presented; and what is known of it. ERR_NOT_FOUND. */
enum err sign_find_code(struct sign *sign, const struct data_code_of *of, struct data_code *out_code) MUST_USE;

/* Makes a code for sign->data.email and the link that brings it back, by way of sign->callback, into sign->data.mail.
 * ERR_NO_MEMORY. */
enum err sign_make_mail(struct sign *sign, enum mail_category category) MUST_USE;

/* --- limits: ERR_DENIED with Retry-After --- */

/* One unit, or 429 auth/too-many-requests. */
enum err sign_take(struct api_request *request, struct limits_rule rule, struct span key) MUST_USE;

/* The same for one more user of the address. */
enum err sign_take_sign_up(struct api_request *request) MUST_USE;

/* Contract 1.9: after that many failures even the right password is refused for the rest of the window. Both ask for
 * sign->email and sign->login. */
enum err sign_check_lockout(const struct sign *sign) MUST_USE;
void sign_count_failure(const struct sign *sign);

/* One mail to sign->email, or 429 auth/too-many-code-requests; or, for what goes on without the mail, false. */
enum err sign_take_mail(const struct sign *sign) MUST_USE;
bool sign_may_mail(const struct sign *sign) MUST_USE;

/* --- steps. ERR_OK: it is under way, and on the loop's thread what follows it is called or the request is finished with
 * its error. ERR_DENIED 503: the pool or the keeper has too much to do. --- */

/* Hashes a password as that of the user who asks is, to compare the two; or as nobody's. */
enum err sign_hash_own(struct sign *sign, struct span password, enum err (*hashed)(struct sign *sign)) MUST_USE;

/* Hashes a password: to be kept, with a salt of its own and at today's cost; or as another one was, to compare the two. */
enum err sign_hash_new(struct sign *sign, struct span password, enum err (*hashed)(struct sign *sign)) MUST_USE;
enum err sign_hash_like(struct sign *sign, struct span password, const struct data_password *like,
                        enum err (*hashed)(struct sign *sign)) MUST_USE;

/* A `hashed`: what was hashed new goes to the writer, for a user who is there or who is made. */
enum err sign_submit_hashed(struct sign *sign) MUST_USE;

/* In `hashed`: is it the hash of that password; and all of it, to be stored. */
bool sign_hash_is(const struct sign *sign, const struct data_password *password);
void sign_keep_hash(const struct sign *sign, struct data_password *out);

/* Has tokens signed for user and session of sign->data, and then hands the request to the writer. The second: for a
 * session that begins now. */
enum err sign_tokens(struct sign *sign) MUST_USE;
enum err sign_new_session(struct sign *sign) MUST_USE;

#endif
