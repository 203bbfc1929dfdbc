/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The generation of this virtual machine: a value that the host changes when the machine is restored from a snapshot or
 * cloned. Where there is one, a change means that counters in memory may have run before. Linux gives programs no
 * portable way to the ACPI device's value, so we read what the board names: a file, and where there is none the answer
 * is "none". */
#ifndef HAL_VMGENID_H
#define HAL_VMGENID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"

#define HAL_VMGENID_BYTES 16

struct hal_vmgenid;

struct hal_vmgenid_ops {
    enum err (*read)(struct hal_vmgenid *vmgenid, uint8_t out_id[HAL_VMGENID_BYTES]);
    int (*fd)(const struct hal_vmgenid *vmgenid);
    void (*close)(struct hal_vmgenid *vmgenid);
};

struct hal_vmgenid {
    const struct hal_vmgenid_ops *ops;
};

/* Opens the source at a path (read again at each call, so it works inside the sandbox); "" is a platform without one.
 * ERR_NOT_FOUND, ERR_NO_MEMORY. */
enum err hal_vmgenid_open(const char *path, struct hal_vmgenid **out_vmgenid) MUST_USE;

/* The generation now. ERR_UNSUPPORTED: the platform has none. ERR_IO, ERR_MALFORMED. */
static inline MUST_USE enum err hal_vmgenid_read(struct hal_vmgenid *vmgenid, uint8_t out_id[HAL_VMGENID_BYTES])
{
    return vmgenid->ops->read(vmgenid, out_id);
}

/* What another process can read it from, to be handed to it; borrowed. -1: the platform has none. */
static inline int hal_vmgenid_fd(const struct hal_vmgenid *vmgenid)
{
    return vmgenid->ops->fd(vmgenid);
}

/* The source of such a descriptor, which is taken, also on failure. ERR_NO_MEMORY. */
enum err hal_vmgenid_take_fd(int take_fd, struct hal_vmgenid **out_vmgenid) MUST_USE;

/* NULL is fine. */
static inline void hal_vmgenid_close(struct hal_vmgenid *vmgenid)
{
    if (vmgenid != NULL) {
        vmgenid->ops->close(vmgenid);
    }
}

#endif
