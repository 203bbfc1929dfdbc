/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/boot_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"

#define HASH    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define VERITY  "rowlock.verity=" HASH
#define BLOCKS  "rowlock.blocks=1234"
#define SALT    "rowlock.salt=a0b1"
#define VERSION "rowlock.version=0.1.0~rc1+x"
#define LONG_16 "aaaaaaaaaaaaaaaa"

static int forget(void **state)
{
    (void)state;
    fault_clear();
    return 0;
}

static void the_four_words_are_read_from_between_those_of_others(void **state)
{
    struct boot_words words;

    assert_int_equal(boot_words_read(span_lit("quiet " VERITY "  console=ttyS0\t" BLOCKS " " SALT " " VERSION " panic=-1\n"), &words),
                     ERR_OK);

    assert_int_equal(words.root_hash[1], 0x11);
    assert_int_equal(words.root_hash[31], 0xff);
    assert_int_equal(words.blocks, 1234);
    assert_int_equal(words.salt_len, 2);
    assert_int_equal(words.salt[0], 0xa0);
    assert_int_equal(words.salt[1], 0xb1);
    assert_string_equal(words.version, "0.1.0~rc1+x");
}

static void a_salt_may_be_empty_or_of_32_bytes(void **state)
{
    struct boot_words words;

    assert_int_equal(boot_words_read(span_lit(VERITY " " BLOCKS " rowlock.salt= " VERSION), &words), ERR_OK);
    assert_int_equal(words.salt_len, 0);
    assert_int_equal(boot_words_read(span_lit(VERITY " " BLOCKS " rowlock.salt=" HASH " " VERSION), &words), ERR_OK);
    assert_int_equal(words.salt_len, 32);
}

static void a_version_of_63_bytes_is_the_longest(void **state)
{
    struct boot_words words;

    assert_int_equal(boot_words_read(span_lit(VERITY " " BLOCKS " " SALT " rowlock.version=" LONG_16 LONG_16 LONG_16
                                              "aaaaaaaaaaaaaaa"), &words), ERR_OK);

    assert_int_equal(strlen(words.version), 63);
}

static void command_lines_that_do_not_say_all_of_it_once_are_refused(void **state)
{
    static const char *const lines[] = {
        "",
        BLOCKS " " SALT " " VERSION,
        VERITY " " SALT " " VERSION,
        VERITY " " BLOCKS " " VERSION,
        VERITY " " BLOCKS " " SALT,
        VERITY " " BLOCKS " " SALT " " VERSION " " VERITY, /* twice */
        VERITY " " BLOCKS " " SALT " " VERSION " rowlock.shell=1",
        VERITY " " BLOCKS " " SALT " " VERSION " rowlock.",
        VERITY " " BLOCKS " " SALT " " VERSION " rowlock.verity",
        "rowlock.verity= " BLOCKS " " SALT " " VERSION,
        "rowlock.verity=" HASH "0 " BLOCKS " " SALT " " VERSION,
        "rowlock.verity=" HASH "00 " BLOCKS " " SALT " " VERSION,
        "rowlock.verity=g0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff " BLOCKS " " SALT " " VERSION,
        VERITY " rowlock.blocks= " SALT " " VERSION,
        VERITY " rowlock.blocks=0 " SALT " " VERSION,
        VERITY " rowlock.blocks=-1 " SALT " " VERSION,
        VERITY " rowlock.blocks=0x10 " SALT " " VERSION,
        VERITY " rowlock.blocks=4294967296 " SALT " " VERSION,
        VERITY " " BLOCKS " rowlock.salt=abc " VERSION,
        VERITY " " BLOCKS " rowlock.salt=" HASH "00 " VERSION,
        VERITY " " BLOCKS " " SALT " rowlock.version=",
        VERITY " " BLOCKS " " SALT " rowlock.version=../x",
        VERITY " " BLOCKS " " SALT " rowlock.version=" LONG_16 LONG_16 LONG_16 LONG_16,
        VERITY " " BLOCKS " " SALT " x" VERSION, /* the end of a word of others */
        "\"" VERITY "\" " BLOCKS " " SALT " " VERSION,
    };

    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
        struct boot_words words = {.blocks = 77};

        const enum err got = boot_words_read(span_str(lines[i]), &words);

        if (got != ERR_MALFORMED || words.blocks != 77) {
            fail_msg("'%s' gives %s, %d blocks", lines[i], err_name(got), (int)words.blocks);
        }
    }
}

static void a_nul_inside_a_word_is_no_end_of_it(void **state)
{
    struct boot_words words = {.blocks = 77};

    assert_int_equal(boot_words_read(span_lit(VERITY " " BLOCKS " " SALT " rowlock.version=1\0002"), &words), ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_four_words_are_read_from_between_those_of_others, forget),
        cmocka_unit_test_teardown(a_salt_may_be_empty_or_of_32_bytes, forget),
        cmocka_unit_test_teardown(a_version_of_63_bytes_is_the_longest, forget),
        cmocka_unit_test_teardown(command_lines_that_do_not_say_all_of_it_once_are_refused, forget),
        cmocka_unit_test_teardown(a_nul_inside_a_word_is_no_end_of_it, forget),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
