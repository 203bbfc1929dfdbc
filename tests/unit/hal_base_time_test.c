/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hal/base/time.h: the calendar both ways, and every form that is refused. */
#include "hal/base/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "hal/base/fault.h"

static int forget_faults(void **state)
{
    fault_clear();
    return 0;
}

static void assert_formats(int64_t ms, const char *wanted)
{
    char text[TIME_ISO_BYTES + 1] = {0};

    time_format_iso((struct wall_time){ms}, text);
    assert_string_equal(text, wanted);
}

static void time_format_iso_writes_milliseconds_in_utc(void **state)
{
    assert_formats(0, "1970-01-01T00:00:00.000Z");
    assert_formats(1, "1970-01-01T00:00:00.001Z");
    assert_formats(-1, "1969-12-31T23:59:59.999Z");
    assert_formats(INT64_C(951827696789), "2000-02-29T12:34:56.789Z");
    assert_formats(INT64_C(4107542400000), "2100-03-01T00:00:00.000Z");
    assert_formats(TIME_WALL_MS_MAX, "9999-12-31T23:59:59.999Z");
}

static void time_format_iso_clamps_what_the_format_cannot_hold(void **state)
{
    assert_formats(TIME_WALL_MS_MAX + 1, "9999-12-31T23:59:59.999Z");
    assert_formats(INT64_MAX, "9999-12-31T23:59:59.999Z");
    assert_formats(INT64_MIN, "0000-01-01T00:00:00.000Z");
}

/* The C library's calendar is the independent witness. */
static void every_day_of_eight_centuries_agrees_with_the_c_library(void **state)
{
    for (int64_t day = -135140; day < 157054; day += 13) { /* 1600 to 2400 */
        const time_t seconds = (time_t)(day * 86400 + 3661);
        struct tm parts;
        char wanted[32];
        char got[TIME_ISO_BYTES + 1] = {0};
        struct wall_time again = {0};

        assert_non_null(gmtime_r(&seconds, &parts));
        assert_int_equal(strftime(wanted, sizeof(wanted), "%Y-%m-%dT%H:%M:%S.000Z", &parts), TIME_ISO_BYTES);
        time_format_iso((struct wall_time){(int64_t)seconds * 1000}, got);
        assert_string_equal(got, wanted);
        assert_int_equal(time_parse_iso(span_of(got, TIME_ISO_BYTES), &again), ERR_OK);
        assert_true(again.ms == (int64_t)seconds * 1000);
    }
}

static void time_parse_iso_reads_each_form(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } known[] = {
        {"1970-01-01", 0},
        {"1970-01-02", 86400000},
        {"1970-01-01T00:00", 0},
        {"1970-01-01T00:00:01", 1000},
        {"1970-01-01 00:00:01", 1000},
        {"1970-01-01t00:00:01z", 1000},
        {"1970-01-01T00:00:00.5Z", 500},
        {"1970-01-01T00:00:00.123456789Z", 123},
        {"1970-01-01T02:00:00+02:00", 0},
        {"1970-01-01T00:00:00-0130", 5400000},
        {"2000-02-29T12:34:56.789Z", INT64_C(951827696789)},
        {"9999-12-31T23:59:59.999Z", TIME_WALL_MS_MAX},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(known); i++) {
        struct wall_time time = {-1};

        assert_int_equal(time_parse_iso(span_str(known[i].text), &time), ERR_OK);
        assert_true(time.ms == known[i].ms);
    }
}

static void time_parse_iso_refuses_everything_else(void **state)
{
    static const char *const wrong[] = {
        "",
        "1970",
        "1970-1-1",
        "1970-00-01",
        "1970-13-01",
        "1970-01-00",
        "1970-01-32",
        "2001-02-29",
        "1900-02-29",
        "2000-02-30",
        "1970-04-31",
        "1970/01/01",
        "1970-01-01T",
        "1970-01-01T24:00",
        "1970-01-01T00:60",
        "1970-01-01T00:00:60",
        "1970-01-01T00:00:00.",
        "1970-01-01T00:00:00.1234567890",
        "1970-01-01T00:00:00,5",
        "1970-01-01T00:00:00Zz",
        "1970-01-01T00:00:00+24:00",
        "1970-01-01T00:00:00+02",
        "1970-01-01T00:00:00+02:60",
        "1970-01-01Z",
        "-970-01-01",
        "19700101",
        " 1970-01-01",
        "1970-01-01 ",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        struct wall_time time = {77};

        assert_int_equal(time_parse_iso(span_str(wrong[i]), &time), ERR_MALFORMED);
        assert_int_equal(time.ms, 77);
        fault_clear();
    }
}

static void mono_time_counts_forward_only(void **state)
{
    const struct mono_time start = {5};
    const struct mono_time later = mono_add_ms(start, 3);

    assert_int_equal(mono_ms_between(start, later), 3);
    assert_int_equal(mono_ms_between(later, start), 0);
    assert_int_equal(mono_ms_between(start, (struct mono_time){5 + TIME_NS_PER_MS - 1}), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_format_iso_writes_milliseconds_in_utc),
        cmocka_unit_test(time_format_iso_clamps_what_the_format_cannot_hold),
        cmocka_unit_test(every_day_of_eight_centuries_agrees_with_the_c_library),
        cmocka_unit_test(time_parse_iso_reads_each_form),
        cmocka_unit_test_teardown(time_parse_iso_refuses_everything_else, forget_faults),
        cmocka_unit_test(mono_time_counts_forward_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
