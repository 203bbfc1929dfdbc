/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/known.h"

#include "hal/base/fault.h"

struct known known_hex(const char *hex)
{
    const struct span text = span_str(hex);
    struct known known = {.len = text.len / 2};

    INVARIANT(known.len <= KNOWN_BYTES_MAX);
    INVARIANT(hex_decode(text, known.bytes, known.len) == ERR_OK);
    return known;
}
