/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The decisions of a TPM, in the order in which a real one takes them: SRK, blob, lockout, policy, PIN. */
#include "hal/sim/sim_tpm.h"

#include <string.h>

#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/sim/sim_entropy.h"

#define PCR_MASK_END (UINT32_C(1) << HAL_TPM_PCR_COUNT)
#define AREA_BYTES   16 /* of each half of a blob: number of the seed, number of the object */

struct object {
    uint32_t pcr_mask;
    uint8_t pcrs[HAL_TPM_PCR_COUNT][HAL_TPM_DIGEST_BYTES];
    uint8_t pin[HAL_TPM_DIGEST_BYTES];
    size_t pin_bytes;
    uint8_t secret[HAL_TPM_SECRET_MAX];
    size_t secret_bytes;
};

struct sim_tpm {
    struct hal_tpm base;
    uint64_t random;
    uint64_t seed; /* the primary seed: what a blob and the SRK belong to */
    bool has_srk;
    bool substituted;
    bool owned;
    bool foreign_lockout; /* lockoutAuth is somebody else's */
    uint8_t owner_auth[HAL_TPM_DIGEST_BYTES];
    uint8_t lockout_auth[HAL_TPM_DIGEST_BYTES];
    uint32_t failures;
    uint8_t pcrs[HAL_TPM_PCR_COUNT][HAL_TPM_DIGEST_BYTES];
    struct object objects[SIM_TPM_OBJECTS_MAX];
    size_t object_count;
    size_t calls;
    size_t fail_at;
    enum err fail_err;
    enum err fail_always;
};

static struct sim_tpm *of(struct hal_tpm *tpm)
{
    return (struct sim_tpm *)tpm;
}

static enum err enter(struct sim_tpm *tpm)
{
    tpm->calls++;
    if (tpm->fail_always != ERR_OK) {
        FAIL(tpm->fail_always, "scripted for all calls", tpm->calls);
    }
    if (tpm->fail_at > 0) {
        tpm->fail_at--;
        if (tpm->fail_at == 0) {
            FAIL(tpm->fail_err, "scripted for this call", tpm->calls);
        }
    }
    return ERR_OK;
}

static struct hal_tpm_name name_of(const struct sim_tpm *tpm)
{
    struct hal_tpm_name name = {{0x00, 0x0b}};

    put_u64be(name.bytes + 2, tpm->seed);
    name.bytes[HAL_TPM_NAME_BYTES - 1] = tpm->substituted ? 1 : 0;
    return name;
}

static enum err check_srk(const struct sim_tpm *tpm, const struct hal_tpm_name *srk)
{
    const struct hal_tpm_name name = name_of(tpm);

    ENSURE(tpm->has_srk, ERR_STALE_KEY, "no SRK");
    ENSURE(span_equal(span_array(name.bytes), span_array(srk->bytes)), ERR_STALE_KEY, "not the pinned SRK");
    return ERR_OK;
}

static enum err check_policy(const struct hal_tpm_policy *policy)
{
    ENSURE(policy->pcr_mask < PCR_MASK_END, ERR_RANGE, "no such PCR");
    ENSURE(policy->pin.len <= HAL_TPM_DIGEST_BYTES, ERR_RANGE, "PIN too long");
    ENSURE(policy->pin.len == 0 || policy->pin.data[policy->pin.len - 1] != 0, ERR_RANGE, "PIN ends in zero");
    return ERR_OK;
}

static void sim_close(struct hal_tpm *tpm)
{
    (void)tpm; /* as sim_tpm.h says */
}

static enum err sim_info(struct hal_tpm *tpm, struct hal_tpm_info *out_info)
{
    const struct sim_tpm *self = of(tpm);

    TRY(enter(of(tpm)));
    *out_info = (struct hal_tpm_info){.manufacturer = "SIM ",
                                      .owner_auth_set = self->owned,
                                      .lockout_auth_set = self->owned || self->foreign_lockout,
                                      .in_lockout = self->failures >= HAL_TPM_DA_TRIES,
                                      .lockout_counter = self->failures,
                                      .lockout_tries = HAL_TPM_DA_TRIES,
                                      .lockout_recovery_s = HAL_TPM_DA_RECOVERY_S};
    return ERR_OK;
}

static enum err sim_self_test(struct hal_tpm *tpm)
{
    return enter(of(tpm));
}

static enum err sim_random(struct hal_tpm *tpm, uint8_t *out_bytes, size_t len)
{
    TRY(enter(of(tpm)));
    ENSURE(len > 0 && len <= HAL_TPM_RANDOM_MAX, ERR_RANGE, "number of random bytes");
    for (size_t i = 0; i < len; i++) {
        out_bytes[i] = (uint8_t)(sim_entropy_next(&of(tpm)->random) & 0xff);
    }
    return ERR_OK;
}

static enum err sim_pcr_read(struct hal_tpm *tpm, unsigned int pcr, uint8_t out_digest[HAL_TPM_DIGEST_BYTES])
{
    TRY(enter(of(tpm)));
    ENSURE(pcr < HAL_TPM_PCR_COUNT, ERR_RANGE, "no such PCR");
    memcpy(out_digest, of(tpm)->pcrs[pcr], HAL_TPM_DIGEST_BYTES);
    return ERR_OK;
}

/* Order and content count, as with a hash; finding a collision is easy. */
static enum err sim_pcr_extend(struct hal_tpm *tpm, unsigned int pcr, const uint8_t digest[HAL_TPM_DIGEST_BYTES])
{
    TRY(enter(of(tpm)));
    ENSURE(pcr < HAL_TPM_PCR_COUNT, ERR_RANGE, "no such PCR");
    for (size_t i = 0; i < HAL_TPM_DIGEST_BYTES; i += sizeof(uint64_t)) {
        uint64_t mixed = get_u64be(of(tpm)->pcrs[pcr] + i) ^ get_u64be(digest + i);

        put_u64be(of(tpm)->pcrs[pcr] + i, sim_entropy_next(&mixed));
    }
    return ERR_OK;
}

static bool owner_auth_fits(const struct sim_tpm *tpm, struct span auth)
{
    return tpm->owned ? span_equal(span_array(tpm->owner_auth), auth) : auth.len == 0;
}

static enum err sim_srk_make(struct hal_tpm *tpm, struct span owner_auth, struct hal_tpm_name *out_name)
{
    struct sim_tpm *self = of(tpm);

    TRY(enter(self));
    ENSURE(owner_auth_fits(self, owner_auth), ERR_AUTH, "wrong ownerAuth");
    ENSURE(!self->substituted, ERR_CONFLICT, "another key lies at the SRK's handle");
    self->has_srk = true;
    *out_name = name_of(self);
    return ERR_OK;
}

static enum err sim_srk_name(struct hal_tpm *tpm, struct hal_tpm_name *out_name)
{
    TRY(enter(of(tpm)));
    if (!of(tpm)->has_srk) {
        return ERR_NOT_FOUND;
    }
    *out_name = name_of(of(tpm));
    return ERR_OK;
}

static enum err check_auth(struct span auth)
{
    ENSURE(auth.len == HAL_TPM_DIGEST_BYTES && auth.data[auth.len - 1] != 0, ERR_RANGE, "authorisation value");
    return ERR_OK;
}

static enum err sim_own(struct hal_tpm *tpm, const struct hal_tpm_name *srk, const struct hal_tpm_owner *owner)
{
    struct sim_tpm *self = of(tpm);

    TRY(enter(self));
    TRY(check_auth(owner->owner_auth));
    TRY(check_auth(owner->lockout_auth));
    TRY(check_srk(self, srk));
    ENSURE(!self->foreign_lockout, ERR_AUTH, "lockoutAuth is another");
    ENSURE(!self->owned || (span_equal(span_array(self->owner_auth), owner->owner_auth) &&
                            span_equal(span_array(self->lockout_auth), owner->lockout_auth)),
           ERR_AUTH, "owned with other values");
    memcpy(self->owner_auth, owner->owner_auth.data, sizeof(self->owner_auth));
    memcpy(self->lockout_auth, owner->lockout_auth.data, sizeof(self->lockout_auth));
    self->owned = true;
    return ERR_OK;
}

static enum err sim_lockout_reset(struct hal_tpm *tpm, const struct hal_tpm_name *srk, struct span lockout_auth)
{
    struct sim_tpm *self = of(tpm);

    TRY(enter(self));
    TRY(check_srk(self, srk));
    ENSURE(self->owned ? span_equal(span_array(self->lockout_auth), lockout_auth) : lockout_auth.len == 0, ERR_AUTH,
           "wrong lockoutAuth");
    self->failures = 0;
    return ERR_OK;
}

/* What an authority signs is digests, and this one hashes nothing. */
static enum err refuse_authority(const struct hal_tpm_policy *policy)
{
    ENSURE(policy->authority == NULL && policy->approval == NULL && policy->pcr_value == NULL, ERR_UNSUPPORTED,
           "no authority in memory");
    return ERR_OK;
}

static void make_area(const struct sim_tpm *tpm, size_t number, uint8_t out_area[AREA_BYTES])
{
    put_u64be(out_area, tpm->seed);
    put_u64be(out_area + sizeof(uint64_t), number);
}

static enum err sim_seal(struct hal_tpm *tpm, const struct hal_tpm_name *srk, const struct hal_tpm_policy *policy,
                         struct span secret, struct hal_tpm_sealed *out_sealed)
{
    struct sim_tpm *self = of(tpm);
    struct hal_tpm_sealed sealed = {.public_bytes = AREA_BYTES, .private_bytes = AREA_BYTES};

    TRY(enter(self));
    TRY(check_policy(policy));
    TRY(refuse_authority(policy));
    ENSURE(secret.len >= HAL_TPM_SECRET_MIN && secret.len <= HAL_TPM_SECRET_MAX, ERR_RANGE, "length of the secret");
    TRY(check_srk(self, srk));
    ENSURE(self->object_count < SIM_TPM_OBJECTS_MAX, ERR_DEVICE, "no room");
    struct object *object = &self->objects[self->object_count];
    *object = (struct object){.pcr_mask = policy->pcr_mask, .pin_bytes = policy->pin.len, .secret_bytes = secret.len};
    memcpy(object->pcrs, self->pcrs, sizeof(object->pcrs));
    if (policy->pin.len > 0) {
        memcpy(object->pin, policy->pin.data, policy->pin.len);
    }
    memcpy(object->secret, secret.data, secret.len);
    make_area(self, self->object_count, sealed.public_area);
    make_area(self, self->object_count, sealed.private_area);
    self->object_count++;

    *out_sealed = sealed;
    return ERR_OK;
}

static enum err find(struct sim_tpm *tpm, const struct hal_tpm_sealed *sealed, const struct object **out_object)
{
    const struct span public_area = span_of(sealed->public_area, AREA_BYTES);
    const struct span private_area = span_of(sealed->private_area, AREA_BYTES);

    ENSURE(sealed->public_bytes == AREA_BYTES && sealed->private_bytes == AREA_BYTES, ERR_MALFORMED, "not a blob");
    const uint64_t number = get_u64be(sealed->public_area + sizeof(uint64_t));
    ENSURE(get_u64be(sealed->public_area) == tpm->seed && number < tpm->object_count &&
               span_equal(public_area, private_area),
           ERR_AUTH, "not a blob of this TPM");
    *out_object = &tpm->objects[number];
    return ERR_OK;
}

static bool pcrs_hold(const struct sim_tpm *tpm, const struct object *object)
{
    for (size_t i = 0; i < HAL_TPM_PCR_COUNT; i++) {
        if ((object->pcr_mask >> i & 1) != 0 && !span_equal(span_array(object->pcrs[i]), span_array(tpm->pcrs[i]))) {
            return false;
        }
    }
    return true;
}

static enum err check_pin(struct sim_tpm *tpm, const struct object *object, struct span pin)
{
    if (object->pin_bytes == 0) {
        return ERR_OK;
    }
    ENSURE(tpm->failures < HAL_TPM_DA_TRIES, ERR_LOCKED, "lockout");
    if (!span_equal(span_of(object->pin, object->pin_bytes), pin)) {
        tpm->failures++;
        FAIL(ERR_PIN, "wrong PIN", tpm->failures);
    }
    return ERR_OK;
}

static enum err sim_unseal(struct hal_tpm *tpm, const struct hal_tpm_name *srk, const struct hal_tpm_policy *policy,
                           const struct hal_tpm_sealed *sealed, uint8_t *out_secret, size_t secret_bytes)
{
    struct sim_tpm *self = of(tpm);
    const struct object *object = NULL;

    TRY(enter(self));
    TRY(check_policy(policy));
    TRY(refuse_authority(policy));
    TRY(check_srk(self, srk));
    TRY(find(self, sealed, &object));
    ENSURE(object->pin_bytes == 0 || policy->pin.len > 0, ERR_PIN, "sealed with a PIN, and none was given");
    ENSURE(policy->pcr_mask == object->pcr_mask && (policy->pin.len > 0) == (object->pin_bytes > 0), ERR_POLICY,
           "another policy than at sealing");
    ENSURE(pcrs_hold(self, object), ERR_POLICY, "PCRs differ");
    TRY(check_pin(self, object, policy->pin));
    ENSURE(object->secret_bytes == secret_bytes, ERR_MALFORMED, "a secret of another length");
    memcpy(out_secret, object->secret, secret_bytes);
    return ERR_OK;
}

static enum err sim_counter_make(struct hal_tpm *tpm, const struct hal_tpm_name *srk, struct span owner_auth,
                                 struct hal_tpm_counter *out_counter)
{
    (void)srk;
    (void)owner_auth;
    (void)out_counter;
    TRY(enter(of(tpm)));
    FAIL(ERR_UNSUPPORTED, "no counter in memory", 0);
}

static enum err sim_counter_read(struct hal_tpm *tpm, const struct hal_tpm_name *srk,
                                 struct hal_tpm_counter *out_counter)
{
    return sim_counter_make(tpm, srk, SPAN_NONE, out_counter);
}

static const struct hal_tpm_ops sim_ops = {
    .close = sim_close,
    .info = sim_info,
    .self_test = sim_self_test,
    .random = sim_random,
    .pcr_read = sim_pcr_read,
    .pcr_extend = sim_pcr_extend,
    .srk_make = sim_srk_make,
    .srk_name = sim_srk_name,
    .own = sim_own,
    .lockout_reset = sim_lockout_reset,
    .seal = sim_seal,
    .unseal = sim_unseal,
    .counter_make = sim_counter_make,
    .counter_read = sim_counter_read,
    .counter_step = sim_counter_make,
};

enum err sim_tpm_new(uint64_t seed, struct sim_tpm **out_tpm)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct sim_tpm), &memory));
    struct sim_tpm *tpm = memory;
    tpm->base.ops = &sim_ops;
    tpm->random = seed;
    tpm->seed = sim_entropy_next(&tpm->random);
    *out_tpm = tpm;
    return ERR_OK;
}

void sim_tpm_free(struct sim_tpm *tpm)
{
    mem_free(tpm);
}

struct hal_tpm *sim_tpm_hal(struct sim_tpm *tpm)
{
    return &tpm->base;
}

void sim_tpm_reboot(struct sim_tpm *tpm)
{
    memset(tpm->pcrs, 0, sizeof(tpm->pcrs));
}

void sim_tpm_clear(struct sim_tpm *tpm)
{
    tpm->seed = sim_entropy_next(&tpm->random);
    tpm->has_srk = false;
    tpm->substituted = false;
    tpm->owned = false;
    tpm->foreign_lockout = false;
    tpm->failures = 0;
}

void sim_tpm_foreign_lockout_auth(struct sim_tpm *tpm)
{
    tpm->foreign_lockout = true;
}

void sim_tpm_substitute_srk(struct sim_tpm *tpm)
{
    tpm->has_srk = true;
    tpm->substituted = true;
}

void sim_tpm_recover_one_try(struct sim_tpm *tpm)
{
    tpm->failures -= tpm->failures > 0 ? 1u : 0u;
}

void sim_tpm_fail_at(struct sim_tpm *tpm, size_t k, enum err err)
{
    tpm->fail_at = k;
    tpm->fail_err = err;
}

void sim_tpm_fail_always(struct sim_tpm *tpm, enum err err)
{
    tpm->fail_always = err;
}

size_t sim_tpm_calls(const struct sim_tpm *tpm)
{
    return tpm->calls;
}
