/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "crypto/pwhash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "tests/data/pwhash_known.h"
#include "tests/lib/known.h"

#define INPUT span_lit(PWHASH_KNOWN_INPUT)
#define SALT  span_lit(PWHASH_KNOWN_SALT)

static void hashes_are_those_of_the_reference_implementation(void **state)
{
    (void)state;

    for (size_t i = 0; i < ARRAY_LENGTH(pwhash_known); i++) {
        const struct pwhash_cost cost = {pwhash_known[i].memory_kib, pwhash_known[i].passes};
        uint8_t hash[PWHASH_BYTES];

        assert_int_equal(pwhash(cost, INPUT, SALT, hash), ERR_OK);
        assert_memory_equal(hash, known_hex(pwhash_known[i].hash).bytes, sizeof hash);
    }
}

static void attack_11_no_hash_is_cheaper_than_the_floor_or_dearer_than_the_ceiling(void **state)
{
    static const struct pwhash_cost refused[] = {
        {PWHASH_MEMORY_KIB_MIN - 1, PWHASH_PASSES_MIN},
        {PWHASH_MEMORY_KIB_MAX + 1, PWHASH_PASSES_MIN},
        {PWHASH_MEMORY_KIB_MIN, PWHASH_PASSES_MIN - 1},
        {PWHASH_MEMORY_KIB_MIN, PWHASH_PASSES_MAX + 1},
        {0, 0},
    };
    static const uint8_t untouched[PWHASH_BYTES];
    uint8_t hash[PWHASH_BYTES] = {0};
    (void)state;

    for (size_t i = 0; i < ARRAY_LENGTH(refused); i++) {
        assert_int_equal(pwhash(refused[i], INPUT, SALT, hash), ERR_RANGE);
    }

    assert_memory_equal(hash, untouched, sizeof hash);
    fault_clear();
}

/* 19 MiB and two passes: OWASP, Password Storage Cheat Sheet. */
static void the_floor_is_what_owasp_recommends_at_least(void **state)
{
    const struct pwhash_cost now = pwhash_cost_now();
    (void)state;

    assert_true(PWHASH_MEMORY_KIB_MIN >= 19 * 1024 && PWHASH_PASSES_MIN >= 2);
    assert_true(now.memory_kib >= PWHASH_MEMORY_KIB_MIN && now.passes >= PWHASH_PASSES_MIN);
    assert_true(CONFIG_CRYPTO_ARGON2_MEMORY_KIB >= PWHASH_MEMORY_KIB_MIN);
    assert_true(CONFIG_CRYPTO_ARGON2_PASSES >= PWHASH_PASSES_MIN);
}

static void a_salt_of_another_length_is_refused(void **state)
{
    const struct pwhash_cost cost = {PWHASH_MEMORY_KIB_MIN, PWHASH_PASSES_MIN};
    uint8_t hash[PWHASH_BYTES];
    (void)state;

    assert_int_equal(pwhash(cost, INPUT, span_of(SALT.data, PWHASH_SALT_BYTES - 1), hash), ERR_RANGE);
    assert_int_equal(pwhash(cost, INPUT, span_lit(PWHASH_KNOWN_SALT "0"), hash), ERR_RANGE);
    fault_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_are_those_of_the_reference_implementation),
        cmocka_unit_test(attack_11_no_hash_is_cheaper_than_the_floor_or_dearer_than_the_ceiling),
        cmocka_unit_test(the_floor_is_what_owasp_recommends_at_least),
        cmocka_unit_test(a_salt_of_another_length_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
