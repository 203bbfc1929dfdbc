/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sockets, and what the children are given at their start. */
#include "firmware/supervisor/supervisor_int.h"

#include <unistd.h>

#include "hal/base/buf.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/base/mem.h"
#include "hal/base/num.h"
#include "hal/board.h"
#include "hal/boot_policy.h"
#include "hal/socket.h"

#define BACKLOG    1024
#define PORT_ADMIN 9443 /* unless told otherwise */

static size_t reactor_count(void)
{
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (CONFIG_WORKER_REACTORS != 0) {
        return CONFIG_WORKER_REACTORS;
    }
    return cores < 1 ? 1 : num_min((size_t)cores, MSG_REACTORS_MAX);
}

static enum err listen_in_kernel(struct supervisor *supervisor)
{
    struct socket_listen listen = {.address = supervisor->options->listen, .backlog = BACKLOG, .share_port = true};
    struct socket_address bound = {0};

    listen.address.port = supervisor->options->port;
    for (size_t i = 0; i < supervisor->reactors; i++) {
        TRY(socket_listen(&listen, &supervisor->https[i], &bound));
        listen.address.port = bound.port; /* port 0: the first one finds a free one for all */
    }
    supervisor->port = bound.port;
    if (supervisor->options->plain) {
        listen.address.port = supervisor->options->plain_port;
        listen.share_port = false;
        TRY(socket_listen(&listen, &supervisor->http, &bound));
        supervisor->plain_port = bound.port;
    }
    return ERR_OK;
}

/* On an address of its own, so not on the ports of the stack in user space; the first reactor serves it. */
static enum err listen_for_administrator(struct supervisor *supervisor)
{
    struct socket_listen listen = {.address = supervisor->options->admin, .backlog = BACKLOG};
    struct socket_address bound = {0};

    listen.address.port = supervisor->options->has_admin_port ? listen.address.port : PORT_ADMIN;
    TRY(socket_listen(&listen, &supervisor->admin, &bound));
    supervisor->admin_port = bound.port;
    LOG(LOG_INFO, "listening_for_administrator", LOG_NUMBER("port", bound.port));
    return ERR_OK;
}

enum err supervisor_listen(struct supervisor *supervisor)
{
    supervisor->reactors = reactor_count();
    TRY(supervisor_open_frames(supervisor));
    if (supervisor->options->listens) {
        TRY(listen_in_kernel(supervisor));
    }
    if (supervisor->options->admin_text != NULL) {
        TRY(listen_for_administrator(supervisor));
    }
    LOG(LOG_INFO, "listening", LOG_NUMBER("port", supervisor->port), LOG_NUMBER("plain_port", supervisor->plain_port));
    return ERR_OK;
}

/* What the keeper looks at before it draws anything at random. */
static enum err tell_generation(struct supervisor *supervisor)
{
    supervisor->out = MSG_NEW(MSG_KEEPER_GENERATION);
    supervisor->out.fd = hal_vmgenid_fd(supervisor->vmgenid);
    if (supervisor->out.fd >= 0) {
        TRY(hal_vmgenid_read(supervisor->vmgenid, supervisor->keeper_generation));
        TRY(msg_send(supervisor->keeper.control, &supervisor->out));
    }
    return ERR_OK;
}

/* The signed policy of the running image. What it is worth the keeper finds out; a box that has none says so, and stays
 * closed. */
static enum err tell_policy(struct supervisor *supervisor)
{
    SCOPED_BUF struct buf *policy = NULL;

    if (board_desc.image_policy[0] == '\0') {
        return ERR_OK;
    }
    TRY(buf_new(MSG_POLICY_MAX, &policy));
    if (boot_policy_read(board_desc.image_policy, policy) != ERR_OK) {
        log_fault(LOG_WARN, "image_policy_not_read");
        buf_reset(policy);
    }
    supervisor->out = MSG_NEW(MSG_KEEPER_POLICY);
    TRY(MSG_SET(&supervisor->out.as.keeper_policy, buf_all(policy)));
    TRY(msg_send(supervisor->keeper.control, &supervisor->out));
    return ERR_OK;
}

enum err supervisor_start_keeper(struct supervisor *supervisor, struct span pin)
{
    TRY(child_start(&supervisor->keeper, supervisor->poller, supervisor->keeper_dir,
                    hal_clock_mono(supervisor->clock)));
    supervisor->known = false;
    mem_wipe(&supervisor->names, sizeof(supervisor->names));
    TRY(supervisor_look_at_names(supervisor));
    TRY(tell_generation(supervisor));
    TRY(tell_policy(supervisor));
    supervisor->out = MSG_NEW(MSG_KEEPER_START);
    TRY(MSG_SET(&supervisor->out.as.keeper_start.tcti, span_str(supervisor->options->tcti)));
    TRY(MSG_SET(&supervisor->out.as.keeper_start.pin, pin));
    supervisor->out.as.keeper_start.shown = supervisor->shown ? 1 : 0;
    const enum err err = msg_send(supervisor->keeper.control, &supervisor->out);
    msg_wipe(&supervisor->out);
    TRY(err);
    return ERR_OK;
}

/* Gives a child a descriptor, of which a copy arrives. number: what the child knows it by. */
static enum err give_fd(struct supervisor *supervisor, struct child *child, enum msg_fd_kind kind, size_t number, int fd)
{
    supervisor->out = MSG_NEW(child == &supervisor->worker ? MSG_WORKER_FD : MSG_KEEPER_WORKER);
    supervisor->out.as.with_fd.kind = (uint32_t)kind;
    supervisor->out.as.with_fd.index = (uint32_t)number;
    supervisor->out.fd = fd;
    TRY(msg_send(child->control, &supervisor->out));
    return ERR_OK;
}

/* A new channel between keeper and worker; link is its number at the keeper. */
static enum err connect_both(struct supervisor *supervisor, enum msg_fd_kind kind, size_t link, size_t index)
{
    SCOPED_FD int upper = -1;
    SCOPED_FD int lower = -1;
    int ends[2] = {-1, -1};

    TRY(channel_pair(ends));
    upper = ends[0];
    lower = ends[1];
    TRY(give_fd(supervisor, &supervisor->worker, kind, index, lower));
    TRY(give_fd(supervisor, &supervisor->keeper, kind, link, upper));
    return ERR_OK;
}

static enum err connect_all(struct supervisor *supervisor)
{
    TRY(connect_both(supervisor, MSG_FD_CALLS, 0, 0));
    TRY(connect_both(supervisor, MSG_FD_NOTICES, 1, 0));
    for (size_t i = 0; i < supervisor->reactors && supervisor->mode == MSG_MODE_SERVE; i++) {
        TRY(connect_both(supervisor, MSG_FD_REACTOR, i + 2, i));
        if (supervisor->https[i] >= 0) {
            TRY(give_fd(supervisor, &supervisor->worker, MSG_FD_HTTPS, i, supervisor->https[i]));
        }
    }
    TRY(supervisor_give_frames(supervisor));
    if (supervisor->http >= 0) {
        TRY(give_fd(supervisor, &supervisor->worker, MSG_FD_HTTP, 0, supervisor->http));
    }
    if (supervisor->admin >= 0) {
        TRY(give_fd(supervisor, &supervisor->worker, MSG_FD_ADMIN, 0, supervisor->admin));
    }
    if (supervisor->has_generation) {
        TRY(give_fd(supervisor, &supervisor->worker, MSG_FD_GENERATION, 0, hal_vmgenid_fd(supervisor->vmgenid)));
    }
    return ERR_OK;
}

static enum err tell_url(struct supervisor *supervisor)
{
    SCOPED_BUF struct buf *url = NULL;

    TRY(buf_new(MSG_URL_MAX, &url));
    TRY(supervisor_put_url(supervisor, url));
    return MSG_SET(&supervisor->out.as.worker_start.url, buf_all(url));
}

enum err supervisor_start_worker(struct supervisor *supervisor)
{
    TRY(child_start(&supervisor->worker, supervisor->poller, supervisor->worker_dir,
                    hal_clock_mono(supervisor->clock)));
    supervisor->failed = supervisor->given_up;
    supervisor->has_generation = hal_vmgenid_read(supervisor->vmgenid, supervisor->generation) == ERR_OK;
    fault_clear();
    TRY(connect_all(supervisor));
    TRY(supervisor_connect_updater(supervisor));
    supervisor->out = MSG_NEW(MSG_WORKER_START);
    supervisor->out.as.worker_start.mode = (uint32_t)supervisor->mode;
    supervisor->out.as.worker_start.state = (uint32_t)(supervisor->failed ? BOARD_FAILED : supervisor->state);
    supervisor->out.as.worker_start.reason = (uint32_t)(supervisor->failed ? supervisor->failure : supervisor->reason);
    supervisor->out.as.worker_start.first = supervisor->first ? 1 : 0;
    supervisor->out.as.worker_start.reactors = (uint32_t)supervisor->reactors;
    supervisor->out.as.worker_start.https_port = supervisor->port;
    supervisor->out.as.worker_start.http_port = supervisor->plain_port;
    supervisor->out.as.worker_start.sets_clock = supervisor->options->init_fd >= 0 ? 1 : 0;
    supervisor->out.as.worker_start.date_ms = (uint64_t)hal_clock_wall(&supervisor->calendar.base).ms;
    TRY(tell_url(supervisor));
    TRY(msg_send(supervisor->worker.control, &supervisor->out));
    return ERR_OK;
}
