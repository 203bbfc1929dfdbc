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

/* The code of an order, without an owner. */
static struct code code_of(const struct data_txn *txn, const struct mails_order *order)
{
    const struct span email = email_of(order);
    struct code code = {.purpose = order->purpose,
                        .email = email,
                        .name = order->name,
                        .ends_at = {txn->now.ms + life_of(txn, order->purpose)}};

    code.new_email = order->person != NULL && !span_equal(email, order->person->email);
    memcpy(code.digest, order->mail->digest, sizeof code.digest);
    return code;
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

static struct outbox_order mail_of(const struct mails_order *order)
{
    struct outbox_order mail = {
        .category = order->mail->category, .to = email_of(order), .link = order->mail->link, .code = order->mail->code};

    mail.values.of[MAIL_USER_NAME] = name_of(order);
    mail.values.of[MAIL_USER_EMAIL] = mail.to;
    mail.values.of[link_of(mail.category)] = mail.link;
    return mail;
}

enum err mails_send(struct data_txn *txn, const struct mails_order *order)
{
    const struct outbox_order mail = mail_of(order);
    struct code code = code_of(txn, order);
    char nobody[CODE_OWNER_BYTES];

    code_owner_of_email(code.email, nobody);
    code.owner = order->person != NULL ? order->person->id : span_array(nobody);
    TRY(code_insert(txn, &code));
    return outbox_send(txn, &mail);
}

enum err mails_pretend(struct data_txn *txn, const struct mails_order *order)
{
    const struct outbox_order mail = mail_of(order);
    struct code code = code_of(txn, order);
    char nobody[CODE_OWNER_BYTES];

    code_owner_of_email(code.email, nobody);
    code.owner = span_array(nobody);
    TRY(code_pretend(txn, &code));
    return outbox_pretend(txn, &mail);
}
