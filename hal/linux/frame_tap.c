/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Frames of a tap: one call each. A header of ten bytes stands before each of them, which says among other things whether
 * its sums were made.
 * Spec: Linux Documentation/networking/tuntap.rst; Virtual I/O Device 1.2 section 5.1.6. */
#include "hal/linux/frame_int.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/linux/sys_int.h"
#include "hal/socket.h"

#define HEADER_BYTES sizeof(struct virtio_net_hdr)
#define LOCAL_MAC    0x02u /* "administered locally": not a manufacturer's */
#define OTHER_END    0x01u

struct tap {
    struct hal_frame frame;
    uint8_t bytes[HEADER_BYTES + HAL_FRAME_BYTES_MAX];
};

enum err frame_tap_open(const char *name, struct hal_frame_about *out_about, int *out_fd)
{
    SCOPED_FD int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
    struct hal_frame_about about = {.kind = HAL_FRAME_TAP};
    int header_bytes = HEADER_BYTES;

    if (fd < 0) {
        FAIL(errno == ENOENT || errno == ENODEV ? ERR_NO_DEVICE : sys_err(errno), "/dev/net/tun", errno);
    }
    memcpy(request.ifr_name, name, strlen(name));
    if (ioctl(fd, TUNSETIFF, &request) != 0) {
        FAIL(errno == EPERM ? ERR_REFUSED : ERR_IO, "TUNSETIFF", errno);
    }
    if (ioctl(fd, TUNSETVNETHDRSZ, &header_bytes) != 0 ||
        ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6) != 0) {
        FAIL(ERR_IO, "setting a tap", errno);
    }
    TRY(frame_look_at(name, &about));
    /* The interface has this address itself; ours is another one that is the same at each start. */
    about.mac[0] |= LOCAL_MAC;
    about.mac[HAL_FRAME_MAC_BYTES - 1] ^= OTHER_END;
    *out_about = about;
    *out_fd = fd;
    fd = -1;
    return ERR_OK;
}

static enum err tap_receive(struct hal_frame *frame, struct span *out_bytes, enum hal_frame_sums *out_sums)
{
    struct tap *const tap = (struct tap *)frame;
    struct virtio_net_hdr header;
    const ssize_t got = read(frame->fd, tap->bytes, sizeof(tap->bytes));

    if (got < 0 && (errno == EAGAIN || errno == EINTR || errno == EIO)) {
        return ERR_AGAIN;
    }
    ENSURE(got >= 0, ERR_IO, "reading a tap");
    ENSURE((size_t)got >= HEADER_BYTES, ERR_RANGE, "a frame without its header");
    memcpy(&header, tap->bytes, HEADER_BYTES);
    *out_bytes = span_of(tap->bytes + HEADER_BYTES, (size_t)got - HEADER_BYTES);
    *out_sums = (header.flags & (VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID)) != 0
                    ? HAL_FRAME_SUMS_GOOD
                    : HAL_FRAME_SUMS_UNKNOWN;
    return ERR_OK;
}

static enum err tap_send(struct hal_frame *frame, const struct span *parts, size_t count)
{
    static const uint8_t header[HEADER_BYTES] = {0};
    struct span all[HAL_FRAME_PARTS_MAX];

    if (count >= HAL_FRAME_PARTS_MAX) {
        return ERR_RANGE;
    }
    all[0] = span_array(header);
    memcpy(&all[1], parts, count * sizeof(*parts));
    return frame_write(frame->fd, all, count + 1);
}

static void tap_close(struct hal_frame *frame)
{
    sys_close(frame->fd);
    mem_free(frame);
}

static const struct hal_frame_ops tap_ops = {.receive = tap_receive, .send = tap_send, .close = tap_close};

enum err frame_tap_take(int take_fd, const struct hal_frame_about *about, struct hal_frame **out_frame)
{
    SCOPED_FD int fd = take_fd;
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct tap), &memory));
    struct tap *const tap = memory;
    tap->frame = (struct hal_frame){.ops = &tap_ops, .about = *about, .fd = fd};
    fd = -1;
    *out_frame = &tap->frame;
    return ERR_OK;
}
