/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sources of frames, in a network namespace of this process: the far end of each cable is a tap that the test holds. Where
 * no namespace can be made the tests are left out. */
#include "hal/frame.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "tests/lib/frames.h"
#include "tests/lib/leave_out.h"

#define QUIET_MS 300  /* in which the kernel would have answered: it does so at once */
#define WAIT_MS  5000 /* for what has to come */
#define HEAD     HAL_FRAME_HEAD_BYTES

struct fixture {
    int far;   /* the far end of the cable of "cable0" */
    int other; /* keeps "other0", which has 10.9.9.9, and on which a port is open */
    int listener;
    struct frames_end kernel; /* cable0, with the address of other0 */
    struct hal_frame_about about;
    struct hal_frame *frame;
};

static bool can_run; /* a namespace was made, and there are taps */

static const struct frames_end stranger = {.card = {2, 0, 0, 0, 0, 9}, .ip = {10, 1, 1, 9}, .ip6 = {0xfe, 0x80, [15] = 9}, .port = 4000};

static int tap(const char *name)
{
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0) {
        return -1;
    }
    (void)snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    if (ioctl(fd, TUNSETIFF, &request) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static void up(const char *name, const uint8_t ip[4])
{
    struct ifreq request = {0};
    struct sockaddr_in address = {.sin_family = AF_INET};
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);

    (void)snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    memcpy(&address.sin_addr, ip, 4);
    memcpy(&request.ifr_addr, &address, sizeof address);
    assert_int_equal(ioctl(fd, SIOCSIFADDR, &request), 0);
    request.ifr_flags = IFF_UP;
    assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &request), 0);
    (void)close(fd);
}

static int set_up_all(void **state)
{
    can_run = unshare(CLONE_NEWNET) == 0;
    const int probe = can_run ? tap("probe0") : -1;
    can_run = probe >= 0;
    (void)close(probe);
    return 0;
}

static void need_cables(void)
{
    if (!can_run) {
        leave_out("no network namespace or no tap: it takes root and /dev/net/tun");
    }
}

static int set_up(void **state)
{
    struct fixture *const f = test_calloc(1, sizeof *f);
    struct ifreq request = {.ifr_name = "cable0"};
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(7777)};

    *state = f;
    if (!can_run) {
        return 0;
    }
    f->far = tap("cable0");
    f->other = tap("other0");
    assert_in_range(f->far, 0, 1 << 20);
    up("cable0", (const uint8_t[]){10, 1, 1, 1});
    up("other0", (const uint8_t[]){10, 9, 9, 9});
    f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(f->listener, (const struct sockaddr *)&here, sizeof here), 0);
    assert_int_equal(listen(f->listener, 1), 0);
    assert_int_equal(ioctl(f->listener, SIOCGIFHWADDR, &request), 0);
    f->kernel = (struct frames_end){.ip = {10, 9, 9, 9}, .ip6 = {0xfe, 0x80}, .port = 7777};
    memcpy(f->kernel.card, request.ifr_hwaddr.sa_data, 6);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *const f = *state;

    if (can_run) {
        hal_frame_close(f->frame);
        (void)close(f->listener);
        (void)close(f->far);
        (void)close(f->other);
    }
    fault_clear();
    test_free(f);
    return 0;
}

static void open_frame(struct fixture *f, const char *spec)
{
    int fd = -1;

    assert_int_equal(hal_frame_open(spec, &f->about, &fd), ERR_OK);
    assert_int_equal(hal_frame_take(fd, &f->about, &f->frame), ERR_OK);
}

static bool readable(int fd, int timeout_ms)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};

    return poll(&wait, 1, timeout_ms) == 1;
}

static void put(const struct fixture *f, const struct frames_frame *frame)
{
    assert_int_equal(write(f->far, frame->bytes, frame->len), frame->len);
}

/* The next frame that leaves by the cable and is no chatter of IPv6's start. */
static size_t get(const struct fixture *f, uint8_t *out_bytes, size_t room, int timeout_ms)
{
    while (readable(f->far, timeout_ms)) {
        const ssize_t got = read(f->far, out_bytes, room);

        if (got > HEAD && !(out_bytes[0] == 0x33 && out_bytes[1] == 0x33)) {
            return (size_t)got;
        }
    }
    return 0;
}

static struct frames_frame syn_to_the_kernel(const struct fixture *f)
{
    const struct frames_segment syn = {.sequence = 1, .flags = FRAMES_SYN, .window = 1000};
    struct frames_end from = stranger;

    return frames_tcp(&from, &f->kernel, &syn);
}

/* Before anything is done about it the kernel answers on this interface for the address of another: what the next test shows
 * to have ended. */
static void hal_frame_test_can_see_the_kernel(void **state)
{
    const struct fixture *const f = *state;
    need_cables();
    const struct frames_frame arp = frames_arp_request(&stranger, f->kernel.ip);
    uint8_t bytes[FRAMES_BYTES];

    put(f, &arp);

    assert_true(get(f, bytes, sizeof bytes, WAIT_MS) > 0);
    assert_memory_equal(bytes + 12, "\x08\x06", 2);
    const struct frames_frame syn = syn_to_the_kernel(f);
    put(f, &syn);
    assert_true(get(f, bytes, sizeof bytes, WAIT_MS) > 0); /* a question for the stranger's card, or the answer itself */
}

static void hal_frame_quiet_leaves_nothing_of_the_kernels(void **state)
{
    const struct fixture *const f = *state;
    need_cables();
    const struct frames_end own = {.card = {0}, .ip = {10, 1, 1, 1}, .port = 7777};
    struct frames_end old = own;
    const struct frames_segment syn = {.sequence = 1, .flags = FRAMES_SYN, .window = 1000};
    uint8_t bytes[FRAMES_BYTES];
    memcpy(old.card, f->kernel.card, 6);

    assert_int_equal(hal_frame_quiet("cable0"), ERR_OK);

    while (readable(f->far, 0)) { /* what it said before */
        assert_true(read(f->far, bytes, sizeof bytes) > 0);
    }
    struct frames_end link_local = f->kernel;
    memcpy(link_local.ip6 + 8, f->kernel.card, 3);
    link_local.ip6[8] ^= 2;
    link_local.ip6[11] = 0xff;
    link_local.ip6[12] = 0xfe;
    memcpy(link_local.ip6 + 13, f->kernel.card + 3, 3);
    const struct frames_frame frames[] = {
        frames_arp_request(&stranger, f->kernel.ip), frames_arp_request(&stranger, own.ip), syn_to_the_kernel(f),
        frames_tcp(&stranger, &old, &syn),           frames_icmp_echo(&stranger, &old),     frames_icmp_echo(&stranger, &f->kernel),
        frames_tcp6(&stranger, &link_local, &syn),   frames_neighbour_solicitation(&stranger, &link_local)};
    for (size_t i = 0; i < ARRAY_LENGTH(frames); i++) {
        put(f, &frames[i]);
    }
    assert_false(readable(f->far, QUIET_MS));
}

static void hal_frame_open_receives_what_is_for_a_stack(void **state)
{
    struct fixture *const f = *state;
    need_cables();
    struct frames_frame frames[] = {frames_arp_request(&stranger, f->kernel.ip), syn_to_the_kernel(f),
                                    frames_neighbour_solicitation(&stranger, &f->kernel)};
    struct frames_frame vlan = frames[1];
    memcpy(vlan.bytes + 12, "\x81\x00\x00\x01\x08\x00", 6);
    struct frames_frame strange = frames[1];
    memcpy(strange.bytes + 12, "\x88\xcc", 2);
    struct span got = SPAN_NONE;
    enum hal_frame_sums sums = HAL_FRAME_SUMS_UNKNOWN;

    open_frame(f, "cable0");
    put(f, &vlan);
    put(f, &strange);
    for (size_t i = 0; i < ARRAY_LENGTH(frames); i++) {
        put(f, &frames[i]);
    }

    assert_memory_equal(f->about.mac, f->kernel.card, 6);
    assert_int_equal(f->about.mtu, 1500);
    for (size_t i = 0; i < ARRAY_LENGTH(frames); i++) {
        assert_true(readable(f->frame->fd, WAIT_MS));
        assert_int_equal(hal_frame_receive(f->frame, &got, &sums), ERR_OK);
        assert_int_equal(got.len, frames[i].len);
        assert_memory_equal(got.data, frames[i].bytes, frames[i].len);
    }
    assert_int_equal(hal_frame_receive(f->frame, &got, &sums), ERR_AGAIN);
}

static void hal_frame_sends_frames_in_parts(void **state)
{
    struct fixture *const f = *state;
    need_cables();
    const struct frames_frame frame = frames_icmp_echo(&f->kernel, &stranger);
    const struct span parts[] = {span_of(frame.bytes, 20), span_of(frame.bytes + 20, frame.len - 20)};
    uint8_t bytes[FRAMES_BYTES];
    struct span got = SPAN_NONE;
    enum hal_frame_sums sums = HAL_FRAME_SUMS_UNKNOWN;
    open_frame(f, "cable0");

    assert_int_equal(hal_frame_send(f->frame, parts, ARRAY_LENGTH(parts)), ERR_OK);

    assert_int_equal(get(f, bytes, sizeof bytes, WAIT_MS), frame.len);
    assert_memory_equal(bytes, frame.bytes, frame.len);
    assert_int_equal(hal_frame_receive(f->frame, &got, &sums), ERR_AGAIN); /* our own do not come back */
}

/* More frames than the ring has places, read as they come; and a long one, as a card makes of several segments. */
static void hal_frame_receives_frames_around_the_ring_and_long_ones_whole(void **state)
{
    struct fixture *const f = *state;
    need_cables();
    struct frames_frame frame = syn_to_the_kernel(f);
    static uint8_t large[9000];
    struct span got = SPAN_NONE;
    enum hal_frame_sums sums = HAL_FRAME_SUMS_UNKNOWN;
    struct ifreq request = {.ifr_name = "cable0", .ifr_mtu = 9000};
    assert_int_equal(ioctl(f->listener, SIOCSIFMTU, &request), 0);
    open_frame(f, "cable0");
    memcpy(large, frame.bytes, frame.len);
    for (size_t i = frame.len; i < sizeof large; i++) {
        large[i] = (uint8_t)(i * 7);
    }

    for (size_t i = 0; i < 3000; i++) {
        frame.bytes[HEAD + 5] = (uint8_t)i;
        frame.bytes[HEAD + 4] = (uint8_t)(i >> 8);
        put(f, &frame);
        assert_true(readable(f->frame->fd, WAIT_MS));
        assert_int_equal(hal_frame_receive(f->frame, &got, &sums), ERR_OK);
        assert_memory_equal(got.data, frame.bytes, frame.len);
        if (i % 500 == 0) {
            assert_int_equal(write(f->far, large, sizeof large), sizeof large);
            assert_true(readable(f->frame->fd, WAIT_MS));
            assert_int_equal(hal_frame_receive(f->frame, &got, &sums), ERR_OK);
            assert_int_equal(got.len, sizeof large);
            assert_memory_equal(got.data, large, sizeof large);
        }
    }
    assert_int_equal(f->about.mtu, HAL_FRAME_MTU_MAX);
}

/* As a worker takes the place of one that died: by another descriptor of the same source. */
static void hal_frame_take_begins_anew_after_another_process(void **state)
{
    struct fixture *const f = *state;
    need_cables();
    const struct frames_frame frame = syn_to_the_kernel(f);
    struct span got = SPAN_NONE;
    enum hal_frame_sums sums = HAL_FRAME_SUMS_UNKNOWN;
    open_frame(f, "cable0");
    const int kept = dup(f->frame->fd);
    put(f, &frame);
    put(f, &frame);
    assert_int_equal(hal_frame_receive(f->frame, &got, &sums), ERR_OK);
    hal_frame_close(f->frame);
    f->frame = NULL;

    assert_int_equal(hal_frame_take(kept, &f->about, &f->frame), ERR_OK);

    assert_int_equal(hal_frame_receive(f->frame, &got, &sums), ERR_AGAIN);
    put(f, &frame);
    assert_true(readable(f->frame->fd, WAIT_MS));
    assert_int_equal(hal_frame_receive(f->frame, &got, &sums), ERR_OK);
    assert_int_equal(got.len, frame.len);
}

static void hal_frame_open_takes_the_other_end_of_a_tap(void **state)
{
    struct fixture *const f = *state;
    need_cables();
    struct span got = SPAN_NONE;
    enum hal_frame_sums sums = HAL_FRAME_SUMS_UNKNOWN;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
    memcpy(&to.sin_addr, "\xc0\xa8\x03\x02", 4);
    open_frame(f, "tap:near0");
    up("near0", (const uint8_t[]){192, 168, 3, 1});

    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(sendto(fd, "x", 1, 0, (const struct sockaddr *)&to, sizeof to), 1); /* the kernel asks who has it */
    bool found = false;
    while (!found && readable(f->frame->fd, WAIT_MS)) {
        assert_int_equal(hal_frame_receive(f->frame, &got, &sums), ERR_OK);
        found = got.len >= HEAD + 28 && got.data[12] == 8 && got.data[13] == 6 && got.data[HEAD + 27] == 2;
    }
    assert_true(found);
    const struct frames_end here = {.card = {f->about.mac[0], f->about.mac[1], f->about.mac[2], f->about.mac[3], f->about.mac[4], f->about.mac[5]},
                                    .ip = {192, 168, 3, 2}};
    struct frames_frame answer = frames_arp_request(&here, (const uint8_t[]){192, 168, 3, 1});
    answer.bytes[HEAD + 7] = 2; /* a reply */
    const struct span whole = frames_view(&answer);
    assert_int_equal(hal_frame_send(f->frame, &whole, 1), ERR_OK);
    found = false;
    while (!found && readable(f->frame->fd, WAIT_MS)) { /* and sends what it had to say */
        assert_int_equal(hal_frame_receive(f->frame, &got, &sums), ERR_OK);
        found = got.len >= HEAD + 29 && got.data[HEAD + 9] == 17 && memcmp(got.data, f->about.mac, 6) == 0;
    }
    assert_true(found);
    (void)close(fd);
    assert_memory_not_equal(f->about.mac, f->kernel.card, 6);
}

static void hal_frame_open_refuses_what_is_no_interface(void **state)
{
    struct hal_frame_about about;
    int fd = -1;
    need_cables();

    assert_int_equal(hal_frame_open("nothing0", &about, &fd), ERR_NOT_FOUND);
    assert_int_equal(hal_frame_open("lo", &about, &fd), ERR_UNSUPPORTED);
    assert_int_equal(fd, -1);
}

static void hal_frame_open_refuses_names_that_are_paths(void **state)
{
    static const char *const names[] = {"", "tap:", "../all", "a/b", ".", "0123456789abcdef", "eth 0", "eth0\n"};
    struct hal_frame_about about;
    int fd = -1;

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        assert_int_equal(hal_frame_open(names[i], &about, &fd), ERR_MALFORMED);
        fault_clear();
    }
}

int main(void)
{
#define WITH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH(hal_frame_test_can_see_the_kernel),
        WITH(hal_frame_quiet_leaves_nothing_of_the_kernels),
        WITH(hal_frame_open_receives_what_is_for_a_stack),
        WITH(hal_frame_sends_frames_in_parts),
        WITH(hal_frame_receives_frames_around_the_ring_and_long_ones_whole),
        WITH(hal_frame_take_begins_anew_after_another_process),
        WITH(hal_frame_open_takes_the_other_end_of_a_tap),
        WITH(hal_frame_open_refuses_what_is_no_interface),
        cmocka_unit_test(hal_frame_open_refuses_names_that_are_paths),
    };

    return cmocka_run_group_tests(tests, set_up_all, NULL);
}
