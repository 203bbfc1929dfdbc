/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/boot_root.h with slots in memory. */
/* link: --wrap=blockdev_wait --wrap=blockdev_read */
#include "firmware/boot_root.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/block_hash.h"
#include "hal/base/fault.h"

#define BLOCKS 100

static struct {
    uint8_t top[2][4096];
    enum err wait[2];
    enum err read[2];
    uint64_t offset;
} disk;

enum err __wrap_blockdev_wait(struct span label, unsigned int timeout_ms, struct blockdev *out_device);
enum err __wrap_blockdev_read(const struct blockdev *device, uint64_t offset, uint8_t *out_bytes, size_t len);

enum err __wrap_blockdev_wait(struct span label, unsigned int timeout_ms, struct blockdev *out_device)
{
    const unsigned int slot = span_equal(label, span_lit("root-b")) ? 1 : 0;

    assert_true(slot == 1 || span_equal(label, span_lit("root-a")));
    *out_device = (struct blockdev){.minor = slot};
    return disk.wait[slot];
}

enum err __wrap_blockdev_read(const struct blockdev *device, uint64_t offset, uint8_t *out_bytes, size_t len)
{
    assert_int_equal(len, 4096);
    disk.offset = offset;
    memcpy(out_bytes, disk.top[device->minor], len);
    return disk.read[device->minor];
}

static struct boot_words words;

static int make(void **state)
{
    (void)state;
    memset(&disk, 0, sizeof(disk));
    memset(disk.top[0], 0x11, sizeof(disk.top[0]));
    memset(disk.top[1], 0x22, sizeof(disk.top[1]));
    words = (struct boot_words){.blocks = BLOCKS, .salt = {1, 2, 3}, .salt_len = 3};
    return 0;
}

static int done(void **state)
{
    (void)state;
    fault_clear();
    return 0;
}

/* The words name this slot. */
static void name_slot(size_t slot)
{
    block_hash(span_of(words.salt, words.salt_len), span_array(disk.top[slot]), words.root_hash);
}

static void the_root_is_in_the_slot_whose_top_block_has_the_hash(void **state)
{
    for (size_t slot = 0; slot < 2; slot++) {
        struct blockdev device;
        const char *label = NULL;
        name_slot(slot);

        assert_int_equal(boot_root_find(&words, &device, &label), ERR_OK);

        assert_int_equal(device.minor, slot);
        assert_string_equal(label, slot == 0 ? "root-a" : "root-b");
        assert_int_equal(disk.offset, BLOCKS * 4096);
    }
}

static void a_bit_of_the_block_or_of_the_salt_makes_it_another_root(void **state)
{
    struct blockdev device = {.minor = 7};
    const char *label = NULL;
    name_slot(0);

    disk.top[0][4095] ^= 1;
    assert_int_equal(boot_root_find(&words, &device, &label), ERR_NOT_FOUND);
    disk.top[0][4095] ^= 1;
    words.salt[2] ^= 1;
    assert_int_equal(boot_root_find(&words, &device, &label), ERR_NOT_FOUND);
    words.salt[2] ^= 1;
    words.salt_len = 2;
    assert_int_equal(boot_root_find(&words, &device, &label), ERR_NOT_FOUND);
    assert_int_equal(device.minor, 7);
    assert_null(label);
}

static void a_slot_that_cannot_be_read_leaves_the_other_one(void **state)
{
    struct blockdev device;
    const char *label = NULL;
    name_slot(1);
    disk.read[0] = ERR_IO;

    assert_int_equal(boot_root_find(&words, &device, &label), ERR_OK);
    assert_string_equal(label, "root-b");
    disk.read[1] = ERR_RANGE;
    assert_int_equal(boot_root_find(&words, &device, &label), ERR_NOT_FOUND);
}

static void a_slot_that_is_there_twice_or_never_is_an_error(void **state)
{
    struct blockdev device;
    const char *label = NULL;
    name_slot(0);

    disk.wait[0] = ERR_CONFLICT;
    assert_int_equal(boot_root_find(&words, &device, &label), ERR_CONFLICT);
    disk.wait[0] = ERR_TIMEOUT;
    assert_int_equal(boot_root_find(&words, &device, &label), ERR_TIMEOUT);
}

/* The node of a tree that `veritysetup format --hash sha256` made of two blocks of zeros with the salt 00..1f. */
static void the_hash_is_the_one_of_dm_verity(void **state)
{
    static const uint8_t zero_block[4096];
    uint8_t salt[32];
    uint8_t top[4096] = {0};
    uint8_t leaf[32];
    for (size_t i = 0; i < sizeof(salt); i++) {
        salt[i] = (uint8_t)i;
    }

    block_hash(span_array(salt), span_array(zero_block), leaf);
    memcpy(top, leaf, sizeof(leaf));
    memcpy(top + 32, leaf, sizeof(leaf));
    words = (struct boot_words){.blocks = 2, .salt_len = 32};
    memcpy(words.salt, salt, sizeof(salt));
    assert_int_equal(hex_decode(span_lit("a14511ce3b66ac548ab3efb1eff05e0aa6e9145985f0dc6c4699a9c983ff4b2b"), words.root_hash, 32), ERR_OK);

    assert_true(boot_root_is_named(&words, span_array(top)));
}

#define WITH_DISK(test) cmocka_unit_test_setup_teardown(test, make, done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DISK(the_root_is_in_the_slot_whose_top_block_has_the_hash),
        WITH_DISK(a_bit_of_the_block_or_of_the_salt_makes_it_another_root),
        WITH_DISK(a_slot_that_cannot_be_read_leaves_the_other_one),
        WITH_DISK(a_slot_that_is_there_twice_or_never_is_an_error),
        WITH_DISK(the_hash_is_the_one_of_dm_verity),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
