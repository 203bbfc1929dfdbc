/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sources: RFC 4226 appendix D (the truncated numbers of counts 0 to 9); RFC 6238 appendix B (SHA1). Both with the key
 * below. */
#ifndef TESTS_DATA_TOTP_KNOWN_H
#define TESTS_DATA_TOTP_KNOWN_H

#include <stdint.h>

#define TOTP_KNOWN_KEY "12345678901234567890"

static const uint32_t hotp_known[] = {1284755224, 1094287082, 137359152, 1726969429, 1640338314,
                                      868254676,  1918287922, 82162583,  673399871,  645520489};

struct totp_known {
    int64_t time_s;
    uint32_t code; /* eight digits */
};

static const struct totp_known totp_known[] = {{59, 94287082},         {1111111109, 7081804},  {1111111111, 14050471},
                                               {1234567890, 89005924}, {2000000000, 69279037}, {20000000000, 65353130}};

#endif
