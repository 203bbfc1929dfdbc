/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The light of hal/status.h over plain files as the kernel's LED class has them, and over a GPIO chip whose ioctl answers what the
 * test says. */
/* link: --wrap=ioctl */
#include "hal/status.h"

#include <errno.h>
#include <linux/gpio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "tests/lib/temp.h"

#define PLACE_MAX (TEMP_PATH_MAX + 64)
#define BEATS     8

struct fixture {
    struct temp_dir dir;
    char place[PLACE_MAX];
};

static int ioctl_error; /* 0: it is done */
static struct gpio_v2_line_request line_request;
static char line_shown; /* '1', '0'; 0: nothing yet */

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
    if (request == GPIO_V2_GET_LINE_IOCTL) {
        struct gpio_v2_line_request *const wanted = argument;
        line_request = *wanted;
        wanted->fd = dup(fd);
        return 0;
    }
    assert_int_equal(request, GPIO_V2_LINE_SET_VALUES_IOCTL);
    const struct gpio_v2_line_values *const values = argument;
    assert_int_equal(values->mask, 1);
    line_shown = values->bits == 1 ? '1' : '0';
    return 0;
}

static void make_led(const struct fixture *f, const char *name, const char *full)
{
    char path[PLACE_MAX];

    snprintf(path, sizeof(path), "%s/%s", f->dir.path, name);
    (void)mkdir(path, 0700); /* or it is there */
    snprintf(path, sizeof(path), "%s/max_brightness", name);
    temp_put(&f->dir, path, span_str(full));
    snprintf(path, sizeof(path), "%s/brightness", name);
    temp_put(&f->dir, path, SPAN_NONE);
    snprintf(path, sizeof(path), "%s/trigger", name);
    temp_put(&f->dir, path, SPAN_NONE);
}

static int setup(void **state)
{
    static struct fixture fixture;

    fault_clear();
    fixture.dir = temp_dir_make();
    ioctl_error = 0;
    line_shown = 0;
    memset(&line_request, 0, sizeof(line_request));
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    const struct fixture *const f = *state;

    temp_dir_remove(&f->dir);
    fault_clear();
    return 0;
}

static enum err open_led(struct fixture *f, const char *name, struct hal_status **out_status)
{
    snprintf(f->place, sizeof(f->place), "led:%s/%s", f->dir.path, name);
    return hal_status_open_light(f->place, out_status);
}

static enum err open_gpio(struct fixture *f, const char *kind, const char *line, struct hal_status **out_status)
{
    temp_put(&f->dir, "gpiochip0", SPAN_NONE);
    snprintf(f->place, sizeof(f->place), "%s:%s/gpiochip0:%s", kind, f->dir.path, line);
    return hal_status_open_light(f->place, out_status);
}

static void an_led_is_taken_from_the_kernel_and_shows_as_bright_as_it_can(void **state)
{
    struct fixture *const f = *state;
    struct hal_status *status = NULL;
    make_led(f, "apu:green:3", "255\n");

    assert_int_equal(open_led(f, "apu:green:3", &status), ERR_OK);
    hal_status_light(status, HAL_LIGHT_OPERATIONAL);

    assert_string_equal(temp_text(&f->dir, "apu:green:3/trigger"), "none");
    assert_string_equal(temp_text(&f->dir, "apu:green:3/brightness"), "255");
    hal_status_close(status);
}

static void each_state_has_a_pattern_of_its_own_that_comes_again(void **state)
{
    static const char *const patterns[HAL_LIGHT_COUNT] = {
        [HAL_LIGHT_OFF] = "00000000",    [HAL_LIGHT_STARTING] = "10000000",    [HAL_LIGHT_UNPROVISIONED] = "10101010",
        [HAL_LIGHT_LOCKED] = "10001000", [HAL_LIGHT_OPERATIONAL] = "11111111", [HAL_LIGHT_FAILED] = "11101110"};
    struct fixture *const f = *state;
    struct hal_status *status = NULL;
    make_led(f, "led", "1\n");
    assert_int_equal(open_led(f, "led", &status), ERR_OK);

    for (unsigned int light = 0; light < HAL_LIGHT_COUNT; light++) {
        hal_status_light(status, (enum hal_light)light);
        for (size_t beat = 0; beat < 2 * (size_t)BEATS; beat++) {
            assert_int_equal(temp_text(&f->dir, "led/brightness")[0], patterns[light][beat % BEATS]);
            hal_status_beat(status);
        }
    }

    hal_status_close(status);
}

static void a_name_with_a_star_is_the_first_that_ends_so(void **state)
{
    struct fixture *const f = *state;
    struct hal_status *status = NULL;
    make_led(f, "input4::scrolllock", "1\n");
    make_led(f, "input3::scrolllock", "1\n");
    make_led(f, "input1::capslock", "1\n");

    assert_int_equal(open_led(f, "*::scrolllock", &status), ERR_OK);
    hal_status_light(status, HAL_LIGHT_OPERATIONAL);

    assert_string_equal(temp_text(&f->dir, "input3::scrolllock/brightness"), "1");
    assert_string_equal(temp_text(&f->dir, "input4::scrolllock/brightness"), "");
    hal_status_close(status);
}

static void an_led_that_is_not_there_is_not_found(void **state)
{
    struct fixture *const f = *state;
    struct hal_status *status = NULL;
    make_led(f, "led", "1\n");

    assert_int_equal(open_led(f, "other", &status), ERR_NOT_FOUND);
    assert_int_equal(open_led(f, "*other", &status), ERR_NOT_FOUND);
    assert_int_equal(open_led(f, "nothing/led", &status), ERR_NOT_FOUND);

    assert_null(status);
}

static void what_has_no_brightness_is_no_device(void **state)
{
    static const char *const full[] = {"", "\n", "bright\n", "12345678901\n"};
    struct fixture *const f = *state;
    struct hal_status *status = NULL;

    for (size_t i = 0; i < ARRAY_LENGTH(full); i++) {
        make_led(f, "led", full[i]);
        assert_int_equal(open_led(f, "led", &status), ERR_NO_DEVICE);
    }

    assert_null(status);
}

static void a_line_of_a_chip_is_high_when_the_light_is_on(void **state)
{
    struct fixture *const f = *state;
    struct hal_status *status = NULL;

    assert_int_equal(open_gpio(f, "gpio", "17", &status), ERR_OK);
    hal_status_light(status, HAL_LIGHT_LOCKED);
    assert_int_equal(line_shown, '1');
    hal_status_beat(status);
    assert_int_equal(line_shown, '0');

    assert_int_equal(line_request.num_lines, 1);
    assert_int_equal(line_request.offsets[0], 17);
    assert_int_equal(line_request.config.flags, GPIO_V2_LINE_FLAG_OUTPUT);
    hal_status_close(status);
}

static void a_line_may_be_low_when_the_light_is_on(void **state)
{
    struct fixture *const f = *state;
    struct hal_status *status = NULL;

    assert_int_equal(open_gpio(f, "gpio-low", "0", &status), ERR_OK);

    assert_int_equal(line_request.config.flags, GPIO_V2_LINE_FLAG_OUTPUT | GPIO_V2_LINE_FLAG_ACTIVE_LOW);
    hal_status_close(status);
}

static void a_line_that_somebody_has_is_refused_and_a_file_is_no_chip(void **state)
{
    struct fixture *const f = *state;
    struct hal_status *status = NULL;

    ioctl_error = EBUSY;
    assert_int_equal(open_gpio(f, "gpio", "17", &status), ERR_REFUSED);
    ioctl_error = ENOTTY;
    assert_int_equal(open_gpio(f, "gpio", "17", &status), ERR_NO_DEVICE);
    assert_int_equal(hal_status_open_light("gpio:/nonexistent/gpiochip0:1", &status), ERR_NOT_FOUND);

    assert_null(status);
}

static void what_names_no_place_is_malformed(void **state)
{
    static const char *const places[] = {"", "led", "led:", "led:name", "led:/name", "led:/sys/", "buzzer:/dev/x", "gpio:", "gpio:17",
                                         "gpio::17", "gpio:/dev/gpiochip0", "gpio:/dev/gpiochip0:", "gpio:/dev/gpiochip0:x",
                                         "gpio:/dev/gpiochip0:1x", "gpio:/dev/gpiochip0:-1", "gpio:/dev/gpiochip0:1024"};
    struct hal_status *status = NULL;

    for (size_t i = 0; i < ARRAY_LENGTH(places); i++) {
        assert_int_equal(hal_status_open_light(places[i], &status), ERR_MALFORMED);
    }

    assert_null(status);
}

static void a_light_that_fails_holds_up_nothing(void **state)
{
    struct fixture *const f = *state;
    struct hal_status *status = NULL;
    assert_int_equal(open_gpio(f, "gpio", "17", &status), ERR_OK);
    ioctl_error = EIO;

    hal_status_light(status, HAL_LIGHT_FAILED);
    hal_status_beat(status);
    ioctl_error = 0;
    hal_status_beat(status);

    assert_int_equal(line_shown, '1');
    hal_status_close(status);
    hal_status_close(NULL);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(an_led_is_taken_from_the_kernel_and_shows_as_bright_as_it_can),
        WITH(each_state_has_a_pattern_of_its_own_that_comes_again),
        WITH(a_name_with_a_star_is_the_first_that_ends_so),
        WITH(an_led_that_is_not_there_is_not_found),
        WITH(what_has_no_brightness_is_no_device),
        WITH(a_line_of_a_chip_is_high_when_the_light_is_on),
        WITH(a_line_may_be_low_when_the_light_is_on),
        WITH(a_line_that_somebody_has_is_refused_and_a_file_is_no_chip),
        WITH(what_names_no_place_is_malformed),
        WITH(a_light_that_fails_holds_up_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
