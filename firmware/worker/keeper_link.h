/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A reactor's channel to the keeper: TLS signatures, tokens, peppers and unlocking, without waiting.
 *
 * At most LINK_SENT_MAX questions are with the keeper at once, so that its answers always fit into the channel; the
 * others wait here in order. Belongs to the reactor's thread. */
#ifndef FIRMWARE_WORKER_KEEPER_LINK_H
#define FIRMWARE_WORKER_KEEPER_LINK_H

#include "firmware/api/api.h"
#include "firmware/msg.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "net/loop.h"
#include "net/tls.h"

#define LINK_SENT_MAX 64
#define LINK_JOBS_MAX 1024 /* beyond it new handshakes are refused */

struct keeper_link;

/* Takes the channel, which must not wait. Watches it from now on. ERR_NO_MEMORY, ERR_IO; the channel is then the
 * caller's still. */
enum err keeper_link_new(struct loop *loop, struct msg_channel *take_channel, struct keeper_link **out_link) MUST_USE;

/* When no job is under way any more. NULL is fine. */
void keeper_link_free(struct keeper_link *link);

/* For tls_server_options and api_options; the link is the context of both. */
struct tls_signer keeper_link_signer(struct keeper_link *link);
struct api_unlock keeper_link_unlock(struct keeper_link *link);
struct api_keeper keeper_link_keeper(struct keeper_link *link);

#endif
