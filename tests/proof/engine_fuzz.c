/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs the harness with choices read from libFuzzer's bytes. When they run out every choice is 0. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/proof/proof.h"

#define LARGE 4096 /* sizes that a real message has */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *rest;
static size_t rest_bytes;
static bool running; /* libFuzzer allocates too, and must not be refused */

uint8_t proof_any_byte(void)
{
    if (rest_bytes == 0) {
        return 0;
    }
    rest_bytes--;
    return *rest++;
}

bool proof_any_bool(void)
{
    return (proof_any_byte() & 1) != 0;
}

size_t proof_any_size(size_t max)
{
    const size_t low = (size_t)proof_any_byte() << 8 | proof_any_byte();
    const size_t picked = (low & 0x8000) != 0 && max > LARGE ? max - (low & 0x7f) : low % (LARGE + 1);

    return max == SIZE_MAX ? picked : picked % (max + 1);
}

bool proof_refuses_memory(void)
{
    return running && proof_any_bool();
}

size_t proof_bound(size_t symbolic, size_t other)
{
    (void)symbolic;
    return other;
}

void proof_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: %s\n", file, line, what);
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rest = data;
    rest_bytes = size;
    running = true;
    proof_harness();
    running = false;
    return 0;
}
