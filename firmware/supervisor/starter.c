/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Requests are four bytes, answers twelve, all numbers big-endian:
 *
 *   START, with the child's descriptors  ->  error, pid, 0, with the pidfd
 *   REAP                                 ->  error (ERR_TIMEOUT: it runs), how it ended, exit status or signal
 *   KILL                                 ->  ERR_OK, 0, 0
 *
 * The supervisor asks one thing at a time. */
#include "firmware/supervisor/starter.h"

#include <string.h>

#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/board.h"
#include "hal/sandbox.h"
#include "hal/socket.h"

#define COMMAND       "starter"
#define REQUEST_BYTES 4
#define ANSWER_BYTES  12
#define ANSWER_MS     10000U /* a machine under load */

enum request { START = 1, REAP = 2, KILL = 3 };

struct answer {
    enum err err;
    uint32_t first;
    uint32_t second;
    int fd; /* -1: none */
};

/* --- the supervisor's side --- */

void starter_init(struct starter *starter)
{
    *starter = (struct starter){.process = {.pidfd = -1}, .link = -1};
}

enum err starter_open(struct starter *starter, const char *command)
{
    int ends[2] = {-1, -1};
    struct process_spec spec = {.arguments = {COMMAND, command}, .fds = &ends[1], .fd_count = 1};

    TRY(channel_pair(ends));
    enum err err = channel_set_timeout(ends[0], ANSWER_MS);
    err = err != ERR_OK ? err : process_start(&spec, &starter->process);
    socket_close(ends[1]);
    if (err != ERR_OK) {
        socket_close(ends[0]);
        return err;
    }
    starter->link = ends[0];
    return ERR_OK;
}

void starter_close(struct starter *starter)
{
    enum process_end end = PROCESS_EXITED;
    int number = 0;

    socket_close(starter->link);
    starter->link = -1;
    if (starter->process.pidfd >= 0 && process_reap(&starter->process, ANSWER_MS, &end, &number) != ERR_OK) {
        log_fault(LOG_WARN, "starter_not_ended");
        process_kill(&starter->process);
    }
}

static enum err take_answer(const struct starter *starter, struct answer *out_answer)
{
    uint8_t bytes[ANSWER_BYTES];
    struct channel_message message = {.bytes = 0};

    const enum err err = channel_receive(starter->link, bytes, sizeof(bytes), &message);
    ENSURE(err != ERR_TIMEOUT && err != ERR_AGAIN, ERR_CLOSED, "a starter that does not answer");
    TRY(err);
    for (size_t i = 1; i < message.fd_count; i++) {
        socket_close(message.fds[i]);
    }
    const int fd = message.fd_count != 0 ? message.fds[0] : -1;
    const uint32_t code = get_u32be(bytes);
    if (message.bytes != ANSWER_BYTES || message.fd_count > 1 || code >= ERR_COUNT) {
        socket_close(fd);
        FAIL(ERR_MALFORMED, "an answer of another form", message.bytes);
    }
    *out_answer = (struct answer){(enum err)code, get_u32be(bytes + 4), get_u32be(bytes + 8), fd};
    return ERR_OK;
}

static enum err exchange(const struct starter *starter, enum request request, const int *fds, size_t fd_count,
                         struct answer *out_answer)
{
    uint8_t bytes[REQUEST_BYTES];

    put_u32be(bytes, (uint32_t)request);
    TRY(channel_send(starter->link, span_array(bytes), fds, fd_count));
    return take_answer(starter, out_answer);
}

/* Answers carry no number: one that comes too late would be taken for the next one. So after a failure nothing is asked any
 * more; the starter ends with its link, and the supervisor learns that. */
static enum err ask(struct starter *starter, enum request request, const int *fds, size_t fd_count,
                    struct answer *out_answer)
{
    ENSURE(starter->link >= 0, ERR_CLOSED, "there is no starter");
    const enum err err = exchange(starter, request, fds, fd_count, out_answer);
    if (err != ERR_OK) {
        socket_close(starter->link);
        starter->link = -1;
    }
    return err;
}

enum err starter_start(struct starter *starter, const int *fds, size_t fd_count, struct process *out_process)
{
    struct answer answer = {.fd = -1};

    TRY(ask(starter, START, fds, fd_count, &answer));
    if (answer.err != ERR_OK || answer.fd < 0) {
        socket_close(answer.fd);
        FAIL(answer.err != ERR_OK ? answer.err : ERR_MALFORMED, "the starter started nothing", answer.err);
    }
    *out_process = (struct process){.pid = (int)answer.first, .pidfd = answer.fd};
    return ERR_OK;
}

enum err starter_reap(struct starter *starter, struct process *process, enum process_end *out_end, int *out_number)
{
    struct answer answer = {.fd = -1};

    TRY(ask(starter, REAP, NULL, 0, &answer));
    socket_close(answer.fd);
    if (answer.err == ERR_TIMEOUT) {
        return ERR_TIMEOUT;
    }
    ENSURE(answer.err == ERR_OK, answer.err, "the starter has no child");
    socket_close(process->pidfd);
    *process = (struct process){.pid = 0, .pidfd = -1};
    *out_end = answer.first == PROCESS_EXITED ? PROCESS_EXITED : PROCESS_KILLED;
    *out_number = (int)answer.second;
    return ERR_OK;
}

enum err starter_kill(struct starter *starter)
{
    struct answer answer = {.fd = -1};

    TRY(ask(starter, KILL, NULL, 0, &answer));
    socket_close(answer.fd);
    return ERR_OK;
}

/* --- its own side --- */

struct server {
    const char *command;
    int link;
    struct process child; /* pidfd -1: none */
};

static void start_child(struct server *server, const struct channel_message *message, struct answer *out_answer)
{
    const struct process_spec spec = {.arguments = {server->command}, .fds = message->fds, .fd_count = message->fd_count};

    if (server->child.pidfd >= 0) {
        out_answer->err = ERR_STATE;
        return;
    }
    out_answer->err = process_start(&spec, &server->child);
    if (out_answer->err != ERR_OK) {
        log_fault(LOG_ERROR, "child_not_started");
        return;
    }
    out_answer->first = (uint32_t)server->child.pid;
    out_answer->fd = server->child.pidfd;
}

static void reap_child(struct server *server, struct answer *out_answer)
{
    enum process_end end = PROCESS_EXITED;
    int number = 0;

    out_answer->err = process_reap(&server->child, 0, &end, &number);
    fault_clear();
    out_answer->first = (uint32_t)end;
    out_answer->second = (uint32_t)number;
}

static enum err give_answer(const struct server *server, const struct answer *answer)
{
    uint8_t bytes[ANSWER_BYTES];

    put_u32be(bytes, (uint32_t)answer->err);
    put_u32be(bytes + 4, answer->first);
    put_u32be(bytes + 8, answer->second);
    return channel_send(server->link, span_array(bytes), &answer->fd, answer->fd >= 0 ? 1 : 0);
}

static enum err serve_one(struct server *server)
{
    uint8_t bytes[REQUEST_BYTES];
    struct channel_message message = {.bytes = 0};
    struct answer answer = {.err = ERR_OK, .fd = -1};

    TRY(channel_receive(server->link, bytes, sizeof(bytes), &message));
    const uint32_t request = message.bytes == REQUEST_BYTES ? get_u32be(bytes) : 0;
    if (request == START) {
        start_child(server, &message, &answer);
    } else if (request == REAP) {
        reap_child(server, &answer);
    } else if (request == KILL) {
        process_kill(&server->child);
    }
    for (size_t i = 0; i < message.fd_count; i++) {
        socket_close(message.fds[i]);
    }
    ENSURE(request >= START && request <= KILL, ERR_MALFORMED, "a request that is none");
    return give_answer(server, &answer);
}

enum err starter_run(const char *command, unsigned int uid, unsigned int gid, int link)
{
    struct server server = {.command = command, .link = link, .child = {.pidfd = -1}};

    TRY(process_signals_block()); /* whom they ask to end is the supervisor */
    TRY(sandbox_drop_user(uid, gid));
    TRY(process_can_start());
    for (;;) { /* until the supervisor ends, and with it the channel */
        TRY(serve_one(&server));
    }
}

enum err starter_run_for_board(const char *command)
{
    const struct {
        const char *command;
        unsigned int uid;
        unsigned int gid;
    } rows[] = {{"keeper", board_desc.keeper_uid, board_desc.keeper_gid},
                {"worker", board_desc.worker_uid, board_desc.worker_gid},
                {"courier", board_desc.courier_uid, board_desc.courier_gid}};

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        if (strcmp(command, rows[i].command) == 0) {
            return starter_run(rows[i].command, rows[i].uid, rows[i].gid, PROCESS_FD_FIRST);
        }
    }
    FAIL(ERR_NOT_FOUND, "a child that the board does not have", 0);
}
