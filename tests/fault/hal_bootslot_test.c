/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An update and a blessing whose power is cut before their k-th change of the disk, for k = 1, 2, ... until one runs through:
 * by the rules of the boot loader there is always an image that starts, and it is whole. */
/* link: --wrap=pwrite --wrap=fsync --wrap=renameat --wrap=unlinkat --wrap=openat */
#include "hal/bootslot.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "tests/lib/temp.h"

#define CALLS_MAX  100
#define ROOT_BYTES 4096
#define PIECE      512

static struct {
    size_t left; /* calls until the cut */
    bool cut;    /* nothing reaches the disk any more */
} power;

ssize_t __real_pwrite(int fd, const void *bytes, size_t len, off_t at);
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t len, off_t at);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_renameat(int old_dir, const char *old_name, int new_dir, const char *new_name);
int __wrap_renameat(int old_dir, const char *old_name, int new_dir, const char *new_name);
int __real_unlinkat(int dir, const char *name, int flags);
int __wrap_unlinkat(int dir, const char *name, int flags);
int __real_openat(int dir, const char *name, int flags, ...);
int __wrap_openat(int dir, const char *name, int flags, ...);

static bool fails(void)
{
    if (power.left != 0) {
        power.left--;
    }
    power.cut = power.cut || power.left == 0;
    errno = EIO;
    return power.cut;
}

/* Half of what was being written reaches the disk. */
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    const bool was_cut = power.cut;

    if (!fails()) {
        return __real_pwrite(fd, bytes, len, at);
    }
    if (!was_cut) {
        (void)__real_pwrite(fd, bytes, len / 2, at);
    }
    errno = EIO;
    return -1;
}

int __wrap_fsync(int fd)
{
    return fails() ? -1 : __real_fsync(fd);
}

int __wrap_renameat(int old_dir, const char *old_name, int new_dir, const char *new_name)
{
    return fails() ? -1 : __real_renameat(old_dir, old_name, new_dir, new_name);
}

int __wrap_unlinkat(int dir, const char *name, int flags)
{
    return fails() ? -1 : __real_unlinkat(dir, name, flags);
}

int __wrap_openat(int dir, const char *name, int flags, ...)
{
    if ((flags & O_CREAT) != 0 && fails()) {
        return -1;
    }
    return __real_openat(dir, name, flags, 0600);
}

static void power_on(size_t until_the_cut)
{
    power.left = until_the_cut;
    power.cut = false;
}

struct box {
    struct temp_dir temp;
    int folder;
    int roots[2]; /* the second does not run */
};

static void put_file(const struct box *box, const char *name, const char *text)
{
    const int fd = openat(box->folder, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
}

/* Runs 1.0 from the first root; 0.9, which came before it, is in the second. */
static struct box box_make(void)
{
    struct box box = {.temp = temp_dir_make()};
    char path[TEMP_PATH_MAX + 16];
    uint8_t bytes[ROOT_BYTES];

    power_on(SIZE_MAX);
    (void)snprintf(path, sizeof(path), "%s/esp", box.temp.path);
    assert_int_equal(mkdir(path, 0700), 0);
    box.folder = open(path, O_RDONLY | O_DIRECTORY);
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof(path), "%s/root-%zu", box.temp.path, i);
        box.roots[i] = open(path, O_RDWR | O_CREAT, 0600);
        assert_true(box.roots[i] >= 0);
        memset(bytes, i == 0 ? '0' : '9', sizeof(bytes)); /* the last digit of its version */
        assert_int_equal(pwrite(box.roots[i], bytes, sizeof(bytes), 0), sizeof(bytes));
    }
    put_file(&box, "rowlock-1.0.efi", "image 1.0");
    put_file(&box, "rowlock-1.0.policy", "policy 1.0");
    put_file(&box, "rowlock-0.9.efi", "image 0.9");
    put_file(&box, "rowlock-0.9.policy", "policy 0.9");
    return box;
}

static void box_end(const struct box *box)
{
    power_on(SIZE_MAX);
    (void)close(box->folder);
    (void)close(box->roots[0]);
    (void)close(box->roots[1]);
    temp_dir_remove(&box->temp);
}

static struct bootslot *slot_of(const struct box *box, const char *running, size_t other_root)
{
    struct bootslot *slot = NULL;

    assert_int_equal(bootslot_new(dup(box->folder), dup(box->roots[other_root]), span_str(running), &slot), ERR_OK);
    return slot;
}

static enum err update(struct bootslot *slot)
{
    const uint32_t bytes[BOOTSLOT_PARTS] = {[BOOTSLOT_IMAGE] = 9, [BOOTSLOT_ROOT] = ROOT_BYTES, [BOOTSLOT_POLICY] = 10};
    uint8_t piece[PIECE];

    memset(piece, '1', sizeof(piece));
    TRY(bootslot_begin(slot, span_lit("1.1"), bytes));
    TRY(bootslot_write(slot, BOOTSLOT_IMAGE, 0, span_lit("image 1.1")));
    for (uint32_t at = 0; at < ROOT_BYTES; at += PIECE) {
        TRY(bootslot_write(slot, BOOTSLOT_ROOT, at, span_array(piece)));
    }
    TRY(bootslot_write(slot, BOOTSLOT_POLICY, 0, span_lit("policy 1.1")));
    return bootslot_commit(slot);
}

static void assert_holds(const struct box *box, const char *version, const char *kind, const char *name)
{
    char wanted[32];
    char got[32] = {0};
    const int fd = openat(box->folder, name, O_RDONLY);

    (void)snprintf(wanted, sizeof(wanted), "%s %s", kind, version);
    assert_true(fd >= 0);
    assert_true(read(fd, got, sizeof(got) - 1) >= 0);
    assert_string_equal(got, wanted);
    (void)close(fd);
}

/* Which image the loader starts: the newest with tries left, or blessed. Its file, policy and root have to be whole. */
static void assert_starts(const struct box *box, struct bootslot *slot, bool may_be_new, bool *out_new)
{
    struct bootslot_entry entries[BOOTSLOT_ENTRIES_MAX];
    const struct bootslot_entry *best = NULL;
    char name[64];
    size_t count = 0;
    bool found = false;

    assert_int_equal(bootslot_list(slot, entries, &count), ERR_OK);
    for (size_t i = 0; i < count; i++) {
        const bool counts = !entries[i].trial || entries[i].left != 0;
        if (counts && (best == NULL || strcmp(entries[i].version, best->version) > 0)) {
            best = &entries[i];
        }
    }
    assert_non_null(best);
    const int len = best->trial ? snprintf(name, sizeof(name), "rowlock-%s+%u.efi", best->version, best->left)
                                : snprintf(name, sizeof(name), "rowlock-%s.efi", best->version);
    assert_true(len > 0);
    assert_holds(box, best->version, "image", name);
    (void)snprintf(name, sizeof(name), "rowlock-%s.policy", best->version);
    assert_holds(box, best->version, "policy", name);
    for (size_t i = 0; i < 2; i++) {
        uint8_t wanted[ROOT_BYTES];
        uint8_t got[ROOT_BYTES];
        memset(wanted, best->version[2], sizeof(wanted));
        assert_int_equal(pread(box->roots[i], got, sizeof(got), 0), sizeof(got));
        found = found || memcmp(got, wanted, sizeof(got)) == 0;
    }
    assert_true(found);
    *out_new = strcmp(best->version, "1.1") == 0;
    assert_true(*out_new ? may_be_new : strcmp(best->version, "1.0") == 0);
}

static void an_update_that_is_cut_anywhere_leaves_an_image_that_starts(void **state)
{
    bool done = false;
    size_t cuts = 0;
    size_t news = 0;
    (void)state;

    for (; !done && cuts < CALLS_MAX; cuts++) {
        struct box box = box_make();
        struct bootslot *slot = slot_of(&box, "1.0", 1);
        bool is_new = false;
        power_on(cuts + 1);
        done = update(slot) == ERR_OK;
        power_on(SIZE_MAX);
        bootslot_free(slot);

        slot = slot_of(&box, "1.0", 1);
        assert_starts(&box, slot, true, &is_new);
        news += is_new ? 1 : 0;
        assert_true(is_new || !done);

        assert_int_equal(update(slot), ERR_OK); /* and the next try goes through */
        assert_starts(&box, slot, true, &is_new);
        assert_true(is_new);
        bootslot_free(slot);
        box_end(&box);
    }

    assert_true(done);
    assert_true(cuts > 15); /* each write, sync, removal and rename was one */
    assert_true(news <= 2); /* after the last rename, and no earlier */
}

static void a_blessing_that_is_cut_anywhere_leaves_an_image_that_starts(void **state)
{
    bool done = false;
    size_t cuts = 0;
    (void)state;

    for (; !done && cuts < CALLS_MAX; cuts++) {
        struct box box = box_make();
        struct bootslot *slot = slot_of(&box, "1.0", 1);
        bool is_new = false;
        assert_int_equal(update(slot), ERR_OK);
        bootslot_free(slot);
        slot = slot_of(&box, "1.1", 0);
        power_on(cuts + 1);
        done = bootslot_bless(slot) == ERR_OK;
        power_on(SIZE_MAX);

        assert_starts(&box, slot, true, &is_new);
        assert_true(is_new);
        assert_int_equal(bootslot_bless(slot), ERR_OK);
        bootslot_free(slot);
        box_end(&box);
    }

    assert_true(done);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_update_that_is_cut_anywhere_leaves_an_image_that_starts),
        cmocka_unit_test(a_blessing_that_is_cut_anywhere_leaves_an_image_that_starts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
