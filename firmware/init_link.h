/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the supervisor may ask of the first process of a box, which keeps root: two things without a parameter, and one with a
 * time. Each message is the request in four bytes on a channel, that with a time has 16 more; each answer is the code of an error
 * in four bytes. Big-endian. Answers come in the order of the questions. */
#ifndef FIRMWARE_INIT_LINK_H
#define FIRMWARE_INIT_LINK_H

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/time.h"

enum init_request {
    INIT_MAP_VOLUME = 1, /* the key lies in the kernel's keyring: answered when the volume is mounted, or why it is not */
    INIT_RESTART = 2,    /* the machine: no answer */
    INIT_SET_CLOCK = 3   /* at an instant it was so late: errors of calendar_correct() */
};

struct init_time {
    uint64_t unix_ns; /* since 1970 */
    struct mono_time at;
};

/* Both ends; the time is that of INIT_SET_CLOCK alone. ERR_AGAIN, ERR_TIMEOUT, ERR_CLOSED; ERR_MALFORMED: of another size, with
 * descriptors, or of no meaning. */
enum err init_link_ask(int channel, enum init_request request) MUST_USE;
enum err init_link_ask_time(int channel, const struct init_time *time) MUST_USE;
enum err init_link_hear(int channel, enum init_request *out_request, struct init_time *out_time) MUST_USE;
enum err init_link_answer(int channel, enum err result) MUST_USE;
enum err init_link_take(int channel, enum err *out_result) MUST_USE;

#endif
