/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The command line of commands that speak with a box. */
#ifndef FIRMWARE_CLI_WORDS_H
#define FIRMWARE_CLI_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

enum words_command { WORDS_UPDATE, WORDS_PLAN };

/* All of it points into argv. */
struct words {
    struct span host;
    uint16_t port;
    struct span name;          /* in the certificate; the host where none is given */
    const char *ca;            /* path */
    const char *email;
    const char *password_file; /* NULL: the terminal is asked */
    const char *file;          /* an update, or a plan of Secure Boot */
    bool install;
    bool json;
};

/* Says on standard error what is wrong. ERR_MALFORMED. */
enum err words_read(enum words_command command, size_t argc, char **argv, struct words *out_words) MUST_USE;

#endif
