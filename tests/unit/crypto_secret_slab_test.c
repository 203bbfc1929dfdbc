/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "crypto/secret_slab.h"

#define THREADS 4
#define ROUNDS 20000

static void a_slab_hands_out_each_object_once_zeroed_and_aligned(void **state)
{
    SCOPED_SECRET_SLAB struct secret_slab *slab = NULL;
    uint8_t *objects[10] = {NULL};
    void *more = NULL;
    assert_int_equal(secret_slab_new(10 * 128 + 127, 100, &slab), ERR_OK);
    assert_int_equal(secret_slab_object_bytes(slab), 128);
    assert_int_equal(secret_slab_capacity(slab), 10);

    for (size_t i = 0; i < 10; i++) {
        void *object = NULL;

        assert_int_equal(secret_slab_take(slab, &object), ERR_OK);
        objects[i] = object;
        assert_int_equal((uintptr_t)object % SECRET_SLAB_ALIGN, 0);
        for (size_t at = 0; at < 128; at++) {
            assert_int_equal(objects[i][at], 0);
        }
        memset(object, (int)i + 1, 128);
    }

    assert_int_equal(secret_slab_take(slab, &more), ERR_LIMIT);
    assert_null(more);
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(objects[i][0], i + 1);
        assert_int_equal(objects[i][127], i + 1);
        secret_slab_give(slab, objects[i]);
        assert_int_equal(objects[i][0] | objects[i][127], 0);
    }
    assert_int_equal(secret_slab_used(slab), 0);
    secret_slab_give(slab, NULL);
    secret_slab_free(NULL);
    fault_clear();
}

static void a_slab_refuses_absurd_sizes(void **state)
{
    struct secret_slab *slab = NULL;

    assert_int_equal(secret_slab_new(63, 1, &slab), ERR_RANGE);
    assert_int_equal(secret_slab_new(4096, 0, &slab), ERR_RANGE);
    assert_int_equal(secret_slab_new(SIZE_MAX, 64, &slab), ERR_RANGE);
    assert_int_equal(secret_slab_new(4096, SIZE_MAX, &slab), ERR_RANGE);
    assert_null(slab);
    fault_clear();
}

static void *take_mark_check_give(void *context)
{
    struct secret_slab *const slab = context;
    size_t wrong = 0;
    const uint64_t mine = (uint64_t)(uintptr_t)&wrong;

    for (size_t round = 0; round < ROUNDS; round++) {
        void *object = NULL;

        if (secret_slab_take(slab, &object) != ERR_OK) {
            fault_clear();
            continue;
        }
        volatile uint64_t *const mark = object;
        wrong += *mark != 0;
        *mark = mine;
        wrong += *mark != mine;
        secret_slab_give(slab, object);
    }
    return (void *)(uintptr_t)wrong;
}

static void threads_never_hold_the_same_object(void **state)
{
    SCOPED_SECRET_SLAB struct secret_slab *slab = NULL;
    pthread_t threads[THREADS];
    assert_int_equal(secret_slab_new(3 * 64, 64, &slab), ERR_OK);

    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, take_mark_check_give, slab), 0);
    }

    for (size_t i = 0; i < THREADS; i++) {
        void *wrong = NULL;

        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
    assert_int_equal(secret_slab_used(slab), 0);
}

static void slab_memory_is_locked_and_left_out_of_core_dumps(void **state)
{
    SCOPED_SECRET_SLAB struct secret_slab *slab = NULL;
    void *object = NULL;
    char line[512];
    int inside = 0;
    int locked = 0;
    int undumped = 0;
    assert_int_equal(secret_slab_new(64 * 1024, 64, &slab), ERR_OK);
    assert_int_equal(secret_slab_take(slab, &object), ERR_OK);

    FILE *const maps = fopen("/proc/self/smaps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof(line), maps) != NULL) {
        unsigned long from = 0;
        unsigned long to = 0;

        if (sscanf(line, "%lx-%lx ", &from, &to) == 2) {
            inside = (uintptr_t)object >= from && (uintptr_t)object < to;
        }
        if (inside && strncmp(line, "VmFlags:", 8) == 0) {
            locked = strstr(line, " lo") != NULL;
            undumped = strstr(line, " dd") != NULL;
        }
    }
    fclose(maps);

    assert_true(locked);
    assert_true(undumped);
    secret_slab_give(slab, object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slab_hands_out_each_object_once_zeroed_and_aligned),
        cmocka_unit_test(a_slab_refuses_absurd_sizes),
        cmocka_unit_test(threads_never_hold_the_same_object),
        cmocka_unit_test(slab_memory_is_locked_and_left_out_of_core_dumps),
    };

    return cmocka_run_group_tests_name("crypto_secret_slab", tests, NULL, NULL);
}
