/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The data directory and what lies in it, by directory descriptor: no path is followed twice, no link is followed at
 * all.
 *
 * A directory must belong to the effective user and be closed to all others (0700); files are regular, of the same
 * owner, 0600, and have one link. A replaced file is on disk whole, old or new, whatever happens; the old content is
 * overwritten, which is best effort: flash and copy-on-write file systems may keep it. One thread at a time. */
#ifndef HAL_DATADIR_H
#define HAL_DATADIR_H

#include <stdbool.h>
#include <stddef.h>

#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

struct datadir;

#define DATADIR_NAME_MAX 64      /* one component of [A-Za-z0-9._-], not starting with a dot */
#define DATADIR_FILE_MAX 1048576 /* these are small files: keys, certificates, configuration */

/* Opens the directory at a path, creating its last component with 0700 if it is missing.
 * ERR_NOT_FOUND (no parent), ERR_REFUSED (foreign owner, open to others, a link, not a directory, not permitted),
 * ERR_FULL, ERR_IO, ERR_NO_MEMORY. The caller closes it. */
enum err datadir_open(const char *path, struct datadir **out_dir) MUST_USE;

/* As datadir_open for a process that will change its user: where root calls, the directory and the plain files of root's
 * directly in it (what an earlier start left) are given to that user; the directory may be his already. One of root's
 * that holds other things than ours is left alone: ERR_REFUSED. An ordinary user gives nothing away: datadir_open.
 * After the change of user the object is used as before. Errors as above. */
enum err datadir_open_to_give(const char *path, unsigned int uid, unsigned int gid, struct datadir **out_dir) MUST_USE;

/* A directory inside for a child process that runs as another user: created with 0700 if missing, and given to that user
 * when root calls. An ordinary user can give nothing away; the directory is then its own, as is the child, or it is that
 * user's already, and out_fd says where it is without opening it to the caller (O_PATH). The caller closes out_fd. Errors
 * as above; ERR_MALFORMED: a name that is none; ERR_REFUSED also: it belongs to a third user. */
enum err datadir_open_for(const struct datadir *dir, const char *name, unsigned int uid, unsigned int gid,
                          int *out_fd) MUST_USE;

/* A directory whose descriptor came from another process; takes it, also on failure. Checked the same way. */
enum err datadir_take_fd(int take_fd, struct datadir **out_dir) MUST_USE;

/* Closes, and gives up the lock. NULL is fine. */
void datadir_close(struct datadir *dir);

/* Borrowed: for sandbox_enter and for passing on. */
int datadir_fd(const struct datadir *dir);

/* A path that leads to the directory in this process, whatever happens to its name: for a library that opens by path.
 * NUL-ended; as long as dir. */
#define DATADIR_PATH_BYTES 32
void datadir_path(const struct datadir *dir, char out_path[DATADIR_PATH_BYTES]);

/* Where the directory lies now, absolute, NUL-ended, for people: ERR_RANGE (longer than max), ERR_IO. */
enum err datadir_where(const struct datadir *dir, size_t max, char *out_path) MUST_USE;

/* Allows one instance: holds a lock on the file "lock" until datadir_close or the process ends.
 * ERR_CONFLICT: another process has it. */
enum err datadir_lock(struct datadir *dir) MUST_USE;

bool datadir_has(const struct datadir *dir, const char *name);

/* Whether a file of that name is there, for decisions that a sick disk must not take: false only when the system says
 * that there is none. ERR_IO, ERR_REFUSED and others, where it cannot be told; ERR_MALFORMED (name). */
enum err datadir_look(const struct datadir *dir, const char *name, bool *out_there) MUST_USE;

/* Appends the file's content to buf. ERR_NOT_FOUND, ERR_REFUSED (a link, a foreign file), ERR_RANGE (longer than the
 * buffer's room or DATADIR_FILE_MAX), ERR_IO, ERR_MALFORMED (name). */
enum err datadir_read(const struct datadir *dir, const char *name, struct buf *buf) MUST_USE;

/* Writes the file anew or replaces it: new file, fsync, rename, fsync of the directory, then the old content is
 * overwritten. On failure the old file stands, or, if only the last fsync failed, the new one: whole in either case.
 * ERR_FULL, ERR_IO, ERR_REFUSED, ERR_RANGE, ERR_MALFORMED (name). */
enum err datadir_write(const struct datadir *dir, const char *name, struct span content) MUST_USE;

/* As datadir_write, but readable by everybody (0644): for a CA certificate. The directory above still is not. */
enum err datadir_write_public(const struct datadir *dir, const char *name, struct span content) MUST_USE;

/* Overwrites the content, then removes the file, then syncs the directory. ERR_NOT_FOUND, ERR_REFUSED, ERR_IO. */
enum err datadir_remove(const struct datadir *dir, const char *name) MUST_USE;

#endif
