/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lwIP's configuration: one thread, one interface, TCP for the server above, what an address needs: ARP, ND, DHCP,
 * and names for what the courier is to reach. No sockets, no threads, no files. What an outsider can fill is bounded here or in Kconfig. */
#ifndef NET_LWIP_LWIPOPTS_H
#define NET_LWIP_LWIPOPTS_H

#include <generated/kconfig.h>

/* --- how it runs --- */

#define NO_SYS                1
#define SYS_LIGHTWEIGHT_PROT  0
#define LWIP_SOCKET           0
#define LWIP_NETCONN          0
#define LWIP_RAW              0
#define LWIP_TIMERS           0 /* net/stack_lwip_link.c calls them, by the reactor's timer */
#define LWIP_SINGLE_NETIF     1
#define LWIP_STATS            1 /* how many buffers are in use, and no more */
#define LINK_STATS            0
#define ETHARP_STATS          0
#define IP_STATS              0
#define IPFRAG_STATS          0
#define ICMP_STATS            0
#define UDP_STATS             0
#define TCP_STATS             0
#define MEM_STATS             0
#define SYS_STATS             0
#define IP6_STATS             0
#define ICMP6_STATS           0
#define IP6_FRAG_STATS        0
#define MLD6_STATS            0
#define ND6_STATS             0
#define MEMP_STATS            1
#define LWIP_HOOK_FILENAME    "net/lwip/hooks.h"

/* --- memory --- */

#define MEM_CUSTOM_ALLOCATOR  1
#define MEM_CUSTOM_MALLOC     lwip_port_alloc
#define MEM_CUSTOM_CALLOC     lwip_port_alloc_array
#define MEM_CUSTOM_FREE       lwip_port_free
#define MEM_ALIGNMENT         8

/* Connections, those that are not there yet, and those that linger after their end. When none is left lwIP takes one that
 * lingers. */
#define LWIP_LINGERING        1024
#define LWIP_PCBS             (CONFIG_NET_CONNECTIONS_MAX + CONFIG_NET_LWIP_HALF_OPEN + LWIP_LINGERING)
#define MEMP_NUM_TCP_PCB      (LWIP_PCBS > 65000 ? 65000 : LWIP_PCBS) /* it counts in 16 bits */
#define MEMP_NUM_TCP_PCB_LISTEN 4
#define MEMP_NUM_TCP_SEG      CONFIG_NET_LWIP_SEGMENTS
#define MEMP_NUM_UDP_PCB      (2 + DNS_TABLE_SIZE + 8) /* DHCP, questions for names, the courier's */
#define MEMP_NUM_PBUF         256 /* of fragments and queued copies; frames have their own */
#define PBUF_POOL_SIZE        CONFIG_NET_LWIP_FRAMES
#define PBUF_POOL_BUFSIZE     1536 /* a whole frame */

/* --- IP --- */

#define LWIP_IPV4             1
#define LWIP_IPV6             1
#define IP_FORWARD            0
#define LWIP_IPV6_FORWARD     0
#define IP_OPTIONS_ALLOWED    0 /* source routes and the like */
#define IP_FRAG               0 /* TCP keeps to the MTU, and nothing else of ours is long */
#define LWIP_IPV6_FRAG        0
#define IP_REASSEMBLY         1
#define LWIP_IPV6_REASS       1
#define IP_REASS_MAX_PBUFS    16 /* of all strangers together: fragments serve a tunnel on the way, no more */
#define MEMP_NUM_REASSDATA    4
#define IP_REASS_MAXAGE       5
#define IPV6_REASS_MAXAGE     5
#define IPV6_FRAG_COPYHEADER  1 /* pointers of 64 bits do not fit into a header of a fragment */
#define LWIP_ICMP             1
#define LWIP_BROADCAST_PING   0
#define LWIP_MULTICAST_PING   0
#define LWIP_UDP              1
#define LWIP_DNS              1
#define DNS_TABLE_SIZE        8
#define DNS_MAX_SERVERS       2
#define DNS_MAX_TTL           3600 /* s: an address that is wrong is not kept for a week */
#define LWIP_DNS_SECURE       7 /* random number and port of each question, and never two of one name at a time */
#define LWIP_DNS_SUPPORT_MDNS_QUERIES 0
#define LWIP_IGMP             0
#define LWIP_AUTOIP           0
#define LWIP_DHCP             1
#define LWIP_DHCP_DOES_ACD_CHECK 0 /* it takes five seconds; a server looks before it offers */
#define LWIP_DHCP_GET_NTP_SRV 0
#define DHCP_CREATE_RAND_XID  1
#define LWIP_IPV6_DHCP6       0
#define LWIP_IPV6_MLD         1
#define LWIP_IPV6_AUTOCONFIG  1
#define LWIP_IPV6_NUM_ADDRESSES 4 /* link-local, the one that was set, two by the router's word */
#define LWIP_ND6_RDNSS_MAX_DNS_SERVERS 0
#define LWIP_NETIF_HOSTNAME   0

/* Neighbours. They are searched one by one, so not thousands; answers to strangers need none (net/stack_lwip_link.c). */
#define ARP_TABLE_SIZE        127
#define ARP_QUEUEING          1
#define ARP_QUEUE_LEN         3
#define MEMP_NUM_ARP_QUEUE    64
#define LWIP_ND6_NUM_NEIGHBORS 127
#define LWIP_ND6_NUM_DESTINATIONS 127
#define LWIP_ND6_QUEUEING     1
#define MEMP_NUM_ND6_QUEUE    64

/* --- TCP --- */

#define TCP_MSS               1460
#define LWIP_WND_SCALE        1
#define TCP_RCV_SCALE         5 /* enough for the largest window that Kconfig takes */
#define TCP_WND               (CONFIG_NET_LWIP_WINDOW_KIB * 1024)
#define TCP_SND_BUF           (CONFIG_NET_LWIP_SEND_KIB * 1024)
#define TCP_SND_QUEUELEN      (4 * TCP_SND_BUF / TCP_MSS + 16)
#define TCP_SNDLOWAT          (TCP_SND_BUF / 2 > 32768 ? 32768 : TCP_SND_BUF / 2) /* room for which a writer is called */
#define TCP_OVERSIZE          TCP_MSS
#define TCP_QUEUE_OOSEQ       1
#define TCP_OOSEQ_MAX_PBUFS   64 /* of one connection; more than that is lost anyway */
#define TCP_OOSEQ_MAX_BYTES   65536
#define LWIP_TCP_SACK_OUT     1
#define LWIP_TCP_TIMESTAMPS   0 /* they tell how long the box runs */
#define LWIP_TCP_KEEPALIVE    1
#define TCP_LISTEN_BACKLOG    0 /* counts to 255; net/stack_lwip_half.c bounds those that are not there yet */
#define LWIP_TCP_PCB_NUM_EXT_ARGS 1 /* by which it knows them */
#define TCP_SYNMAXRTX         3
#define TCP_MAXRTX            8
#define LWIP_TCP_RTO_TIME     1000 /* RFC 6298 section 2.1 */
#define TCP_TMR_INTERVAL      100 /* ms: an acknowledgement waits so long at most, a segment is sent again after twice it */
#define TCP_MSL               5000 /* ms: a port of a client is free again after 10 s; ISNs by RFC 6528 allow it */

/* --- checksums: of each frame alone, for those that the kernel has not summed up yet are marked --- */

#define LWIP_CHECKSUM_CTRL_PER_NETIF 1
#define LWIP_CHKSUM_ALGORITHM 3

#endif
