/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/init_link.h"

#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "hal/process.h"
#include "hal/socket.h"

#define WORD_BYTES 4
#define TIME_BYTES (WORD_BYTES + 8 + 8)

static enum err send_word(int channel, uint32_t word)
{
    uint8_t bytes[WORD_BYTES];

    put_u32be(bytes, word);
    return channel_send(channel, span_array(bytes), NULL, 0);
}

/* A message of at most max bytes, without descriptors; out_bytes has room for them. */
static enum err receive(int channel, uint8_t *out_bytes, size_t max, size_t *out_len)
{
    struct channel_message message = {.bytes = 0};

    const enum err err = channel_receive(channel, out_bytes, max, &message);
    ENSURE(err != ERR_RANGE, ERR_MALFORMED, "a message that is too long");
    if (err != ERR_OK) {
        return err;
    }
    for (size_t i = 0; i < message.fd_count; i++) {
        socket_close(message.fds[i]);
    }
    ENSURE(message.fd_count == 0 && message.bytes >= WORD_BYTES, ERR_MALFORMED, "a message of another form");
    *out_len = message.bytes;
    return ERR_OK;
}

enum err init_link_ask(int channel, enum init_request request)
{
    return send_word(channel, (uint32_t)request);
}

enum err init_link_ask_time(int channel, const struct init_time *time)
{
    uint8_t bytes[TIME_BYTES];

    put_u32be(bytes, INIT_SET_CLOCK);
    put_u64be(bytes + WORD_BYTES, time->unix_ns);
    put_u64be(bytes + WORD_BYTES + 8, time->at.ns);
    return channel_send(channel, span_array(bytes), NULL, 0);
}

enum err init_link_hear(int channel, enum init_request *out_request, struct init_time *out_time)
{
    uint8_t bytes[TIME_BYTES];
    size_t len = 0;

    const enum err err = receive(channel, bytes, sizeof(bytes), &len);
    if (err != ERR_OK) {
        return err;
    }
    const uint32_t word = get_u32be(bytes);
    ENSURE(word == INIT_MAP_VOLUME || word == INIT_RESTART || word == INIT_SET_CLOCK, ERR_MALFORMED,
           "a request that is none");
    ENSURE(len == (word == INIT_SET_CLOCK ? TIME_BYTES : WORD_BYTES), ERR_MALFORMED, "a request of another size");
    if (word == INIT_SET_CLOCK) {
        out_time->unix_ns = get_u64be(bytes + WORD_BYTES);
        out_time->at.ns = get_u64be(bytes + WORD_BYTES + 8);
    }
    *out_request = (enum init_request)word;
    return ERR_OK;
}

enum err init_link_answer(int channel, enum err result)
{
    return send_word(channel, (uint32_t)result);
}

enum err init_link_take(int channel, enum err *out_result)
{
    uint8_t bytes[WORD_BYTES];
    size_t len = 0;

    const enum err err = receive(channel, bytes, sizeof(bytes), &len);
    if (err != ERR_OK) {
        return err;
    }
    const uint32_t word = get_u32be(bytes);
    ENSURE(word < ERR_COUNT, ERR_MALFORMED, "an answer that is none");
    *out_result = (enum err)word;
    return ERR_OK;
}
