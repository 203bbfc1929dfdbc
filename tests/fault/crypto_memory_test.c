/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What makes or reads keys when the k-th allocation, or the k-th lock of memory, is refused, for k = 1, 2, ... until one
 * run is untouched: a clean error, no output, no secret left behind. */
/* link: --wrap=calloc --wrap=malloc --wrap=realloc --wrap=sodium_malloc --wrap=sodium_mlock --wrap=sodium_free */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/keyring.h"
#include "crypto/recovery.h"
#include "crypto/seal.h"
#include "crypto/wrap.h"
#include "crypto/x509.h"
#include "hal/base/fault.h"
#include "hal/sim/sim_tpm.h"

#define MOST 4000 /* more requests than any action makes */
#define NOW_MS INT64_C(1795000000000)

void *__real_calloc(size_t count, size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__real_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__real_realloc(void *memory, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes);
void *__real_sodium_malloc(size_t bytes);
void *__wrap_sodium_malloc(size_t bytes);
int __real_sodium_mlock(void *memory, size_t bytes);
int __wrap_sodium_mlock(void *memory, size_t bytes);
void __real_sodium_free(void *memory);
void __wrap_sodium_free(void *memory);

static size_t left; /* requests until one is refused; 0: none is */
static bool refused;
static size_t guarded; /* objects of guarded memory now alive */

static bool refuse(void)
{
    if (left > 0) {
        left--;
        if (left == 0) {
            refused = true;
            return true;
        }
    }
    return false;
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    return refuse() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_malloc(size_t bytes)
{
    return refuse() ? NULL : __real_malloc(bytes);
}

void *__wrap_realloc(void *memory, size_t bytes)
{
    return refuse() ? NULL : __real_realloc(memory, bytes);
}

void *__wrap_sodium_malloc(size_t bytes)
{
    void *const memory = refuse() ? NULL : __real_sodium_malloc(bytes);

    guarded += memory != NULL ? 1 : 0;
    return memory;
}

int __wrap_sodium_mlock(void *memory, size_t bytes)
{
    return refuse() ? -1 : __real_sodium_mlock(memory, bytes);
}

void __wrap_sodium_free(void *memory)
{
    guarded -= memory != NULL ? 1 : 0;
    __real_sodium_free(memory);
}

struct fixture {
    struct sim_tpm *tpm;
    struct hal_tpm_name srk;
    struct random *random;
    struct secret *root;
    struct secret *ca_key;
    struct secret *recovery;
    struct secret *words;
    struct keyring *ring;
    struct buf *keys;
    struct buf *sealed;
    struct buf *recovery_file;
    struct buf *wrapped;
    struct buf *ca;
    struct buf *leaf;
    struct x509_names names;
    struct x509_leaf leaf_of;
    uint8_t recovery_public[HPKE_PUBLIC_BYTES];
    struct buf *out; /* of an action */
    struct secret *secret;
    struct keyring *opened;
};

static const struct seal_policy root_policy = {.kind = SEAL_ROOT};
static const struct wrap_scope scope = {{(const uint8_t *)"label", 5}, {(const uint8_t *)"7", 1}, 1};

static void make_keys(struct fixture *f)
{
    SCOPED_SECRET struct secret *private_key = NULL;

    assert_int_equal(random_new(SPAN_NONE, &f->random), ERR_OK);
    assert_int_equal(random_secret(f->random, 32, &f->root), ERR_OK);
    assert_int_equal(sign_key_new(f->random, &f->ca_key), ERR_OK);
    assert_int_equal(recovery_key_new(f->random, &f->recovery), ERR_OK);
    assert_int_equal(recovery_to_words(f->recovery, &f->words), ERR_OK);
    assert_int_equal(recovery_key_pair(f->recovery, &private_key, f->recovery_public), ERR_OK);
    assert_int_equal(keyring_new(f->root, f->random, &f->ring), ERR_OK);
    assert_int_equal(keyring_add(f->ring, KEYRING_TABLES), ERR_OK);
    assert_int_equal(keyring_add(f->ring, KEYRING_TLS_CA), ERR_OK);
}

static void make_files(struct fixture *f)
{
    struct buf **const all[] = {&f->keys, &f->sealed, &f->recovery_file, &f->wrapped, &f->ca, &f->leaf, &f->out};

    for (size_t i = 0; i < ARRAY_LENGTH(all); i++) {
        assert_int_equal(buf_new(KEYRING_FILE_MAX, all[i]), ERR_OK);
    }
    assert_int_equal(keyring_write(f->ring, f->keys), ERR_OK);
    assert_int_equal(seal_create(sim_tpm_hal(f->tpm), &f->srk, &root_policy, f->random, f->root, f->sealed), ERR_OK);
    assert_int_equal(seal_recovery_create(f->random, f->recovery_public, f->root, f->recovery_file), ERR_OK);
    assert_int_equal(wrap_key(f->random, f->root, &scope, f->ca_key, f->wrapped), ERR_OK);
    assert_int_equal(x509_names_add_dns(&f->names, span_lit("localhost")), ERR_OK);
    assert_int_equal(x509_ca_new(f->ca_key, f->random, span_lit("CA"), (struct wall_time){NOW_MS}, f->ca), ERR_OK);
    f->leaf_of = (struct x509_leaf){
        .ca_private = f->ca_key, .ca_der = buf_all(f->ca), .names = &f->names, .now = {NOW_MS}};
    assert_int_equal(sign_public(f->ca_key, f->leaf_of.public_key), ERR_OK);
    assert_int_equal(x509_leaf_new(&f->leaf_of, f->random, f->leaf), ERR_OK);
}

static int setup(void **state)
{
    static struct fixture fixture;
    struct fixture *const f = &fixture;

    fault_clear();
    fixture = (struct fixture){.tpm = NULL};
    assert_int_equal(sim_tpm_new(3, &f->tpm), ERR_OK);
    assert_int_equal(hal_tpm_srk_make(sim_tpm_hal(f->tpm), SPAN_NONE, &f->srk), ERR_OK);
    make_keys(f);
    make_files(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *const f = *state;
    struct buf *const bufs[] = {f->keys, f->sealed, f->recovery_file, f->wrapped, f->ca, f->leaf, f->out};

    for (size_t i = 0; i < ARRAY_LENGTH(bufs); i++) {
        buf_free(bufs[i]);
    }
    keyring_free(f->ring);
    secret_free(f->words);
    secret_free(f->recovery);
    secret_free(f->ca_key);
    secret_free(f->root);
    random_free(f->random);
    sim_tpm_free(f->tpm);
    fault_clear();
    assert_int_equal(guarded, 0);
    return 0;
}

typedef enum err action(struct fixture *f);

/* An error must be one of those that the headers give for this; BUG is what signing says of a library that failed. */
static void survive(struct fixture *f, action *does)
{
    const size_t before = guarded;

    for (size_t k = 1; k < MOST; k++) {
        buf_reset(f->out);
        refused = false;
        left = k;
        const enum err err = does(f);
        left = 0;
        if (!refused) {
            assert_int_equal(err, ERR_OK);
            assert_true(k > 1);
            secret_free(f->secret);
            f->secret = NULL;
            keyring_free(f->opened);
            f->opened = NULL;
            assert_int_equal(guarded, before);
            return;
        }
        if (err == ERR_OK) { /* what was refused could be done without */
            secret_free(f->secret);
            f->secret = NULL;
            keyring_free(f->opened);
            f->opened = NULL;
        }
        assert_true(err == ERR_OK || err == ERR_NO_MEMORY || err == ERR_REFUSED || err == ERR_BUG);
        assert_null(f->secret);
        assert_null(f->opened);
        assert_true(err == ERR_OK || buf_len(f->out) == 0);
        assert_int_equal(guarded, before);
        fault_clear();
    }
    fail();
}

static enum err do_keyring_open(struct fixture *f)
{
    return keyring_open(f->root, f->random, buf_all(f->keys), &f->opened);
}

static enum err do_keyring_write(struct fixture *f)
{
    return keyring_write(f->ring, f->out);
}

/* A rotation that fails leaves one version; one that succeeds is taken back, so that each try meets the same ring. */
static enum err do_keyring_rotate(struct fixture *f)
{
    struct keyring_versions versions = {0, 0};
    uint32_t version = 0;
    const size_t count = keyring_count(f->ring);
    const enum err err = keyring_rotate(f->ring, KEYRING_TABLES, &version);

    assert_int_equal(keyring_count(f->ring), err == ERR_OK ? count + 1 : count);
    if (err == ERR_OK) {
        assert_int_equal(keyring_versions(f->ring, KEYRING_TABLES, &versions), ERR_OK);
        assert_int_equal(keyring_destroy(f->ring, KEYRING_TABLES, versions.oldest), ERR_OK);
    }
    return err;
}

static enum err do_seal_create(struct fixture *f)
{
    return seal_create(sim_tpm_hal(f->tpm), &f->srk, &root_policy, f->random, f->root, f->out);
}

static enum err do_seal_open(struct fixture *f)
{
    return seal_open(sim_tpm_hal(f->tpm), SEAL_ROOT, SPAN_NONE, buf_all(f->sealed), &f->secret);
}

static enum err do_recovery_create(struct fixture *f)
{
    return seal_recovery_create(f->random, f->recovery_public, f->root, f->out);
}

static enum err do_recovery_open(struct fixture *f)
{
    return seal_recovery_open(f->recovery, buf_all(f->recovery_file), &f->secret);
}

static enum err do_from_words(struct fixture *f)
{
    return recovery_from_words(secret_reveal(f->words), &f->secret);
}

static enum err do_to_words(struct fixture *f)
{
    return recovery_to_words(f->recovery, &f->secret);
}

static enum err do_wrap(struct fixture *f)
{
    return wrap_key(f->random, f->root, &scope, f->ca_key, f->out);
}

static enum err do_unwrap(struct fixture *f)
{
    return wrap_open(f->root, &scope, buf_all(f->wrapped), &f->secret);
}

static enum err do_ca(struct fixture *f)
{
    return x509_ca_new(f->ca_key, f->random, span_lit("CA"), (struct wall_time){NOW_MS}, f->out);
}

static enum err do_leaf(struct fixture *f)
{
    return x509_leaf_new(&f->leaf_of, f->random, f->out);
}

static enum err do_verify(struct fixture *f)
{
    return x509_verify(buf_all(f->ca), buf_all(f->leaf));
}

#define SURVIVES(name, does)                                                                                           \
    static void name##_survives_any_refusal(void **state)                                                              \
    {                                                                                                                  \
        survive(*state, does);                                                                                         \
    }

SURVIVES(keyring_open, do_keyring_open)
SURVIVES(keyring_write, do_keyring_write)
SURVIVES(keyring_rotate, do_keyring_rotate)
SURVIVES(seal_create, do_seal_create)
SURVIVES(seal_open, do_seal_open)
SURVIVES(seal_recovery_create, do_recovery_create)
SURVIVES(seal_recovery_open, do_recovery_open)
SURVIVES(recovery_from_words, do_from_words)
SURVIVES(recovery_to_words, do_to_words)
SURVIVES(wrap_key, do_wrap)
SURVIVES(wrap_open, do_unwrap)
SURVIVES(x509_ca_new, do_ca)
SURVIVES(x509_leaf_new, do_leaf)
SURVIVES(x509_verify, do_verify)

#define TEST(name) cmocka_unit_test_setup_teardown(name##_survives_any_refusal, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keyring_open),         TEST(keyring_write),      TEST(keyring_rotate),
        TEST(seal_create),          TEST(seal_open),          TEST(seal_recovery_create), TEST(seal_recovery_open),
        TEST(recovery_from_words),  TEST(recovery_to_words),  TEST(wrap_key),            TEST(wrap_open),
        TEST(x509_ca_new),          TEST(x509_leaf_new),      TEST(x509_verify),
    };

    return cmocka_run_group_tests_name("crypto_memory", tests, NULL, NULL);
}
