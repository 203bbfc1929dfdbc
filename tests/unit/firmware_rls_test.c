/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The policy evaluator beyond the vectors of the contract: why a decision was made, columns, row filters, roles, names, and
 * whatever was never bound. */
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
    static const char *const names[] = {"a", "z", "A", "Z", "_", "A-b_9", "az", "aZ", "a0", "Users", "user", "usersx"};
    static const char *const not_names[] = {"",   "-a", "9a", "0",  "a.b", "a/b", "a b", "..", "\xc3\xa4", "a\n",
                                            "@a", "[a", "`a", "{a", "a@",  "a[",  "a`",  "a{", "a:",       "a/"};
    char longest[65];
    memset(longest, 'a', sizeof(longest));
    for (size_t i = 0; i < ARRAY_LENGTH(built_in); i++) {
        const struct rls_table table = {.name = span_str(built_in[i])};
        const struct rls_who someone = {.group = RLS_USER, .id = span_lit("uA")};
        assert_int_equal(decide(&table, RLS_READ, &someone).reason, RLS_REASON_SYSTEM_TABLE);
        assert_int_equal(decide(&table, RLS_READ, &someone).verdict, RLS_DENY);
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
    const struct rls_who someone = {.group = RLS_USER, .id = span_lit("uA")};
    const struct rls_who strange = {.group = (enum rls_group)1, .id = span_lit("uA")};
    const struct rls_who root = {.group = RLS_ADMIN};

    assert_int_equal(decide(&table, (enum rls_op)5, &someone).verdict, RLS_DENY);
    assert_int_equal(decide(&table, (enum rls_op)77, &root).verdict, RLS_DENY);
    assert_int_equal(decide(&table, RLS_CREATE, &strange).verdict, RLS_DENY); /* as a guest */
    const struct rls_table nameless = {.name = SPAN_NONE};
    assert_int_equal(decide(&nameless, RLS_READ, &someone).verdict, RLS_ALLOW);
}

static void rls_owns_never_holds_for_nobody(void **state)
{
    (void)state;
    const struct rls_who none = {.group = RLS_USER};
    const struct rls_who someone = {.group = RLS_USER, .id = span_lit("uA")};

    assert_false(rls_owns(&none, SPAN_NONE));
    assert_false(rls_owns(&none, span_lit("uA")));
    assert_false(rls_owns(&someone, SPAN_NONE));
    assert_false(rls_owns(&someone, span_lit("uAA")));
    assert_true(rls_owns(&someone, span_lit("uA")));
    const struct rls_who brief = {.group = RLS_USER, .id = span_lit("u")};
    assert_true(rls_owns(&brief, span_lit("u")));
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

static struct rls_policy *compile(struct json_box *f, const char *text)
{
    struct rls_policy *policy = NULL;
    struct rls_problem problem;
    if (rls_compile(json_box_value(f, text), policy_json_text, &policy, &problem) != ERR_OK) {
        fail_msg("%s: %.*s %s", text, (int)problem.where_len, problem.where, problem.why);
    }
    return policy;
}

static struct rls_bound bind(const struct rls_policy *policy, const struct rls_who *who)
{
    const struct rls_table table = {.name = span_lit("t"), .policy = policy};
    struct rls_bound bound;
    memset(&bound, 0xa6, sizeof(bound)); /* the byte that allows: what is not written must not be read */
    rls_bind(&table, who, &bound);
    return bound;
}

static const struct rls_who guest = {.group = RLS_GUEST};
static const struct rls_who guest_with_id = {.group = RLS_GUEST, .id = {(const uint8_t *)"uR", 2}};
static const struct rls_who user = {.group = RLS_USER, .id = {(const uint8_t *)"u", 1}};
static const struct rls_who admin = {.group = RLS_ADMIN};

struct decision_case {
    const char *table, *policy;
    const struct rls_who *who;
    enum rls_op op;
    struct rls_decision wanted;
};

#define BY_READ     ", \"expressionPermissions\":{\"read\":\"self\",\"create\":\"self\"}}"
#define MATRIX      "{\"permissions\":{\"user\":{\"read\":true,\"update\":false},\"self\":{\"update\":true,\"read\":true}}}"
#define EXPRESSIONS "{\"permissions\":{\"user\":{\"delete\":true}}" BY_READ

static void rls_decide_says_which_step_and_whose_rule_decided(void **state)
{
    struct json_box *f = *state;
    static const struct decision_case cases[] = {
        {"users", "{}", &admin, RLS_DELETE, {.verdict = RLS_ALLOW, .step = 1}},
        {"users",
         "{\"permissions\":{\"user\":{\"read\":true}}}",
         &user,
         RLS_READ,
         {.verdict = RLS_DENY, .step = 2, .reason = RLS_REASON_SYSTEM_TABLE}},
        {"_", "{}", &guest, RLS_READ, {.verdict = RLS_DENY, .step = 3, .reason = RLS_REASON_SYSTEM_TABLE}},
        {"_x", "{}", &user, RLS_READ, {.verdict = RLS_DENY, .step = 3, .reason = RLS_REASON_SYSTEM_TABLE}},
        {"_x",
         "{\"security\":{\"auditReads\":true}}",
         &user,
         RLS_READ,
         {.verdict = RLS_DENY, .step = 3, .reason = RLS_REASON_SYSTEM_TABLE}},
        {"_x",
         "{\"expressionPermissions\":{\"read\":\"public\"}}",
         &guest,
         RLS_READ,
         {.verdict = RLS_ALLOW, .step = 5, .by = RLS_READ}},
        {"", "{}", &user, RLS_READ, {.verdict = RLS_ALLOW, .step = 6, .by = RLS_READ, .subject = RLS_SUBJECT_USER}},
        {"t", "{\"security\":{\"guestAccess\":\"off\"}}", &guest_with_id, RLS_READ, {.verdict = RLS_DENY, .step = 4}},
        {"t",
         "{\"security\":{\"guestAccess\":\"off\"}}",
         &user,
         RLS_READ,
         {.verdict = RLS_ALLOW, .step = 6, .by = RLS_READ, .subject = RLS_SUBJECT_USER}},
        {"t", EXPRESSIONS, &user, RLS_READ, {.verdict = RLS_OWNER, .step = 5, .by = RLS_READ, .self = true}},
        {"t", EXPRESSIONS, &user, RLS_LIST, {.verdict = RLS_OWNER, .step = 5, .by = RLS_READ, .self = true}},
        {"t",
         EXPRESSIONS,
         &guest_with_id,
         RLS_CREATE,
         {.verdict = RLS_ALLOW, .step = 5, .by = RLS_CREATE, .self = true}},
        {"t", EXPRESSIONS, &guest, RLS_CREATE, {.verdict = RLS_DENY, .step = 5, .by = RLS_CREATE}},
        {"t", EXPRESSIONS, &guest, RLS_LIST, {.verdict = RLS_DENY, .step = 5, .by = RLS_READ}},
        {"t", EXPRESSIONS, &user, RLS_DELETE, {.verdict = RLS_DENY, .step = 5, .by = RLS_DELETE, .unset = true}},
        {"t",
         "{\"expressionPermissions\":{\"list\":\"admin\",\"read\":\"user\"}}",
         &user,
         RLS_LIST,
         {.verdict = RLS_DENY, .step = 5, .by = RLS_LIST}},
        {"t",
         "{\"expressionPermissions\":{\"create\":\"user\"}}",
         &user,
         RLS_LIST,
         {.verdict = RLS_DENY, .step = 5, .by = RLS_READ, .unset = true}},
        {"t",
         "{\"security\":{\"requireExplicitPolicy\":true}}",
         &user,
         RLS_READ,
         {.verdict = RLS_DENY, .step = 6, .by = RLS_READ, .subject = RLS_SUBJECT_USER, .unset = true}},
        {"t",
         "{\"security\":{\"requireExplicitPolicy\":true},\"permissions\":{\"user\":{\"read\":true}}}",
         &user,
         RLS_LIST,
         {.verdict = RLS_ALLOW, .step = 6, .by = RLS_READ, .subject = RLS_SUBJECT_USER}},
        {"t", "{}", &guest, RLS_LIST, {.verdict = RLS_ALLOW, .step = 6, .by = RLS_LIST, .subject = RLS_SUBJECT_GUEST}},
        {"t", "{}", &user, RLS_UPDATE, {.verdict = RLS_DENY, .step = 6, .by = RLS_UPDATE, .subject = RLS_SUBJECT_USER}},
        {"t", MATRIX, &user, RLS_LIST, {.verdict = RLS_ALLOW, .step = 6, .by = RLS_READ, .subject = RLS_SUBJECT_USER}},
        {"t",
         MATRIX,
         &user,
         RLS_UPDATE,
         {.verdict = RLS_OWNER, .step = 6, .by = RLS_UPDATE, .subject = RLS_SUBJECT_SELF}},
        {"t",
         MATRIX,
         &guest_with_id,
         RLS_LIST,
         {.verdict = RLS_OWNER, .step = 6, .by = RLS_READ, .subject = RLS_SUBJECT_SELF}},
        {"t",
         MATRIX,
         &guest,
         RLS_LIST,
         {.verdict = RLS_DENY, .step = 6, .by = RLS_READ, .subject = RLS_SUBJECT_GUEST, .unset = true}},
        {"t",
         MATRIX,
         &user,
         RLS_DELETE,
         {.verdict = RLS_DENY, .step = 6, .by = RLS_DELETE, .subject = RLS_SUBJECT_USER, .unset = true}},
        {"t",
         "{\"permissions\":{\"self\":{\"create\":true}}}",
         &user,
         RLS_CREATE,
         {.verdict = RLS_DENY, .step = 6, .by = RLS_CREATE, .subject = RLS_SUBJECT_USER, .unset = true}},
        {"t", "{}", &user, (enum rls_op)RLS_OPS, {.verdict = RLS_DENY, .step = 0}},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        SCOPED_RLS_POLICY struct rls_policy *policy = compile(f, cases[i].policy);
        const struct rls_table table = {.name = span_str(cases[i].table), .policy = policy};

        const struct rls_decision got = decide(&table, cases[i].op, cases[i].who);

        const struct rls_decision *wanted = &cases[i].wanted;
        if (got.verdict != wanted->verdict || got.step != wanted->step || got.reason != wanted->reason ||
            got.by != wanted->by || got.subject != wanted->subject || got.unset != wanted->unset ||
            got.self != wanted->self) {
            fail_msg("case %zu: verdict %x, step %d, by %d, subject %d, unset %d", i, got.verdict, got.step, got.by,
                     got.subject, got.unset);
        }
    }
}

static void the_default_matrix_is_the_contracts(void **state)
{
    (void)state;
    static const char *const matrix[RLS_SUBJECTS] = {"yyyyy", "yynny", "nynny", "....."};
    for (unsigned int subject = 0; subject < RLS_SUBJECTS; subject++) {
        for (unsigned int op = 0; op < RLS_OPS; op++) {
            const char wanted = matrix[subject][op];
            assert_int_equal(rls_default_right((enum rls_subject)subject, (enum rls_op)op),
                             wanted == 'y' ? RLS_YES : (wanted == 'n' ? RLS_NO : RLS_UNSET));
        }
    }
}

static void cleared_memory_is_a_requester_who_may_do_nothing(void **state)
{
    (void)state;
    struct rls_bound nobody;
    memset(&nobody, 0, sizeof(nobody));
    for (unsigned int pass = 0; pass < 2; pass++) {
        nobody.who.group = pass == 0 ? RLS_GUEST : RLS_ADMIN;
        for (unsigned int op = 0; op < RLS_OPS; op++) {
            assert_int_equal(rls_decide(&nobody, (enum rls_op)op).verdict, RLS_DENY);
            assert_int_equal(rls_decide(&nobody, (enum rls_op)op).step, 0);
        }
        assert_int_equal(rls_column(&nobody, span_lit("a"), RLS_COLUMN_READ), RLS_DENY);
        assert_int_equal(rls_column(&nobody, span_lit("id"), RLS_COLUMN_READ), RLS_DENY);
        assert_true(rls_filters_apply(&nobody));
        assert_int_equal(rls_filter(&nobody, 0), RLS_DENY);
    }
}

#define COLUMNS                                                                                                        \
    "{\"columnPermissions\":{\"both\":{\"read\":\"role:m\",\"write\":\"self\"},\"free\":{},"                           \
    "\"read\":{\"read\":\"admin\"},\"write\":{\"write\":\"user\"},\"zz\":{\"read\":\"self\",\"write\":\"admin\"}}}"

struct column_case {
    const char *field;
    enum rls_verdict read, write;
};

static void check_columns(const struct rls_bound *bound, const struct column_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct span field = span_str(cases[i].field);
        assert_int_equal(rls_column(bound, field, RLS_COLUMN_READ), cases[i].read);
        assert_int_equal(rls_column(bound, field, RLS_COLUMN_QUERY), cases[i].read);
        assert_int_equal(rls_column(bound, field, RLS_COLUMN_WRITE), cases[i].write);
    }
}

static void attack_01_a_column_rule_holds_for_reading_asking_and_writing(void **state)
{
    struct json_box *f = *state;
    SCOPED_RLS_POLICY struct rls_policy *policy = compile(f, COLUMNS);
    const struct span m = span_lit("m");
    const struct rls_who moderator = {.group = RLS_USER, .id = span_lit("uM"), .roles = &m, .role_count = 1};
    static const struct column_case as_user[] = {
        {"both", RLS_DENY, RLS_OWNER},   {"free", RLS_ALLOW, RLS_ALLOW},  {"read", RLS_DENY, RLS_ALLOW},
        {"write", RLS_ALLOW, RLS_ALLOW}, {"zz", RLS_OWNER, RLS_DENY},     {"none", RLS_ALLOW, RLS_ALLOW},
        {"Both", RLS_ALLOW, RLS_ALLOW},  {"bothx", RLS_ALLOW, RLS_ALLOW}, {"bot", RLS_ALLOW, RLS_ALLOW}};
    static const struct column_case as_guest[] = {
        {"both", RLS_DENY, RLS_OWNER}, {"write", RLS_ALLOW, RLS_DENY}, {"zz", RLS_OWNER, RLS_DENY}};
    static const struct column_case as_moderator[] = {{"both", RLS_ALLOW, RLS_OWNER}};
    static const struct column_case as_admin[] = {
        {"both", RLS_ALLOW, RLS_ALLOW}, {"read", RLS_ALLOW, RLS_ALLOW}, {"zz", RLS_ALLOW, RLS_ALLOW}};

    const struct rls_bound bounds[] = {bind(policy, &user), bind(policy, &guest), bind(policy, &moderator),
                                       bind(policy, &admin)};
    check_columns(&bounds[0], as_user, ARRAY_LENGTH(as_user));
    check_columns(&bounds[1], as_guest, ARRAY_LENGTH(as_guest));
    check_columns(&bounds[2], as_moderator, ARRAY_LENGTH(as_moderator));
    check_columns(&bounds[3], as_admin, ARRAY_LENGTH(as_admin));
    assert_int_equal(rls_column_at(&bounds[0], 5, RLS_COLUMN_READ), RLS_DENY); /* no such rule */
    assert_int_equal(rls_column_rule(policy, span_lit("none")), RLS_NO_RULE);
    assert_int_equal(rls_column_rule(policy, span_lit("createdBy")), RLS_SYSTEM_FIELD);
    assert_int_equal(rls_column_rule(NULL, span_lit("both")), RLS_NO_RULE);
    assert_int_equal(rls_column_rule(policy, SPAN_NONE), RLS_NO_RULE);
    assert_int_equal(rls_column_rule(NULL, SPAN_NONE), RLS_NO_RULE);
}

static size_t bits_of(unsigned int byte)
{
    size_t count = 0;
    for (unsigned int rest = byte; rest > 0; rest >>= 1) {
        count += rest & 1;
    }
    return count;
}

static void a_changed_bit_of_a_bound_verdict_denies(void **state)
{
    struct json_box *f = *state;
    SCOPED_RLS_POLICY struct rls_policy *policy =
        compile(f, "{\"columnPermissions\":{\"a\":{\"read\":\"user\"},\"b\":{\"read\":\"self\"},\"c\":{\"read\":\"admin\"}},"
                   "\"rowFilters\":[{\"expression\":\"self\",\"filter\":{}}]}");
    const struct rls_bound of_guest = bind(policy, &guest);
    struct rls_bound bound = bind(policy, &user);
    const uint8_t allows = bound.columns[0][0];
    const uint8_t owner = bound.columns[1][0];

    assert_true(bits_of(allows) == 4 && bits_of(owner) == 4 && bits_of(allows ^ owner) == 8);
    assert_int_equal(bound.columns[2][0], 0); /* as cleared memory */
    assert_int_equal(of_guest.filters[0], 0);
    for (unsigned int bit = 0; bit < 8; bit++) {
        bound.columns[0][0] = (uint8_t)(allows ^ 1u << bit);
        bound.columns[1][0] = (uint8_t)(owner ^ 1u << bit);
        bound.columns[2][0] = (uint8_t)(1u << bit);
        for (size_t rule = 0; rule < 3; rule++) {
            assert_int_equal(rls_column_at(&bound, rule, RLS_COLUMN_READ), RLS_DENY);
        }
    }
}

static void every_rule_of_a_long_list_is_found(void **state)
{
    struct json_box *f = *state;
    for (size_t count = 1; count < 20; count++) {
        const struct json_value *columns = json_box_many(f, count, "{\"read\":\"admin\"}");
        const struct json_member member = {span_lit("columnPermissions"), *columns};
        const struct json_value whole = {.type = JSON_OBJECT, .as.object = {&member, 1}};
        SCOPED_RLS_POLICY struct rls_policy *policy = NULL;
        struct rls_problem problem;
        assert_int_equal(rls_compile(&whole, policy_json_text, &policy, &problem), ERR_OK);
        for (size_t i = 0; i < count; i++) {
            const struct span name = columns->as.object.members[i].name;
            assert_true(span_equal(rls_column_name(policy, rls_column_rule(policy, name)), name));
        }
        assert_int_equal(rls_column_rule(policy, span_lit("e")), RLS_NO_RULE);
        assert_int_equal(rls_column_rule(policy, span_lit("f0x")), RLS_NO_RULE);
        assert_int_equal(rls_column_rule(policy, span_lit("g")), RLS_NO_RULE);
    }
}

static void row_filters_apply_to_everybody_but_administrators(void **state)
{
    struct json_box *f = *state;
    SCOPED_RLS_POLICY struct rls_policy *none = compile(f, "{\"rowFilters\":[]}");
    SCOPED_RLS_POLICY struct rls_policy *policy =
        compile(f, "{\"columnPermissions\":{\"a\":{\"read\":\"admin\"}},\"rowFilters\":["
                   "{\"expression\":\"user\",\"filter\":{}},{\"expression\":\"self\",\"filter\":{}},"
                   "{\"expression\":\"public\",\"filter\":{}},{\"expression\":\"admin\",\"filter\":{}}]}");
    const struct rls_bound as_user = bind(policy, &user);
    const struct rls_bound as_guest = bind(policy, &guest);
    const struct rls_bound as_guest_with_id = bind(policy, &guest_with_id);
    const struct rls_bound as_admin = bind(policy, &admin);
    const struct rls_bound of_none = bind(none, &user);
    const struct rls_bound of_no_policy = bind(NULL, &user);
    static const enum rls_verdict wanted_user[] = {RLS_ALLOW, RLS_OWNER, RLS_ALLOW, RLS_DENY, RLS_DENY};
    static const enum rls_verdict wanted_guest[] = {RLS_DENY, RLS_DENY, RLS_ALLOW, RLS_DENY, RLS_DENY};
    static const enum rls_verdict wanted_guest_with_id[] = {RLS_DENY, RLS_OWNER, RLS_ALLOW, RLS_DENY, RLS_DENY};

    for (size_t i = 0; i < ARRAY_LENGTH(wanted_user); i++) { /* the last is one past the list */
        assert_int_equal(rls_filter(&as_user, i), wanted_user[i]);
        assert_int_equal(rls_filter(&as_guest, i), wanted_guest[i]);
        assert_int_equal(rls_filter(&as_guest_with_id, i), wanted_guest_with_id[i]);
    }
    assert_true(rls_filters_apply(&as_user) && rls_filters_apply(&as_guest));
    assert_false(rls_filters_apply(&as_admin) || rls_filters_apply(&of_none) || rls_filters_apply(&of_no_policy));
    assert_int_equal(rls_filter(&of_no_policy, 0), RLS_DENY);
}

/* May somebody with these roles read under this expression? */
static enum rls_verdict with_roles(struct json_box *f, const char *expression, const struct span *roles, size_t count)
{
    char text[64];
    (void)snprintf(text, sizeof(text), "{\"expressionPermissions\":{\"read\":\"%s\"}}", expression);
    SCOPED_RLS_POLICY struct rls_policy *policy = compile(f, text);
    const struct rls_who who = {.group = RLS_USER, .id = span_lit("uA"), .roles = roles, .role_count = count};
    const struct rls_bound bound = bind(policy, &who);
    return rls_decide(&bound, RLS_READ).verdict;
}

static void only_custom_roles_count_and_only_so_many(void **state)
{
    struct json_box *f = *state;
    static const struct span wrong[] = {{(const uint8_t *)"admin", 5},
                                        {(const uint8_t *)"Mod", 3},
                                        {NULL, 0},
                                        {(const uint8_t *)"m d", 3},
                                        {(const uint8_t *)"public", 6}};
    static const struct span right[] = {{(const uint8_t *)"admin", 5}, {(const uint8_t *)"mod", 3}};
    struct span many[RLS_WHO_ROLES_MAX + 1];
    for (size_t i = 0; i < ARRAY_LENGTH(many); i++) {
        many[i] = span_lit("other");
    }

    assert_int_equal(with_roles(f, "role:*", NULL, 0), RLS_DENY);
    assert_int_equal(with_roles(f, "role:*", wrong, ARRAY_LENGTH(wrong)), RLS_DENY);
    assert_int_equal(with_roles(f, "role:*", right, ARRAY_LENGTH(right)), RLS_ALLOW);
    assert_int_equal(with_roles(f, "role:mod", right, ARRAY_LENGTH(right)), RLS_ALLOW);
    assert_int_equal(with_roles(f, "role:mod", right, 1), RLS_DENY);
    assert_int_equal(with_roles(f, "role:mo", right, ARRAY_LENGTH(right)), RLS_DENY);
    assert_int_equal(with_roles(f, "role:a & role:mod", right, ARRAY_LENGTH(right)), RLS_DENY);
    assert_int_equal(with_roles(f, "role:a | role:mod", right, ARRAY_LENGTH(right)), RLS_ALLOW);
    const struct rls_who who = {.group = RLS_USER, .roles = right, .role_count = ARRAY_LENGTH(right)};
    const struct rls_bound of_no_policy = bind(NULL, &who);
    assert_int_equal(rls_decide(&of_no_policy, RLS_READ).verdict, RLS_ALLOW);
    many[RLS_WHO_ROLES_MAX] = span_lit("last");
    assert_int_equal(with_roles(f, "role:last", many, ARRAY_LENGTH(many)), RLS_DENY);
    many[RLS_WHO_ROLES_MAX - 1] = span_lit("last");
    assert_int_equal(with_roles(f, "role:last", many, ARRAY_LENGTH(many)), RLS_ALLOW);
    assert_int_equal(RLS_WHO_ROLES_MAX, 64);
}

static void the_65th_to_128th_role_of_a_policy_is_found_too(void **state)
{
    struct json_box *f = *state;
    static char text[8192];
    size_t len = (size_t)snprintf(text, sizeof(text), "{\"columnPermissions\":{");
    for (size_t i = 0; i < RLS_ROLES_MAX; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s\"f%03zu\":{\"read\":\"role:r%zu\"}",
                                i == 0 ? "" : ",", i, i);
    }
    (void)snprintf(text + len, sizeof(text) - len, "}}");
    SCOPED_RLS_POLICY struct rls_policy *policy = compile(f, text);
    for (size_t has = 0; has < RLS_ROLES_MAX; has++) {
        char name[8];
        (void)snprintf(name, sizeof(name), "r%zu", has);
        const struct span role = span_str(name);
        const struct rls_who who = {.group = RLS_USER, .id = span_lit("uA"), .roles = &role, .role_count = 1};
        const struct rls_bound bound = bind(policy, &who);
        for (size_t i = 0; i < RLS_ROLES_MAX; i++) {
            assert_int_equal(rls_column_at(&bound, i, RLS_COLUMN_READ), i == has ? RLS_ALLOW : RLS_DENY);
        }
    }
}

static void names_of_roles_are_told_from_other_names(void **state)
{
    (void)state;
    static const char *const good[] = {"a",    "z",      "a0",        "a9",
                                       "az-_", "admins", "moderator", "a23456789012345678901234567890bc"};
    static const char *const bad[] = {
        "",    "A",    "0",     "-a",    "_a",   "`",      "{a",
        "aA",  "a.",   "a/",    "a:",    "a@",   "a`",     "a{",
        "a b", "user", "admin", "guest", "self", "public", "a23456789012345678901234567890bcd"};
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        assert_true(rls_role_name_valid(span_str(good[i])));
    }
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        assert_false(rls_role_name_valid(span_str(bad[i])));
    }
}

static void a_column_rule_may_stand_for_the_names_that_fields_have(void **state)
{
    struct json_box *f = *state;
    static const char *const good[] = {"a",
                                       "z",
                                       "A",
                                       "Z",
                                       "a_",
                                       "a0",
                                       "a9",
                                       "aZ",
                                       "az",
                                       "Id",
                                       "a234567890123456789012345678901234567890123456789012345678901234"};
    static const char *const bad[] = {
        "_",  "0a", "@",  "[",  "`",  "{",  "a-", "a.",
        "a@", "a[", "a`", "a{", "a/", "a:", "id", "a2345678901234567890123456789012345678901234567890123456789012345"};
    char text[128];
    for (size_t i = 0; i < ARRAY_LENGTH(good) + ARRAY_LENGTH(bad); i++) {
        const bool fine = i < ARRAY_LENGTH(good);
        SCOPED_RLS_POLICY struct rls_policy *policy = NULL;
        struct rls_problem problem;
        (void)snprintf(text, sizeof(text), "{\"columnPermissions\":{\"%s\":{}}}",
                       fine ? good[i] : bad[i - ARRAY_LENGTH(good)]);
        const enum err err = rls_compile(json_box_value(f, text), policy_json_text, &policy, &problem);
        if (err != (fine ? ERR_OK : ERR_MALFORMED)) {
            fail_msg("%s", text);
        }
    }
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
        {"{\"security\":{\"guestAccess\":\"off\"}}", 0},
        {"{\"permissions\":{}}", 0},
        {"{\"permissions\":{\"guest\":{\"read\":true}}}", RLS_WARN_GUEST_BROADER},
        {"{\"permissions\":{\"guest\":{\"create\":true},\"user\":{\"create\":true}}}", RLS_WARN_GUEST_WRITES},
        {"{\"permissions\":{\"guest\":{\"update\":true},\"user\":{\"update\":true}}}", RLS_WARN_GUEST_WRITES},
        {"{\"permissions\":{\"guest\":{\"delete\":true},\"user\":{\"delete\":true}}}", RLS_WARN_GUEST_WRITES},
        {"{\"permissions\":{\"guest\":{\"read\":true},\"user\":{\"read\":true}}}", 0},
        {"{\"permissions\":{\"guest\":{\"delete\":true}},\"security\":{\"guestAccess\":\"off\"}}", 0},
        {"{\"permissions\":{\"guest\":{\"list\":true},\"user\":{\"list\":false},\"self\":{\"list\":true}}}",
         RLS_WARN_GUEST_BROADER},
        {"{\"expressionPermissions\":{\"delete\":\"public\"}}", RLS_WARN_GUEST_WRITES},
        {"{\"expressionPermissions\":{\"create\":\"self\",\"read\":\"user\"}}", 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        SCOPED_RLS_POLICY struct rls_policy *policy = NULL;
        struct rls_problem problem;
        assert_int_equal(rls_compile(json_box_value(f, cases[i].policy), policy_json_text, &policy, &problem), ERR_OK);
        assert_int_equal(rls_policy_warnings(&(struct rls_table){span_lit("t"), policy, RLS_COMPAT}), cases[i].warnings);
    }
    assert_int_equal(rls_policy_warnings(&(struct rls_table){span_lit("t"), NULL, RLS_COMPAT}), RLS_WARN_UNCONFIGURED);
    assert_int_equal(rls_policy_warnings(&(struct rls_table){span_lit("t"), NULL, RLS_HARDENED}), 0);
    assert_int_equal(rls_policy_warnings(&(struct rls_table){span_lit("_t"), NULL, RLS_COMPAT}), 0); /* closed until then */
    assert_non_null(strstr(rls_warning_text(RLS_WARN_GUEST_BROADER), "guest-broader: "));
    assert_non_null(strstr(rls_warning_text(RLS_WARN_GUEST_WRITES), "guest-writes: "));
    assert_non_null(strstr(rls_warning_text(RLS_WARN_UNCONFIGURED), "unconfigured: "));
    assert_string_equal(rls_warning_text(RLS_WARN_GUEST_BROADER | RLS_WARN_GUEST_WRITES), "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, json_box_set_up, json_box_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(attack_04_list_without_a_value_follows_read_and_an_explicit_false_does_not),
        TEST(attack_05_only_the_exact_names_are_built_in_or_tables_at_all),
        TEST(rls_decide_denies_operations_and_groups_it_does_not_know),
        TEST(rls_owns_never_holds_for_nobody),
        TEST(rls_column_never_lets_system_fields_be_written),
        TEST(rls_decide_says_which_step_and_whose_rule_decided),
        TEST(the_default_matrix_is_the_contracts),
        TEST(cleared_memory_is_a_requester_who_may_do_nothing),
        TEST(attack_01_a_column_rule_holds_for_reading_asking_and_writing),
        TEST(a_changed_bit_of_a_bound_verdict_denies),
        TEST(every_rule_of_a_long_list_is_found),
        TEST(row_filters_apply_to_everybody_but_administrators),
        TEST(only_custom_roles_count_and_only_so_many),
        TEST(the_65th_to_128th_role_of_a_policy_is_found_too),
        TEST(names_of_roles_are_told_from_other_names),
        TEST(a_column_rule_may_stand_for_the_names_that_fields_have),
        TEST(rls_policy_warns_of_what_an_author_may_not_mean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
