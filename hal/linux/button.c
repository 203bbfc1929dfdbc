/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Input devices are numbered as they are found. Most keyboards have such a key as well, by their table; the button of the machine
 * is the device that has it and no letters. */
#include "hal/button.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/input.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "hal/linux/sys_int.h"

#define DEVICES_MAX 32
#define KEY_BYTES   (KEY_MAX / 8 + 1)

static bool has_key(const uint8_t keys[KEY_BYTES], unsigned int key)
{
    return (keys[key / 8] >> (key % 8) & 1) != 0;
}

static bool is_button(int fd)
{
    uint8_t keys[KEY_BYTES] = {0};

    return ioctl(fd, EVIOCGBIT(EV_KEY, sizeof(keys)), keys) >= 0 && has_key(keys, KEY_POWER) && !has_key(keys, KEY_A);
}

enum err button_open(int *out_fd)
{
    char path[32];

    for (int i = 0; i < DEVICES_MAX; i++) {
        (void)snprintf(path, sizeof(path), "/dev/input/event%d", i); /* fits any number */
        const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        if (fd >= 0 && is_button(fd)) {
            *out_fd = fd;
            return ERR_OK;
        }
        sys_close(fd);
    }
    return ERR_NOT_FOUND;
}

enum err button_take(int fd, bool *out_pressed)
{
    struct input_event event;
    bool pressed = false;

    for (;;) { /* ends: the kernel keeps a bounded number of them */
        const ssize_t got = read(fd, &event, sizeof(event));
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            break;
        }
        ENSURE(got == (ssize_t)sizeof(event), ERR_IO, "reading the power button");
        pressed = pressed || (event.type == EV_KEY && event.code == KEY_POWER && event.value == 1);
    }
    *out_pressed = pressed;
    return ERR_OK;
}
