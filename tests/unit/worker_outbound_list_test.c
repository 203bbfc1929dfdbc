/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/worker/outbound_list.h: what is on the list, in which place, and how the supervisor hears of it. */
#include "firmware/worker/outbound_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "hal/process.h"

#define NAME_BYTES 16

static struct mono_time at(uint64_t ms)
{
    return mono_add_ms((struct mono_time){UINT64_C(1000000000)}, ms);
}

static struct outbound_destination relay(size_t number, char out_name[NAME_BYTES])
{
    (void)snprintf(out_name, NAME_BYTES, "r%zu.example", number);
    return (struct outbound_destination){
        .kind = OUTBOUND_SMTP, .tls = OUTBOUND_TLS, .port = 465, .host = span_str(out_name)};
}

/* One for each millisecond from 0 on. */
static void fill(struct outbound_list *list)
{
    char name[NAME_BYTES];

    for (size_t i = 0; i < OUTBOUND_DESTINATIONS_MAX; i++) {
        const struct outbound_destination to = relay(i, name);
        assert_int_equal(outbound_list_want(list, &to, at(i)), ERR_OK);
    }
}

static void the_longest_unused_makes_room_and_what_is_wanted_now_does_not(void **state)
{
    struct outbound_list list = {.number = 0};
    char names[3][NAME_BYTES];
    const struct outbound_destination first = relay(0, names[0]);
    const struct outbound_destination second = relay(1, names[1]);
    const struct outbound_destination another = relay(OUTBOUND_DESTINATIONS_MAX, names[2]);
    fill(&list);
    list.changed = false;
    assert_int_equal(outbound_list_want(&list, &first, at(100)), ERR_OK);
    assert_false(list.changed); /* it is on the list */

    assert_int_equal(outbound_list_want(&list, &another, at(100)), ERR_OK);

    assert_true(list.changed);
    assert_int_equal(outbound_list_find(&list, &another), 1);
    assert_int_equal(outbound_list_find(&list, &second), list.count);
    assert_int_equal(outbound_list_find(&list, &first), 0);
    for (size_t i = 0; i < list.count; i++) {
        list.items[i].used = at(200);
    }
    list.changed = false;
    assert_int_equal(outbound_list_want(&list, &second, at(200)), ERR_LIMIT);
    assert_false(list.changed);
    assert_int_equal(outbound_list_want(&list, &second, at(201)), ERR_OK);
    outbound_list_clear(&list);
    fault_clear();
}

static void what_is_idle_is_forgotten_and_the_rest_stays_what_it_was(void **state)
{
    struct outbound_list list = {.number = 0};
    char name[NAME_BYTES];
    fill(&list);
    assert_true(outbound_list_wait_ms(&list, 1000, at(400)) == 600);
    list.changed = false;

    outbound_list_age(&list, 1000, at(999));
    assert_false(list.changed);
    outbound_list_age(&list, 1000, at(1002)); /* of 0, 1 and 2 ms */

    assert_true(list.changed);
    assert_int_equal(list.count, OUTBOUND_DESTINATIONS_MAX - 3);
    for (size_t i = 0; i < OUTBOUND_DESTINATIONS_MAX; i++) {
        const struct outbound_destination to = relay(i, name);
        assert_int_equal(outbound_list_find(&list, &to) < list.count, i > 2);
    }
    assert_true(outbound_list_wait_ms(&list, 1000, at(1002)) == 1);
    outbound_list_age(&list, 1000, at(5000));
    assert_int_equal(list.count, 0);
    assert_true(outbound_list_wait_ms(&list, 1000, at(5000)) == UINT64_MAX);
}

static void whoever_takes_the_place_of_one_that_is_left_alone_is_not(void **state)
{
    struct outbound_list list = {.number = 0};
    char names[2][NAME_BYTES];
    const struct outbound_destination first = relay(0, names[0]);
    const struct outbound_destination another = relay(OUTBOUND_DESTINATIONS_MAX, names[1]);
    enum outbound_stage stage = OUTBOUND_AT_END;
    fill(&list);
    const uint64_t id = list.items[0].id;

    assert_ptr_equal(outbound_list_pause(&list, id, OUTBOUND_AT_TLS, at(100), 50), &list.items[0]);

    assert_true(outbound_list_is_paused(&list, &first, at(149), &stage));
    assert_int_equal(stage, OUTBOUND_AT_TLS);
    assert_null(outbound_list_pause(&list, id, OUTBOUND_AT_CONNECT, at(149), 50)); /* it is */
    assert_false(outbound_list_is_paused(&list, &first, at(150), &stage));
    assert_non_null(outbound_list_pause(&list, id, OUTBOUND_AT_CONNECT, at(150), 1000));
    assert_int_equal(outbound_list_want(&list, &another, at(200)), ERR_OK);
    assert_int_equal(outbound_list_find(&list, &another), 0);
    assert_false(outbound_list_is_paused(&list, &another, at(200), &stage));
    assert_false(outbound_list_is_paused(&list, &first, at(200), &stage));
    assert_null(outbound_list_pause(&list, id, OUTBOUND_AT_TLS, at(2000), 50));
    outbound_list_clear(&list);
}

static void a_list_is_told_whole_with_each_ca_in_parts_and_a_new_number(void **state)
{
    struct outbound_list list = {.number = 41};
    SCOPED_CHANNEL struct msg_channel *upper = NULL;
    SCOPED_CHANNEL struct msg_channel *lower = NULL;
    struct msg msg = MSG_NEW(MSG_DONE);
    char names[2][NAME_BYTES];
    uint8_t ca[OUTBOUND_CA_MAX];
    size_t got = 0;
    int ends[2];
    struct outbound_destination one = relay(1, names[0]);
    const struct outbound_destination two = relay(2, names[1]);
    assert_int_equal(channel_pair(ends), ERR_OK);
    assert_int_equal(msg_channel_new(ends[0], MSG_TO_WORKER, MSG_UPPER, &upper), ERR_OK);
    assert_int_equal(msg_channel_new(ends[1], MSG_TO_WORKER, MSG_LOWER, &lower), ERR_OK);
    for (size_t i = 0; i < sizeof(ca); i++) {
        ca[i] = (uint8_t)(i % 251);
    }
    one.ca = span_array(ca);
    assert_int_equal(outbound_list_want(&list, &one, at(0)), ERR_OK);
    assert_int_equal(outbound_list_want(&list, &two, at(0)), ERR_OK);

    assert_int_equal(outbound_list_tell(&list, lower, &msg), ERR_OK);

    assert_false(list.changed);
    assert_int_equal(list.number, 42);
    assert_int_equal(msg_recv(upper, MSG_OPERATIONAL, &msg), ERR_OK);
    assert_int_equal(msg.as.destination.list, 42);
    assert_int_equal(msg.as.destination.count, 2);
    assert_int_equal(msg.as.destination.ca_bytes, sizeof(ca));
    while (got < sizeof(ca)) {
        assert_int_equal(msg_recv(upper, MSG_OPERATIONAL, &msg), ERR_OK);
        assert_int_equal(msg.type, MSG_WORKER_DESTINATION_CA);
        assert_memory_equal(msg.as.part.data, ca + got, msg.as.part.len);
        got += msg.as.part.len;
    }
    assert_int_equal(msg_recv(upper, MSG_OPERATIONAL, &msg), ERR_OK);
    assert_int_equal(msg.as.destination.index, 1);
    assert_int_equal(msg.as.destination.ca_bytes, 0);
    assert_true(span_equal(MSG_VIEW(&msg.as.destination.host), two.host));
    outbound_list_clear(&list);
    assert_int_equal(outbound_list_tell(&list, lower, &msg), ERR_OK);
    assert_int_equal(msg_recv(upper, MSG_OPERATIONAL, &msg), ERR_OK);
    assert_int_equal(msg.as.destination.list, 43);
    assert_int_equal(msg.as.destination.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_unused_makes_room_and_what_is_wanted_now_does_not),
        cmocka_unit_test(what_is_idle_is_forgotten_and_the_rest_stays_what_it_was),
        cmocka_unit_test(whoever_takes_the_place_of_one_that_is_left_alone_is_not),
        cmocka_unit_test(a_list_is_told_whole_with_each_ca_in_parts_and_a_new_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
