/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The ways in which a user can sign in, as they see them and take them away. Spec: contract 5.8. */
#include "firmware/data/people.h"

#include "firmware/data/oidc.h"
#include "firmware/data/people_int.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"

bool data_provider_is_known(struct span provider)
{
    return span_equal(provider, span_lit("google")) || span_equal(provider, span_lit("github"));
}

static enum err text_of(const struct row *row, unsigned int column, struct span *out_text)
{
    const struct row_field field = {.column = (uint16_t)column};
    struct row_value value = {.type = ROW_MISSING};

    TRY(row_find(row, &field, NULL, &value));
    ENSURE(value.type == ROW_STRING, ERR_DAMAGED, "an account without one of its texts");
    *out_text = value.bytes;
    return ERR_OK;
}

enum err account_read(const struct row *row, struct account *out_account)
{
    struct account account = {.user = row->created_by, .row = *row};

    TRY(text_of(row, ACCOUNT_ID, &account.id));
    TRY(text_of(row, ACCOUNT_PROVIDER, &account.provider));
    TRY(text_of(row, ACCOUNT_PROVIDER_ID, &account.provider_id));
    *out_account = account;
    return ERR_OK;
}

void account_write(struct json_out *out, const struct account *account)
{
    json_out_object(out);
    json_out_member_text(out, span_lit("id"), account->id);
    json_out_member_text(out, span_lit("userId"), account->user);
    json_out_member_text(out, span_lit("provider"), account->provider);
    json_out_member_text(out, span_lit("providerAccountId"), account->provider_id);
    json_out_member_time(out, span_lit("connectedAt"), account->row.created_at);
    json_out_object_end(out);
}

enum err accounts_write(struct json_out *out, struct store_snap *snap, const struct catalog_people *where,
                        struct span user, struct data_page page, uint64_t *out_total)
{
    const struct row_value owner = {.type = ROW_STRING, .bytes = user};
    struct account account;
    struct row row;
    uint64_t total = 0;
    enum err err = ERR_OK;

    json_out_array(out);
    TRY(people_scan_newest(snap, where->accounts, &owner));
    while ((err = walk_next(snap, &row)) == ERR_OK) {
        TRY(account_read(&row, &account));
        if (total / page.limit == page.page - 1) {
            account_write(out, &account);
        }
        total++;
    }
    TRY(walk_end(err));
    json_out_array_end(out);
    *out_total = total;
    return ERR_OK;
}

enum err people_find_account(struct data_txn *txn, struct span user, struct span provider, struct row_id *out_row,
                             uint64_t *out_count)
{
    const struct row_value owner = {.type = ROW_STRING, .bytes = user};
    struct account account;
    struct row row;
    bool found = false;
    enum err err = ERR_OK;

    *out_count = 0;
    TRY(people_scan(people_snap(txn), people_where(txn)->accounts, 0, &owner));
    while ((err = walk_next(people_snap(txn), &row)) == ERR_OK) {
        TRY(account_read(&row, &account));
        (*out_count)++;
        if (span_equal(account.provider, provider)) {
            *out_row = row.id;
            found = true;
        }
    }
    TRY(walk_end(err));
    return found ? ERR_OK : ERR_NOT_FOUND;
}

/* A provider that is configured no more is known to those who are still linked to it. */
static enum err refuse_unlinked(const struct data_txn *txn, struct data_call *call)
{
    struct data_oidc unused;
    const bool known = span_equal(call->table, span_lit(ACCOUNT_PASSWORD_PROVIDER)) ||
                       data_oidc_find(txn->environment, call->table, &unused) != DATA_OIDC_UNKNOWN;

    return known ? refuse(&call->refusal, REFUSAL_USER_NOT_FOUND, "There is no account of this provider")
                 : refuse(&call->refusal, REFUSAL_AUTH_UNSUPPORTED_PROVIDER, NULL);
}

enum err data_account_unlink(struct data_txn *txn, struct data_call *call)
{
    const struct span user = txn->principal.user;
    const struct log_field fields[] = {LOG_TEXT("user", user), LOG_TEXT("provider", call->table)};
    struct row_id row = {{0}};
    uint64_t count = 0;

    TRY(people_need_user(txn, call));
    const enum err err = people_find_account(txn, user, call->table, &row, &count);
    if (err == ERR_NOT_FOUND) {
        return refuse_unlinked(txn, call);
    }
    TRY(err);
    if (count == 1) {
        return refuse(&call->refusal, REFUSAL_AUTH_LAST_AUTH_METHOD, NULL);
    }
    TRY(people_answer(call, span_lit("The account was unlinked")));
    TRY(store_delete(txn->store, people_where(txn)->accounts, row));
    log_event(LOG_INFO, "account_unlinked", fields, ARRAY_LENGTH(fields));
    return ERR_OK;
}
