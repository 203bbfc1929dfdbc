/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/msg.h: no datagram of a taken-over process breaks its receiver, and one that is accepted is the datagram that
 * the table would send. The first two bytes choose the channel, the end and the state. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "firmware/msg.h"
#include "hal/process.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SCOPED_CHANNEL struct msg_channel *receiver = NULL;
    SCOPED_CHANNEL struct msg_channel *sender = NULL;
    uint8_t again[MSG_WIRE_MAX + 1];
    int ends[2] = {-1, -1};
    struct msg msg = MSG_NEW(MSG_DONE);

    fault_clear();
    if (size < 3 || size - 2 > MSG_WIRE_MAX) {
        return 0;
    }
    const enum msg_channel_kind kind = (enum msg_channel_kind)(data[0] % MSG_CHANNEL_KINDS);
    const enum msg_end end = (data[0] & 0x80) != 0 ? MSG_UPPER : MSG_LOWER;
    const enum msg_state state = (enum msg_state)(data[1] % MSG_STATES);

    FUZZ_CHECK(channel_pair(ends) == ERR_OK);
    FUZZ_CHECK(channel_set_nonblocking(ends[0]) == ERR_OK && channel_set_nonblocking(ends[1]) == ERR_OK);
    FUZZ_CHECK(msg_channel_new(ends[0], kind, end, &receiver) == ERR_OK);
    FUZZ_CHECK(msg_channel_new(ends[1], kind, end == MSG_UPPER ? MSG_LOWER : MSG_UPPER, &sender) == ERR_OK);
    FUZZ_CHECK(send(ends[1], data + 2, size - 2, 0) == (ssize_t)(size - 2));
    const enum err got = msg_recv(receiver, state, &msg);

    if (got == ERR_OK) {
        FUZZ_CHECK(size - 2 == msg_size(msg.type));
        FUZZ_CHECK(msg_send(sender, &msg) == ERR_OK);
        FUZZ_CHECK(recv(ends[0], again, sizeof(again), 0) == (ssize_t)(size - 2));
        FUZZ_CHECK(memcmp(again, data + 2, size - 2) == 0);
    } else {
        FUZZ_CHECK(got == ERR_MALFORMED || got == ERR_STATE);
    }
    msg_wipe(&msg);
    return 0;
}
