/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Addresses of a name, as the system has it: /etc/hosts, then its name servers. */
#ifndef HAL_RESOLVE_H
#define HAL_RESOLVE_H

#include <stddef.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "hal/socket.h"

#define RESOLVE_NAME_MAX 253

/* Finds at most max addresses, in the order in which they should be tried, with this port. Blocks for as long as the
 * system's resolver does, by default up to half a minute: only where a thread may wait for so long.
 * ERR_NOT_FOUND: there is no such name, or none of its addresses can be reached from here; ERR_TIMEOUT: no server answers,
 * try later; ERR_RANGE: not the length of a name; ERR_NO_MEMORY. */
enum err resolve_name(struct span name, uint16_t port, size_t max, struct socket_address *out_addresses,
                      size_t *out_count) MUST_USE;

#endif
