/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/vault_box.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"

int make_box(void **state)
{
    void *memory = NULL;

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
