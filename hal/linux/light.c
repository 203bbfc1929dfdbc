/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One light, on or off, is all that boxes have in common, so what it tells is told by how it blinks; a beat is a second:
 *
 *   off            dark            the supervisor has ended
 *   starting       #.......        a short flash once in a while
 *   unprovisioned  #.#.#.#.        even blinking: it wants to be set up
 *   locked         #...#...        flashes: it wants its PIN, or its recovery key
 *   operational    ########        on
 *   failed         ###.###.        on, with gaps: the log says what is wrong
 *
 * A light that stops in the middle of a pattern says something, too: the supervisor does not run any more.
 * What is written to is a file of the LED class or a line of a GPIO chip, opened by root. A write that fails is told once, and no
 * state depends on it. Spec: Linux, Documentation/leds/leds-class.rst, include/uapi/linux/gpio.h (version 2). */
#include "hal/status.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/gpio.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/base/mem.h"
#include "hal/linux/sys_int.h"

#define BEATS       8u
#define FULL_MAX    10 /* digits of a brightness */
#define PATH_BYTES  512
#define LINES_MAX   1024ul /* of a GPIO chip */
#define CONSUMER    "rowlock"

/* The first beat is the lowest bit. */
static const uint8_t patterns[HAL_LIGHT_COUNT] = {
    [HAL_LIGHT_OFF] = 0x00,    [HAL_LIGHT_STARTING] = 0x01,    [HAL_LIGHT_UNPROVISIONED] = 0x55,
    [HAL_LIGHT_LOCKED] = 0x11, [HAL_LIGHT_OPERATIONAL] = 0xff, [HAL_LIGHT_FAILED] = 0x77,
};

struct light {
    struct hal_status base;
    int fd;
    bool is_gpio;
    char full[FULL_MAX + 1]; /* of an LED: its brightness when on */
    uint8_t pattern;
    unsigned int beat;
    bool has_failed;
};

static bool set_led(const struct light *light, bool on)
{
    const char *const text = on ? light->full : "0";

    return pwrite(light->fd, text, strlen(text), 0) == (ssize_t)strlen(text);
}

static bool set_gpio(const struct light *light, bool on)
{
    struct gpio_v2_line_values values = {.bits = on ? 1 : 0, .mask = 1};

    return ioctl(light->fd, GPIO_V2_LINE_SET_VALUES_IOCTL, &values) == 0;
}

static void show(struct light *light)
{
    const bool on = (light->pattern >> light->beat & 1) != 0;
    const bool done = light->is_gpio ? set_gpio(light, on) : set_led(light, on);

    if (!done && !light->has_failed) {
        light->has_failed = true;
        LOG(LOG_WARN, "light-not-set", LOG_NUMBER("errno", errno));
    }
}

static void light_light(struct hal_status *status, enum hal_light light)
{
    struct light *const self = (struct light *)status;

    hal_status_light(hal_status_log(), light);
    self->pattern = patterns[light];
    self->beat = 0;
    show(self);
}

static void light_sound(struct hal_status *status UNUSED, enum hal_sound sound)
{
    hal_status_sound(hal_status_log(), sound);
}

static void light_beat(struct hal_status *status)
{
    struct light *const self = (struct light *)status;

    self->beat = (self->beat + 1) % BEATS;
    show(self);
}

static void light_close(struct hal_status *status)
{
    struct light *const self = (struct light *)status;

    sys_close(self->fd);
    mem_free(self);
}

static const struct hal_status_ops light_ops = {light_light, light_sound, light_beat, light_close};

/* --- an LED --- */

static bool fits(const char *name, const char *wanted)
{
    const size_t len = strlen(name);
    const size_t end = strlen(wanted) - 1; /* behind the '*' */

    if (wanted[0] != '*') {
        return strcmp(name, wanted) == 0;
    }
    return name[0] != '.' && len >= end && strcmp(name + len - end, wanted + 1) == 0;
}

/* The folder that the path means, open: of several the first by name, so that it is the same one at each start. */
static enum err find_led(const char *path, int *out_folder)
{
    char above[PATH_BYTES] = {0};
    char found[PATH_BYTES] = {0};
    const char *const last = strrchr(path, '/');

    ENSURE(last != NULL && last != path && last[1] != '\0' && strlen(path) < sizeof(above), ERR_MALFORMED,
           "the path of an LED");
    memcpy(above, path, (size_t)(last - path));
    DIR *const entries = opendir(above);
    if (entries == NULL) {
        FAIL_ERRNO(errno, "listing the LEDs");
    }
    for (const struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        if (fits(entry->d_name, last + 1) && (found[0] == '\0' || strcmp(entry->d_name, found) < 0)) {
            (void)snprintf(found, sizeof(found), "%s", entry->d_name); /* fits: a name has 255 bytes at most */
        }
    }
    const int folder = found[0] == '\0' ? -1 : openat(dirfd(entries), found, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const int error = found[0] == '\0' ? ENOENT : errno;
    (void)closedir(entries);
    if (folder < 0) {
        FAIL_ERRNO(error, "looking for the LED");
    }
    LOG(LOG_INFO, "light-found", LOG_TEXT("led", span_str(found)));
    *out_folder = folder;
    return ERR_OK;
}

static enum err read_full(int folder, struct light *light)
{
    SCOPED_SYS_FD const int fd = openat(folder, "max_brightness", O_RDONLY | O_CLOEXEC);
    char text[FULL_MAX + 2] = {0}; /* with the end of the line */

    const ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    size_t digits = 0;
    while (isdigit((unsigned char)text[digits])) {
        digits++;
    }
    ENSURE(got > 0 && digits > 0 && digits <= FULL_MAX, ERR_NO_DEVICE, "how bright an LED can be");
    memcpy(light->full, text, digits);
    return ERR_OK;
}

/* Whatever the kernel lets it show by itself is switched off; one that has no such thing has no file for it. */
static void take_from_kernel(int folder)
{
    SCOPED_SYS_FD const int fd = openat(folder, "trigger", O_WRONLY | O_CLOEXEC);

    if (fd >= 0 && write(fd, "none", 4) != 4) {
        LOG(LOG_WARN, "light-not-taken", LOG_NUMBER("errno", errno));
    }
}

static enum err open_led(const char *path, struct light *light)
{
    int found = -1;

    TRY(find_led(path, &found));
    SCOPED_SYS_FD const int folder = found;
    TRY(read_full(folder, light));
    take_from_kernel(folder);
    light->fd = openat(folder, "brightness", O_WRONLY | O_CLOEXEC);
    if (light->fd < 0) {
        FAIL_ERRNO(errno, "opening an LED");
    }
    return ERR_OK;
}

/* --- a line of a GPIO chip --- */

static enum err open_gpio(const char *place, uint64_t flags, struct light *light)
{
    char path[PATH_BYTES] = {0};
    char *end = NULL;
    const char *const colon = strrchr(place, ':');

    ENSURE(colon != NULL && colon != place && isdigit((unsigned char)colon[1]) && strlen(place) < sizeof(path), ERR_MALFORMED,
           "the line of a GPIO chip");
    memcpy(path, place, (size_t)(colon - place));
    const unsigned long line = strtoul(colon + 1, &end, 10);
    ENSURE(*end == '\0' && line < LINES_MAX, ERR_MALFORMED, "the number of a line");
    SCOPED_SYS_FD const int chip = open(path, O_RDWR | O_CLOEXEC);
    if (chip < 0) {
        FAIL_ERRNO(errno, "opening a GPIO chip");
    }
    struct gpio_v2_line_request request = {.offsets = {(uint32_t)line}, .consumer = CONSUMER, .num_lines = 1};
    request.config.flags = GPIO_V2_LINE_FLAG_OUTPUT | flags;
    if (ioctl(chip, GPIO_V2_GET_LINE_IOCTL, &request) != 0) {
        FAIL(errno == EBUSY ? ERR_REFUSED : ERR_NO_DEVICE, "taking a line of a GPIO chip", errno);
    }
    light->fd = request.fd;
    light->is_gpio = true;
    LOG(LOG_INFO, "light-found", LOG_NUMBER("line", line));
    return ERR_OK;
}

/* --- */

static const char *behind(const char *place, const char *kind)
{
    const size_t len = strlen(kind);

    return strncmp(place, kind, len) == 0 ? place + len : NULL;
}

static enum err open_place(const char *place, struct light *light)
{
    const char *const led = behind(place, "led:");
    const char *const gpio = behind(place, "gpio:");
    const char *const gpio_low = behind(place, "gpio-low:");

    if (led != NULL) {
        return open_led(led, light);
    }
    if (gpio != NULL) {
        return open_gpio(gpio, 0, light);
    }
    ENSURE(gpio_low != NULL, ERR_MALFORMED, "the place of a light");
    return open_gpio(gpio_low, GPIO_V2_LINE_FLAG_ACTIVE_LOW, light);
}

enum err hal_status_open_light(const char *place, struct hal_status **out_status)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct light), &memory));
    struct light *const light = memory;
    *light = (struct light){.base = {.ops = &light_ops}, .fd = -1};
    const enum err err = open_place(place, light);
    if (err != ERR_OK) {
        mem_free(light);
        return err;
    }
    *out_status = &light->base;
    return ERR_OK;
}
