/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hal/calendar.h, hal/rtc.h and firmware/init/clock.h with clocks that only say what they were told. */
/* link: --wrap=clock_gettime --wrap=clock_settime --wrap=adjtimex --wrap=open --wrap=ioctl --wrap=stat */
#include "hal/calendar.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/rtc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <time.h>

#include <cmocka.h>

#include "firmware/init/clock.h"
#include "hal/base/fault.h"
#include "hal/rtc.h"

#define NOW_S   1800000000 /* 2027-01-15T08:00:00Z */
#define IMAGE_S 1790000000
#define BOOT_S  1000
#define NS      UINT64_C(1000000000)
#define MS_NS   INT64_C(1000000)

static struct {
    bool is_used;
    struct timespec wall;
    time_t boot_s;
    int error;        /* of setting */
    size_t steps;
    long slewed_us;
    size_t slews;
    bool has_rtc;
    struct rtc_time rtc;
    size_t written;
    int rtc_error;
} sim;

int __real_clock_gettime(clockid_t which, struct timespec *out);
int __wrap_clock_gettime(clockid_t which, struct timespec *out);
int __wrap_clock_settime(clockid_t which, const struct timespec *time);
int __wrap_adjtimex(struct timex *change);
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __real_ioctl(int fd, unsigned long request, void *argument);
int __wrap_ioctl(int fd, unsigned long request, void *argument);
int __real_stat(const char *path, struct stat *out);
int __wrap_stat(const char *path, struct stat *out);

int __wrap_clock_gettime(clockid_t which, struct timespec *out)
{
    if (!sim.is_used) {
        return __real_clock_gettime(which, out);
    }
    *out = which == CLOCK_REALTIME ? sim.wall : (struct timespec){.tv_sec = sim.boot_s};
    return 0;
}

int __wrap_clock_settime(clockid_t which, const struct timespec *time)
{
    assert_int_equal(which, CLOCK_REALTIME);
    if (sim.error != 0) {
        errno = sim.error;
        return -1;
    }
    sim.wall = *time;
    sim.steps++;
    return 0;
}

int __wrap_adjtimex(struct timex *change)
{
    assert_int_equal(change->modes, ADJ_OFFSET_SINGLESHOT);
    if (sim.error != 0) {
        errno = sim.error;
        return -1;
    }
    sim.slewed_us = change->offset;
    sim.slews++;
    return TIME_ERROR; /* the kernel's word for a clock that it does not lead itself */
}

int __wrap_open(const char *path, int flags, ...)
{
    if (strcmp(path, "/dev/rtc0") != 0) {
        return __real_open(path, flags, 0600);
    }
    errno = ENOENT;
    return sim.has_rtc ? __real_open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
}

int __wrap_ioctl(int fd, unsigned long request, void *argument)
{
    if (request != RTC_SET_TIME) {
        return __real_ioctl(fd, request, argument);
    }
    if (sim.rtc_error != 0) {
        errno = sim.rtc_error;
        return -1;
    }
    memcpy(&sim.rtc, argument, sizeof(sim.rtc));
    sim.written++;
    return 0;
}

int __wrap_stat(const char *path, struct stat *out)
{
    if (strcmp(path, "/proc/self/exe") != 0) {
        return __real_stat(path, out);
    }
    *out = (struct stat){.st_mtim = {.tv_sec = IMAGE_S}};
    return 0;
}

static int make(void **state)
{
    (void)state;
    memset(&sim, 0, sizeof(sim));
    sim.is_used = true;
    sim.has_rtc = true;
    sim.wall.tv_sec = NOW_S;
    sim.boot_s = BOOT_S;
    return 0;
}

static int done(void **state)
{
    (void)state;
    sim.is_used = false;
    fault_clear();
    return 0;
}

static const struct mono_time boot = {BOOT_S * NS};
static const struct wall_time image = {INT64_C(1000) * IMAGE_S};

static uint64_t off_by(int64_t ns)
{
    return (uint64_t)((int64_t)(NOW_S * NS) + ns);
}

static void what_is_near_is_led_and_what_is_far_is_stepped(void **state)
{
    static const struct {
        int64_t off_ns;
        bool stepped;
    } cases[] = {{0, false},           {127 * MS_NS, false},      {-127 * MS_NS, false}, {128 * MS_NS, true},
                 {-128 * MS_NS, true}, {86400000 * MS_NS, true}, {-86400000 * MS_NS, true}};

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        bool stepped = !cases[i].stepped;
        (void)make(state);

        assert_int_equal(calendar_correct(off_by(cases[i].off_ns), boot, image, &stepped), ERR_OK);

        assert_int_equal(stepped, cases[i].stepped);
        assert_int_equal(sim.steps, cases[i].stepped ? 1 : 0);
        assert_int_equal(sim.slews, 1); /* by nothing, before a step */
        assert_int_equal(sim.slewed_us, cases[i].stepped ? 0 : cases[i].off_ns / 1000);
        if (cases[i].stepped) {
            assert_true((uint64_t)sim.wall.tv_sec * NS + (uint64_t)sim.wall.tv_nsec == off_by(cases[i].off_ns));
        }
    }
}

static void a_time_that_was_on_its_way_is_later_by_that(void **state)
{
    bool stepped = false;
    (void)state;
    sim.boot_s = BOOT_S + 60;

    assert_int_equal(calendar_correct(off_by(0), boot, image, &stepped), ERR_OK);
    assert_true(stepped);
    assert_int_equal(sim.wall.tv_sec, NOW_S + 60);

    sim.boot_s = BOOT_S + 61;
    assert_int_equal(calendar_correct(off_by(0), boot, image, &stepped), ERR_EXPIRED);
    sim.boot_s = BOOT_S - 1;
    assert_int_equal(calendar_correct(off_by(0), boot, image, &stepped), ERR_EXPIRED);
    assert_int_equal(sim.steps, 1);
}

static void attack_19_no_clock_is_set_before_the_image_or_after_the_century(void **state)
{
    bool stepped = false;
    (void)state;

    assert_int_equal(calendar_correct(IMAGE_S * NS - 1, boot, image, &stepped), ERR_RANGE);
    assert_int_equal(calendar_correct(0, boot, image, &stepped), ERR_RANGE);
    assert_int_equal(calendar_correct(UINT64_C(7258118399) * NS + 1, boot, image, &stepped), ERR_RANGE);
    assert_int_equal(calendar_correct(UINT64_MAX, boot, image, &stepped), ERR_RANGE);
    assert_int_equal(sim.steps + sim.slews, 0);

    assert_int_equal(calendar_correct(IMAGE_S * NS, boot, image, &stepped), ERR_OK);
    assert_int_equal(sim.wall.tv_sec, IMAGE_S);
    assert_int_equal(calendar_correct(UINT64_C(7258118399) * NS, boot, image, &stepped), ERR_OK);
}

static void a_kernel_that_refuses_is_told(void **state)
{
    bool stepped = false;
    (void)state;
    sim.error = EPERM;

    assert_int_equal(calendar_correct(off_by(0), boot, image, &stepped), ERR_REFUSED);
    assert_int_equal(calendar_correct(off_by(MS_NS * 1000), boot, image, &stepped), ERR_REFUSED);
    assert_false(stepped);
}

static void the_battery_backed_clock_is_set_to_the_nearest_second(void **state)
{
    int fd = -1;
    (void)state;
    assert_int_equal(rtc_open(&fd), ERR_OK);

    assert_int_equal(rtc_write(fd, (struct wall_time){INT64_C(1709251199) * 1000 + 500}), ERR_OK);

    assert_int_equal(sim.rtc.tm_year, 124);
    assert_int_equal(sim.rtc.tm_mon, 2);
    assert_int_equal(sim.rtc.tm_mday, 1);
    assert_int_equal(sim.rtc.tm_hour + sim.rtc.tm_min + sim.rtc.tm_sec, 0);
    assert_int_equal(rtc_write(fd, (struct wall_time){INT64_C(1709251199) * 1000 + 499}), ERR_OK);
    assert_int_equal(sim.rtc.tm_mday, 29); /* of February */
    assert_int_equal(sim.rtc.tm_hour, 23);
    assert_int_equal(sim.rtc.tm_min, 59);
    assert_int_equal(sim.rtc.tm_sec, 59);
    assert_int_equal(rtc_write(fd, (struct wall_time){INT64_C(4102444800) * 1000}), ERR_RANGE);
    assert_int_equal(rtc_write(fd, (struct wall_time){INT64_C(946684799) * 1000}), ERR_RANGE);
    sim.rtc_error = EIO;
    assert_int_equal(rtc_write(fd, (struct wall_time){INT64_C(1709251199) * 1000}), ERR_IO);
    sim.has_rtc = false;
    assert_int_equal(rtc_open(&fd), ERR_NOT_FOUND);
}

static void it_is_written_after_the_first_setting_and_each_step_and_every_hour(void **state)
{
    struct init_clock clock;
    struct init_time time = {.unix_ns = off_by(0), .at = boot};
    (void)state;
    assert_int_equal(init_clock_open(&clock), ERR_OK);
    sim.boot_s += 7200;
    init_clock_keep(&clock); /* nobody has said what time it is */
    assert_int_equal(sim.written, 0);
    sim.boot_s = BOOT_S;

    assert_int_equal(init_clock_set(&clock, &time), ERR_OK);
    assert_int_equal(sim.written, 1);
    assert_int_equal(init_clock_set(&clock, &time), ERR_OK);
    assert_int_equal(sim.written, 1);
    time.unix_ns += NS;
    assert_int_equal(init_clock_set(&clock, &time), ERR_OK);
    assert_int_equal(sim.written, 2);
    sim.boot_s += 3599;
    init_clock_keep(&clock);
    assert_int_equal(sim.written, 2);
    sim.boot_s += 1;
    init_clock_keep(&clock);
    init_clock_keep(&clock);
    assert_int_equal(sim.written, 3);
}

static void a_box_without_such_a_clock_or_with_a_broken_one_is_set_all_the_same(void **state)
{
    struct init_clock clock;
    const struct init_time time = {.unix_ns = off_by(MS_NS * 1000), .at = boot};
    (void)state;
    sim.has_rtc = false;

    assert_int_equal(init_clock_open(&clock), ERR_OK);
    assert_int_equal(init_clock_set(&clock, &time), ERR_OK);
    assert_int_equal(sim.wall.tv_sec, NOW_S + 1);

    sim.has_rtc = true;
    sim.rtc_error = EIO;
    assert_int_equal(init_clock_open(&clock), ERR_OK);
    sim.wall.tv_sec = NOW_S;
    assert_int_equal(init_clock_set(&clock, &time), ERR_OK);
    assert_int_equal(sim.wall.tv_sec, NOW_S + 1);
    const struct init_time early = {.unix_ns = NS, .at = boot};
    assert_int_equal(init_clock_set(&clock, &early), ERR_RANGE);
}

static void a_setting_that_is_refused_leaves_nothing(void **state)
{
    const struct init_time early = {.unix_ns = NS, .at = boot};
    const struct init_time old = {.unix_ns = NOW_S * NS, .at = {0}};
    const struct init_time right = {.unix_ns = (NOW_S + 1) * NS, .at = boot};
    struct init_clock clock;
    (void)state;
    sim.has_rtc = true;
    assert_int_equal(init_clock_open(&clock), ERR_OK);

    assert_int_equal(init_clock_set(&clock, &early), ERR_RANGE);
    assert_int_equal(fault_trail()->count, 0);
    assert_int_equal(init_clock_set(&clock, &old), ERR_EXPIRED);
    assert_int_equal(fault_trail()->count, 0);
    sim.error = EPERM;
    assert_int_equal(init_clock_set(&clock, &right), ERR_REFUSED);
    assert_int_equal(fault_trail()->count, 0);

    assert_false(clock.was_set);
    init_clock_keep(&clock);
    assert_int_equal(sim.written, 0);
    assert_int_equal(sim.wall.tv_sec, NOW_S);
    assert_int_equal(sim.steps, 0);
}

#define WITH_CLOCK(test) cmocka_unit_test_setup_teardown(test, make, done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CLOCK(what_is_near_is_led_and_what_is_far_is_stepped),
        WITH_CLOCK(a_time_that_was_on_its_way_is_later_by_that),
        WITH_CLOCK(attack_19_no_clock_is_set_before_the_image_or_after_the_century),
        WITH_CLOCK(a_kernel_that_refuses_is_told),
        WITH_CLOCK(the_battery_backed_clock_is_set_to_the_nearest_second),
        WITH_CLOCK(it_is_written_after_the_first_setting_and_each_step_and_every_hour),
        WITH_CLOCK(a_box_without_such_a_clock_or_with_a_broken_one_is_set_all_the_same),
        WITH_CLOCK(a_setting_that_is_refused_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
