/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names and addresses of the machine, for the certificate. */
#include "firmware/supervisor/supervisor_int.h"

#include <string.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/base/mem.h"
#include "hal/socket.h"

/* The lists are cut at their capacity: the names that matter come first. */
static void add(struct names *names, const char *text)
{
    const size_t len = strlen(text);

    if (names->count == NAMES_MAX || len > MSG_NAME_MAX) {
        return;
    }
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->text[i], text) == 0) {
            return;
        }
    }
    memcpy(names->text[names->count], text, len);
    names->count++;
}

static bool is_any(const struct socket_address *address)
{
    static const uint8_t zero[16] = {0};

    return memcmp(address->ip, zero, sizeof(zero)) == 0;
}

static void add_address(struct names *names, const struct socket_address *address)
{
    char text[SOCKET_ADDRESS_TEXT_MAX];
    size_t len = 0;

    socket_address_format(address, text, &len);
    add(names, text);
}

static void add_addresses(struct names *names)
{
    struct socket_address addresses[NAMES_ADDRESSES_MAX];
    size_t count = 0;

    if (socket_local_addresses(NAMES_ADDRESSES_MAX, addresses, &count) != ERR_OK) {
        log_fault(LOG_WARN, "addresses_unknown");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        add_address(names, &addresses[i]);
    }
}

static void collect(const struct supervisor *supervisor, struct names *out_names)
{
    const struct options *const options = supervisor->options;
    char host[MSG_NAME_MAX + 1] = {0};

    mem_wipe(out_names, sizeof(*out_names));
    add(out_names, "localhost");
    add(out_names, "127.0.0.1");
    add(out_names, "::1");
    for (size_t i = 0; i < options->name_count; i++) {
        add(out_names, options->names[i]);
    }
    if (gethostname(host, sizeof(host) - 1) == 0 && options_is_host_name(host)) {
        add(out_names, host);
    }
    for (size_t i = 0; i < supervisor->net_count; i++) {
        add_address(out_names, &supervisor->net[i]);
    }
    if (options->admin_text != NULL) {
        add(out_names, options->admin_text);
    }
    if (!options->listens) {
        return;
    }
    if (is_any(&options->listen)) {
        add_addresses(out_names);
    } else {
        add(out_names, options->listen_text);
    }
}

static enum err send_all(struct supervisor *supervisor, const struct names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        supervisor->out = MSG_NEW(MSG_KEEPER_NAME);
        supervisor->out.as.keeper_name.index = (uint32_t)i;
        supervisor->out.as.keeper_name.count = (uint32_t)names->count;
        TRY(MSG_SET(&supervisor->out.as.keeper_name.name, span_str(names->text[i])));
        TRY(msg_send(supervisor->keeper.control, &supervisor->out));
    }
    return ERR_OK;
}

enum err supervisor_look_at_names(struct supervisor *supervisor)
{
    void *memory = NULL;
    enum err err = ERR_OK;

    TRY(mem_alloc(sizeof(struct names), &memory)); /* too large for the stack */
    struct names *const names = memory;
    collect(supervisor, names);
    if (memcmp(names, &supervisor->names, sizeof(*names)) != 0) {
        err = send_all(supervisor, names);
        supervisor->names = *names;
    }
    mem_free(names);
    TRY(err);
    return ERR_OK;
}
