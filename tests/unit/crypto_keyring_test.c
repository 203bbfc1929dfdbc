/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "crypto/ct.h"
#include "crypto/keyring.h"
#include "crypto/wrap.h"

struct fixture {
    struct random *random;
    struct secret *root;
    struct keyring *ring;
    struct buf *file;
};

static const char *const names[] = {"tables",     "config",       "pepper", "backup",   "owner-auth",
                                    "lockout-auth", "tls-ca",     "tls-leaf", "token:prod", "unseen"};
#define SUBJECT (&(const struct keyring_subject){span_lit("table key"), span_lit("7")})

static int setup(void **state)
{
    static struct fixture fixture;
    struct fixture *const f = &fixture;

    fixture = (struct fixture){.random = NULL};
    assert_int_equal(random_new(SPAN_NONE, &f->random), ERR_OK);
    assert_int_equal(random_secret(f->random, 32, &f->root), ERR_OK);
    assert_int_equal(keyring_new(f->root, f->random, &f->ring), ERR_OK);
    assert_int_equal(buf_new(KEYRING_FILE_MAX, &f->file), ERR_OK);
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        assert_int_equal(keyring_add(f->ring, span_str(names[i])), ERR_OK);
    }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *const f = *state;

    buf_free(f->file);
    keyring_free(f->ring);
    secret_free(f->root);
    random_free(f->random);
    keyring_free(NULL);
    fault_clear();
    return 0;
}

static const struct secret *key_of(const struct keyring *ring, struct span name, uint32_t version)
{
    const struct secret *key = NULL;

    assert_int_equal(keyring_get(ring, name, version, &key), ERR_OK);
    return key;
}

static void a_written_ring_reads_back_the_same(void **state)
{
    struct fixture *const f = *state;
    SCOPED_KEYRING struct keyring *again = NULL;
    uint32_t version = 0;
    assert_int_equal(keyring_rotate(f->ring, KEYRING_TABLES, &version), ERR_OK);
    assert_int_equal(version, 2);

    assert_int_equal(keyring_write(f->ring, f->file), ERR_OK);
    assert_int_equal(keyring_open(f->root, f->random, buf_all(f->file), &again), ERR_OK);

    assert_int_equal(keyring_count(again), ARRAY_LENGTH(names) + 1);
    for (size_t i = 0; i < keyring_count(again); i++) {
        uint32_t at_version = 0;
        const struct span name = keyring_name_at(again, i, &at_version);

        assert_true(ct_equal(secret_reveal(key_of(again, name, at_version)),
                             secret_reveal(key_of(f->ring, name, at_version))));
    }
}

static void keys_are_of_the_kind_their_name_calls_for(void **state)
{
    struct fixture *const f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        assert_int_equal(secret_len(key_of(f->ring, span_str(names[i]), KEYRING_NEWEST)), KEYRING_KEY_BYTES);
    }
    assert_int_not_equal(secret_reveal(key_of(f->ring, KEYRING_OWNER_AUTH, 1)).data[31] & 1, 0);
    assert_int_not_equal(secret_reveal(key_of(f->ring, KEYRING_LOCKOUT_AUTH, 1)).data[31] & 1, 0);
}

static void only_listed_names_are_names(void **state)
{
    static const char *const bad[] = {"", "table", "tables2", "token:", "token:A", "token:a b", "token:a:b", "TABLES"};
    struct fixture *const f = *state;
    char long_name[KEYRING_NAME_MAX + 1];
    memset(long_name, 'x', sizeof(long_name));
    memcpy(long_name, "token:", 6);

    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        assert_int_equal(keyring_add(f->ring, span_str(bad[i])), ERR_MALFORMED);
    }
    assert_int_equal(keyring_add(f->ring, span_array(long_name)), ERR_MALFORMED);
    assert_int_equal(keyring_add(f->ring, span_of(long_name, KEYRING_NAME_MAX)), ERR_OK);
    assert_int_equal(keyring_add(f->ring, KEYRING_TABLES), ERR_EXISTS);
}

static void rotation_keeps_the_old_version_until_it_is_destroyed(void **state)
{
    struct fixture *const f = *state;
    SCOPED_SECRET struct secret *dek = NULL;
    SCOPED_SECRET struct secret *opened = NULL;
    SCOPED_SECRET struct secret *reopened = NULL;
    SCOPED_BUF struct buf *old = NULL;
    SCOPED_BUF struct buf *fresh = NULL;
    struct secret *none = NULL;
    struct keyring_versions versions;
    const struct secret *key = NULL;
    uint32_t version = 0;
    assert_int_equal(buf_new(256, &old), ERR_OK);
    assert_int_equal(buf_new(256, &fresh), ERR_OK);
    assert_int_equal(random_secret(f->random, 32, &dek), ERR_OK);
    assert_int_equal(keyring_wrap(f->ring, KEYRING_TABLES, SUBJECT, dek, old), ERR_OK);

    assert_int_equal(keyring_rotate(f->ring, KEYRING_TABLES, &version), ERR_OK);
    assert_int_equal(keyring_unwrap(f->ring, KEYRING_TABLES, SUBJECT, buf_all(old), &opened), ERR_OK);
    assert_int_equal(keyring_rewrap(f->ring, KEYRING_TABLES, SUBJECT, buf_all(old), fresh), ERR_OK);
    assert_int_equal(keyring_destroy(f->ring, KEYRING_TABLES, 2), ERR_STATE);
    assert_int_equal(keyring_destroy(f->ring, KEYRING_TABLES, 3), ERR_NOT_FOUND);
    assert_int_equal(keyring_destroy(f->ring, KEYRING_TABLES, KEYRING_NEWEST), ERR_RANGE);
    assert_int_equal(keyring_destroy(f->ring, KEYRING_TABLES, 1), ERR_OK);

    assert_int_equal(keyring_unwrap(f->ring, KEYRING_TABLES, SUBJECT, buf_all(old), &none), ERR_STALE_KEY);
    assert_null(none);
    assert_int_equal(keyring_unwrap(f->ring, KEYRING_TABLES, SUBJECT, buf_all(fresh), &reopened), ERR_OK);
    assert_true(ct_equal(secret_reveal(opened), secret_reveal(dek)));
    assert_true(ct_equal(secret_reveal(reopened), secret_reveal(dek)));
    assert_int_equal(keyring_versions(f->ring, KEYRING_TABLES, &versions), ERR_OK);
    assert_int_equal(versions.oldest, 2);
    assert_int_equal(versions.newest, 2);
    assert_int_equal(keyring_get(f->ring, KEYRING_TABLES, 1, &key), ERR_NOT_FOUND);
    assert_int_equal(keyring_add(f->ring, KEYRING_TABLES), ERR_EXISTS); /* no second life for version 1 */
    assert_int_equal(keyring_destroy(f->ring, KEYRING_TABLES, 2), ERR_OK);
    assert_int_equal(keyring_get(f->ring, KEYRING_TABLES, KEYRING_NEWEST, &key), ERR_NOT_FOUND);
    assert_int_equal(keyring_rotate(f->ring, KEYRING_TABLES, &version), ERR_NOT_FOUND);
    assert_int_equal(keyring_versions(f->ring, KEYRING_TABLES, &versions), ERR_NOT_FOUND);
    assert_int_equal(keyring_wrap(f->ring, KEYRING_TABLES, SUBJECT, dek, old), ERR_NOT_FOUND);
    assert_int_equal(keyring_unwrap(f->ring, KEYRING_TABLES, SUBJECT, buf_all(fresh), &none), ERR_NOT_FOUND);
    assert_int_equal(keyring_unwrap(f->ring, KEYRING_CONFIG, SUBJECT, span_lit("short"), &none), ERR_MALFORMED);
}

static void a_raised_name_has_one_version_and_it_only_grows(void **state)
{
    struct fixture *const f = *state;
    SCOPED_KEYRING struct keyring *again = NULL;
    const size_t before = keyring_count(f->ring);
    struct keyring_versions versions;

    assert_int_equal(keyring_raise(f->ring, KEYRING_PLANNED, 0), ERR_RANGE);
    assert_int_equal(keyring_raise(f->ring, span_lit("no such"), 1), ERR_MALFORMED);
    assert_int_equal(keyring_versions(f->ring, KEYRING_PLANNED, &versions), ERR_NOT_FOUND);
    assert_int_equal(keyring_raise(f->ring, KEYRING_PLANNED, 7), ERR_OK);
    assert_int_equal(keyring_raise(f->ring, KEYRING_PLANNED, 7), ERR_RANGE);
    assert_int_equal(keyring_raise(f->ring, KEYRING_PLANNED, 6), ERR_RANGE);
    assert_int_equal(keyring_raise(f->ring, KEYRING_PLANNED, UINT32_MAX), ERR_OK);
    assert_int_equal(keyring_raise(f->ring, KEYRING_PLANNED, UINT32_MAX), ERR_RANGE);

    assert_int_equal(keyring_count(f->ring), before + 1);
    assert_int_equal(keyring_write(f->ring, f->file), ERR_OK);
    assert_int_equal(keyring_open(f->root, f->random, buf_all(f->file), &again), ERR_OK);
    assert_int_equal(keyring_versions(again, KEYRING_PLANNED, &versions), ERR_OK);
    assert_true(versions.oldest == UINT32_MAX && versions.newest == UINT32_MAX);
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        (void)key_of(f->ring, span_str(names[i]), 1); /* the others are as they were */
    }
}

static void a_raise_forgets_every_version_below(void **state)
{
    struct fixture *const f = *state;
    struct keyring_versions versions;
    uint32_t version = 0;
    assert_int_equal(keyring_rotate(f->ring, KEYRING_TABLES, &version), ERR_OK);
    assert_int_equal(keyring_rotate(f->ring, KEYRING_TABLES, &version), ERR_OK);

    assert_int_equal(keyring_raise(f->ring, KEYRING_TABLES, 9), ERR_OK);

    assert_int_equal(keyring_versions(f->ring, KEYRING_TABLES, &versions), ERR_OK);
    assert_true(versions.oldest == 9 && versions.newest == 9);
}

static void a_key_wrapped_for_one_subject_does_not_open_for_another(void **state)
{
    struct fixture *const f = *state;
    const struct keyring_subject other_table = {span_lit("table key"), span_lit("8")};
    const struct keyring_subject other_label = {span_lit("bucket key"), span_lit("7")};
    struct secret *none = NULL;
    assert_int_equal(keyring_wrap(f->ring, KEYRING_TABLES, SUBJECT, f->root, f->file), ERR_OK);

    assert_int_equal(keyring_unwrap(f->ring, KEYRING_TABLES, &other_table, buf_all(f->file), &none), ERR_AUTH);
    assert_int_equal(keyring_unwrap(f->ring, KEYRING_TABLES, &other_label, buf_all(f->file), &none), ERR_AUTH);
    assert_int_equal(keyring_unwrap(f->ring, KEYRING_CONFIG, SUBJECT, buf_all(f->file), &none), ERR_AUTH);
    assert_null(none);
}

static void a_changed_or_cut_file_is_refused(void **state)
{
    struct fixture *const f = *state;
    struct keyring *none = NULL;
    void *memory = NULL;
    assert_int_equal(keyring_write(f->ring, f->file), ERR_OK);
    const size_t len = buf_len(f->file);
    assert_int_equal(mem_alloc(len, &memory), ERR_OK);
    uint8_t *const bytes = memory;
    memcpy(bytes, buf_all(f->file).data, len);

    for (size_t at = 0; at < len; at++) {
        bytes[at] ^= (uint8_t)(1u << at % 8);
        assert_int_equal(keyring_open(f->root, f->random, span_of(bytes, len), &none),
                         at < 4 ? ERR_MALFORMED : at == 4 ? ERR_VERSION : ERR_AUTH);
        bytes[at] ^= (uint8_t)(1u << at % 8);
    }
    for (size_t cut = 0; cut < len; cut++) {
        assert_int_equal(keyring_open(f->root, f->random, span_of(bytes, cut), &none),
                         cut < 43 ? ERR_MALFORMED : ERR_AUTH);
    }
    assert_null(none);
    mem_free(memory);
}

static void another_root_does_not_open_the_file(void **state)
{
    struct fixture *const f = *state;
    SCOPED_SECRET struct secret *other = NULL;
    SCOPED_SECRET struct secret *shorter = NULL;
    struct keyring *none = NULL;
    assert_int_equal(random_secret(f->random, 32, &other), ERR_OK);
    assert_int_equal(secret_new(31, &shorter), ERR_OK);
    assert_int_equal(keyring_write(f->ring, f->file), ERR_OK);

    assert_int_equal(keyring_open(other, f->random, buf_all(f->file), &none), ERR_AUTH);
    assert_int_equal(keyring_open(shorter, f->random, buf_all(f->file), &none), ERR_RANGE);
    assert_int_equal(keyring_new(shorter, f->random, &none), ERR_RANGE);
    assert_null(none);
}

static void no_key_is_in_the_file_in_clear(void **state)
{
    struct fixture *const f = *state;
    assert_int_equal(keyring_write(f->ring, f->file), ERR_OK);
    const struct span file = buf_all(f->file);

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        const struct span key = secret_reveal(key_of(f->ring, span_str(names[i]), 1));

        for (size_t at = 0; at + 8 <= file.len; at++) {
            assert_false(span_equal(span_of(file.data + at, 8), span_of(key.data, 8)));
        }
    }
}

static void a_full_ring_refuses_one_more_and_its_file_fits(void **state)
{
    struct fixture *const f = *state;
    SCOPED_KEYRING struct keyring *again = NULL;
    uint32_t version = 0;

    while (keyring_count(f->ring) < KEYRING_KEYS_MAX) {
        assert_int_equal(keyring_rotate(f->ring, KEYRING_BACKUP, &version), ERR_OK);
    }

    assert_int_equal(keyring_rotate(f->ring, KEYRING_BACKUP, &version), ERR_LIMIT);
    assert_int_equal(keyring_add(f->ring, span_lit("token:more")), ERR_LIMIT);
    assert_int_equal(keyring_write(f->ring, f->file), ERR_OK);
    assert_int_equal(keyring_open(f->root, f->random, buf_all(f->file), &again), ERR_OK);
    assert_int_equal(keyring_count(again), KEYRING_KEYS_MAX);
}

static void a_file_without_room_is_not_begun(void **state)
{
    struct fixture *const f = *state;
    SCOPED_BUF struct buf *small = NULL;
    assert_int_equal(buf_new(500, &small), ERR_OK);

    assert_int_equal(keyring_write(f->ring, small), ERR_RANGE);

    assert_int_equal(buf_len(small), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_written_ring_reads_back_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_are_of_the_kind_their_name_calls_for, setup, teardown),
        cmocka_unit_test_setup_teardown(only_listed_names_are_names, setup, teardown),
        cmocka_unit_test_setup_teardown(rotation_keeps_the_old_version_until_it_is_destroyed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_raised_name_has_one_version_and_it_only_grows, setup, teardown),
        cmocka_unit_test_setup_teardown(a_raise_forgets_every_version_below, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_wrapped_for_one_subject_does_not_open_for_another, setup, teardown),
        cmocka_unit_test_setup_teardown(a_changed_or_cut_file_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(another_root_does_not_open_the_file, setup, teardown),
        cmocka_unit_test_setup_teardown(no_key_is_in_the_file_in_clear, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_ring_refuses_one_more_and_its_file_fits, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_without_room_is_not_begun, setup, teardown),
    };

    return cmocka_run_group_tests_name("crypto_keyring", tests, NULL, NULL);
}
