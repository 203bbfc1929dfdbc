/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/rls/rls.h: any JSON as a policy, and any bytes as a stored one. What is accepted is stored and read back the
 * same, and the evaluator answers nothing but its three verdicts. The first byte chooses. */
#include "firmware/data/schema_json.h"
#include "firmware/rls/rls.h"
#include "net/json.h"
#include "tests/fuzz/fuzz.h"

static struct buf *encoded(const struct rls_policy *policy)
{
    struct buf *buf = NULL;

    FUZZ_CHECK(buf_new(RLS_POLICY_BYTES, &buf) == ERR_OK);
    FUZZ_CHECK(rls_policy_encode(policy, buf) == ERR_OK);
    return buf;
}

static void check_verdict(enum rls_verdict verdict)
{
    FUZZ_CHECK(verdict == RLS_ALLOW || verdict == RLS_OWNER || verdict == RLS_DENY);
}

/* Every rule is found under its name, and asked. */
static void ask_rules(const struct rls_bound *bound)
{
    const struct rls_policy *policy = bound->table.policy;

    for (size_t i = 0; i < rls_column_count(policy); i++) {
        FUZZ_CHECK(rls_column_rule(policy, rls_column_name(policy, i)) == i);
        check_verdict(rls_column_at(bound, i, RLS_COLUMN_READ));
        check_verdict(rls_column_at(bound, i, RLS_COLUMN_WRITE));
    }
    for (size_t i = 0; i < rls_filter_count(policy); i++) {
        check_verdict(rls_filter(bound, i));
    }
}

static void decide_all(const struct rls_policy *policy)
{
    const struct rls_table table = {.name = span_lit("posts"), .policy = policy, .preset = RLS_HARDENED};
    static const enum rls_group groups[] = {RLS_GUEST, RLS_USER, RLS_ADMIN};

    for (size_t i = 0; i < ARRAY_LENGTH(groups); i++) {
        const struct rls_who who = {.group = groups[i], .id = span_lit("someone")};
        struct rls_bound bound;

        rls_bind(&table, &who, &bound);
        for (int op = 0; op < RLS_OPS; op++) {
            check_verdict(rls_decide(&bound, (enum rls_op)op).verdict);
        }
        ask_rules(&bound);
    }
}

static void check_policy(const struct rls_policy *policy)
{
    SCOPED_BUF struct buf *first = encoded(policy);
    SCOPED_RLS_POLICY struct rls_policy *again = NULL;

    FUZZ_CHECK(rls_policy_decode(buf_all(first), &again) == ERR_OK);
    SCOPED_BUF struct buf *second = encoded(again);

    FUZZ_CHECK(span_equal(buf_all(first), buf_all(second)));
    decide_all(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *const arena = fuzz_arena();
    SCOPED_RLS_POLICY struct rls_policy *policy = NULL;
    const struct json_value *value = NULL;
    struct rls_problem problem;

    if (size < 1) {
        return 0;
    }
    const struct span rest = span_of(data + 1, size - 1);

    if (data[0] == 0) {
        if (rls_policy_decode(rest, &policy) == ERR_OK) {
            SCOPED_BUF struct buf *same = encoded(policy);

            FUZZ_CHECK(span_equal(buf_all(same), rest));
        }
    } else if (json_parse(rest, arena, &value) == ERR_OK) {
        (void)!rls_compile(value, policy_json_text, &policy, &problem); /* what is refused leaves NULL */
    }
    if (policy != NULL) {
        check_policy(policy);
    }
    return 0;
}
