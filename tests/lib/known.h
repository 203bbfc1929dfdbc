/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Known answers, written as hex in the sources of tests. */
#ifndef TESTS_LIB_KNOWN_H
#define TESTS_LIB_KNOWN_H

#include <stddef.h>
#include <stdint.h>

#include "hal/base/span.h"

#define KNOWN_BYTES_MAX 1024

/* Bytes decoded from hex; a wrong digit or too many of them stop the test. */
struct known {
    uint8_t bytes[KNOWN_BYTES_MAX];
    size_t len;
};

struct known known_hex(const char *hex);

static inline struct span known_span(const struct known *known)
{
    return span_of(known->bytes, known->len);
}

#endif
