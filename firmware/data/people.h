/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Users of an environment, their sessions, and what is needed to sign them up and in.
 *
 * They are rows of three stored tables of each environment, with keys of their own:
 *   users     one row a user; createdBy is the user's id, so the index of owners finds it. Unique: the email
 *   sessions  one row a session that is alive; createdBy is its user. Unique: the session's id. Of the refresh token only
 *             the SHA-256 is kept
 *   accounts  one row for each way to sign in; createdBy is its user. Password hashes are here and nowhere else
 * Nothing is held in memory: any reactor looks them up in a snapshot.
 *
 * A user's row of another environment is in another table, so an id of one environment finds nothing in the next.
 * Spec: contract 2.3, 5. */
#ifndef FIRMWARE_DATA_PEOPLE_H
#define FIRMWARE_DATA_PEOPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/hash.h"
#include "crypto/pwhash.h"
#include "firmware/auth/refusal.h"
#include "firmware/auth/verify.h"
#include "firmware/data/access.h"
#include "firmware/data/call.h"
#include "firmware/data/catalog.h"
#include "firmware/data/codes.h"
#include "firmware/mail/template.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "net/json_out.h"

#define DATA_EMAIL_MAX      254                 /* bytes: contract 5.1 */
#define DATA_PERSON_NAME    100                 /* code points */
#define DATA_SESSION_MAX_MS INT64_C(2592000000) /* 30 days: contract 5.4 */

/* A password as it is kept: the hash of the peppered password, and how it was made. */
struct data_password {
    uint32_t pepper_version;
    struct pwhash_cost cost;
    uint8_t salt[PWHASH_SALT_BYTES];
    uint8_t hash[PWHASH_BYTES];
};

/* The look-ups of firmware/auth for one request; the directory points into it. */
struct data_people {
    struct data_reader *reader; /* of the reactor; or */
    struct data_txn *txn;       /* of the writer */
    const struct catalog *catalog;
    uint64_t generation; /* of the reactor: of users and sessions before the first look-up */
};

/* Did no user or session change since then? For a reactor, which takes its snapshot of rows after it looked up who asks. */
bool data_people_unchanged(const struct data_people *people);

/* Fills people and makes the directory of a request. */
struct auth_directory data_directory(struct data_reader *reader, const struct catalog *catalog,
                                     struct auth_token_cache *cache, struct data_people *out_people);

/* The public keys of tokens as a JSON Web Key Set (RFC 7517): of the environments that `projectId` and `environment` of
 * the query name, of all without them; without those that have ended. ERR_MALFORMED: the query. */
enum err data_write_token_keys(const struct catalog *catalog, struct arena *arena, struct span query,
                               struct wall_time now, struct json_out *out) MUST_USE;

/* --- reading, on a reactor; `environment_id` is that of the API key --- */

/* Is the email taken? */
enum err data_email_taken(const struct data_people *people, struct span environment_id, struct span email,
                          bool *out_taken) MUST_USE;

/* What signing in with an email begins with. found is false for an unknown one, and for one without a password. The cost
 * of an unknown one's is that of another's, who may have chosen it when hashes cost less; zeros: of nobody's. */
struct data_login {
    bool found;
    char user[AUTH_UUID_BYTES];
    char email[DATA_EMAIL_MAX]; /* of the user, also without a password */
    size_t email_len;
    struct data_password password;
};
enum err data_find_login(const struct data_people *people, struct span environment_id, struct span email,
                         struct data_login *out_login) MUST_USE;

/* The same for a user's id. */
enum err data_find_login_of(const struct data_people *people, struct span environment_id, struct span user,
                            struct data_login *out_login) MUST_USE;

/* What accepting a code begins with. */
struct data_code {
    struct wall_time ends_at;
    bool has_user;              /* whose code it is, or, of a magic link, who has the address now */
    char user[AUTH_UUID_BYTES]; /* if has_user */
};
/* ERR_NOT_FOUND: there is no such code, or it was used. */
enum err data_find_code(const struct data_people *people, struct span environment_id,
                        const uint8_t digest[SHA256_BYTES], struct data_code *out_code) MUST_USE;

/* What refreshing begins with. ERR_NOT_FOUND: there is no such session of that user. */
struct data_session {
    struct wall_time began;
    uint8_t refresh[SHA256_BYTES]; /* of the refresh token that counts */
};
enum err data_find_session(const struct data_people *people, struct span environment_id, struct span session,
                           struct span user, struct data_session *out_session) MUST_USE;

/* Who reads or writes users: the principal of the request, whom 5.10 lets in. */
struct data_people_request {
    struct data_people people;
    const struct auth_principal *principal;
    struct arena *arena;
    struct span query;
    struct wall_time now;
    struct buf *out;
    struct refusal *refusal;
};

/* GET /auth/me, /users/:id, /auth/sessions. Appends the object or list. ERR_DENIED. */
enum err data_write_me(const struct data_people_request *request) MUST_USE;
enum err data_get_user(const struct data_people_request *request, struct span id) MUST_USE;
enum err data_list_sessions(const struct data_people_request *request) MUST_USE;

/* GET /users/:id/profile, preferences, notifications, onboarding, public-settings; the last segment names the part. Whoever
 * is neither the user nor an administrator sees a profile that is public, and no other is told from one that is not there.
 * ERR_DENIED. */
enum err data_get_user_part(const struct data_people_request *request, struct span id, struct span segment) MUST_USE;

/* GET /auth/accounts. ERR_DENIED. */
enum err data_list_accounts(const struct data_people_request *request) MUST_USE;

/* Passwords that strangers have lists of: contract 5.2, 5.11. A file beside the database, of one a line in ascending order
 * of bytes (hal/linefile.h), read where it lies; without it no password is on the list. It is opened at start. */
#define DATA_BREACHED_FILE "breached.txt"

/* Is the password on the list? Blocks for some reads of the disk. ERR_IO, ERR_DAMAGED: it cannot be told. */
enum err data_password_breached(const struct data_reader *reader, struct span password, bool *out_found) MUST_USE;

/* Is it 1 to 100 characters long? */
bool data_name_fits(struct span name);

/* Is it one of the providers that contract 5.8 knows by name? */
bool data_provider_is_known(struct span provider);

/* Somebody as an issuer knows them. Who they are here is found by the digest of all three: an issuer that takes the place
 * of another under the same name does not inherit its people. */
struct data_identity {
    struct span provider; /* as the environment calls it */
    struct span issuer;
    struct span subject;
    struct span email; /* which the issuer has verified; empty: it has not */
    struct span name;  /* 1 to 100 code points */
    bool known;        /* an account of it was found before */

    /* The issuer's code was just taken, and data_sign.presented is its DATA_CODE_OAUTH: it may be kept for who has yet to
     * show a second factor. Or it was kept: the subject is what is kept with it. */
    bool may_keep, kept;
};
void data_identity_digest(const struct data_identity *identity, uint8_t out_digest[SHA256_BYTES]);

/* The user of the account of that digest. ERR_NOT_FOUND. */
enum err data_find_identity(const struct data_people *people, struct span environment_id,
                            const uint8_t digest[SHA256_BYTES], char out_user[AUTH_UUID_BYTES]) MUST_USE;

/* --- writing --- */

/* A mail with a code in it, which the operation writes: the code is made on the reactor, and only its digest stored. */
struct data_mail {
    enum mail_category category;
    uint8_t digest[SHA256_BYTES]; /* data_code_digest */
    struct span code, link;
};

struct data_invitation;

/* What an operation on users needs besides the body; everything is borrowed until the call is done. */
struct data_sign {
    struct span user_id;    /* signing up: a new id; signing in: whose password was right; refreshing: of the token */
    struct span session_id; /* a new id; refreshing: of the token */
    struct span email, name;
    struct data_password password; /* signing up: to be kept; signing in, changing it: what was compared with */
    struct data_password
        stronger; /* signing in: to be kept instead, if has_stronger; resetting, changing it: the new one;
                                      making a user: theirs, if has_stronger */
    bool has_stronger;
    uint8_t presented[SHA256_BYTES]; /* refreshing: of the token that was presented; or data_code_digest of the code */
    uint8_t refresh[SHA256_BYTES];   /* of the refresh token that is given out */
    struct span user_agent, address; /* of the client */
    int64_t issued_s;                /* when the tokens were signed */
    uint32_t access_s, refresh_s;    /* how long they live */
    struct span access_token, refresh_token;
    struct span mfa_code;  /* of whoever has a second factor: an app's code or a backup code; or empty */
    struct data_mail mail; /* whatever sends a code; signing up also without one */
    bool redirects;        /* confirming an address: the answer leads elsewhere */
    struct data_identity identity; /* of whoever signs in, or is linked, by an issuer */
    const struct data_invitation *invitation; /* inviting: invitations.h */
};

data_operation data_sign_up;
data_operation data_sign_in;
data_operation data_refresh;
data_operation data_sign_out;
data_operation data_switch; /* new tokens of the session that asks */
data_operation data_oidc_sign_in;   /* whom an issuer vouches for; a new user if there is no account of theirs */
data_operation data_account_link;
data_operation data_account_unlink;
data_operation data_session_delete;
data_operation data_reset_request; /* of a password, by mail */
data_operation data_reset_confirm;
data_operation data_password_change;
data_operation data_verify_send;    /* of an address; also a new one, of whoever asks with an access token */
data_operation data_verify_confirm; /* by POST */
data_operation data_verify_visit;   /* by GET, without a key */
data_operation data_magic_sign_up;  /* a link by mail */
data_operation data_magic_sign_in;
data_operation data_magic_callback; /* the link comes back */
data_operation data_mfa_enable;     /* from here to pending; of whoever asks with an access token */
data_operation data_mfa_confirm;
data_operation data_mfa_disable;
data_operation data_user_create;
data_operation data_user_update;
data_operation data_user_change_part; /* of the user: call->id is the part */
data_operation data_avatar_upload;
data_operation data_avatar_set;
data_operation data_avatar_delete;
data_operation data_user_set_role;
data_operation data_user_set_ban;
data_operation data_user_delete;
data_operation data_withdraw;

#endif
