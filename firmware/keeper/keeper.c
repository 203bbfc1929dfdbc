/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Start: names and options from the supervisor -> open the TPM (it loads shared objects and connects) -> give up rights ->
 * find the state -> say it. From then on this is the crypto thread: it waits for the supervisor, the worker's channels
 * and the TPM thread, and answers each message at once.
 *
 * The supervisor's messages are trusted in what they say but checked in form; the worker's are hostile: anything that
 * the table (msg.c) does not allow ends all channels of that worker, and the supervisor is told to end it.
 *
 * A copy of this machine has the state of every random generator that this process has, its libraries' too; two signatures
 * with one number drawn for both would give the private key away. So before each message and each tick the generation is
 * looked at, and after a change this process answers nothing more and ends: the supervisor starts another.
 *
 * When the TPM goes away while the box is operational, what is in memory goes on being served, and the state carries the
 * reason. */
#include "firmware/keeper/keeper.h"

#include <string.h>

#include <generated/vendor_keys.h>

#include "crypto/crypto.h"
#include "crypto/tpm_crypto.h"
#include "firmware/keeper/keeper_int.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/base/mem.h"
#include "hal/board.h"
#include "hal/process.h"
#include "hal/sandbox.h"
#include "hal/socket.h"

#define OPEN_FILES   256
#define LOCKED_BYTES ((size_t)8 << 20) /* what an ordinary user may lock; fewer secrets than that */
#define EVENTS       16
#define DATE_MS      300000 /* what a power cut and a clock set back by less can bring back; each time is a file written */

/* What the box has been at, whatever its clock says at this start. Without it the clock is believed. */
static void take_date(struct keeper *keeper)
{
    struct wall_time date = {0};

    if (keeper->date_taken || vault_state(keeper->vault) != BOARD_OPERATIONAL) {
        return;
    }
    keeper->date_taken = true;
    const enum err err = vault_date(keeper->vault, &date);
    if (err == ERR_OK) {
        hal_onward_saw(&keeper->calendar, date);
    } else if (err == ERR_NOT_FOUND) {
        fault_clear(); /* the first start */
    } else {
        log_fault(LOG_ERROR, "date_not_known");
    }
}

/* A date that is not kept is not worth an end: the one before holds. */
static void keep_date(struct keeper *keeper)
{
    const struct mono_time now = hal_clock_mono(keeper->clock);

    if (!keeper->date_taken || vault_state(keeper->vault) != BOARD_OPERATIONAL) {
        return;
    }
    if (vault_date_keep(keeper->vault, hal_clock_wall(&keeper->calendar.base)) != ERR_OK) {
        log_fault(LOG_WARN, "date_not_kept");
    }
    keeper->next_date = mono_add_ms(now, DATE_MS);
}

/* Before the state is told, upon which the volume is mapped. Without it the box has no rows, and says so. */
static void give_volume_key(struct keeper *keeper)
{
    if (!board_desc.data_volume || keeper->volume_key_given || vault_state(keeper->vault) != BOARD_OPERATIONAL) {
        return;
    }
    if (vault_volume_key_put(keeper->vault, board_desc.data_has_tags) != ERR_OK) {
        log_fault(LOG_ERROR, "volume_key_not_given");
        return;
    }
    keeper->volume_key_given = true;
}

enum err keeper_tell_state(struct keeper *keeper)
{
    SCOPED_MSG struct msg msg = MSG_NEW(MSG_KEEPER_STATE);

    give_volume_key(keeper);
    take_date(keeper);
    const enum board_state state = vault_state(keeper->vault);
    const enum life_reason reason = vault_reason(keeper->vault);

    msg.as.keeper_state.state = (uint32_t)state;
    msg.as.keeper_state.reason = (uint32_t)reason;
    if (keeper->tpm_gone && state == BOARD_OPERATIONAL) {
        msg.as.keeper_state.reason = LIFE_REASON_NO_TPM;
    }
    msg.as.keeper_state.first = vault_recovery_words(keeper->vault) != NULL ? 1 : 0;
    msg.as.keeper_state.date_ms = (uint64_t)hal_clock_wall(&keeper->calendar.base).ms;
    keeper->reason = reason;
    keeper->state = state == BOARD_OPERATIONAL ? MSG_OPERATIONAL : MSG_LOCKED;
    TRY(msg_send(keeper->control, &msg));
    return ERR_OK;
}

static enum err tell_ca(struct keeper *keeper)
{
    SCOPED_BUF struct buf *der = NULL;
    SCOPED_BUF struct buf *pem = NULL;
    SCOPED_MSG struct msg msg = MSG_NEW(MSG_KEEPER_CA);

    TRY(buf_new(X509_DER_MAX, &der));
    const enum err err = vault_ca(keeper->vault, der);
    if (err == ERR_NOT_FOUND) {
        fault_clear();
        return ERR_OK;
    }
    TRY(err);
    TRY(buf_new(MSG_PEM_MAX, &pem));
    TRY(x509_to_pem(buf_all(der), pem));
    TRY(MSG_SET(&msg.as.keeper_ca, buf_all(pem)));
    TRY(msg_send(keeper->control, &msg));
    return ERR_OK;
}

static enum err tell_recovery(struct keeper *keeper)
{
    SCOPED_MSG struct msg msg = MSG_NEW(MSG_KEEPER_RECOVERY);
    const struct secret *const words = vault_recovery_words(keeper->vault);

    if (words == NULL) {
        return ERR_OK;
    }
    TRY(MSG_SET(&msg.as.keeper_recovery, secret_reveal(words)));
    TRY(msg_send(keeper->control, &msg));
    return ERR_OK;
}

static enum err add_name(struct x509_names *names, struct span text)
{
    struct socket_address address;

    if (socket_address_parse(text, &address) == ERR_OK) {
        return x509_names_add_ip(names, span_of(address.ip, address.family == SOCKET_IPV4 ? 4 : 16));
    }
    fault_clear();
    return x509_names_add_dns(names, text);
}

/* A name or an address of the list; out_complete after the last. What finds no room is left out: how many addresses there
 * are is not up to this box alone, and those that matter come first. */
static enum err take_name(struct keeper *keeper, const struct msg *msg, bool *out_complete)
{
    const struct span text = MSG_VIEW(&msg->as.keeper_name.name);

    if (msg->as.keeper_name.index == 0) {
        mem_wipe(keeper->names, sizeof(*keeper->names));
        keeper->names_changed = false; /* what the vault does not have yet is replaced */
    }
    const enum err err = add_name(keeper->names, text);
    if (err == ERR_LIMIT) {
        fault_clear();
        LOG(LOG_WARN, "name_left_out", LOG_TEXT("name", text));
    } else {
        TRY(err);
    }
    *out_complete = msg->as.keeper_name.index + 1 == msg->as.keeper_name.count;
    return ERR_OK;
}

/* Is the vault this thread's at the moment? While operational the TPM thread only ever probes, which leaves it alone. */
static bool vault_is_free(const struct keeper *keeper)
{
    return keeper->state == MSG_OPERATIONAL || !tpm_thread_is_busy(keeper->tpm_thread);
}

/* New certificates if it is time; the worker gets them without a restart. A failure is logged: the old ones serve on. */
static void renew(struct keeper *keeper)
{
    bool changed = false;

    if (!vault_is_free(keeper)) {
        return; /* at the next tick */
    }
    if (keeper->names_changed) {
        vault_set_names(keeper->vault, keeper->names);
        keeper->names_changed = false;
    }
    if (vault_state(keeper->vault) != BOARD_OPERATIONAL) {
        return;
    }
    enum err err = vault_renew(keeper->vault, &changed);
    if (err == ERR_OK && changed) {
        LOG(LOG_INFO, "certificate_renewed", LOG_NUMBER("signatures", identity_count(keeper->identity)));
        err = identity_load(keeper->identity, keeper->vault);
    }
    if (err == ERR_OK && changed) {
        err = tell_ca(keeper);
    }
    if (err != ERR_OK) {
        log_fault(LOG_ERROR, "certificate_renewal_failed");
    } else if (changed) {
        keeper_links_tell_cert(keeper);
    }
}

/* Once. Nothing is refused because of it, but what is written is dated ahead until the clock has come to that date. */
static void tell_of_clock(struct keeper *keeper)
{
    const int64_t lag_ms = hal_onward_lag_ms(&keeper->calendar);

    if (lag_ms > 0 && !keeper->told_of_clock) {
        LOG(LOG_WARN, "clock_went_back", LOG_NUMBER("seconds", (uint64_t)lag_ms / 1000));
        keeper->told_of_clock = true;
    }
}

static void tick(struct keeper *keeper)
{
    const struct tpm_job probe = {.kind = TPM_JOB_PROBE};
    const struct mono_time now = hal_clock_mono(keeper->clock);

    renew(keeper);
    tell_of_clock(keeper);
    keeper_tickets_keep(keeper);
    if (vault_is_free(keeper) && now.ns >= keeper->next_date.ns) {
        keep_date(keeper);
    }
    if (!tpm_thread_is_busy(keeper->tpm_thread) && tpm_thread_do(keeper->tpm_thread, &probe) != ERR_OK) {
        log_fault(LOG_ERROR, "tpm_probe_failed");
    }
    keeper->next_tick = mono_add_ms(now, keeper->tick_ms);
}

/* The outcome of an unlocking: to whoever asked, and, if the state changed, to the supervisor, which then replaces the
 * worker. The worker that asked served strangers while locked: its channels end before a key is there to be asked for.
 * The answer is in its channel, and is read before the end of it. */
static enum err unlocked(struct keeper *keeper, const struct tpm_job *job)
{
    const enum life_reason before = keeper->reason;

    keeper_links_answer_unlock(keeper, job);
    if (job->err == ERR_OK) {
        keeper_links_end(keeper);
        renew(keeper);
        TRY(identity_load(keeper->identity, keeper->vault));
        msg_wipe(&keeper->tickets); /* a ticket of the locked box must not resume with the operational one */
        keeper_tickets_rotate(keeper);
        TRY(tell_ca(keeper));
    }
    if (job->err == ERR_OK || vault_reason(keeper->vault) != before) {
        TRY(keeper_tell_state(keeper));
    }
    return ERR_OK;
}

static enum err probed(struct keeper *keeper, const struct tpm_job *job)
{
    const bool gone = job->err != ERR_OK;

    if (gone != keeper->tpm_gone && vault_state(keeper->vault) == BOARD_OPERATIONAL) {
        LOG(LOG_WARN, "tpm", LOG_LITERAL("state", gone ? "gone" : "back"));
        keeper->tpm_gone = gone;
        TRY(keeper_tell_state(keeper));
    }
    return ERR_OK;
}

static enum err on_tpm(struct keeper *keeper)
{
    struct tpm_job job;

    const enum err err = tpm_thread_done(keeper->tpm_thread, &job);
    if (err == ERR_AGAIN) {
        return ERR_OK;
    }
    TRY(err);
    switch (job.kind) {
    case TPM_JOB_UNLOCK_PIN:
    case TPM_JOB_UNLOCK_RECOVERY:
    case TPM_JOB_UNLOCK_DATE_BACK:
        TRY(unlocked(keeper, &job));
        return ERR_OK;
    case TPM_JOB_PROBE:
        TRY(probed(keeper, &job));
        return keeper_image_go_on(keeper);
    case TPM_JOB_APPROVE:
    case TPM_JOB_BLESS:
    case TPM_JOB_PLAN:
        return keeper_image_done(keeper, &job);
    }
    FAIL(ERR_BUG, "no such job", job.kind);
}

/* One message of the supervisor, once the state is known. */
static enum err obey(struct keeper *keeper, struct msg *msg)
{
    const struct msg answer = MSG_NEW(MSG_KEEPER_ANSWER);
    bool complete = false;

    if (msg->type == MSG_KEEPER_NAME) {
        TRY(take_name(keeper, msg, &complete));
        if (complete) {
            keeper->names_changed = true;
            renew(keeper);
        }
    } else if (msg->type == MSG_KEEPER_WORKER) {
        TRY(keeper_links_add(keeper, msg));
    } else if (msg->type == MSG_KEEPER_SHOWN) {
        TRY(vault_shown(keeper->vault)); /* legal while operational only: the vault is this thread's */
    } else if (msg->type == MSG_KEEPER_APPROVE || msg->type == MSG_KEEPER_BLESS || msg->type == MSG_KEEPER_PLAN) {
        TRY(keeper_image_ask(keeper, msg));
    } else if (msg->type == MSG_KEEPER_ASK) {
        TRY(msg_send(keeper->control, &answer));
    } else if (msg->type == MSG_KEEPER_STOP) {
        keeper->state = MSG_STOPPING;
    }
    return ERR_OK;
}

static enum err on_control(struct keeper *keeper)
{
    const enum err err = msg_recv(keeper->control, keeper->state, &keeper->in);
    if (err == ERR_AGAIN) {
        return ERR_OK;
    }
    if (err == ERR_CLOSED) {
        LOG(LOG_ERROR, "supervisor_gone", LOG_LITERAL("then", "stop"));
        keeper->state = MSG_STOPPING;
        return ERR_OK;
    }
    TRY(err);
    const enum err obeyed = obey(keeper, &keeper->in);
    socket_close(keeper->in.fd);
    msg_wipe(&keeper->in);
    TRY(obeyed);
    return ERR_OK;
}

static enum err take_generation(struct keeper *keeper, struct msg *msg)
{
    const int fd = msg->fd;

    msg->fd = -1;
    TRY(hal_vmgenid_take_fd(fd, &keeper->vmgenid));
    TRY(hal_vmgenid_read(keeper->vmgenid, keeper->generation));
    return ERR_OK;
}

/* Options and names, then MSG_KEEPER_START: the TPM is opened while that is still possible, and the rest of the rights are
 * given up. out_pin is the caller's to wipe. */
static enum err receive_start(struct keeper *keeper, struct msg *out_start)
{
    bool complete = false;

    for (;;) {
        TRY(msg_recv(keeper->control, MSG_STARTING, out_start));
        if (out_start->type == MSG_KEEPER_START) {
            ENSURE(complete, ERR_STATE, "no names before the start");
            return ERR_OK;
        }
        if (out_start->type == MSG_KEEPER_GENERATION) {
            TRY(take_generation(keeper, out_start));
            continue;
        }
        if (out_start->type == MSG_KEEPER_POLICY) {
            keeper->policy = out_start->as.keeper_policy;
            continue;
        }
        ENSURE(out_start->type == MSG_KEEPER_NAME, ERR_CANCELLED, "stopped before the start");
        TRY(take_name(keeper, out_start, &complete));
    }
}

static void open_tpm(struct keeper *keeper, const struct msg *start)
{
    char tcti[MSG_TCTI_MAX + 1] = {0};

    memcpy(tcti, start->as.keeper_start.tcti.data, start->as.keeper_start.tcti.len);
    if (hal_tpm_open(tcti, &tpm_crypto, &keeper->tpm) != ERR_OK) {
        log_fault(LOG_ERROR, "tpm_open_failed"); /* the box will be locked, and says why */
    }
}

static enum err give_up_rights(struct keeper *keeper)
{
    TRY(sandbox_drop_user(board_desc.keeper_uid, board_desc.keeper_gid));
    TRY(datadir_take_fd(KEEPER_FD_DIRECTORY, &keeper->dir));
    const struct sandbox_spec spec = {
        .profile = SANDBOX_KEEPER,
        .puts_kernel_keys = board_desc.data_volume,
        .directory_fd = datadir_fd(keeper->dir),
    };
    TRY(sandbox_enter(&spec));
    return ERR_OK;
}

/* Who seals and opens on a board whose boot is measured. */
static enum err take_measures(struct keeper *keeper)
{
    static const uint8_t vendor_key[] = VENDOR_POLICY_KEY;
    const struct measured_options options = {
        .tpm = keeper->tpm,
        .dir = keeper->dir,
        .vendor_key = vendor_key,
        .board = board_desc.name,
        .policy = MSG_VIEW(&keeper->policy),
    };
    _Static_assert(sizeof(vendor_key) == SIGN_PUBLIC_BYTES, "an uncompressed point");
    _Static_assert(MSG_POLICY_MAX == IMAGE_POLICY_MAX, "a policy fits its message");
    _Static_assert(MSG_PLAN_MAX == BOOT_PLAN_MAX, "a plan fits its message");

    if (board_desc.image_policy[0] == '\0') {
        return ERR_OK;
    }
    return measured_new(&options, &keeper->measured);
}

static enum err find_state(struct keeper *keeper, const struct msg *start)
{
    const struct vault_options options = {
        .tpm = keeper->tpm,
        .entropy = hal_entropy_kernel(),
        .clock = keeper->clock,
        .dir = keeper->dir,
        .pcr_mask = CONFIG_HAL_TPM_PCRS,
        .measured = keeper->measured,
        .names = keeper->names,
        .shown = start->as.keeper_start.shown == 1,
    };
    bool changed = false;

    TRY(vault_new(&options, &keeper->vault));
    if (vault_start(keeper->vault, MSG_VIEW(&start->as.keeper_start.pin)) != ERR_OK) {
        log_fault(LOG_ERROR, "not_unsealed");
    } else if (vault_renew(keeper->vault, &changed) != ERR_OK) {
        log_fault(LOG_ERROR, "certificate_renewal_failed");
    }
    TRY(identity_new(keeper->clock, &keeper->identity));
    TRY(identity_load(keeper->identity, keeper->vault));
    TRY(tokens_new(&keeper->calendar.base, &keeper->tokens));
    TRY(tpm_thread_start(keeper->tpm, keeper->vault, keeper->measured, &keeper->tpm_thread));
    return ERR_OK;
}

static enum err start(struct keeper *keeper)
{
    const struct sandbox_limits limits = {.open_files = OPEN_FILES, .locked_bytes = LOCKED_BYTES};

    TRY(sandbox_begin(&limits));
    TRY(sandbox_refuse_root());
    TRY(process_signals_block()); /* ends come from the supervisor, in order; signals of a terminal are not heard */
    sandbox_wipe_freed_memory();
    TRY(crypto_start());
    keeper->clock = hal_clock_system();
    hal_onward_init(&keeper->calendar, keeper->clock);
    TRY(mem_alloc(sizeof(struct x509_names), (void **)&keeper->names));
    TRY(poller_new(&keeper->poller));
    TRY(msg_channel_new(KEEPER_FD_CONTROL, MSG_TO_KEEPER, MSG_LOWER, &keeper->control));
    TRY(receive_start(keeper, &keeper->in));
    open_tpm(keeper, &keeper->in);
    TRY(give_up_rights(keeper));
    TRY(take_measures(keeper));
    TRY(find_state(keeper, &keeper->in));
    msg_wipe(&keeper->in);
    keeper_tickets_rotate(keeper);
    TRY(tell_ca(keeper));
    TRY(tell_recovery(keeper));
    TRY(keeper_tell_state(keeper));
    TRY(channel_set_nonblocking(msg_channel_fd(keeper->control)));
    TRY(poller_add(keeper->poller, msg_channel_fd(keeper->control), POLLER_READ, keeper->control));
    TRY(poller_add(keeper->poller, tpm_thread_fd(keeper->tpm_thread), POLLER_READ, keeper->tpm_thread));
    keeper->next_tick = mono_add_ms(hal_clock_mono(keeper->clock), keeper->tick_ms);
    return ERR_OK;
}

static enum err is_the_same_machine(const struct keeper *keeper)
{
    uint8_t now[HAL_VMGENID_BYTES];

    if (keeper->vmgenid == NULL) {
        return ERR_OK;
    }
    TRY(hal_vmgenid_read(keeper->vmgenid, now));
    ENSURE(memcmp(now, keeper->generation, sizeof(now)) == 0, ERR_CANCELLED, "this machine was copied");
    return ERR_OK;
}

static enum err dispatch(struct keeper *keeper, const struct poller_event *event)
{
    TRY(is_the_same_machine(keeper));
    if (event->context == keeper->control) {
        TRY(on_control(keeper));
    } else if (event->context == keeper->tpm_thread) {
        TRY(on_tpm(keeper));
    } else {
        keeper_links_serve(keeper, event->context);
    }
    return ERR_OK;
}

static enum err serve(struct keeper *keeper)
{
    struct poller_event events[EVENTS];
    size_t count = 0;

    while (keeper->state != MSG_STOPPING) {
        const uint64_t wait_ms = mono_ms_between(hal_clock_mono(keeper->clock), keeper->next_tick);
        TRY(poller_wait(keeper->poller, (int)wait_ms + 1, events, EVENTS, &count));
        for (size_t i = 0; i < count; i++) {
            TRY(dispatch(keeper, &events[i]));
        }
        if (hal_clock_mono(keeper->clock).ns >= keeper->next_tick.ns) {
            TRY(is_the_same_machine(keeper));
            tick(keeper);
        }
    }
    if (vault_is_free(keeper)) {
        keep_date(keeper);
    }
    return ERR_OK;
}

/* In order: nobody can ask any more, the thread has let go of the TPM, the TPM is shut down, the keys are wiped. */
void keeper_free(struct keeper *keeper)
{
    if (keeper == NULL) {
        return;
    }
    keeper_links_end(keeper);
    tpm_thread_end(keeper->tpm_thread);
    hal_tpm_close(keeper->tpm);
    if (keeper->identity != NULL) {
        LOG(LOG_INFO, "keeper_ends", LOG_NUMBER("signatures", identity_count(keeper->identity)));
    }
    identity_free(keeper->identity);
    tokens_free(keeper->tokens);
    vault_free(keeper->vault);
    measured_free(keeper->measured);
    hal_vmgenid_close(keeper->vmgenid);
    datadir_close(keeper->dir);
    msg_channel_free(keeper->control);
    poller_free(keeper->poller);
    mem_free(keeper->names);
    msg_wipe(&keeper->tickets);
    msg_wipe(&keeper->in);
    mem_free(keeper);
}

enum err keeper_new(unsigned int tick_ms, struct keeper **out_keeper)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct keeper), &memory));
    struct keeper *const keeper = memory;
    keeper->tick_ms = tick_ms;
    *out_keeper = keeper;
    return ERR_OK;
}

enum err keeper_run(struct keeper *keeper)
{
    TRY(start(keeper));
    return serve(keeper);
}
