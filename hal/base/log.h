/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The log: one JSON object a line on stderr, whole lines with each write call.
 *
 * Events and keys are literals. Values are integers, literals, or short spans that are escaped and cut, so a value can
 * neither end a line nor start a second one. Secrets and user data have no business here; the types cannot stop that,
 * so every call is read for it. Lines longer than LOG_LINE_MAX lose their last fields and say so. Any thread may log. */
#ifndef HAL_BASE_LOG_H
#define HAL_BASE_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/span.h"
#include "hal/base/time.h"

#define LOG_LINE_MAX 2048
#define LOG_TEXT_MAX 128 /* bytes kept of one span value */

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_field {
    const char *key;     /* a literal of [A-Za-z_] */
    const char *literal; /* if not NULL: the value, a literal */
    struct span text;    /* if text.data is not NULL: the value, escaped, at most LOG_TEXT_MAX bytes */
    int64_t number;      /* otherwise the value */
};

#define LOG_NUMBER(key_, value_) ((struct log_field){.key = "" key_, .number = (int64_t)(value_)})
#define LOG_LITERAL(key_, value_) ((struct log_field){.key = "" key_, .literal = (value_)})
#define LOG_TEXT(key_, value_) ((struct log_field){.key = "" key_, .text = (value_)})

/* Names this process in every line ("worker"); a literal. Called once at its start, before threads. */
void log_open(const char *process, enum log_level least);

void log_event(enum log_level level, const char *event, const struct log_field *fields, size_t count);

/* log_event with the fields written as a list: LOG(LOG_INFO, "started", LOG_NUMBER("pid", pid)); */
#define LOG(level, event, ...)                                                                                         \
    do {                                                                                                               \
        const struct log_field log_fields_[] = {__VA_ARGS__};                                                          \
        log_event((level), "" event, log_fields_, ARRAY_LENGTH(log_fields_));                                          \
    } while (0)

/* Writes this thread's fault trail as one line under the event, and clears the trail. */
void log_fault(enum log_level level, const char *event);

/* A thread that logs a line for each of many small tasks may hold its lines back, so that they share a system call. They
 * stay in order. They are written by log_hold_flush, when no further line fits, before a broken INVARIANT stops the
 * process, and at once from LOG_WARN on: a thread that is killed loses lines of routine at most. */
#define LOG_HOLD_BYTES 4096 /* what a pipe takes whole, so that lines of several processes do not mix */

struct log_hold {
    size_t len;
    char bytes[LOG_HOLD_BYTES];
};

/* The calling thread's lines go to *hold, borrowed until log_hold_end. One thread, one hold. */
void log_hold_begin(struct log_hold *hold);
/* Writes what the calling thread holds back, if it does. */
void log_hold_flush(void);
/* Writes it, and from here on each line at once. */
void log_hold_end(void);

#endif
