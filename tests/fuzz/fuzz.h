/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the fuzzers share. Each is one file tests/fuzz/<format>_fuzz.c with LLVMFuzzerTestOneInput, seeds in
 * seeds/<format>/ and perhaps a dictionary <format>.dict. Beside what the sanitizers see, a fuzzer states what must hold
 * of every input. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/base/num.h"
#include "hal/base/span.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Stops the run, so that libFuzzer keeps the input. */
#define FUZZ_CHECK(condition)                                                                                          \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                            \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* One arena for all runs, as a reactor has one for all requests; empty at the start of a run. */
static inline struct arena *fuzz_arena(void)
{
    static struct arena *arena;

    if (arena == NULL) {
        FUZZ_CHECK(arena_new(1u << 16, 1u << 24, &arena) == ERR_OK);
    }
    arena_reset(arena);
    fault_clear();
    return arena;
}

/* What the other side of a connection has still to say, and how much of it comes at once. */
struct fuzz_words {
    struct span left;
    size_t piece;
};

/* The next piece, as a stream would append it. ERR_CLOSED: all was said; ERR_RANGE: there is no room. */
static inline enum err fuzz_words_come(struct fuzz_words *words, struct buf *in)
{
    const size_t now = num_min(num_min(words->piece, words->left.len), buf_room(in));

    if (now == 0) {
        return words->left.len == 0 ? ERR_CLOSED : ERR_RANGE;
    }
    TRY(buf_put(in, span_of(words->left.data, now)));
    words->left = span_of(words->left.data + now, words->left.len - now);
    return ERR_OK;
}

#endif
