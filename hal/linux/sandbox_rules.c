/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a sandboxed process may still ask of the kernel.
 *
 * Files: a Landlock ruleset that handles every right the kernel knows and grants, below one directory, those of plain
 * files. Calls: a seccomp list; what is not on it ends the process. Calls that take a choice (mmap, mprotect, clone,
 * prctl, fcntl, socket options) are allowed only with the arguments we use: no executable memory, threads but no
 * processes. clone3 hides its arguments behind a pointer, so it answers ENOSYS and libc falls back to clone.
 *
 * Two ways round what is not on the list, and why they are closed: a listening socket that is shut down and then sends
 * with MSG_FASTOPEN connects out, past connect and past Landlock; and fcntl's F_SETOWN with F_SETSIG has the kernel send
 * any signal to any process of the same user.
 * Spec: Linux Documentation/userspace-api/landlock.rst, seccomp_filter.rst. */
#include "hal/linux/sandbox_int.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <linux/keyctl.h>
#include <linux/landlock.h>
#include <linux/rtc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/linux/sys_int.h"
#include "hal/linux/volume_int.h"

/* Rights of newer kernels than the headers we build with. */
#define ACCESS_TRUNCATE   (UINT64_C(1) << 14) /* ABI 3 */
#define ACCESS_IOCTL      (UINT64_C(1) << 15) /* ABI 5 */
#define ACCESS_NET        (UINT64_C(3))       /* ABI 4: bind and connect of TCP */
#define ACCESS_SCOPE      (UINT64_C(3))       /* ABI 6: abstract sockets, signals */
#define ACCESS_ABI_1      ((UINT64_C(1) << 13) - 1)
#define ACCESS_REFER      (UINT64_C(1) << 13) /* ABI 2 */

#define ACCESS_CONNECT    (UINT64_C(2)) /* of ACCESS_NET */
#define RULE_NET_PORT     2             /* ABI 4 */
#define PORT_DNS          53            /* over TCP, when an answer is long */

/* What getaddrinfo looks at: who may answer, names of this machine, servers. */
static const char *const resolver_files[] = {"/etc/nsswitch.conf", "/etc/hosts", "/etc/resolv.conf"};

struct port_attr {
    uint64_t allowed;
    uint64_t port;
};

struct ruleset_attr {
    uint64_t files;
    uint64_t net;
    uint64_t scope;
};

static const uint64_t granted_files = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                      LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
                                      LANDLOCK_ACCESS_FS_REMOVE_FILE | ACCESS_TRUNCATE;

static struct ruleset_attr attr_of_abi(long abi, size_t *out_bytes)
{
    struct ruleset_attr attr = {.files = ACCESS_ABI_1};

    attr.files |= abi >= 2 ? ACCESS_REFER : 0;
    attr.files |= abi >= 3 ? ACCESS_TRUNCATE : 0;
    attr.files |= abi >= 5 ? ACCESS_IOCTL : 0;
    attr.net = abi >= 4 ? ACCESS_NET : 0;
    attr.scope = abi >= 6 ? ACCESS_SCOPE : 0;
    *out_bytes = abi >= 6 ? sizeof(attr) : (abi >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t));
    return attr;
}

static enum err add_directory(int ruleset, uint64_t known, int directory_fd)
{
    const struct landlock_path_beneath_attr beneath = {.allowed_access = granted_files & known,
                                                       .parent_fd = directory_fd};

    if (directory_fd >= 0 && syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) != 0) {
        FAIL(ERR_REFUSED, "landlock_add_rule", errno);
    }
    return ERR_OK;
}

/* Reading one file; one that is not there cannot be read either. */
static enum err add_file(int ruleset, const char *path)
{
    const int fd = open(path, O_PATH | O_CLOEXEC);

    if (fd < 0) {
        return ERR_OK;
    }
    const struct landlock_path_beneath_attr beneath = {.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE, .parent_fd = fd};
    const long added = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0);
    const int error = errno;
    sys_close(fd);
    if (added != 0) {
        FAIL(ERR_REFUSED, "landlock_add_rule", error);
    }
    return ERR_OK;
}

static enum err add_port(int ruleset, uint16_t port)
{
    const struct port_attr attr = {.allowed = ACCESS_CONNECT, .port = port};

    if (syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &attr, 0) != 0) {
        FAIL(ERR_REFUSED, "landlock_add_rule", errno);
    }
    return ERR_OK;
}

static enum err add_ways_out(int ruleset, const struct sandbox_spec *spec, bool knows_ports)
{
    for (size_t i = 0; i < ARRAY_LENGTH(resolver_files); i++) {
        TRY(add_file(ruleset, resolver_files[i]));
    }
    for (size_t i = 0; knows_ports && i < spec->port_count; i++) {
        TRY(add_port(ruleset, spec->ports[i]));
    }
    return knows_ports ? add_port(ruleset, PORT_DNS) : ERR_OK;
}

static enum err add_rules(int ruleset, const struct ruleset_attr *attr, const struct sandbox_spec *spec)
{
    TRY(add_directory(ruleset, attr->files, spec->directory_fd));
    if (spec->profile == SANDBOX_COURIER) {
        TRY(add_ways_out(ruleset, spec, attr->net != 0));
    }
    return ERR_OK;
}

static long landlock_abi(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

enum err sandbox_is_possible(void)
{
    ENSURE(landlock_abi() >= 1, ERR_UNSUPPORTED, "this kernel has no Landlock, or was started without it");
    return ERR_OK;
}

enum err sandbox_confine_files(const struct sandbox_spec *spec)
{
    size_t bytes = 0;

    TRY(sandbox_is_possible());
    const long abi = landlock_abi();
    const struct ruleset_attr attr = attr_of_abi(abi, &bytes);
    const int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, bytes, 0);
    if (ruleset < 0) {
        FAIL(ERR_REFUSED, "landlock_create_ruleset", errno);
    }
    const enum err err = add_rules(ruleset, &attr, spec);
    const long restricted = err == ERR_OK ? syscall(SYS_landlock_restrict_self, ruleset, 0) : 0;
    const int error = errno;
    sys_close(ruleset);
    TRY(err);
    if (restricted != 0) {
        FAIL(ERR_REFUSED, "landlock_restrict_self", error);
    }
    return ERR_OK;
}

/* clang-format off: several a line, in groups */
/* All profiles, whatever the arguments. */
static const int common_calls[] = {
    /* what it holds */
    SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(pread64), SCMP_SYS(preadv), SCMP_SYS(write), SCMP_SYS(writev),
    SCMP_SYS(pwrite64), SCMP_SYS(pwritev), SCMP_SYS(close), SCMP_SYS(lseek), SCMP_SYS(fsync), SCMP_SYS(fdatasync),
    SCMP_SYS(ftruncate), SCMP_SYS(fallocate), SCMP_SYS(fstat), SCMP_SYS(fstatfs), SCMP_SYS(flock),
    SCMP_SYS(newfstatat),    /* is glibc's fstat */
    SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(shutdown),
    SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(poll), SCMP_SYS(ppoll),
    /* waiting */
    SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2),
    SCMP_SYS(eventfd2), SCMP_SYS(futex), SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep), SCMP_SYS(restart_syscall),
    SCMP_SYS(sched_yield), SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(gettimeofday), SCMP_SYS(time),
    /* memory; mmap and mprotect below */
    SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(mlock), SCMP_SYS(munlock), SCMP_SYS(msync),
    SCMP_SYS(brk), SCMP_SYS(membarrier),
    /* itself */
    SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid),
    SCMP_SYS(getrandom), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sched_getaffinity), SCMP_SYS(getrusage),
    SCMP_SYS(sigaltstack), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(getcpu),
    SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(uname), SCMP_SYS(sysinfo),
};

/* Only when Landlock says which. */
static const int file_calls[] = {
    SCMP_SYS(openat), SCMP_SYS(open), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(statx), SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2), SCMP_SYS(unlinkat), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(unlink), SCMP_SYS(rename),
    SCMP_SYS(getdents64), SCMP_SYS(fchmod), SCMP_SYS(readlink), SCMP_SYS(readlinkat),
};

static const int worker_calls[] = {SCMP_SYS(accept4)};

/* connect: Landlock says where to. The resolver sends its two questions in one call. */
static const int courier_calls[] = {SCMP_SYS(connect)};

/* The courier's of file_calls: looking, never changing. */
static const int courier_file_calls[] = {
    SCMP_SYS(openat), SCMP_SYS(open), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(statx), SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2), SCMP_SYS(access), SCMP_SYS(readlink), SCMP_SYS(readlinkat),
};

/* The first process of a box: file systems, devices, keys of the kernel, its children's ends, the machine's, the clock. */
static const int first_calls[] = {
    SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(chown), SCMP_SYS(fchown),
    SCMP_SYS(fchownat), SCMP_SYS(chmod), SCMP_SYS(fchmodat), SCMP_SYS(keyctl), SCMP_SYS(waitid), SCMP_SYS(sync),
    SCMP_SYS(reboot), SCMP_SYS(pidfd_send_signal), SCMP_SYS(clock_settime), SCMP_SYS(adjtimex), SCMP_SYS(clock_adjtime),
};

/* What it asks of devices. */
static const unsigned long first_requests[] = {
    DM_DEV_CREATE, DM_TABLE_LOAD, DM_DEV_SUSPEND, DM_DEV_REMOVE, BLKGETSIZE64, VOLUME_RESIZE, TCSBRK, RTC_SET_TIME,
};

/* What the run-time library of a sanitizer build asks for besides. Its leak check at exit would need ptrace and clone,
 * which are refused there too: run such a program with detect_leaks=0. */
static const int sanitizer_calls[] = {
    SCMP_SYS(sched_setaffinity), SCMP_SYS(getrlimit), SCMP_SYS(prlimit64), SCMP_SYS(personality), SCMP_SYS(getppid),
    SCMP_SYS(openat), SCMP_SYS(readlink), SCMP_SYS(readlinkat),
};

/* clang-format on */

/* A call that is allowed with one value of one argument (after a mask). */
struct rule {
    int call;
    unsigned int argument;
    uint64_t mask;
    uint64_t value;
};

#define EXACT UINT64_MAX
#define THREAD_FLAGS ((uint64_t)(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD))

static const struct rule argument_rules[] = {
    {SCMP_SYS(mmap), 2, PROT_EXEC, 0},
    {SCMP_SYS(mprotect), 2, PROT_EXEC, 0},
    {SCMP_SYS(clone), 0, THREAD_FLAGS, THREAD_FLAGS},
    {SCMP_SYS(prctl), 0, EXACT, PR_SET_NAME},
    {SCMP_SYS(prctl), 0, EXACT, PR_SET_VMA},
    {SCMP_SYS(ioctl), 1, EXACT, FIONREAD},
    {SCMP_SYS(sendto), 3, MSG_FASTOPEN, 0},
    {SCMP_SYS(sendmsg), 2, MSG_FASTOPEN, 0},
    {SCMP_SYS(fcntl), 1, EXACT, F_DUPFD},
    {SCMP_SYS(fcntl), 1, EXACT, F_DUPFD_CLOEXEC},
    {SCMP_SYS(fcntl), 1, EXACT, F_GETFD},
    {SCMP_SYS(fcntl), 1, EXACT, F_SETFD},
    {SCMP_SYS(fcntl), 1, EXACT, F_GETFL},
    {SCMP_SYS(fcntl), 1, EXACT, F_SETFL},
    {SCMP_SYS(fcntl), 1, EXACT, F_GETLK},
    {SCMP_SYS(fcntl), 1, EXACT, F_SETLK},
    {SCMP_SYS(fcntl), 1, EXACT, F_SETLKW},
};

/* Socket options: level and name. */
struct option_rule {
    int call;
    int level;
    int name;
};

static const struct option_rule option_rules[] = {
    {SCMP_SYS(setsockopt), IPPROTO_TCP, TCP_NODELAY},  {SCMP_SYS(setsockopt), SOL_SOCKET, SO_LINGER},
    {SCMP_SYS(setsockopt), SOL_SOCKET, SO_RCVTIMEO},   {SCMP_SYS(setsockopt), SOL_SOCKET, SO_SNDTIMEO},
    {SCMP_SYS(getsockopt), SOL_SOCKET, SO_ERROR},
};

static enum err from_seccomp(int error)
{
    return error == -ENOMEM ? ERR_NO_MEMORY : ERR_REFUSED;
}

static enum err allow_all(scmp_filter_ctx filter, const int *calls, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
        /* A call that this machine does not have cannot be made either. */
        if (error != 0 && error != -EDOM) {
            FAIL(from_seccomp(error), "seccomp_rule_add", calls[i]);
        }
    }
    return ERR_OK;
}

static enum err allow_by_argument(scmp_filter_ctx filter)
{
    for (size_t i = 0; i < ARRAY_LENGTH(argument_rules); i++) {
        const struct rule *rule = &argument_rules[i];
        const int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, rule->call, 1,
                                           SCMP_CMP64(rule->argument, SCMP_CMP_MASKED_EQ, rule->mask, rule->value));
        if (error != 0) {
            FAIL(from_seccomp(error), "seccomp_rule_add", rule->call);
        }
    }
    return ERR_OK;
}

static enum err allow_options(scmp_filter_ctx filter, const struct option_rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct option_rule *rule = &rules[i];
        const int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, rule->call, 2,
                                           SCMP_CMP64(1, SCMP_CMP_EQ, (uint64_t)rule->level, 0),
                                           SCMP_CMP64(2, SCMP_CMP_EQ, (uint64_t)rule->name, 0));
        if (error != 0) {
            FAIL(from_seccomp(error), "seccomp_rule_add", rule->call);
        }
    }
    return ERR_OK;
}

/* abort() and pthread_kill aim at the process itself. */
static enum err allow_own_signals(scmp_filter_ctx filter)
{
    const int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                                       SCMP_CMP64(0, SCMP_CMP_EQ, (uint64_t)getpid(), 0));

    if (error != 0) {
        FAIL(from_seccomp(error), "seccomp_rule_add", SCMP_SYS(tgkill));
    }
    return ERR_OK;
}

/* A thread may give way to others. Both calls could name other processes of the same user instead. */
static enum err allow_own_priority(scmp_filter_ctx filter)
{
    static const int calls[] = {SCMP_SYS(getpriority), SCMP_SYS(setpriority)};

    for (size_t i = 0; i < ARRAY_LENGTH(calls); i++) {
        const int error =
            seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 2, SCMP_CMP64(0, SCMP_CMP_EQ, PRIO_PROCESS, 0),
                             SCMP_CMP64(1, SCMP_CMP_EQ, 0, 0));
        if (error != 0) {
            FAIL(from_seccomp(error), "seccomp_rule_add", calls[i]);
        }
    }
    return ERR_OK;
}

/* With the family's usual protocol, TCP or UDP: Landlock's rules of ports hold for TCP alone, and a stream of MPTCP or SCTP
 * would pass them by. */
static enum err add_socket(scmp_filter_ctx filter, int family, int type)
{
    const uint64_t no_flags = UINT32_MAX & ~(uint64_t)(SOCK_CLOEXEC | SOCK_NONBLOCK);
    const int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 3,
                                       SCMP_CMP64(0, SCMP_CMP_EQ, (uint64_t)family, 0),
                                       SCMP_CMP64(1, SCMP_CMP_MASKED_EQ, no_flags, (uint64_t)type),
                                       SCMP_CMP64(2, SCMP_CMP_EQ, 0, 0));

    if (error != 0) {
        FAIL(from_seccomp(error), "seccomp_rule_add", SCMP_SYS(socket));
    }
    return ERR_OK;
}

/* What getaddrinfo tries and does without: a daemon that caches names, and the list of this machine's addresses. */
static enum err refuse_family(scmp_filter_ctx filter, int family)
{
    const int error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                                       SCMP_CMP64(0, SCMP_CMP_EQ, (uint64_t)family, 0));

    if (error != 0) {
        FAIL(from_seccomp(error), "seccomp_rule_add", SCMP_SYS(socket));
    }
    return ERR_OK;
}

static enum err allow_ways_out(scmp_filter_ctx filter)
{
    static const int families[] = {AF_INET, AF_INET6};
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM};
    static const struct option_rule options[] = {{SCMP_SYS(setsockopt), IPPROTO_IP, IP_RECVERR},
                                                 {SCMP_SYS(setsockopt), IPPROTO_IPV6, IPV6_RECVERR}};

    TRY(allow_all(filter, courier_calls, ARRAY_LENGTH(courier_calls)));
    for (size_t i = 0; i < ARRAY_LENGTH(families) * ARRAY_LENGTH(types); i++) {
        TRY(add_socket(filter, families[i / ARRAY_LENGTH(types)], types[i % ARRAY_LENGTH(types)]));
    }
    TRY(refuse_family(filter, AF_UNIX));
    TRY(refuse_family(filter, AF_NETLINK));
    TRY(allow_options(filter, options, ARRAY_LENGTH(options)));
    const int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(sendmmsg), 1,
                                       SCMP_CMP64(3, SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, 0));
    if (error != 0) {
        FAIL(from_seccomp(error), "seccomp_rule_add", SCMP_SYS(sendmmsg));
    }
    return ERR_OK;
}

/* Both ends are its own until it hands one out; no address leads to them. */
static enum err allow_pairs(scmp_filter_ctx filter)
{
    const int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1,
                                       SCMP_CMP64(0, SCMP_CMP_EQ, AF_UNIX, 0));

    if (error != 0) {
        FAIL(from_seccomp(error), "seccomp_rule_add", SCMP_SYS(socketpair));
    }
    return ERR_OK;
}

static enum err allow_files(scmp_filter_ctx filter, enum sandbox_profile profile)
{
    if (profile == SANDBOX_COURIER_INSIDE) {
        return ERR_OK;
    }
    if (profile == SANDBOX_COURIER) {
        return allow_all(filter, courier_file_calls, ARRAY_LENGTH(courier_file_calls));
    }
    return allow_all(filter, file_calls, ARRAY_LENGTH(file_calls));
}

static enum err allow_first(scmp_filter_ctx filter)
{
    TRY(allow_all(filter, first_calls, ARRAY_LENGTH(first_calls)));
    for (size_t i = 0; i < ARRAY_LENGTH(first_requests); i++) {
        const int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
                                           SCMP_CMP64(1, SCMP_CMP_EQ, first_requests[i], 0));
        if (error != 0) {
            FAIL(from_seccomp(error), "seccomp_rule_add", SCMP_SYS(ioctl));
        }
    }
    return ERR_OK;
}

/* A key into the session's keyring, which the process was started with; it can neither read nor look for one. */
static enum err allow_kernel_keys(scmp_filter_ctx filter)
{
    const int error =
        seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(add_key), 1,
                         SCMP_CMP64(4, SCMP_CMP_MASKED_EQ, UINT32_MAX, (uint32_t)KEY_SPEC_SESSION_KEYRING));

    if (error != 0) {
        FAIL(from_seccomp(error), "seccomp_rule_add", SCMP_SYS(add_key));
    }
    return ERR_OK;
}

static enum err fill_filter(scmp_filter_ctx filter, const struct sandbox_spec *spec)
{
    const enum sandbox_profile profile = spec->profile;

    TRY(allow_all(filter, common_calls, ARRAY_LENGTH(common_calls)));
    TRY(allow_by_argument(filter));
    TRY(allow_options(filter, option_rules, ARRAY_LENGTH(option_rules)));
    TRY(allow_own_signals(filter));
    TRY(allow_files(filter, profile));
    if (profile == SANDBOX_WORKER) {
        TRY(allow_all(filter, worker_calls, ARRAY_LENGTH(worker_calls)));
        TRY(allow_own_priority(filter));
    }
    if (profile == SANDBOX_COURIER) {
        TRY(allow_ways_out(filter));
    }
    if (profile == SANDBOX_COURIER_INSIDE) {
        TRY(allow_pairs(filter));
    }
    if (spec->puts_kernel_keys) {
        TRY(allow_kernel_keys(filter));
    }
    if (profile == SANDBOX_FIRST) {
        TRY(allow_first(filter));
    }
    if (SANDBOX_SANITIZER == 1) {
        TRY(allow_all(filter, sanitizer_calls, ARRAY_LENGTH(sanitizer_calls)));
    }
    const int error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    if (error != 0) {
        FAIL(from_seccomp(error), "seccomp_rule_add", SCMP_SYS(clone3));
    }
    return ERR_OK;
}

enum err sandbox_filter_calls(const struct sandbox_spec *spec)
{
    const uint32_t otherwise = CONFIG_ON(HAL_SANDBOX_KILL) ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO(EPERM);
    scmp_filter_ctx filter = seccomp_init(otherwise);

    ENSURE(filter != NULL, ERR_NO_MEMORY, "seccomp_init");
    /* A binary tree of the list: half the instructions for each call. */
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    enum err err = fill_filter(filter, spec);
    const int error = err == ERR_OK ? seccomp_load(filter) : 0;
    seccomp_release(filter);
    TRY(err);
    if (error != 0) {
        FAIL(from_seccomp(error), "seccomp_load", error);
    }
    return ERR_OK;
}
