/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keys encrypted by keys, each under a one-time key: see wrap.h for the format. */
#include "crypto/wrap.h"

#include <string.h>

#include "hal/base/fault.h"
#include "hal/base/num.h"
#include "crypto/aead.h"
#include "crypto/aead_once.h"
#include "crypto/kdf.h"

#define SALT_BYTES 32
#define PREFIX "rowlock wrap" /* with its NUL: the label that follows cannot run into it */
#define INFO_MAX (sizeof(PREFIX) + 4 + 4 + WRAP_SCOPE_MAX)

_Static_assert(WRAP_OVERHEAD == 4 + SALT_BYTES + AEAD_TAG_BYTES, "the parts of a wrapped key");
_Static_assert(INFO_MAX <= HKDF_INFO_MAX, "what a key is bound to fits a derivation");

struct wrap_info {
    uint8_t bytes[INFO_MAX];
    size_t len;
};

static void add(struct wrap_info *info, const void *bytes, size_t len)
{
    if (len != 0) {
        memcpy(info->bytes + info->len, bytes, len);
    }
    info->len += len;
}

static enum err make_info(const struct wrap_scope *scope, struct wrap_info *out_info)
{
    uint8_t number[4];
    size_t len = 0;

    TRY(num_add(scope->label.len, scope->context.len, &len));
    ENSURE(len <= WRAP_SCOPE_MAX, ERR_RANGE, "label and context of a wrapped key");
    out_info->len = 0;
    add(out_info, PREFIX, sizeof(PREFIX));
    put_u32be(number, (uint32_t)scope->label.len);
    add(out_info, number, sizeof(number));
    add(out_info, scope->label.data, scope->label.len);
    put_u32be(number, scope->version);
    add(out_info, number, sizeof(number));
    add(out_info, scope->context.data, scope->context.len);
    return ERR_OK;
}

enum err wrap_key(struct random *random, const struct secret *wrapping, const struct wrap_scope *scope,
                  const struct secret *key, struct buf *out_wrapped)
{
    const struct span plain = secret_reveal(key);
    SCOPED_SECRET struct secret *once = NULL;
    struct wrap_info info;
    uint8_t salt[SALT_BYTES];
    uint8_t *at = NULL;

    TRY(make_info(scope, &info));
    random_fill(random, salt, sizeof(salt));
    TRY(hkdf_sha256(wrapping, span_array(salt), span_of(info.bytes, info.len), AEAD_KEY_BYTES, &once));
    TRY(buf_reserve(out_wrapped, WRAP_OVERHEAD + plain.len, &at));
    put_u32be(at, scope->version);
    memcpy(at + 4, salt, sizeof(salt));
    TRY(aead_once_seal(once, span_of(info.bytes, info.len), plain, at + 4 + SALT_BYTES));
    buf_commit(out_wrapped, WRAP_OVERHEAD + plain.len);
    return ERR_OK;
}

enum err wrap_version(struct span wrapped, uint32_t *out_version)
{
    ENSURE(wrapped.len > WRAP_OVERHEAD, ERR_MALFORMED, "too short for a wrapped key");
    *out_version = get_u32be(wrapped.data);
    return ERR_OK;
}

enum err wrap_open(const struct secret *wrapping, const struct wrap_scope *scope, struct span wrapped,
                   struct secret **out_key)
{
    SCOPED_SECRET struct secret *once = NULL;
    SCOPED_SECRET struct secret *key = NULL;
    struct wrap_info info;
    uint32_t version = 0;

    TRY(make_info(scope, &info));
    TRY(wrap_version(wrapped, &version));
    ENSURE(wrapped.len - WRAP_OVERHEAD <= SECRET_BYTES_MAX, ERR_MALFORMED, "too long for a wrapped key");
    ENSURE(version == scope->version, ERR_STALE_KEY, "wrapped under another version");
    const struct span sealed = span_of(wrapped.data + 4 + SALT_BYTES, wrapped.len - 4 - SALT_BYTES);

    TRY(hkdf_sha256(wrapping, span_of(wrapped.data + 4, SALT_BYTES), span_of(info.bytes, info.len), AEAD_KEY_BYTES, &once));
    TRY(secret_new(wrapped.len - WRAP_OVERHEAD, &key));
    TRY(aead_once_open(once, span_of(info.bytes, info.len), sealed, secret_fill(key)));
    *out_key = TAKE(key);
    return ERR_OK;
}
