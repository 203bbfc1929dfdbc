/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/keeper/vault.h with a power that goes at any write, and a disk that cannot say what is on it. */
/* link: --wrap=renameat --wrap=faccessat */
#include "firmware/keeper/vault.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "firmware/keeper/tokens.h"
#include "tests/lib/token_ask.h"
#include "tests/lib/vault_box.h"

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

static int set_up(void **state)
{
    renames_stop = false;
    looks_fail = false;
    return make_box(state);
}

static int tear_down(void **state)
{
    renames_stop = false;
    looks_fail = false;
    return free_box(state);
}

/* The order of files at the first start: whatever rename is the last one, the next start makes a whole box. */
static void a_power_cut_at_any_write_of_the_first_start_is_survived(void **state)
{
    bool whole = false;

    for (size_t k = 0; !whole; k++) {
        assert_int_equal(tear_down(state), 0);
        assert_int_equal(set_up(state), 0);
        struct box *box = *state;
        renames_left = k;
        renames_stop = true;
        whole = start_and_renew(box) == ERR_OK;
        renames_stop = false;

        assert_int_equal(start_and_renew(box), ERR_OK);

        assert_state(box, BOARD_OPERATIONAL, LIFE_REASON_NONE);
        assert_identity_fits(box);
        const struct words words = read_words(box);
        assert_int_equal(vault_shown(box->vault), ERR_OK);
        sim_tpm_clear(box->tpm);
        assert_int_equal(start_and_renew(box), ERR_STALE_KEY);
        assert_identity_fits(box);
        assert_int_equal(unlock(box, &words), ERR_OK);
    }
}

static void a_power_cut_at_any_write_of_unlocking_is_survived(void **state)
{
    bool whole = false;

    for (size_t k = 0; !whole; k++) {
        assert_int_equal(tear_down(state), 0);
        assert_int_equal(set_up(state), 0);
        struct box *box = *state;
        const struct words words = provision(box);
        sim_tpm_clear(box->tpm);
        assert_int_equal(start_and_renew(box), ERR_STALE_KEY);
        renames_left = k;
        renames_stop = true;
        whole = unlock(box, &words) == ERR_OK;
        renames_stop = false;

        if (start_and_renew(box) != ERR_OK) {
            assert_int_equal(vault_state(box->vault), BOARD_LOCKED);
            assert_identity_fits(box);
            assert_int_equal(unlock(box, &words), ERR_OK);
        }

        assert_int_equal(start_and_renew(box), ERR_OK);
        assert_identity_fits(box);
    }
}

static void a_disk_that_cannot_say_what_is_there_is_not_provisioned_over(void **state)
{
    struct box *box = *state;
    SCOPED_BUF struct buf *seal = NULL;
    SCOPED_BUF struct buf *keys = NULL;
    (void)provision(box);
    read_file(box, "root.seal", &seal);
    read_file(box, "keys", &keys);
    looks_fail = true;

    assert_int_equal(start_and_renew(box), ERR_IO);

    looks_fail = false;
    assert_int_equal(vault_state(box->vault), BOARD_LOCKED);
    assert_true(file_is(box, "root.seal", buf_all(seal)));
    assert_true(file_is(box, "keys", buf_all(keys)));
}

#define DISK_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* It is the newest there is, and nobody knows of it. */
static void a_token_key_that_could_not_be_written_signs_nothing(void **state)
{
    struct box *box = *state;
    const struct msg about = token_ask_about(MSG_TOKEN_ROTATE, TOKEN_ENVIRONMENT);
    const struct msg request = token_ask_sign("dev");
    struct msg first = MSG_NEW(MSG_TOKEN_PUBLIC);
    struct msg rotated = MSG_NEW(MSG_TOKEN_PUBLIC);
    struct msg before = MSG_NEW(MSG_TOKEN_SIGNED);
    struct msg after = MSG_NEW(MSG_TOKEN_SIGNED);
    struct tokens *tokens = NULL;
    const size_t header = 60; /* bytes of a token that only its key decides */
    (void)provision(box);
    assert_int_equal(tokens_new(&box->clock.base, &tokens), ERR_OK);
    assert_int_equal(tokens_keys(tokens, box->vault, &about, &first), ERR_OK);
    assert_int_equal(tokens_sign(tokens, box->vault, &request, &before), ERR_OK);

    renames_left = 0;
    renames_stop = true;
    assert_int_equal(tokens_rotate(tokens, box->vault, &about, &rotated), ERR_IO);
    renames_stop = false;

    assert_int_equal(tokens_sign(tokens, box->vault, &request, &after), ERR_OK);
    assert_memory_equal(after.as.token_signed.access.data, before.as.token_signed.access.data, header);
    assert_int_equal(tokens_rotate(tokens, box->vault, &about, &rotated), ERR_OK);
    assert_int_equal(rotated.as.token_public.points.len, 2 * MSG_POINT_BYTES);
    tokens_use(tokens, &about);
    assert_int_equal(tokens_sign(tokens, box->vault, &request, &after), ERR_OK);
    assert_memory_not_equal(after.as.token_signed.access.data, before.as.token_signed.access.data, header);
    tokens_free(tokens);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DISK_TEST(a_power_cut_at_any_write_of_the_first_start_is_survived),
        DISK_TEST(a_power_cut_at_any_write_of_unlocking_is_survived),
        DISK_TEST(a_disk_that_cannot_say_what_is_there_is_not_provisioned_over),
        DISK_TEST(a_token_key_that_could_not_be_written_signs_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
