/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/supervisor/destinations.h: what a worker may say of where it wants to send to, and what it may not. */
#include "firmware/supervisor/destinations.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"

static struct msg one_of(uint32_t number, uint32_t index, uint32_t count, uint32_t ca_bytes)
{
    struct msg msg = MSG_NEW(MSG_WORKER_DESTINATION);

    msg.as.destination.list = number;
    msg.as.destination.index = index;
    msg.as.destination.count = count;
    msg.as.destination.kind = OUTBOUND_SMTP;
    msg.as.destination.tls = OUTBOUND_TLS;
    msg.as.destination.port = 465;
    msg.as.destination.ca_bytes = ca_bytes;
    assert_int_equal(MSG_SET(&msg.as.destination.host, span_lit("relay.example")), ERR_OK);
    return msg;
}

static struct msg ca_of(size_t bytes)
{
    static const uint8_t pem[MSG_PART_MAX] = {'x'};
    struct msg msg = MSG_NEW(MSG_WORKER_DESTINATION_CA);

    assert_int_equal(MSG_SET(&msg.as.part, span_of(pem, bytes)), ERR_OK);
    return msg;
}

static enum err take(struct destinations *list, struct msg msg)
{
    return destinations_take(list, &msg);
}

static void assert_refused(struct destinations *list, struct msg msg)
{
    assert_int_equal(take(list, msg), ERR_MALFORMED);
    assert_false(list->complete);
    fault_clear();
}

static void a_list_is_complete_with_the_last_byte_of_its_last_ca(void **state)
{
    struct destinations list = {.count = 0};

    assert_int_equal(take(&list, one_of(7, 0, 2, 0)), ERR_OK);
    assert_false(list.complete);
    assert_int_equal(take(&list, one_of(7, 1, 2, MSG_PART_MAX + 1)), ERR_OK);
    assert_false(list.complete);
    assert_int_equal(take(&list, ca_of(MSG_PART_MAX)), ERR_OK);
    assert_false(list.complete);
    assert_int_equal(take(&list, ca_of(1)), ERR_OK);

    assert_true(list.complete);
    assert_int_equal(list.number, 7);
    assert_int_equal(list.count, 2);
    assert_int_equal(buf_len(list.items[1].ca), MSG_PART_MAX + 1);
    destinations_clear(&list);
    assert_false(list.complete);
}

static void the_empty_list_is_complete_at_once(void **state)
{
    struct destinations list = {.count = 0};

    assert_int_equal(take(&list, one_of(1, 0, 1, 0)), ERR_OK);
    assert_int_equal(take(&list, one_of(2, 0, 0, 0)), ERR_OK);

    assert_true(list.complete);
    assert_int_equal(list.count, 0);
}

static void a_new_list_begins_in_the_middle_of_another(void **state)
{
    struct destinations list = {.count = 0};
    assert_int_equal(take(&list, one_of(1, 0, 3, 9)), ERR_OK);
    assert_int_equal(take(&list, ca_of(5)), ERR_OK);

    assert_int_equal(take(&list, one_of(1, 0, 1, 0)), ERR_OK);

    assert_true(list.complete);
    assert_int_equal(list.count, 1);
    destinations_clear(&list);
}

static void a_list_has_as_many_as_there_may_be_and_no_more(void **state)
{
    struct destinations list = {.count = 0};

    for (uint32_t i = 0; i < OUTBOUND_DESTINATIONS_MAX; i++) {
        assert_false(list.complete);
        assert_int_equal(take(&list, one_of(1, i, OUTBOUND_DESTINATIONS_MAX, 0)), ERR_OK);
    }

    assert_true(list.complete);
    assert_refused(&list, one_of(1, OUTBOUND_DESTINATIONS_MAX, OUTBOUND_DESTINATIONS_MAX, 0));
    destinations_clear(&list);
}

static void what_is_out_of_order_or_more_than_was_said_is_refused(void **state)
{
    struct destinations list = {.count = 0};

    assert_refused(&list, one_of(1, 1, 2, 0));
    assert_refused(&list, ca_of(1));
    assert_int_equal(take(&list, one_of(1, 0, 2, 3)), ERR_OK);
    assert_refused(&list, one_of(1, 1, 2, 0)); /* the CA is to come */
    assert_refused(&list, ca_of(4));
    assert_refused(&list, ca_of(0));
    assert_int_equal(take(&list, ca_of(3)), ERR_OK);
    assert_refused(&list, ca_of(1));
    assert_refused(&list, one_of(2, 1, 2, 0));
    assert_refused(&list, one_of(1, 1, 3, 0));
    assert_refused(&list, one_of(1, 2, 2, 0));
    assert_int_equal(take(&list, one_of(1, 1, 2, 0)), ERR_OK);
    assert_true(list.complete);
    assert_refused(&list, one_of(1, 1, 2, 0)); /* twice */
    destinations_clear(&list);
}

static void nothing_that_no_courier_reaches_gets_on_a_list(void **state)
{
    struct destinations list = {.count = 0};
    struct msg msg = one_of(1, 0, 1, 0);

    msg.as.destination.port = 0;
    assert_refused(&list, msg);
    msg = one_of(1, 0, 1, 0);
    msg.as.destination.kind = OUTBOUND_HTTPS;
    msg.as.destination.tls = OUTBOUND_STARTTLS;
    assert_refused(&list, msg);
    msg = one_of(1, 0, 1, 0);
    assert_int_equal(MSG_SET(&msg.as.destination.host, span_lit("192.0.2.1")), ERR_OK);
    assert_refused(&list, msg);
    assert_int_equal(list.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_is_complete_with_the_last_byte_of_its_last_ca),
        cmocka_unit_test(the_empty_list_is_complete_at_once),
        cmocka_unit_test(a_new_list_begins_in_the_middle_of_another),
        cmocka_unit_test(a_list_has_as_many_as_there_may_be_and_no_more),
        cmocka_unit_test(what_is_out_of_order_or_more_than_was_said_is_refused),
        cmocka_unit_test(nothing_that_no_courier_reaches_gets_on_a_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
