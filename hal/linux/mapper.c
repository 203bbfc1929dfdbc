/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A call to the device mapper is one block of memory: a header, one target and its parameters as text. Three calls make a
 * device: create, load the table, resume. */
#include "hal/mapper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/linux/sys_int.h"

#define CONTROL         "/dev/mapper/control"
#define PARAMETERS_MAX  768
#define SECTORS_A_BLOCK (MAPPER_BLOCK_BYTES / BLOCKDEV_SECTOR_BYTES)
#define TAG_BYTES       48 /* HMAC-SHA-256, and the random start of the block's encryption */
#define CRYPT_PLAIN     "aes-xts-plain64 :64:logon:"
#define CRYPT_TAGGED    "capi:authenc(hmac(sha256),xts(aes))-random :96:logon:"
#define HEAD_BYTES      512 /* of a device with tags */
#define HEAD_MAGIC      span_lit("integrt\0")
#define HEAD_SECTORS_AT 16

struct call {
    struct dm_ioctl head;
    struct dm_target_spec target;
    char parameters[PARAMETERS_MAX]; /* NUL-ended */
};

_Static_assert(offsetof(struct call, target) == sizeof(struct dm_ioctl), "the target follows the header");
_Static_assert(offsetof(struct call, parameters) == sizeof(struct dm_ioctl) + sizeof(struct dm_target_spec),
               "the parameters follow the target");

static struct call call_for(const char *name)
{
    struct call call = {
        .head = {.version = {DM_VERSION_MAJOR, 0, 0}, .data_size = sizeof(call), .data_start = sizeof(struct dm_ioctl)}};

    (void)snprintf(call.head.name, sizeof(call.head.name), "%s", name); /* a literal of ours, shorter than that */
    return call;
}

static enum err control_open(int *out_fd)
{
    const int fd = open(CONTROL, O_RDWR | O_CLOEXEC);

    if (fd < 0) {
        FAIL_ERRNO(errno, "opening the device mapper");
    }
    *out_fd = fd;
    return ERR_OK;
}

/* The kernel's own reason goes to its log. ENOKEY is a key that is not in the caller's keyrings. */
static enum err control(int fd, unsigned long request, struct call *call)
{
    if (ioctl(fd, request, call) != 0) {
        const int error = errno;
        if (error == ENOKEY) {
            FAIL(ERR_NOT_FOUND, "there is no such key", error);
        }
        FAIL_ERRNO(error, "a call of the device mapper");
    }
    return ERR_OK;
}

static enum err control_remove(int fd, const char *name)
{
    struct call call = call_for(name);

    TRY(control(fd, DM_DEV_REMOVE, &call));
    return ERR_OK;
}

static enum err activate(int fd, struct call *table)
{
    struct call call = call_for(table->head.name);

    TRY(control(fd, DM_TABLE_LOAD, table));
    TRY(control(fd, DM_DEV_SUSPEND, &call)); /* without its flag it means to resume */
    return ERR_OK;
}

/* What the kernel calls `huge` encoding: the upper bits of the minor number stand above the major one. */
static struct blockdev device_of(uint64_t number)
{
    struct blockdev device = {.major = (unsigned int)((number >> 8) & 0xfff),
                              .minor = (unsigned int)((number & 0xff) | ((number >> 12) & 0xfff00))};

    (void)snprintf(device.path, sizeof(device.path), "/dev/dm-%u", device.minor); /* ten digits at most */
    return device;
}

/* The table names the device, and whether it is read-only. */
static enum err make(struct call *table, struct blockdev *out_device)
{
    SCOPED_SYS_FD int fd = -1;
    struct call call = call_for(table->head.name);

    TRY(control_open(&fd));
    TRY(control(fd, DM_DEV_CREATE, &call));
    const enum err err = activate(fd, table);
    if (err != ERR_OK && control_remove(fd, table->head.name) != ERR_OK) {
        return err; /* the trail says both */
    }
    TRY(err);

    *out_device = device_of(call.head.dev);
    return ERR_OK;
}

static enum err fill_target(struct call *table, const char *type, uint64_t sectors, int parameter_bytes)
{
    ENSURE(parameter_bytes > 0 && (size_t)parameter_bytes < sizeof(table->parameters), ERR_RANGE,
           "parameters of a device that are too long");
    ENSURE(sectors != 0, ERR_RANGE, "a device of no size");
    table->head.target_count = 1;
    table->target.length = sectors;
    (void)snprintf(table->target.target_type, sizeof(table->target.target_type), "%s", type); /* a literal of ours */
    return ERR_OK;
}

enum err mapper_verity(const char *name, const struct mapper_verity *verity, struct blockdev *out_device)
{
    struct call table = call_for(name);
    char root_hash[HEX_BYTES(MAPPER_HASH_BYTES) + 1] = {0};
    char salt[HEX_BYTES(MAPPER_SALT_MAX) + 1] = "-"; /* none */

    ENSURE(verity->salt_len <= MAPPER_SALT_MAX, ERR_RANGE, "a salt that is too long");
    ENSURE(verity->blocks <= UINT64_MAX / SECTORS_A_BLOCK, ERR_RANGE, "more blocks than any device has");
    hex_encode(span_array(verity->root_hash), root_hash);
    if (verity->salt_len != 0) {
        hex_encode(span_of(verity->salt, verity->salt_len), salt);
    }
    table.head.flags = DM_READONLY_FLAG;
    const int len = snprintf(table.parameters, sizeof(table.parameters), "1 %u:%u %u:%u %d %d %llu %llu sha256 %s %s 1 %s",
                             verity->device->major, verity->device->minor, verity->device->major, verity->device->minor,
                             MAPPER_BLOCK_BYTES, MAPPER_BLOCK_BYTES, (unsigned long long)verity->blocks,
                             (unsigned long long)verity->blocks, root_hash, salt, "panic_on_corruption");
    TRY(fill_target(&table, "verity", verity->blocks * SECTORS_A_BLOCK, len));
    return make(&table, out_device);
}

enum err mapper_crypt(const char *name, const struct mapper_crypt *crypt, struct blockdev *out_device)
{
    struct call table = call_for(name);
    char options[64] = " 1 sector_size:4096";

    if (crypt->has_tags) {
        (void)snprintf(options, sizeof(options), " 2 integrity:%d:aead sector_size:4096", TAG_BYTES); /* fits any number */
    }
    const int len = snprintf(table.parameters, sizeof(table.parameters), "%s%s 0 %u:%u 0%s",
                             crypt->has_tags ? CRYPT_TAGGED : CRYPT_PLAIN, crypt->key_name, crypt->device->major,
                             crypt->device->minor, options);
    TRY(fill_target(&table, "crypt", crypt->sectors / SECTORS_A_BLOCK * SECTORS_A_BLOCK, len));
    return make(&table, out_device);
}

/* --- room for tags --- */

static enum err integrity_table(const char *name, const struct blockdev *device, uint64_t sectors, struct call *out_table)
{
    struct call table = call_for(name);
    const int len = snprintf(table.parameters, sizeof(table.parameters), "%u:%u 0 %d J 1 block_size:%d", device->major,
                             device->minor, TAG_BYTES, MAPPER_BLOCK_BYTES);

    TRY(fill_target(&table, "integrity", sectors, len));
    *out_table = table;
    return ERR_OK;
}

/* 0: its first block is all zeros. Spec: dm-integrity.rst, "the layout of the formatted volume", and struct superblock of the
 * kernel's dm-integrity.c: magic(8) version(1) log2_interleave(1) tag(2) journal(4) sectors(8), little-endian. */
static enum err read_head(const struct blockdev *device, uint64_t *out_sectors)
{
    uint8_t head[HEAD_BYTES];
    uint64_t sectors = 0;

    TRY(blockdev_read(device, 0, head, sizeof(head)));
    if (span_equal(span_of(head, HEAD_MAGIC.len), HEAD_MAGIC)) {
        for (size_t i = 0; i < sizeof(sectors); i++) {
            sectors |= (uint64_t)head[HEAD_SECTORS_AT + i] << (8 * i);
        }
        ENSURE(sectors != 0, ERR_MALFORMED, "a device with tags and no data");
    } else {
        for (size_t i = 0; i < sizeof(head); i++) {
            ENSURE(head[i] == 0, ERR_MALFORMED, "neither empty nor a device with tags");
        }
    }
    *out_sectors = sectors;
    return ERR_OK;
}

/* The kernel makes one of an empty device when a table of any size is loaded; how much there is for data stands in what it
 * has written. */
static enum err format(const char *name, const struct blockdev *device)
{
    struct blockdev unused = {.major = 0};
    struct call table;

    TRY(integrity_table(name, device, SECTORS_A_BLOCK, &table));
    TRY(make(&table, &unused));
    TRY(mapper_remove(name));
    return ERR_OK;
}

enum err mapper_integrity(const char *name, const struct blockdev *device, struct blockdev *out_device,
                          uint64_t *out_sectors)
{
    uint64_t sectors = 0;
    struct call table;

    TRY(read_head(device, &sectors));
    if (sectors == 0) {
        TRY(format(name, device));
        TRY(read_head(device, &sectors));
        ENSURE(sectors != 0, ERR_IO, "the kernel has not written where the tags are");
    }
    TRY(integrity_table(name, device, sectors, &table));
    TRY(make(&table, out_device));
    *out_sectors = sectors;
    return ERR_OK;
}

enum err mapper_remove(const char *name)
{
    SCOPED_SYS_FD int fd = -1;

    TRY(control_open(&fd));
    TRY(control_remove(fd, name));
    return ERR_OK;
}
