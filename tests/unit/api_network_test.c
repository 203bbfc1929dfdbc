/* SPDX-License-Identifier: GPL-3.0-or-later */
/* /v1/admin/network: what may be set, what is shown. Contract 10.2. Who may ask: api_rights_test.c. */
/* link: --wrap=http_respond --wrap=http_body */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/data/network.h"
#include "hal/base/fault.h"
#include "tests/lib/api_box.h"
#include "tests/lib/api_operator.h"

#define NETWORK "/v1/admin/network"
#define CA      "-----BEGIN CERTIFICATE-----\\nQUJD\\n-----END CERTIFICATE-----\\n"
#define NO_CLOCK                                                                                                       \
    "\"isSet\":false,\"state\":\"off\",\"source\":null,\"authenticated\":null,\"checkedAt\":null,\"offsetMs\":null,"   \
    "\"errorMs\":null}}}"

struct fixture {
    struct api_box *box;
    struct api_user owner;
    struct api_clock_state state;
};

static int set_up(void **state)
{
    struct fixture *const f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->box = api_box_new();
    api_operator_owner(f->box, &f->owner);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *const f = *state;

    api_box_free(f->box);
    free(f);
    return 0;
}

static const struct api_answer *get(struct fixture *f)
{
    return api_operator_ask(f->box, &f->owner, "GET", NETWORK, NULL);
}

static const struct api_answer *put(struct fixture *f, const char *body)
{
    return api_operator_ask(f->box, &f->owner, "PUT", NETWORK, body);
}

static void assert_body(const struct api_answer *answer, const char *body)
{
    assert_int_equal(answer->status, 200);
    assert_string_equal(answer->body, body);
}

static void at_first_nobody_is_asked_for_the_time(void **state)
{
    struct fixture *const f = *state;

    const struct api_answer *const answer = get(f);

    assert_int_equal(answer->status, 200);
    assert_non_null(strstr(answer->body, "{\"time\":{\"servers\":[],\"clock\":{\"now\":\"2026-01-01T"));
    assert_non_null(strstr(answer->body, NO_CLOCK));
}

static void servers_are_shown_as_they_were_set_with_their_defaults_also_after_a_restart(void **state)
{
    static const char set[] = "{\"time\":{\"servers\":[{\"host\":\"nts.example.net\",\"port\":4460,\"nts\":true,\"ca\":\"" CA
                              "\"},{\"host\":\"ntp.example.net\",\"port\":123,\"nts\":false},"
                              "{\"host\":\"localhost\",\"port\":65535,\"nts\":true}]}}";
    struct fixture *const f = *state;

    assert_body(put(f, "{\"time\":{\"servers\":[{\"host\":\"nts.example.net\",\"ca\":\"" CA "\"},"
                       "{\"host\":\"ntp.example.net\",\"nts\":false,\"port\":null},"
                       "{\"host\":\"localhost\",\"port\":65535,\"nts\":null}]}}"),
                set);
    api_box_restart(f->box);
    assert_non_null(strstr(get(f)->body, "\"servers\":[{\"host\":\"nts.example.net\",\"port\":4460,\"nts\":true,\"ca\":"));
    assert_body(put(f, "{}"), set);
}

static void an_answer_can_be_sent_back_as_it_came(void **state)
{
    struct fixture *const f = *state;
    char body[4096];
    (void)put(f, "{\"time\":{\"servers\":[{\"host\":\"nts.example.net\"}]}}");
    (void)snprintf(body, sizeof(body), "%s", get(f)->body);

    assert_body(put(f, body), "{\"time\":{\"servers\":[{\"host\":\"nts.example.net\",\"port\":4460,\"nts\":true}]}}");
}

static void null_and_an_empty_list_take_the_servers_back(void **state)
{
    static const char *const bodies[] = {"{\"time\":null}", "{\"time\":{}}", "{\"time\":{\"servers\":null}}",
                                         "{\"time\":{\"servers\":[]}}"};
    struct fixture *const f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(bodies); i++) {
        (void)put(f, "{\"time\":{\"servers\":[{\"host\":\"nts.example.net\"}]}}");
        assert_body(put(f, bodies[i]), "{\"time\":{\"servers\":[]}}");
    }
}

#define SERVERS(list) "{\"time\":{\"servers\":" list "}}"

static void what_is_no_setting_is_refused_and_changes_nothing(void **state)
{
    static const char *const bodies[] = {
        "{\"dns\":[]}",
        "{\"time\":1}",
        "{\"time\":{\"zone\":\"CET\"}}",
        SERVERS("{}"),
        SERVERS("[1]"),
        SERVERS("[{}]"),
        SERVERS("[{\"host\":\"192.0.2.1\"}]"),
        SERVERS("[{\"host\":\"a.example\",\"weight\":1}]"),
        SERVERS("[{\"host\":\"a.example\",\"port\":0}]"),
        SERVERS("[{\"host\":\"a.example\",\"port\":65536}]"),
        SERVERS("[{\"host\":\"a.example\",\"port\":\"123\"}]"),
        SERVERS("[{\"host\":\"a.example\",\"nts\":\"no\"}]"),
        SERVERS("[{\"host\":\"a.example\",\"ca\":\"none\"}]"),
        SERVERS("[{\"host\":\"a.example\",\"ca\":7}]"),
        SERVERS("[{\"host\":\"a.example\",\"nts\":false,\"ca\":\"" CA "\"}]"),
        SERVERS("[{\"host\":\"a.example\"},{\"host\":\"a.example\",\"port\":123,\"nts\":false}]"),
        SERVERS("[{\"host\":\"a.example\"},{\"host\":\"A.Example\",\"port\":4461}]"),
        SERVERS("[{\"host\":\"a.example\"},{\"host\":\"b.example\"},{\"host\":\"c.example\"},{\"host\":\"d.example\"},"
                "{\"host\":\"e.example\"}]"),
    };
    struct fixture *const f = *state;
    (void)put(f, SERVERS("[{\"host\":\"kept.example\"}]"));

    for (size_t i = 0; i < ARRAY_LENGTH(bodies); i++) {
        const struct api_answer *const answer = put(f, bodies[i]);
        if (answer->status != 400 || strstr(answer->body, "common/invalid-parameters") == NULL) {
            fail_msg("%s: %u %s", bodies[i], answer->status, answer->body);
        }
    }
    assert_non_null(strstr(get(f)->body, "\"servers\":[{\"host\":\"kept.example\","));
}

static void four_servers_are_as_many_as_may_be(void **state)
{
    struct fixture *const f = *state;

    assert_int_equal(put(f, SERVERS("[{\"host\":\"a.example\"},{\"host\":\"b.example\"},{\"host\":\"c.example\"},"
                                    "{\"host\":\"d.example\"}]"))->status, 200);
}

static void the_organization_and_the_network_leave_each_other_alone(void **state)
{
    struct fixture *const f = *state;
    char target[128];
    (void)put(f, SERVERS("[{\"host\":\"a.example\"}]"));
    const char *const id = strstr(api_operator_ask(f->box, &f->owner, "GET", "/v1/admin/organizations", NULL)->body, "\"id\":\"");
    assert_non_null(id);
    (void)snprintf(target, sizeof(target), "/v1/admin/organizations/%.36s", id + 6);

    assert_int_equal(api_operator_ask(f->box, &f->owner, "PATCH", target, "{\"description\":\"ours\"}")->status, 200);
    assert_non_null(strstr(get(f)->body, "a.example"));
    (void)put(f, SERVERS("[{\"host\":\"b.example\"}]"));

    const struct api_answer *const organization = api_operator_ask(f->box, &f->owner, "GET", target, NULL);
    assert_non_null(strstr(organization->body, "\"description\":\"ours\""));
    assert_null(strstr(organization->body, "example"));
}

static void read_state(void *context, size_t reactor, struct api_clock_state *out_state)
{
    assert_int_equal(reactor, 0);
    *out_state = ((struct fixture *)context)->state;
}

static void what_is_known_of_the_clock_is_shown(void **state)
{
    struct fixture *const f = *state;
    f->box->time = (struct api_clock){.read = read_state, .context = f, .is_set = true};
    api_box_restart(f->box);
    f->state = (struct api_clock_state){.state = API_CLOCK_SYNCHRONIZED, .has_reading = true, .authenticated = true,
                                        .source = "nts.example.net", .checked_at = {INT64_C(1767225600123)},
                                        .offset_ms = -7, .error_ms = 15};

    assert_non_null(strstr(get(f)->body, "\"isSet\":true,\"state\":\"synchronized\",\"source\":\"nts.example.net\","
                                         "\"authenticated\":true,\"checkedAt\":\"2026-01-01T00:00:00.123Z\","
                                         "\"offsetMs\":-7,\"errorMs\":15}}}"));
    f->state = (struct api_clock_state){.state = API_CLOCK_UNREACHABLE};
    assert_non_null(strstr(get(f)->body, "\"state\":\"unreachable\",\"source\":null"));
}

#define WITH_BOX(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BOX(at_first_nobody_is_asked_for_the_time),
        WITH_BOX(servers_are_shown_as_they_were_set_with_their_defaults_also_after_a_restart),
        WITH_BOX(an_answer_can_be_sent_back_as_it_came),
        WITH_BOX(null_and_an_empty_list_take_the_servers_back),
        WITH_BOX(what_is_no_setting_is_refused_and_changes_nothing),
        WITH_BOX(four_servers_are_as_many_as_may_be),
        WITH_BOX(the_organization_and_the_network_leave_each_other_alone),
        WITH_BOX(what_is_known_of_the_clock_is_shown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
