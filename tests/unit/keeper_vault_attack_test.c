/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/keeper/vault.h against who has its directory, its TPM, or a wrong recovery key. */
#include "firmware/keeper/vault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/recovery.h"
#include "crypto/sign.h"
#include "tests/lib/vault_box.h"

/* --- who has the directory --- */

static void attack_19_a_planted_file_does_not_make_the_box_show_a_recovery_key(void **state)
{
    struct box *box = *state;
    SCOPED_BUF struct buf *recovery = NULL;
    (void)provision(box);
    read_file(box, "root.recovery", &recovery);
    put_file(box, "unseen", span_lit("x"));

    assert_int_equal(start_and_renew(box), ERR_OK);

    assert_null(vault_recovery_words(box->vault));
    assert_true(file_is(box, "root.recovery", buf_all(recovery)));
}

/* A pair of a stranger, and a certificate of it that says the box's names and is old enough to be renewed. */
static void strangers_certificate(struct box *box, struct buf *out_ca, struct buf *out_leaf,
                                  uint8_t out_public[SIGN_PUBLIC_BYTES])
{
    SCOPED_RANDOM struct random *random = NULL;
    SCOPED_SECRET struct secret *ca_key = NULL;
    SCOPED_SECRET struct secret *key = NULL;
    struct x509_leaf leaf = {.names = &box->names, .now = box->clock.wall};

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
    struct box *box = *state;
    SCOPED_BUF struct buf *ca = NULL;
    SCOPED_BUF struct buf *leaf = NULL;
    SCOPED_BUF struct buf *after = NULL;
    SCOPED_BUF struct buf *ours = NULL;
    uint8_t foreign[SIGN_PUBLIC_BYTES];
    (void)provision(box);
    assert_int_equal(buf_new(X509_DER_MAX, &ca), ERR_OK);
    assert_int_equal(buf_new(X509_DER_MAX, &leaf), ERR_OK);
    assert_int_equal(buf_new(X509_DER_MAX, &ours), ERR_OK);
    strangers_certificate(box, ca, leaf, foreign);
    put_file(box, "locked.der", buf_all(leaf));
    sim_clock_advance_ms(&box->clock, (uint64_t)(70 * DAY_MS)); /* two thirds of its life are over */

    assert_int_equal(start_and_renew(box), ERR_OK);

    read_file(box, "locked.der", &after);
    assert_int_equal(x509_is_of(buf_all(after), foreign), ERR_AUTH);
    assert_int_equal(vault_ca(box->vault, ours), ERR_OK);
    assert_int_equal(x509_verify(buf_all(ours), buf_all(after)), ERR_OK);
}

static void attack_19_a_foreign_ca_is_not_given_to_clients(void **state)
{
    struct box *box = *state;
    SCOPED_BUF struct buf *ca = NULL;
    SCOPED_BUF struct buf *leaf = NULL;
    SCOPED_BUF struct buf *given = NULL;
    uint8_t foreign[SIGN_PUBLIC_BYTES];
    (void)provision(box);
    assert_int_equal(buf_new(X509_DER_MAX, &ca), ERR_OK);
    assert_int_equal(buf_new(X509_DER_MAX, &leaf), ERR_OK);
    assert_int_equal(buf_new(X509_DER_MAX, &given), ERR_OK);
    strangers_certificate(box, ca, leaf, foreign);
    put_file(box, "ca.der", buf_all(ca));

    assert_int_equal(start_and_renew(box), ERR_OK);

    assert_int_equal(vault_ca(box->vault, given), ERR_OK);
    assert_false(span_equal(buf_all(given), buf_all(ca)));
    assert_identity_fits(box);
}

static void a_locked_leaf_whose_certificate_is_of_another_key_is_not_shown(void **state)
{
    struct box *box = *state;
    SCOPED_BUF struct buf *leaf = NULL;
    (void)provision(box);
    read_file(box, "leaf.der", &leaf);
    put_file(box, "locked.der", buf_all(leaf));
    remove_file(box, "root.seal");

    assert_int_equal(start_and_renew(box), ERR_DAMAGED);

    assert_identity_fits(box);
}

static void keys_without_a_sealed_root_lock_the_box(void **state)
{
    struct box *box = *state;
    SCOPED_BUF struct buf *keys = NULL;
    (void)provision(box);
    read_file(box, "keys", &keys);
    remove_file(box, "root.seal");
    remove_file(box, "root.recovery");

    assert_int_equal(start_and_renew(box), ERR_DAMAGED);

    assert_state(box, BOARD_LOCKED, LIFE_REASON_KEYS_DAMAGED);
    assert_true(file_is(box, "keys", buf_all(keys)));
}

static void attack_17_a_firmware_bound_to_pcrs_does_not_keep_a_root_that_is_not(void **state)
{
    struct box *box = *state;
    const uint8_t image[HAL_TPM_DIGEST_BYTES] = {1};
    (void)provision(box);
    box->pcr_mask = PCR_16;
    assert_int_equal(start_and_renew(box), ERR_OK);
    assert_int_equal(hal_tpm_pcr_extend(sim_tpm_hal(box->tpm), 16, image), ERR_OK);

    assert_int_equal(start_and_renew(box), ERR_POLICY);

    assert_int_equal(vault_state(box->vault), BOARD_LOCKED);
}

static void sealing_to_other_pcrs_keeps_the_pin(void **state)
{
    struct box *box = *state;
    assert_int_equal(start_with(box, span_lit("1234")), ERR_OK);
    box->pcr_mask = PCR_16;
    assert_int_equal(start_with(box, span_lit("1234")), ERR_OK);

    assert_int_equal(start_and_renew(box), ERR_PIN);

    assert_int_equal(vault_unlock_pin(box->vault, span_lit("1235")), ERR_PIN);
    assert_int_equal(vault_state(box->vault), BOARD_LOCKED);
    assert_int_equal(vault_unlock_pin(box->vault, span_lit("1234")), ERR_OK);
    assert_int_equal(vault_state(box->vault), BOARD_OPERATIONAL);
}

/* The file itself opens, see keyring_file.c; what is wrapped by the newer version must not. */
static void attack_19_an_older_keys_file_does_not_open_what_was_wrapped_after_it(void **state)
{
    struct box *box = *state;
    SCOPED_SECRET struct secret *key = NULL;
    SCOPED_SECRET struct secret *again = NULL;
    SCOPED_BUF struct buf *before = NULL;
    SCOPED_BUF struct buf *after = NULL;
    SCOPED_BUF struct buf *keys = NULL;
    (void)provision(box);
    assert_int_equal(buf_new(VAULT_WRAPPED_MAX, &before), ERR_OK);
    assert_int_equal(buf_new(VAULT_WRAPPED_MAX, &after), ERR_OK);
    assert_int_equal(vault_table_new(box->vault, 256, &key, before), ERR_OK);
    read_file(box, "keys", &keys);
    assert_int_equal(vault_rotate_begin(box->vault), ERR_OK);
    assert_int_equal(vault_table_rewrap(box->vault, 256, buf_all(before), after), ERR_OK);
    assert_int_equal(vault_rotate_end(box->vault), ERR_OK);
    put_file(box, "keys", buf_all(keys));
    assert_int_equal(start_and_renew(box), ERR_OK);

    assert_int_equal(vault_table_open(box->vault, 256, buf_all(after), &again), ERR_STALE_KEY);

    assert_null(again);
}

/* --- ownership --- */

static void a_tpm_with_a_foreign_lockout_auth_is_refused_before_anything_is_written(void **state)
{
    struct box *box = *state;
    sim_tpm_foreign_lockout_auth(box->tpm);

    assert_int_equal(start_and_renew(box), ERR_DENIED);

    assert_state(box, BOARD_UNPROVISIONED, LIFE_REASON_OTHER_TPM);
    assert_false(datadir_has(box->dir, "keys"));
    assert_false(datadir_has(box->dir, "root.seal"));
    sim_tpm_clear(box->tpm);
    assert_int_equal(start_and_renew(box), ERR_OK);
}

static void a_tpm_that_cannot_be_owned_is_not_sealed_to(void **state)
{
    struct box *box = *state;
    SCOPED_BUF struct buf *seal = NULL;
    const struct words words = provision(box);
    sim_tpm_clear(box->tpm);
    sim_tpm_foreign_lockout_auth(box->tpm);
    read_file(box, "root.seal", &seal);
    assert_int_equal(start_and_renew(box), ERR_STALE_KEY);

    assert_int_equal(unlock(box, &words), ERR_DENIED);

    assert_int_equal(vault_state(box->vault), BOARD_LOCKED);
    assert_true(file_is(box, "root.seal", buf_all(seal)));
}

/* --- recovery --- */

static void a_wrong_recovery_key_changes_nothing(void **state)
{
    struct box *box = *state;
    static const char *const files[] = {"root.seal", "root.recovery", "keys", "locked.seal", "locked.der"};
    struct buf *before[ARRAY_LENGTH(files)] = {NULL};
    SCOPED_RANDOM struct random *random = NULL;
    SCOPED_SECRET struct secret *other = NULL;
    SCOPED_SECRET struct secret *other_words = NULL;
    const struct words words = provision(box);
    struct words mistyped = words;
    mistyped.text[0] = mistyped.text[0] == 'b' ? 'd' : 'b';
    sim_tpm_clear(box->tpm);
    assert_int_equal(start_and_renew(box), ERR_STALE_KEY);
    assert_int_equal(random_new(SPAN_NONE, &random), ERR_OK);
    assert_int_equal(recovery_key_new(random, &other), ERR_OK);
    assert_int_equal(recovery_to_words(other, &other_words), ERR_OK);
    for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
        read_file(box, files[i], &before[i]);
    }

    assert_int_equal(vault_unlock_recovery(box->vault, secret_reveal(other_words)), ERR_AUTH);
    assert_int_equal(vault_unlock_recovery(box->vault, span_lit("lusab-babad")), ERR_MALFORMED);
    assert_int_equal(unlock(box, &mistyped), ERR_MALFORMED); /* the checksum */

    assert_state(box, BOARD_LOCKED, LIFE_REASON_OTHER_TPM);
    for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
        assert_true(file_is(box, files[i], buf_all(before[i])));
        buf_free(before[i]);
    }
    assert_int_equal(unlock(box, &words), ERR_OK);
}

static void the_recovery_key_still_opens_after_it_was_used(void **state)
{
    struct box *box = *state;
    const struct words words = provision(box);

    for (size_t i = 0; i < 3; i++) {
        sim_tpm_clear(box->tpm); /* which makes it another one */
        assert_int_equal(start_and_renew(box), ERR_STALE_KEY);
        assert_state(box, BOARD_LOCKED, LIFE_REASON_OTHER_TPM);
        assert_int_equal(unlock(box, &words), ERR_OK);
        assert_null(vault_recovery_words(box->vault));
        assert_int_equal(start_and_renew(box), ERR_OK);
    }
}

#define BOX_TEST(name) cmocka_unit_test_setup_teardown(name, make_box, free_box)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOX_TEST(attack_19_a_planted_file_does_not_make_the_box_show_a_recovery_key),
        BOX_TEST(attack_19_the_ca_does_not_certify_a_key_that_was_put_on_disk),
        BOX_TEST(attack_19_a_foreign_ca_is_not_given_to_clients),
        BOX_TEST(a_locked_leaf_whose_certificate_is_of_another_key_is_not_shown),
        BOX_TEST(keys_without_a_sealed_root_lock_the_box),
        BOX_TEST(attack_17_a_firmware_bound_to_pcrs_does_not_keep_a_root_that_is_not),
        BOX_TEST(sealing_to_other_pcrs_keeps_the_pin),
        BOX_TEST(attack_19_an_older_keys_file_does_not_open_what_was_wrapped_after_it),
        BOX_TEST(a_tpm_with_a_foreign_lockout_auth_is_refused_before_anything_is_written),
        BOX_TEST(a_tpm_that_cannot_be_owned_is_not_sealed_to),
        BOX_TEST(a_wrong_recovery_key_changes_nothing),
        BOX_TEST(the_recovery_key_still_opens_after_it_was_used),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
