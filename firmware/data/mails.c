/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/data/mails_int.h"

#include "hal/base/fault.h"

#define MS_PER_MINUTE 60000

static int64_t life_of(const struct data_txn *txn, enum data_code_purpose purpose)
{
    switch (purpose) {
    case DATA_CODE_RESET:
    case DATA_CODE_VERIFY:
        return DATA_CODE_DAY_MS;
    case DATA_CODE_MAGIC:
        return (int64_t)people_settings(txn).magic_link_minutes * MS_PER_MINUTE;
    case DATA_CODE_INVITE:
        return DATA_CODE_INVITE_MS;
    case DATA_CODE_OAUTH: /* no mail has one */
    case DATA_CODE_PURPOSE_END:
        break;
    }
    return 0;
}

static struct span email_of(const struct mails_order *order)
{
    return order->email.len != 0 || order->person == NULL ? order->email : order->person->email;
}

static enum err put_code(struct data_txn *txn, const struct mails_order *order, struct span owner,
                         struct row_id *out_row)
{
    const struct span email = email_of(order);
    struct code code = {.purpose = order->purpose,
                        .owner = owner,
                        .email = email,
                        .name = order->name,
                        .ends_at = {txn->now.ms + life_of(txn, order->purpose)}};

    code.new_email = order->person != NULL && !span_equal(email, order->person->email);
    memcpy(code.digest, order->mail->digest, sizeof code.digest);
    return code_insert(txn, &code, out_row);
}

/* The variable that the link of a mail is for. */
static enum mail_variable link_of(enum mail_category category)
{
    switch (category) {
    case MAIL_PASSWORD_RESET:
        return MAIL_RESET_LINK;
    case MAIL_SIGNUP_CONFIRMATION:
    case MAIL_EMAIL_VERIFICATION:
        return MAIL_VERIFY_LINK;
    case MAIL_MAGIC_LINK:
    case MAIL_INVITATION:
    case MAIL_CATEGORIES:
        break;
    }
    return MAIL_LINK;
}

/* Who is spoken to: an address without a name by itself. */
static struct span name_of(const struct mails_order *order)
{
    const struct span name = order->person != NULL ? order->person->name : order->name;

    return name.len != 0 ? name : email_of(order);
}

static enum err put_mail(struct data_txn *txn, const struct mails_order *order, struct row_id *out_row)
{
    struct outbox_order mail = {
        .category = order->mail->category, .to = email_of(order), .link = order->mail->link, .code = order->mail->code};

    mail.values.of[MAIL_USER_NAME] = name_of(order);
    mail.values.of[MAIL_USER_EMAIL] = mail.to;
    mail.values.of[link_of(mail.category)] = mail.link;
    return outbox_put(txn, &mail, out_row);
}

enum err mails_send(struct data_txn *txn, const struct mails_order *order)
{
    char nobody[CODE_OWNER_BYTES];
    struct row_id row;

    code_owner_of_email(email_of(order), nobody);
    TRY(put_code(txn, order, order->person != NULL ? order->person->id : span_array(nobody), &row));
    TRY(outbox_make_room(txn));
    return put_mail(txn, order, &row);
}

/* Under an owner of its own, so that it ends no code that somebody has. */
enum err mails_pretend(struct data_txn *txn, const struct mails_order *order)
{
    char pretended[CODE_OWNER_BYTES];
    struct row_id code;
    struct row_id mail;

    code_owner_of_email(span_lit("nobody"), pretended);
    TRY(put_code(txn, order, span_array(pretended), &code));
    TRY(outbox_pretend_room(txn));
    TRY(put_mail(txn, order, &mail));
    TRY(store_delete(txn->store, people_where(txn)->codes, code));
    return store_delete(txn->store, people_where(txn)->outbox, mail);
}
