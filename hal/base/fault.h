/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The fault trail: where an error came from and which calls it passed on its way up.
 *
 * A trail holds literals and integers only, so neither a secret nor an attacker's bytes can enter it. Each thread has
 * one; whoever handles the error logs it once (log_fault) and clears it. TRY, ENSURE and FAIL are the only macros that
 * may return from a function. */
#ifndef HAL_BASE_FAULT_H
#define HAL_BASE_FAULT_H

#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"

#define FAULT_FRAMES_MAX 12 /* deeper than any call chain we have; further frames are counted, not kept */

struct fault_frame {
    enum err err;
    const char *file;
    int line;
    const char *why;
    int64_t number;
};

struct fault_trail {
    struct fault_frame frames[FAULT_FRAMES_MAX]; /* the origin first */
    size_t count;
    size_t dropped;
};

/* Adds a frame to this thread's trail. `why` must be a string literal. */
void fault_add(enum err err, const char *file, int line, const char *why, int64_t number);

/* This thread's trail; valid until the next fault_add or fault_clear of this thread. */
const struct fault_trail *fault_trail(void);

/* Forgets this thread's trail. */
void fault_clear(void);

/* Writes the place and the literal to stderr and aborts. For INVARIANT only. */
NO_RETURN void fault_invariant(const char *file, int line, const char *what);

#define TRY(expr)                                                                                                      \
    do {                                                                                                               \
        const enum err try_err_ = (expr);                                                                              \
        if (try_err_ != ERR_OK) {                                                                                      \
            fault_add(try_err_, __FILE__, __LINE__, #expr, 0);                                                         \
            return try_err_;                                                                                           \
        }                                                                                                              \
    } while (0)

#define FAIL(err, why, number)                                                                                         \
    do {                                                                                                               \
        fault_add((err), __FILE__, __LINE__, "" why, (int64_t)(number));                                               \
        return (err);                                                                                                  \
    } while (0)

#define ENSURE(cond, err, why)                                                                                         \
    do {                                                                                                               \
        if (!(cond)) {                                                                                                 \
            fault_add((err), __FILE__, __LINE__, "" why, 0);                                                           \
            return (err);                                                                                              \
        }                                                                                                              \
    } while (0)

/* For what only a defect of ours can break. Compiled into every build; stops the process. */
#define INVARIANT(cond)                                                                                                \
    do {                                                                                                               \
        if (!(cond)) {                                                                                                 \
            fault_invariant(__FILE__, __LINE__, #cond);                                                                \
        }                                                                                                              \
    } while (0)

#endif
