/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/worker/frames.h"

#include <string.h>

#include "hal/base/fault.h"
#include "hal/frame.h"

_Static_assert(STACK_LWIP_ADDRESSES_MAX == MSG_ADDRESSES_MAX && STACK_LWIP_DNS_MAX == MSG_DNS_MAX,
               "a message holds all addresses");

static struct socket_address address_of(enum socket_family family, const uint8_t *bytes, size_t len)
{
    struct socket_address address = {.family = family};

    memcpy(address.ip, bytes, len);
    return address;
}

static void take_servers(const uint8_t *at, struct stack_lwip_options *net)
{
    for (size_t i = 0; i < MSG_DNS_MAX; i++, at += MSG_ADDRESS_BYTES) {
        if (at[0] == 4 || at[0] == 6) {
            net->dns[net->dns_count] = at[0] == 4 ? address_of(SOCKET_IPV4, at + 1, 4) : address_of(SOCKET_IPV6, at + 1, 16);
            net->dns_count++;
        }
    }
}

enum err frames_take(struct msg *msg, struct reactor_parts *parts)
{
    const uint32_t given = msg->as.worker_frames.given;
    struct hal_frame_about about = {.kind = (enum hal_frame_kind)msg->as.worker_frames.kind,
                                    .mtu = (uint16_t)msg->as.worker_frames.mtu};
    const int fd = msg->fd;

    ENSURE(parts->frame == NULL, ERR_MALFORMED, "a second source of frames");
    msg->fd = -1;
    memcpy(about.mac, msg->as.worker_frames.mac, sizeof(about.mac));
    TRY(hal_frame_take(fd, &about, &parts->frame));
    parts->net = (struct stack_lwip_options){
        .has_ipv4 = (given & MSG_GIVEN_IPV4) != 0,
        .ipv4 = address_of(SOCKET_IPV4, msg->as.worker_frames.ipv4, sizeof(msg->as.worker_frames.ipv4)),
        .ipv4_prefix = msg->as.worker_frames.prefix,
        .has_gateway = (given & MSG_GIVEN_GATEWAY) != 0,
        .gateway = address_of(SOCKET_IPV4, msg->as.worker_frames.gateway, sizeof(msg->as.worker_frames.gateway)),
        .has_ipv6 = (given & MSG_GIVEN_IPV6) != 0,
        .ipv6 = address_of(SOCKET_IPV6, msg->as.worker_frames.ipv6, sizeof(msg->as.worker_frames.ipv6)),
    };
    take_servers(msg->as.worker_frames.dns, &parts->net);
    return ERR_OK;
}

enum err frames_tell(struct reactor *reactor, struct msg_channel *control)
{
    struct socket_address addresses[STACK_LWIP_ADDRESSES_MAX];
    struct msg msg = MSG_NEW(MSG_WORKER_ADDRESSES);
    uint8_t *at = msg.as.worker_addresses.bytes;
    size_t count = 0;

    reactor_addresses(reactor, addresses, &count);
    for (size_t i = 0; i < count; i++) {
        at[0] = addresses[i].family == SOCKET_IPV4 ? 4 : 6;
        memcpy(at + 1, addresses[i].ip, sizeof(addresses[i].ip));
        at += MSG_ADDRESS_BYTES;
    }
    msg.as.worker_addresses.count = (uint32_t)count;
    TRY(msg_send(control, &msg));
    return ERR_OK;
}
