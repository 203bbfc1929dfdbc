/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "crypto/crypto.h"
#include "tests/lib/dispatch.h"

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
        cmocka_unit_test(crypto_start_passes_its_self_test_and_may_be_repeated),
        cmocka_unit_test(wolfcrypt_uses_the_aes_instructions_of_a_processor_that_has_them),
    };

    return cmocka_run_group_tests_name("crypto_start", tests, NULL, NULL);
}
