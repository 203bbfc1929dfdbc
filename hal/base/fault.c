/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The fault trail of each thread. It never allocates and never formats, so it works when memory is gone. */
#include "hal/base/fault.h"

#include <stdlib.h>
#include <unistd.h>

#include "hal/base/log.h"
#include "hal/base/span.h"

static _Thread_local struct fault_trail this_trail;

void fault_add(enum err err, const char *file, int line, const char *why, int64_t number)
{
    struct fault_trail *trail = &this_trail;

    if (trail->count == FAULT_FRAMES_MAX) {
        trail->dropped++;
        return;
    }
    trail->frames[trail->count++] =
        (struct fault_frame){.err = err, .file = file, .line = line, .why = why, .number = number};
}

const struct fault_trail *fault_trail(void)
{
    return &this_trail;
}

void fault_clear(void)
{
    this_trail.count = 0;
    this_trail.dropped = 0;
}

static void write_text(struct span text)
{
    /* The process is about to stop and stderr is the last place to say why: a failed write has no one to be told. */
    const ssize_t written = write(STDERR_FILENO, text.data, text.len);
    (void)written;
}

NO_RETURN void fault_invariant(const char *file, int line, const char *what)
{
    char digits[SPAN_U64_TEXT_MAX];

    log_hold_flush();
    write_text(span_lit("invariant broken: "));
    write_text(span_str(what));
    write_text(span_lit(" at "));
    write_text(span_str(file));
    write_text(span_lit(":"));
    write_text(span_from_u64(line > 0 ? (uint64_t)line : 0, digits));
    write_text(span_lit("\n"));
    abort();
}
