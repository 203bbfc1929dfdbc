/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A keeper that takes 200 ms for each signature, for tests/blackbox/test_keeper_delay.py. The Makefile links it into a
 * program of its own, in which the calls of firmware/keeper/links.c come here. */
#include <time.h>

#include "firmware/keeper/identity.h"

#define DELAY_NS 200000000

enum err slow_sign(struct identity *identity, const struct msg *request, struct msg_signature *out_signature) MUST_USE;

enum err slow_sign(struct identity *identity, const struct msg *request, struct msg_signature *out_signature)
{
    const struct timespec delay = {.tv_nsec = DELAY_NS};

    (void)nanosleep(&delay, NULL); /* a signal would only shorten it */
    return identity_sign(identity, request, out_signature);
}
