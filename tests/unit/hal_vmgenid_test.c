/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hal/vmgenid.h over a plain file, as a platform keeps it. */
#include "hal/vmgenid.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "tests/lib/temp.h"

struct source {
    struct temp_dir dir;
    char path[TEMP_PATH_MAX + 16];
};

static void put(const struct source *source, const char *bytes)
{
    temp_put(&source->dir, "generation", span_str(bytes));
}

static int make_source(void **state)
{
    static struct source source;

    source.dir = temp_dir_make();
    snprintf(source.path, sizeof(source.path), "%s/generation", source.dir.path);
    put(&source, "0123456789abcdef");
    *state = &source;
    return 0;
}

static int remove_source(void **state)
{
    const struct source *const source = *state;

    temp_dir_remove(&source->dir);
    fault_clear();
    return 0;
}

static void each_read_sees_the_generation_of_the_moment(void **state)
{
    const struct source *const source = *state;
    uint8_t id[HAL_VMGENID_BYTES] = {0};
    struct hal_vmgenid *vmgenid = NULL;
    assert_int_equal(hal_vmgenid_open(source->path, &vmgenid), ERR_OK);
    assert_int_equal(hal_vmgenid_read(vmgenid, id), ERR_OK);
    assert_memory_equal(id, "0123456789abcdef", sizeof(id));

    put(source, "fedcba9876543210 and more");

    assert_int_equal(hal_vmgenid_read(vmgenid, id), ERR_OK);
    assert_memory_equal(id, "fedcba9876543210", sizeof(id));
    hal_vmgenid_close(vmgenid);
}

static void another_process_reads_it_by_the_descriptor(void **state)
{
    const struct source *const source = *state;
    uint8_t id[HAL_VMGENID_BYTES] = {0};
    struct hal_vmgenid *vmgenid = NULL;
    struct hal_vmgenid *none = NULL;
    struct hal_vmgenid *other = NULL;
    assert_int_equal(hal_vmgenid_open(source->path, &vmgenid), ERR_OK);
    assert_int_equal(hal_vmgenid_open("", &none), ERR_OK);

    assert_int_equal(hal_vmgenid_take_fd(dup(hal_vmgenid_fd(vmgenid)), &other), ERR_OK);
    hal_vmgenid_close(vmgenid);

    assert_int_equal(hal_vmgenid_read(other, id), ERR_OK);
    assert_memory_equal(id, "0123456789abcdef", sizeof(id));
    assert_int_equal(hal_vmgenid_fd(none), -1);
    hal_vmgenid_close(other);
    hal_vmgenid_close(none);
}

static void a_short_generation_is_malformed_and_gives_nothing(void **state)
{
    const struct source *const source = *state;
    uint8_t id[HAL_VMGENID_BYTES] = {7};
    struct hal_vmgenid *vmgenid = NULL;
    assert_int_equal(hal_vmgenid_open(source->path, &vmgenid), ERR_OK);

    put(source, "0123456789abcde");

    assert_int_equal(hal_vmgenid_read(vmgenid, id), ERR_MALFORMED);
    assert_int_equal(id[0], 7);
    hal_vmgenid_close(vmgenid);
}

static void a_source_that_cannot_be_read_is_an_error(void **state)
{
    const struct source *const source = *state;
    uint8_t id[HAL_VMGENID_BYTES] = {7};
    struct hal_vmgenid *vmgenid = NULL;
    assert_int_equal(hal_vmgenid_open(source->dir.path, &vmgenid), ERR_OK); /* a folder opens, and does not read */

    assert_int_equal(hal_vmgenid_read(vmgenid, id), ERR_IO);

    assert_int_equal(id[0], 7);
    hal_vmgenid_close(vmgenid);
}

static void a_source_that_is_not_there_is_not_found(void **state)
{
    struct hal_vmgenid *vmgenid = NULL;

    assert_int_equal(hal_vmgenid_open("/nonexistent/generation", &vmgenid), ERR_NOT_FOUND);

    assert_null(vmgenid);
}

static void a_platform_without_one_says_so(void **state)
{
    uint8_t id[HAL_VMGENID_BYTES] = {7};
    struct hal_vmgenid *vmgenid = NULL;

    assert_int_equal(hal_vmgenid_open("", &vmgenid), ERR_OK);

    assert_int_equal(hal_vmgenid_read(vmgenid, id), ERR_UNSUPPORTED);
    assert_int_equal(id[0], 7);
    hal_vmgenid_close(vmgenid);
    hal_vmgenid_close(NULL);
}

#define WITH_SOURCE(test) cmocka_unit_test_setup_teardown(test, make_source, remove_source)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SOURCE(each_read_sees_the_generation_of_the_moment),
        WITH_SOURCE(another_process_reads_it_by_the_descriptor),
        WITH_SOURCE(a_short_generation_is_malformed_and_gives_nothing),
        WITH_SOURCE(a_source_that_cannot_be_read_is_an_error),
        WITH_SOURCE(a_source_that_is_not_there_is_not_found),
        WITH_SOURCE(a_platform_without_one_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
