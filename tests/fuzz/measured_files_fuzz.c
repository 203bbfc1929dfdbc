/* SPDX-License-Identifier: GPL-3.0-or-later */
/* root.seal and approvals of a measured board: no file that somebody wrote is read outside its end, and what is read is
 * written again as the same bytes. */
#include "crypto/box_seal.h"
#include "firmware/keeper/approvals.h"
#include "tests/fuzz/fuzz.h"

static void look_at_approvals(struct span file)
{
    struct approvals approvals;
    SCOPED_BUF struct buf *again = NULL;
    const enum err err = approvals_read(file, &approvals);

    FUZZ_CHECK(err == ERR_OK || err == ERR_MALFORMED || err == ERR_VERSION);
    if (err == ERR_OK) {
        FUZZ_CHECK(approvals.count <= APPROVALS_MAX);
        FUZZ_CHECK(buf_new(APPROVALS_FILE_MAX, &again) == ERR_OK);
        FUZZ_CHECK(approvals_write(&approvals, again) == ERR_OK && span_equal(buf_all(again), file));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct box_seal_info info;
    struct hal_tpm_authority authority;

    fault_clear();
    look_at_approvals(span_of(data, size));
    const enum err err = box_seal_read(span_of(data, size), &info);
    FUZZ_CHECK(err == ERR_OK || err == ERR_MALFORMED || err == ERR_VERSION);
    if (err == ERR_OK) {
        box_seal_authority(&info.facts, &authority);
    }
    return 0;
}
