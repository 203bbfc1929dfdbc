/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hal/mapper.h with a table of answers in the place of the kernel: what is asked of it, byte by byte, and what becomes of a
 * device when a step fails. */
/* link: --wrap=open --wrap=ioctl --wrap=blockdev_read */
#include "hal/mapper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "hal/base/fault.h"

#define CALLS_MAX 8

static struct {
    unsigned long requests[CALLS_MAX];
    size_t count;
    unsigned long fails; /* this request */
    int error;
    char name[64];
    char type[32];
    char parameters[1024];
    uint64_t sectors;
    unsigned int flags;
    unsigned int targets;
    uint64_t dev;
    bool no_control;
    uint8_t head[512];     /* of the device below */
    uint64_t made_sectors; /* that it has for data, once it has room for tags; 0: the kernel makes none */
} kernel;

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
enum err __wrap_blockdev_read(const struct blockdev *device, uint64_t offset, uint8_t *out_bytes, size_t len);

int __wrap_open(const char *path, int flags, ...)
{
    assert_string_equal(path, "/dev/mapper/control");
    if (kernel.no_control) {
        errno = ENOENT;
        return -1;
    }
    return __real_open("/dev/null", flags);
}

enum err __wrap_blockdev_read(const struct blockdev *device, uint64_t offset, uint8_t *out_bytes, size_t len)
{
    assert_int_equal(device->minor, 2);
    assert_int_equal(offset, 0);
    assert_int_equal(len, sizeof(kernel.head));
    memcpy(out_bytes, kernel.head, len);
    return ERR_OK;
}

/* What the kernel writes on a device that is to have tags. */
static void put_head(void)
{
    memcpy(kernel.head, "integrt", 8);
    for (size_t i = 0; i < 8; i++) {
        kernel.head[16 + i] = (uint8_t)(kernel.made_sectors >> (8 * i));
    }
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list rest;

    va_start(rest, request);
    struct dm_ioctl *const head = va_arg(rest, struct dm_ioctl *);
    va_end(rest);
    assert_true(kernel.count < CALLS_MAX);
    kernel.requests[kernel.count++] = request;
    assert_int_equal(head->version[0], 4);
    assert_true(head->data_size > sizeof(*head));
    if (request == kernel.fails) {
        errno = kernel.error;
        return -1;
    }
    snprintf(kernel.name, sizeof(kernel.name), "%s", head->name);
    if (request == DM_DEV_CREATE) {
        head->dev = kernel.dev;
    } else if (request == DM_TABLE_LOAD) {
        struct dm_target_spec target;
        memcpy(&target, (const char *)head + head->data_start, sizeof(target));
        snprintf(kernel.type, sizeof(kernel.type), "%s", target.target_type);
        snprintf(kernel.parameters, sizeof(kernel.parameters), "%s",
                 (const char *)head + head->data_start + sizeof(target));
        assert_int_equal(target.sector_start, 0);
        kernel.sectors = target.length;
        kernel.flags = head->flags;
        kernel.targets = head->target_count;
        if (strcmp(kernel.type, "integrity") == 0 && kernel.made_sectors != 0) {
            put_head();
        }
    } else if (request == DM_DEV_SUSPEND) {
        assert_int_equal(head->flags & DM_SUSPEND_FLAG, 0);
    }
    return 0;
}

static const struct blockdev below = {.major = 254, .minor = 2, .path = "/dev/vda2"};

static int make(void **state)
{
    (void)state;
    memset(&kernel, 0, sizeof(kernel));
    kernel.dev = (uint64_t)253 << 8 | 5;
    return 0;
}

static int done(void **state)
{
    (void)state;
    fault_clear();
    return 0;
}

static struct mapper_verity a_root(void)
{
    struct mapper_verity verity = {.device = &below, .blocks = 1000, .salt = {0xab, 0xcd}, .salt_len = 2};

    memset(verity.root_hash, 0x5c, sizeof(verity.root_hash));
    return verity;
}

static void a_verity_device_is_read_only_and_stops_the_machine_at_a_block_that_differs(void **state)
{
    const struct mapper_verity verity = a_root();
    struct blockdev device;

    assert_int_equal(mapper_verity("root", &verity, &device), ERR_OK);

    assert_string_equal(kernel.name, "root");
    assert_string_equal(kernel.type, "verity");
    assert_string_equal(kernel.parameters,
                        "1 254:2 254:2 4096 4096 1000 1000 sha256 "
                        "5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c abcd 1 panic_on_corruption");
    assert_int_equal(kernel.sectors, 8000);
    assert_int_equal(kernel.targets, 1);
    assert_int_equal(kernel.flags & DM_READONLY_FLAG, DM_READONLY_FLAG);
    assert_string_equal(device.path, "/dev/dm-5");
    assert_int_equal(device.major, 253);
    assert_int_equal(device.minor, 5);
}

static void a_device_is_made_in_three_steps(void **state)
{
    const struct mapper_verity verity = a_root();
    struct blockdev device;

    assert_int_equal(mapper_verity("root", &verity, &device), ERR_OK);

    assert_int_equal(kernel.count, 3);
    assert_int_equal(kernel.requests[0], DM_DEV_CREATE);
    assert_int_equal(kernel.requests[1], DM_TABLE_LOAD);
    assert_int_equal(kernel.requests[2], DM_DEV_SUSPEND);
}

static void a_minor_number_beyond_a_byte_is_understood(void **state)
{
    const struct mapper_verity verity = a_root();
    struct blockdev device;
    kernel.dev = (uint64_t)0x12 << 20 | (uint64_t)253 << 8 | 0x34;

    assert_int_equal(mapper_verity("root", &verity, &device), ERR_OK);

    assert_int_equal(device.minor, 0x1234);
    assert_string_equal(device.path, "/dev/dm-4660");
}

static void a_salt_may_be_none_and_is_not_longer_than_32_bytes(void **state)
{
    struct mapper_verity verity = a_root();
    struct blockdev device;

    verity.salt_len = 0;
    assert_int_equal(mapper_verity("root", &verity, &device), ERR_OK);
    assert_non_null(strstr(kernel.parameters, "5c5c - 1 panic_on_corruption"));
    verity.salt_len = 33;
    assert_int_equal(mapper_verity("root", &verity, &device), ERR_RANGE);
}

static void a_root_of_no_blocks_or_of_more_than_a_device_has_is_refused(void **state)
{
    struct mapper_verity verity = a_root();
    struct blockdev device;

    verity.blocks = 0;
    assert_int_equal(mapper_verity("root", &verity, &device), ERR_RANGE);
    verity.blocks = UINT64_MAX / 8 + 1;
    assert_int_equal(mapper_verity("root", &verity, &device), ERR_RANGE);
    assert_int_equal(kernel.count, 0);
}

static void a_crypt_device_takes_its_key_from_the_keyring(void **state)
{
    const struct mapper_crypt crypt = {.device = &below, .sectors = 4096, .key_name = "rowlock:data"};
    struct blockdev device;

    assert_int_equal(mapper_crypt("data", &crypt, &device), ERR_OK);

    assert_string_equal(kernel.type, "crypt");
    assert_string_equal(kernel.parameters, "aes-xts-plain64 :64:logon:rowlock:data 0 254:2 0 1 sector_size:4096");
    assert_int_equal(kernel.sectors, 4096);
    assert_int_equal(kernel.flags & DM_READONLY_FLAG, 0);
}

static void a_crypt_device_ends_with_a_whole_block(void **state)
{
    const struct mapper_crypt crypt = {.device = &below, .sectors = 4103, .key_name = "rowlock:data"};
    struct blockdev device;

    assert_int_equal(mapper_crypt("data", &crypt, &device), ERR_OK);
    assert_int_equal(kernel.sectors, 4096);
}

static void a_crypt_device_with_tags_authenticates_each_block(void **state)
{
    const struct mapper_crypt crypt = {.device = &below, .sectors = 4096, .key_name = "rowlock:data", .has_tags = true};
    struct blockdev device;

    assert_int_equal(mapper_crypt("data", &crypt, &device), ERR_OK);

    assert_string_equal(kernel.parameters, "capi:authenc(hmac(sha256),xts(aes))-random :96:logon:rowlock:data 0 254:2 0 "
                                           "2 integrity:48:aead sector_size:4096");
}

static void room_for_tags_is_made_on_an_empty_device_and_then_used(void **state)
{
    struct blockdev device;
    uint64_t sectors = 0;
    kernel.made_sectors = 7777;

    assert_int_equal(mapper_integrity("data-tags", &below, &device, &sectors), ERR_OK);

    assert_int_equal(kernel.count, 7); /* made and removed, then made of the size that it has */
    assert_int_equal(kernel.requests[3], DM_DEV_REMOVE);
    assert_string_equal(kernel.type, "integrity");
    assert_string_equal(kernel.parameters, "254:2 0 48 J 1 block_size:4096");
    assert_int_equal(sectors, 7777);
    assert_int_equal(kernel.sectors, 7777);
}

static void a_device_that_has_room_for_tags_is_used_as_it_is(void **state)
{
    struct blockdev device;
    uint64_t sectors = 0;
    kernel.made_sectors = UINT64_C(0x0102030405);
    put_head();

    assert_int_equal(mapper_integrity("data-tags", &below, &device, &sectors), ERR_OK);

    assert_int_equal(kernel.count, 3);
    assert_int_equal(sectors, UINT64_C(0x0102030405));
}

static void a_device_that_is_neither_empty_nor_one_with_tags_is_left_alone(void **state)
{
    static const size_t places[] = {0, 7, 16, 511};
    struct blockdev device;
    uint64_t sectors = 5;

    for (size_t i = 0; i < ARRAY_LENGTH(places); i++) {
        memset(kernel.head, 0, sizeof(kernel.head));
        kernel.head[places[i]] = 1;
        assert_int_equal(mapper_integrity("data-tags", &below, &device, &sectors), ERR_MALFORMED);
    }
    memset(kernel.head, 0, sizeof(kernel.head));
    put_head(); /* of no data */
    assert_int_equal(mapper_integrity("data-tags", &below, &device, &sectors), ERR_MALFORMED);
    assert_int_equal(kernel.count, 0);
    assert_int_equal(sectors, 5);
}

static void a_kernel_that_makes_no_room_for_tags_is_told(void **state)
{
    struct blockdev device;
    uint64_t sectors = 5;

    assert_int_equal(mapper_integrity("data-tags", &below, &device, &sectors), ERR_IO);
    assert_int_equal(sectors, 5);
}

static void a_key_that_is_not_there_is_not_found_and_leaves_no_device(void **state)
{
    const struct mapper_crypt crypt = {.device = &below, .sectors = 4096, .key_name = "rowlock:data"};
    struct blockdev device = {.major = 7};
    kernel.fails = DM_TABLE_LOAD;
    kernel.error = ENOKEY;

    assert_int_equal(mapper_crypt("data", &crypt, &device), ERR_NOT_FOUND);

    assert_int_equal(kernel.count, 3);
    assert_int_equal(kernel.requests[2], DM_DEV_REMOVE);
    assert_int_equal(device.major, 7);
}

static void a_device_that_does_not_start_is_removed_again(void **state)
{
    const struct mapper_verity verity = a_root();
    struct blockdev device = {.major = 7};
    kernel.fails = DM_DEV_SUSPEND;
    kernel.error = EIO;

    assert_int_equal(mapper_verity("root", &verity, &device), ERR_IO);

    assert_int_equal(kernel.requests[3], DM_DEV_REMOVE);
    assert_int_equal(device.major, 7);
}

static void a_name_that_is_taken_is_left_to_who_has_it(void **state)
{
    const struct mapper_verity verity = a_root();
    struct blockdev device;
    kernel.fails = DM_DEV_CREATE;
    kernel.error = EBUSY;

    assert_int_equal(mapper_verity("root", &verity, &device), ERR_REFUSED);

    assert_int_equal(kernel.count, 1);
}

static void a_kernel_without_a_device_mapper_is_told(void **state)
{
    const struct mapper_verity verity = a_root();
    struct blockdev device;
    kernel.no_control = true;

    assert_int_equal(mapper_verity("root", &verity, &device), ERR_NOT_FOUND);
    assert_int_equal(mapper_remove("root"), ERR_NOT_FOUND);
}

static void removing_names_the_device(void **state)
{
    assert_int_equal(mapper_remove("data"), ERR_OK);
    assert_string_equal(kernel.name, "data");
    kernel.fails = DM_DEV_REMOVE;
    kernel.error = ENXIO;
    assert_int_equal(mapper_remove("data"), ERR_NO_DEVICE);
}

#define WITH_KERNEL(test) cmocka_unit_test_setup_teardown(test, make, done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_KERNEL(a_verity_device_is_read_only_and_stops_the_machine_at_a_block_that_differs),
        WITH_KERNEL(a_device_is_made_in_three_steps),
        WITH_KERNEL(a_minor_number_beyond_a_byte_is_understood),
        WITH_KERNEL(a_salt_may_be_none_and_is_not_longer_than_32_bytes),
        WITH_KERNEL(a_root_of_no_blocks_or_of_more_than_a_device_has_is_refused),
        WITH_KERNEL(a_crypt_device_takes_its_key_from_the_keyring),
        WITH_KERNEL(a_crypt_device_ends_with_a_whole_block),
        WITH_KERNEL(a_crypt_device_with_tags_authenticates_each_block),
        WITH_KERNEL(room_for_tags_is_made_on_an_empty_device_and_then_used),
        WITH_KERNEL(a_device_that_has_room_for_tags_is_used_as_it_is),
        WITH_KERNEL(a_device_that_is_neither_empty_nor_one_with_tags_is_left_alone),
        WITH_KERNEL(a_kernel_that_makes_no_room_for_tags_is_told),
        WITH_KERNEL(a_key_that_is_not_there_is_not_found_and_leaves_no_device),
        WITH_KERNEL(a_device_that_does_not_start_is_removed_again),
        WITH_KERNEL(a_name_that_is_taken_is_left_to_who_has_it),
        WITH_KERNEL(a_kernel_without_a_device_mapper_is_told),
        WITH_KERNEL(removing_names_the_device),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
