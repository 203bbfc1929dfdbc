/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Looks at databases of a box from outside, for tests/blackbox/test_durability.py: with the box's own TPM and a copy of
 * its keeper's files, unsealed once for any number of databases.
 *
 *   box_tool <keeper's folder> <TCTI>     then commands, one in a line of standard input
 *     history <file>               what clients did (see history_read); forgets the one before
 *     check <folder> <ns>          fsck, and every row of the first user's table is as the history says it was at that time
 *     cuts <log> <count> <folder> [<base>]   builds the data directory as a disk may hold it after a power cut, at `count`
 *                                  places of the log, and checks it. base: the data directory when the recording began;
 *                                  then the places are next to the keeper's calls, and its files are unsealed each time
 *     seals <folder>               prints each sealed value: "seal <table> <salt> <kind> <counter> <digest>"
 *     put_old <old> <new> <table>  puts the value of a row as it is in one database into another
 *     secrets                      prints the root key and all it wraps in the keeper: "secret <name> <hex>"
 *
 * Each command ends with a line "ok ..." or "bad ..."; the exit status is 0 if none was bad. */
#include "tests/fault/box_tool.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/crypto.h"
#include "crypto/hash.h"
#include "crypto/keyring_int.h"
#include "crypto/tpm_crypto.h"
#include "firmware/keeper/vault_int.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "storage/store_int.h"

#define LINE_BYTES  4096
#define INDEXES_MAX 1024
#define READERS     16

static struct {
    struct hal_tpm *tpm;
    struct datadir *dir;
    struct vault *vault;
    struct secret_slab *slab;
    struct random *random;
    struct x509_names names;
    struct store_keeper keeper;
} box;

void print_trail(void)
{
    const struct fault_trail *trail = fault_trail();

    for (size_t at = 0; at < trail->count; at++) {
        printf("  %s:%d %s %s (%lld)\n", trail->frames[at].file, trail->frames[at].line, err_name(trail->frames[at].err),
               trail->frames[at].why, (long long)trail->frames[at].number);
    }
    fault_clear();
}

void must(enum err err, const char *what)
{
    if (err != ERR_OK) {
        printf("bad %s: %s\n", what, err_name(err));
        print_trail();
        exit(1);
    }
}

void must_be(bool fine, const char *what)
{
    if (!fine) {
        printf("bad %s\n", what);
        exit(1);
    }
}

/* --- the keeper --- */

static enum err take_wrapped(const struct buf *from, struct store_wrapped *out_wrapped)
{
    const struct span bytes = buf_all(from);

    ENSURE(bytes.len <= STORE_WRAPPED_MAX, ERR_RANGE, "wrapped key");
    memcpy(out_wrapped->bytes, bytes.data, bytes.len);
    out_wrapped->len = bytes.len;
    return ERR_OK;
}

static enum err new_key(void *context, struct table_id table, struct secret **out_key, struct store_wrapped *out_wrapped)
{
    SCOPED_BUF struct buf *wrapped = NULL;
    SCOPED_SECRET struct secret *key = NULL;

    (void)context;
    TRY(buf_new(VAULT_WRAPPED_MAX, &wrapped));
    TRY(vault_table_new(box.vault, table.value, &key, wrapped));
    TRY(take_wrapped(wrapped, out_wrapped));
    *out_key = TAKE(key);
    return ERR_OK;
}

static enum err open_key(void *context, struct table_id table, struct span wrapped, struct secret **out_key)
{
    (void)context;
    return vault_table_open(box.vault, table.value, wrapped, out_key);
}

static enum err rewrap(void *context, struct table_id table, struct span wrapped, struct store_wrapped *out_wrapped)
{
    SCOPED_BUF struct buf *fresh = NULL;

    (void)context;
    TRY(buf_new(VAULT_WRAPPED_MAX, &fresh));
    TRY(vault_table_rewrap(box.vault, table.value, wrapped, fresh));
    return take_wrapped(fresh, out_wrapped);
}

static enum err rotate_begin(void *context)
{
    (void)context;
    return vault_rotate_begin(box.vault);
}

static enum err rotate_end(void *context)
{
    (void)context;
    return vault_rotate_end(box.vault);
}

static enum err rotate_pending(void *context, bool *out_pending)
{
    (void)context;
    return vault_rotate_pending(box.vault, out_pending);
}

enum err open_keeper(const char *folder)
{
    struct vault_options options = {
        .tpm = box.tpm, .entropy = hal_entropy_kernel(), .clock = hal_clock_system(), .names = &box.names};

    vault_free(TAKE(box.vault));
    datadir_close(TAKE(box.dir));
    TRY(datadir_open(folder, &box.dir));
    options.dir = box.dir;
    TRY(vault_new(&options, &box.vault));
    TRY(vault_start(box.vault, SPAN_NONE));
    ENSURE(vault_state(box.vault) == BOARD_OPERATIONAL, ERR_STATE, "the box is not operational");
    return ERR_OK;
}

static void open_box(const char *keeper_folder, const char *tcti)
{
    log_open("box_tool", LOG_ERROR);
    must(crypto_start(), "crypto");
    must(hal_tpm_open(tcti, &tpm_crypto, &box.tpm), "TPM");
    must(x509_names_add_dns(&box.names, span_lit("localhost")), "names");
    must(open_keeper(keeper_folder), "unsealing");
    must(crypto_slab_new(&box.slab), "slab");
    must(random_new(SPAN_NONE, &box.random), "random");
    box.keeper = (struct store_keeper){.new_key = new_key,
                                       .open_key = open_key,
                                       .rotate_begin = rotate_begin,
                                       .rewrap = rewrap,
                                       .rotate_end = rotate_end,
                                       .rotate_pending = rotate_pending};
}

static void close_box(void)
{
    vault_free(box.vault);
    hal_tpm_close(box.tpm);
    datadir_close(box.dir);
    random_free(box.random);
    secret_slab_free(box.slab);
}

enum err open_store(const char *folder, struct store **out_store)
{
    const struct store_config config = {.path = folder, .keeper = &box.keeper, .slab = box.slab};

    TRY(store_open(&config, box.random, out_store));
    return ERR_OK;
}

static bool do_check(const char *folder, const char *time)
{
    struct look look;

    const bool sound = is_sound(&look, folder, strtoull(time, NULL, 10));
    printf("%s %llu rows, %llu acknowledged changes %s\n", sound ? "ok" : "bad", (unsigned long long)look.rows,
           (unsigned long long)look.acked, look.why);
    return sound;
}

/* --- nonces --- */

static struct {
    struct {
        uint32_t index;
        uint32_t table;
    } indexes[INDEXES_MAX];
    size_t index_count;
} known;

static struct engine *open_engine(const char *folder)
{
    const struct engine_config config = {.path = folder, .map_bytes = UINT64_C(1) << 36, .readers_max = READERS};
    struct engine *engine = NULL;

    must(engine_open(&config, &engine), "engine");
    return engine;
}

static void learn_indexes(const char *folder)
{
    struct store *store = NULL;

    known.index_count = 0;
    must(open_store(folder, &store), "store");
    for (size_t at = 0; at < store->current->count; at++) {
        const struct table *table = store->current->tables[at];
        for (size_t i = 0; i < table->index_count; i++) {
            must_be(known.index_count < INDEXES_MAX, "too many indexes");
            known.indexes[known.index_count].index = table->indexes[i].id.value;
            known.indexes[known.index_count].table = table->id.value;
            known.index_count++;
        }
    }
    store_close(store);
}

static uint32_t table_of_index(uint32_t index)
{
    for (size_t at = 0; at < known.index_count; at++) {
        if (known.indexes[at].index == index) {
            return known.indexes[at].table;
        }
    }
    must_be(false, "an entry of no index");
    return 0;
}

static void print_hex(struct span bytes)
{
    for (size_t at = 0; at < bytes.len; at++) {
        printf("%02x", bytes.data[at]);
    }
}

static void print_seal(struct engine_txn *txn, uint32_t table, enum seal_kind kind, struct span sealed)
{
    const struct meta_name name = meta_name_epoch((struct table_id){table}, get_u32be(sealed.data));
    struct span salt = SPAN_NONE;
    uint8_t digest[SHA256_BYTES];

    must(engine_get(txn, ENGINE_META, meta_span(&name), &salt), "a value of no epoch");
    sha256(sealed, digest);
    printf("seal %u ", table);
    print_hex(salt);
    printf(" %d ", (int)kind);
    print_hex(span_of(sealed.data + 4, 8));
    printf(" ");
    print_hex(span_of(digest, 8));
    printf("\n");
}

static void print_meta(struct engine_txn *txn, struct span key, struct span value)
{
    static const struct {
        char name;
        enum seal_kind kind;
    } kinds[] = {{META_TABLE, SEAL_TABLE}, {META_COUNT, SEAL_COUNT}, {META_OWNER, SEAL_OWNER}, {META_IDS, SEAL_IDS}};

    for (size_t at = 0; at < ARRAY_LENGTH(kinds); at++) {
        if (key.data[0] == (uint8_t)kinds[at].name) {
            const bool of_table = kinds[at].kind != SEAL_IDS;
            print_seal(txn, of_table ? get_u32be(key.data + 1) : 0, kinds[at].kind, value);
        }
    }
}

static void print_map(struct engine_txn *txn, enum engine_map map)
{
    struct engine_cursor *cursor = NULL;
    struct span key = SPAN_NONE;
    struct span value = SPAN_NONE;

    must(engine_cursor_new(txn, map, &cursor), "cursor");
    enum err err = engine_cursor_step(cursor, ENGINE_FIRST, &key, &value);
    while (err == ERR_OK) {
        if (map == ENGINE_META) {
            print_meta(txn, key, value);
        } else if (map == ENGINE_ROWS) {
            print_seal(txn, get_u32be(key.data), SEAL_ROW, value);
        } else {
            print_seal(txn, table_of_index(get_u32be(key.data)), SEAL_INDEX, span_of(key.data + INDEX_ID_BYTES, key.len - INDEX_ID_BYTES));
        }
        err = engine_cursor_step(cursor, ENGINE_NEXT, &key, &value);
    }
    must_be(err == ERR_NOT_FOUND, "the walk broke off");
    engine_cursor_free(cursor);
}

static bool do_seals(const char *folder)
{
    learn_indexes(folder);
    struct engine *engine = open_engine(folder);
    struct engine_txn *txn = NULL;

    must(engine_read_begin(engine, &txn), "begin");
    for (enum engine_map map = ENGINE_ROWS; map < ENGINE_MAP_COUNT; map++) {
        print_map(txn, map);
    }
    engine_abort(txn);
    engine_close(engine);
    printf("ok\n");
    return true;
}

/* --- an old value put back --- */

/* The first row of the table that both databases have with different values. */
static void find_changed(struct engine_txn *old, struct engine_txn *new, uint32_t table, struct span *out_key,
                         struct span *out_value)
{
    struct engine_cursor *cursor = NULL;
    struct span now = SPAN_NONE;
    uint8_t prefix[4];

    put_u32be(prefix, table);
    must(engine_cursor_new(old, ENGINE_ROWS, &cursor), "cursor");
    enum err err = engine_cursor_seek(cursor, span_array(prefix), out_key, out_value);
    while (err == ERR_OK && span_starts_with(*out_key, span_array(prefix)) &&
           (engine_get(new, ENGINE_ROWS, *out_key, &now) != ERR_OK || span_equal(now, *out_value))) {
        err = engine_cursor_step(cursor, ENGINE_NEXT, out_key, out_value);
    }
    must_be(err == ERR_OK && span_starts_with(*out_key, span_array(prefix)), "no row has changed");
    engine_cursor_free(cursor);
}

static bool do_put_old(const char *old_folder, const char *new_folder, const char *table)
{
    struct engine *old = open_engine(old_folder);
    struct engine *new = open_engine(new_folder);
    struct engine_txn *from = NULL;
    struct engine_txn *to = NULL;
    struct span key = SPAN_NONE;
    struct span value = SPAN_NONE;

    must(engine_read_begin(old, &from), "begin");
    must(engine_write_begin(new, &to), "begin");
    find_changed(from, to, (uint32_t)strtoul(table, NULL, 10), &key, &value);
    printf("ok ");
    print_hex(span_of(key.data + 4, ROW_ID_BYTES));
    printf("\n");
    must(engine_put(to, ENGINE_ROWS, key, value), "put");
    must(engine_commit(to), "commit");
    engine_abort(from);
    engine_close(old);
    engine_close(new);
    return true;
}

/* --- what a thief must not find --- */

static void print_secret(struct span name, const struct secret *key)
{
    printf("secret %.*s ", (int)name.len, (const char *)name.data);
    print_hex(secret_reveal(key));
    printf("\n");
}

static bool do_secrets(void)
{
    const struct keyring *ring = box.vault->ring;

    print_secret(span_lit("root"), ring->root);
    for (size_t at = 0; at < ring->count; at++) {
        print_secret(span_of(ring->entries[at].name, ring->entries[at].name_len), ring->entries[at].key);
    }
    printf("ok\n");
    return true;
}

/* --- commands --- */

static bool obey(char *line)
{
    char *words[5] = {NULL};
    size_t count = 0;

    for (char *word = strtok(line, " \n"); word != NULL && count < ARRAY_LENGTH(words); word = strtok(NULL, " \n")) {
        words[count++] = word;
    }
    if (count == 2 && strcmp(words[0], "history") == 0) {
        history_read(words[1]);
        return true;
    }
    if (count == 3 && strcmp(words[0], "check") == 0) {
        return do_check(words[1], words[2]);
    }
    if (count >= 4 && strcmp(words[0], "cuts") == 0) {
        return do_cuts(words[1], words[2], words[3], words[4]);
    }
    if (count == 2 && strcmp(words[0], "seals") == 0) {
        return do_seals(words[1]);
    }
    if (count == 4 && strcmp(words[0], "put_old") == 0) {
        return do_put_old(words[1], words[2], words[3]);
    }
    if (count == 1 && strcmp(words[0], "secrets") == 0) {
        return do_secrets();
    }
    must_be(false, "no such command");
    return false;
}

int main(int argc, char **argv)
{
    char line[LINE_BYTES];
    bool fine = true;

    must_be(argc == 3, "usage: box_tool <keeper's folder> <TCTI>");
    open_box(argv[1], argv[2]);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        fine = obey(line) && fine;
        (void)fflush(stdout);
    }
    close_box();
    history_free();
    return fine ? 0 : 1;
}
