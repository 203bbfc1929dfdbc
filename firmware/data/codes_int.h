/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows of codes, for the files of this folder. */
#ifndef FIRMWARE_DATA_CODES_INT_H
#define FIRMWARE_DATA_CODES_INT_H

#include "firmware/data/codes.h"
#include "firmware/data/people_int.h"

/* Columns. A number is never given to another thing. */
enum code_column {
    CODE_DIGEST = 1, /* hex */
    CODE_PURPOSE,
    CODE_EMAIL,
    CODE_NEW_EMAIL, /* it becomes the address of the account */
    CODE_ENDS_AT,
    CODE_NAME,
    CODE_COLUMN_END
};

/* A code as a row says; all spans are views into it. */
struct code {
    struct row row;
    uint8_t digest[SHA256_BYTES];
    enum data_code_purpose purpose;
    struct span owner; /* id of a user; for an address of nobody: code_owner_of_email */
    struct span email;
    struct span name; /* of who signs up by it; or empty */
    bool new_email;
    struct wall_time ends_at;
};
enum err code_read(const struct row *row, struct code *out_code) MUST_USE;

/* The owner of what belongs to an address without a user. */
#define CODE_OWNER_BYTES HEX_BYTES(SHA256_BYTES)
void code_owner_of_email(struct span email, char out_owner[CODE_OWNER_BYTES]);

/* ERR_NOT_FOUND: no such code, or used. One that is over is found: code->ends_at tells. */
enum err code_find(struct store_snap *snap, const struct catalog_people *where, const uint8_t digest[SHA256_BYTES],
                   struct code *out_code) MUST_USE;

/* Some of the codes that were over a day ago go. */
enum err codes_make_room(struct data_txn *txn) MUST_USE;

/* Ends a code that would change the address of its owner, who lies in no row of a code. */
enum err codes_end_change(struct data_txn *txn, struct span owner) MUST_USE;

/* Stores a code, whose row is not read; ends the owner's older ones of its purpose, and makes room. Whether there was one
 * to end does not show in the work. data->text is used up. */
enum err code_insert(struct data_txn *txn, const struct code *code) MUST_USE;

/* The same work for a code that does not stay, and ends none. */
enum err code_pretend(struct data_txn *txn, const struct code *code) MUST_USE;

#endif
