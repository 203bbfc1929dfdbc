/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The key of the data volume: made when it is first asked for, and handed to the kernel, never to a process. */
#include "firmware/keeper/vault.h"

#include "crypto/kdf.h"
#include "firmware/keeper/vault_int.h"
#include "hal/base/fault.h"
#include "hal/kernel_key.h"

/* A key that is in memory only encrypts nothing: after a power cut nobody could read it. */
static enum err make_once(struct vault *vault)
{
    const enum err err = keyring_add(vault->ring, KEYRING_VOLUME);

    if (err == ERR_EXISTS) {
        fault_clear();
    } else {
        TRY(err);
        vault->unsaved = true;
    }
    TRY(vault_save(vault));
    return ERR_OK;
}

enum err vault_volume_key_put(struct vault *vault, bool has_tags)
{
    SCOPED_SECRET struct secret *derived = NULL;
    const struct secret *key = NULL;

    ENSURE(vault->state == BOARD_OPERATIONAL && vault->ring != NULL, ERR_STATE, "not operational");
    TRY(make_once(vault));
    TRY(keyring_get(vault->ring, KEYRING_VOLUME, 1, &key)); /* what it encrypted is not encrypted anew */
    const struct span label = has_tags ? span_lit("rowlock data volume, AES-256-XTS and HMAC-SHA-256")
                                       : span_lit("rowlock data volume, AES-256-XTS");
    TRY(hkdf_sha256(key, SPAN_NONE, label, has_tags ? KERNEL_KEY_TAGGED_BYTES : KERNEL_KEY_VOLUME_BYTES, &derived));
    TRY(kernel_key_put(KERNEL_KEY_VOLUME, secret_reveal(derived)));
    return ERR_OK;
}
