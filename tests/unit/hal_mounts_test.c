/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hal/mounts.h and hal/volume.h: what the kernel is asked to mount, and how. */
/* link: --wrap=mount --wrap=umount2 --wrap=chown --wrap=fchown --wrap=chmod --wrap=fchmod --wrap=mkdir --wrap=open --wrap=ioctl --wrap=unlinkat */
#include "hal/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "hal/volume.h"
#include "tests/lib/temp.h"

#define RESIZE _IOW('f', 16, uint64_t)
#define STRICT (MS_NOSUID | MS_NOEXEC | MS_NODEV)

static struct temp_dir dir;
static struct {
    char story[512];
    unsigned long flags; /* of the mount before last that named a type */
    char options[128];
    const char *fails; /* a mount on this target */
    uint64_t blocks;   /* grown to */
    int resize_error;
    bool is_used; /* the wraps of files are for the call under test */
} kernel;

int __wrap_mount(const char *from, const char *to, const char *type, unsigned long flags, const void *options);
int __wrap_umount2(const char *target, int flags);
int __wrap_chown(const char *path, uid_t uid, gid_t gid);
int __wrap_fchown(int fd, uid_t uid, gid_t gid);
int __wrap_chmod(const char *path, mode_t mode);
int __wrap_fchmod(int fd, mode_t mode);
int __real_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode);
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __real_unlinkat(int fd, const char *name, int flags);
int __wrap_unlinkat(int fd, const char *name, int flags);

static void note(const char *what, const char *on)
{
    const size_t len = strlen(kernel.story);

    snprintf(kernel.story + len, sizeof(kernel.story) - len, "%s%s%s ", what, on[0] == '\0' ? "" : ":", on);
}

static const char *moved(const char *path)
{
    static char text[256];

    if (!kernel.is_used || (strncmp(path, "/usr/share/", 11) != 0 && strncmp(path, "/dev/dm", 7) != 0 &&
                            strncmp(path, "/run/", 5) != 0)) {
        return path;
    }
    snprintf(text, sizeof(text), "%s/%s", dir.path, strrchr(path, '/') + 1);
    return text;
}

int __wrap_mount(const char *from, const char *to, const char *type, unsigned long flags, const void *options)
{
    note((flags & MS_MOVE) != 0 ? "move" : type, strncmp(to, "/proc/self/fd/", 14) == 0 ? "(opened)" : to);
    if ((flags & MS_MOVE) == 0) {
        kernel.flags = flags;
        snprintf(kernel.options, sizeof(kernel.options), "%s", options != NULL ? (const char *)options : "");
    }
    if (kernel.fails != NULL && strcmp(kernel.fails, to) == 0) {
        errno = EINVAL;
        return -1;
    }
    (void)from;
    return 0;
}

int __wrap_umount2(const char *target, int flags)
{
    note("unmount", target);
    return 0;
}

int __wrap_chown(const char *path, uid_t uid, gid_t gid)
{
    char text[64];

    snprintf(text, sizeof(text), "%s=%u:%u", path, uid, gid);
    note("chown", text);
    return 0;
}

int __wrap_fchown(int fd, uid_t uid, gid_t gid)
{
    char text[64];

    snprintf(text, sizeof(text), "%u:%u", uid, gid);
    note("chown", text);
    return 0;
}

int __wrap_chmod(const char *path, mode_t mode)
{
    char text[64];

    snprintf(text, sizeof(text), "%s=%o", path, mode);
    note("chmod", text);
    return 0;
}

int __wrap_fchmod(int fd, mode_t mode)
{
    char text[64];

    snprintf(text, sizeof(text), "%o", mode);
    note("chmod", text);
    return 0;
}

int __wrap_mkdir(const char *path, mode_t mode)
{
    return __real_mkdir(moved(path), mode);
}

int __wrap_open(const char *path, int flags, ...)
{
    va_list rest;

    va_start(rest, flags);
    const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return __real_open(moved(path), flags, mode);
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list rest;

    va_start(rest, request);
    uint64_t *const number = va_arg(rest, uint64_t *);
    va_end(rest);
    if (request == BLKGETSIZE64) {
        *number = 512u << 20;
        return 0;
    }
    assert_int_equal(request, RESIZE);
    kernel.blocks = *number;
    note("grow", "");
    errno = kernel.resize_error;
    return kernel.resize_error == 0 ? 0 : -1;
}

int __wrap_unlinkat(int fd, const char *name, int flags)
{
    if (kernel.is_used) {
        note("remove", name);
        errno = ENOENT;
        return -1;
    }
    return __real_unlinkat(fd, name, flags);
}

static int make(void **state)
{
    (void)state;
    memset(&kernel, 0, sizeof(kernel));
    dir = temp_dir_make();
    return 0;
}

static int done(void **state)
{
    (void)state;
    kernel.is_used = false;
    temp_dir_remove(&dir);
    fault_clear();
    return 0;
}

static const struct mounts_owner user = {.uid = 100, .gid = 101};
static const struct blockdev device = {.path = "/dev/dm-1"};

static const char *in_dir(const char *name)
{
    static char path[2][256];
    static size_t turn;

    turn = 1 - turn;
    snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir.path, name);
    return path[turn];
}

static void the_kernels_own_file_systems_come_in_their_order(void **state)
{
    assert_int_equal(mounts_kernel(), ERR_OK);
    assert_string_equal(kernel.story, "devtmpfs:/dev proc:/proc sysfs:/sys ");
    assert_int_equal(kernel.flags & STRICT, STRICT);
}

static void what_is_forgotten_holds_no_programs_and_no_devices(void **state)
{
    assert_int_equal(mounts_scratch(), ERR_OK);
    assert_string_equal(kernel.story, "tmpfs:/run tmpfs:/tmp ");
    assert_int_equal(kernel.flags & STRICT, STRICT);
    assert_non_null(strstr(kernel.options, "size="));
}

static void a_mount_that_fails_ends_it(void **state)
{
    kernel.fails = "/proc";

    assert_int_equal(mounts_kernel(), ERR_IO);
    assert_string_equal(kernel.story, "devtmpfs:/dev proc:/proc ");
}

static void the_state_is_its_users_alone(void **state)
{
    assert_int_equal(mounts_state(&device, "/var/lib/x", &user), ERR_OK);
    assert_string_equal(kernel.story, "ext4:/var/lib/x chown:/var/lib/x=100:101 chmod:/var/lib/x=700 ");
    assert_int_equal(kernel.flags & STRICT, STRICT);
    assert_int_equal(kernel.flags & MS_RDONLY, 0);
}

static void the_esp_is_its_users_alone(void **state)
{
    assert_int_equal(mounts_esp(&device, "/boot", &user), ERR_OK);
    assert_string_equal(kernel.story, "vfat:/boot ");
    assert_int_equal(kernel.flags & STRICT, STRICT);
    assert_non_null(strstr(kernel.options, "uid=100,gid=101,umask=0077"));
}

static void a_device_is_given_to_one_user(void **state)
{
    assert_int_equal(mounts_give("/dev/tpmrm0", &user), ERR_OK);
    assert_string_equal(kernel.story, "chown:/dev/tpmrm0=100:101 chmod:/dev/tpmrm0=600 ");
}

static void a_mark_is_made_once_and_seen(void **state)
{
    bool there = true;

    assert_int_equal(mounts_has(dir.path, "made", &there), ERR_OK);
    assert_false(there);
    assert_int_equal(mounts_mark(dir.path, "made"), ERR_OK);
    assert_int_equal(mounts_has(dir.path, "made", &there), ERR_OK);
    assert_true(there);
    assert_int_equal(mounts_mark(dir.path, "made"), ERR_EXISTS);
}

static void a_link_is_a_mark_and_is_not_followed(void **state)
{
    bool there = false;
    assert_int_equal(symlink(in_dir("elsewhere"), in_dir("made")), 0);

    assert_int_equal(mounts_has(dir.path, "made", &there), ERR_OK);
    assert_true(there);
    assert_int_equal(mounts_mark(dir.path, "made"), ERR_EXISTS);
    assert_int_not_equal(access(in_dir("elsewhere"), F_OK), 0);
}

static void where_nothing_can_be_looked_for_nothing_is_said_to_be_missing(void **state)
{
    bool there = true;

    assert_int_equal(mounts_has(in_dir("none"), "made", &there), ERR_IO);
    assert_true(there);
}

static void a_small_file_is_copied_and_a_longer_one_is_not(void **state)
{
    char content[8] = "";
    temp_put(&dir, "from", span_lit("12345"));

    assert_int_equal(mounts_copy(in_dir("from"), in_dir("to"), 4), ERR_RANGE);
    assert_int_not_equal(access(in_dir("to"), F_OK), 0);
    assert_int_equal(mounts_copy(in_dir("from"), in_dir("to"), 5), ERR_OK);
    const int fd = __real_open(in_dir("to"), O_RDONLY, 0);
    assert_int_equal(read(fd, content, sizeof(content)), 5);
    close(fd);
    assert_string_equal(content, "12345");
    assert_int_equal(mounts_copy(in_dir("none"), in_dir("to2"), 5), ERR_NOT_FOUND);
    assert_int_equal(mounts_copy(in_dir("from"), in_dir("to"), 5), ERR_EXISTS);
}

static void a_volume_is_filled_with_the_images_empty_file_system(void **state)
{
    static char template[200000];
    static char got[200001];
    struct stat status;
    memset(template, 'f', sizeof(template));
    temp_put(&dir, "data.ext4", span_array(template));
    temp_put(&dir, "dm-1", span_lit("before"));
    kernel.is_used = true;

    assert_int_equal(volume_fill(&device), ERR_OK);

    const int fd = __real_open(in_dir("dm-1"), O_RDONLY, 0);
    assert_int_equal(read(fd, got, sizeof(got)), sizeof(got));
    assert_memory_equal(got, template, sizeof(template));
    assert_int_equal(got[sizeof(template)], 0);
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_size, 512 << 20); /* the last block was written */
    close(fd);
}

static void an_image_without_an_empty_file_system_fills_nothing(void **state)
{
    temp_put(&dir, "dm-1", span_lit("before"));
    kernel.is_used = true;

    assert_int_equal(volume_fill(&device), ERR_NOT_FOUND);
}

static void a_volume_is_put_in_order_out_of_sight_and_then_moved(void **state)
{
    temp_put(&dir, "dm-1", SPAN_NONE);
    assert_int_equal(__real_mkdir(in_dir("db"), 0700), 0);
    kernel.is_used = true;

    assert_int_equal(volume_mount(&device, dir.path, "db", &user), ERR_OK);

    assert_string_equal(kernel.story,
                        "ext4:/run/volume grow remove:lost+found chown:100:101 chmod:700 move:(opened) ");
    assert_int_equal(kernel.flags & STRICT, STRICT);
    assert_int_equal(kernel.blocks, (512u << 20) / 4096);
}

static void a_volume_that_does_not_grow_serves_as_it_is(void **state)
{
    temp_put(&dir, "dm-1", SPAN_NONE);
    assert_int_equal(__real_mkdir(in_dir("db"), 0700), 0);
    kernel.is_used = true;
    kernel.resize_error = EPERM;

    assert_int_equal(volume_mount(&device, dir.path, "db", &user), ERR_OK);
}

static void a_link_in_the_place_of_the_directory_is_not_followed(void **state)
{
    temp_put(&dir, "dm-1", SPAN_NONE);
    assert_int_equal(symlink("/etc", in_dir("db")), 0);
    kernel.is_used = true;

    assert_int_equal(volume_mount(&device, dir.path, "db", &user), ERR_REFUSED);

    assert_null(strstr(kernel.story, " move:"));
    assert_non_null(strstr(kernel.story, "unmount:/run/volume"));
}

static void a_volume_that_is_no_file_system_is_an_error(void **state)
{
    kernel.is_used = true;
    kernel.fails = "/run/volume";

    assert_int_equal(volume_mount(&device, dir.path, "db", &user), ERR_IO);
    assert_string_equal(kernel.story, "ext4:/run/volume ");
}

#define WITH_KERNEL(test) cmocka_unit_test_setup_teardown(test, make, done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_KERNEL(the_kernels_own_file_systems_come_in_their_order),
        WITH_KERNEL(what_is_forgotten_holds_no_programs_and_no_devices),
        WITH_KERNEL(a_mount_that_fails_ends_it),
        WITH_KERNEL(the_state_is_its_users_alone),
        WITH_KERNEL(the_esp_is_its_users_alone),
        WITH_KERNEL(a_device_is_given_to_one_user),
        WITH_KERNEL(a_mark_is_made_once_and_seen),
        WITH_KERNEL(a_link_is_a_mark_and_is_not_followed),
        WITH_KERNEL(where_nothing_can_be_looked_for_nothing_is_said_to_be_missing),
        WITH_KERNEL(a_small_file_is_copied_and_a_longer_one_is_not),
        WITH_KERNEL(a_volume_is_filled_with_the_images_empty_file_system),
        WITH_KERNEL(an_image_without_an_empty_file_system_fills_nothing),
        WITH_KERNEL(a_volume_is_put_in_order_out_of_sight_and_then_moved),
        WITH_KERNEL(a_volume_that_does_not_grow_serves_as_it_is),
        WITH_KERNEL(a_link_in_the_place_of_the_directory_is_not_followed),
        WITH_KERNEL(a_volume_that_is_no_file_system_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
