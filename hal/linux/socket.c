/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Kernel sockets. The only place that knows sockaddr. */
#include "hal/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "hal/base/num.h"
#include "hal/linux/sys_int.h"

#define IPV4_BYTES 4
#define IPV6_BYTES 16

/* Why a union: the kernel writes whichever it likes, and a cast between them would not be allowed to the compiler. */
union any_sockaddr {
    struct sockaddr plain;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

enum err socket_address_parse(struct span text, struct socket_address *out_address)
{
    struct socket_address address = {.family = SOCKET_IPV4};
    char copy[SOCKET_ADDRESS_TEXT_MAX] = {0};

    ENSURE(text.len > 0 && text.len < sizeof(copy), ERR_MALFORMED, "no address");
    ENSURE(span_find(text, 0) == text.len, ERR_MALFORMED, "no address");
    memcpy(copy, text.data, text.len);
    if (inet_pton(AF_INET, copy, address.ip) != 1) {
        address.family = SOCKET_IPV6;
        ENSURE(inet_pton(AF_INET6, copy, address.ip) == 1, ERR_MALFORMED, "no address");
    }

    *out_address = address;
    return ERR_OK;
}

void socket_address_format(const struct socket_address *address, char out_text[SOCKET_ADDRESS_TEXT_MAX],
                           size_t *out_len)
{
    const int family = address->family == SOCKET_IPV4 ? AF_INET : AF_INET6;

    INVARIANT(inet_ntop(family, address->ip, out_text, SOCKET_ADDRESS_TEXT_MAX) != NULL);
    *out_len = strlen(out_text);
}

bool socket_address_equal(const struct socket_address *a, const struct socket_address *b)
{
    const size_t len = a->family == SOCKET_IPV4 ? IPV4_BYTES : sizeof(a->ip);

    return a->family == b->family && a->port == b->port && span_equal(span_of(a->ip, len), span_of(b->ip, len));
}

static socklen_t to_sockaddr(const struct socket_address *address, union any_sockaddr *out_any)
{
    memset(out_any, 0, sizeof(*out_any));
    if (address->family == SOCKET_IPV4) {
        out_any->v4.sin_family = AF_INET;
        out_any->v4.sin_port = htons(address->port);
        memcpy(&out_any->v4.sin_addr, address->ip, IPV4_BYTES);
        return sizeof(out_any->v4);
    }
    out_any->v6.sin6_family = AF_INET6;
    out_any->v6.sin6_port = htons(address->port);
    memcpy(&out_any->v6.sin6_addr, address->ip, IPV6_BYTES);
    return sizeof(out_any->v6);
}

static struct socket_address from_sockaddr(const union any_sockaddr *any)
{
    struct socket_address address = {.family = SOCKET_IPV4};

    if (any->plain.sa_family == AF_INET) { /* analyzer: the kernel has filled it */
        address.port = ntohs(any->v4.sin_port);
        memcpy(address.ip, &any->v4.sin_addr, IPV4_BYTES);
        return address;
    }
    address.port = ntohs(any->v6.sin6_port);
    if (IN6_IS_ADDR_V4MAPPED(&any->v6.sin6_addr)) {
        memcpy(address.ip, &any->v6.sin6_addr.s6_addr[IPV6_BYTES - IPV4_BYTES], IPV4_BYTES);
        return address;
    }
    address.family = SOCKET_IPV6;
    memcpy(address.ip, &any->v6.sin6_addr, IPV6_BYTES);
    return address;
}

/* An address that is worth a place in a certificate. */
static bool is_public(const struct ifaddrs *interface)
{
    union any_sockaddr any;

    if (interface->ifa_addr == NULL || (interface->ifa_flags & IFF_UP) == 0 ||
        (interface->ifa_flags & IFF_LOOPBACK) != 0) {
        return false;
    }
    if (interface->ifa_addr->sa_family == AF_INET) {
        return true;
    }
    if (interface->ifa_addr->sa_family != AF_INET6) {
        return false;
    }
    memcpy(&any.v6, interface->ifa_addr, sizeof(any.v6));
    return !IN6_IS_ADDR_LINKLOCAL(&any.v6.sin6_addr);
}

enum err socket_local_addresses(size_t max, struct socket_address *out_addresses, size_t *out_count)
{
    struct ifaddrs *list = NULL;
    size_t count = 0;

    if (getifaddrs(&list) != 0) {
        FAIL_ERRNO(errno, "getifaddrs");
    }
    for (const struct ifaddrs *each = list; each != NULL && count < max; each = each->ifa_next) {
        union any_sockaddr any;
        if (!is_public(each)) {
            continue;
        }
        memset(&any, 0, sizeof(any));
        memcpy(&any, each->ifa_addr, each->ifa_addr->sa_family == AF_INET ? sizeof(any.v4) : sizeof(any.v6));
        out_addresses[count] = from_sockaddr(&any);
        out_addresses[count].port = 0;
        count++;
    }
    freeifaddrs(list);
    *out_count = count;
    return ERR_OK;
}

static enum err set_option(int fd, int level, int option, int value)
{
    if (setsockopt(fd, level, option, &value, sizeof(value)) != 0) {
        FAIL_ERRNO(errno, "setsockopt");
    }
    return ERR_OK;
}

enum err socket_listen(const struct socket_listen *listen_on, int *out_fd, struct socket_address *out_bound)
{
    union any_sockaddr any;
    const socklen_t any_len = to_sockaddr(&listen_on->address, &any);
    union any_sockaddr bound;
    socklen_t bound_len = sizeof(bound);

    ENSURE(listen_on->backlog > 0 && listen_on->backlog <= INT16_MAX, ERR_RANGE, "backlog");
    SCOPED_FD int fd = socket(any.plain.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        FAIL_ERRNO(errno, "socket");
    }
    TRY(set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1));
    if (listen_on->share_port) {
        TRY(set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1));
    }
    if (listen_on->address.family == SOCKET_IPV6) {
        TRY(set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0));
    }
    if (bind(fd, &any.plain, any_len) != 0) {
        FAIL_ERRNO(errno, "bind");
    }
    if (listen(fd, (int)listen_on->backlog) != 0) {
        FAIL_ERRNO(errno, "listen");
    }
    if (getsockname(fd, &bound.plain, &bound_len) != 0) {
        FAIL_ERRNO(errno, "getsockname");
    }

    *out_bound = from_sockaddr(&bound);
    *out_fd = fd;
    fd = -1;
    return ERR_OK;
}

/* Connections that died while they waited, and errors of the network they came by, are not the listener's: accept(2)
 * says to try again. */
static const int accept_again[] = {ECONNABORTED, ENETDOWN,     EPROTO,     ENOPROTOOPT, EHOSTDOWN,
                                   ENONET,       EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH, EPERM};

static enum err from_accept(int error)
{
    for (size_t i = 0; i < ARRAY_LENGTH(accept_again); i++) {
        if (error == accept_again[i]) {
            return ERR_AGAIN;
        }
    }
    if (error == EINVAL) {
        return ERR_CLOSED; /* not listening: socket_refuse */
    }
    return error == ENOMEM || error == ENOBUFS ? ERR_LIMIT : sys_err(error);
}

void socket_refuse(int listener)
{
    (void)shutdown(listener, SHUT_RD); /* fails only when it listens no more */
}

enum err socket_accept(int listener, int *out_fd, struct socket_address *out_peer)
{
    union any_sockaddr peer;
    socklen_t peer_len = sizeof(peer);

    SCOPED_FD int fd = accept4(listener, &peer.plain, &peer_len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        return from_accept(errno); /* no trail: "none waits" is said a thousand times a second */
    }
    TRY(set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1));

    *out_peer = from_sockaddr(&peer);
    *out_fd = fd;
    fd = -1;
    return ERR_OK;
}

static enum err begin_connect(int type, const struct socket_address *address, int *out_fd)
{
    union any_sockaddr any;
    const socklen_t any_len = to_sockaddr(address, &any);

    SCOPED_FD int fd = socket(any.plain.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        FAIL_ERRNO(errno, "socket");
    }
    if (type == SOCK_STREAM) {
        TRY(set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1));
    }
    if (connect(fd, &any.plain, any_len) != 0 && errno != EINPROGRESS) {
        FAIL_ERRNO(errno, "connect");
    }
    *out_fd = fd;
    fd = -1;
    return ERR_OK;
}

enum err socket_connect(const struct socket_address *address, int *out_fd)
{
    return begin_connect(SOCK_STREAM, address, out_fd);
}

enum err socket_connect_datagrams(const struct socket_address *address, int *out_fd)
{
    return begin_connect(SOCK_DGRAM, address, out_fd);
}

enum err socket_pair(enum socket_pair_kind kind, int out_ends[2])
{
    const int type = kind == SOCKET_PAIR_BYTES ? SOCK_STREAM : SOCK_SEQPACKET;

    if (socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, out_ends) != 0) {
        FAIL_ERRNO(errno, "socketpair");
    }
    return ERR_OK;
}

enum err socket_connected(int fd)
{
    int error = 0;
    socklen_t bytes = sizeof(error);

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &bytes) != 0) {
        FAIL_ERRNO(errno, "getsockopt");
    }
    if (error != 0) {
        FAIL_ERRNO(error, "connect");
    }
    return ERR_OK;
}

enum err socket_wait(int fd, enum socket_wait what, unsigned int timeout_ms)
{
    struct pollfd waiting = {.fd = fd, .events = what == SOCKET_WAIT_READ ? POLLIN : POLLOUT};
    const int ready = poll(&waiting, 1, timeout_ms > INT32_MAX ? INT32_MAX : (int)timeout_ms);

    ENSURE(ready != 0, ERR_TIMEOUT, "the other side takes too long");
    if (ready < 0 && errno != EINTR) {
        FAIL_ERRNO(errno, "poll");
    }
    return ERR_OK; /* after a signal as if ready: the caller then finds nothing, and waits again */
}

/* No fault trail in the three calls below: their errors are the daily bread of a reactor. */
enum err socket_receive(int fd, uint8_t *out_bytes, size_t max, size_t *out_len)
{
    const ssize_t got = recv(fd, out_bytes, max, MSG_DONTWAIT);

    if (got < 0) {
        return sys_err(errno);
    }
    if (got == 0) {
        return ERR_CLOSED;
    }
    *out_len = (size_t)got;
    return ERR_OK;
}

enum err socket_receive_datagram(int fd, uint8_t *out_bytes, size_t max, size_t *out_len)
{
    const ssize_t got = recv(fd, out_bytes, max, MSG_TRUNC); /* how long it was, not how much of it fits */

    if (got < 0) {
        return sys_err(errno);
    }
    if ((size_t)got > max) {
        return ERR_RANGE;
    }
    *out_len = (size_t)got;
    return ERR_OK;
}

enum err socket_send(int fd, struct span bytes, size_t *out_sent)
{
    const ssize_t sent = send(fd, bytes.data, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (sent < 0) {
        return sys_err(errno);
    }
    *out_sent = (size_t)sent;
    return ERR_OK;
}

void socket_shutdown_write(int fd)
{
    (void)shutdown(fd, SHUT_WR); /* fails only when the other side is gone */
}

void socket_abort_on_close(int fd)
{
    const struct linger linger = {.l_onoff = 1, .l_linger = 0};

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)); /* at worst the close is a polite one */
}

void socket_close(int fd)
{
    sys_close(fd);
}
