/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What makes a policy, with the k-th allocation refused for k = 1, 2, ... until one run is untouched: ERR_NO_MEMORY each
 * time, no policy, nothing leaked. */
/* link: --wrap=malloc --wrap=calloc --wrap=realloc */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "firmware/rls/rls.h"
#include "hal/base/fault.h"
#include "tests/lib/json_box.h"

void *__real_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__real_realloc(void *memory, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes);

static size_t left; /* allocations until one is refused; 0: none is */

static bool refuses(void)
{
    if (left == 0) {
        return false;
    }
    left--;
    return left == 0;
}

void *__wrap_malloc(size_t bytes)
{
    return refuses() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    return refuses() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *memory, size_t bytes)
{
    return refuses() ? NULL : __real_realloc(memory, bytes);
}

#define POLICY                                                                                                         \
    "{\"expressionPermissions\":{\"read\":\"role:b | self\"},\"columnPermissions\":{\"a\":{\"read\":\"role:a\"}},"     \
    "\"rowFilters\":[{\"expression\":\"role:c\",\"filter\":{\"x\":1}}],\"tests\":[{\"as\":\"guest\"}]}"

#define MOST 100 /* more allocations than any of them makes */

/* What is tried: the policy that comes of it. */
typedef enum err attempt(const struct rls_policy *policy, const struct json_value *value, struct span stored,
                         struct rls_policy **out_policy);

static enum err try_compile(const struct rls_policy *policy, const struct json_value *value, struct span stored,
                            struct rls_policy **out_policy)
{
    struct rls_problem problem;
    return rls_compile(value, policy_json_text, out_policy, &problem);
}

static enum err try_permissions(const struct rls_policy *policy, const struct json_value *value, struct span stored,
                                struct rls_policy **out_policy)
{
    struct rls_problem problem;
    return rls_policy_with_permissions(policy, NULL, out_policy, &problem);
}

static enum err try_columns(const struct rls_policy *policy, const struct json_value *value, struct span stored,
                            struct rls_policy **out_policy)
{
    const struct span gone = span_lit("a");
    return rls_policy_without_columns(policy, &gone, 1, out_policy);
}

static enum err try_decode(const struct rls_policy *policy, const struct json_value *value, struct span stored,
                           struct rls_policy **out_policy)
{
    return rls_policy_decode(stored, out_policy);
}

static void a_refused_allocation_is_reported_and_leaves_nothing(void **state)
{
    struct json_box *f = *state;
    static attempt *const attempts[] = {try_compile, try_permissions, try_columns, try_decode};
    const struct json_value *value = json_box_value(f, POLICY);
    SCOPED_RLS_POLICY struct rls_policy *policy = NULL;
    SCOPED_BUF struct buf *stored = NULL;
    struct rls_problem problem;
    assert_int_equal(rls_compile(value, policy_json_text, &policy, &problem), ERR_OK);
    assert_int_equal(buf_new(RLS_POLICY_BYTES, &stored), ERR_OK);
    assert_int_equal(rls_policy_encode(policy, stored), ERR_OK);

    for (size_t i = 0; i < ARRAY_LENGTH(attempts); i++) {
        enum err err = ERR_NO_MEMORY;
        size_t refused = 0;
        while (err != ERR_OK && refused < MOST) {
            struct rls_policy *made = NULL;
            refused++;
            left = refused;
            err = attempts[i](policy, value, buf_all(stored), &made);
            left = 0;
            assert_true(err == ERR_OK || (err == ERR_NO_MEMORY && made == NULL));
            rls_policy_free(made);
            fault_clear();
        }
        assert_true(refused > 3 && refused < MOST);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_refused_allocation_is_reported_and_leaves_nothing, json_box_set_up,
                                        json_box_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
