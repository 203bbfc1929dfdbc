/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of codes. It stays small: an owner has one code of a purpose, and each new code looks at the oldest rows and
 * deletes those that were over a day ago. Until then an old link is told from a wrong one. */
#include "firmware/data/codes.h"

#include <string.h>

#include "firmware/data/codes_int.h"
#include "hal/base/fault.h"

#define CODE_BYTES   32
#define FORGOTTEN_MS DATA_CODE_DAY_MS /* after its end */
#define LOOKED_AT    16               /* oldest rows, and codes of one owner */

void data_code_make(struct random *random, char out_code[DATA_CODE_TEXT_BYTES])
{
    uint8_t bytes[CODE_BYTES];

    random_fill(random, bytes, sizeof bytes);
    hex_encode(span_array(bytes), out_code);
    mem_wipe(bytes, sizeof bytes);
}

/* Fields of fixed places, so that no two different sets of them are the same bytes. */
void data_code_digest(const struct data_code_of *of, uint8_t out_digest[SHA256_BYTES])
{
    uint8_t bytes[1 + AUTH_UUID_BYTES + DATA_CODE_TEXT_BYTES + DATA_EMAIL_MAX] = {0};
    size_t len = sizeof bytes - DATA_EMAIL_MAX;

    INVARIANT(of->environment_id.len == AUTH_UUID_BYTES && of->email.len <= DATA_EMAIL_MAX);
    bytes[0] = (uint8_t)of->purpose;
    memcpy(bytes + 1, of->environment_id.data, AUTH_UUID_BYTES);
    if (of->code.len == DATA_CODE_TEXT_BYTES) {
        memcpy(bytes + 1 + AUTH_UUID_BYTES, of->code.data, DATA_CODE_TEXT_BYTES);
    }
    if (of->email.len != 0) {
        memcpy(bytes + len, of->email.data, of->email.len);
        len += of->email.len;
    }
    sha256(span_of(bytes, len), out_digest);
    mem_wipe(bytes, sizeof bytes);
}

void code_owner_of_email(struct span email, char out_owner[CODE_OWNER_BYTES])
{
    uint8_t digest[SHA256_BYTES];

    sha256(email, digest);
    hex_encode(span_array(digest), out_owner);
}

/* --- rows --- */

static enum err take_column(const struct row_member *member, struct code *code)
{
    const struct row_value *value = &member->value;

    switch ((enum code_column)member->column) {
    case CODE_DIGEST:
        ENSURE(value->type == ROW_STRING && hex_decode(value->bytes, code->digest, sizeof code->digest) == ERR_OK,
               ERR_DAMAGED, "digest of a code");
        return ERR_OK;
    case CODE_PURPOSE:
        ENSURE(value->type == ROW_INT && value->integer > 0 && value->integer < DATA_CODE_PURPOSE_END, ERR_DAMAGED,
               "a code of no purpose");
        code->purpose = (enum data_code_purpose)value->integer;
        return ERR_OK;
    case CODE_EMAIL:
        code->email = value->bytes;
        return ERR_OK;
    case CODE_NEW_EMAIL:
        code->new_email = value->boolean;
        return ERR_OK;
    case CODE_ENDS_AT:
        code->ends_at = value->date;
        return ERR_OK;
    case CODE_NAME:
        code->name = value->bytes;
        return ERR_OK;
    case CODE_COLUMN_END:
        break;
    }
    FAIL(ERR_DAMAGED, "a code with another column", member->column);
}

enum err code_read(const struct row *row, struct code *out_code)
{
    struct row_iter iter = row_iter_columns(row);
    struct code code = {.row = *row, .owner = row->created_by};
    struct row_member member;
    enum err err = ERR_OK;

    while ((err = row_iter_next(&iter, &member)) == ERR_OK) {
        TRY(take_column(&member, &code));
    }
    ENSURE(err == ERR_NOT_FOUND, ERR_DAMAGED, "a code's row is damaged");
    *out_code = code;
    return ERR_OK;
}

static struct row_key key_of(enum code_column column)
{
    return (struct row_key){.column = (uint16_t)column, .name = SPAN_NONE};
}

static enum err encode(struct data_txn *txn, const struct code *code, struct span *out_encoded)
{
    struct row_builder builder;
    char hex[HEX_BYTES(SHA256_BYTES)];

    hex_encode(span_array(code->digest), hex);
    TRY(row_build_begin(&builder, txn->data->row, txn->now, txn->now, code->owner));
    TRY(row_build_string(&builder, key_of(CODE_DIGEST), span_array(hex)));
    TRY(row_build_int(&builder, key_of(CODE_PURPOSE), (int64_t)code->purpose));
    TRY(row_build_string(&builder, key_of(CODE_EMAIL), code->email));
    TRY(row_build_bool(&builder, key_of(CODE_NEW_EMAIL), code->new_email));
    TRY(row_build_date(&builder, key_of(CODE_ENDS_AT), code->ends_at));
    TRY(row_build_string(&builder, key_of(CODE_NAME), code->name));
    return row_build_end(&builder, out_encoded);
}

enum err code_find(struct store_snap *snap, const struct catalog_people *where, const uint8_t digest[SHA256_BYTES],
                   struct code *out_code)
{
    char hex[HEX_BYTES(SHA256_BYTES)];
    struct row row;

    hex_encode(span_of(digest, SHA256_BYTES), hex);
    const enum err err = people_find(snap, where->codes, CODE_DIGEST, span_array(hex), &row);
    if (err == ERR_NOT_FOUND) {
        fault_clear();
    }
    return err == ERR_OK ? code_read(&row, out_code) : err;
}

/* --- making room --- */

struct found {
    struct row_id rows[LOOKED_AT];
    size_t count;
    size_t looked_at;
    struct row_id kept; /* the first that was not wanted */
    bool has_kept;
};

/* Which codes: those that change an address; or those of a purpose, if there is one, and what nobody asks for any more. */
struct wanted {
    bool changes;
    enum data_code_purpose purpose;
};

static bool is_wanted(const struct data_txn *txn, const struct code *code, struct wanted wanted)
{
    const bool old = txn->now.ms - code->ends_at.ms > FORGOTTEN_MS;

    return wanted.changes ? code->new_email : old || code->purpose == wanted.purpose;
}

static void take_found(struct found *found, struct row_id row)
{
    found->rows[found->count++] = row;
}

static void keep_found(struct found *found, struct row_id row)
{
    found->kept = found->has_kept ? found->kept : row;
    found->has_kept = true;
}

/* Of the scan under way, at most so many. */
static enum err collect(struct data_txn *txn, struct wanted wanted, size_t most, struct found *out)
{
    struct code code;
    struct row row;
    enum err err = ERR_OK;

    *out = (struct found){.count = 0};
    while (out->looked_at < most && (err = walk_next(people_snap(txn), &row)) == ERR_OK) {
        out->looked_at++;
        if (code_read(&row, &code) != ERR_OK) {
            fault_clear(); /* nobody can use it, and nobody is to wait for it */
            continue;
        }
        is_wanted(txn, &code, wanted) ? take_found(out, row.id) : keep_found(out, row.id);
    }
    return walk_end(err);
}

static enum err delete_found(struct data_txn *txn, const struct found *found)
{
    for (size_t i = 0; i < found->count; i++) {
        TRY(store_delete(txn->store, people_where(txn)->codes, found->rows[i]));
    }
    return ERR_OK;
}

/* Of so many of the oldest, those that were over a day ago go. */
static enum err make_room(struct data_txn *txn, size_t most, struct found *out_found)
{
    const struct store_scan oldest = {.table = people_where(txn)->codes};
    const struct wanted over = {.purpose = DATA_CODE_PURPOSE_END};

    TRY(store_scan_begin(people_snap(txn), &oldest));
    TRY(collect(txn, over, most, out_found));
    return delete_found(txn, out_found);
}

enum err codes_make_room(struct data_txn *txn)
{
    struct found found;

    return make_room(txn, LOOKED_AT, &found);
}

static enum err find_codes(struct data_txn *txn, struct span owner, struct wanted wanted, struct found *out_found)
{
    const struct row_value value = {.type = ROW_STRING, .bytes = owner};

    TRY(people_scan(people_snap(txn), people_where(txn)->codes, 0, &value));
    return collect(txn, wanted, LOOKED_AT, out_found);
}

enum err codes_end_change(struct data_txn *txn, struct span owner)
{
    struct found found;

    TRY(find_codes(txn, owner, (struct wanted){.changes = true}, &found));
    return delete_found(txn, &found);
}

/* --- a new one ---
 *
 * An address that is nobody's must not show, nor whether its owner has a code of the purpose already. So in each case 16
 * rows are looked at, if there are as many, and the oldest of the others is written again, as are as many pages:
 *   one to end  it goes, the code comes, the oldest is replaced by itself
 *   none        the oldest goes and comes, the code comes
 *   nobody's    the oldest goes and comes, the code comes and goes */

static enum err insert(struct data_txn *txn, const struct code *code, struct row_id *out_row)
{
    const struct row_id row = store_txn_row_id(txn->store, txn->now);
    struct span encoded = SPAN_NONE;

    TRY(encode(txn, code, &encoded));
    TRY(store_insert(txn->store, people_where(txn)->codes, row, encoded, NULL));
    *out_row = row;
    return ERR_OK;
}

enum err code_insert(struct data_txn *txn, const struct code *code)
{
    const struct table_id codes = people_where(txn)->codes;
    struct found earlier;
    struct found oldest;
    struct row_id row;

    TRY(find_codes(txn, code->owner, (struct wanted){.purpose = code->purpose}, &earlier));
    TRY(delete_found(txn, &earlier));
    TRY(make_room(txn, LOOKED_AT - earlier.looked_at, &oldest));
    TRY(insert(txn, code, &row));
    if (!oldest.has_kept) {
        return ERR_OK;
    }
    return earlier.count != 0 ? people_write_again(txn, codes, oldest.kept) : people_put_again(txn, codes, oldest.kept);
}

enum err code_pretend(struct data_txn *txn, const struct code *code)
{
    const struct table_id codes = people_where(txn)->codes;
    struct found earlier;
    struct found oldest;
    struct row_id row;

    TRY(find_codes(txn, code->owner, (struct wanted){.purpose = code->purpose}, &earlier));
    TRY(make_room(txn, LOOKED_AT - earlier.looked_at, &oldest));
    TRY(insert(txn, code, &row));
    TRY(oldest.has_kept ? people_put_again(txn, codes, oldest.kept) : ERR_OK);
    return store_delete(txn->store, codes, row);
}
