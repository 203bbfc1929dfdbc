/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/vault_box.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/sign.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"

int make_box(void **state)
{
    void *memory = NULL;

    fault_clear();
    assert_int_equal(mem_alloc(sizeof(struct box), &memory), ERR_OK);
    struct box *box = memory;
    box->temp = temp_dir_make();
    assert_int_equal(datadir_open(box->temp.path, &box->dir), ERR_OK);
    assert_int_equal(sim_tpm_new(1, &box->tpm), ERR_OK);
    box->has_tpm = true;
    sim_clock_init(&box->clock);
    sim_entropy_init(&box->entropy, 1);
    assert_int_equal(x509_names_add_dns(&box->names, span_lit("localhost")), ERR_OK);
    *state = box;
    return 0;
}

int free_box(void **state)
{
    struct box *box = *state;

    vault_free(box->vault);
    sim_tpm_free(box->tpm);
    datadir_close(box->dir);
    temp_dir_remove(&box->temp);
    fault_clear();
    mem_free(box);
    return 0;
}

enum err start_with(struct box *box, struct span pin)
{
    const struct vault_options options = {
        .tpm = box->has_tpm ? sim_tpm_hal(box->tpm) : NULL,
        .entropy = &box->entropy.base,
        .clock = &box->clock.base,
        .dir = box->dir,
        .pcr_mask = box->pcr_mask,
        .names = &box->names,
    };

    vault_free(box->vault);
    box->vault = NULL;
    assert_int_equal(vault_new(&options, &box->vault), ERR_OK);
    return vault_start(box->vault, pin);
}

enum err start(struct box *box)
{
    return start_with(box, SPAN_NONE);
}

enum err start_and_renew(struct box *box)
{
    bool changed = false;
    const enum err err = start(box);

    return err == ERR_OK ? vault_renew(box->vault, &changed) : err;
}

void assert_state(const struct box *box, enum board_state state, enum life_reason reason)
{
    assert_int_equal(vault_state(box->vault), state);
    assert_int_equal(vault_reason(box->vault), reason);
}

struct words read_words(const struct box *box)
{
    struct words words = {.len = 0};
    const struct secret *secret = vault_recovery_words(box->vault);

    assert_non_null(secret);
    words.len = secret_len(secret);
    memcpy(words.text, secret_reveal(secret).data, words.len);
    return words;
}

struct words provision(struct box *box)
{
    assert_int_equal(start(box), ERR_OK);
    const struct words words = read_words(box);
    assert_int_equal(vault_shown(box->vault), ERR_OK);
    return words;
}

enum err unlock(struct box *box, const struct words *words)
{
    return vault_unlock_recovery(box->vault, span_of(words->text, words->len));
}

void other_tpm(struct box *box, uint64_t seed)
{
    sim_tpm_free(box->tpm);
    box->tpm = NULL;
    assert_int_equal(sim_tpm_new(seed, &box->tpm), ERR_OK);
}

void read_file(const struct box *box, const char *name, struct buf **out)
{
    assert_int_equal(buf_new(DATADIR_FILE_MAX, out), ERR_OK);
    assert_int_equal(datadir_read(box->dir, name, *out), ERR_OK);
}

bool file_is(const struct box *box, const char *name, struct span content)
{
    SCOPED_BUF struct buf *now = NULL;

    read_file(box, name, &now);
    return span_equal(buf_all(now), content);
}

void put_file(struct box *box, const char *name, struct span content)
{
    assert_int_equal(datadir_write(box->dir, name, content), ERR_OK);
}

void remove_file(struct box *box, const char *name)
{
    assert_int_equal(datadir_remove(box->dir, name), ERR_OK);
}

void assert_identity_fits(struct box *box)
{
    SCOPED_BUF struct buf *der = NULL;
    SCOPED_BUF struct buf *ca = NULL;
    const struct secret *key = NULL;
    uint8_t public_key[SIGN_PUBLIC_BYTES];

    assert_int_equal(buf_new(X509_DER_MAX, &der), ERR_OK);
    assert_int_equal(buf_new(X509_DER_MAX, &ca), ERR_OK);
    assert_int_equal(vault_identity(box->vault, der, &key), ERR_OK);
    assert_int_equal(sign_public(key, public_key), ERR_OK);
    assert_int_equal(x509_is_of(buf_all(der), public_key), ERR_OK);
    if (vault_state(box->vault) == BOARD_OPERATIONAL) {
        assert_int_equal(vault_ca(box->vault, ca), ERR_OK);
        assert_int_equal(x509_verify(buf_all(ca), buf_all(der)), ERR_OK);
    }
}

bool shows_file(struct box *box, const char *name)
{
    SCOPED_BUF struct buf *der = NULL;
    SCOPED_BUF struct buf *file = NULL;
    const struct secret *key = NULL;

    assert_int_equal(buf_new(X509_DER_MAX, &der), ERR_OK);
    assert_int_equal(vault_identity(box->vault, der, &key), ERR_OK);
    read_file(box, name, &file);
    return span_equal(buf_all(der), buf_all(file));
}
