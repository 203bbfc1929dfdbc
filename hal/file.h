/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files by their path, for what a person names on a command line and for what lies in the root of a box. The appliance's own
 * files are hal/datadir.h's. */
#ifndef HAL_FILE_H
#define HAL_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"

/* Appends all of a file to buf. ERR_NOT_FOUND: there is none; ERR_RANGE: it holds more than the buffer has room for; ERR_REFUSED,
 * ERR_IO, ERR_NO_MEMORY. Blocks. */
enum err file_read(const char *path, struct buf *buf) MUST_USE;

/* Opens a regular file for reading at places; the caller closes it with socket_close(). ERR_MALFORMED: a folder, a pipe or a device;
 * ERR_NOT_FOUND, ERR_REFUSED, ERR_IO. */
enum err file_open(const char *path, int *out_fd, uint64_t *out_bytes) MUST_USE;

/* Reads exactly len bytes. ERR_MALFORMED: the file ends before; ERR_IO. out_bytes is undefined after a failure. */
enum err file_read_at(int fd, uint64_t offset, size_t len, uint8_t *out_bytes) MUST_USE;

#endif
