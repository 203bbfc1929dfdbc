/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is asked of the kernel about one of its interfaces, by name. */
#ifndef HAL_LINUX_INTERFACE_INT_H
#define HAL_LINUX_INTERFACE_INT_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"

/* Can an interface be called so? To be asked first: the name goes into paths and requests. */
bool interface_is_name(const char *name);

/* A file below /proc/sys/net/<family>/conf/<interface>. */
struct interface_setting {
    const char *family; /* "ipv4", "ipv6" */
    const char *name;
    const char *value;
};

/* Where the kernel has no IPv6 there is nothing of it to set. ERR_REFUSED. */
enum err interface_set(const char *interface, const struct interface_setting *settings, size_t count) MUST_USE;

/* A request about it with nothing in it but the name; ioctl() by a socket. ERR_NOT_FOUND (no such interface), ERR_REFUSED and
 * others. */
struct ifreq interface_request(const char *interface);
enum err interface_ask(int fd, unsigned long what, struct ifreq *request) MUST_USE;

#endif
