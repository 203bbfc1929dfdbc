/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A sorted file of lines: each is found, whatever its end and wherever it lies, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "hal/linefile.h"
#include "tests/lib/temp.h"

#define NAME "list.txt"

static bool has(const struct linefile *file, const char *line)
{
    bool found = false;

    assert_int_equal(linefile_has(file, span_str(line), &found), ERR_OK);
    return found;
}

static int set_up(void **state)
{
    static struct temp_dir dir;

    dir = temp_dir_make();
    *state = &dir;
    return 0;
}

static int tear_down(void **state)
{
    temp_dir_remove(*state);
    return 0;
}

static void every_line_is_found_and_nothing_between_them(void **state)
{
    static char text[200000];
    static const char *const ends[] = {"\n", "\r\n"};
    const struct temp_dir *dir = *state;

    for (size_t end = 0; end < 2; end++) {
        struct linefile *file = NULL;
        char line[64];
        size_t len = 0;
        for (int i = 0; i < 2000; i++) {
            len += (size_t)snprintf(text + len, sizeof text - len, "%04d%.*s%s", i, i % 40,
                                    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", ends[end]);
        }
        len -= end == 0; /* the last line may lack its end */
        temp_put(dir, NAME, span_of(text, len));
        assert_int_equal(linefile_open(dir->path, NAME, &file), ERR_OK);
        for (int i = 0; i < 2000; i++) {
            (void)snprintf(line, sizeof line, "%04d%.*s", i, i % 40, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
            assert_true(has(file, line));
            (void)strncat(line, "b", 2);
            assert_false(has(file, line));
        }
        assert_false(has(file, ""));
        assert_false(has(file, "!"));
        assert_false(has(file, "~"));
        assert_false(has(file, "0003aaa\r"));
        linefile_close(file);
    }
}

static void lines_of_every_length_up_to_the_longest_are_found(void **state)
{
    static char text[400000];
    static char line[LINEFILE_LINE_MAX + 1];
    const struct temp_dir *dir = *state;
    struct linefile *file = NULL;
    size_t len = 0;

    for (size_t i = LINEFILE_LINE_MAX - 300; i <= LINEFILE_LINE_MAX; i++) {
        memset(text + len, 'x', i);
        text[len + i] = '\n';
        len += i + 1;
    }
    temp_put(dir, NAME, span_of(text, len));
    assert_int_equal(linefile_open(dir->path, NAME, &file), ERR_OK);
    for (size_t i = LINEFILE_LINE_MAX - 300; i <= LINEFILE_LINE_MAX; i++) {
        memset(line, 'x', i);
        line[i] = '\0';
        assert_true(has(file, line));
    }
    line[LINEFILE_LINE_MAX - 301] = '\0';
    assert_false(has(file, line));
    linefile_close(file);
}

static void an_empty_file_has_nothing(void **state)
{
    struct linefile *file = NULL;

    temp_put(*state, NAME, SPAN_NONE);

    assert_int_equal(linefile_open(((struct temp_dir *)*state)->path, NAME, &file), ERR_OK);
    assert_false(has(file, "x"));
    linefile_close(file);
}

static void a_line_that_is_too_long_is_damage(void **state)
{
    static char text[9000];
    struct linefile *file = NULL;
    bool found = true;
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\n';
    temp_put(*state, NAME, span_array(text));
    assert_int_equal(linefile_open(((struct temp_dir *)*state)->path, NAME, &file), ERR_OK);

    assert_int_equal(linefile_has(file, span_lit("y"), &found), ERR_DAMAGED);

    assert_true(found);
    fault_clear();
    linefile_close(file);
}

static void a_file_that_became_shorter_is_an_error(void **state)
{
    const struct temp_dir *dir = *state;
    char path[TEMP_PATH_MAX + 32];
    struct linefile *file = NULL;
    bool found = true;
    temp_put(dir, NAME, span_lit("a\nb\nc\n"));
    assert_int_equal(linefile_open(dir->path, NAME, &file), ERR_OK);
    (void)snprintf(path, sizeof path, "%s/" NAME, dir->path);
    assert_int_equal(truncate(path, 1), 0);

    assert_int_equal(linefile_has(file, span_lit("b"), &found), ERR_IO);

    assert_true(found);
    fault_clear();
    linefile_close(file);
}

static void what_is_no_plain_file_of_its_owner_alone_is_refused(void **state)
{
    const struct temp_dir *dir = *state;
    char path[TEMP_PATH_MAX + 32];
    struct linefile *file = NULL;

    assert_int_equal(linefile_open(dir->path, NAME, &file), ERR_NOT_FOUND);
    (void)snprintf(path, sizeof path, "%s/" NAME, dir->path);
    temp_put(dir, NAME, span_lit("a\n"));
    assert_int_equal(chmod(path, 0622), 0);
    assert_int_equal(linefile_open(dir->path, NAME, &file), ERR_REFUSED);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(linefile_open(dir->path, NAME, &file), ERR_REFUSED);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(linefile_open(dir->path, NAME, &file), ERR_REFUSED);

    assert_null(file);
    fault_clear();
}

#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(every_line_is_found_and_nothing_between_them),
        T(lines_of_every_length_up_to_the_longest_are_found),
        T(an_empty_file_has_nothing),
        T(a_line_that_is_too_long_is_damage),
        T(a_file_that_became_shorter_is_an_error),
        T(what_is_no_plain_file_of_its_owner_alone_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
