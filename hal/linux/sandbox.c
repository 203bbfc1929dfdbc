/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Giving up rights: limits, user, descriptors. The lists of what stays allowed are in sandbox_rules.c. */
#include "hal/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/base/num.h"
#include "hal/linux/sandbox_int.h"
#include "hal/linux/sys_int.h"

#define FREED_PATTERN 0x5a
#define STANDARD_FDS  3

static enum err set_limit(int which, size_t wanted, size_t least)
{
    struct rlimit limit;

    if (getrlimit((__rlimit_resource_t)which, &limit) != 0) {
        FAIL_ERRNO(errno, "getrlimit");
    }
    const rlim_t now = limit.rlim_max < wanted ? limit.rlim_max : (rlim_t)wanted;
    limit = (struct rlimit){.rlim_cur = now, .rlim_max = now};
    if (now < wanted) {
        LOG(LOG_WARN, "limit-lowered", LOG_NUMBER("resource", which), LOG_NUMBER("wanted", wanted),
            LOG_NUMBER("got", now));
    }
    if (now < least) {
        FAIL(ERR_LIMIT, "too little: locked memory is raised by ulimit -l, in KiB", which);
    }
    if (setrlimit((__rlimit_resource_t)which, &limit) != 0) {
        FAIL_ERRNO(errno, "setrlimit");
    }
    return ERR_OK;
}

/* A program that was started without one of them would give its number to the next file that it opens, and write its
 * log there. */
static enum err open_standard(void)
{
    for (int fd = 0; fd < STANDARD_FDS; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR | O_NOCTTY) != fd) { /* the lowest number is taken */
            FAIL(ERR_IO, "opening a standard descriptor", fd);
        }
    }
    return ERR_OK;
}

enum err sandbox_begin(const struct sandbox_limits *limits)
{
    const struct sigaction ignore = {.sa_handler = SIG_IGN};

    ENSURE(limits->open_files <= SANDBOX_FILES_MAX, ERR_RANGE, "open files");
    TRY(open_standard());
    TRY(set_limit(RLIMIT_CORE, 0, 0));
    TRY(set_limit(RLIMIT_NOFILE, limits->open_files, 0));
    TRY(set_limit(RLIMIT_MEMLOCK, limits->locked_bytes, limits->locked_least));
    if (limits->file_bytes > 0) {
        TRY(set_limit(RLIMIT_FSIZE, limits->file_bytes, 0));
    }
    ENSURE(prctl(PR_SET_DUMPABLE, 0) == 0, ERR_REFUSED, "PR_SET_DUMPABLE");
    ENSURE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, ERR_REFUSED, "PR_SET_NO_NEW_PRIVS");
    /* Both come as errors of write and send instead; a full file limit must not kill the writer. */
    ENSURE(sigaction(SIGPIPE, &ignore, NULL) == 0 && sigaction(SIGXFSZ, &ignore, NULL) == 0, ERR_REFUSED, "signals");
    (void)umask(S_IRWXG | S_IRWXO); /* cannot fail */
    return ERR_OK;
}

static enum err drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0, 0, 0}, {0, 0, 0}};

    if (syscall(SYS_capset, &header, none) != 0) {
        FAIL(ERR_REFUSED, "capset", errno);
    }
    return ERR_OK;
}

/* No program that is started later can gain what is not in the bounding set, whatever its file says. The loop ends at the
 * first number that the kernel does not know. */
static void drop_bounding_set(void)
{
    for (unsigned long capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++) {
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) {
            LOG(LOG_WARN, "bounding-set-kept", LOG_NUMBER("errno", errno));
            return;
        }
    }
}

static enum err change_user(uid_t uid, gid_t gid)
{
    drop_bounding_set();
    if (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0) {
        FAIL(ERR_REFUSED, "changing the user", errno);
    }
    ENSURE(setresuid((uid_t)-1, 0, (uid_t)-1) != 0 && geteuid() == uid && getegid() == gid, ERR_REFUSED,
           "root can be taken back");
    LOG(LOG_INFO, "user-changed", LOG_NUMBER("uid", uid), LOG_NUMBER("gid", gid));
    return ERR_OK;
}

enum err sandbox_drop_user(unsigned int uid, unsigned int gid)
{
    const pid_t parent = getppid();
    int death_signal = 0;

    ENSURE(uid != 0 && gid != 0, ERR_RANGE, "root is no user to change to");
    if (geteuid() != 0) {
        if (geteuid() != uid || getegid() != gid) {
            LOG(LOG_WARN, "user-not-changed", LOG_LITERAL("reason", "not started as root"),
                LOG_NUMBER("uid", geteuid()));
        }
        return drop_capabilities();
    }
    ENSURE(prctl(PR_GET_PDEATHSIG, &death_signal) == 0, ERR_REFUSED, "PR_GET_PDEATHSIG");
    TRY(change_user(uid, gid));
    TRY(drop_capabilities());
    /* A change of user undoes both. A parent that died before the second was set again would not be noticed. */
    ENSURE(prctl(PR_SET_DUMPABLE, 0) == 0, ERR_REFUSED, "PR_SET_DUMPABLE");
    ENSURE(prctl(PR_SET_PDEATHSIG, death_signal) == 0, ERR_REFUSED, "PR_SET_PDEATHSIG");
    ENSURE(death_signal == 0 || getppid() == parent, ERR_CLOSED, "the parent died");
    return ERR_OK;
}

enum err sandbox_refuse_root(void)
{
    uid_t real = 0;
    uid_t effective = 0;
    uid_t saved = 0;

    ENSURE(getresuid(&real, &effective, &saved) == 0, ERR_REFUSED, "getresuid");
    ENSURE(real != 0 && effective != 0 && saved != 0, ERR_REFUSED, "this process must not run as root");
    return ERR_OK;
}

void sandbox_wipe_freed_memory(void)
{
    (void)mallopt(M_PERTURB, FREED_PATTERN); /* unknown to a sanitizer's allocator, which fills freed memory itself */
}

static enum err count_threads(size_t *out_count)
{
    size_t count = 0;
    DIR *tasks = opendir("/proc/self/task");

    if (tasks == NULL) {
        FAIL_ERRNO(errno, "/proc/self/task");
    }
    for (const struct dirent *entry = readdir(tasks); entry != NULL; entry = readdir(tasks)) {
        count += entry->d_name[0] != '.' ? 1u : 0u;
    }
    (void)closedir(tasks);
    *out_count = count;
    return ERR_OK;
}

enum err sandbox_enter(const struct sandbox_spec *spec)
{
    size_t threads = 0;

    TRY(count_threads(&threads));
    ENSURE(SANDBOX_SANITIZER == 1 || threads == 1, ERR_STATE, "another thread would stay outside the sandbox");
    ENSURE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, ERR_REFUSED, "PR_SET_NO_NEW_PRIVS");
    TRY(sandbox_confine_files(spec));
    return sandbox_filter_calls(spec);
}

enum err sandbox_enter_first(void)
{
    const struct sandbox_spec spec = {.profile = SANDBOX_FIRST, .directory_fd = -1};

    ENSURE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, ERR_REFUSED, "PR_SET_NO_NEW_PRIVS");
    return sandbox_filter_calls(&spec);
}
