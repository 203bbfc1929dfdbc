/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Deleting a project, for operators. One transaction takes away everything by which anything of it can be read or reached:
 * the keys of its tables and of its users' tables, the records, and, right after the commit, the keys that signed its
 * tokens. What is left is ciphertext that nobody can open; the store deletes it afterwards, in steps (txn_clear.c). Power
 * that fails before the commit leaves the project, after it none of it: the next start goes on with the rest.
 *
 * Of its API keys the digests stay for a while, so that whoever still sends one is told why. Spec: contract 6, 9.3. */
#include <string.h>

#include "firmware/data/data_int.h"
#include "firmware/data/doc.h"
#include "firmware/data/operators.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"

/* One environment of the project. False: there is none left. */
static bool any_environment(const struct catalog *catalog, struct span project_id, char out_id[AUTH_UUID_BYTES])
{
    const struct catalog_record *record = NULL;
    size_t cursor = 0;

    while ((record = catalog_next(catalog, CATALOG_ENVIRONMENT, &cursor)) != NULL) {
        if (span_equal(record->parent, project_id)) {
            memcpy(out_id, record->id.data, AUTH_UUID_BYTES);
            return true;
        }
    }
    return false;
}

enum err data_project_delete(struct data_txn *txn, struct data_call *call)
{
    const struct span id = call->table;
    const struct log_field fields[] = {LOG_TEXT("project", id)};
    const struct catalog_project *project = catalog_project(data_txn_catalog(txn), id);
    char environment[AUTH_UUID_BYTES];

    if (project == NULL) {
        return refuse(&call->refusal, REFUSAL_COMMON_NOT_FOUND, "There is no such project");
    }
    TRY(data_txn_confirm(call, doc_text(project->record.doc, span_lit("name"))));
    TRY(data_txn_answer_success(call));
    TRY(apikeys_strip(txn, id));
    while (any_environment(data_txn_catalog(txn), id, environment)) { /* ends: each round forgets one */
        TRY(environment_forget(txn, span_array(environment)));
    }
    TRY(record_delete(txn, catalog_find(data_txn_catalog(txn), CATALOG_PROJECT, id)));
    TRY(apikeys_forget_ended(txn, SPAN_NONE));
    log_event(LOG_INFO, "project_deleted", fields, ARRAY_LENGTH(fields));
    return ERR_OK;
}
