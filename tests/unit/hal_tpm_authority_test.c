/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The TPM driver's counter and authorities against a software TPM, with digests and signatures of crypto/approval.h. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/approval.h"
#include "crypto/hash.h"
#include "crypto/tpm_crypto.h"
#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/tpm.h"
#include "tests/lib/nv_forger.h"
#include "tests/lib/swtpm.h"

#define PCR_BOOT 7
#define MASK_BOOT (UINT32_C(1) << PCR_BOOT)

static const uint8_t secret[32] = "thirty-two bytes, all of them so";
static const uint8_t image[HAL_TPM_DIGEST_BYTES] = {1};
static const uint8_t other_image[HAL_TPM_DIGEST_BYTES] = {2};
static const uint8_t owner_auth[HAL_TPM_DIGEST_BYTES] = "the owner's thirty-two bytes are";
static const uint8_t lockout_auth[HAL_TPM_DIGEST_BYTES] = "the lockout thirty-two bytes are";

struct fixture {
    struct swtpm *swtpm;
    struct hal_tpm *tpm;
    struct hal_tpm_name srk;
    struct hal_tpm_counter counter;
    struct random *random;
    struct signer *signer;
    struct hal_tpm_authority authority;
};

static int setup(void **state)
{
    static struct fixture fixture;
    struct fixture *const f = &fixture;
    SCOPED_SECRET struct secret *key = NULL;
    uint8_t point[SIGN_PUBLIC_BYTES];

    fault_clear();
    (void)signal(SIGPIPE, SIG_IGN);
    fixture = (struct fixture){.tpm = NULL};
    f->swtpm = swtpm_new();
    assert_int_equal(hal_tpm_open(swtpm_tcti(f->swtpm), &tpm_crypto, &f->tpm), ERR_OK);
    assert_int_equal(hal_tpm_srk_make(f->tpm, SPAN_NONE, &f->srk), ERR_OK);
    assert_int_equal(hal_tpm_counter_make(f->tpm, &f->srk, SPAN_NONE, &f->counter), ERR_OK);
    assert_int_equal(random_new(SPAN_NONE, &f->random), ERR_OK);
    assert_int_equal(sign_key_new(f->random, &key), ERR_OK);
    assert_int_equal(signer_new(key, f->random, &f->signer), ERR_OK);
    signer_public(f->signer, point);
    memcpy(f->authority.key, point + 1, sizeof(f->authority.key));
    random_fill(f->random, f->authority.reference, sizeof(f->authority.reference));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    hal_tpm_close(f->tpm);
    swtpm_free(f->swtpm);
    signer_free(f->signer);
    random_free(f->random);
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

static void measure(struct fixture *f, const uint8_t what[HAL_TPM_DIGEST_BYTES])
{
    assert_int_equal(hal_tpm_pcr_extend(f->tpm, APPROVAL_PCR, what), ERR_OK);
}

/* PCR 11 after one measurement. */
static void value_after(const uint8_t what[HAL_TPM_DIGEST_BYTES], uint8_t out_value[HAL_TPM_DIGEST_BYTES])
{
    uint8_t text[2 * HAL_TPM_DIGEST_BYTES] = {0};

    memcpy(text + HAL_TPM_DIGEST_BYTES, what, HAL_TPM_DIGEST_BYTES);
    sha256(span_array(text), out_value);
}

static struct hal_tpm_approval approved(struct fixture *f, const uint8_t what[HAL_TPM_DIGEST_BYTES], uint64_t counter_max)
{
    struct hal_tpm_approval approval;
    uint8_t value[HAL_TPM_DIGEST_BYTES];
    const struct approval_subject subject = {value, &f->counter.name, counter_max};

    value_after(what, value);
    assert_int_equal(approval_sign(f->signer, &f->authority, &subject, &approval), ERR_OK);
    return approval;
}

static struct hal_tpm_sealed sealed(struct fixture *f, struct span pin)
{
    const struct hal_tpm_policy policy = {.pcr_mask = MASK_BOOT, .authority = &f->authority, .pin = pin};
    struct hal_tpm_sealed blob;

    assert_int_equal(hal_tpm_seal(f->tpm, &f->srk, &policy, span_array(secret), &blob), ERR_OK);
    return blob;
}

static enum err unseal_with(struct fixture *f, const struct hal_tpm_sealed *blob, const struct hal_tpm_approval *approval,
                            struct span pin)
{
    const struct hal_tpm_policy policy = {
        .pcr_mask = MASK_BOOT, .authority = &f->authority, .approval = approval, .pin = pin};
    uint8_t out[sizeof(secret)] = {0};
    const enum err err = hal_tpm_unseal(f->tpm, &f->srk, &policy, blob, out, sizeof(out));

    assert_int_equal(err == ERR_OK, memcmp(out, secret, sizeof(secret)) == 0);
    return err;
}

static enum err unseal(struct fixture *f, const struct hal_tpm_sealed *blob, const struct hal_tpm_approval *approval)
{
    return unseal_with(f, blob, approval, SPAN_NONE);
}

static void an_approved_image_opens_after_a_reboot(void **state)
{
    struct fixture *f = *state;
    const struct hal_tpm_sealed blob = sealed(f, SPAN_NONE);
    const struct hal_tpm_approval approval = approved(f, image, f->counter.value);
    reboot(f);
    measure(f, image);

    assert_int_equal(unseal(f, &blob, &approval), ERR_OK);
}

static void an_image_approved_after_the_sealing_opens_too(void **state)
{
    struct fixture *f = *state;
    const struct hal_tpm_sealed blob = sealed(f, SPAN_NONE);
    reboot(f);
    measure(f, other_image);

    const struct hal_tpm_approval approval = approved(f, other_image, f->counter.value + 1);

    assert_int_equal(unseal(f, &blob, &approval), ERR_OK);
}

static void attack_17_another_image_does_not_open(void **state)
{
    struct fixture *f = *state;
    const struct hal_tpm_sealed blob = sealed(f, SPAN_NONE);
    const struct hal_tpm_approval approval = approved(f, image, f->counter.value);
    reboot(f);
    measure(f, other_image);

    assert_int_equal(unseal(f, &blob, &approval), ERR_POLICY);
}

static void attack_17_there_is_no_second_unsealing_after_the_cap(void **state)
{
    struct fixture *f = *state;
    const struct hal_tpm_sealed blob = sealed(f, SPAN_NONE);
    const struct hal_tpm_approval approval = approved(f, image, f->counter.value);
    measure(f, image);
    assert_int_equal(unseal(f, &blob, &approval), ERR_OK);

    measure(f, other_image);

    assert_int_equal(unseal(f, &blob, &approval), ERR_POLICY);
}

static void attack_17_another_boot_state_does_not_open(void **state)
{
    struct fixture *f = *state;
    const struct hal_tpm_sealed blob = sealed(f, SPAN_NONE);
    const struct hal_tpm_approval approval = approved(f, image, f->counter.value);
    measure(f, image);

    assert_int_equal(hal_tpm_pcr_extend(f->tpm, PCR_BOOT, image), ERR_OK);

    assert_int_equal(unseal(f, &blob, &approval), ERR_POLICY);
}

static void a_secret_can_be_sealed_for_a_boot_state_to_come(void **state)
{
    struct fixture *f = *state;
    uint8_t expected[HAL_TPM_DIGEST_BYTES];
    const struct hal_tpm_approval approval = approved(f, image, f->counter.value);
    struct hal_tpm_sealed blob;
    value_after(other_image, expected);
    const struct hal_tpm_policy policy = {.pcr_mask = MASK_BOOT, .pcr_value = expected, .authority = &f->authority};
    assert_int_equal(hal_tpm_seal(f->tpm, &f->srk, &policy, span_array(secret), &blob), ERR_OK);
    measure(f, image);
    assert_int_equal(unseal(f, &blob, &approval), ERR_POLICY);

    assert_int_equal(hal_tpm_pcr_extend(f->tpm, PCR_BOOT, other_image), ERR_OK);

    assert_int_equal(unseal(f, &blob, &approval), ERR_OK);
}

static void attack_19_a_counter_above_what_was_approved_does_not_open(void **state)
{
    struct fixture *f = *state;
    const struct hal_tpm_sealed blob = sealed(f, SPAN_NONE);
    const struct hal_tpm_approval approval = approved(f, image, f->counter.value);
    struct hal_tpm_counter raised;
    measure(f, image);
    assert_int_equal(unseal(f, &blob, &approval), ERR_OK);

    assert_int_equal(hal_tpm_counter_step(f->tpm, &f->srk, SPAN_NONE, &raised), ERR_OK);

    assert_int_equal(raised.value, f->counter.value + 1);
    assert_int_equal(unseal(f, &blob, &approval), ERR_POLICY);
}

/* Each byte of what was approved, and the numbers beside it. */
static void a_changed_approval_does_not_open(void **state)
{
    struct fixture *f = *state;
    const struct hal_tpm_sealed blob = sealed(f, SPAN_NONE);
    const struct hal_tpm_approval good = approved(f, image, f->counter.value);
    struct hal_tpm_approval bad = good;
    measure(f, image);

    bad.counter_max++;
    assert_int_equal(unseal(f, &blob, &bad), ERR_POLICY);
    bad = good;
    bad.pcr = 12;
    assert_int_equal(unseal(f, &blob, &bad), ERR_POLICY);
    bad = good;
    bad.digest[0] ^= 1;
    assert_int_equal(unseal(f, &blob, &bad), ERR_POLICY);
    for (size_t at = 0; at < sizeof(bad.signature); at += 9) {
        bad = good;
        bad.signature[at] ^= 1;
        assert_int_equal(unseal(f, &blob, &bad), ERR_POLICY);
        fault_clear();
    }
    assert_int_equal(unseal(f, &blob, &good), ERR_OK);
}

static void an_approval_of_another_authority_does_not_open(void **state)
{
    struct fixture *f = *state;
    SCOPED_SECRET struct secret *key = NULL;
    SCOPED_SIGNER struct signer *signer = NULL;
    const struct hal_tpm_sealed blob = sealed(f, SPAN_NONE);
    const struct hal_tpm_authority authority = f->authority;
    uint8_t point[SIGN_PUBLIC_BYTES];
    measure(f, image);
    assert_int_equal(sign_key_new(f->random, &key), ERR_OK);
    assert_int_equal(signer_new(key, f->random, &signer), ERR_OK);
    struct signer *const own = f->signer;

    f->signer = signer; /* signed by another key, which is not named */
    struct hal_tpm_approval approval = approved(f, image, f->counter.value);
    assert_int_equal(unseal(f, &blob, &approval), ERR_POLICY);
    signer_public(signer, point); /* and named */
    memcpy(f->authority.key, point + 1, sizeof(f->authority.key));
    assert_int_equal(unseal(f, &blob, &approval), ERR_POLICY);
    f->signer = own;
    f->authority = authority;
    f->authority.reference[0] ^= 1; /* the right key, under another reference */
    approval = approved(f, image, f->counter.value);
    assert_int_equal(unseal(f, &blob, &approval), ERR_POLICY);
}

static void a_pin_is_asked_for_beside_the_approval(void **state)
{
    struct fixture *f = *state;
    const struct hal_tpm_sealed blob = sealed(f, span_lit("4711"));
    const struct hal_tpm_approval approval = approved(f, image, f->counter.value);
    measure(f, image);

    assert_int_equal(unseal_with(f, &blob, &approval, SPAN_NONE), ERR_PIN);
    assert_int_equal(unseal_with(f, &blob, &approval, span_lit("4712")), ERR_PIN);
    assert_int_equal(unseal_with(f, &blob, &approval, span_lit("4711")), ERR_OK);
}

static void an_authority_and_its_approval_go_together(void **state)
{
    struct fixture *f = *state;
    const struct hal_tpm_sealed blob = sealed(f, SPAN_NONE);
    const uint8_t expected[HAL_TPM_DIGEST_BYTES] = {0};
    const struct hal_tpm_policy two = {.pcr_mask = MASK_BOOT | 1, .pcr_value = expected, .authority = &f->authority};
    struct hal_tpm_sealed untouched;

    assert_int_equal(unseal(f, &blob, NULL), ERR_RANGE);
    assert_int_equal(hal_tpm_seal(f->tpm, &f->srk, &two, span_array(secret), &untouched), ERR_RANGE);
}

static void own_tpm(struct fixture *f)
{
    const struct hal_tpm_owner owner = {span_array(owner_auth), span_array(lockout_auth)};

    assert_int_equal(hal_tpm_own(f->tpm, &f->srk, &owner), ERR_OK);
}

static void a_counter_made_again_is_the_same_counter(void **state)
{
    struct fixture *f = *state;
    struct hal_tpm_counter again;
    struct hal_tpm_counter read;
    reboot(f);

    assert_int_equal(hal_tpm_counter_make(f->tpm, &f->srk, SPAN_NONE, &again), ERR_OK);
    assert_int_equal(hal_tpm_counter_read(f->tpm, &f->srk, &read), ERR_OK);

    assert_int_equal(again.value, f->counter.value);
    assert_int_equal(read.value, f->counter.value);
    assert_memory_equal(again.name.bytes, f->counter.name.bytes, HAL_TPM_NAME_BYTES);
    assert_memory_equal(read.name.bytes, f->counter.name.bytes, HAL_TPM_NAME_BYTES);
}

static void only_the_owner_raises_the_counter(void **state)
{
    struct fixture *f = *state;
    struct hal_tpm_counter counter;
    own_tpm(f);

    assert_int_equal(hal_tpm_counter_step(f->tpm, &f->srk, SPAN_NONE, &counter), ERR_AUTH);
    assert_int_equal(hal_tpm_counter_step(f->tpm, &f->srk, span_array(lockout_auth), &counter), ERR_AUTH);
    assert_int_equal(hal_tpm_counter_step(f->tpm, &f->srk, span_array(owner_auth), &counter), ERR_OK);

    assert_int_equal(counter.value, f->counter.value + 1);
}

static void a_counter_is_spoken_to_under_the_pinned_srk_only(void **state)
{
    struct fixture *f = *state;
    struct hal_tpm_name other = f->srk;
    struct hal_tpm_counter counter;
    other.bytes[9] ^= 1;

    assert_int_equal(hal_tpm_counter_make(f->tpm, &other, SPAN_NONE, &counter), ERR_STALE_KEY);
    assert_int_equal(hal_tpm_counter_read(f->tpm, &other, &counter), ERR_STALE_KEY);
    assert_int_equal(hal_tpm_counter_step(f->tpm, &other, SPAN_NONE, &counter), ERR_STALE_KEY);
}


/* --- somebody who has ownerAuth --- */

static struct nv_forger forge(struct fixture *f)
{
    hal_tpm_close(f->tpm);
    f->tpm = NULL;
    return (struct nv_forger){.path = swtpm_path(f->swtpm), .owner_auth = span_array(owner_auth)};
}

static void forged(struct fixture *f)
{
    assert_int_equal(hal_tpm_open(swtpm_tcti(f->swtpm), &tpm_crypto, &f->tpm), ERR_OK);
}

static void attack_18_a_counter_that_is_gone_does_not_open(void **state)
{
    struct fixture *f = *state;
    const struct hal_tpm_sealed blob = sealed(f, SPAN_NONE);
    const struct hal_tpm_approval approval = approved(f, image, f->counter.value);
    struct hal_tpm_counter counter;
    own_tpm(f);
    measure(f, image);
    const struct nv_forger forger = forge(f);
    assert_int_equal(nv_undefine(&forger, HAL_TPM_COUNTER_HANDLE), 0);
    forged(f);

    assert_int_equal(unseal(f, &blob, &approval), ERR_POLICY);
    assert_int_equal(hal_tpm_counter_read(f->tpm, &f->srk, &counter), ERR_NOT_FOUND);
}

/* Each way to put something in its place that says a small number. */
static void attack_18_an_index_in_the_place_of_the_counter_does_not_open(void **state)
{
    static const uint32_t attributes[] = {
        NV_ORDINARY | NV_OWNERWRITE | NV_OWNERREAD | NV_AUTHREAD | NV_NO_DA,
        NV_COUNTER | NV_OWNERWRITE | NV_AUTHWRITE | NV_OWNERREAD | NV_AUTHREAD | NV_NO_DA,
        NV_COUNTER | NV_OWNERWRITE | NV_OWNERREAD | NV_AUTHREAD,
    };
    struct fixture *f = *state;
    const struct hal_tpm_sealed blob = sealed(f, SPAN_NONE);
    const struct hal_tpm_approval approval = approved(f, image, f->counter.value + 1000);
    struct hal_tpm_counter counter;
    own_tpm(f);
    measure(f, image);
    assert_int_equal(unseal(f, &blob, &approval), ERR_OK);

    for (size_t i = 0; i < ARRAY_LENGTH(attributes); i++) {
        const struct nv_forger forger = forge(f);
        assert_int_equal(nv_undefine(&forger, HAL_TPM_COUNTER_HANDLE), 0);
        assert_int_equal(nv_define(&forger, HAL_TPM_COUNTER_HANDLE, attributes[i]), 0);
        assert_int_equal(i == 0 ? nv_write(&forger, HAL_TPM_COUNTER_HANDLE, 0)
                                : nv_increment(&forger, HAL_TPM_COUNTER_HANDLE),
                         0);
        forged(f);

        assert_int_equal(unseal(f, &blob, &approval), ERR_POLICY);
        assert_int_equal(hal_tpm_counter_read(f->tpm, &f->srk, &counter), ERR_CONFLICT);
        assert_int_equal(hal_tpm_counter_step(f->tpm, &f->srk, span_array(owner_auth), &counter), ERR_CONFLICT);
        fault_clear();
    }
}

static void attack_18_a_counter_made_anew_stands_above_the_old_one(void **state)
{
    struct fixture *f = *state;
    const struct hal_tpm_sealed blob = sealed(f, SPAN_NONE);
    const struct hal_tpm_approval approval = approved(f, image, f->counter.value);
    struct hal_tpm_counter counter;
    own_tpm(f);
    measure(f, image);
    const struct nv_forger forger = forge(f);
    assert_int_equal(nv_undefine(&forger, HAL_TPM_COUNTER_HANDLE), 0);
    assert_int_equal(nv_define(&forger, HAL_TPM_COUNTER_HANDLE, NV_OURS), 0);
    forged(f);
    assert_int_equal(hal_tpm_counter_read(f->tpm, &f->srk, &counter), ERR_CONFLICT);
    assert_int_equal(unseal(f, &blob, &approval), ERR_POLICY);
    (void)forge(f);
    assert_int_equal(nv_increment(&forger, HAL_TPM_COUNTER_HANDLE), 0);
    forged(f);

    assert_int_equal(hal_tpm_counter_read(f->tpm, &f->srk, &counter), ERR_OK);

    assert_memory_equal(counter.name.bytes, f->counter.name.bytes, HAL_TPM_NAME_BYTES);
    assert_true(counter.value > f->counter.value);
    assert_int_equal(unseal(f, &blob, &approval), ERR_POLICY);
}

static void what_the_platform_has_put_in_the_place_of_the_counter_stays(void **state)
{
    struct fixture *f = *state;
    struct hal_tpm_counter counter;
    own_tpm(f);
    struct nv_forger forger = forge(f);
    forger.as_platform = true;
    assert_int_equal(nv_undefine(&forger, HAL_TPM_COUNTER_HANDLE), 0);
    assert_int_equal(nv_define(&forger, HAL_TPM_COUNTER_HANDLE, NV_OURS | NV_PPWRITE | NV_PLATFORM), 0);
    forged(f);

    assert_int_equal(hal_tpm_counter_make(f->tpm, &f->srk, span_array(owner_auth), &counter), ERR_CONFLICT);
}

static void what_lies_in_the_place_of_the_counter_gives_way_to_it(void **state)
{
    struct fixture *f = *state;
    struct hal_tpm_counter counter;
    own_tpm(f);
    const struct nv_forger forger = forge(f);
    assert_int_equal(nv_undefine(&forger, HAL_TPM_COUNTER_HANDLE), 0);
    assert_int_equal(nv_define(&forger, HAL_TPM_COUNTER_HANDLE, NV_ORDINARY | NV_OWNERWRITE | NV_AUTHREAD), 0);
    forged(f);

    assert_int_equal(hal_tpm_counter_make(f->tpm, &f->srk, SPAN_NONE, &counter), ERR_AUTH);
    assert_int_equal(hal_tpm_counter_make(f->tpm, &f->srk, span_array(owner_auth), &counter), ERR_OK);

    assert_memory_equal(counter.name.bytes, f->counter.name.bytes, HAL_TPM_NAME_BYTES);
    assert_true(counter.value > f->counter.value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_approved_image_opens_after_a_reboot, setup, teardown),
        cmocka_unit_test_setup_teardown(an_image_approved_after_the_sealing_opens_too, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_17_another_image_does_not_open, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_17_there_is_no_second_unsealing_after_the_cap, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_17_another_boot_state_does_not_open, setup, teardown),
        cmocka_unit_test_setup_teardown(a_secret_can_be_sealed_for_a_boot_state_to_come, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_19_a_counter_above_what_was_approved_does_not_open, setup, teardown),
        cmocka_unit_test_setup_teardown(a_changed_approval_does_not_open, setup, teardown),
        cmocka_unit_test_setup_teardown(an_approval_of_another_authority_does_not_open, setup, teardown),
        cmocka_unit_test_setup_teardown(a_pin_is_asked_for_beside_the_approval, setup, teardown),
        cmocka_unit_test_setup_teardown(an_authority_and_its_approval_go_together, setup, teardown),
        cmocka_unit_test_setup_teardown(a_counter_made_again_is_the_same_counter, setup, teardown),
        cmocka_unit_test_setup_teardown(only_the_owner_raises_the_counter, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_18_a_counter_that_is_gone_does_not_open, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_18_an_index_in_the_place_of_the_counter_does_not_open, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_18_a_counter_made_anew_stands_above_the_old_one, setup, teardown),
        cmocka_unit_test_setup_teardown(what_the_platform_has_put_in_the_place_of_the_counter_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(what_lies_in_the_place_of_the_counter_gives_way_to_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_counter_is_spoken_to_under_the_pinned_srk_only, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
