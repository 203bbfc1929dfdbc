/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The outbox of an environment: every mail, written in the transaction of what it is about, sealed like every row. An
 * operator without a relay reads it here (contract 5.11, 6). A row holds the code of its link in clear, as a mailbox does;
 * it goes after seven days. */
#include <string.h>

#include "firmware/data/codes_int.h"
#include "firmware/data/outbox_int.h"
#include "firmware/data/templates.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"

#define HURRIED_MAX 64 /* of one environment: the others follow in their own time */
#define LOOKED_AT   8  /* oldest mails, for each new one: an outbox that is full of old ones empties itself */

_Static_assert(2 * MAIL_TEXT_MAX <= DATA_DOC_MAX, "subject and body fit data->text");

/* --- rows --- */

static enum err take_text(const struct row_value *value, struct span *out_text)
{
    ENSURE(value->type == ROW_STRING, ERR_DAMAGED, "a text expected");
    *out_text = value->bytes;
    return ERR_OK;
}

static enum err take_column(const struct row_member *member, struct outbox_mail *mail)
{
    const struct row_value *value = &member->value;

    switch ((enum outbox_column)member->column) {
    case OUTBOX_ID:
        return take_text(value, &mail->id);
    case OUTBOX_TO:
        return take_text(value, &mail->to);
    case OUTBOX_CATEGORY:
        return take_text(value, &mail->category);
    case OUTBOX_SUBJECT:
        return take_text(value, &mail->subject);
    case OUTBOX_BODY:
        return take_text(value, &mail->body);
    case OUTBOX_LINK:
        return take_text(value, &mail->link);
    case OUTBOX_CODE:
        return take_text(value, &mail->code);
    case OUTBOX_STATUS:
        return take_text(value, &mail->status);
    case OUTBOX_ATTEMPTS:
        mail->attempts = value->integer;
        return ERR_OK;
    case OUTBOX_NEXT_AT:
        return ERR_OK;
    case OUTBOX_DUE_AT:
        mail->due_at = value->date;
        return ERR_OK;
    case OUTBOX_COLUMN_END:
        break;
    }
    FAIL(ERR_DAMAGED, "a mail with another column", member->column);
}

enum err outbox_read(const struct row *row, struct outbox_mail *out_mail)
{
    struct row_iter iter = row_iter_columns(row);
    struct outbox_mail mail = {.row = *row};
    struct row_member member;
    enum err err = ERR_OK;

    while ((err = row_iter_next(&iter, &member)) == ERR_OK) {
        TRY(take_column(&member, &mail));
    }
    ENSURE(err == ERR_NOT_FOUND, ERR_DAMAGED, "a mail's row is damaged");
    *out_mail = mail;
    return ERR_OK;
}

static bool is_queued(const struct outbox_mail *mail)
{
    return span_equal(mail->status, OUTBOX_QUEUED);
}

static struct row_key key_of(enum outbox_column column)
{
    return (struct row_key){.column = (uint16_t)column, .name = SPAN_NONE};
}

static enum err encode(struct data_txn *txn, const struct outbox_mail *mail, struct wall_time updated,
                       struct span *out_encoded)
{
    struct row_builder builder;
    char owner[CODE_OWNER_BYTES];

    code_owner_of_email(mail->to, owner);
    TRY(row_build_begin(&builder, txn->data->row, mail->row.created_at, updated, span_array(owner)));
    TRY(row_build_string(&builder, key_of(OUTBOX_ID), mail->id));
    TRY(row_build_string(&builder, key_of(OUTBOX_TO), mail->to));
    TRY(row_build_string(&builder, key_of(OUTBOX_CATEGORY), mail->category));
    TRY(row_build_string(&builder, key_of(OUTBOX_SUBJECT), mail->subject));
    TRY(row_build_string(&builder, key_of(OUTBOX_BODY), mail->body));
    TRY(row_build_string(&builder, key_of(OUTBOX_LINK), mail->link));
    TRY(row_build_string(&builder, key_of(OUTBOX_CODE), mail->code));
    TRY(row_build_string(&builder, key_of(OUTBOX_STATUS), mail->status));
    TRY(row_build_int(&builder, key_of(OUTBOX_ATTEMPTS), mail->attempts));
    TRY(is_queued(mail) ? row_build_date(&builder, key_of(OUTBOX_DUE_AT), mail->due_at) : ERR_OK);
    return row_build_end(&builder, out_encoded);
}

/* --- making room --- */

/* Those that are over; or, where there are as many as there may be and none of them is, the oldest. */
struct oldest {
    struct row_id rows[LOOKED_AT];
    size_t count;
    bool alive;
};

static enum err find_oldest(struct data_txn *txn, struct oldest *out)
{
    const struct store_scan scan = {.table = people_where(txn)->outbox};
    struct oldest found = {.count = 0};
    uint64_t rows = 0;
    struct row row;
    enum err err = ERR_OK;

    TRY(store_count(people_snap(txn), people_where(txn)->outbox, &rows));
    TRY(store_scan_begin(people_snap(txn), &scan));
    while (!found.alive && found.count < LOOKED_AT && (err = walk_next(people_snap(txn), &row)) == ERR_OK) {
        const bool over = txn->now.ms - row.created_at.ms > OUTBOX_KEPT_MS;
        found.alive = !over && found.count == 0 && rows >= CONFIG_DATA_OUTBOX_MAX;
        if (!over && !found.alive) {
            break;
        }
        found.rows[found.count++] = row.id;
    }
    TRY(walk_end(err));
    *out = found;
    return ERR_OK;
}

static enum err delete_oldest(struct data_txn *txn, const struct oldest *oldest)
{
    for (size_t i = 0; i < oldest->count; i++) {
        TRY(store_delete(txn->store, people_where(txn)->outbox, oldest->rows[i]));
    }
    return ERR_OK;
}

enum err outbox_sweep(struct data_txn *txn)
{
    struct oldest oldest;

    TRY(find_oldest(txn, &oldest));
    return oldest.alive ? ERR_OK : delete_oldest(txn, &oldest);
}

/* --- a new one --- */

/* Subject and body, one behind the other in data->text, where no document is in the making. */
static enum err render(struct data_txn *txn, const struct outbox_order *order, struct outbox_mail *mail)
{
    const struct mail_template template = data_template(txn->environment, order->category);
    const struct mail_brand brand = data_brand(txn->environment, order->category);
    struct buf *text = txn->data->text;

    buf_reset(text);
    TRY(mail_render_subject(template.subject, &order->values, text));
    const size_t subject_len = buf_len(text);
    TRY(mail_render_branded(template.body, &order->values, &brand, text));
    const struct span all = buf_all(text);
    mail->subject = span_of(all.data, subject_len);
    mail->body = span_of(all.data + subject_len, all.len - subject_len);
    return ERR_OK;
}

enum err outbox_put(struct data_txn *txn, const struct outbox_order *order, struct row_id *out_row)
{
    const bool has_relay = txn->environment->mail.relay.to.host.len != 0;
    const struct row_id row = store_txn_row_id(txn->store, txn->now);
    struct outbox_mail mail = {.row = {.created_at = txn->now},
                               .to = order->to,
                               .category = mail_category_name(order->category),
                               .link = order->link,
                               .code = order->code,
                               .status = has_relay ? OUTBOX_QUEUED : OUTBOX_LOCAL,
                               .due_at = txn->now};
    struct span encoded = SPAN_NONE;
    char id[AUTH_UUID_BYTES];

    auth_uuid_make(txn->data->random, id);
    mail.id = span_array(id);
    TRY(render(txn, order, &mail));
    TRY(encode(txn, &mail, txn->now, &encoded));
    buf_wipe(txn->data->text);
    TRY(store_insert(txn->store, people_where(txn)->outbox, row, encoded, NULL));
    txn->data->mail_notes |= has_relay ? DATA_MAILS_QUEUED : 0;
    *out_row = row;
    return ERR_OK;
}

/* --- nobody's mail ---
 *
 * It costs what somebody's does: as many pages are written.
 *                the outbox is full                             it is not
 *   somebody's   the oldest goes; the mail comes, goes, comes   the mail comes, and its pages stay
 *   nobody's     the oldest goes, comes; the mail comes, goes   the mail comes, goes; the one before is replaced by itself */

enum err outbox_send(struct data_txn *txn, const struct outbox_order *order)
{
    struct oldest oldest;
    struct row_id row;

    TRY(find_oldest(txn, &oldest));
    TRY(delete_oldest(txn, &oldest));
    TRY(outbox_put(txn, order, &row));
    return oldest.alive ? people_put_again(txn, people_where(txn)->outbox, row) : ERR_OK;
}

static enum err write_newest_again(struct data_txn *txn)
{
    const struct table_id outbox = people_where(txn)->outbox;
    struct row_id last;
    struct row row;

    memset(last.bytes, UINT8_MAX, sizeof last.bytes);
    const enum err err = store_get_near(people_snap(txn), outbox, last, &row);
    if (err == ERR_NOT_FOUND) {
        fault_clear();
        return ERR_OK;
    }
    TRY(err);
    return people_write_again(txn, outbox, row.id);
}

enum err outbox_pretend(struct data_txn *txn, const struct outbox_order *order)
{
    const struct table_id outbox = people_where(txn)->outbox;
    struct oldest oldest;
    struct row_id row;

    TRY(find_oldest(txn, &oldest));
    TRY(oldest.alive ? people_put_again(txn, outbox, oldest.rows[0]) : delete_oldest(txn, &oldest));
    TRY(outbox_put(txn, order, &row));
    TRY(store_delete(txn->store, outbox, row));
    return oldest.alive ? ERR_OK : write_newest_again(txn);
}

enum err outbox_replace(struct data_txn *txn, const struct outbox_mail *mail)
{
    struct span encoded = SPAN_NONE;

    TRY(encode(txn, mail, data_txn_later(txn, mail->row.updated_at), &encoded));
    return store_replace(txn->store, people_where(txn)->outbox, mail->row.id, encoded, NULL);
}

enum err outbox_hurry(struct data_txn *txn)
{
    struct row_id waiting[HURRIED_MAX];
    struct outbox_mail mail;
    struct row row;
    size_t count = 0;
    enum err err = ERR_OK;

    TRY(people_scan_sorted(people_snap(txn), people_where(txn)->outbox, OUTBOX_DUE_AT));
    while (count < HURRIED_MAX && (err = walk_next(people_snap(txn), &row)) == ERR_OK) {
        waiting[count++] = row.id;
    }
    TRY(walk_end(err));
    for (size_t i = 0; i < count; i++) {
        TRY(store_get(people_snap(txn), people_where(txn)->outbox, waiting[i], &row));
        if (outbox_read(&row, &mail) != ERR_OK) {
            fault_clear(); /* mail_queue.c tells of it */
            continue;
        }
        mail.due_at = txn->now;
        TRY(outbox_replace(txn, &mail));
    }
    return ERR_OK;
}

void outbox_write(struct json_out *out, const struct outbox_mail *mail)
{
    json_out_object(out);
    json_out_member_text(out, span_lit("id"), mail->id);
    json_out_member_text(out, span_lit("to"), mail->to);
    json_out_member_text(out, span_lit("category"), mail->category);
    json_out_member_text(out, span_lit("subject"), mail->subject);
    json_out_member_text(out, span_lit("body"), mail->body);
    admin_write_text(out, span_lit("link"), mail->link);
    admin_write_text(out, span_lit("token"), mail->code);
    json_out_member_text(out, span_lit("status"), mail->status);
    json_out_member_time(out, span_lit("createdAt"), mail->row.created_at);
    json_out_member_time(out, span_lit("updatedAt"), mail->row.updated_at);
    json_out_object_end(out);
}
