/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The file, all numbers big-endian; one that is longer or shorter than it says is refused:
 *
 *   "RLSB" | version 1 (1) | flags (1) | SRK name (34) | PIN salt (16) | PCR 7 (32) | box key, x and y (64) | nonce (16) |
 *   counter name (34) | counter (8) | security version (4) | len (2) TPM2B_PUBLIC | len (2) TPM2B_PRIVATE
 *
 * It is not authenticated by itself: a changed fact changes the reference, a changed blob or name the TPM refuses, and PCR 7
 * stands there for people only. */
#include "crypto/box_seal.h"

#include <string.h>

#include "hal/base/fault.h"
#include "crypto/hash.h"
#include "crypto/seal.h"
#include "crypto/seal_int.h"

#define FORMAT_VERSION 1
#define FLAG_PIN 0x01
#define REFERENCE_LABEL "rowlock box policy 1"

static const uint8_t magic[4] = {'R', 'L', 'S', 'B'};

struct box_file {
    struct box_seal_info info;
    uint8_t pin_salt[SEAL_SALT_BYTES];
    struct hal_tpm_sealed sealed;
};

_Static_assert(4 + 2 + HAL_TPM_NAME_BYTES + SEAL_SALT_BYTES + HAL_TPM_DIGEST_BYTES + HAL_TPM_POINT_BYTES +
                       BOX_SEAL_NONCE_BYTES + HAL_TPM_NAME_BYTES + 8 + 4 + 4 + HAL_TPM_PUBLIC_MAX + HAL_TPM_PRIVATE_MAX <=
                   BOX_SEAL_FILE_MAX,
               "the longest file");

uint64_t box_seal_counter_max(const struct box_seal_facts *facts, uint32_t security)
{
    INVARIANT(security >= facts->security);
    return facts->counter.value + (security - facts->security);
}

void box_seal_authority(const struct box_seal_facts *facts, struct hal_tpm_authority *out_authority)
{
    uint8_t numbers[8 + 4];
    const struct span parts[] = {span_lit(REFERENCE_LABEL), span_array(facts->key), span_array(facts->nonce),
                                 span_array(facts->counter.name.bytes), span_array(numbers)};

    put_u64be(numbers, facts->counter.value);
    put_u32be(numbers + 8, facts->security);
    memcpy(out_authority->key, facts->key, sizeof(out_authority->key));
    sha256_parts(parts, ARRAY_LENGTH(parts), out_authority->reference);
}

static enum err put_file(const struct box_file *file, struct buf *out_file)
{
    const struct box_seal_info *const info = &file->info;

    TRY(buf_put(out_file, span_array(magic)));
    TRY(buf_put_u8(out_file, FORMAT_VERSION));
    TRY(buf_put_u8(out_file, info->wants_pin ? FLAG_PIN : 0));
    TRY(buf_put(out_file, span_array(info->srk.bytes)));
    TRY(buf_put(out_file, span_array(file->pin_salt)));
    TRY(buf_put(out_file, span_array(info->pcr7)));
    TRY(buf_put(out_file, span_array(info->facts.key)));
    TRY(buf_put(out_file, span_array(info->facts.nonce)));
    TRY(buf_put(out_file, span_array(info->facts.counter.name.bytes)));
    TRY(buf_put_u64be(out_file, info->facts.counter.value));
    TRY(buf_put_u32be(out_file, info->facts.security));
    return seal_put_blob(out_file, &file->sealed);
}

enum err box_seal_create(struct hal_tpm *tpm, const struct box_seal_subject *subject, struct random *random,
                         const struct secret *root, struct buf *out_file)
{
    SCOPED_WIPE_32 struct wipe_32 auth = {{0}};
    struct box_file file = {
        .info = {.srk = *subject->srk, .facts = *subject->facts, .wants_pin = subject->pin.len != 0}};
    struct hal_tpm_authority authority;

    ENSURE(secret_len(root) == SEAL_ROOT_BYTES, ERR_RANGE, "length of a root key");
    ENSURE(subject->pin.len <= SEAL_PIN_MAX, ERR_RANGE, "a PIN longer than anybody types");
    ENSURE(buf_room(out_file) >= BOX_SEAL_FILE_MAX, ERR_RANGE, "no room for a sealed file");
    if (subject->pcr7 != NULL) {
        memcpy(file.info.pcr7, subject->pcr7, sizeof(file.info.pcr7));
    } else {
        TRY(hal_tpm_pcr_read(tpm, BOX_SEAL_PCR, file.info.pcr7));
    }
    random_fill(random, file.pin_salt, sizeof(file.pin_salt));
    box_seal_authority(subject->facts, &authority);
    /* What is sealed to as it is now is read by the driver itself, in its session. */
    const struct hal_tpm_policy policy = {.pcr_mask = UINT32_C(1) << BOX_SEAL_PCR,
                                          .pcr_value = subject->pcr7,
                                          .authority = &authority,
                                          .pin = seal_pin_auth(subject->pin, file.pin_salt, &auth)};

    TRY(hal_tpm_seal(tpm, subject->srk, &policy, secret_reveal(root), &file.sealed));
    return put_file(&file, out_file);
}

/* So many bytes, into memory of that size. */
static enum err get_bytes(struct reader *reader, uint8_t *out_bytes, size_t bytes)
{
    struct span part = SPAN_NONE;

    TRY(reader_get(reader, bytes, &part));
    memcpy(out_bytes, part.data, bytes);
    return ERR_OK;
}

static enum err get_header(struct reader *reader, bool *out_wants_pin)
{
    uint8_t found[sizeof(magic)];
    uint8_t version = 0;
    uint8_t flags = 0;

    TRY(get_bytes(reader, found, sizeof(found)));
    TRY(reader_get_u8(reader, &version));
    TRY(reader_get_u8(reader, &flags));
    ENSURE(span_equal(span_array(found), span_array(magic)), ERR_MALFORMED, "not a file of this kind");
    ENSURE(version == FORMAT_VERSION, ERR_VERSION, "a sealed file of a later format");
    ENSURE((flags & ~FLAG_PIN) == 0, ERR_MALFORMED, "flags of a sealed file");
    *out_wants_pin = flags == FLAG_PIN;
    return ERR_OK;
}

static enum err get_facts(struct reader *reader, struct box_seal_facts *out_facts)
{
    TRY(get_bytes(reader, out_facts->key, sizeof(out_facts->key)));
    TRY(get_bytes(reader, out_facts->nonce, sizeof(out_facts->nonce)));
    TRY(get_bytes(reader, out_facts->counter.name.bytes, sizeof(out_facts->counter.name.bytes)));
    TRY(reader_get_u64be(reader, &out_facts->counter.value));
    return reader_get_u32be(reader, &out_facts->security);
}

static enum err get_file(struct span bytes, struct box_file *out_file)
{
    struct reader reader = reader_of(bytes);

    TRY(get_header(&reader, &out_file->info.wants_pin));
    TRY(get_bytes(&reader, out_file->info.srk.bytes, sizeof(out_file->info.srk.bytes)));
    TRY(get_bytes(&reader, out_file->pin_salt, sizeof(out_file->pin_salt)));
    TRY(get_bytes(&reader, out_file->info.pcr7, sizeof(out_file->info.pcr7)));
    TRY(get_facts(&reader, &out_file->info.facts));
    TRY(seal_get_blob(&reader, &out_file->sealed));
    ENSURE(reader.rest.len == 0, ERR_MALFORMED, "bytes behind a sealed file");
    return ERR_OK;
}

enum err box_seal_read(struct span file, struct box_seal_info *out_info)
{
    struct box_file parsed = {.pin_salt = {0}};

    TRY(get_file(file, &parsed));
    *out_info = parsed.info;
    return ERR_OK;
}

enum err box_seal_open(struct hal_tpm *tpm, struct span file, const struct hal_tpm_approval *approval, struct span pin,
                       struct secret **out_root)
{
    SCOPED_WIPE_32 struct wipe_32 auth = {{0}};
    SCOPED_SECRET struct secret *root = NULL;
    struct box_file parsed = {.pin_salt = {0}};
    struct hal_tpm_authority authority;

    TRY(get_file(file, &parsed));
    ENSURE(pin.len <= SEAL_PIN_MAX && (pin.len != 0 || !parsed.info.wants_pin), ERR_PIN, "the PIN is missing");
    box_seal_authority(&parsed.info.facts, &authority);
    const struct span used = parsed.info.wants_pin ? pin : SPAN_NONE;
    const struct hal_tpm_policy policy = {.pcr_mask = UINT32_C(1) << BOX_SEAL_PCR,
                                          .authority = &authority,
                                          .approval = approval,
                                          .pin = seal_pin_auth(used, parsed.pin_salt, &auth)};

    TRY(secret_new(SEAL_ROOT_BYTES, &root));
    TRY(hal_tpm_unseal(tpm, &parsed.info.srk, &policy, &parsed.sealed, secret_fill(root), SEAL_ROOT_BYTES));
    *out_root = TAKE(root);
    return ERR_OK;
}
