/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The command line of `rowlock serve` and `rowlock fsck`. */
#ifndef FIRMWARE_SUPERVISOR_OPTIONS_H
#define FIRMWARE_SUPERVISOR_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "firmware/msg.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/socket.h"

#define OPTIONS_NAMES_MAX 11 /* X509_DNS_MAX but two: localhost, and the host's own */
#define OPTIONS_NAME_BYTES_MAX 768 /* a certificate is one message, MSG_LEAF_MAX */

struct options {
    const char *data; /* the arguments' own memory, as the other texts */
    const char *tcti;
    struct socket_address listen;
    const char *listen_text;
    bool listens; /* --listen was given */
    const char *net_interface; /* see hal_frame_open(); NULL: the kernel's sockets only */
    bool has_net_ipv4; /* else DHCP */
    struct socket_address net_ipv4;
    unsigned int net_prefix;
    bool has_net_gateway;
    struct socket_address net_gateway; /* IPv4 */
    bool has_net_ipv6;
    struct socket_address net_ipv6; /* of a /64 */
    struct socket_address net_dns[MSG_DNS_MAX]; /* name servers; else those that DHCP names */
    size_t net_dns_count;
    const char *admin_text; /* where the administrator is served, and nowhere else; NULL: everywhere */
    struct socket_address admin; /* the port, too; 0: a free one */
    bool has_admin_port;
    uint16_t port;    /* 0: a free one */
    bool plain;       /* a plain port that answers 308 */
    uint16_t plain_port; /* 0: a free one */
    const char *names[OPTIONS_NAMES_MAX];
    size_t name_count;
    size_t name_bytes;
    bool json;
    int pin_fd; /* -1: none */
    int init_fd; /* -1: none; init_link.h: this is a box, whose first process keeps root */
};

/* Reads "--name value" pairs; count and words without the program and the command. Defaults: the board's TCTI, 127.0.0.1,
 * port 8443; with --net-interface and without --listen only the stack in user space listens. ERR_MALFORMED: unknown, without
 * a value, or out of range: a line on standard error has said so. */
enum err options_read(size_t count, char *const *words, struct options *out_options) MUST_USE;

/* Is this a name for a certificate: labels of letters, digits and '-', with dots between? */
bool options_is_host_name(const char *text);

#endif
