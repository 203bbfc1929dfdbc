/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "crypto/kdf.h"
#include "tests/data/kdf_known.h"
#include "tests/lib/known.h"

static void hkdf_gives_the_published_answers(void **state)
{
    for (size_t i = 0; i < ARRAY_LENGTH(kdf_known); i++) {
        const struct known ikm = known_hex(kdf_known[i].ikm);
        const struct known salt = known_hex(kdf_known[i].salt);
        const struct known info = known_hex(kdf_known[i].info);
        const struct known prk = known_hex(kdf_known[i].prk);
        const struct known okm = known_hex(kdf_known[i].okm);
        uint8_t got_prk[HKDF_PRK_BYTES] = {0};
        uint8_t got[KNOWN_BYTES_MAX] = {0};
        SCOPED_SECRET struct secret *key = NULL;
        SCOPED_SECRET struct secret *derived = NULL;

        hkdf_sha256_extract(known_span(&salt), known_span(&ikm), got_prk);
        assert_memory_equal(got_prk, prk.bytes, prk.len);
        assert_int_equal(hkdf_sha256_expand(got_prk, known_span(&info), okm.len, got), ERR_OK);
        assert_memory_equal(got, okm.bytes, okm.len);
        assert_int_equal(got[okm.len], 0);

        assert_int_equal(secret_new_copy(known_span(&ikm), &key), ERR_OK);
        assert_int_equal(hkdf_sha256(key, known_span(&salt), known_span(&info), okm.len, &derived), ERR_OK);
        assert_int_equal(secret_len(derived), okm.len);
        assert_memory_equal(secret_reveal(derived).data, okm.bytes, okm.len);
    }
}

static void hkdf_refuses_lengths_past_its_limits(void **state)
{
    static uint8_t out[HKDF_OUT_MAX + 1];
    static const uint8_t info[HKDF_INFO_MAX + 1];
    const uint8_t prk[HKDF_PRK_BYTES] = {0};
    SCOPED_SECRET struct secret *key = NULL;
    struct secret *derived = NULL;
    assert_int_equal(secret_new(32, &key), ERR_OK);
    memset(out, 7, sizeof(out));

    assert_int_equal(hkdf_sha256_expand(prk, SPAN_NONE, 0, out), ERR_RANGE);
    assert_int_equal(hkdf_sha256_expand(prk, SPAN_NONE, HKDF_OUT_MAX + 1, out), ERR_RANGE);
    assert_int_equal(hkdf_sha256_expand(prk, span_array(info), 32, out), ERR_RANGE);
    assert_int_equal(hkdf_sha256(key, SPAN_NONE, SPAN_NONE, 0, &derived), ERR_RANGE);
    assert_int_equal(hkdf_sha256(key, SPAN_NONE, SPAN_NONE, HKDF_OUT_MAX + 1, &derived), ERR_RANGE);

    assert_int_equal(out[0], 7);
    assert_null(derived);
    assert_int_equal(hkdf_sha256_expand(prk, span_of(info, HKDF_INFO_MAX), HKDF_OUT_MAX, out), ERR_OK);
    assert_int_equal(out[HKDF_OUT_MAX], 7);
    fault_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hkdf_gives_the_published_answers),
        cmocka_unit_test(hkdf_refuses_lengths_past_its_limits),
    };

    return cmocka_run_group_tests_name("crypto_kdf", tests, NULL, NULL);
}
