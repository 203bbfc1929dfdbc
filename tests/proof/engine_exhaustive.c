/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs the harness once for every combination of choices, like an odometer: the choices made in one run are kept as
 * digits, and the next run counts the last digit that can still be raised up by one. Prints TAP. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/proof/proof.h"

#define SMALL 5            /* sizes 0..5 and the two below max: past it, runs grow faster than findings */
#define CHOICES_MAX 64     /* deeper harnesses are too large to be exhaustive */
#define RUNS_MAX 3000000   /* some ten seconds under the sanitizers */

static struct {
    unsigned int digit[CHOICES_MAX];
    unsigned int base[CHOICES_MAX];
    size_t made;
    uint64_t runs;
} odometer;

static void broken(const char *why)
{
    printf("not ok 1 - %s, after %" PRIu64 " runs; choices:", why, odometer.runs);
    for (size_t i = 0; i < odometer.made; i++) {
        printf(" %u/%u", odometer.digit[i], odometer.base[i]);
    }
    printf("\n1..1\n");
    fflush(stdout);
    _Exit(1);
}

static unsigned int choose(unsigned int base)
{
    if (odometer.made == CHOICES_MAX) {
        broken("more choices than an exhaustive run can make");
    }
    odometer.base[odometer.made] = base;
    return odometer.digit[odometer.made++];
}

size_t proof_any_size(size_t max)
{
    if (max <= SMALL + 2) {
        return choose((unsigned int)max + 1);
    }

    const unsigned int picked = choose(SMALL + 3);
    return picked <= SMALL ? picked : max - (picked - SMALL - 1);
}

uint8_t proof_any_byte(void)
{
    static const uint8_t bytes[] = {0, 1, '0', 'f', 0x7f, 0x80, 0xc3, 0xe2, 0xff};

    return bytes[choose(sizeof(bytes))];
}

bool proof_any_bool(void)
{
    return choose(2) == 1;
}

bool proof_refuses_memory(void)
{
    return proof_any_bool();
}

size_t proof_bound(size_t symbolic, size_t other)
{
    (void)symbolic;
    return other;
}

void proof_failed(const char *file, int line, const char *what)
{
    printf("# %s:%d: %s\n", file, line, what);
    broken("a promise is broken");
}

/* Moves to the next combination. False when all have been seen. */
static bool advance(void)
{
    while (odometer.made > 0) {
        const size_t last = odometer.made - 1;
        if (++odometer.digit[last] < odometer.base[last]) {
            break;
        }
        odometer.digit[last] = 0;
        odometer.made--;
    }

    const bool more = odometer.made > 0;
    odometer.made = 0;
    return more;
}

int main(void)
{
    do {
        proof_harness();
        odometer.runs++;
        if (odometer.runs > RUNS_MAX) {
            broken("more combinations than fit an exhaustive run");
        }
    } while (advance());
    printf("ok 1 - holds in all %" PRIu64 " runs\n1..1\n", odometer.runs);
    return 0;
}
