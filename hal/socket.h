/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sockets of the kernel: of TCP listening, accepted, and, for the courier alone, connected out; of UDP connected out. All are non-blocking and
 * close-on-exec. A descriptor belongs to whoever holds it. */
#ifndef HAL_SOCKET_H
#define HAL_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

enum socket_family { SOCKET_IPV4, SOCKET_IPV6 };

#define SOCKET_ADDRESS_TEXT_MAX 48 /* "ffff:...:255.255.255.255", without brackets and port */

/* IPv4 addresses that came over an IPv6 socket are given as IPv4. Unused bytes are 0, so equal addresses are equal
 * bytes. */
struct socket_address {
    enum socket_family family;
    uint8_t ip[16];
    uint16_t port;
};

/* Reads "127.0.0.1" or "::1"; the port is 0. ERR_MALFORMED. */
enum err socket_address_parse(struct span text, struct socket_address *out_address) MUST_USE;

/* Writes the address without its port; *out_len is its length, without the NUL that follows. */
void socket_address_format(const struct socket_address *address, char out_text[SOCKET_ADDRESS_TEXT_MAX],
                           size_t *out_len);

/* Is it the same address and port? Members are compared: between them lies what nobody wrote. */
bool socket_address_equal(const struct socket_address *a, const struct socket_address *b);

/* The addresses by which others reach this machine now, at most max: not loopback, not link-local. ERR_IO. */
enum err socket_local_addresses(size_t max, struct socket_address *out_addresses, size_t *out_count) MUST_USE;

struct socket_listen {
    struct socket_address address; /* port 0: a free one, see out_bound */
    unsigned int backlog;
    bool share_port; /* SO_REUSEPORT, one listener for each reactor: all listeners of the port must ask for it */
};

/* Opens a listening socket. "::" also takes IPv4. out_bound has the port in use.
 * ERR_EXISTS (address in use), ERR_REFUSED (not permitted), ERR_NOT_FOUND (not an address of this machine),
 * ERR_LIMIT, ERR_IO. */
enum err socket_listen(const struct socket_listen *listen, int *out_fd, struct socket_address *out_bound) MUST_USE;

/* Ends the listening at once, in every process that has this socket: who connects from now on is refused, and who waits
 * in the queue is reset. The descriptor stays to be closed; a negative one is fine. */
void socket_refuse(int listener);

/* The next connection, with TCP_NODELAY on. ERR_AGAIN (none waits), ERR_CLOSED (nothing listens there any more),
 * ERR_LIMIT (no descriptor left: stop accepting for a while), ERR_IO. */
enum err socket_accept(int listener, int *out_fd, struct socket_address *out_peer) MUST_USE;

/* Begins a connection, with TCP_NODELAY on. It is there, or has failed, when socket_wait says that the socket can be
 * written to; socket_connected tells which. ERR_CLOSED (nobody listens, or no way
 * there), ERR_REFUSED (not permitted), ERR_LIMIT, ERR_IO. */
enum err socket_connect(const struct socket_address *address, int *out_fd) MUST_USE;
enum err socket_connected(int fd) MUST_USE;

/* A socket for datagrams to and from this address alone. ERR_CLOSED (no way there), ERR_REFUSED, ERR_LIMIT, ERR_IO. */
enum err socket_connect_datagrams(const struct socket_address *address, int *out_fd) MUST_USE;

/* The next datagram, which may be empty. ERR_AGAIN; ERR_RANGE (one of more than max bytes, which is gone); ERR_CLOSED
 * (nobody listens there, or so says somebody on the way). Sending is socket_send: all of it or nothing. */
enum err socket_receive_datagram(int fd, uint8_t *out_bytes, size_t max, size_t *out_len) MUST_USE;

enum socket_wait { SOCKET_WAIT_READ, SOCKET_WAIT_WRITE };

/* Waits until something can be read (or the other side is gone), or written. For processes that may wait, with one
 * socket at a time. ERR_TIMEOUT, ERR_IO. */
enum err socket_wait(int fd, enum socket_wait what, unsigned int timeout_ms) MUST_USE;

/* How the two ends of a pair see what is sent: as bytes, or each send as one message. */
enum socket_pair_kind { SOCKET_PAIR_BYTES, SOCKET_PAIR_MESSAGES };

/* Two sockets that lead to each other and nowhere else. ERR_LIMIT, ERR_REFUSED. */
enum err socket_pair(enum socket_pair_kind kind, int out_ends[2]) MUST_USE;

/* Reads what is there, 1 to max bytes; never waits, whatever whoever made the socket thinks of it. ERR_AGAIN, ERR_CLOSED
 * (end, reset). */
enum err socket_receive(int fd, uint8_t *out_bytes, size_t max, size_t *out_len) MUST_USE;

/* Sends as much as fits, and never waits; *out_sent may be less than all. ERR_AGAIN (nothing fits), ERR_CLOSED. Never raises SIGPIPE. */
enum err socket_send(int fd, struct span bytes, size_t *out_sent) MUST_USE;

/* Tells the other side that nothing more will come. A side that is gone already is no error. */
void socket_shutdown_write(int fd);

/* Makes the coming close an abort: a reset is sent, nothing lingers. */
void socket_abort_on_close(int fd);

/* Closes; a negative fd is fine. */
void socket_close(int fd);

static inline void socket_close_scoped(int *fd)
{
    socket_close(*fd);
}
#define SCOPED_FD SCOPED(socket_close_scoped)

#endif
