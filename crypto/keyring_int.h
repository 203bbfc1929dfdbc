/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What keyring.c and keyring_file.c share. */
#ifndef CRYPTO_KEYRING_INT_H
#define CRYPTO_KEYRING_INT_H

#include "crypto/keyring.h"

enum keyring_kind {
    KEYRING_SYMMETRIC, /* 32 random bytes */
    KEYRING_SIGNING,   /* a P-256 private key */
    KEYRING_TPM_AUTH   /* 32 random bytes, the last not zero */
};

struct keyring_entry {
    uint8_t name[KEYRING_NAME_MAX];
    size_t name_len;
    uint32_t version; /* at least 1 */
    struct secret *key;
};

struct keyring {
    struct secret *root;
    uint32_t root_version;
    struct random *random; /* borrowed */
    size_t count;
    struct keyring_entry entries[KEYRING_KEYS_MAX]; /* ascending by name, then version */
};

/* ERR_MALFORMED: not a name that keyring.h lists. */
enum err keyring_kind_of(struct span name, enum keyring_kind *out_kind) MUST_USE;

/* Puts a key where it belongs and takes it (*take_key becomes NULL) on success. name is a checked one.
 * ERR_EXISTS, ERR_LIMIT. */
enum err keyring_insert(struct keyring *ring, struct span name, uint32_t version, struct secret **take_key) MUST_USE;

#endif
