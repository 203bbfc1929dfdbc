/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/keeper/measured.h through the vault, on a real software TPM: which image opens the box, and what it says when it
 * does not open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/approval.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "tests/lib/measured_box.h"

#define POWER_CUTS 10
#define PIN "4711"

static const struct image first = {.number = 1, .security = 3};
static const struct image second = {.number = 2, .security = 4};
static const struct image altered = {.number = 5, .security = 3, .unsigned_ = true};

static enum err approve(struct measured_box *box, struct image image)
{
    const struct signed_policy policy = measured_policy(box, image);

    return measured_approve(box->measured, policy_span(&policy));
}

/* --- first boot --- */

static void the_image_that_provisioned_opens_the_box_after_power_cuts(void **state)
{
    struct measured_box *box = *state;
    measured_provision(box, first, "");

    for (int i = 0; i < POWER_CUTS; i++) {
        assert_int_equal(measured_boot(box, first), ERR_OK);
        assert_open(box);
    }
}

static void an_image_that_the_vendor_has_not_signed_provisions_nothing(void **state)
{
    struct measured_box *box = *state;

    assert_int_equal(measured_boot(box, altered), ERR_POLICY);

    assert_int_equal(vault_state(box->vault), BOARD_UNPROVISIONED);
    assert_int_equal(vault_reason(box->vault), LIFE_REASON_IMAGE_CHANGED);
    assert_false(datadir_has(box->dir, "root.seal"));
    assert_false(datadir_has(box->dir, "keys"));
}

/* The policy of one image, shown by another; the vendor's for another board; and another's for this one. */
static void a_policy_that_is_not_of_what_was_measured_provisions_nothing(void **state)
{
    struct measured_box *box = *state;
    struct vendor other;

    measured_power(box, altered);
    assert_int_equal(measured_start(box, first, SPAN_NONE), ERR_POLICY);
    assert_int_equal(vault_state(box->vault), BOARD_UNPROVISIONED);
    measured_power(box, first);
    vendor_init(&other);
    const struct vendor own = box->vendor;
    const struct signed_policy foreign = vendor_policy(&other, MEASURED_BOARD, 3, (const uint8_t[32]){0});
    const struct measured_options options = {.tpm = box->tpm, .dir = box->dir, .vendor_key = own.key,
                                             .board = MEASURED_BOARD, .policy = policy_span(&foreign)};
    SCOPED_MEASURED struct measured *measured = NULL;
    assert_int_equal(measured_new(&options, &measured), ERR_OK);
    vendor_done(&other);

    assert_int_equal(measured_may_provision(measured), ERR_POLICY);
}

static void a_policy_for_another_board_provisions_nothing(void **state)
{
    struct measured_box *box = *state;
    uint8_t value[HAL_TPM_DIGEST_BYTES];
    SCOPED_MEASURED struct measured *measured = NULL;
    measured_power(box, first);
    measured_pcr11(first, value);
    const struct signed_policy policy = vendor_policy(&box->vendor, "other-board", 3, value);
    const struct measured_options options = {.tpm = box->tpm, .dir = box->dir, .vendor_key = box->vendor.key,
                                             .board = MEASURED_BOARD, .policy = policy_span(&policy)};
    assert_int_equal(measured_new(&options, &measured), ERR_OK);

    assert_int_equal(measured_may_provision(measured), ERR_POLICY);
}

/* --- reasons --- */

static void attack_17_an_altered_image_stays_locked(void **state)
{
    struct measured_box *box = *state;
    measured_provision(box, first, "");

    assert_int_equal(measured_boot(box, altered), ERR_POLICY);
    assert_locked(box, LIFE_REASON_IMAGE_CHANGED);
    assert_int_equal(measured_boot(box, first), ERR_OK);
}

/* The vendor's signature alone does not let an image in: the box has to have approved it. */
static void an_image_that_the_box_has_not_approved_stays_locked(void **state)
{
    struct measured_box *box = *state;
    measured_provision(box, first, "");

    assert_int_equal(measured_boot(box, second), ERR_POLICY);

    assert_locked(box, LIFE_REASON_IMAGE_CHANGED);
}

static void attack_17_another_state_of_secure_boot_stays_locked(void **state)
{
    struct measured_box *box = *state;
    measured_provision(box, first, "");
    box->secure_boot = 9;

    assert_int_equal(measured_boot(box, first), ERR_POLICY);
    assert_locked(box, LIFE_REASON_SECURE_BOOT_CHANGED);
    assert_int_equal(measured_boot(box, altered), ERR_POLICY);
    assert_locked(box, LIFE_REASON_SECURE_BOOT_CHANGED);
    box->secure_boot = 0;
    assert_int_equal(measured_boot(box, first), ERR_OK);
}

static void attack_17_there_is_no_second_unsealing_before_a_reset(void **state)
{
    struct measured_box *box = *state;
    measured_provision(box, first, "");
    assert_int_equal(measured_boot(box, first), ERR_OK);
    vault_free(box->vault);
    box->vault = NULL;
    measured_free(box->measured);
    box->measured = NULL;

    assert_int_equal(measured_start(box, first, SPAN_NONE), ERR_POLICY);

    assert_locked(box, LIFE_REASON_PCR_CHANGED);
    assert_int_equal(measured_boot(box, first), ERR_OK);
}

static void attack_17_provisioning_caps_too(void **state)
{
    struct measured_box *box = *state;
    measured_provision(box, first, "");
    vault_free(box->vault);
    box->vault = NULL;
    measured_free(box->measured);
    box->measured = NULL;

    assert_int_equal(measured_start(box, first, SPAN_NONE), ERR_POLICY);

    assert_locked(box, LIFE_REASON_PCR_CHANGED);
}

static void other_tpm(struct measured_box *box)
{
    measured_forget(box);
    swtpm_free(box->swtpm);
    box->swtpm = swtpm_new();
}

static void attack_19_another_tpm_stays_locked(void **state)
{
    struct measured_box *box = *state;
    measured_provision(box, first, "");
    other_tpm(box);

    assert_int_equal(measured_boot(box, first), ERR_STALE_KEY);

    assert_locked(box, LIFE_REASON_OTHER_TPM);
}

static void a_tpm_that_is_gone_is_said(void **state)
{
    struct measured_box *box = *state;
    measured_provision(box, first, "");
    measured_forget(box);

    assert_int_equal(measured_start(box, first, SPAN_NONE), ERR_NO_DEVICE);

    assert_locked(box, LIFE_REASON_NO_TPM);
}

static void a_lost_file_is_damage_and_not_a_new_box(void **state)
{
    struct measured_box *box = *state;
    measured_provision(box, first, "");
    assert_int_equal(datadir_remove(box->dir, "root.seal"), ERR_OK);

    assert_int_equal(measured_boot(box, first), ERR_DAMAGED);

    assert_locked(box, LIFE_REASON_KEYS_DAMAGED);
}

static void approvals_that_are_lost_lock_and_the_recovery_key_brings_them_back(void **state)
{
    struct measured_box *box = *state;
    measured_provision(box, first, "");
    assert_int_equal(datadir_remove(box->dir, "approvals"), ERR_OK);
    assert_int_equal(measured_boot(box, first), ERR_POLICY);
    assert_locked(box, LIFE_REASON_IMAGE_CHANGED);

    assert_int_equal(measured_recover(box), ERR_OK);

    assert_int_equal(measured_boot(box, first), ERR_OK);
}

/* --- PIN --- */

static void a_pin_is_asked_for_and_a_wrong_one_refused(void **state)
{
    struct measured_box *box = *state;
    measured_provision(box, first, PIN);

    assert_int_equal(measured_boot(box, first), ERR_PIN);
    assert_locked(box, LIFE_REASON_PIN);
    assert_int_equal(vault_unlock_pin(box->vault, span_lit("0000")), ERR_PIN);
    assert_locked(box, LIFE_REASON_PIN);
    assert_int_equal(vault_unlock_pin(box->vault, span_lit(PIN)), ERR_OK);
    assert_open(box);
}

/* Nobody is asked for a PIN by a box that would not open with it. */
static void another_reason_comes_before_the_pin(void **state)
{
    struct measured_box *box = *state;
    struct measured_thief thief;
    measured_provision(box, first, PIN);
    assert_int_equal(measured_boot(box, altered), ERR_POLICY);
    assert_locked(box, LIFE_REASON_IMAGE_CHANGED);
    assert_int_equal(measured_boot_pin(box, first, PIN), ERR_OK);
    measured_steal(box, &thief);
    assert_int_equal(nv_increment(&thief.forger, HAL_TPM_COUNTER_HANDLE), 0);

    assert_int_equal(measured_boot(box, first), ERR_POLICY);

    assert_locked(box, LIFE_REASON_VERSION_REVOKED);
}

static void attack_18_ten_power_cuts_after_the_pin_do_not_lock_out(void **state)
{
    struct measured_box *box = *state;
    struct hal_tpm_info info;
    measured_provision(box, first, PIN);

    for (int i = 0; i < POWER_CUTS; i++) {
        assert_int_equal(measured_boot_pin(box, first, PIN), ERR_OK);
    }
    assert_int_equal(measured_boot(box, first), ERR_PIN);

    assert_int_equal(hal_tpm_info(box->tpm, &info), ERR_OK);
    assert_int_equal(info.lockout_counter, 0);
}

static void attack_18_a_lockout_is_said_and_ended_by_the_recovery_key(void **state)
{
    struct measured_box *box = *state;
    enum err err = ERR_PIN;
    measured_provision(box, first, PIN);
    assert_int_equal(measured_boot(box, first), ERR_PIN);

    for (int i = 0; i <= HAL_TPM_DA_TRIES && err == ERR_PIN; i++) {
        err = vault_unlock_pin(box->vault, span_lit("0000"));
    }
    assert_int_equal(err, ERR_LOCKED);
    assert_locked(box, LIFE_REASON_TPM_LOCKOUT);
    assert_int_equal(vault_unlock_pin(box->vault, span_lit(PIN)), ERR_LOCKED);

    assert_int_equal(measured_recover(box), ERR_OK);
    assert_int_equal(measured_boot(box, first), ERR_OK);
}

/* --- a planned change of Secure Boot --- */

static void a_planned_change_of_secure_boot_opens_and_bars_the_way_back(void **state)
{
    struct measured_box *box = *state;
    measured_provision(box, first, PIN);

    assert_int_equal(measured_bring_plan(box, 9, 1), ERR_OK);

    assert_int_equal(measured_boot_pin(box, first, PIN), ERR_OK); /* it has not come yet */
    box->secure_boot = 9;
    assert_int_equal(measured_boot(box, first), ERR_PIN);
    assert_int_equal(measured_boot_pin(box, first, PIN), ERR_OK);
    assert_false(datadir_has(box->dir, "root.next"));
    assert_int_equal(approve(box, second), ERR_OK);
    assert_int_equal(measured_boot_pin(box, second, PIN), ERR_OK);
    box->secure_boot = 0;
    assert_int_equal(measured_boot_pin(box, first, PIN), ERR_POLICY);
    assert_locked(box, LIFE_REASON_SECURE_BOOT_CHANGED);
}

static void another_change_than_the_planned_one_stays_locked(void **state)
{
    struct measured_box *box = *state;
    measured_provision(box, first, "");
    assert_int_equal(measured_bring_plan(box, 9, 1), ERR_OK);
    box->secure_boot = 8;

    assert_int_equal(measured_boot(box, first), ERR_POLICY);

    assert_locked(box, LIFE_REASON_SECURE_BOOT_CHANGED);
}

/* A taken-over worker that writes a plan of its own, or brings one of another vendor, gets nothing sealed by it. */
static void attack_17_a_plan_that_the_vendor_did_not_sign_seals_nothing(void **state)
{
    struct measured_box *box = *state;
    const struct planned planned = {MEASURED_BOARD, 1, first.security};
    struct vendor other;
    uint8_t value[HAL_TPM_DIGEST_BYTES];
    measured_provision(box, first, "");
    measured_pcr7(9, value);
    vendor_init(&other);
    const struct signed_policy foreign = vendor_plan(&other, planned, value);
    const struct signed_policy elsewhere = vendor_plan(&box->vendor, (struct planned){"other-board", 1, first.security}, value);
    const struct signed_policy policy = measured_policy(box, first);
    vendor_done(&other);

    assert_int_equal(measured_plan(box->measured, policy_span(&foreign)), ERR_AUTH);
    assert_int_equal(measured_plan(box->measured, policy_span(&elsewhere)), ERR_CONFLICT);
    assert_int_equal(measured_plan(box->measured, policy_span(&policy)), ERR_MALFORMED);
    assert_int_equal(measured_plan(box->measured, SPAN_NONE), ERR_MALFORMED);

    assert_false(datadir_has(box->dir, "root.next"));
    box->secure_boot = 9;
    assert_int_equal(measured_boot(box, first), ERR_POLICY);
    assert_locked(box, LIFE_REASON_SECURE_BOOT_CHANGED);
}

static void attack_17_no_byte_of_a_plan_can_be_changed(void **state)
{
    struct measured_box *box = *state;
    uint8_t value[HAL_TPM_DIGEST_BYTES];
    measured_provision(box, first, "");
    measured_pcr7(9, value);
    const struct signed_policy plan = vendor_plan(&box->vendor, (struct planned){MEASURED_BOARD, 1, first.security}, value);

    for (size_t at = 0; at < plan.len; at++) {
        struct signed_policy changed = plan;
        changed.text[at] = (char)(changed.text[at] ^ 1);

        const enum err err = measured_plan(box->measured, policy_span(&changed));

        assert_true(err == ERR_AUTH || err == ERR_MALFORMED);
        fault_clear();
    }
    assert_false(datadir_has(box->dir, "root.next"));
    assert_int_equal(measured_plan(box->measured, policy_span(&plan)), ERR_OK);
}

/* The order of the states is 8, then 9; who has a plan of before brings it again. */
static void attack_19_an_older_plan_is_not_taken_again(void **state)
{
    struct measured_box *box = *state;
    measured_provision(box, first, "");
    assert_int_equal(measured_bring_plan(box, 8, 2026112401), ERR_OK);
    assert_int_equal(measured_bring_plan(box, 9, 2026112402), ERR_OK);
    box->secure_boot = 9;
    assert_int_equal(measured_boot(box, first), ERR_OK);

    assert_int_equal(measured_bring_plan(box, 8, 2026112401), ERR_ROLLBACK);

    assert_false(datadir_has(box->dir, "root.next"));
    assert_int_equal(measured_bring_plan(box, 9, 2026112402), ERR_OK); /* the newest may come again */
    box->secure_boot = 8;
    assert_int_equal(measured_boot(box, first), ERR_POLICY);
    assert_locked(box, LIFE_REASON_SECURE_BOOT_CHANGED);
}

#define BOX_TEST(name) cmocka_unit_test_setup_teardown(name, measured_box_make, measured_box_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOX_TEST(the_image_that_provisioned_opens_the_box_after_power_cuts),
        BOX_TEST(an_image_that_the_vendor_has_not_signed_provisions_nothing),
        BOX_TEST(a_policy_that_is_not_of_what_was_measured_provisions_nothing),
        BOX_TEST(a_policy_for_another_board_provisions_nothing),
        BOX_TEST(attack_17_an_altered_image_stays_locked),
        BOX_TEST(an_image_that_the_box_has_not_approved_stays_locked),
        BOX_TEST(attack_17_another_state_of_secure_boot_stays_locked),
        BOX_TEST(attack_17_there_is_no_second_unsealing_before_a_reset),
        BOX_TEST(attack_17_provisioning_caps_too),
        BOX_TEST(attack_19_another_tpm_stays_locked),
        BOX_TEST(a_tpm_that_is_gone_is_said),
        BOX_TEST(a_lost_file_is_damage_and_not_a_new_box),
        BOX_TEST(approvals_that_are_lost_lock_and_the_recovery_key_brings_them_back),
        BOX_TEST(a_pin_is_asked_for_and_a_wrong_one_refused),
        BOX_TEST(another_reason_comes_before_the_pin),
        BOX_TEST(attack_18_ten_power_cuts_after_the_pin_do_not_lock_out),
        BOX_TEST(attack_18_a_lockout_is_said_and_ended_by_the_recovery_key),
        BOX_TEST(a_planned_change_of_secure_boot_opens_and_bars_the_way_back),
        BOX_TEST(another_change_than_the_planned_one_stays_locked),
        BOX_TEST(attack_17_a_plan_that_the_vendor_did_not_sign_seals_nothing),
        BOX_TEST(attack_17_no_byte_of_a_plan_can_be_changed),
        BOX_TEST(attack_19_an_older_plan_is_not_taken_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
