/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/api_write.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "net/loop.h"

#define BYTES_MAX ((size_t)1 << 20)
#define TURNS_MAX 20000

static void note_written(struct data_call *call)
{
    *(bool *)call->user = true;
}

void api_write(struct api_box *box, const struct data_call *call)
{
    struct data_call own = *call;
    bool done = false;

    assert_int_equal(arena_new(0, BYTES_MAX, &own.arena), ERR_OK);
    assert_int_equal(buf_new(BYTES_MAX, &own.out), ERR_OK);
    own.data = box->data;
    own.loop = box->loop;
    own.done = note_written;
    own.user = &done;
    assert_int_equal(data_submit(&own), ERR_OK);
    for (unsigned int turn = 0; !done && turn < TURNS_MAX; turn++) {
        assert_int_equal(loop_turn(box->loop, 10), ERR_OK);
    }
    assert_true(done);
    assert_int_equal(own.err, ERR_OK);
    buf_free(own.out);
    arena_free(own.arena);
}
