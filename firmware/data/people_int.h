/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows of users, sessions and accounts, for the files of this folder. */
#ifndef FIRMWARE_DATA_PEOPLE_INT_H
#define FIRMWARE_DATA_PEOPLE_INT_H

#include "firmware/data/data_int.h"
#include "firmware/data/list.h"
#include "firmware/data/people.h"

/* Columns. A number is never given to another thing. */
enum user_column {
    USER_EMAIL = 1,
    USER_NAME,
    USER_ROLE,
    USER_ROLES,
    USER_IMAGE,
    USER_VERIFIED_AT,
    USER_NICKNAME,
    USER_ONBOARDING,
    USER_BANNED,
    USER_MFA,
    USER_MOBILE,
    USER_GENDER,
    USER_BIO,
    USER_GITHUB,
    USER_TWITTER,
    USER_LINKEDIN,
    USER_LOCALE,
    USER_TIMEZONE,
    USER_THEME,
    USER_NOTICES, /* a bit for each notification that is not as it is at first */
    USER_SLUG,
    USER_PUBLIC,
    USER_COLUMN_END
};

enum session_column {
    SESSION_ID = 1,
    SESSION_USER_AGENT,
    SESSION_ADDRESS,
    SESSION_DEVICE,
    SESSION_ACTIVE_AT,
    SESSION_ENDS_AT,
    SESSION_REFRESH, /* SHA-256 of the refresh token, hex */
    SESSION_BEFORE,  /* the same of the one before */
    SESSION_NEXT_REFRESH,
    SESSION_NEXT_ACCESS,
    SESSION_ACCESS, /* SHA-256 of the access token that counts, hex */
    SESSION_COLUMN_END
};

enum account_column {
    ACCOUNT_ID = 1,
    ACCOUNT_PROVIDER,
    ACCOUNT_PROVIDER_ID,
    ACCOUNT_PASSWORD, /* hex of password_encode */
    ACCOUNT_IDENTITY, /* hex of data_identity_digest; of no password */
    ACCOUNT_COLUMN_END
};

#define ACCOUNT_PASSWORD_PROVIDER "credentials"

/* A user as a row says; all spans are views into it. */
struct person {
    struct row row;
    struct span id, email, name, image, nickname, onboarding, role;
    struct span mobile, gender, bio, github, twitter, linkedin, locale, timezone, theme, slug;
    struct span roles[AUTH_ROLES_MAX];
    size_t role_count;
    int64_t notices;
    bool banned, mfa, verified, is_public;
    struct wall_time verified_at;
};
enum err person_read(const struct row *row, struct person *out_person) MUST_USE;

/* Is it among their custom roles? */
bool person_has_role(const struct person *person, struct span role);

/* Where a person keeps the text of a column; NULL for a column of another kind. */
struct span *person_text(struct person *person, unsigned int column);

/* The group that a role stands for; an unknown one has the fewest rights. */
enum rls_group person_group(struct span role);

/* Encodes into data->row; out_encoded is a view of it. What the person points to may not lie there. */
enum err person_encode(struct data *data, const struct person *person, struct wall_time updated,
                       struct span *out_encoded) MUST_USE;

struct session {
    struct row row;
    struct span id, user, user_agent, address, device;
    struct wall_time active_at, ends_at;
    uint8_t refresh[SHA256_BYTES];

    /* If the project has a refreshReuseGraceMs: the token that was refreshed last, and the tokens given for it. They are
     * the only ones that lie on disk, sealed as every row is. */
    bool has_before;
    uint8_t before[SHA256_BYTES];
    struct span next_refresh, next_access;

    bool has_access; /* no other access token counts */
    uint8_t access[SHA256_BYTES];
};
enum err session_read(const struct row *row, struct session *out_session) MUST_USE;
enum err session_encode(struct data *data, const struct session *session, struct wall_time updated,
                        struct span *out_encoded) MUST_USE;

/* A way to sign in; of a password everything but the hash. */
struct account {
    struct row row;
    struct span id, user, provider, provider_id;
};
enum err account_read(const struct row *row, struct account *out_account) MUST_USE;
void account_write(struct json_out *out, const struct account *account);

/* The account of that data_identity_digest. */
enum err people_find_identity(struct store_snap *snap, const struct catalog_people *where,
                              const uint8_t digest[SHA256_BYTES], struct account *out_account) MUST_USE;

/* The row of the user's account at that provider, and how many accounts they have; the count also with ERR_NOT_FOUND. */
enum err people_find_account(struct data_txn *txn, struct span user, struct span provider, struct row_id *out_row,
                             uint64_t *out_count) MUST_USE;

/* A page of a user's accounts, newest first, as an array; a scan of the snapshot. A user has few. */
enum err accounts_write(struct json_out *out, struct store_snap *snap, const struct catalog_people *where,
                        struct span user, struct data_page page, uint64_t *out_total) MUST_USE;

/* Hex, as it is stored. */
#define PASSWORD_TEXT_BYTES HEX_BYTES(13 + PWHASH_SALT_BYTES + PWHASH_BYTES)
void password_encode(const struct data_password *password, char out_text[PASSWORD_TEXT_BYTES]);
enum err password_decode(struct span text, struct data_password *out_password) MUST_USE;

/* --- finding; a view of a row lives until the next look-up in the same snapshot. ERR_NOT_FOUND. --- */

/* The rows whose index over a column (0: createdBy) holds the text, oldest first: a walk (data_int.h). text lives as
 * long as this call. The second: of an owner, newest first. */
enum err people_scan(struct store_snap *snap, struct table_id table, uint16_t column, const struct row_value *text)
    MUST_USE;
enum err people_scan_newest(struct store_snap *snap, struct table_id table, const struct row_value *owner) MUST_USE;

/* All rows that have the sorted column, the lowest first: a walk. */
enum err people_scan_sorted(struct store_snap *snap, struct table_id table, uint16_t column) MUST_USE;

/* The first row whose index over a column (0: createdBy) holds the text. */
enum err people_find(struct store_snap *snap, struct table_id table, uint16_t column, struct span text,
                     struct row *out_row) MUST_USE;

enum err people_find_user(struct store_snap *snap, const struct catalog_people *where, struct span id,
                          struct person *out_person) MUST_USE;
enum err people_find_email(struct store_snap *snap, const struct catalog_people *where, struct span email,
                           struct person *out_person) MUST_USE;

/* The same, or another user in their place where there is none: out_is_it tells. For what must cost the same for an
 * address that is somebody's and for one that is not: an index is sought and a row opened in either case, and whatever
 * is asked of the user afterwards can be asked of the other one. ERR_NOT_FOUND: there is no user at all. */
enum err people_find_email_or_other(struct store_snap *snap, const struct catalog_people *where, struct span email,
                                    struct person *out_person, bool *out_is_it) MUST_USE;

enum err people_find_session(struct store_snap *snap, const struct catalog_people *where, struct span id,
                             struct session *out_session) MUST_USE;
/* The row of a user's password. */
enum err people_find_password(struct store_snap *snap, const struct catalog_people *where, struct span user,
                              struct row *out_row, struct data_password *out_password) MUST_USE;

/* The tables of an environment. ERR_NOT_FOUND: the environment is gone. */
enum err people_of(const struct catalog *catalog, struct span environment_id, struct catalog_people *out_where)
    MUST_USE;

/* --- objects of the API --- */

/* TokenPair.user; Me; the user of 5.10 for those who may see all of it, and for others. */
void person_write_brief(struct json_out *out, const struct person *person);
void person_write_me(struct json_out *out, const struct person *person);
void person_write_full(struct json_out *out, const struct person *person);
void person_write_open(struct json_out *out, const struct person *person); /* the same, its object not closed */
void person_write_public(struct json_out *out, const struct person *person);

/* The directory of an operation, in its transaction; points into out_people. */
struct auth_directory data_directory_in(struct data_txn *txn, struct data_people *out_people);

/* --- lists of built-in tables --- */

/* What is listed, and how each is shown. */
enum people_view { PEOPLE_USERS_FULL, PEOPLE_USERS_PUBLIC, PEOPLE_SESSIONS, PEOPLE_ACCOUNTS };
enum people_view people_view_of(const struct data_access *access); /* of a built-in table that has rows */

struct people_list_input {   /* all borrowed for the life of the list */
    struct store_snap *snap; /* no other scan meanwhile */
    const struct catalog_people *where;
    enum people_view view;
    struct arena *arena;
    struct span query;
    struct buf *out;
    struct refusal *refusal;
};

/* Errors of list_query_new, and ERR_DENIED. */
enum err people_list_new(const struct people_list_input *input, struct list_query **out_query) MUST_USE;

/* One session as an object. current: the session of who asks, or empty. */
void session_write(struct json_out *out, const struct session *session, struct span current);

/* One of them by its id, for an administrator. ERR_DENIED data/not-found. */
enum err people_read(const struct data_access *access, struct store_snap *snap, struct span id, struct buf *out,
                     struct refusal *refusal) MUST_USE;

/* --- operations --- */

/* From here on what reactors remember of accounts no longer holds. */
void people_note_change(struct data_txn *txn);
const struct catalog_people *people_where(const struct data_txn *txn);
struct store_snap *people_snap(const struct data_txn *txn);

/* What holds for signing in to the environment of the transaction. */
struct auth_settings people_settings(const struct data_txn *txn);

/* Message: contract 5.1. */
enum err people_answer(struct data_call *call, struct span message) MUST_USE;

/* A user, or a refusal with this code. */
enum err people_find_person(struct data_txn *txn, struct data_call *call, struct span id, enum refusal_code absent,
                            struct person *out_person) MUST_USE;

/* The person with views that last: in memory of the request. A change ends those of a transaction. */
enum err people_keep_person(struct data_call *call, struct person *person) MUST_USE;

/* TokenPair of data_sign, with the user unless it is NULL, and is_new_user if it is asked for. */
enum err people_answer_pair(struct data_call *call, const struct person *person, const bool *is_new) MUST_USE;

/* The session of data_sign; and a user's password, a new one or instead of that in an account's row. */
enum err people_insert_session(struct data_txn *txn, const struct data_sign *sign) MUST_USE;
enum err people_insert_password(struct data_txn *txn, struct span user, const struct data_password *password) MUST_USE;
enum err people_replace_password(struct data_txn *txn, const struct row *row, struct span user,
                                 const struct data_password *password) MUST_USE;

/* Instead of the one there is, if there is one. */
enum err people_put_password(struct data_txn *txn, struct span user, const struct data_password *password) MUST_USE;

/* Is the password of data_sign, which was compared with, still the user's? ERR_DENIED with `wrong`. */
enum err people_check_password(struct data_txn *txn, struct data_call *call, struct span user, enum refusal_code wrong,
                               struct row *out_account) MUST_USE;

/* ERR_DENIED auth/email-already-exists. */
enum err people_refuse_taken(struct data_txn *txn, struct span email, struct refusal *refusal) MUST_USE;

/* A user of now with the role `user`; and a new user's row, with the roles that wait for a confirmed address. */
struct person people_new(const struct data_txn *txn, struct span id, struct span email, struct span name);
enum err people_insert(struct data_txn *txn, const struct person *person) MUST_USE;

/* Deletes a user and all that is theirs. The person was found in this transaction, and its views end here; id does not lie
 * in them. */
enum err people_forget_person(struct data_txn *txn, struct span id, const struct person *person) MUST_USE;

/* The work of writing a row, and nothing of it in the end: the row is deleted and inserted again; or replaced by itself,
 * which touches no index. Its views end, and data->text is used up. */
enum err people_put_again(struct data_txn *txn, struct table_id table, struct row_id id) MUST_USE;
enum err people_write_again(struct data_txn *txn, struct table_id table, struct row_id id) MUST_USE;

/* Deletes all that a table has of an owner, who lies in no row of it. */
enum err people_forget_rows(struct data_txn *txn, struct table_id table, struct span owner) MUST_USE;

/* Ends the sessions of a user that are over, and of the others the oldest beyond `keep`. */
enum err people_end_sessions(struct data_txn *txn, struct span user, uint64_t keep) MUST_USE;

/* Ends all of them but one. */
enum err people_end_other_sessions(struct data_txn *txn, struct span user, struct span session) MUST_USE;

/* For routes that need an access token. ERR_DENIED auth/unauthorized. */
enum err people_need_user(const struct data_txn *txn, struct data_call *call) MUST_USE;

/* --- the tables and keys themselves --- */

/* Each of the stored tables of an environment, so that what is done to all is done to a new one too. */
#define PEOPLE_UNIQUE_MAX 2
struct people_table {
    struct span name;                   /* in `stores` of the environment's document */
    size_t offset;                      /* of its number in struct catalog_people */
    uint16_t unique[PEOPLE_UNIQUE_MAX]; /* columns that have a unique index; 0: none */
    uint16_t sorted;                    /* one that has an index in its order, of the rows that have it; 0: none */
};
const struct people_table *people_tables(size_t *out_count);
struct table_id *people_table_id(struct catalog_people *where, const struct people_table *table);

/* Members `stores` and `tokenKeys` of an environment's document, into an open object; what is missing of the tables is
 * made in this transaction, the token keys by the keeper. have: as it is; NULL: a new one. */
enum err people_make(struct data_txn *txn, struct span environment_id, const struct catalog_environment *have,
                     struct json_out *out) MUST_USE;

/* Drops the tables. The token keys go after the commit: people_drop_keys. */
enum err people_forget(struct data_txn *txn, const struct catalog_people *where) MUST_USE;

/* After a commit: destroys the token keys of the environments that `before` has and `after` has not. */
void people_drop_keys(struct data *data, const struct catalog *before, const struct catalog *after);

/* After a transaction that was given up: the same for keys that it had the keeper make. */
void people_drop_unnamed_keys(struct data *data);

/* At start: is no row of a user, session or account older than the last commit, or gone? Reads all of them; see
 * store_verify. ERR_ROLLBACK; ERR_DAMAGED: a table is gone. */
enum err people_verify(const struct catalog *catalog, struct store_snap *snap) MUST_USE;

/* At start, before the writer runs: every environment has its tables and the keys that the keeper holds, and the keeper
 * none for environments that are gone. Works on data->current. */
enum err people_prepare(struct data *data, struct random *random) MUST_USE;

#endif
