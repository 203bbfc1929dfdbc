/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An interface of the kernel, in a network namespace of this process. Where none can be made the tests are left out. */
#include "hal/interface.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "tests/lib/leave_out.h"

static int cable = -1; /* keeps "adm0"; -1: nothing can be tried here */

static int set_up_all(void **state)
{
    struct ifreq request = {.ifr_name = "adm0", .ifr_flags = IFF_TAP | IFF_NO_PI};

    cable = unshare(CLONE_NEWNET) == 0 ? open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC) : -1;
    if (cable < 0 || ioctl(cable, TUNSETIFF, &request) != 0) {
        cable = -1;
    }
    return 0;
}

static void need_cable(void)
{
    if (cable < 0) {
        leave_out("no network namespace or no tap: it takes root and /dev/net/tun");
    }
}

static int forget(void **state)
{
    fault_clear();
    return 0;
}

static char setting_of(const char *what)
{
    char path[96];
    char value = '?';

    (void)snprintf(path, sizeof path, "/proc/sys/net/%s", what);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(read(fd, &value, 1), 1);
    (void)close(fd);
    return value;
}

/* What adm0 has: "192.0.2.9/255.255.255.0 ". */
static void addresses(char *out_text, size_t max)
{
    struct ifaddrs *list = NULL;
    size_t len = 0;

    out_text[0] = '\0';
    assert_int_equal(getifaddrs(&list), 0);
    for (const struct ifaddrs *each = list; each != NULL; each = each->ifa_next) {
        char ip[INET6_ADDRSTRLEN] = "IPv6";
        char mask[INET6_ADDRSTRLEN] = "";
        struct sockaddr_in in;
        if (strcmp(each->ifa_name, "adm0") != 0 || each->ifa_addr == NULL || each->ifa_addr->sa_family == AF_PACKET) {
            continue;
        }
        if (each->ifa_addr->sa_family == AF_INET) {
            memcpy(&in, each->ifa_addr, sizeof in);
            (void)inet_ntop(AF_INET, &in.sin_addr, ip, sizeof ip);
            memcpy(&in, each->ifa_netmask, sizeof in);
            (void)inet_ntop(AF_INET, &in.sin_addr, mask, sizeof mask);
        }
        len += (size_t)snprintf(out_text + len, max - len, "%s/%s%s ", ip, mask, (each->ifa_flags & IFF_UP) != 0 ? "" : " down");
    }
    freeifaddrs(list);
}

static void interface_open_gives_it_the_one_address_and_no_ipv6(void **state)
{
    char has[256];
    need_cable();

    assert_int_equal(hal_interface_open("adm0", span_lit("192.0.2.9"), 24), ERR_OK);
    addresses(has, sizeof has);
    assert_string_equal(has, "192.0.2.9/255.255.255.0 ");
    assert_int_equal(hal_interface_open("adm0", span_lit("198.51.100.1"), 30), ERR_OK); /* once more, another one */

    addresses(has, sizeof has);
    assert_string_equal(has, "198.51.100.1/255.255.255.252 ");
    assert_int_equal(setting_of("ipv6/conf/adm0/disable_ipv6"), '1');
    assert_int_equal(setting_of("ipv4/conf/adm0/arp_ignore"), '1');
    assert_int_equal(setting_of("ipv4/conf/adm0/rp_filter"), '1');
}

static void interface_open_refuses_what_is_none(void **state)
{
    need_cable();

    assert_int_equal(hal_interface_open("adm9", span_lit("192.0.2.9"), 24), ERR_NOT_FOUND);
    assert_int_equal(hal_interface_open("", span_lit("192.0.2.9"), 24), ERR_MALFORMED);
    assert_int_equal(hal_interface_open("../adm0", span_lit("192.0.2.9"), 24), ERR_MALFORMED);
    assert_int_equal(hal_interface_open("a-name-that-is-long", span_lit("192.0.2.9"), 24), ERR_MALFORMED);
    assert_int_equal(hal_interface_open("adm0", span_lit("2001:db8::1"), 24), ERR_MALFORMED);
    assert_int_equal(hal_interface_open("adm0", span_lit("nowhere"), 24), ERR_MALFORMED);
    assert_int_equal(hal_interface_open("adm0", span_lit("192.0.2.9"), 0), ERR_RANGE);
    assert_int_equal(hal_interface_open("adm0", span_lit("192.0.2.9"), 31), ERR_RANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(interface_open_gives_it_the_one_address_and_no_ipv6, forget),
        cmocka_unit_test_teardown(interface_open_refuses_what_is_none, forget),
    };

    return cmocka_run_group_tests(tests, set_up_all, NULL);
}
