/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hal/entropy.h as Linux has it: getrandom answers what the test says. */
/* link: --wrap=getrandom --wrap=nanosleep */
#include "hal/entropy.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/random.h>
#include <sys/types.h>
#include <time.h>

#include <cmocka.h>

#include "hal/base/fault.h"

struct script {
    int refusals; /* so many calls fail first */
    int error;    /* with this */
    size_t most;  /* bytes at a time; 0: as many as asked */
    int calls;
    unsigned int last_flags;
    uint8_t next; /* the bytes are numbers that go on counting */
    uint64_t slept_ms;
};

static struct script script;

ssize_t __wrap_getrandom(void *buffer, size_t len, unsigned int flags);
int __wrap_nanosleep(const struct timespec *time, struct timespec *left);

ssize_t __wrap_getrandom(void *buffer, size_t len, unsigned int flags)
{
    uint8_t *const bytes = buffer;

    script.calls++;
    script.last_flags = flags;
    if (script.calls <= script.refusals) {
        errno = script.error;
        return -1;
    }
    const size_t got = script.most != 0 && script.most < len ? script.most : len;
    for (size_t i = 0; i < got; i++) {
        bytes[i] = script.next++;
    }
    return (ssize_t)got;
}

int __wrap_nanosleep(const struct timespec *time, struct timespec *left)
{
    script.slept_ms += (uint64_t)time->tv_sec * 1000 + (uint64_t)time->tv_nsec / 1000000;
    return 0;
}

static int forget(void **state)
{
    script = (struct script){.next = 1};
    fault_clear();
    return 0;
}

static void the_gate_waits_for_a_pool_that_is_not_initialised_yet(void **state)
{
    script.refusals = 3;
    script.error = EAGAIN;

    assert_int_equal(hal_entropy_wait_ready(hal_entropy_kernel(), 1000), ERR_OK);

    assert_int_equal(script.calls, 4);
    assert_int_equal(script.last_flags, GRND_NONBLOCK);
    assert_true(script.slept_ms > 0 && script.slept_ms <= 1000);
}

static void the_gate_gives_up_when_its_time_is_over(void **state)
{
    script.refusals = 1000000;
    script.error = EAGAIN;

    assert_int_equal(hal_entropy_wait_ready(hal_entropy_kernel(), 1000), ERR_TIMEOUT);

    assert_int_equal(script.slept_ms, 1000);
}

static void a_kernel_without_a_generator_is_an_error_at_once(void **state)
{
    uint8_t bytes[4] = {7, 7, 7, 7};
    script.refusals = 1000000;
    script.error = ENOSYS;

    assert_int_equal(hal_entropy_wait_ready(hal_entropy_kernel(), 1000), ERR_IO);
    assert_int_equal(hal_entropy_fill(hal_entropy_kernel(), bytes, sizeof(bytes)), ERR_IO);

    assert_int_equal(script.calls, 2);
    assert_memory_equal(bytes, ((const uint8_t[]){7, 7, 7, 7}), sizeof(bytes));
}

static void every_byte_is_filled_though_calls_are_interrupted_or_short(void **state)
{
    uint8_t bytes[600];
    script.refusals = 2;
    script.error = EINTR;
    script.most = 100;

    assert_int_equal(hal_entropy_fill(hal_entropy_kernel(), bytes, sizeof(bytes)), ERR_OK);

    for (size_t i = 0; i < sizeof(bytes); i++) {
        assert_int_equal(bytes[i], (uint8_t)(i + 1));
    }
    assert_int_equal(script.last_flags, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_gate_waits_for_a_pool_that_is_not_initialised_yet, forget),
        cmocka_unit_test_setup(the_gate_gives_up_when_its_time_is_over, forget),
        cmocka_unit_test_setup(a_kernel_without_a_generator_is_an_error_at_once, forget),
        cmocka_unit_test_setup(every_byte_is_filled_though_calls_are_interrupted_or_short, forget),
    };

    return cmocka_run_group_tests_name("hal_entropy", tests, NULL, NULL);
}
