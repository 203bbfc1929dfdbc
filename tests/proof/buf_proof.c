/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A buffer keeps to its maximum, keeps what was put, gives it back in order, and a refused call changes nothing: for any
 * maximum, any two lengths put, any length taken, and memory refused at any point.
 *
 * cbmc: --unwind 14 hal/base/buf.c hal/base/mem.c hal/base/fault.c
 * plant: hal/base/buf.c: s/needed <= buf->max, ERR_RANGE/needed <= buf->max + 1, ERR_RANGE/ */
#include <string.h>

#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "tests/proof/proof.h"

#define REAL_MAX 512 /* bytes that really are there, past the first growth; anything longer is a length that lies */

struct seen {
    size_t len;
    size_t room;
    size_t unread;
};

static size_t real_max(void)
{
    return proof_bound(6, REAL_MAX);
}

static struct seen look(const struct buf *buf)
{
    return (struct seen){buf_len(buf), buf_room(buf), buf_unread(buf).len};
}

static bool same(struct seen a, struct seen b)
{
    return a.len == b.len && a.room == b.room && a.unread == b.unread;
}

static void check_put(struct buf *buf, size_t max, uint8_t fill)
{
    uint8_t bytes[REAL_MAX];
    const bool lies = proof_any_bool();
    const size_t len = lies ? SIZE_MAX - proof_any_size(real_max()) : proof_any_size(real_max());
    const struct seen before = look(buf);
    uint8_t *at = NULL;

    memset(bytes, fill, sizeof(bytes));
    const enum err got = lies ? buf_reserve(buf, len, &at) : buf_put(buf, span_of(bytes, len));

    if (got == ERR_OK) {
        proof_check(!lies);
        proof_check(buf_len(buf) == before.len + len);
        proof_check(buf_len(buf) <= max);
        for (size_t i = 0; i < len; i++) {
            proof_check(buf_all(buf).data[before.len + i] == fill);
        }
    } else {
        proof_check(got == ERR_NO_MEMORY || got == ERR_RANGE);
        proof_check(got != ERR_RANGE || len > before.room);
        proof_check(same(look(buf), before));
        proof_check(at == NULL);
    }
    proof_check(buf_len(buf) + buf_room(buf) == max);
}

static void check_get(struct buf *buf)
{
    const size_t len = proof_any_bool() ? SIZE_MAX - proof_any_size(2) : proof_any_size(2 * real_max());
    const struct seen before = look(buf);
    struct span out = {NULL, 77};

    const enum err got = buf_get(buf, len, &out);

    if (len <= before.unread) {
        proof_check(got == ERR_OK);
        proof_check(out.len == len && buf_unread(buf).len == before.unread - len);
    } else {
        proof_check(got == ERR_MALFORMED);
        proof_check(out.len == 77 && same(look(buf), before));
    }
}

void proof_harness(void)
{
    const size_t max = proof_any_size(2 * real_max());
    SCOPED_BUF struct buf *buf = NULL;

    if (buf_new(max, &buf) != ERR_OK) {
        proof_check(buf == NULL);
        return;
    }
    check_put(buf, max, 0x11);
    check_put(buf, max, 0x22);
    check_get(buf);
    fault_clear();
}
