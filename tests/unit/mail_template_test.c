/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The texts of mails. Spec: contract 6, email-templates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/mail/template.h"
#include "hal/base/fault.h"

static char text[MAIL_TEXT_MAX + 1];

static const char *rendered(enum err (*render)(struct span, const struct mail_values *, struct buf *),
                            const char *template, const struct mail_values *values)
{
    SCOPED_BUF struct buf *out = NULL;

    assert_int_equal(buf_new(MAIL_TEXT_MAX, &out), ERR_OK);
    assert_int_equal(render(span_str(template), values, out), ERR_OK);
    const struct span all = buf_all(out);
    memcpy(text, all.data, all.len);
    text[all.len] = 0;
    return text;
}

static struct mail_values named(const char *name)
{
    struct mail_values values = {{SPAN_NONE}};

    values.of[MAIL_USER_NAME] = span_str(name);
    return values;
}

static void variables_are_filled_in_wherever_they_stand(void **state)
{
    const struct mail_values values = named("Ada");

    assert_string_equal(rendered(mail_render_body, "{{userName}}, {{ userName }}{{userName}}!", &values),
                        "Ada, AdaAda!");
}

static void an_unknown_or_empty_variable_leaves_nothing(void **state)
{
    const struct mail_values values = named("Ada");

    assert_string_equal(rendered(mail_render_body, "[{{password}}][{{resetLink}}][{{}}]", &values), "[][][]");
}

static void what_has_no_end_is_text(void **state)
{
    const struct mail_values values = named("Ada");

    assert_string_equal(rendered(mail_render_body, "a {{userName", &values), "a {{userName");
    assert_string_equal(rendered(mail_render_body, "{ {userName}} }", &values), "{ {userName}} }");
    assert_string_equal(rendered(mail_render_body, "{{userName}} {{", &values), "Ada {{");
}

static void a_value_is_escaped_in_a_body_and_never_read_as_a_template(void **state)
{
    const struct mail_values values = named("<b a=\"1\" b='2'>&{{userName}}");

    assert_string_equal(rendered(mail_render_body, "{{userName}}", &values),
                        "&lt;b a=&quot;1&quot; b=&#39;2&#39;&gt;&amp;{{userName}}");
}

static void a_value_cannot_end_the_subject(void **state)
{
    const struct mail_values values = named("Ada\r\nBcc: eve@example.com\t\x7f");

    assert_string_equal(rendered(mail_render_subject, "Hello {{userName}} & co", &values),
                        "Hello Ada  Bcc: eve@example.com   & co");
}

static void the_longest_values_fit_and_longer_ones_are_cut(void **state)
{
    static char value[MAIL_VALUE_MAX + 2];
    static char body[MAIL_BODY_MAX + 1];
    memset(value, '"', sizeof value - 1);
    memset(body, 'x', sizeof body - 1);
    for (size_t i = 0; i < MAIL_PLACES_MAX; i++) {
        memcpy(body + i * 12, "{{userName}}", 12);
    }
    const struct mail_values values = named(value);
    const struct mail_template template = {span_lit("s"), span_str(body)};

    assert_null(mail_template_problem(&template));
    assert_int_equal(strlen(rendered(mail_render_body, body, &values)),
                     MAIL_BODY_MAX - 12 * MAIL_PLACES_MAX + MAIL_PLACES_MAX * MAIL_VALUE_MAX * 6);
}

static void what_cannot_be_stored_is_told(void **state)
{
    static char subject[MAIL_SUBJECT_MAX + 2];
    static char body[MAIL_BODY_MAX + 2];
    static char places[12 * (MAIL_PLACES_MAX + 1) + 1];
    memset(subject, 's', MAIL_SUBJECT_MAX + 1);
    memset(body, 'b', MAIL_BODY_MAX + 1);
    for (size_t i = 0; i <= MAIL_PLACES_MAX; i++) {
        memcpy(places + i * 12, "{{userName}}", 12);
    }
    const struct mail_template bad[] = {
        {SPAN_NONE, span_lit("b")},
        {span_str(subject), span_lit("b")},
        {span_lit("a\r\nBcc: x"), span_lit("b")},
        {span_lit("a\tb"), span_lit("b")},
        {span_lit("a\0b"), span_lit("b")},
        {span_lit("s"), SPAN_NONE},
        {span_lit("s"), span_str(body)},
        {span_lit("s"), span_lit("a\x1b[0m")},
        {span_lit("s"), span_lit("a\0b")},
        {span_lit("s"), span_str(places)},
    };
    const struct mail_template largest = {span_of(subject, MAIL_SUBJECT_MAX), span_of(body, MAIL_BODY_MAX)};
    const struct mail_template lines = {span_lit("\xc3\xa4 {{userName}}"), span_lit("a\r\n\tb\n")};

    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        assert_non_null(mail_template_problem(&bad[i]));
    }
    assert_null(mail_template_problem(&largest));
    assert_null(mail_template_problem(&lines));
}

static void every_category_has_a_template_that_uses_its_link(void **state)
{
    static const enum mail_variable link[] = {
        [MAIL_SIGNUP_CONFIRMATION] = MAIL_VERIFY_LINK, [MAIL_PASSWORD_RESET] = MAIL_RESET_LINK,
        [MAIL_MAGIC_LINK] = MAIL_LINK,                 [MAIL_EMAIL_VERIFICATION] = MAIL_VERIFY_LINK,
        [MAIL_INVITATION] = MAIL_LINK,
    };
    char body[MAIL_BODY_MAX + 1];
    _Static_assert(ARRAY_LENGTH(link) == MAIL_CATEGORIES, "each");

    for (size_t i = 0; i < MAIL_CATEGORIES; i++) {
        const struct mail_template template = mail_template_default((enum mail_category)i);
        struct mail_values values = {{SPAN_NONE}};
        enum mail_category found = MAIL_CATEGORIES;
        values.of[link[i]] = span_lit("https://a.example/?x");
        (void)snprintf(body, sizeof body, "%.*s", (int)template.body.len, (const char *)template.body.data);

        assert_null(mail_template_problem(&template));
        assert_non_null(strstr(rendered(mail_render_body, body, &values), "<a href=\"https://a.example/?x\">"));
        assert_true(mail_category_find(mail_category_name((enum mail_category)i), &found));
        assert_int_equal(found, i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables_are_filled_in_wherever_they_stand),
        cmocka_unit_test(an_unknown_or_empty_variable_leaves_nothing),
        cmocka_unit_test(what_has_no_end_is_text),
        cmocka_unit_test(a_value_is_escaped_in_a_body_and_never_read_as_a_template),
        cmocka_unit_test(a_value_cannot_end_the_subject),
        cmocka_unit_test(the_longest_values_fit_and_longer_ones_are_cut),
        cmocka_unit_test(what_cannot_be_stored_is_told),
        cmocka_unit_test(every_category_has_a_template_that_uses_its_link),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
