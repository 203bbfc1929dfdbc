/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "crypto/hash.h"
#include "tests/data/hash_known.h"
#include "tests/lib/known.h"

static void sha256_gives_the_published_answers(void **state)
{
    for (size_t i = 0; i < ARRAY_LENGTH(sha256_known); i++) {
        const struct known digest = known_hex(sha256_known[i].digest);
        uint8_t got[SHA256_BYTES] = {0};

        sha256(span_str(sha256_known[i].message), got);

        assert_memory_equal(got, digest.bytes, sizeof(got));
    }
}

static void sha384_gives_the_published_answer(void **state)
{
    const struct known digest = known_hex(SHA384_KNOWN_ABC);
    uint8_t got[SHA384_BYTES] = {0};

    sha384(span_lit("abc"), got);

    assert_memory_equal(got, digest.bytes, sizeof(got));
}

static void sha256_in_steps_is_sha256_at_once_wherever_it_is_cut(void **state)
{
    uint8_t message[200];
    uint8_t whole[SHA256_BYTES];
    memset(message, 'm', sizeof(message));
    sha256(span_array(message), whole);

    for (size_t cut = 0; cut <= sizeof(message); cut++) {
        struct sha256_stream stream;
        uint8_t got[SHA256_BYTES] = {0};

        sha256_init(&stream);
        sha256_update(&stream, span_of(message, cut));
        sha256_update(&stream, span_of(message + cut, sizeof(message) - cut));
        sha256_final(&stream, got);
        assert_memory_equal(got, whole, sizeof(got));
    }
}

static void sha256_of_parts_puts_each_behind_its_length(void **state)
{
    static const uint8_t message[] = {0, 0, 0, 0, 0, 0, 0, 2, 'a', 'b', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 'c'};
    const struct span parts[] = {span_lit("ab"), SPAN_NONE, span_lit("c")};
    uint8_t whole[SHA256_BYTES];
    uint8_t got[SHA256_BYTES] = {0};
    sha256(span_array(message), whole);

    sha256_parts(parts, ARRAY_LENGTH(parts), got);

    assert_memory_equal(got, whole, sizeof got);
}

static void hmac_gives_the_published_answers_with_both_kinds_of_key(void **state)
{
    SCOPED_SECRET_SLAB struct secret_slab *slab = NULL;
    assert_int_equal(secret_slab_new(4096, 1024, &slab), ERR_OK);

    for (size_t i = 0; i < ARRAY_LENGTH(hmac_known); i++) {
        const struct known key = known_hex(hmac_known[i].key);
        const struct known data = known_hex(hmac_known[i].data);
        const struct known mac = known_hex(hmac_known[i].mac);
        const size_t half = data.len / 2;
        const struct span parts[] = {span_of(data.bytes, half), SPAN_NONE, span_of(data.bytes + half, data.len - half)};
        SCOPED_SECRET struct secret *secret = NULL;
        struct hmac_key *keyed = NULL;
        uint8_t got[SHA256_BYTES] = {0};

        hmac_sha256(known_span(&key), known_span(&data), got);
        assert_memory_equal(got, mac.bytes, mac.len);

        assert_int_equal(secret_new_copy(known_span(&key), &secret), ERR_OK);
        assert_int_equal(hmac_key_new(slab, secret, &keyed), ERR_OK);
        for (int twice = 0; twice < 2; twice++) {
            hmac_key_mac(keyed, parts, ARRAY_LENGTH(parts), got);
            assert_memory_equal(got, mac.bytes, mac.len);
        }
        hmac_key_free(keyed);
    }
}

static void hmac_key_new_reports_a_full_slab(void **state)
{
    SCOPED_SECRET_SLAB struct secret_slab *slab = NULL;
    SCOPED_SECRET struct secret *secret = NULL;
    struct hmac_key *first = NULL;
    struct hmac_key *second = NULL;
    assert_int_equal(secret_slab_new(1024, 1024, &slab), ERR_OK);
    assert_int_equal(secret_new(32, &secret), ERR_OK);
    assert_int_equal(hmac_key_new(slab, secret, &first), ERR_OK);

    assert_int_equal(hmac_key_new(slab, secret, &second), ERR_LIMIT);
    assert_int_equal(hmac_key_new_derived(slab, secret, SPAN_NONE, SPAN_NONE, &second), ERR_LIMIT);

    assert_null(second);
    hmac_key_free(first);
    hmac_key_free(NULL);
    fault_clear();
}

static void hmac_keys_derived_with_other_salt_or_info_differ(void **state)
{
    SCOPED_SECRET_SLAB struct secret_slab *slab = NULL;
    SCOPED_SECRET struct secret *secret = NULL;
    const struct span salts[] = {span_lit("a"), span_lit("a"), span_lit("b"), span_lit("a")};
    const struct span infos[] = {span_lit("1"), span_lit("2"), span_lit("1"), span_lit("1")};
    const struct span message = span_lit("message");
    uint8_t macs[4][SHA256_BYTES];
    assert_int_equal(secret_slab_new(4096, 1024, &slab), ERR_OK);
    assert_int_equal(secret_new(32, &secret), ERR_OK);

    for (size_t i = 0; i < 4; i++) {
        struct hmac_key *key = NULL;

        assert_int_equal(hmac_key_new_derived(slab, secret, salts[i], infos[i], &key), ERR_OK);
        hmac_key_mac(key, &message, 1, macs[i]);
        hmac_key_free(key);
    }

    assert_memory_not_equal(macs[0], macs[1], SHA256_BYTES);
    assert_memory_not_equal(macs[0], macs[2], SHA256_BYTES);
    assert_memory_not_equal(macs[1], macs[2], SHA256_BYTES);
    assert_memory_equal(macs[0], macs[3], SHA256_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_gives_the_published_answers),
        cmocka_unit_test(sha384_gives_the_published_answer),
        cmocka_unit_test(sha256_in_steps_is_sha256_at_once_wherever_it_is_cut),
        cmocka_unit_test(sha256_of_parts_puts_each_behind_its_length),
        cmocka_unit_test(hmac_gives_the_published_answers_with_both_kinds_of_key),
        cmocka_unit_test(hmac_key_new_reports_a_full_slab),
        cmocka_unit_test(hmac_keys_derived_with_other_salt_or_info_differ),
    };

    return cmocka_run_group_tests_name("crypto_hash", tests, NULL, NULL);
}
