/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The audit log: a table of the appliance, one row a record (firmware/audit/chain.h), sealed like all others.
 *
 * A call of the writer whose operation stands in the table of audit.c is recorded in the transaction that carries it out:
 * there is no change without its record, and none is recorded that did not happen. The row's id is the record's number, so
 * there are no gaps. Of CONFIG_DATA_AUDIT_MAX records the oldest goes when one more comes.
 * Spec: contract 6 (GET /audit, /audit/verify), 9.4, 10.1. */
#ifndef FIRMWARE_DATA_AUDIT_H
#define FIRMWARE_DATA_AUDIT_H

#include "firmware/auth/refusal.h"
#include "firmware/data/access.h"
#include "firmware/data/call.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

/* Where a call came from, for its record. Lives as long as the call. */
struct data_origin {
    struct span ip, user_agent, request_id;
    /* The code of an answer that refuses, as contract 1.6 has it. */
    struct span (*code_of)(enum refusal_code code);
};

/* What the log calls an operation: "table.create"; NULL: it is not recorded. */
const char *data_audit_action(data_operation *operation);

/* The records that `from`, `to` (instants, both included), `actor` (an id), `action`, `resource` and `outcome` of the query
 * leave, newest first, in pages; a secret key sees those of its own environment. A list as data_list_new makes it.
 * ERR_DENIED common/invalid-parameters. */
enum err data_list_audit(const struct data_admin *admin, struct data_list **out_list) MUST_USE;

/* {"ok","firstBadSeq","firstSeq","head":{"seq","hash"}}: is every record from `fromSeq` to `toSeq` (of the query; the oldest
 * and the newest without them) what was written, and in its place? firstSeq: the oldest that was looked at. head: the
 * newest of all, or null. A list as above. ERR_DENIED common/invalid-parameters. */
enum err data_verify_audit(const struct data_admin *admin, struct data_list **out_list) MUST_USE;

#endif
