/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/store_box.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/aead.h"
#include "crypto/crypto.h"
#include "crypto/hash.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/base/num.h"
#include "storage/fsck.h"
#include "storage/store_int.h"

#define WRAPPED_BYTES (4 + 32 + 32 + AEAD_TAG_BYTES)

static void must(enum err err, const char *what)
{
    if (err != ERR_OK) {
        const struct fault_trail *trail = fault_trail();
        fprintf(stderr, "store_box: %s: %s\n", what, err_name(err));
        for (size_t at = 0; at < trail->count; at++) {
            fprintf(stderr, "  %s:%d %s %s (%lld)\n", trail->frames[at].file, trail->frames[at].line,
                    err_name(trail->frames[at].err), trail->frames[at].why, (long long)trail->frames[at].number);
        }
        abort();
    }
}

/* --- keeper --- */

static enum err wrapping_key(const struct memory_keeper *keeper, uint32_t version, const uint8_t salt[32],
                             struct table_id table, struct aead **out_aead)
{
    SCOPED_SECRET struct secret *secret = NULL;
    uint8_t name[16] = "wrap";
    uint8_t digest[SHA256_BYTES] = {0};
    uint8_t info[8] = {0};

    put_u32be(name + 8, keeper->seed);
    put_u32be(name + 12, version);
    sha256(span_array(name), digest);
    TRY(secret_new_in(keeper->slab, span_array(digest), &secret));
    put_u32be(info, table.value);
    return aead_new_derived(keeper->slab, secret, span_of(salt, 32), span_array(info), out_aead);
}

static enum err wrap(struct memory_keeper *keeper, struct table_id table, const struct secret *key,
                     struct store_wrapped *out_wrapped)
{
    const uint8_t nonce[AEAD_NONCE_BYTES] = {0};
    struct aead *aead = NULL;

    put_u32be(out_wrapped->bytes, keeper->newest);
    random_fill(keeper->random, out_wrapped->bytes + 4, 32);
    TRY(wrapping_key(keeper, keeper->newest, out_wrapped->bytes + 4, table, &aead));
    const enum err err = aead_seal(aead, nonce, span_of(out_wrapped->bytes, 4), secret_reveal(key),
                                   out_wrapped->bytes + 36, out_wrapped->bytes + 68);
    aead_free(aead);
    out_wrapped->len = WRAPPED_BYTES;
    return err;
}

static enum err keeper_new_key(void *context, struct table_id table, struct secret **out_key,
                               struct store_wrapped *out_wrapped)
{
    struct memory_keeper *keeper = context;
    SCOPED_SECRET struct secret *key = NULL;

    TRY(random_secret(keeper->random, AEAD_KEY_BYTES, &key));
    if (keeper->new_keys < MEMORY_KEEPER_MADE) {
        memcpy(keeper->made[keeper->new_keys], secret_reveal(key).data, AEAD_KEY_BYTES);
    }
    keeper->new_keys++;
    TRY(wrap(keeper, table, key, out_wrapped));
    *out_key = TAKE(key);
    return ERR_OK;
}

static enum err keeper_open_key(void *context, struct table_id table, struct span wrapped, struct secret **out_key)
{
    const struct memory_keeper *keeper = context;
    const uint8_t nonce[AEAD_NONCE_BYTES] = {0};
    SCOPED_SECRET struct secret *key = NULL;
    struct aead *aead = NULL;

    ENSURE(wrapped.len == WRAPPED_BYTES, ERR_AUTH, "wrapped key of another size");
    const uint32_t version = get_u32be(wrapped.data);
    ENSURE(version >= keeper->oldest && version <= keeper->newest, ERR_STALE_KEY, "wrapping key is gone");
    TRY(secret_new(AEAD_KEY_BYTES, &key));
    TRY(wrapping_key(keeper, version, wrapped.data + 4, table, &aead));
    const enum err err = aead_open(aead, nonce, span_of(wrapped.data, 4), span_of(wrapped.data + 36, 32),
                                   wrapped.data + 68, secret_fill(key));
    aead_free(aead);
    TRY(err);
    *out_key = TAKE(key);
    return ERR_OK;
}

static enum err keeper_rotate_begin(void *context)
{
    struct memory_keeper *keeper = context;

    if (keeper->newest == keeper->oldest) {
        keeper->newest++;
    }
    return ERR_OK;
}

static enum err keeper_rewrap(void *context, struct table_id table, struct span wrapped,
                              struct store_wrapped *out_wrapped)
{
    struct memory_keeper *keeper = context;
    SCOPED_SECRET struct secret *key = NULL;

    keeper->rewraps++;
    TRY(keeper_open_key(context, table, wrapped, &key));
    return wrap(keeper, table, key, out_wrapped);
}

static enum err keeper_rotate_end(void *context)
{
    struct memory_keeper *keeper = context;

    if (keeper->fail_rotate_end != ERR_OK) {
        return keeper->fail_rotate_end;
    }
    keeper->oldest = keeper->newest;
    return ERR_OK;
}

static enum err keeper_rotate_pending(void *context, bool *out_pending)
{
    const struct memory_keeper *keeper = context;

    *out_pending = keeper->newest != keeper->oldest;
    return ERR_OK;
}

void memory_keeper_init(struct memory_keeper *keeper, struct secret_slab *slab, struct random *random, uint32_t seed)
{
    *keeper = (struct memory_keeper){
        .table = {.context = keeper,
                  .new_key = keeper_new_key,
                  .open_key = keeper_open_key,
                  .rotate_begin = keeper_rotate_begin,
                  .rewrap = keeper_rewrap,
                  .rotate_end = keeper_rotate_end,
                  .rotate_pending = keeper_rotate_pending},
        .slab = slab,
        .random = random,
        .seed = seed,
        .oldest = 1,
        .newest = 1,
    };
}

/* --- the box --- */

enum err store_box_open(struct store_box *box)
{
    box->config.path = box->path;
    box->config.map_bytes = box->map_bytes != 0 ? box->map_bytes : UINT64_C(64) << 20;
    box->config.keeper = &box->keeper.table;
    box->config.slab = box->slab;
    TRY(store_open(&box->config, box->random, &box->store));
    TRY(store_reader_new(box->store, &box->reader));
    return store_sealer_new(box->store, box->random, &box->sealer);
}

enum err store_box_try(const char *folder, struct store_box **out_box)
{
    return store_box_try_cut(folder, 1, out_box);
}

enum err store_box_try_cut(const char *folder, uint32_t newest, struct store_box **out_box)
{
    struct store_box *box = calloc(1, sizeof(*box));

    if (box == NULL) {
        abort();
    }
    snprintf(box->path, sizeof(box->path), "%s", folder);
    must(crypto_slab_new(&box->slab), "slab");
    must(random_new(SPAN_NONE, &box->random), "random");
    must(buf_new(ROW_BYTES_MAX, &box->buf), "buf");
    memory_keeper_init(&box->keeper, box->slab, box->random, 1);
    box->keeper.newest = newest;
    *out_box = box;
    return store_box_open(box);
}

struct store_box *store_box_at(const char *folder)
{
    struct store_box *box = NULL;

    must(store_box_try(folder, &box), "open");
    return box;
}

struct store_box *store_box_new(void)
{
    const struct temp_dir dir = temp_dir_make();
    struct store_box *box = store_box_at(dir.path);

    box->dir = dir;
    return box;
}

void store_box_close(struct store_box *box)
{
    store_reader_free(box->reader);
    if (box->sealer != NULL) {
        store_txn_abort(&box->sealer->txn); /* left by a test that failed */
    }
    store_sealer_free(box->sealer);
    store_close(box->store);
    box->reader = NULL;
    box->sealer = NULL;
    box->store = NULL;
}

void store_box_reopen(struct store_box *box)
{
    store_box_close(box);
    must(store_box_open(box), "reopen");
}

void store_box_free(struct store_box *box)
{
    store_box_close(box);
    random_free(box->random);
    secret_slab_free(box->slab);
    buf_free(box->buf);
    if (box->dir.path[0] != 0) {
        temp_dir_remove(&box->dir);
    }
    free(box);
}

struct span store_box_row(struct store_box *box, const char *owner, const char *text, int64_t number)
{
    const struct wall_time now = {INT64_C(1700000000000)};
    struct row_builder builder;
    struct span encoded = SPAN_NONE;

    must(row_build_begin(&builder, box->buf, now, now, span_str(owner)), "row");
    if (text != NULL) {
        must(row_build_string(&builder, (struct row_key){.column = 1}, span_str(text)), "row");
    }
    must(row_build_int(&builder, (struct row_key){.column = 2}, number), "row");
    must(row_build_end(&builder, &encoded), "row");
    return encoded;
}

struct table_id store_box_table(struct store_box *box)
{
    struct store_txn *txn = NULL;
    struct table_id table = {0};

    must(store_txn_begin(box->sealer, &txn), "begin");
    must(store_table_new(txn, &table), "table");
    must(store_txn_commit(txn), "commit");
    return table;
}

struct row_id store_box_insert(struct store_box *box, struct table_id table, const char *owner, const char *text,
                               int64_t number)
{
    struct store_txn *txn = NULL;

    must(store_txn_begin(box->sealer, &txn), "begin");
    const struct row_id id = store_txn_row_id(txn, (struct wall_time){INT64_C(1700000000000)});
    must(store_insert(txn, table, id, store_box_row(box, owner, text, number), NULL), "insert");
    must(store_txn_commit(txn), "commit");
    return id;
}

static enum err finish(struct store_txn *txn, enum err err)
{
    if (err != ERR_OK) {
        store_txn_abort(txn);
        return err;
    }
    return store_txn_commit(txn);
}

enum err store_box_replace(struct store_box *box, struct table_id table, struct row_id id, const char *owner,
                           const char *text, int64_t number)
{
    struct store_txn *txn = NULL;

    must(store_txn_begin(box->sealer, &txn), "begin");
    return finish(txn, store_replace(txn, table, id, store_box_row(box, owner, text, number), NULL));
}

enum err store_box_delete(struct store_box *box, struct table_id table, struct row_id id)
{
    struct store_txn *txn = NULL;

    must(store_txn_begin(box->sealer, &txn), "begin");
    return finish(txn, store_delete(txn, table, id));
}

struct index_id store_box_index(struct store_box *box, struct table_id table, uint16_t column, bool descending,
                                bool unique, bool sparse)
{
    const struct index_def def = {.fields = {{.field = {.column = column}, .descending = descending}},
                                  .field_count = 1,
                                  .unique = unique,
                                  .sparse = sparse};
    struct store_txn *txn = NULL;
    struct index_id index = {0};

    must(store_txn_begin(box->sealer, &txn), "begin");
    must(store_index_create(txn, table, &def, &index), "index");
    must(store_txn_commit(txn), "commit");
    return index;
}

struct span store_box_text(const struct row *row)
{
    const struct row_field field = {.column = 1};
    struct row_value value = {.type = ROW_MISSING};

    must(row_find(row, &field, NULL, &value), "text");
    return value.bytes;
}

int64_t store_box_number(const struct row *row)
{
    const struct row_field field = {.column = 2};
    struct row_value value = {.type = ROW_MISSING};

    must(row_find(row, &field, NULL, &value), "number");
    return value.integer;
}

size_t store_box_epochs(struct store_box *box, struct table_id table)
{
    const struct meta_name prefix = meta_name_table(META_EPOCH, table);
    struct engine_txn *txn = NULL;
    struct engine_cursor *cursor = NULL;
    struct span key = SPAN_NONE;
    size_t count = 0;

    must(engine_read_begin(box->store->engine, &txn), "begin");
    must(engine_cursor_new(txn, ENGINE_META, &cursor), "cursor");
    enum err err = engine_cursor_seek(cursor, meta_span(&prefix), &key, NULL);
    while (err == ERR_OK && span_starts_with(key, meta_span(&prefix))) {
        count++;
        err = engine_cursor_step(cursor, ENGINE_NEXT, &key, NULL);
    }
    engine_cursor_free(cursor);
    engine_abort(txn);
    return count;
}

/* --- fsck --- */

static void print_damage(void *context, const struct fsck_damage *damage)
{
    const bool *loud = context;
    char id[ROW_ID_TEXT_BYTES] = {0};

    if (*loud) {
        row_id_format(damage->row, id);
        fprintf(stderr, "fsck: %s table %u index %u row %.*s\n", fsck_kind_name(damage->kind), damage->table.value,
                damage->index.value, ROW_ID_TEXT_BYTES, id);
    }
}

uint64_t store_box_fsck(struct store_box *box, bool loud)
{
    struct fsck_report report = {.rows = 0};
    bool print = loud;

    must(fsck_run(box->store, print_damage, &print, &report), "fsck");
    return report.damaged;
}

uint64_t store_box_leftovers(struct store_box *box)
{
    struct fsck_report report = {.rows = 0};
    bool print = true;

    must(fsck_run(box->store, print_damage, &print, &report), "fsck");
    return report.leftovers;
}

void store_box_clear(struct store_box *box, uint32_t entries)
{
    bool done = false;

    while (!done) {
        struct store_txn *txn = NULL;
        must(store_txn_begin(box->sealer, &txn), "begin");
        must(store_clear_some(txn, entries, &done), "clear");
        must(store_txn_commit(txn), "commit");
    }
}

int store_box_set_up(void **state)
{
    *state = store_box_new();
    return 0;
}

int store_box_tear_down(void **state)
{
    store_box_free(*state);
    return 0;
}

enum err store_box_read(struct store_box *box, struct table_id table, struct row_id id, char text[STORE_BOX_TEXT_MAX],
                        int64_t *out_number)
{
    SCOPED_SNAP struct store_snap *snap = NULL;
    struct row row = {.encoded = SPAN_NONE};

    must(store_snap_begin(box->reader, &snap), "snapshot");
    const enum err err = store_get(snap, table, id, &row);
    if (err == ERR_OK) {
        const struct span value = store_box_text(&row);
        memcpy(text, value.data, num_min(value.len, STORE_BOX_TEXT_MAX - 1));
        text[num_min(value.len, STORE_BOX_TEXT_MAX - 1)] = 0;
        *out_number = store_box_number(&row);
    }
    return err;
}
