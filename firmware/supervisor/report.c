/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Written into one buffer and with one call, which wipes it afterwards: it holds keys. */
#include "firmware/supervisor/report.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "net/json_out.h"

#define REPORT_MAX 65536 /* the longest path, all of it quotes, in three lines to paste */

/* A pipe that can be written at all takes 4 KiB. What comes after the first report is longer only where it has new keys and,
 * in the lines to paste, three times a path of a thousand bytes. */
bool report_has_room(void)
{
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};

    return poll(&out, 1, 0) == 1 && (out.revents & POLLOUT) != 0;
}

static enum err write_out(struct span text)
{
    size_t at = 0;

    while (at < text.len) {
        const ssize_t written = write(STDOUT_FILENO, text.data + at, text.len - at);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            FAIL(ERR_IO, "writing to standard output", errno);
        }
        at += (size_t)written;
    }
    return ERR_OK;
}

static void member(struct json_out *out, struct span name, struct span value)
{
    if (value.len == 0) {
        json_out_member_null(out, name);
    } else {
        json_out_member_text(out, name, value);
    }
}

static void member_if_any(struct json_out *out, struct span name, struct span value)
{
    if (value.len != 0) {
        json_out_member_text(out, name, value);
    }
}

enum err report_json(const struct report *report)
{
    SCOPED_BUF struct buf *line = NULL;
    struct json_out out;

    TRY(buf_new(REPORT_MAX, &line));
    json_out_init(&out, line);
    json_out_object(&out);
    member(&out, span_lit("url"), report->url);
    member_if_any(&out, span_lit("adminUrl"), report->admin_url);
    member(&out, span_lit("caFile"), report->ca_file);
    member(&out, span_lit("projectId"), report->project);
    member(&out, span_lit("environment"), report->environment);
    member_if_any(&out, span_lit("publishableKey"), report->publishable);
    member_if_any(&out, span_lit("secretKey"), report->secret);
    member_if_any(&out, span_lit("recoveryKey"), report->recovery);
    member_if_any(&out, span_lit("setupCode"), report->setup);
    json_out_object_end(&out);
    TRY(json_out_finish(&out));
    TRY(buf_put_u8(line, '\n'));
    TRY(write_out(buf_all(line)));
    return ERR_OK;
}

/* Spans one after the other, up to the one without data. */
static enum err put_all(struct buf *text, const struct span *parts)
{
    for (size_t i = 0; parts[i].data != NULL; i++) {
        TRY(buf_put(text, parts[i]));
    }
    return ERR_OK;
}

static enum err put_pair(struct buf *text, struct span label, struct span value)
{
    const struct span parts[] = {span_lit("  "), label, value, span_lit("\n"), SPAN_NONE};

    if (value.len != 0) {
        TRY(put_all(text, parts));
    }
    return ERR_OK;
}

/* The path as one word of a shell, whatever is in it: quoted, and a quote in it outside the quotes. */
static enum err quote(struct span path, struct buf *out_word)
{
    TRY(buf_put_u8(out_word, '\''));
    for (size_t i = 0; i < path.len; i++) {
        const struct span byte = span_of(path.data + i, 1);

        TRY(buf_put(out_word, path.data[i] == '\'' ? span_lit("'\\''") : byte));
    }
    return buf_put_u8(out_word, '\'');
}

/* Create a table, insert a row, list it: each on one line, with this box's values. ca_file is a word of a shell. */
static enum err put_curl(struct buf *text, const struct report *report, struct span ca_file)
{
    const struct span curl = span_lit("curl --cacert ");
    const struct span key = span_lit(" -H 'X-API-Key: ");
    const struct span json = span_lit("' -H 'Content-Type: application/json' -d '");
    const struct span create[] = {
        span_lit("\n  create a table, insert a row, list it:\n\n"), curl, ca_file, key,
        report->secret, json, span_lit("{\"tableName\":\"notes\",\"schema\":{\"text\":{\"type\":\"string\"}}}' "),
        report->admin_url.len != 0 ? report->admin_url : report->url, span_lit("/v1/admin/tables\n"), SPAN_NONE};
    const struct span insert[] = {curl, ca_file, key, report->secret, json,
                                  span_lit("{\"text\":\"hello\"}' "), report->url, span_lit("/v1/data/notes\n"),
                                  SPAN_NONE};
    const struct span list[] = {curl, ca_file, key, report->secret, span_lit("' "),
                                report->url, span_lit("/v1/data/notes\n"), SPAN_NONE};

    if (report->secret.len == 0) {
        return ERR_OK;
    }
    TRY(put_all(text, create));
    TRY(put_all(text, insert));
    TRY(put_all(text, list));
    return ERR_OK;
}

static enum err put_state(struct buf *text, const struct report *report)
{
    const char *const reason = life_reason_name(report->reason);
    const struct span parts[] = {span_lit("\nRowlock is "), span_str(life_state_name(report->state)),
                                 reason != NULL ? span_lit(": ") : span_lit(""),
                                 reason != NULL ? span_str(reason) : span_lit(""), span_lit("\n\n"), SPAN_NONE};

    TRY(put_all(text, parts));
    return ERR_OK;
}

static enum err put_ca(struct buf *text, const struct report *report)
{
    const struct span parts[] = {span_lit("\n  The CA certificate, to be kept in the CA file:\n\n"), report->ca, SPAN_NONE};

    if (report->ca.len != 0) {
        TRY(put_all(text, parts));
    }
    return ERR_OK;
}

enum err report_text(const struct report *report)
{
    SCOPED_BUF struct buf *text = NULL;
    SCOPED_BUF struct buf *ca_file = NULL;

    TRY(buf_new(REPORT_MAX, &text));
    TRY(buf_new(REPORT_MAX, &ca_file));
    TRY(put_state(text, report));
    TRY(put_pair(text, span_lit("url              "), report->url));
    TRY(put_pair(text, span_lit("administrator    "), report->admin_url));
    TRY(put_pair(text, span_lit("CA file          "), report->ca_file));
    TRY(put_pair(text, span_lit("CA fingerprint   "), report->fingerprint));
    TRY(put_pair(text, span_lit("project          "), report->project));
    TRY(put_pair(text, span_lit("environment      "), report->environment));
    TRY(put_pair(text, span_lit("publishable key  "), report->publishable));
    TRY(put_pair(text, span_lit("secret key       "), report->secret));
    TRY(put_pair(text, span_lit("recovery key     "), report->recovery));
    TRY(put_pair(text, span_lit("setup code       "), report->setup));
    if (report->recovery.len != 0 || report->secret.len != 0) {
        TRY(buf_put(text, span_lit("\n  Keys are shown this once. Without the recovery key a lost TPM is lost data.\n")));
    }
    if (report->setup.len != 0) {
        TRY(buf_put(text, span_lit("\n  The setup code makes the first operator, once, within 15 minutes of this start.\n")));
    }
    TRY(quote(report->ca_file, ca_file));
    TRY(put_curl(text, report, buf_all(ca_file)));
    if (report->software_tpm) {
        TRY(buf_put(text, span_lit("\n  The TPM is software: a copy of its state and of the data directory opens this box.\n")));
    }
    TRY(put_ca(text, report));
    TRY(buf_put(text, span_lit("\n")));
    TRY(write_out(buf_all(text)));
    return ERR_OK;
}
