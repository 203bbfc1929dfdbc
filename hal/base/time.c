/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Calendar arithmetic on the proleptic Gregorian calendar, from days since 1970. No locale, no time zone data base. */
#include "hal/base/time.h"

#include <stdbool.h>
#include <stddef.h>

#include "hal/base/buf.h"
#include "hal/base/fault.h"

#define MS_PER_DAY INT64_C(86400000)
#define WALL_MS_MIN INT64_C(-62167219200000) /* 0000-01-01T00:00:00.000Z */

struct civil {
    int64_t year;
    int64_t month;
    int64_t day;
};

/* Days from 1970-01-01 to a date. Years are counted from March, so that the leap day comes last. */
static int64_t days_from_civil(struct civil date)
{
    const int64_t year = date.month <= 2 ? date.year - 1 : date.year;
    const int64_t era = (year >= 0 ? year : year - 399) / 400;
    const int64_t year_of_era = year - era * 400;
    const int64_t month_from_march = (date.month + 9) % 12;
    const int64_t day_of_year = (153 * month_from_march + 2) / 5 + date.day - 1;
    const int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * 146097 + day_of_era - 719468;
}

static struct civil civil_from_days(int64_t days)
{
    const int64_t shifted = days + 719468;
    const int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    const int64_t day_of_era = shifted - era * 146097;
    const int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    const int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const int64_t month_from_march = (5 * day_of_year + 2) / 153;
    const int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;

    return (struct civil){.year = year_of_era + era * 400 + (month <= 2 ? 1 : 0),
                          .month = month,
                          .day = day_of_year - (153 * month_from_march + 2) / 5 + 1};
}

static void put_digits(char *out_text, size_t width, int64_t value)
{
    for (size_t i = width; i > 0; i--) {
        out_text[i - 1] = (char)('0' + value % 10);
        value /= 10;
    }
}

void time_format_iso(struct wall_time time, char out_text[TIME_ISO_BYTES])
{
    int64_t ms = time.ms < WALL_MS_MIN ? WALL_MS_MIN : time.ms;

    ms = ms > TIME_WALL_MS_MAX ? TIME_WALL_MS_MAX : ms;
    int64_t days = ms / MS_PER_DAY;
    int64_t rest = ms % MS_PER_DAY;

    if (rest < 0) {
        rest += MS_PER_DAY;
        days--;
    }
    const struct civil date = civil_from_days(days);

    put_digits(out_text, 4, date.year);
    out_text[4] = '-';
    put_digits(out_text + 5, 2, date.month);
    out_text[7] = '-';
    put_digits(out_text + 8, 2, date.day);
    out_text[10] = 'T';
    put_digits(out_text + 11, 2, rest / 3600000);
    out_text[13] = ':';
    put_digits(out_text + 14, 2, rest / 60000 % 60);
    out_text[16] = ':';
    put_digits(out_text + 17, 2, rest / 1000 % 60);
    out_text[19] = '.';
    put_digits(out_text + 20, 3, rest % 1000);
    out_text[23] = 'Z';
}

static enum err get_digits(struct reader *in, size_t width, int64_t *out_value)
{
    struct span digits;
    uint64_t value = 0;

    TRY(reader_get(in, width, &digits));
    TRY(span_to_u64(digits, 9999, &value));
    *out_value = (int64_t)value;
    return ERR_OK;
}

static bool next_is(struct reader *in, char wanted)
{
    if (in->rest.len == 0 || in->rest.data[0] != (uint8_t)wanted) {
        return false;
    }
    in->rest = span_of(in->rest.data + 1, in->rest.len - 1);
    return true;
}

static int64_t days_in_month(int64_t year, int64_t month)
{
    static const int64_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leap ? 29 : days[month - 1];
}

static enum err get_date(struct reader *in, struct civil *out_date)
{
    struct civil date = {0, 0, 0};

    TRY(get_digits(in, 4, &date.year));
    ENSURE(next_is(in, '-'), ERR_MALFORMED, "no dash after the year");
    TRY(get_digits(in, 2, &date.month));
    ENSURE(next_is(in, '-'), ERR_MALFORMED, "no dash after the month");
    TRY(get_digits(in, 2, &date.day));
    ENSURE(date.month >= 1 && date.month <= 12, ERR_MALFORMED, "no such month");
    ENSURE(date.day >= 1 && date.day <= days_in_month(date.year, date.month), ERR_MALFORMED, "no such day");
    *out_date = date;
    return ERR_OK;
}

/* The milliseconds of a fraction of any length; digits past the third do not count. */
static enum err get_fraction(struct reader *in, int64_t *out_ms)
{
    int64_t scale = 100;
    int64_t ms = 0;
    size_t digits = 0;

    while (in->rest.len > 0 && in->rest.data[0] >= '0' && in->rest.data[0] <= '9') {
        ms += scale * (in->rest.data[0] - '0');
        scale /= 10;
        in->rest = span_of(in->rest.data + 1, in->rest.len - 1);
        digits++;
    }
    ENSURE(digits >= 1 && digits <= 9, ERR_MALFORMED, "fraction without digits or with more than nine");
    *out_ms = ms;
    return ERR_OK;
}

static enum err get_clock(struct reader *in, int64_t *out_ms)
{
    int64_t hour = 0;
    int64_t minute = 0;
    int64_t second = 0;
    int64_t fraction = 0;

    TRY(get_digits(in, 2, &hour));
    ENSURE(next_is(in, ':'), ERR_MALFORMED, "no colon after the hour");
    TRY(get_digits(in, 2, &minute));
    if (next_is(in, ':')) {
        TRY(get_digits(in, 2, &second));
        if (next_is(in, '.')) {
            TRY(get_fraction(in, &fraction));
        }
    }
    ENSURE(hour <= 23 && minute <= 59 && second <= 59, ERR_MALFORMED, "no such time of day");
    *out_ms = ((hour * 60 + minute) * 60 + second) * 1000 + fraction;
    return ERR_OK;
}

static enum err get_offset(struct reader *in, int64_t *out_ms)
{
    int64_t hour = 0;
    int64_t minute = 0;

    *out_ms = 0;
    if (in->rest.len == 0 || next_is(in, 'Z') || next_is(in, 'z')) {
        return ERR_OK;
    }
    const bool behind = next_is(in, '-');

    ENSURE(behind || next_is(in, '+'), ERR_MALFORMED, "neither Z nor an offset");
    TRY(get_digits(in, 2, &hour));
    if (!next_is(in, ':')) {
        ENSURE(in->rest.len == 2, ERR_MALFORMED, "offset without minutes");
    }
    TRY(get_digits(in, 2, &minute));
    ENSURE(hour <= 23 && minute <= 59, ERR_MALFORMED, "no such offset");
    *out_ms = (hour * 60 + minute) * 60000 * (behind ? -1 : 1);
    return ERR_OK;
}

enum err time_parse_iso(struct span text, struct wall_time *out_time)
{
    struct reader in = reader_of(text);
    struct civil date = {0, 0, 0};
    int64_t clock_ms = 0;
    int64_t offset_ms = 0;

    TRY(get_date(&in, &date));
    if (in.rest.len != 0) {
        ENSURE(next_is(&in, 'T') || next_is(&in, 't') || next_is(&in, ' '), ERR_MALFORMED, "no T after the date");
        TRY(get_clock(&in, &clock_ms));
        TRY(get_offset(&in, &offset_ms));
    }
    ENSURE(in.rest.len == 0, ERR_MALFORMED, "text after the time");
    out_time->ms = days_from_civil(date) * MS_PER_DAY + clock_ms - offset_ms;
    return ERR_OK;
}
