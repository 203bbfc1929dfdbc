/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The data routes over a real database. */
/* link: --wrap=http_respond --wrap=http_body */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/api_box.h"

static int setup(void **state)
{
    *state = api_box_new();
    return 0;
}

static int teardown(void **state)
{
    api_box_free(*state);
    return 0;
}

static void a_row_that_was_created_is_read_and_listed(void **state)
{
    struct api_box *box = *state;
    char table[64];
    char id[64];
    char text[128];
    api_box_table(box, "{\"tableName\":\"posts\",\"schema\":{\"title\":{\"type\":\"string\"}}}", table);

    const struct api_answer *made = api_box_send(box, "POST", box->secret, "/v1/data/posts", "{\"title\":\"a\",\"n\":5}");
    assert_int_equal(made->status, 201);
    assert_true(api_answer_member(made, "id", id, sizeof id));
    (void)snprintf(text, sizeof text, "/v1/data/posts/%s", id);
    const struct api_answer *read = api_box_get(box, box->publishable, text);
    assert_int_equal(read->status, 200);
    assert_non_null(strstr(read->body, "\"title\":\"a\""));
    assert_non_null(strstr(read->body, "\"n\":5"));
    const struct api_answer *list = api_box_get(box, box->publishable, "/v1/posts/");

    assert_int_equal(list->status, 200);
    assert_true(api_answer_member(list, "pagination.total", text, sizeof text));
    assert_string_equal(text, "1");
    assert_true(api_answer_member(list, "items.0.id", text, sizeof text));
    assert_string_equal(text, id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_row_that_was_created_is_read_and_listed, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
