/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Frames in and out, addresses, and lwIP's clocks.
 *
 * A frame is copied once, into lwIP's buffers: the ring that it came in is small, and who reads late must not hold it up.
 * What lwIP answers while it looks at a frame goes back to where the frame came from, past ARP and ND: forged addresses
 * therefore neither fill the tables of neighbours nor make us ask for them.
 * The identification of IPv4 packets, which lwIP counts up, is drawn at random: else it tells how many we send. */
#include "net/stack_lwip_int.h"

#include <string.h>

#include <lwip/dhcp.h>
#include <lwip/dns.h>
#include <lwip/etharp.h>
#include <lwip/ethip6.h>
#include <lwip/ip4_frag.h>
#include <lwip/ip6_frag.h>
#include <lwip/mld6.h>
#include <lwip/nd6.h>
#include <lwip/priv/tcp_priv.h>
#include <netif/ethernet.h>
#include "hal/base/fault.h"
#include "hal/base/num.h"
#include "net/ingress.h"

#define FRAMES_A_TURN 128 /* before timers and the other descriptors of the reactor have their turn */
_Static_assert(FRAMES_A_TURN < CONFIG_NET_LWIP_FRAMES / 4, "a turn begins with room for all of its frames");
#define IP_OFFSET     HAL_FRAME_HEAD_BYTES
#define IP_BYTES      20

static const struct {
    void (*run)(void);
    unsigned int every_ms;
} clocks[LWIP_CLOCKS] = {
    {tcp_tmr, TCP_TMR_INTERVAL}, /* the fastest of them comes first */
    {mld6_tmr, MLD6_TMR_INTERVAL},
    {dhcp_fine_tmr, DHCP_FINE_TIMER_MSECS},
    {dhcp_coarse_tmr, DHCP_COARSE_TIMER_MSECS},
    {etharp_tmr, ARP_TMR_INTERVAL},
    {ip_reass_tmr, IP_TMR_INTERVAL},
    {nd6_tmr, ND6_TMR_INTERVAL},
    {ip6_reass_tmr, IP6_REASS_TMR_INTERVAL},
    {dns_tmr, DNS_TMR_INTERVAL},
};

/* --- out --- */

/* The sum of the header changes with the field: RFC 1624, equation 3. */
static void draw_identification(struct stack_lwip *lwip, struct pbuf *head)
{
    static const uint8_t ipv4[] = {0x08, 0x00, 0x45};
    uint8_t *const frame = head->payload;

    if (head->len < IP_OFFSET + IP_BYTES || memcmp(frame + IP_OFFSET - 2, ipv4, sizeof(ipv4)) != 0) {
        return;
    }
    uint8_t *const id = frame + IP_OFFSET + 4;
    uint8_t *const sum = frame + IP_OFFSET + 10;
    const uint32_t old = ((uint32_t)id[0] << 8) | id[1];

    random_fill(lwip->random, id, 2);
    uint32_t rest =
        (~(((uint32_t)sum[0] << 8) | sum[1]) & 0xffffu) + (~old & 0xffffu) + (((uint32_t)id[0] << 8) | id[1]);
    rest = (rest & 0xffffu) + (rest >> 16);
    rest = ~((rest & 0xffffu) + (rest >> 16));
    sum[0] = (uint8_t)(rest >> 8);
    sum[1] = (uint8_t)rest;
}

static err_t send_frame(struct netif *netif, struct pbuf *head)
{
    struct stack_lwip *const lwip = netif->state;
    struct span parts[HAL_FRAME_PARTS_MAX];
    size_t count = 0;

    INVARIANT(head != NULL);
    for (const struct pbuf *part = head; part != NULL && count < HAL_FRAME_PARTS_MAX; part = part->next) {
        parts[count] = span_of(part->payload, part->len);
        count++;
    }
    draw_identification(lwip, head);
    const enum err err = hal_frame_send(lwip->frame, parts, count);
    if (err != ERR_OK) {
        lwip->counts.not_sent++;
    }
    if (err == ERR_AGAIN) {
        return ERR_MEM; /* TCP tries again soon */
    }
    return err == ERR_OK ? LWIP_OK : ERR_IF;
}

/* May an answer go straight back? Only to the one address whose frame is being looked at. */
static const struct eth_addr *way_back(const struct stack_lwip *lwip, const ip_addr_t *to)
{
    return lwip->answering_mac != NULL && ip_addr_eq(&lwip->answering, to)
               ? (const struct eth_addr *)(const void *)lwip->answering_mac
               : NULL;
}

static err_t send_ipv4(struct netif *netif, struct pbuf *packet, const ip4_addr_t *to)
{
    ip_addr_t address;

    ip_addr_copy_from_ip4(address, *to);
    const struct eth_addr *const back = way_back(netif->state, &address);

    if (back == NULL) {
        return etharp_output(netif, packet, to);
    }
    return ethernet_output(netif, packet, (const struct eth_addr *)(const void *)netif->hwaddr, back, ETHTYPE_IP);
}

static err_t send_ipv6(struct netif *netif, struct pbuf *packet, const ip6_addr_t *to)
{
    ip_addr_t address;

    ip_addr_copy_from_ip6(address, *to);
    const struct eth_addr *const back = way_back(netif->state, &address);

    if (back == NULL) {
        return ethip6_output(netif, packet, to);
    }
    return ethernet_output(netif, packet, (const struct eth_addr *)(const void *)netif->hwaddr, back, ETHTYPE_IPV6);
}

/* --- in --- */

/* Only TCP is answered past the tables: neighbours that make themselves known are answered by their rules. */
static void remember_sender(struct stack_lwip *lwip, struct span frame)
{
    static const uint8_t type_ipv4[] = {0x08, 0x00};
    static const uint8_t type_ipv6[] = {0x86, 0xdd};
    const uint8_t *const type = frame.data + IP_OFFSET - 2;

    lwip->answering_mac = NULL;
    if (memcmp(type, type_ipv4, 2) == 0 && frame.data[IP_OFFSET + 9] == IP_PROTO_TCP) {
        IP_SET_TYPE_VAL(lwip->answering, IPADDR_TYPE_V4);
        memcpy(&ip_2_ip4(&lwip->answering)->addr, frame.data + IP_OFFSET + 12, 4);
        lwip->answering_mac = frame.data + HAL_FRAME_MAC_BYTES;
    } else if (memcmp(type, type_ipv6, 2) == 0 && frame.data[IP_OFFSET + 6] == IP_PROTO_TCP) {
        IP_SET_TYPE_VAL(lwip->answering, IPADDR_TYPE_V6);
        memcpy(ip_2_ip6(&lwip->answering)->addr, frame.data + IP_OFFSET + 8, 16);
        lwip->answering_mac = frame.data + HAL_FRAME_MAC_BYTES;
    }
}

static void take_frame(struct stack_lwip *lwip, struct span frame, enum hal_frame_sums sums)
{
    lwip->counts.frames++;
    if (!ingress_permits(frame, lwip->netif.hwaddr, stack_lwip_expects_datagram)) {
        lwip->counts.refused++;
        return;
    }
    struct pbuf *const packet = frame.len > UINT16_MAX ? NULL : pbuf_alloc(PBUF_RAW, (u16_t)frame.len, PBUF_POOL);
    if (packet == NULL) {
        lwip->counts.no_room++;
        return;
    }
    INVARIANT(pbuf_take(packet, frame.data, (u16_t)frame.len) == LWIP_OK);
    const u16_t known = sums == HAL_FRAME_SUMS_GOOD ? (u16_t)(NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_UDP) : 0;
    NETIF_SET_CHECKSUM_CTRL(&lwip->netif, (u16_t)(NETIF_CHECKSUM_ENABLE_ALL & ~known));
    remember_sender(lwip, frame);
    if (lwip->netif.input(packet, &lwip->netif) != LWIP_OK) {
        (void)pbuf_free(packet); /* lwIP did not take it */
    }
    lwip->answering_mac = NULL;
}

static void on_frames(struct loop_watch *watch, unsigned int ready)
{
    struct stack_lwip *const lwip =
        (struct stack_lwip *)(void *)((uint8_t *)watch - offsetof(struct stack_lwip, watch));
    enum err err = ERR_OK;
    (void)ready;

    lwip->busy = true;
    (void)stack_lwip_lacks_room(); /* it makes some; who lets his data lie is dealt with when more comes for him */
    for (size_t i = 0; i < FRAMES_A_TURN && err == ERR_OK; i++) {
        struct span frame = SPAN_NONE;
        enum hal_frame_sums sums = HAL_FRAME_SUMS_UNKNOWN;

        err = hal_frame_receive(lwip->frame, &frame, &sums);
        if (err == ERR_OK) {
            take_frame(lwip, frame, sums);
        } else if (err == ERR_RANGE) {
            fault_clear();
            err = ERR_OK;
        }
    }
    if (err != ERR_OK && err != ERR_AGAIN) {
        fault_clear(); /* an interface that went away; the supervisor and its watchdog see to that */
    }
    lwip->busy = false;
    stack_lwip_tell(lwip);
}

/* --- addresses --- */

struct socket_address stack_lwip_address(const ip_addr_t *address, uint16_t port)
{
    struct socket_address out = {.family = IP_IS_V6(address) ? SOCKET_IPV6 : SOCKET_IPV4, .port = port};

    if (IP_IS_V6(address)) {
        memcpy(out.ip, ip_2_ip6(address)->addr, 16);
    } else {
        memcpy(out.ip, &ip_2_ip4(address)->addr, 4);
    }
    return out;
}

static size_t collect(struct stack_lwip *lwip, struct socket_address out[STACK_LWIP_ADDRESSES_MAX])
{
    size_t count = 0;

    if (!ip4_addr_isany_val(*netif_ip4_addr(&lwip->netif))) {
        out[count] = stack_lwip_address(netif_ip_addr4(&lwip->netif), 0);
        count++;
    }
    for (s8_t i = 0; i < LWIP_IPV6_NUM_ADDRESSES && count < STACK_LWIP_ADDRESSES_MAX; i++) {
        if (ip6_addr_ispreferred(netif_ip6_addr_state(&lwip->netif, i)) &&
            !ip6_addr_islinklocal(netif_ip6_addr(&lwip->netif, i))) {
            out[count] = stack_lwip_address(netif_ip_addr6(&lwip->netif, i), 0);
            count++;
        }
    }
    return count;
}

static bool are_known(const struct stack_lwip *lwip, const struct socket_address *addresses, size_t count)
{
    for (size_t i = 0; i < count && i < lwip->address_count; i++) {
        if (!socket_address_equal(&addresses[i], &lwip->addresses[i])) {
            return false;
        }
    }
    return count == lwip->address_count;
}

static void look_at_addresses(struct stack_lwip *lwip)
{
    struct socket_address now[STACK_LWIP_ADDRESSES_MAX] = {0};
    const size_t count = collect(lwip, now);

    if (are_known(lwip, now, count)) {
        return;
    }
    memcpy(lwip->addresses, now, sizeof(now));
    lwip->address_count = count;
    if (lwip->options.on_addresses != NULL) {
        lwip->options.on_addresses(lwip->options.context, lwip->addresses, count);
    }
}

static ip4_addr_t ipv4_of(const struct socket_address *address)
{
    ip4_addr_t out;

    memcpy(&out.addr, address->ip, sizeof(out.addr));
    return out;
}

static enum err set_addresses(struct stack_lwip *lwip)
{
    const struct stack_lwip_options *const options = &lwip->options;

    netif_create_ip6_linklocal_address(&lwip->netif, 1);
    netif_set_ip6_autoconfig_enabled(&lwip->netif, 1);
    if (options->has_ipv6) {
        ip6_addr_t address = {0};

        memcpy(address.addr, options->ipv6.ip, sizeof(address.addr));
        ENSURE(netif_add_ip6_address(&lwip->netif, &address, NULL) == LWIP_OK, ERR_LIMIT,
               "no place for an IPv6 address");
    }
    if (!options->has_ipv4) {
        ENSURE(dhcp_start(&lwip->netif) == LWIP_OK, ERR_NO_MEMORY, "no DHCP");
        return ERR_OK;
    }
    const ip4_addr_t address = ipv4_of(&options->ipv4);
    const ip4_addr_t mask = {.addr = lwip_htonl(UINT32_MAX << (32 - options->ipv4_prefix))};
    const ip4_addr_t gateway = options->has_gateway ? ipv4_of(&options->gateway) : (ip4_addr_t){0};
    netif_set_addr(&lwip->netif, &address, &mask, &gateway);
    return ERR_OK;
}

/* --- time --- */

static void on_tick(struct loop_timer *timer)
{
    struct stack_lwip *const lwip =
        (struct stack_lwip *)(void *)((uint8_t *)timer - offsetof(struct stack_lwip, timer));
    const struct mono_time now = loop_now(lwip->options.loop);

    lwip->busy = true;
    for (size_t i = 0; i < LWIP_CLOCKS; i++) {
        if (lwip->next[i].ns <= now.ns) {
            lwip->next[i] =
                mono_add_ms(lwip->next[i], clocks[i].every_ms); /* on average on time, though each is late */
            lwip->next[i].ns =
                lwip->next[i].ns < now.ns ? now.ns : lwip->next[i].ns; /* what was slept through is not made up */
            clocks[i].run();
        }
    }
    lwip->busy = false;
    look_at_addresses(lwip);
    loop_timer_set(lwip->options.loop, &lwip->timer, lwip->next[0]); /* the fastest */
    stack_lwip_tell(lwip);
}

/* --- life --- */

static err_t init_netif(struct netif *netif)
{
    const struct stack_lwip *const lwip = netif->state;

    netif->name[0] = 'r';
    netif->name[1] = 'l';
    netif->mtu = lwip->frame->about.mtu;
    netif->hwaddr_len = HAL_FRAME_MAC_BYTES;
    memcpy(netif->hwaddr, lwip->frame->about.mac, HAL_FRAME_MAC_BYTES);
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_MLD6;
    netif->linkoutput = send_frame;
    netif->output = send_ipv4;
    netif->output_ip6 = send_ipv6;
    return LWIP_OK;
}

enum err stack_lwip_link_start(struct stack_lwip *lwip)
{
    struct loop *const loop = lwip->options.loop;
    const struct mono_time now = loop_clock_now(loop);

    ENSURE(netif_add(&lwip->netif, NULL, NULL, NULL, lwip, init_netif, ethernet_input) != NULL, ERR_NO_MEMORY,
           "no interface in lwIP");
    lwip->has_netif = true;
    netif_set_default(&lwip->netif);
    netif_set_up(&lwip->netif);
    netif_set_link_up(&lwip->netif);
    TRY(set_addresses(lwip));
    for (size_t i = 0; i < LWIP_CLOCKS; i++) {
        lwip->next[i] = mono_add_ms(now, clocks[i].every_ms);
    }
    lwip->timer.on_time = on_tick;
    loop_timer_set(loop, &lwip->timer, lwip->next[0]);
    lwip->watch = (struct loop_watch){.on_ready = on_frames, .descriptor = lwip->frame->fd};
    TRY(loop_watch_start(loop, &lwip->watch, LOOP_READ));
    return ERR_OK;
}

void stack_lwip_link_stop(struct stack_lwip *lwip)
{
    loop_watch_stop(lwip->options.loop, &lwip->watch);
    loop_timer_clear(lwip->options.loop, &lwip->timer);
    if (lwip->has_netif) {
        dhcp_stop(&lwip->netif);
        dhcp_cleanup(&lwip->netif);
        netif_remove(&lwip->netif);
    }
}
