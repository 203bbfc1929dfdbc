/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Row-level security: who may do what with a table. Pure functions of (policy, subject, operation): no I/O, and, but
 * for rls_compile and rls_policy_decode, no allocation. Nothing here recurses or loops over a length from outside.
 *
 * A policy is compiled when it is saved: checked once, bounded, kept as a small decision program. The evaluator denies
 * on anything it does not expect: cleared memory, an unknown operation, a damaged program.
 *
 * Callers ask three questions: rls_decide (may this request go on at all, and for which rows), rls_owns (is this row
 * theirs) and rls_column (may this field be read, written or asked about). Expressions, column permissions and row
 * filters are answered by the same three.
 * Spec: contract sections 3.1 to 3.7 and 9.1. */
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

struct rls_decision {
    enum rls_verdict verdict;
    enum rls_reason reason; /* only for RLS_DENY */
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

/* A compiled policy: immutable, may be read by any number of threads. */
struct rls_policy;

#define RLS_WHERE_MAX 96 /* bytes of the path that names a fault */

/* What is wrong with a policy: `where` is a path such as "permissions.user.create", cut to what fits, `why` a literal
 * sentence fragment such as "must be a boolean". */
struct rls_problem {
    char where[RLS_WHERE_MAX];
    size_t where_len;
    const char *why;
};

/* Compiles a policy object {"permissions","expressionPermissions","columnPermissions","rowFilters","security"}; a member
 * that is absent is null. policy may be NULL or JSON null: nothing configured. The caller frees it with
 * rls_policy_free(); out_problem is written only on ERR_MALFORMED and ERR_UNSUPPORTED.
 *
 * ERR_MALFORMED    the policy is not valid; the problem says where
 * ERR_UNSUPPORTED  it uses expressions, column permissions or row filters, which this version refuses rather than ignores
 * ERR_NO_MEMORY */
enum err rls_compile(const struct json_value *policy, struct rls_policy **out_policy, struct rls_problem *out_problem)
    MUST_USE;

/* A copy of policy with the member `permissions` replaced (a JSON object or null): PATCH of a table. Errors as
 * rls_compile. */
enum err rls_policy_with_permissions(const struct rls_policy *policy, const struct json_value *permissions,
                                     struct rls_policy **out_policy, struct rls_problem *out_problem) MUST_USE;

void rls_policy_free(struct rls_policy *policy);

static inline void rls_policy_free_scoped(struct rls_policy **policy)
{
    rls_policy_free(*policy);
}
#define SCOPED_RLS_POLICY SCOPED(rls_policy_free_scoped)

/* The compact form in which a policy is stored, at most RLS_POLICY_BYTES. ERR_RANGE, ERR_NO_MEMORY from the buffer. */
#define RLS_POLICY_BYTES 64
enum err rls_policy_encode(const struct rls_policy *policy, struct buf *out) MUST_USE;

/* Reads the compact form back. ERR_VERSION for a version this program does not know, ERR_DAMAGED for anything that
 * rls_policy_encode would not have written, ERR_NO_MEMORY. */
enum err rls_policy_decode(struct span bytes, struct rls_policy **out_policy) MUST_USE;

/* Is the member `permissions` not null? NULL policy: no. */
bool rls_policy_configured(const struct rls_policy *policy);

/* Is there an entry for this subject (even an empty one)? */
bool rls_policy_has_subject(const struct rls_policy *policy, enum rls_subject subject);

/* What the policy says in so many words, without default and fallback; for printing it. */
enum rls_right rls_policy_right(const struct rls_policy *policy, enum rls_subject subject, enum rls_op op);

/* The matrix that holds while nothing is configured, contract 3.3. `self` has none. */
enum rls_right rls_default_right(enum rls_subject subject, enum rls_op op);

/* The settings that hold: what the policy sets, the preset for the rest. policy may be NULL. */
struct rls_settings rls_policy_settings(const struct rls_policy *policy, enum rls_preset preset);

/* RLS_SET_ bits of the settings that the policy itself sets; for printing it. */
uint32_t rls_policy_settings_set(const struct rls_policy *policy);

/* Names as they stand in JSON: "create"; "user". Static strings. */
const char *rls_op_name(enum rls_op op);
const char *rls_subject_name(enum rls_subject subject);

/* What an author of a policy should look at again: a set of bits, and a sentence for one bit. Contract 6, PUT policy. */
#define RLS_WARN_GUEST_BROADER 0x1u /* guests have a right that users do not have */
#define RLS_WARN_GUEST_WRITES  0x2u /* guests may create, update or delete */
#define RLS_WARN_UNCONFIGURED  0x4u /* nothing configured: the default matrix lets every key read */
uint32_t rls_policy_warnings(const struct rls_policy *policy, enum rls_preset preset);
const char *rls_warning_text(uint32_t bit);

/* --- decisions --------------------------------------------------------------------------------------------------- */

/* A table as the evaluator sees it; all borrowed. */
struct rls_table {
    struct span name;
    const struct rls_policy *policy; /* NULL: nothing configured */
    enum rls_preset preset;          /* of the project */
};

/* The decision function of contract 3.5. */
struct rls_decision rls_decide(const struct rls_table *table, enum rls_op op, const struct rls_who *who);

/* Does the requester own a row with this createdBy? Never for an empty id, never for an empty createdBy. */
bool rls_owns(const struct rls_who *who, struct span created_by);

enum rls_access {
    RLS_COLUMN_READ,  /* is the field part of an answer */
    RLS_COLUMN_WRITE, /* may the field stand in a body */
    RLS_COLUMN_QUERY, /* may it be named in a filter, a search or a sort */
};

/* May the requester, whom rls_decide did not deny, use this top-level field? RLS_ALLOW: on any row. RLS_OWNER: on rows
 * they own (for RLS_COLUMN_QUERY: narrow the clause to owned rows; a sort is refused). RLS_DENY: no.
 * A policy without column permissions inherits the decision for the table, so the answer is RLS_ALLOW. System fields
 * are always readable and never writable. Spec: contract 3.7. */
enum rls_verdict rls_column(const struct rls_table *table, const struct rls_who *who, struct span field,
                            enum rls_access access);

/* --- names ------------------------------------------------------------------------------------------------------- */

/* ^[a-zA-Z_][a-zA-Z0-9_-]{0,63}$: can this be a table at all? Contract 3.6 step 6. */
bool rls_table_name_valid(struct span name);

/* users, accounts, sessions, files. */
bool rls_table_is_built_in(struct span name);

#endif
