/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/data/mail_settings.h"

#include "firmware/mail/link.h"
#include "hal/base/attr.h"

static const char *const tls_names[] = {[OUTBOUND_STARTTLS] = "starttls", [OUTBOUND_TLS] = "tls"};
_Static_assert(ARRAY_LENGTH(tls_names) == OUTBOUND_CLEAR, "each that a relay may have has a name");

struct span mail_tls_name(enum outbound_tls tls)
{
    return span_str(tls_names[tls]);
}

bool mail_tls_find(struct span name, enum outbound_tls *out_tls)
{
    for (int i = 0; i < (int)ARRAY_LENGTH(tls_names); i++) {
        if (span_equal(name, span_str(tls_names[i]))) {
            *out_tls = (enum outbound_tls)i;
            return true;
        }
    }
    return false;
}

static bool has_control(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < 0x20 || text.data[i] == 0x7F) {
            return true;
        }
    }
    return false;
}

bool mail_user_fits(struct span user)
{
    return user.len > 0 && user.len <= OUTBOUND_USER_MAX && !has_control(user);
}

bool mail_password_fits(struct span password)
{
    return password.len > 0 && password.len <= OUTBOUND_PASSWORD_MAX && !has_control(password);
}

static bool ends_with(struct span text, struct span end)
{
    return text.len >= end.len && span_equal(span_of(text.data + text.len - end.len, end.len), end);
}

static struct span without_line_ends(struct span text)
{
    while (text.len > 0 && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r')) {
        text.len--;
    }
    return text;
}

/* Whether a certificate stands between the two lines, and a good one, is found out by whoever checks with it. */
bool mail_ca_fits(struct span pem)
{
    const struct span text = without_line_ends(pem);

    for (size_t i = 0; i < pem.len; i++) {
        if ((pem.data[i] < 0x20 || pem.data[i] > 0x7E) && pem.data[i] != '\n' && pem.data[i] != '\r') {
            return false;
        }
    }
    return pem.len <= OUTBOUND_CA_MAX && span_starts_with(text, span_lit("-----BEGIN CERTIFICATE-----")) &&
           ends_with(text, span_lit("-----END CERTIFICATE-----"));
}

bool mail_sender_name_fits(struct span name)
{
    return name.len > 0 && span_code_points(name) <= MAIL_SENDER_MAX && !has_control(name);
}

bool mail_logo_fits(struct span url)
{
    return mail_url_origin(url).len != 0;
}

static bool is_hex(uint8_t byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F');
}

bool mail_color_fits(struct span color)
{
    for (size_t i = 1; i < color.len; i++) {
        if (!is_hex(color.data[i])) {
            return false;
        }
    }
    return (color.len == 4 || color.len == 7) && color.data[0] == '#';
}
