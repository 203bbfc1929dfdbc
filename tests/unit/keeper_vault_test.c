/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/keeper/vault.h with a TPM in memory: every way to the root key, every state, crashes in between. */
#include "firmware/keeper/vault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "tests/lib/vault_box.h"

static struct buf *wrapped_key(struct box *box, uint32_t table, struct wipe_32 *out_key)
{
    struct buf *wrapped = NULL;
    struct secret *key = NULL;

    assert_int_equal(buf_new(VAULT_WRAPPED_MAX, &wrapped), ERR_OK);
    assert_int_equal(vault_table_new(box->vault, table, &key, wrapped), ERR_OK);
    assert_int_equal(secret_len(key), 32);
    memcpy(out_key->bytes, secret_reveal(key).data, 32);
    secret_free(key);
    return wrapped;
}

static void assert_opens(struct box *box, uint32_t table, struct span wrapped, const struct wipe_32 *expected)
{
    struct secret *key = NULL;

    assert_int_equal(vault_table_open(box->vault, table, wrapped, &key), ERR_OK);
    assert_memory_equal(secret_reveal(key).data, expected->bytes, 32);
    secret_free(key);
}

static void the_first_start_provisions_and_later_starts_unseal_the_same_keys(void **state)
{
    struct box *box = *state;
    struct wipe_32 key;

    assert_int_equal(start(box), ERR_OK);
    assert_state(box, BOARD_OPERATIONAL, LIFE_REASON_NONE);
    assert_non_null(vault_recovery_words(box->vault));
    assert_int_equal(vault_shown(box->vault), ERR_OK);
    assert_null(vault_recovery_words(box->vault));
    struct buf *wrapped = wrapped_key(box, 7, &key);

    assert_int_equal(start(box), ERR_OK);

    assert_state(box, BOARD_OPERATIONAL, LIFE_REASON_NONE);
    assert_null(vault_recovery_words(box->vault));
    assert_opens(box, 7, buf_all(wrapped), &key);
    assert_identity_fits(box);
    buf_free(wrapped);
}

static void a_recovery_key_that_nobody_saw_is_replaced_at_the_next_start(void **state)
{
    struct box *box = *state;
    assert_int_equal(start(box), ERR_OK);
    const struct words unseen = read_words(box);

    assert_int_equal(start(box), ERR_OK);
    const struct words seen = read_words(box);
    assert_int_equal(vault_shown(box->vault), ERR_OK);

    other_tpm(box, 2);
    assert_int_equal(start(box), ERR_STALE_KEY);
    assert_int_equal(unlock(box, &unseen), ERR_AUTH);
    assert_int_equal(unlock(box, &seen), ERR_OK);
}

static void attack_19_another_tpm_leaves_the_box_locked_until_the_recovery_key_moves_it(void **state)
{
    struct box *box = *state;
    struct wipe_32 key;
    const struct words words = provision(box);
    struct buf *wrapped = wrapped_key(box, 7, &key);

    other_tpm(box, 2);
    assert_int_equal(start(box), ERR_STALE_KEY);
    assert_state(box, BOARD_LOCKED, LIFE_REASON_OTHER_TPM);
    assert_int_equal(unlock(box, &words), ERR_OK);
    assert_state(box, BOARD_OPERATIONAL, LIFE_REASON_NONE);
    assert_opens(box, 7, buf_all(wrapped), &key);

    assert_int_equal(start(box), ERR_OK); /* sealed to the new one */
    assert_opens(box, 7, buf_all(wrapped), &key);
    other_tpm(box, 1); /* and the one that is gone opens it no more */
    assert_int_equal(start(box), ERR_STALE_KEY);
    buf_free(wrapped);
}

static void attack_16_a_substituted_srk_gets_nothing(void **state)
{
    struct box *box = *state;
    (void)provision(box);

    sim_tpm_substitute_srk(box->tpm);

    assert_int_equal(start(box), ERR_STALE_KEY);
    assert_state(box, BOARD_LOCKED, LIFE_REASON_OTHER_TPM);
}

static void attack_17_a_changed_pcr_locks_and_a_reboot_opens(void **state)
{
    struct box *box = *state;
    const uint8_t digest[HAL_TPM_DIGEST_BYTES] = {1};
    box->pcr_mask = PCR_16;
    const struct words words = provision(box);

    assert_int_equal(hal_tpm_pcr_extend(sim_tpm_hal(box->tpm), 16, digest), ERR_OK);
    assert_int_equal(start(box), ERR_POLICY);
    assert_state(box, BOARD_LOCKED, LIFE_REASON_PCR_CHANGED);

    sim_tpm_reboot(box->tpm);
    assert_int_equal(start(box), ERR_OK);

    assert_int_equal(hal_tpm_pcr_extend(sim_tpm_hal(box->tpm), 16, digest), ERR_OK);
    assert_int_equal(start(box), ERR_POLICY);
    assert_int_equal(unlock(box, &words), ERR_OK); /* seals to the values of now */
    assert_int_equal(start(box), ERR_OK);
}

static void a_pin_is_wanted_at_each_start(void **state)
{
    struct box *box = *state;
    assert_int_equal(start_with(box, span_lit("1234")), ERR_OK);
    assert_int_equal(vault_shown(box->vault), ERR_OK);

    assert_int_equal(start(box), ERR_PIN);
    assert_state(box, BOARD_LOCKED, LIFE_REASON_PIN);
    assert_int_equal(vault_unlock_pin(box->vault, span_lit("4321")), ERR_PIN);
    assert_state(box, BOARD_LOCKED, LIFE_REASON_PIN);
    assert_int_equal(vault_unlock_pin(box->vault, SPAN_NONE), ERR_PIN);
    assert_int_equal(vault_unlock_pin(box->vault, span_lit("1234")), ERR_OK);
    assert_state(box, BOARD_OPERATIONAL, LIFE_REASON_NONE);
    assert_int_equal(start_with(box, span_lit("1234")), ERR_OK);
}

static void attack_18_many_wrong_pins_lock_out_and_one_try_comes_back(void **state)
{
    struct box *box = *state;
    assert_int_equal(start_with(box, span_lit("1234")), ERR_OK);
    assert_int_equal(vault_shown(box->vault), ERR_OK);
    assert_int_equal(start(box), ERR_PIN);

    for (int i = 0; i < HAL_TPM_DA_TRIES; i++) {
        assert_int_equal(vault_unlock_pin(box->vault, span_lit("0000")), ERR_PIN);
    }
    assert_int_equal(vault_unlock_pin(box->vault, span_lit("1234")), ERR_LOCKED);
    assert_state(box, BOARD_LOCKED, LIFE_REASON_TPM_LOCKOUT);

    sim_tpm_recover_one_try(box->tpm);
    assert_int_equal(vault_unlock_pin(box->vault, span_lit("1234")), ERR_OK);
}

static void a_lockout_is_ended_by_the_recovery_key(void **state)
{
    struct box *box = *state;
    assert_int_equal(start_with(box, span_lit("1234")), ERR_OK);
    const struct words words = read_words(box);
    assert_int_equal(vault_shown(box->vault), ERR_OK);
    assert_int_equal(start(box), ERR_PIN);
    for (int i = 0; i < HAL_TPM_DA_TRIES; i++) {
        assert_int_equal(vault_unlock_pin(box->vault, span_lit("0000")), ERR_PIN);
    }
    assert_int_equal(vault_unlock_pin(box->vault, span_lit("1234")), ERR_LOCKED);

    assert_int_equal(unlock(box, &words), ERR_OK);

    assert_int_equal(start(box), ERR_OK); /* sealed without a PIN from now on */
}

static void without_a_tpm_there_is_no_plaintext_way_in(void **state)
{
    struct box *box = *state;
    box->has_tpm = false;
    assert_int_equal(start(box), ERR_NO_DEVICE);
    assert_state(box, BOARD_UNPROVISIONED, LIFE_REASON_NO_TPM);
    box->has_tpm = true;
    const struct words words = provision(box);

    box->has_tpm = false;
    assert_int_equal(start(box), ERR_NO_DEVICE);
    assert_state(box, BOARD_LOCKED, LIFE_REASON_NO_TPM);
    assert_int_equal(unlock(box, &words), ERR_NO_DEVICE);
    assert_state(box, BOARD_LOCKED, LIFE_REASON_NO_TPM);
}

static void a_tpm_that_stops_answering_locks_at_the_next_start(void **state)
{
    struct box *box = *state;
    (void)provision(box);

    sim_tpm_fail_always(box->tpm, ERR_NO_DEVICE);
    assert_int_equal(start(box), ERR_NO_DEVICE);
    assert_state(box, BOARD_LOCKED, LIFE_REASON_NO_TPM);

    sim_tpm_fail_always(box->tpm, ERR_OK);
    assert_int_equal(start(box), ERR_OK);
}

static void unlocking_is_for_a_locked_box_only(void **state)
{
    struct box *box = *state;
    const struct words words = provision(box);

    assert_int_equal(unlock(box, &words), ERR_STATE);
    assert_int_equal(vault_unlock_pin(box->vault, span_lit("1234")), ERR_STATE);
}

static void a_lost_root_file_is_not_provisioned_over(void **state)
{
    struct box *box = *state;
    struct wipe_32 key;
    const struct words words = provision(box);
    struct buf *wrapped = wrapped_key(box, 7, &key);
    assert_int_equal(datadir_remove(box->dir, "root.seal"), ERR_OK);

    assert_int_equal(start(box), ERR_DAMAGED);
    assert_state(box, BOARD_LOCKED, LIFE_REASON_KEYS_DAMAGED);

    assert_int_equal(unlock(box, &words), ERR_OK);
    assert_opens(box, 7, buf_all(wrapped), &key);
    buf_free(wrapped);
}

static void attack_20_a_changed_byte_in_a_key_file_keeps_the_box_locked(void **state)
{
    static const char *const files[] = {"root.seal", "keys"};
    struct box *box = *state;
    (void)provision(box);

    for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
        SCOPED_BUF struct buf *content = NULL;
        assert_int_equal(buf_new(KEYRING_FILE_MAX, &content), ERR_OK);
        assert_int_equal(datadir_read(box->dir, files[i], content), ERR_OK);
        for (size_t at = 0; at < buf_len(content); at += 37) {
            SCOPED_BUF struct buf *changed = NULL;
            const uint8_t flipped = (uint8_t)(buf_all(content).data[at] ^ 0x40);
            assert_int_equal(buf_new(KEYRING_FILE_MAX, &changed), ERR_OK);
            assert_int_equal(buf_put(changed, span_of(buf_all(content).data, at)), ERR_OK);
            assert_int_equal(buf_put_u8(changed, flipped), ERR_OK);
            assert_int_equal(
                buf_put(changed, span_of(buf_all(content).data + at + 1, buf_len(content) - at - 1)), ERR_OK);
            assert_int_equal(datadir_write(box->dir, files[i], buf_all(changed)), ERR_OK);

            assert_int_not_equal(start(box), ERR_OK);
            assert_int_equal(vault_state(box->vault), BOARD_LOCKED);
        }
        assert_int_equal(datadir_write(box->dir, files[i], buf_all(content)), ERR_OK);
    }
    assert_int_equal(start(box), ERR_OK);
}

/* The k-th call to the TPM fails, as it does when the power goes: the next start provisions again or goes on, and a
 * person still gets a recovery key. */
static void cut_off_first_start(void **state, enum err how)
{
    size_t k = 1;

    for (bool untouched = false; !untouched; k++) {
        assert_int_equal(free_box(state), 0);
        assert_int_equal(make_box(state), 0);
        struct box *box = *state;
        sim_tpm_fail_at(box->tpm, k, how);

        const enum err first = start_and_renew(box);
        untouched = first == ERR_OK && sim_tpm_calls(box->tpm) < k;
        sim_tpm_fail_at(box->tpm, 0, ERR_OK);
        assert_int_equal(start_and_renew(box), ERR_OK);

        assert_state(box, BOARD_OPERATIONAL, LIFE_REASON_NONE);
        assert_identity_fits(box);
        const struct words words = read_words(box);
        other_tpm(box, 2);
        assert_int_equal(start(box), ERR_STALE_KEY);
        assert_int_equal(unlock(box, &words), ERR_OK);
        assert_true(k < 64);
    }
    assert_true(k > 4);
}

static void a_first_start_cut_off_at_any_tpm_call_is_made_good(void **state)
{
    cut_off_first_start(state, ERR_NO_DEVICE);
    cut_off_first_start(state, ERR_DEVICE);
}

static void a_recovery_cut_off_at_any_tpm_call_can_be_repeated(void **state)
{
    size_t k = 1;

    for (bool done = false; !done; k++) {
        assert_int_equal(free_box(state), 0);
        assert_int_equal(make_box(state), 0);
        struct box *box = *state;
        const struct words words = provision(box);
        other_tpm(box, 2);
        assert_int_equal(start(box), ERR_STALE_KEY);
        sim_tpm_fail_at(box->tpm, k, ERR_NO_DEVICE);

        done = unlock(box, &words) == ERR_OK;
        sim_tpm_fail_at(box->tpm, 0, ERR_OK);
        if (start(box) != ERR_OK) {
            assert_int_equal(vault_state(box->vault), BOARD_LOCKED);
            assert_int_equal(unlock(box, &words), ERR_OK);
        }

        assert_state(box, BOARD_OPERATIONAL, LIFE_REASON_NONE);
        assert_true(k < 64);
    }
    assert_true(k > 3);
}

static void a_table_key_opens_for_its_table_only(void **state)
{
    struct box *box = *state;
    struct wipe_32 key;
    struct secret *opened = NULL;
    (void)provision(box);
    struct buf *wrapped = wrapped_key(box, 7, &key);

    assert_int_equal(vault_table_open(box->vault, 8, buf_all(wrapped), &opened), ERR_AUTH);
    assert_int_equal(vault_table_open(box->vault, 7, span_lit("short"), &opened), ERR_MALFORMED);
    assert_null(opened);
    assert_opens(box, 7, buf_all(wrapped), &key);
    buf_free(wrapped);
}

static void attack_19_a_rotation_survives_a_crash_and_destroys_the_old_key_at_its_end(void **state)
{
    struct box *box = *state;
    struct wipe_32 key;
    struct secret *opened = NULL;
    struct buf *again = NULL;
    bool pending = true;
    (void)provision(box);
    struct buf *wrapped = wrapped_key(box, 7, &key);
    assert_int_equal(buf_new(VAULT_WRAPPED_MAX, &again), ERR_OK);
    assert_int_equal(vault_rotate_pending(box->vault, &pending), ERR_OK);
    assert_false(pending);

    assert_int_equal(vault_rotate_begin(box->vault), ERR_OK);
    assert_int_equal(start(box), ERR_OK);
    assert_int_equal(vault_rotate_pending(box->vault, &pending), ERR_OK);
    assert_true(pending);
    assert_int_equal(vault_rotate_begin(box->vault), ERR_OK); /* no third version */
    assert_opens(box, 7, buf_all(wrapped), &key);
    assert_int_equal(vault_table_rewrap(box->vault, 7, buf_all(wrapped), again), ERR_OK);
    assert_int_equal(vault_rotate_end(box->vault), ERR_OK);

    assert_int_equal(vault_table_open(box->vault, 7, buf_all(wrapped), &opened), ERR_STALE_KEY);
    assert_opens(box, 7, buf_all(again), &key);
    assert_int_equal(start(box), ERR_OK);
    assert_int_equal(vault_table_open(box->vault, 7, buf_all(wrapped), &opened), ERR_STALE_KEY);
    assert_opens(box, 7, buf_all(again), &key);
    assert_null(opened);
    assert_int_equal(vault_rotate_pending(box->vault, &pending), ERR_OK);
    assert_false(pending);
    buf_free(wrapped);
    buf_free(again);
}

static void a_locked_vault_gives_out_no_key(void **state)
{
    static const char environment[] = "01234567-89ab-4cde-8f01-23456789abcd";
    struct box *box = *state;
    struct wipe_32 key;
    struct secret *opened = NULL;
    const struct secret *token = NULL;
    const uint8_t digest[32] = {0};
    struct vault_pepper pepper = {.version = 0};
    struct span next = SPAN_NONE;
    bool pending = false;
    (void)provision(box);
    struct buf *wrapped = wrapped_key(box, 7, &key);
    other_tpm(box, 2);
    assert_int_equal(start(box), ERR_STALE_KEY);

    assert_int_equal(vault_table_open(box->vault, 7, buf_all(wrapped), &opened), ERR_STATE);
    assert_int_equal(vault_table_new(box->vault, 7, &opened, wrapped), ERR_STATE);
    assert_int_equal(vault_table_rewrap(box->vault, 7, buf_all(wrapped), wrapped), ERR_STATE);
    assert_int_equal(vault_rotate_begin(box->vault), ERR_STATE);
    assert_int_equal(vault_rotate_end(box->vault), ERR_STATE);
    assert_int_equal(vault_rotate_pending(box->vault, &pending), ERR_STATE);
    assert_int_equal(vault_token_make(box->vault, span_str(environment)), ERR_STATE);
    assert_int_equal(vault_token_key(box->vault, span_str(environment), KEYRING_NEWEST, &token), ERR_STATE);
    assert_int_equal(vault_token_next(box->vault, SPAN_NONE, &next), ERR_STATE);
    assert_int_equal(vault_pepper(box->vault, KEYRING_NEWEST, span_array(digest), &pepper), ERR_STATE);
    assert_null(opened);
    assert_null(token);
    assert_int_equal(pepper.version, 0);
    buf_free(wrapped);
}

#define BOX_TEST(name) cmocka_unit_test_setup_teardown(name, make_box, free_box)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOX_TEST(the_first_start_provisions_and_later_starts_unseal_the_same_keys),
        BOX_TEST(a_recovery_key_that_nobody_saw_is_replaced_at_the_next_start),
        BOX_TEST(attack_19_another_tpm_leaves_the_box_locked_until_the_recovery_key_moves_it),
        BOX_TEST(attack_16_a_substituted_srk_gets_nothing),
        BOX_TEST(attack_17_a_changed_pcr_locks_and_a_reboot_opens),
        BOX_TEST(a_pin_is_wanted_at_each_start),
        BOX_TEST(attack_18_many_wrong_pins_lock_out_and_one_try_comes_back),
        BOX_TEST(a_lockout_is_ended_by_the_recovery_key),
        BOX_TEST(without_a_tpm_there_is_no_plaintext_way_in),
        BOX_TEST(a_tpm_that_stops_answering_locks_at_the_next_start),
        BOX_TEST(unlocking_is_for_a_locked_box_only),
        BOX_TEST(a_lost_root_file_is_not_provisioned_over),
        BOX_TEST(attack_20_a_changed_byte_in_a_key_file_keeps_the_box_locked),
        BOX_TEST(a_first_start_cut_off_at_any_tpm_call_is_made_good),
        BOX_TEST(a_recovery_cut_off_at_any_tpm_call_can_be_repeated),
        BOX_TEST(a_table_key_opens_for_its_table_only),
        BOX_TEST(attack_19_a_rotation_survives_a_crash_and_destroys_the_old_key_at_its_end),
        BOX_TEST(a_locked_vault_gives_out_no_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
