/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "crypto/aead_once.h"
#include "crypto/ct.h"
#include "crypto/kdf.h"
#include "crypto/wrap.h"

struct fixture {
    struct random *random;
    struct secret *wrapping;
    struct secret *key;
    struct buf *wrapped;
    struct wrap_scope scope;
};

static int setup(void **state)
{
    static struct fixture fixture;
    struct fixture *const f = &fixture;

    fixture = (struct fixture){.scope = {span_lit("table key"), span_lit("table 7"), 3}};
    assert_int_equal(random_new(SPAN_NONE, &f->random), ERR_OK);
    assert_int_equal(random_secret(f->random, 32, &f->wrapping), ERR_OK);
    assert_int_equal(random_secret(f->random, 32, &f->key), ERR_OK);
    assert_int_equal(buf_new(1024, &f->wrapped), ERR_OK);
    assert_int_equal(wrap_key(f->random, f->wrapping, &f->scope, f->key, f->wrapped), ERR_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *const f = *state;

    buf_free(f->wrapped);
    secret_free(f->key);
    secret_free(f->wrapping);
    random_free(f->random);
    fault_clear();
    return 0;
}

static enum err open_key(struct fixture *f, const struct wrap_scope *scope, struct span wrapped)
{
    SCOPED_SECRET struct secret *key = NULL;
    const enum err err = wrap_open(f->wrapping, scope, wrapped, &key);

    assert_int_equal(err == ERR_OK, key != NULL);
    assert_true(err != ERR_OK || ct_equal(secret_reveal(key), secret_reveal(f->key)));
    return err;
}

static void a_wrapped_key_opens_with_its_scope(void **state)
{
    struct fixture *const f = *state;
    uint32_t version = 0;

    assert_int_equal(buf_len(f->wrapped), 32 + WRAP_OVERHEAD);
    assert_int_equal(open_key(f, &f->scope, buf_all(f->wrapped)), ERR_OK);
    assert_int_equal(wrap_version(buf_all(f->wrapped), &version), ERR_OK);
    assert_int_equal(version, 3);
}

/* As wrap.h says it, put together by hand. */
static void a_wrapped_key_is_aes_gcm_with_label_version_and_context_as_additional_data(void **state)
{
    struct fixture *const f = *state;
    const struct span scope = span_lit("rowlock wrap\0\0\0\0\x09table key\0\0\0\x03table 7");
    const struct span wrapped = buf_all(f->wrapped);
    const struct span sealed = span_of(wrapped.data + 36, wrapped.len - 36);
    SCOPED_SECRET struct secret *once = NULL;
    uint8_t key[32];
    assert_int_equal(hkdf_sha256(f->wrapping, span_of(wrapped.data + 4, 32), scope, 32, &once), ERR_OK);

    assert_int_equal(aead_once_open(once, SPAN_NONE, sealed, key), ERR_AUTH);
    assert_int_equal(aead_once_open(once, scope, sealed, key), ERR_OK);

    assert_true(ct_equal(span_array(key), secret_reveal(f->key)));
}

static void every_flipped_bit_and_every_cut_is_refused(void **state)
{
    struct fixture *const f = *state;
    uint8_t bytes[32 + WRAP_OVERHEAD];
    uint32_t version = 0;
    memcpy(bytes, buf_all(f->wrapped).data, sizeof(bytes));

    for (size_t bit = 0; bit < 8 * sizeof(bytes); bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(open_key(f, &f->scope, span_array(bytes)), bit < 32 ? ERR_STALE_KEY : ERR_AUTH);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t cut = 0; cut < sizeof(bytes); cut++) {
        assert_int_equal(open_key(f, &f->scope, span_of(bytes, cut)), cut <= WRAP_OVERHEAD ? ERR_MALFORMED : ERR_AUTH);
    }
    assert_int_equal(wrap_version(span_of(bytes, WRAP_OVERHEAD), &version), ERR_MALFORMED);
    assert_int_equal(open_key(f, &f->scope, span_of(bytes, SECRET_BYTES_MAX + WRAP_OVERHEAD + 1)), ERR_MALFORMED);
}

static void another_label_context_version_or_key_does_not_open(void **state)
{
    struct fixture *const f = *state;
    const struct span wrapped = buf_all(f->wrapped);
    struct wrap_scope scope = f->scope;

    scope.label = span_lit("bucket key");
    assert_int_equal(open_key(f, &scope, wrapped), ERR_AUTH);
    scope = f->scope;
    scope.context = span_lit("table 8");
    assert_int_equal(open_key(f, &scope, wrapped), ERR_AUTH);
    scope = f->scope;
    scope.version = 4;
    assert_int_equal(open_key(f, &scope, wrapped), ERR_STALE_KEY);
    secret_fill(f->wrapping)[0] ^= 1;
    assert_int_equal(open_key(f, &f->scope, wrapped), ERR_AUTH);
}

static void label_and_context_do_not_run_into_each_other(void **state)
{
    struct fixture *const f = *state;
    const struct wrap_scope moved = {span_lit("table keyt"), span_lit("able 7"), 3};

    assert_int_equal(open_key(f, &moved, buf_all(f->wrapped)), ERR_AUTH);
}

static void the_same_key_wrapped_twice_looks_different(void **state)
{
    struct fixture *const f = *state;
    const size_t len = buf_len(f->wrapped);

    assert_int_equal(wrap_key(f->random, f->wrapping, &f->scope, f->key, f->wrapped), ERR_OK);

    const struct span both = buf_all(f->wrapped);
    assert_int_equal(both.len, 2 * len);
    assert_memory_not_equal(both.data + 4, both.data + len + 4, 32);
    assert_memory_not_equal(both.data + 36, both.data + len + 36, 32);
    assert_int_equal(open_key(f, &f->scope, span_of(both.data + len, len)), ERR_OK);
}

static void scopes_and_buffers_have_limits(void **state)
{
    static const uint8_t label[WRAP_SCOPE_MAX + 1];
    struct fixture *const f = *state;
    SCOPED_BUF struct buf *small = NULL;
    const struct wrap_scope longest = {span_of(label, 12), span_of(label, WRAP_SCOPE_MAX - 12), 3};
    const struct wrap_scope longer = {span_of(label, 13), span_of(label, WRAP_SCOPE_MAX - 12), 3};
    assert_int_equal(buf_new(32 + WRAP_OVERHEAD - 1, &small), ERR_OK);

    assert_int_equal(wrap_key(f->random, f->wrapping, &longer, f->key, f->wrapped), ERR_RANGE);
    assert_int_equal(open_key(f, &longer, buf_all(f->wrapped)), ERR_RANGE);
    assert_int_equal(wrap_key(f->random, f->wrapping, &f->scope, f->key, small), ERR_RANGE);
    assert_int_equal(buf_len(small), 0);
    buf_reset(f->wrapped);
    assert_int_equal(wrap_key(f->random, f->wrapping, &longest, f->key, f->wrapped), ERR_OK);
    assert_int_equal(open_key(f, &longest, buf_all(f->wrapped)), ERR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_wrapped_key_opens_with_its_scope, setup, teardown),
        cmocka_unit_test_setup_teardown(a_wrapped_key_is_aes_gcm_with_label_version_and_context_as_additional_data,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(every_flipped_bit_and_every_cut_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(another_label_context_version_or_key_does_not_open, setup, teardown),
        cmocka_unit_test_setup_teardown(label_and_context_do_not_run_into_each_other, setup, teardown),
        cmocka_unit_test_setup_teardown(the_same_key_wrapped_twice_looks_different, setup, teardown),
        cmocka_unit_test_setup_teardown(scopes_and_buffers_have_limits, setup, teardown),
    };

    return cmocka_run_group_tests_name("crypto_wrap", tests, NULL, NULL);
}
