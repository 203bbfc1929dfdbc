/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The `keys` file. All numbers big-endian:
 *
 *   "RLKR" | format 1 (1) | root version (4) | count (2) | entries | HMAC-SHA-256 of everything before (32)
 *   entry = len (1) name | version (4) | wrapped key (32 + WRAP_OVERHEAD), ascending by name and version
 *
 * Each key is wrapped by the root key for its name and version. The MAC, under a key derived from the root, is over the
 * whole, so that an entry can neither be dropped nor taken over from another file.
 *
 * What it does not show is age: a complete older file of the same root key opens. Whoever kept one brings a destroyed
 * version back to life with it, and with an older database the rows under it; with the present database nothing opens,
 * because its keys are wrapped by a version that the older file does not have (ERR_STALE_KEY). Telling the whole from an
 * older whole takes a counter in the TPM, which this format has no place for. */
#include "crypto/keyring.h"

#include <string.h>

#include "hal/base/fault.h"
#include "crypto/ct.h"
#include "crypto/hash.h"
#include "crypto/kdf.h"
#include "crypto/keyring_int.h"
#include "crypto/wrap.h"

#define FORMAT 1
#define HEADER_BYTES (4 + 1 + 4 + 2)
#define WRAPPED_BYTES (KEYRING_KEY_BYTES + WRAP_OVERHEAD)
#define ENTRY_MAX (1 + KEYRING_NAME_MAX + 4 + WRAPPED_BYTES)

_Static_assert(HEADER_BYTES + KEYRING_KEYS_MAX * ENTRY_MAX + SHA256_BYTES <= KEYRING_FILE_MAX, "the longest keys file");

static const uint8_t magic[4] = {'R', 'L', 'K', 'R'};

static enum err file_mac(const struct secret *root, struct span content, uint8_t out_mac[SHA256_BYTES])
{
    SCOPED_SECRET struct secret *key = NULL;

    TRY(hkdf_sha256(root, SPAN_NONE, span_lit("rowlock keys file"), SHA256_BYTES, &key));
    hmac_sha256(secret_reveal(key), content, out_mac);
    return ERR_OK;
}

/* What the root key wraps an entry for: its name and version. */
struct entry_context {
    uint8_t bytes[KEYRING_NAME_MAX + 5];
    struct wrap_scope scope;
};

static void make_scope(const struct keyring *ring, struct span name, uint32_t version, struct entry_context *out_context)
{
    memcpy(out_context->bytes, name.data, name.len);
    out_context->bytes[name.len] = 0; /* in no name */
    put_u32be(out_context->bytes + name.len + 1, version);
    out_context->scope = (struct wrap_scope){
        .label = span_lit("key of the ring"),
        .context = span_of(out_context->bytes, name.len + 5),
        .version = ring->root_version,
    };
}

static enum err put_content(struct keyring *ring, struct buf *out_file)
{
    TRY(buf_put(out_file, span_array(magic)));
    TRY(buf_put_u8(out_file, FORMAT));
    TRY(buf_put_u32be(out_file, ring->root_version));
    TRY(buf_put_u16be(out_file, (uint16_t)ring->count));
    for (size_t i = 0; i < ring->count; i++) {
        const struct keyring_entry *const entry = &ring->entries[i];
        const struct span name = span_of(entry->name, entry->name_len);
        struct entry_context context;

        make_scope(ring, name, entry->version, &context);
        TRY(buf_put_u8(out_file, (uint8_t)name.len));
        TRY(buf_put(out_file, name));
        TRY(buf_put_u32be(out_file, entry->version));
        TRY(wrap_key(ring->random, ring->root, &context.scope, entry->key, out_file));
    }
    return ERR_OK;
}

static enum err put_file(struct keyring *ring, size_t before, struct buf *out_file)
{
    uint8_t mac[SHA256_BYTES];

    TRY(put_content(ring, out_file));
    TRY(file_mac(ring->root, span_of(buf_all(out_file).data + before, buf_len(out_file) - before), mac));
    return buf_put(out_file, span_array(mac));
}

enum err keyring_write(struct keyring *ring, struct buf *out_file)
{
    const size_t before = buf_len(out_file);
    const enum err err = put_file(ring, before, out_file);

    if (err != ERR_OK) {
        buf_truncate(out_file, before);
    }
    return err;
}

static enum err get_entry(struct keyring *ring, struct reader *reader)
{
    SCOPED_SECRET struct secret *key = NULL;
    enum keyring_kind kind = KEYRING_SYMMETRIC;
    struct span name = SPAN_NONE;
    struct span wrapped = SPAN_NONE;
    struct entry_context context;
    uint32_t version = 0;
    uint8_t name_len = 0;

    TRY(reader_get_u8(reader, &name_len));
    TRY(reader_get(reader, name_len, &name));
    TRY(reader_get_u32be(reader, &version));
    TRY(reader_get(reader, WRAPPED_BYTES, &wrapped));
    TRY(keyring_kind_of(name, &kind));
    ENSURE(version != KEYRING_NEWEST, ERR_MALFORMED, "version of a key in the file");
    make_scope(ring, name, version, &context);
    TRY(wrap_open(ring->root, &context.scope, wrapped, &key));
    return keyring_insert(ring, name, version, &key);
}

static enum err get_content(struct keyring *ring, struct reader *reader)
{
    struct span got = SPAN_NONE;
    uint8_t format = 0;
    uint16_t count = 0;

    TRY(reader_get(reader, sizeof(magic), &got));
    TRY(reader_get_u8(reader, &format));
    TRY(reader_get_u32be(reader, &ring->root_version));
    TRY(reader_get_u16be(reader, &count));
    ENSURE(count <= KEYRING_KEYS_MAX, ERR_MALFORMED, "count of keys in the file");
    for (uint16_t i = 0; i < count; i++) {
        TRY(get_entry(ring, reader));
    }
    ENSURE(reader->rest.len == 0, ERR_MALFORMED, "bytes behind the keys of the file");
    return ERR_OK;
}

/* Checked before the MAC, so that a stranger's file is told from a changed one. */
static enum err check_header(struct span file)
{
    ENSURE(file.len >= HEADER_BYTES + SHA256_BYTES && file.len <= KEYRING_FILE_MAX, ERR_MALFORMED, "length of a keys file");
    ENSURE(span_equal(span_of(file.data, sizeof(magic)), span_array(magic)), ERR_MALFORMED, "not a keys file");
    ENSURE(file.data[sizeof(magic)] == FORMAT, ERR_VERSION, "a keys file of a later format");
    return ERR_OK;
}

enum err keyring_open(const struct secret *root, struct random *random, struct span file, struct keyring **out_ring)
{
    SCOPED_KEYRING struct keyring *ring = NULL;
    uint8_t mac[SHA256_BYTES];

    TRY(check_header(file));
    TRY(keyring_new(root, random, &ring));
    const struct span content = span_of(file.data, file.len - SHA256_BYTES);
    struct reader reader = reader_of(content);

    TRY(file_mac(ring->root, content, mac));
    ENSURE(ct_equal(span_array(mac), span_of(file.data + content.len, SHA256_BYTES)), ERR_AUTH,
           "a keys file of another root key, or a changed one");
    TRY(get_content(ring, &reader));
    *out_ring = TAKE(ring);
    return ERR_OK;
}
