/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "net/outbound.h"

#include "hal/base/fault.h"

#define LABEL_MAX 63

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

static bool has_letter(struct span label)
{
    for (size_t i = 0; i < label.len; i++) {
        if (!is_digit(label.data[i]) && label.data[i] != '-') {
            return true;
        }
    }
    return false;
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
            return has_letter(label) && (label.len < host.len || span_equal_nocase(host, span_lit("localhost")));
        }
        rest = span_of(rest.data + len + 1, rest.len - len - 1);
    }
}

bool outbound_destination_fits(const struct outbound_destination *destination)
{
    const bool kind_fits = destination->kind == OUTBOUND_SMTP ||
                           (destination->kind == OUTBOUND_HTTPS && destination->tls == OUTBOUND_TLS);

    return kind_fits && (destination->tls == OUTBOUND_TLS || destination->tls == OUTBOUND_STARTTLS) &&
           destination->port != 0 && destination->ca.len <= OUTBOUND_CA_MAX && outbound_host_fits(destination->host);
}

bool outbound_destination_equal(const struct outbound_destination *a, const struct outbound_destination *b)
{
    return a->kind == b->kind && a->tls == b->tls && a->port == b->port && span_equal_nocase(a->host, b->host) &&
           span_equal(a->ca, b->ca);
}

const char *outbound_stage_name(enum outbound_stage stage)
{
    static const char *const names[] = {
        [OUTBOUND_AT_QUEUE] = "queue",       [OUTBOUND_AT_RESOLVE] = "resolve",   [OUTBOUND_AT_CONNECT] = "connect",
        [OUTBOUND_AT_TLS] = "tls",           [OUTBOUND_AT_GREETING] = "greeting", [OUTBOUND_AT_STARTTLS] = "starttls",
        [OUTBOUND_AT_SIGN_IN] = "sign-in",   [OUTBOUND_AT_FROM] = "from",         [OUTBOUND_AT_TO] = "to",
        [OUTBOUND_AT_DATA] = "data",         [OUTBOUND_AT_REQUEST] = "request",   [OUTBOUND_AT_ANSWER] = "answer",
        [OUTBOUND_AT_END] = "end",
    };
    _Static_assert(ARRAY_LENGTH(names) == OUTBOUND_STAGES, "every stage has a name");

    INVARIANT((size_t)stage < ARRAY_LENGTH(names));
    return names[stage];
}
