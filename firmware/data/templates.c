/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/data/templates.h"

#include "firmware/data/data_int.h"
#include "firmware/data/doc.h"
#include "hal/base/fault.h"

static const struct json_value *stored_of(const struct catalog_environment *environment, enum mail_category category)
{
    return json_find(json_find(environment->record.doc, span_lit("mailTemplates")), mail_category_name(category));
}

/* One that was stored and can still be sent. */
static bool has_own(const struct catalog_environment *environment, enum mail_category category,
                    struct mail_template *out_own)
{
    const struct json_value *stored = stored_of(environment, category);

    *out_own = (struct mail_template){doc_text(stored, span_lit("subject")), doc_text(stored, span_lit("body"))};
    return stored != NULL && mail_template_problem(out_own) == NULL;
}

struct mail_template data_template(const struct catalog_environment *environment, enum mail_category category)
{
    struct mail_template own;

    return has_own(environment, category, &own) ? own : mail_template_default(category);
}

struct mail_brand data_brand(const struct catalog_environment *environment, enum mail_category category)
{
    const struct mail_settings *settings = &environment->mail;
    struct mail_template own;

    return settings->override_defaults && !has_own(environment, category, &own)
               ? (struct mail_brand){settings->sender_name, settings->logo_url, settings->brand_color}
               : (struct mail_brand){SPAN_NONE, SPAN_NONE, SPAN_NONE};
}

/* --- reading --- */

static void write_template(struct json_out *out, const struct catalog_environment *environment,
                           enum mail_category category)
{
    const struct json_value *stored = stored_of(environment, category);
    const struct mail_template template = data_template(environment, category);
    const struct span updated = doc_text(stored, span_lit("updatedAt"));

    json_out_object(out);
    json_out_member_text(out, span_lit("id"), mail_category_name(category));
    json_out_member_text(out, span_lit("category"), mail_category_name(category));
    json_out_member_text(out, span_lit("subject"), template.subject);
    json_out_member_text(out, span_lit("body"), template.body);
    json_out_name(out, span_lit("variables"));
    json_out_array(out);
    for (int i = 0; i < MAIL_VARIABLES; i++) {
        json_out_text(out, mail_variable_name((enum mail_variable)i));
    }
    json_out_array_end(out);
    json_out_member_bool(out, span_lit("isDefault"), stored == NULL);
    json_out_member_time(out, span_lit("createdAt"), environment->record.created_at);
    if (updated.len != 0) {
        json_out_member_text(out, span_lit("updatedAt"), updated);
    } else {
        json_out_member_time(out, span_lit("updatedAt"), environment->record.created_at);
    }
    json_out_object_end(out);
}

static enum err place_of(const struct data_admin *admin, const struct catalog_environment **out_place)
{
    *out_place = catalog_environment(admin->catalog, admin->key->environment_id);
    return *out_place != NULL ? ERR_OK : refuse(admin->refusal, REFUSAL_DATA_ENVIRONMENT_NOT_FOUND, NULL);
}

static enum err read_category(struct span name, enum mail_category *out_category, struct refusal *refusal)
{
    return mail_category_find(name, out_category) ? ERR_OK : refuse(refusal, REFUSAL_AUTH_TEMPLATE_NOT_FOUND, NULL);
}

enum err data_list_templates(const struct data_admin *admin)
{
    const struct catalog_environment *place = NULL;
    struct data_page page;
    struct json_out out;

    TRY(data_page_read(admin->arena, admin->query, MAIL_CATEGORIES, &page, admin->refusal));
    TRY(place_of(admin, &place));
    json_out_init(&out, admin->out);
    json_out_object(&out);
    json_out_name(&out, span_lit("items"));
    json_out_array(&out);
    for (uint64_t i = 0; i < MAIL_CATEGORIES; i++) {
        if (i / page.limit == page.page - 1) {
            write_template(&out, place, (enum mail_category)i);
        }
    }
    json_out_array_end(&out);
    data_write_pagination(&out, page, MAIL_CATEGORIES);
    json_out_object_end(&out);
    return json_out_finish(&out);
}

enum err data_get_template(const struct data_admin *admin, struct span category)
{
    const struct catalog_environment *place = NULL;
    enum mail_category found = MAIL_CATEGORIES;
    struct json_out out;

    TRY(read_category(category, &found, admin->refusal));
    TRY(place_of(admin, &place));
    json_out_init(&out, admin->out);
    write_template(&out, place, found);
    return json_out_finish(&out);
}

/* --- what a body proposes --- */

static enum err read_part(const struct json_value *body, struct span name, struct span *text, struct refusal *refusal)
{
    const struct json_value *value = json_find(body, name);

    if (value == NULL) {
        return ERR_OK;
    }
    if (value->type != JSON_STRING) {
        return refuse_at(refusal, REFUSAL_COMMON_INVALID_PARAMETERS, name, "must be a string");
    }
    *text = value->as.text;
    return ERR_OK;
}

/* Over what *template holds already. */
static enum err read_template(const struct json_value *body, struct mail_template *template, struct refusal *refusal)
{
    TRY(read_part(body, span_lit("subject"), &template->subject, refusal));
    TRY(read_part(body, span_lit("body"), &template->body, refusal));
    const char *problem = mail_template_problem(template);
    return problem == NULL ? ERR_OK : refuse(refusal, REFUSAL_COMMON_INVALID_PARAMETERS, problem);
}

enum err data_preview_template(const struct data_admin *admin, struct span category, const struct json_value *body)
{
    const struct mail_values sample = {
        {[MAIL_USER_NAME] = span_lit("Ada Lovelace"),
         [MAIL_USER_EMAIL] = span_lit("ada@example.com"),
         [MAIL_RESET_LINK] = span_lit("https://app.example.com/reset-password?token=sample&email=ada%40example.com"),
         [MAIL_VERIFY_LINK] = span_lit("https://app.example.com/verify?token=sample&email=ada%40example.com"),
         [MAIL_LINK] = span_lit("https://app.example.com/magic-link?token=sample"),
         [MAIL_INVITER_NAME] = span_lit("Grace Hopper"),
         [MAIL_RESOURCE_NAME] = span_lit("Example project")}};
    const struct mail_brand plain = {SPAN_NONE, SPAN_NONE, SPAN_NONE};
    const struct catalog_environment *place = NULL;
    enum mail_category found = MAIL_CATEGORIES;
    SCOPED_BUF struct buf *subject = NULL;
    SCOPED_BUF struct buf *text = NULL;
    struct json_out out;

    TRY(read_category(category, &found, admin->refusal));
    TRY(admin_check_place(admin, body));
    TRY(place_of(admin, &place));
    struct mail_template template = data_template(place, found);
    TRY(read_template(body, &template, admin->refusal));
    TRY(buf_new(MAIL_TEXT_MAX, &subject));
    TRY(buf_new(MAIL_TEXT_MAX, &text));
    TRY(mail_render_subject(template.subject, &sample, subject));
    const struct mail_brand brand = doc_has(body, span_lit("body")) ? plain : data_brand(place, found);
    TRY(mail_render_branded(template.body, &sample, &brand, text));
    json_out_init(&out, admin->out);
    json_out_object(&out);
    json_out_member_text(&out, span_lit("subject"), buf_all(subject));
    json_out_member_text(&out, span_lit("body"), buf_all(text));
    json_out_object_end(&out);
    return json_out_finish(&out);
}

/* --- changing --- */

struct change {
    enum mail_category category;
    struct mail_template template;
    struct wall_time now;
};

static void write_changed(struct json_out *out, const struct change *change)
{
    json_out_name(out, mail_category_name(change->category));
    json_out_object(out);
    json_out_member_text(out, span_lit("subject"), change->template.subject);
    json_out_member_text(out, span_lit("body"), change->template.body);
    json_out_member_time(out, span_lit("updatedAt"), change->now);
    json_out_object_end(out);
}

static void write_all(struct json_out *out, const struct catalog_environment *environment, const struct change *change)
{
    json_out_name(out, span_lit("mailTemplates"));
    json_out_object(out);
    for (int i = 0; i < MAIL_CATEGORIES; i++) {
        const enum mail_category category = (enum mail_category)i;
        const struct json_value *stored = stored_of(environment, category);
        if (category == change->category) {
            write_changed(out, change);
        } else if (stored != NULL) {
            json_out_name(out, mail_category_name(category));
            json_out_value(out, stored);
        }
    }
    json_out_object_end(out);
}

enum err data_template_set(struct data_txn *txn, struct data_call *call)
{
    const struct catalog_environment *stored = NULL;
    const struct json_value *body = NULL;
    struct change change = {.now = txn->now};
    struct json_out out;

    TRY(data_txn_admin(txn, call));
    TRY(read_category(call->table, &change.category, &call->refusal));
    TRY(data_txn_body(call, REFUSAL_COMMON_INVALID_PARAMETERS, &body));
    TRY(data_txn_check_place(txn, call, body));
    TRY(read_template(body, &change.template, &call->refusal));
    environment_begin_again(txn, span_lit("mailTemplates"), &out);
    write_all(&out, txn->environment, &change);
    TRY(environment_end_again(txn, &out, &stored));
    json_out_init(&out, call->out);
    write_template(&out, stored, change.category);
    return json_out_finish(&out);
}
