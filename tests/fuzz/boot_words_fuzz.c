/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/boot_words.h and hal/blockdev.h: neither a command line nor what a disk says of itself breaks who reads it, and what
 * is taken keeps its bounds. Both read the same bytes. */
#include <string.h>

#include "firmware/boot_words.h"
#include "hal/blockdev.h"
#include "tests/fuzz/fuzz.h"

static void read_line(struct span line)
{
    struct boot_words words;

    memset(&words, 0xa5, sizeof(words));
    const struct boot_words untouched = words;
    const enum err err = boot_words_read(line, &words);
    FUZZ_CHECK(err == ERR_OK || err == ERR_MALFORMED);
    if (err != ERR_OK) {
        FUZZ_CHECK(memcmp(&words, &untouched, sizeof(words)) == 0);
        return;
    }
    FUZZ_CHECK(words.blocks >= 1 && words.blocks <= BOOT_BLOCKS_MAX && words.salt_len <= BOOT_SALT_MAX);
    FUZZ_CHECK(strlen(words.version) >= 1 && strlen(words.version) <= BOOT_VERSION_MAX);
}

static void read_uevent(struct span uevent)
{
    struct blockdev device;

    memset(&device, 0xa5, sizeof(device));
    const enum err err = blockdev_parse(uevent, span_lit("state"), &device);
    FUZZ_CHECK(err == ERR_OK || err == ERR_NOT_FOUND || err == ERR_MALFORMED || err == ERR_RANGE);
    if (err == ERR_OK) {
        FUZZ_CHECK(memchr(device.path, '\0', sizeof(device.path)) != NULL);
        FUZZ_CHECK(strncmp(device.path, "/dev/", 5) == 0 && strchr(device.path + 5, '/') == NULL && device.path[5] != '.');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fault_clear();
    read_line(span_of(data, size));
    fault_clear();
    read_uevent(span_of(data, size));
    return 0;
}
