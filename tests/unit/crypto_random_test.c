/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <sys/wait.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "crypto/random.h"

static void random_fill_never_repeats_and_fills_exactly(void **state)
{
    SCOPED_RANDOM struct random *random = NULL;
    static uint8_t seen[3000][16];
    uint8_t guarded[66] = {0};
    assert_int_equal(random_new(SPAN_NONE, &random), ERR_OK);

    for (size_t i = 0; i < ARRAY_LENGTH(seen); i++) {
        random_fill(random, seen[i], sizeof(seen[i]));
        for (size_t j = 0; j < i && i % 64 == 0; j++) {
            assert_memory_not_equal(seen[i], seen[j], sizeof(seen[i]));
        }
    }
    random_fill(random, guarded + 1, 64);

    assert_int_equal(guarded[0], 0);
    assert_int_equal(guarded[65], 0);
}

static void random_fill_gives_balanced_bits_over_several_reseeds(void **state)
{
    SCOPED_RANDOM struct random *random = NULL;
    static uint8_t bytes[3u << 20];
    uint64_t ones = 0;
    assert_int_equal(random_new(span_lit("seed"), &random), ERR_OK);

    random_fill(random, bytes, sizeof(bytes) / 2);
    random_fill(random, bytes + sizeof(bytes) / 2, sizeof(bytes) / 2);

    for (size_t i = 0; i < sizeof(bytes); i++) {
        ones += (uint64_t)__builtin_popcount(bytes[i]);
    }
    /* 25 million bits: half of them within 13 standard deviations of 2508 */
    assert_in_range(ones, sizeof(bytes) * 4 - 33000, sizeof(bytes) * 4 + 33000);
}

static void two_generators_with_the_same_seed_differ(void **state)
{
    SCOPED_RANDOM struct random *one = NULL;
    SCOPED_RANDOM struct random *other = NULL;
    uint8_t a[32];
    uint8_t b[32];
    assert_int_equal(random_new(span_lit("seed"), &one), ERR_OK);
    assert_int_equal(random_new(span_lit("seed"), &other), ERR_OK);

    random_fill(one, a, sizeof(a));
    random_fill(other, b, sizeof(b));

    assert_memory_not_equal(a, b, sizeof(a));
}

static void a_forked_child_does_not_repeat_its_parent(void **state)
{
    SCOPED_RANDOM struct random *random = NULL;
    uint8_t parent[32];
    uint8_t child[32];
    int ends[2];
    int status = 0;
    assert_int_equal(random_new(SPAN_NONE, &random), ERR_OK);
    random_fill(random, parent, 1); /* so that the pool is full at the fork */
    assert_int_equal(pipe(ends), 0);

    const pid_t pid = fork();
    if (pid == 0) {
        random_fill(random, child, sizeof(child));
        _exit(write(ends[1], child, sizeof(child)) == (ssize_t)sizeof(child) ? 0 : 1);
    }
    random_fill(random, parent, sizeof(parent));

    assert_int_equal(read(ends[0], child, sizeof(child)), sizeof(child));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_memory_not_equal(parent, child, sizeof(parent));
    close(ends[0]);
    close(ends[1]);
}

static void random_reseed_drops_what_was_in_the_pool(void **state)
{
    SCOPED_RANDOM struct random *random = NULL;
    uint8_t bytes[64] = {0};
    assert_int_equal(random_new(SPAN_NONE, &random), ERR_OK);
    random_fill(random, bytes, 16);

    random_reseed(random, span_lit("more"));
    random_fill(random, bytes, sizeof(bytes));

    /* The pool was wiped at the reseed; had its rest been handed out it would be zero. */
    const uint8_t zero[64] = {0};
    assert_memory_not_equal(bytes, zero, sizeof(bytes));
}

static void random_secret_has_the_length_asked_for(void **state)
{
    SCOPED_RANDOM struct random *random = NULL;
    SCOPED_SECRET struct secret *secret = NULL;
    struct secret *none = NULL;
    assert_int_equal(random_new(SPAN_NONE, &random), ERR_OK);

    assert_int_equal(random_secret(random, 48, &secret), ERR_OK);
    assert_int_equal(random_secret(random, 0, &none), ERR_RANGE);

    assert_int_equal(secret_len(secret), 48);
    assert_null(none);
    random_free(NULL);
    fault_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_fill_never_repeats_and_fills_exactly),
        cmocka_unit_test(random_fill_gives_balanced_bits_over_several_reseeds),
        cmocka_unit_test(two_generators_with_the_same_seed_differ),
        cmocka_unit_test(a_forked_child_does_not_repeat_its_parent),
        cmocka_unit_test(random_reseed_drops_what_was_in_the_pool),
        cmocka_unit_test(random_secret_has_the_length_asked_for),
    };

    return cmocka_run_group_tests_name("crypto_random", tests, NULL, NULL);
}
