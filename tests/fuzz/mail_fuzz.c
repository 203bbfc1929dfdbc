/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/mail: whatever an operator writes as a template and a stranger as a name or an address, the value stays a value:
 * it opens no tag, ends no header and comes back whole from the query of a link. The first byte chooses a template or an
 * address; what follows is cut at its first NUL into that and the value. */
#include "firmware/mail/link.h"
#include "firmware/mail/template.h"
#include "hal/base/buf.h"
#include "net/http.h"
#include "tests/fuzz/fuzz.h"

#define OUT_MAX ((size_t)1 << 22)

static size_t count_of(struct span text, const char *bytes)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++) {
        count += text.data[i] != 0 && strchr(bytes, text.data[i]) != NULL;
    }
    return count;
}

static size_t controls_of(struct span text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++) {
        count += text.data[i] < 0x20 || text.data[i] == 0x7F;
    }
    return count;
}

static void render(struct span text, struct span value)
{
    const struct mail_template as_body = {span_lit("s"), text};
    const struct mail_template as_subject = {text, span_lit("b")};
    struct mail_values values = {{SPAN_NONE}};
    SCOPED_BUF struct buf *body = NULL;
    SCOPED_BUF struct buf *subject = NULL;

    for (size_t i = 0; i < MAIL_VARIABLES; i++) {
        values.of[i] = value;
    }
    FUZZ_CHECK(buf_new(OUT_MAX, &body) == ERR_OK && buf_new(OUT_MAX, &subject) == ERR_OK);
    const enum err err = mail_render_body(text, &values, body);
    FUZZ_CHECK(err == ERR_OK || err == ERR_RANGE);
    if (err == ERR_OK) {
        FUZZ_CHECK(count_of(buf_all(body), "<>\"'") <= count_of(text, "<>\"'"));
        FUZZ_CHECK(mail_render_subject(text, &values, subject) == ERR_OK);
        FUZZ_CHECK(controls_of(buf_all(subject)) <= controls_of(text));
    }
    FUZZ_CHECK(mail_template_problem(&as_body) != NULL || buf_len(body) <= MAIL_TEXT_MAX);
    FUZZ_CHECK(mail_template_problem(&as_subject) != NULL || controls_of(buf_all(subject)) == 0);
}

/* The last parameter of a link is the one that was put there. */
static void read_back(struct span link, struct span value, struct arena *arena)
{
    const struct span place = mail_url_place(link);
    struct span rest = span_of(link.data + place.len, link.len - place.len);
    struct span name = SPAN_NONE;
    struct span got = SPAN_NONE;
    enum err err = ERR_OK;
    enum err last = ERR_OK;

    if (value.len == 0) {
        return;
    }
    FUZZ_CHECK(rest.len > 0 && rest.data[0] == '?');
    rest = span_of(rest.data + 1, span_find(rest, '#') - 1);
    struct http_query walk = http_query_of(rest);
    while ((err = http_query_next(&walk, arena, &name, &got)) != ERR_NOT_FOUND) {
        FUZZ_CHECK(err == ERR_OK || err == ERR_MALFORMED);
        last = err;
    }
    if (span_is_utf8(value) && span_find(value, 0) == value.len) {
        FUZZ_CHECK(last == ERR_OK && span_equal(name, span_lit("v")) && span_equal(got, value));
    } else {
        FUZZ_CHECK(last == ERR_MALFORMED);
    }
}

static void lead(struct span url, struct span value)
{
    const struct mail_parameter parameter = {span_lit("v"), value};
    const struct span origin = mail_url_origin(url);
    struct arena *arena = fuzz_arena();
    SCOPED_BUF struct buf *link = NULL;

    FUZZ_CHECK(span_starts_with(url, origin));
    FUZZ_CHECK(origin.len == 0 || (mail_url_is_plain(url) && span_find(origin, '@') == origin.len));
    if (!mail_url_is_plain(url)) {
        return;
    }
    FUZZ_CHECK(controls_of(url) == 0 && count_of(url, "<>\"' \\{}") == 0);
    FUZZ_CHECK(buf_new(OUT_MAX, &link) == ERR_OK);
    FUZZ_CHECK(mail_link_put(link, url, &parameter, 1) == ERR_OK);
    FUZZ_CHECK(mail_url_origin(url).len == 0 || span_starts_with(buf_all(link), origin));
    FUZZ_CHECK(controls_of(buf_all(link)) == 0 && count_of(buf_all(link), "<>\"' \\{}") == 0);
    read_back(buf_all(link), value, arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fault_clear();
    if (size < 1) {
        return 0;
    }
    const struct span all = span_of(data + 1, size - 1);
    const size_t cut = span_find(all, 0);
    const struct span first = span_of(all.data, cut);
    const struct span value = cut == all.len ? SPAN_NONE : span_of(all.data + cut + 1, all.len - cut - 1);
    if ((data[0] & 1) == 0) {
        render(first, value);
    } else {
        lead(first, value);
    }
    return 0;
}
