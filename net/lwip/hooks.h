/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lwIP's hooks: what it asks us in its own words. */
#ifndef NET_LWIP_HOOKS_H
#define NET_LWIP_HOOKS_H

#include <stdint.h>

struct ip_addr;

/* The first sequence number of a connection. Spec: RFC 6528 section 3. */
uint32_t lwip_port_isn(const struct ip_addr *local, uint16_t local_port, const struct ip_addr *remote, uint16_t remote_port);
#define LWIP_HOOK_TCP_ISN(local, local_port, remote, remote_port) lwip_port_isn(local, local_port, remote, remote_port)

#endif
