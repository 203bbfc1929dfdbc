/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The only way to rows.
 *
 * struct data belongs to the process: it opens the store, holds the catalogue and owns the writer thread. Each reactor
 * has a struct data_reader. A caller never names a stored table: it asks for access to a table of an environment, for a
 * principal and an operation (access.h), and every read, list and write takes that access, so there is no row without a
 * decision of firmware/rls.
 *
 * A write is one operation of the writer thread. Inside its transaction it reads the key, the environment, the table
 * and the policy again and decides on the row as it is then: what was true when the request came in counts for nothing.
 * Spec: architecture sections 3, 5, 6. */
#ifndef FIRMWARE_DATA_DATA_H
#define FIRMWARE_DATA_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "hal/clock.h"
#include "crypto/random.h"
#include "crypto/secret_slab.h"
#include "firmware/data/keys.h"
#include "net/limits.h"

struct data;
struct data_reader;

struct data_config {
    const char *path;              /* the database's folder, which exists; NUL-ended */
    uint64_t map_bytes;            /* 0: CONFIG_STORAGE_MAP_MIB */
    const struct data_keys *keys;  /* outlives the data; called from data_open and then the writer thread */
    struct secret_slab *slab;      /* outlives the data; shared by all threads */
    struct random *random;         /* lent until data_close; belongs to the writer thread after data_open */
    const struct hal_clock *clock; /* outlives the data */
    size_t readers;                /* how many data_reader there will be: one for each reactor */
    struct limits *limits;         /* outlives the data; what of them is kept is read and written here; NULL: nothing */
    bool must_exist;               /* there was a database: an empty one is damage, not a first start */
    /* Called from data_open and then the writer thread; each may be NULL. */
    enum err (*may_seal)(void *context); /* see storage/store.h */
    void (*on_closed)(void *context);    /* once: nothing more can be read or written until data is opened anew */
    void (*on_mails)(void *context, unsigned int notes); /* after a commit that concerns the queue of mails: a union of */
#define DATA_MAILS_QUEUED  1u /* mails were written that wait for a relay */
#define DATA_MAILS_RELAYED 2u /* a relay was set, or is another */
    void *context;
};

/* Opens or makes the database, makes the system tables if they are missing, builds the catalogue and starts the writer.
 * Blocks on disk and keeper. Errors of store_open; ERR_DAMAGED also when a stored record is not of its form. */
enum err data_open(const struct data_config *config, struct data **out_data) MUST_USE;

/* Carries out the writes that are queued, ends the writer and closes. When every reader is freed and no write is under
 * way. NULL is fine. */
void data_close(struct data *data);

/* Now and then, from one thread: has counters written that are to outlive the process, if there are any and it is time.
 * Never blocks. */
void data_keep(struct data *data);

static inline void data_close_scoped(struct data **data)
{
    data_close(*data);
}
#define SCOPED_DATA SCOPED(data_close_scoped)

/* For the reactor's thread; slot is below config.readers and used once. ERR_NO_MEMORY, ERR_LIMIT. */
enum err data_reader_new(struct data *data, size_t slot, struct data_reader **out_reader) MUST_USE;
void data_reader_free(struct data_reader *reader); /* NULL is fine */

/* The offline check of `rowlock fsck`: opens the database of config (clock and readers are not used) and verifies
 * every tag, row, index entry, counter and freshness hash. on_damage is called for each finding with literals and ids;
 * row is empty when no row is meant. ERR_OK when it could look at everything, whatever it found; errors of data_open. */
struct data_damage {
    const char *kind; /* "row-tag", "index-order", ... */
    uint32_t table;
    uint32_t index;
    struct span row; /* 24 hex digits */
};
struct data_check_report {
    uint64_t tables;
    uint64_t rows;
    uint64_t entries;
    uint64_t damaged;
};
enum err data_check(const struct data_config *config,
                    void (*on_damage)(void *context, const struct data_damage *damage), void *context,
                    struct data_check_report *out_report) MUST_USE;

#define DATA_UUID_BYTES      36 /* as text */
#define DATA_KEY_BYTES       67 /* "pk_" or "sk_" and 64 hex digits */
#define DATA_ENVIRONMENT_MAX 32

/* What the first start makes, to be shown once. Wiped by data_bootstrap_wipe. */
struct data_bootstrap {
    bool has_operator; /* false: the first is to be made by the setup code */
    bool made; /* false: this was no first start, and the rest is empty */
    char project_id[DATA_UUID_BYTES];
    char environment[DATA_ENVIRONMENT_MAX];
    size_t environment_len;
    char publishable_key[DATA_KEY_BYTES];
    char secret_key[DATA_KEY_BYTES];
};

/* Was what an earlier start made shown to a person? A start that was cut off before that left keys that nobody has. */
enum data_bootstrap_shown { DATA_BOOTSTRAP_SHOWN, DATA_BOOTSTRAP_UNSEEN };

/* On an empty database: one organization, one project with environment `dev`, an unrestricted publishable and an
 * unrestricted secret key, all in one transaction. With DATA_BOOTSTRAP_UNSEEN, if nothing was made and no key used since:
 * two new keys in place of the old. Otherwise it does nothing. Blocks until it is on disk; not from
 * a reactor. ERR_FULL, ERR_IO, ERR_LIMIT. */
enum err data_bootstrap(struct data *data, enum data_bootstrap_shown shown,
                        struct data_bootstrap *out_bootstrap) MUST_USE;
void data_bootstrap_wipe(struct data_bootstrap *bootstrap);

#endif
