/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names of the error codes, for the log. */
#include "hal/base/err.h"

const char *err_name(enum err err)
{
    static const char *const names[] = {
        "ERR_OK",       "ERR_NO_MEMORY", "ERR_RANGE",   "ERR_MALFORMED", "ERR_NOT_FOUND",   "ERR_EXISTS",    "ERR_CONFLICT",
        "ERR_FULL",     "ERR_IO",        "ERR_TIMEOUT", "ERR_AGAIN",     "ERR_CLOSED",      "ERR_REFUSED",   "ERR_AUTH",
        "ERR_DENIED",   "ERR_POLICY",    "ERR_PIN",     "ERR_LOCKED",    "ERR_NO_DEVICE",   "ERR_DEVICE",    "ERR_STALE_KEY",
        "ERR_DAMAGED",  "ERR_ROLLBACK",  "ERR_LIMIT",   "ERR_BUDGET",    "ERR_UNSUPPORTED", "ERR_STATE",     "ERR_EXPIRED",
        "ERR_REVOKED",  "ERR_VERSION",   "ERR_CANCELLED", "ERR_BUG",
    };
    _Static_assert(sizeof names / sizeof names[0] == ERR_COUNT, "every code has a name");

    return (unsigned int)err < (unsigned int)ERR_COUNT ? names[err] : "ERR_UNKNOWN";
}
