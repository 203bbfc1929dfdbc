/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The keeper's vault against who has its directory, its TPM, or a wrong recovery key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/ct.h"
#include "crypto/recovery.h"
#include "crypto/sign.h"
#include "tests/lib/vault_disk.h"

#define PCR_FIRMWARE 16

static int setup(void **state)
{
    static struct vault_disk fixture;

    vault_disk_make(&fixture);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    vault_disk_unmake(*state);
    return 0;
}

/* --- what an attacker with the directory may try --- */

static void attack_19_a_planted_file_does_not_make_the_box_show_a_recovery_key(void **state)
{
    struct vault_disk *const f = *state;
    SCOPED_BUF struct buf *recovery = NULL;
    vault_disk_provision(f);
    vault_disk_read(f, "root.recovery", &recovery);
    vault_disk_put(f, "unseen", span_lit("x"));

    assert_int_equal(vault_disk_start(f, SPAN_NONE), ERR_OK);

    assert_null(vault_recovery_words(f->vault));
    assert_true(vault_disk_file_is(f, "root.recovery", buf_all(recovery)));
}

static void the_recovery_key_is_made_anew_until_it_was_shown(void **state)
{
    struct vault_disk *const f = *state;
    uint8_t first[WORDS_MAX];
    assert_int_equal(vault_disk_start(f, SPAN_NONE), ERR_OK);
    memcpy(first, secret_reveal(vault_recovery_words(f->vault)).data, RECOVERY_TEXT_BYTES);

    assert_int_equal(vault_disk_start(f, SPAN_NONE), ERR_OK);

    vault_disk_show(f);
    assert_memory_not_equal(first, f->words, RECOVERY_TEXT_BYTES);
    sim_tpm_clear(f->tpm);
    assert_int_equal(vault_disk_start(f, SPAN_NONE), ERR_STALE_KEY);
    assert_int_equal(vault_unlock_recovery(f->vault, span_of(first, RECOVERY_TEXT_BYTES)), ERR_AUTH);
    assert_int_equal(vault_unlock_recovery(f->vault, vault_disk_words(f)), ERR_OK);
}

/* A pair of a stranger, and a certificate of it that says the box's names and is old enough to be renewed. */
static void strangers_certificate(struct vault_disk *f, struct buf *out_ca, struct buf *out_leaf,
                                  uint8_t out_public[SIGN_PUBLIC_BYTES])
{
    SCOPED_RANDOM struct random *random = NULL;
    SCOPED_SECRET struct secret *ca_key = NULL;
    SCOPED_SECRET struct secret *key = NULL;
    struct x509_leaf leaf = {.names = &f->names, .now = f->clock.wall};

    assert_int_equal(random_new(SPAN_NONE, &random), ERR_OK);
    assert_int_equal(sign_key_new(random, &ca_key), ERR_OK);
    assert_int_equal(sign_key_new(random, &key), ERR_OK);
    assert_int_equal(x509_ca_new(ca_key, random, span_lit("Rowlock local CA"), leaf.now, out_ca), ERR_OK);
    leaf.ca_private = ca_key;
    leaf.ca_der = buf_all(out_ca);
    assert_int_equal(sign_public(key, leaf.public_key), ERR_OK);
    assert_int_equal(x509_leaf_new(&leaf, random, out_leaf), ERR_OK);
    memcpy(out_public, leaf.public_key, SIGN_PUBLIC_BYTES);
}

static void attack_19_the_ca_does_not_certify_a_key_that_was_put_on_disk(void **state)
{
    struct vault_disk *const f = *state;
    SCOPED_BUF struct buf *ca = NULL;
    SCOPED_BUF struct buf *leaf = NULL;
    SCOPED_BUF struct buf *after = NULL;
    SCOPED_BUF struct buf *ours = NULL;
    uint8_t foreign[SIGN_PUBLIC_BYTES];
    vault_disk_provision(f);
    assert_int_equal(buf_new(X509_DER_MAX, &ca), ERR_OK);
    assert_int_equal(buf_new(X509_DER_MAX, &leaf), ERR_OK);
    assert_int_equal(buf_new(X509_DER_MAX, &ours), ERR_OK);
    strangers_certificate(f, ca, leaf, foreign);
    vault_disk_put(f, "locked.der", buf_all(leaf));
    sim_clock_advance_ms(&f->clock, UINT64_C(70) * 86400000); /* two thirds of its life are over */

    assert_int_equal(vault_disk_start(f, SPAN_NONE), ERR_OK);

    vault_disk_read(f, "locked.der", &after);
    assert_int_equal(x509_is_of(buf_all(after), foreign), ERR_AUTH);
    assert_int_equal(vault_ca(f->vault, ours), ERR_OK);
    assert_int_equal(x509_verify(buf_all(ours), buf_all(after)), ERR_OK);
}

static void attack_19_a_foreign_ca_is_not_given_to_clients(void **state)
{
    struct vault_disk *const f = *state;
    SCOPED_BUF struct buf *ca = NULL;
    SCOPED_BUF struct buf *leaf = NULL;
    SCOPED_BUF struct buf *given = NULL;
    uint8_t foreign[SIGN_PUBLIC_BYTES];
    vault_disk_provision(f);
    assert_int_equal(buf_new(X509_DER_MAX, &ca), ERR_OK);
    assert_int_equal(buf_new(X509_DER_MAX, &leaf), ERR_OK);
    assert_int_equal(buf_new(X509_DER_MAX, &given), ERR_OK);
    strangers_certificate(f, ca, leaf, foreign);
    vault_disk_put(f, "ca.der", buf_all(ca));

    assert_int_equal(vault_disk_start(f, SPAN_NONE), ERR_OK);

    assert_int_equal(vault_ca(f->vault, given), ERR_OK);
    assert_false(span_equal(buf_all(given), buf_all(ca)));
    vault_disk_check_identity(f);
}

static void a_locked_leaf_whose_certificate_is_of_another_key_is_not_shown(void **state)
{
    struct vault_disk *const f = *state;
    SCOPED_BUF struct buf *leaf = NULL;
    vault_disk_provision(f);
    vault_disk_read(f, "leaf.der", &leaf);
    vault_disk_put(f, "locked.der", buf_all(leaf));
    vault_disk_remove(f, "root.seal");

    assert_int_equal(vault_disk_start(f, SPAN_NONE), ERR_DAMAGED);

    vault_disk_check_identity(f);
}

static void the_operational_leaf_is_never_shown_while_locked(void **state)
{
    struct vault_disk *const f = *state;
    const uint8_t image[HAL_TPM_DIGEST_BYTES] = {1};
    f->pcr_mask = 1u << PCR_FIRMWARE;
    vault_disk_provision(f);
    assert_int_equal(hal_tpm_pcr_extend(sim_tpm_hal(f->tpm), PCR_FIRMWARE, image), ERR_OK);

    assert_int_equal(vault_disk_start(f, SPAN_NONE), ERR_POLICY);

    assert_int_equal(vault_state(f->vault), BOARD_LOCKED);
    assert_int_equal(vault_reason(f->vault), LIFE_REASON_PCR_CHANGED);
    assert_false(vault_disk_shows(f, "leaf.der"));
    assert_true(vault_disk_shows(f, "locked.der"));
    vault_disk_check_identity(f);
}

static void attack_17_a_firmware_bound_to_pcrs_does_not_keep_a_root_that_is_not(void **state)
{
    struct vault_disk *const f = *state;
    const uint8_t image[HAL_TPM_DIGEST_BYTES] = {1};
    vault_disk_provision(f);
    f->pcr_mask = 1u << PCR_FIRMWARE;
    assert_int_equal(vault_disk_start(f, SPAN_NONE), ERR_OK);
    assert_int_equal(hal_tpm_pcr_extend(sim_tpm_hal(f->tpm), PCR_FIRMWARE, image), ERR_OK);

    assert_int_equal(vault_disk_start(f, SPAN_NONE), ERR_POLICY);

    assert_int_equal(vault_state(f->vault), BOARD_LOCKED);
}

static void sealing_to_other_pcrs_keeps_the_pin(void **state)
{
    struct vault_disk *const f = *state;
    assert_int_equal(vault_disk_start(f, span_lit("1234")), ERR_OK);
    f->pcr_mask = 1u << PCR_FIRMWARE;
    assert_int_equal(vault_disk_start(f, span_lit("1234")), ERR_OK);

    assert_int_equal(vault_disk_start(f, SPAN_NONE), ERR_PIN);

    assert_int_equal(vault_unlock_pin(f->vault, span_lit("1235")), ERR_PIN);
    assert_int_equal(vault_state(f->vault), BOARD_LOCKED);
    assert_int_equal(vault_unlock_pin(f->vault, span_lit("1234")), ERR_OK);
    assert_int_equal(vault_state(f->vault), BOARD_OPERATIONAL);
}

/* --- ownership --- */

static void a_tpm_with_a_foreign_lockout_auth_is_refused_before_anything_is_written(void **state)
{
    struct vault_disk *const f = *state;
    sim_tpm_foreign_lockout_auth(f->tpm);

    assert_int_equal(vault_disk_start(f, SPAN_NONE), ERR_DENIED);

    assert_int_equal(vault_state(f->vault), BOARD_UNPROVISIONED);
    assert_int_equal(vault_reason(f->vault), LIFE_REASON_OTHER_TPM);
    assert_false(datadir_has(f->dir, "keys"));
    assert_false(datadir_has(f->dir, "root.seal"));
    sim_tpm_clear(f->tpm);
    assert_int_equal(vault_disk_start(f, SPAN_NONE), ERR_OK);
}

static void a_tpm_that_cannot_be_owned_is_not_sealed_to(void **state)
{
    struct vault_disk *const f = *state;
    SCOPED_BUF struct buf *seal = NULL;
    vault_disk_provision(f);
    sim_tpm_clear(f->tpm);
    sim_tpm_foreign_lockout_auth(f->tpm);
    vault_disk_read(f, "root.seal", &seal);
    assert_int_equal(vault_disk_start(f, SPAN_NONE), ERR_STALE_KEY);

    assert_int_equal(vault_unlock_recovery(f->vault, vault_disk_words(f)), ERR_DENIED);

    assert_int_equal(vault_state(f->vault), BOARD_LOCKED);
    assert_true(vault_disk_file_is(f, "root.seal", buf_all(seal)));
}

/* --- recovery --- */

static void a_wrong_recovery_key_changes_nothing(void **state)
{
    struct vault_disk *const f = *state;
    static const char *const files[] = {"root.seal", "root.recovery", "keys", "locked.seal", "locked.der"};
    struct buf *before[ARRAY_LENGTH(files)] = {NULL};
    SCOPED_RANDOM struct random *random = NULL;
    SCOPED_SECRET struct secret *other = NULL;
    SCOPED_SECRET struct secret *words = NULL;
    vault_disk_provision(f);
    sim_tpm_clear(f->tpm);
    assert_int_equal(vault_disk_start(f, SPAN_NONE), ERR_STALE_KEY);
    assert_int_equal(random_new(SPAN_NONE, &random), ERR_OK);
    assert_int_equal(recovery_key_new(random, &other), ERR_OK);
    assert_int_equal(recovery_to_words(other, &words), ERR_OK);
    for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
        vault_disk_read(f, files[i], &before[i]);
    }

    assert_int_equal(vault_unlock_recovery(f->vault, secret_reveal(words)), ERR_AUTH);
    assert_int_equal(vault_unlock_recovery(f->vault, span_lit("lusab-babad")), ERR_MALFORMED);

    assert_int_equal(vault_state(f->vault), BOARD_LOCKED);
    assert_int_equal(vault_reason(f->vault), LIFE_REASON_OTHER_TPM);
    for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
        assert_true(vault_disk_file_is(f, files[i], buf_all(before[i])));
        buf_free(before[i]);
    }
    assert_int_equal(vault_unlock_recovery(f->vault, vault_disk_words(f)), ERR_OK);
}

static void the_recovery_key_still_opens_after_it_was_used(void **state)
{
    struct vault_disk *const f = *state;
    vault_disk_provision(f);

    for (size_t i = 0; i < 3; i++) {
        sim_tpm_clear(f->tpm);
        assert_int_equal(vault_disk_start(f, SPAN_NONE), ERR_STALE_KEY);
        assert_int_equal(vault_unlock_recovery(f->vault, vault_disk_words(f)), ERR_OK);
        assert_null(vault_recovery_words(f->vault));
        assert_int_equal(vault_disk_start(f, SPAN_NONE), ERR_OK);
    }
}

/* --- keys of tables --- */

static void attack_19_a_table_key_of_a_destroyed_version_does_not_open(void **state)
{
    struct vault_disk *const f = *state;
    SCOPED_SECRET struct secret *key = NULL;
    SCOPED_SECRET struct secret *again = NULL;
    SCOPED_BUF struct buf *wrapped = NULL;
    vault_disk_provision(f);
    assert_int_equal(buf_new(VAULT_WRAPPED_MAX, &wrapped), ERR_OK);
    assert_int_equal(vault_table_new(f->vault, 256, &key, wrapped), ERR_OK);
    assert_int_equal(vault_rotate_begin(f->vault), ERR_OK);
    assert_int_equal(vault_rotate_end(f->vault), ERR_OK);
    assert_int_equal(vault_disk_start(f, SPAN_NONE), ERR_OK);

    assert_int_equal(vault_table_open(f->vault, 256, buf_all(wrapped), &again), ERR_STALE_KEY);

    assert_null(again);
}

/* The file itself opens, see keyring_file.c; what is wrapped by the newer version must not. */
static void attack_19_an_older_keys_file_does_not_open_what_was_wrapped_after_it(void **state)
{
    struct vault_disk *const f = *state;
    SCOPED_SECRET struct secret *key = NULL;
    SCOPED_SECRET struct secret *again = NULL;
    SCOPED_BUF struct buf *before = NULL;
    SCOPED_BUF struct buf *after = NULL;
    SCOPED_BUF struct buf *keys = NULL;
    vault_disk_provision(f);
    assert_int_equal(buf_new(VAULT_WRAPPED_MAX, &before), ERR_OK);
    assert_int_equal(buf_new(VAULT_WRAPPED_MAX, &after), ERR_OK);
    assert_int_equal(vault_table_new(f->vault, 256, &key, before), ERR_OK);
    vault_disk_read(f, "keys", &keys);
    assert_int_equal(vault_rotate_begin(f->vault), ERR_OK);
    assert_int_equal(vault_table_rewrap(f->vault, 256, buf_all(before), after), ERR_OK);
    assert_int_equal(vault_rotate_end(f->vault), ERR_OK);
    vault_disk_put(f, "keys", buf_all(keys));
    assert_int_equal(vault_disk_start(f, SPAN_NONE), ERR_OK);

    assert_int_equal(vault_table_open(f->vault, 256, buf_all(after), &again), ERR_STALE_KEY);

    assert_null(again);
}

static void a_rotation_that_was_cut_off_is_pending_at_the_next_start(void **state)
{
    struct vault_disk *const f = *state;
    SCOPED_SECRET struct secret *key = NULL;
    SCOPED_SECRET struct secret *again = NULL;
    SCOPED_BUF struct buf *wrapped = NULL;
    bool pending = false;
    vault_disk_provision(f);
    assert_int_equal(buf_new(VAULT_WRAPPED_MAX, &wrapped), ERR_OK);
    assert_int_equal(vault_table_new(f->vault, 256, &key, wrapped), ERR_OK);
    assert_int_equal(vault_rotate_begin(f->vault), ERR_OK);

    assert_int_equal(vault_disk_start(f, SPAN_NONE), ERR_OK);

    assert_int_equal(vault_rotate_pending(f->vault, &pending), ERR_OK);
    assert_true(pending);
    assert_int_equal(vault_table_open(f->vault, 256, buf_all(wrapped), &again), ERR_OK);
}

static void no_table_key_is_given_out_while_locked(void **state)
{
    struct vault_disk *const f = *state;
    SCOPED_SECRET struct secret *key = NULL;
    SCOPED_SECRET struct secret *again = NULL;
    SCOPED_BUF struct buf *wrapped = NULL;
    bool pending = false;
    vault_disk_provision(f);
    assert_int_equal(buf_new(VAULT_WRAPPED_MAX, &wrapped), ERR_OK);
    assert_int_equal(vault_table_new(f->vault, 256, &key, wrapped), ERR_OK);
    sim_tpm_clear(f->tpm);
    assert_int_equal(vault_disk_start(f, SPAN_NONE), ERR_STALE_KEY);

    assert_int_equal(vault_table_open(f->vault, 256, buf_all(wrapped), &again), ERR_STATE);
    assert_int_equal(vault_table_new(f->vault, 256, &again, wrapped), ERR_STATE);
    assert_int_equal(vault_table_rewrap(f->vault, 256, buf_all(wrapped), wrapped), ERR_STATE);
    assert_int_equal(vault_rotate_begin(f->vault), ERR_STATE);
    assert_int_equal(vault_rotate_end(f->vault), ERR_STATE);
    assert_int_equal(vault_rotate_pending(f->vault, &pending), ERR_STATE);

    assert_null(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(attack_19_a_planted_file_does_not_make_the_box_show_a_recovery_key, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_recovery_key_is_made_anew_until_it_was_shown, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_19_the_ca_does_not_certify_a_key_that_was_put_on_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_19_a_foreign_ca_is_not_given_to_clients, setup, teardown),
        cmocka_unit_test_setup_teardown(a_locked_leaf_whose_certificate_is_of_another_key_is_not_shown, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_operational_leaf_is_never_shown_while_locked, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_17_a_firmware_bound_to_pcrs_does_not_keep_a_root_that_is_not, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(sealing_to_other_pcrs_keeps_the_pin, setup, teardown),
        cmocka_unit_test_setup_teardown(a_tpm_with_a_foreign_lockout_auth_is_refused_before_anything_is_written, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_tpm_that_cannot_be_owned_is_not_sealed_to, setup, teardown),
        cmocka_unit_test_setup_teardown(a_wrong_recovery_key_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(the_recovery_key_still_opens_after_it_was_used, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_19_a_table_key_of_a_destroyed_version_does_not_open, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_19_an_older_keys_file_does_not_open_what_was_wrapped_after_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_rotation_that_was_cut_off_is_pending_at_the_next_start, setup, teardown),
        cmocka_unit_test_setup_teardown(no_table_key_is_given_out_while_locked, setup, teardown),
    };

    return cmocka_run_group_tests_name("firmware_vault_attack", tests, NULL, NULL);
}
