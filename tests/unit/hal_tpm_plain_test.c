/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The control of attack_16_no_secret_crosses_the_bus_in_clear: the same listener on the same driver with parameter
 * encryption switched off must find what he looks for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/tpm_crypto.h"
#include "hal/base/span.h"
#include "hal/linux/tpm_int.h"
#include "hal/tpm.h"
#include "tests/lib/swtpm.h"
#include "tests/lib/tpm_proxy.h"

/* Takes the place of hal/linux/tpm_wire.c in this program only. */
struct tpm_wire tpm_wire(void)
{
    return (struct tpm_wire){.encrypt = false, .timeout_ms = 10000};
}

static void attack_16_without_encryption_the_same_proxy_finds_the_secrets(void **state)
{
    const uint8_t secret[32] = "thirty-two bytes, all of them so";
    const uint8_t owner_auth[32] = "owner-auth-owner-auth-owner-aut1";
    const uint8_t lockout_auth[32] = "lockout-auth-lockout-auth-locko1";
    const uint8_t pin[32] = "pin-pin-pin-pin-pin-pin-pin-pin1";
    const struct hal_tpm_owner owner = {span_array(owner_auth), span_array(lockout_auth)};
    const struct hal_tpm_policy policy = {.pin = span_array(pin)};
    struct swtpm *swtpm = swtpm_new();
    struct tpm_proxy *proxy = tpm_proxy_new(swtpm_path(swtpm));
    struct hal_tpm *tpm = NULL;
    struct hal_tpm_name srk;
    struct hal_tpm_sealed sealed;
    uint8_t out[32] = {0};

    assert_int_equal(hal_tpm_open(tpm_proxy_tcti(proxy), &tpm_crypto, &tpm), ERR_OK);
    assert_int_equal(hal_tpm_srk_make(tpm, SPAN_NONE, &srk), ERR_OK);
    assert_int_equal(hal_tpm_own(tpm, &srk, &owner), ERR_OK);
    assert_int_equal(hal_tpm_seal(tpm, &srk, &policy, span_array(secret), &sealed), ERR_OK);
    assert_int_equal(hal_tpm_unseal(tpm, &srk, &policy, &sealed, out, sizeof(out)), ERR_OK);

    assert_true(tpm_proxy_saw(proxy, span_array(secret)));
    assert_true(tpm_proxy_saw(proxy, span_array(pin)));
    assert_true(tpm_proxy_saw(proxy, span_array(owner_auth)));
    assert_true(tpm_proxy_saw(proxy, span_array(lockout_auth)));
    hal_tpm_close(tpm);
    tpm_proxy_free(proxy);
    swtpm_free(swtpm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attack_16_without_encryption_the_same_proxy_finds_the_secrets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
