/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The devices in memory must decide as the real ones do: one story is told to the TPM in memory and to swtpm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <poll.h>

#include "crypto/tpm_crypto.h"
#include "hal/base/fault.h"
#include "hal/entropy.h"
#include "hal/sim/sim_clock.h"
#include "hal/sim/sim_devices.h"
#include "hal/sim/sim_entropy.h"
#include "hal/sim/sim_tpm.h"
#include "tests/lib/swtpm.h"

static const uint8_t secret[32] = "thirty-two bytes, all of them so";
static const uint8_t owner_auth[32] = "owner-auth-owner-auth-owner-aut1";
static const uint8_t lockout_auth[32] = "lockout-auth-lockout-auth-locko1";

/* Each step's answer, in order; the two kinds of TPM must agree on all. */
static size_t story(struct hal_tpm *tpm, enum err *out_answers)
{
    const struct hal_tpm_policy none = {.pcr_mask = 0};
    const struct hal_tpm_policy pcr = {.pcr_mask = 0x10000};
    const struct hal_tpm_policy pin = {.pin = span_lit("4711")};
    const struct hal_tpm_policy wrong_pin = {.pin = span_lit("4712")};
    const struct hal_tpm_policy bad_mask = {.pcr_mask = 0x1000000};
    const struct hal_tpm_owner owner = {span_array(owner_auth), span_array(lockout_auth)};
    const struct hal_tpm_owner other_owner = {span_array(lockout_auth), span_array(lockout_auth)};
    const struct hal_tpm_owner bad_owner = {span_lit("short"), span_array(lockout_auth)};
    const uint8_t digest[HAL_TPM_DIGEST_BYTES] = {1};
    struct hal_tpm_name srk = {{0}};
    struct hal_tpm_sealed plain;
    struct hal_tpm_sealed with_pcr;
    struct hal_tpm_sealed with_pin;
    struct hal_tpm_sealed broken;
    uint8_t out[32];
    size_t n = 0;

    out_answers[n++] = hal_tpm_srk_name(tpm, &srk);
    out_answers[n++] = hal_tpm_seal(tpm, &srk, &none, span_array(secret), &plain);
    out_answers[n++] = hal_tpm_srk_make(tpm, SPAN_NONE, &srk);
    out_answers[n++] = hal_tpm_own(tpm, &srk, &bad_owner);
    out_answers[n++] = hal_tpm_own(tpm, &srk, &owner);
    out_answers[n++] = hal_tpm_own(tpm, &srk, &owner);
    out_answers[n++] = hal_tpm_own(tpm, &srk, &other_owner);
    out_answers[n++] = hal_tpm_srk_make(tpm, SPAN_NONE, &srk);
    out_answers[n++] = hal_tpm_seal(tpm, &srk, &none, span_array(secret), &plain);
    out_answers[n++] = hal_tpm_seal(tpm, &srk, &pcr, span_array(secret), &with_pcr);
    out_answers[n++] = hal_tpm_seal(tpm, &srk, &pin, span_array(secret), &with_pin);
    out_answers[n++] = hal_tpm_seal(tpm, &srk, &bad_mask, span_array(secret), &broken);
    out_answers[n++] = hal_tpm_seal(tpm, &srk, &none, span_of(secret, 31), &broken);
    out_answers[n++] = hal_tpm_unseal(tpm, &srk, &none, &plain, out, sizeof(out));
    out_answers[n++] = hal_tpm_unseal(tpm, &srk, &pcr, &with_pcr, out, sizeof(out));
    out_answers[n++] = hal_tpm_unseal(tpm, &srk, &none, &with_pcr, out, sizeof(out));
    out_answers[n++] = hal_tpm_unseal(tpm, &srk, &none, &with_pin, out, sizeof(out));
    out_answers[n++] = hal_tpm_unseal(tpm, &srk, &wrong_pin, &with_pin, out, sizeof(out));
    out_answers[n++] = hal_tpm_unseal(tpm, &srk, &pin, &with_pin, out, sizeof(out));
    out_answers[n++] = hal_tpm_unseal(tpm, &srk, &pin, &plain, out, sizeof(out));
    out_answers[n++] = hal_tpm_unseal(tpm, &srk, &none, &plain, out, 31);
    out_answers[n++] = hal_tpm_pcr_extend(tpm, 16, digest);
    out_answers[n++] = hal_tpm_pcr_extend(tpm, 24, digest);
    out_answers[n++] = hal_tpm_unseal(tpm, &srk, &pcr, &with_pcr, out, sizeof(out));
    broken = plain;
    broken.private_area[10] ^= 1;
    out_answers[n++] = hal_tpm_unseal(tpm, &srk, &none, &broken, out, sizeof(out));
    out_answers[n++] = hal_tpm_lockout_reset(tpm, &srk, span_array(lockout_auth));
    for (int i = 0; i < HAL_TPM_DA_TRIES + 1; i++) {
        out_answers[n++] = hal_tpm_unseal(tpm, &srk, &wrong_pin, &with_pin, out, sizeof(out));
        fault_clear();
    }
    out_answers[n++] = hal_tpm_unseal(tpm, &srk, &pin, &with_pin, out, sizeof(out));
    out_answers[n++] = hal_tpm_lockout_reset(tpm, &srk, span_array(lockout_auth));
    out_answers[n++] = hal_tpm_unseal(tpm, &srk, &pin, &with_pin, out, sizeof(out));
    return n;
}

static void the_tpm_in_memory_answers_as_a_software_tpm_does(void **state)
{
    enum err simulated[128];
    enum err real[128];
    struct sim_tpm *sim = NULL;
    struct swtpm *swtpm = swtpm_new();
    struct hal_tpm *tpm = NULL;
    assert_int_equal(sim_tpm_new(7, &sim), ERR_OK);
    assert_int_equal(hal_tpm_open(swtpm_tcti(swtpm), &tpm_crypto, &tpm), ERR_OK);

    const size_t count = story(sim_tpm_hal(sim), simulated);
    assert_int_equal(story(tpm, real), count);

    for (size_t i = 0; i < count; i++) {
        if (simulated[i] != real[i]) {
            print_message("step %zu: sim %s, real %s\n", i, err_name(simulated[i]), err_name(real[i]));
        }
        assert_int_equal(simulated[i], real[i]);
    }
    hal_tpm_close(tpm);
    swtpm_free(swtpm);
    sim_tpm_free(sim);
}

static void a_scripted_fault_hits_the_call_it_names(void **state)
{
    struct sim_tpm *sim = NULL;
    uint8_t out[4];
    assert_int_equal(sim_tpm_new(7, &sim), ERR_OK);
    sim_tpm_fail_at(sim, 2, ERR_TIMEOUT);

    assert_int_equal(hal_tpm_random(sim_tpm_hal(sim), out, sizeof(out)), ERR_OK);
    assert_int_equal(hal_tpm_random(sim_tpm_hal(sim), out, sizeof(out)), ERR_TIMEOUT);
    assert_int_equal(hal_tpm_random(sim_tpm_hal(sim), out, sizeof(out)), ERR_OK);
    sim_tpm_fail_always(sim, ERR_NO_DEVICE);
    assert_int_equal(hal_tpm_random(sim_tpm_hal(sim), out, sizeof(out)), ERR_NO_DEVICE);
    assert_int_equal(hal_tpm_self_test(sim_tpm_hal(sim)), ERR_NO_DEVICE);
    assert_int_equal(sim_tpm_calls(sim), 5);
    sim_tpm_free(sim);
}

static void clearing_or_substituting_makes_the_pinned_srk_stale(void **state)
{
    const struct hal_tpm_policy none = {.pcr_mask = 0};
    struct sim_tpm *sim = NULL;
    struct hal_tpm_name srk;
    struct hal_tpm_sealed sealed;
    uint8_t out[32];
    assert_int_equal(sim_tpm_new(7, &sim), ERR_OK);
    struct hal_tpm *tpm = sim_tpm_hal(sim);
    assert_int_equal(hal_tpm_srk_make(tpm, SPAN_NONE, &srk), ERR_OK);
    assert_int_equal(hal_tpm_seal(tpm, &srk, &none, span_array(secret), &sealed), ERR_OK);

    sim_tpm_substitute_srk(sim);
    assert_int_equal(hal_tpm_unseal(tpm, &srk, &none, &sealed, out, sizeof(out)), ERR_STALE_KEY);
    sim_tpm_clear(sim);
    assert_int_equal(hal_tpm_unseal(tpm, &srk, &none, &sealed, out, sizeof(out)), ERR_STALE_KEY);
    sim_tpm_free(sim);
}

static void the_clock_in_memory_moves_only_when_told(void **state)
{
    struct sim_clock clock;
    sim_clock_init(&clock);
    const struct mono_time mono = hal_clock_mono(&clock.base);
    const struct wall_time wall = hal_clock_wall(&clock.base);

    sim_clock_advance_ms(&clock, 1500);

    assert_int_equal(mono_ms_between(mono, hal_clock_mono(&clock.base)), 1500);
    assert_int_equal(hal_clock_wall(&clock.base).ms - wall.ms, 1500);
    sim_clock_set_wall(&clock, (struct wall_time){5});
    assert_int_equal(hal_clock_wall(&clock.base).ms, 5);
    assert_int_equal(mono_ms_between(mono, hal_clock_mono(&clock.base)), 1500);
}

static void the_entropy_gate_waits_for_kernel_and_tpm(void **state)
{
    struct sim_entropy entropy;
    struct sim_tpm *sim = NULL;
    sim_entropy_init(&entropy, 3);
    assert_int_equal(sim_tpm_new(7, &sim), ERR_OK);
    struct hal_tpm *tpm = sim_tpm_hal(sim);

    assert_int_equal(hal_entropy_gate(&entropy.base, tpm, 100), ERR_OK);
    entropy.ready = ERR_TIMEOUT;
    assert_int_equal(hal_entropy_gate(&entropy.base, tpm, 100), ERR_TIMEOUT);
    entropy.ready = ERR_OK;
    sim_tpm_fail_at(sim, 2, ERR_NO_DEVICE);
    assert_int_equal(hal_entropy_gate(&entropy.base, tpm, 100), ERR_NO_DEVICE);
    sim_tpm_free(sim);
}

static enum err stuck_random(struct hal_tpm *tpm UNUSED, uint8_t *out_bytes, size_t len)
{
    memset(out_bytes, 0x42, len);
    return ERR_OK;
}

static void the_entropy_gate_refuses_a_tpm_that_repeats_itself(void **state)
{
    const struct hal_tpm_ops stuck_ops = {.random = stuck_random};
    struct hal_tpm stuck = {&stuck_ops};

    assert_int_equal(hal_entropy_gate(hal_entropy_kernel(), &stuck, 1000), ERR_DEVICE);
}

static void the_small_devices_remember_what_they_were_told(void **state)
{
    struct sim_status status;
    struct sim_watchdog watchdog;
    struct sim_vmgenid vmgenid;
    uint8_t id[HAL_VMGENID_BYTES];
    sim_status_init(&status);
    sim_watchdog_init(&watchdog);
    sim_vmgenid_init(&vmgenid);

    hal_status_light(&status.base, HAL_LIGHT_LOCKED);
    hal_status_sound(&status.base, HAL_SOUND_ALARM);
    assert_int_equal(hal_watchdog_feed(&watchdog.base), ERR_OK);
    hal_watchdog_close(&watchdog.base);
    vmgenid.id[3] = 9;

    assert_int_equal(status.light, HAL_LIGHT_LOCKED);
    assert_int_equal(status.sounds[HAL_SOUND_ALARM], 1);
    assert_int_equal(watchdog.fed, 1);
    assert_int_equal(watchdog.closed, 1);
    assert_int_equal(hal_vmgenid_read(&vmgenid.base, id), ERR_OK);
    assert_int_equal(id[3], 9);
}

static void tamper_events_in_memory_come_in_order_and_wake_a_poll(void **state)
{
    struct sim_tamper tamper;
    enum hal_tamper_event event = HAL_TAMPER_BUTTON;
    assert_int_equal(sim_tamper_init(&tamper), ERR_OK);
    struct pollfd wait = {.fd = hal_tamper_fd(&tamper.base), .events = POLLIN};

    assert_int_equal(hal_tamper_next(&tamper.base, &event), ERR_AGAIN);
    assert_int_equal(poll(&wait, 1, 0), 0);
    assert_int_equal(sim_tamper_happen(&tamper, HAL_TAMPER_OPENED), ERR_OK);
    assert_int_equal(sim_tamper_happen(&tamper, HAL_TAMPER_BUTTON), ERR_OK);
    assert_int_equal(poll(&wait, 1, 0), 1);
    assert_int_equal(hal_tamper_next(&tamper.base, &event), ERR_OK);
    assert_int_equal(event, HAL_TAMPER_OPENED);
    assert_int_equal(hal_tamper_next(&tamper.base, &event), ERR_OK);
    assert_int_equal(event, HAL_TAMPER_BUTTON);
    assert_int_equal(poll(&wait, 1, 0), 0);
    hal_tamper_close(&tamper.base);
}

static void the_tpm_in_memory_says_that_it_has_no_authority_and_no_counter(void **state)
{
    struct sim_tpm *tpm = NULL;
    const uint8_t bytes[HAL_TPM_SECRET_MIN] = {0};
    const struct hal_tpm_authority authority = {{0}, {0}};
    const struct hal_tpm_policy policy = {.authority = &authority};
    struct hal_tpm_sealed blob;
    struct hal_tpm_counter counter;
    struct hal_tpm_name srk;
    (void)state;
    assert_int_equal(sim_tpm_new(1, &tpm), ERR_OK);
    struct hal_tpm *const hal = sim_tpm_hal(tpm);
    assert_int_equal(hal_tpm_srk_make(hal, SPAN_NONE, &srk), ERR_OK);

    assert_int_equal(hal_tpm_seal(hal, &srk, &policy, span_array(bytes), &blob), ERR_UNSUPPORTED);
    assert_int_equal(hal_tpm_counter_make(hal, &srk, SPAN_NONE, &counter), ERR_UNSUPPORTED);
    assert_int_equal(hal_tpm_counter_read(hal, &srk, &counter), ERR_UNSUPPORTED);
    assert_int_equal(hal_tpm_counter_step(hal, &srk, SPAN_NONE, &counter), ERR_UNSUPPORTED);

    sim_tpm_free(tpm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tpm_in_memory_says_that_it_has_no_authority_and_no_counter),
        cmocka_unit_test(the_tpm_in_memory_answers_as_a_software_tpm_does),
        cmocka_unit_test(a_scripted_fault_hits_the_call_it_names),
        cmocka_unit_test(clearing_or_substituting_makes_the_pinned_srk_stale),
        cmocka_unit_test(the_clock_in_memory_moves_only_when_told),
        cmocka_unit_test(the_entropy_gate_waits_for_kernel_and_tpm),
        cmocka_unit_test(the_entropy_gate_refuses_a_tpm_that_repeats_itself),
        cmocka_unit_test(the_small_devices_remember_what_they_were_told),
        cmocka_unit_test(tamper_events_in_memory_come_in_order_and_wake_a_poll),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
