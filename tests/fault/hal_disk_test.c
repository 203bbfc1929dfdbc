/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hal/datadir.h when the k-th thing that it asks of the disk fails: for k = 1, 2, ... until a run is untouched. */
/* link: --wrap=write --wrap=fsync --wrap=renameat --wrap=fchmod --wrap=unlinkat */
#include "hal/datadir.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "tests/lib/temp.h"

#define CALLS_MAX 100 /* far more than one replacement makes */

static struct {
    size_t fail_at; /* counts down; 0: nothing fails */
    int error;
    bool hit;
    bool renamed;
    size_t most; /* bytes that one write takes; 0: all */
    bool interrupt;
} script;

ssize_t __real_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_renameat(int old_dir, const char *old_name, int new_dir, const char *new_name);
int __wrap_renameat(int old_dir, const char *old_name, int new_dir, const char *new_name);
int __real_fchmod(int fd, mode_t mode);
int __wrap_fchmod(int fd, mode_t mode);
int __real_unlinkat(int dir, const char *name, int flags);
int __wrap_unlinkat(int dir, const char *name, int flags);

static bool fails(void)
{
    if (script.fail_at == 0) {
        return false;
    }
    script.fail_at--;
    if (script.fail_at != 0) {
        return false;
    }
    script.hit = true;
    errno = script.error;
    return true;
}

ssize_t __wrap_write(int fd, const void *bytes, size_t len)
{
    if (fails()) {
        return -1;
    }
    if (script.most == 0) {
        return __real_write(fd, bytes, len);
    }
    script.interrupt = !script.interrupt;
    if (script.interrupt) {
        errno = EINTR;
        return -1;
    }
    return __real_write(fd, bytes, len < script.most ? len : script.most);
}

int __wrap_fsync(int fd)
{
    return fails() ? -1 : __real_fsync(fd);
}

int __wrap_renameat(int old_dir, const char *old_name, int new_dir, const char *new_name)
{
    if (fails()) {
        return -1;
    }
    script.renamed = true;
    return __real_renameat(old_dir, old_name, new_dir, new_name);
}

int __wrap_fchmod(int fd, mode_t mode)
{
    return fails() ? -1 : __real_fchmod(fd, mode);
}

int __wrap_unlinkat(int dir, const char *name, int flags)
{
    return fails() ? -1 : __real_unlinkat(dir, name, flags);
}

struct fixture {
    struct temp_dir temp;
    struct datadir *dir;
    struct buf *buf;
};

static int setup(void **state)
{
    static struct fixture f;

    script.fail_at = 0;
    script.most = 0;
    fault_clear();
    f.temp = temp_dir_make();
    assert_int_equal(datadir_open(f.temp.path, &f.dir), ERR_OK);
    assert_int_equal(buf_new(4096, &f.buf), ERR_OK);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *const f = *state;

    script.fail_at = 0;
    buf_free(f->buf);
    datadir_close(f->dir);
    temp_dir_remove(&f->temp);
    return 0;
}

static bool content_is(struct fixture *f, struct span wanted)
{
    buf_reset(f->buf);
    assert_int_equal(datadir_read(f->dir, "keys", f->buf), ERR_OK);
    return span_equal(buf_all(f->buf), wanted);
}

/* What was asked after the rename cannot take it back: the directory's fsync is told as a failure, the overwriting of the
 * old content is not. */
static void replace_until_untouched(struct fixture *f, int error, enum err wanted)
{
    const struct span old = span_lit("the old content, not to be torn");
    const struct span new = span_lit("the new one");
    size_t told = 0;
    size_t k = 1;

    for (; k < CALLS_MAX; k++) {
        assert_int_equal(datadir_write(f->dir, "keys", old), ERR_OK);
        script.fail_at = k;
        script.error = error;
        script.hit = false;
        script.renamed = false;

        const enum err err = datadir_write(f->dir, "keys", new);

        script.fail_at = 0;
        fault_clear();
        assert_true(err == ERR_OK || err == wanted);
        assert_true(content_is(f, script.renamed ? new : old));
        assert_true(err != ERR_OK || script.renamed);
        told += err != ERR_OK ? 1 : 0;
        if (!script.hit) {
            break;
        }
    }
    assert_true(k < CALLS_MAX);
    assert_int_equal(told, 6); /* unlink, fchmod, write, fsync, rename, fsync of the directory */
}

static void a_disk_that_fails_at_any_call_leaves_the_old_file_or_the_new_one_whole(void **state)
{
    replace_until_untouched(*state, EIO, ERR_IO);
}

static void a_full_disk_at_any_call_is_told_as_full(void **state)
{
    replace_until_untouched(*state, ENOSPC, ERR_FULL);
}

static void a_file_is_not_removed_before_its_content_is_overwritten(void **state)
{
    struct fixture *const f = *state;
    const struct span content = span_lit("to be forgotten");

    for (size_t k = 1; k <= 2; k++) { /* the write of zeros, its fsync */
        assert_int_equal(datadir_write(f->dir, "keys", content), ERR_OK);
        script.fail_at = k;
        script.error = EIO;

        assert_int_equal(datadir_remove(f->dir, "keys"), ERR_IO);

        script.fail_at = 0;
        fault_clear();
        assert_true(datadir_has(f->dir, "keys"));
    }
    assert_int_equal(datadir_remove(f->dir, "keys"), ERR_OK);
    assert_false(datadir_has(f->dir, "keys"));
}

static void writes_that_are_interrupted_or_short_still_write_all(void **state)
{
    struct fixture *const f = *state;
    const struct span content = span_lit("one byte after the other");
    script.most = 1;

    assert_int_equal(datadir_write(f->dir, "keys", content), ERR_OK);

    script.most = 0;
    assert_true(content_is(f, content));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_disk_that_fails_at_any_call_leaves_the_old_file_or_the_new_one_whole),
        TEST(a_full_disk_at_any_call_is_told_as_full),
        TEST(a_file_is_not_removed_before_its_content_is_overwritten),
        TEST(writes_that_are_interrupted_or_short_still_write_all),
    };

    return cmocka_run_group_tests_name("hal_disk", tests, NULL, NULL);
}
