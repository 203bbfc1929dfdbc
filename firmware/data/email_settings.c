/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A stored document and the body of a PUT are of one form, so both are read by the same functions: onto nothing, or onto
 * what holds already. */
#include "firmware/data/email_settings.h"

#include "firmware/auth/account.h"
#include "firmware/data/data_int.h"
#include "firmware/data/destinations.h"
#include "firmware/data/doc.h"
#include "firmware/data/outbox_int.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"

#define PORT_MAX 65535

/* --- reading --- */

static enum err refuse_member(struct refusal *refusal, const char *name, const char *why)
{
    return refuse_at(refusal, REFUSAL_COMMON_INVALID_PARAMETERS, span_str(name), why);
}

/* A member that is a text; null: none. */
struct text_member {
    const char *name;
    bool (*fits)(struct span text);
    const char *why;
};

static enum err read_text(const struct json_value *from, const struct text_member *member, struct span *text,
                          struct refusal *refusal)
{
    const struct json_value *value = json_find(from, span_str(member->name));

    if (value == NULL) {
        return ERR_OK;
    }
    if (value->type != JSON_NULL && (value->type != JSON_STRING || !member->fits(value->as.text))) {
        return refuse_member(refusal, member->name, member->why);
    }
    *text = value->type == JSON_NULL ? SPAN_NONE : value->as.text;
    return ERR_OK;
}

static enum err read_sender(const struct json_value *from, struct arena *arena, struct span *email,
                            struct refusal *refusal)
{
    const struct json_value *value = json_find(from, span_lit("senderEmail"));
    struct account_email read;

    if (value == NULL || value->type == JSON_NULL) {
        *email = value == NULL ? *email : SPAN_NONE;
        return ERR_OK;
    }
    if (value->type != JSON_STRING || account_email_read(value->as.text, &read) != ERR_OK) {
        fault_clear();
        return refuse_member(refusal, "senderEmail", "must be a valid email address or null");
    }
    return arena_copy(arena, span_of(read.text, read.len), email);
}

static enum err read_override(const struct json_value *from, bool *override, struct refusal *refusal)
{
    const struct json_value *value = json_find(from, span_lit("overrideDefaults"));

    if (value != NULL && value->type != JSON_BOOL && value->type != JSON_NULL) {
        return refuse_member(refusal, "overrideDefaults", "must be true, false or null");
    }
    *override = value != NULL ? value->type == JSON_BOOL && value->as.boolean : *override;
    return ERR_OK;
}

static enum err read_way(const struct json_value *smtp, struct mail_relay *relay, struct refusal *refusal)
{
    const struct json_value *tls = json_find(smtp, span_lit("tls"));
    const struct json_value *port = json_find(smtp, span_lit("port"));

    relay->to.kind = OUTBOUND_SMTP;
    relay->to.tls = OUTBOUND_STARTTLS;
    if (tls != NULL && (tls->type != JSON_STRING || !mail_tls_find(tls->as.text, &relay->to.tls))) {
        return refuse_member(refusal, "smtp.tls", "must be starttls or tls: nothing is sent in clear");
    }
    relay->to.port = relay->to.tls == OUTBOUND_TLS ? MAIL_TLS_PORT : MAIL_STARTTLS_PORT;
    if (port == NULL) {
        return ERR_OK;
    }
    if (port->type != JSON_INT || port->as.integer < 1 || port->as.integer > PORT_MAX) {
        return refuse_member(refusal, "smtp.port", "must be an integer from 1 to 65535");
    }
    relay->to.port = (uint16_t)port->as.integer;
    return ERR_OK;
}

static enum err check_smtp_members(const struct json_value *smtp, struct refusal *refusal)
{
    static const char *const names[] = {"host", "port", "user", "password", "hasPassword", "tls", "ca"};
    const struct member_rule rule = {names, ARRAY_LENGTH(names), REFUSAL_COMMON_INVALID_PARAMETERS,
                                     "is not a setting of smtp"};

    return admin_members(smtp, &rule, refusal);
}

static bool is_same_relay(const struct mail_relay *a, const struct mail_relay *b)
{
    return outbound_destination_equal(&a->to, &b->to) && span_equal(a->user, b->user);
}

/* The password of a body that names none. */
static enum err keep_password(const struct mail_relay *before, struct mail_relay *relay, struct refusal *refusal)
{
    if (relay->user.len == 0 || before->password.len == 0) {
        return ERR_OK;
    }
    if (!is_same_relay(before, relay)) {
        return refuse_member(refusal, "smtp.password", "must be given again for another relay");
    }
    relay->password = before->password;
    return ERR_OK;
}

static enum err read_relay(const struct json_value *smtp, struct mail_relay *relay, struct refusal *refusal)
{
    static const struct text_member host = {"host", outbound_host_fits, "must be the name of a host"};
    static const struct text_member user = {"user", mail_user_fits, "must be a text of 1 to 255 bytes or null"};
    static const struct text_member password = {"password", mail_password_fits,
                                                "must be a text of 1 to 255 bytes or null"};
    static const struct text_member ca = {"ca", mail_ca_fits, "must be certificates as PEM, or null"};
    struct mail_relay next = {.user = SPAN_NONE};

    TRY(check_smtp_members(smtp, refusal));
    TRY(read_text(smtp, &host, &next.to.host, refusal));
    if (next.to.host.len == 0) {
        return refuse_member(refusal, "smtp.host", "is required");
    }
    TRY(read_way(smtp, &next, refusal));
    TRY(read_text(smtp, &user, &next.user, refusal));
    TRY(read_text(smtp, &ca, &next.to.ca, refusal));
    TRY(read_text(smtp, &password, &next.password, refusal));
    TRY(json_find(smtp, span_lit("password")) == NULL ? keep_password(relay, &next, refusal) : ERR_OK);
    if ((next.user.len == 0) != (next.password.len == 0)) {
        return refuse_member(refusal, "smtp.user", "and password go together");
    }
    *relay = next;
    return ERR_OK;
}

static enum err read_smtp(const struct json_value *from, struct mail_relay *relay, struct refusal *refusal)
{
    const struct json_value *smtp = json_find(from, span_lit("smtp"));

    if (smtp == NULL) {
        return ERR_OK;
    }
    if (smtp->type == JSON_NULL) {
        *relay = (struct mail_relay){.user = SPAN_NONE};
        return ERR_OK;
    }
    return smtp->type == JSON_OBJECT ? read_relay(smtp, relay, refusal)
                                     : refuse_member(refusal, "smtp", "must be an object or null");
}

/* What the members of `from` say, over what settings holds. */
static enum err read_over(const struct json_value *from, struct arena *arena, struct mail_settings *settings,
                          struct refusal *refusal)
{
    static const struct text_member name = {"senderName", mail_sender_name_fits,
                                            "must be one line of 1 to 100 characters or null"};
    static const struct text_member logo = {"logoUrl", mail_logo_fits, "must be an http or https address or null"};
    static const struct text_member color = {"brandColor", mail_color_fits, "must be #rgb, #rrggbb or null"};

    TRY(read_sender(from, arena, &settings->sender_email, refusal));
    TRY(read_text(from, &name, &settings->sender_name, refusal));
    TRY(read_text(from, &logo, &settings->logo_url, refusal));
    TRY(read_text(from, &color, &settings->brand_color, refusal));
    TRY(read_override(from, &settings->override_defaults, refusal));
    TRY(read_smtp(from, &settings->relay, refusal));
    if (settings->relay.to.host.len != 0 && settings->sender_email.len == 0) {
        return refuse_member(refusal, "senderEmail", "is required with a relay");
    }
    return ERR_OK;
}

enum err email_settings_read(const struct json_value *stored, struct arena *arena, struct mail_settings *out_settings)
{
    struct mail_settings settings = {.override_defaults = false};
    struct refusal refusal;

    const enum err err = read_over(stored, arena, &settings, &refusal);
    ENSURE(err != ERR_DENIED, ERR_DAMAGED, "mail settings that may not be");
    TRY(err);
    *out_settings = settings;
    return ERR_OK;
}

/* --- writing --- */

static void write_relay(struct json_out *out, const struct mail_relay *relay)
{
    json_out_member_text(out, span_lit("host"), relay->to.host);
    json_out_member_int(out, span_lit("port"), relay->to.port);
    json_out_member_text(out, span_lit("tls"), mail_tls_name(relay->to.tls));
    admin_write_text(out, span_lit("user"), relay->user);
    admin_write_text(out, span_lit("ca"), relay->to.ca);
}

static void write_looks(struct json_out *out, const struct mail_settings *settings)
{
    admin_write_text(out, span_lit("senderEmail"), settings->sender_email);
    admin_write_text(out, span_lit("senderName"), settings->sender_name);
    admin_write_text(out, span_lit("logoUrl"), settings->logo_url);
    admin_write_text(out, span_lit("brandColor"), settings->brand_color);
    json_out_member_bool(out, span_lit("overrideDefaults"), settings->override_defaults);
}

static void write_stored(struct json_out *out, const struct mail_settings *settings)
{
    json_out_name(out, span_lit("emailSettings"));
    json_out_object(out);
    write_looks(out, settings);
    if (settings->relay.to.host.len != 0) {
        json_out_name(out, span_lit("smtp"));
        json_out_object(out);
        write_relay(out, &settings->relay);
        admin_write_text(out, span_lit("password"), settings->relay.password);
        json_out_object_end(out);
    }
    json_out_object_end(out);
}

/* Everything but the password. */
static enum err write_answer(struct buf *to, const struct catalog_environment *environment)
{
    const struct mail_relay *relay = &environment->mail.relay;
    struct json_out out;

    json_out_init(&out, to);
    json_out_object(&out);
    json_out_member_text(&out, span_lit("id"), span_lit("email-settings"));
    json_out_member_text(&out, span_lit("projectId"), environment->record.parent);
    json_out_member_text(&out, span_lit("environment"), environment->record.name);
    write_looks(&out, &environment->mail);
    json_out_name(&out, span_lit("smtp"));
    if (relay->to.host.len == 0) {
        json_out_null(&out);
    } else {
        json_out_object(&out);
        write_relay(&out, relay);
        json_out_member_bool(&out, span_lit("hasPassword"), relay->password.len != 0);
        json_out_object_end(&out);
    }
    admin_write_times(&out, &environment->record);
    json_out_object_end(&out);
    return json_out_finish(&out);
}

enum err data_get_email_settings(const struct data_admin *admin)
{
    const struct catalog_environment *environment = catalog_environment(admin->catalog, admin->key->environment_id);

    return environment != NULL ? write_answer(admin->out, environment)
                               : refuse(admin->refusal, REFUSAL_DATA_ENVIRONMENT_NOT_FOUND, NULL);
}

/* --- changing --- */

/* Besides settings: what an answer has, so that it may be sent back as it came. */
static enum err check_members(const struct json_value *body, struct refusal *refusal)
{
    static const char *const names[] = {"id",         "projectId", "environment", "senderEmail",
                                        "senderName", "logoUrl",   "brandColor",  "overrideDefaults",
                                        "smtp",       "createdAt", "updatedAt"};
    const struct member_rule rule = {names, ARRAY_LENGTH(names), REFUSAL_COMMON_INVALID_PARAMETERS, "is not a setting"};

    return admin_members(body, &rule, refusal);
}

static void note(const struct catalog_environment *environment)
{
    const struct log_field fields[] = {LOG_TEXT("environment", environment->record.id),
                                       LOG_TEXT("relay", environment->mail.relay.to.host),
                                       LOG_NUMBER("port", environment->mail.relay.to.port)};

    log_event(LOG_INFO, "email_settings_changed", fields, ARRAY_LENGTH(fields));
}

/* Whoever puts a relay right does not want to wait for the next attempt. */
static enum err hurry(struct data_txn *txn, const struct catalog_environment *environment)
{
    if (environment->mail.relay.to.host.len == 0) {
        return ERR_OK;
    }
    txn->data->mail_notes |= DATA_MAILS_RELAYED;
    return outbox_hurry(txn);
}

/* The CA of a relay that the body has. What was stored is not asked again: it is read at every start. */
static enum err check_ca(const struct json_value *body, const struct mail_relay *relay, struct refusal *refusal)
{
    if (json_find(body, span_lit("smtp")) == NULL || relay->to.ca.len == 0 || outbound_ca_fits(relay->to.ca)) {
        return ERR_OK;
    }
    return refuse_member(refusal, "smtp.ca", "must be whole certificates as PEM, or null");
}

enum err data_email_settings_set(struct data_txn *txn, struct data_call *call)
{
    struct mail_settings settings;
    const struct catalog_environment *stored = NULL;
    const struct json_value *body = NULL;
    struct json_out out;

    TRY(data_txn_admin_body(txn, call, &body));
    TRY(check_members(body, &call->refusal));
    settings = txn->environment->mail;
    TRY(read_over(body, call->arena, &settings, &call->refusal));
    TRY(check_ca(body, &settings.relay, &call->refusal));
    environment_begin_again(txn, span_lit("emailSettings"), &out);
    write_stored(&out, &settings);
    TRY(environment_end_again(txn, &out, &stored));
    TRY(destinations_check(data_txn_catalog(txn), &call->refusal));
    TRY(hurry(txn, stored));
    note(stored);
    return write_answer(call->out, stored);
}
