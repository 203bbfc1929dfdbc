/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The states of the keeper's vault, with a power that goes at any write and a disk that fails on demand. */
/* link: --wrap=renameat --wrap=faccessat */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "crypto/ct.h"
#include "tests/lib/vault_disk.h"

/* From the k-th rename on nothing reaches the disk: the power is gone. 0: it stays. */
static size_t renames_left;
static bool renames_stop;
static bool looks_fail;

int __real_renameat(int old_dir, const char *old_name, int new_dir, const char *new_name);
int __wrap_renameat(int old_dir, const char *old_name, int new_dir, const char *new_name);
int __real_faccessat(int dir, const char *name, int mode, int flags);
int __wrap_faccessat(int dir, const char *name, int mode, int flags);

int __wrap_renameat(int old_dir, const char *old_name, int new_dir, const char *new_name)
{
    if (renames_stop) {
        if (renames_left == 0) {
            errno = EIO;
            return -1;
        }
        renames_left--;
    }
    return __real_renameat(old_dir, old_name, new_dir, new_name);
}

int __wrap_faccessat(int dir, const char *name, int mode, int flags)
{
    if (looks_fail) {
        errno = EIO;
        return -1;
    }
    return __real_faccessat(dir, name, mode, flags);
}

static int setup(void **state)
{
    static struct vault_disk fixture;

    renames_stop = false;
    looks_fail = false;
    vault_disk_make(&fixture);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    renames_stop = false;
    looks_fail = false;
    vault_disk_unmake(*state);
    return 0;
}

/* --- states --- */

static void an_empty_directory_is_provisioned_and_later_starts_unseal(void **state)
{
    struct vault_disk *const f = *state;
    SCOPED_SECRET struct secret *key = NULL;
    SCOPED_SECRET struct secret *again = NULL;
    SCOPED_BUF struct buf *wrapped = NULL;
    vault_disk_provision(f);
    assert_int_equal(buf_new(VAULT_WRAPPED_MAX, &wrapped), ERR_OK);
    assert_int_equal(vault_table_new(f->vault, 256, &key, wrapped), ERR_OK);

    assert_int_equal(vault_disk_start(f, SPAN_NONE), ERR_OK);

    assert_int_equal(vault_state(f->vault), BOARD_OPERATIONAL);
    assert_null(vault_recovery_words(f->vault));
    assert_int_equal(vault_table_open(f->vault, 256, buf_all(wrapped), &again), ERR_OK);
    assert_true(ct_equal(secret_reveal(key), secret_reveal(again)));
    vault_disk_check_identity(f);
}

static void a_table_key_opens_for_its_table_only(void **state)
{
    struct vault_disk *const f = *state;
    SCOPED_SECRET struct secret *key = NULL;
    SCOPED_SECRET struct secret *again = NULL;
    SCOPED_BUF struct buf *wrapped = NULL;
    vault_disk_provision(f);
    assert_int_equal(buf_new(VAULT_WRAPPED_MAX, &wrapped), ERR_OK);
    assert_int_equal(vault_table_new(f->vault, 256, &key, wrapped), ERR_OK);

    assert_int_equal(vault_table_open(f->vault, 257, buf_all(wrapped), &again), ERR_AUTH);

    assert_null(again);
}

/* The order of files at the first start: whatever rename is the last one, the next start makes a whole box. */
static void a_power_cut_at_any_write_of_the_first_start_is_survived(void **state)
{
    (void)state;
    bool whole = false;

    for (size_t k = 0; !whole; k++) {
        struct vault_disk f;
        vault_disk_make(&f);
        renames_left = k;
        renames_stop = true;
        whole = vault_disk_start(&f, SPAN_NONE) == ERR_OK;
        renames_stop = false;

        assert_int_equal(vault_disk_start(&f, SPAN_NONE), ERR_OK);

        assert_int_equal(vault_state(f.vault), BOARD_OPERATIONAL);
        assert_non_null(vault_recovery_words(f.vault));
        vault_disk_check_identity(&f);
        vault_disk_show(&f);
        sim_tpm_clear(f.tpm);
        assert_int_equal(vault_disk_start(&f, SPAN_NONE), ERR_STALE_KEY);
        vault_disk_check_identity(&f);
        assert_int_equal(vault_unlock_recovery(f.vault, vault_disk_words(&f)), ERR_OK);
        vault_disk_unmake(&f);
    }
}

static void a_tpm_that_fails_at_any_call_of_the_first_start_is_survived(void **state)
{
    (void)state;
    bool whole = false;

    for (size_t k = 1; !whole; k++) {
        struct vault_disk f;
        vault_disk_make(&f);
        sim_tpm_fail_at(f.tpm, k, ERR_DEVICE);
        whole = vault_disk_start(&f, SPAN_NONE) == ERR_OK && sim_tpm_calls(f.tpm) < k;
        sim_tpm_fail_at(f.tpm, 0, ERR_OK);

        assert_int_equal(vault_disk_start(&f, SPAN_NONE), ERR_OK);

        assert_int_equal(vault_state(f.vault), BOARD_OPERATIONAL);
        vault_disk_check_identity(&f);
        vault_disk_unmake(&f);
    }
}

static void a_power_cut_at_any_write_of_unlocking_is_survived(void **state)
{
    (void)state;
    bool whole = false;

    for (size_t k = 0; !whole; k++) {
        struct vault_disk f;
        vault_disk_make(&f);
        vault_disk_provision(&f);
        sim_tpm_clear(f.tpm);
        assert_int_equal(vault_disk_start(&f, SPAN_NONE), ERR_STALE_KEY);
        renames_left = k;
        renames_stop = true;
        whole = vault_unlock_recovery(f.vault, vault_disk_words(&f)) == ERR_OK;
        renames_stop = false;

        if (vault_disk_start(&f, SPAN_NONE) != ERR_OK) {
            assert_int_equal(vault_state(f.vault), BOARD_LOCKED);
            vault_disk_check_identity(&f);
            assert_int_equal(vault_unlock_recovery(f.vault, vault_disk_words(&f)), ERR_OK);
        }

        assert_int_equal(vault_disk_start(&f, SPAN_NONE), ERR_OK);
        vault_disk_check_identity(&f);
        vault_disk_unmake(&f);
    }
}

static void a_disk_that_cannot_say_what_is_there_is_not_provisioned_over(void **state)
{
    struct vault_disk *const f = *state;
    SCOPED_BUF struct buf *seal = NULL;
    SCOPED_BUF struct buf *keys = NULL;
    vault_disk_provision(f);
    vault_disk_read(f, "root.seal", &seal);
    vault_disk_read(f, "keys", &keys);
    looks_fail = true;

    assert_int_equal(vault_disk_start(f, SPAN_NONE), ERR_IO);

    looks_fail = false;
    assert_int_equal(vault_state(f->vault), BOARD_LOCKED);
    assert_true(vault_disk_file_is(f, "root.seal", buf_all(seal)));
    assert_true(vault_disk_file_is(f, "keys", buf_all(keys)));
}

static void keys_without_a_sealed_root_lock_the_box(void **state)
{
    struct vault_disk *const f = *state;
    SCOPED_BUF struct buf *keys = NULL;
    vault_disk_provision(f);
    vault_disk_read(f, "keys", &keys);
    vault_disk_remove(f, "root.seal");
    vault_disk_remove(f, "root.recovery");

    assert_int_equal(vault_disk_start(f, SPAN_NONE), ERR_DAMAGED);

    assert_int_equal(vault_state(f->vault), BOARD_LOCKED);
    assert_int_equal(vault_reason(f->vault), LIFE_REASON_KEYS_DAMAGED);
    assert_true(vault_disk_file_is(f, "keys", buf_all(keys)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_empty_directory_is_provisioned_and_later_starts_unseal, setup, teardown),
        cmocka_unit_test_setup_teardown(a_table_key_opens_for_its_table_only, setup, teardown),
        cmocka_unit_test(a_power_cut_at_any_write_of_the_first_start_is_survived),
        cmocka_unit_test(a_tpm_that_fails_at_any_call_of_the_first_start_is_survived),
        cmocka_unit_test(a_power_cut_at_any_write_of_unlocking_is_survived),
        cmocka_unit_test_setup_teardown(a_disk_that_cannot_say_what_is_there_is_not_provisioned_over, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_without_a_sealed_root_lock_the_box, setup, teardown),
    };

    return cmocka_run_group_tests_name("firmware_vault", tests, NULL, NULL);
}
