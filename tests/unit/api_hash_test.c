/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a sign-in hashes: as the stored password was hashed, once more when that is weaker than today, and once for an
 * address that is nobody's. Spec: contract 5.2, 5.3; RFC 9106. */
/* link: --wrap=http_respond --wrap=http_body --wrap=pwhash --wrap=pwhash_cost_now */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/pwhash.h"
#include "firmware/api/request_int.h"
#include "firmware/data/people_int.h"
#include "tests/lib/api_stored.h"
#include "tests/lib/api_user.h"

#define ADA   "ada@example.com"
#define RIGHT ACCOUNT(ADA, "abc123")
#define WRONG ACCOUNT(ADA, "wrong1")

static const struct pwhash_cost floor_cost = {PWHASH_MEMORY_KIB_MIN, PWHASH_PASSES_MIN};
static const struct pwhash_cost more_passes = {PWHASH_MEMORY_KIB_MIN, PWHASH_PASSES_MIN + 1};
static const struct pwhash_cost more_memory = {PWHASH_MEMORY_KIB_MIN + 1024, PWHASH_PASSES_MIN};

/* What new hashes cost, set between requests; and the hashes that were computed, by the pool's thread. */
static struct pwhash_cost today;
static atomic_uint hashes, passes, memory_kib;

struct pwhash_cost __wrap_pwhash_cost_now(void);
enum err __wrap_pwhash(struct pwhash_cost cost, struct span input, struct span salt, uint8_t out_hash[PWHASH_BYTES]);
enum err __real_pwhash(struct pwhash_cost cost, struct span input, struct span salt, uint8_t out_hash[PWHASH_BYTES]);

struct pwhash_cost __wrap_pwhash_cost_now(void)
{
    return today;
}

enum err __wrap_pwhash(struct pwhash_cost cost, struct span input, struct span salt, uint8_t out_hash[PWHASH_BYTES])
{
    atomic_fetch_add(&hashes, 1);
    atomic_fetch_add(&passes, cost.passes);
    atomic_fetch_add(&memory_kib, cost.memory_kib);
    return __real_pwhash(cost, input, salt, out_hash);
}

static int set_up(void **state)
{
    today = floor_cost;
    return api_box_set_up(state);
}

static const struct api_answer *sign_in(struct api_box *box, const char *body)
{
    atomic_store(&hashes, 0);
    atomic_store(&passes, 0);
    atomic_store(&memory_kib, 0);
    return api_box_send(box, "POST", box->publishable, SIGN_IN, body);
}

static struct data_password stored(struct api_box *box)
{
    struct data_people people;
    struct data_login login;

    (void)data_directory(box->api->reader, box->data->current, NULL, &people);
    assert_int_equal(data_find_login(&people, api_stored_environment(box)->record.id, span_lit(ADA), &login), ERR_OK);
    return login.password;
}

static void assert_stored(struct api_box *box, struct pwhash_cost cost)
{
    const struct data_password password = stored(box);

    assert_int_equal(password.cost.memory_kib, cost.memory_kib);
    assert_int_equal(password.cost.passes, cost.passes);
}

static void a_password_is_hashed_anew_by_a_sign_in_when_hashes_cost_more(void **state)
{
    static const struct pwhash_cost *const rises[] = {&more_passes, &more_memory};

    for (size_t i = 0; i < ARRAY_LENGTH(rises); i++) {
        struct api_user user;
        assert_int_equal(api_box_tear_down(state), 0);
        assert_int_equal(set_up(state), 0);
        struct api_box *box = *state;
        api_user_sign_up(box, &user);
        assert_stored(box, floor_cost);
        const struct data_password before = stored(box);
        today = *rises[i];

        assert_refused(sign_in(box, WRONG), 401, "auth/invalid-credentials");
        assert_int_equal(hashes, 1);
        assert_memory_equal(stored(box).salt, before.salt, PWHASH_SALT_BYTES); /* who is wrong changes nothing */
        api_user_take(sign_in(box, RIGHT), &user);

        assert_int_equal(hashes, 2); /* as it was stored, and as it is stored from here on */
        assert_stored(box, *rises[i]);
        const struct data_password after = stored(box);
        assert_memory_not_equal(after.salt, before.salt, PWHASH_SALT_BYTES);
        assert_int_equal(api_user_me(box, &user)->status, 200);
        api_user_take(sign_in(box, RIGHT), &user);
        assert_int_equal(hashes, 1);
        assert_refused(sign_in(box, WRONG), 401, "auth/invalid-credentials");
        assert_memory_equal(stored(box).hash, after.hash, PWHASH_BYTES);
        api_box_restart(box);
        api_user_take(sign_in(box, RIGHT), &user);
    }
}

static void a_password_keeps_a_hash_that_costs_more_than_today(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    today = more_passes;
    api_user_sign_up(box, &user);
    today = floor_cost;

    api_user_take(sign_in(box, RIGHT), &user);

    assert_int_equal(hashes, 1);
    assert_int_equal(passes, more_passes.passes); /* compared as it was stored */
    assert_stored(box, more_passes);
}

/* Known and unknown addresses cost one hash, of the same passes and memory. */
static void attack_10_an_address_that_is_nobodys_costs_the_hash_of_a_wrong_password(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    today = more_passes;
    api_user_sign_up(box, &user);

    assert_refused(sign_in(box, WRONG), 401, "auth/invalid-credentials");
    assert_int_equal(hashes, 1);
    assert_int_equal(passes, more_passes.passes);
    assert_refused(sign_in(box, ACCOUNT("nobody@example.com", "wrong1")), 401, "auth/invalid-credentials");

    assert_int_equal(hashes, 1);
    assert_int_equal(passes, more_passes.passes);
}

static void assert_one_hash(struct api_box *box, const char *body, struct pwhash_cost cost)
{
    assert_refused(sign_in(box, body), 401, "auth/invalid-credentials");
    assert_int_equal(hashes, 1);
    assert_int_equal(passes, cost.passes);
    assert_int_equal(memory_kib, cost.memory_kib);
}

/* Who has not signed in since hashes cost more costs less, and so do addresses that are nobody's: before the address in
 * the order of the index and behind it. */
static void attack_10_an_address_that_is_nobodys_costs_what_somebodys_cost_once(void **state)
{
    static const struct pwhash_cost *const rises[] = {&more_passes, &more_memory};

    for (size_t i = 0; i < ARRAY_LENGTH(rises); i++) {
        struct api_user user;
        assert_int_equal(api_box_tear_down(state), 0);
        assert_int_equal(set_up(state), 0);
        struct api_box *box = *state;
        api_user_sign_up(box, &user);
        today = *rises[i];

        assert_one_hash(box, WRONG, floor_cost);
        assert_one_hash(box, ACCOUNT("aaa@example.com", "wrong1"), floor_cost);
        assert_one_hash(box, ACCOUNT("nobody@example.com", "abc123"), floor_cost);
        api_user_take(sign_in(box, RIGHT), &user);

        assert_one_hash(box, WRONG, *rises[i]);
        assert_one_hash(box, ACCOUNT("nobody@example.com", "wrong1"), *rises[i]);
    }
}

static void an_address_beside_nobody_with_a_password_costs_what_is_usual_today(void **state)
{
    struct api_box *box = *state;
    today = more_passes;

    assert_one_hash(box, WRONG, more_passes); /* nobody at all */
    assert_int_equal(
        api_box_send(box, "POST", box->secret, "/v1/users", "{\"email\":\"" ADA "\",\"name\":\"Ada\"}")->status, 201);

    assert_one_hash(box, ACCOUNT("nobody@example.com", "wrong1"), more_passes);
    assert_one_hash(box, WRONG, more_passes);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, api_box_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_password_is_hashed_anew_by_a_sign_in_when_hashes_cost_more),
        T(a_password_keeps_a_hash_that_costs_more_than_today),
        T(attack_10_an_address_that_is_nobodys_costs_the_hash_of_a_wrong_password),
        T(attack_10_an_address_that_is_nobodys_costs_what_somebodys_cost_once),
        T(an_address_beside_nobody_with_a_password_costs_what_is_usual_today),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
