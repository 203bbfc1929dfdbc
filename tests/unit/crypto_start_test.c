/* SPDX-License-Identifier: GPL-3.0-or-later */
/* link: --wrap=wolfSSL_lib_version_hex */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "crypto/crypto.h"
#include "tests/lib/dispatch.h"

static unsigned int pretended; /* the version of the library that was linked; 0: its own */

unsigned int __real_wolfSSL_lib_version_hex(void);
unsigned int __wrap_wolfSSL_lib_version_hex(void);

unsigned int __wrap_wolfSSL_lib_version_hex(void)
{
    return pretended != 0 ? pretended : __real_wolfSSL_lib_version_hex();
}

static void crypto_start_refuses_a_linked_wolfssl_below_the_floor(void **state)
{
    assert_true(__real_wolfSSL_lib_version_hex() >= 0x05009001);
    pretended = 0x05009000;

    const enum err below = crypto_start();
    pretended = 0x05009001;
    const enum err at = crypto_start();

    pretended = 0;
    assert_int_equal(below, ERR_VERSION);
    assert_int_equal(at, ERR_OK);
    fault_clear();
}

static void crypto_start_passes_its_self_test_and_may_be_repeated(void **state)
{
    assert_int_equal(crypto_start(), ERR_OK);
    assert_int_equal(crypto_start(), ERR_OK);
    assert_int_equal(fault_trail()->count, 0);
}

static void wolfcrypt_uses_the_aes_instructions_of_a_processor_that_has_them(void **state)
{
    struct crypto_dispatch dispatch = {.wolfcrypt = NULL};

    assert_int_equal(crypto_dispatch(&dispatch), ERR_OK);

    assert_true(dispatch_uses_the_processor(&dispatch));
    assert_non_null(dispatch.wolfcrypt);
    assert_non_null(dispatch.sodium);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crypto_start_refuses_a_linked_wolfssl_below_the_floor),
        cmocka_unit_test(crypto_start_passes_its_self_test_and_may_be_repeated),
        cmocka_unit_test(wolfcrypt_uses_the_aes_instructions_of_a_processor_that_has_them),
    };

    return cmocka_run_group_tests_name("crypto_start", tests, NULL, NULL);
}
