/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Between the vault's keyring and the sealing of a measured board. */
#include "firmware/keeper/measured.h"
#include "firmware/keeper/vault_int.h"
#include "hal/base/fault.h"

/* The key that signs for images. On disk before anything is sealed under it. */
static enum err box_key(struct vault *vault, const struct secret **out_key)
{
    if (keyring_get(vault->ring, KEYRING_BOX_POLICY, KEYRING_NEWEST, out_key) == ERR_OK) {
        return ERR_OK;
    }
    fault_clear();
    TRY(keyring_add(vault->ring, KEYRING_BOX_POLICY));
    vault->unsaved = true;
    TRY(vault_save(vault));
    return keyring_get(vault->ring, KEYRING_BOX_POLICY, KEYRING_NEWEST, out_key);
}

enum err vault_measured_keys(struct vault *vault, const struct secret *root, struct span pin)
{
    struct measured_keys keys = {.root = root, .pin = pin};

    TRY(box_key(vault, &keys.box));
    TRY(keyring_get(vault->ring, KEYRING_OWNER_AUTH, KEYRING_NEWEST, &keys.owner_auth));
    return measured_take_keys(vault->measured, &keys);
}
