/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The token keys of environments and their rotation, for the files of this folder. */
#ifndef FIRMWARE_DATA_TOKEN_KEYS_INT_H
#define FIRMWARE_DATA_TOKEN_KEYS_INT_H

#include "firmware/data/data_int.h"

/* Member `tokenKeys` of an environment's document, into an open object: the keys as the keeper holds them. known: what the
 * document had of them, or NULL. One that signs no more, and of which that is not known, ends an overlap after now. */
void token_keys_write(struct json_out *out, const struct data_token_keys *keys,
                      const struct catalog_environment *known, struct wall_time now);

/* The same member of a stored document. ERR_DAMAGED. */
enum err token_keys_read(const struct json_value *doc, struct catalog_environment *environment) MUST_USE;

/* Does the document have exactly these? */
bool token_keys_are(const struct catalog_environment *environment, const struct data_token_keys *keys);

/* Has the keeper destroy the keys that have ended; the document still names them. */
enum err token_keys_retire(struct data_txn *txn, const struct catalog_environment *environment) MUST_USE;

/* Once in a while, in a transaction: the same for its environment, and then the document. */
enum err token_keys_sweep(struct data_txn *txn) MUST_USE;

/* After a commit: environments whose newest key is another than before sign with it from here on; before is NULL if the
 * catalogue is the same. Where the keeper could not be told, it is with the next commit, and at a start. */
void token_keys_use(struct data *data, const struct catalog *before);

#endif
