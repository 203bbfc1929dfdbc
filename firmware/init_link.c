/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/init_link.h"

#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "hal/process.h"
#include "hal/socket.h"

#define WORD_BYTES 4

static enum err send_word(int channel, uint32_t word)
{
    uint8_t bytes[WORD_BYTES];

    put_u32be(bytes, word);
    return channel_send(channel, span_array(bytes), NULL, 0);
}

static enum err receive_word(int channel, uint32_t *out_word)
{
    uint8_t bytes[WORD_BYTES];
    struct channel_message message = {.bytes = 0};

    const enum err err = channel_receive(channel, bytes, sizeof(bytes), &message);
    ENSURE(err != ERR_RANGE, ERR_MALFORMED, "a message that is too long");
    if (err != ERR_OK) {
        return err;
    }
    for (size_t i = 0; i < message.fd_count; i++) {
        socket_close(message.fds[i]);
    }
    ENSURE(message.fd_count == 0 && message.bytes == WORD_BYTES, ERR_MALFORMED, "a message of another form");
    *out_word = get_u32be(bytes);
    return ERR_OK;
}

enum err init_link_ask(int channel, enum init_request request)
{
    return send_word(channel, (uint32_t)request);
}

enum err init_link_hear(int channel, enum init_request *out_request)
{
    uint32_t word = 0;

    const enum err err = receive_word(channel, &word);
    if (err != ERR_OK) {
        return err;
    }
    ENSURE(word == INIT_MAP_VOLUME || word == INIT_RESTART, ERR_MALFORMED, "a request that is none");
    *out_request = (enum init_request)word;
    return ERR_OK;
}

enum err init_link_answer(int channel, enum err result)
{
    return send_word(channel, (uint32_t)result);
}

enum err init_link_take(int channel, enum err *out_result)
{
    uint32_t word = 0;

    const enum err err = receive_word(channel, &word);
    if (err != ERR_OK) {
        return err;
    }
    ENSURE(word < ERR_COUNT, ERR_MALFORMED, "an answer that is none");
    *out_result = (enum err)word;
    return ERR_OK;
}
