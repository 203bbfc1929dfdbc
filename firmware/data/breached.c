/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The list of breached passwords. One that cannot be opened is logged as an error and counts as none: a box whose users
 * cannot get in is worse than a weak password. One that was opened and cannot be read fails whoever chooses a password. */
#include "firmware/data/people_int.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"

enum err breached_open(const char *directory, struct linefile **out_list)
{
    const enum err err = linefile_open(directory, DATA_BREACHED_FILE, out_list);

    if (err == ERR_NOT_FOUND) {
        fault_clear();
        return ERR_OK;
    }
    if (err != ERR_OK && err != ERR_NO_MEMORY) {
        log_fault(LOG_ERROR, "breached_list_not_opened");
        return ERR_OK;
    }
    TRY(err);
    log_event(LOG_INFO, "breached_list_opened", NULL, 0);
    return ERR_OK;
}

enum err data_password_breached(const struct data_reader *reader, struct span password, bool *out_found)
{
    const struct linefile *list = reader->data->breached;

    *out_found = false;
    return list == NULL ? ERR_OK : linefile_has(list, password, out_found);
}
