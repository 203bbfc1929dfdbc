/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Counts the lines of one event. For one test program: include it once, with
 * link: --wrap=log_event --wrap=log_fault */
#ifndef TESTS_LIB_LOG_COUNT_H
#define TESTS_LIB_LOG_COUNT_H

#include <stdint.h>
#include <string.h>

#include "hal/base/log.h"

static struct {
    const char *event;
    unsigned int lines;
    int64_t left_out; /* as told, in all */
} log_count;

static void log_count_begin(const char *event)
{
    memset(&log_count, 0, sizeof(log_count));
    log_count.event = event;
}

static void log_count_one(const char *event)
{
    if (log_count.event != NULL && strcmp(event, log_count.event) == 0) {
        log_count.lines++;
    }
}

void __real_log_event(enum log_level level, const char *event, const struct log_field *fields, size_t count);
void __real_log_fault(enum log_level level, const char *event);
void __wrap_log_event(enum log_level level, const char *event, const struct log_field *fields, size_t count);
void __wrap_log_fault(enum log_level level, const char *event);

void __wrap_log_event(enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
    log_count_one(event);
    if (strcmp(event, "lines_left_out") == 0 && log_count.event != NULL && strcmp(fields[0].literal, log_count.event) == 0) {
        log_count.left_out += fields[1].number;
    }
    __real_log_event(level, event, fields, count);
}

void __wrap_log_fault(enum log_level level, const char *event)
{
    log_count_one(event);
    __real_log_fault(level, event);
}

#endif
