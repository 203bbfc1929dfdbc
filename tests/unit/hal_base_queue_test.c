/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hal/base/queue.h: bounded, in order, readable when something is inside, and nothing lost between threads. */
#include "hal/base/queue.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include <cmocka.h>

#include "hal/base/fault.h"

static int items[8];

static int make_queue(void **state)
{
    struct queue *queue = NULL;

    assert_int_equal(queue_new(3, &queue), ERR_OK);
    *state = queue;
    return 0;
}

static int free_queue(void **state)
{
    queue_free(*state);
    fault_clear();
    return 0;
}

static bool readable(struct queue *queue)
{
    struct pollfd poll_fd = {.fd = queue_fd(queue), .events = POLLIN};

    return poll(&poll_fd, 1, 0) == 1;
}

static void queue_new_refuses_a_queue_without_room(void **state)
{
    struct queue *queue = NULL;

    assert_int_equal(queue_new(0, &queue), ERR_RANGE);

    assert_null(queue);
    fault_clear();
}

static void items_come_out_in_the_order_they_went_in(void **state)
{
    void *item = NULL;

    for (int round = 0; round < 5; round++) { /* past the end of the ring */
        assert_int_equal(queue_push(*state, &items[0]), ERR_OK);
        assert_int_equal(queue_push(*state, &items[1]), ERR_OK);
        assert_int_equal(queue_len(*state), 2);
        assert_int_equal(queue_pop(*state, &item), ERR_OK);
        assert_ptr_equal(item, &items[0]);
        assert_int_equal(queue_pop(*state, &item), ERR_OK);
        assert_ptr_equal(item, &items[1]);
    }
}

static void queue_push_refuses_one_item_too_many(void **state)
{
    for (int i = 0; i < 3; i++) {
        assert_int_equal(queue_push(*state, &items[i]), ERR_OK);
    }

    assert_int_equal(queue_push(*state, &items[3]), ERR_LIMIT);

    assert_int_equal(queue_len(*state), 3);
}

static void queue_pop_of_an_empty_queue_says_again(void **state)
{
    void *item = &items[7];

    assert_int_equal(queue_pop(*state, &item), ERR_AGAIN);

    assert_ptr_equal(item, &items[7]);
}

static void the_descriptor_is_readable_from_a_push_until_empty(void **state)
{
    void *item = NULL;

    assert_false(readable(*state));
    assert_int_equal(queue_push(*state, &items[0]), ERR_OK);
    assert_true(readable(*state));
    assert_int_equal(queue_pop(*state, &item), ERR_OK);
    assert_int_equal(queue_pop(*state, &item), ERR_AGAIN);
    assert_false(readable(*state));
    assert_int_equal(queue_push(*state, &items[0]), ERR_OK);
    assert_true(readable(*state));
}

static void a_closed_queue_takes_nothing_and_hands_out_the_rest(void **state)
{
    void *item = NULL;
    assert_int_equal(queue_push(*state, &items[0]), ERR_OK);

    queue_close(*state);

    assert_int_equal(queue_push(*state, &items[1]), ERR_CLOSED);
    assert_int_equal(queue_pop(*state, &item), ERR_OK);
    assert_int_equal(queue_pop(*state, &item), ERR_CLOSED);
    assert_int_equal(queue_wait(*state, 1000, &item), ERR_CLOSED);
    assert_true(readable(*state));
}

static void queue_wait_gives_up_after_its_time(void **state)
{
    void *item = &items[7];

    assert_int_equal(queue_wait(*state, 5, &item), ERR_TIMEOUT);

    assert_ptr_equal(item, &items[7]);
}

static void *push_one(void *queue)
{
    INVARIANT(queue_push(queue, &items[4]) == ERR_OK);
    return NULL;
}

static void queue_wait_wakes_for_a_push_of_another_thread(void **state)
{
    void *item = NULL;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, push_one, *state), 0);

    assert_int_equal(queue_wait(*state, 10000, &item), ERR_OK);

    assert_ptr_equal(item, &items[4]);
    pthread_join(thread, NULL);
}

#define EACH 2000
#define PUSHERS 3

static char tokens[PUSHERS][EACH];

static void *push_all(void *context)
{
    struct queue *const queue = ((void **)context)[0];
    char *const own = ((void **)context)[1];

    for (size_t i = 0; i < EACH; i++) {
        while (queue_push(queue, &own[i]) == ERR_LIMIT) {
            void *item = NULL; /* help to make room: any thread may pop */

            if (queue_pop(queue, &item) == ERR_OK) {
                __atomic_fetch_add((char *)item, 1, __ATOMIC_RELAXED);
            }
        }
    }
    return NULL;
}

static void every_item_of_every_thread_arrives_exactly_once(void **state)
{
    pthread_t threads[PUSHERS];
    void *contexts[PUSHERS][2];
    void *item = NULL;
    for (size_t i = 0; i < PUSHERS; i++) {
        contexts[i][0] = *state;
        contexts[i][1] = tokens[i];
        assert_int_equal(pthread_create(&threads[i], NULL, push_all, contexts[i]), 0);
    }

    for (size_t i = 0; i < PUSHERS; i++) {
        pthread_join(threads[i], NULL);
    }
    while (queue_pop(*state, &item) == ERR_OK) {
        __atomic_fetch_add((char *)item, 1, __ATOMIC_RELAXED);
    }

    for (size_t i = 0; i < PUSHERS; i++) {
        for (size_t j = 0; j < EACH; j++) {
            assert_int_equal(tokens[i][j], 1);
        }
    }
}

int main(void)
{
#define QUEUED(test) cmocka_unit_test_setup_teardown(test, make_queue, free_queue)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queue_new_refuses_a_queue_without_room),
        QUEUED(items_come_out_in_the_order_they_went_in),
        QUEUED(queue_push_refuses_one_item_too_many),
        QUEUED(queue_pop_of_an_empty_queue_says_again),
        QUEUED(the_descriptor_is_readable_from_a_push_until_empty),
        QUEUED(a_closed_queue_takes_nothing_and_hands_out_the_rest),
        QUEUED(queue_wait_gives_up_after_its_time),
        QUEUED(queue_wait_wakes_for_a_push_of_another_thread),
        QUEUED(every_item_of_every_thread_arrives_exactly_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
