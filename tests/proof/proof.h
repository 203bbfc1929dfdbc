/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a proof harness may say. A harness asks "is there any input at all, up to this bound, that breaks the promise?"
 * It is one file tests/proof/<what>_proof.c that defines proof_harness(), and runs on three engines, chosen at link time:
 *
 *   engine_exhaustive.c   every choice, with small bounds; part of `make test`
 *   engine_fuzz.c         choices from random bytes, with large bounds; part of `make fuzz`
 *   engine_cbmc.c         all choices at once, symbolically; `make proof`
 *
 * Every choice is made here. Allocation fails by choice too, so a harness calls what it proves through a refused
 * allocation without saying so. A harness frees what it made on every way out: the engines look for leaks. It keeps no
 * state between runs. Two lines of its opening comment are read by the scripts: `cbmc: --unwind N <source>...`, what CBMC
 * is given, and `plant: <source>: <sed expression>`, a defect that it must find (planted.sh). */
#ifndef TESTS_PROOF_PROOF_H
#define TESTS_PROOF_PROOF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The harness. Called once for each combination of choices. */
void proof_harness(void);

/* Any number from 0 to max. The exhaustive engine takes all up to a small bound, and those next to max. */
size_t proof_any_size(size_t max);

/* Any byte; the exhaustive engine takes the ends of the ranges, a digit, a letter and first bytes of UTF-8. */
uint8_t proof_any_byte(void);

bool proof_any_bool(void);

/* Whether the allocation being made is refused. For alloc.c only. */
bool proof_refuses_memory(void);

/* A bound on real input: `symbolic` for CBMC, whose time grows with the square of it, `other` for the engines that run. */
size_t proof_bound(size_t symbolic, size_t other);

/* Leaves the harness when the condition does not hold: this combination is not asked about. */
#define proof_assume(condition)                                                                                        \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            return;                                                                                                    \
        }                                                                                                              \
    } while (0)

/* What must hold. */
#define proof_check(condition) ((condition) ? (void)0 : proof_failed(__FILE__, __LINE__, #condition))

/* Reports a broken promise and ends the run. */
void proof_failed(const char *file, int line, const char *what);

#endif
