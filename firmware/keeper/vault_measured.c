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

enum err vault_plan_take(struct vault *vault, uint32_t serial)
{
    struct keyring_versions taken = {0, 0};

    ENSURE(vault->state == BOARD_OPERATIONAL && vault->ring != NULL, ERR_STATE, "not operational");
    const enum err err = keyring_versions(vault->ring, KEYRING_PLANNED, &taken);
    ENSURE(err == ERR_OK || err == ERR_NOT_FOUND, err, "the serial of the newest plan");
    fault_clear();
    ENSURE(serial >= taken.newest, ERR_ROLLBACK, "a plan older than the newest that was taken");
    if (serial > taken.newest) {
        TRY(keyring_raise(vault->ring, KEYRING_PLANNED, serial));
        vault->unsaved = true;
    }
    return vault_save(vault);
}

enum err vault_measured_keys(struct vault *vault, const struct secret *root, struct span pin)
{
    struct measured_keys keys = {.root = root, .pin = pin};

    TRY(box_key(vault, &keys.box));
    TRY(keyring_get(vault->ring, KEYRING_OWNER_AUTH, KEYRING_NEWEST, &keys.owner_auth));
    return measured_take_keys(vault->measured, &keys);
}
