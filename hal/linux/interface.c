/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernel answers for any of its addresses on any interface. What keeps it to this one's: ARP for no other (arp_ignore
 * 1), and nothing from sources that are not found this way (rp_filter 1). IPv6 is switched off before the interface is up,
 * so that it never has an address. */
#include "hal/interface.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "hal/linux/interface_int.h"
#include "hal/linux/sys_int.h"
#include "hal/socket.h"

#define PATH_BYTES 96
#define PREFIX_MAX 30

static const struct interface_setting own_settings[] = {
    {"ipv6", "disable_ipv6", "1"}, {"ipv4", "arp_ignore", "1"}, {"ipv4", "rp_filter", "1"}};

bool interface_is_name(const char *name)
{
    const size_t len = strnlen(name, IFNAMSIZ);

    return len != 0 && len < IFNAMSIZ && name[0] != '.' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == len;
}

static enum err set_one(const char *interface, const struct interface_setting *setting)
{
    char path[PATH_BYTES];
    const int len = snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", setting->family, interface, setting->name);

    INVARIANT(len > 0 && (size_t)len < sizeof(path));
    SCOPED_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && strcmp(setting->family, "ipv6") == 0) {
        return ERR_OK;
    }
    if (fd < 0 || write(fd, setting->value, strlen(setting->value)) < 0) {
        FAIL(ERR_REFUSED, "a setting of an interface", errno);
    }
    return ERR_OK;
}

enum err interface_set(const char *interface, const struct interface_setting *settings, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        TRY(set_one(interface, &settings[i]));
    }
    return ERR_OK;
}

struct ifreq interface_request(const char *interface)
{
    struct ifreq request = {0};

    memcpy(request.ifr_name, interface, strlen(interface)); /* interface_is_name() */
    return request;
}

enum err interface_ask(int fd, unsigned long what, struct ifreq *request)
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
    return interface_ask(fd, what, request);
}

enum err hal_interface_open(const char *interface, struct span address, unsigned int prefix)
{
    SCOPED_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct socket_address ip = {.family = SOCKET_IPV4};
    uint32_t number = 0;

    ENSURE(interface_is_name(interface), ERR_MALFORMED, "the name of an interface");
    TRY(socket_address_parse(address, &ip));
    ENSURE(ip.family == SOCKET_IPV4, ERR_MALFORMED, "an IPv4 address");
    ENSURE(prefix >= 1 && prefix <= PREFIX_MAX, ERR_RANGE, "an IPv4 prefix");
    if (fd < 0) {
        FAIL_ERRNO(errno, "socket");
    }
    struct ifreq request = interface_request(interface);
    TRY(interface_ask(fd, SIOCGIFFLAGS, &request));
    const short flags = request.ifr_flags;
    TRY(interface_set(interface, own_settings, ARRAY_LENGTH(own_settings)));
    memcpy(&number, ip.ip, sizeof(number));
    TRY(set_address(fd, &request, SIOCSIFADDR, ntohl(number)));
    TRY(set_address(fd, &request, SIOCSIFNETMASK, UINT32_MAX << (32 - prefix)));
    request.ifr_flags = (short)(flags | IFF_UP);
    return interface_ask(fd, SIOCSIFFLAGS, &request);
}
