/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A database file that somebody changed. LMDB trusts its pages, so the process that reads them may be stopped by a signal;
 * it must never hand out a row that was not written, and never step outside memory in our code (the address sanitizer has
 * the exit status 99 for that). Rarely LMDB takes long over such a file (see storage/engine_lmdb.c); the supervisor
 * stops that on a box, a limit here. Each change is looked at in a child of its own. The choice of changes
 * follows from a fixed seed. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "tests/lib/child.h"
#include "tests/lib/store_box.h"

#define ROWS        150
#define ROUNDS      300
#define PAGE        4096u
#define SECONDS_MAX 10
#define SANITIZER   99
#define WRONG_ROW   5
#define FILE_MAX    (4u << 20)

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "handle_segv=0:handle_sigbus=0:handle_abort=0:handle_sigfpe=0:exitcode=99:detect_leaks=0";
}

static struct {
    struct temp_dir dir;
    char path[TEMP_PATH_MAX + 16];
    uint8_t *bytes;
    size_t size;
    struct table_id table;
    uint64_t random;
    unsigned int fine, refused, stopped, stuck;
} file;

static uint32_t pick(uint32_t below)
{
    file.random = file.random * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(file.random >> 33) % below;
}

static struct row_id id_of(uint32_t number)
{
    struct row_id id = {{0}};

    put_u32be(id.bytes, number + 1);
    return id;
}

/* Some rows span pages, so that there are pages of every kind. */
static void text_of(uint32_t number, char text[9001])
{
    const size_t len = number % 10 == 0 ? 9000 : 20 + number % 50;

    memset(text, 'a' + (int)(number % 26), len);
    text[len] = 0;
}

static int setup(void **state UNUSED)
{
    static char text[9001];
    struct stat about;

    file.dir = temp_dir_make();
    struct store_box *box = store_box_at(file.dir.path);
    file.table = store_box_table(box);
    (void)store_box_index(box, file.table, 2, false, true, false);
    for (uint32_t at = 0; at < ROWS; at++) {
        struct store_txn *txn = NULL;
        text_of(at, text);
        assert_int_equal(store_txn_begin(box->sealer, &txn), ERR_OK);
        assert_int_equal(store_insert(txn, file.table, id_of(at), store_box_row(box, "ann", text, at), NULL), ERR_OK);
        assert_int_equal(store_txn_commit(txn), ERR_OK);
    }
    store_box_free(box);
    snprintf(file.path, sizeof(file.path), "%s/data.mdb", file.dir.path);
    const int fd = open(file.path, O_RDONLY);
    assert_true(fd >= 0 && fstat(fd, &about) == 0 && about.st_size < FILE_MAX);
    file.size = (size_t)about.st_size;
    file.bytes = malloc(file.size);
    assert_int_equal(read(fd, file.bytes, file.size), (ssize_t)file.size);
    close(fd);
    file.random = 7;
    return 0;
}

static int teardown(void **state UNUSED)
{
    free(file.bytes);
    temp_dir_remove(&file.dir);
    return 0;
}

/* One change of a copy of the file; gives its new size. */
static size_t change(uint8_t *bytes)
{
    const size_t pages = file.size / PAGE;
    uint8_t *page = bytes + (size_t)pick((uint32_t)pages) * PAGE;
    uint8_t *other = bytes + (size_t)pick((uint32_t)pages) * PAGE;

    switch (pick(7)) {
    case 0: /* the page's header: number, flags, bounds */
        page[pick(16)] = (uint8_t)pick(256);
        return file.size;
    case 1: /* where its entries lie */
        page[16 + pick(64)] = (uint8_t)pick(256);
        return file.size;
    case 2: /* anything in it */
        page[pick(PAGE)] ^= (uint8_t)(1u << pick(8));
        return file.size;
    case 3:
        memset(page, (int)pick(2) * 255, PAGE);
        return file.size;
    case 4: /* another page in its place, its own number kept */
        memcpy(page + 8, other + 8, PAGE - 8);
        return file.size;
    case 5:
        for (size_t at = 0; at < 64; at++) {
            page[pick(PAGE)] = (uint8_t)pick(256);
        }
        return file.size;
    default: /* the meta pages point elsewhere, or the file is short */
        bytes[(size_t)pick(2) * PAGE + pick(160)] = (uint8_t)pick(256);
        return pick(4) == 0 ? file.size - (size_t)pick((uint32_t)pages) * PAGE : file.size;
    }
}

/* --- the child --- */

static void check_is_written(const struct row *row)
{
    static char text[9001];
    const uint32_t number = get_u32be(row->id.bytes) - 1;

    text_of(number, text);
    if (number >= ROWS || store_box_number(row) != number || !span_equal(store_box_text(row), span_str(text))) {
        _exit(WRONG_ROW);
    }
}

static enum err read_all(struct store_box *box)
{
    const struct row_value low = {.type = ROW_INT, .integer = 5};
    struct store_snap *snap = NULL;
    struct store_budget budget = {.steps = 10 * ROWS};
    struct row row;
    enum err err = ERR_OK;

    TRY(store_snap_begin(box->reader, &snap));
    for (uint32_t at = 0; at < ROWS; at++) {
        err = store_get(snap, file.table, id_of(at), &row);
        if (err == ERR_OK) {
            check_is_written(&row);
        }
    }
    for (uint32_t index = 0; index < 3; index++) {
        const struct store_scan scan = {
            .table = file.table, .index = {index}, .backward = index == 1, .lower = {index == 2 ? &low : NULL, true}};
        err = store_scan_begin(snap, &scan);
        while (err == ERR_OK) {
            err = store_scan_next(snap, &budget, &row);
            if (err == ERR_OK) {
                check_is_written(&row);
            }
        }
    }
    return err;
}

static void ignore(void *context UNUSED, const struct fsck_damage *damage UNUSED)
{
}

static int look(void *context UNUSED)
{
    struct store_box *box = NULL;
    struct fsck_report report = {.damaged = 0};
    const struct rlimit limit = {SECONDS_MAX, SECONDS_MAX}; /* of its own clock: nothing that others do stops it */

    (void)setrlimit(RLIMIT_CPU, &limit);
    if (store_box_try(file.dir.path, &box) != ERR_OK) {
        return 1;
    }
    (void)read_all(box);
    const enum err checked = fsck_run(box->store, ignore, NULL, &report);
    for (uint32_t at = 0; at < 3; at++) {
        (void)store_box_replace(box, file.table, id_of(at), "ann", "written over a damaged file", at);
    }
    return checked == ERR_OK && report.damaged == 0 ? 0 : 1;
}

static void run_round(uint8_t *copy)
{
    memcpy(copy, file.bytes, file.size);
    const size_t size = change(copy);
    temp_put(&file.dir, "data.mdb", span_of(copy, size));
    const int status = child_run(CHILD_SILENT, look, NULL);
    if (WIFEXITED(status)) {
        assert_int_not_equal(WEXITSTATUS(status), WRONG_ROW);
        assert_int_not_equal(WEXITSTATUS(status), SANITIZER);
        assert_true(WEXITSTATUS(status) <= 1);
        file.fine += WEXITSTATUS(status) == 0 ? 1 : 0;
        file.refused += WEXITSTATUS(status) == 1 ? 1 : 0;
    } else {
        file.stopped++;
        file.stuck += WTERMSIG(status) == SIGKILL ? 1 : 0;
    }
}

static void a_hostile_file_gives_at_worst_a_stopped_process(void **state UNUSED)
{
    uint8_t *copy = malloc(file.size);

    for (size_t round = 0; round < ROUNDS; round++) {
        run_round(copy);
    }

    print_message("%u harmless, %u refused, %u stopped, %u of them by the limit\n", file.fine, file.refused,
                  file.stopped, file.stuck);
    assert_true(file.stuck <= ROUNDS / 100);
    assert_true(file.refused > ROUNDS / 10); /* the changes did reach what is read */
    free(copy);
}

/* --- a tree without end --- */

#define LEVELS      12 /* three ways at each: half a million times the same leaf */
#define FLAGS_AT    10
#define BOUNDS_AT   12
#define HEADER      16u
#define BRANCH      1u
#define LEAF        2u

static uint32_t get_u16(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8;
}

static bool has_flags(const uint8_t *page, uint32_t flags)
{
    return get_u16(page + FLAGS_AT) == flags;
}

/* Every way down from this branch page leads to that page. */
static void lead_to(uint8_t *page, uint64_t number)
{
    const size_t nodes = (get_u16(page + BOUNDS_AT) - HEADER) / 2u;

    for (size_t at = 0; at < nodes; at++) {
        uint8_t *node = page + get_u16(page + HEADER + at * 2);
        for (size_t byte = 0; byte < 6; byte++) { /* the low 48 bits, in three words */
            node[byte] = (uint8_t)(number >> (8 * byte));
        }
    }
}

/* Branch pages lead to a chain of copies of one of them, each of which leads to the next by every way, and the last to a
 * leaf. Gives the number of pages that were changed. */
static size_t tie(uint8_t *bytes)
{
    const size_t pages = file.size / PAGE;
    const uint8_t *widest = NULL;
    size_t chain[LEVELS + 1] = {0};
    size_t levels = 0;

    for (size_t at = 2; at < pages; at++) {
        const uint8_t *page = file.bytes + at * PAGE;
        if (has_flags(page, BRANCH) && (widest == NULL || get_u16(page + BOUNDS_AT) > get_u16(widest + BOUNDS_AT))) {
            widest = page;
        }
        if (has_flags(page, LEAF) && levels <= LEVELS && get_u16(page + BOUNDS_AT) > HEADER + 8) {
            chain[levels++] = at;
        }
    }
    assert_true(widest != NULL && get_u16(widest + BOUNDS_AT) >= HEADER + 6 && levels == LEVELS + 1);
    for (size_t at = 2; at < pages; at++) {
        if (has_flags(bytes + at * PAGE, BRANCH)) {
            lead_to(bytes + at * PAGE, chain[0]);
        }
    }
    for (size_t level = 0; level < LEVELS; level++) {
        uint8_t *page = bytes + chain[level] * PAGE;
        memcpy(page + 8, widest + 8, PAGE - 8);
        lead_to(page, chain[level + 1]);
    }
    return levels;
}

static void a_tree_that_leads_to_one_leaf_in_countless_ways_is_refused_in_time(void **state UNUSED)
{
    uint8_t *copy = malloc(file.size);
    memcpy(copy, file.bytes, file.size);
    assert_int_equal(tie(copy), LEVELS + 1);
    temp_put(&file.dir, "data.mdb", span_of(copy, file.size));

    const int status = child_run(CHILD_SILENT, look, NULL);

    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_tree_that_leads_to_one_leaf_in_countless_ways_is_refused_in_time, setup, teardown),
        cmocka_unit_test_setup_teardown(a_hostile_file_gives_at_worst_a_stopped_process, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
