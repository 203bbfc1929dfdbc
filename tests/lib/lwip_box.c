/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/lwip_box.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/aead.h"
#include "crypto/crypto.h"
#include "hal/base/fault.h"

#define TICK_MS 100

const struct frames_end lwip_box_end = {.card = {2, 0, 0, 0, 0, 2}, .ip = {192, 0, 2, 2}, .ip6 = {0x20, 1, 0xd, 0xb8, [15] = 2}, .port = 443};
const struct frames_end lwip_box_them = {.card = {2, 0, 0, 0, 0, 1}, .ip = {192, 0, 2, 1}, .ip6 = {0x20, 1, 0xd, 0xb8, [15] = 1}, .port = 4000};

static struct lwip_box *here; /* what a listener, which brings no context, belongs to */

static void on_socket(struct stack_listener *listener, unsigned int ready)
{
    struct lwip_box *const f = here;
    enum err err = ERR_OK;
    (void)listener;

    f->ready |= ready;
    while (f->reads && err == ERR_OK) {
        size_t got = 0;

        err = f->stack->ops->recv(f->socket, f->got + f->got_len, sizeof f->got - f->got_len, &got);
        f->got_len += err == ERR_OK ? got : 0;
    }
    if (err == ERR_CLOSED || (ready & LOOP_GONE) != 0) {
        f->is_over = true;
        assert_int_equal(f->stack->ops->watch(f->socket, &f->on_socket, 0), ERR_OK);
    }
}

static void on_listening(struct stack_listener *listener, unsigned int ready)
{
    struct lwip_box *const f = here;
    struct stack_socket *socket = NULL;
    (void)listener;
    (void)ready;

    while (f->stack->ops->accept(f->stack, f->listening, &f->peer, &socket) == ERR_OK) {
        f->stack->ops->close(f->socket);
        f->socket = socket;
        assert_int_equal(f->stack->ops->watch(socket, &f->on_socket, LOOP_READ), ERR_OK);
    }
}

static void on_addresses(void *context, const struct socket_address *addresses, size_t count)
{
    struct lwip_box *const f = context;

    memcpy(f->addresses, addresses, count * sizeof *addresses);
    f->address_count = count;
}

void lwip_box_turn(struct lwip_box *f)
{
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(loop_turn(f->loop, 0), ERR_OK);
    }
}

void lwip_box_pass_ms(struct lwip_box *f, unsigned int ms)
{
    for (unsigned int i = 0; i < ms; i += TICK_MS) {
        sim_clock_advance_ms(&f->clock, TICK_MS);
        assert_int_equal(loop_turn(f->loop, 0), ERR_OK);
    }
}

void lwip_box_forget_sent(struct lwip_box *f)
{
    struct span frame = SPAN_NONE;

    while (sim_frame_take(f->cable, &frame) == ERR_OK) {
        continue;
    }
}

void lwip_box_open(struct lwip_box *f, const struct stack_lwip_options *addresses)
{
    struct stack_lwip_options options = *addresses;

    options.loop = f->loop;
    options.slab = f->slab;
    options.on_addresses = on_addresses;
    options.context = f;
    assert_int_equal(sim_frame_new(lwip_box_end.card, &f->cable), ERR_OK);
    assert_int_equal(stack_lwip_new(&options, sim_frame_hal(f->cable), &f->stack), ERR_OK);
}

int lwip_box_bare(void **state)
{
    struct lwip_box *const f = test_calloc(1, sizeof *f);

    assert_int_equal(crypto_start(), ERR_OK);
    sim_clock_init(&f->clock);
    assert_int_equal(loop_new(&f->clock.base, 16, &f->loop), ERR_OK);
    assert_int_equal(crypto_slab_new(&f->slab), ERR_OK);
    f->on_socket.on_ready = on_socket;
    f->on_listening.on_ready = on_listening;
    f->reads = true;
    here = f;
    *state = f;
    return 0;
}

/* With both addresses, past the time in which the IPv6 ones are asked for. */
int lwip_box_set_up(void **state)
{
    static const struct stack_lwip_options addresses = {
        .has_ipv4 = true,
        .ipv4 = {.family = SOCKET_IPV4, .ip = {192, 0, 2, 2}},
        .ipv4_prefix = 24,
        .has_gateway = true,
        .gateway = {.family = SOCKET_IPV4, .ip = {192, 0, 2, 254}},
        .has_ipv6 = true,
        .ipv6 = {.family = SOCKET_IPV6, .ip = {0x20, 1, 0xd, 0xb8, [15] = 2}},
    };

    (void)lwip_box_bare(state);
    struct lwip_box *const f = *state;
    lwip_box_open(f, &addresses);
    assert_int_equal(stack_lwip_listen(f->stack, 443, &f->listening), ERR_OK);
    assert_int_equal(f->stack->ops->watch(f->listening, &f->on_listening, LOOP_READ), ERR_OK);
    lwip_box_pass_ms(f, 3000);
    const struct frames_frame arp = frames_arp_request(&lwip_box_them, lwip_box_end.ip); /* so they know each other */
    sim_frame_give(f->cable, frames_view(&arp), HAL_FRAME_SUMS_UNKNOWN);
    lwip_box_turn(f);
    lwip_box_forget_sent(f);
    return 0;
}

int lwip_box_tear_down(void **state)
{
    struct lwip_box *const f = *state;

    if (f->stack != NULL) {
        f->stack->ops->close(f->socket);
        f->stack->ops->close(f->listening);
        stack_free(f->stack);
    }
    loop_free(f->loop);
    secret_slab_free(f->slab);
    fault_clear();
    test_free(f);
    return 0;
}

void lwip_box_give(struct lwip_box *f, const struct frames_frame *frame)
{
    sim_frame_give(f->cable, frames_view(frame), HAL_FRAME_SUMS_UNKNOWN);
    lwip_box_turn(f);
}

void lwip_box_give_segment(struct lwip_box *f, const struct lwip_client *client, const struct frames_segment *segment)
{
    const struct frames_frame frame = frames_tcp(&client->end, &lwip_box_end, segment);

    lwip_box_give(f, &frame);
}

/* The next TCP segment that the box sent. */
struct frames_segment lwip_box_next_segment(struct lwip_box *f)
{
    struct span frame = SPAN_NONE;
    struct frames_segment segment = {.flags = 0};
    uint16_t from = 0;
    uint16_t to = 0;

    while (sim_frame_take(f->cable, &frame) == ERR_OK) {
        if (frames_read_tcp(frame, &from, &to, &segment)) {
            assert_int_equal(from, lwip_box_end.port);
            return segment;
        }
    }
    return (struct frames_segment){.flags = 0};
}

static uint8_t byte_at(size_t position)
{
    return (uint8_t)(position ^ (position >> 8));
}

static void fill(uint8_t *bytes, size_t from, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bytes[i] = byte_at(from + i);
    }
}

void lwip_box_assert_stream(const struct lwip_box *f, size_t len)
{
    assert_int_equal(f->got_len, len);
    for (size_t i = 0; i < len; i++) {
        if (f->got[i] != byte_at(i)) {
            fail_msg("byte %zu is %u", i, f->got[i]);
        }
    }
}

/* A SYN with all options that clients of today send. */
static const uint8_t syn_options[] = {2, 4, 5, 180, 1, 3, 3, 7, 4, 2, 1, 1};

struct frames_segment lwip_box_begin(struct lwip_box *f, struct lwip_client *client)
{
    const struct frames_segment syn = {.sequence = client->sequence, .flags = FRAMES_SYN, .window = 64000, .options = span_array(syn_options)};

    lwip_box_give_segment(f, client, &syn);
    const struct frames_segment answer = lwip_box_next_segment(f);
    client->sequence++;
    client->acknowledged = answer.sequence + 1;
    return answer;
}

void lwip_box_acknowledge(struct lwip_box *f, const struct lwip_client *client)
{
    const struct frames_segment ack = {
        .sequence = client->sequence, .acknowledged = client->acknowledged, .flags = FRAMES_ACK, .window = 64000};

    lwip_box_give_segment(f, client, &ack);
}

struct lwip_client lwip_box_connected(struct lwip_box *f)
{
    struct lwip_client client = {.end = lwip_box_them, .sequence = 1000};

    const struct frames_segment answer = lwip_box_begin(f, &client);
    assert_int_equal(answer.flags, FRAMES_SYN | FRAMES_ACK);
    lwip_box_acknowledge(f, &client);
    assert_non_null(f->socket);
    lwip_box_forget_sent(f);
    return client;
}

void lwip_box_give_bytes(struct lwip_box *f, const struct lwip_client *client, size_t from, size_t len)
{
    uint8_t bytes[1400];

    fill(bytes, from, len);
    const struct frames_segment segment = {.sequence = client->sequence + (uint32_t)from,
                                           .acknowledged = client->acknowledged,
                                           .flags = FRAMES_ACK | FRAMES_PSH,
                                           .window = 64000,
                                           .payload = span_of(bytes, len)};
    lwip_box_give_segment(f, client, &segment);
}
