/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The terminal of whoever called the program, wherever its standard input and output lead. */
#ifndef HAL_TERMINAL_H
#define HAL_TERMINAL_H

#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"

enum terminal_echo { TERMINAL_SHOWN, TERMINAL_HIDDEN };

/* Asks a question and appends the line that is typed, without its end. Hidden: it is not shown, and keys that would end the
 * program answer ERR_CANCELLED, so that the terminal is never left as nobody wants it. Waits for as long as it takes.
 * ERR_NOT_FOUND: there is no terminal; ERR_CANCELLED: the end of input, or given up; ERR_RANGE: longer than the buffer has room
 * for; ERR_IO, ERR_NO_MEMORY. What stays in the buffer after a failure is its user's to wipe. */
enum err terminal_ask(const char *question, enum terminal_echo echo, struct buf *line) MUST_USE;

#endif
