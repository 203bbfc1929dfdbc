/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The settings of a table (`security`, contract 9.1): which there are, what they may say, and what holds when a table says
 * nothing. A setting that is absent comes from the project's preset at the time of the decision, never from a stored copy
 * of the preset. */
#include "firmware/rls/rls.h"

#include <string.h>

#include "firmware/rls/rls_int.h"

static const struct rls_settings preset_compat = {
    .row_filter_scope = RLS_FILTER_LIST, .fields = RLS_FIELDS_ALLOW, .policy_in_spec = true};
static const struct rls_settings preset_hardened = {.row_filter_scope = RLS_FILTER_ALL,
                                                    .forbidden_is_absent = true,
                                                    .require_explicit = true,
                                                    .guest_off = true,
                                                    .fields = RLS_FIELDS_REJECT,
                                                    .write_minimal = true,
                                                    .policy_in_spec = false};

/* A setting that is one of a few words. 403 and 404 may be written as numbers, true and false as booleans. */
#define WORDS_MAX 3
struct setting {
    const char *name;
    const char *words[WORDS_MAX]; /* by value; "false", "true" stand for the JSON booleans */
    const char *why;
};

/* In the order of struct rls_settings and of the RLS_SET_ bits. */
static const struct setting settings_table[RLS_SETTING_BYTES] = {
    {"rowFilterScope", {"list", "read", "all"}, "must be list, read or all"},
    {"rowFilterNoMatch", {"deny", "allow", NULL}, "must be deny or allow"},
    {"forbiddenRows", {"403", "404", NULL}, "must be 403 or 404"},
    {"requireExplicitPolicy", {"false", "true", NULL}, "must be true or false"},
    {"guestAccess", {"policy", "off", NULL}, "must be policy or off"},
    {"additionalFields", {"reject", "strip", "allow"}, "must be allow, strip or reject"},
    {"writeResponse", {"full", "minimal", NULL}, "must be full or minimal"},
    {"policyInSpec", {"false", "true", NULL}, "must be true or false"},
    {"auditReads", {"false", "true", NULL}, "must be true or false"},
};

_Static_assert(RLS_SET_AUDIT_READS == 1u << (RLS_SETTING_BYTES - 1), "each of them has its bit");

static struct span word_of(const struct json_value *value)
{
    if (value->type == JSON_STRING) {
        /* "true" as a text is not a boolean. */
        const bool boolean_word =
            span_equal(value->as.text, span_lit("true")) || span_equal(value->as.text, span_lit("false"));
        return boolean_word ? SPAN_NONE : value->as.text;
    }
    if (value->type == JSON_BOOL) {
        return value->as.boolean ? span_lit("true") : span_lit("false");
    }
    if (value->type == JSON_INT && value->as.integer == 403) {
        return span_lit("403");
    }
    if (value->type == JSON_INT && value->as.integer == 404) {
        return span_lit("404");
    }
    return SPAN_NONE;
}

void rls_settings_to_bytes(const struct rls_settings *settings, uint8_t out_bytes[RLS_SETTING_BYTES])
{
    const uint8_t bytes[RLS_SETTING_BYTES] = {(uint8_t)settings->row_filter_scope,
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

struct rls_settings rls_settings_from_bytes(const uint8_t bytes[RLS_SETTING_BYTES], uint32_t max_rows)
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

static void setting_store(struct rls_head *head, size_t setting, uint8_t value)
{
    uint8_t bytes[RLS_SETTING_BYTES];
    rls_settings_to_bytes(&head->settings, bytes);
    bytes[setting] = value;
    head->settings = rls_settings_from_bytes(bytes, head->settings.max_rows_per_owner);
    head->settings_set |= 1u << setting;
}

static enum err parse_max_rows(const struct json_value *value, struct rls_head *head, struct rls_problem *out_problem)
{
    if (value->type == JSON_NULL) {
        head->settings.max_rows_per_owner = 0;
    } else if (value->type == JSON_INT && value->as.integer >= 1 && value->as.integer <= (int64_t)UINT32_MAX) {
        head->settings.max_rows_per_owner = (uint32_t)value->as.integer;
    } else {
        return rls_refuse(out_problem, "security", span_lit("maxRowsPerOwner"), "must be null or a number from 1");
    }
    head->settings_set |= RLS_SET_MAX_ROWS_PER_OWNER;
    return ERR_OK;
}

static enum err parse_setting(const struct json_member *member, struct rls_head *head, struct rls_problem *out_problem)
{
    if (span_equal(member->name, span_lit("maxRowsPerOwner"))) {
        return parse_max_rows(&member->value, head, out_problem);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(settings_table); i++) {
        const struct setting *setting = &settings_table[i];
        if (!span_equal(span_str(setting->name), member->name)) {
            continue;
        }
        const struct span word = word_of(&member->value);
        for (unsigned int value = 0; value < WORDS_MAX && setting->words[value] != NULL; value++) {
            if (span_equal(span_str(setting->words[value]), word)) {
                setting_store(head, i, (uint8_t)value);
                return ERR_OK;
            }
        }
        return rls_refuse(out_problem, "security", member->name, setting->why);
    }
    return rls_refuse(out_problem, "security", member->name, "is not a setting");
}

enum err rls_settings_parse(const struct json_value *security, struct rls_head *head, struct rls_problem *out_problem)
{
    head->settings = preset_compat;
    head->settings_set = 0;
    if (security == NULL || security->type == JSON_NULL) {
        return ERR_OK;
    }
    if (security->type != JSON_OBJECT) {
        return rls_refuse(out_problem, "security", SPAN_NONE, "must be an object");
    }
    for (size_t i = 0; i < security->as.object.count; i++) {
        const enum err err = parse_setting(&security->as.object.members[i], head, out_problem);
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

struct rls_settings rls_policy_settings(const struct rls_policy *policy, enum rls_preset preset)
{
    const struct rls_settings *rest = preset == RLS_COMPAT ? &preset_compat : &preset_hardened;
    const uint32_t set = rls_policy_settings_set(policy);
    if (set == 0) {
        return *rest; /* at once: a copy of what was composed just before makes the processor wait */
    }
    struct rls_settings settings = *rest;
    const struct rls_settings *own = &policy->head.settings;
    settings.row_filter_scope = (set & RLS_SET_ROW_FILTER_SCOPE ? own : rest)->row_filter_scope;
    settings.no_match_allows = (set & RLS_SET_NO_MATCH ? own : rest)->no_match_allows;
    settings.forbidden_is_absent = (set & RLS_SET_FORBIDDEN_ROWS ? own : rest)->forbidden_is_absent;
    settings.require_explicit = (set & RLS_SET_REQUIRE_EXPLICIT ? own : rest)->require_explicit;
    settings.guest_off = (set & RLS_SET_GUEST_ACCESS ? own : rest)->guest_off;
    settings.fields = (set & RLS_SET_ADDITIONAL_FIELDS ? own : rest)->fields;
    settings.write_minimal = (set & RLS_SET_WRITE_RESPONSE ? own : rest)->write_minimal;
    settings.policy_in_spec = (set & RLS_SET_POLICY_IN_SPEC ? own : rest)->policy_in_spec;
    settings.audit_reads = (set & RLS_SET_AUDIT_READS ? own : rest)->audit_reads;
    settings.max_rows_per_owner = (set & RLS_SET_MAX_ROWS_PER_OWNER ? own : rest)->max_rows_per_owner;
    return settings;
}

uint32_t rls_policy_settings_set(const struct rls_policy *policy)
{
    return policy == NULL ? 0 : policy->head.settings_set;
}
