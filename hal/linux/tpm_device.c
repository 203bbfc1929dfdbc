/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The wire to the kernel's TPM: "device:/dev/tpmrm0".
 *
 * One write is one command. Opened with O_NONBLOCK, the kernel takes the command, works on it behind our back and makes
 * the node readable when the answer is there; a read before that gives 0 bytes, so the node is polled first. The answer
 * may be read in pieces. It is read whole into the context before it is looked at, so that a caller who asks for its
 * length first, or whose buffer is too small, loses nothing. The kernel takes no command while an answer has not been
 * read (EBUSY), and ends a command that the chip never answers by its own limits.
 * Trusted: that the node is the chip's. Not trusted: the answer's length.
 * Spec: TCG TSS 2.0 TCTI API, section 3; Linux drivers/char/tpm: tpm-dev-common.c (since 5.0). */
#include "hal/linux/tpm_int.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/linux/sys_int.h"
#include "hal/socket.h"

#define MAGIC UINT64_C(0x526f776c6f636b32) /* "Rowlock2" */

struct device {
    TSS2_TCTI_CONTEXT_COMMON_V1 common; /* first: TSS sees nothing else */
    int fd;
    bool waiting; /* a command was sent and its answer has not been taken */
    size_t answer_bytes;
    uint8_t answer[TPM2_MAX_RESPONSE_SIZE];
};

static struct device *device_of(TSS2_TCTI_CONTEXT *context)
{
    return (struct device *)context;
}

static TSS2_RC device_transmit(TSS2_TCTI_CONTEXT *context, size_t size, const uint8_t *command)
{
    struct device *device = device_of(context);
    ssize_t put = 0;

    if (device->waiting) {
        return TSS2_TCTI_RC_BAD_SEQUENCE;
    }
    do {
        put = write(device->fd, command, size);
    } while (put < 0 && errno == EINTR);
    if (put < 0 || (size_t)put != size) {
        return TSS2_TCTI_RC_IO_ERROR; /* a command is taken whole or not at all */
    }
    device->waiting = true;
    device->answer_bytes = 0;
    return TSS2_RC_SUCCESS;
}

/* How long the answer is by its own header, or how much of it must be there before that can be told. */
static size_t wanted(const struct device *device)
{
    return device->answer_bytes < TPM_HEADER_BYTES ? TPM_HEADER_BYTES : get_u32be(device->answer + TPM_SIZE_AT);
}

/* One turn: what is there. TRY_AGAIN after timeout_ms without a byte. */
static TSS2_RC take_some(struct device *device, int timeout_ms)
{
    if (!tpm_ready(device->fd, POLLIN, timeout_ms)) {
        return TSS2_TCTI_RC_TRY_AGAIN;
    }
    const ssize_t got =
        read(device->fd, device->answer + device->answer_bytes, sizeof(device->answer) - device->answer_bytes);

    if (got < 0 && (errno == EINTR || errno == EAGAIN)) {
        return TSS2_TCTI_RC_TRY_AGAIN;
    }
    if (got < 0) {
        return TSS2_TCTI_RC_IO_ERROR;
    }
    if (got == 0) {
        return TSS2_TCTI_RC_NO_CONNECTION;
    }
    device->answer_bytes += (size_t)got;
    return TSS2_RC_SUCCESS;
}

/* The whole answer into the context. */
static TSS2_RC take_answer(struct device *device, int timeout_ms)
{
    while (device->answer_bytes < wanted(device)) { /* each turn brings a byte or ends */
        const TSS2_RC rc = take_some(device, timeout_ms);

        if (rc != TSS2_RC_SUCCESS) {
            return rc;
        }
        const size_t bytes = wanted(device);
        if (bytes < TPM_HEADER_BYTES || bytes > sizeof(device->answer)) {
            return TSS2_TCTI_RC_MALFORMED_RESPONSE;
        }
    }
    return device->answer_bytes == wanted(device) ? TSS2_RC_SUCCESS : TSS2_TCTI_RC_MALFORMED_RESPONSE;
}

static TSS2_RC device_receive(TSS2_TCTI_CONTEXT *context, size_t *size, uint8_t *response, int32_t timeout_ms)
{
    struct device *device = device_of(context);

    if (!device->waiting) {
        return TSS2_TCTI_RC_BAD_SEQUENCE;
    }
    const TSS2_RC rc = take_answer(device, timeout_ms < 0 ? (int)tpm_wire().timeout_ms : timeout_ms);
    if (rc != TSS2_RC_SUCCESS) {
        return rc;
    }
    const size_t room = *size;
    *size = device->answer_bytes;
    if (response == NULL) {
        return TSS2_RC_SUCCESS;
    }
    if (room < device->answer_bytes) {
        return TSS2_TCTI_RC_INSUFFICIENT_BUFFER;
    }
    memcpy(response, device->answer, device->answer_bytes);
    mem_wipe(device->answer, sizeof(device->answer));
    device->waiting = false;
    return TSS2_RC_SUCCESS;
}

static void device_finalize(TSS2_TCTI_CONTEXT *context)
{
    struct device *device = device_of(context);

    sys_close(device->fd);
    mem_wipe(device->answer, sizeof(device->answer));
}

static TSS2_RC device_poll_handles(TSS2_TCTI_CONTEXT *context, TSS2_TCTI_POLL_HANDLE *handles, size_t *count)
{
    if (handles != NULL && *count >= 1) {
        handles[0] = (TSS2_TCTI_POLL_HANDLE){.fd = device_of(context)->fd, .events = POLLIN};
    }
    *count = 1;
    return TSS2_RC_SUCCESS;
}

static enum err open_node(const char *path, int *out_fd)
{
    struct stat node;
    SCOPED_FD int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

    if (fd < 0) {
        FAIL(ERR_NO_DEVICE, "opening the TPM's node", errno);
    }
    ENSURE(fstat(fd, &node) == 0 && S_ISCHR(node.st_mode), ERR_MALFORMED, "the TPM's node is no device");
    *out_fd = fd;
    fd = -1;
    return ERR_OK;
}

enum err tpm_device_open(const char *path, TSS2_TCTI_CONTEXT **out_context)
{
    void *memory = NULL;
    SCOPED_FD int fd = -1;

    TRY(open_node(path, &fd));
    TRY(mem_alloc(sizeof(struct device), &memory));
    struct device *device = memory;
    device->common = (TSS2_TCTI_CONTEXT_COMMON_V1){.magic = MAGIC,
                                                   .version = 1,
                                                   .transmit = device_transmit,
                                                   .receive = device_receive,
                                                   .finalize = device_finalize,
                                                   .cancel = tpm_no_cancel,
                                                   .getPollHandles = device_poll_handles,
                                                   .setLocality = tpm_locality};
    device->fd = fd;
    fd = -1;

    *out_context = (TSS2_TCTI_CONTEXT *)device;
    return ERR_OK;
}
