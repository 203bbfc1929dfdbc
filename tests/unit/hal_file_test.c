/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "hal/file.h"
#include "hal/socket.h"
#include "tests/lib/temp.h"

struct fixture {
    struct temp_dir dir;
    char path[TEMP_PATH_MAX + 16];
    struct buf *buf;
};

static int setup(void **state)
{
    static struct fixture fixture;
    struct fixture *const f = &fixture;
    uint8_t bytes[1000];

    *f = (struct fixture){.dir = temp_dir_make()};
    (void)snprintf(f->path, sizeof(f->path), "%s/file", f->dir.path);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i % 251);
    }
    temp_put(&f->dir, "file", span_array(bytes));
    assert_int_equal(buf_new(1000, &f->buf), ERR_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *const f = *state;

    buf_free(f->buf);
    temp_dir_remove(&f->dir);
    return 0;
}

static void file_read_gives_all_of_a_file_that_fits(void **state)
{
    struct fixture *const f = *state;

    assert_int_equal(file_read(f->path, f->buf), ERR_OK);

    assert_int_equal(buf_len(f->buf), 1000);
    assert_int_equal(buf_all(f->buf).data[999], 999 % 251);
}

static void file_read_refuses_a_byte_more_than_the_buffer_holds(void **state)
{
    struct fixture *const f = *state;
    SCOPED_BUF struct buf *small = NULL;
    assert_int_equal(buf_new(999, &small), ERR_OK);

    assert_int_equal(file_read(f->path, small), ERR_RANGE);
    fault_clear();
}

static void file_read_tells_a_file_that_is_not_there(void **state)
{
    struct fixture *const f = *state;

    assert_int_equal(file_read("/nowhere/at/all", f->buf), ERR_NOT_FOUND);
    fault_clear();
}

static void file_read_at_reads_at_places_and_not_beyond_the_end(void **state)
{
    struct fixture *const f = *state;
    uint8_t bytes[100];
    uint64_t size = 0;
    SCOPED_FD int fd = -1;
    assert_int_equal(file_open(f->path, &fd, &size), ERR_OK);
    assert_int_equal(size, 1000);

    assert_int_equal(file_read_at(fd, 900, 100, bytes), ERR_OK);
    assert_int_equal(bytes[0], 900 % 251);
    assert_int_equal(file_read_at(fd, 901, 100, bytes), ERR_MALFORMED);
    fault_clear();
}

static void file_open_refuses_what_is_no_file(void **state)
{
    struct fixture *const f = *state;
    uint64_t size = 7;
    int fd = -7;

    assert_int_equal(file_open(f->dir.path, &fd, &size), ERR_MALFORMED);
    fault_clear();
    assert_int_equal(file_open("/nowhere/at/all", &fd, &size), ERR_NOT_FOUND);
    fault_clear();
    assert_int_equal(fd, -7);
    assert_int_equal(size, 7);
}

static void file_open_does_not_wait_for_the_writer_of_a_pipe(void **state)
{
    struct fixture *const f = *state;
    uint64_t size = 7;
    int fd = -7;
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(mkfifo(f->path, 0600), 0);

    (void)alarm(10); /* ends a test that waits */
    const enum err err = file_open(f->path, &fd, &size);
    (void)alarm(0);

    assert_int_equal(err, ERR_MALFORMED);
    assert_int_equal(fd, -7);
    fault_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(file_read_gives_all_of_a_file_that_fits, setup, teardown),
        cmocka_unit_test_setup_teardown(file_read_refuses_a_byte_more_than_the_buffer_holds, setup, teardown),
        cmocka_unit_test_setup_teardown(file_read_tells_a_file_that_is_not_there, setup, teardown),
        cmocka_unit_test_setup_teardown(file_read_at_reads_at_places_and_not_beyond_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(file_open_refuses_what_is_no_file, setup, teardown),
        cmocka_unit_test_setup_teardown(file_open_does_not_wait_for_the_writer_of_a_pipe, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
