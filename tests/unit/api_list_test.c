/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lists that take longer than a slice of the loop. */
/* link: --wrap=http_respond --wrap=http_body */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/config.h"
#include "tests/lib/api_box.h"

#define ROWS    1300 /* more than are read between two returns to the loop */
#define WAITING 32

/* The box is filled once: no test changes it. */
static int setup(void **state)
{
    struct api_box *box = api_box_new();
    struct api_box_pending *pending[WAITING];
    char table[64];
    api_box_table(box, "{\"tableName\":\"posts\"}", table);
    const struct api_ask ask = {.method = "POST", .target = "/v1/data/posts", .key = box->secret, .body = "{\"n\":5}"};

    for (int made = 0; made < ROWS;) {
        int count = 0;
        for (; count < WAITING && made < ROWS; count++, made++) {
            pending[count] = api_box_begin(box, &ask);
        }
        for (int i = 0; i < count; i++) {
            if (api_box_finish(box, pending[i])->status != 201) {
                return -1;
            }
        }
    }
    *state = box;
    return 0;
}

#define SCAN "/v1/data/posts?andFilters=%7B%22n%22%3A5%7D&limit=1"

static struct api_box_pending *begin_scan_from(struct api_box *box, size_t client)
{
    char peer[32];
    (void)snprintf(peer, sizeof peer, "192.0.2.%zu", client + 1);
    const struct api_ask ask = {.method = "GET", .target = SCAN, .key = box->publishable, .peer = peer};

    return api_box_begin(box, &ask);
}

static struct api_box_pending *begin_scan(struct api_box *box)
{
    return begin_scan_from(box, 0);
}

/* The scans that a key may have at a time, from as few addresses as there must be. */
static void begin_all(struct api_box *box, struct api_box_pending *scans[CONFIG_API_SCANS_PER_KEY])
{
    for (size_t i = 0; i < CONFIG_API_SCANS_PER_KEY; i++) {
        scans[i] = begin_scan_from(box, i / CONFIG_API_SCANS_PER_ADDRESS);
        assert_false(api_box_is_done(scans[i]));
    }
}

static void a_scan_goes_on_in_slices_and_others_are_answered_in_between(void **state)
{
    struct api_box *box = *state;

    struct api_box_pending *scan = begin_scan(box);
    assert_false(api_box_is_done(scan));
    assert_int_equal(api_box_get(box, box->publishable, "/v1/data/posts/000000000000000000000000")->status, 404);

    const struct api_answer *answer = api_box_finish(box, scan);
    assert_int_equal(answer->status, 200);
    assert_non_null(strstr(answer->body, "\"total\":1300"));
}

static void attack_13_one_key_has_so_many_scans_at_a_time(void **state)
{
    struct api_box *box = *state;
    struct api_box_pending *scans[CONFIG_API_SCANS_PER_KEY];
    begin_all(box, scans);

    const struct api_answer *answer = api_box_finish(box, begin_scan_from(box, 100));

    assert_int_equal(answer->status, 429);
    assert_non_null(strstr(answer->headers, "Retry-After: 1\n"));
    for (size_t i = 0; i < CONFIG_API_SCANS_PER_KEY; i++) {
        assert_int_equal(api_box_finish(box, scans[i])->status, 200);
    }
    assert_int_equal(api_box_finish(box, begin_scan(box))->status, 200); /* the places are free again */
}

static void attack_13_one_address_leaves_scans_of_its_key_to_others(void **state)
{
    struct api_box *box = *state;
    struct api_box_pending *scans[CONFIG_API_SCANS_PER_ADDRESS + 1];
    for (size_t i = 0; i < CONFIG_API_SCANS_PER_ADDRESS; i++) {
        scans[i] = begin_scan_from(box, 0);
        assert_false(api_box_is_done(scans[i]));
    }

    const struct api_answer *answer = api_box_finish(box, begin_scan_from(box, 0));
    assert_int_equal(answer->status, 429);
    assert_non_null(strstr(answer->headers, "Retry-After: 1\n"));
    scans[CONFIG_API_SCANS_PER_ADDRESS] = begin_scan_from(box, 1);
    assert_false(api_box_is_done(scans[CONFIG_API_SCANS_PER_ADDRESS]));

    for (size_t i = 0; i < ARRAY_LENGTH(scans); i++) {
        assert_int_equal(api_box_finish(box, scans[i])->status, 200);
    }
    assert_int_equal(api_box_finish(box, begin_scan_from(box, 0))->status, 200); /* the places are free again */
}

static void attack_13_lists_of_all_keys_leave_room_for_reads(void **state)
{
    struct api_box *box = *state;
    struct api_box_pending *scans[64];
    size_t count = 0;
    unsigned int status = 0;

    for (; count < ARRAY_LENGTH(scans) && status == 0; count++) {
        const bool other = count >= CONFIG_API_SCANS_PER_KEY;
        char peer[32];
        (void)snprintf(peer, sizeof peer, "192.0.2.%zu", count / CONFIG_API_SCANS_PER_ADDRESS + 1);
        const struct api_ask ask = {
            .method = "GET", .target = SCAN, .key = other ? box->secret : box->publishable, .peer = peer};
        scans[count] = api_box_begin(box, &ask);
        if (api_box_is_done(scans[count])) {
            status = api_box_finish(box, scans[count])->status;
            break;
        }
    }

    assert_int_equal(status, 503);
    assert_true(count > CONFIG_API_SCANS_PER_KEY);
    assert_int_equal(api_box_get(box, box->secret, "/v1/data/posts/000000000000000000000000")->status, 404);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(api_box_finish(box, scans[i])->status, 200);
    }
}

static void a_scan_ends_when_its_client_is_gone(void **state)
{
    struct api_box *box = *state;
    struct api_box_pending *scan = begin_scan(box);

    api_box_hang_up(scan);

    assert_int_equal(api_box_finish(box, scan)->status, 503);
    assert_int_equal(api_box_finish(box, begin_scan(box))->status, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_scan_goes_on_in_slices_and_others_are_answered_in_between),
        cmocka_unit_test(attack_13_one_key_has_so_many_scans_at_a_time),
        cmocka_unit_test(attack_13_one_address_leaves_scans_of_its_key_to_others),
        cmocka_unit_test(attack_13_lists_of_all_keys_leave_room_for_reads),
        cmocka_unit_test(a_scan_ends_when_its_client_is_gone),
    };
    return cmocka_run_group_tests(tests, setup, api_box_tear_down);
}
