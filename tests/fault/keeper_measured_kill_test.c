/* SPDX-License-Identifier: GPL-3.0-or-later */
/* link: --wrap=send --wrap=renameat --wrap=unlinkat */
/* A keeper of a measured board that is killed, and a power that goes, at any step of provisioning, approving, blessing,
 * recovering and planning: the box opens as before or as after, and what was cut short can be done again. A step is a command
 * to the TPM, a file that takes another's place, or one that is removed; the kill comes before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "tests/lib/measured_box.h"

#define KILLED 9
#define RUNS_MAX 1000
#define PIN "4711"

/* Before which steps the kill may come. */
enum steps { STEPS_NONE, STEPS_TPM, STEPS_DISK };
static enum steps counted;
static size_t steps_left;

ssize_t __real_send(int fd, const void *bytes, size_t len, int flags);
ssize_t __wrap_send(int fd, const void *bytes, size_t len, int flags);
int __real_renameat(int old_dir, const char *old_name, int new_dir, const char *new_name);
int __wrap_renameat(int old_dir, const char *old_name, int new_dir, const char *new_name);
int __real_unlinkat(int dir, const char *name, int flags);
int __wrap_unlinkat(int dir, const char *name, int flags);

static void step(enum steps kind)
{
    if (counted == kind && steps_left-- == 0) {
        _exit(KILLED);
    }
}

ssize_t __wrap_send(int fd, const void *bytes, size_t len, int flags)
{
    step(STEPS_TPM);
    return __real_send(fd, bytes, len, flags);
}

int __wrap_renameat(int old_dir, const char *old_name, int new_dir, const char *new_name)
{
    step(STEPS_DISK);
    return __real_renameat(old_dir, old_name, new_dir, new_name);
}

int __wrap_unlinkat(int dir, const char *name, int flags)
{
    step(STEPS_DISK);
    return __real_unlinkat(dir, name, flags);
}

static const struct image first = {.number = 1, .security = 3};
static const struct image second = {.number = 2, .security = 7};

/* What is cut short. prepare ends with a power-up; act runs in a keeper of its own; check finds the box. */
struct story {
    void (*prepare)(struct measured_box *box);
    enum err (*begin)(struct measured_box *box); /* of the keeper, never cut */
    enum err (*act)(struct measured_box *box);
    void (*check)(struct measured_box *box);
};

static enum err approve(struct measured_box *box, struct image image)
{
    const struct signed_policy policy = measured_policy(box, image);

    return measured_approve(box->measured, policy_span(&policy));
}

/* One keeper, killed before the k-th step. Was it over before? */
static bool run_killed(struct measured_box *box, const struct story *story, enum steps kind, size_t k)
{
    int status = 0;
    const pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        if (story->begin(box) != ERR_OK) {
            _exit(2);
        }
        counted = kind;
        steps_left = k;
        const enum err err = story->act(box);
        counted = STEPS_NONE;
        _exit(err == ERR_OK ? 0 : 3);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == KILLED));
    return WEXITSTATUS(status) == 0;
}

/* Every stride-th step, from the first to past the last one. */
static void cut_everywhere(const struct story *story, enum steps kind, size_t stride)
{
    bool whole = false;
    size_t k = 0;

    for (; !whole; k += stride) {
        void *state = NULL;

        assert_true(k < RUNS_MAX);
        (void)measured_box_make(&state);
        struct measured_box *const box = state;
        story->prepare(box);
        whole = run_killed(box, story, kind, k);
        story->check(box);
        (void)measured_box_free(&state);
    }
    assert_true(k > stride); /* something was cut */
}

/* --- the keeper's beginnings --- */

static enum err begin_nothing(struct measured_box *box)
{
    (void)box;
    return ERR_OK;
}

static enum err begin_first(struct measured_box *box)
{
    return measured_start(box, first, SPAN_NONE);
}

static enum err begin_second(struct measured_box *box)
{
    return measured_start(box, second, SPAN_NONE);
}

static enum err begin_locked(struct measured_box *box)
{
    return measured_start(box, first, SPAN_NONE) == ERR_OK ? ERR_BUG : ERR_OK;
}

/* --- provisioning --- */

static void prepare_new(struct measured_box *box)
{
    measured_power(box, first);
}

static enum err act_start(struct measured_box *box)
{
    return measured_start(box, first, SPAN_NONE);
}

/* The box is whole, owned, and takes updates. */
static void check_whole(struct measured_box *box)
{
    uint32_t minimum = 0;
    struct hal_tpm_info info;

    assert_int_equal(measured_boot(box, first), ERR_OK);
    assert_open(box);
    assert_int_equal(hal_tpm_info(box->tpm, &info), ERR_OK);
    assert_true(info.owner_auth_set && info.lockout_auth_set);
    assert_int_equal(approve(box, second), ERR_OK);
    assert_int_equal(measured_boot(box, second), ERR_OK);
    assert_int_equal(measured_bless(box->measured, &minimum), ERR_OK);
    assert_int_equal(minimum, second.security);
}

static const struct story provisioning = {prepare_new, begin_nothing, act_start, check_whole};

/* --- approving --- */

static void prepare_old(struct measured_box *box)
{
    measured_provision(box, first, "");
    measured_power(box, first);
}

static enum err act_approve(struct measured_box *box)
{
    return approve(box, second);
}

static void check_approving(struct measured_box *box)
{
    const enum err err = measured_boot(box, second);

    assert_true(err == ERR_OK || (err == ERR_POLICY && vault_reason(box->vault) == LIFE_REASON_IMAGE_CHANGED));
    check_whole(box);
}

static const struct story approving = {prepare_old, begin_first, act_approve, check_approving};

/* --- blessing --- */

static void prepare_trial(struct measured_box *box)
{
    measured_provision(box, first, "");
    assert_int_equal(approve(box, second), ERR_OK);
    measured_power(box, second);
}

static enum err act_bless(struct measured_box *box)
{
    uint32_t minimum = 0;

    return measured_bless(box->measured, &minimum);
}

static void check_blessing(struct measured_box *box)
{
    uint32_t minimum = 0;

    assert_int_equal(measured_boot(box, second), ERR_OK);
    assert_int_equal(measured_bless(box->measured, &minimum), ERR_OK);
    assert_int_equal(minimum, second.security);
    assert_int_equal(measured_boot(box, first), ERR_POLICY);
    assert_locked(box, LIFE_REASON_VERSION_REVOKED);
}

static const struct story blessing = {prepare_trial, begin_second, act_bless, check_blessing};

/* --- the recovery key --- */

static enum err act_recover(struct measured_box *box)
{
    return measured_recover(box);
}

static void check_recovering(struct measured_box *box)
{
    if (measured_boot(box, first) != ERR_OK) {
        assert_int_equal(vault_state(box->vault), BOARD_LOCKED);
        assert_int_equal(measured_recover(box), ERR_OK);
    }
    assert_int_equal(measured_boot(box, second), ERR_OK); /* what had been approved still is */
    check_whole(box);
}

static void prepare_other_boot_state(struct measured_box *box)
{
    measured_provision(box, first, PIN);
    assert_int_equal(approve(box, second), ERR_OK);
    box->secure_boot = 9;
    measured_power(box, first);
}

static void prepare_other_tpm(struct measured_box *box)
{
    measured_provision(box, first, "");
    assert_int_equal(approve(box, second), ERR_OK);
    measured_forget(box);
    swtpm_free(box->swtpm);
    box->swtpm = swtpm_new();
    measured_power(box, first);
}

static const struct story recovering = {prepare_other_boot_state, begin_locked, act_recover, check_recovering};
static const struct story moving = {prepare_other_tpm, begin_locked, act_recover, check_recovering};

/* --- a planned change of Secure Boot --- */

static enum err act_plan(struct measured_box *box)
{
    return measured_bring_plan(box, 9, 1);
}

static void prepare_change(struct measured_box *box)
{
    measured_provision(box, first, "");
    assert_int_equal(act_plan(box), ERR_OK);
    box->secure_boot = 9;
    measured_power(box, first);
}

static void check_changed(struct measured_box *box)
{
    check_whole(box);
    box->secure_boot = 0;
    assert_int_equal(measured_boot(box, second), ERR_POLICY);
    assert_locked(box, LIFE_REASON_SECURE_BOOT_CHANGED);
}

static const struct story planning = {prepare_old, begin_first, act_plan, check_whole};
static const struct story changing = {prepare_change, begin_nothing, act_start, check_changed};

static void every_file_of_provisioning(void **state)
{
    (void)state;
    cut_everywhere(&provisioning, STEPS_DISK, 1);
}

static void commands_of_provisioning(void **state)
{
    (void)state;
    cut_everywhere(&provisioning, STEPS_TPM, 9);
}

static void every_file_of_an_approval(void **state)
{
    (void)state;
    cut_everywhere(&approving, STEPS_DISK, 1);
}

static void commands_of_a_blessing(void **state)
{
    (void)state;
    cut_everywhere(&blessing, STEPS_TPM, 7);
}

static void every_file_of_a_recovery(void **state)
{
    (void)state;
    cut_everywhere(&recovering, STEPS_DISK, 1);
}

static void commands_of_a_recovery(void **state)
{
    (void)state;
    cut_everywhere(&recovering, STEPS_TPM, 17);
}

static void every_file_of_a_move_to_another_tpm(void **state)
{
    (void)state;
    cut_everywhere(&moving, STEPS_DISK, 1);
}

static void commands_of_a_move_to_another_tpm(void **state)
{
    (void)state;
    cut_everywhere(&moving, STEPS_TPM, 17);
}

static void every_file_of_a_plan(void **state)
{
    (void)state;
    cut_everywhere(&planning, STEPS_DISK, 1);
}

static void every_file_of_a_planned_change(void **state)
{
    (void)state;
    cut_everywhere(&changing, STEPS_DISK, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_file_of_provisioning),
        cmocka_unit_test(commands_of_provisioning),
        cmocka_unit_test(every_file_of_an_approval),
        cmocka_unit_test(commands_of_a_blessing),
        cmocka_unit_test(every_file_of_a_recovery),
        cmocka_unit_test(commands_of_a_recovery),
        cmocka_unit_test(every_file_of_a_move_to_another_tpm),
        cmocka_unit_test(commands_of_a_move_to_another_tpm),
        cmocka_unit_test(every_file_of_a_plan),
        cmocka_unit_test(every_file_of_a_planned_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
