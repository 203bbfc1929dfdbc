/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The first engine: LMDB, a copy-on-write B+tree in one memory-mapped file.
 *
 * The map is read-only (no MDB_WRITEMAP), so a stray pointer of ours cannot change a page. Every commit is synced (no
 * MDB_NOSYNC). Pages are cleared before use (no MDB_NOMEMINIT), so no heap byte reaches the disk. MDB_NOTLS lets a
 * read transaction rest between slices. Address space for the largest size is reserved at open; the file grows by
 * writing.
 *
 * Full disk: LMDB writes a commit's pages first, syncs, then the one page that makes them count. A write that fails
 * leaves that page alone, so nothing has changed. A write cut short for want of room is reported as EIO by LMDB; asking
 * the system for room behind the end of the file tells it from a real failure.
 *
 * LMDB trusts its pages. A hostile file can stop this process; it cannot make it accept a value that was not sealed. Nor
 * can it keep a walk for ever: where two pages point to one, and so on down the tree, a walk meets the same entries
 * again and again, so a cursor takes no more steps than the file has room for entries. One thing is LMDB's own and only
 * met by a write: a page that says it is the first of hundreds of millions is freed number by number, which takes
 * gigabytes and seconds, but ends. */
#include "storage/engine_int.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "storage/index_int.h"

#define FILE_MODE  0600
#define PATH_BYTES 512
/* A node has a header of 8 bytes, and each of ours a key and a sealed value, far more than 8 in all: room enough for
 * what a transaction adds before the file grows. The rest is for a file of a few pages. */
#define ENTRY_BYTES_MIN 8
#define STEPS_MORE      65536

struct engine {
    MDB_env *env;
    MDB_dbi maps[ENGINE_MAP_COUNT];
};

struct engine_txn {
    struct engine *engine;
    MDB_txn *txn;
};

struct engine_cursor {
    MDB_cursor *cursor;
    uint64_t steps_max; /* as many as the file has room for, and some */
    uint64_t steps;     /* since the cursor was placed */
};

static const char *const map_names[ENGINE_MAP_COUNT] = {
    [ENGINE_ROWS] = "rows", [ENGINE_INDEX] = "index", [ENGINE_META] = "meta"};

static enum err from_mdb(int code)
{
    switch (code) {
    case MDB_SUCCESS:
        return ERR_OK;
    case MDB_NOTFOUND:
        return ERR_NOT_FOUND;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return ERR_FULL;
    case MDB_PAGE_NOTFOUND:
    case MDB_CORRUPTED:
    case MDB_INVALID:
    case MDB_CURSOR_FULL:
    case MDB_PAGE_FULL:
    case MDB_INCOMPATIBLE:
    case MDB_MAP_RESIZED:
        return ERR_DAMAGED;
    case MDB_VERSION_MISMATCH:
        return ERR_VERSION;
    case MDB_READERS_FULL:
    case MDB_DBS_FULL:
        return ERR_LIMIT;
    case MDB_BAD_TXN:
        return ERR_STATE;
    case MDB_BAD_VALSIZE:
    case MDB_BAD_DBI:
    case MDB_BAD_RSLOT:
    case MDB_KEYEXIST:
    case EINVAL:
        return ERR_BUG;
    case ENOMEM:
        return ERR_NO_MEMORY;
    case EACCES:
    case EPERM:
    case EROFS:
        return ERR_REFUSED;
    case MDB_PANIC: /* the page that makes a commit count could not be written: LMDB takes no more */
        return ERR_CLOSED;
    default: /* every other errno */
        return ERR_IO;
    }
}

/* The raw number goes into the trail and no further. */
static enum err check(int code)
{
    if (code == MDB_SUCCESS) {
        return ERR_OK;
    }
    FAIL(from_mdb(code), "LMDB", code);
}

static MDB_val val_of(struct span bytes)
{
    /* mv_data is not const in LMDB's interface; keys and values handed in are only read. */
    union {
        const uint8_t *in;
        void *out;
    } pointer = {.in = bytes.data};

    return (MDB_val){bytes.len, pointer.out};
}

static struct span span_of_val(const MDB_val *val)
{
    return span_of(val->mv_data, val->mv_size);
}

static int compare_index(const MDB_val *a, const MDB_val *b)
{
    return index_compare_keys(span_of_val(a), span_of_val(b));
}

static enum err open_maps(struct engine *engine)
{
    MDB_txn *txn = NULL;
    int code = MDB_SUCCESS;

    TRY(check(mdb_txn_begin(engine->env, NULL, 0, &txn)));
    for (size_t at = 0; at < ENGINE_MAP_COUNT && code == MDB_SUCCESS; at++) {
        code = mdb_dbi_open(txn, map_names[at], MDB_CREATE, &engine->maps[at]);
    }
    if (code == MDB_SUCCESS) {
        code = mdb_set_compare(txn, engine->maps[ENGINE_INDEX], compare_index);
    }
    if (code != MDB_SUCCESS) {
        mdb_txn_abort(txn);
        FAIL(from_mdb(code), "opening the maps", code);
    }
    TRY(check(mdb_txn_commit(txn)));
    return ERR_OK;
}

static enum err start_env(const struct engine_config *config, const char *path, unsigned int flags,
                          struct engine *engine)
{
    int dead = 0;

    ENSURE(config->map_bytes <= SIZE_MAX, ERR_RANGE, "map larger than the address space");
    TRY(check(mdb_env_create(&engine->env)));
    TRY(check(mdb_env_set_mapsize(engine->env, (size_t)config->map_bytes)));
    TRY(check(mdb_env_set_maxreaders(engine->env, config->readers_max)));
    TRY(check(mdb_env_set_maxdbs(engine->env, ENGINE_MAP_COUNT)));
    TRY(check(mdb_env_open(engine->env, path, MDB_NOTLS | flags, FILE_MODE)));
    TRY(check(mdb_reader_check(engine->env, &dead))); /* slots of a process that was killed */
    return open_maps(engine);
}

/* --- the first start --- */

struct first_paths {
    char data[PATH_BYTES];
    char fresh[PATH_BYTES];
};

static enum err put_path(const char *folder, const char *name, char out_path[PATH_BYTES])
{
    const int len = snprintf(out_path, PATH_BYTES, "%s/%s", folder, name);

    ENSURE(len > 0 && len < PATH_BYTES, ERR_RANGE, "path of the database too long");
    return ERR_OK;
}

static enum err sync_folder(const char *path)
{
    const int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    ENSURE(folder >= 0, ERR_IO, "folder of the database");
    const int synced = fsync(folder);
    const int closed = close(folder);
    ENSURE(synced == 0 && closed == 0, ERR_IO, "sync of the database's folder");
    return ERR_OK;
}

/* LMDB writes a new file in place, and a crash in the middle leaves one that it refuses. So the first file is made under
 * another name, synced by its first commit, and only then given its own. */
static enum err make_first(const struct engine_config *config)
{
    struct first_paths paths = {.data = ""};
    struct engine fresh = {.env = NULL};
    struct stat state = {0};

    TRY(put_path(config->path, "data.mdb", paths.data));
    TRY(put_path(config->path, "new.mdb", paths.fresh));
    if (stat(paths.data, &state) == 0) {
        return ERR_OK;
    }
    ENSURE(errno == ENOENT, ERR_IO, "the database cannot be looked at"); /* and may be there: nothing takes its place */
    ENSURE(unlink(paths.fresh) == 0 || errno == ENOENT, ERR_IO, "left-over of a first start");
    const enum err err = start_env(config, paths.fresh, MDB_NOSUBDIR | MDB_NOLOCK, &fresh);
    if (fresh.env != NULL) {
        mdb_env_close(fresh.env);
    }
    TRY(err);
    ENSURE(rename(paths.fresh, paths.data) == 0, ERR_IO, "name of the database");
    return sync_folder(config->path);
}

enum err engine_open(const struct engine_config *config, struct engine **out_engine)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct engine), &memory));
    struct engine *engine = memory;
    enum err err = make_first(config);
    if (err == ERR_OK) {
        err = start_env(config, config->path, 0, engine);
    }
    if (err != ERR_OK) {
        engine_close(engine);
        return err;
    }
    *out_engine = engine;
    return ERR_OK;
}

void engine_close(struct engine *engine)
{
    if (engine == NULL) {
        return;
    }
    if (engine->env != NULL) {
        mdb_env_close(engine->env);
    }
    mem_free(engine);
}

static enum err begin(struct engine *engine, unsigned int flags, struct engine_txn **out_txn)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct engine_txn), &memory));
    struct engine_txn *txn = memory;
    txn->engine = engine;
    const int code = mdb_txn_begin(engine->env, NULL, flags, &txn->txn);
    if (code != MDB_SUCCESS) {
        mem_free(txn);
        FAIL(from_mdb(code), "mdb_txn_begin", code);
    }
    *out_txn = txn;
    return ERR_OK;
}

enum err engine_read_begin(struct engine *engine, struct engine_txn **out_txn)
{
    return begin(engine, MDB_RDONLY, out_txn);
}

void engine_read_reset(struct engine_txn *txn)
{
    mdb_txn_reset(txn->txn);
}

enum err engine_read_renew(struct engine_txn *txn)
{
    TRY(check(mdb_txn_renew(txn->txn)));
    return ERR_OK;
}

enum err engine_write_begin(struct engine *engine, struct engine_txn **out_txn)
{
    return begin(engine, 0, out_txn);
}

/* After a write that LMDB reports as EIO: was it room that lacked? */
static enum err full_or_io(struct engine *engine)
{
    mdb_filehandle_t file = -1;
    struct stat state = {0};

    if (mdb_env_get_fd(engine->env, &file) != MDB_SUCCESS || fstat(file, &state) != 0) {
        return ERR_IO;
    }
    MDB_stat page = {0};
    if (mdb_env_stat(engine->env, &page) != MDB_SUCCESS) {
        return ERR_IO;
    }
    return from_mdb(posix_fallocate(file, state.st_size, (off_t)page.ms_psize * 16)) == ERR_FULL ? ERR_FULL : ERR_IO;
}

enum err engine_commit(struct engine_txn *txn)
{
    struct engine *engine = txn->engine;
    const int code = mdb_txn_commit(txn->txn);

    mem_free(txn);
    if (code == EIO) {
        FAIL(full_or_io(engine), "mdb_txn_commit", code);
    }
    if (code != MDB_SUCCESS) {
        FAIL(from_mdb(code), "mdb_txn_commit", code);
    }
    return ERR_OK;
}

void engine_abort(struct engine_txn *txn)
{
    if (txn != NULL) {
        mdb_txn_abort(txn->txn);
        mem_free(txn);
    }
}

uint64_t engine_txn_number(const struct engine_txn *txn)
{
    return mdb_txn_id(txn->txn);
}

enum err engine_get(struct engine_txn *txn, enum engine_map map, struct span key, struct span *out_value)
{
    MDB_val key_val = val_of(key);
    MDB_val value = {0, NULL};
    const int code = mdb_get(txn->txn, txn->engine->maps[map], &key_val, &value);

    if (code == MDB_NOTFOUND) {
        return ERR_NOT_FOUND;
    }
    TRY(check(code));
    *out_value = span_of_val(&value);
    return ERR_OK;
}

enum err engine_put(struct engine_txn *txn, enum engine_map map, struct span key, struct span value)
{
    MDB_val key_val = val_of(key);
    MDB_val value_val = val_of(value);

    TRY(check(mdb_put(txn->txn, txn->engine->maps[map], &key_val, &value_val, 0)));
    return ERR_OK;
}

enum err engine_delete(struct engine_txn *txn, enum engine_map map, struct span key)
{
    MDB_val key_val = val_of(key);
    const int code = mdb_del(txn->txn, txn->engine->maps[map], &key_val, NULL);

    if (code == MDB_NOTFOUND) {
        return ERR_NOT_FOUND;
    }
    TRY(check(code));
    return ERR_OK;
}

static enum err count_steps(const struct engine *engine, struct engine_cursor *cursor)
{
    mdb_filehandle_t file = -1;
    struct stat state = {0};

    TRY(check(mdb_env_get_fd(engine->env, &file)));
    ENSURE(fstat(file, &state) == 0, ERR_IO, "size of the database");
    cursor->steps_max = (uint64_t)state.st_size / ENTRY_BYTES_MIN + STEPS_MORE;
    cursor->steps = 0;
    return ERR_OK;
}

enum err engine_cursor_new(struct engine_txn *txn, enum engine_map map, struct engine_cursor **out_cursor)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct engine_cursor), &memory));
    struct engine_cursor *cursor = memory;
    const enum err err = count_steps(txn->engine, cursor);
    if (err != ERR_OK) {
        mem_free(cursor);
        return err;
    }
    const int code = mdb_cursor_open(txn->txn, txn->engine->maps[map], &cursor->cursor);
    if (code != MDB_SUCCESS) {
        mem_free(cursor);
        FAIL(from_mdb(code), "mdb_cursor_open", code);
    }
    *out_cursor = cursor;
    return ERR_OK;
}

enum err engine_cursor_renew(struct engine_cursor *cursor, struct engine_txn *txn)
{
    TRY(check(mdb_cursor_renew(txn->txn, cursor->cursor)));
    TRY(count_steps(txn->engine, cursor));
    return ERR_OK;
}

void engine_cursor_free(struct engine_cursor *cursor)
{
    if (cursor != NULL) {
        mdb_cursor_close(cursor->cursor);
        mem_free(cursor);
    }
}

static enum err move(struct engine_cursor *cursor, MDB_val key, MDB_cursor_op op, struct span *out_key,
                     struct span *out_value)
{
    MDB_val at = key;
    MDB_val value = {0, NULL};
    const int code = mdb_cursor_get(cursor->cursor, &at, &value, op);

    if (code == MDB_NOTFOUND) {
        return ERR_NOT_FOUND;
    }
    TRY(check(code));
    *out_key = span_of_val(&at);
    if (out_value != NULL) {
        *out_value = span_of_val(&value);
    }
    return ERR_OK;
}

enum err engine_cursor_seek(struct engine_cursor *cursor, struct span key, struct span *out_key, struct span *out_value)
{
    cursor->steps = 0;
    return move(cursor, val_of(key), MDB_SET_RANGE, out_key, out_value);
}

enum err engine_cursor_step(struct engine_cursor *cursor, enum engine_step step, struct span *out_key,
                            struct span *out_value)
{
    static const MDB_cursor_op ops[] = {
        [ENGINE_FIRST] = MDB_FIRST, [ENGINE_LAST] = MDB_LAST, [ENGINE_NEXT] = MDB_NEXT, [ENGINE_PREV] = MDB_PREV};

    cursor->steps = step == ENGINE_FIRST || step == ENGINE_LAST ? 0 : cursor->steps + 1;
    ENSURE(cursor->steps <= cursor->steps_max, ERR_DAMAGED, "more entries than the file has room for");
    return move(cursor, (MDB_val){0, NULL}, ops[step], out_key, out_value);
}

enum err engine_cursor_delete(struct engine_cursor *cursor)
{
    TRY(check(mdb_cursor_del(cursor->cursor, 0)));
    return ERR_OK;
}
