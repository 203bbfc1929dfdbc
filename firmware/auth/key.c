/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The form of API keys and of the UUIDs that name what the API manages. */
#include "firmware/auth/key.h"

#include <string.h>

#include "hal/base/mem.h"

#define KEY_RANDOM_BYTES 32
#define USE_STEP_MS      60000 /* lastUsedAt is written at most once a minute, so a finer note is of no use */

static bool is_hex(uint8_t byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F');
}

bool auth_key_is_well_formed(struct span text)
{
    if (text.len != AUTH_KEY_BYTES || (text.data[0] != 'p' && text.data[0] != 's') || text.data[1] != 'k' ||
        text.data[2] != '_') {
        return false;
    }
    for (size_t i = 3; i < AUTH_KEY_BYTES; i++) {
        if (!is_hex(text.data[i])) {
            return false;
        }
    }
    return true;
}

void auth_key_hash(struct span text, uint8_t out_hash[SHA256_BYTES])
{
    sha256(text, out_hash);
}

void auth_key_make(struct random *random, enum auth_key_type type, char out_text[AUTH_KEY_BYTES])
{
    uint8_t bytes[KEY_RANDOM_BYTES];

    random_fill(random, bytes, sizeof bytes);
    memcpy(out_text, type == AUTH_KEY_SECRET ? "sk_" : "pk_", 3);
    hex_encode(span_array(bytes), out_text + 3);
    mem_wipe(bytes, sizeof bytes);
}

void auth_key_touch(const struct auth_key *key, struct wall_time now)
{
    const long long before = atomic_load_explicit(key->last_used_ms, memory_order_relaxed);

    if (now.ms - before >= USE_STEP_MS) {
        atomic_store_explicit(key->last_used_ms, (long long)now.ms, memory_order_relaxed);
    }
}

void auth_uuid_write(const uint8_t random_bytes[AUTH_UUID_RANDOM_BYTES], char out_text[AUTH_UUID_BYTES])
{
    uint8_t bytes[AUTH_UUID_RANDOM_BYTES];
    char hex[HEX_BYTES(sizeof bytes)];
    size_t at = 0;

    memcpy(bytes, random_bytes, sizeof bytes);
    bytes[6] = (uint8_t)((bytes[6] & 0x0Fu) | 0x40u);
    bytes[8] = (uint8_t)((bytes[8] & 0x3Fu) | 0x80u);
    hex_encode(span_array(bytes), hex);
    for (size_t i = 0; i < sizeof hex; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20) {
            out_text[at++] = '-';
        }
        out_text[at++] = hex[i];
    }
}

void auth_uuid_make(struct random *random, char out_text[AUTH_UUID_BYTES])
{
    uint8_t bytes[AUTH_UUID_RANDOM_BYTES];

    random_fill(random, bytes, sizeof bytes);
    auth_uuid_write(bytes, out_text);
}

bool auth_uuid_is_well_formed(struct span text)
{
    if (text.len != AUTH_UUID_BYTES) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        const bool lower = !(text.data[i] >= 'A' && text.data[i] <= 'F');
        if (dash ? text.data[i] != '-' : !is_hex(text.data[i]) || !lower) {
            return false;
        }
    }
    return true;
}
