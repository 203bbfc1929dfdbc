/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/keeper/tokens.h: tokens from fields and the keeper's own clock, keys that are kept and dropped, peppers. */
#include "firmware/keeper/tokens.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/ct.h"
#include "firmware/auth/token.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "tests/lib/token_ask.h"
#include "tests/lib/vault_box.h"

struct fixture {
    struct box *box;
    struct tokens *tokens;
};

static int set_up(void **state)
{
    void *box = NULL;
    void *memory = NULL;

    assert_int_equal(make_box(&box), 0);
    assert_int_equal(mem_alloc(sizeof(struct fixture), &memory), ERR_OK);
    struct fixture *f = memory;
    f->box = box;
    (void)provision(f->box);
    assert_int_equal(tokens_new(&f->box->clock.base, &f->tokens), ERR_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    void *box = f->box;

    tokens_free(f->tokens);
    fault_clear();
    mem_free(f);
    return free_box(&box);
}

static enum err sign(struct fixture *f, const struct msg *request, struct msg *out_answer)
{
    return tokens_sign(f->tokens, f->box->vault, request, out_answer);
}

static struct msg keys_of(struct fixture *f, const char *environment)
{
    const struct msg request = token_ask_about(MSG_TOKEN_KEYS, environment);
    struct msg answer = MSG_NEW(MSG_TOKEN_PUBLIC);

    assert_int_equal(tokens_keys(f->tokens, f->box->vault, &request, &answer), ERR_OK);
    return answer;
}

static void check_token(const struct msg *public_keys, struct span token, enum auth_token_type type, int64_t life_s,
                        struct wall_time now)
{
    struct auth_token_key key;
    struct auth_token_parts parts;
    struct auth_token_bytes bytes;
    struct auth_claims claims;

    assert_int_equal(public_keys->as.token_public.points.len, MSG_POINT_BYTES);
    auth_token_key_init(public_keys->as.token_public.points.data, &key);
    assert_int_equal(auth_token_split(token, &parts), ERR_OK);
    assert_true(span_equal(parts.header, span_array(key.header)));
    assert_int_equal(auth_token_verify(&parts, &key), ERR_OK);
    assert_int_equal(auth_token_read(&parts, &bytes, &claims), ERR_OK);
    assert_int_equal(claims.type, type);
    assert_true(span_equal(claims.user, span_lit(TOKEN_USER)));
    assert_int_equal(claims.issued_s, now.ms / 1000);
    assert_int_equal(claims.expires_s, now.ms / 1000 + life_s);
}

static void tokens_are_built_here_from_fields_and_this_clock(void **state)
{
    struct fixture *f = *state;
    const struct msg request = token_ask_sign("dev");
    const struct wall_time now = hal_clock_wall(&f->box->clock.base);
    struct msg answer = MSG_NEW(MSG_TOKEN_SIGNED);

    assert_int_equal(sign(f, &request, &answer), ERR_NOT_FOUND); /* no key yet */
    const struct msg keys = keys_of(f, TOKEN_ENVIRONMENT);
    assert_int_equal(sign(f, &request, &answer), ERR_OK);

    assert_int_equal(answer.as.token_signed.issued_s, now.ms / 1000);
    check_token(&keys, MSG_VIEW(&answer.as.token_signed.access), AUTH_TOKEN_ACCESS, MSG_ACCESS_S_MAX, now);
    check_token(&keys, MSG_VIEW(&answer.as.token_signed.refresh), AUTH_TOKEN_REFRESH, MSG_REFRESH_S_MAX, now);
}

static void token_keys_are_kept_over_a_start(void **state)
{
    struct fixture *f = *state;
    const struct msg made = keys_of(f, TOKEN_ENVIRONMENT);

    assert_int_equal(start(f->box), ERR_OK);
    const struct msg again = keys_of(f, TOKEN_ENVIRONMENT);

    assert_memory_equal(again.as.token_public.points.data, made.as.token_public.points.data, MSG_POINT_BYTES);
}

static void token_keys_are_listed_and_dropped(void **state)
{
    struct fixture *f = *state;
    const struct msg first = token_ask_about(MSG_TOKEN_NEXT, "");
    const struct msg next = token_ask_about(MSG_TOKEN_NEXT, TOKEN_ENVIRONMENT);
    const struct msg drop = token_ask_about(MSG_TOKEN_DROP, TOKEN_ENVIRONMENT);
    const struct msg request = token_ask_sign("dev");
    const struct msg made = keys_of(f, TOKEN_ENVIRONMENT);
    struct msg answer = MSG_NEW(MSG_TOKEN_PUBLIC);
    struct msg signed_tokens = MSG_NEW(MSG_TOKEN_SIGNED);
    assert_int_equal(tokens_next(f->box->vault, &first, &answer), ERR_OK);
    assert_true(span_equal(MSG_VIEW(&answer.as.token_public.environment), span_lit(TOKEN_ENVIRONMENT)));
    assert_int_equal(tokens_next(f->box->vault, &next, &answer), ERR_OK);
    assert_int_equal(answer.as.token_public.environment.len, 0);
    assert_int_equal(sign(f, &request, &signed_tokens), ERR_OK); /* the key is ready to sign */

    assert_int_equal(tokens_drop(f->tokens, f->box->vault, &drop), ERR_OK);

    assert_int_equal(sign(f, &request, &signed_tokens), ERR_NOT_FOUND);
    assert_int_equal(tokens_next(f->box->vault, &first, &answer), ERR_OK);
    assert_int_equal(answer.as.token_public.environment.len, 0);
    const struct msg other = keys_of(f, TOKEN_ENVIRONMENT);
    assert_memory_not_equal(other.as.token_public.points.data, made.as.token_public.points.data, MSG_POINT_BYTES);
    assert_int_equal(sign(f, &request, &signed_tokens), ERR_OK); /* not by the one that was ready */
    check_token(&other, MSG_VIEW(&signed_tokens.as.token_signed.access), AUTH_TOKEN_ACCESS, MSG_ACCESS_S_MAX,
                hal_clock_wall(&f->box->clock.base));
    assert_int_equal(tokens_drop(f->tokens, f->box->vault, &drop), ERR_OK);
    assert_int_equal(tokens_drop(f->tokens, f->box->vault, &drop), ERR_OK); /* there is none */
}

static struct span point_at(const struct msg *keys, size_t at)
{
    assert_true(keys->as.token_public.points.len > at * MSG_POINT_BYTES);
    return span_of(keys->as.token_public.points.data + at * MSG_POINT_BYTES, MSG_POINT_BYTES);
}

static enum err rotate(struct fixture *f, struct msg *out_keys)
{
    const struct msg request = token_ask_about(MSG_TOKEN_ROTATE, TOKEN_ENVIRONMENT);

    *out_keys = MSG_NEW(MSG_TOKEN_PUBLIC);
    return tokens_rotate(f->tokens, f->box->vault, &request, out_keys);
}

static void use(struct fixture *f)
{
    const struct msg request = token_ask_about(MSG_TOKEN_USE, TOKEN_ENVIRONMENT);

    tokens_use(f->tokens, &request);
}

static enum err retire(struct fixture *f, struct span point)
{
    struct msg request = MSG_NEW(MSG_TOKEN_RETIRE);

    assert_int_equal(MSG_SET(&request.as.token_retire.environment, span_lit(TOKEN_ENVIRONMENT)), ERR_OK);
    memcpy(request.as.token_retire.point, point.data, MSG_POINT_BYTES);
    return tokens_retire(f->tokens, f->box->vault, &request);
}

/* Is the next token signed by that key? */
static bool signs(struct fixture *f, struct span point)
{
    const struct msg request = token_ask_sign("dev");
    struct msg answer = MSG_NEW(MSG_TOKEN_SIGNED);
    struct auth_token_parts parts;
    struct auth_token_key key;

    auth_token_key_init(point.data, &key);
    assert_int_equal(sign(f, &request, &answer), ERR_OK);
    assert_int_equal(auth_token_split(MSG_VIEW(&answer.as.token_signed.access), &parts), ERR_OK);
    if (!span_equal(parts.header, span_array(key.header))) {
        return false;
    }
    assert_int_equal(auth_token_verify(&parts, &key), ERR_OK);
    return true;
}

static void a_new_version_signs_only_after_it_was_published(void **state)
{
    struct fixture *f = *state;
    const struct msg first = keys_of(f, TOKEN_ENVIRONMENT);
    struct msg rotated;
    assert_true(signs(f, point_at(&first, 0)));

    assert_int_equal(rotate(f, &rotated), ERR_OK);
    assert_true(span_equal(point_at(&rotated, 1), point_at(&first, 0)));
    assert_true(signs(f, point_at(&first, 0)));
    use(f);

    assert_true(signs(f, point_at(&rotated, 0)));
}

static void a_version_that_waits_is_not_made_a_second_time(void **state)
{
    struct fixture *f = *state;
    struct msg rotated;
    struct msg again;
    (void)keys_of(f, TOKEN_ENVIRONMENT);

    assert_int_equal(rotate(f, &rotated), ERR_OK);
    assert_int_equal(rotate(f, &again), ERR_OK);

    assert_int_equal(again.as.token_public.points.len, 2 * MSG_POINT_BYTES);
    assert_memory_equal(again.as.token_public.points.data, rotated.as.token_public.points.data, 2 * MSG_POINT_BYTES);
}

/* The keeper is killed between the two: its successor has a worker that publishes first. */
static void a_version_that_waited_signs_after_a_start(void **state)
{
    struct fixture *f = *state;
    struct msg rotated;
    (void)keys_of(f, TOKEN_ENVIRONMENT);
    assert_int_equal(rotate(f, &rotated), ERR_OK);

    assert_int_equal(start(f->box), ERR_OK);
    tokens_free(f->tokens);
    assert_int_equal(tokens_new(&f->box->clock.base, &f->tokens), ERR_OK);

    const struct msg found = keys_of(f, TOKEN_ENVIRONMENT);
    assert_true(span_equal(MSG_VIEW(&found.as.token_public.points), MSG_VIEW(&rotated.as.token_public.points)));
    assert_true(signs(f, point_at(&rotated, 0)));
}

static void all_versions_are_there_after_the_recovery_key_moved_the_box(void **state)
{
    struct fixture *f = *state;
    struct msg rotated;
    other_tpm(f->box, 3);
    remove_file(f->box, "root.seal");
    remove_file(f->box, "root.recovery");
    remove_file(f->box, "keys");
    const struct words words = provision(f->box);
    (void)keys_of(f, TOKEN_ENVIRONMENT);
    assert_int_equal(rotate(f, &rotated), ERR_OK);
    use(f);

    other_tpm(f->box, 2);
    assert_int_equal(start(f->box), ERR_STALE_KEY);
    assert_int_equal(unlock(f->box, &words), ERR_OK);

    const struct msg found = keys_of(f, TOKEN_ENVIRONMENT);
    assert_true(span_equal(MSG_VIEW(&found.as.token_public.points), MSG_VIEW(&rotated.as.token_public.points)));
    assert_true(signs(f, point_at(&rotated, 0)));
}

static void a_version_is_destroyed_unless_it_signs_or_is_to_sign(void **state)
{
    struct fixture *f = *state;
    struct msg rotated;
    const uint8_t nobody[MSG_POINT_BYTES] = {4};
    (void)keys_of(f, TOKEN_ENVIRONMENT);
    assert_int_equal(rotate(f, &rotated), ERR_OK);
    assert_int_equal(retire(f, point_at(&rotated, 0)), ERR_STATE); /* waits */
    assert_int_equal(retire(f, point_at(&rotated, 1)), ERR_STATE); /* signs */
    use(f);
    assert_int_equal(retire(f, point_at(&rotated, 0)), ERR_STATE);
    assert_int_equal(retire(f, span_array(nobody)), ERR_OK);
    assert_int_equal(keys_of(f, TOKEN_ENVIRONMENT).as.token_public.points.len, 2 * MSG_POINT_BYTES);

    assert_int_equal(retire(f, point_at(&rotated, 1)), ERR_OK);
    assert_int_equal(retire(f, point_at(&rotated, 1)), ERR_OK);

    assert_int_equal(start(f->box), ERR_OK); /* on disk, too */
    const struct msg left = keys_of(f, TOKEN_ENVIRONMENT);
    assert_int_equal(left.as.token_public.points.len, MSG_POINT_BYTES);
    assert_true(signs(f, point_at(&rotated, 0)));
}

/* Of the vault, which knows of no other version: without it the environment would have no key. */
static void the_only_version_is_not_destroyed(void **state)
{
    struct fixture *f = *state;
    (void)keys_of(f, TOKEN_ENVIRONMENT);

    assert_int_equal(vault_token_retire(f->box->vault, span_lit(TOKEN_ENVIRONMENT), 1), ERR_STATE);

    assert_int_equal(keys_of(f, TOKEN_ENVIRONMENT).as.token_public.points.len, MSG_POINT_BYTES);
}

static void so_many_versions_of_a_key_are_held_and_no_more(void **state)
{
    struct fixture *f = *state;
    struct msg rotated;
    assert_int_equal(rotate(f, &rotated), ERR_NOT_FOUND); /* no key yet */
    (void)keys_of(f, TOKEN_ENVIRONMENT);
    for (unsigned int i = 1; i < MSG_TOKEN_KEYS_MAX; i++) {
        assert_int_equal(rotate(f, &rotated), ERR_OK);
        use(f);
    }
    const struct msg full = rotated;

    assert_int_equal(rotate(f, &rotated), ERR_LIMIT);

    assert_int_equal(keys_of(f, TOKEN_ENVIRONMENT).as.token_public.points.len, MSG_TOKEN_KEYS_MAX * MSG_POINT_BYTES);
    assert_int_equal(full.as.token_public.points.len, MSG_TOKEN_KEYS_MAX * MSG_POINT_BYTES);
    assert_true(signs(f, point_at(&full, 0)));
    assert_int_equal(retire(f, point_at(&full, MSG_TOKEN_KEYS_MAX - 1)), ERR_OK);
    assert_int_equal(rotate(f, &rotated), ERR_OK);
}

static void rotations_leave_room_for_new_environments(void **state)
{
    struct fixture *f = *state;
    char environment[] = TOKEN_ENVIRONMENT;
    enum err err = ERR_OK;

    for (unsigned int i = 0; err == ERR_OK; i++) {
        assert_in_range(i, 0, KEYRING_KEYS_MAX);
        (void)snprintf(environment, sizeof environment, "%08x-4444-4444-8444-444444444444", i);
        const struct msg request = token_ask_about(MSG_TOKEN_ROTATE, environment);
        (void)keys_of(f, environment);
        for (unsigned int version = 2; err == ERR_OK && version <= MSG_TOKEN_KEYS_MAX; version++) {
            err = vault_token_rotate(f->box->vault, MSG_VIEW(&request.as.token_environment));
        }
    }

    assert_int_equal(err, ERR_LIMIT);
    for (unsigned int i = 0; i < 30; i++) {
        (void)snprintf(environment, sizeof environment, "%08x-5555-4444-8444-444444444444", i);
        (void)keys_of(f, environment);
    }
}

static void an_environment_without_a_proper_id_has_no_keys(void **state)
{
    struct fixture *f = *state;
    const struct msg request = token_ask_about(MSG_TOKEN_KEYS, "44444444-4444-4444-8444-44444444444X");
    struct msg answer = MSG_NEW(MSG_TOKEN_PUBLIC);

    assert_int_equal(tokens_keys(f->tokens, f->box->vault, &request, &answer), ERR_MALFORMED);
}

static void more_environments_sign_than_are_kept_ready(void **state)
{
    struct fixture *f = *state;
    char environment[] = TOKEN_ENVIRONMENT;

    for (unsigned int round = 0; round < 2; round++) {
        for (char digit = '0'; digit <= '9'; digit++) {
            struct msg request = token_ask_sign("dev");
            struct msg answer = MSG_NEW(MSG_TOKEN_SIGNED);
            environment[0] = digit;
            const struct msg keys = keys_of(f, environment);
            assert_int_equal(MSG_SET(&request.as.token_sign.environment_id, span_str(environment)), ERR_OK);
            assert_int_equal(sign(f, &request, &answer), ERR_OK);
            check_token(&keys, MSG_VIEW(&answer.as.token_signed.access), AUTH_TOKEN_ACCESS, MSG_ACCESS_S_MAX,
                        hal_clock_wall(&f->box->clock.base));
        }
    }
}

static void tokens_and_peppers_beyond_the_rate_are_refused(void **state)
{
    struct fixture *f = *state;
    struct msg request = MSG_NEW(MSG_PEPPER);
    struct msg answer = MSG_NEW(MSG_PEPPERED);

    for (unsigned int i = 0; i < CONFIG_KEEPER_PEPPERS_PER_S; i++) {
        assert_int_equal(tokens_pepper(f->tokens, f->box->vault, &request, &answer), ERR_OK);
    }

    assert_int_equal(tokens_pepper(f->tokens, f->box->vault, &request, &answer), ERR_LIMIT);
}

static enum err pepper(struct fixture *f, uint8_t first, uint32_t version, struct msg *out_answer)
{
    struct msg request = MSG_NEW(MSG_PEPPER);

    request.as.pepper.version = version;
    request.as.pepper.digest[0] = first;
    return tokens_pepper(f->tokens, f->box->vault, &request, out_answer);
}

static void a_pepper_is_the_same_for_the_same_digest_and_version_only(void **state)
{
    struct fixture *f = *state;
    struct msg first = MSG_NEW(MSG_PEPPERED);
    struct msg same = MSG_NEW(MSG_PEPPERED);
    struct msg other = MSG_NEW(MSG_PEPPERED);

    assert_int_equal(pepper(f, 1, 0, &first), ERR_OK);
    assert_int_equal(pepper(f, 1, 1, &same), ERR_OK);
    assert_int_equal(pepper(f, 2, 0, &other), ERR_OK);

    assert_int_equal(first.as.peppered.version, 1);
    assert_false(ct_is_zero(span_array(first.as.peppered.mac)));
    assert_memory_equal(same.as.peppered.mac, first.as.peppered.mac, MSG_DIGEST_BYTES);
    assert_memory_not_equal(other.as.peppered.mac, first.as.peppered.mac, MSG_DIGEST_BYTES);
    assert_int_equal(pepper(f, 1, 99, &other), ERR_NOT_FOUND);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(tokens_are_built_here_from_fields_and_this_clock),
        T(token_keys_are_kept_over_a_start),
        T(token_keys_are_listed_and_dropped),
        T(a_new_version_signs_only_after_it_was_published),
        T(a_version_that_waits_is_not_made_a_second_time),
        T(a_version_that_waited_signs_after_a_start),
        T(all_versions_are_there_after_the_recovery_key_moved_the_box),
        T(a_version_is_destroyed_unless_it_signs_or_is_to_sign),
        T(the_only_version_is_not_destroyed),
        T(so_many_versions_of_a_key_are_held_and_no_more),
        T(rotations_leave_room_for_new_environments),
        T(an_environment_without_a_proper_id_has_no_keys),
        T(more_environments_sign_than_are_kept_ready),
        T(tokens_and_peppers_beyond_the_rate_are_refused),
        T(a_pepper_is_the_same_for_the_same_digest_and_version_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
