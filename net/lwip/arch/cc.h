/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lwIP's port: what it may ask of its surroundings. The functions are in net/stack_lwip_port.c. */
#ifndef NET_LWIP_ARCH_CC_H
#define NET_LWIP_ARCH_CC_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LWIP_NO_UNISTD_H 1

#ifndef BYTE_ORDER
#define BYTE_ORDER __BYTE_ORDER__
#endif
#define lwip_htons(x) __builtin_bswap16(x)
#define lwip_htonl(x) __builtin_bswap32(x)
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the two above are for this order");

/* lwIP's assertions stop the process, as ours do. */
_Noreturn void lwip_port_stop(const char *file, int line, const char *what);
#define LWIP_PLATFORM_ASSERT(what) lwip_port_stop(__FILE__, __LINE__, what)
#define LWIP_PLATFORM_DIAG(what)

/* From our generator. */
uint32_t lwip_port_random(void);
#define LWIP_RAND() lwip_port_random()

/* Counted against CONFIG_NET_LWIP_HEAP_KIB; zeroed. NULL: no more. */
void *lwip_port_alloc(size_t bytes);
void *lwip_port_alloc_array(size_t count, size_t bytes);
void lwip_port_free(void *memory);

#endif
