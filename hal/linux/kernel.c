/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hal/kernel.h"

#include <errno.h>
#include <sys/reboot.h>
#include <sys/resource.h>

#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/linux/boot_int.h"
#include "hal/sandbox.h"

static const struct {
    const char *path;
    const char *value;
} settings[] = {
    {"/proc/sys/kernel/sysrq", "0"},               /* a break on the serial line is no command */
    {"/proc/sys/kernel/kexec_load_disabled", "1"}, /* what runs is what was measured */
    {"/proc/sys/kernel/kptr_restrict", "2"},
    {"/proc/sys/kernel/dmesg_restrict", "1"},
    {"/proc/sys/kernel/perf_event_paranoid", "3"},
    {"/proc/sys/kernel/unprivileged_bpf_disabled", "1"},
    {"/proc/sys/kernel/yama/ptrace_scope", "3"}, /* for root, too, and for good */
    {"/proc/sys/kernel/core_pattern", "core"},   /* no helper; sizes of 0 in every process do the rest */
    {"/proc/sys/fs/suid_dumpable", "0"},
    {"/proc/sys/user/max_user_namespaces", "0"},
    {"/proc/sys/vm/unprivileged_userfaultfd", "0"},
    {"/proc/sys/net/ipv6/conf/default/disable_ipv6", "1"}, /* no address that nobody gave, on interfaces to come */
};

enum err kernel_harden(void)
{
    for (size_t i = 0; i < ARRAY_LENGTH(settings); i++) {
        const enum err err = boot_write_file(settings[i].path, span_str(settings[i].value));
        if (err == ERR_NOT_FOUND) {
            fault_clear();
            LOG(LOG_INFO, "setting-not-known", LOG_LITERAL("path", settings[i].path));
            continue;
        }
        TRY(err);
    }
    ENSURE(reboot(RB_DISABLE_CAD) == 0, ERR_REFUSED, "taking Ctrl-Alt-Del from the kernel");
    return ERR_OK;
}

enum err kernel_allow_files(void)
{
    const struct rlimit limit = {.rlim_cur = SANDBOX_FILES_MAX, .rlim_max = SANDBOX_FILES_MAX};

    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        FAIL(ERR_REFUSED, "raising the limit of open files", errno);
    }
    return ERR_OK;
}
