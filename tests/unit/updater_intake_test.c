/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An update from its first byte to its bootable name, on a folder and a file in place of ESP and partition. The files are those
 * of board/image/update.py and policy.py, signed with the trial keys. */
#include "firmware/updater/intake.h"

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
#include <generated/vendor_keys.h>

#include "hal/base/fault.h"
#include "tests/lib/temp.h"

#define ROOT_BYTES ((size_t)1500000) /* two chunks */
#define SLOT_BYTES ((size_t)2 << 20)
#define FILE_MAX   ((size_t)2 << 20)

static const uint8_t update_key[] = VENDOR_UPDATE_KEY;
static const uint8_t policy_key[] = VENDOR_POLICY_KEY;

struct fixture {
    struct temp_dir temp;
    int folder;
    struct bootslot *slot;
    struct intake *intake;
    uint8_t *file;
    size_t bytes;
};

/* policy: further options of policy.py, which come last and win. */
static void make_update(struct fixture *f, const char *version, const char *policy)
{
    static const char format[] = "cd %s && printf kernel >k && head -c %zu /dev/zero | tr '\\0' r >r && m=%s && "
                                 "python3 -B $m/board/image/policy.py --key $m/board/keys/qemu/policy.key --board "
                                 "qemu-x86_64 --version %s --security 2 "
                                 "--pcr11 $(printf '%%064d' 0) %s -o p && python3 -B $m/board/image/update.py --key "
                                 "$m/board/keys/qemu/update.key "
                                 "--board qemu-x86_64 --version %s --security 2 --uki k --root r --policy p --out u";
    char command[1500];
    char path[TEMP_PATH_MAX + 8];
    char here[512];

    assert_non_null(getcwd(here, sizeof(here)));
    const int len =
        snprintf(command, sizeof(command), format, f->temp.path, ROOT_BYTES, here, version, policy, version);
    assert_true(len > 0 && (size_t)len < sizeof(command));
    assert_int_equal(system(command), 0);
    (void)snprintf(path, sizeof(path), "%s/u", f->temp.path);
    FILE *const file = fopen(path, "rb");
    assert_non_null(file);
    f->bytes = fread(f->file, 1, FILE_MAX, file);
    assert_int_equal(fclose(file), 0);
    assert_in_range(f->bytes, ROOT_BYTES, FILE_MAX - 1);
}

static int setup(void **state)
{
    struct fixture *const f = calloc(1, sizeof(*f));
    char path[TEMP_PATH_MAX + 8];

    assert_non_null(f);
    f->file = malloc(FILE_MAX);
    assert_non_null(f->file);
    f->temp = temp_dir_make();
    (void)snprintf(path, sizeof(path), "%s/esp", f->temp.path);
    assert_int_equal(mkdir(path, 0700), 0);
    f->folder = open(path, O_RDONLY | O_DIRECTORY);
    (void)snprintf(path, sizeof(path), "%s/slot", f->temp.path);
    const int root = open(path, O_RDWR | O_CREAT, 0600);
    assert_true(f->folder >= 0 && root >= 0);
    assert_int_equal(ftruncate(root, (off_t)SLOT_BYTES), 0);
    const int running = openat(f->folder, "rowlock-1.0.efi", O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(running, "image", 5), 5);
    assert_int_equal(close(running), 0);
    assert_int_equal(bootslot_new(dup(f->folder), root, span_lit("1.0"), &f->slot), ERR_OK);
    const struct intake_options options = {.update_key = update_key,
                                           .policy_key = policy_key,
                                           .board = span_lit("qemu-x86_64"),
                                           .running = span_lit("1.0"),
                                           .security = 2,
                                           .slot = f->slot};
    assert_int_equal(intake_new(&options, &f->intake), ERR_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *const f = *state;

    intake_free(f->intake);
    bootslot_free(f->slot);
    (void)close(f->folder);
    temp_dir_remove(&f->temp);
    free(f->file);
    free(f);
    return 0;
}

static bool is_there(const struct fixture *f, const char *name)
{
    return faccessat(f->folder, name, F_OK, 0) == 0;
}

static enum err feed(struct fixture *f, size_t from, size_t to)
{
    for (size_t at = from; at < to; at += 100000) {
        TRY(intake_feed(f->intake, span_of(f->file + at, to - at < 100000 ? to - at : 100000)));
    }
    return ERR_OK;
}

static void a_whole_update_gets_its_name_after_it_was_approved(void **state)
{
    struct fixture *const f = *state;
    struct span policy = SPAN_NONE;
    char last = 0;
    make_update(f, "1.1", "");

    assert_int_equal(intake_phase(f->intake), MSG_UPDATE_NONE);
    assert_int_equal(intake_begin(f->intake), ERR_OK);
    assert_int_equal(feed(f, 0, f->bytes - 1), ERR_OK);
    assert_int_equal(intake_phase(f->intake), MSG_UPDATE_RECEIVING);
    assert_int_equal(intake_policy(f->intake, &policy), ERR_STATE);
    assert_int_equal(intake_install(f->intake), ERR_STATE);
    assert_int_equal(feed(f, f->bytes - 1, f->bytes), ERR_OK);
    assert_int_equal(intake_phase(f->intake), MSG_UPDATE_WHOLE);
    assert_int_equal(intake_received(f->intake), f->bytes);
    assert_string_equal(intake_info(f->intake)->version, "1.1");
    assert_int_equal(intake_policy(f->intake, &policy), ERR_OK);
    assert_true(span_starts_with(policy, span_lit("rowlock-policy 1\n")));
    assert_false(is_there(f, "rowlock-1.1+3.efi"));
    assert_int_equal(intake_install(f->intake), ERR_OK);

    assert_true(is_there(f, "rowlock-1.1+3.efi") && is_there(f, "rowlock-1.1.policy") &&
                is_there(f, "rowlock-1.0.efi"));
    assert_int_equal(intake_phase(f->intake), MSG_UPDATE_INSTALLED);
    assert_int_equal(intake_begin(f->intake), ERR_STATE);
    const int slot = openat(f->folder, "../slot", O_RDONLY);
    assert_int_equal(pread(slot, &last, 1, (off_t)ROOT_BYTES - 1), 1);
    assert_int_equal(last, 'r');
    (void)close(slot);
}

static void attack_20_a_changed_byte_ends_the_update_and_it_may_be_begun_again(void **state)
{
    struct fixture *const f = *state;
    struct span policy = SPAN_NONE;
    make_update(f, "1.1", "");
    f->file[f->bytes - 1] ^= 1;

    assert_int_equal(intake_begin(f->intake), ERR_OK);
    assert_int_equal(feed(f, 0, f->bytes), ERR_AUTH);
    assert_int_equal(intake_phase(f->intake), MSG_UPDATE_NONE);
    assert_int_equal(feed(f, 0, 1), ERR_STATE);
    assert_int_equal(intake_policy(f->intake, &policy), ERR_STATE);
    assert_int_equal(intake_install(f->intake), ERR_STATE);
    f->file[f->bytes - 1] ^= 1;

    assert_int_equal(intake_begin(f->intake), ERR_OK);
    assert_int_equal(feed(f, 0, f->bytes), ERR_OK);
    assert_int_equal(intake_install(f->intake), ERR_OK);
}

static void attack_20_bytes_behind_a_whole_update_undo_it(void **state)
{
    struct fixture *const f = *state;
    make_update(f, "1.1", "");
    assert_int_equal(intake_begin(f->intake), ERR_OK);
    assert_int_equal(feed(f, 0, f->bytes), ERR_OK);

    assert_int_equal(intake_feed(f->intake, span_lit("x")), ERR_MALFORMED);

    assert_int_equal(intake_phase(f->intake), MSG_UPDATE_NONE);
    assert_int_equal(intake_install(f->intake), ERR_STATE);
    assert_false(is_there(f, "rowlock-1.1+3.efi"));
}

static void attack_20_a_policy_of_another_image_is_refused(void **state)
{
    static const char *const others[] = {"--version 1.2", "--security 3", "--board host"};
    struct fixture *const f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(others); i++) {
        struct span policy = SPAN_NONE;
        make_update(f, "1.1", others[i]);
        assert_int_equal(intake_begin(f->intake), ERR_OK);
        assert_int_equal(feed(f, 0, f->bytes), ERR_OK);
        assert_int_equal(intake_policy(f->intake, &policy), ERR_CONFLICT);
    }
}

static void attack_19_what_is_not_newer_leaves_the_other_slot_alone(void **state)
{
    struct fixture *const f = *state;
    make_update(f, "0.9", "");
    assert_int_equal(close(openat(f->folder, "rowlock-0.8.efi", O_WRONLY | O_CREAT, 0600)), 0);

    assert_int_equal(intake_begin(f->intake), ERR_OK);
    assert_int_equal(feed(f, 0, f->bytes), ERR_ROLLBACK);

    assert_true(is_there(f, "rowlock-0.8.efi"));
    assert_null(intake_info(f->intake));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_whole_update_gets_its_name_after_it_was_approved, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_20_a_changed_byte_ends_the_update_and_it_may_be_begun_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(attack_20_bytes_behind_a_whole_update_undo_it, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_20_a_policy_of_another_image_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_19_what_is_not_newer_leaves_the_other_slot_alone, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
