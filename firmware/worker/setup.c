/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The code exists as text in one message, which is wiped when it is sent. */
#include "firmware/worker/setup.h"

#include "crypto/random.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"

_Static_assert(SETUP_CODE_CHARS == MSG_SETUP_MAX, "the code fits its message");

enum err setup_offer(struct msg_channel *control, struct mono_time now, struct setup_code *out_code)
{
    struct msg msg = MSG_NEW(MSG_WORKER_SETUP);
    struct random *random = NULL; /* the worker's own is the writer thread's by now */
    char text[SETUP_CODE_CHARS];

    TRY(random_new(SPAN_NONE, &random));
    setup_code_make(random, now, out_code, text);
    random_free(random);
    enum err err = MSG_SET(&msg.as.worker_setup, span_array(text));
    INVARIANT(err == ERR_OK);
    err = msg_send(control, &msg);
    mem_wipe(text, sizeof text);
    msg_wipe(&msg);
    return err;
}
