/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What happens from the first instruction in the box's own root to the supervisor, and after it:
 *
 *   1. /run and /tmp, in memory; the kernel's modules, and no more of them after that; its settings
 *   2. the clock, not before the date of the image
 *   3. the state partition: what its journal holds of a power cut is taken over by the mount, and that is all the checking
 *      it needs, for what lies there is sealed or checks itself
 *   4. the ESP: the policy of this image goes to where the supervisor reads it
 *   5. the TPM is given to its user
 *   6. the kernel's random pool has been initialised: no key is made before
 *   7. a keyring that those have who are started from here; in an image for debugging, a shell that does not
 *   8. the supervisor, as root, which it gives up before it starts a child
 *   9. this process gives up what it needs no more, and waits: for the requests of init_link.h, and for the supervisor's
 *      end, upon which the machine is started again, or is off, if somebody pressed its button
 *
 * Nothing is read from outside the box but those requests. A step that fails ends the process and with it the kernel, which
 * starts the machine again; the boot loader counts the tries. Only what the box can do without is logged and passed over: a
 * box without its ESP, or with a wrong policy there, locks itself, and says why to those who ask. */
#include "firmware/init/init.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "firmware/boot_words.h"
#include "firmware/init/clock.h"
#include "firmware/init/volume.h"
#include "firmware/init_link.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/blockdev.h"
#include "hal/board.h"
#include "hal/button.h"
#include "hal/clock.h"
#include "hal/entropy.h"
#include "hal/interface.h"
#include "hal/kernel.h"
#include "hal/kernel_key.h"
#include "hal/module.h"
#include "hal/mounts.h"
#include "hal/poller.h"
#include "hal/power.h"
#include "hal/process.h"
#include "hal/rtc.h"
#include "hal/sandbox.h"
#include "hal/socket.h"

#define ESP_DIR        "/boot"
#define RUN_DIR        "/run/rowlock"
#define SHELL          "/usr/bin/sh"
#define POLICY_MAX     4096
#define PATH_BYTES     256
#define WAIT_MS        10000
#define ENTROPY_MS     120000
#define STRAYS_MS      10000
#define EVENTS         4
#define TCTI_OF_DEVICE "device:"

struct init {
    struct process supervisor;
    int link;
    int button; /* -1: none */
    bool has_admin; /* an interface for the administrator */
    struct init_clock clock;
    bool is_mapped;
    bool is_ending; /* somebody pressed the button */
};

/* One line a step on the console. */
static void say(const char *what)
{
    (void)printf("rowlock: %s\n", what); /* nobody to tell if this fails */
    (void)fflush(stdout);
}

static enum err start_kernel(void)
{
    size_t modules = 0;

    TRY(mounts_scratch());
    TRY(kernel_harden());
    TRY(kernel_allow_files());
    TRY(module_load_list(&modules));
    TRY(module_load_no_more());
    say("modules loaded, no more of them from here on");
    return ERR_OK;
}

static enum err start_clock(struct init_clock *clock)
{
    char text[TIME_ISO_BYTES + 1] = {0};
    bool was_set = false;

    TRY(rtc_not_before_image(&was_set));
    if (was_set) {
        LOG(LOG_WARN, "clock_set", LOG_LITERAL("to", "the date of the image"));
    }
    time_format_iso(hal_clock_wall(hal_clock_system()), text);
    (void)printf("rowlock: the clock says %s\n", text);
    return init_clock_open(clock);
}

static struct mounts_owner supervisor_user(void)
{
    return (struct mounts_owner){.uid = board_desc.supervisor_uid, .gid = board_desc.supervisor_gid};
}

static enum err open_state(void)
{
    const struct mounts_owner owner = supervisor_user();
    struct blockdev device = {.major = 0};

    TRY(blockdev_wait(span_lit("state"), WAIT_MS, &device));
    TRY(mounts_state(&device, INIT_STATE_DIR, &owner));
    say("state partition mounted");
    return ERR_OK;
}

/* The file is the vendor's word, signed; the keeper looks at it. */
static enum err take_policy(void)
{
    const struct mounts_owner owner = supervisor_user();
    struct boot_words words = {.blocks = 0};
    struct blockdev device = {.major = 0};
    char path[PATH_BYTES];

    TRY(boot_words_of_kernel(&words));
    TRY(blockdev_wait(span_lit("esp"), WAIT_MS, &device));
    TRY(mounts_esp(&device, ESP_DIR, &owner));
    (void)snprintf(path, sizeof(path), ESP_DIR "/EFI/Linux/rowlock-%s.policy", words.version); /* fits any version */
    TRY(mounts_copy(path, RUN_DIR "/policy", POLICY_MAX));
    say("policy of the image taken from the ESP");
    return ERR_OK;
}

/* A TPM that is not there is said by the keeper, and the box is locked. */
static void give_tpm(void)
{
    const struct mounts_owner owner = {.uid = board_desc.keeper_uid, .gid = board_desc.keeper_gid};
    const size_t prefix = sizeof(TCTI_OF_DEVICE) - 1;

    if (strncmp(board_desc.tcti, TCTI_OF_DEVICE, prefix) != 0 ||
        mounts_give(board_desc.tcti + prefix, &owner) != ERR_OK) {
        log_fault(LOG_ERROR, "no_tpm");
        return;
    }
    say("TPM given to the keeper");
}

/* Only in images for debugging is there one; what the image holds is signed. It has root, and not the volume's key. */
static enum err start_shell(void)
{
    const enum err err = process_start_other(SHELL);

    if (err == ERR_NOT_FOUND) {
        fault_clear();
        return ERR_OK;
    }
    TRY(err);
    say("AN IMAGE FOR DEBUGGING: there is a shell on this console");
    return ERR_OK;
}

/* A box with one cable serves the administrator there; one that has the other and cannot use it serves nobody. */
static enum err open_admin(struct init *init)
{
    if (board_desc.admin_interface[0] == '\0') {
        return ERR_OK;
    }
    const enum err err =
        hal_interface_open(board_desc.admin_interface, span_str(board_desc.admin_address), board_desc.admin_prefix);
    if (err == ERR_NOT_FOUND) {
        fault_clear();
        return ERR_OK;
    }
    TRY(err);
    init->has_admin = true;
    say("the administrator has an interface of his own");
    return ERR_OK;
}

static enum err start_supervisor(struct init *init)
{
    const char *const words[] = {"serve", "--data", INIT_STATE_DIR, "--net-interface", board_desc.network,
                                 "--port", "443", "--http-port", "80", "--init-fd", "3",
                                 init->has_admin ? "--admin-listen" : NULL, board_desc.admin_address};
    struct process_spec spec = {.fd_count = 1};
    int ends[2] = {-1, -1};

    _Static_assert(ARRAY_LENGTH(words) < PROCESS_ARGS_MAX, "the words fit");
    _Static_assert(PROCESS_FD_FIRST == 3, "the link is the first descriptor that is passed");
    memcpy(spec.arguments, words, sizeof(words));
    TRY(kernel_key_begin());
    TRY(channel_pair(ends));
    spec.fds = &ends[1];
    const enum err err = process_start(&spec, &init->supervisor);
    socket_close(ends[1]);
    init->link = ends[0];
    TRY(err);
    say("supervisor started");
    return ERR_OK;
}

static enum err start(struct init *init)
{
    TRY(start_kernel());
    TRY(start_clock(&init->clock));
    TRY(open_state());
    TRY(mounts_folder(RUN_DIR));
    if (take_policy() != ERR_OK) {
        log_fault(LOG_ERROR, "no_policy");
    }
    give_tpm();
    TRY(hal_entropy_wait_ready(hal_entropy_kernel(), ENTROPY_MS));
    say("random numbers are there");
    if (button_open(&init->button) == ERR_OK) {
        say("power button found");
    }
    TRY(start_shell());
    TRY(open_admin(init));
    TRY(start_supervisor(init));
    TRY(sandbox_enter_first());
    return ERR_OK;
}

/* --- afterwards --- */

static enum err map_volume(struct init *init)
{
    if (init->is_mapped) {
        return ERR_OK;
    }
    const enum err err = volume_open(&board_desc);
    if (err != ERR_OK) {
        return err;
    }
    init->is_mapped = true;
    say("data volume mapped");
    return ERR_OK;
}

/* A supervisor that sends what is no request is not trusted with another one. */
static enum err on_request(struct init *init)
{
    enum init_request request = INIT_RESTART;
    struct init_time time = {.unix_ns = 0};

    const enum err err = init_link_hear(init->link, &request, &time);
    if (err == ERR_AGAIN || err == ERR_TIMEOUT) {
        return ERR_OK;
    }
    TRY(err);
    if (request == INIT_RESTART) {
        say("the supervisor asks for a new start of the machine");
        power_restart();
    }
    TRY(init_link_answer(init->link, request == INIT_MAP_VOLUME ? map_volume(init) : init_clock_set(&init->clock, &time)));
    return ERR_OK;
}

/* The supervisor ends in order, with the TPM shut down; a second press changes nothing. */
static enum err on_button(struct init *init)
{
    bool is_pressed = false;

    TRY(button_take(init->button, &is_pressed));
    if (is_pressed && !init->is_ending) {
        init->is_ending = true;
        say("power button: the box ends");
        process_ask_to_end(&init->supervisor);
    }
    return ERR_OK;
}

static enum err wait_for_one(struct init *init, struct poller *poller)
{
    struct poller_event events[EVENTS];
    size_t count = 0;

    TRY(poller_wait(poller, STRAYS_MS, events, EVENTS, &count));
    for (size_t i = 0; i < count; i++) {
        ENSURE(events[i].context != &init->supervisor, ERR_CLOSED, "the supervisor has ended");
        if (events[i].context == &init->button) {
            TRY(on_button(init));
        } else {
            TRY(on_request(init));
        }
    }
    process_reap_strays(&init->supervisor);
    init_clock_keep(&init->clock);
    return ERR_OK;
}

static enum err serve(struct init *init)
{
    SCOPED_POLLER struct poller *poller = NULL;

    TRY(poller_new(&poller));
    TRY(poller_add(poller, init->supervisor.pidfd, POLLER_READ, &init->supervisor));
    TRY(poller_add(poller, init->link, POLLER_READ, &init->link));
    if (init->button >= 0) {
        TRY(poller_add(poller, init->button, POLLER_READ, &init->button));
    }
    for (;;) { /* until the machine is started again */
        TRY(wait_for_one(init, poller));
    }
}

int init_run(void)
{
    struct init init = {.supervisor = {.pidfd = -1}, .link = -1, .button = -1};

    if (!process_is_first()) {
        (void)fputs("rowlock: init is for the first process of a box\n", stderr); /* nobody to tell if this fails */
        return 1;
    }
    log_open("init", LOG_INFO);
    enum err err = start(&init);
    err = err != ERR_OK ? err : serve(&init);
    if (init.is_ending && err == ERR_CLOSED) {
        say("off");
        power_off();
    }
    log_fault(LOG_ERROR, "restart");
    power_restart();
}
