/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every cap that an outsider can spend, in one table of atomic counters that all reactors share: rate limits (so many
 * in a window of time) and holds (so many at once). No lock, fixed size, exact: of any number of threads that take the
 * last unit at once, one gets it. (Where one key's first use races with the reuse of a cell by another key, one unit
 * too many may be given.)
 *
 * Keys are hashed with SipHash-2-4 under a random key, so nobody outside can choose keys that meet. Two keys share a
 * counter with a chance of about 2^-33 for rates and 2^-50 for holds in a table of ten thousand. When the places of one hash
 * are all taken, a rate forgets the smallest counter among them and a hold is refused. Any thread may call.
 *
 * So whoever comes from a million addresses finds the memory as large as before, and locks nobody out: a key that has no
 * counter has its whole limit. To make the table forget a counter of n, every cell of its set has to be brought to more
 * than n first; which set that is nobody knows, so it means more than n units for each of most cells, within one window. */
#ifndef NET_LIMITS_H
#define NET_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "hal/base/time.h"

struct limits;

#define LIMITS_SEED_BYTES 16
#define LIMITS_COUNT_MAX UINT32_C(0xffffff)    /* the highest limit there can be */
#define LIMITS_WINDOW_S_MAX UINT32_C(86400)    /* the longest window: one day */

/* A table for about `keys` keys of each kind at once, at 16 bytes each. seed is random and stays in the process.
 * ERR_NO_MEMORY, ERR_RANGE. */
enum err limits_new(size_t keys, const uint8_t seed[LIMITS_SEED_BYTES], struct limits **out_limits) MUST_USE;
void limits_free(struct limits *limits); /* NULL is fine */

/* One bucket of contract 1.9. `kind` keeps buckets apart that are keyed by the same bytes. */
struct limits_rule {
    uint32_t kind;
    uint32_t limit;    /* 1 .. LIMITS_COUNT_MAX in a window */
    uint32_t window_s; /* 1 .. LIMITS_WINDOW_S_MAX; windows are aligned to multiples of it */
};

struct limits_state {
    uint32_t remaining; /* units left in this window */
    int64_t reset_s;    /* when the window ends, epoch seconds */
};

/* Takes one unit. *out_state is written also with ERR_LIMIT, which says that none was left and none was taken:
 * the caller needs the time for Retry-After. */
enum err limits_take(struct limits *limits, const struct limits_rule *rule, struct span key, struct wall_time now,
                     struct limits_state *out_state) MUST_USE;

/* As limits_take without taking: is there a unit left? For failures, which are counted only once they happened. */
enum err limits_look(struct limits *limits, const struct limits_rule *rule, struct span key, struct wall_time now,
                     struct limits_state *out_state) MUST_USE;

/* Holds: at most `limit` at once for kind and key. ERR_LIMIT. Each success is undone by one limits_drop with the same
 * kind and key. */
enum err limits_hold(struct limits *limits, uint32_t kind, struct span key, uint32_t limit) MUST_USE;
void limits_drop(struct limits *limits, uint32_t kind, struct span key);

/* --- rates that outlive the process: those of kinds from LIMITS_KIND_KEPT on ---
 *
 * They have a table of their own, for 16,384 keys at once whatever else is counted (256 KiB), in LIMITS_KEPT_BLOCKS blocks.
 * Who keeps it writes the blocks that changed now and then, and reads them back before anything is counted. */
#define LIMITS_KEPT_BLOCKS 32u
#define LIMITS_KEPT_BYTES  (26u + 1024u * 10u) /* of one block at most; of one with few counters few */

/* Was anything counted in it since it was written? */
bool limits_kept_changed(const struct limits *limits, uint32_t block);
/* Appends it, without what is over; from here on it has not changed. Errors of the buffer. */
enum err limits_kept_write(struct limits *limits, uint32_t block, struct wall_time now, struct buf *out) MUST_USE;
/* What was written of it is lost: it has changed. */
void limits_kept_unsaved(struct limits *limits, uint32_t block);
/* A block that was written; one thread alone. ERR_MALFORMED: it is none; what is in front of the fault holds. */
enum err limits_kept_read(struct limits *limits, struct span bytes, struct wall_time now) MUST_USE;

/* Kinds used by net itself; others count from LIMITS_KIND_FIRST. */
#define LIMITS_KIND_CONNECTIONS 1u         /* key: empty; connections in all */
#define LIMITS_KIND_CONNECTIONS_ADDRESS 2u /* key: address */
#define LIMITS_KIND_FIRST 16u
#define LIMITS_KIND_KEPT  64u

#endif
