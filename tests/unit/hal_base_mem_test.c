/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hal/base/mem.h: zeroed memory, arenas with a hard maximum that wipe what was used. */
#include "hal/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"

static bool refuse_memory;

void *__real_calloc(size_t count, size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);

void *__wrap_calloc(size_t count, size_t bytes)
{
    return refuse_memory ? NULL : __real_calloc(count, bytes);
}

/* link: --wrap=calloc */

static int make_arena(void **state)
{
    struct arena *arena = NULL;

    assert_int_equal(arena_new(256, 4096, &arena), ERR_OK);
    *state = arena;
    return 0;
}

static int free_arena(void **state)
{
    refuse_memory = false;
    arena_free(*state);
    fault_clear();
    return 0;
}

static void mem_alloc_gives_zeroed_memory(void **state)
{
    static const uint8_t zeros[100];
    void *memory = NULL;
    void *nothing = NULL;

    assert_int_equal(mem_alloc(sizeof(zeros), &memory), ERR_OK);
    assert_int_equal(mem_alloc(0, &nothing), ERR_OK);

    assert_memory_equal(memory, zeros, sizeof(zeros));
    assert_non_null(nothing);
    mem_free(memory);
    mem_free(nothing);
    mem_free(NULL);
}

static void mem_alloc_reports_refused_memory(void **state)
{
    void *memory = NULL;
    refuse_memory = true;

    const enum err got = mem_alloc(1, &memory);
    refuse_memory = false;

    assert_int_equal(got, ERR_NO_MEMORY);
    assert_null(memory);
}

static void mem_alloc_array_refuses_a_product_that_wraps(void **state)
{
    void *memory = NULL;

    assert_int_equal(mem_alloc_array(SIZE_MAX / 2, 3, &memory), ERR_RANGE);

    assert_null(memory);
}

static void mem_wipe_overwrites_with_zeros(void **state)
{
    char text[] = "secret";

    mem_wipe(text, sizeof(text));
    mem_wipe(NULL, 0);

    assert_memory_equal(text, "\0\0\0\0\0\0\0", sizeof(text));
}

static void arena_new_refuses_to_keep_more_than_its_maximum(void **state)
{
    struct arena *arena = NULL;

    assert_int_equal(arena_new(11, 10, &arena), ERR_RANGE);

    assert_null(arena);
}

static void arena_new_reports_refused_memory(void **state)
{
    struct arena *arena = NULL;
    refuse_memory = true;

    assert_int_equal(arena_new(10, 10, &arena), ERR_NO_MEMORY);

    assert_null(arena);
}

static void arena_memory_is_zeroed_aligned_and_apart(void **state)
{
    void *first = NULL;
    void *second = NULL;

    assert_int_equal(arena_alloc(*state, 3, &first), ERR_OK);
    assert_int_equal(arena_alloc(*state, 3, &second), ERR_OK);

    assert_memory_equal(first, "\0\0\0", 3);
    assert_int_equal((uintptr_t)first % _Alignof(max_align_t), 0);
    assert_int_equal((uintptr_t)second % _Alignof(max_align_t), 0);
    assert_true((uint8_t *)second >= (uint8_t *)first + 3);
}

static void an_arena_grows_to_its_maximum_and_no_further(void **state)
{
    void *memory = NULL;
    size_t got = 0;

    while (arena_alloc(*state, 64, &memory) == ERR_OK) {
        memset(memory, 0xa5, 64);
        got += 64;
        assert_true(got <= 4096);
    }

    assert_true(got >= 4096 - 512);
    assert_int_equal(arena_alloc(*state, 4096, &memory), ERR_NO_MEMORY);
}

static void an_arena_refuses_a_length_that_would_wrap(void **state)
{
    void *memory = NULL;

    assert_int_equal(arena_alloc(*state, SIZE_MAX, &memory), ERR_RANGE);

    assert_null(memory);
}

static void arena_alloc_reports_refused_memory(void **state)
{
    void *memory = NULL;
    refuse_memory = true;

    assert_int_equal(arena_alloc(*state, 1000, &memory), ERR_NO_MEMORY);

    assert_null(memory);
}

static void arena_reset_wipes_and_gives_everything_back(void **state)
{
    void *small = NULL;
    void *large = NULL;
    assert_int_equal(arena_alloc(*state, 32, &small), ERR_OK);
    assert_int_equal(arena_alloc(*state, 2000, &large), ERR_OK);
    memset(small, 0xa5, 32);

    arena_reset(*state);

    assert_memory_equal(small, (uint8_t[32]){0}, 32);
    assert_int_equal(arena_alloc(*state, 3000, &large), ERR_OK);
}

static void arena_copy_keeps_the_bytes_when_the_source_is_gone(void **state)
{
    char source[] = "text";
    struct span copy = SPAN_NONE;

    assert_int_equal(arena_copy(*state, span_of(source, 4), &copy), ERR_OK);
    memset(source, 'x', 4);

    assert_true(span_equal(copy, span_lit("text")));
    assert_int_equal(arena_copy(*state, SPAN_NONE, &copy), ERR_OK);
    assert_int_equal(copy.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mem_alloc_gives_zeroed_memory),
        cmocka_unit_test(mem_alloc_reports_refused_memory),
        cmocka_unit_test(mem_alloc_array_refuses_a_product_that_wraps),
        cmocka_unit_test(mem_wipe_overwrites_with_zeros),
        cmocka_unit_test(arena_new_refuses_to_keep_more_than_its_maximum),
        cmocka_unit_test_setup_teardown(arena_new_reports_refused_memory, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(arena_memory_is_zeroed_aligned_and_apart, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(an_arena_grows_to_its_maximum_and_no_further, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(an_arena_refuses_a_length_that_would_wrap, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(arena_alloc_reports_refused_memory, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(arena_reset_wipes_and_gives_everything_back, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(arena_copy_keeps_the_bytes_when_the_source_is_gone, make_arena, free_arena),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
