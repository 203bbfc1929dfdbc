/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The planted defect of `make fuzz`: a parser that believes a length. If this one survives, so would a real one. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t name[16];

    if (size < 3 || data[0] != 'R' || data[1] != 'L') {
        return 0;
    }
    memcpy(name, data + 2, data[2] < size ? data[2] : 0);
    return memchr(name, 'x', 1) == name ? -1 : 0;
}
