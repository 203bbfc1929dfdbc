/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The keeper's keys, with a TPM in memory and a disk that fails on demand. */
/* link: --wrap=renameat --wrap=faccessat */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "crypto/ct.h"
#include "crypto/recovery.h"
#include "crypto/seal.h"
#include "crypto/sign.h"
#include "firmware/keeper/vault.h"
#include "hal/base/fault.h"
#include "hal/sim/sim_clock.h"
#include "hal/sim/sim_entropy.h"
#include "hal/sim/sim_tpm.h"
#include "tests/lib/temp.h"

#define PCR_FIRMWARE 16
#define WORDS_MAX 256

/* From the k-th rename on nothing reaches the disk: the power is gone. 0: it stays. */
static size_t renames_left;
static bool renames_stop;
static bool looks_fail;

int __real_renameat(int old_dir, const char *old_name, int new_dir, const char *new_name);
int __wrap_renameat(int old_dir, const char *old_name, int new_dir, const char *new_name);
int __real_faccessat(int dir, const char *name, int mode, int flags);
int __wrap_faccessat(int dir, const char *name, int mode, int flags);

int __wrap_renameat(int old_dir, const char *old_name, int new_dir, const char *new_name)
{
    if (renames_stop) {
        if (renames_left == 0) {
            errno = EIO;
            return -1;
        }
        renames_left--;
    }
    return __real_renameat(old_dir, old_name, new_dir, new_name);
}

int __wrap_faccessat(int dir, const char *name, int mode, int flags)
{
    if (looks_fail) {
        errno = EIO;
        return -1;
    }
    return __real_faccessat(dir, name, mode, flags);
}

struct fixture {
    struct temp_dir temp;
    struct datadir *dir;
    struct sim_tpm *tpm;
    struct sim_clock clock;
    struct sim_entropy entropy;
    struct x509_names names;
    uint32_t pcr_mask;
    struct vault *vault;
    uint8_t words[WORDS_MAX];
    size_t words_len;
};

static void make(struct fixture *f)
{
    static struct x509_names names;

    fault_clear();
    *f = (struct fixture){.temp = temp_dir_make()};
    names = (struct x509_names){.dns_count = 0};
    assert_int_equal(x509_names_add_dns(&names, span_lit("localhost")), ERR_OK);
    f->names = names;
    assert_int_equal(datadir_open(f->temp.path, &f->dir), ERR_OK);
    assert_int_equal(sim_tpm_new(1, &f->tpm), ERR_OK);
    sim_clock_init(&f->clock);
    sim_entropy_init(&f->entropy, 7);
    renames_stop = false;
    looks_fail = false;
}

static void unmake(struct fixture *f)
{
    vault_free(f->vault);
    sim_tpm_free(f->tpm);
    datadir_close(f->dir);
    temp_dir_remove(&f->temp);
    fault_clear();
}

static int setup(void **state)
{
    static struct fixture fixture;

    make(&fixture);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    renames_stop = false;
    looks_fail = false;
    unmake(*state);
    return 0;
}

/* A start of the keeper, as far as the vault goes. */
static enum err start(struct fixture *f, struct span pin)
{
    const struct vault_options options = {
        .tpm = sim_tpm_hal(f->tpm),
        .entropy = &f->entropy.base,
        .clock = &f->clock.base,
        .dir = f->dir,
        .pcr_mask = f->pcr_mask,
        .names = &f->names,
    };
    bool changed = false;

    vault_free(f->vault);
    f->vault = NULL;
    assert_int_equal(vault_new(&options, &f->vault), ERR_OK);
    enum err err = vault_start(f->vault, pin);
    if (err == ERR_OK) {
        err = vault_renew(f->vault, &changed);
    }
    return err;
}

/* The recovery key is read by a person, and the keeper told so. */
static void show(struct fixture *f)
{
    const struct secret *const words = vault_recovery_words(f->vault);

    assert_true(words != NULL && secret_len(words) <= WORDS_MAX);
    f->words_len = secret_len(words);
    memcpy(f->words, secret_reveal(words).data, f->words_len);
    assert_int_equal(vault_shown(f->vault), ERR_OK);
}

static void provision(struct fixture *f)
{
    assert_int_equal(start(f, SPAN_NONE), ERR_OK);
    show(f);
}

static struct span words_of(const struct fixture *f)
{
    return span_of(f->words, f->words_len);
}

static void read_file(const struct fixture *f, const char *name, struct buf **out)
{
    assert_int_equal(buf_new(DATADIR_FILE_MAX, out), ERR_OK);
    assert_int_equal(datadir_read(f->dir, name, *out), ERR_OK);
}

static bool file_is(const struct fixture *f, const char *name, struct span content)
{
    SCOPED_BUF struct buf *now = NULL;

    read_file(f, name, &now);
    return span_equal(buf_all(now), content);
}

static void put_file(struct fixture *f, const char *name, struct span content)
{
    assert_int_equal(datadir_write(f->dir, name, content), ERR_OK);
}

static void remove_file(struct fixture *f, const char *name)
{
    assert_int_equal(datadir_remove(f->dir, name), ERR_OK);
}

/* The certificate shown now is the key's, and, if the box is operational, signed by the CA that clients are given. */
static void assert_identity_is_whole(struct fixture *f)
{
    SCOPED_BUF struct buf *der = NULL;
    SCOPED_BUF struct buf *ca = NULL;
    const struct secret *key = NULL;
    uint8_t public_key[SIGN_PUBLIC_BYTES];

    assert_int_equal(buf_new(X509_DER_MAX, &der), ERR_OK);
    assert_int_equal(buf_new(X509_DER_MAX, &ca), ERR_OK);
    assert_int_equal(vault_identity(f->vault, der, &key), ERR_OK);
    assert_int_equal(sign_public(key, public_key), ERR_OK);
    assert_int_equal(x509_is_of(buf_all(der), public_key), ERR_OK);
    if (vault_state(f->vault) == BOARD_OPERATIONAL) {
        assert_int_equal(vault_ca(f->vault, ca), ERR_OK);
        assert_int_equal(x509_verify(buf_all(ca), buf_all(der)), ERR_OK);
    }
}

static bool leaf_is(struct fixture *f, const char *file_name)
{
    SCOPED_BUF struct buf *der = NULL;
    SCOPED_BUF struct buf *file = NULL;
    const struct secret *key = NULL;

    assert_int_equal(buf_new(X509_DER_MAX, &der), ERR_OK);
    assert_int_equal(vault_identity(f->vault, der, &key), ERR_OK);
    read_file(f, file_name, &file);
    return span_equal(buf_all(der), buf_all(file));
}

/* --- states --- */

static void an_empty_directory_is_provisioned_and_later_starts_unseal(void **state)
{
    struct fixture *const f = *state;
    SCOPED_SECRET struct secret *key = NULL;
    SCOPED_SECRET struct secret *again = NULL;
    SCOPED_BUF struct buf *wrapped = NULL;
    provision(f);
    assert_int_equal(buf_new(VAULT_WRAPPED_MAX, &wrapped), ERR_OK);
    assert_int_equal(vault_table_new(f->vault, 256, &key, wrapped), ERR_OK);

    assert_int_equal(start(f, SPAN_NONE), ERR_OK);

    assert_int_equal(vault_state(f->vault), BOARD_OPERATIONAL);
    assert_null(vault_recovery_words(f->vault));
    assert_int_equal(vault_table_open(f->vault, 256, buf_all(wrapped), &again), ERR_OK);
    assert_true(ct_equal(secret_reveal(key), secret_reveal(again)));
    assert_identity_is_whole(f);
}

static void a_table_key_opens_for_its_table_only(void **state)
{
    struct fixture *const f = *state;
    SCOPED_SECRET struct secret *key = NULL;
    SCOPED_SECRET struct secret *again = NULL;
    SCOPED_BUF struct buf *wrapped = NULL;
    provision(f);
    assert_int_equal(buf_new(VAULT_WRAPPED_MAX, &wrapped), ERR_OK);
    assert_int_equal(vault_table_new(f->vault, 256, &key, wrapped), ERR_OK);

    assert_int_equal(vault_table_open(f->vault, 257, buf_all(wrapped), &again), ERR_AUTH);

    assert_null(again);
}

/* The order of files at the first start: whatever rename is the last one, the next start makes a whole box. */
static void a_power_cut_at_any_write_of_the_first_start_is_survived(void **state)
{
    (void)state;
    bool whole = false;

    for (size_t k = 0; !whole; k++) {
        struct fixture f;
        make(&f);
        renames_left = k;
        renames_stop = true;
        whole = start(&f, SPAN_NONE) == ERR_OK;
        renames_stop = false;

        assert_int_equal(start(&f, SPAN_NONE), ERR_OK);

        assert_int_equal(vault_state(f.vault), BOARD_OPERATIONAL);
        assert_non_null(vault_recovery_words(f.vault));
        assert_identity_is_whole(&f);
        show(&f);
        sim_tpm_clear(f.tpm);
        assert_int_equal(start(&f, SPAN_NONE), ERR_STALE_KEY);
        assert_identity_is_whole(&f);
        assert_int_equal(vault_unlock_recovery(f.vault, words_of(&f)), ERR_OK);
        unmake(&f);
    }
}

static void a_tpm_that_fails_at_any_call_of_the_first_start_is_survived(void **state)
{
    (void)state;
    bool whole = false;

    for (size_t k = 1; !whole; k++) {
        struct fixture f;
        make(&f);
        sim_tpm_fail_at(f.tpm, k, ERR_DEVICE);
        whole = start(&f, SPAN_NONE) == ERR_OK && sim_tpm_calls(f.tpm) < k;
        sim_tpm_fail_at(f.tpm, 0, ERR_OK);

        assert_int_equal(start(&f, SPAN_NONE), ERR_OK);

        assert_int_equal(vault_state(f.vault), BOARD_OPERATIONAL);
        assert_identity_is_whole(&f);
        unmake(&f);
    }
}

static void a_power_cut_at_any_write_of_unlocking_is_survived(void **state)
{
    (void)state;
    bool whole = false;

    for (size_t k = 0; !whole; k++) {
        struct fixture f;
        make(&f);
        provision(&f);
        sim_tpm_clear(f.tpm);
        assert_int_equal(start(&f, SPAN_NONE), ERR_STALE_KEY);
        renames_left = k;
        renames_stop = true;
        whole = vault_unlock_recovery(f.vault, words_of(&f)) == ERR_OK;
        renames_stop = false;

        if (start(&f, SPAN_NONE) != ERR_OK) {
            assert_int_equal(vault_state(f.vault), BOARD_LOCKED);
            assert_identity_is_whole(&f);
            assert_int_equal(vault_unlock_recovery(f.vault, words_of(&f)), ERR_OK);
        }

        assert_int_equal(start(&f, SPAN_NONE), ERR_OK);
        assert_identity_is_whole(&f);
        unmake(&f);
    }
}

static void a_disk_that_cannot_say_what_is_there_is_not_provisioned_over(void **state)
{
    struct fixture *const f = *state;
    SCOPED_BUF struct buf *seal = NULL;
    SCOPED_BUF struct buf *keys = NULL;
    provision(f);
    read_file(f, "root.seal", &seal);
    read_file(f, "keys", &keys);
    looks_fail = true;

    assert_int_equal(start(f, SPAN_NONE), ERR_IO);

    looks_fail = false;
    assert_int_equal(vault_state(f->vault), BOARD_LOCKED);
    assert_true(file_is(f, "root.seal", buf_all(seal)));
    assert_true(file_is(f, "keys", buf_all(keys)));
}

static void keys_without_a_sealed_root_lock_the_box(void **state)
{
    struct fixture *const f = *state;
    SCOPED_BUF struct buf *keys = NULL;
    provision(f);
    read_file(f, "keys", &keys);
    remove_file(f, "root.seal");
    remove_file(f, "root.recovery");

    assert_int_equal(start(f, SPAN_NONE), ERR_DAMAGED);

    assert_int_equal(vault_state(f->vault), BOARD_LOCKED);
    assert_int_equal(vault_reason(f->vault), LIFE_REASON_KEYS_DAMAGED);
    assert_true(file_is(f, "keys", buf_all(keys)));
}

/* --- what an attacker with the directory may try --- */

static void attack_19_a_planted_file_does_not_make_the_box_show_a_recovery_key(void **state)
{
    struct fixture *const f = *state;
    SCOPED_BUF struct buf *recovery = NULL;
    provision(f);
    read_file(f, "root.recovery", &recovery);
    put_file(f, "unseen", span_lit("x"));

    assert_int_equal(start(f, SPAN_NONE), ERR_OK);

    assert_null(vault_recovery_words(f->vault));
    assert_true(file_is(f, "root.recovery", buf_all(recovery)));
}

static void the_recovery_key_is_made_anew_until_it_was_shown(void **state)
{
    struct fixture *const f = *state;
    uint8_t first[WORDS_MAX];
    assert_int_equal(start(f, SPAN_NONE), ERR_OK);
    memcpy(first, secret_reveal(vault_recovery_words(f->vault)).data, RECOVERY_TEXT_BYTES);

    assert_int_equal(start(f, SPAN_NONE), ERR_OK);

    show(f);
    assert_memory_not_equal(first, f->words, RECOVERY_TEXT_BYTES);
    sim_tpm_clear(f->tpm);
    assert_int_equal(start(f, SPAN_NONE), ERR_STALE_KEY);
    assert_int_equal(vault_unlock_recovery(f->vault, span_of(first, RECOVERY_TEXT_BYTES)), ERR_AUTH);
    assert_int_equal(vault_unlock_recovery(f->vault, words_of(f)), ERR_OK);
}

/* A pair of a stranger, and a certificate of it that says the box's names and is old enough to be renewed. */
static void strangers_certificate(struct fixture *f, struct buf *out_ca, struct buf *out_leaf,
                                  uint8_t out_public[SIGN_PUBLIC_BYTES])
{
    SCOPED_RANDOM struct random *random = NULL;
    SCOPED_SECRET struct secret *ca_key = NULL;
    SCOPED_SECRET struct secret *key = NULL;
    struct x509_leaf leaf = {.names = &f->names, .now = f->clock.wall};

    assert_int_equal(random_new(SPAN_NONE, &random), ERR_OK);
    assert_int_equal(sign_key_new(random, &ca_key), ERR_OK);
    assert_int_equal(sign_key_new(random, &key), ERR_OK);
    assert_int_equal(x509_ca_new(ca_key, random, span_lit("Rowlock local CA"), leaf.now, out_ca), ERR_OK);
    leaf.ca_private = ca_key;
    leaf.ca_der = buf_all(out_ca);
    assert_int_equal(sign_public(key, leaf.public_key), ERR_OK);
    assert_int_equal(x509_leaf_new(&leaf, random, out_leaf), ERR_OK);
    memcpy(out_public, leaf.public_key, SIGN_PUBLIC_BYTES);
}

static void attack_19_the_ca_does_not_certify_a_key_that_was_put_on_disk(void **state)
{
    struct fixture *const f = *state;
    SCOPED_BUF struct buf *ca = NULL;
    SCOPED_BUF struct buf *leaf = NULL;
    SCOPED_BUF struct buf *after = NULL;
    SCOPED_BUF struct buf *ours = NULL;
    uint8_t foreign[SIGN_PUBLIC_BYTES];
    provision(f);
    assert_int_equal(buf_new(X509_DER_MAX, &ca), ERR_OK);
    assert_int_equal(buf_new(X509_DER_MAX, &leaf), ERR_OK);
    assert_int_equal(buf_new(X509_DER_MAX, &ours), ERR_OK);
    strangers_certificate(f, ca, leaf, foreign);
    put_file(f, "locked.der", buf_all(leaf));
    sim_clock_advance_ms(&f->clock, UINT64_C(70) * 86400000); /* two thirds of its life are over */

    assert_int_equal(start(f, SPAN_NONE), ERR_OK);

    read_file(f, "locked.der", &after);
    assert_int_equal(x509_is_of(buf_all(after), foreign), ERR_AUTH);
    assert_int_equal(vault_ca(f->vault, ours), ERR_OK);
    assert_int_equal(x509_verify(buf_all(ours), buf_all(after)), ERR_OK);
}

static void attack_19_a_foreign_ca_is_not_given_to_clients(void **state)
{
    struct fixture *const f = *state;
    SCOPED_BUF struct buf *ca = NULL;
    SCOPED_BUF struct buf *leaf = NULL;
    SCOPED_BUF struct buf *given = NULL;
    uint8_t foreign[SIGN_PUBLIC_BYTES];
    provision(f);
    assert_int_equal(buf_new(X509_DER_MAX, &ca), ERR_OK);
    assert_int_equal(buf_new(X509_DER_MAX, &leaf), ERR_OK);
    assert_int_equal(buf_new(X509_DER_MAX, &given), ERR_OK);
    strangers_certificate(f, ca, leaf, foreign);
    put_file(f, "ca.der", buf_all(ca));

    assert_int_equal(start(f, SPAN_NONE), ERR_OK);

    assert_int_equal(vault_ca(f->vault, given), ERR_OK);
    assert_false(span_equal(buf_all(given), buf_all(ca)));
    assert_identity_is_whole(f);
}

static void a_locked_leaf_whose_certificate_is_of_another_key_is_not_shown(void **state)
{
    struct fixture *const f = *state;
    SCOPED_BUF struct buf *leaf = NULL;
    provision(f);
    read_file(f, "leaf.der", &leaf);
    put_file(f, "locked.der", buf_all(leaf));
    remove_file(f, "root.seal");

    assert_int_equal(start(f, SPAN_NONE), ERR_DAMAGED);

    assert_identity_is_whole(f);
}

static void the_operational_leaf_is_never_shown_while_locked(void **state)
{
    struct fixture *const f = *state;
    const uint8_t image[HAL_TPM_DIGEST_BYTES] = {1};
    f->pcr_mask = 1u << PCR_FIRMWARE;
    provision(f);
    assert_int_equal(hal_tpm_pcr_extend(sim_tpm_hal(f->tpm), PCR_FIRMWARE, image), ERR_OK);

    assert_int_equal(start(f, SPAN_NONE), ERR_POLICY);

    assert_int_equal(vault_state(f->vault), BOARD_LOCKED);
    assert_int_equal(vault_reason(f->vault), LIFE_REASON_PCR_CHANGED);
    assert_false(leaf_is(f, "leaf.der"));
    assert_true(leaf_is(f, "locked.der"));
    assert_identity_is_whole(f);
}

static void attack_17_a_firmware_bound_to_pcrs_does_not_keep_a_root_that_is_not(void **state)
{
    struct fixture *const f = *state;
    const uint8_t image[HAL_TPM_DIGEST_BYTES] = {1};
    provision(f);
    f->pcr_mask = 1u << PCR_FIRMWARE;
    assert_int_equal(start(f, SPAN_NONE), ERR_OK);
    assert_int_equal(hal_tpm_pcr_extend(sim_tpm_hal(f->tpm), PCR_FIRMWARE, image), ERR_OK);

    assert_int_equal(start(f, SPAN_NONE), ERR_POLICY);

    assert_int_equal(vault_state(f->vault), BOARD_LOCKED);
}

static void sealing_to_other_pcrs_keeps_the_pin(void **state)
{
    struct fixture *const f = *state;
    assert_int_equal(start(f, span_lit("1234")), ERR_OK);
    f->pcr_mask = 1u << PCR_FIRMWARE;
    assert_int_equal(start(f, span_lit("1234")), ERR_OK);

    assert_int_equal(start(f, SPAN_NONE), ERR_PIN);

    assert_int_equal(vault_unlock_pin(f->vault, span_lit("1235")), ERR_PIN);
    assert_int_equal(vault_state(f->vault), BOARD_LOCKED);
    assert_int_equal(vault_unlock_pin(f->vault, span_lit("1234")), ERR_OK);
    assert_int_equal(vault_state(f->vault), BOARD_OPERATIONAL);
}

/* --- ownership --- */

static void a_tpm_with_a_foreign_lockout_auth_is_refused_before_anything_is_written(void **state)
{
    struct fixture *const f = *state;
    sim_tpm_foreign_lockout_auth(f->tpm);

    assert_int_equal(start(f, SPAN_NONE), ERR_DENIED);

    assert_int_equal(vault_state(f->vault), BOARD_UNPROVISIONED);
    assert_int_equal(vault_reason(f->vault), LIFE_REASON_OTHER_TPM);
    assert_false(datadir_has(f->dir, "keys"));
    assert_false(datadir_has(f->dir, "root.seal"));
    sim_tpm_clear(f->tpm);
    assert_int_equal(start(f, SPAN_NONE), ERR_OK);
}

static void a_tpm_that_cannot_be_owned_is_not_sealed_to(void **state)
{
    struct fixture *const f = *state;
    SCOPED_BUF struct buf *seal = NULL;
    provision(f);
    sim_tpm_clear(f->tpm);
    sim_tpm_foreign_lockout_auth(f->tpm);
    read_file(f, "root.seal", &seal);
    assert_int_equal(start(f, SPAN_NONE), ERR_STALE_KEY);

    assert_int_equal(vault_unlock_recovery(f->vault, words_of(f)), ERR_DENIED);

    assert_int_equal(vault_state(f->vault), BOARD_LOCKED);
    assert_true(file_is(f, "root.seal", buf_all(seal)));
}

/* --- recovery --- */

static void a_wrong_recovery_key_changes_nothing(void **state)
{
    struct fixture *const f = *state;
    static const char *const files[] = {"root.seal", "root.recovery", "keys", "locked.seal", "locked.der"};
    struct buf *before[ARRAY_LENGTH(files)] = {NULL};
    SCOPED_RANDOM struct random *random = NULL;
    SCOPED_SECRET struct secret *other = NULL;
    SCOPED_SECRET struct secret *words = NULL;
    provision(f);
    sim_tpm_clear(f->tpm);
    assert_int_equal(start(f, SPAN_NONE), ERR_STALE_KEY);
    assert_int_equal(random_new(SPAN_NONE, &random), ERR_OK);
    assert_int_equal(recovery_key_new(random, &other), ERR_OK);
    assert_int_equal(recovery_to_words(other, &words), ERR_OK);
    for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
        read_file(f, files[i], &before[i]);
    }

    assert_int_equal(vault_unlock_recovery(f->vault, secret_reveal(words)), ERR_AUTH);
    assert_int_equal(vault_unlock_recovery(f->vault, span_lit("lusab-babad")), ERR_MALFORMED);

    assert_int_equal(vault_state(f->vault), BOARD_LOCKED);
    assert_int_equal(vault_reason(f->vault), LIFE_REASON_OTHER_TPM);
    for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
        assert_true(file_is(f, files[i], buf_all(before[i])));
        buf_free(before[i]);
    }
    assert_int_equal(vault_unlock_recovery(f->vault, words_of(f)), ERR_OK);
}

static void the_recovery_key_still_opens_after_it_was_used(void **state)
{
    struct fixture *const f = *state;
    provision(f);

    for (size_t i = 0; i < 3; i++) {
        sim_tpm_clear(f->tpm);
        assert_int_equal(start(f, SPAN_NONE), ERR_STALE_KEY);
        assert_int_equal(vault_unlock_recovery(f->vault, words_of(f)), ERR_OK);
        assert_null(vault_recovery_words(f->vault));
        assert_int_equal(start(f, SPAN_NONE), ERR_OK);
    }
}

/* --- keys of tables --- */

static void attack_19_a_table_key_of_a_destroyed_version_does_not_open(void **state)
{
    struct fixture *const f = *state;
    SCOPED_SECRET struct secret *key = NULL;
    SCOPED_SECRET struct secret *again = NULL;
    SCOPED_BUF struct buf *wrapped = NULL;
    provision(f);
    assert_int_equal(buf_new(VAULT_WRAPPED_MAX, &wrapped), ERR_OK);
    assert_int_equal(vault_table_new(f->vault, 256, &key, wrapped), ERR_OK);
    assert_int_equal(vault_rotate_begin(f->vault), ERR_OK);
    assert_int_equal(vault_rotate_end(f->vault), ERR_OK);
    assert_int_equal(start(f, SPAN_NONE), ERR_OK);

    assert_int_equal(vault_table_open(f->vault, 256, buf_all(wrapped), &again), ERR_STALE_KEY);

    assert_null(again);
}

/* The file itself opens, see keyring_file.c; what is wrapped by the newer version must not. */
static void attack_19_an_older_keys_file_does_not_open_what_was_wrapped_after_it(void **state)
{
    struct fixture *const f = *state;
    SCOPED_SECRET struct secret *key = NULL;
    SCOPED_SECRET struct secret *again = NULL;
    SCOPED_BUF struct buf *before = NULL;
    SCOPED_BUF struct buf *after = NULL;
    SCOPED_BUF struct buf *keys = NULL;
    provision(f);
    assert_int_equal(buf_new(VAULT_WRAPPED_MAX, &before), ERR_OK);
    assert_int_equal(buf_new(VAULT_WRAPPED_MAX, &after), ERR_OK);
    assert_int_equal(vault_table_new(f->vault, 256, &key, before), ERR_OK);
    read_file(f, "keys", &keys);
    assert_int_equal(vault_rotate_begin(f->vault), ERR_OK);
    assert_int_equal(vault_table_rewrap(f->vault, 256, buf_all(before), after), ERR_OK);
    assert_int_equal(vault_rotate_end(f->vault), ERR_OK);
    put_file(f, "keys", buf_all(keys));
    assert_int_equal(start(f, SPAN_NONE), ERR_OK);

    assert_int_equal(vault_table_open(f->vault, 256, buf_all(after), &again), ERR_STALE_KEY);

    assert_null(again);
}

static void a_rotation_that_was_cut_off_is_pending_at_the_next_start(void **state)
{
    struct fixture *const f = *state;
    SCOPED_SECRET struct secret *key = NULL;
    SCOPED_SECRET struct secret *again = NULL;
    SCOPED_BUF struct buf *wrapped = NULL;
    bool pending = false;
    provision(f);
    assert_int_equal(buf_new(VAULT_WRAPPED_MAX, &wrapped), ERR_OK);
    assert_int_equal(vault_table_new(f->vault, 256, &key, wrapped), ERR_OK);
    assert_int_equal(vault_rotate_begin(f->vault), ERR_OK);

    assert_int_equal(start(f, SPAN_NONE), ERR_OK);

    assert_int_equal(vault_rotate_pending(f->vault, &pending), ERR_OK);
    assert_true(pending);
    assert_int_equal(vault_table_open(f->vault, 256, buf_all(wrapped), &again), ERR_OK);
}

static void no_table_key_is_given_out_while_locked(void **state)
{
    struct fixture *const f = *state;
    SCOPED_SECRET struct secret *key = NULL;
    SCOPED_SECRET struct secret *again = NULL;
    SCOPED_BUF struct buf *wrapped = NULL;
    bool pending = false;
    provision(f);
    assert_int_equal(buf_new(VAULT_WRAPPED_MAX, &wrapped), ERR_OK);
    assert_int_equal(vault_table_new(f->vault, 256, &key, wrapped), ERR_OK);
    sim_tpm_clear(f->tpm);
    assert_int_equal(start(f, SPAN_NONE), ERR_STALE_KEY);

    assert_int_equal(vault_table_open(f->vault, 256, buf_all(wrapped), &again), ERR_STATE);
    assert_int_equal(vault_table_new(f->vault, 256, &again, wrapped), ERR_STATE);
    assert_int_equal(vault_table_rewrap(f->vault, 256, buf_all(wrapped), wrapped), ERR_STATE);
    assert_int_equal(vault_rotate_begin(f->vault), ERR_STATE);
    assert_int_equal(vault_rotate_end(f->vault), ERR_STATE);
    assert_int_equal(vault_rotate_pending(f->vault, &pending), ERR_STATE);

    assert_null(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_empty_directory_is_provisioned_and_later_starts_unseal, setup, teardown),
        cmocka_unit_test_setup_teardown(a_table_key_opens_for_its_table_only, setup, teardown),
        cmocka_unit_test(a_power_cut_at_any_write_of_the_first_start_is_survived),
        cmocka_unit_test(a_tpm_that_fails_at_any_call_of_the_first_start_is_survived),
        cmocka_unit_test(a_power_cut_at_any_write_of_unlocking_is_survived),
        cmocka_unit_test_setup_teardown(a_disk_that_cannot_say_what_is_there_is_not_provisioned_over, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_without_a_sealed_root_lock_the_box, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_19_a_planted_file_does_not_make_the_box_show_a_recovery_key, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_recovery_key_is_made_anew_until_it_was_shown, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_19_the_ca_does_not_certify_a_key_that_was_put_on_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_19_a_foreign_ca_is_not_given_to_clients, setup, teardown),
        cmocka_unit_test_setup_teardown(a_locked_leaf_whose_certificate_is_of_another_key_is_not_shown, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_operational_leaf_is_never_shown_while_locked, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_17_a_firmware_bound_to_pcrs_does_not_keep_a_root_that_is_not, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(sealing_to_other_pcrs_keeps_the_pin, setup, teardown),
        cmocka_unit_test_setup_teardown(a_tpm_with_a_foreign_lockout_auth_is_refused_before_anything_is_written, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_tpm_that_cannot_be_owned_is_not_sealed_to, setup, teardown),
        cmocka_unit_test_setup_teardown(a_wrong_recovery_key_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(the_recovery_key_still_opens_after_it_was_used, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_19_a_table_key_of_a_destroyed_version_does_not_open, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_19_an_older_keys_file_does_not_open_what_was_wrapped_after_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_rotation_that_was_cut_off_is_pending_at_the_next_start, setup, teardown),
        cmocka_unit_test_setup_teardown(no_table_key_is_given_out_while_locked, setup, teardown),
    };

    return cmocka_run_group_tests_name("firmware_vault", tests, NULL, NULL);
}
