/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the supervisor may ask of the first process of a box, which keeps root: two things, each without a parameter. Each
 * message is four bytes on a channel, each answer as well: request, or code of an error, big-endian. */
#ifndef FIRMWARE_INIT_LINK_H
#define FIRMWARE_INIT_LINK_H

#include "hal/base/attr.h"
#include "hal/base/err.h"

enum init_request {
    INIT_MAP_VOLUME = 1, /* the key lies in the kernel's keyring: answered when the volume is mounted, or why it is not */
    INIT_RESTART = 2     /* the machine: no answer */
};

/* Both ends. ERR_AGAIN, ERR_TIMEOUT, ERR_CLOSED; ERR_MALFORMED: of another size, with descriptors, or of no meaning. */
enum err init_link_ask(int channel, enum init_request request) MUST_USE;
enum err init_link_hear(int channel, enum init_request *out_request) MUST_USE;
enum err init_link_answer(int channel, enum err result) MUST_USE;
enum err init_link_take(int channel, enum err *out_result) MUST_USE;

#endif
