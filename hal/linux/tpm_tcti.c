/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The ways to a TPM, by the name before the colon, and the one to a software TPM: a connection for the life of the driver.
 *
 * tpm2-tss's own swtpm module connects anew for each command, which a sandboxed keeper may not, and waits without a
 * limit; and its loader of modules does not work in a static program. Commands and answers of the data channel are bare
 * TPM packets, so modules of our own are short. TCTI strings:
 *     swtpm:host=127.0.0.1,port=2321    numeric address
 *     swtpm:path=/run/tpm.sock          Unix socket
 *     device:/dev/tpmrm0                tpm_device.c
 * Spec: TCG TSS 2.0 TCTI API; packets: TPM 2.0 Part 1, 18.2 (tag, size, code). */
#include "hal/linux/tpm_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <tss2/tss2_tctildr.h>

#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/linux/sys_int.h"
#include "hal/socket.h"

#define MAGIC UINT64_C(0x526f776c6f636b31) /* "Rowlock1" */

struct wire {
    TSS2_TCTI_CONTEXT_COMMON_V1 common; /* first: TSS sees nothing else */
    int fd;
    bool waiting; /* a command was sent and its answer has not been taken */
    uint8_t header[TPM_HEADER_BYTES];
    size_t header_bytes; /* of the answer's header, read so far */
};

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
};

static struct wire *wire_of(TSS2_TCTI_CONTEXT *context)
{
    return (struct wire *)context;
}

bool tpm_ready(int fd, short events, int timeout_ms)
{
    struct pollfd wait = {.fd = fd, .events = events};
    int got = 0;

    do {
        got = poll(&wait, 1, timeout_ms);
    } while (got < 0 && errno == EINTR);
    return got > 0;
}

static TSS2_RC wire_transmit(TSS2_TCTI_CONTEXT *context, size_t size, const uint8_t *command)
{
    struct wire *wire = wire_of(context);
    size_t done = 0;

    if (wire->waiting) {
        return TSS2_TCTI_RC_BAD_SEQUENCE;
    }
    while (done < size) {
        const ssize_t put = send(wire->fd, command + done, size - done, MSG_NOSIGNAL);

        if (put < 0 && errno == EAGAIN && tpm_ready(wire->fd, POLLOUT, (int)tpm_wire().timeout_ms)) {
            continue;
        }
        if (put < 0) {
            return TSS2_TCTI_RC_IO_ERROR;
        }
        done += (size_t)put;
    }
    wire->waiting = true;
    wire->header_bytes = 0;
    return TSS2_RC_SUCCESS;
}

/* Reads until *done is size. TRY_AGAIN after timeout_ms without a byte. */
static TSS2_RC take(const struct wire *wire, uint8_t *out_bytes, size_t size, size_t *done, int timeout_ms)
{
    while (*done < size) {
        const ssize_t got = recv(wire->fd, out_bytes + *done, size - *done, 0);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0 && errno == EAGAIN) {
            if (!tpm_ready(wire->fd, POLLIN, timeout_ms)) {
                return TSS2_TCTI_RC_TRY_AGAIN;
            }
            continue;
        }
        if (got <= 0) {
            return TSS2_TCTI_RC_NO_CONNECTION;
        }
        *done += (size_t)got;
    }
    return TSS2_RC_SUCCESS;
}

static TSS2_RC wire_receive(TSS2_TCTI_CONTEXT *context, size_t *size, uint8_t *response, int32_t timeout_ms)
{
    struct wire *wire = wire_of(context);
    const int rest_ms = (int)tpm_wire().timeout_ms;

    if (!wire->waiting) {
        return TSS2_TCTI_RC_BAD_SEQUENCE;
    }
    TSS2_RC rc = take(wire, wire->header, TPM_HEADER_BYTES, &wire->header_bytes, timeout_ms < 0 ? rest_ms : timeout_ms);
    if (rc != TSS2_RC_SUCCESS) {
        return rc;
    }
    const size_t bytes = get_u32be(wire->header + TPM_SIZE_AT);
    if (bytes < TPM_HEADER_BYTES || bytes > TPM2_MAX_RESPONSE_SIZE) {
        return TSS2_TCTI_RC_MALFORMED_RESPONSE;
    }
    if (response == NULL || *size < bytes) {
        *size = bytes;
        return response == NULL ? TSS2_RC_SUCCESS : TSS2_TCTI_RC_INSUFFICIENT_BUFFER;
    }
    size_t done = TPM_HEADER_BYTES;
    memcpy(response, wire->header, TPM_HEADER_BYTES);
    rc = take(wire, response, bytes, &done, rest_ms);
    if (rc != TSS2_RC_SUCCESS) {
        return TSS2_TCTI_RC_IO_ERROR; /* half an answer: nothing that follows can be trusted to be the next one */
    }
    wire->waiting = false;
    *size = bytes;
    return TSS2_RC_SUCCESS;
}

static void wire_finalize(TSS2_TCTI_CONTEXT *context)
{
    sys_close(wire_of(context)->fd);
}

TSS2_RC tpm_no_cancel(TSS2_TCTI_CONTEXT *context UNUSED)
{
    return TSS2_TCTI_RC_NOT_IMPLEMENTED; /* the driver gives the TPM up instead */
}

static TSS2_RC wire_poll_handles(TSS2_TCTI_CONTEXT *context, TSS2_TCTI_POLL_HANDLE *handles, size_t *count)
{
    if (handles != NULL && *count >= 1) {
        handles[0] = (TSS2_TCTI_POLL_HANDLE){.fd = wire_of(context)->fd, .events = POLLIN};
    }
    *count = 1;
    return TSS2_RC_SUCCESS;
}

TSS2_RC tpm_locality(TSS2_TCTI_CONTEXT *context UNUSED, uint8_t locality)
{
    return locality == 0 ? TSS2_RC_SUCCESS : TSS2_TCTI_RC_NOT_IMPLEMENTED;
}

static enum err from_host(struct span text, uint16_t port, union address *out_address, socklen_t *out_len)
{
    struct socket_address parsed;

    TRY(socket_address_parse(text, &parsed));
    memset(out_address, 0, sizeof(*out_address));
    if (parsed.family == SOCKET_IPV4) {
        out_address->v4.sin_family = AF_INET;
        out_address->v4.sin_port = htons(port);
        memcpy(&out_address->v4.sin_addr, parsed.ip, sizeof(out_address->v4.sin_addr));
        *out_len = sizeof(out_address->v4);
        return ERR_OK;
    }
    out_address->v6.sin6_family = AF_INET6;
    out_address->v6.sin6_port = htons(port);
    memcpy(&out_address->v6.sin6_addr, parsed.ip, sizeof(out_address->v6.sin6_addr));
    *out_len = sizeof(out_address->v6);
    return ERR_OK;
}

static bool skip_prefix(struct span *text, struct span prefix)
{
    if (!span_starts_with(*text, prefix)) {
        return false;
    }
    *text = span_of(text->data + prefix.len, text->len - prefix.len);
    return true;
}

/* What follows "swtpm:". */
static enum err parse(struct span text, union address *out_address, socklen_t *out_len)
{
    uint64_t port = 0;

    memset(out_address, 0, sizeof(*out_address));
    if (skip_prefix(&text, span_lit("path="))) {
        ENSURE(text.len > 0 && text.len < sizeof(out_address->local.sun_path), ERR_MALFORMED, "path of a socket");
        out_address->local.sun_family = AF_UNIX;
        memcpy(out_address->local.sun_path, text.data, text.len);
        *out_len = sizeof(out_address->local);
        return ERR_OK;
    }
    ENSURE(skip_prefix(&text, span_lit("host=")), ERR_MALFORMED, "swtpm: host=ADDRESS,port=N or path=SOCKET");
    const size_t comma = span_find(text, ',');
    struct span rest = span_of(text.data + comma, text.len - comma);
    ENSURE(skip_prefix(&rest, span_lit(",port=")), ERR_MALFORMED, "swtpm: host=ADDRESS,port=N");
    TRY(span_to_u64(rest, UINT16_MAX, &port));
    return from_host(span_of(text.data, comma), (uint16_t)port, out_address, out_len);
}

static enum err connect_wire(const union address *address, socklen_t len, int *out_fd)
{
    int error = 0;
    socklen_t error_len = sizeof(error);
    const int on = 1;
    SCOPED_FD int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        FAIL_ERRNO(errno, "socket");
    }
    if (connect(fd, &address->any, len) != 0) {
        ENSURE(errno == EINPROGRESS, ERR_NO_DEVICE, "connecting to the software TPM");
        ENSURE(tpm_ready(fd, POLLOUT, (int)tpm_wire().timeout_ms), ERR_TIMEOUT, "connecting to the software TPM");
        ENSURE(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_len) == 0 && error == 0, ERR_NO_DEVICE,
               "connecting to the software TPM");
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* only speed; a Unix socket has none */
    *out_fd = fd;
    fd = -1;
    return ERR_OK;
}

static enum err swtpm_open(struct span text, TSS2_TCTI_CONTEXT **out_context)
{
    union address address;
    socklen_t len = 0;
    void *memory = NULL;
    SCOPED_FD int fd = -1;

    TRY(parse(text, &address, &len));
    TRY(connect_wire(&address, len, &fd));
    TRY(mem_alloc(sizeof(struct wire), &memory));
    struct wire *wire = memory;
    wire->common = (TSS2_TCTI_CONTEXT_COMMON_V1){.magic = MAGIC,
                                                 .version = 1,
                                                 .transmit = wire_transmit,
                                                 .receive = wire_receive,
                                                 .finalize = wire_finalize,
                                                 .cancel = tpm_no_cancel,
                                                 .getPollHandles = wire_poll_handles,
                                                 .setLocality = tpm_locality};
    wire->fd = fd;
    fd = -1;

    *out_context = (TSS2_TCTI_CONTEXT *)wire;
    return ERR_OK;
}

enum err tpm_tcti_open(const char *tcti, TSS2_TCTI_CONTEXT **out_context)
{
    struct span text = span_str(tcti);

    if (skip_prefix(&text, span_lit("swtpm:"))) {
        return swtpm_open(text, out_context);
    }
    ENSURE(skip_prefix(&text, span_lit("device:/")), ERR_MALFORMED, "TCTI: device:/PATH or swtpm:...");
    return tpm_device_open(tcti + strlen("device:"), out_context);
}

void tpm_tcti_close(TSS2_TCTI_CONTEXT *context)
{
    Tss2_Tcti_Finalize(context);
    mem_free(context);
}

/* What ESYS would call if it were given no TCTI, which it always is. A program of ours loads no module. */
TSS2_RC Tss2_TctiLdr_Initialize(const char *name UNUSED, TSS2_TCTI_CONTEXT **out_context UNUSED)
{
    return TSS2_TCTI_RC_NOT_SUPPORTED;
}

void Tss2_TctiLdr_Finalize(TSS2_TCTI_CONTEXT **context UNUSED)
{
}
