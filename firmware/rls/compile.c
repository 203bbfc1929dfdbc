/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From the JSON of a policy to its compiled form, and that form as bytes.
 *
 * Every name and every value is checked against a table; what is not in a table is refused, so a misspelt group cannot
 * become a silent "no" or, worse, a right that nobody sees. Expressions, column permissions and row filters are refused
 * as long as the evaluator does not know them: ignoring a restriction would open the table.
 *
 * Stored form: version(1) | configured(1) | subjects(4 x 2) | settings set(4) | settings(9 x 1) | rows per owner(4). */
#include "firmware/rls/rls.h"

#include <string.h>

#include "firmware/rls/rls_int.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/base/num.h"

#define POLICY_VERSION 1

static const char *const op_names[RLS_OPS] = {"create", "read", "update", "delete", "list"};
static const char *const subject_names[RLS_SUBJECTS] = {"admin", "user", "guest", "self"};

const char *rls_op_name(enum rls_op op)
{
    INVARIANT((size_t)op < RLS_OPS);
    return op_names[op];
}

const char *rls_subject_name(enum rls_subject subject)
{
    INVARIANT((size_t)subject < RLS_SUBJECTS);
    return subject_names[subject];
}

static void where_put(struct rls_problem *problem, struct span text)
{
    const size_t len = num_min(text.len, sizeof(problem->where) - problem->where_len);
    if (len > 0) {
        memcpy(problem->where + problem->where_len, text.data, len);
        problem->where_len += len;
    }
}

static void problem_set(struct rls_problem *out_problem, const char *prefix, struct span name, const char *why)
{
    *out_problem = (struct rls_problem){.why = why};
    where_put(out_problem, span_str(prefix));
    if (name.len > 0) {
        where_put(out_problem, span_lit("."));
        where_put(out_problem, name);
    }
}

enum err rls_refuse(struct rls_problem *out_problem, const char *prefix, struct span name, const char *why)
{
    problem_set(out_problem, prefix, name, why);
    return ERR_MALFORMED;
}

/* The position of name in a table of names, or count. */
static size_t name_index(const char *const *names, size_t count, struct span name)
{
    size_t i = 0;
    while (i < count && !span_equal(span_str(names[i]), name)) {
        i++;
    }
    return i;
}

static bool is_null(const struct json_value *value)
{
    return value == NULL || value->type == JSON_NULL;
}

/* One entry of `permissions`: {"create": true, ...}. */
static enum err parse_subject(const struct json_value *entry, struct span name, uint16_t *out_rights,
                              struct rls_problem *out_problem)
{
    uint16_t rights = SUBJECT_PRESENT;
    if (entry->type != JSON_OBJECT) {
        return rls_refuse(out_problem, "permissions", name, "must be an object of operations");
    }
    for (size_t i = 0; i < entry->as.object.count; i++) {
        const struct json_member *member = &entry->as.object.members[i];
        const size_t op = name_index(op_names, RLS_OPS, member->name);
        if (op == RLS_OPS) {
            return rls_refuse(out_problem, "permissions", name, "has an operation that does not exist");
        }
        if (member->value.type != JSON_BOOL) {
            return rls_refuse(out_problem, "permissions", name, "must have true or false for each operation");
        }
        const unsigned int right = member->value.as.boolean ? RLS_YES : RLS_NO;
        rights = (uint16_t)(rights | (right << (2 * op)));
    }
    *out_rights = rights;
    return ERR_OK;
}

static enum err parse_permissions(const struct json_value *permissions, struct rls_policy *policy,
                                  struct rls_problem *out_problem)
{
    policy->configured = false;
    memset(policy->subjects, 0, sizeof(policy->subjects));
    if (is_null(permissions)) {
        return ERR_OK;
    }
    if (permissions->type != JSON_OBJECT) {
        return rls_refuse(out_problem, "permissions", SPAN_NONE, "must be an object or null");
    }
    for (size_t i = 0; i < permissions->as.object.count; i++) {
        const struct json_member *member = &permissions->as.object.members[i];
        const size_t subject = name_index(subject_names, RLS_SUBJECTS, member->name);
        if (subject == RLS_SUBJECTS) {
            return rls_refuse(out_problem, "permissions", member->name, "is not one of admin, user, guest, self");
        }
        const enum err err = parse_subject(&member->value, member->name, &policy->subjects[subject], out_problem);
        if (err != ERR_OK) {
            return err;
        }
    }
    policy->configured = true;
    return ERR_OK;
}

/* Members that later versions evaluate: null is fine, and so is an empty list of row filters, which restricts nothing. */
static enum err refuse_unknown_rules(const struct json_value *policy, struct rls_problem *out_problem)
{
    static const char *const members[] = {"expressionPermissions", "columnPermissions", "rowFilters"};
    for (size_t i = 0; i < ARRAY_LENGTH(members); i++) {
        const struct json_value *member = json_find(policy, span_str(members[i]));
        const bool empty_list = member != NULL && member->type == JSON_ARRAY && member->as.array.count == 0;
        if (!is_null(member) && !(empty_list && i == 2)) {
            problem_set(out_problem, members[i], SPAN_NONE, "is not supported by this version");
            return ERR_UNSUPPORTED;
        }
    }
    return ERR_OK;
}

static enum err check_members(const struct json_value *policy, struct rls_problem *out_problem)
{
    static const char *const members[] = {"permissions", "expressionPermissions", "columnPermissions", "rowFilters",
                                          "security"};
    for (size_t i = 0; i < policy->as.object.count; i++) {
        const struct span name = policy->as.object.members[i].name;
        if (name_index(members, ARRAY_LENGTH(members), name) == ARRAY_LENGTH(members)) {
            return rls_refuse(out_problem, "policy", name, "is not a member of a policy");
        }
    }
    return refuse_unknown_rules(policy, out_problem);
}

static enum err policy_publish(const struct rls_policy *policy, struct rls_policy **out_policy)
{
    void *memory = NULL;
    TRY(mem_alloc(sizeof(*policy), &memory));
    memcpy(memory, policy, sizeof(*policy));
    *out_policy = memory;
    return ERR_OK;
}

enum err rls_compile(const struct json_value *policy, struct rls_policy **out_policy, struct rls_problem *out_problem)
{
    struct rls_policy built = {.configured = false};
    struct rls_problem problem = {.why = NULL};
    enum err err = ERR_OK;

    if (!is_null(policy) && policy->type != JSON_OBJECT) {
        err = rls_refuse(&problem, "policy", SPAN_NONE, "must be an object");
    }
    if (err == ERR_OK && !is_null(policy)) {
        err = check_members(policy, &problem);
    }
    if (err == ERR_OK) {
        err = parse_permissions(json_find(policy, span_lit("permissions")), &built, &problem);
    }
    if (err == ERR_OK) {
        err = rls_settings_parse(json_find(policy, span_lit("security")), &built, &problem);
    }
    if (err != ERR_OK) {
        *out_problem = problem;
        FAIL(err, "the policy is not valid", 0);
    }
    return policy_publish(&built, out_policy);
}

enum err rls_policy_with_permissions(const struct rls_policy *policy, const struct json_value *permissions,
                                     struct rls_policy **out_policy, struct rls_problem *out_problem)
{
    struct rls_policy built = {.configured = false};
    struct rls_problem problem = {.why = NULL};
    if (policy != NULL) {
        built = *policy;
    }
    const enum err err = parse_permissions(permissions, &built, &problem);
    if (err != ERR_OK) {
        *out_problem = problem;
        FAIL(err, "the permissions are not valid", 0);
    }
    return policy_publish(&built, out_policy);
}

void rls_policy_free(struct rls_policy *policy)
{
    mem_free(policy);
}

/* --- stored form --- */

#define SETTING_BYTES 9

/* The one-byte settings in stored order, and the largest value of each. */
static const uint8_t setting_max[SETTING_BYTES] = {RLS_FILTER_ALL, 1, 1, 1, 1, RLS_FIELDS_ALLOW, 1, 1, 1};

static void settings_to_bytes(const struct rls_settings *settings, uint8_t out_bytes[SETTING_BYTES])
{
    const uint8_t bytes[SETTING_BYTES] = {(uint8_t)settings->row_filter_scope,
                                          settings->no_match_allows,
                                          settings->forbidden_is_absent,
                                          settings->require_explicit,
                                          settings->guest_off,
                                          (uint8_t)settings->fields,
                                          settings->write_minimal,
                                          settings->policy_in_spec,
                                          settings->audit_reads};
    memcpy(out_bytes, bytes, sizeof(bytes));
}

static struct rls_settings settings_from_bytes(const uint8_t bytes[SETTING_BYTES], uint32_t max_rows)
{
    return (struct rls_settings){.row_filter_scope = (enum rls_filter_scope)bytes[0],
                                 .no_match_allows = bytes[1] == 1,
                                 .forbidden_is_absent = bytes[2] == 1,
                                 .require_explicit = bytes[3] == 1,
                                 .guest_off = bytes[4] == 1,
                                 .fields = (enum rls_additional)bytes[5],
                                 .write_minimal = bytes[6] == 1,
                                 .policy_in_spec = bytes[7] == 1,
                                 .audit_reads = bytes[8] == 1,
                                 .max_rows_per_owner = max_rows};
}

enum err rls_policy_encode(const struct rls_policy *policy, struct buf *out)
{
    uint8_t settings[SETTING_BYTES];
    settings_to_bytes(&policy->settings, settings);
    TRY(buf_put_u8(out, POLICY_VERSION));
    TRY(buf_put_u8(out, policy->configured ? 1 : 0));
    for (size_t i = 0; i < RLS_SUBJECTS; i++) {
        TRY(buf_put_u16be(out, policy->subjects[i]));
    }
    TRY(buf_put_u32be(out, policy->settings_set));
    TRY(buf_put(out, span_array(settings)));
    TRY(buf_put_u32be(out, policy->settings.max_rows_per_owner));
    return ERR_OK;
}

/* A subject's word holds three values a right, and rights only beside SUBJECT_PRESENT of a configured policy. */
static bool subject_valid(uint32_t word, bool configured)
{
    if (word == 0) {
        return true;
    }
    bool valid = configured && (word & SUBJECT_PRESENT) != 0 && (word & ~(SUBJECT_PRESENT | 0x3ffu)) == 0;
    for (unsigned int op = 0; op < RLS_OPS; op++) {
        valid = valid && ((word >> (2 * op)) & 3u) <= RLS_YES;
    }
    return valid;
}

static enum err read_settings(struct reader *reader, struct rls_policy *policy)
{
    struct span bytes;
    uint32_t max_rows = 0;
    TRY(reader_get_u32be(reader, &policy->settings_set));
    TRY(reader_get(reader, SETTING_BYTES, &bytes));
    TRY(reader_get_u32be(reader, &max_rows));
    ENSURE(policy->settings_set < (RLS_SET_MAX_ROWS_PER_OWNER << 1), ERR_MALFORMED, "unknown setting");
    for (size_t i = 0; i < SETTING_BYTES; i++) {
        ENSURE(bytes.data[i] <= setting_max[i], ERR_MALFORMED, "setting has an unknown value");
    }
    policy->settings = settings_from_bytes(bytes.data, max_rows);
    return ERR_OK;
}

static enum err read_policy(struct reader *reader, struct rls_policy *policy)
{
    uint8_t configured = 0;
    TRY(reader_get_u8(reader, &configured));
    ENSURE(configured <= 1, ERR_MALFORMED, "flag is neither 0 nor 1");
    policy->configured = configured == 1;
    for (size_t i = 0; i < RLS_SUBJECTS; i++) {
        TRY(reader_get_u16be(reader, &policy->subjects[i]));
        ENSURE(subject_valid(policy->subjects[i], policy->configured), ERR_MALFORMED, "rights are damaged");
    }
    TRY(read_settings(reader, policy));
    ENSURE(reader->rest.len == 0, ERR_MALFORMED, "bytes after the policy");
    return ERR_OK;
}

enum err rls_policy_decode(struct span bytes, struct rls_policy **out_policy)
{
    struct rls_policy built = {.configured = false};
    struct reader reader = reader_of(bytes);
    uint8_t version = 0;
    ENSURE(reader_get_u8(&reader, &version) == ERR_OK, ERR_DAMAGED, "empty policy");
    ENSURE(version == POLICY_VERSION, ERR_VERSION, "policy of another version");
    ENSURE(read_policy(&reader, &built) == ERR_OK, ERR_DAMAGED, "policy is damaged");
    return policy_publish(&built, out_policy);
}
