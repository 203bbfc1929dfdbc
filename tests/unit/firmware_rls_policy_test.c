/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Policies as objects: what is accepted and what is refused with which place, what is printed again, copies that differ in
 * one member, and the stored form with every way to damage it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/rls/rls.h"
#include "hal/base/fault.h"
#include "tests/lib/json_box.h"

/* One of everything. */
#define RICH                                                                                                           \
    "{\"permissions\":{\"user\":{\"create\":true,\"read\":false},\"self\":{}},"                                        \
    "\"expressionPermissions\":{\"read\":\"role:b | self\",\"list\":\"role:*\"},"                                      \
    "\"columnPermissions\":{\"phone\":{\"read\":\"self\"},\"email\":{\"read\":\"role:a\",\"write\":\"admin\"},"        \
    "\"bio\":{},\"a\":{\"write\":\"user & role:b\"}},"                                                                 \
    "\"rowFilters\":[{\"filter\":{\"x\":[1,null]},\"expression\":\"role:c\"},{\"expression\":\"guest\",\"filter\":{}}" \
    "],"                                                                                                               \
    "\"security\":{\"rowFilterScope\":\"read\",\"maxRowsPerOwner\":9},\"tests\":[{\"as\":\"guest\"}]}"

static struct rls_policy *compile(struct json_box *f, const char *text)
{
    struct rls_policy *policy = NULL;
    struct rls_problem problem = {.why = "?"};
    if (rls_compile(json_box_value(f, text), policy_json_text, &policy, &problem) != ERR_OK) {
        fail_msg("%s: %.*s %s", text, (int)problem.where_len, problem.where, problem.why);
    }
    return policy;
}

static bool says(struct span text, const char *wanted)
{
    return span_equal(text, span_str(wanted));
}

/* --- settings --- */

struct setting_case {
    const char *text;
    uint32_t bit;
};

static void each_setting_and_each_of_its_words_is_told_from_the_others(void **state)
{
    struct json_box *f = *state;
    static const struct setting_case cases[] = {
        {"\"rowFilterScope\":\"list\"", RLS_SET_ROW_FILTER_SCOPE},
        {"\"rowFilterScope\":\"read\"", RLS_SET_ROW_FILTER_SCOPE},
        {"\"rowFilterScope\":\"all\"", RLS_SET_ROW_FILTER_SCOPE},
        {"\"rowFilterNoMatch\":\"deny\"", RLS_SET_NO_MATCH},
        {"\"rowFilterNoMatch\":\"allow\"", RLS_SET_NO_MATCH},
        {"\"forbiddenRows\":403", RLS_SET_FORBIDDEN_ROWS},
        {"\"forbiddenRows\":\"403\"", RLS_SET_FORBIDDEN_ROWS},
        {"\"forbiddenRows\":404", RLS_SET_FORBIDDEN_ROWS},
        {"\"forbiddenRows\":\"404\"", RLS_SET_FORBIDDEN_ROWS},
        {"\"requireExplicitPolicy\":false", RLS_SET_REQUIRE_EXPLICIT},
        {"\"requireExplicitPolicy\":true", RLS_SET_REQUIRE_EXPLICIT},
        {"\"guestAccess\":\"policy\"", RLS_SET_GUEST_ACCESS},
        {"\"guestAccess\":\"off\"", RLS_SET_GUEST_ACCESS},
        {"\"additionalFields\":\"reject\"", RLS_SET_ADDITIONAL_FIELDS},
        {"\"additionalFields\":\"strip\"", RLS_SET_ADDITIONAL_FIELDS},
        {"\"additionalFields\":\"allow\"", RLS_SET_ADDITIONAL_FIELDS},
        {"\"writeResponse\":\"full\"", RLS_SET_WRITE_RESPONSE},
        {"\"writeResponse\":\"minimal\"", RLS_SET_WRITE_RESPONSE},
        {"\"policyInSpec\":false", RLS_SET_POLICY_IN_SPEC},
        {"\"policyInSpec\":true", RLS_SET_POLICY_IN_SPEC},
        {"\"auditReads\":false", RLS_SET_AUDIT_READS},
        {"\"auditReads\":true", RLS_SET_AUDIT_READS},
        {"\"maxRowsPerOwner\":null", RLS_SET_MAX_ROWS_PER_OWNER},
        {"\"maxRowsPerOwner\":1", RLS_SET_MAX_ROWS_PER_OWNER},
        {"\"maxRowsPerOwner\":4294967295", RLS_SET_MAX_ROWS_PER_OWNER},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char text[128];
        (void)snprintf(text, sizeof(text), "{\"security\":{%s}}", cases[i].text);
        SCOPED_RLS_POLICY struct rls_policy *policy = compile(f, text);
        for (unsigned int p = 0; p < 2; p++) {
            const enum rls_preset preset = p == 0 ? RLS_COMPAT : RLS_HARDENED;
            struct rls_settings wanted = rls_policy_settings(NULL, preset);
            const char *word = strchr(cases[i].text, ':') + 1;
            const bool quoted_404 = strstr(word, "404") != NULL;
            switch (cases[i].bit) {
            case RLS_SET_ROW_FILTER_SCOPE:
                wanted.row_filter_scope = word[1] == 'l'   ? RLS_FILTER_LIST
                                          : word[1] == 'r' ? RLS_FILTER_READ
                                                           : RLS_FILTER_ALL;
                break;
            case RLS_SET_NO_MATCH:
                wanted.no_match_allows = word[1] == 'a';
                break;
            case RLS_SET_FORBIDDEN_ROWS:
                wanted.forbidden_is_absent = quoted_404;
                break;
            case RLS_SET_REQUIRE_EXPLICIT:
                wanted.require_explicit = word[0] == 't';
                break;
            case RLS_SET_GUEST_ACCESS:
                wanted.guest_off = word[1] == 'o';
                break;
            case RLS_SET_ADDITIONAL_FIELDS:
                wanted.fields = word[1] == 'r'   ? RLS_FIELDS_REJECT
                                : word[1] == 's' ? RLS_FIELDS_STRIP
                                                 : RLS_FIELDS_ALLOW;
                break;
            case RLS_SET_WRITE_RESPONSE:
                wanted.write_minimal = word[1] == 'm';
                break;
            case RLS_SET_POLICY_IN_SPEC:
                wanted.policy_in_spec = word[0] == 't';
                break;
            case RLS_SET_AUDIT_READS:
                wanted.audit_reads = word[0] == 't';
                break;
            case RLS_SET_MAX_ROWS_PER_OWNER:
                wanted.max_rows_per_owner = word[0] == 'n' ? 0 : word[1] == '2' ? UINT32_MAX : 1;
                break;
            }
            const struct rls_settings got = rls_policy_settings(policy, preset);
            assert_int_equal(got.row_filter_scope, wanted.row_filter_scope);
            assert_int_equal(got.no_match_allows, wanted.no_match_allows);
            assert_int_equal(got.forbidden_is_absent, wanted.forbidden_is_absent);
            assert_int_equal(got.require_explicit, wanted.require_explicit);
            assert_int_equal(got.guest_off, wanted.guest_off);
            assert_int_equal(got.fields, wanted.fields);
            assert_int_equal(got.write_minimal, wanted.write_minimal);
            assert_int_equal(got.policy_in_spec, wanted.policy_in_spec);
            assert_int_equal(got.audit_reads, wanted.audit_reads);
            assert_int_equal(got.max_rows_per_owner, wanted.max_rows_per_owner);
        }
        assert_int_equal(rls_policy_settings_set(policy), cases[i].bit);
    }
}

static void the_presets_are_those_of_the_contract(void **state)
{
    (void)state;
    const struct rls_settings compat = rls_policy_settings(NULL, RLS_COMPAT);
    const struct rls_settings hardened = rls_policy_settings(NULL, RLS_HARDENED);

    assert_int_equal(compat.row_filter_scope, RLS_FILTER_LIST);
    assert_int_equal(hardened.row_filter_scope, RLS_FILTER_ALL);
    assert_true(!compat.no_match_allows && !hardened.no_match_allows);
    assert_true(!compat.forbidden_is_absent && hardened.forbidden_is_absent);
    assert_true(!compat.require_explicit && hardened.require_explicit);
    assert_true(!compat.guest_off && hardened.guest_off);
    assert_int_equal(compat.fields, RLS_FIELDS_ALLOW);
    assert_int_equal(hardened.fields, RLS_FIELDS_REJECT);
    assert_true(!compat.write_minimal && hardened.write_minimal);
    assert_true(compat.policy_in_spec && !hardened.policy_in_spec);
    assert_true(!compat.audit_reads && !hardened.audit_reads);
    assert_true(compat.max_rows_per_owner == 0 && hardened.max_rows_per_owner == 0);
    assert_int_equal(rls_policy_settings(NULL, (enum rls_preset)7).fields, RLS_FIELDS_REJECT);
}

/* --- what is refused --- */

struct refusal {
    const char *policy;
    const char *where;
};

static void rls_compile_names_what_is_wrong(void **state)
{
    struct json_box *f = *state;
    static const struct refusal cases[] = {
        {"[]", "policy"},
        {"\"policy\"", "policy"},
        {"{\"permission\":{}}", "policy.permission"},
        {"{\"permissions\":true}", "permissions"},
        {"{\"permissions\":{\"users\":{}}}", "permissions.users"},
        {"{\"permissions\":{\"User\":{}}}", "permissions.User"},
        {"{\"permissions\":{\"user\":true}}", "permissions.user"},
        {"{\"permissions\":{\"user\":{\"write\":true}}}", "permissions.user"},
        {"{\"permissions\":{\"user\":{\"read\":\"true\"}}}", "permissions.user"},
        {"{\"permissions\":{\"user\":{\"read\":1}}}", "permissions.user"},
        {"{\"permissions\":{\"user\":{\"read\":null}}}", "permissions.user"},
        {"{\"security\":[]}", "security"},
        {"{\"security\":{\"x\":1}}", "security.x"},
        {"{\"security\":{\"guestAccess\":\"on\"}}", "security.guestAccess"},
        {"{\"security\":{\"guestAccess\":null}}", "security.guestAccess"},
        {"{\"security\":{\"guestAccess\":\"\"}}", "security.guestAccess"},
        {"{\"security\":{\"rowFilterScope\":\"none\"}}", "security.rowFilterScope"},
        {"{\"security\":{\"requireExplicitPolicy\":\"true\"}}", "security.requireExplicitPolicy"},
        {"{\"security\":{\"requireExplicitPolicy\":\"false\"}}", "security.requireExplicitPolicy"},
        {"{\"security\":{\"requireExplicitPolicy\":404}}", "security.requireExplicitPolicy"},
        {"{\"security\":{\"forbiddenRows\":405}}", "security.forbiddenRows"},
        {"{\"security\":{\"forbiddenRows\":404.5}}", "security.forbiddenRows"},
        {"{\"security\":{\"forbiddenRows\":true}}", "security.forbiddenRows"},
        {"{\"security\":{\"maxRowsPerOwner\":0}}", "security.maxRowsPerOwner"},
        {"{\"security\":{\"maxRowsPerOwner\":-1}}", "security.maxRowsPerOwner"},
        {"{\"security\":{\"maxRowsPerOwner\":1.5}}", "security.maxRowsPerOwner"},
        {"{\"security\":{\"maxRowsPerOwner\":\"1\"}}", "security.maxRowsPerOwner"},
        {"{\"security\":{\"maxRowsPerOwner\":4294967296}}", "security.maxRowsPerOwner"},
        {"{\"expressionPermissions\":{}}", "expressionPermissions"},
        {"{\"expressionPermissions\":[]}", "expressionPermissions"},
        {"{\"expressionPermissions\":\"user\"}", "expressionPermissions"},
        {"{\"expressionPermissions\":{\"write\":\"user\"}}", "expressionPermissions.write"},
        {"{\"expressionPermissions\":{\"read\":null}}", "expressionPermissions.read"},
        {"{\"expressionPermissions\":{\"read\":true}}", "expressionPermissions.read"},
        {"{\"expressionPermissions\":{\"read\":\"\"}}", "expressionPermissions.read"},
        {"{\"expressionPermissions\":{\"read\":\"user || self\"}}", "expressionPermissions.read"},
        {"{\"expressionPermissions\":{\"read\":\"user\",\"delete\":\"owner\"}}", "expressionPermissions.delete"},
        {"{\"columnPermissions\":[]}", "columnPermissions"},
        {"{\"columnPermissions\":{\"id\":{}}}", "columnPermissions.id"},
        {"{\"columnPermissions\":{\"createdBy\":{}}}", "columnPermissions.createdBy"},
        {"{\"columnPermissions\":{\"createdAt\":{}}}", "columnPermissions.createdAt"},
        {"{\"columnPermissions\":{\"updatedAt\":{}}}", "columnPermissions.updatedAt"},
        {"{\"columnPermissions\":{\"a.b\":{}}}", "columnPermissions.a.b"},
        {"{\"columnPermissions\":{\"_a\":{}}}", "columnPermissions._a"},
        {"{\"columnPermissions\":{\"1a\":{}}}", "columnPermissions.1a"},
        {"{\"columnPermissions\":{\"a-b\":{}}}", "columnPermissions.a-b"},
        {"{\"columnPermissions\":{\"\":{}}}", "columnPermissions"},
        {"{\"columnPermissions\":{\"a\":\"user\"}}", "columnPermissions.a"},
        {"{\"columnPermissions\":{\"a\":{\"query\":\"user\"}}}", "columnPermissions.a"},
        {"{\"columnPermissions\":{\"a\":{\"read\":null}}}", "columnPermissions.a.read"},
        {"{\"columnPermissions\":{\"a\":{\"write\":false}}}", "columnPermissions.a.write"},
        {"{\"columnPermissions\":{\"a\":{\"read\":\"owner\"}}}", "columnPermissions.a.read"},
        {"{\"columnPermissions\":{\"a\":{\"read\":\"user\",\"write\":\"\"}}}", "columnPermissions.a.write"},
        {"{\"rowFilters\":{}}", "rowFilters"},
        {"{\"rowFilters\":[{}]}", "rowFilters.0"},
        {"{\"rowFilters\":[[]]}", "rowFilters.0"},
        {"{\"rowFilters\":[{\"expression\":\"user\"}]}", "rowFilters.0"},
        {"{\"rowFilters\":[{\"filter\":{}}]}", "rowFilters.0"},
        {"{\"rowFilters\":[{\"expression\":\"user\",\"filter\":[]}]}", "rowFilters.0"},
        {"{\"rowFilters\":[{\"expression\":1,\"filter\":{}}]}", "rowFilters.0"},
        {"{\"rowFilters\":[{\"expression\":\"user\",\"filter\":{}},{\"expression\":\"user\",\"filter\":{},\"x\":1}]}",
         "rowFilters.1"},
        {"{\"rowFilters\":[{\"expression\":\"user\",\"filter\":{}},{\"expression\":\"\",\"filter\":{}}]}",
         "rowFilters.1.expression"},
        {"{\"tests\":{}}", "tests"},
        {"{\"tests\":\"none\"}", "tests"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct rls_policy *policy = NULL;
        struct rls_problem problem = {.why = NULL};

        const enum err got = rls_compile(json_box_value(f, cases[i].policy), policy_json_text, &policy, &problem);

        if (got != ERR_MALFORMED || !says(span_of(problem.where, problem.where_len), cases[i].where)) {
            fail_msg("%s: %s at %.*s", cases[i].policy, err_name(got), (int)problem.where_len, problem.where);
        }
        assert_null(policy);
        assert_non_null(problem.why);
        fault_clear();
    }
}

static void rls_compile_takes_null_members_and_cuts_a_long_path(void **state)
{
    struct json_box *f = *state;
    struct rls_policy *none = NULL;
    struct rls_problem problem;
    char text[512];
    (void)snprintf(text, sizeof(text), "{\"permissions\":{\"%0200d\":{}}}", 1);

    SCOPED_RLS_POLICY struct rls_policy *policy =
        compile(f, "{\"permissions\":null,\"expressionPermissions\":null,\"columnPermissions\":null,"
                   "\"rowFilters\":null,\"security\":null,\"tests\":null}");
    SCOPED_RLS_POLICY struct rls_policy *null = compile(f, "null");
    SCOPED_RLS_POLICY struct rls_policy *empty =
        compile(f, "{\"columnPermissions\":{},\"rowFilters\":[],\"tests\":[]}");

    assert_false(rls_policy_configured(policy) || rls_policy_configured(null));
    assert_false(rls_policy_has_expressions(policy) || rls_policy_has_columns(policy) ||
                 rls_policy_has_filters(policy));
    assert_int_equal(rls_policy_tests(policy).len, 0);
    assert_true(rls_policy_has_columns(empty) && rls_policy_has_filters(empty) && says(rls_policy_tests(empty), "[]"));
    assert_int_equal(rls_compile(json_box_value(f, text), policy_json_text, &none, &problem), ERR_MALFORMED);
    assert_int_equal(problem.where_len, RLS_WHERE_MAX);
    assert_memory_equal(problem.where, "permissions.000", 15);
}

static void an_expression_of_no_bytes_is_refused_even_where_it_points_nowhere(void **state)
{
    (void)state;
    const struct json_member read = {span_lit("read"), {.type = JSON_STRING, .as.text = SPAN_NONE}};
    const struct json_value expressions = {.type = JSON_OBJECT, .as.object = {&read, 1}};
    const struct json_member member = {span_lit("expressionPermissions"), expressions};
    const struct json_value whole = {.type = JSON_OBJECT, .as.object = {&member, 1}};
    struct rls_policy *policy = NULL;
    struct rls_problem problem;

    assert_int_equal(rls_compile(&whole, policy_json_text, &policy, &problem), ERR_MALFORMED);

    assert_true(says(span_of(problem.where, problem.where_len), "expressionPermissions.read"));
    assert_null(policy);
}

/* {"<member>":{"f0":each,...}} or {"<member>":[each,...]} with so many of them. */
static const char *many(char *text, size_t room, const char *member, size_t count, const char *each)
{
    const bool object = member[0] == 'c';
    size_t len = (size_t)snprintf(text, room, "{\"%s\":%c", member, object ? '{' : '[');
    for (size_t i = 0; i < count; i++) {
        len += object ? (size_t)snprintf(text + len, room - len, "%s\"f%zu\":%s", i == 0 ? "" : ",", i, each)
                      : (size_t)snprintf(text + len, room - len, "%s%s", i == 0 ? "" : ",", each);
    }
    (void)snprintf(text + len, room - len, "%c}", object ? '}' : ']');
    return text;
}

static void a_policy_holds_as_many_rules_as_it_may_and_not_one_more(void **state)
{
    struct json_box *f = *state;
    static const struct {
        const char *member, *each;
        size_t most;
    } cases[] = {{"columnPermissions", "{\"read\":\"user\"}", RLS_COLUMNS_MAX},
                 {"rowFilters", "{\"expression\":\"user\",\"filter\":{}}", RLS_FILTERS_MAX},
                 {"tests", "{}", RLS_TESTS_MAX}};
    static char text[1 << 14];
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct rls_policy *none = NULL;
        struct rls_problem problem;
        SCOPED_RLS_POLICY struct rls_policy *policy =
            compile(f, many(text, sizeof(text), cases[i].member, cases[i].most, cases[i].each));

        const char *more = many(text, sizeof(text), cases[i].member, cases[i].most + 1, cases[i].each);

        assert_int_equal(rls_compile(json_box_value(f, more), policy_json_text, &none, &problem), ERR_MALFORMED);
        assert_true(says(span_of(problem.where, problem.where_len), cases[i].member));
        assert_non_null(policy);
    }
    assert_true(RLS_COLUMNS_MAX == 200 && RLS_FILTERS_MAX == 20 && RLS_TESTS_MAX == 50);
}

static void a_filter_that_is_wrong_is_named_by_its_number(void **state)
{
    struct json_box *f = *state;
    static char text[1 << 12];
    struct rls_policy *none = NULL;
    struct rls_problem problem;
    for (size_t i = 0; i < 2 * RLS_FILTERS_MAX; i++) {
        const size_t at = i / 2;
        const bool shape = i % 2 == 0; /* not even an object, or its expression */
        char name[32];
        size_t len = (size_t)snprintf(text, sizeof(text), "{\"rowFilters\":[");
        for (size_t good = 0; good < at; good++) {
            len += (size_t)snprintf(text + len, sizeof(text) - len, "{\"expression\":\"user\",\"filter\":{}},");
        }
        (void)snprintf(text + len, sizeof(text) - len, "%s]}", shape ? "1" : "{\"expression\":\"x\",\"filter\":{}}");
        (void)snprintf(name, sizeof(name), "rowFilters.%zu%s", at, shape ? "" : ".expression");
        assert_int_equal(rls_compile(json_box_value(f, text), policy_json_text, &none, &problem), ERR_MALFORMED);
        assert_true(says(span_of(problem.where, problem.where_len), name));
    }
}

/* --- what it says --- */

static void a_policy_says_again_what_was_written(void **state)
{
    struct json_box *f = *state;
    SCOPED_RLS_POLICY struct rls_policy *policy = compile(f, RICH);
    static const char *const columns[][3] = {
        {"a", "", "user & role:b"}, {"bio", "", ""}, {"email", "role:a", "admin"}, {"phone", "self", ""}};
    static const char *const roles[] = {"b", "a", "c"};

    assert_true(rls_policy_configured(policy) && rls_policy_has_expressions(policy));
    assert_true(rls_policy_has_columns(policy) && rls_policy_has_filters(policy));
    assert_int_equal(rls_policy_right(policy, RLS_SUBJECT_USER, RLS_CREATE), RLS_YES);
    assert_int_equal(rls_policy_right(policy, RLS_SUBJECT_USER, RLS_READ), RLS_NO);
    assert_int_equal(rls_policy_right(policy, RLS_SUBJECT_USER, RLS_UPDATE), RLS_UNSET);
    assert_true(rls_policy_has_subject(policy, RLS_SUBJECT_SELF) && !rls_policy_has_subject(policy, RLS_SUBJECT_GUEST));
    assert_true(says(rls_policy_expression(policy, RLS_READ), "role:b | self"));
    assert_true(says(rls_policy_expression(policy, RLS_LIST), "role:*"));
    assert_true(says(rls_policy_expression(policy, RLS_CREATE), ""));
    assert_int_equal(rls_column_count(policy), ARRAY_LENGTH(columns));
    for (size_t i = 0; i < ARRAY_LENGTH(columns); i++) {
        assert_true(says(rls_column_name(policy, i), columns[i][0]));
        assert_true(says(rls_column_source(policy, i, RLS_COLUMN_READ), columns[i][1]));
        assert_true(says(rls_column_source(policy, i, RLS_COLUMN_QUERY), columns[i][1]));
        assert_true(says(rls_column_source(policy, i, RLS_COLUMN_WRITE), columns[i][2]));
        assert_int_equal(rls_column_rule(policy, span_str(columns[i][0])), i);
    }
    assert_int_equal(rls_filter_count(policy), 2);
    assert_true(says(rls_filter_source(policy, 0), "role:c") && says(rls_filter_text(policy, 0), "{\"x\":[1,null]}"));
    assert_true(says(rls_filter_source(policy, 1), "guest") && says(rls_filter_text(policy, 1), "{}"));
    assert_true(says(rls_policy_tests(policy), "[{\"as\":\"guest\"}]"));
    assert_int_equal(rls_role_count(policy), ARRAY_LENGTH(roles));
    for (size_t i = 0; i < ARRAY_LENGTH(roles); i++) {
        assert_true(says(rls_role_name(policy, i), roles[i]));
    }
}

static void a_policy_says_nothing_about_what_it_does_not_have(void **state)
{
    struct json_box *f = *state;
    SCOPED_RLS_POLICY struct rls_policy *policy = compile(f, RICH);

    assert_int_equal(rls_policy_right(policy, (enum rls_subject)RLS_SUBJECTS, RLS_READ), RLS_UNSET);
    assert_int_equal(rls_policy_right(policy, RLS_SUBJECT_USER, (enum rls_op)RLS_OPS), RLS_UNSET);
    assert_int_equal(rls_policy_right(policy, RLS_SUBJECT_USER, (enum rls_op)7), RLS_UNSET);
    assert_int_equal(rls_policy_right(NULL, RLS_SUBJECT_USER, RLS_READ), RLS_UNSET);
    assert_int_equal(rls_default_right((enum rls_subject)RLS_SUBJECTS, RLS_READ), RLS_UNSET);
    assert_int_equal(rls_default_right(RLS_SUBJECT_USER, (enum rls_op)RLS_OPS), RLS_UNSET);
    assert_int_equal(rls_default_right(RLS_SUBJECT_SELF, RLS_READ), RLS_UNSET);
    assert_null(rls_policy_expression(policy, (enum rls_op)RLS_OPS).data);
    assert_null(rls_column_name(policy, 4).data);
    assert_null(rls_column_source(policy, 4, RLS_COLUMN_READ).data);
    assert_null(rls_filter_source(policy, 2).data);
    assert_null(rls_filter_text(policy, 2).data);
    assert_null(rls_role_name(policy, rls_role_count(policy)).data);
    assert_int_equal(rls_role_count(NULL), 0);
    assert_false(rls_policy_has_expressions(NULL) || rls_policy_has_columns(NULL) || rls_policy_has_filters(NULL));
    assert_false(rls_policy_has_subject(NULL, RLS_SUBJECT_USER));
    assert_null(rls_policy_expression(NULL, RLS_READ).data);
    assert_true(rls_column_count(NULL) == 0 && rls_filter_count(NULL) == 0 && rls_policy_tests(NULL).data == NULL);
    assert_int_equal(rls_policy_right(policy, RLS_SUBJECT_GUEST, (enum rls_op)RLS_OPS), RLS_UNSET);
    SCOPED_RLS_POLICY struct rls_policy *one = compile(f, "{\"columnPermissions\":{\"a\":{}}}"); /* a single byte */
    assert_true(rls_columns_any(one) && says(rls_column_name(one, 0), "a"));
    assert_null(rls_column_name(one, 1).data);
    assert_null(rls_column_source(one, 1, RLS_COLUMN_WRITE).data);
    SCOPED_RLS_POLICY struct rls_policy *filter =
        compile(f, "{\"rowFilters\":[{\"expression\":\"user\",\"filter\":{}}]}"); /* less than an entry behind it */
    assert_null(rls_filter_source(filter, 1).data);
    assert_null(rls_filter_text(filter, 1).data);
    assert_null(rls_role_name(filter, 0).data);
    assert_true(rls_columns_any(policy) && !rls_columns_any(NULL));
    assert_string_equal(rls_op_name(RLS_LIST), "list");
    assert_string_equal(rls_op_name((enum rls_op)RLS_OPS), "");
    for (unsigned int op = 0; op < RLS_OPS; op++) {
        enum rls_op named = (enum rls_op)RLS_OPS;
        assert_true(rls_op_named(span_str(rls_op_name((enum rls_op)op)), &named));
        assert_int_equal(named, op);
    }
    enum rls_op none = RLS_LIST;
    assert_false(rls_op_named(span_lit("Create"), &none));
    assert_false(rls_op_named(SPAN_NONE, &none));
    assert_int_equal(none, RLS_LIST);
    assert_string_equal(rls_subject_name(RLS_SUBJECT_SELF), "self");
    assert_string_equal(rls_subject_name((enum rls_subject)RLS_SUBJECTS), "");
    rls_policy_free(NULL);
}

/* --- copies --- */

static void rls_policy_with_permissions_replaces_all_groups_and_keeps_every_other_member(void **state)
{
    struct json_box *f = *state;
    SCOPED_RLS_POLICY struct rls_policy *policy = compile(f, RICH);
    SCOPED_RLS_POLICY struct rls_policy *changed = NULL;
    SCOPED_RLS_POLICY struct rls_policy *first = NULL;
    struct rls_policy *none = NULL;
    struct rls_problem problem;
    const struct json_value *guest = json_box_value(f, "{\"guest\":{\"read\":true}}");

    assert_int_equal(rls_policy_with_permissions(policy, guest, &changed, &problem), ERR_OK);
    assert_int_equal(rls_policy_with_permissions(NULL, guest, &first, &problem), ERR_OK);

    assert_false(rls_policy_has_subject(changed, RLS_SUBJECT_USER));
    assert_int_equal(rls_policy_right(changed, RLS_SUBJECT_GUEST, RLS_READ), RLS_YES);
    assert_true(says(rls_policy_expression(changed, RLS_READ), "role:b | self"));
    assert_int_equal(rls_column_count(changed), 4);
    assert_true(says(rls_column_source(changed, 2, RLS_COLUMN_READ), "role:a"));
    assert_true(says(rls_column_source(changed, 2, RLS_COLUMN_WRITE), "admin"));
    assert_true(says(rls_filter_text(changed, 0), "{\"x\":[1,null]}") && says(rls_filter_source(changed, 0), "role:c"));
    assert_true(says(rls_policy_tests(changed), "[{\"as\":\"guest\"}]"));
    assert_int_equal(rls_policy_settings(changed, RLS_COMPAT).max_rows_per_owner, 9);
    assert_int_equal(rls_policy_right(first, RLS_SUBJECT_GUEST, RLS_READ), RLS_YES);
    SCOPED_RLS_POLICY struct rls_policy *each =
        compile(f, "{\"expressionPermissions\":{\"create\":\"admin\",\"read\":\"user\",\"update\":\"self\","
                   "\"delete\":\"role:a\",\"list\":\"guest\"}}");
    SCOPED_RLS_POLICY struct rls_policy *again = NULL;
    assert_int_equal(rls_policy_with_permissions(each, guest, &again, &problem), ERR_OK);
    for (unsigned int op = 0; op < RLS_OPS; op++) {
        assert_true(rls_policy_expression(each, (enum rls_op)op).len > 0);
        assert_true(span_equal(rls_policy_expression(again, (enum rls_op)op),
                               rls_policy_expression(each, (enum rls_op)op)));
    }
    assert_int_equal(rls_policy_with_permissions(policy, json_box_value(f, "[]"), &none, &problem), ERR_MALFORMED);
    assert_true(says(span_of(problem.where, problem.where_len), "permissions"));
    assert_null(none);
}

static void a_copy_of_the_fullest_policy_is_whole(void **state)
{
    struct json_box *f = *state;
    static char text[1 << 13];
    char filters[1 << 11];
    SCOPED_RLS_POLICY struct rls_policy *changed = NULL;
    struct rls_problem problem;
    (void)many(filters, sizeof(filters), "rowFilters", RLS_FILTERS_MAX, "{\"expression\":\"role:a\",\"filter\":{}}");
    (void)many(text, sizeof(text), "columnPermissions", RLS_COLUMNS_MAX, "{\"read\":\"user\"}");
    const size_t end = strlen(text) - 1; /* the brace goes, and a comma takes the place of the other */
    (void)snprintf(text + end, sizeof(text) - end, ",%s", filters + 1);
    SCOPED_RLS_POLICY struct rls_policy *policy = compile(f, text);

    assert_int_equal(rls_policy_with_permissions(policy, NULL, &changed, &problem), ERR_OK);

    assert_int_equal(rls_column_count(changed), RLS_COLUMNS_MAX);
    assert_int_equal(rls_filter_count(changed), RLS_FILTERS_MAX);
    for (size_t i = 0; i < RLS_COLUMNS_MAX; i++) {
        assert_true(span_equal(rls_column_name(changed, i), rls_column_name(policy, i)));
        assert_true(says(rls_column_source(changed, i, RLS_COLUMN_READ), "user"));
    }
    for (size_t i = 0; i < RLS_FILTERS_MAX; i++) {
        assert_true(says(rls_filter_source(changed, i), "role:a") && says(rls_filter_text(changed, i), "{}"));
    }
}

static void rls_policy_without_columns_drops_their_rules_and_no_others(void **state)
{
    struct json_box *f = *state;
    SCOPED_RLS_POLICY struct rls_policy *policy = compile(f, RICH);
    SCOPED_RLS_POLICY struct rls_policy *changed = NULL;
    const struct span gone[] = {span_lit("phone"), span_lit("nosuch"), span_lit("a"), span_lit("Email"),
                                span_lit("email")};

    assert_int_equal(rls_policy_without_columns(policy, gone, ARRAY_LENGTH(gone) - 1, &changed), ERR_OK);

    assert_int_equal(rls_column_count(changed), 2);
    assert_true(says(rls_column_name(changed, 0), "bio") && says(rls_column_name(changed, 1), "email"));
    assert_true(says(rls_column_source(changed, 1, RLS_COLUMN_WRITE), "admin"));
    assert_int_equal(rls_filter_count(changed), 2);
    assert_int_equal(rls_column_count(policy), 4);
    SCOPED_RLS_POLICY struct rls_policy *first_kept = NULL;
    assert_int_equal(rls_policy_without_columns(policy, gone, 1, &first_kept), ERR_OK);
    assert_true(rls_column_count(first_kept) == 3 && says(rls_column_name(first_kept, 0), "a"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, json_box_set_up, json_box_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_setting_and_each_of_its_words_is_told_from_the_others),
        TEST(the_presets_are_those_of_the_contract),
        TEST(rls_compile_names_what_is_wrong),
        TEST(rls_compile_takes_null_members_and_cuts_a_long_path),
        TEST(an_expression_of_no_bytes_is_refused_even_where_it_points_nowhere),
        TEST(a_policy_holds_as_many_rules_as_it_may_and_not_one_more),
        TEST(a_filter_that_is_wrong_is_named_by_its_number),
        TEST(a_copy_of_the_fullest_policy_is_whole),
        TEST(a_policy_says_again_what_was_written),
        TEST(a_policy_says_nothing_about_what_it_does_not_have),
        TEST(rls_policy_with_permissions_replaces_all_groups_and_keeps_every_other_member),
        TEST(rls_policy_without_columns_drops_their_rules_and_no_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
