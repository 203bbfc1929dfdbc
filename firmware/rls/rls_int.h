/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of this folder share: the compiled policy, the draft that it is made from, programs and their parts. */
#ifndef FIRMWARE_RLS_RLS_INT_H
#define FIRMWARE_RLS_RLS_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "firmware/rls/rls.h"

/* --- programs: expr.c writes them, eval.c runs them --- */

/* One instruction a byte: an atom ANDs its value to the term; OR ends a term and starts the next; END ends the last. */
enum rls_code {
    RLS_CODE_END = 0x01,
    RLS_CODE_OR = 0x02,
    RLS_CODE_ANYBODY = 0x10, /* public, guest */
    RLS_CODE_USER = 0x11,
    RLS_CODE_ADMIN = 0x12,
    RLS_CODE_SELF = 0x13,
    RLS_CODE_ANY_ROLE = 0x14, /* role:* */
};
#define RLS_CODE_ROLE 0x80u /* and the number of the role in the policy's table */
#define RLS_ROLE_MASK 0x7fu
_Static_assert(RLS_ROLES_MAX == RLS_ROLE_MASK + 1, "an instruction holds the number of any role");

/* The shortest atom and the sign behind it are five bytes of text and at most two instructions. */
#define RLS_PROGRAM_MAX (2 * ((RLS_EXPRESSION_MAX + 1) / 5))

struct rls_program {
    uint8_t code[RLS_PROGRAM_MAX];
    size_t len;
};

/* The custom roles that a policy names, in the order of their first use. */
struct rls_roles {
    struct span names[RLS_ROLES_MAX];
    size_t count;
};

/* Compiles the text of an expression, adding the roles that it names; they borrow from text. NULL, or why it is none:
 * then the table of roles may have grown all the same. */
const char *rls_expression_compile(struct span text, struct rls_roles *roles, struct rls_program *out_program) MUST_USE;

/* What the program says for this requester: true without `self`, true with it, neither. RLS_DENY for whatever
 * rls_expression_compile would not have written. */
enum rls_verdict rls_evaluate(struct span program, const struct rls_facts *facts);

/* --- the compiled policy --- */

/* A right takes two bits of a subject's word (enum rls_right at bit 2 * op); SUBJECT_PRESENT says that the subject has
 * an entry at all. */
#define SUBJECT_PRESENT 0x8000u

struct rls_head {
    bool configured;    /* permissions is not null */
    bool expressions;   /* nor is expressionPermissions */
    bool columns_given; /* nor columnPermissions */
    bool filters_given; /* nor rowFilters */
    uint16_t subjects[RLS_SUBJECTS];
    uint32_t settings_set; /* RLS_SET_ bits */
    struct rls_settings settings;
};

/* A part of the bytes behind a policy; no bytes: there is none. */
struct rls_piece {
    uint32_t at, len;
};

struct rls_rule {
    struct rls_piece source, program;
};

/* A column rule: name, and what it says of reading and writing. A row filter: the filter as text, and `first`. A role:
 * its name. */
struct rls_entry {
    struct rls_piece text;
    struct rls_rule first, second;
};
#define RLS_ENTRIES_MAX (RLS_COLUMNS_MAX + RLS_FILTERS_MAX + RLS_ROLES_MAX)

/* One block: this, behind it the entries (columns sorted by name, filters, roles in the order of
 * their numbers), the bytes. Nothing in it points. */
struct rls_policy {
    struct rls_head head;
    struct rls_rule ops[RLS_OPS];
    struct rls_piece tests;
    size_t column_count, filter_count, role_count;
};

/* Inlined, because binding a requester asks for each program. */
static inline const struct rls_entry *rls_entries(const struct rls_policy *policy)
{
    return (const struct rls_entry *)(policy + 1);
}

/* SPAN_NONE for no bytes. */
static inline struct span rls_piece_of(const struct rls_policy *policy, struct rls_piece piece)
{
    const size_t entries = policy->column_count + policy->filter_count + policy->role_count;
    const uint8_t *bytes = (const uint8_t *)(rls_entries(policy) + entries);
    return piece.len == 0 ? SPAN_NONE : span_of(bytes + piece.at, piece.len);
}

/* The entry of a column rule, of a row filter, of a role. The numbers are in range. */
static inline const struct rls_entry *rls_column_entry(const struct rls_policy *policy, size_t rule)
{
    return rls_entries(policy) + rule;
}

static inline const struct rls_entry *rls_filter_entry(const struct rls_policy *policy, size_t filter)
{
    return rls_entries(policy) + policy->column_count + filter;
}

static inline const struct rls_entry *rls_role_entry(const struct rls_policy *policy, size_t role)
{
    return rls_entries(policy) + policy->column_count + policy->filter_count + role;
}

/* Is the table configured as contract 3.5 step 3 asks? */
bool rls_policy_says_anything(const struct rls_policy *policy);

/* Bytes of the stored form that are neither names, texts nor programs, at most. */
#define RLS_STORED_OVERHEAD 2048

/* --- drafts: compile.c and stored.c fill them in, policy.c makes policies of them --- */

struct rls_draft_column {
    struct span name, read, write;
};

struct rls_draft_filter {
    struct span source, text;
};

/* A policy in the making; what it says lies elsewhere and outlives it. An expression that is absent is empty. */
struct rls_draft {
    struct rls_head head;
    struct span ops[RLS_OPS];
    struct rls_draft_column columns[RLS_COLUMNS_MAX];
    size_t column_count;
    struct rls_draft_filter filters[RLS_FILTERS_MAX];
    size_t filter_count;
    struct span tests;
};

/* On the heap; to be freed with mem_free. ERR_NO_MEMORY. */
enum err rls_draft_new(struct rls_draft **out_draft) MUST_USE;

void rls_draft_free(struct rls_draft *draft);
static inline void rls_draft_free_scoped(struct rls_draft **draft)
{
    rls_draft_free(*draft);
}
#define SCOPED_RLS_DRAFT SCOPED(rls_draft_free_scoped)

/* Makes `draft` say what a policy says; policy may be NULL. */
void rls_draft_copy(const struct rls_policy *policy, struct rls_draft *draft);

/* Makes a policy: sorts the columns, compiles every expression. ERR_MALFORMED with the problem, ERR_NO_MEMORY. */
enum err rls_draft_publish(struct rls_draft *draft, struct rls_policy **out_policy, struct rls_problem *out_problem)
    MUST_USE;

/* --- problems and settings --- */

/* Fills in the member `security`, JSON null or absent included. ERR_MALFORMED with the problem. */
enum err rls_settings_parse(const struct json_value *security, struct rls_head *head, struct rls_problem *out_problem)
    MUST_USE;

/* The settings but for the number of rows, a byte each in their order; from_bytes takes bytes that are in range. */
#define RLS_SETTING_BYTES 9
void rls_settings_to_bytes(const struct rls_settings *settings, uint8_t out_bytes[RLS_SETTING_BYTES]);
struct rls_settings rls_settings_from_bytes(const uint8_t bytes[RLS_SETTING_BYTES], uint32_t max_rows);

/* Sets out_problem to "prefix", "prefix.name" or "prefix.name.member" (empty ones are left out) and why, and answers
 * ERR_MALFORMED. */
enum err rls_refuse(struct rls_problem *out_problem, const char *prefix, struct span name, const char *why) MUST_USE;
enum err rls_refuse_member(struct rls_problem *out_problem, const char *prefix, struct span name, const char *member,
                           const char *why) MUST_USE;

/* --- names --- */

bool rls_field_is_system(struct span field);

/* ^[a-zA-Z][a-zA-Z0-9_]{0,63}$, and no system field: can it have a column rule? */
bool rls_field_name_valid(struct span field);

/* "0" to "19": the place of a row filter in its list, as paths to problems say it. filter is below RLS_FILTERS_MAX. */
struct span rls_filter_ordinal(size_t filter);

#endif
