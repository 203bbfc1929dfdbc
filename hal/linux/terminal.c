/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A line is read byte by byte with the terminal's own editing of lines, so what is typed behind it stays there. */
#include "hal/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/linux/sys_int.h"

#define INTERRUPT 0x03 /* Ctrl-C, as a byte */
#define QUIT      0x1c /* Ctrl-\ */

static enum err say(int terminal, const char *text)
{
    const size_t len = strlen(text);

    if (write(terminal, text, len) != (ssize_t)len) {
        FAIL(ERR_IO, "writing to the terminal", errno);
    }
    return ERR_OK;
}

static enum err read_line(int terminal, struct buf *line)
{
    uint8_t byte = 0;

    for (;;) { /* ends: the buffer has a maximum */
        const ssize_t got = read(terminal, &byte, 1);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            FAIL(ERR_IO, "reading from the terminal", errno);
        }
        ENSURE(got == 1 && byte != INTERRUPT && byte != QUIT, ERR_CANCELLED, "nothing was typed");
        if (byte == '\n') {
            return ERR_OK;
        }
        const enum err err = buf_put_u8(line, byte);
        mem_wipe(&byte, sizeof(byte));
        TRY(err);
    }
}

static enum err ask(int terminal, const char *question, struct buf *line)
{
    TRY(say(terminal, question));
    return read_line(terminal, line);
}

/* The settings come before the question: who answers at once is not shown either. */
static enum err ask_hidden(int terminal, const char *question, struct buf *line)
{
    struct termios before = {0};

    if (tcgetattr(terminal, &before) != 0) {
        FAIL(ERR_IO, "asking for the terminal's settings", errno);
    }
    struct termios hidden = before;
    hidden.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ISIG);
    hidden.c_cc[VEOL] = INTERRUPT; /* they end the line, and are read with it */
    hidden.c_cc[VEOL2] = QUIT;
    if (tcsetattr(terminal, TCSAFLUSH, &hidden) != 0) {
        FAIL(ERR_IO, "changing the terminal's settings", errno);
    }
    const enum err err = ask(terminal, question, line);
    if (tcsetattr(terminal, TCSADRAIN, &before) != 0) {
        FAIL(ERR_IO, "giving the terminal its settings back", errno);
    }
    TRY(err);
    return say(terminal, "\n");
}

enum err terminal_ask(const char *question, enum terminal_echo echo, struct buf *line)
{
    SCOPED_SYS_FD const int terminal = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);

    ENSURE(terminal >= 0, ERR_NOT_FOUND, "there is no terminal");
    return echo == TERMINAL_HIDDEN ? ask_hidden(terminal, question, line) : ask(terminal, question, line);
}
