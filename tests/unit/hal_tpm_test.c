/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The TPM driver against a software TPM. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "crypto/tpm_crypto.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/base/span.h"
#include "hal/sandbox.h"
#include "hal/tpm.h"
#include "tests/lib/leave_out.h"
#include "tests/lib/swtpm.h"

#define PCR_TEST   16
#define MASK_TEST  (UINT32_C(1) << PCR_TEST)
#define POWER_CUTS 10

static const uint8_t secret[32] = "thirty-two bytes, all of them so";
static const struct hal_tpm_policy plain_policy = {.pcr_mask = 0};
static const struct hal_tpm_policy pcr_policy = {.pcr_mask = MASK_TEST};

static struct hal_tpm_policy pin_policy(const char *pin)
{
    return (struct hal_tpm_policy){.pin = span_str(pin)};
}

struct fixture {
    struct swtpm *swtpm;
    struct hal_tpm *tpm;
    struct hal_tpm_name srk;
};

static int setup(void **state)
{
    static struct fixture fixture;

    fault_clear();
    fixture.swtpm = swtpm_new();
    assert_int_equal(hal_tpm_open(swtpm_tcti(fixture.swtpm), &tpm_crypto, &fixture.tpm), ERR_OK);
    assert_int_equal(hal_tpm_srk_make(fixture.tpm, SPAN_NONE, &fixture.srk), ERR_OK);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    hal_tpm_close(f->tpm);
    swtpm_free(f->swtpm);
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

/* The program dies with the power: the driver's last words never reach the TPM. */
static void cut_power(struct fixture *f)
{
    swtpm_cut_power(f->swtpm);
    hal_tpm_close(f->tpm);
    f->tpm = NULL;
    swtpm_power_on(f->swtpm);
    assert_int_equal(hal_tpm_open(swtpm_tcti(f->swtpm), &tpm_crypto, &f->tpm), ERR_OK);
}

static struct hal_tpm_sealed sealed_under(struct fixture *f, const struct hal_tpm_policy *policy)
{
    struct hal_tpm_sealed sealed;

    assert_int_equal(hal_tpm_seal(f->tpm, &f->srk, policy, span_array(secret), &sealed), ERR_OK);
    return sealed;
}

static void a_sealed_secret_comes_out_again(void **state)
{
    struct fixture *f = *state;
    const struct hal_tpm_sealed sealed = sealed_under(f, &plain_policy);
    uint8_t out[32] = {0};

    const enum err got = hal_tpm_unseal(f->tpm, &f->srk, &plain_policy, &sealed, out, sizeof(out));

    assert_int_equal(got, ERR_OK);
    assert_memory_equal(out, secret, sizeof(secret));
}

static void secrets_of_32_to_128_bytes_are_sealed_and_others_refused(void **state)
{
    struct fixture *f = *state;
    uint8_t bytes[HAL_TPM_SECRET_MAX + 1];
    uint8_t out[HAL_TPM_SECRET_MAX];
    struct hal_tpm_sealed sealed;
    memset(bytes, 0xa7, sizeof(bytes));

    assert_int_equal(hal_tpm_seal(f->tpm, &f->srk, &plain_policy, span_of(bytes, HAL_TPM_SECRET_MIN - 1), &sealed),
                     ERR_RANGE);
    assert_int_equal(hal_tpm_seal(f->tpm, &f->srk, &plain_policy, span_of(bytes, HAL_TPM_SECRET_MAX + 1), &sealed),
                     ERR_RANGE);
    assert_int_equal(hal_tpm_seal(f->tpm, &f->srk, &plain_policy, span_of(bytes, HAL_TPM_SECRET_MAX), &sealed), ERR_OK);
    assert_int_equal(hal_tpm_unseal(f->tpm, &f->srk, &plain_policy, &sealed, out, sizeof(out)), ERR_OK);
    assert_memory_equal(out, bytes, sizeof(out));
}

static void unsealing_refuses_another_length_and_leaves_the_output_alone(void **state)
{
    struct fixture *f = *state;
    const struct hal_tpm_sealed sealed = sealed_under(f, &plain_policy);
    uint8_t out[33] = {0};

    const enum err got = hal_tpm_unseal(f->tpm, &f->srk, &plain_policy, &sealed, out, sizeof(out));

    assert_int_equal(got, ERR_MALFORMED);
    for (size_t i = 0; i < sizeof(out); i++) {
        assert_int_equal(out[i], 0);
    }
}

static void a_sealed_secret_comes_out_after_a_reboot(void **state)
{
    struct fixture *f = *state;
    const struct hal_tpm_policy both = {.pcr_mask = MASK_TEST, .pin = span_lit("4711")};
    const struct hal_tpm_policy policies[] = {plain_policy, pcr_policy, pin_policy("4711"), both};

    for (size_t i = 0; i < ARRAY_LENGTH(policies); i++) {
        const struct hal_tpm_sealed sealed = sealed_under(f, &policies[i]);
        uint8_t out[32] = {0};
        reboot(f);

        const enum err got = hal_tpm_unseal(f->tpm, &f->srk, &policies[i], &sealed, out, sizeof(out));

        assert_int_equal(got, ERR_OK);
        assert_memory_equal(out, secret, sizeof(secret));
    }
}

static void attack_17_a_changed_pcr_keeps_the_secret_in(void **state)
{
    struct fixture *f = *state;
    const struct hal_tpm_sealed sealed = sealed_under(f, &pcr_policy);
    const uint8_t other[HAL_TPM_DIGEST_BYTES] = "another image";
    uint8_t out[32] = {0};
    assert_int_equal(hal_tpm_pcr_extend(f->tpm, PCR_TEST, other), ERR_OK);

    const enum err got = hal_tpm_unseal(f->tpm, &f->srk, &pcr_policy, &sealed, out, sizeof(out));
    const enum err without = hal_tpm_unseal(f->tpm, &f->srk, &plain_policy, &sealed, out, sizeof(out));

    assert_int_equal(got, ERR_POLICY);
    assert_int_equal(without, ERR_POLICY);
    assert_int_equal(out[0], 0);
}

static void a_pcr_that_is_not_in_the_policy_may_change(void **state)
{
    struct fixture *f = *state;
    const struct hal_tpm_sealed sealed = sealed_under(f, &pcr_policy);
    const uint8_t other[HAL_TPM_DIGEST_BYTES] = "another image";
    uint8_t out[32] = {0};
    assert_int_equal(hal_tpm_pcr_extend(f->tpm, PCR_TEST - 1, other), ERR_OK);

    const enum err got = hal_tpm_unseal(f->tpm, &f->srk, &pcr_policy, &sealed, out, sizeof(out));

    assert_int_equal(got, ERR_OK);
}

static void attack_19_another_tpm_refuses_the_blob(void **state)
{
    struct fixture *f = *state;
    const struct hal_tpm_sealed sealed = sealed_under(f, &plain_policy);
    struct swtpm *other = swtpm_new();
    struct hal_tpm *tpm = NULL;
    struct hal_tpm_name other_srk;
    uint8_t out[32] = {0};
    assert_int_equal(hal_tpm_open(swtpm_tcti(other), &tpm_crypto, &tpm), ERR_OK);

    const enum err empty = hal_tpm_unseal(tpm, &f->srk, &plain_policy, &sealed, out, sizeof(out));
    assert_int_equal(hal_tpm_srk_make(tpm, SPAN_NONE, &other_srk), ERR_OK);
    const enum err pinned = hal_tpm_unseal(tpm, &f->srk, &plain_policy, &sealed, out, sizeof(out));
    const enum err its_own = hal_tpm_unseal(tpm, &other_srk, &plain_policy, &sealed, out, sizeof(out));

    assert_int_equal(empty, ERR_STALE_KEY);
    assert_int_equal(pinned, ERR_STALE_KEY);
    assert_int_equal(its_own, ERR_AUTH);
    assert_int_equal(out[0], 0);
    hal_tpm_close(tpm);
    swtpm_free(other);
}

static void attack_16_a_substituted_srk_is_refused(void **state)
{
    struct fixture *f = *state;
    const struct hal_tpm_sealed sealed = sealed_under(f, &plain_policy);
    struct hal_tpm_sealed other;
    struct hal_tpm_name wrong = f->srk;
    uint8_t out[32] = {0};
    wrong.bytes[33] ^= 1;

    const enum err unsealing = hal_tpm_unseal(f->tpm, &wrong, &plain_policy, &sealed, out, sizeof(out));
    const enum err sealing = hal_tpm_seal(f->tpm, &wrong, &plain_policy, span_array(secret), &other);

    assert_int_equal(unsealing, ERR_STALE_KEY);
    assert_int_equal(sealing, ERR_STALE_KEY);
}

static void attack_16_a_flipped_bit_anywhere_in_the_blob_is_refused(void **state)
{
    struct fixture *f = *state;
    const struct hal_tpm_sealed sealed = sealed_under(f, &plain_policy);
    uint8_t out[32] = {0};

    for (size_t at = 0; at < sealed.public_bytes + sealed.private_bytes; at += 3) {
        struct hal_tpm_sealed changed = sealed;
        uint8_t *byte =
            at < sealed.public_bytes ? &changed.public_area[at] : &changed.private_area[at - sealed.public_bytes];
        *byte ^= (uint8_t)(1u << (at % 8));

        const enum err got = hal_tpm_unseal(f->tpm, &f->srk, &plain_policy, &changed, out, sizeof(out));

        assert_true(got == ERR_AUTH || got == ERR_MALFORMED || got == ERR_PIN);
        assert_int_equal(out[0], 0);
    }
}

static void a_wrong_or_missing_pin_is_refused(void **state)
{
    struct fixture *f = *state;
    const struct hal_tpm_policy right = pin_policy("4711");
    const struct hal_tpm_policy wrong = pin_policy("4712");
    const struct hal_tpm_sealed sealed = sealed_under(f, &right);
    uint8_t out[32] = {0};

    assert_int_equal(hal_tpm_unseal(f->tpm, &f->srk, &wrong, &sealed, out, sizeof(out)), ERR_PIN);
    assert_int_equal(hal_tpm_unseal(f->tpm, &f->srk, &plain_policy, &sealed, out, sizeof(out)), ERR_PIN);
    assert_int_equal(out[0], 0);
    assert_int_equal(hal_tpm_unseal(f->tpm, &f->srk, &right, &sealed, out, sizeof(out)), ERR_OK);
}

static void a_pin_that_the_tpm_would_shorten_is_refused(void **state)
{
    struct fixture *f = *state;
    const uint8_t zero_at_end[2] = {'1', 0};
    const uint8_t long_pin[HAL_TPM_DIGEST_BYTES + 1] = "123456789012345678901234567890123";
    struct hal_tpm_sealed sealed;
    const struct hal_tpm_policy zero = {.pin = span_array(zero_at_end)};
    const struct hal_tpm_policy too_long = {.pin = span_array(long_pin)};

    assert_int_equal(hal_tpm_seal(f->tpm, &f->srk, &zero, span_array(secret), &sealed), ERR_RANGE);
    assert_int_equal(hal_tpm_seal(f->tpm, &f->srk, &too_long, span_array(secret), &sealed), ERR_RANGE);
}

static const uint8_t owner_auth[32] = "owner-auth-owner-auth-owner-aut1";
static const uint8_t lockout_auth[32] = "lockout-auth-lockout-auth-locko1";
static const struct hal_tpm_owner owner = {{owner_auth, sizeof(owner_auth)}, {lockout_auth, sizeof(lockout_auth)}};

static void taking_ownership_sets_the_lockout_and_may_be_repeated(void **state)
{
    struct fixture *f = *state;
    struct hal_tpm_info info;

    assert_int_equal(hal_tpm_own(f->tpm, &f->srk, &owner), ERR_OK);
    assert_int_equal(hal_tpm_own(f->tpm, &f->srk, &owner), ERR_OK);

    assert_int_equal(hal_tpm_info(f->tpm, &info), ERR_OK);
    assert_true(info.owner_auth_set);
    assert_true(info.lockout_auth_set);
    assert_int_equal(info.lockout_tries, HAL_TPM_DA_TRIES);
    assert_int_equal(info.lockout_recovery_s, HAL_TPM_DA_RECOVERY_S);
}

static void an_owned_tpm_refuses_another_owner(void **state)
{
    struct fixture *f = *state;
    const uint8_t other_auth[32] = "other-auth-other-auth-other-aut1";
    const struct hal_tpm_owner other = {span_array(other_auth), owner.lockout_auth};
    struct hal_tpm_name name;
    assert_int_equal(hal_tpm_own(f->tpm, &f->srk, &owner), ERR_OK);

    assert_int_equal(hal_tpm_own(f->tpm, &f->srk, &other), ERR_AUTH);
    assert_int_equal(hal_tpm_srk_make(f->tpm, SPAN_NONE, &name), ERR_AUTH);
    assert_int_equal(hal_tpm_srk_make(f->tpm, span_array(other_auth), &name), ERR_AUTH);
    assert_int_equal(hal_tpm_srk_make(f->tpm, owner.owner_auth, &name), ERR_OK);
    assert_memory_equal(name.bytes, f->srk.bytes, sizeof(name.bytes));
}

static void attack_18_too_many_wrong_pins_lock_until_the_lockout_is_reset(void **state)
{
    struct fixture *f = *state;
    const struct hal_tpm_policy right = pin_policy("4711");
    const struct hal_tpm_policy wrong = pin_policy("4712");
    const struct hal_tpm_sealed sealed = sealed_under(f, &right);
    const struct hal_tpm_sealed without_pin = sealed_under(f, &plain_policy);
    uint8_t out[32] = {0};
    assert_int_equal(hal_tpm_own(f->tpm, &f->srk, &owner), ERR_OK);

    for (int i = 0; i < HAL_TPM_DA_TRIES; i++) {
        assert_int_equal(hal_tpm_unseal(f->tpm, &f->srk, &wrong, &sealed, out, sizeof(out)), ERR_PIN);
        fault_clear();
    }

    assert_int_equal(hal_tpm_unseal(f->tpm, &f->srk, &wrong, &sealed, out, sizeof(out)), ERR_LOCKED);
    assert_int_equal(hal_tpm_unseal(f->tpm, &f->srk, &right, &sealed, out, sizeof(out)), ERR_LOCKED);
    assert_int_equal(out[0], 0);
    assert_int_equal(hal_tpm_unseal(f->tpm, &f->srk, &plain_policy, &without_pin, out, sizeof(out)), ERR_OK);
    assert_int_equal(hal_tpm_lockout_reset(f->tpm, &f->srk, owner.lockout_auth), ERR_OK);
    assert_int_equal(hal_tpm_unseal(f->tpm, &f->srk, &right, &sealed, out, sizeof(out)), ERR_OK);
}

static void resetting_the_lockout_needs_its_authorisation(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(hal_tpm_own(f->tpm, &f->srk, &owner), ERR_OK);

    assert_int_equal(hal_tpm_lockout_reset(f->tpm, &f->srk, owner.owner_auth), ERR_AUTH);
}

static uint32_t lockout_counter(struct fixture *f)
{
    struct hal_tpm_info info;

    assert_int_equal(hal_tpm_info(f->tpm, &info), ERR_OK);
    return info.lockout_counter;
}

static void attack_18_ten_power_cuts_without_a_pin_do_not_count_as_failures(void **state)
{
    struct fixture *f = *state;
    const struct hal_tpm_sealed sealed = sealed_under(f, &plain_policy);
    uint8_t out[32];

    for (int i = 0; i < POWER_CUTS; i++) {
        memset(out, 0, sizeof(out));
        assert_int_equal(hal_tpm_unseal(f->tpm, &f->srk, &plain_policy, &sealed, out, sizeof(out)), ERR_OK);
        assert_memory_equal(out, secret, sizeof(secret));
        cut_power(f);
    }

    assert_int_equal(lockout_counter(f), 0);
}

/* With the TPM's own default of three tries, ten that count would lock it. */
static void attack_18_ten_power_cuts_after_the_pin_do_not_count_as_failures(void **state)
{
    struct fixture *f = *state;
    const struct hal_tpm_policy policy = pin_policy("4711");
    const struct hal_tpm_sealed sealed = sealed_under(f, &policy);
    const uint8_t digest[HAL_TPM_DIGEST_BYTES] = {1};
    struct hal_tpm_sealed more;
    uint8_t out[32];

    for (int i = 0; i < POWER_CUTS; i++) {
        memset(out, 0, sizeof(out));
        assert_int_equal(hal_tpm_unseal(f->tpm, &f->srk, &policy, &sealed, out, sizeof(out)), ERR_OK);
        assert_memory_equal(out, secret, sizeof(secret));
        /* What a box does after unlocking: seal again, cap a PCR, take random bytes. */
        assert_int_equal(hal_tpm_seal(f->tpm, &f->srk, &policy, span_array(secret), &more), ERR_OK);
        assert_int_equal(hal_tpm_pcr_extend(f->tpm, PCR_TEST, digest), ERR_OK);
        assert_int_equal(hal_tpm_random(f->tpm, out, sizeof(out)), ERR_OK);
        cut_power(f);
    }

    assert_int_equal(lockout_counter(f), 0);
}

static void attack_17_a_tpm_that_goes_away_while_running_is_reported(void **state)
{
    struct fixture *f = *state;
    const struct hal_tpm_sealed sealed = sealed_under(f, &plain_policy);
    uint8_t out[32] = {0};
    swtpm_cut_power(f->swtpm);

    const enum err first = hal_tpm_unseal(f->tpm, &f->srk, &plain_policy, &sealed, out, sizeof(out));
    const enum err second = hal_tpm_random(f->tpm, out, sizeof(out));

    assert_int_equal(first, ERR_NO_DEVICE);
    assert_int_equal(second, ERR_NO_DEVICE);
}

static void no_tpm_at_the_address_is_reported(void **state)
{
    struct fixture *f = *state;
    struct hal_tpm *tpm = NULL;
    swtpm_cut_power(f->swtpm);

    assert_int_equal(hal_tpm_open(swtpm_tcti(f->swtpm), &tpm_crypto, &tpm), ERR_NO_DEVICE);
    assert_null(tpm);
}

static void random_bytes_come_in_any_number_up_to_the_limit(void **state)
{
    struct fixture *f = *state;
    uint8_t bytes[HAL_TPM_RANDOM_MAX] = {0};
    size_t zeros = 0;

    assert_int_equal(hal_tpm_random(f->tpm, bytes, sizeof(bytes)), ERR_OK);

    for (size_t i = 0; i < sizeof(bytes); i++) {
        zeros += bytes[i] == 0 ? 1u : 0u;
    }
    assert_in_range(zeros, 0, 32); /* 4 expected; 32 has a chance of about 1e-17 */
    assert_int_equal(hal_tpm_random(f->tpm, bytes, 0), ERR_RANGE);
    assert_int_equal(hal_tpm_random(f->tpm, bytes, HAL_TPM_RANDOM_MAX + 1), ERR_RANGE);
}

static void a_pcr_can_be_read_and_extended(void **state)
{
    struct fixture *f = *state;
    uint8_t before[HAL_TPM_DIGEST_BYTES];
    uint8_t after[HAL_TPM_DIGEST_BYTES];
    const uint8_t digest[HAL_TPM_DIGEST_BYTES] = {1};

    assert_int_equal(hal_tpm_pcr_read(f->tpm, PCR_TEST, before), ERR_OK);
    assert_int_equal(hal_tpm_pcr_extend(f->tpm, PCR_TEST, digest), ERR_OK);
    assert_int_equal(hal_tpm_pcr_read(f->tpm, PCR_TEST, after), ERR_OK);

    assert_memory_not_equal(before, after, sizeof(after));
    assert_int_equal(hal_tpm_pcr_read(f->tpm, HAL_TPM_PCR_COUNT, after), ERR_RANGE);
    assert_int_equal(hal_tpm_pcr_extend(f->tpm, HAL_TPM_PCR_COUNT, digest), ERR_RANGE);
}

static void the_self_test_passes_and_the_tpm_names_itself(void **state)
{
    struct fixture *f = *state;
    struct hal_tpm_info info;

    assert_int_equal(hal_tpm_self_test(f->tpm), ERR_OK);
    assert_int_equal(hal_tpm_info(f->tpm, &info), ERR_OK);

    assert_string_equal(info.manufacturer, "IBM ");
    assert_false(info.in_lockout);
}

static void the_srk_is_the_same_each_time(void **state)
{
    struct fixture *f = *state;
    struct hal_tpm_name again;
    struct hal_tpm_name lying;

    assert_int_equal(hal_tpm_srk_make(f->tpm, SPAN_NONE, &again), ERR_OK);
    assert_int_equal(hal_tpm_srk_name(f->tpm, &lying), ERR_OK);

    assert_memory_equal(again.bytes, f->srk.bytes, sizeof(again.bytes));
    assert_memory_equal(lying.bytes, f->srk.bytes, sizeof(lying.bytes));
}

/* Is the pattern, each byte flipped, in the writable memory of this process outside of its own copy? */
static size_t copies_in_memory(const uint8_t flipped[32])
{
    static uint8_t block[1 << 16];
    FILE *maps = fopen("/proc/self/maps", "re");
    const int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    char line[512];
    size_t found = 0;

    assert_non_null(maps);
    assert_true(memory >= 0);
    while (fgets(line, sizeof(line), maps) != NULL) {
        unsigned long from = 0;
        unsigned long to = 0;
        if (sscanf(line, "%lx-%lx rw", &from, &to) != 2 ||
            (strstr(line, "[heap]") == NULL && strstr(line, "[stack]") == NULL)) {
            continue;
        }
        for (unsigned long at = from; at < to; at += sizeof(block) - 32) {
            const ssize_t got = pread(memory, block, sizeof(block), (off_t)at);
            for (ssize_t i = 0; i + 32 <= got && at + (unsigned long)i + 32 <= to; i++) {
                size_t same = 0;
                while (same < 16 && (block[i + (ssize_t)same] ^ flipped[same]) == 0xff) {
                    same++;
                }
                found += same == 16 ? 1u : 0u;
            }
        }
    }
    (void)close(memory);
    (void)fclose(maps);
    return found;
}

static void nothing_of_a_secret_stays_in_memory_after_sealing_and_unsealing(void **state)
{
    struct fixture *f = *state;
    uint8_t flipped[32];
    uint8_t clear[32];
    struct hal_tpm_sealed sealed;
    const char *preloaded = getenv("LD_PRELOAD");
    if (preloaded != NULL && strstr(preloaded, "vgpreload") != NULL) {
        leave_out("valgrind's heap and stack are others than the kernel knows");
    }
    sandbox_wipe_freed_memory();
    assert_int_equal(hal_tpm_random(f->tpm, flipped, sizeof(flipped)), ERR_OK);
    for (size_t i = 0; i < sizeof(clear); i++) {
        clear[i] = (uint8_t)(flipped[i] ^ 0xff);
    }
    assert_int_equal(copies_in_memory(flipped), 1); /* the search finds what is there */
    assert_int_equal(hal_tpm_seal(f->tpm, &f->srk, &plain_policy, span_array(clear), &sealed), ERR_OK);
    mem_wipe(clear, sizeof(clear));
    assert_int_equal(copies_in_memory(flipped), 0);

    assert_int_equal(hal_tpm_unseal(f->tpm, &f->srk, &plain_policy, &sealed, clear, sizeof(clear)), ERR_OK);
    mem_wipe(clear, sizeof(clear));

    assert_int_equal(copies_in_memory(flipped), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_sealed_secret_comes_out_again),
        TEST(secrets_of_32_to_128_bytes_are_sealed_and_others_refused),
        TEST(unsealing_refuses_another_length_and_leaves_the_output_alone),
        TEST(a_sealed_secret_comes_out_after_a_reboot),
        TEST(attack_17_a_changed_pcr_keeps_the_secret_in),
        TEST(a_pcr_that_is_not_in_the_policy_may_change),
        TEST(attack_19_another_tpm_refuses_the_blob),
        TEST(attack_16_a_substituted_srk_is_refused),
        TEST(attack_16_a_flipped_bit_anywhere_in_the_blob_is_refused),
        TEST(a_wrong_or_missing_pin_is_refused),
        TEST(a_pin_that_the_tpm_would_shorten_is_refused),
        TEST(taking_ownership_sets_the_lockout_and_may_be_repeated),
        TEST(an_owned_tpm_refuses_another_owner),
        TEST(attack_18_too_many_wrong_pins_lock_until_the_lockout_is_reset),
        TEST(resetting_the_lockout_needs_its_authorisation),
        TEST(attack_18_ten_power_cuts_without_a_pin_do_not_count_as_failures),
        TEST(attack_18_ten_power_cuts_after_the_pin_do_not_count_as_failures),
        TEST(attack_17_a_tpm_that_goes_away_while_running_is_reported),
        TEST(no_tpm_at_the_address_is_reported),
        TEST(random_bytes_come_in_any_number_up_to_the_limit),
        TEST(a_pcr_can_be_read_and_extended),
        TEST(the_self_test_passes_and_the_tpm_names_itself),
        TEST(the_srk_is_the_same_each_time),
        TEST(nothing_of_a_secret_stays_in_memory_after_sealing_and_unsealing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
