/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/vault_disk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/sign.h"
#include "hal/base/fault.h"

void vault_disk_make(struct vault_disk *f)
{
    static struct x509_names names;

    fault_clear();
    *f = (struct vault_disk){.temp = temp_dir_make()};
    names = (struct x509_names){.dns_count = 0};
    assert_int_equal(x509_names_add_dns(&names, span_lit("localhost")), ERR_OK);
    f->names = names;
    assert_int_equal(datadir_open(f->temp.path, &f->dir), ERR_OK);
    assert_int_equal(sim_tpm_new(1, &f->tpm), ERR_OK);
    sim_clock_init(&f->clock);
    sim_entropy_init(&f->entropy, 7);
}

void vault_disk_unmake(struct vault_disk *f)
{
    vault_free(f->vault);
    sim_tpm_free(f->tpm);
    datadir_close(f->dir);
    temp_dir_remove(&f->temp);
    fault_clear();
}

/* A start of the keeper, as far as the vault goes. */
enum err vault_disk_start(struct vault_disk *f, struct span pin)
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
void vault_disk_show(struct vault_disk *f)
{
    const struct secret *const words = vault_recovery_words(f->vault);

    assert_true(words != NULL && secret_len(words) <= WORDS_MAX);
    f->words_len = secret_len(words);
    memcpy(f->words, secret_reveal(words).data, f->words_len);
    assert_int_equal(vault_shown(f->vault), ERR_OK);
}

void vault_disk_provision(struct vault_disk *f)
{
    assert_int_equal(vault_disk_start(f, SPAN_NONE), ERR_OK);
    vault_disk_show(f);
}

struct span vault_disk_words(const struct vault_disk *f)
{
    return span_of(f->words, f->words_len);
}

void vault_disk_read(const struct vault_disk *f, const char *name, struct buf **out)
{
    assert_int_equal(buf_new(DATADIR_FILE_MAX, out), ERR_OK);
    assert_int_equal(datadir_read(f->dir, name, *out), ERR_OK);
}

bool vault_disk_file_is(const struct vault_disk *f, const char *name, struct span content)
{
    SCOPED_BUF struct buf *now = NULL;

    vault_disk_read(f, name, &now);
    return span_equal(buf_all(now), content);
}

void vault_disk_put(struct vault_disk *f, const char *name, struct span content)
{
    assert_int_equal(datadir_write(f->dir, name, content), ERR_OK);
}

void vault_disk_remove(struct vault_disk *f, const char *name)
{
    assert_int_equal(datadir_remove(f->dir, name), ERR_OK);
}

/* The certificate shown now is the key's, and, if the box is operational, signed by the CA that clients are given. */
void vault_disk_check_identity(struct vault_disk *f)
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

bool vault_disk_shows(struct vault_disk *f, const char *file_name)
{
    SCOPED_BUF struct buf *der = NULL;
    SCOPED_BUF struct buf *file = NULL;
    const struct secret *key = NULL;

    assert_int_equal(buf_new(X509_DER_MAX, &der), ERR_OK);
    assert_int_equal(vault_identity(f->vault, der, &key), ERR_OK);
    vault_disk_read(f, file_name, &file);
    return span_equal(buf_all(der), buf_all(file));
}
