/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An address is read once, where it comes in, and from then on compared byte by byte. What two mail servers may understand in
 * two ways (quotes, comments, anything but ASCII, addresses of machines in brackets) is no address here. */
#include "firmware/auth/account.h"

#include <string.h>

#include "firmware/auth/settings.h"
#include "hal/base/fault.h"

#define LOCAL_MAX 64
#define LABEL_MAX 63

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static struct span trimmed(struct span text)
{
    while (text.len > 0 && is_blank(text.data[0])) {
        text = span_of(text.data + 1, text.len - 1);
    }
    while (text.len > 0 && is_blank(text.data[text.len - 1])) {
        text.len--;
    }
    return text;
}

static bool is_alphanumeric(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9');
}

/* atext of RFC 5322 after folding, and the dot. */
static bool is_local_byte(uint8_t byte)
{
    return is_alphanumeric(byte) || (byte != 0 && strchr(".!#$%&'*+-/=?^_`{|}~", byte) != NULL);
}

static bool is_local(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_local_byte(text.data[i])) {
            return false;
        }
    }
    return text.len > 0 && text.len <= LOCAL_MAX;
}

/* A label of a host name: RFC 1123. */
static bool is_label(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_alphanumeric(text.data[i]) && text.data[i] != '-') {
            return false;
        }
    }
    return text.len > 0 && text.len <= LABEL_MAX && text.data[0] != '-' && text.data[text.len - 1] != '-';
}

static bool is_domain(struct span text)
{
    size_t labels = 0;

    for (;;) {
        const size_t len = span_find(text, '.');
        if (!is_label(span_of(text.data, len))) {
            return false;
        }
        labels++;
        if (len == text.len) {
            return labels > 1;
        }
        text = span_of(text.data + len + 1, text.len - len - 1);
    }
}

enum err account_email_read(struct span text, struct account_email *out_email)
{
    const struct span inner = trimmed(text);
    struct account_email email = {.len = inner.len};

    ENSURE(inner.len > 0 && inner.len <= ACCOUNT_EMAIL_MAX, ERR_MALFORMED, "the length of an address");
    for (size_t i = 0; i < inner.len; i++) {
        const uint8_t byte = inner.data[i];
        email.text[i] = (char)(byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte);
    }
    const struct span folded = span_of(email.text, email.len);
    const size_t at = span_find(folded, '@');
    ENSURE(at < folded.len && is_local(span_of(folded.data, at)), ERR_MALFORMED, "the local part of an address");
    ENSURE(is_domain(span_of(folded.data + at + 1, folded.len - at - 1)), ERR_MALFORMED, "the domain of an address");
    *out_email = email;
    return ERR_OK;
}

struct classes {
    bool upper, lower, digit, special;
};

static struct classes classes_of(struct span text)
{
    struct classes classes = {false, false, false, false};

    for (size_t i = 0; i < text.len; i++) {
        const uint8_t byte = text.data[i];
        const bool upper = byte >= 'A' && byte <= 'Z';
        const bool lower = byte >= 'a' && byte <= 'z';
        const bool digit = byte >= '0' && byte <= '9';
        classes.upper = classes.upper || upper;
        classes.lower = classes.lower || lower;
        classes.digit = classes.digit || digit;
        classes.special = classes.special || !(upper || lower || digit);
    }
    return classes;
}

bool account_password_fits(struct span password, const struct auth_settings *settings)
{
    const size_t points = span_code_points(password);
    const struct classes has = classes_of(password);

    return points >= settings->password_min && points <= ACCOUNT_PASSWORD_MAX &&
           (has.upper || !settings->password_upper) && (has.lower || !settings->password_lower) &&
           (has.digit || !settings->password_digit) && (has.special || !settings->password_special);
}
