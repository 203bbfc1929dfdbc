/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The policy evaluator: the decision table of the contract as data, and what that table does not say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/rls/rls.h"
#include "firmware/rls/scope.h"
#include "hal/base/fault.h"
#include "tests/lib/json_box.h"

#define VECTORS "tests/data/policy_vectors.json"

static struct rls_decision decide(const struct rls_table *table, enum rls_op op, const struct rls_who *who)
{
    struct rls_bound bound;
    rls_bind(table, who, &bound);
    return rls_decide(&bound, op);
}

static void attack_04_list_without_a_value_follows_read_and_an_explicit_false_does_not(void **state)
{
    struct json_box *f = *state;
    static const struct {
        const char *policy;
        enum rls_verdict verdict;
    } cases[] = {
        {"{\"permissions\":{\"user\":{\"read\":true}}}", RLS_ALLOW},
        {"{\"permissions\":{\"user\":{\"read\":true,\"list\":false}}}", RLS_DENY},
        {"{\"permissions\":{\"user\":{\"list\":true}}}", RLS_ALLOW},
        {"{\"permissions\":{\"self\":{\"read\":true}}}", RLS_OWNER},
        {"{\"permissions\":{\"self\":{\"read\":true,\"list\":false}}}", RLS_DENY},
        {"{\"permissions\":{\"user\":{\"read\":true,\"list\":false},\"self\":{\"read\":true}}}", RLS_OWNER},
    };
    const struct rls_who who = {.group = RLS_USER, .id = span_lit("uA")};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        SCOPED_RLS_POLICY struct rls_policy *policy = NULL;
        struct rls_problem problem;
        assert_int_equal(rls_compile(json_box_value(f, cases[i].policy), policy_json_text, &policy, &problem), ERR_OK);
        const struct rls_table table = {.name = span_lit("t"), .policy = policy};

        assert_int_equal(decide(&table, RLS_LIST, &who).verdict, cases[i].verdict);
    }
}

static void attack_05_only_the_exact_names_are_built_in_or_tables_at_all(void **state)
{
    (void)state;
    static const char *const built_in[] = {"users", "accounts", "sessions", "files"};
    static const char *const names[] = {"a", "_", "A-b_9", "Users"};
    static const char *const not_names[] = {"", "-a", "9a", "a.b", "a/b", "a b", "..", "\xc3\xa4", "a\n"};
    char longest[65];
    memset(longest, 'a', sizeof(longest));
    for (size_t i = 0; i < ARRAY_LENGTH(built_in); i++) {
        const struct rls_table table = {.name = span_str(built_in[i])};
        const struct rls_who user = {.group = RLS_USER, .id = span_lit("uA")};
        assert_int_equal(decide(&table, RLS_READ, &user).reason, RLS_REASON_SYSTEM_TABLE);
        assert_int_equal(decide(&table, RLS_READ, &user).verdict, RLS_DENY);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        assert_true(rls_table_name_valid(span_str(names[i])));
        assert_false(rls_table_is_built_in(span_str(names[i])));
    }
    for (size_t i = 0; i < ARRAY_LENGTH(not_names); i++) {
        assert_false(rls_table_name_valid(span_str(not_names[i])));
    }
    assert_false(rls_table_name_valid(span_of("a\0b", 3)));
    assert_true(rls_table_name_valid(span_of(longest, 64)));
    assert_false(rls_table_name_valid(span_of(longest, 65)));
}

static void rls_decide_denies_operations_and_groups_it_does_not_know(void **state)
{
    (void)state;
    const struct rls_table table = {.name = span_lit("t")};
    const struct rls_who user = {.group = RLS_USER, .id = span_lit("uA")};
    const struct rls_who strange = {.group = (enum rls_group)1, .id = span_lit("uA")};
    const struct rls_who admin = {.group = RLS_ADMIN};

    assert_int_equal(decide(&table, (enum rls_op)5, &user).verdict, RLS_DENY);
    assert_int_equal(decide(&table, (enum rls_op)77, &admin).verdict, RLS_DENY);
    assert_int_equal(decide(&table, RLS_CREATE, &strange).verdict, RLS_DENY); /* as a guest */
}

static void rls_owns_never_holds_for_nobody(void **state)
{
    (void)state;
    const struct rls_who none = {.group = RLS_USER};
    const struct rls_who user = {.group = RLS_USER, .id = span_lit("uA")};

    assert_false(rls_owns(&none, SPAN_NONE));
    assert_false(rls_owns(&none, span_lit("uA")));
    assert_false(rls_owns(&user, SPAN_NONE));
    assert_false(rls_owns(&user, span_lit("uAA")));
    assert_true(rls_owns(&user, span_lit("uA")));
}

static void rls_settings_come_from_the_table_and_otherwise_from_the_preset(void **state)
{
    struct json_box *f = *state;
    SCOPED_RLS_POLICY struct rls_policy *policy = NULL;
    struct rls_problem problem;
    assert_int_equal(rls_compile(json_box_value(f, "{\"security\":{\"guestAccess\":\"policy\",\"auditReads\":true,"
                                         "\"maxRowsPerOwner\":7,\"forbiddenRows\":404}}"), policy_json_text, &policy, &problem),
                     ERR_OK);

    const struct rls_settings compat = rls_policy_settings(policy, RLS_COMPAT);
    const struct rls_settings hardened = rls_policy_settings(policy, RLS_HARDENED);

    assert_false(hardened.guest_off);
    assert_true(compat.audit_reads && hardened.audit_reads);
    assert_int_equal(hardened.max_rows_per_owner, 7);
    assert_true(compat.forbidden_is_absent);
    assert_int_equal(compat.fields, RLS_FIELDS_ALLOW);
    assert_int_equal(hardened.fields, RLS_FIELDS_REJECT);
    assert_true(!compat.require_explicit && hardened.require_explicit);
    assert_true(rls_policy_settings(NULL, RLS_HARDENED).guest_off);
    assert_int_equal(rls_policy_settings_set(policy),
                     RLS_SET_GUEST_ACCESS | RLS_SET_AUDIT_READS | RLS_SET_MAX_ROWS_PER_OWNER | RLS_SET_FORBIDDEN_ROWS);
}

struct refusal {
    const char *policy;
    const char *where;
    enum err err;
};

static void rls_compile_names_what_is_wrong(void **state)
{
    struct json_box *f = *state;
    static const struct refusal cases[] = {
        {"[]", "policy", ERR_MALFORMED},
        {"{\"permission\":{}}", "policy.permission", ERR_MALFORMED},
        {"{\"permissions\":true}", "permissions", ERR_MALFORMED},
        {"{\"permissions\":{\"users\":{}}}", "permissions.users", ERR_MALFORMED},
        {"{\"permissions\":{\"User\":{}}}", "permissions.User", ERR_MALFORMED},
        {"{\"permissions\":{\"user\":true}}", "permissions.user", ERR_MALFORMED},
        {"{\"permissions\":{\"user\":{\"write\":true}}}", "permissions.user", ERR_MALFORMED},
        {"{\"permissions\":{\"user\":{\"read\":\"true\"}}}", "permissions.user", ERR_MALFORMED},
        {"{\"permissions\":{\"user\":{\"read\":1}}}", "permissions.user", ERR_MALFORMED},
        {"{\"permissions\":{\"user\":{\"read\":null}}}", "permissions.user", ERR_MALFORMED},
        {"{\"security\":[]}", "security", ERR_MALFORMED},
        {"{\"security\":{\"x\":1}}", "security.x", ERR_MALFORMED},
        {"{\"security\":{\"guestAccess\":\"on\"}}", "security.guestAccess", ERR_MALFORMED},
        {"{\"security\":{\"requireExplicitPolicy\":\"true\"}}", "security.requireExplicitPolicy", ERR_MALFORMED},
        {"{\"security\":{\"forbiddenRows\":405}}", "security.forbiddenRows", ERR_MALFORMED},
        {"{\"security\":{\"maxRowsPerOwner\":0}}", "security.maxRowsPerOwner", ERR_MALFORMED},
        {"{\"security\":{\"maxRowsPerOwner\":4294967296}}", "security.maxRowsPerOwner", ERR_MALFORMED},
        {"{\"expressionPermissions\":{\"read\":\"user || self\"}}", "expressionPermissions.read", ERR_MALFORMED},
        {"{\"expressionPermissions\":{}}", "expressionPermissions", ERR_MALFORMED},
        {"{\"columnPermissions\":{\"id\":{}}}", "columnPermissions.id", ERR_MALFORMED},
        {"{\"rowFilters\":[{}]}", "rowFilters", ERR_MALFORMED},
        {"{\"rowFilters\":{}}", "rowFilters", ERR_MALFORMED},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct rls_policy *policy = NULL;
        struct rls_problem problem = {.why = NULL};

        const enum err got = rls_compile(json_box_value(f, cases[i].policy), policy_json_text, &policy, &problem);

        if (got != cases[i].err || !span_equal(span_of(problem.where, problem.where_len), span_str(cases[i].where))) {
            fail_msg("%s: %s at %.*s", cases[i].policy, err_name(got), (int)problem.where_len, problem.where);
        }
        assert_null(policy);
        assert_non_null(problem.why);
    }
}

static void rls_compile_takes_null_members_and_cuts_a_long_path(void **state)
{
    struct json_box *f = *state;
    SCOPED_RLS_POLICY struct rls_policy *policy = NULL;
    struct rls_policy *none = NULL;
    struct rls_problem problem;
    char text[512];
    (void)snprintf(text, sizeof(text), "{\"permissions\":{\"%0200d\":{}}}", 1);

    assert_int_equal(
        rls_compile(json_box_value(f, "{\"permissions\":null,\"expressionPermissions\":null,\"columnPermissions\":null,"
                            "\"rowFilters\":[],\"security\":null}"), policy_json_text, &policy, &problem),
        ERR_OK);
    assert_false(rls_policy_configured(policy));
    assert_int_equal(rls_compile(json_box_value(f, text), policy_json_text, &none, &problem), ERR_MALFORMED);
    assert_int_equal(problem.where_len, RLS_WHERE_MAX);
}

static struct buf *encode(struct rls_policy *policy)
{
    struct buf *bytes = NULL;
    assert_int_equal(buf_new(RLS_POLICY_BYTES, &bytes), ERR_OK);
    assert_int_equal(rls_policy_encode(policy, bytes), ERR_OK);
    return bytes;
}

static void rls_policy_survives_being_stored(void **state)
{
    struct json_box *f = *state;
    const struct json_value *policies = json_find(json_box_file(f, VECTORS), span_lit("policies"));
    for (size_t i = 0; i < policies->as.object.count; i++) {
        SCOPED_RLS_POLICY struct rls_policy *policy = NULL;
        SCOPED_RLS_POLICY struct rls_policy *again = NULL;
        struct rls_problem problem;
        assert_int_equal(rls_compile(&policies->as.object.members[i].value, policy_json_text, &policy, &problem), ERR_OK);
        SCOPED_BUF struct buf *bytes = encode(policy);

        assert_int_equal(rls_policy_decode(buf_all(bytes), &again), ERR_OK);

        SCOPED_BUF struct buf *twice = encode(again);
        assert_true(span_equal(buf_all(bytes), buf_all(twice)));
        assert_int_equal(rls_policy_configured(again), rls_policy_configured(policy));
    }
}

static void rls_policy_decode_refuses_every_cut_and_every_impossible_byte(void **state)
{
    struct json_box *f = *state;
    SCOPED_RLS_POLICY struct rls_policy *policy = NULL;
    struct rls_policy *again = NULL;
    struct rls_problem problem;
    assert_int_equal(rls_compile(json_box_value(f, "{\"permissions\":{\"user\":{\"read\":true}}}"), policy_json_text, &policy, &problem),
                     ERR_OK);
    SCOPED_BUF struct buf *bytes = encode(policy);
    uint8_t copy[64] = {0};
    const struct span whole = buf_all(bytes);
    memcpy(copy, whole.data, whole.len);

    for (size_t len = 0; len < whole.len; len++) {
        assert_int_equal(rls_policy_decode(span_of(copy, len), &again), ERR_DAMAGED);
    }
    assert_int_equal(rls_policy_decode(span_of(copy, whole.len + 1), &again), ERR_DAMAGED);
    copy[0] = 1;
    assert_int_equal(rls_policy_decode(span_of(copy, whole.len), &again), ERR_VERSION);
    copy[0] = 2;
    copy[1] = 2;
    assert_int_equal(rls_policy_decode(span_of(copy, whole.len), &again), ERR_DAMAGED);
    copy[1] = 0; /* rights without a configured policy */
    assert_int_equal(rls_policy_decode(span_of(copy, whole.len), &again), ERR_DAMAGED);
    copy[1] = 1;
    copy[5] |= 0x03; /* a right of value 3 */
    assert_int_equal(rls_policy_decode(span_of(copy, whole.len), &again), ERR_DAMAGED);
    assert_null(again);
}

static void rls_policy_encode_reports_a_buffer_that_is_full(void **state)
{
    (void)state;
    SCOPED_RLS_POLICY struct rls_policy *policy = NULL;
    SCOPED_BUF struct buf *bytes = NULL;
    struct rls_problem problem;
    assert_int_equal(rls_compile(NULL, policy_json_text, &policy, &problem), ERR_OK);
    assert_int_equal(buf_new(3, &bytes), ERR_OK);

    assert_int_equal(rls_policy_encode(policy, bytes), ERR_RANGE);
}

static void rls_policy_with_permissions_replaces_all_groups_and_keeps_the_settings(void **state)
{
    struct json_box *f = *state;
    SCOPED_RLS_POLICY struct rls_policy *policy = NULL;
    SCOPED_RLS_POLICY struct rls_policy *changed = NULL;
    struct rls_problem problem;
    assert_int_equal(
        rls_compile(
            json_box_value(f, "{\"permissions\":{\"user\":{\"read\":true}},\"security\":{\"guestAccess\":\"off\"}}"), policy_json_text, &policy, &problem),
        ERR_OK);

    assert_int_equal(
        rls_policy_with_permissions(policy, json_box_value(f, "{\"guest\":{\"read\":true}}"), &changed, &problem),
        ERR_OK);

    assert_false(rls_policy_has_subject(changed, RLS_SUBJECT_USER));
    assert_int_equal(rls_policy_right(changed, RLS_SUBJECT_GUEST, RLS_READ), RLS_YES);
    assert_true(rls_policy_settings(changed, RLS_COMPAT).guest_off);
}

static void rls_column_never_lets_system_fields_be_written(void **state)
{
    (void)state;
    static const char *const fields[] = {"id", "createdBy", "createdAt", "updatedAt"};
    const struct rls_table table = {.name = span_lit("t")};
    const struct rls_who who = {.group = RLS_USER};
    struct rls_bound bound;
    rls_bind(&table, &who, &bound);
    for (size_t i = 0; i < ARRAY_LENGTH(fields); i++) {
        assert_int_equal(rls_column(&bound, span_str(fields[i]), RLS_COLUMN_WRITE), RLS_DENY);
        assert_int_equal(rls_column(&bound, span_str(fields[i]), RLS_COLUMN_READ), RLS_ALLOW);
    }
    assert_int_equal(rls_column(&bound, span_lit("title"), RLS_COLUMN_WRITE), RLS_ALLOW);
}

static void rls_policy_warns_of_what_an_author_may_not_mean(void **state)
{
    struct json_box *f = *state;
    static const struct {
        const char *policy;
        uint32_t warnings;
    } cases[] = {
        {"{}", RLS_WARN_UNCONFIGURED},
        {"{\"security\":{\"requireExplicitPolicy\":true}}", 0},
        {"{\"permissions\":{}}", 0},
        {"{\"permissions\":{\"guest\":{\"read\":true}}}", RLS_WARN_GUEST_BROADER},
        {"{\"permissions\":{\"guest\":{\"create\":true},\"user\":{\"create\":true}}}", RLS_WARN_GUEST_WRITES},
        {"{\"permissions\":{\"guest\":{\"delete\":true}},\"security\":{\"guestAccess\":\"off\"}}", 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        SCOPED_RLS_POLICY struct rls_policy *policy = NULL;
        struct rls_problem problem;
        assert_int_equal(rls_compile(json_box_value(f, cases[i].policy), policy_json_text, &policy, &problem), ERR_OK);
        assert_int_equal(rls_policy_warnings(policy, RLS_COMPAT), cases[i].warnings);
    }
    assert_true(strlen(rls_warning_text(RLS_WARN_GUEST_WRITES)) > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, json_box_set_up, json_box_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(attack_04_list_without_a_value_follows_read_and_an_explicit_false_does_not),
        TEST(attack_05_only_the_exact_names_are_built_in_or_tables_at_all),
        TEST(rls_decide_denies_operations_and_groups_it_does_not_know),
        TEST(rls_owns_never_holds_for_nobody),
        TEST(rls_settings_come_from_the_table_and_otherwise_from_the_preset),
        TEST(rls_compile_names_what_is_wrong),
        TEST(rls_compile_takes_null_members_and_cuts_a_long_path),
        TEST(rls_policy_survives_being_stored),
        TEST(rls_policy_decode_refuses_every_cut_and_every_impossible_byte),
        TEST(rls_policy_encode_reports_a_buffer_that_is_full),
        TEST(rls_policy_with_permissions_replaces_all_groups_and_keeps_the_settings),
        TEST(rls_column_never_lets_system_fields_be_written),
        TEST(rls_policy_warns_of_what_an_author_may_not_mean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
