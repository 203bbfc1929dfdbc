/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/crypto.h"
#include "tests/lib/dispatch.h"

static void crypto_start_passes_its_self_test_without_assembly(void **state)
{
    assert_int_equal(crypto_start(), ERR_OK);
}

static void the_statement_about_dispatch_fails_without_assembly(void **state)
{
    struct crypto_dispatch dispatch = {.wolfcrypt = NULL};

    assert_int_equal(crypto_dispatch(&dispatch), ERR_OK);

    assert_false(dispatch_uses_the_processor(&dispatch));
    assert_false(dispatch.aes_native);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crypto_start_passes_its_self_test_without_assembly),
        cmocka_unit_test(the_statement_about_dispatch_fails_without_assembly),
    };

    return cmocka_run_group_tests_name("crypto_start_noasm", tests, NULL, NULL);
}
