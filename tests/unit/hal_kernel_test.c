/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hal/kernel.h, hal/kernel_key.h and hal/rtc.h with a kernel of answers. */
/* link: --wrap=open --wrap=reboot --wrap=setrlimit --wrap=syscall --wrap=clock_gettime --wrap=clock_settime --wrap=stat */
#include "hal/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "hal/kernel_key.h"
#include "hal/rtc.h"
#include "tests/lib/temp.h"

#define IMAGE_S 1000000

static struct temp_dir dir;
static bool is_used;
static size_t unknown; /* settings that the kernel does not know, of those that are asked for first */
static size_t opened;
static int reboot_with;
static int key_error;
static long calls[4];
static size_t call_count;
static struct timespec now;
static bool is_set;

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_reboot(int how);
int __real_setrlimit(int which, const struct rlimit *limit);
int __wrap_setrlimit(int which, const struct rlimit *limit);
long __wrap_syscall(long number, ...);
int __real_clock_gettime(clockid_t which, struct timespec *out);
int __wrap_clock_gettime(clockid_t which, struct timespec *out);
int __wrap_clock_settime(clockid_t which, const struct timespec *time);
int __real_stat(const char *path, struct stat *out);
int __wrap_stat(const char *path, struct stat *out);

/* Each setting is a file of its own name in the folder. */
int __wrap_open(const char *path, int flags, ...)
{
    char text[256];

    if (!is_used || strncmp(path, "/proc/sys/", 10) != 0) {
        return __real_open(path, flags, 0600);
    }
    opened++;
    if (opened <= unknown) {
        errno = ENOENT;
        return -1;
    }
    snprintf(text, sizeof(text), "%s/%s", dir.path, strrchr(path, '/') + 1);
    return __real_open(text, flags | O_CREAT, 0600);
}

int __wrap_reboot(int how)
{
    reboot_with = how;
    return 0;
}

/* clang links its sanitizers' own part into the program, and that switches core dumps off before main begins. */
int __wrap_setrlimit(int which, const struct rlimit *limit)
{
    if (!is_used) {
        return __real_setrlimit(which, limit);
    }
    assert_int_equal(which, RLIMIT_NOFILE);
    assert_true(limit->rlim_max >= 65536);
    return 0;
}

long __wrap_syscall(long number, ...)
{
    va_list rest;

    va_start(rest, number);
    const long first = number == SYS_keyctl ? va_arg(rest, int) : 0;
    va_end(rest);
    assert_true(number == SYS_keyctl || number == SYS_add_key);
    calls[call_count++] = number == SYS_add_key ? -1 : first;
    errno = key_error;
    if (key_error != 0) {
        return -1;
    }
    return first == KEYCTL_UNLINK ? 0 : 42;
}

int __wrap_clock_gettime(clockid_t which, struct timespec *out)
{
    if (!is_used || which != CLOCK_REALTIME) {
        return __real_clock_gettime(which, out);
    }
    *out = now;
    return 0;
}

int __wrap_clock_settime(clockid_t which, const struct timespec *time)
{
    assert_int_equal(which, CLOCK_REALTIME);
    assert_int_equal(time->tv_sec, IMAGE_S);
    is_set = true;
    return 0;
}

int __wrap_stat(const char *path, struct stat *out)
{
    if (!is_used) {
        return __real_stat(path, out);
    }
    assert_string_equal(path, "/proc/self/exe");
    memset(out, 0, sizeof(*out));
    out->st_mtim.tv_sec = IMAGE_S;
    return 0;
}

static int make(void **state)
{
    (void)state;
    dir = temp_dir_make();
    unknown = opened = call_count = 0;
    key_error = reboot_with = 0;
    is_set = false;
    is_used = true;
    return 0;
}

static int done(void **state)
{
    (void)state;
    is_used = false;
    temp_dir_remove(&dir);
    fault_clear();
    return 0;
}

static void assert_setting(const char *name, const char *value)
{
    char path[256];
    char text[16] = "";

    snprintf(path, sizeof(path), "%s/%s", dir.path, name);
    const int fd = __real_open(path, O_RDONLY, 0);
    assert_true(fd >= 0);
    assert_true(read(fd, text, sizeof(text) - 1) >= 0);
    close(fd);
    assert_string_equal(text, value);
}

static void the_kernel_takes_no_keys_no_other_kernel_and_no_tracers(void **state)
{
    assert_int_equal(kernel_harden(), ERR_OK);

    assert_setting("sysrq", "0");
    assert_setting("kexec_load_disabled", "1");
    assert_setting("ptrace_scope", "3");
    assert_setting("disable_ipv6", "1");
    assert_int_equal(reboot_with, RB_DISABLE_CAD);
}

static void a_setting_that_the_kernel_does_not_know_is_passed_over(void **state)
{
    unknown = 1;

    assert_int_equal(kernel_harden(), ERR_OK);
    assert_setting("ptrace_scope", "3");
}

static void programs_may_open_many_files(void **state)
{
    assert_int_equal(kernel_allow_files(), ERR_OK);
}

static void a_key_is_put_and_taken_away(void **state)
{
    assert_int_equal(kernel_key_begin(), ERR_OK);
    assert_int_equal(kernel_key_put(KERNEL_KEY_VOLUME, span_lit("key")), ERR_OK);
    assert_int_equal(call_count, 2);
    assert_int_equal(calls[0], KEYCTL_JOIN_SESSION_KEYRING);
    assert_int_equal(calls[1], -1);

    assert_int_equal(kernel_key_drop(KERNEL_KEY_VOLUME), ERR_OK);
    assert_int_equal(calls[2], KEYCTL_SEARCH);
    assert_int_equal(calls[3], KEYCTL_UNLINK);
}

static void a_key_that_is_not_there_and_a_kernel_that_has_no_room_are_told(void **state)
{
    static const struct {
        int error;
        enum err err;
    } cases[] = {{ENOKEY, ERR_NOT_FOUND}, {EKEYREVOKED, ERR_NOT_FOUND}, {EDQUOT, ERR_LIMIT}, {EACCES, ERR_REFUSED}};

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        key_error = cases[i].error;
        call_count = 0;
        assert_int_equal(kernel_key_drop(KERNEL_KEY_VOLUME), cases[i].err);
        assert_int_equal(kernel_key_put(KERNEL_KEY_VOLUME, span_lit("key")), cases[i].err);
        assert_int_equal(kernel_key_begin(), cases[i].err);
    }
}

static void a_clock_before_the_image_is_set_to_its_date(void **state)
{
    bool was_set = false;
    now.tv_sec = IMAGE_S - 1;

    assert_int_equal(rtc_not_before_image(&was_set), ERR_OK);
    assert_true(was_set);
    assert_true(is_set);
}

static void a_clock_at_the_date_of_the_image_or_after_it_is_left_alone(void **state)
{
    bool was_set = true;
    now.tv_sec = IMAGE_S;

    assert_int_equal(rtc_not_before_image(&was_set), ERR_OK);
    assert_false(was_set);
    assert_false(is_set);
}

#define WITH_KERNEL(test) cmocka_unit_test_setup_teardown(test, make, done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_KERNEL(the_kernel_takes_no_keys_no_other_kernel_and_no_tracers),
        WITH_KERNEL(a_setting_that_the_kernel_does_not_know_is_passed_over),
        WITH_KERNEL(programs_may_open_many_files),
        WITH_KERNEL(a_key_is_put_and_taken_away),
        WITH_KERNEL(a_key_that_is_not_there_and_a_kernel_that_has_no_room_are_told),
        WITH_KERNEL(a_clock_before_the_image_is_set_to_its_date),
        WITH_KERNEL(a_clock_at_the_date_of_the_image_or_after_it_is_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
