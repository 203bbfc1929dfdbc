/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "net/outbound.h"

#include "hal/base/config.h"
#include "hal/base/fault.h"

#define LABEL_MAX 63

enum outbound_kind outbound_lane_kind(size_t lane)
{
    if (lane == 0) {
        return OUTBOUND_SMTP;
    }
    return lane <= OUTBOUND_FETCHES ? OUTBOUND_HTTPS : OUTBOUND_TIME;
}

const char *outbound_kind_name(enum outbound_kind kind)
{
    static const char *const names[] = {
        [OUTBOUND_SMTP] = "smtp", [OUTBOUND_HTTPS] = "https", [OUTBOUND_TIME] = "time"};
    _Static_assert(ARRAY_LENGTH(names) == OUTBOUND_KINDS, "every kind has a name");

    INVARIANT((size_t)kind < ARRAY_LENGTH(names));
    return names[kind];
}

unsigned int outbound_kind_s(enum outbound_kind kind)
{
    static const unsigned int seconds[] = {[OUTBOUND_SMTP] = CONFIG_COURIER_MAIL_S,
                                           [OUTBOUND_HTTPS] = CONFIG_COURIER_FETCH_S,
                                           [OUTBOUND_TIME] = CONFIG_COURIER_TIME_S};
    _Static_assert(ARRAY_LENGTH(seconds) == OUTBOUND_KINDS, "every kind has its time");

    INVARIANT((size_t)kind < ARRAY_LENGTH(seconds));
    return seconds[kind];
}

const char *outbound_tls_name(enum outbound_tls tls)
{
    static const char *const names[] = {
        [OUTBOUND_TLS] = "tls", [OUTBOUND_STARTTLS] = "starttls", [OUTBOUND_CLEAR] = "clear"};
    _Static_assert(ARRAY_LENGTH(names) == OUTBOUND_TLS_KINDS, "every protection has a name");

    INVARIANT((size_t)tls < ARRAY_LENGTH(names));
    return names[tls];
}

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_label_byte(uint8_t byte)
{
    return is_digit(byte) || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '-';
}

static bool label_fits(struct span label)
{
    if (label.len == 0 || label.len > LABEL_MAX || label.data[0] == '-' || label.data[label.len - 1] == '-') {
        return false;
    }
    for (size_t i = 0; i < label.len; i++) {
        if (!is_label_byte(label.data[i])) {
            return false;
        }
    }
    return true;
}

/* The last label of a name does. "127.0.0.0x1" is an address for the resolver, which reads 0x and 0 as inet_aton did. */
static bool begins_with_letter(struct span label)
{
    return label.len != 0 && label.data[0] != '-' && !is_digit(label.data[0]);
}

bool outbound_host_fits(struct span host)
{
    struct span rest = host;
    struct span label = SPAN_NONE;

    if (host.len == 0 || host.len > OUTBOUND_HOST_MAX) {
        return false;
    }
    for (;;) {
        const size_t len = span_find(rest, '.');
        label = span_of(rest.data, len);
        if (!label_fits(label)) {
            return false;
        }
        if (len == rest.len) {
            return begins_with_letter(label) && (label.len < host.len || span_equal_nocase(host, span_lit("localhost")));
        }
        rest = span_of(rest.data + len + 1, rest.len - len - 1);
    }
}

static bool is_printable(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < ' ' || text.data[i] > '~') {
            return false;
        }
    }
    return true;
}

static bool is_base64(struct span line)
{
    for (size_t i = 0; i < line.len; i++) {
        const uint8_t byte = line.data[i];
        if (!is_digit(byte) && !(byte >= 'a' && byte <= 'z') && !(byte >= 'A' && byte <= 'Z') && byte != '+' &&
            byte != '/' && byte != '=') {
            return false;
        }
    }
    return line.len != 0;
}

/* Where a line stands. */
struct pem_place {
    bool inside;  /* of a certificate */
    size_t lines; /* of it so far */
    size_t certificates;
};

static bool pem_line_fits(struct span line, struct pem_place *place)
{
    if (span_equal(line, span_lit("-----BEGIN CERTIFICATE-----"))) {
        const bool fits = !place->inside;
        *place = (struct pem_place){.inside = true, .certificates = place->certificates};
        return fits;
    }
    if (span_equal(line, span_lit("-----END CERTIFICATE-----"))) {
        const bool fits = place->inside && place->lines != 0;
        *place = (struct pem_place){.certificates = place->certificates + 1};
        return fits;
    }
    if (place->inside) {
        place->lines++;
        return is_base64(line);
    }
    return place->certificates != 0 && is_printable(line) && !span_starts_with(line, span_lit("-----"));
}

bool outbound_ca_fits(struct span pem)
{
    struct pem_place place = {.inside = false};
    struct span rest = pem;

    if (pem.len > OUTBOUND_CA_MAX) {
        return false;
    }
    while (rest.len != 0) {
        const size_t end = span_find(rest, '\n');
        const size_t cut = end != 0 && rest.data[end - 1] == '\r' ? end - 1 : end;
        if (!pem_line_fits(span_of(rest.data, cut), &place)) {
            return false;
        }
        rest = end == rest.len ? SPAN_NONE : span_of(rest.data + end + 1, rest.len - end - 1);
    }
    return place.certificates != 0 && !place.inside;
}

static bool protection_fits(enum outbound_kind kind, enum outbound_tls tls)
{
    if (tls == OUTBOUND_TLS) {
        return kind == OUTBOUND_SMTP || kind == OUTBOUND_HTTPS || kind == OUTBOUND_TIME;
    }
    return (kind == OUTBOUND_SMTP && tls == OUTBOUND_STARTTLS) || (kind == OUTBOUND_TIME && tls == OUTBOUND_CLEAR);
}

bool outbound_destination_fits(const struct outbound_destination *destination)
{
    return protection_fits(destination->kind, destination->tls) && destination->port != 0 &&
           destination->ca.len <= OUTBOUND_CA_MAX && outbound_host_fits(destination->host);
}

bool outbound_destination_equal(const struct outbound_destination *a, const struct outbound_destination *b)
{
    return a->kind == b->kind && a->tls == b->tls && a->port == b->port && span_equal_nocase(a->host, b->host) &&
           span_equal(a->ca, b->ca);
}

static bool is_mailbox(struct span text)
{
    return text.len != 0 && text.len <= OUTBOUND_ADDRESS_MAX && is_printable(text) &&
           span_find(text, ' ') == text.len && span_find(text, '<') == text.len && span_find(text, '>') == text.len;
}

static enum err check_mail(const struct outbound_mail *mail)
{
    ENSURE(is_mailbox(mail->from) && is_mailbox(mail->to), ERR_RANGE, "no mailbox");
    ENSURE(mail->user.len <= OUTBOUND_USER_MAX && mail->password.len <= OUTBOUND_PASSWORD_MAX, ERR_RANGE,
           "a user or a password that is too long");
    ENSURE(mail->text.len <= OUTBOUND_MAIL_MAX, ERR_RANGE, "a mail that is too long");
    return ERR_OK;
}

static enum err check_fetch(const struct outbound_fetch *fetch)
{
    ENSURE(fetch->path.len != 0 && fetch->path.len <= OUTBOUND_PATH_MAX && fetch->path.data[0] == '/' &&
               is_printable(fetch->path) && span_find(fetch->path, ' ') == fetch->path.len,
           ERR_RANGE, "no path");
    ENSURE(fetch->authorization.len <= OUTBOUND_AUTHORIZATION_MAX && is_printable(fetch->authorization), ERR_RANGE,
           "no authorization");
    ENSURE(fetch->body.len <= OUTBOUND_BODY_MAX, ERR_RANGE, "a body that is too long");
    ENSURE((fetch->method == OUTBOUND_GET && fetch->body.len == 0) || fetch->method == OUTBOUND_POST, ERR_RANGE,
           "no method, or a GET with a body");
    ENSURE(fetch->answer != NULL, ERR_RANGE, "no room for an answer");
    return ERR_OK;
}

enum err outbound_job_check(const struct outbound_job *job)
{
    ENSURE(outbound_destination_fits(&job->to), ERR_RANGE, "no destination");
    switch (job->to.kind) {
    case OUTBOUND_SMTP:
        return check_mail(&job->mail);
    case OUTBOUND_HTTPS:
        return check_fetch(&job->fetch);
    case OUTBOUND_TIME:
    case OUTBOUND_KINDS:
        break;
    }
    return ERR_OK;
}

bool outbound_reading_fits(const struct outbound_reading *reading)
{
    return reading->unix_ns != 0 && reading->stratum >= 1 && reading->stratum <= OUTBOUND_STRATUM_MAX;
}

const char *outbound_stage_name(enum outbound_stage stage)
{
    static const char *const names[] = {
        [OUTBOUND_AT_QUEUE] = "queue",       [OUTBOUND_AT_RESOLVE] = "resolve",   [OUTBOUND_AT_CONNECT] = "connect",
        [OUTBOUND_AT_TLS] = "tls",           [OUTBOUND_AT_GREETING] = "greeting", [OUTBOUND_AT_STARTTLS] = "starttls",
        [OUTBOUND_AT_SIGN_IN] = "sign-in",   [OUTBOUND_AT_FROM] = "from",         [OUTBOUND_AT_TO] = "to",
        [OUTBOUND_AT_DATA] = "data",         [OUTBOUND_AT_REQUEST] = "request",   [OUTBOUND_AT_ANSWER] = "answer",
        [OUTBOUND_AT_END] = "end",           [OUTBOUND_AT_KEYS] = "keys",         [OUTBOUND_AT_RATE] = "rate",
    };
    _Static_assert(ARRAY_LENGTH(names) == OUTBOUND_STAGES, "every stage has a name");

    INVARIANT((size_t)stage < ARRAY_LENGTH(names));
    return names[stage];
}
