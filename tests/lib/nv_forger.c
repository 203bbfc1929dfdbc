/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/nv_forger.h"

#include <sys/socket.h>
#include <unistd.h>

#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "tests/lib/swtpm.h"

#define TAG_SESSIONS 0x8002
#define RH_OWNER     UINT32_C(0x40000001)
#define RH_PLATFORM  UINT32_C(0x4000000c)
#define RS_PASSWORD  UINT32_C(0x40000009)
#define CC_UNDEFINE  UINT32_C(0x00000122)
#define CC_DEFINE    UINT32_C(0x0000012a)
#define CC_INCREMENT UINT32_C(0x00000134)
#define CC_WRITE     UINT32_C(0x00000137)
#define ALG_SHA256   0x000b
#define COMMAND_MAX  256
#define VALUE_BYTES  8
#define NO_HANDLE    0

static uint32_t exchange(const struct nv_forger *forger, struct span command)
{
    uint8_t answer[COMMAND_MAX];
    const int fd = swtpm_connect(forger->path);

    INVARIANT(fd >= 0);
    INVARIANT(send(fd, command.data, command.len, MSG_NOSIGNAL) == (ssize_t)command.len);
    const ssize_t got = recv(fd, answer, sizeof(answer), 0);
    (void)close(fd);
    INVARIANT(got >= 10);
    return get_u32be(answer + 6);
}

/* header, handles, one password session, parameters */
static uint32_t command(const struct nv_forger *forger, uint32_t code, uint32_t second_handle, struct span parameters)
{
    SCOPED_BUF struct buf *text = NULL;
    const uint32_t who = forger->as_platform ? RH_PLATFORM : RH_OWNER;
    const struct span auth = forger->as_platform ? SPAN_NONE : forger->owner_auth;

    INVARIANT(buf_new(COMMAND_MAX, &text) == ERR_OK);
    INVARIANT(buf_put_u16be(text, TAG_SESSIONS) == ERR_OK && buf_put_u32be(text, 0) == ERR_OK &&
              buf_put_u32be(text, code) == ERR_OK && buf_put_u32be(text, who) == ERR_OK);
    if (second_handle != NO_HANDLE) {
        INVARIANT(buf_put_u32be(text, second_handle) == ERR_OK);
    }
    INVARIANT(buf_put_u32be(text, (uint32_t)(4 + 2 + 1 + 2 + auth.len)) == ERR_OK &&
              buf_put_u32be(text, RS_PASSWORD) == ERR_OK && buf_put_u16be(text, 0) == ERR_OK &&
              buf_put_u8(text, 0) == ERR_OK && buf_put_u16be(text, (uint16_t)auth.len) == ERR_OK &&
              buf_put(text, auth) == ERR_OK && buf_put(text, parameters) == ERR_OK);
    INVARIANT(buf_patch_u32be(text, 2, (uint32_t)buf_len(text)) == ERR_OK);
    return exchange(forger, buf_all(text));
}

uint32_t nv_undefine(const struct nv_forger *forger, uint32_t index)
{
    return command(forger, CC_UNDEFINE, index, SPAN_NONE);
}

/* auth size(2) | public size(2) | index(4) name algorithm(2) attributes(4) policy size(2) data size(2) */
uint32_t nv_define(const struct nv_forger *forger, uint32_t index, uint32_t attributes)
{
    uint8_t parameters[2 + 2 + 14] = {[3] = 14, [9] = ALG_SHA256, [17] = VALUE_BYTES};

    put_u32be(parameters + 4, index);
    put_u32be(parameters + 10, attributes);
    return command(forger, CC_DEFINE, NO_HANDLE, span_array(parameters));
}

/* size(2) | value | offset(2) */
uint32_t nv_write(const struct nv_forger *forger, uint32_t index, uint64_t value)
{
    uint8_t parameters[2 + VALUE_BYTES + 2] = {[1] = VALUE_BYTES};

    put_u64be(parameters + 2, value);
    return command(forger, CC_WRITE, index, span_array(parameters));
}

uint32_t nv_increment(const struct nv_forger *forger, uint32_t index)
{
    return command(forger, CC_INCREMENT, index, SPAN_NONE);
}
