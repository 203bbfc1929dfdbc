/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The generator: ChaCha20 under a key that every refill replaces (fast key erasure).
 *
 *   refill   stream = ChaCha20(key, nonce 0); key = first 32 bytes; the rest is handed out and overwritten as it goes
 *   reseed   key = HKDF-SHA256(salt = key, input = 32 bytes of the kernel | extra)
 *
 * The nonce can stay zero because no key is used twice. A forked child sees another process id and reseeds before it hands
 * anything out. */
#include "crypto/random.h"

#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "hal/base/fault.h"
#include "hal/base/num.h"
#include "crypto/hash.h"
#include "crypto/kdf.h"

#define POOL_BYTES 992                       /* with the key 1 KiB, sixteen blocks of ChaCha20 */
#define RESEED_BYTES ((uint64_t)1024 * 1024) /* handed out between two looks at the kernel's generator */
#define RESEED_INFO "rowlock random generator"

struct random_state {
    uint8_t key[crypto_stream_chacha20_KEYBYTES];
    uint8_t pool[POOL_BYTES];
};

struct random {
    struct secret *memory;
    size_t left;        /* bytes of the pool not yet handed out: its end */
    uint64_t since_seed; /* bytes handed out since */
    pid_t owner;
};

_Static_assert(crypto_stream_chacha20_KEYBYTES == 32, "the key is one digest");

static struct random_state *state_of(struct random *random)
{
    void *const state = secret_fill(random->memory);

    return state;
}

static void refill(struct random *random)
{
    struct random_state *const state = state_of(random);
    const uint8_t nonce[crypto_stream_chacha20_NONCEBYTES] = {0};
    SCOPED_WIPE_32 struct wipe_32 key = {{0}};

    memcpy(key.bytes, state->key, sizeof(key.bytes));
    INVARIANT(crypto_stream_chacha20((uint8_t *)state, sizeof(*state), nonce, key.bytes) == 0);
    random->left = sizeof(state->pool);
}

void random_reseed(struct random *random, struct span seed)
{
    struct random_state *const state = state_of(random);
    SCOPED_WIPE_64 struct wipe_64 input = {{0}};
    SCOPED_WIPE_32 struct wipe_32 prk = {{0}};
    SCOPED_WIPE_32 struct wipe_32 key = {{0}};

    randombytes_buf(input.bytes, 32);
    sha256(seed, input.bytes + 32);
    hkdf_sha256_extract(span_array(state->key), span_array(input.bytes), prk.bytes);
    INVARIANT(hkdf_sha256_expand(prk.bytes, span_lit(RESEED_INFO), sizeof(key.bytes), key.bytes) == ERR_OK);
    memcpy(state->key, key.bytes, sizeof(key.bytes));
    mem_wipe(state->pool, sizeof(state->pool));
    random->left = 0;
    random->since_seed = 0;
    random->owner = getpid();
}

enum err random_new(struct span seed, struct random **out_random)
{
    void *handle = NULL;

    TRY(mem_alloc(sizeof(struct random), &handle));
    SCOPED_RANDOM struct random *random = handle;

    TRY(secret_new(sizeof(struct random_state), &random->memory));
    random_reseed(random, seed);
    *out_random = TAKE(random);
    return ERR_OK;
}

void random_free(struct random *random)
{
    if (random == NULL) {
        return;
    }
    secret_free(random->memory);
    mem_free(random);
}

void random_fill(struct random *random, uint8_t *out_bytes, size_t len)
{
    if (random->owner != getpid() || random->since_seed >= RESEED_BYTES) {
        random_reseed(random, SPAN_NONE);
    }
    while (len != 0) {
        if (random->left == 0) {
            refill(random);
        }
        const size_t part = num_min(len, random->left);
        uint8_t *const from = state_of(random)->pool + (POOL_BYTES - random->left);

        memcpy(out_bytes, from, part);
        mem_wipe(from, part);
        random->left -= part;
        random->since_seed += part;
        out_bytes += part;
        len -= part;
    }
}

enum err random_secret(struct random *random, size_t bytes, struct secret **out_secret)
{
    struct secret *secret = NULL;

    TRY(secret_new(bytes, &secret));
    random_fill(random, secret_fill(secret), bytes);
    *out_secret = secret;
    return ERR_OK;
}
