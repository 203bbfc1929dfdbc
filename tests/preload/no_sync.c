/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The planted defect of the power-cut test: linked into a program beside recorder.c, it opens the database without syncs
 * if there is a file "no-sync" beside the data directory. */
#include <dlfcn.h>
#include <unistd.h>

#include <lmdb.h>

#define EXPORT __attribute__((visibility("default")))
#define ORDER "/proc/self/fd/4/../../no-sync"

static int ordered;

__attribute__((constructor)) static void look(void)
{
    ordered = access(ORDER, F_OK) == 0;
}

EXPORT int mdb_env_open(MDB_env *env, const char *path, unsigned int flags, mdb_mode_t mode)
{
    int (*real)(MDB_env *, const char *, unsigned int, mdb_mode_t) = NULL;

    *(void **)&real = dlsym(RTLD_NEXT, "mdb_env_open");
    return real(env, path, ordered ? flags | MDB_NOSYNC : flags, mode);
}
