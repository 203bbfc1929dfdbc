/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One database against what clients were promised. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "firmware/data/catalog.h"
#include "hal/base/fault.h"
#include "storage/fsck.h"
#include "storage/store_int.h"
#include "tests/fault/box_tool.h"
#include "tests/lib/child.h"

/* The first of an app: those of the people of the first environment come before it. */
#define FIRST_TABLE (STORE_TABLE_FIRST + sizeof(struct catalog_people) / sizeof(struct table_id))
#define LINE_BYTES 4096
#define GONE       INT64_MIN
#define SOUND      0
#define UNSOUND    10 /* no status of a sanitizer */

/* --- what clients did --- */

/* A change of a row: sent and, unless 0, acknowledged at these times; what the row's number is after it, or GONE. */
struct change {
    struct row_id row;
    uint64_t acked;
    int64_t number;
};

/* An insert whose answer never came may have happened: then its row's id is not known, but its number is. */
struct maybe {
    int64_t number;
    bool seen;
};

static struct {
    struct change *changes; /* sorted by row; those of a row in the order in which they were sent */
    size_t change_count;
    struct maybe *maybes;
    size_t maybe_count;
} history;

static int compare_changes(const void *a, const void *b)
{
    const struct change *one = a;
    const struct change *other = b;

    return row_id_compare(one->row, other->row);
}

static int compare_maybes(const void *a, const void *b)
{
    const struct maybe *one = a;
    const struct maybe *other = b;

    return one->number < other->number ? -1 : one->number > other->number ? 1 : 0;
}

void history_read(const char *path)
{
    FILE *in = fopen(path, "r");
    char line[LINE_BYTES];
    size_t lines = 0;

    must_be(in != NULL, "no history");
    while (fgets(line, sizeof(line), in) != NULL) {
        lines++;
    }
    rewind(in);
    free(history.changes);
    free(history.maybes);
    history.changes = calloc(lines + 1, sizeof(struct change));
    history.maybes = calloc(lines + 1, sizeof(struct maybe));
    history.change_count = 0;
    history.maybe_count = 0;
    must_be(history.changes != NULL && history.maybes != NULL, "no memory");
    while (fgets(line, sizeof(line), in) != NULL) {
        char row[64] = "";
        char number[64] = "";
        unsigned long long acked = 0;
        must_be(sscanf(line, "%63s %llu %63s", row, &acked, number) == 3, "history out of form");
        const int64_t value = strcmp(number, "gone") == 0 ? GONE : (int64_t)strtoll(number, NULL, 10);
        if (row[0] == '?') {
            history.maybes[history.maybe_count++].number = value;
            continue;
        }
        struct change *change = &history.changes[history.change_count++];
        must(row_id_parse(span_str(row), &change->row), "row id");
        change->acked = acked;
        change->number = value;
    }
    fclose(in);
    for (size_t at = 1; at < history.change_count; at++) {
        must_be(compare_changes(&history.changes[at - 1], &history.changes[at]) <= 0, "history not sorted");
    }
    qsort(history.maybes, history.maybe_count, sizeof(struct maybe), compare_maybes);
    printf("ok %zu changes, %zu unanswered inserts\n", history.change_count, history.maybe_count);
}

void history_free(void)
{
    free(history.changes);
    free(history.maybes);
}

/* The changes of one row, and where the acknowledged ones end. */
struct life {
    const struct change *changes;
    size_t count;
    size_t acked; /* so many had been acknowledged */
};

static struct life life_at(size_t from, uint64_t time)
{
    struct life life = {.changes = &history.changes[from]};

    while (from + life.count < history.change_count &&
           row_id_equal(life.changes[life.count].row, life.changes[0].row)) {
        const uint64_t acked = life.changes[life.count].acked;
        life.count++;
        life.acked = acked != 0 && acked < time ? life.count : life.acked;
    }
    return life;
}

/* May the row be so? Acknowledged changes must be there; of those on their way any may be. */
static bool may_be(const struct life *life, int64_t number)
{
    if (life->acked == 0 && number == GONE) {
        return true;
    }
    for (size_t at = life->acked == 0 ? 0 : life->acked - 1; at < life->count; at++) {
        if (life->changes[at].number == number) {
            return true;
        }
    }
    return false;
}

/* --- looking at one database --- */

static void on_damage(void *context, const struct fsck_damage *damage)
{
    struct look *look = context;
    char id[ROW_ID_TEXT_BYTES];

    row_id_format(damage->row, id);
    snprintf(look->why, sizeof(look->why), "fsck: %s table %u index %u row %.*s", fsck_kind_name(damage->kind),
             damage->table.value, damage->index.value, ROW_ID_TEXT_BYTES, id);
}

static void unexpected(struct look *look, const char *what, struct row_id id, int64_t number)
{
    char text[ROW_ID_TEXT_BYTES];

    row_id_format(id, text);
    snprintf(look->why, sizeof(look->why), "%s: row %.*s number %lld", what, ROW_ID_TEXT_BYTES, text, (long long)number);
}

static bool find_maybe(int64_t number)
{
    const struct maybe key = {.number = number};
    struct maybe *found = bsearch(&key, history.maybes, history.maybe_count, sizeof(struct maybe), compare_maybes);

    if (found == NULL || found->seen) {
        return false;
    }
    found->seen = true;
    return true;
}

/* A row that the history does not know must be one of the inserts that were not answered. */
static enum err look_at_row(struct look *look, const struct row *row)
{
    const struct change key = {.row = row->id};
    const struct row_field field = {.column = 1, .name = span_lit("number")};
    struct row_value value = {.type = ROW_MISSING};

    TRY(row_find(row, &field, NULL, &value));
    look->rows++;
    if (bsearch(&key, history.changes, history.change_count, sizeof(struct change), compare_changes) == NULL &&
        !find_maybe(value.integer)) {
        unexpected(look, "a row that nobody wrote", row->id, value.integer);
    }
    return ERR_OK;
}

static enum err look_at_rows(struct look *look, struct store_snap *snap)
{
    const struct store_scan scan = {.table = {FIRST_TABLE}};
    struct row row;

    for (size_t at = 0; at < history.maybe_count; at++) {
        history.maybes[at].seen = false;
    }
    enum err err = store_scan_begin(snap, &scan);
    while (err == ERR_OK) {
        struct store_budget budget = {.steps = UINT32_MAX};
        err = store_scan_next(snap, &budget, &row);
        if (err == ERR_OK) {
            TRY(look_at_row(look, &row));
        }
    }
    fault_clear();
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err look_at_history(struct look *look, struct store_snap *snap, uint64_t time)
{
    const struct row_field field = {.column = 1, .name = span_lit("number")};
    struct row_value value = {.type = ROW_MISSING};
    struct row row;

    for (size_t at = 0; at < history.change_count;) {
        const struct life life = life_at(at, time);
        const enum err err = store_get(snap, (struct table_id){FIRST_TABLE}, life.changes[0].row, &row);
        int64_t number = GONE;
        if (err != ERR_NOT_FOUND) {
            TRY(err);
            TRY(row_find(&row, &field, NULL, &value));
            number = value.integer;
        }
        if (!may_be(&life, number)) {
            unexpected(look, number == GONE ? "an acknowledged row is not there" : "not as it was acknowledged",
                       life.changes[0].row, number);
        }
        look->acked += life.acked;
        at += life.count;
    }
    fault_clear();
    return ERR_OK;
}

static enum err look_at(struct look *look, const char *folder, uint64_t time)
{
    struct store *store = NULL;
    struct store_reader *reader = NULL;
    struct store_snap *snap = NULL;
    struct fsck_report report = {.rows = 0};

    TRY(open_store(folder, &store));
    enum err err = fsck_run(store, on_damage, look, &report);
    if (err == ERR_OK) {
        err = store_reader_new(store, &reader);
    }
    if (err == ERR_OK) {
        err = store_snap_begin(reader, &snap);
    }
    if (err == ERR_OK) {
        err = look_at_rows(look, snap);
    }
    if (err == ERR_OK) {
        err = look_at_history(look, snap, time);
    }
    store_snap_end(snap);
    store_reader_free(reader);
    store_close(store);
    return err;
}

struct task {
    struct look *look; /* shared with the child */
    const char *folder;
    uint64_t time;
};

static int look_in_child(void *context)
{
    const struct task *task = context;
    struct look *look = task->look;

    const enum err err = look_at(look, task->folder, task->time);
    if (err != ERR_OK && look->why[0] == 0) {
        snprintf(look->why, sizeof(look->why), "does not open: %s", err_name(err));
        print_trail();
    }
    return look->why[0] == 0 ? SOUND : UNSOUND;
}

/* LMDB trusts its pages: a file that lacks some may stop the process, by an assertion, a signal or a sanitizer, or keep it
 * for ever. So a child looks, and what becomes of it is an answer, too. */
bool is_sound(struct look *look, const char *folder, uint64_t time)
{
    struct look *shared = mmap(NULL, sizeof(struct look), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct task task = {.look = shared, .folder = folder, .time = time};
    char reason[CHILD_REASON_BYTES];

    must_be(shared != MAP_FAILED, "no memory");
    const int status = child_run(CHILD_TELLS, look_in_child, &task);
    *look = *shared;
    (void)munmap(shared, sizeof(struct look));
    if (WIFEXITED(status) && (WEXITSTATUS(status) == SOUND || WEXITSTATUS(status) == UNSOUND)) {
        return WEXITSTATUS(status) == SOUND;
    }
    child_reason(status, reason);
    snprintf(look->why, sizeof(look->why), "does not open: the look %s", reason);
    return false;
}
