/* SPDX-License-Identifier: GPL-3.0-or-later */
/* AES-SIV over wolfCrypt. It refuses NULL even where there is nothing to write, and reads none where there is nothing to
 * read, hence the empty byte. */
#include "crypto/siv.h"

#include <stdbool.h>

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/aes.h>

#include "hal/base/fault.h"

static bool part_fits(struct span part)
{
    return part.len != 0 && part.len <= SIV_BYTES_MAX;
}

static enum err check(const struct secret *key, const struct siv_parts *parts, size_t bytes,
                      AesSivAssoc out_parts[SIV_PARTS_MAX])
{
    ENSURE(secret_len(key) == SIV_KEY_BYTES, ERR_RANGE, "length of a key of AES-SIV");
    ENSURE(bytes <= SIV_BYTES_MAX, ERR_RANGE, "length of a message");
    ENSURE(parts->count != 0 && parts->count <= SIV_PARTS_MAX, ERR_RANGE, "parts beside a message");
    for (size_t i = 0; i < parts->count; i++) {
        ENSURE(part_fits(parts->part[i]), ERR_RANGE, "length of a part beside a message");
        out_parts[i] = (AesSivAssoc){.assoc = parts->part[i].data, .assocSz = (word32)parts->part[i].len};
    }
    return ERR_OK;
}

enum err siv_seal(const struct secret *key, const struct siv_parts *parts, struct span plain, uint8_t *out_sealed)
{
    static const uint8_t empty = 0;
    AesSivAssoc assoc[SIV_PARTS_MAX] = {{.assoc = NULL}};

    TRY(check(key, parts, plain.len, assoc));
    const struct span bytes = secret_reveal(key);
    const int failed = wc_AesSivEncrypt_ex(bytes.data, (word32)bytes.len, assoc, (word32)parts->count, NULL, 0,
                                           plain.len != 0 ? plain.data : &empty, (word32)plain.len, out_sealed,
                                           out_sealed + SIV_TAG_BYTES);

    INVARIANT(failed == 0); /* the arguments were checked, and nothing else can fail */
    return ERR_OK;
}

enum err siv_open(const struct secret *key, const struct siv_parts *parts, struct span sealed, uint8_t *out_plain)
{
    AesSivAssoc assoc[SIV_PARTS_MAX] = {{.assoc = NULL}};
    uint8_t nothing = 0;

    ENSURE(sealed.len >= SIV_TAG_BYTES, ERR_MALFORMED, "shorter than a tag");
    const size_t len = sealed.len - SIV_TAG_BYTES;
    TRY(check(key, parts, len, assoc));
    const struct span bytes = secret_reveal(key);
    uint8_t tag[SIV_TAG_BYTES];
    for (size_t i = 0; i < sizeof(tag); i++) {
        tag[i] = sealed.data[i]; /* wolfCrypt wants bytes that it may write */
    }
    const int failed =
        wc_AesSivDecrypt_ex(bytes.data, (word32)bytes.len, assoc, (word32)parts->count, NULL, 0,
                            sealed.data + SIV_TAG_BYTES, (word32)len, tag, len != 0 ? out_plain : &nothing);

    if (failed != 0) {
        FAIL(ERR_AUTH, "a sealed message does not verify", failed); /* wolfCrypt has wiped it */
    }
    return ERR_OK;
}
