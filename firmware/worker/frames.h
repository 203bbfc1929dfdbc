/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The stack in user space between supervisor and reactor: the source of frames on its way in, addresses on their way out. */
#ifndef FIRMWARE_WORKER_FRAMES_H
#define FIRMWARE_WORKER_FRAMES_H

#include "firmware/msg.h"
#include "firmware/worker/reactor.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"

/* Takes the descriptor of a MSG_WORKER_FRAMES into the parts of the reactor that will own the stack. Before the sandbox.
 * ERR_MALFORMED (a second one), others of hal_frame_take(). */
enum err frames_take(struct msg *msg, struct reactor_parts *parts) MUST_USE;

/* Answers REACTOR_ADDRESSES of a reactor: tells the supervisor. Errors of msg_send(). */
enum err frames_tell(struct reactor *reactor, struct msg_channel *control) MUST_USE;

#endif
