/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The fault trail of each thread. It never allocates and never formats, so it works when memory is gone. */
#include "hal/base/fault.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hal/base/log.h"

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

static void write_text(const char *text)
{
    /* The process is about to stop and stderr is the last place to say why: a failed write has no one to be told. */
    const ssize_t written = write(STDERR_FILENO, text, strlen(text));
    (void)written;
}

NO_RETURN void fault_invariant(const char *file, int line, const char *what)
{
    char digits[12];
    size_t at = sizeof digits - 1;
    unsigned int rest = line > 0 ? (unsigned int)line : 0;

    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0 && at > 0);
    log_hold_flush();
    write_text("invariant broken: ");
    write_text(what);
    write_text(" at ");
    write_text(file);
    write_text(":");
    write_text(&digits[at]);
    write_text("\n");
    abort();
}
