/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/keeper/vault.h: the latest date of the box, as it is kept. attacks.md class 19: clock set back. */
#include "firmware/keeper/vault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "hal/sim/sim_entropy.h"
#include "tests/lib/vault_box.h"

#define FILE_DATE "date.seal"

static const struct wall_time date = {INT64_C(1800000000123)};

static void the_date_kept_last_is_the_one_of_later_starts(void **state)
{
    struct box *box = *state;
    struct wall_time kept = {0};
    (void)provision(box);
    assert_int_equal(vault_date_keep(box->vault, (struct wall_time){date.ms - DAY_MS}), ERR_OK);
    assert_int_equal(vault_date_keep(box->vault, date), ERR_OK);

    assert_int_equal(start(box), ERR_OK);

    assert_int_equal(vault_date(box->vault, &kept), ERR_OK);
    assert_int_equal(kept.ms, date.ms);
}

static void a_box_that_has_kept_none_says_so(void **state)
{
    struct box *box = *state;
    struct wall_time kept = {7};
    (void)provision(box);

    assert_int_equal(vault_date(box->vault, &kept), ERR_NOT_FOUND);

    assert_int_equal(kept.ms, 7);
}

static void the_date_is_kept_over_a_recovery_on_another_tpm_and_closed_while_the_box_is(void **state)
{
    struct box *box = *state;
    struct wall_time kept = {7};
    const struct words words = provision(box);
    assert_int_equal(vault_date_keep(box->vault, date), ERR_OK);

    other_tpm(box, 2);
    assert_int_equal(start(box), ERR_STALE_KEY);
    assert_int_equal(vault_date(box->vault, &kept), ERR_STATE);
    assert_int_equal(vault_date_keep(box->vault, date), ERR_STATE);
    assert_int_equal(kept.ms, 7);
    assert_int_equal(unlock(box, &words), ERR_OK);

    assert_int_equal(vault_date(box->vault, &kept), ERR_OK);
    assert_int_equal(kept.ms, date.ms);
}

static void attack_19_no_bit_of_a_kept_date_can_be_changed(void **state)
{
    struct box *box = *state;
    struct buf *file = NULL;
    uint8_t changed[128];
    (void)provision(box);
    assert_int_equal(vault_date_keep(box->vault, date), ERR_OK);
    read_file(box, FILE_DATE, &file);
    const struct span whole = buf_all(file);
    assert_in_range(whole.len, 8, sizeof(changed));

    for (size_t bit = 0; bit < 8 * whole.len; bit += 9) { /* one of each byte */
        struct wall_time kept = {7};
        memcpy(changed, whole.data, whole.len);
        changed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        put_file(box, FILE_DATE, span_of(changed, whole.len));

        const enum err err = vault_date(box->vault, &kept);

        assert_int_equal(err, bit < 32 ? ERR_STALE_KEY : ERR_AUTH); /* its first four bytes are the key's version */
        assert_int_equal(kept.ms, 7);
    }
    buf_free(file);
}

static void attack_19_a_cut_date_is_none(void **state)
{
    struct box *box = *state;
    struct buf *file = NULL;
    uint8_t cut[128];
    (void)provision(box);
    assert_int_equal(vault_date_keep(box->vault, date), ERR_OK);
    read_file(box, FILE_DATE, &file);
    const size_t len = buf_len(file);
    memcpy(cut, buf_all(file).data, len);

    for (size_t left = 0; left < len; left++) {
        struct wall_time kept = {7};
        put_file(box, FILE_DATE, span_of(cut, left));

        const enum err err = vault_date(box->vault, &kept);

        assert_true(err == ERR_MALFORMED || err == ERR_AUTH);
        assert_int_equal(kept.ms, 7);
    }
    buf_free(file);
}

static void attack_19_the_date_of_another_box_is_none(void **state)
{
    struct box *box = *state;
    struct buf *file = NULL;
    struct wall_time kept = {7};
    (void)provision(box);
    assert_int_equal(vault_date_keep(box->vault, date), ERR_OK);
    read_file(box, FILE_DATE, &file);
    void *other = NULL;
    assert_int_equal(make_box(&other), 0);
    box = other;
    sim_entropy_init(&box->entropy, 77);
    (void)provision(box);
    put_file(box, FILE_DATE, buf_all(file));

    assert_int_equal(vault_date(box->vault, &kept), ERR_AUTH);

    assert_int_equal(kept.ms, 7);
    assert_int_equal(free_box(&other), 0);
    buf_free(file);
}

static void a_date_that_no_text_can_hold_is_not_kept(void **state)
{
    struct box *box = *state;
    struct wall_time kept = {0};
    (void)provision(box);
    assert_int_equal(vault_date_keep(box->vault, (struct wall_time){TIME_WALL_MS_MAX}), ERR_OK);

    assert_int_equal(vault_date_keep(box->vault, (struct wall_time){TIME_WALL_MS_MAX + 1}), ERR_RANGE);
    assert_int_equal(vault_date_keep(box->vault, (struct wall_time){-1}), ERR_RANGE);

    assert_int_equal(vault_date(box->vault, &kept), ERR_OK);
    assert_int_equal(kept.ms, TIME_WALL_MS_MAX);
}

#define WITH_BOX(test) cmocka_unit_test_setup_teardown(test, make_box, free_box)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BOX(the_date_kept_last_is_the_one_of_later_starts),
        WITH_BOX(a_box_that_has_kept_none_says_so),
        WITH_BOX(the_date_is_kept_over_a_recovery_on_another_tpm_and_closed_while_the_box_is),
        WITH_BOX(attack_19_no_bit_of_a_kept_date_can_be_changed),
        WITH_BOX(attack_19_a_cut_date_is_none),
        WITH_BOX(attack_19_the_date_of_another_box_is_none),
        WITH_BOX(a_date_that_no_text_can_hold_is_not_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
