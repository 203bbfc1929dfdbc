/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/keeper/vault.h: the latest date of the box, as it is kept. attacks.md class 19: clock set back. */
/* link: --wrap=datadir_write */
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

#define FILE_KEYS "keys"
#define FIRST     "00000000-0000-4000-8000-000000000001"
#define SECOND    "00000000-0000-4000-8000-000000000002"

static const struct wall_time date = {INT64_C(1800000000123)};

static const char *unwritable; /* a file that the disk refuses */

enum err __real_datadir_write(struct datadir *dir, const char *name, struct span content);
enum err __wrap_datadir_write(struct datadir *dir, const char *name, struct span content);

enum err __wrap_datadir_write(struct datadir *dir, const char *name, struct span content)
{
    return unwritable != NULL && strcmp(name, unwritable) == 0 ? ERR_FULL : __real_datadir_write(dir, name, content);
}

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

/* --- the way back --- */

struct token_key {
    uint8_t bytes[32];
};

static struct token_key token_key(struct box *box, const char *environment, uint32_t version)
{
    const struct secret *key = NULL;
    struct token_key copy;

    assert_int_equal(vault_token_key(box->vault, span_str(environment), version, &key), ERR_OK);
    assert_int_equal(secret_len(key), sizeof(copy.bytes));
    memcpy(copy.bytes, secret_reveal(key).data, sizeof(copy.bytes));
    return copy;
}

static void assert_new_key_alone(struct box *box, const char *environment, struct token_key before)
{
    struct keyring_versions versions = {0};

    assert_int_equal(vault_token_versions(box->vault, span_str(environment), &versions), ERR_OK);
    assert_int_equal(versions.oldest, versions.newest);
    assert_memory_not_equal(token_key(box, environment, KEYRING_NEWEST).bytes, before.bytes, sizeof(before.bytes));
}

/* A box with a date that is wrong, a key of its own in each of two environments, two in the first; locked. */
static struct words lock_with_keys(struct box *box, struct token_key out_keys[3])
{
    const struct words words = provision(box);

    assert_int_equal(vault_token_make(box->vault, span_str(FIRST)), ERR_OK);
    assert_int_equal(vault_token_make(box->vault, span_str(SECOND)), ERR_OK);
    assert_int_equal(vault_token_rotate(box->vault, span_str(FIRST)), ERR_OK);
    out_keys[0] = token_key(box, FIRST, 1);
    out_keys[1] = token_key(box, FIRST, 2);
    out_keys[2] = token_key(box, SECOND, 1);
    assert_int_equal(vault_date_keep(box->vault, date), ERR_OK);
    other_tpm(box, 2);
    assert_int_equal(start(box), ERR_STALE_KEY);
    return words;
}

static enum err unlock_date_back(struct box *box, const struct words *words)
{
    return vault_unlock_date_back(box->vault, span_of(words->text, words->len));
}

static void the_recovery_key_sets_the_date_to_the_clocks_and_no_token_survives(void **state)
{
    struct box *box = *state;
    struct token_key keys[3];
    struct wall_time kept = {0};
    const struct words words = lock_with_keys(box, keys);

    assert_int_equal(unlock_date_back(box, &words), ERR_OK);

    assert_state(box, BOARD_OPERATIONAL, LIFE_REASON_NONE);
    for (int i = 0; i < 2; i++) { /* and so it is on the disk */
        assert_int_equal(vault_date(box->vault, &kept), ERR_OK);
        assert_int_equal(kept.ms, box->clock.wall.ms);
        assert_true(kept.ms < date.ms);
        assert_new_key_alone(box, FIRST, keys[0]);
        assert_new_key_alone(box, FIRST, keys[1]);
        assert_new_key_alone(box, SECOND, keys[2]);
        assert_int_equal(start(box), ERR_OK);
    }
}

static void attack_19_nobody_else_sets_it_back(void **state)
{
    struct box *box = *state;
    struct token_key keys[3];
    struct wall_time kept = {0};
    const struct words words = lock_with_keys(box, keys);
    struct words wrong = words;
    wrong.text[0] = wrong.text[0] == 'b' ? 'd' : 'b';

    assert_int_not_equal(unlock_date_back(box, &wrong), ERR_OK);
    assert_int_equal(unlock(box, &words), ERR_OK);

    assert_int_equal(vault_date(box->vault, &kept), ERR_OK);
    assert_int_equal(kept.ms, date.ms);
    assert_memory_equal(token_key(box, FIRST, 1).bytes, keys[0].bytes, sizeof(keys[0].bytes));
    assert_int_equal(unlock_date_back(box, &words), ERR_STATE); /* nor anybody, of an open box */
    assert_int_equal(vault_date(box->vault, &kept), ERR_OK);
    assert_int_equal(kept.ms, date.ms);
}

static void attack_19_the_date_stays_where_the_keys_could_not_be_made_anew(void **state)
{
    static const char *const files[] = {FILE_KEYS, FILE_DATE};
    struct box *box = *state;
    struct token_key keys[3];
    struct wall_time kept = {0};
    const struct words words = lock_with_keys(box, keys);

    for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
        unwritable = files[i];
        assert_int_equal(unlock_date_back(box, &words), ERR_FULL);
        unwritable = NULL;
        assert_int_equal(vault_state(box->vault), BOARD_LOCKED);
    }
    assert_int_equal(unlock(box, &words), ERR_OK);

    assert_int_equal(vault_date(box->vault, &kept), ERR_OK);
    assert_int_equal(kept.ms, date.ms);
    assert_new_key_alone(box, FIRST, keys[1]); /* of the second try: whoever was signed in is not any more */
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
        WITH_BOX(the_recovery_key_sets_the_date_to_the_clocks_and_no_token_survives),
        WITH_BOX(attack_19_nobody_else_sets_it_back),
        WITH_BOX(attack_19_the_date_stays_where_the_keys_could_not_be_made_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
