/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The files of the ESP and the partition behind hal/bootslot.h. The order of an update, each step on disk before the next:
 *
 *   1. the other image's entry goes, then its policy: nothing bootable points to the partition any more
 *   2. root into the partition, kernel image and policy into *.tmp files
 *   3. the policy gets its name: without an entry nobody looks at it
 *   4. the kernel image gets its name, with its tries: from here on the loader starts it
 *
 * FAT keeps no journal. A rename on it writes a new entry that is empty, then fills it in, and then removes the old one
 * (mounts_esp() has each written at once). A cut in an update leaves the running image's entry as it was. One in a blessing
 * may leave two entries of the running image: an empty new one is passed over, and of two that share their content neither is
 * ever removed while it runs, for that would free what the other needs. */
#include "hal/bootslot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/types.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/base/num.h"
#include "hal/linux/sys_int.h"

#define FILE_BYTES (sizeof("rowlock-.policy") + BOOTSLOT_VERSION_MAX + 24) /* with counters, and the NUL */
#define ESP_SPARE  ((uint64_t)256 << 10) /* for the folder, and because clusters are not filled */

_Static_assert(BOOTSLOT_TRIES >= 1 && BOOTSLOT_TRIES <= 9, "one digit in the name");

static const char *const scratch_names[BOOTSLOT_PARTS] = {
    [BOOTSLOT_IMAGE] = "rowlock.efi.tmp", [BOOTSLOT_ROOT] = NULL, [BOOTSLOT_POLICY] = "rowlock.policy.tmp"};

struct bootslot {
    int folder;
    int fds[BOOTSLOT_PARTS]; /* -1: not open; the partition always is */
    char running[BOOTSLOT_VERSION_MAX + 1];
    bool begun;
    char version[BOOTSLOT_VERSION_MAX + 1]; /* of the update */
    uint32_t bytes[BOOTSLOT_PARTS];
    uint32_t written[BOOTSLOT_PARTS]; /* from the start of each, without a gap */
};

static enum err open_path(const char *path, int flags, int *out_fd)
{
    const int fd = open(path, flags | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0) {
        FAIL_ERRNO(errno, "opening a slot");
    }
    *out_fd = fd;
    return ERR_OK;
}

enum err bootslot_open_folder(const char *path, int *out_folder)
{
    return open_path(path, O_RDONLY | O_DIRECTORY, out_folder);
}

enum err bootslot_open_root(const struct blockdev *device, int *out_root)
{
    return open_path(device->path, O_WRONLY, out_root);
}

static void close_scratch(struct bootslot *slot)
{
    for (size_t i = 0; i < BOOTSLOT_PARTS; i++) {
        if (scratch_names[i] != NULL) {
            sys_close(slot->fds[i]);
            slot->fds[i] = -1;
        }
    }
    slot->begun = false;
}

enum err bootslot_new(int take_folder, int take_root, struct span running, struct bootslot **out_slot)
{
    SCOPED_BOOTSLOT struct bootslot *slot = NULL;
    void *memory = NULL;

    const enum err err = mem_alloc(sizeof(struct bootslot), &memory);
    if (err != ERR_OK) {
        sys_close(take_folder);
        sys_close(take_root);
        return err;
    }
    slot = memory;
    *slot = (struct bootslot){.folder = take_folder, .fds = {-1, take_root, -1}};
    ENSURE(running.len != 0 && running.len <= BOOTSLOT_VERSION_MAX, ERR_RANGE, "length of a version");
    memcpy(slot->running, running.data, running.len);
    *out_slot = TAKE(slot);
    return ERR_OK;
}

void bootslot_free(struct bootslot *slot)
{
    if (slot != NULL) {
        close_scratch(slot);
        sys_close(slot->fds[BOOTSLOT_ROOT]);
        sys_close(slot->folder);
        mem_free(slot);
    }
}

/* --- the folder --- */

static void close_entries(DIR *const *entries)
{
    if (*entries != NULL) {
        (void)closedir(*entries); /* only read */
    }
}

/* Calls visit for each name until one is an error. */
static enum err walk(struct bootslot *slot, enum err (*visit)(struct bootslot *slot, struct span name, void *context),
                     void *context)
{
    const int fd = openat(slot->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        FAIL_ERRNO(errno, "the folder of images");
    }
    SCOPED(close_entries) DIR *entries = fdopendir(fd);
    if (entries == NULL) {
        const int error = errno;
        sys_close(fd);
        FAIL_ERRNO(error, "the folder of images");
    }
    errno = 0;
    for (const struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        TRY(visit(slot, span_str(entry->d_name), context));
        errno = 0;
    }
    if (errno != 0) {
        FAIL_ERRNO(errno, "reading the folder of images");
    }
    return ERR_OK;
}

struct listing {
    struct bootslot_entry *entries;
    size_t count;
};

static enum err add_entry(struct bootslot *slot, struct span name, void *context)
{
    struct listing *const listing = context;

    (void)slot;
    if (listing->count < BOOTSLOT_ENTRIES_MAX &&
        bootslot_read_name(name, &listing->entries[listing->count]) == ERR_OK) {
        listing->count++;
    }
    fault_clear();
    return ERR_OK;
}

enum err bootslot_list(struct bootslot *slot, struct bootslot_entry out_entries[BOOTSLOT_ENTRIES_MAX],
                       size_t *out_count)
{
    struct bootslot_entry entries[BOOTSLOT_ENTRIES_MAX];
    struct listing listing = {.entries = entries};

    TRY(walk(slot, add_entry, &listing));
    memcpy(out_entries, entries, listing.count * sizeof(entries[0]));
    *out_count = listing.count;
    return ERR_OK;
}

static void name_of(char out_name[FILE_BYTES], const char *version, const char *ending)
{
    const int len = snprintf(out_name, FILE_BYTES, "rowlock-%s%s", version, ending);

    INVARIANT(len > 0 && (size_t)len < FILE_BYTES);
}

static bool is_name(struct span name, const char *version, const char *ending)
{
    char wanted[FILE_BYTES];

    name_of(wanted, version, ending);
    return span_equal(name, span_str(wanted));
}

static enum err remove_name(struct bootslot *slot, struct span name)
{
    char text[FILE_BYTES];

    ENSURE(name.len < sizeof(text), ERR_RANGE, "length of a file's name");
    memcpy(text, name.data, name.len);
    text[name.len] = '\0';
    if (unlinkat(slot->folder, text, 0) != 0 && errno != ENOENT) {
        FAIL_ERRNO(errno, "removing a file of another image");
    }
    return ERR_OK;
}

static enum err sync_folder(struct bootslot *slot)
{
    if (fsync(slot->folder) != 0) {
        FAIL_ERRNO(errno, "fsync of the folder of images");
    }
    return ERR_OK;
}

static enum err remove_entry(struct bootslot *slot, struct span name, void *context)
{
    struct bootslot_entry entry;

    (void)context;
    if (bootslot_read_name(name, &entry) != ERR_OK) {
        fault_clear();
        return ERR_OK;
    }
    return strcmp(entry.version, slot->running) == 0 ? ERR_OK : remove_name(slot, name);
}

static enum err remove_policy(struct bootslot *slot, struct span name, void *context)
{
    const struct span ending = span_lit(".policy");
    const bool ours = span_starts_with(name, span_lit("rowlock-")) && name.len > ending.len && name.len < FILE_BYTES &&
                      span_equal(span_of(name.data + name.len - ending.len, ending.len), ending);

    (void)context;
    return !ours || is_name(name, slot->running, ".policy") ? ERR_OK : remove_name(slot, name);
}

static enum err remove_others(struct bootslot *slot)
{
    TRY(walk(slot, remove_entry, NULL));
    TRY(sync_folder(slot));
    TRY(walk(slot, remove_policy, NULL));
    for (size_t i = 0; i < BOOTSLOT_PARTS; i++) {
        if (scratch_names[i] != NULL) {
            TRY(remove_name(slot, span_str(scratch_names[i])));
        }
    }
    return sync_folder(slot);
}

/* --- the image that runs --- */

struct found {
    bool any;
    struct bootslot_entry entry;
    char name[FILE_BYTES]; /* as it stands there */
};

/* Blessed wins: where a cut left both names, they are of the same file, unless one is empty still. */
static enum err look_for_running(struct bootslot *slot, struct span name, void *context)
{
    struct found *const found = context;
    struct bootslot_entry entry;
    struct stat status;
    char text[FILE_BYTES];

    if (bootslot_read_name(name, &entry) != ERR_OK) {
        fault_clear();
        return ERR_OK;
    }
    if (strcmp(entry.version, slot->running) != 0 || name.len >= sizeof(text) || (found->any && entry.trial)) {
        return ERR_OK;
    }
    memcpy(text, name.data, name.len);
    text[name.len] = '\0';
    if (fstatat(slot->folder, text, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        FAIL_ERRNO(errno, "looking at the running image");
    }
    if (status.st_size != 0) {
        found->any = true;
        found->entry = entry;
        memcpy(found->name, text, name.len + 1);
    }
    return ERR_OK;
}

static enum err find_running(struct bootslot *slot, struct found *out_found)
{
    struct found found = {.any = false};

    TRY(walk(slot, look_for_running, &found));
    ENSURE(found.any, ERR_NOT_FOUND, "the running image has no entry");
    *out_found = found;
    return ERR_OK;
}

enum err bootslot_on_trial(struct bootslot *slot, bool *out_trial)
{
    struct found found;

    TRY(find_running(slot, &found));
    *out_trial = found.entry.trial;
    return ERR_OK;
}

static enum err rename_synced(struct bootslot *slot, const char *from, const char *to)
{
    if (renameat(slot->folder, from, slot->folder, to) != 0) {
        FAIL_ERRNO(errno, "renaming a file of an image");
    }
    return sync_folder(slot);
}

enum err bootslot_bless(struct bootslot *slot)
{
    char blessed[FILE_BYTES];
    struct found found;

    TRY(find_running(slot, &found));
    if (!found.entry.trial) {
        return ERR_OK;
    }
    name_of(blessed, slot->running, ".efi");
    return rename_synced(slot, found.name, blessed);
}

/* --- an update --- */

static enum err check_room(struct bootslot *slot, const uint32_t bytes[BOOTSLOT_PARTS])
{
    const off_t room = lseek(slot->fds[BOOTSLOT_ROOT], 0, SEEK_END);
    struct statfs esp;

    if (room < 0 || fstatfs(slot->folder, &esp) != 0) {
        FAIL_ERRNO(errno, "looking for room");
    }
    ENSURE((uint64_t)room >= bytes[BOOTSLOT_ROOT], ERR_RANGE, "a root that is larger than its slot");
    const uint64_t free = (uint64_t)esp.f_bavail * (uint64_t)esp.f_bsize;
    ENSURE(free >= (uint64_t)bytes[BOOTSLOT_IMAGE] + bytes[BOOTSLOT_POLICY] + ESP_SPARE, ERR_FULL,
           "no room for two images on the ESP");
    return ERR_OK;
}

static enum err open_scratch(struct bootslot *slot)
{
    for (size_t i = 0; i < BOOTSLOT_PARTS; i++) {
        if (scratch_names[i] == NULL) {
            continue;
        }
        slot->fds[i] =
            openat(slot->folder, scratch_names[i], O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (slot->fds[i] < 0) {
            FAIL_ERRNO(errno, "making a file for the update");
        }
    }
    return ERR_OK;
}

enum err bootslot_begin(struct bootslot *slot, struct span version, const uint32_t bytes[BOOTSLOT_PARTS])
{
    bool trial = false;

    ENSURE(version.len != 0 && version.len <= BOOTSLOT_VERSION_MAX, ERR_RANGE, "length of a version");
    ENSURE(!span_equal(version, span_str(slot->running)), ERR_EXISTS, "the version that runs");
    TRY(bootslot_on_trial(slot, &trial));
    ENSURE(!trial, ERR_STATE, "the running image is on trial");
    close_scratch(slot);
    TRY(remove_others(slot));
    TRY(check_room(slot, bytes));
    TRY(open_scratch(slot));
    memcpy(slot->version, version.data, version.len);
    slot->version[version.len] = '\0';
    memcpy(slot->bytes, bytes, sizeof(slot->bytes));
    memset(slot->written, 0, sizeof(slot->written));
    slot->begun = true;
    return ERR_OK;
}

enum err bootslot_write(struct bootslot *slot, enum bootslot_part part, uint32_t offset, struct span bytes)
{
    size_t done = 0;

    ENSURE(slot->begun, ERR_STATE, "no update was begun");
    ENSURE(part < BOOTSLOT_PARTS && offset == slot->written[part] && bytes.len <= slot->bytes[part] - offset, ERR_RANGE,
           "a piece that is not the next one");
    while (done < bytes.len) {
        const ssize_t put = pwrite(slot->fds[part], bytes.data + done, bytes.len - done, (off_t)(offset + done));
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            FAIL_ERRNO(put < 0 ? errno : EIO, "writing an update");
        }
        done += (size_t)put;
    }
    slot->written[part] += (uint32_t)bytes.len;
    return ERR_OK;
}

static enum err sync_parts(struct bootslot *slot)
{
    for (size_t i = 0; i < BOOTSLOT_PARTS; i++) {
        ENSURE(slot->written[i] == slot->bytes[i], ERR_STATE, "an update that is not whole");
        if (fsync(slot->fds[i]) != 0) {
            FAIL_ERRNO(errno, "fsync of an update");
        }
    }
    return ERR_OK;
}

static enum err name_parts(struct bootslot *slot)
{
    const char tries[] = {'+', '0' + BOOTSLOT_TRIES, '.', 'e', 'f', 'i', '\0'};
    char name[FILE_BYTES];

    name_of(name, slot->version, ".policy");
    TRY(rename_synced(slot, scratch_names[BOOTSLOT_POLICY], name));
    name_of(name, slot->version, tries);
    return rename_synced(slot, scratch_names[BOOTSLOT_IMAGE], name);
}

enum err bootslot_commit(struct bootslot *slot)
{
    ENSURE(slot->begun, ERR_STATE, "no update was begun");
    enum err err = sync_parts(slot);
    if (err == ERR_OK) {
        err = name_parts(slot);
    }
    close_scratch(slot);
    return err;
}
