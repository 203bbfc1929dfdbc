/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/supervisor/pin.h"

#include <errno.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "hal/socket.h"

/* Who asks for a PIN gets this one or none of the box: not a part of it, and not a box without. */
enum err pin_read(const struct options *options, uint8_t out_pin[PIN_READ_BYTES], size_t *out_len)
{
    size_t len = 0;

    if (options->pin_fd < 0) {
        return ERR_OK;
    }
    while (len < PIN_READ_BYTES) {
        const ssize_t got = read(options->pin_fd, out_pin + len, PIN_READ_BYTES - len);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            FAIL(ERR_IO, "reading the PIN", errno);
        }
        if (got == 0) {
            break;
        }
        len += (size_t)got;
    }
    if (options->pin_fd > STDERR_FILENO) {
        socket_close(options->pin_fd);
    }
    while (len > 0 && (out_pin[len - 1] == '\n' || out_pin[len - 1] == '\r')) {
        len--;
    }
    ENSURE(len != 0 && len <= MSG_PIN_MAX, ERR_MALFORMED, "a PIN is one to 64 bytes");
    *out_len = len;
    return ERR_OK;
}
