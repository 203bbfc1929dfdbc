/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stage1: the `init` of the initramfs, a program of its own. It finds the root file system that the signed command line names,
 * makes the kernel check every block of it, and becomes PID 1 of the box in it.
 *
 *   1. devices, processes, sysfs; the console
 *   2. the modules of the list: disk, verity, squashfs
 *   3. the command line: root hash, blocks, salt
 *   4. the slot whose tree of hashes is that one
 *   5. dm-verity on it, squashfs on that, this is the root now
 *   6. `rowlock init`
 *
 * It trusts what was signed and measured with it: the initramfs of the image and the command line. The firmware adds files of
 * the ESP, which nobody signed, below /.extra: nothing there is looked at. Nor does it take words from its arguments or its
 * environment, where the kernel puts what it does not know of the command line.
 *
 * What fails is logged, and the machine starts again; after some tries the boot loader takes the other slot. */
#include <stdio.h>

#include "firmware/boot_root.h"
#include "firmware/boot_words.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/mapper.h"
#include "hal/module.h"
#include "hal/mounts.h"
#include "hal/power.h"

#define PROGRAM "/usr/bin/rowlock"

static enum err open_root(const struct boot_words *words)
{
    struct blockdev slot = {.major = 0};
    struct blockdev root = {.major = 0};
    struct mapper_verity verity = {.device = &slot, .blocks = words->blocks, .salt_len = words->salt_len};
    const char *label = NULL;

    _Static_assert(BOOT_HASH_BYTES == MAPPER_HASH_BYTES && BOOT_SALT_MAX == MAPPER_SALT_MAX, "one form of a root hash");
    memcpy(verity.root_hash, words->root_hash, sizeof(verity.root_hash));
    memcpy(verity.salt, words->salt, sizeof(verity.salt));
    TRY(boot_root_find(words, &slot, &label));
    TRY(mapper_verity("root", &verity, &root));
    TRY(mounts_root(&root));
    (void)printf("rowlock: root file system in %s, every block is checked\n", label); /* nobody to tell if this fails */
    return ERR_OK;
}

static enum err start(void)
{
    static const char *const words_of_init[] = {"rowlock", "init", NULL};
    struct boot_words words = {.blocks = 0};
    size_t modules = 0;

    TRY(mounts_kernel());
    TRY(mounts_console());
    TRY(boot_words_of_kernel(&words));
    (void)printf("rowlock: version %s starts\n", words.version);
    TRY(module_load_list(&modules));
    (void)printf("rowlock: %zu kernel modules\n", modules);
    TRY(open_root(&words));
    (void)fflush(stdout);
    TRY(mounts_run(PROGRAM, words_of_init));
    return ERR_OK;
}

int main(void)
{
    log_open("stage1", LOG_INFO);
    if (start() != ERR_OK) {
        (void)fflush(stdout);
        log_fault(LOG_ERROR, "not_started");
    }
    power_restart(); /* either way: what succeeds is another program by now */
}
