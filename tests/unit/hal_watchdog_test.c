/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hal/watchdog.h over a plain file: the kernel's part of it, ioctl, answers what the test says. */
/* link: --wrap=ioctl */
#include "hal/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/watchdog.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "tests/lib/temp.h"

struct device {
    struct temp_dir dir;
    char path[TEMP_PATH_MAX + 16];
};

static int ioctl_error; /* 0: the time is taken */
static int seconds_set;

int __wrap_ioctl(int fd, unsigned long request, ...);

int __wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list rest;

    va_start(rest, request);
    void *const argument = va_arg(rest, void *);
    va_end(rest);
    if (ioctl_error != 0) {
        errno = ioctl_error;
        return -1;
    }
    if (request == WDIOC_GETSUPPORT) {
        struct watchdog_info *const info = argument;
        memset(info->identity, 'w', sizeof(info->identity)); /* as long as can be */
        return 0;
    }
    assert_int_equal(request, WDIOC_SETTIMEOUT);
    seconds_set = *(const int *)argument;
    return 0;
}

static int make_device(void **state)
{
    static struct device device;

    device.dir = temp_dir_make();
    snprintf(device.path, sizeof(device.path), "%s/watchdog", device.dir.path);
    temp_put(&device.dir, "watchdog", SPAN_NONE);
    ioctl_error = 0;
    seconds_set = 0;
    *state = &device;
    return 0;
}

static int remove_device(void **state)
{
    const struct device *const device = *state;

    temp_dir_remove(&device->dir);
    fault_clear();
    return 0;
}

/* What was written to it. */
static const char *content(const struct device *device)
{
    return temp_text(&device->dir, "watchdog");
}

static void opening_arms_the_watchdog_with_the_time_and_does_not_feed_it(void **state)
{
    struct device *const device = *state;
    struct hal_watchdog *watchdog = NULL;

    assert_int_equal(hal_watchdog_open(device->path, 60, &watchdog), ERR_OK);

    assert_int_equal(seconds_set, 60);
    assert_string_equal(content(device), "");
    hal_watchdog_close(watchdog);
}

static void each_feed_writes_one_byte_that_does_not_disarm_and_the_close_disarms(void **state)
{
    struct device *const device = *state;
    struct hal_watchdog *watchdog = NULL;
    assert_int_equal(hal_watchdog_open(device->path, 60, &watchdog), ERR_OK);

    assert_int_equal(hal_watchdog_feed(watchdog), ERR_OK);
    assert_int_equal(hal_watchdog_feed(watchdog), ERR_OK);
    assert_int_equal(strlen(content(device)), 2);
    assert_null(strchr(content(device), 'V'));
    hal_watchdog_close(watchdog);

    assert_int_equal(strlen(content(device)), 3);
    assert_int_equal(content(device)[2], 'V');
}

static void a_watchdog_that_cannot_be_fed_is_an_error(void **state)
{
    struct hal_watchdog *watchdog = NULL;
    assert_int_equal(hal_watchdog_open("/dev/full", 60, &watchdog), ERR_OK);

    assert_int_equal(hal_watchdog_feed(watchdog), ERR_IO);

    hal_watchdog_close(watchdog);
}

static void a_path_without_a_device_is_no_device(void **state)
{
    struct hal_watchdog *watchdog = NULL;

    assert_int_equal(hal_watchdog_open("/nonexistent/watchdog", 60, &watchdog), ERR_NO_DEVICE);

    assert_null(watchdog);
}

static void a_file_that_is_no_watchdog_is_no_device(void **state)
{
    struct device *const device = *state;
    struct hal_watchdog *watchdog = NULL;
    ioctl_error = ENOTTY;

    assert_int_equal(hal_watchdog_open(device->path, 60, &watchdog), ERR_NO_DEVICE);

    assert_null(watchdog);
}

static void a_time_that_the_device_refuses_leaves_it_disarmed(void **state)
{
    struct device *const device = *state;
    struct hal_watchdog *watchdog = NULL;
    ioctl_error = EINVAL;

    assert_int_equal(hal_watchdog_open(device->path, 100000, &watchdog), ERR_RANGE);

    assert_null(watchdog);
    assert_string_equal(content(device), "V");
}

static void a_time_that_is_none_is_refused_before_the_device_is_armed(void **state)
{
    struct device *const device = *state;
    struct hal_watchdog *watchdog = NULL;

    assert_int_equal(hal_watchdog_open(device->path, 0, &watchdog), ERR_RANGE);
    assert_int_equal(hal_watchdog_open(device->path, INT_MAX, &watchdog), ERR_RANGE);

    assert_int_equal(seconds_set, 0);
    assert_string_equal(content(device), "");
}

static void a_board_without_a_watchdog_has_one_that_does_nothing(void **state)
{
    struct hal_watchdog *watchdog = NULL;

    assert_int_equal(hal_watchdog_open("", 60, &watchdog), ERR_OK);

    assert_int_equal(hal_watchdog_feed(watchdog), ERR_OK);
    hal_watchdog_close(watchdog);
    hal_watchdog_close(NULL);
    assert_int_equal(seconds_set, 0);
}

#define WITH_DEVICE(test) cmocka_unit_test_setup_teardown(test, make_device, remove_device)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DEVICE(opening_arms_the_watchdog_with_the_time_and_does_not_feed_it),
        WITH_DEVICE(each_feed_writes_one_byte_that_does_not_disarm_and_the_close_disarms),
        WITH_DEVICE(a_watchdog_that_cannot_be_fed_is_an_error),
        WITH_DEVICE(a_path_without_a_device_is_no_device),
        WITH_DEVICE(a_file_that_is_no_watchdog_is_no_device),
        WITH_DEVICE(a_time_that_the_device_refuses_leaves_it_disarmed),
        WITH_DEVICE(a_time_that_is_none_is_refused_before_the_device_is_armed),
        WITH_DEVICE(a_board_without_a_watchdog_has_one_that_does_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
