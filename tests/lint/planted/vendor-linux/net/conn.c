/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <linux/if_packet.h>
int family(void)
{
    return AF_PACKET;
}
