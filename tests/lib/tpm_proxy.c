/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/tpm_proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "tests/lib/swtpm.h"

#define HEADER_BYTES 10
#define SIZE_AT      2
#define CODE_AT      6
#define PACKET_MAX   4096
#define RECORD_MAX   (4u << 20)
#define CODES_KNOWN  64
#define TCTI_MAX     64

struct seen {
    uint32_t code;
    size_t commands;
    size_t reply_bytes;
};

struct tpm_proxy {
    pthread_t thread;
    pthread_mutex_t lock; /* over all that follows stop */
    int listener;
    int stop;
    const char *to_path;
    char tcti[TCTI_MAX];
    struct buf *to_tpm;
    struct buf *from_tpm;
    struct seen seen[CODES_KNOWN];
    uint32_t change_code;
    size_t change_offset;
    uint8_t change_xor;
    uint32_t cut_code;
};

struct packet {
    uint8_t bytes[PACKET_MAX];
    size_t len;
};

/* False when the proxy is to stop or the other side is gone. */
static bool read_exactly(struct tpm_proxy *proxy, int fd, uint8_t *out_bytes, size_t len)
{
    for (size_t done = 0; done < len;) {
        struct pollfd wait[] = {{.fd = fd, .events = POLLIN}, {.fd = proxy->stop, .events = POLLIN}};
        if (poll(wait, 2, -1) < 0 && errno == EINTR) {
            continue;
        }
        if (wait[1].revents != 0) {
            return false;
        }
        const ssize_t got = recv(fd, out_bytes + done, len - done, 0);
        if (got <= 0) {
            return false;
        }
        done += (size_t)got;
    }
    return true;
}

static bool read_packet(struct tpm_proxy *proxy, int fd, struct packet *out_packet)
{
    if (!read_exactly(proxy, fd, out_packet->bytes, HEADER_BYTES)) {
        return false;
    }
    out_packet->len = get_u32be(out_packet->bytes + SIZE_AT);
    return out_packet->len >= HEADER_BYTES && out_packet->len <= PACKET_MAX &&
           read_exactly(proxy, fd, out_packet->bytes + HEADER_BYTES, out_packet->len - HEADER_BYTES);
}

static bool write_packet(int fd, const struct packet *packet)
{
    return send(fd, packet->bytes, packet->len, MSG_NOSIGNAL) == (ssize_t)packet->len;
}

static struct seen *seen_of(struct tpm_proxy *proxy, uint32_t code)
{
    for (size_t i = 0; i < CODES_KNOWN; i++) {
        if (proxy->seen[i].code == code || proxy->seen[i].code == 0) {
            proxy->seen[i].code = code;
            return &proxy->seen[i];
        }
    }
    INVARIANT(false);
    return NULL;
}

static void record_command(struct tpm_proxy *proxy, uint32_t code, const struct packet *command)
{
    INVARIANT(pthread_mutex_lock(&proxy->lock) == 0);
    INVARIANT(buf_put(proxy->to_tpm, span_of(command->bytes, command->len)) == ERR_OK);
    seen_of(proxy, code)->commands++;
    INVARIANT(pthread_mutex_unlock(&proxy->lock) == 0);
}

/* Records the reply and changes it; false if the wire is to be cut here. */
static bool record_reply(struct tpm_proxy *proxy, uint32_t code, struct packet *reply)
{
    INVARIANT(pthread_mutex_lock(&proxy->lock) == 0);
    INVARIANT(buf_put(proxy->from_tpm, span_of(reply->bytes, reply->len)) == ERR_OK);
    seen_of(proxy, code)->reply_bytes = reply->len;
    if (code == proxy->change_code && proxy->change_offset < reply->len) {
        reply->bytes[proxy->change_offset] ^= proxy->change_xor;
    }
    const bool cut = code == proxy->cut_code;
    INVARIANT(pthread_mutex_unlock(&proxy->lock) == 0);
    return !cut;
}

static void serve(struct tpm_proxy *proxy, int client, int tpm)
{
    struct packet packet;

    while (read_packet(proxy, client, &packet)) {
        const uint32_t code = get_u32be(packet.bytes + CODE_AT);
        record_command(proxy, code, &packet);
        if (!write_packet(tpm, &packet) || !read_packet(proxy, tpm, &packet) || !record_reply(proxy, code, &packet) ||
            !write_packet(client, &packet)) {
            return;
        }
    }
}

static void *run(void *context)
{
    struct tpm_proxy *proxy = context;

    for (;;) {
        struct pollfd wait[] = {{.fd = proxy->listener, .events = POLLIN}, {.fd = proxy->stop, .events = POLLIN}};
        if (poll(wait, 2, -1) < 0 && errno == EINTR) {
            continue;
        }
        if (wait[1].revents != 0) {
            return NULL;
        }
        const int client = accept(proxy->listener, NULL, NULL);
        const int tpm = swtpm_connect(proxy->to_path);
        if (client >= 0 && tpm >= 0) {
            serve(proxy, client, tpm);
        }
        (void)close(tpm);
        (void)close(client);
    }
}

static uint16_t listen_here(struct tpm_proxy *proxy)
{
    union {
        struct sockaddr_in in;
        struct sockaddr any;
    } address = {.in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}}};
    socklen_t len = sizeof(address.in);

    proxy->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    INVARIANT(bind(proxy->listener, &address.any, len) == 0 && listen(proxy->listener, 4) == 0 &&
              getsockname(proxy->listener, &address.any, &len) == 0);
    return ntohs(address.in.sin_port);
}

struct tpm_proxy *tpm_proxy_new(const char *swtpm_path)
{
    void *memory = NULL;

    INVARIANT(mem_alloc(sizeof(struct tpm_proxy), &memory) == ERR_OK);
    struct tpm_proxy *proxy = memory;
    INVARIANT(pthread_mutex_init(&proxy->lock, NULL) == 0);
    INVARIANT(buf_new(RECORD_MAX, &proxy->to_tpm) == ERR_OK && buf_new(RECORD_MAX, &proxy->from_tpm) == ERR_OK);
    proxy->to_path = swtpm_path;
    proxy->stop = eventfd(0, EFD_CLOEXEC);
    INVARIANT(proxy->stop >= 0);
    (void)snprintf(proxy->tcti, sizeof(proxy->tcti), "swtpm:host=127.0.0.1,port=%u", (unsigned int)listen_here(proxy));
    INVARIANT(pthread_create(&proxy->thread, NULL, run, proxy) == 0);
    return proxy;
}

void tpm_proxy_free(struct tpm_proxy *proxy)
{
    if (proxy == NULL) {
        return;
    }
    INVARIANT(eventfd_write(proxy->stop, 1) == 0);
    INVARIANT(pthread_join(proxy->thread, NULL) == 0);
    (void)close(proxy->stop);
    (void)close(proxy->listener);
    buf_free(proxy->to_tpm);
    buf_free(proxy->from_tpm);
    (void)pthread_mutex_destroy(&proxy->lock);
    mem_free(proxy);
}

const char *tpm_proxy_tcti(const struct tpm_proxy *proxy)
{
    return proxy->tcti;
}

static bool contains(const struct buf *record, struct span bytes)
{
    const struct span all = buf_all(record);

    return memmem(all.data, all.len, bytes.data, bytes.len) != NULL;
}

bool tpm_proxy_saw(struct tpm_proxy *proxy, struct span bytes)
{
    INVARIANT(pthread_mutex_lock(&proxy->lock) == 0);
    const bool saw = contains(proxy->to_tpm, bytes) || contains(proxy->from_tpm, bytes);
    INVARIANT(pthread_mutex_unlock(&proxy->lock) == 0);
    return saw;
}

size_t tpm_proxy_recorded_bytes(struct tpm_proxy *proxy)
{
    INVARIANT(pthread_mutex_lock(&proxy->lock) == 0);
    const size_t bytes = buf_len(proxy->to_tpm) + buf_len(proxy->from_tpm);
    INVARIANT(pthread_mutex_unlock(&proxy->lock) == 0);
    return bytes;
}

static struct seen look(struct tpm_proxy *proxy, uint32_t code)
{
    INVARIANT(pthread_mutex_lock(&proxy->lock) == 0);
    const struct seen seen = *seen_of(proxy, code);
    INVARIANT(pthread_mutex_unlock(&proxy->lock) == 0);
    return seen;
}

size_t tpm_proxy_commands(struct tpm_proxy *proxy, uint32_t command_code)
{
    return look(proxy, command_code).commands;
}

size_t tpm_proxy_reply_bytes(struct tpm_proxy *proxy, uint32_t command_code)
{
    return look(proxy, command_code).reply_bytes;
}

void tpm_proxy_change_reply(struct tpm_proxy *proxy, uint32_t command_code, size_t offset, uint8_t xor)
{
    INVARIANT(pthread_mutex_lock(&proxy->lock) == 0);
    proxy->change_code = command_code;
    proxy->change_offset = offset;
    proxy->change_xor = xor;
    INVARIANT(pthread_mutex_unlock(&proxy->lock) == 0);
}

void tpm_proxy_cut_at(struct tpm_proxy *proxy, uint32_t command_code)
{
    INVARIANT(pthread_mutex_lock(&proxy->lock) == 0);
    proxy->cut_code = command_code;
    INVARIANT(pthread_mutex_unlock(&proxy->lock) == 0);
}
