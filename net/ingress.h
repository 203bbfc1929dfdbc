/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a frame must be before the user-space stack looks at it. A pure function: no state, no memory, no answer.
 *
 * Refused are frames that no honest neighbour sends: too short for what they say, not for us, from us or from many, with a
 * VLAN tag or any type but IPv4, ARP and IPv6; IP packets from addresses that nobody can have, to addresses that are not on
 * a cable, with IPv4 options, with headers of IPv6 but options for each hop before ICMPv6 and fragments of TCP; ICMPv6 that tells
 * of a path narrower than 1280 bytes; ARP whose sender is another than the frame's; UDP other than the answers of a DHCP server and
 * those that somebody here waits for: an answer of ours would help a stranger who forges. */
#ifndef NET_INGRESS_H
#define NET_INGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "hal/base/span.h"
#include "hal/frame.h"
#include "hal/socket.h"

/* Does anybody here wait for a datagram from there, on that port? */
typedef bool ingress_expects(const struct socket_address *from, uint16_t to_port);

/* May the stack whose address is own see this frame?
 * Spec: RFC 1122 section 3.2.1.3, RFC 6890 section 2.2 (addresses), RFC 826 (ARP), RFC 8200 section 3, RFC 8201 section 4. */
bool ingress_permits(struct span frame, const uint8_t own[HAL_FRAME_MAC_BYTES], ingress_expects *expects);

#endif
