/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows of second factors, and the trying of codes, on the writer thread: of any number of requests with one code the
 * writer comes to one first, and that one uses it up.
 *
 * A backup code has 41 bits and is stored as a digest of one pass: whoever reads the row has the key beside it, which is
 * worth more. */
#include "firmware/data/mfa_int.h"

#include <string.h>

#include "crypto/ct.h"
#include "hal/base/fault.h"

#define DIGEST_CHARS HEX_BYTES(SHA256_BYTES)
#define MS_PER_S     1000

/* --- rows --- */

static enum err take_hex(const struct row_value *value, uint8_t *out_bytes, size_t len)
{
    ENSURE(value->type == ROW_STRING && hex_decode(value->bytes, out_bytes, len) == ERR_OK, ERR_DAMAGED,
           "bytes of a second factor");
    return ERR_OK;
}

static enum err take_codes(const struct row_value *value, struct mfa *mfa)
{
    const size_t count = value->bytes.len / DIGEST_CHARS;

    ENSURE(count <= MFA_CODES, ERR_DAMAGED, "more backup codes than are made");
    TRY(take_hex(value, mfa->codes[0], count * SHA256_BYTES));
    mfa->code_count = count;
    return ERR_OK;
}

static enum err take_fresh(const struct row_value *value, struct mfa *mfa)
{
    ENSURE(value->type == ROW_STRING && value->bytes.len == sizeof mfa->fresh, ERR_DAMAGED, "new backup codes");
    memcpy(mfa->fresh, value->bytes.data, sizeof mfa->fresh);
    return ERR_OK;
}

static enum err take_date(const struct row_value *value, struct wall_time *out_time)
{
    ENSURE(value->type == ROW_DATE, ERR_DAMAGED, "an instant of a second factor");
    *out_time = value->date;
    return ERR_OK;
}

static enum err take_u32(const struct row_value *value, uint32_t *out_number)
{
    ENSURE(value->type == ROW_INT && value->integer >= 0 && value->integer <= UINT32_MAX, ERR_DAMAGED,
           "a number of a second factor");
    *out_number = (uint32_t)value->integer;
    return ERR_OK;
}

static enum err take_step(const struct row_value *value, uint64_t *out_step)
{
    ENSURE(value->type == ROW_INT && value->integer >= 0, ERR_DAMAGED, "a step of a second factor");
    *out_step = (uint64_t)value->integer;
    return ERR_OK;
}

static enum err take_column(const struct row_member *member, struct mfa *mfa)
{
    const struct row_value *value = &member->value;

    switch ((enum mfa_column)member->column) {
    case MFA_KEY:
        return take_hex(value, mfa->key, sizeof mfa->key);
    case MFA_PENDING_UNTIL:
        mfa->pending = true;
        return take_date(value, &mfa->pending_until);
    case MFA_FRESH_CODES:
        return take_fresh(value, mfa);
    case MFA_CODE_DIGESTS:
        return take_codes(value, mfa);
    case MFA_NEWEST_STEP:
        return take_step(value, &mfa->seen.newest);
    case MFA_STEPS:
        return take_u32(value, &mfa->seen.steps);
    case MFA_FAILED:
        return take_u32(value, &mfa->failed);
    case MFA_FAILED_SINCE:
        return take_date(value, &mfa->failed_since);
    case MFA_COLUMN_END:
        break;
    }
    FAIL(ERR_DAMAGED, "a second factor with another column", member->column);
}

static enum err read_row(const struct row *row, struct mfa *out_mfa)
{
    struct row_iter iter = row_iter_columns(row);
    SCOPED_MFA struct mfa mfa = {
        .stored = true, .row = row->id, .created_at = row->created_at, .updated_at = row->updated_at};
    struct row_member member;
    enum err err = ERR_OK;

    while ((err = row_iter_next(&iter, &member)) == ERR_OK) {
        TRY(take_column(&member, &mfa));
    }
    ENSURE(err == ERR_NOT_FOUND, ERR_DAMAGED, "a row of a second factor is damaged");
    *out_mfa = mfa;
    return ERR_OK;
}

enum err mfa_find(struct data_txn *txn, struct span user, struct mfa *out_mfa)
{
    struct row row;

    const enum err err = people_find(people_snap(txn), people_where(txn)->mfa, 0, user, &row);
    if (err == ERR_NOT_FOUND) {
        fault_clear();
    }
    return err == ERR_OK ? read_row(&row, out_mfa) : err;
}

static struct row_key key_of(enum mfa_column column)
{
    return (struct row_key){.column = (uint16_t)column, .name = SPAN_NONE};
}

static enum err build_hex(struct row_builder *builder, enum mfa_column column, struct span bytes)
{
    char hex[HEX_BYTES(MFA_CODES * SHA256_BYTES)];

    INVARIANT(HEX_BYTES(bytes.len) <= sizeof hex);
    hex_encode(bytes, hex);
    const enum err err = row_build_string(builder, key_of(column), span_of(hex, HEX_BYTES(bytes.len)));
    mem_wipe(hex, sizeof hex);
    return err;
}

static enum err build_pending(struct row_builder *builder, const struct mfa *mfa)
{
    TRY(row_build_date(builder, key_of(MFA_PENDING_UNTIL), mfa->pending_until));
    return row_build_string(builder, key_of(MFA_FRESH_CODES), span_array(mfa->fresh));
}

static enum err encode(struct data_txn *txn, struct span user, const struct mfa *mfa, struct span *out_encoded)
{
    const struct wall_time created = mfa->stored ? mfa->created_at : txn->now;
    const struct wall_time updated = mfa->stored ? data_txn_later(txn, mfa->updated_at) : txn->now;
    struct row_builder builder;

    TRY(row_build_begin(&builder, txn->data->row, created, updated, user));
    TRY(build_hex(&builder, MFA_KEY, span_array(mfa->key)));
    TRY(mfa->pending ? build_pending(&builder, mfa) : ERR_OK);
    TRY(build_hex(&builder, MFA_CODE_DIGESTS, span_of(mfa->codes, mfa->code_count * SHA256_BYTES)));
    TRY(row_build_int(&builder, key_of(MFA_NEWEST_STEP), (int64_t)mfa->seen.newest));
    TRY(row_build_int(&builder, key_of(MFA_STEPS), (int64_t)mfa->seen.steps));
    TRY(row_build_int(&builder, key_of(MFA_FAILED), (int64_t)mfa->failed));
    TRY(row_build_date(&builder, key_of(MFA_FAILED_SINCE), mfa->failed_since));
    return row_build_end(&builder, out_encoded);
}

static enum err put(struct data_txn *txn, const struct mfa *mfa, struct span encoded)
{
    const struct table_id table = people_where(txn)->mfa;

    return mfa->stored ? store_replace(txn->store, table, mfa->row, encoded, NULL)
                       : store_insert(txn->store, table, store_txn_row_id(txn->store, txn->now), encoded, NULL);
}

enum err mfa_store(struct data_txn *txn, struct span user, const struct mfa *mfa)
{
    struct span encoded = SPAN_NONE;

    enum err err = encode(txn, user, mfa, &encoded);
    if (err == ERR_OK) {
        err = put(txn, mfa, encoded);
    }
    buf_wipe(txn->data->row); /* the key was in it */
    return err;
}

/* --- making one --- */

/* Eight of 36 characters from 64 random bits, which favours none by more than one part in 2^22. No table is indexed by
 * what is secret. */
static void make_code(struct random *random, char *out_code)
{
    uint8_t bytes[8];

    random_fill(random, bytes, sizeof bytes);
    uint64_t rest = get_u64be(bytes);
    for (size_t i = 0; i < MFA_CODE_CHARS; i++) {
        const uint32_t value = (uint32_t)(rest % 36);
        const uint32_t is_digit = (25u - value) >> 31; /* wraps from 26 on */
        out_code[i] = (char)('a' + value - is_digit * ('a' + 26u - '0'));
        rest /= 36;
    }
    mem_wipe(bytes, sizeof bytes);
    mem_wipe(&rest, sizeof rest);
}

void mfa_renew(struct data_txn *txn, struct mfa *mfa)
{
    random_fill(txn->data->random, mfa->key, sizeof mfa->key);
    for (size_t i = 0; i < MFA_CODES; i++) {
        make_code(txn->data->random, mfa->fresh + i * MFA_CODE_CHARS);
    }
    mfa->pending = true;
    mfa->pending_until = (struct wall_time){txn->now.ms + MFA_PENDING_MS};
    mfa->code_count = 0;
    mfa->seen = (struct totp_seen){0, 0};
}

/* Bound to the user, so that equal codes of two users do not look alike. */
static void digest_code(struct span user, struct span code, uint8_t out_digest[SHA256_BYTES])
{
    struct sha256_stream stream;

    sha256_init(&stream);
    sha256_update(&stream, user); /* of one length */
    sha256_update(&stream, code);
    sha256_final(&stream, out_digest);
}

void mfa_turn_on(struct span user, struct mfa *mfa)
{
    for (size_t i = 0; i < MFA_CODES; i++) {
        digest_code(user, span_of(mfa->fresh + i * MFA_CODE_CHARS, MFA_CODE_CHARS), mfa->codes[i]);
    }
    mfa->code_count = MFA_CODES;
    mfa->pending = false;
    mem_wipe(mfa->fresh, sizeof mfa->fresh);
}

/* --- trying one --- */

static bool is_window_over(const struct mfa *mfa, struct wall_time now)
{
    return now.ms < mfa->failed_since.ms || now.ms - mfa->failed_since.ms >= MFA_WINDOW_MS;
}

/* Contract 1.9: then also the right code is refused for the rest of the window. */
static enum err check_tries(struct data_txn *txn, struct data_call *call, const struct mfa *mfa)
{
    if (mfa->failed < people_settings(txn).mfa_failures || is_window_over(mfa, txn->now)) {
        return ERR_OK;
    }
    const int64_t left_ms = mfa->failed_since.ms + MFA_WINDOW_MS - txn->now.ms;
    const enum err denied = refuse(&call->refusal, REFUSAL_AUTH_TOO_MANY_LOGIN_ATTEMPTS, NULL);
    call->refusal.retry_after_s = (uint32_t)((left_ms + MS_PER_S - 1) / MS_PER_S);
    return denied;
}

static void count_failure(struct data_txn *txn, struct mfa *mfa)
{
    if (is_window_over(mfa, txn->now)) {
        mfa->failed = 0;
        mfa->failed_since = txn->now;
    }
    mfa->failed++;
}

/* All are compared, whichever it is; the last one takes the place of one that is used. */
static bool use_backup(struct span user, struct span code, struct mfa *mfa)
{
    uint8_t digest[SHA256_BYTES];
    size_t found = mfa->code_count;

    digest_code(user, code, digest);
    for (size_t i = 0; i < mfa->code_count; i++) {
        found = ct_equal(span_array(digest), span_array(mfa->codes[i])) ? i : found;
    }
    if (found == mfa->code_count) {
        return false;
    }
    mfa->code_count--;
    memcpy(mfa->codes[found], mfa->codes[mfa->code_count], SHA256_BYTES);
    return true;
}

static bool use_app(struct data_txn *txn, struct span code, struct mfa *mfa)
{
    const enum err err = totp_accept(span_array(mfa->key), txn->now, code, &mfa->seen, &mfa->seen);

    if (err != ERR_OK) {
        fault_clear();
    }
    return err == ERR_OK;
}

enum err mfa_try(struct data_txn *txn, struct data_call *call, struct span user, struct mfa *mfa, bool *out_right)
{
    const struct span code = call->sign->mfa_code;
    const bool is_backup = code.len == MFA_CODE_CHARS && !mfa->pending;

    TRY(check_tries(txn, call, mfa));
    if (is_backup && mfa->code_count == 0) {
        return refuse(&call->refusal, REFUSAL_AUTH_MFA_BACKUP_CODES_EXHAUSTED, "Every backup code was used");
    }
    *out_right = is_backup ? use_backup(user, code, mfa) : use_app(txn, code, mfa);
    if (*out_right) {
        return ERR_OK;
    }
    count_failure(txn, mfa);
    TRY(mfa_store(txn, user, mfa));
    const enum err denied = refuse(&call->refusal, REFUSAL_AUTH_INVALID_MFA_CODE, "The code is wrong, or was used");
    return denied == ERR_DENIED ? ERR_OK : denied; /* answered after the commit */
}

enum err mfa_pass(struct data_txn *txn, struct data_call *call, struct span user, bool *out_passed)
{
    SCOPED_MFA struct mfa mfa = {.stored = false};
    bool right = false;

    if (call->sign->mfa_code.len == 0) {
        return refuse(&call->refusal, REFUSAL_AUTH_MFA_REQUIRED, "A code is needed: mfaCode");
    }
    const enum err err = mfa_find(txn, user, &mfa);
    ENSURE(err == ERR_OK && !mfa.pending, err == ERR_OK || err == ERR_NOT_FOUND ? ERR_DAMAGED : err,
           "a second factor that is on and not there");
    TRY(mfa_try(txn, call, user, &mfa, &right));
    if (right) {
        TRY(mfa_store(txn, user, &mfa));
    }
    *out_passed = right;
    return ERR_OK;
}
