/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Row-level security: who may do what with a table. Pure functions of (policy, subject, operation): no I/O, and, but
 * for what makes a policy, no allocation. Nothing here recurses or loops over a length from outside.
 *
 * A policy is compiled when it is saved: checked once, bounded, kept as small decision programs. The evaluator denies on
 * anything it does not expect: cleared memory, an unknown operation, a damaged program.
 *
 * A request binds its requester to one policy once (rls_bind), and asks the bound whatever it has to know: rls_decide
 * (may this request go on at all, and for which rows), rls_column (may this field be read, written or asked about),
 * rls_filter (which row filters apply). What depends on the row is left to rls_owns and to the filters.
 * Spec: contract sections 3.1 to 3.8 and 9.1. */
#ifndef FIRMWARE_RLS_RLS_H
#define FIRMWARE_RLS_RLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/json_value.h"
#include "hal/base/span.h"

enum rls_op { RLS_CREATE, RLS_READ, RLS_UPDATE, RLS_DELETE, RLS_LIST };
#define RLS_OPS 5

/* Values far apart in bits. Only `==` against RLS_ALLOW or RLS_OWNER is ever tested, so whatever is neither denies. */
enum rls_verdict {
    RLS_DENY = 0,
    RLS_ALLOW = 0x5aa53cc3, /* every row of the table */
    RLS_OWNER = 0x3cc3a55a, /* only rows for which rls_owns() holds */
};

/* Zero is the group with the fewest rights. */
enum rls_group { RLS_GUEST = 0, RLS_USER = 0x33cc, RLS_ADMIN = 0x5aa5 };

/* The columns of the permission matrix in a policy: the groups and the row relation `self`. */
enum rls_subject { RLS_SUBJECT_ADMIN, RLS_SUBJECT_USER, RLS_SUBJECT_GUEST, RLS_SUBJECT_SELF };
#define RLS_SUBJECTS 4

enum rls_right { RLS_UNSET = 0, RLS_NO, RLS_YES };

/* The requester, contract 3.1. An empty id means none. */
struct rls_who {
    enum rls_group group;
    struct span id;
    const struct span *roles; /* custom roles; may be NULL when role_count is 0 */
    size_t role_count;
};

/* Why a decision is DENY: chooses between data/permission-denied and data/system-table-access. */
enum rls_reason { RLS_REASON_PERMISSION = 0, RLS_REASON_SYSTEM_TABLE };

/* A verdict and, for whoever has it explained, where it came from. */
struct rls_decision {
    enum rls_verdict verdict;
    enum rls_reason reason;   /* only for RLS_DENY */
    uint8_t step;             /* of contract 3.5, 1 to 6; 0: the operation or the bound is none of ours */
    enum rls_op by;           /* steps 5 and 6: whose expression or right answered; RLS_READ for a list that has none */
    enum rls_subject subject; /* step 6: whose right allowed, or the requester's group if nobody's did */
    bool unset;               /* steps 5 and 6, RLS_DENY: nothing was said, rather than no */
    bool self;                /* step 5: it holds for owners alone, and the requester has an id */
};

/* --- settings of a table: the member `security` of its policy, contract 9.1 ----------------------------------------- */

enum rls_preset { RLS_COMPAT, RLS_HARDENED };
enum rls_filter_scope { RLS_FILTER_LIST, RLS_FILTER_READ, RLS_FILTER_ALL };
enum rls_additional { RLS_FIELDS_REJECT, RLS_FIELDS_STRIP, RLS_FIELDS_ALLOW };

struct rls_settings {
    enum rls_filter_scope row_filter_scope;
    bool no_match_allows;       /* rowFilterNoMatch is "allow" */
    bool forbidden_is_absent;   /* forbiddenRows is 404 */
    bool require_explicit;      /* requireExplicitPolicy */
    bool guest_off;             /* guestAccess is "off" */
    enum rls_additional fields; /* additionalFields */
    bool write_minimal;         /* writeResponse is "minimal" */
    bool policy_in_spec;
    bool audit_reads;
    uint32_t max_rows_per_owner; /* 0: no limit */
};

/* Bits of rls_policy_settings_set, in the order of struct rls_settings. */
#define RLS_SET_ROW_FILTER_SCOPE   0x001u
#define RLS_SET_NO_MATCH           0x002u
#define RLS_SET_FORBIDDEN_ROWS     0x004u
#define RLS_SET_REQUIRE_EXPLICIT   0x008u
#define RLS_SET_GUEST_ACCESS       0x010u
#define RLS_SET_ADDITIONAL_FIELDS  0x020u
#define RLS_SET_WRITE_RESPONSE     0x040u
#define RLS_SET_POLICY_IN_SPEC     0x080u
#define RLS_SET_AUDIT_READS        0x100u
#define RLS_SET_MAX_ROWS_PER_OWNER 0x200u

/* --- policies ---------------------------------------------------------------------------------------------------- */

#define RLS_EXPRESSION_MAX 512 /* bytes of one expression; contract 3.4 */
#define RLS_ROLES_MAX      128 /* different custom roles in one policy: a program names one in seven bits */
#define RLS_COLUMNS_MAX    200 /* column rules of one policy */
#define RLS_FILTERS_MAX    20  /* row filters of one policy; contract 3.8 */
#define RLS_TESTS_MAX      50  /* tests of one policy */

/* A compiled policy: immutable, may be read by any number of threads. */
struct rls_policy;

#define RLS_WHERE_MAX 96 /* bytes of the path that names a fault */

/* What is wrong with a policy: `where` is a path such as "permissions.user" or "rowFilters.2.expression", cut to what
 * fits, `why` a literal sentence fragment such as "must be a boolean". */
struct rls_problem {
    char where[RLS_WHERE_MAX];
    size_t where_len;
    const char *why;
};

/* Appends a JSON value as text: how filters and tests are kept. Errors of the buffer. */
typedef enum err rls_text_writer(struct buf *out, const struct json_value *value);

/* Compiles a policy object {"permissions","expressionPermissions","columnPermissions","rowFilters","security","tests"};
 * a member that is absent is null. policy may be NULL or JSON null: nothing configured. The caller frees it with
 * rls_policy_free(); out_problem is written only on ERR_MALFORMED.
 * Of a row filter only the expression is checked here, and of the tests only their number: the caller checks the rest.
 *
 * ERR_MALFORMED  the policy is not valid, or larger than RLS_POLICY_BYTES; the problem says where
 * ERR_NO_MEMORY */
enum err rls_compile(const struct json_value *policy, rls_text_writer *write, struct rls_policy **out_policy,
                     struct rls_problem *out_problem) MUST_USE;

/* A copy of policy with the member `permissions` replaced (a JSON object or null): PATCH of a table. Errors as
 * rls_compile. */
enum err rls_policy_with_permissions(const struct rls_policy *policy, const struct json_value *permissions,
                                     struct rls_policy **out_policy, struct rls_problem *out_problem) MUST_USE;

/* A copy of policy without the column rules of these fields: they were taken out of the schema. ERR_NO_MEMORY. */
enum err rls_policy_without_columns(const struct rls_policy *policy, const struct span *fields, size_t count,
                                    struct rls_policy **out_policy) MUST_USE;

void rls_policy_free(struct rls_policy *policy);

static inline void rls_policy_free_scoped(struct rls_policy **policy)
{
    rls_policy_free(*policy);
}
#define SCOPED_RLS_POLICY SCOPED(rls_policy_free_scoped)

/* The compact form in which a policy is stored, with the text and the program of every expression; at most
 * RLS_POLICY_BYTES. ERR_RANGE, ERR_NO_MEMORY from the buffer. */
#define RLS_POLICY_BYTES (64u * 1024)
enum err rls_policy_encode(const struct rls_policy *policy, struct buf *out) MUST_USE;

/* Reads the compact form back. ERR_VERSION for a version this program does not know, ERR_DAMAGED for anything that
 * rls_policy_encode would not have written, also a program that is not what its text compiles to, ERR_NO_MEMORY. */
enum err rls_policy_decode(struct span bytes, struct rls_policy **out_policy) MUST_USE;

/* --- what a policy says, for printing it; a NULL policy says nothing. Views live as long as the policy. ------------- */

/* Is the member `permissions` not null? */
bool rls_policy_configured(const struct rls_policy *policy);

/* Is there an entry for this subject (even an empty one)? */
bool rls_policy_has_subject(const struct rls_policy *policy, enum rls_subject subject);

/* What the policy says in so many words, without default and fallback. */
enum rls_right rls_policy_right(const struct rls_policy *policy, enum rls_subject subject, enum rls_op op);

/* The matrix that holds while nothing is configured, contract 3.3. `self` has none. */
enum rls_right rls_default_right(enum rls_subject subject, enum rls_op op);

/* Is the member `expressionPermissions` not null? Then `permissions` is not consulted. */
bool rls_policy_has_expressions(const struct rls_policy *policy);

/* The text of an operation's expression; empty: it has none. */
struct span rls_policy_expression(const struct rls_policy *policy, enum rls_op op);

/* Is the member not null (it may be empty)? */
bool rls_policy_has_columns(const struct rls_policy *policy);
bool rls_policy_has_filters(const struct rls_policy *policy);

/* The rules of `columnPermissions`, sorted by name: rule is 0 to rls_column_count() - 1. The source is the text for
 * RLS_COLUMN_READ or RLS_COLUMN_WRITE; empty: it has none. */
size_t rls_column_count(const struct rls_policy *policy);
struct span rls_column_name(const struct rls_policy *policy, size_t rule);

/* The row filters in the order of the list: the text of the expression, and the filter object as JSON text. */
size_t rls_filter_count(const struct rls_policy *policy);
struct span rls_filter_source(const struct rls_policy *policy, size_t filter);
struct span rls_filter_text(const struct rls_policy *policy, size_t filter);

/* The custom roles that expressions of the policy name, each once. */
size_t rls_role_count(const struct rls_policy *policy);
struct span rls_role_name(const struct rls_policy *policy, size_t role);

/* The member `tests` as JSON text; empty: null. */
struct span rls_policy_tests(const struct rls_policy *policy);

/* The settings that hold: what the policy sets, the preset for the rest. */
struct rls_settings rls_policy_settings(const struct rls_policy *policy, enum rls_preset preset);

/* RLS_SET_ bits of the settings that the policy itself sets. */
uint32_t rls_policy_settings_set(const struct rls_policy *policy);

/* Names as they stand in JSON: "create"; "user". Static strings; empty for what is no operation or subject. */
const char *rls_op_name(enum rls_op op);
const char *rls_subject_name(enum rls_subject subject);

/* The operation of that name; false: there is none. */
bool rls_op_named(struct span name, enum rls_op *out_op);

/* --- binding ----------------------------------------------------------------------------------------------------- */

/* A table as the evaluator sees it; all borrowed. */
struct rls_table {
    struct span name;
    const struct rls_policy *policy; /* NULL: nothing configured */
    enum rls_preset preset;          /* of the project */
};

/* What the author of a table's policy should look at again, as far as it shows without the schema: a set of bits, and a
 * sentence "code: text" for one bit. Contract 6, PUT policy. */
#define RLS_WARN_GUEST_BROADER 0x1u /* guests have a right that users do not have */
#define RLS_WARN_GUEST_WRITES  0x2u /* guests may create, update or delete */
#define RLS_WARN_UNCONFIGURED  0x4u /* nothing configured, and the default matrix lets every key read */
uint32_t rls_policy_warnings(const struct rls_table *table);
const char *rls_warning_text(uint32_t bit);

/* What expressions ask of a requester. */
struct rls_facts {
    bool user; /* group user or admin */
    bool admin;
    bool any_role;
    size_t role_count;                  /* roles that the policy names */
    uint64_t roles[RLS_ROLES_MAX / 64]; /* those of them that the requester has */
};

#define RLS_BOUND 0x69969669u

/* One requester on one table under one version of its policy; made by rls_bind once per request and open only so that
 * it can lie in other objects. Callers read table, who and settings. It may be copied, and lives as long as what table
 * and who borrow. Cleared memory is a bound that denies everything. */
struct rls_bound {
    uint32_t made; /* RLS_BOUND */
    struct rls_table table;
    struct rls_who who;
    struct rls_settings settings; /* rls_policy_settings() */
    struct rls_facts facts;
    uint8_t columns[RLS_COLUMNS_MAX][2]; /* verdicts of the column rules, for reading and for writing */
    uint8_t filters[RLS_FILTERS_MAX];
};

/* Binds. Evaluates each column rule and each row filter once; for a policy without any it does next to nothing. Roles
 * beyond RLS_WHO_ROLES_MAX, and names that are not custom roles, are not looked at. */
#define RLS_WHO_ROLES_MAX 64
void rls_bind(const struct rls_table *table, const struct rls_who *who, struct rls_bound *out_bound);

/* --- decisions --------------------------------------------------------------------------------------------------- */

/* The decision function of contract 3.5. */
struct rls_decision rls_decide(const struct rls_bound *bound, enum rls_op op);

/* Does the requester own a row with this createdBy? Never for an empty id, never for an empty createdBy. */
bool rls_owns(const struct rls_who *who, struct span created_by);

enum rls_access {
    RLS_COLUMN_READ,  /* is the field part of an answer */
    RLS_COLUMN_WRITE, /* may the field stand in a body */
    RLS_COLUMN_QUERY, /* may it be named in a filter, a search or a sort: the verdict for reading */
};

struct span rls_column_source(const struct rls_policy *policy, size_t rule, enum rls_access access);

/* Does the policy restrict any column? If not, every field of every row is what rls_column_at() says of RLS_NO_RULE. */
bool rls_columns_any(const struct rls_policy *policy);

/* Which rule is this top-level field's? A few comparisons; who asks for many rows keeps the answer, which holds for this
 * policy alone. */
#define RLS_NO_RULE      SIZE_MAX       /* none: the field inherits the decision for the table */
#define RLS_SYSTEM_FIELD (SIZE_MAX - 1) /* id, createdBy, createdAt, updatedAt: always readable, never writable */
size_t rls_column_rule(const struct rls_policy *policy, struct span field);

/* May the requester, whom rls_decide did not deny, use the field of this rule? RLS_ALLOW: on any row. RLS_OWNER: on rows
 * for which rls_owns holds (for RLS_COLUMN_QUERY: narrow the clause to owned rows; a sort is refused). RLS_DENY: no.
 * Admin may use every column. RLS_OWNER does not mean that the requester has an id. Spec: contract 3.7. */
enum rls_verdict rls_column_at(const struct rls_bound *bound, size_t rule, enum rls_access access);

/* The two together. */
enum rls_verdict rls_column(const struct rls_bound *bound, struct span field, enum rls_access access);

/* Are the rows restricted for this requester: are there row filters, and is it no admin? Then a row is shown if some
 * filter with RLS_ALLOW holds for it, or one with RLS_OWNER holds and the row is owned; if every filter is RLS_DENY,
 * settings.no_match_allows decides. Spec: contract 3.8. */
bool rls_filters_apply(const struct rls_bound *bound);
enum rls_verdict rls_filter(const struct rls_bound *bound, size_t filter);

/* --- names ------------------------------------------------------------------------------------------------------- */

/* ^[a-zA-Z_][a-zA-Z0-9_-]{0,63}$: can this be a table at all? Contract 3.6 step 6. */
bool rls_table_name_valid(struct span name);

/* users, accounts, sessions, files. */
bool rls_table_is_built_in(struct span name);

/* ^[a-z][a-z0-9_-]{0,31}$ and none of admin, user, guest, self, public: can this be a custom role? Contract 3.1. */
bool rls_role_name_valid(struct span name);

#endif
