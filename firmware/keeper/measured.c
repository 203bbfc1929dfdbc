/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Opening the box for the image that runs, and finding out why it does not open.
 *
 * What is looked at before the TPM is asked (PCRs, names, signatures) only picks the file and the approval and finds the
 * reason; somebody on the bus can keep the box shut with wrong answers, and no more. The TPM decides by its own record.
 * The order of the reasons is that of their weight: another TPM, another state of Secure Boot, another image, a lost
 * counter, a withdrawn version, and last the PIN, which no person should type into a box that it will not open. */
#include "firmware/keeper/measured.h"

#include <string.h>

#include "crypto/hash.h"
#include "crypto/seal.h"
#include "firmware/keeper/measured_int.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/base/mem.h"

#define CAP_TEXT "rowlock: the root key was given out"

/* The image's policy, if it is the vendor's and for this board. */
static void take_policy(struct measured *measured, struct span policy)
{
    if (policy.len == 0) {
        LOG(LOG_WARN, "image_policy", LOG_LITERAL("state", "missing"));
        return;
    }
    if (image_policy_read(policy, measured->vendor_key, &measured->image) != ERR_OK) {
        log_fault(LOG_WARN, "image_policy_refused");
        return;
    }
    measured->has_image = span_equal(span_str(measured->image.board), span_str(measured->board));
    if (!measured->has_image) {
        LOG(LOG_WARN, "image_policy", LOG_LITERAL("state", "for another board"));
    }
}

enum err measured_new(const struct measured_options *options, struct measured **out_measured)
{
    void *memory = NULL;
    SCOPED_MEASURED struct measured *measured = NULL;

    TRY(mem_alloc(sizeof(struct measured), &memory));
    measured = memory;
    measured->tpm = options->tpm;
    measured->dir = options->dir;
    measured->vendor_key = options->vendor_key;
    measured->board = options->board;
    measured->reason = LIFE_REASON_PCR_CHANGED;
    TRY(random_new(SPAN_NONE, &measured->random));
    take_policy(measured, options->policy);
    *out_measured = TAKE(measured);
    return ERR_OK;
}

void measured_forget_keys(struct measured *measured)
{
    struct secret **const secrets[] = {&measured->root, &measured->box, &measured->owner_auth, &measured->pin};

    for (size_t i = 0; i < ARRAY_LENGTH(secrets); i++) {
        secret_free(*secrets[i]);
        *secrets[i] = NULL;
    }
}

void measured_free(struct measured *measured)
{
    if (measured != NULL) {
        measured_forget_keys(measured);
        random_free(measured->random);
        mem_free(measured);
    }
}

static enum err copy_of(const struct secret *secret, struct secret **out_copy)
{
    return secret_new_copy(secret_reveal(secret), out_copy);
}

static enum err take_keys(struct measured *measured, const struct measured_keys *keys)
{
    TRY(copy_of(keys->root, &measured->root));
    TRY(copy_of(keys->box, &measured->box));
    TRY(copy_of(keys->owner_auth, &measured->owner_auth));
    if (keys->pin.len != 0) {
        TRY(secret_new_copy(keys->pin, &measured->pin));
    }
    return ERR_OK;
}

enum err measured_take_keys(struct measured *measured, const struct measured_keys *keys)
{
    measured_forget_keys(measured);
    const enum err err = take_keys(measured, keys);
    if (err != ERR_OK) {
        measured_forget_keys(measured);
    }
    return err;
}

bool measured_wants_pin(const struct measured *measured)
{
    return measured->info.wants_pin;
}

enum life_reason measured_reason(const struct measured *measured)
{
    return measured->reason;
}

/* --- what is measured now --- */

static void cap_digest(uint8_t out_digest[HAL_TPM_DIGEST_BYTES])
{
    sha256(span_lit(CAP_TEXT), out_digest);
}

/* PCR 11 of a capped value. */
static void after_cap(const uint8_t *value, uint8_t out_value[HAL_TPM_DIGEST_BYTES])
{
    uint8_t text[2 * HAL_TPM_DIGEST_BYTES];

    memcpy(text, value, HAL_TPM_DIGEST_BYTES);
    cap_digest(text + HAL_TPM_DIGEST_BYTES);
    sha256(span_array(text), out_value);
}

/* A keeper before this one has capped it, and there was no reset since: told by the image's own values. */
static void see_through_cap(struct measured *measured)
{
    uint8_t capped[HAL_TPM_DIGEST_BYTES];

    for (size_t i = 0; measured->has_image && i < measured->image.pcr11_count; i++) {
        after_cap(measured->image.pcr11[i], capped);
        if (span_equal(span_array(capped), span_array(measured->pcr11))) {
            memcpy(measured->pcr11, measured->image.pcr11[i], HAL_TPM_DIGEST_BYTES);
            measured->capped = true;
            return;
        }
    }
}

/* For who has to find out why a box does not open, or what a change of Secure Boot has led to. */
static void log_measurements(const struct measured *measured)
{
    char pcr7[HEX_BYTES(HAL_TPM_DIGEST_BYTES)];
    char pcr11[HEX_BYTES(HAL_TPM_DIGEST_BYTES)];

    hex_encode(span_array(measured->pcr7), pcr7);
    hex_encode(span_array(measured->pcr11), pcr11);
    LOG(LOG_INFO, "measured", LOG_TEXT("pcr7", span_array(pcr7)), LOG_TEXT("pcr11", span_array(pcr11)));
}

enum err measured_look(struct measured *measured)
{
    ENSURE(measured->tpm != NULL, ERR_NO_DEVICE, "no TPM has measured anything");
    TRY(hal_tpm_pcr_read(measured->tpm, BOX_SEAL_PCR, measured->pcr7));
    if (!measured->capped) {
        TRY(hal_tpm_pcr_read(measured->tpm, APPROVAL_PCR, measured->pcr11));
        see_through_cap(measured);
    }
    log_measurements(measured);
    return ERR_OK;
}

bool measured_is_vendors(const struct measured *measured)
{
    bool listed = false;

    for (size_t i = 0; measured->has_image && i < measured->image.pcr11_count; i++) {
        listed = listed || span_equal(span_array(measured->image.pcr11[i]), span_array(measured->pcr11));
    }
    return listed;
}

enum err measured_may_provision(struct measured *measured)
{
    TRY(measured_look(measured));
    measured->reason = LIFE_REASON_IMAGE_CHANGED;
    ENSURE(measured_is_vendors(measured), ERR_POLICY, "the running image is not one that the vendor has signed");
    return ERR_OK;
}

enum err measured_cap(struct measured *measured)
{
    uint8_t digest[HAL_TPM_DIGEST_BYTES];

    if (!measured->capped) {
        cap_digest(digest);
        TRY(hal_tpm_pcr_extend(measured->tpm, APPROVAL_PCR, digest));
        measured->capped = true;
    }
    return ERR_OK;
}

/* --- files --- */

enum err measured_file_read(const struct measured *measured, const char *name, struct buf **out_file,
                            struct box_seal_info *out_info)
{
    SCOPED_BUF struct buf *file = NULL;

    TRY(buf_new(BOX_SEAL_FILE_MAX, &file));
    TRY(datadir_read(measured->dir, name, file));
    TRY(box_seal_read(buf_all(file), out_info));
    *out_file = TAKE(file);
    return ERR_OK;
}

void measured_approval_of(const struct box_seal_facts *facts, const struct approval_entry *entry,
                          struct hal_tpm_approval *out_approval)
{
    const struct approval_subject subject = {entry->pcr11, &facts->counter.name, entry->counter_max};

    approval_of(&subject, entry->signature, out_approval);
}

enum err measured_approvals(const struct measured *measured, const struct box_seal_facts *facts,
                            struct approvals *out_good)
{
    SCOPED_BUF struct buf *file = NULL;
    struct approvals all = {.count = 0};
    struct hal_tpm_authority authority;
    struct hal_tpm_approval approval;

    out_good->count = 0;
    TRY(buf_new(APPROVALS_FILE_MAX, &file));
    if (datadir_read(measured->dir, FILE_APPROVALS, file) != ERR_OK || approvals_read(buf_all(file), &all) != ERR_OK) {
        log_fault(LOG_WARN, "no_approvals");
        return ERR_OK;
    }
    box_seal_authority(facts, &authority);
    for (size_t i = 0; i < all.count; i++) {
        measured_approval_of(facts, &all.entries[i], &approval);
        if (approval_check(&authority, &approval) == ERR_OK) {
            out_good->entries[out_good->count++] = all.entries[i];
        }
    }
    fault_clear();
    return ERR_OK;
}

/* --- opening --- */

/* A way to the root key: a file, and the approval of the running image. */
struct way {
    struct buf *file;
    struct box_seal_info info;
    bool planned; /* it is root.next */
    struct approval_entry entry;
};

static void way_done(struct way *way)
{
    buf_free(way->file);
}

static bool fits_boot_state(const struct measured *measured, const struct box_seal_info *info)
{
    return span_equal(span_array(info->pcr7), span_array(measured->pcr7));
}

/* root.seal, or root.next where only that one is for the present state of Secure Boot. */
static enum err find_file(struct measured *measured, struct way *out_way)
{
    SCOPED_BUF struct buf *next = NULL;
    struct box_seal_info info;

    TRY(measured_file_read(measured, FILE_ROOT, &out_way->file, &out_way->info));
    if (fits_boot_state(measured, &out_way->info) || !datadir_has(measured->dir, FILE_NEXT)) {
        return ERR_OK;
    }
    if (measured_file_read(measured, FILE_NEXT, &next, &info) != ERR_OK) {
        log_fault(LOG_WARN, "planned_seal_damaged");
    } else if (fits_boot_state(measured, &info)) {
        buf_free(out_way->file);
        out_way->file = TAKE(next);
        out_way->info = info;
        out_way->planned = true;
    }
    return ERR_OK;
}

static enum err check_tpm(const struct measured *measured, const struct hal_tpm_name *srk)
{
    struct hal_tpm_name found;
    const enum err err = hal_tpm_srk_name(measured->tpm, &found);

    ENSURE(err != ERR_NOT_FOUND, ERR_STALE_KEY, "the SRK is gone: another TPM, or a cleared one");
    TRY(err);
    ENSURE(span_equal(span_array(found.bytes), span_array(srk->bytes)), ERR_STALE_KEY, "not the pinned SRK");
    return ERR_OK;
}

/* Images can share a value of PCR 11, where nothing measures them: the one of the running image's version is its own. */
static bool find_approval(const struct measured *measured, const struct approvals *good, struct approval_entry *out_entry)
{
    const struct approval_entry *best = NULL;

    for (size_t i = 0; i < good->count; i++) {
        const struct approval_entry *const entry = &good->entries[i];
        const bool own = measured->has_image && entry->security == measured->image.security;

        if (span_equal(span_array(entry->pcr11), span_array(measured->pcr11)) &&
            (best == NULL || own || entry->counter_max > best->counter_max)) {
            best = entry;
        }
        if (best == entry && own) {
            break;
        }
    }
    if (best != NULL) {
        *out_entry = *best;
    }
    return best != NULL;
}

/* The counter against the running image. */
static enum err check_counter(struct measured *measured, const struct box_seal_info *info, uint64_t counter_max)
{
    struct hal_tpm_counter counter;
    const enum err err = hal_tpm_counter_read(measured->tpm, &info->srk, &counter);

    if (err == ERR_NOT_FOUND || err == ERR_CONFLICT) {
        measured->reason = LIFE_REASON_COUNTER_CHANGED;
        FAIL(ERR_POLICY, "the counter is gone, or is another", err);
    }
    TRY(err);
    if (!span_equal(span_array(counter.name.bytes), span_array(info->facts.counter.name.bytes))) {
        measured->reason = LIFE_REASON_COUNTER_CHANGED;
        FAIL(ERR_POLICY, "the counter is another", 0);
    }
    if (counter.value > counter_max) {
        measured->reason = LIFE_REASON_VERSION_REVOKED;
        FAIL(ERR_POLICY, "the image is below the minimum", counter.value - counter_max);
    }
    return ERR_OK;
}

/* An image without an approval: the vendor's own word may say that it is too old. */
static enum err explain_unknown_image(struct measured *measured, const struct box_seal_info *info)
{
    measured->reason = LIFE_REASON_IMAGE_CHANGED;
    if (measured_is_vendors(measured)) {
        const uint32_t security = measured->image.security;

        if (security < info->facts.security) {
            measured->reason = LIFE_REASON_VERSION_REVOKED;
            FAIL(ERR_POLICY, "the image is below the minimum", security);
        }
        TRY(check_counter(measured, info, box_seal_counter_max(&info->facts, security)));
    }
    FAIL(ERR_POLICY, "the box has not approved the image", 0);
}

static enum err find_way(struct measured *measured, struct way *out_way)
{
    struct approvals good = {.count = 0};

    TRY(find_file(measured, out_way));
    TRY(check_tpm(measured, &out_way->info.srk));
    measured->reason = LIFE_REASON_SECURE_BOOT_CHANGED;
    ENSURE(fits_boot_state(measured, &out_way->info), ERR_POLICY, "the state of Secure Boot is another");
    TRY(measured_approvals(measured, &out_way->info.facts, &good));
    if (!find_approval(measured, &good, &out_way->entry)) {
        return explain_unknown_image(measured, &out_way->info);
    }
    measured->reason = LIFE_REASON_PCR_CHANGED;
    return ERR_OK;
}

static enum err open_way(struct measured *measured, const struct way *way, struct span pin, struct secret **out_root)
{
    struct hal_tpm_approval approval;

    if (way->info.wants_pin && pin.len == 0) {
        TRY(check_counter(measured, &way->info, way->entry.counter_max));
    }
    measured_approval_of(&way->info.facts, &way->entry, &approval);
    const enum err err = box_seal_open(measured->tpm, buf_all(way->file), &approval, pin, out_root);
    if (err == ERR_POLICY) {
        TRY(check_counter(measured, &way->info, way->entry.counter_max));
    }
    return err;
}

/* The planned change has come: what was sealed for the state before must not open any more. Where the disk refuses, the
 * next start tries again. */
static void make_first(struct measured *measured, const struct way *way)
{
    LOG(LOG_INFO, "secure_boot_changed", LOG_LITERAL("as", "planned"));
    if (datadir_write(measured->dir, FILE_ROOT, buf_all(way->file)) != ERR_OK ||
        datadir_remove(measured->dir, FILE_NEXT) != ERR_OK) {
        log_fault(LOG_WARN, "planned_seal_not_made_first");
    }
}

enum err measured_open(struct measured *measured, struct span pin, struct secret **out_root, struct hal_tpm_name *out_srk)
{
    SCOPED(way_done) struct way way = {.file = NULL};
    SCOPED_SECRET struct secret *root = NULL;

    measured->sealed = false;
    TRY(measured_look(measured));
    TRY(find_way(measured, &way));
    TRY(open_way(measured, &way, pin, &root));
    TRY(measured_cap(measured));
    if (way.planned) {
        make_first(measured, &way);
    }
    measured->info = way.info;
    measured->counter_max = way.entry.counter_max;
    measured->sealed = true;
    *out_srk = way.info.srk;
    *out_root = TAKE(root);
    return ERR_OK;
}
