/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where the keys of tables come from: in the appliance the keeper, behind the worker's channel of calls; in tests memory.
 * firmware/data hands it on to storage (struct store_keeper), which the processes do not see. */
#ifndef FIRMWARE_DATA_KEYS_H
#define FIRMWARE_DATA_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "crypto/secret.h"

#define DATA_WRAPPED_MAX 96 /* a wrapped table key: 84 bytes, and room */

struct data_wrapped {
    uint8_t bytes[DATA_WRAPPED_MAX];
    size_t len;
};

/* The public keys of an environment's tokens, the newest first: points of P-256, uncompressed. */
#define DATA_TOKEN_KEYS_MAX  4
#define DATA_TOKEN_KEY_BYTES 65
#define DATA_TOKEN_ID_BYTES  36 /* an environment's id, a UUID */

struct data_token_keys {
    size_t count;
    uint8_t points[DATA_TOKEN_KEYS_MAX][DATA_TOKEN_KEY_BYTES];
};

/* Each call blocks for one exchange with the keeper. One thread at a time: the one that opens the store, later its
 * writer. Errors besides those named: ERR_CLOSED (the keeper is gone; it will be back with another worker), ERR_TIMEOUT,
 * ERR_IO (the keeper cannot write its files), ERR_FULL. */
struct data_keys {
    void *context;
    /* A new random key of 32 bytes for a table; the caller owns out_key. */
    enum err (*new_key)(void *context, uint32_t table, struct secret **out_key, struct data_wrapped *out_wrapped);
    /* ERR_AUTH: not wrapped for this table, or damaged; ERR_STALE_KEY: under a wrapping key that was destroyed. */
    enum err (*open_key)(void *context, uint32_t table, struct span wrapped, struct secret **out_key);
    /* A new wrapping key beside the old one. ERR_OK also when a rotation is under way. */
    enum err (*rotate_begin)(void *context);
    /* The same key under the newest wrapping key. Errors as open_key. */
    enum err (*rewrap)(void *context, uint32_t table, struct span wrapped, struct data_wrapped *out_wrapped);
    /* Destroys the old wrapping key. ERR_OK also when there is none. */
    enum err (*rotate_end)(void *context);
    /* Was a rotation begun and not ended? */
    enum err (*rotate_pending)(void *context, bool *out_pending);
    /* The keys that sign an environment's tokens; its first one is made if there is none. ERR_LIMIT: as many
     * environments have keys as may. */
    enum err (*token_keys)(void *context, struct span environment_id, struct data_token_keys *out_keys);
    /* One key more, in front of the others; it signs nothing before token_use, and is made only once until then.
     * ERR_LIMIT: as many are held as may be. */
    enum err (*token_rotate)(void *context, struct span environment_id, struct data_token_keys *out_keys);
    /* The newest key is where everybody finds it: it signs from here on. */
    enum err (*token_use)(void *context, struct span environment_id);
    /* Destroys a key that signs no more. ERR_OK also when it is not there; ERR_STATE: it signs. */
    enum err (*token_retire)(void *context, struct span environment_id, const uint8_t point[DATA_TOKEN_KEY_BYTES]);
    /* Destroys them. ERR_OK also when there are none. */
    enum err (*token_drop)(void *context, struct span environment_id);
    /* The next environment that has keys, after `after` (empty: the first). ERR_NOT_FOUND: no more. */
    enum err (*token_next)(void *context, struct span after, char out_environment_id[DATA_TOKEN_ID_BYTES]);
};

#endif
