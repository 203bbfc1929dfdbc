/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hal/bootslot.h on a plain folder and a plain file in place of ESP and partition. */
#include "hal/bootslot.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "tests/lib/temp.h"

#define SLOT_BYTES 8192

struct fixture {
    struct temp_dir temp;
    int folder;
    struct bootslot *slot;
};

static void make_file(const struct fixture *f, const char *name, size_t bytes)
{
    const int fd = openat(f->folder, name, O_WRONLY | O_CREAT | O_EXCL, 0600);

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
    assert_int_equal(close(fd), 0);
}

static bool is_there(const struct fixture *f, const char *name)
{
    return faccessat(f->folder, name, F_OK, 0) == 0;
}

static int setup(void **state)
{
    struct fixture *const f = calloc(1, sizeof(*f));
    char path[TEMP_PATH_MAX + 16];

    assert_non_null(f);
    f->temp = temp_dir_make();
    (void)snprintf(path, sizeof(path), "%s/esp", f->temp.path);
    assert_int_equal(mkdir(path, 0700), 0);
    f->folder = open(path, O_RDONLY | O_DIRECTORY);
    (void)snprintf(path, sizeof(path), "%s/root-b", f->temp.path);
    const int root = open(path, O_RDWR | O_CREAT, 0600);
    assert_true(f->folder >= 0 && root >= 0);
    assert_int_equal(ftruncate(root, SLOT_BYTES), 0);
    make_file(f, "rowlock-1.0.efi", 10);
    make_file(f, "rowlock-1.0.policy", 10);
    make_file(f, "vendor.efi", 10);
    assert_int_equal(bootslot_new(dup(f->folder), root, span_lit("1.0"), &f->slot), ERR_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *const f = *state;

    bootslot_free(f->slot);
    (void)close(f->folder);
    temp_dir_remove(&f->temp);
    free(f);
    return 0;
}

static const uint32_t sizes[BOOTSLOT_PARTS] = {[BOOTSLOT_IMAGE] = 3, [BOOTSLOT_ROOT] = 4096, [BOOTSLOT_POLICY] = 2};

static enum err update(struct fixture *f, const char *version)
{
    static const uint8_t root[4096] = {1, 2, 3};

    TRY(bootslot_begin(f->slot, span_str(version), sizes));
    TRY(bootslot_write(f->slot, BOOTSLOT_IMAGE, 0, span_lit("ke")));
    TRY(bootslot_write(f->slot, BOOTSLOT_IMAGE, 2, span_lit("r")));
    TRY(bootslot_write(f->slot, BOOTSLOT_ROOT, 0, span_array(root)));
    TRY(bootslot_write(f->slot, BOOTSLOT_POLICY, 0, span_lit("po")));
    return bootslot_commit(f->slot);
}

static void names_of_images_are_read_and_no_others(void **state)
{
    static const struct {
        const char *name;
        const char *version;
        bool trial;
        uint32_t left;
        uint32_t done;
    } good[] = {{"rowlock-1.efi", "1", false, 0, 0},
                {"rowlock-1.2.0~rc-a_B.efi", "1.2.0~rc-a_B", false, 0, 0},
                {"rowlock-1+3.efi", "1", true, 3, 0},
                {"rowlock-1.2+0-3.efi", "1.2", true, 0, 3},
                {"rowlock-1+999-999.efi", "1", true, 999, 999}};
    static const char *const bad[] = {"",
                                      "rowlock-.efi",
                                      "rowlock-1.ef",
                                      "rowlock-1.efi.tmp",
                                      "rowlock-1+.efi",
                                      "rowlock-1+a.efi",
                                      "rowlock-1+1-.efi",
                                      "rowlock-1+1000.efi",
                                      "rowlock-1+1-2-3.efi",
                                      "rowlock-+3.efi",
                                      "Rowlock-1.efi",
                                      "rowlock-a/b.efi",
                                      "rowlock-a b.efi",
                                      "vendor.efi"};
    struct bootslot_entry entry;
    (void)state;

    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        assert_int_equal(bootslot_read_name(span_str(good[i].name), &entry), ERR_OK);
        assert_string_equal(entry.version, good[i].version);
        assert_int_equal(entry.trial, good[i].trial);
        assert_int_equal(entry.left, good[i].left);
        assert_int_equal(entry.done, good[i].done);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        assert_int_equal(bootslot_read_name(span_str(bad[i]), &entry), ERR_NOT_FOUND);
    }
}

static void an_update_is_tried_and_the_running_image_stays(void **state)
{
    struct fixture *const f = *state;
    struct bootslot_entry entries[BOOTSLOT_ENTRIES_MAX];
    size_t count = 0;
    char root[4];

    assert_int_equal(update(f, "1.1"), ERR_OK);

    assert_true(is_there(f, "rowlock-1.1+3.efi") && is_there(f, "rowlock-1.1.policy"));
    assert_true(is_there(f, "rowlock-1.0.efi") && is_there(f, "rowlock-1.0.policy"));
    assert_false(is_there(f, "rowlock.efi.tmp") || is_there(f, "rowlock.policy.tmp"));
    assert_int_equal(bootslot_list(f->slot, entries, &count), ERR_OK);
    assert_int_equal(count, 2);
    const int fd = openat(f->folder, "../root-b", O_RDONLY);
    assert_int_equal(read(fd, root, sizeof(root)), sizeof(root));
    assert_memory_equal(root, "\1\2\3\0", sizeof(root));
    (void)close(fd);
}

static void an_update_removes_what_the_other_slot_held_and_nothing_else(void **state)
{
    struct fixture *const f = *state;
    make_file(f, "rowlock-0.9.efi", 1);
    make_file(f, "rowlock-0.9.policy", 1);
    make_file(f, "rowlock-1.1+0-3.efi", 1);
    make_file(f, "rowlock.efi.tmp", 1);

    assert_int_equal(bootslot_begin(f->slot, span_lit("1.2"), sizes), ERR_OK);

    assert_false(is_there(f, "rowlock-0.9.efi") || is_there(f, "rowlock-0.9.policy") ||
                 is_there(f, "rowlock-1.1+0-3.efi"));
    assert_true(is_there(f, "rowlock-1.0.efi") && is_there(f, "rowlock-1.0.policy") && is_there(f, "vendor.efi"));
}

/* On FAT they may share their content, and removing one would free what the other needs. */
static void of_two_names_of_the_running_image_none_is_removed(void **state)
{
    struct fixture *const f = *state;
    make_file(f, "rowlock-1.0+1-2.efi", 1);

    assert_int_equal(bootslot_begin(f->slot, span_lit("1.2"), sizes), ERR_OK);

    assert_true(is_there(f, "rowlock-1.0.efi") && is_there(f, "rowlock-1.0+1-2.efi"));
}

/* What a cut in the middle of a blessing may leave on FAT. */
static void an_empty_name_is_no_blessing(void **state)
{
    struct fixture *const f = *state;
    struct stat status;
    bool trial = false;
    assert_int_equal(renameat(f->folder, "rowlock-1.0.efi", f->folder, "rowlock-1.0+2-1.efi"), 0);
    make_file(f, "rowlock-1.0.efi", 0);
    assert_int_equal(bootslot_on_trial(f->slot, &trial), ERR_OK);
    assert_true(trial);

    assert_int_equal(bootslot_bless(f->slot), ERR_OK);

    assert_false(is_there(f, "rowlock-1.0+2-1.efi"));
    assert_int_equal(fstatat(f->folder, "rowlock-1.0.efi", &status, 0), 0);
    assert_int_equal(status.st_size, 10);
    assert_int_equal(bootslot_on_trial(f->slot, &trial), ERR_OK);
    assert_false(trial);
}

static void a_running_image_on_trial_keeps_what_the_box_falls_back_to(void **state)
{
    struct fixture *const f = *state;
    bool trial = false;
    assert_int_equal(renameat(f->folder, "rowlock-1.0.efi", f->folder, "rowlock-1.0+2-1.efi"), 0);
    make_file(f, "rowlock-0.9.efi", 1);

    assert_int_equal(bootslot_on_trial(f->slot, &trial), ERR_OK);
    assert_true(trial);
    assert_int_equal(bootslot_begin(f->slot, span_lit("1.1"), sizes), ERR_STATE);

    assert_true(is_there(f, "rowlock-0.9.efi") && is_there(f, "rowlock-1.0+2-1.efi"));
}

static void blessing_ends_the_counting_and_may_be_repeated(void **state)
{
    static const char *const names[] = {"rowlock-1.0+3.efi", "rowlock-1.0+2-1.efi", "rowlock-1.0+0-3.efi",
                                        "rowlock-1.0+02-01.efi"};
    struct fixture *const f = *state;
    bool trial = true;

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        assert_int_equal(renameat(f->folder, "rowlock-1.0.efi", f->folder, names[i]), 0);
        assert_int_equal(bootslot_bless(f->slot), ERR_OK);
        assert_true(is_there(f, "rowlock-1.0.efi") && !is_there(f, names[i]));
        assert_int_equal(bootslot_bless(f->slot), ERR_OK);
        assert_int_equal(bootslot_on_trial(f->slot, &trial), ERR_OK);
        assert_false(trial);
    }
}

static void a_running_image_without_a_file_has_nothing_to_bless_or_replace(void **state)
{
    struct fixture *const f = *state;
    bool trial = false;
    assert_int_equal(unlinkat(f->folder, "rowlock-1.0.efi", 0), 0);

    assert_int_equal(bootslot_on_trial(f->slot, &trial), ERR_NOT_FOUND);
    assert_int_equal(bootslot_bless(f->slot), ERR_NOT_FOUND);
    assert_int_equal(bootslot_begin(f->slot, span_lit("1.1"), sizes), ERR_NOT_FOUND);
}

static void what_does_not_fit_is_refused_at_the_beginning(void **state)
{
    struct fixture *const f = *state;
    uint32_t bytes[BOOTSLOT_PARTS] = {1, SLOT_BYTES, 1};

    assert_int_equal(bootslot_begin(f->slot, span_lit("1.1"), bytes), ERR_OK);
    bytes[BOOTSLOT_ROOT]++;
    assert_int_equal(bootslot_begin(f->slot, span_lit("1.1"), bytes), ERR_RANGE);
    assert_int_equal(bootslot_begin(f->slot, span_lit("1.0"), sizes), ERR_EXISTS);
}

static void pieces_out_of_order_or_out_of_bounds_are_refused(void **state)
{
    struct fixture *const f = *state;

    assert_int_equal(bootslot_write(f->slot, BOOTSLOT_IMAGE, 0, span_lit("k")), ERR_STATE);
    assert_int_equal(bootslot_commit(f->slot), ERR_STATE);
    assert_int_equal(bootslot_begin(f->slot, span_lit("1.1"), sizes), ERR_OK);
    assert_int_equal(bootslot_write(f->slot, BOOTSLOT_IMAGE, 1, span_lit("k")), ERR_RANGE);
    assert_int_equal(bootslot_write(f->slot, BOOTSLOT_IMAGE, 0, span_lit("kern")), ERR_RANGE);
    assert_int_equal(bootslot_write(f->slot, BOOTSLOT_IMAGE, 0, span_lit("ker")), ERR_OK);
    assert_int_equal(bootslot_write(f->slot, BOOTSLOT_IMAGE, 0, span_lit("ker")), ERR_RANGE);
}

static void what_is_not_whole_gets_no_name(void **state)
{
    struct fixture *const f = *state;
    assert_int_equal(bootslot_begin(f->slot, span_lit("1.1"), sizes), ERR_OK);
    assert_int_equal(bootslot_write(f->slot, BOOTSLOT_IMAGE, 0, span_lit("ker")), ERR_OK);

    assert_int_equal(bootslot_commit(f->slot), ERR_STATE);

    assert_false(is_there(f, "rowlock-1.1+3.efi") || is_there(f, "rowlock-1.1.policy"));
    assert_int_equal(bootslot_write(f->slot, BOOTSLOT_ROOT, 0, span_lit("x")), ERR_STATE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_images_are_read_and_no_others),
        cmocka_unit_test_setup_teardown(an_update_is_tried_and_the_running_image_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(an_update_removes_what_the_other_slot_held_and_nothing_else, setup, teardown),
        cmocka_unit_test_setup_teardown(of_two_names_of_the_running_image_none_is_removed, setup, teardown),
        cmocka_unit_test_setup_teardown(an_empty_name_is_no_blessing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_running_image_on_trial_keeps_what_the_box_falls_back_to, setup, teardown),
        cmocka_unit_test_setup_teardown(blessing_ends_the_counting_and_may_be_repeated, setup, teardown),
        cmocka_unit_test_setup_teardown(a_running_image_without_a_file_has_nothing_to_bless_or_replace, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_does_not_fit_is_refused_at_the_beginning, setup, teardown),
        cmocka_unit_test_setup_teardown(pieces_out_of_order_or_out_of_bounds_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_whole_gets_no_name, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
