/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "crypto/ct.h"
#include "crypto/recovery.h"
#include "crypto/seal.h"
#include "crypto/tpm_crypto.h"
#include "hal/sim/sim_entropy.h"
#include "hal/sim/sim_tpm.h"
#include "tests/lib/swtpm.h"

#define PCR_FIRMWARE 16
#define GATE_MS 5000

struct fixture {
    struct swtpm *swtpm;
    struct hal_tpm *tpm;
    struct hal_tpm_name srk;
    struct random *random;
    struct secret *root;
    struct buf *file;
};

static int setup(void **state)
{
    static struct fixture fixture;
    struct fixture *const f = &fixture;

    fixture = (struct fixture){.swtpm = swtpm_new()};
    assert_int_equal(hal_tpm_open(swtpm_tcti(f->swtpm), &tpm_crypto, &f->tpm), ERR_OK);
    assert_int_equal(hal_tpm_srk_make(f->tpm, SPAN_NONE, &f->srk), ERR_OK);
    assert_int_equal(random_new(SPAN_NONE, &f->random), ERR_OK);
    assert_int_equal(seal_root_new(f->tpm, hal_entropy_kernel(), GATE_MS, &f->root), ERR_OK);
    assert_int_equal(buf_new(2 * SEAL_FILE_MAX, &f->file), ERR_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *const f = *state;

    buf_free(f->file);
    secret_free(f->root);
    random_free(f->random);
    hal_tpm_close(f->tpm);
    swtpm_free(f->swtpm);
    fault_clear();
    return 0;
}

static void reboot(struct fixture *f)
{
    hal_tpm_close(f->tpm);
    f->tpm = NULL;
    swtpm_cut_power(f->swtpm);
    swtpm_power_on(f->swtpm);
    assert_int_equal(hal_tpm_open(swtpm_tcti(f->swtpm), &tpm_crypto, &f->tpm), ERR_OK);
}

static void seal_root(struct fixture *f, uint32_t pcr_mask, struct span pin)
{
    const struct seal_policy policy = {.kind = SEAL_ROOT, .pcr_mask = pcr_mask, .pin = pin};

    assert_int_equal(seal_create(f->tpm, &f->srk, &policy, f->random, f->root, f->file), ERR_OK);
}

static enum err open_root(struct fixture *f, struct span pin, bool *out_same)
{
    SCOPED_SECRET struct secret *opened = NULL;
    const enum err err = seal_open(f->tpm, SEAL_ROOT, pin, buf_all(f->file), &opened);

    assert_int_equal(err == ERR_OK, opened != NULL);
    *out_same = err == ERR_OK && ct_equal(secret_reveal(opened), secret_reveal(f->root));
    return err;
}

static void a_sealed_root_opens_after_a_reboot(void **state)
{
    struct fixture *const f = *state;
    bool same = false;
    seal_root(f, 0, SPAN_NONE);
    reboot(f);

    assert_int_equal(open_root(f, SPAN_NONE, &same), ERR_OK);
    assert_true(same);
    assert_int_equal(open_root(f, span_lit("a PIN in vain"), &same), ERR_OK);
    assert_true(same);
}

static void attack_17_a_changed_pcr_keeps_the_root_shut_until_the_reboot(void **state)
{
    struct fixture *const f = *state;
    const uint8_t image[HAL_TPM_DIGEST_BYTES] = {1};
    bool same = false;
    seal_root(f, 1u << PCR_FIRMWARE, SPAN_NONE);
    assert_int_equal(open_root(f, SPAN_NONE, &same), ERR_OK);
    assert_true(same);
    assert_int_equal(hal_tpm_pcr_extend(f->tpm, PCR_FIRMWARE, image), ERR_OK);

    assert_int_equal(open_root(f, SPAN_NONE, &same), ERR_POLICY);

    reboot(f);
    assert_int_equal(open_root(f, SPAN_NONE, &same), ERR_OK);
    assert_true(same);
}

static void attack_19_another_tpm_does_not_open_the_root(void **state)
{
    struct fixture *const f = *state;
    struct swtpm *const thief = swtpm_new();
    struct hal_tpm_name other_srk;
    bool same = false;
    seal_root(f, 0, SPAN_NONE);
    hal_tpm_close(f->tpm);
    assert_int_equal(hal_tpm_open(swtpm_tcti(thief), &tpm_crypto, &f->tpm), ERR_OK);
    assert_int_equal(hal_tpm_srk_make(f->tpm, SPAN_NONE, &other_srk), ERR_OK);

    assert_int_equal(open_root(f, SPAN_NONE, &same), ERR_STALE_KEY);

    hal_tpm_close(f->tpm);
    f->tpm = NULL;
    swtpm_free(thief);
}

static void a_pin_is_needed_and_must_be_right(void **state)
{
    struct fixture *const f = *state;
    bool same = false;
    seal_root(f, 0, span_lit("4711"));

    assert_int_equal(open_root(f, SPAN_NONE, &same), ERR_PIN);
    assert_int_equal(open_root(f, span_lit("4712"), &same), ERR_PIN);
    assert_int_equal(open_root(f, span_lit("4711"), &same), ERR_OK);
    assert_true(same);
    reboot(f);
    assert_int_equal(open_root(f, span_lit("4711"), &same), ERR_OK);
    assert_true(same);
}

static void the_recovery_key_moves_the_root_to_a_new_tpm(void **state)
{
    struct fixture *const f = *state;
    SCOPED_SECRET struct secret *recovery = NULL;
    SCOPED_SECRET struct secret *words = NULL;
    SCOPED_SECRET struct secret *typed = NULL;
    SCOPED_SECRET struct secret *private_key = NULL;
    SCOPED_SECRET struct secret *root = NULL;
    SCOPED_BUF struct buf *file = NULL;
    struct swtpm *const new_swtpm = swtpm_new();
    uint8_t public_key[HPKE_PUBLIC_BYTES];
    bool same = false;
    assert_int_equal(recovery_key_new(f->random, &recovery), ERR_OK);
    assert_int_equal(recovery_to_words(recovery, &words), ERR_OK);
    assert_int_equal(recovery_key_pair(recovery, &private_key, public_key), ERR_OK);
    assert_int_equal(buf_new(SEAL_RECOVERY_MAX, &file), ERR_OK);
    assert_int_equal(seal_recovery_create(f->random, public_key, f->root, file), ERR_OK);
    hal_tpm_close(f->tpm);
    assert_int_equal(hal_tpm_open(swtpm_tcti(new_swtpm), &tpm_crypto, &f->tpm), ERR_OK);
    assert_int_equal(hal_tpm_srk_make(f->tpm, SPAN_NONE, &f->srk), ERR_OK);

    assert_int_equal(recovery_from_words(secret_reveal(words), &typed), ERR_OK);
    assert_int_equal(seal_recovery_open(typed, buf_all(file), &root), ERR_OK);
    assert_true(ct_equal(secret_reveal(root), secret_reveal(f->root)));
    seal_root(f, 0, SPAN_NONE);

    assert_int_equal(open_root(f, SPAN_NONE, &same), ERR_OK);
    assert_true(same);
    hal_tpm_close(f->tpm);
    f->tpm = NULL;
    swtpm_free(new_swtpm);
}

static void every_changed_or_cut_sealed_file_is_refused_or_opens_to_the_same_key(void **state)
{
    struct fixture *const f = *state;
    SCOPED_SECRET struct secret *opened = NULL;
    uint8_t bytes[SEAL_FILE_MAX + 1] = {0};
    seal_root(f, 0, SPAN_NONE);
    const size_t len = buf_len(f->file);
    memcpy(bytes, buf_all(f->file).data, len);

    for (size_t at = 0; at < len; at += 3) {
        bytes[at] ^= (uint8_t)(1u << at % 8);
        const enum err err = seal_open(f->tpm, SEAL_ROOT, SPAN_NONE, span_of(bytes, len), &opened);
        bytes[at] ^= (uint8_t)(1u << at % 8);
        if (err == ERR_OK) { /* the salt of a PIN that there is not */
            assert_true(ct_equal(secret_reveal(opened), secret_reveal(f->root)));
            secret_free(opened);
            opened = NULL;
        }
        assert_true(err != ERR_OK || (at >= 46 && at < 62));
    }
    for (size_t cut = 0; cut < len; cut++) {
        assert_int_equal(seal_open(f->tpm, SEAL_ROOT, SPAN_NONE, span_of(bytes, cut), &opened), ERR_MALFORMED);
    }
    assert_int_equal(seal_open(f->tpm, SEAL_ROOT, SPAN_NONE, span_of(bytes, len + 1), &opened), ERR_MALFORMED);
    assert_null(opened);
}

static void a_file_of_another_kind_or_version_is_told_apart(void **state)
{
    struct fixture *const f = *state;
    struct secret *opened = NULL;
    struct seal_info info;
    uint8_t bytes[SEAL_FILE_MAX];
    seal_root(f, 1u << PCR_FIRMWARE, span_lit("1"));
    const size_t len = buf_len(f->file);
    memcpy(bytes, buf_all(f->file).data, len);

    assert_int_equal(seal_read(span_of(bytes, len), &info), ERR_OK);
    assert_int_equal(info.kind, SEAL_ROOT);
    assert_int_equal(info.pcr_mask, 1u << PCR_FIRMWARE);
    assert_true(info.wants_pin);
    assert_memory_equal(info.srk.bytes, f->srk.bytes, HAL_TPM_NAME_BYTES);
    assert_int_equal(seal_open(f->tpm, SEAL_LOCKED_LEAF, SPAN_NONE, span_of(bytes, len), &opened), ERR_MALFORMED);
    bytes[4] = 2;
    assert_int_equal(seal_read(span_of(bytes, len), &info), ERR_VERSION);
    assert_int_equal(seal_open(f->tpm, SEAL_ROOT, SPAN_NONE, span_of(bytes, len), &opened), ERR_VERSION);
    assert_null(opened);
}

static void the_locked_leaf_opens_while_the_root_does_not(void **state)
{
    struct fixture *const f = *state;
    SCOPED_BUF struct buf *leaf_file = NULL;
    SCOPED_SECRET struct secret *leaf = NULL;
    SCOPED_SECRET struct secret *opened = NULL;
    const struct seal_policy policy = {.kind = SEAL_LOCKED_LEAF};
    const uint8_t image[HAL_TPM_DIGEST_BYTES] = {1};
    bool same = false;
    assert_int_equal(random_secret(f->random, 32, &leaf), ERR_OK);
    assert_int_equal(buf_new(SEAL_FILE_MAX, &leaf_file), ERR_OK);
    assert_int_equal(seal_create(f->tpm, &f->srk, &policy, f->random, leaf, leaf_file), ERR_OK);
    seal_root(f, 1u << PCR_FIRMWARE, SPAN_NONE);
    assert_int_equal(hal_tpm_pcr_extend(f->tpm, PCR_FIRMWARE, image), ERR_OK);

    assert_int_equal(open_root(f, SPAN_NONE, &same), ERR_POLICY);
    assert_int_equal(seal_open(f->tpm, SEAL_LOCKED_LEAF, SPAN_NONE, buf_all(leaf_file), &opened), ERR_OK);

    assert_true(ct_equal(secret_reveal(opened), secret_reveal(leaf)));
}

static void seal_create_refuses_what_it_must_not_seal(void **state)
{
    struct fixture *const f = *state;
    SCOPED_SECRET struct secret *shorter = NULL;
    SCOPED_SECRET struct secret *longer = NULL;
    SCOPED_BUF struct buf *small = NULL;
    uint8_t pin[SEAL_PIN_MAX + 1];
    struct seal_policy policy = {.kind = SEAL_LOCKED_LEAF, .pcr_mask = 1};
    memset(pin, '1', sizeof(pin));
    assert_int_equal(secret_new(31, &shorter), ERR_OK);
    assert_int_equal(secret_new(33, &longer), ERR_OK);
    assert_int_equal(buf_new(SEAL_FILE_MAX - 1, &small), ERR_OK);

    assert_int_equal(seal_create(f->tpm, &f->srk, &policy, f->random, f->root, f->file), ERR_STATE);
    policy = (struct seal_policy){.kind = SEAL_LOCKED_LEAF, .pin = span_lit("1")};
    assert_int_equal(seal_create(f->tpm, &f->srk, &policy, f->random, f->root, f->file), ERR_STATE);
    policy = (struct seal_policy){.kind = SEAL_ROOT, .pin = span_array(pin)};
    assert_int_equal(seal_create(f->tpm, &f->srk, &policy, f->random, f->root, f->file), ERR_RANGE);
    policy = (struct seal_policy){.kind = SEAL_ROOT};
    assert_int_equal(seal_create(f->tpm, &f->srk, &policy, f->random, shorter, f->file), ERR_RANGE);
    assert_int_equal(seal_create(f->tpm, &f->srk, &policy, f->random, longer, f->file), ERR_RANGE);
    assert_int_equal(seal_create(f->tpm, &f->srk, &policy, f->random, f->root, small), ERR_RANGE);
    assert_int_equal(buf_len(f->file), 0);
}

static void the_recovery_file_opens_with_its_key_only_and_unchanged_only(void **state)
{
    struct fixture *const f = *state;
    SCOPED_SECRET struct secret *recovery = NULL;
    SCOPED_SECRET struct secret *other = NULL;
    SCOPED_SECRET struct secret *private_key = NULL;
    struct secret *root = NULL;
    uint8_t public_key[HPKE_PUBLIC_BYTES];
    uint8_t bytes[SEAL_RECOVERY_MAX];
    assert_int_equal(recovery_key_new(f->random, &recovery), ERR_OK);
    assert_int_equal(recovery_key_new(f->random, &other), ERR_OK);
    assert_int_equal(recovery_key_pair(recovery, &private_key, public_key), ERR_OK);
    assert_int_equal(seal_recovery_create(f->random, public_key, f->root, f->file), ERR_OK);
    const size_t len = buf_len(f->file);
    memcpy(bytes, buf_all(f->file).data, len);

    assert_int_equal(seal_recovery_open(other, span_of(bytes, len), &root), ERR_AUTH);
    for (size_t bit = 0; bit < 8 * len; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(seal_recovery_open(recovery, span_of(bytes, len), &root),
                         bit < 32 ? ERR_MALFORMED : bit < 40 ? ERR_VERSION : ERR_AUTH);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t cut = 0; cut < len; cut++) {
        assert_int_equal(seal_recovery_open(recovery, span_of(bytes, cut), &root), ERR_MALFORMED);
    }
    assert_null(root);
    assert_int_equal(seal_recovery_create(f->random, public_key, private_key, f->file), ERR_OK); /* 32 bytes too */
}

static void two_root_keys_differ(void **state)
{
    struct fixture *const f = *state;
    SCOPED_SECRET struct secret *other = NULL;

    assert_int_equal(seal_root_new(f->tpm, hal_entropy_kernel(), GATE_MS, &other), ERR_OK);

    assert_int_equal(secret_len(other), SEAL_ROOT_BYTES);
    assert_false(ct_equal(secret_reveal(other), secret_reveal(f->root)));
}

/* The root key that a TPM and a kernel of these seeds give. */
static struct secret *root_of(uint64_t tpm_seed, uint64_t kernel_seed)
{
    struct sim_entropy kernel;
    struct sim_tpm *tpm = NULL;
    struct secret *root = NULL;

    sim_entropy_init(&kernel, kernel_seed);
    assert_int_equal(sim_tpm_new(tpm_seed, &tpm), ERR_OK);
    assert_int_equal(seal_root_new(sim_tpm_hal(tpm), &kernel.base, GATE_MS, &root), ERR_OK);
    sim_tpm_free(tpm);
    return root;
}

static void a_root_key_is_made_of_both_sources_so_that_either_suffices(void **state UNUSED)
{
    SCOPED_SECRET struct secret *root = root_of(1, 1);
    SCOPED_SECRET struct secret *same = root_of(1, 1);
    SCOPED_SECRET struct secret *other_tpm = root_of(2, 1);
    SCOPED_SECRET struct secret *other_kernel = root_of(1, 2);

    assert_true(ct_equal(secret_reveal(root), secret_reveal(same))); /* nothing else is in it */
    assert_false(ct_equal(secret_reveal(root), secret_reveal(other_tpm)));
    assert_false(ct_equal(secret_reveal(root), secret_reveal(other_kernel)));
}

static void no_root_key_is_made_before_the_gate_is_passed(void **state)
{
    struct secret *root = NULL;
    struct sim_tpm *tpm = NULL;
    struct sim_entropy kernel;
    sim_entropy_init(&kernel, 2);
    assert_int_equal(sim_tpm_new(1, &tpm), ERR_OK);

    kernel.ready = ERR_TIMEOUT;
    assert_int_equal(seal_root_new(sim_tpm_hal(tpm), &kernel.base, GATE_MS, &root), ERR_TIMEOUT);
    kernel.ready = ERR_OK;
    kernel.fill = ERR_IO;
    assert_int_equal(seal_root_new(sim_tpm_hal(tpm), &kernel.base, GATE_MS, &root), ERR_IO);

    assert_null(root);
    sim_tpm_free(tpm);
    fault_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_sealed_root_opens_after_a_reboot, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_17_a_changed_pcr_keeps_the_root_shut_until_the_reboot, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_19_another_tpm_does_not_open_the_root, setup, teardown),
        cmocka_unit_test_setup_teardown(a_pin_is_needed_and_must_be_right, setup, teardown),
        cmocka_unit_test_setup_teardown(the_recovery_key_moves_the_root_to_a_new_tpm, setup, teardown),
        cmocka_unit_test_setup_teardown(every_changed_or_cut_sealed_file_is_refused_or_opens_to_the_same_key, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_file_of_another_kind_or_version_is_told_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(the_locked_leaf_opens_while_the_root_does_not, setup, teardown),
        cmocka_unit_test_setup_teardown(seal_create_refuses_what_it_must_not_seal, setup, teardown),
        cmocka_unit_test_setup_teardown(the_recovery_file_opens_with_its_key_only_and_unchanged_only, setup, teardown),
        cmocka_unit_test_setup_teardown(two_root_keys_differ, setup, teardown),
        cmocka_unit_test(a_root_key_is_made_of_both_sources_so_that_either_suffices),
        cmocka_unit_test(no_root_key_is_made_before_the_gate_is_passed),
    };

    return cmocka_run_group_tests_name("crypto_seal", tests, NULL, NULL);
}
