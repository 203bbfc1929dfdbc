/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The stored form of a policy: it survives being stored, there is one form for each policy, and nothing else is read. */
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

#define VECTORS "tests/data/policy_vectors.json"

#define RICH                                                                                                           \
    "{\"permissions\":{\"user\":{\"create\":true,\"read\":false},\"self\":{}},"                                        \
    "\"expressionPermissions\":{\"read\":\"role:b | self\",\"list\":\"role:*\"},"                                      \
    "\"columnPermissions\":{\"phone\":{\"read\":\"self\"},\"email\":{\"read\":\"role:a\",\"write\":\"admin\"}},"       \
    "\"rowFilters\":[{\"expression\":\"role:c\",\"filter\":{\"x\":1}},{\"expression\":\"guest\",\"filter\":{}}],"      \
    "\"security\":{\"maxRowsPerOwner\":9,\"auditReads\":true},\"tests\":[{\"as\":\"guest\"}]}"

/* Where the parts of every stored policy stand. */
#define AT_GIVEN    1
#define AT_SUBJECTS 2
#define AT_SET      10
#define AT_SETTINGS 14
#define AT_RULES    27

static struct rls_policy *compile(struct json_box *f, const char *text)
{
    struct rls_policy *policy = NULL;
    struct rls_problem problem;
    assert_int_equal(rls_compile(json_box_value(f, text), policy_json_text, &policy, &problem), ERR_OK);
    return policy;
}

static struct buf *encode(const struct rls_policy *policy)
{
    struct buf *bytes = NULL;
    assert_int_equal(buf_new(RLS_POLICY_BYTES, &bytes), ERR_OK);
    assert_int_equal(rls_policy_encode(policy, bytes), ERR_OK);
    return bytes;
}

static void check_survives(const struct rls_policy *policy)
{
    SCOPED_RLS_POLICY struct rls_policy *again = NULL;
    SCOPED_BUF struct buf *bytes = encode(policy);

    assert_int_equal(rls_policy_decode(buf_all(bytes), &again), ERR_OK);

    SCOPED_BUF struct buf *twice = encode(again);
    assert_true(span_equal(buf_all(bytes), buf_all(twice)));
    assert_int_equal(rls_policy_configured(again), rls_policy_configured(policy));
    assert_int_equal(rls_policy_has_columns(again), rls_policy_has_columns(policy));
    assert_int_equal(rls_policy_has_filters(again), rls_policy_has_filters(policy));
    for (unsigned int p = 0; p < 2; p++) {
        const struct rls_settings a = rls_policy_settings(policy, (enum rls_preset)p);
        const struct rls_settings b = rls_policy_settings(again, (enum rls_preset)p);
        assert_true(a.row_filter_scope == b.row_filter_scope && a.no_match_allows == b.no_match_allows &&
                    a.forbidden_is_absent == b.forbidden_is_absent && a.require_explicit == b.require_explicit &&
                    a.guest_off == b.guest_off && a.fields == b.fields && a.write_minimal == b.write_minimal &&
                    a.policy_in_spec == b.policy_in_spec && a.audit_reads == b.audit_reads &&
                    a.max_rows_per_owner == b.max_rows_per_owner);
    }
}

static void rls_policy_survives_being_stored(void **state)
{
    struct json_box *f = *state;
    static const char *const more[] = {
        RICH,
        "{\"columnPermissions\":{},\"rowFilters\":[],\"tests\":[]}",
        "{\"security\":{\"rowFilterScope\":\"all\",\"rowFilterNoMatch\":\"allow\",\"forbiddenRows\":404,"
        "\"requireExplicitPolicy\":true,\"guestAccess\":\"off\",\"additionalFields\":\"reject\","
        "\"writeResponse\":\"minimal\",\"policyInSpec\":false,\"auditReads\":true,\"maxRowsPerOwner\":4294967295}}",
        "{\"security\":{\"rowFilterScope\":\"list\",\"rowFilterNoMatch\":\"deny\",\"forbiddenRows\":403,"
        "\"requireExplicitPolicy\":false,\"guestAccess\":\"policy\",\"additionalFields\":\"allow\","
        "\"writeResponse\":\"full\",\"policyInSpec\":true,\"auditReads\":false,\"maxRowsPerOwner\":null}}",
        ("{\"permissions\":{\"admin\":{\"list\":false},\"user\":{\"list\":true},\"guest\":{\"delete\":true},"
         "\"self\":{\"create\":false,\"read\":true,\"update\":false,\"delete\":true,\"list\":false}}}"),
    };
    const struct json_value *policies = json_find(json_box_file(f, VECTORS), span_lit("policies"));
    for (size_t i = 0; i < policies->as.object.count; i++) {
        SCOPED_RLS_POLICY struct rls_policy *policy = NULL;
        struct rls_problem problem;
        assert_int_equal(rls_compile(&policies->as.object.members[i].value, policy_json_text, &policy, &problem),
                         ERR_OK);
        check_survives(policy);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(more); i++) {
        SCOPED_RLS_POLICY struct rls_policy *policy = compile(f, more[i]);
        check_survives(policy);
    }
}

static size_t put(char *text, size_t at, const char *piece, size_t times)
{
    for (size_t i = 0; i < times; i++) {
        memcpy(text + at, piece, strlen(piece));
        at += strlen(piece);
    }
    text[at] = 0;
    return at;
}

static void a_policy_with_as_many_rules_as_it_may_have_survives_being_stored(void **state)
{
    struct json_box *f = *state;
    static char text[1 << 13];
    static const char entry[] = "{\"expression\":\"user\",\"filter\":{}}";
    SCOPED_RLS_POLICY struct rls_policy *again = NULL;
    size_t at = put(text, 0, "{\"columnPermissions\":{\"f0\":{\"read\":\"self\"}", 1);
    for (size_t i = 1; i < RLS_COLUMNS_MAX; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), ",\"f%zu\":{}", i);
        at = put(text, at, name, 1);
    }
    at = put(text, at, "},\"rowFilters\":[", 1);
    at = put(text, at, entry, 1);
    for (size_t i = 1; i < RLS_FILTERS_MAX; i++) {
        at = put(text, at, ",", 1);
        at = put(text, at, entry, 1);
    }
    (void)put(text, at, "]}", 1);
    SCOPED_RLS_POLICY struct rls_policy *policy = compile(f, text);
    SCOPED_BUF struct buf *bytes = encode(policy);

    assert_int_equal(rls_policy_decode(buf_all(bytes), &again), ERR_OK);

    assert_true(rls_column_count(again) == RLS_COLUMNS_MAX && rls_filter_count(again) == RLS_FILTERS_MAX);
    check_survives(policy);
}

/* A stored policy, to be tampered with. */
struct stored {
    uint8_t bytes[1024];
    size_t len;
};

static struct stored store(struct json_box *f, const char *text)
{
    SCOPED_RLS_POLICY struct rls_policy *policy = compile(f, text);
    SCOPED_BUF struct buf *bytes = encode(policy);
    struct stored stored = {.len = buf_len(bytes)};
    assert_true(stored.len <= sizeof(stored.bytes));
    memcpy(stored.bytes, buf_all(bytes).data, stored.len);
    return stored;
}

static enum err decode(const struct stored *stored)
{
    struct rls_policy *policy = NULL;
    const enum err err = rls_policy_decode(span_of(stored->bytes, stored->len), &policy);
    assert_true((err == ERR_OK) == (policy != NULL));
    rls_policy_free(policy);
    fault_clear();
    return err;
}

/* The only place where these bytes stand. */
static size_t find(const struct stored *stored, struct span bytes)
{
    size_t found = stored->len;
    for (size_t at = 0; at + bytes.len <= stored->len; at++) {
        if (memcmp(stored->bytes + at, bytes.data, bytes.len) == 0) {
            assert_int_equal(found, stored->len);
            found = at;
        }
    }
    assert_true(found < stored->len);
    return found;
}

static void rls_policy_decode_refuses_every_cut_and_every_addition(void **state)
{
    struct json_box *f = *state;
    const struct stored whole = store(f, RICH);
    for (size_t len = 0; len < whole.len; len++) {
        struct stored cut = whole;
        cut.len = len;
        assert_int_equal(decode(&cut), ERR_DAMAGED);
    }
    struct stored longer = whole;
    longer.len++;
    assert_int_equal(decode(&longer), ERR_DAMAGED);
    assert_int_equal(decode(&whole), ERR_OK);
}

static void rls_policy_decode_gives_no_other_policy_when_a_byte_is_changed(void **state)
{
    struct json_box *f = *state;
    const struct stored whole = store(f, RICH);
    for (size_t at = 0; at < whole.len; at++) {
        for (unsigned int bit = 0; bit < 8; bit++) {
            struct stored flipped = whole;
            struct rls_policy *policy = NULL;
            flipped.bytes[at] = (uint8_t)(flipped.bytes[at] ^ (1u << bit));
            const enum err err = rls_policy_decode(span_of(flipped.bytes, flipped.len), &policy);
            fault_clear();
            if (err == ERR_OK) { /* another policy: then it is stored as these very bytes */
                SCOPED_BUF struct buf *again = encode(policy);
                assert_true(span_equal(buf_all(again), span_of(flipped.bytes, flipped.len)));
            } else {
                assert_true(err == ERR_DAMAGED || (err == ERR_VERSION && at == 0));
            }
            rls_policy_free(policy);
        }
    }
}

static void another_version_is_told_from_damage(void **state)
{
    struct json_box *f = *state;
    struct stored stored = store(f, "{}");
    stored.bytes[0] = 1;
    assert_int_equal(decode(&stored), ERR_VERSION);
    stored.bytes[0] = 3;
    assert_int_equal(decode(&stored), ERR_VERSION);
}

static void rls_policy_decode_refuses_rights_and_settings_that_do_not_exist(void **state)
{
    struct json_box *f = *state;
    static const struct {
        size_t at;
        uint8_t value;
    } cases[] = {
        {AT_GIVEN, 0x11},        /* a member that does not exist */
        {AT_GIVEN, 0},           /* rights without `permissions` */
        {AT_GIVEN, 0x3},         /* `expressionPermissions` without an expression */
        {AT_SUBJECTS + 3, 0x03}, /* a right of value 3 */
        {AT_SUBJECTS + 3, 0x30}, {AT_SUBJECTS + 2, 0x83}, {AT_SUBJECTS + 2, 0x84}, /* a bit of no right */
        {AT_SUBJECTS + 2, 0xc0}, {AT_SUBJECTS + 2, 0x00},                          /* a right of an absent subject */
        {AT_SET, 0x01},                                                            /* settings beyond the last */
        {AT_SET + 2, 0x04},      {AT_SETTINGS + 0, 3},    {AT_SETTINGS + 1, 2},    {AT_SETTINGS + 2, 2},
        {AT_SETTINGS + 3, 2},    {AT_SETTINGS + 4, 2},    {AT_SETTINGS + 5, 3},    {AT_SETTINGS + 6, 2},
        {AT_SETTINGS + 7, 2},    {AT_SETTINGS + 8, 2},    {AT_RULES + 20, 201}, /* columns and filters beyond the most */
        {AT_RULES + 21, 21},
    };
    const struct stored whole = store(f, "{\"permissions\":{\"user\":{\"read\":true}}}");
    assert_int_equal(whole.bytes[AT_SUBJECTS + 3], 0x08);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct stored stored = whole;
        stored.bytes[cases[i].at] = cases[i].value;
        if (decode(&stored) != ERR_DAMAGED) {
            fail_msg("case %zu", i);
        }
    }
}

static void a_program_that_is_not_its_texts_is_damage(void **state)
{
    struct json_box *f = *state;
    /* length(2) text, length(2) program: public is 0x10 and ends with 0x01. */
    const struct stored whole = store(f, "{\"expressionPermissions\":{\"read\":\"admin\"}}");
    struct stored stored = whole;
    const size_t program = find(&whole, span_lit("admin\0\2\x12\x01")) + 7;
    stored.bytes[program] = 0x10;
    assert_int_equal(decode(&stored), ERR_DAMAGED);

    stored = whole;
    memcpy(stored.bytes + find(&whole, span_lit("admin")), "owner", 5); /* a text that is no expression */
    assert_int_equal(decode(&stored), ERR_DAMAGED);
    stored = whole;
    memcpy(stored.bytes + find(&whole, span_lit("admin")), "guest", 5);
    assert_int_equal(decode(&stored), ERR_DAMAGED);
    memcpy(stored.bytes + program, "\x10", 1); /* both: another policy */
    assert_int_equal(decode(&stored), ERR_OK);
    stored.bytes[AT_GIVEN] = 0; /* an expression of no member */
    assert_int_equal(decode(&stored), ERR_DAMAGED);
}

static void column_rules_and_filters_stand_where_they_must(void **state)
{
    struct json_box *f = *state;
    const struct stored whole = store(f, "{\"columnPermissions\":{\"b\":{\"read\":\"user\"},\"d\":{}},"
                                         "\"rowFilters\":[{\"expression\":\"user\",\"filter\":{}}]}");
    const size_t first = find(&whole, span_lit("\2\1b")) + 2;
    const size_t second = find(&whole, span_lit("\1d")) + 1;
    struct stored stored = whole;

    stored.bytes[first] = 'e'; /* not sorted any more */
    assert_int_equal(decode(&stored), ERR_DAMAGED);
    stored.bytes[first] = '_'; /* no name of a field */
    assert_int_equal(decode(&stored), ERR_DAMAGED);
    stored.bytes[first] = 'a';
    assert_int_equal(decode(&stored), ERR_OK);
    stored.bytes[second] = 'a'; /* twice */
    assert_int_equal(decode(&stored), ERR_DAMAGED);
    stored = whole;
    stored.bytes[AT_GIVEN] = 0x8; /* rules, and no columnPermissions */
    assert_int_equal(decode(&stored), ERR_DAMAGED);
    stored.bytes[AT_GIVEN] = 0x4; /* filters, and no rowFilters */
    assert_int_equal(decode(&stored), ERR_DAMAGED);
}

static void rls_policy_encode_reports_a_buffer_that_is_full(void **state)
{
    struct json_box *f = *state;
    SCOPED_RLS_POLICY struct rls_policy *policy = compile(f, RICH);
    const struct stored whole = store(f, RICH);
    for (size_t room = 0; room < whole.len; room++) {
        SCOPED_BUF struct buf *bytes = NULL;
        assert_int_equal(buf_new(room, &bytes), ERR_OK);

        assert_int_equal(rls_policy_encode(policy, bytes), ERR_RANGE);
        fault_clear();
    }
}

/* --- the largest --- */

/* So many columns of 64-byte names and expressions of 512 bytes, one of `tail` bytes behind them, a filter that names a
 * role, and a test of one text of so many bytes. */
static const char *large(char *text, size_t columns, size_t tail, size_t test)
{
    size_t at = put(text, 0, "{\"columnPermissions\":{", 1);
    for (size_t i = 0; i <= columns; i++) {
        char name[80];
        (void)snprintf(name, sizeof(name), "%s\"f%063zu\":{\"read\":\"", i == 0 ? "" : ",", i);
        at = put(text, at, name, 1);
        at = put(text, at, "user", 1);
        at = put(text, at, " ", i == columns ? tail : 508);
        at = put(text, at, "\",\"write\":\"role:abcdefghi\"}", 1);
    }
    at = put(text, at,
             ",\"zz\":{}},\"rowFilters\":[{\"expression\":\"role:x\",\"filter\":{\"a\":\"b\"}}],\"tests\":[\"", 1);
    at = put(text, at, "t", test);
    (void)put(text, at, "\"]}", 1);
    return text;
}

static void a_policy_of_64_kib_is_the_largest_wherever_it_passes_the_bound(void **state)
{
    struct json_box *f = *state;
    static char text[1 << 17];
    static const struct {
        size_t columns, test;
    } cases[] = {{106, 0}, {100, 3900}};
    size_t fit = 0;
    size_t refused = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        for (size_t tail = 380; tail <= 508; tail++) {
            struct rls_policy *policy = NULL;
            struct rls_problem problem;
            const struct json_value *value = json_box_value(f, large(text, cases[i].columns, tail, cases[i].test));
            const enum err err = rls_compile(value, policy_json_text, &policy, &problem);
            if (err == ERR_OK) {
                SCOPED_BUF struct buf *bytes = encode(policy);
                fit++;
                assert_true(buf_len(bytes) > RLS_POLICY_BYTES - 3000);
            } else {
                refused++;
                assert_int_equal(err, ERR_MALFORMED);
                assert_true(span_equal(span_of(problem.where, problem.where_len), span_lit("policy")));
            }
            rls_policy_free(policy);
            fault_clear();
            json_box_tear_down(state);
            json_box_set_up(state);
            f = *state;
        }
    }
    assert_true(fit > 0 && refused > 0);
    /* A text that does not even fit where the texts are written. */
    struct rls_policy *none = NULL;
    struct rls_problem problem;
    const struct json_value *huge = json_box_value(f, large(text, 0, 0, RLS_POLICY_BYTES));
    assert_int_equal(rls_compile(huge, policy_json_text, &none, &problem), ERR_MALFORMED);
    assert_true(span_equal(span_of(problem.where, problem.where_len), span_lit("policy")));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, json_box_set_up, json_box_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rls_policy_survives_being_stored),
        TEST(a_policy_with_as_many_rules_as_it_may_have_survives_being_stored),
        TEST(rls_policy_decode_refuses_every_cut_and_every_addition),
        TEST(rls_policy_decode_gives_no_other_policy_when_a_byte_is_changed),
        TEST(another_version_is_told_from_damage),
        TEST(rls_policy_decode_refuses_rights_and_settings_that_do_not_exist),
        TEST(a_program_that_is_not_its_texts_is_damage),
        TEST(column_rules_and_filters_stand_where_they_must),
        TEST(rls_policy_encode_reports_a_buffer_that_is_full),
        TEST(a_policy_of_64_kib_is_the_largest_wherever_it_passes_the_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
