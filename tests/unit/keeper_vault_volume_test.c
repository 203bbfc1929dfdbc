/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/keeper/vault.h: the key of the data volume, as the kernel is given it. */
/* link: --wrap=kernel_key_put --wrap=renameat */
#include "firmware/keeper/vault.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "hal/kernel_key.h"
#include "tests/lib/vault_box.h"

static struct {
    uint8_t key[KERNEL_KEY_TAGGED_BYTES];
    size_t len;
    size_t count;
    bool power_is_gone;
} kernel;

enum err __wrap_kernel_key_put(const char *name, struct span key);
int __real_renameat(int old_dir, const char *old_name, int new_dir, const char *new_name);
int __wrap_renameat(int old_dir, const char *old_name, int new_dir, const char *new_name);

enum err __wrap_kernel_key_put(const char *name, struct span key)
{
    assert_string_equal(name, KERNEL_KEY_VOLUME);
    assert_true(key.len <= sizeof(kernel.key));
    memcpy(kernel.key, key.data, key.len);
    kernel.len = key.len;
    kernel.count++;
    return ERR_OK;
}

int __wrap_renameat(int old_dir, const char *old_name, int new_dir, const char *new_name)
{
    if (kernel.power_is_gone) {
        errno = EIO;
        return -1;
    }
    return __real_renameat(old_dir, old_name, new_dir, new_name);
}

static int make(void **state)
{
    memset(&kernel, 0, sizeof(kernel));
    return make_box(state);
}

static int done(void **state)
{
    kernel.power_is_gone = false;
    return free_box(state);
}

static void the_volume_has_one_key_whenever_it_is_asked_for(void **state)
{
    static const uint8_t none[KERNEL_KEY_VOLUME_BYTES];
    uint8_t first[KERNEL_KEY_VOLUME_BYTES];
    struct box *box = *state;
    (void)provision(box);

    assert_int_equal(vault_volume_key_put(box->vault, false), ERR_OK);
    memcpy(first, kernel.key, sizeof(first));
    assert_int_equal(vault_volume_key_put(box->vault, false), ERR_OK);
    assert_memory_equal(kernel.key, first, sizeof(first));
    assert_int_equal(start(box), ERR_OK);
    assert_int_equal(vault_volume_key_put(box->vault, false), ERR_OK);

    assert_memory_equal(kernel.key, first, sizeof(first));
    assert_memory_not_equal(first, none, sizeof(first));
    assert_memory_not_equal(first, first + 32, 32); /* the halves of an XTS key differ */
}

static void the_key_opens_the_volume_also_after_a_recovery_on_another_tpm(void **state)
{
    uint8_t first[KERNEL_KEY_VOLUME_BYTES];
    struct box *box = *state;
    const struct words words = provision(box);
    assert_int_equal(vault_volume_key_put(box->vault, false), ERR_OK);
    memcpy(first, kernel.key, sizeof(first));

    other_tpm(box, 2);
    assert_int_equal(start(box), ERR_STALE_KEY);
    assert_int_equal(vault_volume_key_put(box->vault, false), ERR_STATE);
    assert_int_equal(unlock(box, &words), ERR_OK);
    assert_int_equal(vault_volume_key_put(box->vault, false), ERR_OK);

    assert_memory_equal(kernel.key, first, sizeof(first));
}

static void a_key_that_is_not_on_the_disk_encrypts_nothing(void **state)
{
    struct box *box = *state;
    (void)provision(box);
    kernel.power_is_gone = true;

    assert_int_equal(vault_volume_key_put(box->vault, false), ERR_IO);
    assert_int_equal(vault_volume_key_put(box->vault, false), ERR_IO);

    assert_int_equal(kernel.count, 0);
    kernel.power_is_gone = false;
    assert_int_equal(vault_volume_key_put(box->vault, false), ERR_OK);
    assert_int_equal(kernel.count, 1);
}

static void with_tags_the_key_is_longer_and_another(void **state)
{
    uint8_t first[KERNEL_KEY_VOLUME_BYTES];
    struct box *box = *state;
    (void)provision(box);
    assert_int_equal(vault_volume_key_put(box->vault, false), ERR_OK);
    assert_int_equal(kernel.len, 64);
    memcpy(first, kernel.key, sizeof(first));

    assert_int_equal(vault_volume_key_put(box->vault, true), ERR_OK);

    assert_int_equal(kernel.len, 96);
    assert_memory_not_equal(kernel.key, first, 32);
    assert_memory_not_equal(kernel.key + 32, first + 32, 32);
    assert_memory_not_equal(kernel.key + 64, first, 32);
}

static void two_boxes_have_two_keys(void **state)
{
    uint8_t first[KERNEL_KEY_VOLUME_BYTES];
    struct box *box = *state;
    (void)provision(box);
    assert_int_equal(vault_volume_key_put(box->vault, false), ERR_OK);
    memcpy(first, kernel.key, sizeof(first));
    void *other = NULL;
    assert_int_equal(make_box(&other), 0);
    box = other;
    sim_entropy_init(&box->entropy, 77);
    (void)provision(box);

    assert_int_equal(vault_volume_key_put(box->vault, false), ERR_OK);

    assert_memory_not_equal(kernel.key, first, sizeof(first));
    assert_int_equal(free_box(&other), 0);
}

#define WITH_BOX(test) cmocka_unit_test_setup_teardown(test, make, done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BOX(the_volume_has_one_key_whenever_it_is_asked_for),
        WITH_BOX(the_key_opens_the_volume_also_after_a_recovery_on_another_tpm),
        WITH_BOX(a_key_that_is_not_on_the_disk_encrypts_nothing),
        WITH_BOX(with_tags_the_key_is_longer_and_another),
        WITH_BOX(two_boxes_have_two_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
