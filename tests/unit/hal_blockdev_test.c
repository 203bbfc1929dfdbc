/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hal/blockdev.h over a folder in the place of sysfs and /dev. */
/* link: --wrap=open --wrap=opendir --wrap=ioctl */
#include "hal/blockdev.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "tests/lib/temp.h"

#define UEVENT "MAJOR=254\nMINOR=4\nDEVNAME=vda4\nDEVTYPE=partition\nDISKSEQ=9\nPARTN=4\nPARTNAME=state\n"

static struct temp_dir dir;
static uint64_t device_bytes; /* what the kernel says of a device's size; 0: it refuses */

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
DIR *__real_opendir(const char *path);
DIR *__wrap_opendir(const char *path);
int __wrap_ioctl(int fd, unsigned long request, ...);

static const char *moved(const char *path)
{
    static char text[512];

    if (strncmp(path, "/sys/", 5) != 0 && strncmp(path, "/dev/", 5) != 0) {
        return path;
    }
    snprintf(text, sizeof(text), "%s%s", dir.path, path);
    return text;
}

int __wrap_open(const char *path, int flags, ...)
{
    return __real_open(moved(path), flags, 0600);
}

DIR *__wrap_opendir(const char *path)
{
    return __real_opendir(moved(path));
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list rest;

    va_start(rest, request);
    uint64_t *const bytes = va_arg(rest, uint64_t *);
    va_end(rest);
    assert_int_equal(request, BLKGETSIZE64);
    if (device_bytes == 0) {
        errno = ENOTTY;
        return -1;
    }
    *bytes = device_bytes;
    return 0;
}

/* What the kernel would say of a device of that name. */
static void put_device(const char *name, const char *uevent)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/sys/class/block/%s", dir.path, name);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "/sys/class/block/%s/uevent", name);
    temp_put(&dir, path, span_str(uevent));
}

static int make(void **state)
{
    static const char *const folders[] = {"/sys", "/sys/class", "/sys/class/block", "/dev"};

    (void)state;
    dir = temp_dir_make();
    for (size_t i = 0; i < ARRAY_LENGTH(folders); i++) {
        char path[256];
        snprintf(path, sizeof(path), "%s%s", dir.path, folders[i]);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    device_bytes = 0;
    return 0;
}

static int done(void **state)
{
    (void)state;
    temp_dir_remove(&dir);
    fault_clear();
    return 0;
}

static void a_partition_is_told_by_its_label(void **state)
{
    struct blockdev device;

    assert_int_equal(blockdev_parse(span_lit(UEVENT), span_lit("state"), &device), ERR_OK);

    assert_int_equal(device.major, 254);
    assert_int_equal(device.minor, 4);
    assert_string_equal(device.path, "/dev/vda4");
}

static void what_is_no_partition_of_that_label_is_not_found(void **state)
{
    static const char *const others[] = {
        "",
        "MAJOR=254\nMINOR=0\nDEVNAME=vda\nDEVTYPE=disk\nPARTNAME=state\n",
        "MAJOR=254\nMINOR=4\nDEVNAME=vda4\nDEVTYPE=partition\n",
        "MAJOR=254\nMINOR=4\nDEVNAME=vda4\nDEVTYPE=partition\nPARTNAME=stat\n",
        "MAJOR=254\nMINOR=4\nDEVNAME=vda4\nDEVTYPE=partition\nPARTNAME=state2\n",
        "MAJOR=254\nMINOR=4\nDEVNAME=vda4\nDEVTYPE=partition\nPARTNAME=State\n",
        "MAJOR=254\nMINOR=4\nDEVNAME=vda4\nDEVTYPE=partition\nXPARTNAME=state\n",
        "MAJOR=254\nMINOR=4\nDEVNAME=vda4\nDEVTYPE=partition\nPARTNAME= state\n",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(others); i++) {
        struct blockdev device = {.major = 7};

        assert_int_equal(blockdev_parse(span_str(others[i]), span_lit("state"), &device), ERR_NOT_FOUND);
        assert_int_equal(device.major, 7);
    }
}

static void what_a_device_says_twice_or_in_another_form_is_refused(void **state)
{
    static const char *const bad[] = {
        UEVENT "PARTNAME=state\n",
        UEVENT "DEVNAME=vdb9\n",
        "MINOR=4\nDEVNAME=vda4\nDEVTYPE=partition\nPARTNAME=state\n",
        "MAJOR=254\nDEVNAME=vda4\nDEVTYPE=partition\nPARTNAME=state\n",
        "MAJOR=254\nMINOR=4\nDEVTYPE=partition\nPARTNAME=state\n",
        "MAJOR=-1\nMINOR=4\nDEVNAME=vda4\nDEVTYPE=partition\nPARTNAME=state\n",
        "MAJOR=254\nMINOR=4x\nDEVNAME=vda4\nDEVTYPE=partition\nPARTNAME=state\n",
        "MAJOR=254\nMINOR=4\nDEVNAME=../vda4\nDEVTYPE=partition\nPARTNAME=state\n",
        "MAJOR=254\nMINOR=4\nDEVNAME=a/b\nDEVTYPE=partition\nPARTNAME=state\n",
        "MAJOR=254\nMINOR=4\nDEVNAME=\nDEVTYPE=partition\nPARTNAME=state\n",
        "MAJOR=254\nMINOR=4\nDEVNAME=abcdefghijklmnopqrstuvwxyz012345\nDEVTYPE=partition\nPARTNAME=state\n",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct blockdev device = {.major = 7};

        assert_int_equal(blockdev_parse(span_str(bad[i]), span_lit("state"), &device), ERR_MALFORMED);
        assert_int_equal(device.major, 7);
    }
}

static void a_number_that_no_device_has_is_refused(void **state)
{
    struct blockdev device;

    assert_int_equal(blockdev_parse(span_lit("MAJOR=254\nMINOR=1048576\nDEVNAME=vda4\nDEVTYPE=partition\nPARTNAME=state\n"),
                                    span_lit("state"), &device), ERR_RANGE);
}

static void a_name_of_31_bytes_is_the_longest(void **state)
{
    struct blockdev device;

    assert_int_equal(blockdev_parse(span_lit("MAJOR=1\nMINOR=2\nDEVNAME=abcdefghijklmnopqrstuvwxyz01234\n"
                                             "DEVTYPE=partition\nPARTNAME=state"), span_lit("state"), &device), ERR_OK);
    assert_string_equal(device.path, "/dev/abcdefghijklmnopqrstuvwxyz01234");
}

static void the_partition_is_found_among_the_devices_of_the_machine(void **state)
{
    struct blockdev device;
    put_device("vda", "MAJOR=254\nMINOR=0\nDEVNAME=vda\nDEVTYPE=disk\n");
    put_device("vda3", "MAJOR=254\nMINOR=3\nDEVNAME=vda3\nDEVTYPE=partition\nPARTNAME=root-b\n");
    put_device("vda4", UEVENT);

    assert_int_equal(blockdev_find(span_lit("state"), &device), ERR_OK);
    assert_string_equal(device.path, "/dev/vda4");
    assert_int_equal(blockdev_find(span_lit("data"), &device), ERR_NOT_FOUND);
}

static void a_second_partition_of_the_label_makes_neither_of_them_ours(void **state)
{
    struct blockdev device = {.major = 7};
    put_device("vda4", UEVENT);
    put_device("sda1", "MAJOR=8\nMINOR=1\nDEVNAME=sda1\nDEVTYPE=partition\nPARTNAME=state\n");

    assert_int_equal(blockdev_find(span_lit("state"), &device), ERR_CONFLICT);

    assert_int_equal(device.major, 7);
}

static void a_device_that_says_too_much_is_refused(void **state)
{
    struct blockdev device;
    char much[6000];
    memset(much, 'x', sizeof(much) - 1);
    much[sizeof(much) - 1] = '\0';
    put_device("vda4", much);

    assert_int_equal(blockdev_find(span_lit("state"), &device), ERR_RANGE);
}

static void a_device_that_went_away_meanwhile_is_passed_over(void **state)
{
    struct blockdev device;
    char path[256];
    put_device("vda4", UEVENT);
    snprintf(path, sizeof(path), "%s/sys/class/block/vdz", dir.path);
    assert_int_equal(mkdir(path, 0700), 0); /* no uevent in it any more */

    assert_int_equal(blockdev_find(span_lit("state"), &device), ERR_OK);
}

static void waiting_for_a_partition_ends(void **state)
{
    struct blockdev device;

    assert_int_equal(blockdev_wait(span_lit("state"), 40, &device), ERR_TIMEOUT);
    put_device("vda4", UEVENT);
    assert_int_equal(blockdev_wait(span_lit("state"), 0, &device), ERR_OK);
}

static void a_device_is_read_at_its_place_and_not_past_its_end(void **state)
{
    const struct blockdev device = {.path = "/dev/vda4"};
    uint8_t bytes[4] = {9, 9, 9, 9};
    temp_put(&dir, "/dev/vda4", span_lit("0123456789"));

    assert_int_equal(blockdev_read(&device, 6, bytes, sizeof(bytes)), ERR_OK);
    assert_memory_equal(bytes, "6789", 4);
    assert_int_equal(blockdev_read(&device, 7, bytes, sizeof(bytes)), ERR_RANGE);
    assert_int_equal(blockdev_read(&device, INT64_MAX - 3, bytes, sizeof(bytes)), ERR_RANGE);
}

static void a_device_tells_its_size_in_sectors(void **state)
{
    const struct blockdev device = {.path = "/dev/vda4"};
    uint64_t sectors = 7;
    temp_put(&dir, "/dev/vda4", SPAN_NONE);

    assert_int_equal(blockdev_sectors(&device, &sectors), ERR_IO);
    assert_int_equal(sectors, 7);
    device_bytes = 1024 * 1024;
    assert_int_equal(blockdev_sectors(&device, &sectors), ERR_OK);
    assert_int_equal(sectors, 2048);
}

static void clearing_puts_zeros_in_the_place_of_the_first_block_alone(void **state)
{
    static uint8_t content[5000];
    static const uint8_t zeros[4096];
    const struct blockdev device = {.path = "/dev/vda4"};
    memset(content, 'x', sizeof(content));
    temp_put(&dir, "/dev/vda4", span_array(content));

    assert_int_equal(blockdev_clear(&device), ERR_OK);

    assert_int_equal(blockdev_read(&device, 0, content, sizeof(content)), ERR_OK);
    assert_memory_equal(content, zeros, sizeof(zeros));
    assert_int_equal(content[4096], 'x');
}

static void a_device_that_is_not_there_is_said_to_be(void **state)
{
    const struct blockdev device = {.path = "/dev/vdz"};
    uint64_t sectors = 0;
    uint8_t byte = 0;

    assert_int_equal(blockdev_sectors(&device, &sectors), ERR_NOT_FOUND);
    assert_int_equal(blockdev_read(&device, 0, &byte, 1), ERR_NOT_FOUND);
    assert_int_equal(blockdev_clear(&device), ERR_NOT_FOUND);
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, make, done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(a_partition_is_told_by_its_label),
        WITH_FOLDER(what_is_no_partition_of_that_label_is_not_found),
        WITH_FOLDER(what_a_device_says_twice_or_in_another_form_is_refused),
        WITH_FOLDER(a_number_that_no_device_has_is_refused),
        WITH_FOLDER(a_name_of_31_bytes_is_the_longest),
        WITH_FOLDER(the_partition_is_found_among_the_devices_of_the_machine),
        WITH_FOLDER(a_second_partition_of_the_label_makes_neither_of_them_ours),
        WITH_FOLDER(a_device_that_says_too_much_is_refused),
        WITH_FOLDER(a_device_that_went_away_meanwhile_is_passed_over),
        WITH_FOLDER(waiting_for_a_partition_ends),
        WITH_FOLDER(a_device_is_read_at_its_place_and_not_past_its_end),
        WITH_FOLDER(a_device_tells_its_size_in_sectors),
        WITH_FOLDER(clearing_puts_zeros_in_the_place_of_the_first_block_alone),
        WITH_FOLDER(a_device_that_is_not_there_is_said_to_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
