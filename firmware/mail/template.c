/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rendering is one pass: text up to the next "{{", then the name up to "}}". Names and templates are the operator's,
 * values are anybody's: whoever signs up chooses the name that stands in the mail. */
#include "firmware/mail/template.h"

#include "hal/base/fault.h"
#include "hal/base/num.h"

#define ESCAPE_LONGEST 6 /* &quot; */
_Static_assert(MAIL_BODY_MAX + MAIL_PLACES_MAX * MAIL_VALUE_MAX * ESCAPE_LONGEST <= MAIL_TEXT_MAX, "always fits");

#define TEXT(literal)                                                                                                  \
    {                                                                                                                  \
        (const uint8_t *)("" literal), sizeof(literal) - 1                                                             \
    }
static const struct {
    struct span name;
    struct mail_template template;
} categories[] = {
    [MAIL_SIGNUP_CONFIRMATION] = {TEXT("signup_confirmation"),
                                  {TEXT("Welcome, please confirm your email address"),
                                   TEXT("<p>Hello {{userName}},</p>\n"
                                        "<p>thank you for signing up. Please confirm that {{userEmail}} is yours:</p>\n"
                                        "<p><a href=\"{{verifyLink}}\">{{verifyLink}}</a></p>\n"
                                        "<p>The link is valid for 24 hours. If it was not you who signed up, ignore "
                                        "this message.</p>\n")}},
    [MAIL_PASSWORD_RESET] = {TEXT("password_reset"),
                             {TEXT("Reset your password"),
                              TEXT("<p>Hello {{userName}},</p>\n"
                                   "<p>somebody asked to reset the password of {{userEmail}}. If it was you, choose a "
                                   "new one here:</p>\n"
                                   "<p><a href=\"{{resetLink}}\">{{resetLink}}</a></p>\n"
                                   "<p>The link is valid for 24 hours and can be used once. If it was not you, ignore "
                                   "this message: your password stays as it is.</p>\n")}},
    [MAIL_MAGIC_LINK] = {TEXT("magic_link"),
                         {TEXT("Your sign-in link"),
                          TEXT("<p>Hello {{userName}},</p>\n"
                               "<p>sign in with this link:</p>\n"
                               "<p><a href=\"{{magicLink}}\">{{magicLink}}</a></p>\n"
                               "<p>It can be used once and ends soon. Do not pass it on: whoever opens it is signed in "
                               "as you. If you did not ask for it, ignore this message.</p>\n")}},
    [MAIL_EMAIL_VERIFICATION] = {TEXT("email_verification"),
                                 {TEXT("Please confirm your email address"),
                                  TEXT("<p>Hello {{userName}},</p>\n"
                                       "<p>please confirm that {{userEmail}} is yours:</p>\n"
                                       "<p><a href=\"{{verifyLink}}\">{{verifyLink}}</a></p>\n"
                                       "<p>The link is valid for 24 hours. If you did not ask for it, ignore this "
                                       "message.</p>\n")}},
    [MAIL_INVITATION] = {TEXT("invitation"),
                         {TEXT("{{inviterName}} invites you to {{resourceName}}"),
                          TEXT("<p>Hello {{userName}},</p>\n"
                               "<p>{{inviterName}} invites you to join {{resourceName}}:</p>\n"
                               "<p><a href=\"{{magicLink}}\">{{magicLink}}</a></p>\n"
                               "<p>The invitation is valid for 7 days. If you do not know the sender, ignore this "
                               "message.</p>\n")}},
};
_Static_assert(ARRAY_LENGTH(categories) == MAIL_CATEGORIES, "each category has a name and a template");

static const struct span variables[] = {
    [MAIL_USER_NAME] = TEXT("userName"),
    [MAIL_USER_EMAIL] = TEXT("userEmail"),
    [MAIL_RESET_LINK] = TEXT("resetLink"),
    [MAIL_VERIFY_LINK] = TEXT("verifyLink"),
    [MAIL_LINK] = TEXT("magicLink"),
    [MAIL_INVITER_NAME] = TEXT("inviterName"),
    [MAIL_RESOURCE_NAME] = TEXT("resourceName"),
};
_Static_assert(ARRAY_LENGTH(variables) == MAIL_VARIABLES, "each variable has a name");

struct span mail_category_name(enum mail_category category)
{
    return categories[category].name;
}

bool mail_category_find(struct span name, enum mail_category *out_category)
{
    for (size_t i = 0; i < ARRAY_LENGTH(categories); i++) {
        if (span_equal(categories[i].name, name)) {
            *out_category = (enum mail_category)i;
            return true;
        }
    }
    return false;
}

struct span mail_variable_name(enum mail_variable variable)
{
    return variables[variable];
}

struct mail_template mail_template_default(enum mail_category category)
{
    return categories[category].template;
}

/* --- the pieces of a template --- */

static size_t find_pair(struct span text, uint8_t byte)
{
    for (size_t i = 0; i + 1 < text.len; i++) {
        if (text.data[i] == byte && text.data[i + 1] == byte) {
            return i;
        }
    }
    return text.len;
}

/* The next piece of *rest: text, and the name of the variable behind it. False where no variable follows: the text is
 * then all that is left. */
static bool next_piece(struct span *rest, struct span *out_text, struct span *out_name)
{
    const size_t open = find_pair(*rest, '{');
    const struct span behind = open + 2 <= rest->len ? span_of(rest->data + open + 2, rest->len - open - 2) : SPAN_NONE;
    const size_t close = find_pair(behind, '}');

    if (close == behind.len) {
        *out_text = *rest;
        *rest = SPAN_NONE;
        return false;
    }
    *out_text = span_of(rest->data, open);
    *out_name = span_trim(span_of(behind.data, close));
    *rest = span_of(behind.data + close + 2, behind.len - close - 2);
    return true;
}

static struct span value_of(const struct mail_values *values, struct span name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(variables); i++) {
        if (span_equal(variables[i], name)) {
            return span_cut(values->of[i], MAIL_VALUE_MAX);
        }
    }
    return SPAN_NONE;
}

/* --- what a template may hold --- */

static bool is_control(uint8_t byte)
{
    return byte < 0x20 || byte == 0x7F;
}

static bool has_control(struct span text, struct span but)
{
    for (size_t i = 0; i < text.len; i++) {
        if (is_control(text.data[i]) && span_find(but, text.data[i]) == but.len) {
            return true;
        }
    }
    return false;
}

static size_t count_places(struct span text)
{
    struct span part = SPAN_NONE;
    struct span name = SPAN_NONE;
    size_t count = 0;

    while (next_piece(&text, &part, &name)) {
        count++;
    }
    return count;
}

const char *mail_template_problem(const struct mail_template *template)
{
    const struct span subject = template->subject;
    const struct span body = template->body;

    if (subject.len == 0 || subject.len > MAIL_SUBJECT_MAX || has_control(subject, SPAN_NONE)) {
        return "subject must be one line of 1 to 200 bytes";
    }
    if (body.len == 0 || body.len > MAIL_BODY_MAX || has_control(body, span_lit("\t\r\n"))) {
        return "body must be a text of 1 to 16384 bytes";
    }
    if (count_places(subject) > MAIL_PLACES_MAX || count_places(body) > MAIL_PLACES_MAX) {
        return "subject and body hold at most 16 variables each";
    }
    return NULL;
}

/* --- filling in --- */

static struct span escape_of(uint8_t byte)
{
    switch (byte) {
    case '&':
        return span_lit("&amp;");
    case '<':
        return span_lit("&lt;");
    case '>':
        return span_lit("&gt;");
    case '"':
        return span_lit("&quot;");
    case '\'':
        return span_lit("&#39;");
    default: /* bytes, not an enum */
        return SPAN_NONE;
    }
}

static enum err put_html(struct buf *out, struct span value)
{
    for (size_t i = 0; i < value.len; i++) {
        const struct span escape = escape_of(value.data[i]);
        TRY(buf_put(out, escape.len != 0 ? escape : span_of(value.data + i, 1)));
    }
    return ERR_OK;
}

/* Nothing in a field of a header may look like its end (RFC 5322 section 2.2). */
static enum err put_line(struct buf *out, struct span value)
{
    for (size_t i = 0; i < value.len; i++) {
        TRY(buf_put(out, is_control(value.data[i]) ? span_lit(" ") : span_of(value.data + i, 1)));
    }
    return ERR_OK;
}

static enum err render(struct span text, const struct mail_values *values,
                       enum err (*put)(struct buf *out, struct span value), struct buf *out)
{
    struct span part = SPAN_NONE;
    struct span name = SPAN_NONE;

    while (next_piece(&text, &part, &name)) {
        TRY(buf_put(out, part));
        TRY(put(out, value_of(values, name)));
    }
    return buf_put(out, part);
}

enum err mail_render_subject(struct span subject, const struct mail_values *values, struct buf *out)
{
    return render(subject, values, put_line, out);
}

enum err mail_render_body(struct span body, const struct mail_values *values, struct buf *out)
{
    return render(body, values, put_html, out);
}

/* --- a built-in text in the colours of the sender --- */

/* A part of the frame, if there is a value to stand in it: text, the value escaped, text. */
static enum err put_framed(struct buf *out, struct span before, struct span value, struct span after)
{
    if (value.len == 0) {
        return ERR_OK;
    }
    TRY(buf_put(out, before));
    TRY(put_html(out, value));
    return buf_put(out, after);
}

static enum err put_logo(struct buf *out, const struct mail_brand *brand)
{
    if (brand->logo_url.len == 0) {
        return ERR_OK;
    }
    TRY(put_framed(out, span_lit("<p><img src=\""), brand->logo_url, span_lit("\" height=\"48\" alt=\"")));
    TRY(put_html(out, brand->name));
    return buf_put(out, span_lit("\"></p>\n"));
}

enum err mail_render_branded(struct span body, const struct mail_values *values, const struct mail_brand *brand,
                             struct buf *out)
{
    const struct span end = span_lit("</div>\n");

    TRY(put_framed(out, span_lit("<div style=\"border-top:4px solid "), brand->color,
                   span_lit(";padding-top:16px\">\n")));
    TRY(put_logo(out, brand));
    TRY(mail_render_body(body, values, out));
    TRY(put_framed(out, span_lit("<p>"), brand->name, span_lit("</p>\n")));
    return brand->color.len != 0 ? buf_put(out, end) : ERR_OK;
}
