/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hal/base/snapshot.h: readers see whole values, old ones live as long as somebody holds them, none is lost. */
#include "hal/base/snapshot.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"

static atomic_size_t alive;

struct pair {
    struct snapshot head;
    uint64_t number;
    uint64_t same_number;
};

static void free_pair(struct snapshot *snapshot)
{
    struct pair *const pair = (struct pair *)snapshot;

    pair->same_number = ~pair->number; /* a reader that comes too late sees halves that differ */
    atomic_fetch_sub(&alive, 1);
    mem_free(pair);
}

static struct snapshot *new_pair(uint64_t number)
{
    void *memory = NULL;

    INVARIANT(mem_alloc(sizeof(struct pair), &memory) == ERR_OK);
    struct pair *const pair = memory;

    snapshot_init(&pair->head, free_pair);
    pair->number = number;
    pair->same_number = number;
    atomic_fetch_add(&alive, 1);
    return &pair->head;
}

static uint64_t number_of(struct snapshot *snapshot)
{
    return ((struct pair *)snapshot)->number;
}

static void a_reader_sees_the_newest_value(void **state)
{
    struct snapshot_cell *cell = NULL;
    assert_int_equal(snapshot_cell_new(1, new_pair(1), &cell), ERR_OK);

    struct snapshot *held = snapshot_refresh(cell, 0, NULL);
    assert_int_equal(number_of(held), 1);
    snapshot_publish(cell, new_pair(2));
    held = snapshot_refresh(cell, 0, held);

    assert_int_equal(number_of(held), 2);
    assert_int_equal(atomic_load(&alive), 1);
    snapshot_unref(held);
    snapshot_cell_free(cell);
    assert_int_equal(atomic_load(&alive), 0);
}

static void a_value_that_is_held_outlives_its_replacement(void **state)
{
    struct snapshot_cell *cell = NULL;
    assert_int_equal(snapshot_cell_new(2, new_pair(1), &cell), ERR_OK);
    struct snapshot *const held = snapshot_refresh(cell, 1, NULL);

    snapshot_publish(cell, new_pair(2));
    snapshot_cell_free(cell);

    assert_int_equal(number_of(held), 1);
    assert_int_equal(atomic_load(&alive), 1);
    snapshot_unref(held);
    assert_int_equal(atomic_load(&alive), 0);
}

static void looking_again_at_an_unchanged_cell_takes_no_reference(void **state)
{
    struct snapshot_cell *cell = NULL;
    assert_int_equal(snapshot_cell_new(1, new_pair(1), &cell), ERR_OK);
    struct snapshot *const held = snapshot_refresh(cell, 0, NULL);

    struct snapshot *const again = snapshot_refresh(cell, 0, held);

    assert_ptr_equal(again, held);
    assert_int_equal(atomic_load(&held->references), 2);
    snapshot_unref(held);
    snapshot_cell_free(cell);
}

static void an_empty_cell_gives_nothing(void **state)
{
    struct snapshot_cell *cell = NULL;
    assert_int_equal(snapshot_cell_new(1, NULL, &cell), ERR_OK);

    assert_null(snapshot_refresh(cell, 0, NULL));

    snapshot_publish(cell, NULL);
    snapshot_unref(NULL);
    snapshot_cell_free(cell);
    snapshot_cell_free(NULL);
}

static void a_cell_refuses_more_readers_than_there_could_be(void **state)
{
    struct snapshot_cell *cell = NULL;

    assert_int_equal(snapshot_cell_new(SNAPSHOT_READERS_MAX + 1, NULL, &cell), ERR_RANGE);
    assert_null(cell);
    fault_clear();

    assert_int_equal(snapshot_cell_new(SNAPSHOT_READERS_MAX, NULL, &cell), ERR_OK);
    snapshot_cell_free(cell);
}

#define READERS 3
#define ROUNDS 3000

struct reading {
    struct snapshot_cell *cell;
    size_t slot;
    atomic_bool *stop;
    uint64_t torn;
    uint64_t backwards;
};

static void *read_all(void *context)
{
    struct reading *const reading = context;
    struct snapshot *held = NULL;
    uint64_t last = 0;

    while (!atomic_load(reading->stop)) {
        held = snapshot_refresh(reading->cell, reading->slot, held);
        const struct pair *const pair = (struct pair *)held;

        reading->torn += pair->number != pair->same_number;
        reading->backwards += pair->number < last;
        last = pair->number;
    }
    snapshot_unref(held);
    return NULL;
}

static void readers_beside_a_publisher_see_whole_values_in_order(void **state)
{
    struct reading readings[READERS];
    pthread_t threads[READERS];
    atomic_bool stop = false;
    struct snapshot_cell *cell = NULL;
    assert_int_equal(snapshot_cell_new(READERS, new_pair(1), &cell), ERR_OK);
    for (size_t i = 0; i < READERS; i++) {
        readings[i] = (struct reading){.cell = cell, .slot = i, .stop = &stop};
        assert_int_equal(pthread_create(&threads[i], NULL, read_all, &readings[i]), 0);
    }

    for (uint64_t i = 2; i < ROUNDS; i++) {
        snapshot_publish(cell, new_pair(i));
    }
    atomic_store(&stop, true);

    for (size_t i = 0; i < READERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(readings[i].torn, 0);
        assert_int_equal(readings[i].backwards, 0);
    }
    snapshot_cell_free(cell);
    assert_int_equal(atomic_load(&alive), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reader_sees_the_newest_value),
        cmocka_unit_test(a_value_that_is_held_outlives_its_replacement),
        cmocka_unit_test(looking_again_at_an_unchanged_cell_takes_no_reference),
        cmocka_unit_test(an_empty_cell_gives_nothing),
        cmocka_unit_test(a_cell_refuses_more_readers_than_there_could_be),
        cmocka_unit_test(readers_beside_a_publisher_see_whole_values_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
