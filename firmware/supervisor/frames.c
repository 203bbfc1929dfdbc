/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The stack in user space, as far as the supervisor has to do with it: it opens the source of frames while it is root, keeps
 * it, and lends it to one worker after the other. Which addresses that stack has only the worker knows. */
#include "firmware/supervisor/supervisor_int.h"

#include "hal/base/fault.h"
#include "hal/base/log.h"

/* Where "any free one" was asked for and no kernel is there to choose. */
#define PORT_HTTPS 8443
#define PORT_HTTP  8080

static void add(struct supervisor *supervisor, const struct socket_address *address)
{
    for (size_t i = 0; i < supervisor->net_count; i++) {
        if (socket_address_equal(&supervisor->net[i], address)) {
            return;
        }
    }
    if (supervisor->net_count < ARRAY_LENGTH(supervisor->net)) {
        supervisor->net[supervisor->net_count] = *address;
        supervisor->net_count++;
    }
}

/* Those of the command line stand in the certificate also while the stack still asks whether they are free. */
static void add_given(struct supervisor *supervisor)
{
    const struct options *const options = supervisor->options;

    supervisor->net_count = 0;
    if (options->has_net_ipv4) {
        add(supervisor, &options->net_ipv4);
    }
    if (options->has_net_ipv6) {
        add(supervisor, &options->net_ipv6);
    }
}

enum err supervisor_open_frames(struct supervisor *supervisor)
{
    const struct options *const options = supervisor->options;

    if (options->net_interface == NULL) {
        return ERR_OK;
    }
    TRY(hal_frame_open(options->net_interface, &supervisor->frames_about, &supervisor->frames));
    if (!options->listens) { /* one thread owns that stack, and nobody else listens */
        supervisor->reactors = 1;
        supervisor->port = options->port != 0 ? options->port : PORT_HTTPS;
        supervisor->plain_port = options->plain_port != 0 ? options->plain_port : PORT_HTTP;
        supervisor->plain_port = options->plain ? supervisor->plain_port : 0;
    }
    add_given(supervisor);
    LOG(LOG_INFO, "frames_open", LOG_TEXT("interface", span_str(options->net_interface)),
        LOG_NUMBER("mtu", supervisor->frames_about.mtu));
    return ERR_OK;
}

static void put_servers(uint8_t *at, const struct options *options)
{
    for (size_t i = 0; i < options->net_dns_count; i++, at += MSG_ADDRESS_BYTES) {
        at[0] = options->net_dns[i].family == SOCKET_IPV4 ? 4 : 6;
        memcpy(at + 1, options->net_dns[i].ip, sizeof(options->net_dns[i].ip));
    }
}

enum err supervisor_give_frames(struct supervisor *supervisor)
{
    const struct options *const options = supervisor->options;

    if (supervisor->frames < 0 || supervisor->mode != MSG_MODE_SERVE) {
        return ERR_OK;
    }
    supervisor->out = MSG_NEW(MSG_WORKER_FRAMES);
    supervisor->out.fd = supervisor->frames;
    supervisor->out.as.worker_frames.kind = (uint32_t)supervisor->frames_about.kind;
    supervisor->out.as.worker_frames.mtu = supervisor->frames_about.mtu;
    memcpy(supervisor->out.as.worker_frames.mac, supervisor->frames_about.mac, HAL_FRAME_MAC_BYTES);
    supervisor->out.as.worker_frames.given = (options->has_net_ipv4 ? (uint32_t)MSG_GIVEN_IPV4 : 0u) |
                                             (options->has_net_gateway ? (uint32_t)MSG_GIVEN_GATEWAY : 0u) |
                                             (options->has_net_ipv6 ? (uint32_t)MSG_GIVEN_IPV6 : 0u);
    memcpy(supervisor->out.as.worker_frames.ipv4, options->net_ipv4.ip, 4);
    supervisor->out.as.worker_frames.prefix = options->net_prefix;
    memcpy(supervisor->out.as.worker_frames.gateway, options->net_gateway.ip, 4);
    memcpy(supervisor->out.as.worker_frames.ipv6, options->net_ipv6.ip, 16);
    put_servers(supervisor->out.as.worker_frames.dns, options);
    TRY(msg_send(supervisor->worker.control, &supervisor->out));
    return ERR_OK;
}

void supervisor_on_addresses(struct supervisor *supervisor)
{
    const struct mono_time now = hal_clock_mono(supervisor->clock);
    const uint8_t *at = supervisor->in.as.worker_addresses.bytes;

    add_given(supervisor);
    for (size_t i = 0; i < supervisor->in.as.worker_addresses.count; i++) {
        struct socket_address address = {.family = at[0] == 4 ? SOCKET_IPV4 : SOCKET_IPV6};
        char text[SOCKET_ADDRESS_TEXT_MAX];
        size_t len = 0;

        memcpy(address.ip, at + 1, address.family == SOCKET_IPV4 ? 4 : 16);
        at += MSG_ADDRESS_BYTES;
        add(supervisor, &address);
        socket_address_format(&address, text, &len);
        LOG_LIMITED(&supervisor->lines.addresses, now, LOG_INFO, "address", LOG_TEXT("address", span_of(text, len)));
    }
    if (supervisor->keeper.runs && supervisor_look_at_names(supervisor) != ERR_OK) {
        /* Its end is noticed, and the next keeper hears them. */
        log_limit_fault(&supervisor->lines.names, now, LOG_WARN, "names_not_told");
    }
}
