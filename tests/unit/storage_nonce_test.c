/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every nonce that is ever used with a key is written down, and none may appear twice.
 *
 * aead_new_derived and aead_seal are wrapped by the linker: the first says which key a context holds (a digest of what it
 * was derived from), the second adds (key, nonce). */
/* link: --wrap=aead_new_derived --wrap=aead_seal */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/aead.h"
#include "crypto/hash.h"
#include "hal/base/fault.h"
#include "storage/store_int.h"
#include "tests/lib/store_box.h"

#define CONTEXTS 4096
#define USES     200000

struct use {
    uint8_t key[SHA256_BYTES];
    uint8_t nonce[AEAD_NONCE_BYTES];
};

static struct {
    pthread_mutex_t lock;
    struct {
        const struct aead *aead;
        uint8_t key[SHA256_BYTES];
    } contexts[CONTEXTS];
    size_t context_count;
    struct use uses[USES];
    size_t use_count;
} book = {.lock = PTHREAD_MUTEX_INITIALIZER};

enum err __real_aead_new_derived(struct secret_slab *slab, const struct secret *key, struct span salt, struct span info,
                                 struct aead **out_aead);
enum err __real_aead_seal(struct aead *aead, const uint8_t nonce[AEAD_NONCE_BYTES], struct span aad, struct span plain,
                          uint8_t *out_cipher, uint8_t out_tag[AEAD_TAG_BYTES]);
enum err __wrap_aead_new_derived(struct secret_slab *slab, const struct secret *key, struct span salt, struct span info,
                                 struct aead **out_aead);
enum err __wrap_aead_seal(struct aead *aead, const uint8_t nonce[AEAD_NONCE_BYTES], struct span aad, struct span plain,
                          uint8_t *out_cipher, uint8_t out_tag[AEAD_TAG_BYTES]);

enum err __wrap_aead_new_derived(struct secret_slab *slab, const struct secret *key, struct span salt, struct span info,
                                 struct aead **out_aead)
{
    const enum err err = __real_aead_new_derived(slab, key, salt, info, out_aead);
    size_t at = 0;

    if (err != ERR_OK) {
        return err;
    }
    pthread_mutex_lock(&book.lock);
    while (at < book.context_count && book.contexts[at].aead != *out_aead) {
        at++;
    }
    assert_true(at < CONTEXTS);
    book.context_count = at == book.context_count ? at + 1 : book.context_count;
    book.contexts[at].aead = *out_aead;
    struct sha256_stream stream;
    sha256_init(&stream);
    sha256_update(&stream, secret_reveal(key));
    sha256_update(&stream, salt);
    sha256_update(&stream, info);
    sha256_final(&stream, book.contexts[at].key);
    pthread_mutex_unlock(&book.lock);
    return err;
}

enum err __wrap_aead_seal(struct aead *aead, const uint8_t nonce[AEAD_NONCE_BYTES], struct span aad, struct span plain,
                          uint8_t *out_cipher, uint8_t out_tag[AEAD_TAG_BYTES])
{
    pthread_mutex_lock(&book.lock);
    size_t at = 0;
    while (at < book.context_count && book.contexts[at].aead != aead) {
        at++;
    }
    assert_true(at < book.context_count && book.use_count < USES);
    struct use *use = &book.uses[book.use_count];
    memcpy(use->key, book.contexts[at].key, sizeof(use->key));
    memcpy(use->nonce + 4, nonce + 4,
           sizeof(use->nonce) - 4); /* the counter alone: kinds share it, and must not need to differ */
    book.use_count++;
    pthread_mutex_unlock(&book.lock);
    return __real_aead_seal(aead, nonce, aad, plain, out_cipher, out_tag);
}

static int compare_uses(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct use));
}

static size_t repeated(void)
{
    size_t count = 0;

    qsort(book.uses, book.use_count, sizeof(struct use), compare_uses);
    for (size_t at = 1; at < book.use_count; at++) {
        count += compare_uses(&book.uses[at - 1], &book.uses[at]) == 0 ? 1 : 0;
    }
    return count;
}

/* --- what seals --- */

struct thread {
    struct store_box *box;
    struct store_sealer *sealer;
    struct random *random;
    struct table_id tables[2];
    unsigned int seed;
};

static struct span small_row(struct buf *buf, int64_t number)
{
    struct row_builder builder;
    struct span encoded = SPAN_NONE;

    assert_int_equal(row_build_begin(&builder, buf, (struct wall_time){1}, (struct wall_time){1}, span_lit("ann")),
                     ERR_OK);
    assert_int_equal(row_build_int(&builder, (struct row_key){.column = 2}, number), ERR_OK);
    assert_int_equal(row_build_end(&builder, &encoded), ERR_OK);
    return encoded;
}

/* Transactions of inserts into two tables, every third of them aborted. */
static void *write_much(void *context)
{
    struct thread *thread = context;
    struct buf *buf = NULL;

    assert_int_equal(buf_new(4096, &buf), ERR_OK);
    for (int64_t round = 0; round < 60; round++) {
        struct store_txn *txn = NULL;
        assert_int_equal(store_txn_begin(thread->sealer, &txn), ERR_OK);
        for (size_t at = 0; at < 5; at++) {
            const struct table_id table = thread->tables[rand_r(&thread->seed) % 2];
            const struct row_id id = store_txn_row_id(txn, (struct wall_time){round * 1000});
            assert_int_equal(store_insert(txn, table, id, small_row(buf, round), NULL), ERR_OK);
        }
        if (round % 3 == 0) {
            store_txn_abort(txn);
        } else {
            assert_int_equal(store_txn_commit(txn), ERR_OK);
        }
    }
    buf_free(buf);
    return NULL;
}

/* Two sealers in two threads. */
static void write_with_two(struct store_box *box, const struct table_id tables[2])
{
    struct thread threads[2];
    pthread_t ids[2];

    for (size_t at = 0; at < 2; at++) {
        threads[at] = (struct thread){.box = box, .tables = {tables[0], tables[1]}, .seed = (unsigned int)at};
        assert_int_equal(random_new(SPAN_NONE, &threads[at].random), ERR_OK);
        assert_int_equal(store_sealer_new(box->store, threads[at].random, &threads[at].sealer), ERR_OK);
        assert_int_equal(pthread_create(&ids[at], NULL, write_much, &threads[at]), 0);
    }
    for (size_t at = 0; at < 2; at++) {
        assert_int_equal(pthread_join(ids[at], NULL), 0);
        store_sealer_free(threads[at].sealer);
        random_free(threads[at].random);
    }
}

static void copy_file(const char *from, const char *to)
{
    FILE *in = fopen(from, "rb");
    FILE *out = fopen(to, "wb");
    static char bytes[1 << 16];
    size_t len = 0;

    assert_non_null(in);
    assert_non_null(out);
    while ((len = fread(bytes, 1, sizeof(bytes), in)) > 0) {
        assert_int_equal(fwrite(bytes, 1, len, out), len);
    }
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

static void attack_19_no_nonce_repeats_over_threads_aborts_restarts_and_a_restored_copy(void **state UNUSED)
{
    struct store_box *box = store_box_new();
    const struct table_id tables[2] = {store_box_table(box), store_box_table(box)};
    char data[TEMP_PATH_MAX + 16];
    char copy[TEMP_PATH_MAX + 16];
    snprintf(data, sizeof(data), "%s/data.mdb", box->path);
    snprintf(copy, sizeof(copy), "%s/copy.mdb", box->path);

    write_with_two(box, tables);
    store_box_close(box);
    copy_file(data, copy);
    for (size_t restart = 0; restart < 3; restart++) {
        assert_int_equal(store_box_open(box), ERR_OK);
        write_with_two(box, tables);
        store_box_close(box);
        copy_file(copy, data); /* the same old state again, as after a restore or on a second box */
    }

    assert_true(book.use_count > 4000);
    assert_int_equal(repeated(), 0);
    assert_int_equal(store_box_open(box), ERR_OK);
    assert_int_equal(store_box_fsck(box, true), 0);
    store_box_free(box);
}

static void an_epoch_ends_after_2_to_the_32_messages(void **state UNUSED)
{
    struct store_box *box = store_box_new();
    const struct table_id table = store_box_table(box);
    (void)store_box_insert(box, table, "ann", "x", 1);
    assert_int_equal(store_box_epochs(box, table), 1);

    sealer_use_up(box->sealer->sealer, table, (UINT64_C(1) << 32) - 1);
    const struct row_id last = store_box_insert(box, table, "ann", "the last and the first", 2);

    assert_int_equal(store_box_epochs(box, table), 2);
    SCOPED_SNAP struct store_snap *snap = NULL;
    struct row row;
    assert_int_equal(store_snap_begin(box->reader, &snap), ERR_OK);
    assert_int_equal(store_get(snap, table, last, &row), ERR_OK);
    store_snap_end(TAKE(snap));
    assert_int_equal(store_box_fsck(box, true), 0);
    uint64_t highest = 0;
    for (size_t at = 0; at < book.use_count; at++) {
        const uint64_t counter = get_u64be(book.uses[at].nonce + 4);
        highest = counter > highest ? counter : highest;
    }
    assert_true(highest == UINT32_MAX); /* the last of 2^32, and none after it */
    store_box_free(box);
}

/* Says no at the k-th question. */
struct permission {
    unsigned int left;
};

static enum err may_seal(void *context)
{
    struct permission *permission = context;

    if (permission->left == 0) {
        return ERR_CANCELLED;
    }
    permission->left--;
    return ERR_OK;
}

/* A machine may be copied before a transaction and in the middle of one. */
static void attack_19_a_copied_machine_begins_no_transaction_and_commits_none(void **state UNUSED)
{
    struct store_box *box = store_box_new();
    const struct table_id table = store_box_table(box);
    struct permission permission = {.left = 0};
    uint64_t rows = 0;
    box->config.may_seal = may_seal;
    box->config.may_seal_context = &permission;
    store_box_reopen(box);
    const size_t before = book.use_count;

    struct store_txn *txn = NULL;
    assert_int_equal(store_txn_begin(box->sealer, &txn), ERR_CANCELLED);
    assert_int_equal(book.use_count, before);
    permission.left = 1;
    assert_int_equal(store_txn_begin(box->sealer, &txn), ERR_OK);
    assert_int_equal(store_insert(txn, table, store_txn_row_id(txn, (struct wall_time){1}), small_row(box->buf, 1), NULL),
                     ERR_OK);
    assert_int_equal(store_txn_commit(txn), ERR_CANCELLED);
    permission.left = 2;
    (void)store_box_insert(box, table, "ann", "of a machine that is one of its kind", 2);

    SCOPED_SNAP struct store_snap *snap = NULL;
    assert_int_equal(store_snap_begin(box->reader, &snap), ERR_OK);
    assert_int_equal(store_count(snap, table, &rows), ERR_OK);
    assert_int_equal(rows, 1);
    store_snap_end(TAKE(snap));
    store_box_free(box);
    fault_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attack_19_no_nonce_repeats_over_threads_aborts_restarts_and_a_restored_copy),
        cmocka_unit_test(an_epoch_ends_after_2_to_the_32_messages),
        cmocka_unit_test(attack_19_a_copied_machine_begins_no_transaction_and_commits_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
