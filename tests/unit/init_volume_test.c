/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/init/volume.h with the machine written down: what is done to it, in which order, and that a volume which was ever
 * made is never made anew. */
/* link: --wrap=blockdev_wait --wrap=blockdev_sectors --wrap=blockdev_clear --wrap=mapper_integrity --wrap=mapper_crypt --wrap=mapper_remove --wrap=kernel_key_drop --wrap=mounts_has --wrap=mounts_mark --wrap=volume_fill --wrap=volume_mount */
#include "firmware/init/volume.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "hal/blockdev.h"
#include "hal/kernel_key.h"
#include "hal/mapper.h"
#include "hal/mounts.h"
#include "hal/volume.h"

static struct board_desc board;

static struct {
    char story[256];
    bool is_made;
    const char *fails; /* this step */
    enum err error;
} machine;

static enum err step(const char *name)
{
    const size_t len = strlen(machine.story);

    snprintf(machine.story + len, sizeof(machine.story) - len, "%s ", name);
    return machine.fails != NULL && strcmp(machine.fails, name) == 0 ? machine.error : ERR_OK;
}

enum err __wrap_blockdev_wait(struct span label, unsigned int timeout_ms, struct blockdev *out_device);
enum err __wrap_blockdev_sectors(const struct blockdev *device, uint64_t *out_sectors);
enum err __wrap_mapper_crypt(const char *name, const struct mapper_crypt *crypt, struct blockdev *out_device);
enum err __wrap_mapper_remove(const char *name);
enum err __wrap_blockdev_clear(const struct blockdev *device);
enum err __wrap_mapper_integrity(const char *name, const struct blockdev *device, struct blockdev *out_device,
                                 uint64_t *out_sectors);
enum err __wrap_kernel_key_drop(const char *name);
enum err __wrap_mounts_has(const char *directory, const char *name, bool *out_there);
enum err __wrap_mounts_mark(const char *directory, const char *name);
enum err __wrap_volume_fill(const struct blockdev *device);
enum err __wrap_volume_mount(const struct blockdev *device, const char *parent, const char *name,
                             const struct mounts_owner *owner);

enum err __wrap_blockdev_wait(struct span label, unsigned int timeout_ms, struct blockdev *out_device)
{
    assert_true(span_equal(label, span_lit("data")));
    *out_device = (struct blockdev){.major = 254, .minor = 5};
    return step("find");
}

enum err __wrap_blockdev_sectors(const struct blockdev *device, uint64_t *out_sectors)
{
    assert_int_equal(device->minor, 5);
    *out_sectors = 4096;
    return step("size");
}

enum err __wrap_mapper_crypt(const char *name, const struct mapper_crypt *crypt, struct blockdev *out_device)
{
    assert_int_equal(crypt->device->minor, board.data_has_tags ? 9 : 5);
    assert_int_equal(crypt->sectors, board.data_has_tags ? 4000 : 4096);
    assert_int_equal(crypt->has_tags, board.data_has_tags);
    assert_string_equal(crypt->key_name, KERNEL_KEY_VOLUME);
    *out_device = (struct blockdev){.major = 253, .minor = 1};
    return step("map");
}

enum err __wrap_mapper_remove(const char *name)
{
    return step(strcmp(name, "data") == 0 ? "unmap" : "untag");
}

enum err __wrap_blockdev_clear(const struct blockdev *device)
{
    assert_int_equal(device->minor, 5);
    return step("clear");
}

enum err __wrap_mapper_integrity(const char *name, const struct blockdev *device, struct blockdev *out_device,
                                 uint64_t *out_sectors)
{
    assert_string_equal(name, "data-tags");
    assert_int_equal(device->minor, 5);
    *out_device = (struct blockdev){.major = 253, .minor = 9};
    *out_sectors = 4000;
    return step("tag");
}

enum err __wrap_kernel_key_drop(const char *name)
{
    assert_string_equal(name, KERNEL_KEY_VOLUME);
    return step("drop");
}

enum err __wrap_mounts_has(const char *directory, const char *name, bool *out_there)
{
    assert_string_equal(directory, "/var/lib/rowlock");
    *out_there = machine.is_made;
    return step("look");
}

enum err __wrap_mounts_mark(const char *directory, const char *name)
{
    assert_string_equal(directory, "/var/lib/rowlock");
    return step("mark");
}

enum err __wrap_volume_fill(const struct blockdev *device)
{
    assert_int_equal(device->major, 253);
    return step("fill");
}

enum err __wrap_volume_mount(const struct blockdev *device, const char *parent, const char *name,
                             const struct mounts_owner *owner)
{
    assert_int_equal(device->major, 253);
    assert_string_equal(parent, "/var/lib/rowlock");
    assert_string_equal(name, "db");
    assert_int_equal(owner->uid, 100);
    return step("mount");
}

static int make(void **state)
{
    (void)state;
    memset(&machine, 0, sizeof(machine));
    machine.error = ERR_IO;
    board = (struct board_desc){.data_volume = true, .worker_uid = 100, .worker_gid = 100};
    return 0;
}

static int done(void **state)
{
    (void)state;
    fault_clear();
    return 0;
}

static void the_first_time_it_is_made_before_it_is_mounted_and_marked_after(void **state)
{
    assert_int_equal(volume_open(&board), ERR_OK);
    assert_string_equal(machine.story, "look find size map drop fill mount mark ");
}

static void later_it_is_mounted_as_it_is(void **state)
{
    machine.is_made = true;

    assert_int_equal(volume_open(&board), ERR_OK);
    assert_string_equal(machine.story, "look find size map drop mount ");
}

static void what_cannot_be_mounted_is_not_made_anew(void **state)
{
    machine.is_made = true;
    machine.fails = "mount";

    assert_int_equal(volume_open(&board), ERR_IO);
    assert_string_equal(machine.story, "look find size map drop mount unmap untag ");
}

static void what_cannot_be_told_of_is_not_made_anew(void **state)
{
    machine.fails = "look";

    assert_int_equal(volume_open(&board), ERR_IO);
    assert_string_equal(machine.story, "look unmap untag ");
}

static void the_key_leaves_the_keyring_also_when_it_opens_nothing(void **state)
{
    machine.fails = "map";
    machine.error = ERR_NOT_FOUND;

    assert_int_equal(volume_open(&board), ERR_NOT_FOUND);
    assert_string_equal(machine.story, "look find size map drop unmap untag ");
}

static void a_step_that_fails_ends_it_and_leaves_nothing_mapped(void **state)
{
    static const struct {
        const char *fails;
        const char *story;
    } cases[] = {
        {"find", "look find drop unmap untag "},
        {"size", "look find size drop unmap untag "},
        {"fill", "look find size map drop fill unmap untag "},
        {"mount", "look find size map drop fill mount unmap untag "},
        {"mark", "look find size map drop fill mount mark unmap untag "},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        machine.story[0] = '\0';
        machine.fails = cases[i].fails;

        assert_int_equal(volume_open(&board), ERR_IO);
        assert_string_equal(machine.story, cases[i].story);
    }
}

static void a_key_that_stays_in_the_keyring_is_no_reason_to_do_without_the_volume(void **state)
{
    machine.is_made = true;
    machine.fails = "drop";

    assert_int_equal(volume_open(&board), ERR_OK);
}

static void with_tags_room_for_them_is_made_anew_the_first_time_only(void **state)
{
    board.data_has_tags = true;

    assert_int_equal(volume_open(&board), ERR_OK);
    assert_string_equal(machine.story, "look find clear tag map drop fill mount mark ");
    machine.story[0] = '\0';
    machine.is_made = true;
    assert_int_equal(volume_open(&board), ERR_OK);
    assert_string_equal(machine.story, "look find tag map drop mount ");
}

static void with_tags_a_step_that_fails_leaves_nothing_mapped_and_no_key(void **state)
{
    static const struct {
        const char *fails;
        const char *story;
    } cases[] = {
        {"clear", "look find clear drop unmap untag "},
        {"tag", "look find clear tag drop unmap untag "},
        {"map", "look find clear tag map drop unmap untag "},
        {"mount", "look find clear tag map drop fill mount unmap untag "},
    };
    board.data_has_tags = true;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        machine.story[0] = '\0';
        machine.fails = cases[i].fails;

        assert_int_equal(volume_open(&board), ERR_IO);
        assert_string_equal(machine.story, cases[i].story);
    }
}

#define WITH_MACHINE(test) cmocka_unit_test_setup_teardown(test, make, done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_MACHINE(the_first_time_it_is_made_before_it_is_mounted_and_marked_after),
        WITH_MACHINE(later_it_is_mounted_as_it_is),
        WITH_MACHINE(what_cannot_be_mounted_is_not_made_anew),
        WITH_MACHINE(what_cannot_be_told_of_is_not_made_anew),
        WITH_MACHINE(the_key_leaves_the_keyring_also_when_it_opens_nothing),
        WITH_MACHINE(a_step_that_fails_ends_it_and_leaves_nothing_mapped),
        WITH_MACHINE(with_tags_room_for_them_is_made_anew_the_first_time_only),
        WITH_MACHINE(with_tags_a_step_that_fails_leaves_nothing_mapped_and_no_key),
        WITH_MACHINE(a_key_that_stays_in_the_keyring_is_no_reason_to_do_without_the_volume),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
