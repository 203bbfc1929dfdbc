/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The best rows within a bound of memory: all of them, in order, over as many passes as it takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/data/top_rows.h"
#include "hal/base/buf.h"
#include "hal/base/fault.h"

static struct row_id id_of(uint32_t number)
{
    struct row_id id = {{0}};
    put_u32be(id.bytes, number);
    return id;
}

/* Offers the numbers of a permutation with long text keys; few fit the memory at a time. */
static void offer_all(struct top_rows *rows, uint32_t count, uint32_t stride)
{
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t number = (i * stride) % count;
        char text[256];
        memset(text, 'k', sizeof(text));
        (void)snprintf(text, sizeof(text), "%05u", (unsigned int)(number / 2)); /* pairs of equal keys */
        text[5] = 'k';
        const struct row_value key = {.type = ROW_STRING, .bytes = span_of(text, 40 + (number * 53) % 200)};
        assert_int_equal(top_rows_offer(rows, id_of(number), &key), ERR_OK);
    }
}

static void top_rows_gives_every_row_in_order_over_several_passes(void **state)
{
    (void)state;
    static const uint32_t strides[] = {37, 73, 111, 7, 1, 199};
    for (size_t run = 0; run < 2 * ARRAY_LENGTH(strides); run++) {
        const int descending = (int)(run % 2);
        struct top_rows *rows = NULL;
        const uint32_t count = 200;
        uint32_t seen = 0;
        size_t passes = 0;
        uint32_t keys[200];
        assert_int_equal(top_rows_new(1000, TOP_ROWS_BYTES_MIN, descending == 1, &rows), ERR_OK);
        for (size_t kept = 1; kept > 0; passes++) {
            offer_all(rows, count, strides[run / 2]);
            kept = top_rows_sort(rows);
            for (size_t i = 0; i < kept; i++) {
                assert_true(seen < count);
                keys[seen] = get_u32be(top_rows_id(rows, i).bytes);
                seen++;
            }
            top_rows_next_pass(rows);
        }
        assert_int_equal(seen, count);
        for (uint32_t i = 1; i < count; i++) {
            /* Keys of a pair differ in length, so the longer one sorts behind; all others by number. */
            assert_true(descending == 1 ? keys[i - 1] / 2 >= keys[i] / 2 : keys[i - 1] / 2 <= keys[i] / 2);
        }
        assert_true(passes > 5);
        top_rows_free(rows);
    }
}

static void top_rows_refuses_a_key_larger_than_its_memory(void **state)
{
    (void)state;
    struct top_rows *rows = NULL;
    static uint8_t bytes[TOP_ROWS_BYTES_MIN];
    assert_int_equal(top_rows_new(10, TOP_ROWS_BYTES_MIN, true, &rows), ERR_OK);
    struct row_value key = {.type = ROW_STRING, .bytes = span_of(bytes, TOP_ROWS_BYTES_MIN / 2)};

    assert_int_equal(top_rows_offer(rows, id_of(1), &key), ERR_OK);
    key.bytes.len++;
    assert_int_equal(top_rows_offer(rows, id_of(2), &key), ERR_RANGE);
    key.type = ROW_ARRAY; /* counts with its first bytes */
    assert_int_equal(top_rows_offer(rows, id_of(3), &key), ERR_OK);
    top_rows_free(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(top_rows_gives_every_row_in_order_over_several_passes),
        cmocka_unit_test(top_rows_refuses_a_key_larger_than_its_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
