/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keys of tables, wrapped by the newest version of the key `tables`. A table's number is part of what is authenticated. */
#include "firmware/keeper/vault.h"

#include "firmware/keeper/vault_int.h"
#include "hal/base/fault.h"

#define TABLE_KEY_BYTES 32

struct table_subject {
    uint8_t id[4];
    struct keyring_subject subject;
};

static void subject_of(uint32_t table, struct table_subject *out_subject)
{
    put_u32be(out_subject->id, table);
    out_subject->subject = (struct keyring_subject){span_lit("table key"), span_array(out_subject->id)};
}

/* What is in memory only must wrap nothing: after a crash nobody could open it. */
static enum err ready(struct vault *vault)
{
    ENSURE(vault->state == BOARD_OPERATIONAL && vault->ring != NULL, ERR_STATE, "not operational");
    TRY(vault_save(vault));
    return ERR_OK;
}

enum err vault_table_new(struct vault *vault, uint32_t table, struct secret **out_key, struct buf *out_wrapped)
{
    struct table_subject subject;
    SCOPED_SECRET struct secret *key = NULL;

    TRY(ready(vault));
    subject_of(table, &subject);
    TRY(random_secret(vault->random, TABLE_KEY_BYTES, &key));
    TRY(keyring_wrap(vault->ring, KEYRING_TABLES, &subject.subject, key, out_wrapped));
    *out_key = TAKE(key);
    return ERR_OK;
}

enum err vault_table_open(struct vault *vault, uint32_t table, struct span wrapped, struct secret **out_key)
{
    struct table_subject subject;

    ENSURE(vault->state == BOARD_OPERATIONAL && vault->ring != NULL, ERR_STATE, "not operational");
    subject_of(table, &subject);
    TRY(keyring_unwrap(vault->ring, KEYRING_TABLES, &subject.subject, wrapped, out_key));
    return ERR_OK;
}

enum err vault_table_rewrap(struct vault *vault, uint32_t table, struct span wrapped, struct buf *out_wrapped)
{
    struct table_subject subject;

    TRY(ready(vault));
    subject_of(table, &subject);
    TRY(keyring_rewrap(vault->ring, KEYRING_TABLES, &subject.subject, wrapped, out_wrapped));
    return ERR_OK;
}

enum err vault_rotate_pending(const struct vault *vault, bool *out_pending)
{
    struct keyring_versions versions = {0};

    ENSURE(vault->state == BOARD_OPERATIONAL && vault->ring != NULL, ERR_STATE, "not operational");
    TRY(keyring_versions(vault->ring, KEYRING_TABLES, &versions));
    *out_pending = versions.oldest != versions.newest;
    return ERR_OK;
}

enum err vault_rotate_begin(struct vault *vault)
{
    bool pending = false;
    uint32_t version = 0;

    TRY(vault_rotate_pending(vault, &pending));
    if (!pending) {
        TRY(keyring_rotate(vault->ring, KEYRING_TABLES, &version));
        vault->unsaved = true;
    }
    TRY(vault_save(vault));
    return ERR_OK;
}

enum err vault_rotate_end(struct vault *vault)
{
    struct keyring_versions versions = {0};

    TRY(ready(vault));
    TRY(keyring_versions(vault->ring, KEYRING_TABLES, &versions));
    for (uint32_t version = versions.oldest; version < versions.newest; version++) {
        const enum err err = keyring_destroy(vault->ring, KEYRING_TABLES, version);
        ENSURE(err == ERR_OK || err == ERR_NOT_FOUND, err, "an old wrapping key could not be destroyed");
        vault->unsaved = true;
    }
    TRY(vault_save(vault));
    return ERR_OK;
}
