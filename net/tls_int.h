/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Session tickets, between tls.c, which knows where they stand in a handshake, and tls_ticket.c, which seals them. */
#ifndef NET_TLS_INT_H
#define NET_TLS_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "net/tls.h"

#define TLS_TICKET_IV_BYTES 16
#define TLS_TICKET_MAC_BYTES 32
#define TLS_CHAIN_PEM_MAX ((size_t)65536)

/* The parts of one ticket, in the library's memory. */
struct tls_ticket_parts {
    uint8_t *name; /* TLS_TICKET_NAME_BYTES */
    uint8_t *iv;   /* TLS_TICKET_IV_BYTES */
    uint8_t *mac;  /* TLS_TICKET_MAC_BYTES */
    uint8_t *body; /* sealed and opened in place */
    size_t body_bytes;
};

/* One reactor's way to the ticket keys. */
struct tls_tickets;

enum err tls_tickets_new(const struct tls_server_options *options, struct tls_tickets **out_tickets) MUST_USE;
void tls_tickets_free(struct tls_tickets *tickets); /* NULL is fine */

/* Are there keys at this moment? */
bool tls_tickets_ready(struct tls_tickets *tickets);

/* Writes name, iv and mac and seals the body. ERR_NOT_FOUND: no keys. */
enum err tls_tickets_seal(struct tls_tickets *tickets, struct tls_ticket_parts *parts) MUST_USE;

/* ERR_STALE_KEY: made with a key that is no longer held; ERR_AUTH: not one of ours. */
enum err tls_tickets_open(struct tls_tickets *tickets, struct tls_ticket_parts *parts) MUST_USE;

#endif
