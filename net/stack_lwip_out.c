/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What begins here: questions for names, connections, datagrams. Others reach us by what they answer to it, no more: see
 * stack_lwip_expects_datagram().
 *
 * lwIP's resolver cannot be told to forget a question, so each has a place of the stack's own for as long as lwIP may
 * answer; whoever asked may leave it before. It draws the number and the port of each question at random, and so are the
 * ports of connections drawn (RFC 6056 section 3.3.1, RFC 5452). */
#include "net/stack_lwip.h"

#include "net/stack_lwip_int.h"

#include <lwip/dns.h>
#include <lwip/udp.h>
#include <string.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"

#define PORT_DNS         53
#define PORT_DHCP_CLIENT 68
#define PORT_FIRST       49152u /* of those for connections that begin here: RFC 6335 section 6 */
#define PORT_TRIES       16
#define NAME_MAX_BYTES   (DNS_MAX_NAME_LENGTH - 1)

static ip_addr_t address_of(const struct socket_address *address)
{
    ip_addr_t out = {0};

    if (address->family == SOCKET_IPV6) {
        IP_SET_TYPE_VAL(out, IPADDR_TYPE_V6);
        memcpy(ip_2_ip6(&out)->addr, address->ip, sizeof(ip_2_ip6(&out)->addr));
    } else {
        IP_SET_TYPE_VAL(out, IPADDR_TYPE_V4);
        memcpy(&ip_2_ip4(&out)->addr, address->ip, sizeof(ip_2_ip4(&out)->addr));
    }
    return out;
}

static uint16_t draw_port(struct stack_lwip *lwip)
{
    uint8_t bytes[2];

    random_fill(lwip->random, bytes, sizeof(bytes));
    return (uint16_t)(PORT_FIRST | (((uint32_t)bytes[0] << 8) | bytes[1]));
}

/* --- names --- */

static void on_found(const char *name, const ip_addr_t *address, void *argument)
{
    struct lwip_question *const question = argument;
    struct stack_lwip_lookup *const asker = question->asker;
    struct socket_address found = {0};
    (void)name;

    *question = (struct lwip_question){.asker = NULL};
    if (asker == NULL) {
        return; /* it has left */
    }
    asker->question = NULL;
    if (address != NULL) {
        found = stack_lwip_address(address, 0);
    }
    asker->done(asker, address != NULL ? &found : NULL);
}

/* Those that were given go before DHCP's, which come again with each lease. */
static void set_servers(const struct stack_lwip *lwip)
{
    for (size_t i = 0; lwip->options.dns_count != 0 && i < STACK_LWIP_DNS_MAX; i++) {
        const ip_addr_t address = address_of(&lwip->options.dns[i]);
        dns_setserver((u8_t)i, i < lwip->options.dns_count ? &address : NULL);
    }
}

static struct lwip_question *free_question(struct stack_lwip *lwip)
{
    for (size_t i = 0; i < ARRAY_LENGTH(lwip->questions); i++) {
        if (!lwip->questions[i].is_asked) {
            return &lwip->questions[i];
        }
    }
    return NULL;
}

enum err stack_lwip_resolve(struct stack *stack, struct span name, struct stack_lwip_lookup *lookup)
{
    struct stack_lwip *const lwip = (struct stack_lwip *)stack;
    char text[NAME_MAX_BYTES + 1] = {0};
    ip_addr_t address = {0};

    ENSURE(name.len != 0 && name.len <= NAME_MAX_BYTES, ERR_RANGE, "not the length of a name");
    memcpy(text, name.data, name.len);
    struct lwip_question *const question = free_question(lwip);
    ENSURE(question != NULL, ERR_LIMIT, "more questions than there may be at once");
    set_servers(lwip);
    *question = (struct lwip_question){.is_asked = true, .asker = lookup};
    lookup->question = question;
    const err_t err = dns_gethostbyname(text, &address, on_found, question);
    if (err == LWIP_OK) { /* it was asked for before */
        on_found(text, &address, question);
        return ERR_OK;
    }
    if (err != ERR_INPROGRESS) {
        *question = (struct lwip_question){.asker = NULL};
        lookup->question = NULL;
        FAIL(err == ERR_MEM ? ERR_LIMIT : ERR_NOT_FOUND, "no name server to ask", err);
    }
    return ERR_OK;
}

void stack_lwip_forget(struct stack_lwip_lookup *lookup)
{
    if (lookup->question != NULL) {
        lookup->question->asker = NULL;
        lookup->question = NULL;
    }
}

/* After the interface is gone: nothing is sent any more, and each question ends when its tries are over. */
void stack_lwip_end_questions(struct stack_lwip *lwip)
{
    for (size_t i = 0; i < ARRAY_LENGTH(lwip->questions); i++) {
        lwip->questions[i].asker = NULL;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(lwip->questions); i++) {
        while (lwip->questions[i].is_asked) {
            dns_tmr();
        }
    }
}

/* --- connections --- */

static err_t on_connected(void *argument, struct tcp_pcb *pcb, err_t err)
{
    struct stack_socket *const socket = argument;
    (void)pcb;
    (void)err; /* always LWIP_OK */

    if (socket != NULL) {
        socket->connecting = false;
        stack_lwip_mark(socket);
    }
    return LWIP_OK;
}

static err_t bind_somewhere(struct stack_lwip *lwip, struct tcp_pcb *pcb, const ip_addr_t *to)
{
    err_t err = ERR_USE;

    for (size_t i = 0; i < PORT_TRIES && err == ERR_USE; i++) {
        err = tcp_bind(pcb, IP_IS_V6(to) ? IP6_ADDR_ANY : IP4_ADDR_ANY, draw_port(lwip));
    }
    return err;
}

enum err stack_lwip_connect(struct stack *stack, const struct socket_address *to, struct stack_socket **out_socket)
{
    struct stack_lwip *const lwip = (struct stack_lwip *)stack;
    const ip_addr_t address = address_of(to);
    struct tcp_pcb *const pcb = tcp_new_ip_type(IP_GET_TYPE(&address));
    struct stack_socket *socket = NULL;

    ENSURE(pcb != NULL, ERR_LIMIT, "no room for a connection in lwIP");
    enum err err = bind_somewhere(lwip, pcb, &address) == LWIP_OK ? ERR_OK : ERR_LIMIT;
    err = err == ERR_OK ? stack_lwip_adopt(lwip, pcb, &socket) : err;
    if (err != ERR_OK) {
        tcp_abort(pcb);
        FAIL(err, "no connection in lwIP", to->port);
    }
    socket->connecting = true;
    const err_t begun = tcp_connect(pcb, &address, to->port, on_connected);
    if (begun != LWIP_OK) {
        lwip->stack.ops->abandon(socket);
        lwip->stack.ops->close(socket);
        FAIL(ERR_CLOSED, "no way there", begun);
    }
    *out_socket = socket;
    return ERR_OK;
}

/* --- datagrams --- */

struct stack_lwip_udp {
    struct udp_pcb *pcb;
    void (*on_datagram)(void *context, struct span datagram);
    void *context;
};

static void on_udp(void *argument, struct udp_pcb *pcb, struct pbuf *packet, const ip_addr_t *from, u16_t port)
{
    struct stack_lwip_udp *const udp = argument;
    uint8_t bytes[STACK_LWIP_DATAGRAM_MAX];
    (void)pcb;
    (void)from;
    (void)port;

    if (packet->tot_len != 0 && packet->tot_len <= sizeof(bytes)) {
        (void)pbuf_copy_partial(packet, bytes, packet->tot_len, 0); /* all of it */
        udp->on_datagram(udp->context, span_of(bytes, packet->tot_len));
    }
    (void)pbuf_free(packet); /* how many were freed: its parts */
}

enum err stack_lwip_udp_new(struct stack *stack, const struct stack_lwip_udp_options *options,
                            struct stack_lwip_udp **out_udp)
{
    struct stack_lwip *const lwip = (struct stack_lwip *)stack;
    const ip_addr_t address = address_of(&options->to);
    void *memory = NULL;
    err_t err = ERR_USE;

    TRY(mem_alloc(sizeof(struct stack_lwip_udp), &memory));
    struct stack_lwip_udp *const udp = memory;
    *udp = (struct stack_lwip_udp){.on_datagram = options->on_datagram, .context = options->context};
    udp->pcb = udp_new_ip_type(IP_GET_TYPE(&address));
    for (size_t i = 0; udp->pcb != NULL && i < PORT_TRIES && err == ERR_USE; i++) {
        err = udp_bind(udp->pcb, IP_IS_V6(&address) ? IP6_ADDR_ANY : IP4_ADDR_ANY, draw_port(lwip));
    }
    if (err == LWIP_OK) {
        err = udp_connect(udp->pcb, &address, options->to.port);
    }
    if (err != LWIP_OK) {
        const enum err why = udp->pcb == NULL || err == ERR_USE ? ERR_LIMIT : ERR_CLOSED;
        stack_lwip_udp_free(udp);
        FAIL(why, "no way for datagrams in lwIP", err);
    }
    udp_recv(udp->pcb, on_udp, udp);
    *out_udp = udp;
    return ERR_OK;
}

enum err stack_lwip_udp_send(struct stack_lwip_udp *udp, struct span datagram)
{
    ENSURE(datagram.len != 0 && datagram.len <= STACK_LWIP_DATAGRAM_MAX, ERR_RANGE, "not the length of a datagram");
    struct pbuf *const packet = pbuf_alloc(PBUF_TRANSPORT, (u16_t)datagram.len, PBUF_RAM);

    ENSURE(packet != NULL, ERR_LIMIT, "no room for a datagram in lwIP");
    INVARIANT(pbuf_take(packet, datagram.data, (u16_t)datagram.len) == LWIP_OK);
    const err_t err = udp_send(udp->pcb, packet);
    (void)pbuf_free(packet); /* how many were freed: its parts, unless it waits for a neighbour */
    ENSURE(err == LWIP_OK, ERR_CLOSED, "no way there");
    return ERR_OK;
}

void stack_lwip_udp_free(struct stack_lwip_udp *udp)
{
    if (udp == NULL) {
        return;
    }
    if (udp->pcb != NULL) {
        udp_remove(udp->pcb);
    }
    mem_free(udp);
}

static bool is_server(const ip_addr_t *from)
{
    for (u8_t i = 0; i < DNS_MAX_SERVERS; i++) {
        if (ip_addr_eq(dns_getserver(i), from)) {
            return !ip_addr_isany(from);
        }
    }
    return false;
}

/* Those of the resolver are not tied to a server; each has a port of its own, for one question. */
bool stack_lwip_expects_datagram(const struct socket_address *from, uint16_t to_port)
{
    const ip_addr_t address = address_of(from);

    for (const struct udp_pcb *pcb = udp_pcbs; pcb != NULL; pcb = pcb->next) {
        if (pcb->local_port != to_port || to_port == PORT_DHCP_CLIENT) {
            continue;
        }
        if ((pcb->flags & UDP_FLAGS_CONNECTED) != 0) {
            return pcb->remote_port == from->port && ip_addr_eq(&pcb->remote_ip, &address);
        }
        return from->port == PORT_DNS && is_server(&address);
    }
    return false;
}
