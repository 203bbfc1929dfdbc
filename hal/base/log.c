/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The log sink. A line is built on the stack and written at once, so lines of several threads and processes on one
 * stderr do not mix (a pipe keeps writes up to 4 KiB whole). */
#include "hal/base/log.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "hal/base/num.h"

#define LINE_TAIL 32 /* kept free for ,"cut":true} and the line end */

struct line {
    char bytes[LOG_LINE_MAX];
    size_t len;
    bool cut;
};

static struct {
    const char *process;
    enum log_level least;
} sink = {"rowlock", LOG_INFO};

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
    char digits[21];
    size_t at = sizeof digits;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (number < 0) {
        digits[--at] = '-';
    }
    put(line, span_of(digits + at, sizeof digits - at));
}

/* Everything but printable ASCII without quote and backslash becomes \u00XX: no terminal and no parser is surprised. */
static void put_escaped(struct line *line, struct span text)
{
    for (size_t i = 0; i < num_min(text.len, LOG_TEXT_MAX); i++) {
        const uint8_t byte = text.data[i];

        if (byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\') {
            put(line, span_of(&byte, 1));
        } else {
            char escape[6] = {'\\', 'u', '0', '0', '0', '0'};

            hex_encode(span_of(&byte, 1), escape + 4);
            put(line, span_array(escape));
        }
    }
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

static void finish_line(struct line *line)
{
    static const char cut[] = ",\"cut\":true";
    size_t written = 0;

    if (line->cut) {
        memcpy(line->bytes + line->len, cut, sizeof cut - 1);
        line->len += sizeof cut - 1;
    }
    line->bytes[line->len++] = '}';
    line->bytes[line->len++] = '\n';
    while (written < line->len) {
        const ssize_t done = write(STDERR_FILENO, line->bytes + written, line->len - written);

        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return; /* a log that cannot be written must not stop the service, and there is nowhere else to say so */
        }
        written += (size_t)done;
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
    finish_line(&line);
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
        finish_line(&line);
    }
    fault_clear();
}
