/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hal/module.h with a list in a folder, and a kernel that answers what the test says. */
/* link: --wrap=open --wrap=syscall */
#include "hal/module.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "tests/lib/temp.h"

static struct temp_dir dir;
static size_t opened; /* modules */
static char last[600];
static size_t loaded;
static int answer; /* of the kernel to each module */

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
long __wrap_syscall(long number, ...);

/* The list and the setting lie in the folder; every module below /modules is there. */
int __wrap_open(const char *path, int flags, ...)
{
    char moved[256];

    if (strncmp(path, "/modules/", 9) == 0) {
        opened++;
        snprintf(last, sizeof(last), "%s", path);
        return __real_open("/dev/null", flags);
    }
    if (strcmp(path, "/etc/modules") == 0 || strcmp(path, "/proc/sys/kernel/modules_disabled") == 0) {
        snprintf(moved, sizeof(moved), "%s%s", dir.path, strrchr(path, '/'));
        return __real_open(moved, flags, 0600);
    }
    return __real_open(path, flags, 0600);
}

long __wrap_syscall(long number, ...)
{
    assert_int_equal(number, SYS_finit_module);
    loaded++;
    errno = answer;
    return answer == 0 ? 0 : -1;
}

static void put_list(const char *text)
{
    temp_put(&dir, "modules", span_str(text));
}

static int make(void **state)
{
    (void)state;
    dir = temp_dir_make();
    opened = loaded = 0;
    answer = 0;
    return 0;
}

static int done(void **state)
{
    (void)state;
    temp_dir_remove(&dir);
    fault_clear();
    return 0;
}

static void each_line_is_loaded_in_its_order(void **state)
{
    size_t count = 0;
    put_list("/modules/a.ko\n\n/modules/b.ko\n/modules/c.ko");

    assert_int_equal(module_load_list(&count), ERR_OK);

    assert_int_equal(count, 3);
    assert_int_equal(loaded, 3);
    assert_string_equal(last, "/modules/c.ko");
}

static void a_module_that_is_loaded_or_has_no_device_is_fine(void **state)
{
    static const int answers[] = {EEXIST, ENODEV, ENXIO};
    size_t count = 0;
    put_list("/modules/a.ko\n/modules/b.ko\n");

    for (size_t i = 0; i < ARRAY_LENGTH(answers); i++) {
        answer = answers[i];
        assert_int_equal(module_load_list(&count), ERR_OK);
        assert_int_equal(count, 2);
    }
}

static void a_module_that_the_kernel_refuses_ends_it(void **state)
{
    size_t count = 7;
    put_list("/modules/a.ko\n/modules/b.ko\n");
    answer = EKEYREJECTED;

    assert_int_equal(module_load_list(&count), ERR_REFUSED);

    assert_int_equal(loaded, 1);
    assert_int_equal(count, 7);
}

static void a_file_or_a_list_that_is_missing_is_said(void **state)
{
    size_t count = 0;

    assert_int_equal(module_load_list(&count), ERR_NOT_FOUND);
    put_list("/nonexistent/a.ko\n");
    assert_int_equal(module_load_list(&count), ERR_NOT_FOUND);
    assert_int_equal(loaded, 0);
}

static void a_line_that_is_no_absolute_path_is_refused(void **state)
{
    char line[700];
    size_t count = 0;

    put_list("modules/a.ko\n");
    assert_int_equal(module_load_list(&count), ERR_MALFORMED);
    temp_put(&dir, "modules", span_lit("/modules/a\0b\n"));
    assert_int_equal(module_load_list(&count), ERR_MALFORMED);
    memset(line, 'x', sizeof(line));
    memcpy(line, "/modules/", 9);
    temp_put(&dir, "modules", span_of(line, 512));
    assert_int_equal(module_load_list(&count), ERR_MALFORMED);
    temp_put(&dir, "modules", span_of(line, 511));
    assert_int_equal(module_load_list(&count), ERR_OK);
    assert_int_equal(strlen(last), 511);
}

static void no_more_modules_is_a_setting_of_the_kernel(void **state)
{
    char path[256];
    char text[8] = "";

    assert_int_equal(module_load_no_more(), ERR_NOT_FOUND);
    temp_put(&dir, "modules_disabled", span_lit("0"));
    assert_int_equal(module_load_no_more(), ERR_OK);
    snprintf(path, sizeof(path), "%s/modules_disabled", dir.path);
    const int fd = __real_open(path, O_RDONLY, 0);
    assert_int_equal(read(fd, text, sizeof(text)), 1);
    close(fd);
    assert_string_equal(text, "1");
}

#define WITH_KERNEL(test) cmocka_unit_test_setup_teardown(test, make, done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_KERNEL(each_line_is_loaded_in_its_order),
        WITH_KERNEL(a_module_that_is_loaded_or_has_no_device_is_fine),
        WITH_KERNEL(a_module_that_the_kernel_refuses_ends_it),
        WITH_KERNEL(a_file_or_a_list_that_is_missing_is_said),
        WITH_KERNEL(a_line_that_is_no_absolute_path_is_refused),
        WITH_KERNEL(no_more_modules_is_a_setting_of_the_kernel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
