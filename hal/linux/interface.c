/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernel answers for any of its addresses on any interface. What keeps it to this one's: ARP for no other (arp_ignore
 * 1), and nothing from sources that are not found this way (rp_filter 1). IPv6 is switched off before the interface is up,
 * so that it never has an address. */
#include "hal/interface.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "hal/linux/sys_int.h"
#include "hal/socket.h"

#define PATH_BYTES 96
#define PREFIX_MAX 30

static const struct {
    const char *folder;
    const char *name;
    const char *value;
} settings[] = {
    {"/proc/sys/net/ipv6/conf", "disable_ipv6", "1"}, /* not there in a kernel without IPv6 */
    {"/proc/sys/net/ipv4/conf", "arp_ignore", "1"},
    {"/proc/sys/net/ipv4/conf", "rp_filter", "1"},
};

static bool is_name(const char *name)
{
    const size_t len = strnlen(name, IFNAMSIZ);

    return len != 0 && len < IFNAMSIZ && strcspn(name, "/%: ") == len && name[0] != '.';
}

static enum err set(const char *interface, size_t which)
{
    char path[PATH_BYTES];

    (void)snprintf(path, sizeof(path), "%s/%s/%s", settings[which].folder, interface, settings[which].name); /* it fits */
    SCOPED_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && which == 0) {
        return ERR_OK;
    }
    if (fd < 0 || write(fd, settings[which].value, 1) != 1) {
        FAIL_ERRNO(errno, "a setting of an interface");
    }
    return ERR_OK;
}

static enum err ask(int fd, unsigned long what, struct ifreq *request)
{
    if (ioctl(fd, what, request) != 0) {
        const int error = errno;
        FAIL(error == ENODEV ? ERR_NOT_FOUND : (error == EPERM ? ERR_REFUSED : sys_err(error)), "an interface", error);
    }
    return ERR_OK;
}

static enum err set_address(int fd, struct ifreq *request, unsigned long what, uint32_t address)
{
    const struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(address)}};

    memcpy(&request->ifr_addr, &in, sizeof(in));
    return ask(fd, what, request);
}

enum err hal_interface_open(const char *interface, struct span address, unsigned int prefix)
{
    SCOPED_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {0};
    struct socket_address ip = {.family = SOCKET_IPV4};
    uint32_t number = 0;

    ENSURE(is_name(interface), ERR_MALFORMED, "the name of an interface");
    TRY(socket_address_parse(address, &ip));
    ENSURE(ip.family == SOCKET_IPV4, ERR_MALFORMED, "an IPv4 address");
    ENSURE(prefix >= 1 && prefix <= PREFIX_MAX, ERR_RANGE, "an IPv4 prefix");
    if (fd < 0) {
        FAIL_ERRNO(errno, "socket");
    }
    memcpy(request.ifr_name, interface, strlen(interface)); /* is_name() */
    TRY(ask(fd, SIOCGIFFLAGS, &request));
    const short flags = request.ifr_flags;
    for (size_t i = 0; i < ARRAY_LENGTH(settings); i++) {
        TRY(set(interface, i));
    }
    memcpy(&number, ip.ip, sizeof(number));
    TRY(set_address(fd, &request, SIOCSIFADDR, ntohl(number)));
    TRY(set_address(fd, &request, SIOCSIFNETMASK, UINT32_MAX << (32 - prefix)));
    request.ifr_flags = (short)(flags | IFF_UP);
    TRY(ask(fd, SIOCSIFFLAGS, &request));
    return ERR_OK;
}
