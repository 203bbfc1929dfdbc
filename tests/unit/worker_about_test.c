/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/crypto.h"
#include "firmware/version.h"
#include "firmware/worker/about.h"
#include "hal/base/attr.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/base/json_value.h"
#include "hal/base/mem.h"
#include "hal/board.h"
#include "net/json.h"
#include "tests/lib/temp.h"

/* as long as one may be */
#define LONGEST "123456789-123456789-123456789-123456789-123456789-123456789-123"
_Static_assert(sizeof(LONGEST) == ABOUT_VERSION_MAX + 1, "it is");

struct folder {
    struct temp_dir dir;
    struct about about;
    struct buf *answer;
    struct arena *arena;
};

static int setup(void **state)
{
    static struct folder folder;
    struct folder *const f = &folder;

    *f = (struct folder){.dir = temp_dir_make()};
    assert_int_equal(crypto_start(), ERR_OK);
    assert_int_equal(buf_new(ABOUT_TEXT_MAX, &f->answer), ERR_OK);
    assert_int_equal(arena_new(0, 1 << 20, &f->arena), ERR_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct folder *const f = *state;

    about_done(&f->about);
    buf_free(f->answer);
    arena_free(f->arena);
    temp_dir_remove(&f->dir);
    return 0;
}

/* The answer, as its reader has it. */
static const struct json_value *answer(struct folder *f, const char *folder)
{
    const struct json_value *value = NULL;

    assert_int_equal(about_read(folder, &f->about), ERR_OK);
    assert_int_equal(about_write(&f->about, f->answer), ERR_OK);
    assert_int_equal(json_parse(buf_all(f->answer), f->arena, &value), ERR_OK);
    return value;
}

static void assert_text(const struct json_value *object, const char *name, const char *text)
{
    const struct json_value *const value = json_find(object, span_str(name));

    assert_non_null(value);
    assert_int_equal(value->type, JSON_STRING);
    assert_int_equal(value->as.text.len, strlen(text));
    assert_memory_equal(value->as.text.data, text, strlen(text));
}

static void assert_none(const struct json_value *object, const char *name)
{
    const struct json_value *const value = json_find(object, span_str(name));

    assert_non_null(value);
    assert_int_equal(value->type, JSON_NULL);
}

/* Wherever it is asked, it is the same. */
static void assert_version(const struct folder *f, const struct json_value *got, const char *version)
{
    char alone[ABOUT_VERSION_MAX + 1];

    assert_text(got, "version", version);
    assert_int_equal(about_version(&f->about, alone), ERR_OK);
    assert_string_equal(alone, version);
}

static void an_image_says_what_it_is_and_what_its_list_of_parts_hashes_to(void **state)
{
    struct folder *const f = *state;
    temp_put(&f->dir, "version.json",
             span_lit("{\"product\":\"rowlock\",\"version\":\"7.8\",\"board\":\"b\",\"flavour\":\"release\",\"securityVersion\":42,"
                      "\"kernel\":\"6.1.1-1\",\"sourceDate\":\"2026-01-01T00:00:00Z\",\"commit\":\"c0ffee\",\"more\":1,"
                      "\"parts\":[{\"name\":\"lmdb\",\"version\":\"0.9\"}]}"));
    temp_put(&f->dir, "sbom.json", span_lit("abc"));

    const struct json_value *const got = answer(f, f->dir.path);

    assert_text(got, "product", "rowlock");
    assert_version(f, got, "7.8");
    assert_text(got, "board", "b");
    assert_text(got, "flavour", "release");
    assert_int_equal(json_find(got, span_lit("securityVersion"))->as.integer, 42);
    assert_text(got, "kernel", "6.1.1-1");
    assert_text(got, "sourceDate", "2026-01-01T00:00:00Z");
    assert_text(got, "commit", "c0ffee");
    const struct json_value *const parts = json_find(got, span_lit("parts"));
    assert_int_equal(parts->as.array.count, 1);
    assert_text(&parts->as.array.items[0], "name", "lmdb");
    /* FIPS 180-4, "abc". */
    assert_text(got, "sbomSha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_ptr_equal(json_find(got, span_lit("more")), NULL);
    assert_int_equal(got->as.object.count, 10);
}

static void assert_of_the_build(const struct folder *f, const struct json_value *got)
{
    assert_version(f, got, ROWLOCK_VERSION);
    assert_text(got, "board", board_desc.name);
    assert_int_equal(json_find(got, span_lit("securityVersion"))->as.integer, CONFIG_FIRMWARE_SECURITY_VERSION);
    assert_none(got, "kernel");
    assert_none(got, "commit");
    assert_none(got, "flavour");
    assert_none(got, "sbomSha256");
    const struct json_value *const parts = json_find(got, span_lit("parts"));
    assert_int_equal(parts->as.array.count, 2);
    assert_text(&parts->as.array.items[0], "name", "wolfssl");
    assert_int_equal(got->as.object.count, 10);
}

static void a_program_on_a_host_says_what_its_build_knows(void **state)
{
    assert_of_the_build(*state, answer(*state, NULL));
}

static void an_image_that_lacks_one_of_the_files_says_what_the_build_knows(void **state)
{
    struct folder *const f = *state;
    temp_put(&f->dir, "version.json", span_lit("{\"version\":\"7.8\"}"));

    assert_of_the_build(f, answer(f, f->dir.path));
}

static void a_version_that_is_no_json_counts_as_missing(void **state)
{
    struct folder *const f = *state;
    temp_put(&f->dir, "version.json", span_lit("{\"version\":\"7.8\""));
    temp_put(&f->dir, "sbom.json", span_lit("{}"));

    assert_version(f, answer(f, f->dir.path), ROWLOCK_VERSION);
}

static void a_version_that_is_none_or_could_not_be_told_whole_counts_as_missing(void **state)
{
    static const char *const others[] = {"\"\"", "7", "null", "\"7\\u00008\"", "\"" LONGEST "4\""};
    struct folder *const f = *state;
    char text[200];

    temp_put(&f->dir, "sbom.json", span_lit("{}"));
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++) {
        (void)snprintf(text, sizeof(text), "{\"version\":%s}", others[i]);
        temp_put(&f->dir, "version.json", span_str(text));
        assert_version(f, answer(f, f->dir.path), ROWLOCK_VERSION);
        about_done(&f->about);
        buf_reset(f->answer);
    }
    temp_put(&f->dir, "version.json", span_lit("{\"version\":\"" LONGEST "\"}"));
    assert_version(f, answer(f, f->dir.path), LONGEST);
}

static void a_folder_whose_path_is_too_long_is_as_one_that_is_empty(void **state)
{
    char path[200];
    memset(path, '/', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';

    assert_of_the_build(*state, answer(*state, path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_image_says_what_it_is_and_what_its_list_of_parts_hashes_to, setup, teardown),
        cmocka_unit_test_setup_teardown(a_program_on_a_host_says_what_its_build_knows, setup, teardown),
        cmocka_unit_test_setup_teardown(an_image_that_lacks_one_of_the_files_says_what_the_build_knows, setup, teardown),
        cmocka_unit_test_setup_teardown(a_version_that_is_no_json_counts_as_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_version_that_is_none_or_could_not_be_told_whole_counts_as_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_folder_whose_path_is_too_long_is_as_one_that_is_empty, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
