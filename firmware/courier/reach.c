/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/courier/reach.h"

#include "hal/base/fault.h"
#include "hal/process.h"
#include "hal/socket.h"

struct reach {
    struct msg_channel *jobs; /* only sends */
};

enum err reach_new(int jobs, struct reach **out_reach)
{
    SCOPED_FD int copy = -1;
    void *memory = NULL;

    TRY(channel_copy(jobs, &copy));
    TRY(mem_alloc(sizeof(struct reach), &memory));
    struct reach *const reach = memory;
    const enum err err = msg_channel_new(copy, MSG_JOBS, MSG_LOWER, &reach->jobs);
    if (err != ERR_OK) {
        mem_free(reach);
        TRY(err);
    }
    copy = -1;
    *out_reach = reach;
    return ERR_OK;
}

void reach_free(struct reach *reach)
{
    if (reach == NULL) {
        return;
    }
    msg_channel_free(reach->jobs);
    mem_free(reach);
}

static enum err ask(struct reach *reach, const struct reach_to *to, int end)
{
    struct msg msg = MSG_NEW(MSG_JOB_REACH);

    msg.fd = end;
    msg.as.job_reach.job = to->job;
    msg.as.job_reach.kind = (uint32_t)to->kind;
    msg.as.job_reach.port = to->port;
    TRY(MSG_SET(&msg.as.job_reach.host, to->host));
    return msg_send(reach->jobs, &msg);
}

static enum err wait_for_word(int end, unsigned int wait_ms)
{
    uint8_t word = 0;
    size_t len = 0;

    TRY(socket_wait(end, SOCKET_WAIT_READ, wait_ms));
    TRY(socket_receive(end, &word, sizeof(word), &len));
    ENSURE(word != MSG_REACHED_NO_NAME, ERR_NOT_FOUND, "no address for the name");
    ENSURE(word == MSG_REACHED, ERR_CLOSED, "nobody answers there");
    return ERR_OK;
}

enum err reach_open(struct reach *reach, const struct reach_to *to, int *out_fd)
{
    SCOPED_FD int kept = -1;
    int ends[2] = {-1, -1};

    TRY(socket_pair(to->kind == MSG_REACH_TCP ? SOCKET_PAIR_BYTES : SOCKET_PAIR_MESSAGES, ends));
    kept = ends[0];
    const enum err err = ask(reach, to, ends[1]);
    socket_close(ends[1]);
    TRY(err);
    TRY(wait_for_word(kept, to->wait_ms));
    *out_fd = kept;
    kept = -1;
    return ERR_OK;
}
