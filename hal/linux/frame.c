/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which interface, and keeping the kernel's hands off it.
 *
 * Without an address the kernel answers nothing that is sent to this interface. Three things it would do all the same, and
 * what stops them: give itself a link-local address and answer neighbours (disable_ipv6; addr_gen_mode for the day when
 * somebody switches IPv6 on again), answer ARP for the addresses of other interfaces (IFF_NOARP, arp_ignore 8), take
 * packets for those addresses (rp_filter 1: no source can be reached through an interface without addresses, so all of IPv4
 * is dropped; IPv6 is by disable_ipv6). */
#include "hal/frame.h"

#include <errno.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "hal/base/num.h"
#include "hal/linux/frame_int.h"
#include "hal/linux/interface_int.h"
#include "hal/linux/sys_int.h"
#include "hal/socket.h"

#define TAP_PREFIX    "tap:"
#define ADDRESSES_MAX 64 /* of one interface that are taken away: more has none */

static const struct interface_setting settings[] = {
    {"ipv6", "disable_ipv6", "1"}, {"ipv6", "addr_gen_mode", "1"}, {"ipv6", "accept_ra", "0"},
    {"ipv4", "rp_filter", "1"},    {"ipv4", "arp_ignore", "8"},    {"ipv4", "forwarding", "0"},
};

/* One at a time, the first of those that are left. */
static enum err take_addresses(int fd, const char *interface)
{
    for (size_t i = 0; i < ADDRESSES_MAX; i++) {
        struct ifreq request = interface_request(interface);

        if (ioctl(fd, SIOCGIFADDR, &request) != 0) {
            ENSURE(errno == EADDRNOTAVAIL, ERR_IO, "the addresses of the interface");
            return ERR_OK;
        }
        struct sockaddr_in none = {.sin_family = AF_INET};
        memcpy(&request.ifr_addr, &none, sizeof(none));
        TRY(interface_ask(fd, SIOCSIFADDR, &request));
    }
    FAIL(ERR_IO, "an interface that has more and more addresses", 0);
}

enum err hal_frame_quiet(const char *interface)
{
    ENSURE(interface_is_name(interface), ERR_MALFORMED, "the name of an interface");
    SCOPED_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = interface_request(interface);

    if (fd < 0) {
        FAIL_ERRNO(errno, "socket");
    }
    TRY(interface_ask(fd, SIOCGIFFLAGS, &request));
    TRY(interface_set(interface, settings, ARRAY_LENGTH(settings)));
    TRY(take_addresses(fd, interface));
    request.ifr_flags = (short)(request.ifr_flags | IFF_UP | IFF_NOARP);
    TRY(interface_ask(fd, SIOCSIFFLAGS, &request));
    return ERR_OK;
}

enum err frame_look_at(const char *name, struct hal_frame_about *about)
{
    SCOPED_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = interface_request(name);

    if (fd < 0) {
        FAIL_ERRNO(errno, "socket");
    }
    TRY(interface_ask(fd, SIOCGIFHWADDR, &request));
    ENSURE(request.ifr_hwaddr.sa_family == ARPHRD_ETHER, ERR_UNSUPPORTED, "an interface that is not Ethernet");
    memcpy(about->mac, request.ifr_hwaddr.sa_data, HAL_FRAME_MAC_BYTES);
    request = interface_request(name);
    TRY(interface_ask(fd, SIOCGIFMTU, &request));
    ENSURE(request.ifr_mtu >= HAL_FRAME_MTU_MIN, ERR_UNSUPPORTED, "an MTU that is too small");
    about->mtu = (uint16_t)num_min((size_t)request.ifr_mtu, HAL_FRAME_MTU_MAX);
    return ERR_OK;
}

enum err frame_write(int fd, const struct span *parts, size_t count)
{
    struct iovec vector[HAL_FRAME_PARTS_MAX];

    if (count > HAL_FRAME_PARTS_MAX) {
        return ERR_RANGE;
    }
    for (size_t i = 0; i < count; i++) {
        vector[i].iov_base = (void *)(uintptr_t)parts[i].data; /* writev only reads */
        vector[i].iov_len = parts[i].len;
    }
    if (writev(fd, vector, (int)count) >= 0) {
        return ERR_OK;
    }
    switch (errno) {
    case EMSGSIZE:
        return ERR_RANGE;
    case EAGAIN:
    case ENOBUFS:
    case ENOMEM:
    case ENETDOWN:
    case EIO: /* a tap that is down */
    case EINTR:
        return ERR_AGAIN;
    default:
        return ERR_IO;
    }
}

enum err hal_frame_open(const char *spec, struct hal_frame_about *out_about, int *out_fd)
{
    const size_t prefix = sizeof(TAP_PREFIX) - 1;
    const bool is_tap = strncmp(spec, TAP_PREFIX, prefix) == 0;
    const char *const name = is_tap ? spec + prefix : spec;

    ENSURE(interface_is_name(name), ERR_MALFORMED, "the name of an interface");
    if (is_tap) {
        TRY(frame_tap_open(name, out_about, out_fd));
        return ERR_OK;
    }
    TRY(hal_frame_quiet(name));
    TRY(frame_packet_open(name, out_about, out_fd));
    return ERR_OK;
}

enum err hal_frame_take(int take_fd, const struct hal_frame_about *about, struct hal_frame **out_frame)
{
    return about->kind == HAL_FRAME_TAP ? frame_tap_take(take_fd, about, out_frame)
                                        : frame_packet_take(take_fd, about, out_frame);
}
