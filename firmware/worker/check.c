/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/worker/check.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "hal/base/log.h"

/* One line for each finding. */
static void on_damage(void *context, const struct data_damage *damage)
{
    char row[24] = {0};

    (void)context;
    memcpy(row, damage->row.data != NULL ? (const char *)damage->row.data : "",
           damage->row.len < 24 ? damage->row.len : 24);
    (void)dprintf(STDOUT_FILENO, "damaged: %s table %u index %u row %.24s\n", damage->kind, damage->table,
                  damage->index,
                  damage->row.len == 24 ? row : "-"); /* nobody reads it: the count is told all the same */
}

enum err check_tell(const struct data_config *config, struct msg_channel *control)
{
    struct data_check_report report = {0};
    struct msg msg = MSG_NEW(MSG_WORKER_CHECKED);

    const enum err err = data_check(config, on_damage, NULL, &report);
    if (err != ERR_OK) {
        log_fault(LOG_ERROR, "check_failed");
    } else {
        (void)dprintf(STDOUT_FILENO, "checked: %llu tables, %llu rows, %llu index entries, %llu damaged\n",
                      (unsigned long long)report.tables, (unsigned long long)report.rows,
                      (unsigned long long)report.entries, (unsigned long long)report.damaged); /* as above */
    }
    msg.as.worker_checked.err = (uint32_t)err;
    msg.as.worker_checked.findings = report.damaged > UINT32_MAX ? UINT32_MAX : (uint32_t)report.damaged;
    return msg_send(control, &msg);
}
