/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What lwIP asks of its surroundings. It passes no word about whom it means, so the stack of this process is remembered
 * here: the one variable, as lwIP's own state is one. */
#include "net/stack_lwip_int.h"

#include <lwip/init.h>

#include "net/lwip/hooks.h"

#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/base/num.h"

#define HEAP_MAX     ((size_t)CONFIG_NET_LWIP_HEAP_KIB << 10)
#define ISN_TICK_NS  4000 /* RFC 6528 section 3: a clock of 4 microseconds */
#define HEADER_BYTES 16   /* before each block: its length; and what follows is aligned for anything */

static struct {
    struct stack_lwip *lwip;
    bool started; /* lwip_init() is for once */
} here;

struct stack_lwip *stack_lwip_the(void)
{
    INVARIANT(here.lwip != NULL);
    return here.lwip;
}

enum err stack_lwip_enter(struct stack_lwip *lwip)
{
    ENSURE(here.lwip == NULL, ERR_STATE, "there is one stack in a process");
    here.lwip = lwip;
    if (!here.started) {
        lwip_init();
        here.started = true;
    }
    return ERR_OK;
}

void stack_lwip_leave(struct stack_lwip *lwip)
{
    if (here.lwip == lwip) {
        here.lwip = NULL;
    }
}

_Noreturn void lwip_port_stop(const char *file, int line, const char *what)
{
    fault_invariant(file, line, what);
}

uint32_t lwip_port_random(void)
{
    uint8_t bytes[4];

    random_fill(stack_lwip_the()->random, bytes, sizeof(bytes));
    return get_u32be(bytes);
}

static struct span bytes_of(const ip_addr_t *address)
{
    return IP_IS_V6(address) ? span_of(ip_2_ip6(address)->addr, sizeof(ip_2_ip6(address)->addr))
                             : span_of(&ip_2_ip4(address)->addr, sizeof(ip_2_ip4(address)->addr));
}

/* Both addresses have the same length, and no two lengths of all parts are equal in sum. */
uint32_t lwip_port_isn(const struct ip_addr *local, uint16_t local_port, const struct ip_addr *remote,
                       uint16_t remote_port)
{
    const struct stack_lwip *const lwip = stack_lwip_the();
    const uint16_t ports[2] = {local_port, remote_port};
    const struct span parts[] = {bytes_of(local), bytes_of(remote), span_array(ports)};
    uint8_t mac[SHA256_BYTES];

    hmac_key_mac(lwip->isn_key, parts, ARRAY_LENGTH(parts), mac);
    return (uint32_t)(loop_clock_now(lwip->options.loop).ns / ISN_TICK_NS) + get_u32be(mac);
}

void *lwip_port_alloc(size_t bytes)
{
    struct stack_lwip *const lwip = stack_lwip_the();
    void *memory = NULL;
    size_t all = 0;

    if (num_add(bytes, HEADER_BYTES, &all) != ERR_OK || all > HEAP_MAX - lwip->heap_bytes ||
        mem_alloc(all, &memory) != ERR_OK) {
        fault_clear();
        return NULL;
    }
    lwip->heap_bytes += all;
    *(size_t *)memory = all;
    return (uint8_t *)memory + HEADER_BYTES;
}

void *lwip_port_alloc_array(size_t count, size_t bytes)
{
    size_t all = 0;

    return num_mul(count, bytes, &all) == ERR_OK ? lwip_port_alloc(all) : NULL;
}

void lwip_port_free(void *memory)
{
    void *const block = (uint8_t *)memory - HEADER_BYTES;

    stack_lwip_the()->heap_bytes -= *(const size_t *)block;
    mem_free(block);
}
