/* SPDX-License-Identifier: GPL-3.0-or-later */
/* link: --wrap=readdir */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "hal/datadir.h"
#include "tests/lib/leave_out.h"
#include "tests/lib/temp.h"

#define PATH_BYTES 96

struct dirent *__real_readdir(DIR *entries);
struct dirent *__wrap_readdir(DIR *entries);

static bool types_unknown; /* as on some file systems */

struct dirent *__wrap_readdir(DIR *entries)
{
    struct dirent *const entry = __real_readdir(entries);

    if (entry != NULL && types_unknown) {
        entry->d_type = DT_UNKNOWN;
    }
    return entry;
}

struct fixture {
    struct temp_dir temp;
    struct datadir *dir;
    struct buf *buf;
};

static int setup(void **state)
{
    static struct fixture fixture;

    fault_clear();
    fixture.temp = temp_dir_make();
    assert_int_equal(datadir_open(fixture.temp.path, &fixture.dir), ERR_OK);
    assert_int_equal(buf_new(DATADIR_FILE_MAX + 1, &fixture.buf), ERR_OK);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    buf_free(f->buf);
    datadir_close(f->dir);
    temp_dir_remove(&f->temp);
    return 0;
}

static bool content_is(struct fixture *f, const char *name, struct span expected)
{
    buf_reset(f->buf);
    assert_int_equal(datadir_read(f->dir, name, f->buf), ERR_OK);
    return span_equal(buf_all(f->buf), expected);
}

static mode_t mode_of(struct fixture *f, const char *name)
{
    struct stat status;

    assert_int_equal(fstatat(datadir_fd(f->dir), name, &status, AT_SYMLINK_NOFOLLOW), 0);
    return status.st_mode & 07777;
}

static void a_written_file_is_read_back_and_private(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(datadir_write(f->dir, "keys", span_lit("content")), ERR_OK);

    assert_true(content_is(f, "keys", span_lit("content")));
    assert_int_equal(mode_of(f, "keys"), 0600);
    assert_true(datadir_has(f->dir, "keys"));
    assert_false(datadir_has(f->dir, "other"));
}

static void a_public_file_is_readable_by_all(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(datadir_write_public(f->dir, "ca.pem", span_lit("certificate")), ERR_OK);

    assert_int_equal(mode_of(f, "ca.pem"), 0644);
}

static void replacing_overwrites_the_old_content_on_disk(void **state)
{
    struct fixture *f = *state;
    char old[16] = "";
    assert_int_equal(datadir_write(f->dir, "keys", span_lit("old secret")), ERR_OK);
    const int still_open = openat(datadir_fd(f->dir), "keys", O_RDONLY);

    assert_int_equal(datadir_write(f->dir, "keys", span_lit("new")), ERR_OK);

    assert_true(content_is(f, "keys", span_lit("new")));
    assert_int_equal(read(still_open, old, 10), 10);
    assert_memory_equal(old, "\0\0\0\0\0\0\0\0\0\0", 10);
    assert_false(datadir_has(f->dir, "keys.new"));
    (void)close(still_open);
}

static void removing_overwrites_the_content_first(void **state)
{
    struct fixture *f = *state;
    char old[16] = "";
    assert_int_equal(datadir_write(f->dir, "keys", span_lit("old secret")), ERR_OK);
    const int still_open = openat(datadir_fd(f->dir), "keys", O_RDONLY);

    assert_int_equal(datadir_remove(f->dir, "keys"), ERR_OK);

    assert_false(datadir_has(f->dir, "keys"));
    assert_int_equal(read(still_open, old, 10), 10);
    assert_memory_equal(old, "\0\0\0\0\0\0\0\0\0\0", 10);
    assert_int_equal(datadir_remove(f->dir, "keys"), ERR_NOT_FOUND);
    (void)close(still_open);
}

static void what_a_crash_left_of_a_new_file_does_not_stand_in_the_way(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(datadir_write(f->dir, "keys", span_lit("old")), ERR_OK);
    assert_int_equal(datadir_write(f->dir, "keys.new", span_lit("torn")), ERR_OK);

    assert_true(content_is(f, "keys", span_lit("old")));
    assert_int_equal(datadir_write(f->dir, "keys", span_lit("new")), ERR_OK);

    assert_true(content_is(f, "keys", span_lit("new")));
}

static void names_that_lead_elsewhere_are_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"",     ".",   "..",  ".hidden", "a/b", "/etc/passwd",
                                        "../x", "a b", "a\n", "\xc3\xa4"};
    char long_name[DATADIR_NAME_MAX + 2];
    memset(long_name, 'a', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        assert_int_equal(datadir_write(f->dir, names[i], span_lit("x")), ERR_MALFORMED);
        assert_int_equal(datadir_read(f->dir, names[i], f->buf), ERR_MALFORMED);
        assert_int_equal(datadir_remove(f->dir, names[i]), ERR_MALFORMED);
        assert_false(datadir_has(f->dir, names[i]));
    }
    assert_int_equal(datadir_write(f->dir, long_name, span_lit("x")), ERR_MALFORMED);
    assert_int_equal(datadir_write(f->dir, long_name + 1, span_lit("x")), ERR_OK);
}

static void attack_20_links_and_special_files_are_refused(void **state)
{
    struct fixture *f = *state;
    const int dir = datadir_fd(f->dir);
    assert_int_equal(datadir_write(f->dir, "real", span_lit("content")), ERR_OK);
    assert_int_equal(symlinkat("real", dir, "symlink"), 0);
    assert_int_equal(linkat(dir, "real", dir, "hardlink", 0), 0);
    assert_int_equal(mkfifoat(dir, "fifo", 0600), 0);
    assert_int_equal(mkdirat(dir, "directory", 0700), 0);
    static const char *const names[] = {"symlink", "hardlink", "fifo", "directory"};

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        assert_int_equal(datadir_read(f->dir, names[i], f->buf), ERR_REFUSED);
    }
    assert_int_equal(datadir_write(f->dir, "symlink", span_lit("x")), ERR_REFUSED);
    assert_int_equal(datadir_write(f->dir, "hardlink", span_lit("x")), ERR_REFUSED);
    assert_int_equal(datadir_remove(f->dir, "symlink"), ERR_REFUSED);
    assert_int_equal(buf_len(f->buf), 0);
}

static void files_of_others_or_writable_by_others_are_refused(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(datadir_write(f->dir, "keys", span_lit("content")), ERR_OK);
    assert_int_equal(fchmodat(datadir_fd(f->dir), "keys", 0620, 0), 0);

    assert_int_equal(datadir_read(f->dir, "keys", f->buf), ERR_REFUSED);
    assert_int_equal(fchmodat(datadir_fd(f->dir), "keys", 0600, 0), 0);
    if (geteuid() == 0) {
        assert_int_equal(fchownat(datadir_fd(f->dir), "keys", 1234, 1234, 0), 0);
        assert_int_equal(datadir_read(f->dir, "keys", f->buf), ERR_REFUSED);
        assert_int_equal(datadir_write(f->dir, "keys", span_lit("x")), ERR_REFUSED);
    }
}

static void path_of(const struct fixture *f, const char *name, char out_path[PATH_BYTES])
{
    char base[DATADIR_PATH_BYTES];

    datadir_path(f->dir, base);
    (void)snprintf(out_path, PATH_BYTES, "%s/%s", base, name);
}

static void a_directory_open_to_others_or_foreign_is_refused(void **state)
{
    static const char *const names[] = {"link", "sub", "file"};
    struct fixture *f = *state;
    char path[PATH_BYTES];
    struct datadir *dir = NULL;
    assert_int_equal(mkdirat(datadir_fd(f->dir), "good", 0700), 0);
    assert_int_equal(symlinkat("good", datadir_fd(f->dir), "link"), 0);
    assert_int_equal(mkdirat(datadir_fd(f->dir), "sub", 0700), 0);
    assert_int_equal(fchmodat(datadir_fd(f->dir), "sub", 0750, 0), 0);
    assert_int_equal(datadir_write(f->dir, "file", span_lit("x")), ERR_OK);

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        path_of(f, names[i], path);
        assert_int_equal(datadir_open(path, &dir), ERR_REFUSED);
    }
    assert_int_equal(datadir_open("/nonexistent/rowlock", &dir), ERR_NOT_FOUND);
    assert_null(dir);
}

static uid_t owner_of(const struct fixture *f, const char *name)
{
    struct stat status = {0};

    assert_int_equal(fstatat(datadir_fd(f->dir), name, &status, AT_SYMLINK_NOFOLLOW), 0);
    return status.st_uid;
}

static void give_away(struct fixture *f)
{
    const uid_t user = geteuid() == 0 ? 1234 : geteuid();
    char path[PATH_BYTES];
    struct datadir *dir = NULL;
    path_of(f, "box", path);

    assert_int_equal(datadir_open_to_give(path, 1234, 1234, &dir), ERR_OK); /* a new one */
    assert_int_equal(datadir_lock(dir), ERR_OK);
    assert_int_equal(datadir_write(dir, "mine", span_lit("x")), ERR_OK);
    assert_int_equal(datadir_write(dir, "twice", span_lit("x")), ERR_OK);
    assert_int_equal(linkat(datadir_fd(dir), "twice", datadir_fd(f->dir), "elsewhere", 0), 0);
    assert_int_equal(symlinkat("../other", datadir_fd(dir), "link"), 0);
    assert_int_equal(datadir_write(f->dir, "other", span_lit("x")), ERR_OK);
    datadir_close(dir);
    assert_int_equal(datadir_open_to_give(path, 1234, 1234, &dir), ERR_OK); /* that of an earlier start */
    datadir_close(dir);

    assert_int_equal(owner_of(f, "box"), user);
    assert_int_equal(owner_of(f, "box/mine"), user);
    assert_int_equal(owner_of(f, "elsewhere"), geteuid());
    assert_int_equal(owner_of(f, "other"), geteuid());
}

static void root_gives_a_directory_and_its_plain_files_away(void **state)
{
    give_away(*state);
}

static void root_gives_the_same_away_where_entries_have_no_type(void **state)
{
    types_unknown = true;
    give_away(*state);
    types_unknown = false;
}

static void root_gives_away_nothing_that_is_not_a_boxs(void **state)
{
    struct fixture *f = *state;
    char path[PATH_BYTES];
    struct datadir *dir = NULL;
    leave_out_unless_root();
    path_of(f, "home", path);
    assert_int_equal(mkdirat(datadir_fd(f->dir), "home", 0700), 0);
    assert_int_equal(mkdirat(datadir_fd(f->dir), "home/letters", 0700), 0);

    assert_int_equal(datadir_open_to_give(path, 1234, 1234, &dir), ERR_REFUSED);
    assert_int_equal(owner_of(f, "home"), 0);
    assert_int_equal(unlinkat(datadir_fd(f->dir), "home/letters", AT_REMOVEDIR), 0);
    assert_int_equal(fchmodat(datadir_fd(f->dir), "home", 0750, 0), 0);
    assert_int_equal(datadir_open_to_give(path, 1234, 1234, &dir), ERR_REFUSED);
    assert_int_equal(fchmodat(datadir_fd(f->dir), "home", 0700, 0), 0);
    assert_int_equal(fchownat(datadir_fd(f->dir), "home", 4321, 4321, 0), 0);
    assert_int_equal(datadir_open_to_give(path, 1234, 1234, &dir), ERR_REFUSED);
    assert_int_equal(owner_of(f, "home"), 4321);
    assert_null(dir);
}

static void a_missing_directory_is_made_private(void **state)
{
    struct fixture *f = *state;
    char path[PATH_BYTES];
    struct datadir *dir = NULL;
    path_of(f, "keeper", path);

    assert_int_equal(datadir_open(path, &dir), ERR_OK);

    assert_int_equal(mode_of(f, "keeper"), 0700);
    datadir_close(dir);
}

static void files_up_to_the_limit_are_taken_and_one_byte_more_is_refused(void **state)
{
    struct fixture *f = *state;
    static uint8_t content[DATADIR_FILE_MAX + 1];
    memset(content, 0x5a, sizeof(content));

    assert_int_equal(datadir_write(f->dir, "big", span_of(content, DATADIR_FILE_MAX)), ERR_OK);
    assert_true(content_is(f, "big", span_of(content, DATADIR_FILE_MAX)));
    assert_int_equal(datadir_write(f->dir, "bigger", span_of(content, DATADIR_FILE_MAX + 1)), ERR_RANGE);
    assert_false(datadir_has(f->dir, "bigger"));
}

static void reading_more_than_the_buffer_holds_is_refused_and_changes_nothing(void **state)
{
    struct fixture *f = *state;
    SCOPED_BUF struct buf *small = NULL;
    assert_int_equal(buf_new(4, &small), ERR_OK);
    assert_int_equal(datadir_write(f->dir, "keys", span_lit("12345")), ERR_OK);

    assert_int_equal(datadir_read(f->dir, "keys", small), ERR_RANGE);
    assert_int_equal(buf_len(small), 0);
    assert_int_equal(datadir_read(f->dir, "none", small), ERR_NOT_FOUND);
}

static void a_second_process_does_not_get_the_lock(void **state)
{
    struct fixture *f = *state;
    int status = 0;
    assert_int_equal(datadir_lock(f->dir), ERR_OK);

    const pid_t pid = fork();
    if (pid == 0) {
        struct datadir *second = NULL;
        const bool refused = datadir_open(f->temp.path, &second) == ERR_OK && datadir_lock(second) == ERR_CONFLICT;
        _exit(refused ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);

    struct datadir *after = NULL;
    datadir_close(f->dir);
    f->dir = NULL;
    assert_int_equal(datadir_open(f->temp.path, &after), ERR_OK);
    assert_int_equal(datadir_lock(after), ERR_OK);
    datadir_close(after);
}

/* As a supervisor hands on the directory of a file system that was mounted after it had given root up. */
static void a_directory_of_another_user_is_handed_on_by_one_who_may_not_read_it(void **state)
{
    enum { KEEPS = 60100, OWNS = 60102 };
    struct fixture *f = *state;
    char path[TEMP_PATH_MAX + 16];
    int status = 0;
    leave_out_unless_root();
    (void)snprintf(path, sizeof(path), "%s/db", f->temp.path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(chown(path, OWNS, OWNS), 0);
    assert_int_equal(chown(f->temp.path, KEEPS, KEEPS), 0);

    const pid_t pid = fork();
    if (pid == 0) {
        struct datadir *above = NULL;
        struct datadir *taken = NULL;
        int fd = -1;
        int third = -1;
        bool is_right = setresuid(KEEPS, KEEPS, 0) == 0 && datadir_open(f->temp.path, &above) == ERR_OK &&
                        datadir_open_for(above, "db", OWNS, OWNS, &fd) == ERR_OK &&
                        datadir_open_for(above, "db", OWNS + 1, OWNS, &third) == ERR_REFUSED;
        is_right = is_right && (fcntl(fd, F_GETFL) & O_PATH) != 0 && faccessat(fd, ".", R_OK, AT_EACCESS) != 0;
        is_right = is_right && setresuid((uid_t)-1, 0, (uid_t)-1) == 0 && setresuid(OWNS, OWNS, OWNS) == 0 &&
                   datadir_take_fd(fd, &taken) == ERR_OK && datadir_write(taken, "file", span_lit("x")) == ERR_OK;
        _exit(is_right ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(chown(f->temp.path, geteuid(), getegid()), 0);

    assert_int_equal(status, 0);
}

static void looking_tells_what_is_there_from_what_cannot_be_told(void **state)
{
    struct fixture *f = *state;
    bool there = true;

    assert_int_equal(datadir_look(f->dir, "file", &there), ERR_OK);
    assert_false(there);
    assert_int_equal(datadir_write(f->dir, "file", span_lit("x")), ERR_OK);
    assert_int_equal(datadir_look(f->dir, "file", &there), ERR_OK);
    assert_true(there);
    assert_int_equal(datadir_look(f->dir, "../file", &there), ERR_MALFORMED);
    assert_true(there);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_written_file_is_read_back_and_private),
        TEST(a_public_file_is_readable_by_all),
        TEST(replacing_overwrites_the_old_content_on_disk),
        TEST(removing_overwrites_the_content_first),
        TEST(what_a_crash_left_of_a_new_file_does_not_stand_in_the_way),
        TEST(names_that_lead_elsewhere_are_refused),
        TEST(attack_20_links_and_special_files_are_refused),
        TEST(files_of_others_or_writable_by_others_are_refused),
        TEST(a_directory_open_to_others_or_foreign_is_refused),
        TEST(root_gives_a_directory_and_its_plain_files_away),
        TEST(root_gives_the_same_away_where_entries_have_no_type),
        TEST(root_gives_away_nothing_that_is_not_a_boxs),
        TEST(a_missing_directory_is_made_private),
        TEST(files_up_to_the_limit_are_taken_and_one_byte_more_is_refused),
        TEST(reading_more_than_the_buffer_holds_is_refused_and_changes_nothing),
        TEST(a_second_process_does_not_get_the_lock),
        TEST(looking_tells_what_is_there_from_what_cannot_be_told),
        TEST(a_directory_of_another_user_is_handed_on_by_one_who_may_not_read_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
