/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <valgrind/memcheck.h>

#include "firmware/auth/base32.h"

/* RFC 4648 section 10, without the padding; and what RFC 6238's key is written as. */
static void texts_are_those_of_rfc_4648(void **state)
{
    static const struct {
        const char *bytes;
        const char *text;
    } rows[] = {{"", ""},
                {"f", "MY"},
                {"fo", "MZXQ"},
                {"foo", "MZXW6"},
                {"foob", "MZXW6YQ"},
                {"fooba", "MZXW6YTB"},
                {"foobar", "MZXW6YTBOI"},
                {"12345678901234567890", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"}};

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char text[64];
        const struct span bytes = span_str(rows[i].bytes);
        memset(text, '!', sizeof text);

        base32_encode(bytes, text);

        assert_int_equal(BASE32_CHARS(bytes.len), strlen(rows[i].text));
        assert_memory_equal(text, rows[i].text, strlen(rows[i].text));
        assert_int_equal(text[strlen(rows[i].text)], '!');
    }
}

static void each_value_has_its_character_and_none_decides_a_branch(void **state)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

    for (unsigned int value = 0; value < 32; value++) {
        uint8_t bytes[5] = {0, 0, 0, 0, (uint8_t)value};
        char text[8];
        (void)VALGRIND_MAKE_MEM_UNDEFINED(bytes, sizeof bytes);
        base32_encode(span_array(bytes), text);
        (void)VALGRIND_MAKE_MEM_DEFINED(text, sizeof text);
        assert_int_equal(text[7], alphabet[value]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_those_of_rfc_4648),
        cmocka_unit_test(each_value_has_its_character_and_none_decides_a_branch),
    };

    return cmocka_run_group_tests_name("auth_base32", tests, NULL, NULL);
}
