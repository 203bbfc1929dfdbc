/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/auth/token_cache.h: only the very bytes that were verified are known again, and an account only under its
 * generation. */
#include "firmware/auth/token_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/crypto.h"
#include "hal/base/fault.h"

#define TOKENS 16
#define WAYS   4 /* tokens of a set: what a cache of four holds, whatever they are */

static int set_up(void **state)
{
    struct auth_token_cache *cache = NULL;

    assert_int_equal(crypto_start(), ERR_OK);
    assert_int_equal(token_cache_new(TOKENS, &cache), ERR_OK);
    *state = cache;
    return 0;
}

static int tear_down(void **state)
{
    token_cache_free(*state);
    fault_clear();
    return 0;
}

/* A text that has the form of a token, with a payload of that many bytes, and tells `number`. */
struct text {
    char bytes[AUTH_TOKEN_MAX + 1];
    size_t len;
};

static struct text text_of(unsigned int number, size_t payload_bytes)
{
    struct text text = {.len = AUTH_TOKEN_HEADER_BYTES + 1 + payload_bytes + 1 + AUTH_TOKEN_SIGNED_BYTES};

    memset(text.bytes, 'a', text.len);
    text.bytes[AUTH_TOKEN_HEADER_BYTES] = '.';
    text.bytes[AUTH_TOKEN_HEADER_BYTES + 1 + payload_bytes] = '.';
    (void)snprintf(text.bytes + text.len - 8, 9, "%08u", number);
    return text;
}

static struct auth_token_parts parts_of(const struct text *text)
{
    struct auth_token_parts parts = {.header = SPAN_NONE};

    assert_true(auth_token_cut(span_of(text->bytes, text->len), &parts));
    return parts;
}

static struct token_remembered *put(struct auth_token_cache *cache, const struct text *text, char user)
{
    const struct auth_token_parts parts = parts_of(text);
    struct auth_bearer bearer = {.present = true, .expires_s = 1700003600};

    memset(bearer.user, user, sizeof bearer.user);
    return token_cache_put(cache, &parts, &bearer);
}

static struct token_remembered *find(struct auth_token_cache *cache, const struct text *text)
{
    const struct auth_token_parts parts = parts_of(text);

    return token_cache_find(cache, &parts);
}

static void a_token_that_was_put_says_what_it_said(void **state)
{
    const struct text ada = text_of(1, 300);
    const struct text bob = text_of(2, 300);
    assert_null(find(*state, &ada));

    assert_non_null(put(*state, &ada, 'a'));
    assert_non_null(put(*state, &bob, 'b'));

    assert_int_equal(find(*state, &ada)->bearer.user[0], 'a');
    assert_int_equal(find(*state, &bob)->bearer.user[35], 'b');
    assert_int_equal(find(*state, &ada)->bearer.expires_s, 1700003600);
}

static void attack_09_each_flipped_bit_makes_a_token_unknown(void **state)
{
    struct text text = text_of(1, 300);
    struct auth_token_parts parts;
    assert_non_null(put(*state, &text, 'a'));

    for (size_t bit = 0; bit < 8 * text.len; bit++) {
        text.bytes[bit / 8] = (char)(text.bytes[bit / 8] ^ (1 << bit % 8));
        assert_true(!auth_token_cut(span_of(text.bytes, text.len), &parts) || token_cache_find(*state, &parts) == NULL);
        text.bytes[bit / 8] = (char)(text.bytes[bit / 8] ^ (1 << bit % 8));
    }
    assert_non_null(find(*state, &text));
}

static void attack_09_a_signature_under_another_text_is_unknown(void **state)
{
    struct text ada = text_of(1, 300);
    struct text longer = text_of(1, 301);
    struct text shorter = text_of(1, 299);

    assert_non_null(put(*state, &ada, 'a'));

    assert_null(find(*state, &longer));
    assert_null(find(*state, &shorter));
}

static void attack_09_the_signature_of_a_remembered_token_is_nowhere_in_its_entry(void **state)
{
    struct text text = text_of(1, 300);
    const char *signature = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_0123456789abcdefghijk0";
    assert_int_equal(strlen(signature), AUTH_TOKEN_SIGNED_BYTES);
    memcpy(text.bytes + text.len - AUTH_TOKEN_SIGNED_BYTES, signature, AUTH_TOKEN_SIGNED_BYTES);

    const uint8_t *entry = (const uint8_t *)put(*state, &text, 'a');

    for (size_t at = 0; at + 8 <= sizeof(struct token_remembered); at++) {
        for (size_t from = 0; from + 8 <= AUTH_TOKEN_SIGNED_BYTES; from++) {
            assert_memory_not_equal(entry + at, signature + from, 8);
        }
    }
}

static void the_longest_text_is_remembered_and_one_byte_more_is_not(void **state)
{
    const size_t longest = TOKEN_CACHE_TEXT_MAX - AUTH_TOKEN_HEADER_BYTES - 1;
    const struct text fits = text_of(1, longest);
    const struct text over = text_of(2, longest + 1);

    assert_non_null(put(*state, &fits, 'a'));
    assert_null(put(*state, &over, 'a'));

    assert_non_null(find(*state, &fits));
    assert_null(find(*state, &over));
}

static void the_token_used_least_makes_room(void **state)
{
    struct auth_token_cache *cache = NULL;
    struct text texts[WAYS + 1];
    assert_int_equal(token_cache_new(WAYS, &cache), ERR_OK);
    for (unsigned int i = 0; i < WAYS; i++) {
        texts[i] = text_of(i, 300);
        assert_non_null(put(cache, &texts[i], 'a'));
    }
    assert_non_null(find(cache, &texts[0])); /* now the second is the one used least */
    texts[WAYS] = text_of(WAYS, 300);

    assert_non_null(put(cache, &texts[WAYS], 'b'));

    assert_null(find(cache, &texts[1]));
    for (unsigned int i = 0; i <= WAYS; i++) {
        assert_true(i == 1 || find(cache, &texts[i]) != NULL);
    }
    token_cache_free(cache);
}

static void a_place_taken_over_keeps_nothing_of_the_account_before(void **state)
{
    struct auth_token_cache *cache = NULL;
    const struct auth_account account = {.state = AUTH_ALIVE, .group = RLS_ADMIN};
    struct auth_account got;
    struct arena *arena = NULL;
    assert_int_equal(arena_new(4096, 65536, &arena), ERR_OK);
    assert_int_equal(token_cache_new(WAYS, &cache), ERR_OK);

    for (unsigned int i = 0; i < 2 * WAYS; i++) {
        const struct text text = text_of(i, 300);
        struct token_remembered *entry = put(cache, &text, 'a');
        assert_false(token_cache_account(entry, 7, arena, &got));
        token_remember_account(entry, 7, &account);
        assert_true(token_cache_account(entry, 7, arena, &got));
    }
    token_cache_free(cache);
    arena_free(arena);
}

static void an_account_holds_under_its_own_generation_alone(void **state)
{
    const struct text text = text_of(1, 300);
    const struct auth_account admin = {.state = AUTH_ALIVE,
                                       .group = RLS_ADMIN,
                                       .has_mfa = true,
                                       .roles = {span_lit("editor"), span_lit(""), span_lit("m")},
                                       .role_count = 3,
                                       .session_ends_ms = 1700000000123};
    const struct auth_account banned = {.state = AUTH_BANNED, .group = RLS_USER};
    struct auth_account got;
    struct arena *arena = NULL;
    assert_int_equal(arena_new(4096, 65536, &arena), ERR_OK);
    struct token_remembered *entry = put(*state, &text, 'a');

    token_remember_account(entry, 7, &admin);
    assert_false(token_cache_account(entry, 6, arena, &got));
    assert_false(token_cache_account(entry, 8, arena, &got));
    assert_false(token_cache_account(entry, 0, arena, &got));
    assert_true(token_cache_account(entry, 7, arena, &got));
    assert_int_equal(got.state, AUTH_ALIVE);
    assert_int_equal(got.group, RLS_ADMIN);
    assert_true(got.has_mfa);
    assert_int_equal(got.session_ends_ms, 1700000000123);
    assert_int_equal(got.role_count, 3);
    assert_true(span_equal(got.roles[0], span_lit("editor")) && got.roles[1].len == 0 &&
                span_equal(got.roles[2], span_lit("m")));

    token_remember_account(entry, 8, &banned);
    assert_false(token_cache_account(entry, 7, arena, &got));
    assert_true(token_cache_account(entry, 8, arena, &got));
    assert_int_equal(got.state, AUTH_BANNED);
    assert_int_equal(got.group, RLS_USER);
    assert_int_equal(got.role_count, 0);
    token_remember_account(entry, 0, &admin); /* may not be remembered */
    assert_false(token_cache_account(entry, 0, arena, &got));
    assert_false(token_cache_account(entry, 8, arena, &got));
    arena_free(arena);
}

static void roles_beyond_the_room_for_them_are_looked_up_each_time(void **state)
{
    static const char name[AUTH_ROLE_MAX] = "abcdefghijklmnopqrstuvwxyz012345";
    const struct text text = text_of(1, 300);
    struct auth_account account = {.state = AUTH_ALIVE, .group = RLS_USER};
    struct auth_account got;
    struct arena *arena = NULL;
    assert_int_equal(arena_new(4096, 65536, &arena), ERR_OK);
    struct token_remembered *entry = put(*state, &text, 'a');
    for (size_t i = 0; i <= TOKEN_CACHE_ROLES_MAX / AUTH_ROLE_MAX; i++) {
        account.roles[i] = span_array(name);
    }

    account.role_count = TOKEN_CACHE_ROLES_MAX / AUTH_ROLE_MAX;
    token_remember_account(entry, 7, &account);
    assert_true(token_cache_account(entry, 7, arena, &got));
    assert_int_equal(got.role_count, TOKEN_CACHE_ROLES_MAX / AUTH_ROLE_MAX);
    assert_true(span_equal(got.roles[got.role_count - 1], span_array(name)));
    account.role_count++;
    token_remember_account(entry, 8, &account);

    assert_false(token_cache_account(entry, 8, arena, &got));
    assert_false(token_cache_account(entry, 7, arena, &got));
    arena_free(arena);
}

static void without_a_cache_nothing_is_remembered(void **state)
{
    const struct text text = text_of(1, 300);
    const struct auth_account account = {.state = AUTH_ALIVE};

    assert_null(put(NULL, &text, 'a'));
    assert_null(find(NULL, &text));
    token_remember_account(NULL, 7, &account);
    token_cache_free(NULL);
}

static void token_cache_new_refuses_more_than_it_can_count(void **state)
{
    struct auth_token_cache *cache = NULL;

    assert_int_equal(token_cache_new(UINT16_MAX + (size_t)2, &cache), ERR_RANGE);
    assert_null(cache);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_token_that_was_put_says_what_it_said),
        T(attack_09_each_flipped_bit_makes_a_token_unknown),
        T(attack_09_a_signature_under_another_text_is_unknown),
        T(attack_09_the_signature_of_a_remembered_token_is_nowhere_in_its_entry),
        T(the_longest_text_is_remembered_and_one_byte_more_is_not),
        T(the_token_used_least_makes_room),
        T(a_place_taken_over_keeps_nothing_of_the_account_before),
        T(an_account_holds_under_its_own_generation_alone),
        T(roles_beyond_the_room_for_them_are_looked_up_each_time),
        T(without_a_cache_nothing_is_remembered),
        T(token_cache_new_refuses_more_than_it_can_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
