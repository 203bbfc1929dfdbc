/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sealed files. All numbers big-endian; a file that is longer or shorter than it says is refused.
 *
 *   root.seal, locked.seal:  "RLSL" | version 1 (1) | kind (1) | flags (1) | bytes of the secret (1) | PCR mask (4) |
 *                            SRK name (34) | PIN salt (16) | len (2) TPM2B_PUBLIC | len (2) TPM2B_PRIVATE
 *   root.recovery:           "RLRC" | version 1 (1) | recovery public key (32) | HPKE message (32 + 32 + 16)
 *
 * The sealed file is not authenticated by itself and need not be: whatever is changed in it, the TPM either refuses or
 * releases the same secret. The SRK's name in it decides which key salts the session, so an attacker who writes both the
 * file and the TPM's handle can make us talk to his TPM; it does not hold our secret, but a PIN that is typed then is his
 * to guess offline. The recovery file's header is the additional data of its message. HPKE's base mode says nothing of
 * the sender: whoever replaces root.recovery and `keys` alike has made another box, which opens none of our rows. */
#include "crypto/seal.h"

#include <string.h>

#include "hal/base/fault.h"
#include "crypto/ct.h"
#include "crypto/kdf.h"
#include "crypto/recovery.h"
#include "crypto/seal_int.h"

#define FORMAT_VERSION 1
#define FLAG_PIN 0x01
#define SOURCE_BYTES 32 /* of each source of a root key */
#define RECOVERY_HEADER_BYTES (4 + 1 + HPKE_PUBLIC_BYTES)
#define RECOVERY_INFO "rowlock root key for recovery"

static const uint8_t seal_magic[4] = {'R', 'L', 'S', 'L'};
static const uint8_t recovery_magic[4] = {'R', 'L', 'R', 'C'};

struct seal_file {
    struct seal_info info;
    uint8_t secret_bytes;
    uint8_t pin_salt[SEAL_SALT_BYTES];
    struct hal_tpm_sealed sealed;
};

_Static_assert(4 + 4 + 4 + HAL_TPM_NAME_BYTES + SEAL_SALT_BYTES + 4 + HAL_TPM_PUBLIC_MAX + HAL_TPM_PRIVATE_MAX <= SEAL_FILE_MAX,
               "the longest sealed file");
_Static_assert(RECOVERY_HEADER_BYTES + HPKE_OVERHEAD + SEAL_ROOT_BYTES <= SEAL_RECOVERY_MAX, "the recovery file");

enum err seal_root_new(struct hal_tpm *tpm, struct hal_entropy *entropy, unsigned int gate_ms, struct secret **out_root)
{
    SCOPED_SECRET struct secret *sources = NULL;

    TRY(hal_entropy_gate(entropy, tpm, gate_ms));
    TRY(secret_new(2 * SOURCE_BYTES, &sources));
    TRY(hal_tpm_random(tpm, secret_fill(sources), SOURCE_BYTES));
    TRY(hal_entropy_fill(entropy, secret_fill(sources) + SOURCE_BYTES, SOURCE_BYTES));
    return hkdf_sha256(sources, span_lit("rowlock"), span_lit("root key"), SEAL_ROOT_BYTES, out_root);
}

/* What the TPM takes for a PIN: 32 bytes of which the last is not zero, or TPMs would strip it. The TPM's lockout makes
 * guessing slow, so one hash suffices; the salt keeps equal PINs of two boxes apart. */
struct span seal_pin_auth(struct span pin, const uint8_t salt[SEAL_SALT_BYTES], struct wipe_32 *out_auth)
{
    if (pin.len == 0) {
        return SPAN_NONE;
    }
    hkdf_sha256_extract(span_of(salt, SEAL_SALT_BYTES), pin, out_auth->bytes);
    out_auth->bytes[31] |= 1;
    return span_array(out_auth->bytes);
}

static enum err check_policy(const struct seal_policy *policy)
{
    ENSURE(policy->pin.len <= SEAL_PIN_MAX, ERR_RANGE, "a PIN longer than anybody types");
    ENSURE(policy->kind == SEAL_ROOT || policy->kind == SEAL_LOCKED_LEAF, ERR_STATE, "no such kind of sealed secret");
    ENSURE(policy->kind == SEAL_ROOT || (policy->pcr_mask == 0 && policy->pin.len == 0), ERR_STATE,
           "the locked leaf must open in every state");
    return ERR_OK;
}

enum err seal_put_blob(struct buf *out_file, const struct hal_tpm_sealed *sealed)
{
    INVARIANT(sealed->public_bytes <= HAL_TPM_PUBLIC_MAX && sealed->private_bytes <= HAL_TPM_PRIVATE_MAX);
    TRY(buf_put_u16be(out_file, (uint16_t)sealed->public_bytes));
    TRY(buf_put(out_file, span_of(sealed->public_area, sealed->public_bytes)));
    TRY(buf_put_u16be(out_file, (uint16_t)sealed->private_bytes));
    return buf_put(out_file, span_of(sealed->private_area, sealed->private_bytes));
}

static enum err put_file(const struct seal_file *file, struct buf *out_file)
{
    TRY(buf_put(out_file, span_array(seal_magic)));
    TRY(buf_put_u8(out_file, FORMAT_VERSION));
    TRY(buf_put_u8(out_file, (uint8_t)file->info.kind));
    TRY(buf_put_u8(out_file, file->info.wants_pin ? FLAG_PIN : 0));
    TRY(buf_put_u8(out_file, file->secret_bytes));
    TRY(buf_put_u32be(out_file, file->info.pcr_mask));
    TRY(buf_put(out_file, span_array(file->info.srk.bytes)));
    TRY(buf_put(out_file, span_array(file->pin_salt)));
    return seal_put_blob(out_file, &file->sealed);
}

enum err seal_create(struct hal_tpm *tpm, const struct hal_tpm_name *srk, const struct seal_policy *policy,
                     struct random *random, const struct secret *secret, struct buf *out_file)
{
    SCOPED_WIPE_32 struct wipe_32 auth = {{0}};
    struct seal_file file = {.info = {.kind = policy->kind, .pcr_mask = policy->pcr_mask, .srk = *srk}};

    TRY(check_policy(policy));
    ENSURE(secret_len(secret) >= HAL_TPM_SECRET_MIN && secret_len(secret) <= HAL_TPM_SECRET_MAX, ERR_RANGE,
           "length of a secret to seal");
    ENSURE(policy->kind != SEAL_ROOT || secret_len(secret) == SEAL_ROOT_BYTES, ERR_RANGE, "length of a root key");
    ENSURE(buf_room(out_file) >= SEAL_FILE_MAX, ERR_RANGE, "no room for a sealed file");
    file.info.wants_pin = policy->pin.len != 0;
    file.secret_bytes = (uint8_t)secret_len(secret);
    random_fill(random, file.pin_salt, sizeof(file.pin_salt));
    const struct hal_tpm_policy rules = {.pcr_mask = policy->pcr_mask,
                                         .pin = seal_pin_auth(policy->pin, file.pin_salt, &auth)};

    TRY(hal_tpm_seal(tpm, srk, &rules, secret_reveal(secret), &file.sealed));
    return put_file(&file, out_file);
}

/* A part with its length in front, at most max bytes. */
static enum err get_part(struct reader *reader, size_t max, uint8_t *out_bytes, size_t *out_len)
{
    struct span part = SPAN_NONE;
    uint16_t len = 0;

    TRY(reader_get_u16be(reader, &len));
    ENSURE(len >= 1 && len <= max, ERR_MALFORMED, "length of a part of a sealed file");
    TRY(reader_get(reader, len, &part));
    memcpy(out_bytes, part.data, part.len);
    *out_len = part.len;
    return ERR_OK;
}

enum err seal_get_blob(struct reader *reader, struct hal_tpm_sealed *out_sealed)
{
    TRY(get_part(reader, HAL_TPM_PUBLIC_MAX, out_sealed->public_area, &out_sealed->public_bytes));
    return get_part(reader, HAL_TPM_PRIVATE_MAX, out_sealed->private_area, &out_sealed->private_bytes);
}

static enum err get_header(struct reader *reader, const uint8_t magic[4])
{
    struct span got = SPAN_NONE;
    uint8_t version = 0;

    TRY(reader_get(reader, 4, &got));
    TRY(reader_get_u8(reader, &version));
    ENSURE(span_equal(got, span_of(magic, 4)), ERR_MALFORMED, "not a file of this kind");
    ENSURE(version == FORMAT_VERSION, ERR_VERSION, "a sealed file of a later format");
    return ERR_OK;
}

static enum err get_kind(struct reader *reader, struct seal_file *out_file)
{
    uint8_t kind = 0;
    uint8_t flags = 0;

    TRY(reader_get_u8(reader, &kind));
    TRY(reader_get_u8(reader, &flags));
    TRY(reader_get_u8(reader, &out_file->secret_bytes));
    TRY(reader_get_u32be(reader, &out_file->info.pcr_mask));
    ENSURE(kind == SEAL_ROOT || kind == SEAL_LOCKED_LEAF, ERR_MALFORMED, "kind of a sealed file");
    ENSURE((flags & ~FLAG_PIN) == 0 && out_file->info.pcr_mask < UINT32_C(1) << HAL_TPM_PCR_COUNT, ERR_MALFORMED,
           "flags or PCRs of a sealed file");
    ENSURE(out_file->secret_bytes >= HAL_TPM_SECRET_MIN && out_file->secret_bytes <= HAL_TPM_SECRET_MAX, ERR_MALFORMED,
           "length of a sealed secret");
    ENSURE(kind != SEAL_ROOT || out_file->secret_bytes == SEAL_ROOT_BYTES, ERR_MALFORMED, "length of a sealed root key");
    ENSURE(kind == SEAL_ROOT || (flags == 0 && out_file->info.pcr_mask == 0), ERR_MALFORMED,
           "a locked leaf that does not open in every state");
    out_file->info.kind = kind == SEAL_ROOT ? SEAL_ROOT : SEAL_LOCKED_LEAF;
    out_file->info.wants_pin = flags == FLAG_PIN;
    return ERR_OK;
}

static enum err get_file(struct span bytes, struct seal_file *out_file)
{
    struct reader reader = reader_of(bytes);
    struct span part = SPAN_NONE;

    TRY(get_header(&reader, seal_magic));
    TRY(get_kind(&reader, out_file));
    TRY(reader_get(&reader, HAL_TPM_NAME_BYTES, &part));
    memcpy(out_file->info.srk.bytes, part.data, part.len);
    TRY(reader_get(&reader, SEAL_SALT_BYTES, &part));
    memcpy(out_file->pin_salt, part.data, part.len);
    TRY(seal_get_blob(&reader, &out_file->sealed));
    ENSURE(reader.rest.len == 0, ERR_MALFORMED, "bytes behind a sealed file");
    return ERR_OK;
}

enum err seal_read(struct span file, struct seal_info *out_info)
{
    struct seal_file parsed = {.secret_bytes = 0};

    TRY(get_file(file, &parsed));
    *out_info = parsed.info;
    return ERR_OK;
}

enum err seal_open(struct hal_tpm *tpm, enum seal_kind kind, struct span pin, struct span file,
                   struct secret **out_secret)
{
    SCOPED_WIPE_32 struct wipe_32 auth = {{0}};
    SCOPED_SECRET struct secret *secret = NULL;
    struct seal_file parsed = {.secret_bytes = 0};

    TRY(get_file(file, &parsed));
    ENSURE(parsed.info.kind == kind, ERR_MALFORMED, "a sealed file of another kind");
    ENSURE(pin.len <= SEAL_PIN_MAX && (pin.len != 0 || !parsed.info.wants_pin), ERR_PIN, "the PIN is missing");
    const struct span used = parsed.info.wants_pin ? pin : SPAN_NONE;
    const struct hal_tpm_policy rules = {.pcr_mask = parsed.info.pcr_mask,
                                         .pin = seal_pin_auth(used, parsed.pin_salt, &auth)};

    TRY(secret_new(parsed.secret_bytes, &secret));
    TRY(hal_tpm_unseal(tpm, &parsed.info.srk, &rules, &parsed.sealed, secret_fill(secret), parsed.secret_bytes));
    *out_secret = TAKE(secret);
    return ERR_OK;
}

enum err seal_recovery_create(struct random *random, const uint8_t public_key[HPKE_PUBLIC_BYTES],
                              const struct secret *root, struct buf *out_file)
{
    uint8_t header[RECOVERY_HEADER_BYTES];
    const struct hpke_scope scope = {.info = span_lit(RECOVERY_INFO), .aad = span_array(header)};

    ENSURE(secret_len(root) == SEAL_ROOT_BYTES, ERR_RANGE, "length of a root key");
    ENSURE(buf_room(out_file) >= SEAL_RECOVERY_MAX, ERR_RANGE, "no room for a recovery file");
    memcpy(header, recovery_magic, 4);
    header[4] = FORMAT_VERSION;
    memcpy(header + 5, public_key, HPKE_PUBLIC_BYTES);
    const size_t before = buf_len(out_file);

    TRY(buf_put(out_file, span_array(header)));
    const enum err err = hpke_seal(random, public_key, scope, root, out_file);

    if (err != ERR_OK) {
        buf_truncate(out_file, before);
    }
    return err;
}

/* Splits the file into header, public key and message, and checks its length. */
struct recovery_file {
    struct span header;
    struct span public_key;
    struct span message;
};

static enum err get_recovery(struct span file, struct recovery_file *out_parts)
{
    struct reader reader = reader_of(file);

    TRY(get_header(&reader, recovery_magic));
    TRY(reader_get(&reader, HPKE_PUBLIC_BYTES, &out_parts->public_key));
    ENSURE(reader.rest.len == HPKE_OVERHEAD + SEAL_ROOT_BYTES, ERR_MALFORMED, "length of a recovery file");
    out_parts->header = span_of(file.data, RECOVERY_HEADER_BYTES);
    out_parts->message = reader.rest;
    return ERR_OK;
}

enum err seal_recovery_open(const struct secret *recovery_key, struct span file, struct secret **out_root)
{
    SCOPED_SECRET struct secret *private_key = NULL;
    struct recovery_file parts = {.header = SPAN_NONE};
    uint8_t public_key[HPKE_PUBLIC_BYTES];

    TRY(get_recovery(file, &parts));
    TRY(recovery_key_pair(recovery_key, &private_key, public_key));
    ENSURE(ct_equal(span_array(public_key), parts.public_key), ERR_AUTH, "not the recovery key of this box");
    const struct hpke_scope scope = {.info = span_lit(RECOVERY_INFO), .aad = parts.header};

    return hpke_open(private_key, scope, parts.message, out_root);
}

