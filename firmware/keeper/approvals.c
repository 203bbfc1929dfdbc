/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/keeper/approvals.h"

#include <string.h>

#include "hal/base/fault.h"
#include "hal/base/num.h"

#define FORMAT_VERSION 1
#define ENTRY_BYTES (HAL_TPM_DIGEST_BYTES + 4 + 8 + HAL_TPM_SIGNATURE_BYTES)

_Static_assert(6 + APPROVALS_MAX * ENTRY_BYTES <= APPROVALS_FILE_MAX, "the longest file");

static const uint8_t magic[4] = {'R', 'L', 'A', 'P'};

void approvals_put(struct approvals *approvals, const struct approval_entry *entry)
{
    const size_t kept = num_min(approvals->count, APPROVALS_MAX - 1);

    memmove(&approvals->entries[1], &approvals->entries[0], kept * sizeof(approvals->entries[0]));
    approvals->entries[0] = *entry;
    approvals->count = kept + 1;
}

enum err approvals_write(const struct approvals *approvals, struct buf *out_file)
{
    INVARIANT(approvals->count <= APPROVALS_MAX);
    TRY(buf_put(out_file, span_array(magic)));
    TRY(buf_put_u8(out_file, FORMAT_VERSION));
    TRY(buf_put_u8(out_file, (uint8_t)approvals->count));
    for (size_t i = 0; i < approvals->count; i++) {
        const struct approval_entry *const entry = &approvals->entries[i];

        TRY(buf_put(out_file, span_array(entry->pcr11)));
        TRY(buf_put_u32be(out_file, entry->security));
        TRY(buf_put_u64be(out_file, entry->counter_max));
        TRY(buf_put(out_file, span_array(entry->signature)));
    }
    return ERR_OK;
}

static enum err get_entry(struct reader *reader, struct approval_entry *out_entry)
{
    struct span part = SPAN_NONE;

    TRY(reader_get(reader, sizeof(out_entry->pcr11), &part));
    memcpy(out_entry->pcr11, part.data, part.len);
    TRY(reader_get_u32be(reader, &out_entry->security));
    TRY(reader_get_u64be(reader, &out_entry->counter_max));
    TRY(reader_get(reader, sizeof(out_entry->signature), &part));
    memcpy(out_entry->signature, part.data, part.len);
    return ERR_OK;
}

enum err approvals_read(struct span file, struct approvals *out_approvals)
{
    struct reader reader = reader_of(file);
    struct approvals approvals = {.count = 0};
    struct span found = SPAN_NONE;
    uint8_t version = 0;
    uint8_t count = 0;

    TRY(reader_get(&reader, sizeof(magic), &found));
    TRY(reader_get_u8(&reader, &version));
    TRY(reader_get_u8(&reader, &count));
    ENSURE(span_equal(found, span_array(magic)), ERR_MALFORMED, "not a file of approvals");
    ENSURE(version == FORMAT_VERSION, ERR_VERSION, "approvals of a later format");
    ENSURE(count <= APPROVALS_MAX && reader.rest.len == (size_t)count * ENTRY_BYTES, ERR_MALFORMED,
           "number of approvals");
    for (size_t i = 0; i < count; i++) {
        TRY(get_entry(&reader, &approvals.entries[i]));
    }
    approvals.count = count;
    *out_approvals = approvals;
    return ERR_OK;
}
