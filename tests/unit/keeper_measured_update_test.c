/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/keeper/measured.h through the vault, on a real software TPM: updates, the counter, and the
 * recovery key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/approval.h"
#include "crypto/box_seal.h"
#include "hal/base/fault.h"
#include "firmware/keeper/approvals.h"
#include "hal/base/mem.h"
#include "tests/lib/measured_box.h"

#define PIN "4711"
#define SALT_AT 40 /* in root.seal: crypto/box_seal.c */
#define PCR7_AT 56

static const struct image first = {.number = 1, .security = 3};
static const struct image second = {.number = 2, .security = 4};
static const struct image sibling = {.number = 3, .security = 3};
static const struct image old = {.number = 4, .security = 2};
static const struct image altered = {.number = 5, .security = 3, .unsigned_ = true};

static enum err approve(struct measured_box *box, struct image image)
{
    const struct signed_policy policy = measured_policy(box, image);

    return measured_approve(box->measured, policy_span(&policy));
}

static void other_tpm(struct measured_box *box)
{
    measured_forget(box);
    swtpm_free(box->swtpm);
    box->swtpm = swtpm_new();
}

/* --- updates --- */

static void an_update_that_was_approved_opens_without_a_person(void **state)
{
    struct measured_box *box = *state;
    measured_provision(box, first, PIN);

    assert_int_equal(approve(box, second), ERR_OK);

    assert_int_equal(measured_boot_pin(box, second, PIN), ERR_OK);
    assert_int_equal(measured_boot_pin(box, first, PIN), ERR_OK); /* the trial fell back */
    assert_int_equal(measured_boot_pin(box, second, PIN), ERR_OK);
}

static void attack_19_a_blessed_update_bars_what_was_before(void **state)
{
    struct measured_box *box = *state;
    uint32_t minimum = 0;
    measured_provision(box, first, "");
    assert_int_equal(approve(box, second), ERR_OK);
    assert_int_equal(measured_boot(box, second), ERR_OK);

    assert_int_equal(measured_bless(box->measured, &minimum), ERR_OK);

    assert_int_equal(minimum, second.security);
    assert_int_equal(measured_boot(box, first), ERR_POLICY);
    assert_locked(box, LIFE_REASON_VERSION_REVOKED);
    assert_int_equal(measured_boot(box, second), ERR_OK);
    assert_int_equal(measured_bless(box->measured, &minimum), ERR_OK); /* again changes nothing */
    assert_int_equal(minimum, second.security);
    assert_int_equal(approve(box, first), ERR_REVOKED);
}

static void an_image_of_the_same_security_version_stays_beside_the_blessed_one(void **state)
{
    struct measured_box *box = *state;
    uint32_t minimum = 0;
    measured_provision(box, first, "");
    assert_int_equal(approve(box, sibling), ERR_OK);
    assert_int_equal(measured_boot(box, sibling), ERR_OK);

    assert_int_equal(measured_bless(box->measured, &minimum), ERR_OK);

    assert_int_equal(minimum, first.security);
    assert_int_equal(measured_boot(box, first), ERR_OK);
}

/* So a vendor withdraws plans, also those that a box was never brought. */
static void attack_19_a_plan_below_the_minimum_is_not_taken(void **state)
{
    struct measured_box *box = *state;
    uint8_t value[HAL_TPM_DIGEST_BYTES];
    uint32_t minimum = 0;
    measured_provision(box, first, "");
    measured_pcr7(9, value);
    const struct signed_policy before = vendor_plan(&box->vendor, (struct planned){MEASURED_BOARD, 9, first.security}, value);
    const struct signed_policy after = vendor_plan(&box->vendor, (struct planned){MEASURED_BOARD, 9, second.security}, value);
    assert_int_equal(approve(box, second), ERR_OK);
    assert_int_equal(measured_boot(box, second), ERR_OK);
    assert_int_equal(measured_bless(box->measured, &minimum), ERR_OK);

    assert_int_equal(measured_plan(box->measured, policy_span(&before)), ERR_REVOKED);

    assert_false(datadir_has(box->dir, "root.next"));
    assert_int_equal(measured_plan(box->measured, policy_span(&after)), ERR_OK);
    box->secure_boot = 9;
    assert_int_equal(measured_boot(box, second), ERR_OK);
}

/* The serial is kept where it cannot be left out: the keys are in the same file. */
static void attack_19_the_serial_of_a_plan_outlives_recovery_and_goes_only_with_the_keys(void **state)
{
    struct measured_box *box = *state;
    measured_provision(box, first, "");
    assert_int_equal(measured_bring_plan(box, 9, 7), ERR_OK);
    box->secure_boot = 6;
    assert_int_equal(measured_boot(box, first), ERR_POLICY);
    assert_int_equal(measured_recover(box), ERR_OK);
    assert_int_equal(measured_bring_plan(box, 9, 6), ERR_ROLLBACK);
    assert_int_equal(measured_boot(box, first), ERR_OK);
    assert_int_equal(measured_bring_plan(box, 9, 6), ERR_ROLLBACK);

    assert_int_equal(datadir_remove(box->dir, "keys"), ERR_OK);

    assert_true(measured_boot(box, first) != ERR_OK);
    assert_int_equal(vault_state(box->vault), BOARD_LOCKED);
    assert_int_equal(vault_plan_take(box->vault, 6), ERR_STATE);
}

/* The whole state partition of before the update comes back. */
static void attack_19_an_old_state_partition_does_not_open_an_old_image(void **state)
{
    struct measured_box *box = *state;
    SCOPED_BUF struct buf *approvals = NULL;
    SCOPED_BUF struct buf *root = NULL;
    uint32_t minimum = 0;
    measured_provision(box, first, "");
    assert_int_equal(buf_new(DATADIR_FILE_MAX, &approvals), ERR_OK);
    assert_int_equal(buf_new(DATADIR_FILE_MAX, &root), ERR_OK);
    assert_int_equal(datadir_read(box->dir, "approvals", approvals), ERR_OK);
    assert_int_equal(datadir_read(box->dir, "root.seal", root), ERR_OK);
    assert_int_equal(approve(box, second), ERR_OK);
    assert_int_equal(measured_boot(box, second), ERR_OK);
    assert_int_equal(measured_bless(box->measured, &minimum), ERR_OK);

    assert_int_equal(datadir_write(box->dir, "approvals", buf_all(approvals)), ERR_OK);
    assert_int_equal(datadir_write(box->dir, "root.seal", buf_all(root)), ERR_OK);

    assert_int_equal(measured_boot(box, first), ERR_POLICY);
    assert_locked(box, LIFE_REASON_VERSION_REVOKED);
}

static void what_is_not_the_vendors_is_not_approved(void **state)
{
    struct measured_box *box = *state;
    struct vendor other;
    uint8_t value[HAL_TPM_DIGEST_BYTES];
    measured_provision(box, first, "");
    measured_pcr11(second, value);
    vendor_init(&other);
    const struct signed_policy foreign = vendor_policy(&other, MEASURED_BOARD, 4, value);
    const struct signed_policy elsewhere = vendor_policy(&box->vendor, "other-board", 4, value);
    const struct signed_policy far = vendor_policy(&box->vendor, MEASURED_BOARD, 3 + MEASURED_JUMP_MAX + 1, value);
    const struct signed_policy near = vendor_policy(&box->vendor, MEASURED_BOARD, 3 + MEASURED_JUMP_MAX, value);
    vendor_done(&other);

    assert_int_equal(measured_approve(box->measured, policy_span(&foreign)), ERR_AUTH);
    assert_int_equal(measured_approve(box->measured, span_lit("rubbish")), ERR_MALFORMED);
    assert_int_equal(measured_approve(box->measured, policy_span(&elsewhere)), ERR_CONFLICT);
    assert_int_equal(approve(box, old), ERR_REVOKED);
    assert_int_equal(measured_approve(box->measured, policy_span(&far)), ERR_RANGE);
    assert_int_equal(measured_boot(box, second), ERR_POLICY);
    assert_int_equal(measured_boot(box, first), ERR_OK);
    assert_int_equal(measured_approve(box->measured, policy_span(&near)), ERR_OK);
}

static void many_approvals_never_push_out_the_running_image(void **state)
{
    struct measured_box *box = *state;
    measured_provision(box, first, "");

    for (uint8_t number = 20; number < 60; number++) {
        assert_int_equal(approve(box, (struct image){.number = number, .security = 3}), ERR_OK);
    }

    assert_int_equal(measured_boot(box, first), ERR_OK);
    assert_int_equal(measured_boot(box, (struct image){.number = 59, .security = 3}), ERR_OK);
    assert_int_equal(measured_boot(box, (struct image){.number = 60 - (APPROVALS_MAX - 1), .security = 3}), ERR_OK);
    assert_int_equal(measured_boot(box, (struct image){.number = 20, .security = 3}), ERR_POLICY);
}

static void a_locked_box_approves_and_blesses_nothing(void **state)
{
    struct measured_box *box = *state;
    uint8_t value[HAL_TPM_DIGEST_BYTES];
    uint32_t minimum = 99;
    measured_provision(box, first, "");
    measured_pcr7(9, value);
    const struct signed_policy plan = vendor_plan(&box->vendor, (struct planned){MEASURED_BOARD, 1, first.security}, value);
    assert_int_equal(measured_boot(box, altered), ERR_POLICY);

    assert_int_equal(approve(box, second), ERR_STATE);
    assert_int_equal(measured_bless(box->measured, &minimum), ERR_STATE);
    assert_int_equal(measured_plan(box->measured, policy_span(&plan)), ERR_STATE);
    assert_int_equal(vault_plan_take(box->vault, 1), ERR_STATE);

    assert_int_equal(minimum, 99);
}

/* --- the counter --- */

static void attack_18_a_counter_that_is_gone_stays_locked(void **state)
{
    struct measured_box *box = *state;
    struct measured_thief thief;
    measured_provision(box, first, "");
    measured_steal(box, &thief);
    assert_int_equal(nv_undefine(&thief.forger, HAL_TPM_COUNTER_HANDLE), 0);

    assert_int_equal(measured_boot(box, first), ERR_POLICY);
    assert_locked(box, LIFE_REASON_COUNTER_CHANGED);
    assert_int_equal(measured_recover(box), ERR_OK);

    assert_int_equal(measured_boot(box, first), ERR_OK);
}

/* An ordinary index that says a small number, in the place of a counter that bars the old image. */
static void attack_18_a_forged_counter_stays_locked(void **state)
{
    static const uint32_t attributes[] = {
        NV_ORDINARY | NV_OWNERWRITE | NV_OWNERREAD | NV_AUTHREAD | NV_NO_DA,
        NV_ORDINARY | NV_OWNERWRITE | NV_AUTHREAD,
    };
    struct measured_box *box = *state;
    struct measured_thief thief;
    uint32_t minimum = 0;
    measured_provision(box, first, "");
    assert_int_equal(approve(box, second), ERR_OK);
    assert_int_equal(measured_boot(box, second), ERR_OK);
    assert_int_equal(measured_bless(box->measured, &minimum), ERR_OK);
    measured_steal(box, &thief);

    for (size_t i = 0; i < ARRAY_LENGTH(attributes); i++) {
        assert_int_equal(nv_undefine(&thief.forger, HAL_TPM_COUNTER_HANDLE), 0);
        assert_int_equal(nv_define(&thief.forger, HAL_TPM_COUNTER_HANDLE, attributes[i]), 0);
        assert_int_equal(nv_write(&thief.forger, HAL_TPM_COUNTER_HANDLE, 0), 0);

        assert_int_equal(measured_boot(box, first), ERR_POLICY);
        assert_locked(box, LIFE_REASON_COUNTER_CHANGED);
        measured_forget(box);
    }
}

static void attack_18_a_counter_made_anew_bars_the_old_image_too(void **state)
{
    struct measured_box *box = *state;
    struct measured_thief thief;
    uint32_t minimum = 0;
    measured_provision(box, first, "");
    assert_int_equal(approve(box, second), ERR_OK);
    assert_int_equal(measured_boot(box, second), ERR_OK);
    assert_int_equal(measured_bless(box->measured, &minimum), ERR_OK);
    measured_steal(box, &thief);
    assert_int_equal(nv_undefine(&thief.forger, HAL_TPM_COUNTER_HANDLE), 0);
    assert_int_equal(nv_define(&thief.forger, HAL_TPM_COUNTER_HANDLE, NV_OURS), 0);
    assert_int_equal(nv_increment(&thief.forger, HAL_TPM_COUNTER_HANDLE), 0);

    assert_int_equal(measured_boot(box, first), ERR_POLICY);

    assert_locked(box, LIFE_REASON_VERSION_REVOKED);
}

/* The owner cannot remove it, and the box has no way to. */
static void attack_18_a_counter_of_the_platform_leaves_the_recovery_key(void **state)
{
    struct measured_box *box = *state;
    struct measured_thief thief;
    measured_provision(box, first, "");
    measured_steal(box, &thief);
    thief.forger.as_platform = true;
    assert_int_equal(nv_undefine(&thief.forger, HAL_TPM_COUNTER_HANDLE), 0);
    assert_int_equal(nv_define(&thief.forger, HAL_TPM_COUNTER_HANDLE, NV_OURS | NV_PPWRITE | NV_PLATFORM), 0);
    assert_int_equal(nv_increment(&thief.forger, HAL_TPM_COUNTER_HANDLE), 0);
    for (size_t i = 0; i < 2; i++) { /* nothing was sealed for it */
        assert_int_equal(measured_boot(box, first), ERR_POLICY);
        assert_locked(box, LIFE_REASON_COUNTER_CHANGED);

        assert_int_equal(measured_recover(box), ERR_OK);

        assert_open(box);
        assert_int_equal(approve(box, second), ERR_STATE);
        measured_forget(box);
    }
    assert_int_equal(nv_undefine(&thief.forger, HAL_TPM_COUNTER_HANDLE), 0);

    assert_int_equal(measured_boot(box, first), ERR_POLICY);
    assert_int_equal(measured_recover(box), ERR_OK);

    assert_int_equal(measured_boot(box, first), ERR_OK);
}

/* --- the recovery key --- */

static void the_recovery_key_seals_for_another_state_of_secure_boot(void **state)
{
    struct measured_box *box = *state;
    measured_provision(box, first, PIN);
    assert_int_equal(approve(box, second), ERR_OK);
    box->secure_boot = 9;
    assert_int_equal(measured_boot(box, first), ERR_POLICY);

    assert_int_equal(measured_recover(box), ERR_OK);

    assert_open(box);
    assert_int_equal(measured_boot(box, first), ERR_OK);  /* without a PIN now */
    assert_int_equal(measured_boot(box, second), ERR_OK); /* its approval was given anew */
    box->secure_boot = 0;
    assert_int_equal(measured_boot(box, first), ERR_POLICY);
    assert_locked(box, LIFE_REASON_SECURE_BOOT_CHANGED);
}

static void the_recovery_key_seals_for_an_altered_image_until_the_next_raise(void **state)
{
    struct measured_box *box = *state;
    uint32_t minimum = 0;
    measured_provision(box, first, "");
    assert_int_equal(measured_boot(box, altered), ERR_POLICY);

    assert_int_equal(measured_recover(box), ERR_OK);

    assert_int_equal(measured_boot(box, altered), ERR_OK);
    assert_int_equal(measured_boot(box, first), ERR_OK);
    assert_int_equal(approve(box, second), ERR_OK);
    assert_int_equal(measured_boot(box, second), ERR_OK);
    assert_int_equal(measured_bless(box->measured, &minimum), ERR_OK);
    assert_int_equal(measured_boot(box, altered), ERR_POLICY);
    assert_locked(box, LIFE_REASON_VERSION_REVOKED);
}

static void the_recovery_key_seals_to_another_tpm(void **state)
{
    struct measured_box *box = *state;
    measured_provision(box, first, "");
    other_tpm(box);
    assert_int_equal(measured_boot(box, first), ERR_STALE_KEY);

    assert_int_equal(measured_recover(box), ERR_OK);

    assert_int_equal(measured_boot(box, first), ERR_OK);
    assert_int_equal(approve(box, second), ERR_OK);
    assert_int_equal(measured_boot(box, second), ERR_OK);
}

/* A counter stands elsewhere on another TPM: what was signed for the one must not be worth anything on the other. */
static void attack_19_an_approval_of_before_does_not_open_on_another_tpm(void **state)
{
    struct measured_box *box = *state;
    SCOPED_BUF struct buf *approvals = NULL;
    uint32_t minimum = 0;
    measured_provision(box, first, "");
    assert_int_equal(approve(box, second), ERR_OK);
    assert_int_equal(measured_boot(box, second), ERR_OK);
    assert_int_equal(measured_bless(box->measured, &minimum), ERR_OK);
    assert_int_equal(buf_new(DATADIR_FILE_MAX, &approvals), ERR_OK);
    assert_int_equal(datadir_read(box->dir, "approvals", approvals), ERR_OK);
    other_tpm(box);
    assert_int_equal(measured_boot(box, second), ERR_STALE_KEY);
    assert_int_equal(measured_recover(box), ERR_OK);

    assert_int_equal(datadir_write(box->dir, "approvals", buf_all(approvals)), ERR_OK);

    assert_int_equal(measured_boot(box, first), ERR_POLICY);
    assert_locked(box, LIFE_REASON_IMAGE_CHANGED);
}

static void attack_19_the_recovery_key_opens_a_withdrawn_image_for_one_run_only(void **state)
{
    struct measured_box *box = *state;
    uint32_t minimum = 0;
    measured_provision(box, first, "");
    assert_int_equal(approve(box, second), ERR_OK);
    assert_int_equal(measured_boot(box, second), ERR_OK);
    assert_int_equal(measured_bless(box->measured, &minimum), ERR_OK);
    assert_int_equal(measured_boot(box, first), ERR_POLICY);

    assert_int_equal(measured_recover(box), ERR_OK);

    assert_open(box);
    assert_int_equal(approve(box, first), ERR_STATE);
    assert_int_equal(measured_bless(box->measured, &minimum), ERR_STATE);
    assert_int_equal(measured_boot(box, first), ERR_POLICY);
    assert_locked(box, LIFE_REASON_VERSION_REVOKED);
    assert_int_equal(measured_boot(box, second), ERR_OK);
}

/* The sealing before is what says where the minimum stands; a thief who changes it must not lower it. */
static void attack_19_a_changed_file_does_not_open_and_is_not_believed(void **state)
{
    struct measured_box *box = *state;
    SCOPED_BUF struct buf *file = NULL;
    uint8_t bytes[BOX_SEAL_FILE_MAX];
    measured_provision(box, first, "");
    assert_int_equal(buf_new(sizeof(bytes), &file), ERR_OK);
    assert_int_equal(datadir_read(box->dir, "root.seal", file), ERR_OK);
    const size_t len = buf_len(file);

    for (size_t at = 3; at < len; at += 29) {
        if (at >= SALT_AT && at < PCR7_AT) {
            continue; /* without a PIN it salts nothing */
        }
        memcpy(bytes, buf_all(file).data, len);
        bytes[at] ^= 1;
        assert_int_equal(datadir_write(box->dir, "root.seal", span_of(bytes, len)), ERR_OK);
        const enum err err = measured_boot(box, first);
        const bool said_for_people_only = at >= PCR7_AT && at < PCR7_AT + HAL_TPM_DIGEST_BYTES;
        assert_true(err != ERR_OK);
        assert_int_equal(vault_state(box->vault), BOARD_LOCKED);
        assert_true(!said_for_people_only || vault_reason(box->vault) == LIFE_REASON_SECURE_BOOT_CHANGED);
    }
}

#define BOX_TEST(name) cmocka_unit_test_setup_teardown(name, measured_box_make, measured_box_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOX_TEST(an_update_that_was_approved_opens_without_a_person),
        BOX_TEST(attack_19_a_blessed_update_bars_what_was_before),
        BOX_TEST(attack_19_a_plan_below_the_minimum_is_not_taken),
        BOX_TEST(attack_19_the_serial_of_a_plan_outlives_recovery_and_goes_only_with_the_keys),
        BOX_TEST(an_image_of_the_same_security_version_stays_beside_the_blessed_one),
        BOX_TEST(attack_19_an_old_state_partition_does_not_open_an_old_image),
        BOX_TEST(what_is_not_the_vendors_is_not_approved),
        BOX_TEST(many_approvals_never_push_out_the_running_image),
        BOX_TEST(a_locked_box_approves_and_blesses_nothing),
        BOX_TEST(attack_18_a_counter_that_is_gone_stays_locked),
        BOX_TEST(attack_18_a_forged_counter_stays_locked),
        BOX_TEST(attack_18_a_counter_made_anew_bars_the_old_image_too),
        BOX_TEST(attack_18_a_counter_of_the_platform_leaves_the_recovery_key),
        BOX_TEST(the_recovery_key_seals_for_another_state_of_secure_boot),
        BOX_TEST(the_recovery_key_seals_for_an_altered_image_until_the_next_raise),
        BOX_TEST(the_recovery_key_seals_to_another_tpm),
        BOX_TEST(attack_19_an_approval_of_before_does_not_open_on_another_tpm),
        BOX_TEST(attack_19_the_recovery_key_opens_a_withdrawn_image_for_one_run_only),
        BOX_TEST(attack_19_a_changed_file_does_not_open_and_is_not_believed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
