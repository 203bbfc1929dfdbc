/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows of invitations, for the files of this folder. createdBy of a row is code_owner_of_email of its address. */
#ifndef FIRMWARE_DATA_INVITATIONS_INT_H
#define FIRMWARE_DATA_INVITATIONS_INT_H

#include "firmware/data/codes_int.h"
#include "firmware/data/invitations.h"

#define INVITATION_KEPT_MS INT64_C(2592000000) /* 30 days; it could be accepted during the first 7 */

/* Columns. A number is never given to another thing. */
enum invitation_column {
    INVITATION_ID = 1,
    INVITATION_DIGEST, /* hex */
    INVITATION_TYPE,
    INVITATION_RESOURCE,
    INVITATION_RESOURCE_NAME,
    INVITATION_ROLE,
    INVITATION_EMAIL,
    INVITATION_INVITER,
    INVITATION_KEY,
    INVITATION_STATE,
    INVITATION_GIVEN,
    INVITATION_ENDS_AT,
    INVITATION_COLUMN_END
};

#define INVITATION_PENDING  "pending"
#define INVITATION_ACCEPTED "accepted"
#define INVITATION_REJECTED "rejected"
#define INVITATION_REVOKED  "revoked"
#define INVITATION_EXPIRED  "expired" /* shown, never stored */

/* An invitation as a row says; all spans are views into it. */
struct invitation {
    struct row row;
    struct span id, digest, type, resource, resource_name, role, email;
    struct span inviter; /* id of a user */
    struct span key;     /* id of the secret key by which they were an administrator; or empty */
    struct span state;
    bool given; /* the account has the role */
    struct wall_time ends_at;
};
enum err invitation_read(const struct row *row, struct invitation *out_invitation) MUST_USE;
enum err invitation_encode(struct data_txn *txn, const struct invitation *invitation, struct span *out_encoded)
    MUST_USE;

/* The state that is shown: a pending one that is over is expired. */
struct span invitation_status(const struct invitation *invitation, struct wall_time now);
void invitation_write(struct json_out *out, const struct invitation *invitation, struct wall_time now);

/* The one of an id or of a digest. ERR_NOT_FOUND. */
enum err invitation_find(struct store_snap *snap, struct table_id table, enum invitation_column column,
                         struct span text, struct invitation *out_invitation) MUST_USE;

/* The same with views that last. */
enum err invitation_keep(struct arena *arena, struct invitation *invitation) MUST_USE;

/* Stores it in place of what it was. */
enum err invitation_store(struct data_txn *txn, struct invitation *invitation) MUST_USE;

/* May whoever sent it still give its role? Not when they are gone, banned or no administrator any more, nor when the key
 * that made them one has ended. */
enum err invitation_holds(struct data_txn *txn, const struct invitation *invitation, bool *out_holds) MUST_USE;

/* Adds the role to those of the person, if they have room for it. A view of it goes into the person. */
void invitation_give(struct invitation *invitation, struct person *person);

/* Gives a person whose address is confirmed the roles that wait for it: the invitations are written, the person is the
 * caller's to write, and points into the arena. After everything is decided. */
enum err invitations_claim(struct data_txn *txn, struct arena *arena, struct person *person) MUST_USE;

/* Some of the oldest that are more than 30 days old go. */
enum err invitations_make_room(struct data_txn *txn) MUST_USE;

/* Room for one more: where there are as many as there may be, one that is over goes. ERR_LIMIT: none is. */
enum err invitations_need_room(struct data_txn *txn) MUST_USE;

/* Deletes those that a user sent, and those to the address of that owner. */
enum err invitations_forget(struct data_txn *txn, struct span user, struct span owner) MUST_USE;

/* A page of them, in slices; ERR_DENIED: the query. */
struct invitation_list_input { /* all borrowed for the life of the list */
    const struct data_invitations_request *asked;
    struct store_snap *snap; /* no other scan meanwhile */
    struct table_id table;
};
enum err invitation_list_new(const struct invitation_list_input *input, struct list_query **out_query) MUST_USE;

#endif
