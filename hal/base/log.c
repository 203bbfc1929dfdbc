/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The log sink. A line is built on the stack and written whole, alone or with others of its thread, so lines of several
 * threads and processes on one stderr do not mix (a pipe keeps writes up to 4 KiB whole). */
#include "hal/base/log.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "hal/base/num.h"

#define LINE_TAIL 32 /* kept free for ,"cut":true} and the line end */

_Static_assert(LOG_LINE_MAX <= LOG_HOLD_BYTES, "any line can be held");

struct line {
    char bytes[LOG_LINE_MAX];
    size_t len;
    bool cut;
};

static struct {
    const char *process;
    enum log_level least;
} sink = {"rowlock", LOG_INFO};

static _Thread_local struct log_hold *held; /* NULL: each line is written at once */

void log_open(const char *process, enum log_level least)
{
    sink.process = process;
    sink.least = least;
}

/* Appends what fits before the tail; a field that does not fit is dropped whole by its caller. */
static void put(struct line *line, struct span text)
{
    if (text.len > sizeof line->bytes - LINE_TAIL - line->len) {
        line->cut = true;
        return;
    }
    if (text.len != 0) {
        memcpy(line->bytes + line->len, text.data, text.len);
        line->len += text.len;
    }
}

static void put_str(struct line *line, const char *text)
{
    put(line, span_str(text));
}

static void put_number(struct line *line, int64_t number)
{
    char digits[SPAN_U64_TEXT_MAX];

    if (number < 0) {
        put(line, span_lit("-"));
    }
    put(line, span_from_u64(number < 0 ? 0 - (uint64_t)number : (uint64_t)number, digits));
}

/* Everything but printable ASCII without quote and backslash becomes \u00XX: no terminal and no parser is surprised. */
static void put_escaped(struct line *line, struct span text)
{
    const size_t len = num_min(text.len, LOG_TEXT_MAX);
    size_t from = 0;

    for (size_t i = 0; i < len; i++) {
        const uint8_t byte = text.data[i];

        if (byte < 0x20 || byte >= 0x7f || byte == '"' || byte == '\\') {
            char escape[6] = {'\\', 'u', '0', '0', '0', '0'};

            hex_encode(span_of(&byte, 1), escape + 4);
            put(line, span_of(text.data + from, i - from));
            put(line, span_array(escape));
            from = i + 1;
        }
    }
    put(line, span_of(text.data + from, len - from));
}

static void put_field(struct line *line, const struct log_field *field)
{
    const size_t before = line->len;
    const bool cut_before = line->cut;

    line->cut = false;
    put_str(line, ",\"");
    put_str(line, field->key);
    put_str(line, "\":");
    if (field->literal == NULL && field->text.data == NULL) {
        put_number(line, field->number);
    } else {
        put_str(line, "\"");
        put_escaped(line, field->literal != NULL ? span_str(field->literal) : field->text);
        put_str(line, "\"");
    }
    if (line->cut) {
        line->len = before;
    }
    line->cut = line->cut || cut_before;
}

static void start_line(struct line *line, enum log_level level, const char *event)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    struct timespec now = {0, 0};
    char at[TIME_ISO_BYTES];

    clock_gettime(CLOCK_REALTIME, &now);
    time_format_iso((struct wall_time){(int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000}, at);
    put_str(line, "{\"at\":\"");
    put(line, span_array(at));
    put_str(line, "\",\"level\":\"");
    put_str(line, levels[level]);
    put_str(line, "\",\"process\":\"");
    put_str(line, sink.process);
    put_str(line, "\",\"event\":\"");
    put_str(line, event);
    put_str(line, "\"");
}

static void write_all(struct span bytes)
{
    size_t written = 0;

    while (written < bytes.len) {
        const ssize_t done = write(STDERR_FILENO, bytes.data + written, bytes.len - written);

        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return; /* a log that cannot be written must not stop the service, and there is nowhere else to say so */
        }
        written += (size_t)done;
    }
}

void log_hold_begin(struct log_hold *hold)
{
    hold->len = 0;
    held = hold;
}

void log_hold_flush(void)
{
    if (held != NULL && held->len > 0) {
        write_all(span_of(held->bytes, held->len));
        held->len = 0;
    }
}

void log_hold_end(void)
{
    log_hold_flush();
    held = NULL;
}

static void finish_line(struct line *line, enum log_level level)
{
    static const char cut[] = ",\"cut\":true";

    if (line->cut) {
        memcpy(line->bytes + line->len, cut, sizeof cut - 1);
        line->len += sizeof cut - 1;
    }
    line->bytes[line->len++] = '}';
    line->bytes[line->len++] = '\n';
    if (held == NULL) {
        write_all(span_of(line->bytes, line->len));
        return;
    }
    if (line->len > sizeof(held->bytes) - held->len) {
        log_hold_flush();
    }
    memcpy(held->bytes + held->len, line->bytes, line->len);
    held->len += line->len;
    if (level >= LOG_WARN) {
        log_hold_flush();
    }
}

void log_event(enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
    struct line line;

    if (level < sink.least) {
        return;
    }
    line.len = 0;
    line.cut = false;
    start_line(&line, level, event);
    for (size_t i = 0; i < count; i++) {
        put_field(&line, &fields[i]);
    }
    finish_line(&line, level);
}

/* One frame of a trail, whole or not at all: half a string would leave the line broken. */
static void put_frame(struct line *line, const struct fault_frame *frame, bool first)
{
    const size_t before = line->len;

    put_str(line, first ? "\"" : ",\"");
    put_str(line, err_name(frame->err));
    put_str(line, " ");
    put_str(line, frame->file);
    put_str(line, ":");
    put_number(line, frame->line);
    put_str(line, " ");
    put_escaped(line, span_str(frame->why));
    put_str(line, " ");
    put_number(line, frame->number);
    put_str(line, "\"");
    if (line->cut) {
        line->len = before;
    }
}

void log_fault(enum log_level level, const char *event)
{
    const struct fault_trail *const trail = fault_trail();
    struct line line;

    if (level >= sink.least) {
        line.len = 0;
        line.cut = false;
        start_line(&line, level, event);
        put_str(&line, ",\"trail\":[");
        for (size_t i = 0; i < trail->count && !line.cut; i++) {
            put_frame(&line, &trail->frames[i], i == 0);
        }
        line.bytes[line.len++] = ']'; /* from the tail that put leaves free */
        finish_line(&line, level);
    }
    fault_clear();
}
