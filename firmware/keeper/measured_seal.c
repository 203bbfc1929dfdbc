/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sealing for what is measured now, and what an open box does for images to come: approving, raising the minimum,
 * preparing a change of Secure Boot.
 *
 * The minimum is not written anywhere: it is the security version of the facts and as many more as the counter has gone
 * up since. So there is nothing to be kept in step with the TPM, and nothing to be put back. */
#include "firmware/keeper/measured.h"

#include <string.h>

#include "crypto/seal.h"
#include "firmware/keeper/measured_int.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/base/num.h"

/* --- signatures --- */

static enum err signer_make(struct measured *measured, struct signer **out_signer)
{
    return signer_new(measured->box, measured->random, out_signer);
}

static void public_of(const struct signer *signer, uint8_t out_key[HAL_TPM_POINT_BYTES])
{
    uint8_t point[SIGN_PUBLIC_BYTES];

    signer_public(signer, point);
    memcpy(out_key, point + 1, HAL_TPM_POINT_BYTES);
}

/* What is to be signed for: a value of PCR 11, and the security version of the image that has it. */
struct wish {
    const uint8_t *pcr11;
    uint32_t security;
};

static enum err sign_one(struct signer *signer, const struct box_seal_facts *facts, struct wish wish,
                         struct approvals *approvals)
{
    struct approval_entry entry = {.security = wish.security,
                                   .counter_max = box_seal_counter_max(facts, wish.security)};
    const struct approval_subject subject = {wish.pcr11, &facts->counter.name, entry.counter_max};
    struct hal_tpm_authority authority;
    struct hal_tpm_approval approval;

    box_seal_authority(facts, &authority);
    TRY(approval_sign(signer, &authority, &subject, &approval));
    memcpy(entry.pcr11, wish.pcr11, sizeof(entry.pcr11));
    memcpy(entry.signature, approval.signature, sizeof(entry.signature));
    approvals_put(approvals, &entry);
    return ERR_OK;
}

/* Every value of an image. */
static enum err sign_image(struct signer *signer, const struct box_seal_facts *facts, const struct image_policy *image,
                           struct approvals *approvals)
{
    for (size_t i = 0; i < image->pcr11_count; i++) {
        TRY(sign_one(signer, facts, (struct wish){image->pcr11[i], image->security}, approvals));
    }
    return ERR_OK;
}

static enum err approvals_save(const struct measured *measured, const struct approvals *approvals)
{
    SCOPED_BUF struct buf *file = NULL;

    TRY(buf_new(APPROVALS_FILE_MAX, &file));
    TRY(approvals_write(approvals, file));
    return datadir_write(measured->dir, FILE_APPROVALS, buf_all(file));
}

static bool has_value(const struct image_policy *image, const uint8_t *pcr11)
{
    bool found = false;

    for (size_t i = 0; i < image->pcr11_count; i++) {
        found = found || span_equal(span_array(image->pcr11[i]), span_of(pcr11, HAL_TPM_DIGEST_BYTES));
    }
    return found;
}

static bool is_running(const struct measured *measured, const struct approval_entry *entry)
{
    return span_equal(span_array(entry->pcr11), span_array(measured->pcr11)) &&
           entry->counter_max == measured->counter_max;
}

/* The order is that in which they would go for want of room: the running image's and the new ones never. */
static enum err keep_and_sign(struct measured *measured, const struct image_policy *image, const struct approvals *old,
                              struct approvals *out_new)
{
    SCOPED_SIGNER struct signer *signer = NULL;

    TRY(signer_make(measured, &signer));
    for (size_t i = old->count; i > 0; i--) {
        const struct approval_entry *const entry = &old->entries[i - 1];
        const bool replaced = entry->security == image->security && has_value(image, entry->pcr11);

        if (!replaced && !is_running(measured, entry)) {
            approvals_put(out_new, entry);
        }
    }
    for (size_t i = old->count; i > 0; i--) {
        if (is_running(measured, &old->entries[i - 1])) {
            approvals_put(out_new, &old->entries[i - 1]);
        }
    }
    return sign_image(signer, &measured->info.facts, image, out_new);
}

/* --- sealing --- */

/* What the sealing before says, if it can be believed. */
struct past {
    bool known; /* the box's key has signed for these facts */
    bool same_counter;
    struct box_seal_info info;
};

static enum err look_back(struct measured *measured, const struct hal_tpm_name *srk, const uint8_t *box_key,
                          struct past *out_past)
{
    SCOPED_BUF struct buf *file = NULL;
    struct hal_tpm_counter counter;

    measured->before.count = 0;
    if (measured_file_read(measured, FILE_ROOT, &file, &out_past->info) != ERR_OK) {
        fault_clear(); /* the first sealing, or a damaged one */
        return ERR_OK;
    }
    const struct box_seal_facts *const facts = &out_past->info.facts;
    if (!span_equal(span_array(facts->key), span_of(box_key, HAL_TPM_POINT_BYTES))) {
        return ERR_OK;
    }
    TRY(measured_approvals(measured, facts, &measured->before));
    out_past->known = measured->before.count > 0;
    out_past->same_counter = span_equal(span_array(out_past->info.srk.bytes), span_array(srk->bytes)) &&
                             hal_tpm_counter_read(measured->tpm, srk, &counter) == ERR_OK;
    fault_clear();
    return ERR_OK;
}

/* Below which no image is sealed for; 0: nothing is known. On the same counter it is what the TPM remembers; a counter that
 * was lost takes with it what was raised since the sealing. It is never above the highest version that was approved. */
static uint32_t minimum_after(const struct past *past, const struct approvals *before,
                              const struct hal_tpm_counter *counter)
{
    const struct box_seal_facts *const facts = &past->info.facts;
    uint32_t highest = facts->security;
    uint64_t raised = 0;

    if (!past->known) {
        return 0;
    }
    for (size_t i = 0; i < before->count; i++) {
        const uint32_t security = before->entries[i].security;

        highest = security > highest ? security : highest;
    }
    if (past->same_counter && counter->value > facts->counter.value) {
        raised = counter->value - facts->counter.value;
    }
    return raised > highest - facts->security ? highest : facts->security + (uint32_t)raised;
}

static bool is_signed_anyway(const struct measured *measured, const struct approval_entry *entry, struct wish running)
{
    const bool same = span_equal(span_array(entry->pcr11), span_of(running.pcr11, HAL_TPM_DIGEST_BYTES));

    return entry->security == running.security &&
           (same || (measured_is_vendors(measured) && has_value(&measured->image, entry->pcr11)));
}

/* On new facts: what was approved before and is not below the minimum, then the running image. */
static enum err sign_anew(struct measured *measured, struct signer *signer, struct wish running,
                          struct approvals *out_approvals)
{
    const struct box_seal_facts *const facts = &measured->info.facts;

    for (size_t i = measured->before.count; i > 0; i--) {
        const struct approval_entry *const entry = &measured->before.entries[i - 1];

        if (entry->security >= facts->security && !is_signed_anyway(measured, entry, running)) {
            TRY(sign_one(signer, facts, (struct wish){entry->pcr11, entry->security}, out_approvals));
        }
    }
    if (measured_is_vendors(measured)) {
        TRY(sign_image(signer, facts, &measured->image, out_approvals));
    } else {
        TRY(sign_one(signer, facts, running, out_approvals));
    }
    measured->counter_max = box_seal_counter_max(facts, running.security);
    return ERR_OK;
}

/* Behind the new ones, so that root.seal as it still is opens if the power goes before it is replaced. */
static void keep_behind(const struct approvals *old, struct approvals *approvals)
{
    for (size_t i = 0; i < old->count && approvals->count < APPROVALS_MAX; i++) {
        approvals->entries[approvals->count++] = old->entries[i];
    }
}

static enum err file_write(struct measured *measured, const char *name, const uint8_t *pcr7)
{
    SCOPED_BUF struct buf *file = NULL;
    const struct box_seal_subject subject = {
        .srk = &measured->info.srk,
        .facts = &measured->info.facts,
        .pcr7 = pcr7,
        .pin = measured->pin == NULL ? SPAN_NONE : secret_reveal(measured->pin),
    };

    TRY(buf_new(BOX_SEAL_FILE_MAX, &file));
    TRY(box_seal_create(measured->tpm, &subject, measured->random, measured->root, file));
    return datadir_write(measured->dir, name, buf_all(file));
}

static enum err write_all(struct measured *measured, struct signer *signer, struct wish running)
{
    struct approvals approvals = {.count = 0};

    TRY(sign_anew(measured, signer, running, &approvals));
    keep_behind(&measured->before, &approvals);
    TRY(approvals_save(measured, &approvals));
    TRY(file_write(measured, FILE_ROOT, NULL));
    if (datadir_has(measured->dir, FILE_NEXT)) {
        TRY(datadir_remove(measured->dir, FILE_NEXT)); /* on the facts before: it opens no more */
    }
    return ERR_OK;
}

static enum err counter_make(struct measured *measured, const struct hal_tpm_name *srk, enum measured_owner owner,
                             struct hal_tpm_counter *out_counter)
{
    const struct span auth = owner == MEASURED_OWNED ? secret_reveal(measured->owner_auth) : SPAN_NONE;

    return hal_tpm_counter_make(measured->tpm, srk, auth, out_counter);
}

static enum err seal_now(struct measured *measured, const struct hal_tpm_name *srk, enum measured_owner owner)
{
    SCOPED_SIGNER struct signer *signer = NULL;
    struct past past = {.known = false};
    struct box_seal_info info = {.srk = *srk, .wants_pin = measured->pin != NULL};

    TRY(measured_look(measured));
    TRY(signer_make(measured, &signer));
    public_of(signer, info.facts.key);
    TRY(look_back(measured, srk, info.facts.key, &past));
    const enum err made = counter_make(measured, srk, owner, &info.facts.counter);
    if (made == ERR_CONFLICT && owner == MEASURED_OWNED) {
        log_fault(LOG_WARN, "not_sealed_without_counter");
        return ERR_OK;
    }
    TRY(made);
    const uint32_t minimum = minimum_after(&past, &measured->before, &info.facts.counter);
    const uint32_t security = measured_is_vendors(measured) ? measured->image.security : (minimum == 0 ? 1 : minimum);
    if (security < minimum) {
        LOG(LOG_WARN, "not_sealed_for_image", LOG_NUMBER("security", security), LOG_NUMBER("minimum", minimum));
        return ERR_OK;
    }
    if (!measured_is_vendors(measured)) {
        LOG(LOG_WARN, "sealed_for_unsigned_image", LOG_NUMBER("security", security));
    }
    random_fill(measured->random, info.facts.nonce, sizeof(info.facts.nonce));
    info.facts.security = minimum == 0 ? security : minimum;
    measured->info = info;
    TRY(write_all(measured, signer, (struct wish){measured->pcr11, security}));
    measured->sealed = true;
    return ERR_OK;
}

enum err measured_seal(struct measured *measured, const struct hal_tpm_name *srk, enum measured_owner owner)
{
    measured->sealed = false;
    TRY(seal_now(measured, srk, owner));
    return measured_cap(measured);
}

/* --- while the box is open --- */

static enum err check_open(const struct measured *measured)
{
    ENSURE(measured->root != NULL && measured->sealed, ERR_STATE, "the box is not open, or not sealed for this image");
    return ERR_OK;
}

static enum err minimum_now(struct measured *measured, struct hal_tpm_counter *out_counter, uint64_t *out_minimum)
{
    const struct box_seal_facts *const facts = &measured->info.facts;

    TRY(hal_tpm_counter_read(measured->tpm, &measured->info.srk, out_counter));
    ENSURE(out_counter->value >= facts->counter.value, ERR_CONFLICT, "the counter went down");
    *out_minimum = facts->security + (out_counter->value - facts->counter.value);
    return ERR_OK;
}

static enum err approve_image(struct measured *measured, const struct image_policy *image)
{
    struct approvals old = {.count = 0};
    struct approvals approvals = {.count = 0};

    TRY(measured_approvals(measured, &measured->info.facts, &old));
    TRY(keep_and_sign(measured, image, &old, &approvals));
    return approvals_save(measured, &approvals);
}

enum err measured_approve(struct measured *measured, struct span policy)
{
    struct image_policy image;
    struct hal_tpm_counter counter;
    uint64_t minimum = 0;

    TRY(check_open(measured));
    TRY(image_policy_read(policy, measured->vendor_key, &image));
    ENSURE(span_equal(span_str(image.board), span_str(measured->board)), ERR_CONFLICT, "an image for another board");
    TRY(minimum_now(measured, &counter, &minimum));
    ENSURE(image.security >= minimum, ERR_REVOKED, "an image below the minimum");
    ENSURE(image.security - minimum <= MEASURED_JUMP_MAX, ERR_RANGE, "an image too far above the minimum");
    TRY(approve_image(measured, &image));
    LOG(LOG_INFO, "image_approved", LOG_TEXT("version", span_str(image.version)), LOG_NUMBER("security", image.security));
    return ERR_OK;
}

enum err measured_bless(struct measured *measured, uint32_t *out_minimum)
{
    struct hal_tpm_counter counter;
    uint64_t minimum = 0;

    TRY(check_open(measured));
    TRY(minimum_now(measured, &counter, &minimum));
    const uint64_t before = minimum;
    for (size_t i = 0; i < MEASURED_JUMP_MAX && counter.value < measured->counter_max; i++) {
        TRY(hal_tpm_counter_step(measured->tpm, &measured->info.srk, secret_reveal(measured->owner_auth), &counter));
        minimum++;
    }
    LOG(LOG_INFO, "image_blessed", LOG_NUMBER("minimum_before", before), LOG_NUMBER("minimum", minimum));
    *out_minimum = (uint32_t)minimum;
    return ERR_OK;
}

enum err measured_read_plan(const struct measured *measured, struct span plan, struct boot_plan *out_plan)
{
    struct boot_plan read;

    TRY(boot_plan_read(plan, measured->vendor_key, &read));
    ENSURE(span_equal(span_str(read.board), span_str(measured->board)), ERR_CONFLICT, "a plan for another board");
    *out_plan = read;
    return ERR_OK;
}

static void log_plan(const struct boot_plan *plan)
{
    char pcr7[HEX_BYTES(HAL_TPM_DIGEST_BYTES)];

    hex_encode(span_array(plan->pcr7), pcr7);
    LOG(LOG_INFO, "secure_boot_change_planned", LOG_NUMBER("serial", plan->serial), LOG_TEXT("pcr7", span_array(pcr7)));
}

enum err measured_plan(struct measured *measured, struct span plan)
{
    struct hal_tpm_counter counter;
    struct boot_plan read;
    uint64_t minimum = 0;

    TRY(check_open(measured));
    TRY(measured_read_plan(measured, plan, &read));
    TRY(minimum_now(measured, &counter, &minimum));
    ENSURE(read.security >= minimum, ERR_REVOKED, "a plan below the minimum");
    TRY(file_write(measured, FILE_NEXT, read.pcr7));
    log_plan(&read);
    return ERR_OK;
}
