/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "crypto/secret.h"
#include "crypto/secret_slab.h"

#define REFUSED_AS_IT_SHOULD 7
#define SURVIVED 8

static int run_in_child(int (*child)(void))
{
    int status = 0;
    const pid_t pid = fork();

    if (pid == 0) {
        _exit(child());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void secret_new_gives_zeros_and_holds_what_is_written(void **state)
{
    SCOPED_SECRET struct secret *secret = NULL;
    assert_int_equal(secret_new(33, &secret), ERR_OK);

    for (size_t i = 0; i < 33; i++) {
        assert_int_equal(secret_reveal(secret).data[i], 0);
    }
    memset(secret_fill(secret), 'k', 33);

    assert_int_equal(secret_len(secret), 33);
    assert_int_equal(secret_reveal(secret).len, 33);
    assert_int_equal(secret_reveal(secret).data[32], 'k');
}

static void secret_new_refuses_absurd_sizes(void **state)
{
    struct secret *secret = NULL;

    assert_int_equal(secret_new(0, &secret), ERR_RANGE);
    assert_int_equal(secret_new(SECRET_BYTES_MAX + 1, &secret), ERR_RANGE);
    assert_int_equal(secret_new_copy(SPAN_NONE, &secret), ERR_RANGE);
    assert_null(secret);

    assert_int_equal(secret_new(SECRET_BYTES_MAX, &secret), ERR_OK);
    secret_free(secret);
    secret_free(NULL);
    fault_clear();
}

static size_t locked_kib(void)
{
    FILE *const status = fopen("/proc/self/status", "r");
    char line[256];
    size_t kib = 0;

    assert_non_null(status);
    while (fgets(line, sizeof(line), status) != NULL) {
        (void)sscanf(line, "VmLck: %zu kB", &kib);
    }
    fclose(status);
    return kib;
}

static void secrets_are_locked_while_they_live_and_only_then(void **state)
{
    struct secret *secrets[8] = {NULL};
    const size_t before = locked_kib();

    for (size_t i = 0; i < ARRAY_LENGTH(secrets); i++) {
        assert_int_equal(secret_new(32, &secrets[i]), ERR_OK);
    }
    const size_t during = locked_kib();
    for (size_t i = 0; i < ARRAY_LENGTH(secrets); i++) {
        secret_free(secrets[i]);
    }

    assert_int_equal(during, before + 8 * 4);
    assert_int_equal(locked_kib(), before);
}

/* Root may lock what it likes, so the child becomes nobody. */
static int lock_more_than_allowed(void)
{
    const struct rlimit none = {0, 0};
    struct secret *secret = NULL;
    struct secret_slab *slab = NULL;

    if (setrlimit(RLIMIT_MEMLOCK, &none) != 0 || (getuid() == 0 && setuid(65534) != 0)) {
        return 1;
    }
    return secret_new(32, &secret) == ERR_REFUSED && secret == NULL &&
                   secret_slab_new(8192, 1024, &slab) == ERR_REFUSED && slab == NULL
               ? REFUSED_AS_IT_SHOULD
               : 2;
}

static void secret_new_fails_when_the_lock_is_refused(void **state)
{
    const int status = run_in_child(lock_more_than_allowed);

    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), REFUSED_AS_IT_SHOULD);
}

static int write_one_past_the_end(void)
{
    const struct rlimit none = {0, 0};
    struct secret *secret = NULL;

    /* Otherwise the child would go on with the next test. */
    if (setrlimit(RLIMIT_CORE, &none) != 0 || signal(SIGSEGV, SIG_DFL) == SIG_ERR || signal(SIGBUS, SIG_DFL) == SIG_ERR) {
        return SURVIVED;
    }
    if (secret_new(32, &secret) != ERR_OK) {
        return SURVIVED;
    }
    volatile uint8_t *const past = secret_fill(secret) + 32;
    *past = 1;
    return SURVIVED;
}

static void a_write_past_the_end_stops_the_process(void **state)
{
    const int status = run_in_child(write_one_past_the_end);

    assert_true(WIFSIGNALED(status));
}

static void secret_new_in_lives_in_the_slab(void **state)
{
    SCOPED_SECRET_SLAB struct secret_slab *slab = NULL;
    struct secret *one = NULL;
    struct secret *two = NULL;
    struct secret *more = NULL;
    const uint8_t large[65] = {0};
    assert_int_equal(secret_slab_new(128, 64, &slab), ERR_OK);

    assert_int_equal(secret_new_in(slab, span_lit("first"), &one), ERR_OK);
    assert_int_equal(secret_new_in(slab, span_lit("second"), &two), ERR_OK);
    assert_int_equal(secret_new_in(slab, span_lit("third"), &more), ERR_LIMIT);
    assert_int_equal(secret_new_in(slab, span_array(large), &more), ERR_RANGE);
    assert_int_equal(secret_new_in(slab, SPAN_NONE, &more), ERR_RANGE);

    assert_null(more);
    assert_true(span_equal(secret_reveal(one), span_lit("first")));
    assert_true(span_equal(secret_reveal(two), span_lit("second")));
    secret_free(one);
    secret_free(two);
    assert_int_equal(secret_slab_used(slab), 0);
    fault_clear();
}

static void scoped_wipe_clears_the_stack_copy(void **state)
{
    struct wipe_32 copy;
    struct wipe_64 wide;
    memset(&copy, 'k', sizeof(copy));
    memset(&wide, 'k', sizeof(wide));

    wipe_32_scoped(&copy);
    wipe_64_scoped(&wide);

    for (size_t i = 0; i < 32; i++) {
        assert_int_equal(copy.bytes[i] | wide.bytes[i] | wide.bytes[32 + i], 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secret_new_gives_zeros_and_holds_what_is_written),
        cmocka_unit_test(secret_new_refuses_absurd_sizes),
        cmocka_unit_test(secrets_are_locked_while_they_live_and_only_then),
        cmocka_unit_test(secret_new_fails_when_the_lock_is_refused),
        cmocka_unit_test(a_write_past_the_end_stops_the_process),
        cmocka_unit_test(secret_new_in_lives_in_the_slab),
        cmocka_unit_test(scoped_wipe_clears_the_stack_copy),
    };

    return cmocka_run_group_tests_name("crypto_secret", tests, NULL, NULL);
}
