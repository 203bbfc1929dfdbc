/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sockets and the poller together: who waits, what is there, who is gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "hal/poller.h"
#include "hal/socket.h"
#include "tests/lib/leave_out.h"

#define WAIT_MS 20000

static const struct socket_listen loopback = {.address = {.family = SOCKET_IPV4, .ip = {127, 0, 0, 1}}, .backlog = 8};

static int client_of(const struct socket_address *address)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const union {
        struct sockaddr_in in;
        struct sockaddr any;
    } to = {.in = {.sin_family = AF_INET, .sin_port = htons(address->port), .sin_addr = {htonl(INADDR_LOOPBACK)}}};

    assert_int_equal(connect(fd, &to.any, sizeof(to.in)), 0);
    return fd;
}

static void assert_same_host(const struct socket_address *a, const struct socket_address *b)
{
    assert_int_equal(a->family, b->family);
    assert_memory_equal(a->ip, b->ip, sizeof(a->ip));
}

static unsigned int ready_of(int fd, unsigned int interest)
{
    SCOPED_POLLER struct poller *poller = NULL;
    struct poller_event event = {.ready = 0};
    size_t count = 0;

    assert_int_equal(poller_new(&poller), ERR_OK);
    assert_int_equal(poller_add(poller, fd, interest, &count), ERR_OK);
    assert_int_equal(poller_wait(poller, WAIT_MS, &event, 1, &count), ERR_OK);
    return count == 1 ? event.ready : 0;
}

static void addresses_are_read_and_written(void **state)
{
    static const char *const texts[] = {"127.0.0.1", "0.0.0.0", "255.255.255.255", "::", "::1", "2001:db8::17"};
    char text[SOCKET_ADDRESS_TEXT_MAX];
    size_t len = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct socket_address address;
        assert_int_equal(socket_address_parse(span_str(texts[i]), &address), ERR_OK);
        socket_address_format(&address, text, &len);
        assert_string_equal(text, texts[i]);
        assert_int_equal(len, strlen(texts[i]));
    }
}

/* Between the members of an address, and behind four bytes of IPv4, lies whatever was there before. */
static void addresses_are_the_same_by_their_members_alone(void **state)
{
    static const struct {
        const char *a, *b;
        uint16_t a_port, b_port;
        bool same;
    } cases[] = {
        {"192.0.2.1", "192.0.2.1", 443, 443, true},      {"192.0.2.1", "192.0.2.1", 443, 80, false},
        {"192.0.2.1", "192.0.2.2", 443, 443, false},     {"2001:db8::1", "2001:db8::1", 443, 443, true},
        {"2001:db8::1", "2001:db8::2", 443, 443, false}, {"1.0.0.0", "100::", 443, 443, false},
    };
    struct socket_address a;
    struct socket_address b;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct socket_address read;
        memset(&a, 0x00, sizeof(a));
        memset(&b, 0xff, sizeof(b));
        assert_int_equal(socket_address_parse(span_str(cases[i].a), &read), ERR_OK);
        a.family = read.family;
        a.port = cases[i].a_port;
        memcpy(a.ip, read.ip, sizeof(a.ip));
        assert_int_equal(socket_address_parse(span_str(cases[i].b), &read), ERR_OK);
        b.family = read.family;
        b.port = cases[i].b_port;
        memcpy(b.ip, read.ip, b.family == SOCKET_IPV4 ? 4 : sizeof(b.ip));

        assert_int_equal(socket_address_equal(&a, &b), cases[i].same);
    }
}

static void what_is_no_address_is_refused(void **state)
{
    static const char *const texts[] = {"", "localhost", "127.0.0.1:80", "[::1]", "127.1", "1.2.3.4.5", ":::", "::1 "};
    const struct span with_nul = {(const uint8_t *)"127.0.0.1\0x", 11};
    struct socket_address address;

    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        assert_int_equal(socket_address_parse(span_str(texts[i]), &address), ERR_MALFORMED);
    }
    assert_int_equal(socket_address_parse(with_nul, &address), ERR_MALFORMED);
}

static void port_zero_gives_a_free_port_and_bytes_cross(void **state)
{
    SCOPED_FD int listener = -1;
    SCOPED_FD int server = -1;
    struct socket_address bound;
    struct socket_address peer;
    uint8_t bytes[16];
    size_t len = 0;
    assert_int_equal(socket_listen(&loopback, &listener, &bound), ERR_OK);
    assert_int_not_equal(bound.port, 0);
    assert_int_equal(socket_accept(listener, &server, &peer), ERR_AGAIN);
    SCOPED_FD int client = client_of(&bound);

    assert_int_equal(ready_of(listener, POLLER_READ), POLLER_READ);
    assert_int_equal(socket_accept(listener, &server, &peer), ERR_OK);
    assert_same_host(&peer, &bound);
    assert_int_equal(socket_receive(server, bytes, sizeof(bytes), &len), ERR_AGAIN);
    assert_int_equal(send(client, "hello", 5, 0), 5);
    assert_int_equal(ready_of(server, POLLER_READ), POLLER_READ);
    assert_int_equal(socket_receive(server, bytes, sizeof(bytes), &len), ERR_OK);
    assert_int_equal(len, 5);
    assert_int_equal(socket_send(server, span_lit("one two"), &len), ERR_OK);
    assert_int_equal(len, 7);
    assert_int_equal(recv(client, bytes, 7, MSG_WAITALL), 7);
    assert_memory_equal(bytes, "one two", 7);
}

/* As the supervisor does to the sockets that its worker accepts from. */
static void a_listener_that_refuses_does_so_for_every_holder_of_it(void **state)
{
    SCOPED_FD int listener = -1;
    SCOPED_FD int server = -1;
    SCOPED_FD int late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct socket_address bound;
    struct socket_address peer;
    assert_int_equal(socket_listen(&loopback, &listener, &bound), ERR_OK);
    SCOPED_FD int of_another = dup(listener);
    SCOPED_FD int waiting = client_of(&bound);
    const union {
        struct sockaddr_in in;
        struct sockaddr any;
    } to = {.in = {.sin_family = AF_INET, .sin_port = htons(bound.port), .sin_addr = {htonl(INADDR_LOOPBACK)}}};

    socket_refuse(listener);

    assert_int_equal(connect(late, &to.any, sizeof(to.in)), -1);
    assert_int_equal(errno, ECONNREFUSED);
    assert_int_not_equal(ready_of(waiting, POLLER_READ) & POLLER_CLOSED, 0);
    assert_int_equal(socket_accept(of_another, &server, &peer), ERR_CLOSED);
}

static void an_end_and_a_reset_are_told_as_closed(void **state)
{
    SCOPED_FD int listener = -1;
    struct socket_address bound;
    struct socket_address peer;
    uint8_t bytes[16];
    size_t len = 0;
    assert_int_equal(socket_listen(&loopback, &listener, &bound), ERR_OK);

    for (int abort_it = 0; abort_it < 2; abort_it++) {
        SCOPED_FD int server = -1;
        const int client = client_of(&bound);
        assert_int_not_equal(ready_of(listener, POLLER_READ), 0);
        assert_int_equal(socket_accept(listener, &server, &peer), ERR_OK);
        if (abort_it == 1) {
            socket_abort_on_close(client);
        }
        socket_close(client);
        assert_int_not_equal(ready_of(server, POLLER_READ | POLLER_ENDED), 0);

        assert_int_equal(socket_receive(server, bytes, sizeof(bytes), &len), ERR_CLOSED);
    }
}

static void a_full_socket_says_so_and_never_raises_a_signal(void **state)
{
    SCOPED_FD int listener = -1;
    SCOPED_FD int server = -1;
    struct socket_address bound;
    struct socket_address peer;
    static uint8_t block[1 << 16];
    enum err got = ERR_OK;
    size_t len = 0;
    assert_int_equal(socket_listen(&loopback, &listener, &bound), ERR_OK);
    const int client = client_of(&bound);
    assert_int_not_equal(ready_of(listener, POLLER_READ), 0);
    assert_int_equal(socket_accept(listener, &server, &peer), ERR_OK);

    for (int i = 0; i < 1000 && got == ERR_OK; i++) {
        got = socket_send(server, span_array(block), &len);
    }
    assert_int_equal(got, ERR_AGAIN);
    socket_abort_on_close(client);
    socket_close(client);
    assert_int_not_equal(ready_of(server, POLLER_READ), 0);
    assert_int_equal(socket_send(server, span_array(block), &len), ERR_CLOSED);
    assert_int_equal(socket_send(server, span_array(block), &len), ERR_CLOSED);
}

static void listeners_share_a_port_only_when_all_ask_for_it(void **state)
{
    struct socket_listen shared = loopback;
    struct socket_address bound;
    SCOPED_FD int first = -1;
    SCOPED_FD int second = -1;
    SCOPED_FD int third = -1;
    shared.share_port = true;
    assert_int_equal(socket_listen(&shared, &first, &bound), ERR_OK);
    shared.address.port = bound.port;

    assert_int_equal(socket_listen(&shared, &second, &bound), ERR_OK);
    shared.share_port = false;
    assert_int_equal(socket_listen(&shared, &third, &bound), ERR_EXISTS);
    shared.address = (struct socket_address){.family = SOCKET_IPV4, .ip = {192, 0, 2, 1}};
    assert_int_equal(socket_listen(&shared, &third, &bound), ERR_NOT_FOUND);
}

/* By the kernel's word: a listener of ours that fails is no reason to pass over its test. */
static bool machine_has_ipv6(void)
{
    const union {
        struct sockaddr_in6 in;
        struct sockaddr any;
    } everywhere = {.in = {.sin6_family = AF_INET6}};
    SCOPED_FD int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    return fd >= 0 && bind(fd, &everywhere.any, sizeof(everywhere.in)) == 0;
}

static void an_ipv4_client_of_an_ipv6_listener_is_seen_as_ipv4(void **state)
{
    const struct socket_listen both = {.address = {.family = SOCKET_IPV6}, .backlog = 8};
    SCOPED_FD int listener = -1;
    SCOPED_FD int server = -1;
    struct socket_address bound;
    struct socket_address peer;
    if (!machine_has_ipv6()) {
        leave_out("no IPv6 on this machine");
    }
    assert_int_equal(socket_listen(&both, &listener, &bound), ERR_OK);
    SCOPED_FD int client = client_of(&bound);
    assert_int_not_equal(ready_of(listener, POLLER_READ), 0);

    assert_int_equal(socket_accept(listener, &server, &peer), ERR_OK);

    assert_same_host(&peer, &loopback.address);
    assert_int_not_equal(client, -1);
}

static void the_poller_reports_what_was_asked_and_forgets_what_was_removed(void **state)
{
    SCOPED_POLLER struct poller *poller = NULL;
    SCOPED_FD int wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    struct poller_event event;
    size_t count = 0;
    int first = 0;
    int second = 0;
    assert_int_equal(poller_new(&poller), ERR_OK);

    assert_int_equal(poller_set(poller, wake, POLLER_READ, &first), ERR_NOT_FOUND);
    assert_int_equal(poller_add(poller, wake, POLLER_READ, &first), ERR_OK);
    assert_int_equal(poller_add(poller, wake, POLLER_READ, &first), ERR_EXISTS);
    assert_int_equal(poller_wait(poller, 0, &event, 1, &count), ERR_OK);
    assert_int_equal(count, 0);
    assert_int_equal(eventfd_write(wake, 1), 0);
    assert_int_equal(poller_wait(poller, WAIT_MS, &event, 1, &count), ERR_OK);
    assert_int_equal(count, 1);
    assert_ptr_equal(event.context, &first);
    assert_int_equal(event.ready, POLLER_READ);
    assert_int_equal(poller_set(poller, wake, POLLER_WRITE, &second), ERR_OK);
    assert_int_equal(poller_wait(poller, WAIT_MS, &event, 1, &count), ERR_OK);
    assert_ptr_equal(event.context, &second);
    assert_int_equal(event.ready, POLLER_WRITE);
    assert_int_equal(poller_set(poller, wake, 0, &second), ERR_OK);
    assert_int_equal(poller_wait(poller, 0, &event, 1, &count), ERR_OK);
    assert_int_equal(count, 0);
    assert_int_equal(poller_remove(poller, wake), ERR_OK);
    assert_int_equal(poller_remove(poller, wake), ERR_NOT_FOUND);
    assert_int_equal(poller_wait(poller, 0, &event, 0, &count), ERR_RANGE);
}

static void socket_local_addresses_gives_what_others_can_reach(void **state)
{
    struct socket_address addresses[4];
    size_t count = 99;

    assert_int_equal(socket_local_addresses(4, addresses, &count), ERR_OK);

    assert_true(count <= 4);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(addresses[i].port, 0);
        if (addresses[i].family == SOCKET_IPV4) {
            assert_int_not_equal(addresses[i].ip[0], 127);
        } else {
            assert_false(addresses[i].ip[0] == 0xfe && (addresses[i].ip[1] & 0xc0) == 0x80);
        }
    }
    assert_int_equal(socket_local_addresses(0, addresses, &count), ERR_OK);
    assert_int_equal(count, 0);
}

static void a_connection_is_there_when_the_socket_can_be_written_to(void **state)
{
    struct socket_address bound = {.port = 0};
    struct socket_address peer = {.port = 0};
    uint8_t byte = 0;
    size_t count = 0;
    SCOPED_FD int listener = -1;
    SCOPED_FD int client = -1;
    SCOPED_FD int server = -1;
    assert_int_equal(socket_listen(&loopback, &listener, &bound), ERR_OK);

    assert_int_equal(socket_connect(&bound, &client), ERR_OK);
    assert_int_equal(socket_wait(client, SOCKET_WAIT_WRITE, WAIT_MS), ERR_OK);
    assert_int_equal(socket_connected(client), ERR_OK);

    assert_int_equal(socket_wait(listener, SOCKET_WAIT_READ, WAIT_MS), ERR_OK);
    assert_int_equal(socket_accept(listener, &server, &peer), ERR_OK);
    assert_int_equal(socket_wait(client, SOCKET_WAIT_READ, 1), ERR_TIMEOUT);
    fault_clear();
    assert_int_equal(socket_send(server, span_lit("x"), &count), ERR_OK);
    assert_int_equal(socket_wait(client, SOCKET_WAIT_READ, WAIT_MS), ERR_OK);
    assert_int_equal(socket_receive(client, &byte, 1, &count), ERR_OK);
}

static void a_connection_to_where_nobody_listens_ends(void **state)
{
    struct socket_address bound = {.port = 0};
    SCOPED_FD int listener = -1;
    SCOPED_FD int client = -1;
    assert_int_equal(socket_listen(&loopback, &listener, &bound), ERR_OK);
    socket_refuse(listener); /* the port stays ours, so nobody else listens there either */

    enum err err = socket_connect(&bound, &client);
    err = err == ERR_OK ? socket_wait(client, SOCKET_WAIT_WRITE, WAIT_MS) : err;
    err = err == ERR_OK ? socket_connected(client) : err;

    assert_int_equal(err, ERR_CLOSED);
    fault_clear();
}

/* Bound to loopback, and who it is. */
static int datagram_peer(struct socket_address *out_address)
{
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    union {
        struct sockaddr_in in;
        struct sockaddr any;
    } at = {.in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}}};
    socklen_t len = sizeof(at.in);

    assert_int_equal(bind(fd, &at.any, len), 0);
    assert_int_equal(getsockname(fd, &at.any, &len), 0);
    *out_address = (struct socket_address){.family = SOCKET_IPV4, .ip = {127, 0, 0, 1}, .port = ntohs(at.in.sin_port)};
    return fd;
}

static void answer_datagram(int peer, const void *bytes, size_t len)
{
    uint8_t question[16];
    union {
        struct sockaddr_in in;
        struct sockaddr any;
    } from;
    socklen_t from_len = sizeof(from.in);

    assert_int_equal(recvfrom(peer, question, sizeof(question), 0, &from.any, &from_len), 5);
    assert_memory_equal(question, "hello", 5);
    assert_int_equal(sendto(peer, bytes, len, 0, &from.any, from_len), len);
}

static void datagrams_come_one_by_one_as_they_were_sent(void **state)
{
    struct socket_address address;
    SCOPED_FD int peer = datagram_peer(&address);
    SCOPED_FD int fd = -1;
    uint8_t bytes[8];
    size_t len = 77;

    assert_int_equal(socket_connect_datagrams(&address, &fd), ERR_OK);
    assert_int_equal(socket_receive_datagram(fd, bytes, sizeof(bytes), &len), ERR_AGAIN);
    for (size_t i = 0; i < 4; i++) {
        static const size_t lengths[] = {8, 0, 9, 3}; /* the third is longer than there is room */
        assert_int_equal(socket_send(fd, span_lit("hello"), &len), ERR_OK);
        answer_datagram(peer, "123456789", lengths[i]);
        len = 77;
        assert_int_equal(socket_wait(fd, SOCKET_WAIT_READ, WAIT_MS), ERR_OK);
        assert_int_equal(socket_receive_datagram(fd, bytes, sizeof(bytes), &len), i == 2 ? ERR_RANGE : ERR_OK);
        assert_int_equal(len, i == 2 ? 77 : lengths[i]);
    }
    assert_memory_equal(bytes, "123", 3);
}

static void datagrams_of_others_are_not_received(void **state)
{
    struct socket_address address;
    struct socket_address other_address;
    SCOPED_FD int peer = datagram_peer(&address);
    SCOPED_FD int other = datagram_peer(&other_address);
    SCOPED_FD int fd = -1;
    union {
        struct sockaddr_in in;
        struct sockaddr any;
    } here;
    socklen_t here_len = sizeof(here.in);
    uint8_t bytes[8];
    size_t len = 0;

    assert_int_equal(socket_connect_datagrams(&address, &fd), ERR_OK);
    assert_int_equal(getsockname(fd, &here.any, &here_len), 0);
    (void)sendto(other, "forged", 6, 0, &here.any, here_len); /* refused, or dropped */
    assert_int_equal(sendto(peer, "right", 5, 0, &here.any, here_len), 5);

    assert_int_equal(socket_wait(fd, SOCKET_WAIT_READ, WAIT_MS), ERR_OK);
    assert_int_equal(socket_receive_datagram(fd, bytes, sizeof(bytes), &len), ERR_OK);
    assert_int_equal(len, 5);
    assert_int_equal(socket_receive_datagram(fd, bytes, sizeof(bytes), &len), ERR_AGAIN);
}

static void a_datagram_to_where_nobody_listens_says_so(void **state)
{
    struct socket_address address;
    uint8_t bytes[8];
    size_t len = 0;
    SCOPED_FD int fd = -1;

    socket_close(datagram_peer(&address));
    assert_int_equal(socket_connect_datagrams(&address, &fd), ERR_OK);
    assert_int_equal(socket_send(fd, span_lit("hello"), &len), ERR_OK);
    assert_int_equal(socket_wait(fd, SOCKET_WAIT_READ, WAIT_MS), ERR_OK);
    assert_int_equal(socket_receive_datagram(fd, bytes, sizeof(bytes), &len), ERR_CLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(socket_local_addresses_gives_what_others_can_reach),
        cmocka_unit_test(addresses_are_read_and_written),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(addresses_are_the_same_by_their_members_alone),
        cmocka_unit_test(port_zero_gives_a_free_port_and_bytes_cross),
        cmocka_unit_test(a_listener_that_refuses_does_so_for_every_holder_of_it),
        cmocka_unit_test(an_end_and_a_reset_are_told_as_closed),
        cmocka_unit_test(a_full_socket_says_so_and_never_raises_a_signal),
        cmocka_unit_test(listeners_share_a_port_only_when_all_ask_for_it),
        cmocka_unit_test(an_ipv4_client_of_an_ipv6_listener_is_seen_as_ipv4),
        cmocka_unit_test(the_poller_reports_what_was_asked_and_forgets_what_was_removed),
        cmocka_unit_test(a_connection_is_there_when_the_socket_can_be_written_to),
        cmocka_unit_test(a_connection_to_where_nobody_listens_ends),
        cmocka_unit_test(datagrams_come_one_by_one_as_they_were_sent),
        cmocka_unit_test(datagrams_of_others_are_not_received),
        cmocka_unit_test(a_datagram_to_where_nobody_listens_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
