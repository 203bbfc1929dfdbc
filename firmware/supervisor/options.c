/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One row of a table for each option. Errors go to standard error as text: a person typed the command. */
#include "firmware/supervisor/options.h"

#include <stdio.h>
#include <string.h>

#include "crypto/x509.h"
#include "firmware/msg.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/base/span.h"
#include "hal/board.h"

#define DEFAULT_PORT 8443
#define IPV4_PREFIX_MAX 30
#define IPV6_PREFIX 64

static enum err set_data(const char *value, struct options *options)
{
    ENSURE(value[0] != '\0', ERR_MALFORMED, "no directory");
    options->data = value;
    return ERR_OK;
}

static enum err set_tcti(const char *value, struct options *options)
{
    ENSURE(strlen(value) <= MSG_TCTI_MAX, ERR_MALFORMED, "a TCTI string that is too long");
    options->tcti = value;
    return ERR_OK;
}

static enum err read_port(const char *value, uint16_t *out_port)
{
    uint64_t port = 0;

    TRY(span_to_u64(span_str(value), UINT16_MAX, &port));
    *out_port = (uint16_t)port;
    return ERR_OK;
}

static enum err set_port(const char *value, struct options *options)
{
    return read_port(value, &options->port);
}

static enum err set_plain_port(const char *value, struct options *options)
{
    options->plain = true;
    return read_port(value, &options->plain_port);
}

static enum err set_listen(const char *value, struct options *options)
{
    options->listen_text = value;
    options->listens = true;
    return socket_address_parse(span_str(value), &options->listen);
}

static enum err set_admin_listen(const char *value, struct options *options)
{
    const uint16_t port = options->admin.port; /* it may have come before */
    static const uint8_t any[sizeof(options->admin.ip)] = {0};
    struct socket_address address;

    TRY(socket_address_parse(span_str(value), &address));
    ENSURE(memcmp(address.ip, any, sizeof(any)) != 0, ERR_MALFORMED, "an address of its own");
    options->admin = address;
    options->admin.port = port;
    options->admin_text = value;
    return ERR_OK;
}

static enum err set_admin_port(const char *value, struct options *options)
{
    options->has_admin_port = true;
    return read_port(value, &options->admin.port);
}

static enum err set_net_interface(const char *value, struct options *options)
{
    ENSURE(CONFIG_ON(NET_STACK_LWIP), ERR_MALFORMED, "this program has the kernel's sockets only");
    ENSURE(value[0] != '\0', ERR_MALFORMED, "no interface");
    options->net_interface = value;
    return ERR_OK;
}

/* "192.0.2.7/24", "2001:db8::7/64": one of each family. */
static enum err set_net_address(const char *value, struct options *options)
{
    const struct span text = span_str(value);
    const size_t slash = span_find(text, '/');
    struct socket_address address;
    uint64_t prefix = 0;

    ENSURE(slash < text.len, ERR_MALFORMED, "an address without its prefix");
    TRY(socket_address_parse(span_of(text.data, slash), &address));
    TRY(span_to_u64(span_of(text.data + slash + 1, text.len - slash - 1), IPV6_PREFIX, &prefix));
    if (address.family == SOCKET_IPV6) {
        ENSURE(prefix == IPV6_PREFIX && !options->has_net_ipv6, ERR_MALFORMED, "an IPv6 address is of a /64");
        options->net_ipv6 = address;
        options->has_net_ipv6 = true;
        return ERR_OK;
    }
    ENSURE(prefix >= 1 && prefix <= IPV4_PREFIX_MAX && !options->has_net_ipv4, ERR_MALFORMED, "an IPv4 prefix");
    options->net_ipv4 = address;
    options->net_prefix = (unsigned int)prefix;
    options->has_net_ipv4 = true;
    return ERR_OK;
}

static enum err set_net_gateway(const char *value, struct options *options)
{
    TRY(socket_address_parse(span_str(value), &options->net_gateway));
    ENSURE(options->net_gateway.family == SOCKET_IPV4, ERR_MALFORMED, "IPv6 finds its gateways itself");
    options->has_net_gateway = true;
    return ERR_OK;
}

static enum err add_net_dns(const char *value, struct options *options)
{
    ENSURE(options->net_dns_count < MSG_DNS_MAX, ERR_MALFORMED, "too many name servers");
    TRY(socket_address_parse(span_str(value), &options->net_dns[options->net_dns_count]));
    options->net_dns_count++;
    return ERR_OK;
}

bool options_is_host_name(const char *text)
{
    return text[0] != '*' && strlen(text) <= MSG_NAME_MAX && x509_is_host_name(span_str(text));
}

_Static_assert(OPTIONS_NAMES_MAX + 2 == X509_DNS_MAX, "all of them stand in the certificate");

static enum err add_name(const char *value, struct options *options)
{
    ENSURE(options_is_host_name(value), ERR_MALFORMED, "not a host name");
    ENSURE(options->name_count < OPTIONS_NAMES_MAX, ERR_MALFORMED, "too many names");
    ENSURE(options->name_bytes + strlen(value) <= OPTIONS_NAME_BYTES_MAX, ERR_MALFORMED, "names too long together");
    options->name_bytes += strlen(value);
    options->names[options->name_count] = value;
    options->name_count++;
    return ERR_OK;
}

static enum err set_pin_fd(const char *value, struct options *options)
{
    uint64_t fd = 0;

    TRY(span_to_u64(span_str(value), 1023, &fd));
    options->pin_fd = (int)fd;
    return ERR_OK;
}

static enum err set_init_fd(const char *value, struct options *options)
{
    uint64_t fd = 0;

    TRY(span_to_u64(span_str(value), 1023, &fd));
    options->init_fd = (int)fd;
    return ERR_OK;
}

static const struct {
    const char *name;
    enum err (*set)(const char *value, struct options *options);
} table[] = {
    {"--data", set_data},     {"--tcti", set_tcti},   {"--port", set_port},     {"--http-port", set_plain_port},
    {"--listen", set_listen}, {"--name", add_name},   {"--pin-fd", set_pin_fd},
    {"--init-fd", set_init_fd},
    {"--net-interface", set_net_interface},           {"--net-address", set_net_address},
    {"--net-gateway", set_net_gateway},               {"--net-dns", add_net_dns},
    {"--admin-listen", set_admin_listen},             {"--admin-port", set_admin_port},
};

static void complain(const char *word, const char *why)
{
    (void)fprintf(stderr, "rowlock: %s: %s\n", word, why); /* nobody to tell if this fails */
}

static enum err read_pair(const char *name, const char *value, struct options *options)
{
    for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
        if (strcmp(table[i].name, name) != 0) {
            continue;
        }
        if (value == NULL || table[i].set(value, options) != ERR_OK) {
            complain(name, value == NULL ? "needs a value" : "not a value that it takes");
            fault_clear();
            return ERR_MALFORMED;
        }
        return ERR_OK;
    }
    complain(name, "no such option");
    return ERR_MALFORMED;
}

enum err options_read(size_t count, char *const *words, struct options *out_options)
{
    struct options options = {.tcti = board_desc.tcti, .port = DEFAULT_PORT, .pin_fd = -1, .init_fd = -1};
    size_t at = 0;

    TRY(set_listen("127.0.0.1", &options));
    options.listens = false;
    while (at < count) {
        if (strcmp(words[at], "--json") == 0) {
            options.json = true;
            at++;
            continue;
        }
        TRY(read_pair(words[at], at + 1 < count ? words[at + 1] : NULL, &options));
        at += 2;
    }
    if (options.data == NULL) {
        complain("--data", "is needed: the directory of this box");
        return ERR_MALFORMED;
    }
    if (options.net_interface == NULL && (options.has_net_ipv4 || options.has_net_ipv6 || options.has_net_gateway ||
                                          options.net_dns_count != 0)) {
        complain("--net-address", "is of an interface: --net-interface is needed");
        return ERR_MALFORMED;
    }
    if (options.has_net_gateway && !options.has_net_ipv4) {
        complain("--net-gateway", "goes with an IPv4 address: DHCP brings its own");
        return ERR_MALFORMED;
    }
    if (options.has_admin_port && options.admin_text == NULL) {
        complain("--admin-port", "is of an address: --admin-listen is needed");
        return ERR_MALFORMED;
    }
    options.listens = options.listens || options.net_interface == NULL;
    *out_options = options;
    return ERR_OK;
}
