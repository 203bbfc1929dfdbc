/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Numbers, hex and UTF-8 from outside: no text of any length makes the reader step past its end, and what is accepted is
 * what the text says. The text lies in memory of exactly its length.
 *
 * cbmc: --unwind 9 hal/base/span.c hal/base/mem.c hal/base/fault.c
 * plant: hal/base/span.c: s/(size_t)follow > text.len - at/(size_t)follow > text.len - at + 1/ */
#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/base/span.h"
#include "tests/proof/proof.h"

static void free_text(uint8_t **text)
{
    mem_free(*text);
}

static void check_number(struct span text)
{
    uint64_t value = 77;
    const uint64_t max = proof_any_size(1000);

    const enum err got = span_to_u64(text, max, &value);

    if (got == ERR_OK) {
        proof_check(text.len >= 1 && value <= max);
        proof_check(value % 10 == (uint64_t)(text.data[text.len - 1] - '0'));
    } else {
        proof_check(got == ERR_MALFORMED || got == ERR_RANGE);
        proof_check(value == 77);
    }
}

static void check_hex(struct span text)
{
    uint8_t bytes[4] = {0, 0, 0, 0};
    char again[HEX_BYTES(sizeof(bytes))];
    const size_t wanted = proof_any_size(sizeof(bytes));

    if (hex_decode(text, bytes, wanted) != ERR_OK) {
        return;
    }
    proof_check(text.len == 2 * wanted);
    hex_encode(span_of(bytes, wanted), again);
    proof_check(span_equal_nocase(text, span_of(again, text.len)));
}

static void check_utf8(struct span text)
{
    const bool good = span_is_utf8(text);
    bool ascii = true;

    for (size_t i = 0; i < text.len; i++) {
        ascii = ascii && text.data[i] < 0x80;
        proof_check(!good || (text.data[i] != 0xc0 && text.data[i] != 0xc1 && text.data[i] < 0xf5));
    }
    proof_check(!ascii || good);
    proof_check(!good || text.len == 0 || (text.data[0] & 0xc0) != 0x80);
    proof_check(!good || text.len == 0 || text.data[text.len - 1] < 0xc0);
}

void proof_harness(void)
{
    const size_t len = proof_any_size(proof_bound(4, 24));
    void *memory = NULL;

    if (mem_alloc(len, &memory) != ERR_OK) {
        fault_clear();
        return;
    }
    SCOPED(free_text) uint8_t *text = memory;

    proof_assume(len <= 4 || len > 8); /* 9 and more only by length: every byte of them is one choice too many */
    for (size_t i = 0; i < len && i < 4; i++) {
        text[i] = proof_any_byte();
    }
    check_number(span_of(text, len));
    check_hex(span_of(text, len));
    check_utf8(span_of(text, len));
    fault_clear();
}
