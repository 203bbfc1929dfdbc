/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hal/resolve.h"

#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "hal/base/fault.h"

static enum err from_resolver(int code)
{
    switch (code) {
    case EAI_MEMORY:
        return ERR_NO_MEMORY;
    case EAI_AGAIN:
    case EAI_SYSTEM:
        return ERR_TIMEOUT;
    default: /* some ten ways of saying that there is none */
        return ERR_NOT_FOUND;
    }
}

/* Copies and no casts: what it points at has the alignment of no particular type. */
static bool take_address(const struct addrinfo *each, uint16_t port, struct socket_address *out_address)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    *out_address = (struct socket_address){.family = SOCKET_IPV4, .port = port};
    if (each->ai_family == AF_INET && each->ai_addrlen == sizeof(v4)) {
        memcpy(&v4, each->ai_addr, sizeof(v4));
        memcpy(out_address->ip, &v4.sin_addr, sizeof(v4.sin_addr));
        return true;
    }
    if (each->ai_family == AF_INET6 && each->ai_addrlen == sizeof(v6)) {
        memcpy(&v6, each->ai_addr, sizeof(v6));
        memcpy(out_address->ip, &v6.sin6_addr, sizeof(v6.sin6_addr));
        out_address->family = SOCKET_IPV6;
        return true;
    }
    return false;
}

enum err resolve_name(struct span name, uint16_t port, size_t max, struct socket_address *out_addresses,
                      size_t *out_count)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    char text[RESOLVE_NAME_MAX + 1] = {0};
    size_t count = 0;

    ENSURE(name.len != 0 && name.len <= RESOLVE_NAME_MAX, ERR_RANGE, "not the length of a name");
    memcpy(text, name.data, name.len);
    const int code = getaddrinfo(text, NULL, &hints, &list);
    if (code != 0) {
        FAIL(from_resolver(code), "getaddrinfo", code);
    }
    for (const struct addrinfo *each = list; each != NULL && count < max; each = each->ai_next) {
        count += take_address(each, port, &out_addresses[count]) ? 1u : 0u;
    }
    freeaddrinfo(list);
    ENSURE(count != 0, ERR_NOT_FOUND, "a name without addresses");
    *out_count = count;
    return ERR_OK;
}
