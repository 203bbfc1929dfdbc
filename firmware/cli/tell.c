/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Nobody can be told that telling failed, so what stdio answers is not looked at; the exit status says the same. */
#include "firmware/cli/tell.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "net/json_out.h"

#define LINE_MAX_BYTES 65536
#define BAR_CELLS      40
#define KIB            1024u

struct span reply_text(const struct reply *reply, const char *name)
{
    const struct json_value *const value = json_find(reply->body, span_str(name));

    return value != NULL && value->type == JSON_STRING ? value->as.text : SPAN_NONE;
}

void tell_init(bool json, struct tell *out_tell)
{
    *out_tell = (struct tell){.json = json, .has_bar = !json && isatty(STDERR_FILENO) == 1};
}

static void end_bar(struct tell *tell)
{
    if (tell->drawn) {
        (void)fputc('\n', stderr);
        tell->drawn = false;
    }
}

static void put_plain(FILE *stream, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        const bool plain = text.data[i] >= ' ' && text.data[i] <= '~';
        (void)fputc(plain ? text.data[i] : '?', stream);
    }
}

/* JSON is the same with \uXXXX for all that is not ASCII: some terminals obey U+0080 to U+009F, and some text runs backwards. Its
 * texts are well-formed, and what it has outside of them is ASCII. */
static void put_ascii(FILE *stream, struct span json)
{
    size_t len = 0;

    for (size_t at = 0; at < json.len; at += len) {
        const uint8_t first = json.data[at];
        uint32_t point = first;

        len = first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
        if (first >= ' ' && first <= '~') {
            (void)fputc(first, stream);
            continue;
        }
        point = len == 1 ? point : point & (0x7fu >> len);
        for (size_t i = at + 1; i < at + len && i < json.len; i++) {
            point = point << 6 | (json.data[i] & 0x3fu);
        }
        if (point > 0xffff) {
            (void)fprintf(stream, "\\u%04" PRIx32, 0xd7c0 + (point >> 10));
            point = 0xdc00 + (point & 0x3ff);
        }
        (void)fprintf(stream, "\\u%04" PRIx32, point);
    }
}

/* The one line of --json: the value; of an answer that brought none, error and message. A line that is longer than it may
 * be is left out: the exit status is there. */
static void put_json(const struct json_value *value, const char *error, struct span message)
{
    SCOPED_BUF struct buf *line = NULL;
    struct json_out out;

    if (buf_new(LINE_MAX_BYTES, &line) != ERR_OK) {
        return;
    }
    json_out_init(&out, line);
    if (value != NULL) {
        json_out_value(&out, value);
    } else {
        json_out_object(&out);
        json_out_member_text(&out, span_lit("error"), span_str(error));
        json_out_member_text(&out, span_lit("message"), message);
        json_out_object_end(&out);
    }
    if (json_out_finish(&out) == ERR_OK) {
        put_ascii(stdout, buf_all(line));
        (void)fputc('\n', stdout);
        (void)fflush(stdout);
    }
    fault_clear();
}

/* In words, for the errors that a person meets. */
static const char *words_of(enum err err)
{
    static const struct {
        enum err err;
        const char *words;
    } known[] = {
        {ERR_NOT_FOUND, "there is no such thing, or no way to it"},
        {ERR_REFUSED, "not permitted"},
        {ERR_CLOSED, "nobody answers there, or not any more"},
        {ERR_TIMEOUT, "no answer in time"},
        {ERR_AUTH, "not the box whose CA was given, or its certificate has another name (--name)"},
        {ERR_MALFORMED, "not what it should be"},
        {ERR_RANGE, "longer than it may be"},
        {ERR_CANCELLED, "given up"},
        {ERR_DENIED, "over"},
        {ERR_UNSUPPORTED, "no common version of TLS"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(known); i++) {
        if (known[i].err == err) {
            return known[i].words;
        }
    }
    return err_name(err);
}

void tell_failure(struct tell *tell, const char *what, enum err err)
{
    fault_clear();
    end_bar(tell);
    if (tell->json) {
        put_json(NULL, err_name(err), span_str(what));
        return;
    }
    (void)fprintf(stderr, "rowlock: %s: %s\n", what, words_of(err));
}

void tell_refusal(struct tell *tell, const char *what, const struct reply *reply)
{
    end_bar(tell);
    if (tell->json) {
        put_json(reply->body, "no-json", span_str(what));
        return;
    }
    (void)fprintf(stderr, "rowlock: %s: ", what);
    put_plain(stderr, reply_text(reply, "message"));
    (void)fprintf(stderr, " (%u)\n", reply->status);
}

void tell_progress(struct tell *tell, uint64_t done, uint64_t total)
{
    const uint64_t cells = total == 0 ? BAR_CELLS : done * BAR_CELLS / total;

    if (!tell->has_bar) {
        return;
    }
    (void)fputs("\r[", stderr);
    for (uint64_t i = 0; i < BAR_CELLS; i++) {
        (void)fputc(i < cells ? '#' : '.', stderr);
    }
    (void)fprintf(stderr, "] %3" PRIu64 " %% of %" PRIu64 " KiB", total == 0 ? 100 : done * 100 / total, total / KIB);
    (void)fflush(stderr);
    tell->drawn = true;
}

void tell_done(struct tell *tell, const struct reply *reply, const char *sentence, struct span about)
{
    end_bar(tell);
    if (tell->json) {
        put_json(reply->body, "no-json", span_str(sentence));
        return;
    }
    (void)fprintf(stderr, "rowlock: %s", sentence);
    put_plain(stderr, about);
    (void)fputc('\n', stderr);
}
