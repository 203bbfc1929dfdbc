/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The TPM, as Rowlock uses it: one storage root key, small secrets sealed under it, a counter that never goes down,
 * ownership, and random numbers.
 *
 * One interface for the real device (hal_tpm_open, hal/linux) and the one in memory (sim_tpm_new, hal/sim/sim_tpm.h).
 * The bytes of a secret lie in memory of the caller; the driver wipes every copy of its own. Whatever carries a secret
 * travels in a session salted with the SRK, its parameters encrypted (AES-128-CFB) and its answers authenticated, so
 * nobody on the bus reads or changes it. For that the SRK must be the right one: every call that salts a session takes
 * the SRK's pinned name and refuses another key before anything secret is sent.
 *
 * Each call is bounded by CONFIG_HAL_TPM_TIMEOUT_MS for each TPM command it needs (fewer than 20), or by the kernel's own
 * limits where its node cannot be polled while the chip works; never call from a reactor. An object belongs to one thread. Errors of every call, besides its own:
 *
 * ERR_NO_DEVICE  the TPM is not there, stopped answering, or has been given up after an earlier ERR_TIMEOUT
 * ERR_TIMEOUT    a command took too long; the object is of no use any more, close it
 * ERR_DEVICE     the TPM answered with a failure that has no code of its own, or with something that is no answer
 * ERR_AUTH       the answer was not authentic: something between here and the TPM changed it
 * ERR_LOCKED     the TPM's dictionary-attack lockout is on
 * ERR_NO_MEMORY
 *
 * Spec: TPM 2.0 Library, Part 1 sections 19 (sessions, encryption) and 36 (sealed data); Part 3 for each command. */
#ifndef HAL_TPM_H
#define HAL_TPM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

#define HAL_TPM_SRK_HANDLE      UINT32_C(0x81000001)
#define HAL_TPM_NAME_BYTES      34  /* algorithm identifier (2) and SHA-256 of the public area */
#define HAL_TPM_DIGEST_BYTES    32  /* PCRs of the SHA-256 bank, and the longest authorisation value */
#define HAL_TPM_SECRET_MIN      32  /* a sealed secret: a whole key at least */
#define HAL_TPM_SECRET_MAX      128 /* what every TPM can seal (MAX_SYM_DATA) */
#define HAL_TPM_PCR_COUNT       24
#define HAL_TPM_RANDOM_MAX      1024 /* asked for in several commands where the TPM gives less at once */
#define HAL_TPM_PUBLIC_MAX      256
#define HAL_TPM_PRIVATE_MAX     384
#define HAL_TPM_DA_TRIES        32                   /* with a PIN: wrong ones before the lockout ... */
#define HAL_TPM_DA_RECOVERY_S   600                  /* ... and the time after which one more is allowed */
#define HAL_TPM_LOCKOUT_WAIT_S  86400                /* after one wrong lockoutAuth */
#define HAL_TPM_POINT_BYTES     64                   /* P-256: x | y */
#define HAL_TPM_AES_BYTES       16                   /* key and block of the sessions' AES-128 */
#define HAL_TPM_SIGNATURE_BYTES 64                   /* ECDSA on it: r | s */
#define HAL_TPM_COUNTER_HANDLE  UINT32_C(0x01800052) /* in the range that the TCG's registry leaves to owners */

/* The name of a key: a digest of its public area. Not secret. Compared with span_equal. */
struct hal_tpm_name {
    uint8_t bytes[HAL_TPM_NAME_BYTES];
};

/* A key whose signature stands for a part of a policy, so that what the part demands can change without sealing anew. */
struct hal_tpm_authority {
    uint8_t key[HAL_TPM_POINT_BYTES];
    uint8_t reference[HAL_TPM_DIGEST_BYTES]; /* policyRef: signed together with each part. Another reference makes all
                                                earlier signatures void */
};

/* What an authority signed: PolicyPCR of one PCR, then PolicyNV that the counter is at most counter_max. */
struct hal_tpm_approval {
    unsigned int pcr;
    uint64_t counter_max;
    uint8_t digest[HAL_TPM_DIGEST_BYTES];       /* of those two, with the PCR's value and the counter's name */
    uint8_t signature[HAL_TPM_SIGNATURE_BYTES]; /* over SHA-256(digest | reference) */
};

/* When a sealed secret may come out. PolicyCommandCode(Unseal) always; PolicyPCR if pcr_mask is not 0 (bit n = PCR n of
 * the SHA-256 bank, at the values of the moment of sealing); PolicyAuthValue if pin is not empty. With an authority the
 * order is PolicyAuthorize, PolicyPCR, PolicyCommandCode, PolicyAuthValue; without one PolicyCommandCode comes first.
 * Without a PIN the object is outside the dictionary-attack logic (noDA): power cuts must not lock the box. */
struct hal_tpm_policy {
    uint32_t pcr_mask;        /* below 2^24 */
    const uint8_t *pcr_value; /* sealing for a value that is expected of the only PCR in pcr_mask; NULL: as it is now */
    const struct hal_tpm_authority *authority; /* NULL: none */
    const struct hal_tpm_approval *approval;   /* unsealing with an authority; NULL at sealing */
    struct span pin; /* borrowed; at most HAL_TPM_DIGEST_BYTES, and the last byte must not be 0 (TPMs strip zeros):
                          derive it from what the person typed */
};

/* A sealed secret as the TPM gave it out; not secret, and of no use to another TPM. */
struct hal_tpm_sealed {
    uint8_t public_area[HAL_TPM_PUBLIC_MAX]; /* marshalled TPM2B_PUBLIC */
    size_t public_bytes;
    uint8_t private_area[HAL_TPM_PRIVATE_MAX]; /* marshalled TPM2B_PRIVATE, encrypted by the TPM */
    size_t private_bytes;
};

/* The counter. Its name is a digest of what it is (a counter that only the owner raises and anybody reads), so another
 * index at the same place, or one that was never raised, has another. */
struct hal_tpm_counter {
    struct hal_tpm_name name;
    uint64_t value;
};

/* What the TPM says of itself. Not authenticated: for the log and the status page, never for a decision on secrets. */
struct hal_tpm_info {
    char manufacturer[5]; /* four printable characters and a NUL */
    uint32_t firmware_high;
    uint32_t firmware_low;
    bool owner_auth_set;
    bool lockout_auth_set;
    bool in_lockout;
    uint32_t lockout_counter;
    uint32_t lockout_tries;
    uint32_t lockout_recovery_s;
};

/* New authorisations, each HAL_TPM_DIGEST_BYTES random bytes whose last is not 0. Borrowed. */
struct hal_tpm_owner {
    struct span owner_auth;
    struct span lockout_auth;
};

/* What salts, encrypts and authenticates the sessions. Lent by the caller, because no cryptographic library is below hal/;
 * crypto/tpm_crypto.h has the product's. Called in the thread of the call under way; nothing is kept. */
struct hal_tpm_crypto {
    void (*sha256)(struct span data, uint8_t out_digest[HAL_TPM_DIGEST_BYTES]);
    void (*hmac_sha256)(struct span key, struct span data, uint8_t out_mac[HAL_TPM_DIGEST_BYTES]);
    /* A new key pair on P-256, used once: its public point, and the x of what it shares with the peer's point.
     * ERR_MALFORMED (the peer's is no point of the curve), ERR_NO_MEMORY, ERR_REFUSED, ERR_BUG. */
    enum err (*ecdh_p256)(const uint8_t peer[HAL_TPM_POINT_BYTES], uint8_t out_public[HAL_TPM_POINT_BYTES],
                          uint8_t out_shared[HAL_TPM_DIGEST_BYTES]);
    /* In place. ERR_NO_MEMORY, ERR_REFUSED. */
    enum err (*aes128_cfb_encrypt)(const uint8_t key[HAL_TPM_AES_BYTES], const uint8_t iv[HAL_TPM_AES_BYTES],
                                   uint8_t *bytes, size_t len);
    enum err (*aes128_cfb_decrypt)(const uint8_t key[HAL_TPM_AES_BYTES], const uint8_t iv[HAL_TPM_AES_BYTES],
                                   uint8_t *bytes, size_t len);
};

struct hal_tpm;

struct hal_tpm_ops {
    void (*close)(struct hal_tpm *tpm);
    enum err (*info)(struct hal_tpm *tpm, struct hal_tpm_info *out_info);
    enum err (*self_test)(struct hal_tpm *tpm);
    enum err (*random)(struct hal_tpm *tpm, uint8_t *out_bytes, size_t len);
    enum err (*pcr_read)(struct hal_tpm *tpm, unsigned int pcr, uint8_t out_digest[HAL_TPM_DIGEST_BYTES]);
    enum err (*pcr_extend)(struct hal_tpm *tpm, unsigned int pcr, const uint8_t digest[HAL_TPM_DIGEST_BYTES]);
    enum err (*srk_make)(struct hal_tpm *tpm, struct span owner_auth, struct hal_tpm_name *out_name);
    enum err (*srk_name)(struct hal_tpm *tpm, struct hal_tpm_name *out_name);
    enum err (*own)(struct hal_tpm *tpm, const struct hal_tpm_name *srk, const struct hal_tpm_owner *owner);
    enum err (*lockout_reset)(struct hal_tpm *tpm, const struct hal_tpm_name *srk, struct span lockout_auth);
    enum err (*seal)(struct hal_tpm *tpm, const struct hal_tpm_name *srk, const struct hal_tpm_policy *policy,
                     struct span secret, struct hal_tpm_sealed *out_sealed);
    enum err (*unseal)(struct hal_tpm *tpm, const struct hal_tpm_name *srk, const struct hal_tpm_policy *policy,
                       const struct hal_tpm_sealed *sealed, uint8_t *out_secret, size_t secret_bytes);
    enum err (*counter_make)(struct hal_tpm *tpm, const struct hal_tpm_name *srk, struct span owner_auth,
                             struct hal_tpm_counter *out_counter);
    enum err (*counter_read)(struct hal_tpm *tpm, const struct hal_tpm_name *srk, struct hal_tpm_counter *out_counter);
    enum err (*counter_step)(struct hal_tpm *tpm, const struct hal_tpm_name *srk, struct span owner_auth,
                             struct hal_tpm_counter *out_counter);
};

/* The first member of every driver's own struct. */
struct hal_tpm {
    const struct hal_tpm_ops *ops;
};

/* Opens the TPM that the TCTI string names and starts it up (TPM2_Startup(CLEAR)) if nothing has done so.
 * "device:/dev/tpmrm0" is a node of the kernel. "swtpm:" keeps one connection to a software TPM: "swtpm:host=127.0.0.1,
 * port=2321" (numeric address) or "swtpm:path=" and a Unix socket. Opens or connects, so it must come before the sandbox.
 * The process must ignore SIGPIPE. crypto is borrowed for the life of the object. The caller closes it with
 * hal_tpm_close.
 * ERR_NO_DEVICE, ERR_DEVICE (e.g. in failure mode), ERR_MALFORMED (no such TCTI, or the path is not that of a device). */
enum err hal_tpm_open(const char *tcti, const struct hal_tpm_crypto *crypto, struct hal_tpm **out_tpm) MUST_USE;

/* TPM2_Shutdown(CLEAR) as far as the TPM still answers, and frees. NULL is fine. */
static inline void hal_tpm_close(struct hal_tpm *tpm)
{
    if (tpm != NULL) {
        tpm->ops->close(tpm);
    }
}

static inline MUST_USE enum err hal_tpm_info(struct hal_tpm *tpm, struct hal_tpm_info *out_info)
{
    return tpm->ops->info(tpm, out_info);
}

/* Has the TPM test all its algorithms. ERR_DEVICE if a test fails. */
static inline MUST_USE enum err hal_tpm_self_test(struct hal_tpm *tpm)
{
    return tpm->ops->self_test(tpm);
}

/* len random bytes (1 to HAL_TPM_RANDOM_MAX). They crossed the bus in clear: only ever an ingredient, mixed with the
 * kernel's. ERR_RANGE. */
static inline MUST_USE enum err hal_tpm_random(struct hal_tpm *tpm, uint8_t *out_bytes, size_t len)
{
    return tpm->ops->random(tpm, out_bytes, len);
}

/* The value of a PCR of the SHA-256 bank. ERR_RANGE (no such PCR), ERR_UNSUPPORTED (no such bank). */
static inline MUST_USE enum err hal_tpm_pcr_read(struct hal_tpm *tpm, unsigned int pcr,
                                                 uint8_t out_digest[HAL_TPM_DIGEST_BYTES])
{
    return tpm->ops->pcr_read(tpm, pcr, out_digest);
}

/* Extends a PCR with a digest, to cap it after unsealing. ERR_RANGE. */
static inline MUST_USE enum err hal_tpm_pcr_extend(struct hal_tpm *tpm, unsigned int pcr,
                                                   const uint8_t digest[HAL_TPM_DIGEST_BYTES])
{
    return tpm->ops->pcr_extend(tpm, pcr, digest);
}

/* For provisioning: derives the standard ECC P-256 storage key from the TPM's seed, makes it persistent at
 * HAL_TPM_SRK_HANDLE if nothing is there, and gives its name, which the caller pins. owner_auth: empty on a new TPM.
 * ERR_CONFLICT  another key lies at the handle
 * ERR_AUTH      wrong owner_auth
 * Spec: TCG TPM v2.0 Provisioning Guidance 7.5.1 (storage primary key). */
static inline MUST_USE enum err hal_tpm_srk_make(struct hal_tpm *tpm, struct span owner_auth,
                                                 struct hal_tpm_name *out_name)
{
    return tpm->ops->srk_make(tpm, owner_auth, out_name);
}

/* The name of the key that now lies at the SRK handle, whoever made it: for messages and tests.
 * ERR_NOT_FOUND if the handle is empty. */
static inline MUST_USE enum err hal_tpm_srk_name(struct hal_tpm *tpm, struct hal_tpm_name *out_name)
{
    return tpm->ops->srk_name(tpm, out_name);
}

/* Takes ownership: sets ownerAuth and lockoutAuth, and the dictionary-attack parameters. May be repeated with the same
 * values after a crash at any point, so keep them on disk (wrapped) before the call.
 * ERR_AUTH       the TPM is owned with other values
 * ERR_STALE_KEY  the SRK is not the pinned one (see hal_tpm_unseal)
 * ERR_RANGE      a value is not HAL_TPM_DIGEST_BYTES long or ends in a zero byte */
static inline MUST_USE enum err hal_tpm_own(struct hal_tpm *tpm, const struct hal_tpm_name *srk,
                                            const struct hal_tpm_owner *owner)
{
    return tpm->ops->own(tpm, srk, owner);
}

/* Ends a lockout. A wrong lockout_auth (ERR_AUTH) bars this call for HAL_TPM_LOCKOUT_WAIT_S. ERR_STALE_KEY. */
static inline MUST_USE enum err hal_tpm_lockout_reset(struct hal_tpm *tpm, const struct hal_tpm_name *srk,
                                                      struct span lockout_auth)
{
    return tpm->ops->lockout_reset(tpm, srk, lockout_auth);
}

/* Seals HAL_TPM_SECRET_MIN to HAL_TPM_SECRET_MAX bytes. out_sealed is untouched on failure.
 * ERR_RANGE (lengths, PCR mask, an expected value for several PCRs), ERR_STALE_KEY, ERR_UNSUPPORTED (no SHA-256 PCR bank). */
static inline MUST_USE enum err hal_tpm_seal(struct hal_tpm *tpm, const struct hal_tpm_name *srk,
                                             const struct hal_tpm_policy *policy, struct span secret,
                                             struct hal_tpm_sealed *out_sealed)
{
    return tpm->ops->seal(tpm, srk, policy, secret, out_sealed);
}

/* Opens a sealed secret of exactly secret_bytes bytes. policy: as at sealing; what the TPM decides by is its own
 * record.
 * After an unsealing with a PIN the TPM is told TPM2_Shutdown(STATE), so that a power cut does not count as a wrong
 * PIN.
 * out_secret is the caller's locked memory; nothing is left in it on failure.
 *
 * ERR_POLICY     PCRs differ, or the policy is not the one of the sealing, or what was approved does not hold: another
 *                value of the PCR, a counter that is gone, is another or stands above
 * ERR_PIN        wrong or missing PIN (each counts towards the lockout)
 * ERR_LOCKED     too many wrong PINs; one more try every HAL_TPM_DA_RECOVERY_S
 * ERR_STALE_KEY  the SRK is not the pinned one or is missing: another TPM, a cleared one, or a substituted key
 * ERR_AUTH       the blob was not made by this TPM under this SRK, or was changed, or the answer was
 * ERR_MALFORMED  the blob is no blob, or holds another number of bytes
 * Spec: TPM 2.0 Part 3, TPM2_Unseal. */
static inline MUST_USE enum err hal_tpm_unseal(struct hal_tpm *tpm, const struct hal_tpm_name *srk,
                                               const struct hal_tpm_policy *policy, const struct hal_tpm_sealed *sealed,
                                               uint8_t *out_secret, size_t secret_bytes)
{
    return tpm->ops->unseal(tpm, srk, policy, sealed, out_secret, secret_bytes);
}

/* The counter of this TPM, made if it is not there: it then starts above every counter that this TPM ever had, so that
 * undefining one and making it anew does not lead back. Whatever else lies at its place is removed. Can be repeated after
 * a crash at any point. owner_auth: empty on a TPM that nobody owns.
 * ERR_CONFLICT (what lies there is the platform's, and stays), ERR_AUTH (wrong owner_auth), ERR_STALE_KEY. Spec: TPM 2.0 Part 1, 37.2.4 (counters). */
static inline MUST_USE enum err hal_tpm_counter_make(struct hal_tpm *tpm, const struct hal_tpm_name *srk,
                                                     struct span owner_auth, struct hal_tpm_counter *out_counter)
{
    return tpm->ops->counter_make(tpm, srk, owner_auth, out_counter);
}

/* ERR_NOT_FOUND (there is none), ERR_CONFLICT (another index lies there, or one that was never raised), ERR_STALE_KEY. */
static inline MUST_USE enum err hal_tpm_counter_read(struct hal_tpm *tpm, const struct hal_tpm_name *srk,
                                                     struct hal_tpm_counter *out_counter)
{
    return tpm->ops->counter_read(tpm, srk, out_counter);
}

/* Raises it by one, for ever. ERR_AUTH (wrong owner_auth) and those of hal_tpm_counter_read(). */
static inline MUST_USE enum err hal_tpm_counter_step(struct hal_tpm *tpm, const struct hal_tpm_name *srk,
                                                     struct span owner_auth, struct hal_tpm_counter *out_counter)
{
    return tpm->ops->counter_step(tpm, srk, owner_auth, out_counter);
}

#endif
