/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Mail settings of an environment, and how its mails look by them. Spec: contract 6. */
/* link: --wrap=http_respond --wrap=http_body */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/api_mail.h"
#include "tests/lib/api_operator.h"

#define SETTINGS   "/v1/admin/email-settings"
#define TEMPLATES  "/v1/admin/email-templates"
#define PASSWORD   "correct horse"
#define RELAY      "\"host\":\"mail.example.com\",\"port\":2525,\"tls\":\"tls\",\"user\":\"box\""
#define WITH_RELAY "{\"senderEmail\":\"NoReply@Shop.example\",\"smtp\":{" RELAY ",\"password\":\"" PASSWORD "\"}}"
#define PEM        "-----BEGIN CERTIFICATE-----\\nMIIB\\n-----END CERTIFICATE-----\\n"

static const struct api_answer *put(struct api_box *box, const char *body)
{
    return api_box_send(box, "PUT", box->secret, SETTINGS, body);
}

static const char *shown(struct api_box *box, const char *member)
{
    return api_answer_text(api_box_get(box, box->secret, SETTINGS), member);
}

static void assert_put(struct api_box *box, const char *body)
{
    const struct api_answer *answer = put(box, body);

    if (answer->status != 200) {
        print_message("%s\n%s\n", body, answer->body);
    }
    assert_int_equal(answer->status, 200);
    assert_null(strstr(answer->body, PASSWORD));
}

static void at_first_nothing_is_set(void **state)
{
    const struct api_answer *answer = api_box_get(*state, ((struct api_box *)*state)->secret, SETTINGS);

    assert_non_null(strstr(answer->body,
                           "\"senderEmail\":null,\"senderName\":null,\"logoUrl\":null,\"brandColor\":null,"
                           "\"overrideDefaults\":false,\"smtp\":null,"));
}

static void what_is_named_changes_and_the_rest_stays(void **state)
{
    struct api_box *box = *state;

    assert_put(box, WITH_RELAY);
    assert_put(box,
               "{\"senderName\":\"Der Laden\",\"logoUrl\":\"https://shop.example/a.png\",\"brandColor\":\"#1a2B3c\"}");
    api_box_restart(box);
    assert_put(box, "{\"overrideDefaults\":true}");

    assert_string_equal(shown(box, "senderEmail"), "noreply@shop.example");
    assert_string_equal(shown(box, "senderName"), "Der Laden");
    assert_string_equal(shown(box, "logoUrl"), "https://shop.example/a.png");
    assert_string_equal(shown(box, "brandColor"), "#1a2B3c");
    assert_string_equal(shown(box, "overrideDefaults"), "true");
    assert_string_equal(shown(box, "smtp.host"), "mail.example.com");
    assert_string_equal(shown(box, "smtp.port"), "2525");
    assert_string_equal(shown(box, "smtp.tls"), "tls");
    assert_string_equal(shown(box, "smtp.user"), "box");
    assert_string_equal(shown(box, "smtp.hasPassword"), "true");
    assert_put(box, "{\"senderName\":null,\"brandColor\":null,\"overrideDefaults\":null,\"smtp\":null}");
    assert_non_null(strstr(api_box_get(box, box->secret, SETTINGS)->body,
                           "\"senderName\":null,\"logoUrl\":\"https://shop.example/a.png\",\"brandColor\":null,"
                           "\"overrideDefaults\":false,\"smtp\":null"));
}

static void an_answer_may_be_sent_back(void **state)
{
    struct api_box *box = *state;
    static char body[8192];
    assert_put(box, WITH_RELAY);

    (void)snprintf(body, sizeof body, "%s", api_box_get(box, box->secret, SETTINGS)->body);
    assert_put(box, body);

    assert_string_equal(shown(box, "smtp.hasPassword"), "true");
}

static void a_port_goes_with_the_way_of_tls(void **state)
{
    struct api_box *box = *state;

    assert_put(box, "{\"senderEmail\":\"a@b.c\",\"smtp\":{\"host\":\"mail.example.com\"}}");
    assert_string_equal(shown(box, "smtp.tls"), "starttls");
    assert_string_equal(shown(box, "smtp.port"), "587");
    assert_string_equal(shown(box, "smtp.hasPassword"), "false");
    assert_put(box, "{\"smtp\":{\"host\":\"mail.example.com\",\"tls\":\"tls\",\"ca\":\"" PEM "\"}}");
    assert_string_equal(shown(box, "smtp.port"), "465");
}

/* Whoever may change settings and not read the password must not have it sent to a relay of theirs. */
static void a_password_never_goes_to_another_relay(void **state)
{
    struct api_box *box = *state;
    static const char *const others[] = {
        "{\"smtp\":{\"host\":\"evil.example.com\",\"port\":2525,\"tls\":\"tls\",\"user\":\"box\"}}",
        "{\"smtp\":{\"host\":\"mail.example.com\",\"port\":2526,\"tls\":\"tls\",\"user\":\"box\"}}",
        "{\"smtp\":{\"host\":\"mail.example.com\",\"port\":2525,\"tls\":\"starttls\",\"user\":\"box\"}}",
        "{\"smtp\":{\"host\":\"mail.example.com\",\"port\":2525,\"tls\":\"tls\",\"user\":\"other\"}}",
        "{\"smtp\":{" RELAY ",\"ca\":\"" PEM "\"}}"};
    assert_put(box, WITH_RELAY);

    for (size_t i = 0; i < ARRAY_LENGTH(others); i++) {
        assert_refused(put(box, others[i]), 400, "common/invalid-parameters");
    }
    assert_put(box, "{\"smtp\":{" RELAY "}}");
    assert_string_equal(shown(box, "smtp.hasPassword"), "true");
    assert_put(box, "{\"smtp\":{\"host\":\"mail.example.com\",\"port\":2525,\"tls\":\"tls\"}}");
    assert_string_equal(shown(box, "smtp.hasPassword"), "false");
    assert_refused(put(box, "{\"smtp\":{" RELAY "}}"), 400, "common/invalid-parameters");
    assert_put(box, "{\"smtp\":null}");
    assert_refused(put(box, "{\"smtp\":{" RELAY "}}"), 400, "common/invalid-parameters");
}

static void settings_that_may_not_be_are_refused_and_change_nothing(void **state)
{
    struct api_box *box = *state;
    static const char *const bodies[] = {
        "[]",
        "{\"sender\":\"a@b.c\"}",
        "{\"senderEmail\":\"nobody\"}",
        "{\"senderEmail\":7}",
        "{\"senderEmail\":\"a@b.c\\r\\nBcc: d@e.f\"}",
        "{\"senderEmail\":null}",
        "{\"senderName\":\"\"}",
        "{\"senderName\":\"a\\r\\nBcc: d@e.f\"}",
        "{\"senderName\":[]}",
        "{\"logoUrl\":\"javascript:alert(1)\"}",
        "{\"logoUrl\":\"https://u@a.example/\"}",
        "{\"logoUrl\":\"\"}",
        "{\"logoUrl\":\"https://a.example/\\\"x\"}",
        "{\"brandColor\":\"red\"}",
        "{\"brandColor\":\"#12345g\"}",
        "{\"brandColor\":\"#12\"}",
        "{\"brandColor\":\"1234567\"}",
        "{\"brandColor\":\"\"}",
        "{\"overrideDefaults\":1}",
        "{\"smtp\":{}}",
        "{\"smtp\":7}",
        "{\"smtp\":[]}",
        "{\"smtp\":{\"host\":null}}",
        "{\"smtp\":{\"host\":\"a b\"}}",
        "{\"smtp\":{\"host\":\"127.0.0.1\"}}",
        "{\"smtp\":{" RELAY ",\"secure\":true}}",
        "{\"smtp\":{" RELAY ",\"password\":\"\"}}",
        "{\"smtp\":{" RELAY ",\"password\":\"a\\u0001\"}}",
        "{\"smtp\":{" RELAY ",\"password\":null}}",
        "{\"smtp\":{\"host\":\"a.example\",\"password\":\"p\"}}",
        "{\"smtp\":{\"host\":\"a.example\",\"tls\":\"none\"}}",
        "{\"smtp\":{\"host\":\"a.example\",\"tls\":null}}",
        "{\"smtp\":{\"host\":\"a.example\",\"port\":0}}",
        "{\"smtp\":{\"host\":\"a.example\",\"port\":65536}}",
        "{\"smtp\":{\"host\":\"a.example\",\"port\":\"25\"}}",
        "{\"smtp\":{\"host\":\"a.example\",\"ca\":\"x\"}}",
        "{\"smtp\":{\"host\":\"a.example\",\"ca\":\"-----BEGIN CERTIFICATE-----\"}}",
        "{\"smtp\":{\"host\":\"a.example\",\"ca\":\"-----BEGIN CERTIFICATE-----\\nMIIB\\n\"}}",
        "{\"smtp\":{\"host\":\"a.example\",\"ca\":\"-----BEGIN CERTIFICATE-----\\nMIIB\\n" PEM "\"}}",
        "{\"smtp\":{\"host\":\"a.example\",\"ca\":\"-----BEGIN CERTIFICATE-----\\u0000-----END CERTIFICATE-----\"}}"};
    static char before[8192];
    assert_put(box, WITH_RELAY);
    (void)snprintf(before, sizeof before, "%s", api_box_get(box, box->secret, SETTINGS)->body);

    for (size_t i = 0; i < ARRAY_LENGTH(bodies); i++) {
        const struct api_answer *answer = put(box, bodies[i]);
        if (answer->status != 400) {
            print_message("%s\n", bodies[i]);
        }
        assert_int_equal(answer->status, 400);
    }
    assert_string_equal(api_box_get(box, box->secret, SETTINGS)->body, before);
    assert_refused(put(box, "{\"environment\":\"prod\"}"), 403, "auth/forbidden");
}

static void a_relay_needs_a_sender(void **state)
{
    assert_refused(put(*state, "{\"smtp\":{\"host\":\"mail.example.com\"}}"), 400, "common/invalid-parameters");
}

/* Answers the status of the settings of another environment with a relay of that number. */
static unsigned int put_elsewhere(struct api_box *box, const struct api_user *owner, int environment, int relay)
{
    char body[512];

    (void)snprintf(body, sizeof body, "{\"projectId\":\"%.36s\",\"environment\":\"e%d\"}", box->first.project_id,
                   environment);
    (void)api_operator_ask(box, owner, "POST", "/v1/admin/environments", body);
    (void)snprintf(body, sizeof body,
                   "{\"projectId\":\"%.36s\",\"environment\":\"e%d\",\"senderEmail\":\"a@b.c\","
                   "\"smtp\":{\"host\":\"mail%d.example.com\"}}",
                   box->first.project_id, environment, relay);
    return api_operator_ask(box, owner, "PUT", SETTINGS, body)->status;
}

static void the_appliance_connects_to_eight_places_at_most(void **state)
{
    struct api_box *box = *state;
    struct api_user owner;
    api_operator_owner(box, &owner);

    for (int i = 1; i <= 8; i++) {
        assert_int_equal(put_elsewhere(box, &owner, i, i), 200);
    }
    assert_refused(put(box, WITH_RELAY), 409, "common/conflict");
    assert_non_null(strstr(api_box_get(box, box->secret, SETTINGS)->body, "\"smtp\":null"));
    assert_int_equal(put_elsewhere(box, &owner, 9, 1), 200);
    assert_int_equal(put_elsewhere(box, &owner, 1, 2), 200);
    assert_int_equal(put_elsewhere(box, &owner, 9, 2), 200);
    assert_put(box, WITH_RELAY);
    assert_refused(api_box_send(box, "PUT", box->secret, "/v1/admin/auth-providers/works",
                                "{\"clientId\":\"a\",\"clientSecret\":\"b\",\"redirectUri\":\"https://a.example/cb\","
                                "\"issuer\":\"https://sso.example.com\",\"enabled\":true}"),
                   409, "common/conflict");
}

/* --- what mails look like --- */

static const char *preview(struct api_box *box, const char *category, const char *body)
{
    char target[128];

    (void)snprintf(target, sizeof target, TEMPLATES "/%s/preview", category);
    return api_answer_text(api_box_send(box, "POST", box->secret, target, body), "body");
}

static void built_in_texts_wear_the_brand_if_they_shall(void **state)
{
    struct api_box *box = *state;
    assert_put(
        box,
        "{\"senderName\":\"A <b> & c\",\"logoUrl\":\"https://shop.example/a.png?x=1&y=2\",\"brandColor\":\"#123\"}");

    assert_memory_equal(preview(box, "magic_link", "{}"), "<p>Hello Ada", 12);
    assert_put(box, "{\"overrideDefaults\":true}");
    const char *text = preview(box, "magic_link", "{}");

    assert_ptr_equal(strstr(text, "<div style=\"border-top:4px solid #123;padding-top:16px\">\n"
                                  "<p><img src=\"https://shop.example/a.png?x=1&amp;y=2\" height=\"48\" "
                                  "alt=\"A &lt;b&gt; &amp; c\"></p>\n<p>Hello Ada Lovelace,</p>"),
                     text);
    assert_string_equal(preview(box, "magic_link", "{\"body\":\"own\"}"), "own");
    assert_int_equal(
        api_box_send(box, "PUT", box->secret, TEMPLATES "/invitation", "{\"subject\":\"s\",\"body\":\"mine\"}")->status,
        200);
    assert_string_equal(preview(box, "invitation", "{}"), "mine");
    assert_put(box, "{\"brandColor\":null,\"logoUrl\":null}");
    assert_memory_equal(preview(box, "magic_link", "{}"), "<p>Hello Ada", 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(at_first_nothing_is_set, api_box_set_up, api_box_tear_down),
        cmocka_unit_test_setup_teardown(what_is_named_changes_and_the_rest_stays, api_box_set_up, api_box_tear_down),
        cmocka_unit_test_setup_teardown(an_answer_may_be_sent_back, api_box_set_up, api_box_tear_down),
        cmocka_unit_test_setup_teardown(a_port_goes_with_the_way_of_tls, api_box_set_up, api_box_tear_down),
        cmocka_unit_test_setup_teardown(a_password_never_goes_to_another_relay, api_box_set_up, api_box_tear_down),
        cmocka_unit_test_setup_teardown(settings_that_may_not_be_are_refused_and_change_nothing, api_box_set_up,
                                        api_box_tear_down),
        cmocka_unit_test_setup_teardown(a_relay_needs_a_sender, api_box_set_up, api_box_tear_down),
        cmocka_unit_test_setup_teardown(the_appliance_connects_to_eight_places_at_most, api_box_set_up,
                                        api_box_tear_down),
        cmocka_unit_test_setup_teardown(built_in_texts_wear_the_brand_if_they_shall, api_box_set_up, api_box_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
