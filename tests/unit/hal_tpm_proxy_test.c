/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Somebody on the TPM's bus who listens, changes replies and pulls the wire. hal_tpm_plain_test.c is the same listener
 * with parameter encryption switched off, to show that he would find a secret if there were one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/tpm_crypto.h"
#include "hal/base/fault.h"
#include "hal/base/span.h"
#include "hal/linux/tpm_int.h"
#include "hal/tpm.h"
#include "tests/lib/swtpm.h"
#include "tests/lib/tpm_proxy.h"

#define PCR_MASK     UINT32_C(0x10000)
#define HEADER_BYTES 10

#define PATIENT_MS 60000 /* a loaded machine */
#define BRIEF_MS   1000  /* where the rest of an answer never comes */

static uint32_t timeout_ms = PATIENT_MS;

/* As in the product, but for the time. */
struct tpm_wire tpm_wire(void)
{
    return (struct tpm_wire){.encrypt = true, .timeout_ms = timeout_ms};
}

static const uint8_t secret[32] = "thirty-two bytes, all of them so";
static const uint8_t owner_auth[32] = "owner-auth-owner-auth-owner-aut1";
static const uint8_t lockout_auth[32] = "lockout-auth-lockout-auth-locko1";
static const uint8_t pin[32] = "pin-pin-pin-pin-pin-pin-pin-pin1";

struct fixture {
    struct swtpm *swtpm;
    struct tpm_proxy *proxy;
    struct hal_tpm *tpm;
    struct hal_tpm_name srk;
};

static int setup(void **state)
{
    static struct fixture fixture;

    fault_clear();
    fixture.swtpm = swtpm_new();
    fixture.proxy = tpm_proxy_new(swtpm_path(fixture.swtpm));
    assert_int_equal(hal_tpm_open(tpm_proxy_tcti(fixture.proxy), &tpm_crypto, &fixture.tpm), ERR_OK);
    assert_int_equal(hal_tpm_srk_make(fixture.tpm, SPAN_NONE, &fixture.srk), ERR_OK);
    *state = &fixture;
    return 0;
}

/* A reply may look longer for the change. */
static void change_reply(struct fixture *f, uint32_t code, size_t at)
{
    timeout_ms = BRIEF_MS;
    tpm_proxy_change_reply(f->proxy, code, at, 0x01);
}

static void change_nothing(struct fixture *f)
{
    timeout_ms = PATIENT_MS;
    tpm_proxy_change_reply(f->proxy, 0, 0, 0);
    fault_clear();
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    change_nothing(f);
    tpm_proxy_cut_at(f->proxy, 0);
    hal_tpm_close(f->tpm);
    tpm_proxy_free(f->proxy);
    swtpm_free(f->swtpm);
    return 0;
}

static void reopen(struct fixture *f)
{
    hal_tpm_close(f->tpm);
    f->tpm = NULL;
    assert_int_equal(hal_tpm_open(tpm_proxy_tcti(f->proxy), &tpm_crypto, &f->tpm), ERR_OK);
}

static void attack_16_no_secret_crosses_the_bus_in_clear(void **state)
{
    struct fixture *f = *state;
    const struct hal_tpm_owner owner = {span_array(owner_auth), span_array(lockout_auth)};
    const struct hal_tpm_policy policy = {.pcr_mask = PCR_MASK, .pin = span_array(pin)};
    struct hal_tpm_sealed sealed;
    uint8_t out[32] = {0};
    uint8_t in_clear[32];

    assert_int_equal(hal_tpm_own(f->tpm, &f->srk, &owner), ERR_OK);
    assert_int_equal(hal_tpm_seal(f->tpm, &f->srk, &policy, span_array(secret), &sealed), ERR_OK);
    /* The answer was encrypted, too: what is secret in no way, but shows it. TPM2_Load then sends it as it is. */
    const struct span blob = span_of(sealed.private_area + 2, sealed.private_bytes - 2);
    assert_false(tpm_proxy_saw(f->proxy, blob));
    assert_int_equal(hal_tpm_unseal(f->tpm, &f->srk, &policy, &sealed, out, sizeof(out)), ERR_OK);
    assert_true(tpm_proxy_saw(f->proxy, blob));
    assert_int_equal(hal_tpm_lockout_reset(f->tpm, &f->srk, owner.lockout_auth), ERR_OK);
    assert_int_equal(hal_tpm_random(f->tpm, in_clear, sizeof(in_clear)), ERR_OK);

    assert_memory_equal(out, secret, sizeof(secret));
    assert_true(tpm_proxy_saw(f->proxy, span_array(in_clear))); /* the recorder records */
    assert_false(tpm_proxy_saw(f->proxy, span_of(secret, 8)));
    assert_false(tpm_proxy_saw(f->proxy, span_of(pin, 8)));
    assert_false(tpm_proxy_saw(f->proxy, span_of(owner_auth, 8)));
    assert_false(tpm_proxy_saw(f->proxy, span_of(lockout_auth, 8)));
}

/* Encrypted under a session without a salt it would look as good and be open to everybody: the SRK has no secret of its own
 * that would enter the session's key. Spec: TPM 2.0 Part 1, 19.6.8 (session key). */
static void attack_16_every_session_is_salted_with_the_srk(void **state)
{
    struct fixture *f = *state;
    const uint8_t unsalted[8] = {0, 0, 1, 0x76, 0x40, 0, 0, 7}; /* TPM2_StartAuthSession, TPM_RH_NULL */
    const uint8_t salted[8] = {0, 0, 1, 0x76, 0x81, 0, 0, 1};
    const struct hal_tpm_owner owner = {span_array(owner_auth), span_array(lockout_auth)};
    const struct hal_tpm_policy policy = {.pcr_mask = PCR_MASK, .pin = span_array(pin)};
    struct hal_tpm_sealed sealed;
    uint8_t out[32] = {0};
    assert_true(tpm_proxy_saw(f->proxy, span_array(unsalted))); /* of srk_make, before there is an SRK */
    hal_tpm_close(f->tpm);
    tpm_proxy_free(f->proxy);
    f->proxy = tpm_proxy_new(swtpm_path(f->swtpm));
    assert_int_equal(hal_tpm_open(tpm_proxy_tcti(f->proxy), &tpm_crypto, &f->tpm), ERR_OK);

    assert_int_equal(hal_tpm_own(f->tpm, &f->srk, &owner), ERR_OK);
    assert_int_equal(hal_tpm_seal(f->tpm, &f->srk, &policy, span_array(secret), &sealed), ERR_OK);
    assert_int_equal(hal_tpm_unseal(f->tpm, &f->srk, &policy, &sealed, out, sizeof(out)), ERR_OK);
    assert_int_equal(hal_tpm_lockout_reset(f->tpm, &f->srk, owner.lockout_auth), ERR_OK);

    assert_true(tpm_proxy_saw(f->proxy, span_array(salted)));
    assert_false(tpm_proxy_saw(f->proxy, span_array(unsalted)));
}

/* Every byte of the reply to `code` changed in turn, while unsealing. */
static void change_each_byte_while_unsealing(struct fixture *f, uint32_t code, size_t step)
{
    const struct hal_tpm_policy policy = {.pcr_mask = PCR_MASK};
    struct hal_tpm_sealed sealed;
    uint8_t out[32] = {0};
    assert_int_equal(hal_tpm_seal(f->tpm, &f->srk, &policy, span_array(secret), &sealed), ERR_OK);
    assert_int_equal(hal_tpm_unseal(f->tpm, &f->srk, &policy, &sealed, out, sizeof(out)), ERR_OK);
    const size_t bytes = tpm_proxy_reply_bytes(f->proxy, code);
    assert_true(bytes > 10);

    for (size_t at = 0; at < bytes; at += step) {
        memset(out, 0, sizeof(out));
        change_reply(f, code, at);

        const enum err got = hal_tpm_unseal(f->tpm, &f->srk, &policy, &sealed, out, sizeof(out));

        assert_int_not_equal(got, ERR_OK);
        for (size_t i = 0; i < sizeof(out); i++) {
            assert_int_equal(out[i], 0);
        }
        change_nothing(f);
        reopen(f);
    }
}

static void attack_16_a_changed_reply_to_unseal_is_refused(void **state)
{
    change_each_byte_while_unsealing(*state, TPM_PROXY_CC_UNSEAL, 1);
}

static void attack_16_a_changed_reply_to_load_is_refused(void **state)
{
    change_each_byte_while_unsealing(*state, TPM_PROXY_CC_LOAD, 3);
}

static void attack_16_a_changed_reply_to_start_session_is_refused(void **state)
{
    change_each_byte_while_unsealing(*state, TPM_PROXY_CC_START_SESSION, 3);
}

static void change_each_byte_while_sealing(struct fixture *f, uint32_t code, size_t step)
{
    const struct hal_tpm_policy policy = {.pcr_mask = PCR_MASK};
    struct hal_tpm_sealed sealed;
    assert_int_equal(hal_tpm_seal(f->tpm, &f->srk, &policy, span_array(secret), &sealed), ERR_OK);
    const size_t bytes = tpm_proxy_reply_bytes(f->proxy, code);
    assert_true(bytes > 10);

    for (size_t at = 0; at < bytes; at += step) {
        change_reply(f, code, at);

        const enum err got = hal_tpm_seal(f->tpm, &f->srk, &policy, span_array(secret), &sealed);

        assert_int_not_equal(got, ERR_OK);
        change_nothing(f);
        reopen(f);
    }
}

/* A digest or a PCR value slipped in here would seal the secret under somebody else's policy. */
static void attack_16_a_changed_policy_digest_is_refused(void **state)
{
    change_each_byte_while_sealing(*state, TPM_PROXY_CC_HASH, 2);
    change_each_byte_while_sealing(*state, TPM_PROXY_CC_PCR_READ, 3);
}

static void attack_16_a_changed_reply_to_create_is_refused(void **state)
{
    change_each_byte_while_sealing(*state, TPM_PROXY_CC_CREATE, 5);
}

/* A public key put in the SRK's place must be noticed before anything is encrypted to it. */
static void attack_16_an_srk_changed_on_the_bus_salts_no_session(void **state)
{
    struct fixture *f = *state;
    const struct hal_tpm_policy policy = {.pcr_mask = 0};
    struct hal_tpm_sealed sealed;
    struct hal_tpm_name name;
    assert_int_equal(hal_tpm_srk_name(f->tpm, &name), ERR_OK);
    const size_t bytes = tpm_proxy_reply_bytes(f->proxy, TPM_PROXY_CC_READ_PUBLIC);

    /* The public area lies between its length and the two names; what counts is the name we work out from it. */
    for (size_t at = HEADER_BYTES + 2; at < bytes - 2 * (HAL_TPM_NAME_BYTES + 2); at++) {
        const size_t sessions = tpm_proxy_commands(f->proxy, TPM_PROXY_CC_START_SESSION);
        tpm_proxy_change_reply(f->proxy, TPM_PROXY_CC_READ_PUBLIC, at, 0x01);

        const enum err got = hal_tpm_seal(f->tpm, &f->srk, &policy, span_array(secret), &sealed);

        assert_true(got == ERR_STALE_KEY || got == ERR_DEVICE); /* ERR_DEVICE: no longer a public area at all */
        assert_int_equal(tpm_proxy_commands(f->proxy, TPM_PROXY_CC_START_SESSION), sessions);
        change_nothing(f);
    }
}

static void closing_shuts_the_tpm_down_in_order(void **state)
{
    struct fixture *f = *state;
    const uint8_t shutdown_clear[6] = {0, 0, 1, 0x45, 0, 0};
    assert_int_equal(tpm_proxy_commands(f->proxy, TPM_PROXY_CC_SHUTDOWN), 0);

    hal_tpm_close(f->tpm);

    f->tpm = NULL;
    assert_int_equal(tpm_proxy_commands(f->proxy, TPM_PROXY_CC_SHUTDOWN), 1);
    assert_true(tpm_proxy_saw(f->proxy, span_array(shutdown_clear)));
}

static void a_call_cut_short_leaves_nothing_that_fills_the_tpm(void **state)
{
    struct fixture *f = *state;
    const struct hal_tpm_policy policy = {.pcr_mask = 0};
    struct hal_tpm_sealed sealed;
    uint8_t out[32] = {0};
    assert_int_equal(hal_tpm_seal(f->tpm, &f->srk, &policy, span_array(secret), &sealed), ERR_OK);

    /* Each time two sessions and an object stay behind; there is room for three. */
    for (int i = 0; i < 4; i++) {
        tpm_proxy_cut_at(f->proxy, TPM_PROXY_CC_UNSEAL);
        assert_int_equal(hal_tpm_unseal(f->tpm, &f->srk, &policy, &sealed, out, sizeof(out)), ERR_NO_DEVICE);
        tpm_proxy_cut_at(f->proxy, 0);
        fault_clear();
        reopen(f);
    }

    assert_int_equal(hal_tpm_unseal(f->tpm, &f->srk, &policy, &sealed, out, sizeof(out)), ERR_OK);
}

static void attack_17_a_tpm_that_hangs_is_given_up_in_time(void **state)
{
    struct fixture *f = *state;
    uint8_t out[32] = {0};
    swtpm_pause(f->swtpm);
    timeout_ms = BRIEF_MS;

    const enum err first = hal_tpm_random(f->tpm, out, sizeof(out));
    const enum err second = hal_tpm_random(f->tpm, out, sizeof(out));

    assert_int_equal(first, ERR_TIMEOUT);
    assert_int_equal(second, ERR_NO_DEVICE);
    timeout_ms = PATIENT_MS;
    swtpm_resume(f->swtpm); /* what it answers now must be taken for nothing */
    fault_clear();
    assert_int_equal(hal_tpm_random(f->tpm, out, sizeof(out)), ERR_NO_DEVICE);
    reopen(f);
    assert_int_equal(hal_tpm_random(f->tpm, out, sizeof(out)), ERR_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(attack_16_no_secret_crosses_the_bus_in_clear),
        TEST(attack_16_every_session_is_salted_with_the_srk),
        TEST(attack_16_a_changed_reply_to_unseal_is_refused),
        TEST(attack_16_a_changed_reply_to_load_is_refused),
        TEST(attack_16_a_changed_reply_to_start_session_is_refused),
        TEST(attack_16_a_changed_policy_digest_is_refused),
        TEST(attack_16_a_changed_reply_to_create_is_refused),
        TEST(attack_16_an_srk_changed_on_the_bus_salts_no_session),
        TEST(closing_shuts_the_tpm_down_in_order),
        TEST(a_call_cut_short_leaves_nothing_that_fills_the_tpm),
        TEST(attack_17_a_tpm_that_hangs_is_given_up_in_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
