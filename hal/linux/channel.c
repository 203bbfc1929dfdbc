/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Channels between our processes: SOCK_SEQPACKET keeps messages whole, SCM_RIGHTS carries descriptors. What is received
 * with a message that is refused is closed here, so a sender cannot fill our table of descriptors. */
#include "hal/process.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "hal/linux/sys_int.h"

/* Twice the room that is allowed: a message with more descriptors is then seen whole, and refused. */
#define CONTROL_BYTES CMSG_SPACE(2 * CHANNEL_FDS_MAX * sizeof(int))

union control {
    struct cmsghdr align;
    uint8_t bytes[CONTROL_BYTES];
};

enum err channel_pair(int out_ends[2])
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, out_ends) != 0) {
        FAIL_ERRNO(errno, "socketpair");
    }
    return ERR_OK;
}

enum err channel_set_nonblocking(int channel)
{
    const int flags = fcntl(channel, F_GETFL);

    if (flags < 0 || fcntl(channel, F_SETFL, flags | O_NONBLOCK) != 0) {
        FAIL_ERRNO(errno, "fcntl");
    }
    return ERR_OK;
}

enum err channel_copy(int channel, int *out_copy)
{
    const int copy = fcntl(channel, F_DUPFD_CLOEXEC, 0);

    if (copy < 0) {
        FAIL_ERRNO(errno, "fcntl");
    }
    *out_copy = copy;
    return ERR_OK;
}

enum err channel_set_timeout(int channel, unsigned int timeout_ms)
{
    const struct timeval time = {(time_t)(timeout_ms / 1000), (suseconds_t)(timeout_ms % 1000) * 1000};

    if (setsockopt(channel, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)) != 0 ||
        setsockopt(channel, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time)) != 0) {
        FAIL(ERR_IO, "setsockopt", errno);
    }
    return ERR_OK;
}

/* A blocking channel says EAGAIN when its time is over, a non-blocking one when there is nothing to do. */
static enum err from_channel(int channel, int error)
{
    if (error != EAGAIN) {
        return error == EMSGSIZE ? ERR_RANGE : sys_err(error);
    }
    return (fcntl(channel, F_GETFL) & O_NONBLOCK) != 0 ? ERR_AGAIN : ERR_TIMEOUT;
}

enum err channel_send(int channel, struct span message, const int *fds, size_t fd_count)
{
    union control control = {.bytes = {0}};
    union {
        const uint8_t *from;
        void *to;
    } unconst = {.from = message.data}; /* sendmsg only reads; struct iovec has no const */
    struct iovec vector = {unconst.to, message.len};
    struct msghdr header = {.msg_iov = &vector, .msg_iovlen = 1};
    ssize_t sent = 0;

    ENSURE(message.len > 0 && message.len <= CHANNEL_MESSAGE_MAX, ERR_RANGE, "message length");
    ENSURE(fd_count <= CHANNEL_FDS_MAX, ERR_RANGE, "too many descriptors for a message");
    if (fd_count > 0) {
        header.msg_control = control.bytes;
        header.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        struct cmsghdr *part = CMSG_FIRSTHDR(&header);
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(part), fds, fd_count * sizeof(int));
    }
    do {
        sent = sendmsg(channel, &header, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? from_channel(channel, errno) : ERR_OK;
}

/* Collects the descriptors of a received message; returns how many there were, which may be more than were kept. */
static size_t take_fds(struct msghdr *header, struct channel_message *out_message)
{
    size_t seen = 0;

    for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part != NULL; part = CMSG_NXTHDR(header, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++, seen++) {
            int fd = -1;
            memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(fd));
            if (seen < CHANNEL_FDS_MAX) {
                out_message->fds[seen] = fd;
                out_message->fd_count = seen + 1;
            } else {
                sys_close(fd);
            }
        }
    }
    return seen;
}

static enum err refuse(struct channel_message *message, enum err err)
{
    for (size_t i = 0; i < message->fd_count; i++) {
        sys_close(message->fds[i]);
    }
    return err;
}

enum err channel_receive(int channel, uint8_t *out_bytes, size_t max, struct channel_message *out_message)
{
    struct channel_message message = {.bytes = 0};
    union control control;
    struct iovec vector = {out_bytes, max};
    struct msghdr header = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
    ssize_t got = 0;

    do {
        got = recvmsg(channel, &header, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return from_channel(channel, errno);
    }
    const size_t seen = take_fds(&header, &message);
    if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || seen > CHANNEL_FDS_MAX) {
        return refuse(&message, ERR_RANGE);
    }
    if (got == 0) {
        return refuse(&message, ERR_CLOSED);
    }
    message.bytes = (size_t)got;

    *out_message = message;
    return ERR_OK;
}
