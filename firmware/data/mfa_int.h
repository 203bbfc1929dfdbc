/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The second factor of a user: a row of the table `mfa`, one a user, for the files of this folder.
 *
 * A row is pending from the moment its key is given out until a code of it confirms that the user has it; then it is on,
 * which the user's own row says too (USER_MFA). What was tried is counted in the row and written with the refusal, so
 * however many guesses are under way at once, and whether or not the box is started again, there are no more of them than
 * contract 1.9 allows. Spec: contract 5.7. */
#ifndef FIRMWARE_DATA_MFA_INT_H
#define FIRMWARE_DATA_MFA_INT_H

#include "crypto/totp.h"
#include "firmware/data/people_int.h"

#define MFA_CODES      10
#define MFA_CODE_CHARS 8
#define MFA_PENDING_MS INT64_C(600000)
#define MFA_WINDOW_MS  INT64_C(900000)

/* Columns. A number is never given to another thing. */
enum mfa_column {
    MFA_KEY = 1,       /* hex */
    MFA_PENDING_UNTIL, /* of a pending one */
    MFA_FRESH_CODES,   /* of a pending one: the backup codes themselves */
    MFA_CODE_DIGESTS,  /* hex: those that are left */
    MFA_NEWEST_STEP,   /* struct totp_seen */
    MFA_STEPS,
    MFA_FAILED, /* tries since MFA_FAILED_SINCE */
    MFA_FAILED_SINCE,
    MFA_COLUMN_END
};

/* Holds no views. */
struct mfa {
    bool stored; /* row, created_at and updated_at are those of a row */
    struct row_id row;
    struct wall_time created_at, updated_at;
    uint8_t key[TOTP_KEY_BYTES];
    bool pending;
    struct wall_time pending_until;
    char fresh[MFA_CODES * MFA_CODE_CHARS]; /* if pending: one after the other */
    uint8_t codes[MFA_CODES][SHA256_BYTES];
    size_t code_count;
    struct totp_seen seen;
    uint32_t failed;
    struct wall_time failed_since;
};

static inline void mfa_wipe(struct mfa *mfa)
{
    mem_wipe(mfa, sizeof *mfa);
}
#define SCOPED_MFA SCOPED(mfa_wipe)

/* ERR_NOT_FOUND: the user has none, nor one that is pending. */
enum err mfa_find(struct data_txn *txn, struct span user, struct mfa *out_mfa) MUST_USE;

/* A new key and ten codes, pending from now. Tries of the row it takes the place of still count. */
void mfa_renew(struct data_txn *txn, struct mfa *mfa);

/* From pending to on: of the codes only digests stay. */
void mfa_turn_on(struct span user, struct mfa *mfa);

/* Writes the row: a new one, or in place of what it was read from. */
enum err mfa_store(struct data_txn *txn, struct span user, const struct mfa *mfa) MUST_USE;

/* Tries a code: six digits of the app, or, of one that is on, a backup code. out_right: it is used up, in mfa, which the
 * caller stores. Not out_right: the try is written and call->refusal says no, so the operation ends there, with ERR_OK.
 * ERR_DENIED: refused, and nothing written: auth/too-many-login-attempts, auth/mfa-backup-codes-exhausted. */
enum err mfa_try(struct data_txn *txn, struct data_call *call, struct span user, struct mfa *mfa, bool *out_right)
    MUST_USE;

/* The same for whoever signs in, with what is used up written: call->sign->mfa_code has to be a code of a user whose
 * second factor is on. ERR_DENIED also: auth/mfa-required. Ends the views of the transaction. */
enum err mfa_pass(struct data_txn *txn, struct data_call *call, struct span user, bool *out_passed) MUST_USE;

#endif
