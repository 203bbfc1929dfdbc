/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Interfaces of the kernel, where a box has one beside that of the stack in user space. */
#ifndef HAL_INTERFACE_H
#define HAL_INTERFACE_H

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

/* Gives an interface one IPv4 address ("192.0.2.1") of a network with a prefix of 1 to 30 bits, no IPv6, and sets it up.
 * Packets that come in there are never for the addresses of other interfaces. Root only.
 * ERR_NOT_FOUND (no such interface), ERR_MALFORMED (a name that none can have, no address), ERR_RANGE (prefix), ERR_REFUSED,
 * ERR_IO. */
enum err hal_interface_open(const char *interface, struct span address, unsigned int prefix) MUST_USE;

#endif
