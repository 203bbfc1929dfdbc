/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The keyring is the session's: it is inherited over fork and exec, whatever user a process becomes, and who has it may search
 * it and put keys in. A process of the machine that was not started by this one does not have it. */
#include "hal/kernel_key.h"

#include <errno.h>
#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "hal/linux/sys_int.h"

#define TYPE "logon"

static enum err from_key(int error)
{
    switch (error) {
    case ENOKEY:
    case EKEYREVOKED:
    case EKEYEXPIRED:
        return ERR_NOT_FOUND;
    case EDQUOT:
    case ENOMEM:
        return ERR_LIMIT;
    default:
        return ERR_REFUSED;
    }
}

enum err kernel_key_begin(void)
{
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, "rowlock") < 0) {
        FAIL(from_key(errno), "joining a new keyring", errno);
    }
    return ERR_OK;
}

enum err kernel_key_put(const char *name, struct span key)
{
    if (syscall(SYS_add_key, TYPE, name, key.data, key.len, KEY_SPEC_SESSION_KEYRING) < 0) {
        FAIL(from_key(errno), "putting a key into the kernel's keyring", errno);
    }
    return ERR_OK;
}

enum err kernel_key_drop(const char *name)
{
    const long key = syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, TYPE, name, 0);

    if (key < 0) {
        FAIL(from_key(errno), "looking for a key in the kernel's keyring", errno);
    }
    if (syscall(SYS_keyctl, KEYCTL_UNLINK, key, KEY_SPEC_SESSION_KEYRING) != 0) {
        FAIL(from_key(errno), "taking a key out of the kernel's keyring", errno);
    }
    return ERR_OK;
}
