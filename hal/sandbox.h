/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Taking rights away from this process, for good.
 *
 * The supervisor starts with sandbox_begin, opens what only root may, and then calls sandbox_drop_user, before it starts
 * a child or reads a message.
 * A child starts with sandbox_begin (before threads and secrets), opens what it needs, and then calls sandbox_enter
 * before it reads the first byte from a stranger and before it starts a second thread. After that a system call outside
 * the profile's list ends the process (CONFIG_HAL_SANDBOX_KILL) or fails with EPERM.
 *
 * Profiles:
 *   worker  epoll, accept4, read and write on what it has, threads and their priority, memory without PROT_EXEC, files
 *           below one directory
 *   keeper  the same without accept4 and priorities; descriptors it has, files below one directory
 *   Neither has socket, connect, bind, execve, fork, ptrace, kill, mount, ioctl, or files elsewhere.
 *   courier as keeper, but no directory: TCP connections to the given ports and to 53, UDP, and reading what resolving a name
 *           reads in /etc. No bind, listen, accept, and no sockets of other families. Where the kernel's Landlock knows
 *           no network (ABI 4) every port can be reached.
 *   inside  the courier where the worker connects for it: pairs of sockets that it hands out, and nothing of the courier's
 *           ways above */
#ifndef HAL_SANDBOX_H
#define HAL_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"

enum sandbox_profile { SANDBOX_WORKER, SANDBOX_KEEPER, SANDBOX_COURIER, SANDBOX_FIRST, SANDBOX_COURIER_INSIDE };

#define SANDBOX_FILES_MAX 1048576

/* Limits for the whole life of the process. */
struct sandbox_limits {
    size_t open_files;   /* RLIMIT_NOFILE, at most SANDBOX_FILES_MAX; lowered to the hard limit with a log line */
    size_t locked_bytes; /* RLIMIT_MEMLOCK, at most the hard limit */
    size_t locked_least; /* fewer of those that are to be had are ERR_LIMIT; 0: whatever there is */
    size_t file_bytes;   /* RLIMIT_FSIZE; 0: no limit */
};

/* No core dumps, not dumpable (nobody of the same user can trace it or read its memory), no new privileges, SIGPIPE
 * ignored, umask 077, limits set, descriptors 0 to 2 open (on /dev/null where they were not). Before anything else is
 * opened. ERR_LIMIT, ERR_REFUSED if the kernel refuses one of them, ERR_IO. */
enum err sandbox_begin(const struct sandbox_limits *limits) MUST_USE;

/* Gives up root: empties the bounding set of capabilities (where the kernel refuses, a log line says so), sets groups,
 * group and user to those given (never 0) and checks that they cannot be taken back. Who is that user already stays it;
 * another ordinary user cannot change the user: a log line says so and the call succeeds. Empty capability sets either
 * way. The signal that the process gets when its parent dies stays (a change of user alone would end that).
 * ERR_RANGE (uid or gid 0), ERR_CLOSED (the parent died meanwhile), ERR_REFUSED. */
enum err sandbox_drop_user(unsigned int uid, unsigned int gid) MUST_USE;

/* For a process that has no business as root: ERR_REFUSED if its real, effective or saved user is root. */
enum err sandbox_refuse_root(void) MUST_USE;

/* Has this kernel what sandbox_enter needs? Told once with a reason, where children would only end one after the other.
 * ERR_UNSUPPORTED: it has no Landlock, or was started without it. */
enum err sandbox_is_possible(void) MUST_USE;

/* Makes free() overwrite what it is given, for libraries that free secrets without wiping them. Costs a pass over each
 * block; for the keeper, whose TPM library does so. */
void sandbox_wipe_freed_memory(void);

struct sandbox_spec {
    enum sandbox_profile profile;
    int directory_fd;      /* the one directory whose files it may use; -1: none */
    bool puts_kernel_keys; /* of the keeper: into the keyring that it was started with */
    const uint16_t *ports; /* of the courier: where it may connect to */
    size_t port_count;
};

/* For the first process of a box, which stays root: from here on it makes no other processes, runs no programs, opens no
 * sockets and loads nothing into the kernel, but mounts, maps devices, and starts the machine again. Files it can reach as before:
 * Landlock would take mounting away. No new privileges for those it has started already. ERR_REFUSED, ERR_NO_MEMORY. */
enum err sandbox_enter_first(void) MUST_USE;

/* Enters the sandbox: Landlock for files (and TCP, where the kernel knows it), then the system-call list.
 * Only from the process's single thread. There is no way back.
 * ERR_UNSUPPORTED (no Landlock), ERR_STATE (more than one thread), ERR_REFUSED, ERR_NO_MEMORY. */
enum err sandbox_enter(const struct sandbox_spec *spec) MUST_USE;

#endif
