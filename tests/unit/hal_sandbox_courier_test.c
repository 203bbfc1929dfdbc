/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The courier's sandbox, tried from inside: the one that may connect to others. What no process may is in
 * hal_sandbox_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/process.h"
#include "hal/resolve.h"
#include "hal/socket.h"
#include "tests/lib/leave_out.h"
#include "tests/lib/sandboxed.h"

static int do_socket(const struct inside *inside)
{
    return refused_or_not(socket(AF_INET, SOCK_STREAM, 0));
}

static int do_connect(const struct inside *inside)
{
    const union {
        struct sockaddr_in in;
        struct sockaddr any;
    } address = {.in = {.sin_family = AF_INET, .sin_port = htons(inside->port), .sin_addr = {htonl(INADDR_LOOPBACK)}}};

    return refused_or_not(connect(inside->listener, &address.any, sizeof(address.in)));
}

/* What only the courier may. */
static void assert_forbidden_to_others(action *does)
{
    assert_forbidden_for(SANDBOX_WORKER, does);
    assert_forbidden_for(SANDBOX_KEEPER, does);
    assert_forbidden_for(SANDBOX_COURIER_INSIDE, does);
}

static void only_the_courier_makes_sockets_and_connects_out(void **state)
{
    assert_forbidden_to_others(do_socket);
    assert_forbidden_to_others(do_connect);
}

/* --- the courier's --- */

static int do_connect_to_a_listed_port(const struct inside *inside)
{
    const struct socket_address address = {.family = SOCKET_IPV4, .ip = {127, 0, 0, 1}, .port = inside->port};
    int fd = -1;
    const bool works = socket_connect(&address, &fd) == ERR_OK && socket_wait(fd, SOCKET_WAIT_WRITE, 10000) == ERR_OK &&
                       socket_connected(fd) == ERR_OK;

    return works ? CHILD_OK : CHILD_FAILED;
}

static int do_connect_to_another_port(const struct inside *inside)
{
    const union {
        struct sockaddr_in in;
        struct sockaddr any;
    } address = {.in = {.sin_family = AF_INET, /* whether anybody listens there or not */
                        .sin_port = htons((uint16_t)(inside->port ^ 1)),
                        .sin_addr = {htonl(INADDR_LOOPBACK)}}};

    return refused_or_not(connect(socket(AF_INET, SOCK_STREAM, 0), &address.any, sizeof(address.in)));
}

static int do_resolve(const struct inside *inside)
{
    struct socket_address addresses[4];
    size_t count = 0;

    const enum err err = resolve_name(span_lit("localhost"), 7, 4, addresses, &count);
    if (err != ERR_OK) {
        log_fault(LOG_ERROR, "inside");
    }
    return err == ERR_OK && count != 0 && addresses[0].port == 7 ? CHILD_OK : CHILD_FAILED;
}

static int do_local_socket(const struct inside *inside)
{
    const int result = socket(AF_UNIX, SOCK_STREAM, 0);

    return result < 0 && errno == EAFNOSUPPORT ? CHILD_REFUSED : refused_or_not(result);
}

static int do_netlink_socket(const struct inside *inside)
{
    const int result = socket(AF_NETLINK, SOCK_RAW, 0);

    return result < 0 && errno == EAFNOSUPPORT ? CHILD_REFUSED : refused_or_not(result);
}

static int do_packet_socket(const struct inside *inside)
{
    return refused_or_not(socket(AF_PACKET, SOCK_DGRAM, 0));
}

static int do_raw_socket(const struct inside *inside)
{
    return refused_or_not(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
}

/* Whether this kernel has it or not. */
static int do_multipath_socket(const struct inside *inside)
{
    return refused_or_not(socket(AF_INET, SOCK_STREAM, 262)); /* IPPROTO_MPTCP */
}

static int do_sctp_socket(const struct inside *inside)
{
    return refused_or_not(socket(AF_INET6, SOCK_STREAM, IPPROTO_SCTP));
}

static int do_ping_socket(const struct inside *inside)
{
    return refused_or_not(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
}

static int do_bind(const struct inside *inside)
{
    const union {
        struct sockaddr_in in;
        struct sockaddr any;
    } address = {.in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}}};

    return refused_or_not(bind(socket(AF_INET, SOCK_STREAM, 0), &address.any, sizeof(address.in)));
}

static int do_listen(const struct inside *inside)
{
    return refused_or_not(listen(socket(AF_INET, SOCK_STREAM, 0), 1));
}

static int do_accept_one(const struct inside *inside)
{
    return refused_or_not(accept4(inside->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
}

static int do_read_the_directory(const struct inside *inside)
{
    return refused_or_not(openat(inside->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int do_create_in_the_directory(const struct inside *inside)
{
    return refused_or_not(openat(inside->dir_fd, "new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static int do_write_names(const struct inside *inside)
{
    return refused_or_not(open("/etc/hosts", O_WRONLY | O_CLOEXEC));
}

static int do_remove(const struct inside *inside)
{
    return refused_or_not(unlinkat(inside->dir_fd, "x", 0));
}

static void the_courier_connects_to_its_ports_and_to_no_other(void **state)
{
    assert_allowed(SANDBOX_COURIER, do_connect_to_a_listed_port);
    if (syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) < 4) {
        leave_out("Landlock of this kernel knows no ports");
    }
    assert_forbidden_for(SANDBOX_COURIER, do_connect_to_another_port);
}

static void the_courier_takes_no_connections_and_has_no_other_sockets(void **state)
{
    assert_forbidden_for(SANDBOX_COURIER, do_bind);
    assert_forbidden_for(SANDBOX_COURIER, do_listen);
    assert_forbidden_for(SANDBOX_COURIER, do_accept_one);
    assert_forbidden_for(SANDBOX_COURIER, do_local_socket);
    assert_forbidden_for(SANDBOX_COURIER, do_netlink_socket);
    assert_forbidden_for(SANDBOX_COURIER, do_packet_socket);
    assert_forbidden_for(SANDBOX_COURIER, do_raw_socket);
}

static void streams_that_landlock_does_not_know_are_refused_to_the_courier(void **state)
{
    assert_forbidden_for(SANDBOX_COURIER, do_multipath_socket);
    assert_forbidden_for(SANDBOX_COURIER, do_sctp_socket);
    assert_forbidden_for(SANDBOX_COURIER, do_ping_socket);
}

static void the_courier_has_no_directory_and_writes_no_file(void **state)
{
    assert_forbidden_for(SANDBOX_COURIER, do_read_the_directory);
    assert_forbidden_for(SANDBOX_COURIER, do_create_in_the_directory);
    assert_forbidden_for(SANDBOX_COURIER, do_write_names);
    assert_forbidden_for(SANDBOX_COURIER, do_remove);
}

static void the_courier_resolves_names_and_has_threads(void **state)
{
    assert_allowed(SANDBOX_COURIER, do_resolve);
    assert_allowed(SANDBOX_COURIER, sandboxed_thread);
}

/* --- the courier's for whom the worker connects --- */

static int do_hand_out_a_pair(const struct inside *inside)
{
    int ends[2];
    uint8_t byte = 0;
    size_t len = 0;

    if (socket_pair(SOCKET_PAIR_BYTES, ends) != ERR_OK || channel_send(ends[0], span_lit("x"), &ends[1], 1) != ERR_OK) {
        return CHILD_FAILED;
    }
    return socket_receive(ends[1], &byte, 1, &len) == ERR_OK && byte == 'x' ? CHILD_OK : CHILD_FAILED;
}

static int do_internet_pair(const struct inside *inside)
{
    int ends[2];

    return refused_or_not(socketpair(AF_INET, SOCK_STREAM, 0, ends));
}

static int do_read_names(const struct inside *inside)
{
    return refused_or_not(open("/etc/hosts", O_RDONLY));
}

static void the_courier_inside_hands_out_pairs_and_nobody_else_makes_them(void **state)
{
    assert_allowed(SANDBOX_COURIER_INSIDE, do_hand_out_a_pair);
    assert_allowed(SANDBOX_COURIER_INSIDE, sandboxed_thread);
    assert_forbidden_for(SANDBOX_COURIER_INSIDE, do_internet_pair);
    assert_forbidden_for(SANDBOX_WORKER, do_hand_out_a_pair);
    assert_forbidden_for(SANDBOX_KEEPER, do_hand_out_a_pair);
    assert_forbidden_for(SANDBOX_COURIER, do_hand_out_a_pair);
}

static void the_courier_inside_has_no_way_out_and_opens_no_file(void **state)
{
    assert_forbidden_for(SANDBOX_COURIER_INSIDE, do_connect_to_a_listed_port);
    assert_forbidden_for(SANDBOX_COURIER_INSIDE, do_read_names);
    assert_forbidden_for(SANDBOX_COURIER_INSIDE, do_read_the_directory);
    assert_forbidden_for(SANDBOX_COURIER_INSIDE, do_create_in_the_directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_courier_makes_sockets_and_connects_out),
        cmocka_unit_test(the_courier_connects_to_its_ports_and_to_no_other),
        cmocka_unit_test(the_courier_resolves_names_and_has_threads),
        cmocka_unit_test(the_courier_takes_no_connections_and_has_no_other_sockets),
        cmocka_unit_test(streams_that_landlock_does_not_know_are_refused_to_the_courier),
        cmocka_unit_test(the_courier_has_no_directory_and_writes_no_file),
        cmocka_unit_test(the_courier_inside_hands_out_pairs_and_nobody_else_makes_them),
        cmocka_unit_test(the_courier_inside_has_no_way_out_and_opens_no_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
