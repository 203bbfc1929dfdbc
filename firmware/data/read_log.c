/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/data/read_log.h"

#include "firmware/data/policy_who.h"
#include "hal/base/log.h"

void read_log_row(const struct rls_bound *rls, const struct row *row)
{
    char id[ROW_ID_TEXT_BYTES];

    if (!rls->settings.audit_reads) {
        return;
    }
    row_id_format(row->id, id);
    LOG(LOG_INFO, "row_read", LOG_TEXT("table", rls->table.name), LOG_TEXT("row", span_of(id, sizeof id)),
        LOG_LITERAL("group", policy_group_name(rls->who.group)), LOG_TEXT("user", rls->who.id));
}
