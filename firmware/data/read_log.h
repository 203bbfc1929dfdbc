/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who was shown which row of a table whose policy sets auditReads: a line of the security log for each row of an answer, with
 * the requester and the row's id, never its contents. Spec: contract 9.1. */
#ifndef FIRMWARE_DATA_READ_LOG_H
#define FIRMWARE_DATA_READ_LOG_H

#include "firmware/rls/rls.h"
#include "storage/row.h"

/* Does nothing for a table that does not ask for it. Does not block. */
void read_log_row(const struct rls_bound *rls, const struct row *row);

#endif
