/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ethernet frames of one interface, past the kernel's TCP/IP: for a stack in this process.
 *
 * Opened with root's rights by the supervisor, which keeps the descriptor; each worker takes a copy of it, before it enters
 * its sandbox. Two kinds: "eth0" is an interface of this machine (AF_PACKET), which hal_frame_quiet makes the kernel let
 * alone; "tap:name" is one end of a cable whose other end is the interface of that name (made if it is not there), with
 * whatever addresses its owner gave it: for tests and for machines whose port belongs to the kernel. */
#ifndef HAL_FRAME_H
#define HAL_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

#define HAL_FRAME_MAC_BYTES  6
#define HAL_FRAME_HEAD_BYTES 14 /* both addresses and the type */
/* A frame is longer than its MTU where a card or another machine on this host joins segments before they come here. */
#define HAL_FRAME_BYTES_MAX (HAL_FRAME_HEAD_BYTES + 65535)
#define HAL_FRAME_PARTS_MAX 64   /* of one frame sent */
#define HAL_FRAME_MTU_MIN   1280 /* IPv6 has no less */
#define HAL_FRAME_MTU_MAX   1500

enum hal_frame_kind { HAL_FRAME_PACKET, HAL_FRAME_TAP, HAL_FRAME_KINDS };

/* What goes with the descriptor from one process to the next. */
struct hal_frame_about {
    enum hal_frame_kind kind;
    uint8_t mac[HAL_FRAME_MAC_BYTES]; /* ours */
    uint16_t mtu;
};

/* GOOD: the card has looked at the sums of TCP and UDP, or the frame never was on a cable and has none yet. */
enum hal_frame_sums { HAL_FRAME_SUMS_UNKNOWN, HAL_FRAME_SUMS_GOOD };

struct hal_frame;

struct hal_frame_ops {
    enum err (*receive)(struct hal_frame *frame, struct span *out_bytes, enum hal_frame_sums *out_sums);
    enum err (*send)(struct hal_frame *frame, const struct span *parts, size_t count);
    void (*close)(struct hal_frame *frame);
};

struct hal_frame {
    const struct hal_frame_ops *ops;
    struct hal_frame_about about;
    int fd; /* readable when frames wait */
};

/* Makes the kernel let an interface alone: no addresses, no IPv6 (not even link-local), no ARP, and no packet that comes in
 * there for an address of another interface. Then sets it up. Root only.
 * ERR_NOT_FOUND (no such interface), ERR_REFUSED, ERR_IO. */
enum err hal_frame_quiet(const char *interface) MUST_USE;

/* Opens "name" or "tap:name"; the first is made quiet. Root only. The caller owns the descriptor.
 * ERR_NOT_FOUND (no such interface), ERR_UNSUPPORTED (not Ethernet, or an MTU of less than HAL_FRAME_MTU_MIN),
 * ERR_MALFORMED (a name that none can have), ERR_REFUSED (not root), ERR_NO_DEVICE (no tap in this kernel), ERR_IO. */
enum err hal_frame_open(const char *spec, struct hal_frame_about *out_about, int *out_fd) MUST_USE;

/* For the process that handles the frames; before its sandbox. Those that wait in the descriptor since an earlier process
 * are lost. Takes the descriptor, also on failure. ERR_NO_MEMORY, ERR_IO. */
enum err hal_frame_take(int take_fd, const struct hal_frame_about *about, struct hal_frame **out_frame) MUST_USE;

/* The next frame, whole, at most HAL_FRAME_BYTES_MAX; a view until the next call. Frames of our own do not come.
 * ERR_AGAIN: none waits; ERR_RANGE: one was too long and is lost, more may follow; ERR_IO. */
static inline MUST_USE enum err hal_frame_receive(struct hal_frame *frame, struct span *out_bytes,
                                                  enum hal_frame_sums *out_sums)
{
    return frame->ops->receive(frame, out_bytes, out_sums);
}

/* Sends a frame, given in at most HAL_FRAME_PARTS_MAX parts. ERR_AGAIN: there is no room, or the cable is out: the frame is
 * lost, as any may be; ERR_RANGE (more parts, or longer than the MTU), ERR_IO. Without a frame in the fault trail. */
static inline MUST_USE enum err hal_frame_send(struct hal_frame *frame, const struct span *parts, size_t count)
{
    return frame->ops->send(frame, parts, count);
}

/* Closes and frees. NULL is fine. */
static inline void hal_frame_close(struct hal_frame *frame)
{
    if (frame != NULL) {
        frame->ops->close(frame);
    }
}

#endif
