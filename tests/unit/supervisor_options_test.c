/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/supervisor/options.h: what a person may type, and what not. */
#include "firmware/supervisor/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/attr.h"
#include "hal/base/fault.h"
#include "hal/board.h"

#define WORDS_MAX 40

struct words {
    char text[WORDS_MAX][320];
    char *pointers[WORDS_MAX];
    size_t count;
};

/* Words of a command line, separated by one space. */
static enum err read_line(struct words *words, const char *line, struct options *out_options)
{
    words->count = 0;
    for (const char *at = line; *at != '\0';) {
        const size_t len = strcspn(at, " ");
        assert_true(words->count < WORDS_MAX && len < sizeof(words->text[0]));
        memset(words->text[words->count], 0, sizeof(words->text[0]));
        memcpy(words->text[words->count], at, len);
        words->pointers[words->count] = words->text[words->count];
        words->count++;
        at += len + (at[len] == ' ' ? 1 : 0);
    }
    return options_read(words->count, words->pointers, out_options);
}

static void options_read_takes_all_of_them(void **state)
{
    struct words words;
    struct options options;

    assert_int_equal(read_line(&words,
                               "--data /d --tcti device:/dev/tpmrm0 --listen :: --port 0 --http-port 80 --name a.example "
                               "--json --name b --pin-fd 7 --init-fd 3",
                               &options),
                     ERR_OK);

    assert_string_equal(options.data, "/d");
    assert_string_equal(options.tcti, "device:/dev/tpmrm0");
    assert_int_equal(options.listen.family, SOCKET_IPV6);
    assert_int_equal(options.port, 0);
    assert_true(options.plain);
    assert_int_equal(options.plain_port, 80);
    assert_int_equal(options.name_count, 2);
    assert_string_equal(options.names[1], "b");
    assert_true(options.json);
    assert_int_equal(options.pin_fd, 7);
    assert_int_equal(options.init_fd, 3);
}

static void options_read_has_defaults_for_all_but_the_directory(void **state)
{
    struct words words;
    struct options options;

    assert_int_equal(read_line(&words, "--data d", &options), ERR_OK);

    assert_string_equal(options.tcti, board_desc.tcti);
    assert_int_equal(options.listen.ip[0], 127);
    assert_int_equal(options.port, 8443);
    assert_false(options.plain);
    assert_false(options.json);
    assert_int_equal(options.name_count, 0);
    assert_int_equal(options.pin_fd, -1);
    assert_int_equal(options.init_fd, -1);
    assert_int_equal(read_line(&words, "--json", &options), ERR_MALFORMED);
}

static void options_read_refuses_what_is_none(void **state)
{
    static const char *const lines[] = {
        "--data",
        "--data d --port",
        "--data d --port 65536",
        "--data d --port -1",
        "--data d --port 0x50",
        "--data d --port 80a",
        "--data d --http-port 70000",
        "--data d --listen localhost",
        "--data d --listen 127.0.0.1:80",
        "--data d --name under_score",
        "--data d --name a..b",
        "--data d --name -a",
        "--data d --name a.-b",
        "--data d --name *.a",
        "--data d --name a\n",
        "--data d --pin-fd x",
        "--data d --init-fd -1",
        "--data d --init-fd 1024",
        "--data d --verbose 1",
        "--data d serve",
    };
    struct words words;

    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
        struct options options = {.port = 1};
        assert_int_equal(read_line(&words, lines[i], &options), ERR_MALFORMED);
        assert_int_equal(options.port, 1);
    }
    fault_clear();
}

static void options_read_bounds_names_by_number_and_by_bytes(void **state)
{
    struct words words;
    struct options options;
    char line[1600] = "--data d";
    char label[251];

    for (size_t i = 0; i < OPTIONS_NAMES_MAX; i++) {
        (void)snprintf(line + strlen(line), sizeof(line) - strlen(line), " --name n%zu", i);
    }
    assert_int_equal(read_line(&words, line, &options), ERR_OK);
    assert_int_equal(options.name_count, OPTIONS_NAMES_MAX);
    (void)strncat(line, " --name more", sizeof(line) - strlen(line) - 1);
    assert_int_equal(read_line(&words, line, &options), ERR_MALFORMED);

    memset(label, 'a', sizeof(label));
    for (size_t i = 50; i < 250; i += 50) {
        label[i] = '.';
    }
    label[250] = '\0';
    (void)snprintf(line, sizeof(line), "--data d --name %s --name %s --name %s", label, label, label);
    assert_int_equal(read_line(&words, line, &options), ERR_OK);
    (void)snprintf(line, sizeof(line), "--data d --name %s --name %s --name %s --name %s", label, label, label, label);
    assert_int_equal(read_line(&words, line, &options), ERR_MALFORMED);
    fault_clear();
}

static void options_read_takes_a_stack_in_user_space(void **state)
{
    struct words words;
    struct options options;

    assert_int_equal(read_line(&words, "--data d --net-interface eth0", &options), ERR_OK);
    assert_string_equal(options.net_interface, "eth0");
    assert_false(options.listens);
    assert_false(options.has_net_ipv4);
    assert_int_equal(read_line(&words,
                               "--data d --net-interface tap:x --net-address 192.0.2.7/24 --net-gateway 192.0.2.1 "
                               "--net-address 2001:db8::7/64 --listen 127.0.0.1 --net-dns 192.0.2.53 --net-dns 2001:db8::53",
                               &options),
                     ERR_OK);

    assert_true(options.listens);
    assert_true(options.has_net_ipv4);
    assert_memory_equal(options.net_ipv4.ip, "\xc0\x00\x02\x07", 4);
    assert_int_equal(options.net_prefix, 24);
    assert_true(options.has_net_gateway);
    assert_memory_equal(options.net_gateway.ip, "\xc0\x00\x02\x01", 4);
    assert_true(options.has_net_ipv6);
    assert_int_equal(options.net_ipv6.family, SOCKET_IPV6);
    assert_int_equal(options.net_dns_count, 2);
    assert_memory_equal(options.net_dns[0].ip, "\xc0\x00\x02\x35", 4);
    assert_int_equal(options.net_dns[1].family, SOCKET_IPV6);
}

static void options_read_takes_a_place_for_the_administrator(void **state)
{
    struct words words;
    struct options options;

    assert_int_equal(read_line(&words, "--data d", &options), ERR_OK);
    assert_null(options.admin_text);
    assert_int_equal(read_line(&words, "--data d --admin-port 9000 --admin-listen 192.0.2.9", &options), ERR_OK);
    assert_string_equal(options.admin_text, "192.0.2.9");
    assert_memory_equal(options.admin.ip, "\xc0\x00\x02\x09", 4);
    assert_int_equal(options.admin.port, 9000);
    assert_true(options.has_admin_port);
    assert_int_equal(read_line(&words, "--data d --admin-listen 2001:db8::9", &options), ERR_OK);
    assert_false(options.has_admin_port);
}

static void options_read_refuses_administrators_without_an_address(void **state)
{
    static const char *const lines[] = {
        "--data d --admin-port 9000",         "--data d --admin-listen",      "--data d --admin-listen 0.0.0.0",
        "--data d --admin-listen ::",         "--data d --admin-listen eth1", "--data d --admin-listen 192.0.2.9 --admin-port 70000",
    };
    struct words words;
    struct options options;

    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
        assert_int_equal(read_line(&words, lines[i], &options), ERR_MALFORMED);
        fault_clear();
    }
}

static void options_read_refuses_addresses_of_no_stack(void **state)
{
    static const char *const lines[] = {
        "--data d --net-address 192.0.2.7/24",                            /* of which interface? */
        "--data d --net-dns 192.0.2.53",                                  /* the same */
        "--data d --net-interface x --net-dns dns.example",               /* who would be asked for it? */
        "--data d --net-interface x --net-dns ::1 --net-dns ::2 --net-dns ::3",
        "--data d --net-interface x --net-gateway 192.0.2.1",             /* DHCP brings its own */
        "--data d --net-interface",                                       /* no value */
        "--data d --net-interface x --net-address 192.0.2.7",             /* no prefix */
        "--data d --net-interface x --net-address 192.0.2.7/0",           /* not one that an interface has */
        "--data d --net-interface x --net-address 192.0.2.7/31",          /* no room for others */
        "--data d --net-interface x --net-address 2001:db8::7/48",        /* not an interface's */
        "--data d --net-interface x --net-address nothing/24",
        "--data d --net-interface x --net-address 192.0.2.7/24 --net-address 192.0.2.8/24",
        "--data d --net-interface x --net-address 192.0.2.7/24 --net-gateway 2001:db8::1",
    };
    struct words words;
    struct options options;

    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
        assert_int_equal(read_line(&words, lines[i], &options), ERR_MALFORMED);
        fault_clear();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_read_takes_all_of_them),
        cmocka_unit_test(options_read_has_defaults_for_all_but_the_directory),
        cmocka_unit_test(options_read_refuses_what_is_none),
        cmocka_unit_test(options_read_takes_a_stack_in_user_space),
        cmocka_unit_test(options_read_takes_a_place_for_the_administrator),
        cmocka_unit_test(options_read_refuses_administrators_without_an_address),
        cmocka_unit_test(options_read_refuses_addresses_of_no_stack),
        cmocka_unit_test(options_read_bounds_names_by_number_and_by_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
