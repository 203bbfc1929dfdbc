/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The keeper's keys below the root: named, versioned, each random, each wrapped by the root key. Bytes in, bytes out: who
 * calls writes the `keys` file after every change, and acts on a change only when it is on disk.
 *
 * A name has one or several versions; the newest is used for new work, older ones open what they closed until they are
 * destroyed. Rotating `tables`:  keyring_rotate -> file -> every table key through keyring_rewrap, in one transaction ->
 * keyring_destroy of the old version -> file. A crash in between leaves both versions, and the rest is done again.
 *
 * A keyring belongs to one thread. It holds its own copy of the root key. */
#ifndef CRYPTO_KEYRING_H
#define CRYPTO_KEYRING_H

#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "crypto/random.h"
#include "crypto/secret.h"

/* The names. One that ends in ':' is a family: an id follows ("token:" and the environment's id). */
#define KEYRING_TABLES span_lit("tables")             /* wraps table keys (DEKs) */
#define KEYRING_CONFIG span_lit("config")             /* seals settings */
#define KEYRING_PEPPER span_lit("pepper")             /* for hashes of passwords; API keys are random enough without */
#define KEYRING_BACKUP span_lit("backup")
#define KEYRING_OWNER_AUTH span_lit("owner-auth")     /* of the TPM: 32 bytes, the last not 0 */
#define KEYRING_LOCKOUT_AUTH span_lit("lockout-auth")
#define KEYRING_TLS_CA span_lit("tls-ca")             /* P-256 */
#define KEYRING_TLS_LEAF span_lit("tls-leaf")         /* P-256 */
#define KEYRING_VOLUME span_lit("volume")             /* of the data volume, where the board has one */
#define KEYRING_UNSEEN span_lit("unseen")             /* keys nothing: it is there until the recovery key was shown */
#define KEYRING_BOX_POLICY span_lit("box-policy")     /* P-256, on measured boards: signs for images that may open the box */
#define KEYRING_PLANNED span_lit("planned")           /* keys nothing: its version is the serial of the newest plan of Secure Boot */
#define KEYRING_TOKEN_PREFIX span_lit("token:")       /* P-256, one for each environment */

#define KEYRING_NAME_MAX 64 /* a-z, 0-9, '-', '_', ':' */
#define KEYRING_KEYS_MAX 512 /* versions of all names; each takes one page of locked memory: 2 MiB of the 8 */
#define KEYRING_KEY_BYTES 32 /* every key, also a P-256 scalar */
#define KEYRING_FILE_MAX ((size_t)128 << 10)
#define KEYRING_NEWEST 0 /* as a version */

struct keyring;

/* An empty one. Errors as secret_new(); ERR_RANGE (not a root key). */
enum err keyring_new(const struct secret *root, struct random *random, struct keyring **out_ring) MUST_USE;

/* Reads a `keys` file and unwraps everything in it. The random generator is lent for the keyring's life.
 * ERR_AUTH (another root key, or the file was changed), ERR_MALFORMED, ERR_VERSION, ERR_NO_MEMORY, ERR_REFUSED. */
enum err keyring_open(const struct secret *root, struct random *random, struct span file,
                      struct keyring **out_ring) MUST_USE;
void keyring_free(struct keyring *ring); /* NULL is fine */

/* Appends the `keys` file as it is now, freshly wrapped. ERR_RANGE (no room), ERR_NO_MEMORY, ERR_REFUSED. */
enum err keyring_write(struct keyring *ring, struct buf *out_file) MUST_USE;

/* Makes version 1 of a name: a random key of the kind that the name calls for.
 * ERR_EXISTS, ERR_MALFORMED (not a name of the list above), ERR_LIMIT (KEYRING_KEYS_MAX), ERR_NO_MEMORY, ERR_REFUSED. */
enum err keyring_add(struct keyring *ring, struct span name) MUST_USE;

/* Makes the next version of a name beside those that are there. ERR_NOT_FOUND, ERR_LIMIT, ERR_NO_MEMORY, ERR_REFUSED. */
enum err keyring_rotate(struct keyring *ring, struct span name, uint32_t *out_version) MUST_USE;

/* Makes a version of a name, above those that are there, which are forgotten; of a name that is not there, the only one. ERR_RANGE
 * (not above the newest, or 0), ERR_MALFORMED (not a name of the list above), ERR_LIMIT, ERR_NO_MEMORY, ERR_REFUSED. */
enum err keyring_raise(struct keyring *ring, struct span name, uint32_t version) MUST_USE;

/* Forgets one version. The newest goes only when it is the last one: the name is then gone.
 * ERR_NOT_FOUND, ERR_STATE (the newest, and older ones are there), ERR_RANGE (version 0). */
enum err keyring_destroy(struct keyring *ring, struct span name, uint32_t version) MUST_USE;

/* The key, borrowed until the keyring's next change. version KEYRING_NEWEST is the newest. ERR_NOT_FOUND. */
enum err keyring_get(const struct keyring *ring, struct span name, uint32_t version,
                     const struct secret **out_key) MUST_USE;

/* The oldest and the newest version held. ERR_NOT_FOUND. */
struct keyring_versions {
    uint32_t oldest;
    uint32_t newest;
};
enum err keyring_versions(const struct keyring *ring, struct span name, struct keyring_versions *out_versions) MUST_USE;

/* How many (name, version) there are, and the i-th of them in the order of the file; the name is borrowed. */
size_t keyring_count(const struct keyring *ring);
struct span keyring_name_at(const struct keyring *ring, size_t at, uint32_t *out_version);

/* What a key outside the ring is, and belongs to: ("table key", table id). */
struct keyring_subject {
    struct span label;
    struct span context;
};

/* Wraps a key by the newest version of `name`. Appends secret_len + WRAP_OVERHEAD bytes.
 * ERR_NOT_FOUND, ERR_RANGE, ERR_NO_MEMORY, ERR_REFUSED. */
enum err keyring_wrap(struct keyring *ring, struct span name, const struct keyring_subject *subject,
                      const struct secret *key, struct buf *out_wrapped) MUST_USE;

/* Unwraps. ERR_STALE_KEY (its version was destroyed, or never was), ERR_AUTH, ERR_MALFORMED, ERR_NOT_FOUND (no such
 * name), ERR_RANGE, ERR_NO_MEMORY, ERR_REFUSED. */
enum err keyring_unwrap(struct keyring *ring, struct span name, const struct keyring_subject *subject,
                        struct span wrapped, struct secret **out_key) MUST_USE;

/* The same key wrapped by the newest version; of one that is so already, a fresh wrapping. Errors of both. */
enum err keyring_rewrap(struct keyring *ring, struct span name, const struct keyring_subject *subject,
                        struct span wrapped, struct buf *out_wrapped) MUST_USE;

static inline void keyring_free_scoped(struct keyring **ring)
{
    keyring_free(*ring);
}
#define SCOPED_KEYRING SCOPED(keyring_free_scoped)

#endif
