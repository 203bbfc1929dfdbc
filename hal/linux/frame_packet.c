/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Frames of an interface by a packet socket, received in a ring that kernel and process share.
 *
 * The second version of the ring, not the third: that one hands frames over by the block, when it is full or its timer has
 * run out, which is a tick of the kernel (4 ms) at least. Each request would wait for it. The second one hands over each
 * frame at once, in slots of one length; a longer frame (segments that were joined below us) comes whole through the
 * socket besides, at its place in the order.
 * Only IPv4, ARP and IPv6 without a VLAN tag get into the ring: a filter of the kernel, which is locked, says so.
 * Spec: packet(7); Linux Documentation/networking/packet_mmap.rst. */
#include "hal/linux/frame_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/linux/sys_int.h"
#include "hal/socket.h"

#define SLOT_BYTES  2048u
#define SLOTS       1024u /* 2 MiB: what comes while the process does something else for 10 ms, at 1 Gbit/s */
#define BLOCK_BYTES 65536u
#define RING_BYTES  ((size_t)SLOT_BYTES * SLOTS)

struct packet {
    struct hal_frame frame;
    uint8_t *ring;
    size_t slot; /* the next one */
    bool lent;   /* the one before it is the caller's still */
    uint8_t large[HAL_FRAME_BYTES_MAX + 1];
};

static enum err option(int fd, int level, int name, const void *value, size_t bytes)
{
    if (setsockopt(fd, level, name, value, (socklen_t)bytes) != 0) {
        FAIL(errno == EPERM ? ERR_REFUSED : ERR_IO, "an option of a packet socket", errno);
    }
    return ERR_OK;
}

static enum err lock_filter(int fd)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 4),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_ARP, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    const struct sock_fprog program = {.len = ARRAY_LENGTH(code), .filter = code};
    const int on = 1;

    TRY(option(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)));
    TRY(option(fd, SOL_SOCKET, SO_LOCK_FILTER, &on, sizeof(on)));
    return ERR_OK;
}

/* Neighbour discovery is multicast. */
static enum err join(int fd, unsigned int interface)
{
    const struct packet_mreq all = {.mr_ifindex = (int)interface, .mr_type = PACKET_MR_ALLMULTI};
    const int on = 1;

    TRY(option(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)));
    TRY(option(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)));
    return ERR_OK;
}

enum err frame_packet_open(const char *name, struct hal_frame_about *out_about, int *out_fd)
{
    struct hal_frame_about about = {.kind = HAL_FRAME_PACKET};

    TRY(frame_look_at(name, &about));
    SCOPED_FD int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); /* nothing comes until bind */
    if (fd < 0) {
        FAIL(errno == EPERM ? ERR_REFUSED : sys_err(errno), "a packet socket", errno);
    }
    const unsigned int interface = if_nametoindex(name);
    const struct sockaddr_ll here = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)interface};
    TRY(lock_filter(fd));
    TRY(join(fd, interface));
    if (bind(fd, (const struct sockaddr *)&here, sizeof(here)) != 0) {
        FAIL(ERR_IO, "binding a packet socket", errno);
    }
    *out_about = about;
    *out_fd = fd;
    fd = -1;
    return ERR_OK;
}

static void *slot_at(const struct packet *packet, size_t slot)
{
    return packet->ring + slot * SLOT_BYTES;
}

static void give_back(struct packet *packet)
{
    if (packet->lent) {
        struct tpacket2_hdr *const header = slot_at(packet, (packet->slot + SLOTS - 1) % SLOTS);

        __atomic_store_n(&header->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
        packet->lent = false;
    }
}

/* A frame that did not fit its slot waits whole in the socket, unless there was no room for it. */
static enum err receive_large(struct packet *packet, struct span *out_bytes)
{
    const ssize_t got = recv(packet->frame.fd, packet->large, sizeof(packet->large), MSG_DONTWAIT);

    ENSURE(got >= 0 && (size_t)got <= HAL_FRAME_BYTES_MAX, ERR_RANGE, "a long frame");
    *out_bytes = span_of(packet->large, (size_t)got);
    return ERR_OK;
}

static enum err packet_receive(struct hal_frame *frame, struct span *out_bytes, enum hal_frame_sums *out_sums)
{
    struct packet *const packet = (struct packet *)frame;

    give_back(packet);
    struct tpacket2_hdr *const header = slot_at(packet, packet->slot);
    const uint32_t status = __atomic_load_n(&header->tp_status, __ATOMIC_ACQUIRE);

    if ((status & TP_STATUS_USER) == 0) {
        return ERR_AGAIN;
    }
    packet->slot = (packet->slot + 1) % SLOTS;
    packet->lent = true;
    *out_sums =
        (status & (TP_STATUS_CSUMNOTREADY | TP_STATUS_CSUM_VALID)) != 0 ? HAL_FRAME_SUMS_GOOD : HAL_FRAME_SUMS_UNKNOWN;
    if ((status & TP_STATUS_COPY) != 0) {
        TRY(receive_large(packet, out_bytes));
        return ERR_OK;
    }
    ENSURE(header->tp_snaplen == header->tp_len && header->tp_mac + header->tp_snaplen <= SLOT_BYTES, ERR_RANGE,
           "a frame that is cut");
    *out_bytes = span_of((const uint8_t *)header + header->tp_mac, header->tp_snaplen);
    return ERR_OK;
}

static enum err packet_send(struct hal_frame *frame, const struct span *parts, size_t count)
{
    return frame_write(frame->fd, parts, count);
}

static void packet_close(struct hal_frame *frame)
{
    struct packet *const packet = (struct packet *)frame;

    if (packet->ring != NULL) {
        (void)munmap(packet->ring, RING_BYTES); /* its own mapping: it cannot fail */
    }
    sys_close(frame->fd);
    mem_free(packet);
}

static const struct hal_frame_ops packet_ops = {.receive = packet_receive, .send = packet_send, .close = packet_close};

/* A ring of the process before is taken down first: where the kernel is in it nobody can tell. */
static enum err make_ring(struct packet *packet)
{
    const int fd = packet->frame.fd;
    const struct tpacket_req none = {0};
    const struct tpacket_req ring = {.tp_block_size = BLOCK_BYTES,
                                     .tp_block_nr = RING_BYTES / BLOCK_BYTES,
                                     .tp_frame_size = SLOT_BYTES,
                                     .tp_frame_nr = SLOTS};
    const int version = TPACKET_V2;
    const int copy = 1;

    TRY(option(fd, SOL_PACKET, PACKET_RX_RING, &none, sizeof(none)));
    TRY(option(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)));
    TRY(option(fd, SOL_PACKET, PACKET_COPY_THRESH, &copy, sizeof(copy)));
    TRY(option(fd, SOL_PACKET, PACKET_RX_RING, &ring, sizeof(ring)));
    void *const memory = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ENSURE(memory != MAP_FAILED, ERR_NO_MEMORY, "mapping a ring");
    packet->ring = memory;
    return ERR_OK;
}

enum err frame_packet_take(int take_fd, const struct hal_frame_about *about, struct hal_frame **out_frame)
{
    SCOPED_FD int fd = take_fd;
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct packet), &memory));
    struct packet *const packet = memory;
    packet->frame = (struct hal_frame){.ops = &packet_ops, .about = *about, .fd = fd};
    fd = -1;
    const enum err err = make_ring(packet);
    if (err != ERR_OK) {
        packet_close(&packet->frame);
        TRY(err);
    }
    *out_frame = &packet->frame;
    return ERR_OK;
}
