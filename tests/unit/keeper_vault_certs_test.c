/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/keeper/vault.h certificates: which is shown in which state, and when a new one is made. */
#include "firmware/keeper/vault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "tests/lib/vault_box.h"

struct identity_view {
    struct buf *der;
    uint8_t public_key[SIGN_PUBLIC_BYTES]; /* of the private key that goes with it */
};

static struct identity_view identity_of(struct box *box)
{
    struct identity_view view = {.der = NULL};
    const struct secret *key = NULL;
    void *info = NULL;

    assert_int_equal(buf_new(X509_DER_MAX, &view.der), ERR_OK);
    assert_int_equal(vault_identity(box->vault, view.der, &key), ERR_OK);
    assert_int_equal(sign_public(key, view.public_key), ERR_OK);
    assert_int_equal(mem_alloc(sizeof(struct x509_info), &info), ERR_OK);
    assert_int_equal(x509_read(buf_all(view.der), info), ERR_OK);
    assert_memory_equal(((struct x509_info *)info)->public_key, view.public_key, SIGN_PUBLIC_BYTES);
    mem_free(info);
    return view;
}

static enum err verify_by_ca(struct box *box, const struct identity_view *view)
{
    SCOPED_BUF struct buf *ca = NULL;

    assert_int_equal(buf_new(X509_DER_MAX, &ca), ERR_OK);
    assert_int_equal(vault_ca(box->vault, ca), ERR_OK);
    return x509_verify(buf_all(ca), buf_all(view->der));
}

static void the_locked_identity_is_another_one_of_the_same_ca(void **state)
{
    struct box *box = *state;
    const uint8_t digest[HAL_TPM_DIGEST_BYTES] = {1};
    box->pcr_mask = PCR_16;
    (void)provision(box);
    struct identity_view operational = identity_of(box);
    assert_int_equal(hal_tpm_pcr_extend(sim_tpm_hal(box->tpm), 16, digest), ERR_OK);
    assert_int_equal(start(box), ERR_POLICY);

    struct identity_view locked = identity_of(box);

    assert_state(box, BOARD_LOCKED, LIFE_REASON_PCR_CHANGED);
    assert_true(shows_file(box, "locked.der"));
    assert_int_equal(verify_by_ca(box, &operational), ERR_OK);
    assert_int_equal(verify_by_ca(box, &locked), ERR_OK);
    assert_memory_not_equal(operational.public_key, locked.public_key, SIGN_PUBLIC_BYTES);
    buf_free(operational.der);
    buf_free(locked.der);
}

static void without_its_tpm_the_box_shows_an_ephemeral_identity_that_the_ca_did_not_sign(void **state)
{
    struct box *box = *state;
    (void)provision(box);
    other_tpm(box, 2);
    assert_int_equal(start(box), ERR_STALE_KEY);

    struct identity_view first = identity_of(box);
    struct identity_view same = identity_of(box);
    assert_int_equal(start(box), ERR_STALE_KEY);
    struct identity_view other = identity_of(box);

    assert_int_equal(verify_by_ca(box, &first), ERR_AUTH);
    assert_memory_equal(first.public_key, same.public_key, SIGN_PUBLIC_BYTES);
    assert_memory_not_equal(first.public_key, other.public_key, SIGN_PUBLIC_BYTES);
    buf_free(first.der);
    buf_free(same.der);
    buf_free(other.der);
}

static void the_certificate_is_renewed_at_two_thirds_of_its_life_with_a_new_key(void **state)
{
    struct box *box = *state;
    bool changed = true;
    (void)provision(box);
    struct identity_view first = identity_of(box);
    const struct wall_time born = box->clock.wall;

    sim_clock_set_wall(&box->clock, (struct wall_time){born.ms + (X509_LEAF_DAYS * 2 / 3 - 1) * DAY_MS});
    assert_int_equal(vault_renew(box->vault, &changed), ERR_OK);
    assert_false(changed);
    sim_clock_set_wall(&box->clock, (struct wall_time){born.ms + (X509_LEAF_DAYS * 2 / 3 + 1) * DAY_MS});
    assert_int_equal(vault_renew(box->vault, &changed), ERR_OK);
    assert_true(changed);

    struct identity_view second = identity_of(box);
    assert_int_equal(verify_by_ca(box, &second), ERR_OK);
    assert_memory_not_equal(first.public_key, second.public_key, SIGN_PUBLIC_BYTES);
    assert_int_equal(start(box), ERR_OK);
    struct identity_view kept = identity_of(box);
    assert_memory_equal(kept.public_key, second.public_key, SIGN_PUBLIC_BYTES);
    buf_free(first.der);
    buf_free(second.der);
    buf_free(kept.der);
}

static void the_certificate_is_renewed_when_a_name_changes(void **state)
{
    struct box *box = *state;
    bool changed = true;
    (void)provision(box);
    assert_int_equal(vault_renew(box->vault, &changed), ERR_OK);
    assert_false(changed);

    assert_int_equal(x509_names_add_dns(&box->names, span_lit("box.example")), ERR_OK);
    vault_set_names(box->vault, &box->names);
    assert_int_equal(vault_renew(box->vault, &changed), ERR_OK);

    assert_true(changed);
}

static void a_certificate_that_does_not_fit_its_key_is_issued_again(void **state)
{
    struct box *box = *state;
    bool changed = false;
    SCOPED_BUF struct buf *old = NULL;
    (void)provision(box);
    assert_int_equal(buf_new(X509_DER_MAX, &old), ERR_OK);
    assert_int_equal(datadir_read(box->dir, "locked.der", old), ERR_OK);
    assert_int_equal(datadir_write(box->dir, "leaf.der", buf_all(old)), ERR_OK);
    assert_int_equal(start(box), ERR_OK);

    assert_int_equal(vault_renew(box->vault, &changed), ERR_OK);

    assert_true(changed);
    struct identity_view view = identity_of(box);
    assert_int_equal(verify_by_ca(box, &view), ERR_OK);
    buf_free(view.der);
}

#define BOX_TEST(name) cmocka_unit_test_setup_teardown(name, make_box, free_box)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOX_TEST(the_locked_identity_is_another_one_of_the_same_ca),
        BOX_TEST(without_its_tpm_the_box_shows_an_ephemeral_identity_that_the_ca_did_not_sign),
        BOX_TEST(the_certificate_is_renewed_at_two_thirds_of_its_life_with_a_new_key),
        BOX_TEST(the_certificate_is_renewed_when_a_name_changes),
        BOX_TEST(a_certificate_that_does_not_fit_its_key_is_issued_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
