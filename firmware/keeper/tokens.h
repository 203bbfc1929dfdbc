/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the keeper does for users of apps: tokens for their sessions, and the pepper of their passwords. Tokens are built
 * here, from fields and the keeper's own clock, and live no longer than the table of messages allows; no bytes of the
 * worker are signed. Everything is counted against a rate. Belongs to one thread. */
#ifndef FIRMWARE_KEEPER_TOKENS_H
#define FIRMWARE_KEEPER_TOKENS_H

#include "firmware/keeper/vault.h"
#include "firmware/msg.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/clock.h"

struct tokens;

/* Borrows the clock. ERR_NO_MEMORY, ERR_REFUSED. */
enum err tokens_new(const struct hal_clock *clock, struct tokens **out_tokens) MUST_USE;
void tokens_free(struct tokens *tokens); /* NULL is fine */

/* MSG_TOKEN_SIGN -> MSG_TOKEN_SIGNED. ERR_NOT_FOUND: the environment has no key; ERR_LIMIT: over the rate;
 * ERR_MALFORMED: ids that are none, as no worker of ours sends them. */
enum err tokens_sign(struct tokens *tokens, struct vault *vault, const struct msg *request, struct msg *out_answer)
    MUST_USE;

/* MSG_PEPPER -> MSG_PEPPERED. ERR_NOT_FOUND: no such version; ERR_LIMIT. */
enum err tokens_pepper(struct tokens *tokens, struct vault *vault, const struct msg *request, struct msg *out_answer)
    MUST_USE;

/* MSG_TOKEN_KEYS -> MSG_TOKEN_PUBLIC; makes the key of an environment that has none. Errors of vault_token_make(). */
enum err tokens_keys(struct tokens *tokens, struct vault *vault, const struct msg *request, struct msg *out_answer)
    MUST_USE;

/* MSG_TOKEN_DROP. Errors of vault_token_drop(). */
enum err tokens_drop(struct tokens *tokens, struct vault *vault, const struct msg *request) MUST_USE;

/* MSG_TOKEN_ROTATE -> MSG_TOKEN_PUBLIC: the keys with a new one in front, which signs nothing before tokens_use. Where one
 * waits for that already, no other is made. ERR_NOT_FOUND: the environment has no key; ERR_LIMIT: too many wait, or see
 * vault_token_rotate(). */
enum err tokens_rotate(struct tokens *tokens, struct vault *vault, const struct msg *request, struct msg *out_answer)
    MUST_USE;

/* MSG_TOKEN_USE: the newest key signs from here on. */
void tokens_use(struct tokens *tokens, const struct msg *request);

/* MSG_TOKEN_RETIRE. ERR_OK also if there is no such key. ERR_STATE: it signs; ERR_NOT_FOUND: the environment has no key;
 * errors of vault_token_retire(). */
enum err tokens_retire(struct tokens *tokens, struct vault *vault, const struct msg *request) MUST_USE;

/* MSG_TOKEN_NEXT -> MSG_TOKEN_PUBLIC without keys. */
enum err tokens_next(struct vault *vault, const struct msg *request, struct msg *out_answer) MUST_USE;

#endif
