/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The list is part of what was signed, and so is each file that it names; the kernel looks at its own signatures besides. */
#include "hal/module.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/linux/boot_int.h"
#include "hal/linux/sys_int.h"

#define LIST_PATH  "/etc/modules"
#define LIST_MAX   65536
#define PATH_BYTES 512

static enum err load(const char *path)
{
    SCOPED_SYS_FD const int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        FAIL_ERRNO(errno, "opening a module");
    }
    if (syscall(SYS_finit_module, fd, "", 0) == 0 || errno == EEXIST) {
        return ERR_OK;
    }
    const int error = errno;
    const bool is_without_device = error == ENODEV || error == ENXIO;
    LOG(is_without_device ? LOG_INFO : LOG_ERROR, "module-not-loaded", LOG_TEXT("path", span_str(path)),
        LOG_NUMBER("errno", error));
    if (is_without_device) {
        return ERR_OK;
    }
    FAIL(ERR_REFUSED, "the kernel does not take a module", error);
}

static enum err load_line(struct span line)
{
    char path[PATH_BYTES] = {0};

    ENSURE(line.len < sizeof(path) && line.data[0] == '/' && memchr(line.data, '\0', line.len) == NULL, ERR_MALFORMED,
           "a line that is no absolute path");
    memcpy(path, line.data, line.len);
    return load(path);
}

enum err module_load_list(size_t *out_count)
{
    SCOPED_BUF struct buf *list = NULL;
    size_t count = 0;

    TRY(buf_new(LIST_MAX, &list));
    TRY(boot_read_file(LIST_PATH, list));
    struct span rest = buf_all(list);
    while (rest.len != 0) { /* each turn takes a byte at least */
        const size_t end = span_find(rest, '\n');
        if (end != 0) {
            TRY(load_line(span_of(rest.data, end)));
            count++;
        }
        const size_t taken = end < rest.len ? end + 1 : end;
        rest = span_of(rest.data + taken, rest.len - taken);
    }

    *out_count = count;
    return ERR_OK;
}

enum err module_load_no_more(void)
{
    TRY(boot_write_file("/proc/sys/kernel/modules_disabled", span_lit("1")));
    return ERR_OK;
}
