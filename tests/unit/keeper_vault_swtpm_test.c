/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/keeper/vault.h on a real software TPM: reboots, power cuts, PCRs, another TPM, lockout. What needs the TPM's
 * inside, or many calls, is tested with the one in memory (keeper_vault_test.c). */
#include "crypto/tpm_crypto.h"
#include "firmware/keeper/vault.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "tests/lib/swtpm.h"
#include "tests/lib/temp.h"

#define PCR_16 (UINT32_C(1) << 16)
#define POWER_CUTS 10

struct box {
    struct temp_dir temp;
    struct datadir *dir;
    struct swtpm *swtpm;
    struct hal_tpm *tpm;
    struct x509_names names;
    uint32_t pcr_mask;
    struct vault *vault;
};

static int set_up(void **state)
{
    void *memory = NULL;

    (void)signal(SIGPIPE, SIG_IGN); /* hal_tpm_open wants it */
    assert_int_equal(mem_alloc(sizeof(struct box), &memory), ERR_OK);
    struct box *box = memory;
    box->temp = temp_dir_make();
    assert_int_equal(datadir_open(box->temp.path, &box->dir), ERR_OK);
    box->swtpm = swtpm_new();
    assert_int_equal(x509_names_add_dns(&box->names, span_lit("localhost")), ERR_OK);
    *state = box;
    return 0;
}

/* What is left of a process that ended or died. */
static void forget(struct box *box)
{
    vault_free(box->vault);
    box->vault = NULL;
    hal_tpm_close(box->tpm);
    box->tpm = NULL;
}

static int tear_down(void **state)
{
    struct box *box = *state;

    forget(box);
    swtpm_free(box->swtpm);
    datadir_close(box->dir);
    temp_dir_remove(&box->temp);
    fault_clear();
    mem_free(box);
    return 0;
}

static enum err start(struct box *box, struct span pin)
{
    forget(box);
    assert_int_equal(hal_tpm_open(swtpm_tcti(box->swtpm), &tpm_crypto, &box->tpm), ERR_OK);
    const struct vault_options options = {
        .tpm = box->tpm,
        .entropy = hal_entropy_kernel(),
        .clock = hal_clock_system(),
        .dir = box->dir,
        .pcr_mask = box->pcr_mask,
        .names = &box->names,
    };
    assert_int_equal(vault_new(&options, &box->vault), ERR_OK);
    return vault_start(box->vault, pin);
}

static void power_cut(struct box *box)
{
    swtpm_cut_power(box->swtpm); /* before the TPM can be shut down in order */
    forget(box);
    swtpm_power_on(box->swtpm);
}

struct words {
    char text[256];
    size_t len;
};

static struct words provision(struct box *box, struct span pin)
{
    struct words words = {.len = 0};

    assert_int_equal(start(box, pin), ERR_OK);
    const struct secret *secret = vault_recovery_words(box->vault);
    words.len = secret_len(secret);
    memcpy(words.text, secret_reveal(secret).data, words.len);
    assert_int_equal(vault_shown(box->vault), ERR_OK);
    return words;
}

static void the_box_opens_after_ten_power_cuts(void **state)
{
    struct box *box = *state;
    (void)provision(box, SPAN_NONE);

    for (int i = 0; i < POWER_CUTS; i++) {
        power_cut(box);
        assert_int_equal(start(box, SPAN_NONE), ERR_OK);
    }
}

static void attack_18_ten_power_cuts_with_a_pin_do_not_lock_out(void **state)
{
    struct box *box = *state;
    struct hal_tpm_info info;
    (void)provision(box, span_lit("1234"));

    for (int i = 0; i < POWER_CUTS; i++) {
        power_cut(box);
        assert_int_equal(start(box, span_lit("1234")), ERR_OK);
    }
    assert_int_equal(hal_tpm_info(box->tpm, &info), ERR_OK);
    assert_int_equal(info.lockout_counter, 0);
}

static void attack_17_an_extended_pcr_keeps_the_box_locked_until_the_reboot(void **state)
{
    struct box *box = *state;
    const uint8_t digest[HAL_TPM_DIGEST_BYTES] = {1};
    box->pcr_mask = PCR_16;
    (void)provision(box, SPAN_NONE);

    assert_int_equal(hal_tpm_pcr_extend(box->tpm, 16, digest), ERR_OK);
    assert_int_equal(start(box, SPAN_NONE), ERR_POLICY);
    assert_int_equal(vault_reason(box->vault), LIFE_REASON_PCR_CHANGED);

    power_cut(box);
    assert_int_equal(start(box, SPAN_NONE), ERR_OK);
}

static void attack_19_another_tpm_opens_only_by_the_recovery_key(void **state)
{
    struct box *box = *state;
    const struct words words = provision(box, SPAN_NONE);

    forget(box);
    swtpm_free(box->swtpm);
    box->swtpm = swtpm_new();
    assert_int_equal(start(box, SPAN_NONE), ERR_STALE_KEY);
    assert_int_equal(vault_reason(box->vault), LIFE_REASON_OTHER_TPM);
    assert_int_equal(vault_unlock_recovery(box->vault, span_of(words.text, words.len)), ERR_OK);

    power_cut(box);
    assert_int_equal(start(box, SPAN_NONE), ERR_OK);
}

static void attack_18_a_lockout_by_wrong_pins_ends_with_the_recovery_key(void **state)
{
    struct box *box = *state;
    const struct words words = provision(box, span_lit("1234"));
    enum err err = ERR_PIN;
    assert_int_equal(start(box, SPAN_NONE), ERR_PIN);

    for (int i = 0; i <= HAL_TPM_DA_TRIES && err == ERR_PIN; i++) {
        err = vault_unlock_pin(box->vault, span_lit("0000"));
    }
    assert_int_equal(err, ERR_LOCKED);
    assert_int_equal(vault_unlock_pin(box->vault, span_lit("1234")), ERR_LOCKED);
    assert_int_equal(vault_reason(box->vault), LIFE_REASON_TPM_LOCKOUT);

    assert_int_equal(vault_unlock_recovery(box->vault, span_of(words.text, words.len)), ERR_OK);
    assert_int_equal(start(box, SPAN_NONE), ERR_OK);
}

static void a_tpm_that_goes_away_takes_nothing_from_memory(void **state)
{
    struct box *box = *state;
    struct secret *key = NULL;
    SCOPED_BUF struct buf *wrapped = NULL;
    bool changed = false;
    (void)provision(box, SPAN_NONE);

    swtpm_cut_power(box->swtpm);

    assert_int_equal(buf_new(VAULT_WRAPPED_MAX, &wrapped), ERR_OK);
    assert_int_equal(vault_table_new(box->vault, 300, &key, wrapped), ERR_OK);
    assert_int_equal(vault_renew(box->vault, &changed), ERR_OK);
    secret_free(key);
    forget(box);
    swtpm_power_on(box->swtpm);
}

static void a_tpm_that_somebody_owns_is_not_provisioned(void **state)
{
    struct box *box = *state;
    (void)provision(box, SPAN_NONE);
    forget(box);
    datadir_close(box->dir);
    temp_dir_remove(&box->temp);
    box->temp = temp_dir_make(); /* the directory was lost, the TPM kept its owner */
    assert_int_equal(datadir_open(box->temp.path, &box->dir), ERR_OK);

    assert_int_equal(start(box, SPAN_NONE), ERR_DENIED);

    assert_int_equal(vault_state(box->vault), BOARD_UNPROVISIONED);
}

#define BOX_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOX_TEST(the_box_opens_after_ten_power_cuts),
        BOX_TEST(attack_18_ten_power_cuts_with_a_pin_do_not_lock_out),
        BOX_TEST(attack_17_an_extended_pcr_keeps_the_box_locked_until_the_reboot),
        BOX_TEST(attack_19_another_tpm_opens_only_by_the_recovery_key),
        BOX_TEST(attack_18_a_lockout_by_wrong_pins_ends_with_the_recovery_key),
        BOX_TEST(a_tpm_that_goes_away_takes_nothing_from_memory),
        BOX_TEST(a_tpm_that_somebody_owns_is_not_provisioned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
