/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keys of tables from the keeper, over the channel of calls: struct data_keys for firmware/data. */
#ifndef FIRMWARE_WORKER_TABLE_KEYS_H
#define FIRMWARE_WORKER_TABLE_KEYS_H

#include "firmware/data/keys.h"
#include "firmware/msg.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"

struct table_keys;

/* Takes the channel, which waits for answers (with a time limit set by the caller). ERR_NO_MEMORY. */
enum err table_keys_new(struct msg_channel *take_channel, struct table_keys **out_keys) MUST_USE;
void table_keys_free(struct table_keys *keys); /* NULL is fine */

/* Lives as long as keys. */
const struct data_keys *table_keys_view(const struct table_keys *keys);

#endif
