/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hal/button.h with input devices that are pipes. */
/* link: --wrap=open --wrap=ioctl */
#include "hal/button.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/input.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "hal/base/attr.h"
#include "hal/base/fault.h"

#define WITHOUT_KEY 0 /* event0 is a device of another kind, event1 is not there */
#define KEYBOARD    2

static int has_key_from; /* the first device that has the key; -1: none */
static int ends[2];      /* what is written comes out of the button */
static int opened;       /* the number of the latest device */

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);

int __wrap_open(const char *path, int flags, ...)
{
    if (strncmp(path, "/dev/input/event", 16) != 0) {
        return __real_open(path, flags, 0600);
    }
    opened = path[16] - '0';
    assert_true((flags & O_NONBLOCK) != 0);
    if (opened == 1 || path[17] != '\0') {
        errno = ENOENT;
        return -1;
    }
    return dup(ends[0]);
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list rest;

    va_start(rest, request);
    uint8_t *const keys = va_arg(rest, uint8_t *);
    va_end(rest);
    if (opened == WITHOUT_KEY) {
        errno = ENOTTY;
        return -1;
    }
    if (opened == KEYBOARD) {
        keys[KEY_POWER / 8] = 1 << (KEY_POWER % 8);
        keys[KEY_A / 8] = 1 << (KEY_A % 8);
    }
    if (has_key_from >= 0 && opened >= has_key_from) {
        keys[KEY_POWER / 8] = 1 << (KEY_POWER % 8);
    }
    return KEY_POWER / 8 + 1;
}

static int make(void **state)
{
    (void)state;
    assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    has_key_from = 3;
    return 0;
}

static int done(void **state)
{
    (void)state;
    close(ends[0]);
    if (ends[1] >= 0) {
        close(ends[1]);
    }
    fault_clear();
    return 0;
}

static void put(uint16_t type, uint16_t code, int32_t value)
{
    const struct input_event event = {.type = type, .code = code, .value = value};

    assert_int_equal(write(ends[1], &event, sizeof(event)), sizeof(event));
}

static void the_first_device_with_the_key_that_is_no_keyboard_is_the_button(void **state)
{
    int fd = -1;

    assert_int_equal(button_open(&fd), ERR_OK);

    assert_int_equal(opened, 3);
    assert_true(fd >= 0);
    close(fd);
}

static void a_machine_without_a_button_has_none(void **state)
{
    int fd = -7;
    has_key_from = -1;

    assert_int_equal(button_open(&fd), ERR_NOT_FOUND);
    assert_int_equal(fd, -7);
}

static void a_press_is_told_once_and_a_release_is_none(void **state)
{
    bool pressed = false;
    put(EV_KEY, KEY_POWER, 1);
    put(EV_SYN, 0, 0);
    put(EV_KEY, KEY_POWER, 0);

    assert_int_equal(button_take(ends[0], &pressed), ERR_OK);
    assert_true(pressed);
    assert_int_equal(button_take(ends[0], &pressed), ERR_OK);
    assert_false(pressed);
}

static void other_keys_and_repetitions_are_no_press(void **state)
{
    bool pressed = true;
    put(EV_KEY, KEY_SLEEP, 1);
    put(EV_KEY, KEY_POWER, 0);
    put(EV_KEY, KEY_POWER, 2);
    put(EV_SW, KEY_POWER, 1);

    assert_int_equal(button_take(ends[0], &pressed), ERR_OK);
    assert_false(pressed);
}

static void a_device_that_is_gone_or_speaks_otherwise_is_an_error(void **state)
{
    bool pressed = false;

    assert_int_equal(write(ends[1], "short", 5), 5);
    assert_int_equal(button_take(ends[0], &pressed), ERR_IO);
    close(ends[1]);
    ends[1] = -1;
    assert_int_equal(button_take(ends[0], &pressed), ERR_IO);
}

#define WITH_DEVICES(test) cmocka_unit_test_setup_teardown(test, make, done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DEVICES(the_first_device_with_the_key_that_is_no_keyboard_is_the_button),
        WITH_DEVICES(a_machine_without_a_button_has_none),
        WITH_DEVICES(a_press_is_told_once_and_a_release_is_none),
        WITH_DEVICES(other_keys_and_repetitions_are_no_press),
        WITH_DEVICES(a_device_that_is_gone_or_speaks_otherwise_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
