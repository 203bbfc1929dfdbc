/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/updater/intake.h"

#include <string.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"

struct intake {
    struct intake_options options;
    struct update_reader *reader; /* NULL: not begun */
    struct update_info info;
    bool has_info;
    bool refused;
    bool whole;
    bool installed;
    uint64_t received;
    struct buf *policy;
};

static const enum bootslot_part part_of[UPDATE_PART_COUNT] = {
    [UPDATE_UKI] = BOOTSLOT_IMAGE, [UPDATE_ROOT] = BOOTSLOT_ROOT, [UPDATE_POLICY] = BOOTSLOT_POLICY};

enum err intake_new(const struct intake_options *options, struct intake **out_intake)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct intake), &memory));
    struct intake *const intake = memory;
    *intake = (struct intake){.options = *options};
    const enum err err = buf_new(IMAGE_POLICY_MAX, &intake->policy);
    if (err != ERR_OK) {
        intake_free(intake);
        return err;
    }
    *out_intake = intake;
    return ERR_OK;
}

void intake_free(struct intake *intake)
{
    if (intake != NULL) {
        update_reader_free(intake->reader);
        buf_free(intake->policy);
        mem_free(intake);
    }
}

/* --- what the reader has verified --- */

static enum err on_header(void *context, const struct update_info *info)
{
    struct intake *const intake = context;
    uint32_t bytes[BOOTSLOT_PARTS] = {0};

    for (size_t i = 0; i < UPDATE_PART_COUNT; i++) {
        bytes[part_of[i]] = info->bytes[i];
    }
    ENSURE(info->bytes[UPDATE_POLICY] <= IMAGE_POLICY_MAX, ERR_RANGE, "a policy that is too long");
    TRY(bootslot_begin(intake->options.slot, span_str(info->version), bytes));
    intake->info = *info;
    intake->has_info = true;
    return ERR_OK;
}

static enum err on_chunk(void *context, enum update_part part, uint32_t offset, struct span bytes)
{
    struct intake *const intake = context;

    if (part == UPDATE_POLICY) {
        TRY(buf_put(intake->policy, bytes));
    }
    TRY(bootslot_write(intake->options.slot, part_of[part], offset, bytes));
    return ERR_OK;
}

/* --- steps --- */

enum err intake_begin(struct intake *intake)
{
    struct update_expect expect = {.board = intake->options.board,
                                   .running = intake->options.running,
                                   .minimum_security = intake->options.security};
    const struct update_sink sink = {.begin = on_header, .chunk = on_chunk, .context = intake};
    struct update_reader *reader = NULL;

    ENSURE(!intake->installed, ERR_STATE, "an update is installed already");
    memcpy(expect.public_key, intake->options.update_key, sizeof(expect.public_key));
    TRY(update_reader_new(&expect, &sink, &reader));
    update_reader_free(intake->reader);
    intake->reader = reader;
    intake->has_info = false;
    intake->refused = false;
    intake->whole = false;
    intake->received = 0;
    buf_reset(intake->policy);
    return ERR_OK;
}

enum err intake_feed(struct intake *intake, struct span bytes)
{
    ENSURE(intake->reader != NULL && !intake->refused && !intake->installed, ERR_STATE, "no update was begun");
    const enum err err = update_reader_feed(intake->reader, bytes);
    intake->refused = err != ERR_OK;
    intake->whole = false;
    TRY(err);
    intake->received += bytes.len;
    intake->whole = update_reader_end(intake->reader) == ERR_OK;
    fault_clear();
    return ERR_OK;
}

enum err intake_policy(struct intake *intake, struct span *out_policy)
{
    struct image_policy policy;
    const struct span file = buf_all(intake->policy);

    ENSURE(intake_phase(intake) == MSG_UPDATE_WHOLE, ERR_STATE, "an update that is not whole");
    TRY(image_policy_read(file, intake->options.policy_key, &policy));
    ENSURE(span_equal(span_str(policy.board), intake->options.board) && policy.security == intake->info.security &&
               strcmp(policy.version, intake->info.version) == 0,
           ERR_CONFLICT, "a policy of another image");
    *out_policy = file;
    return ERR_OK;
}

enum err intake_install(struct intake *intake)
{
    ENSURE(intake_phase(intake) == MSG_UPDATE_WHOLE, ERR_STATE, "an update that is not whole");
    const enum err err = bootslot_commit(intake->options.slot);
    intake->refused = err != ERR_OK;
    TRY(err);
    intake->installed = true;
    return ERR_OK;
}

enum msg_update_phase intake_phase(const struct intake *intake)
{
    if (intake->installed) {
        return MSG_UPDATE_INSTALLED;
    }
    if (intake->reader == NULL || intake->refused) {
        return MSG_UPDATE_NONE;
    }
    return intake->whole ? MSG_UPDATE_WHOLE : MSG_UPDATE_RECEIVING;
}

uint64_t intake_received(const struct intake *intake)
{
    return intake->received;
}

const struct update_info *intake_info(const struct intake *intake)
{
    return intake->has_info ? &intake->info : NULL;
}
