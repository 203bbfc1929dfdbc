/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Plans and lists: what a query string may say, and the pages that a real store gives for it, compared with a naive
 * list of the same rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/data/list.h"
#include "firmware/data/schema_json.h"
#include "hal/base/fault.h"
#include "net/json.h"
#include "tests/lib/store_box.h"

#define ROWS 150

/* What the naive list knows of a row. */
struct known {
    char id[ROW_ID_TEXT_BYTES + 1];
    char owner[4];
    char text[8];
    int64_t number;
};

struct fixture {
    struct store_box *box;
    struct table_id table_id;
    struct store_snap *snap;
    struct arena *arena;
    struct schema *schema;
    struct buf *out;
    struct rls_bound rls;
    struct row_gate gate;
    enum rls_verdict verdict;
    struct filter_problem problem;
    struct known rows[ROWS];
};

static struct fixture fixture;

static const struct json_value *json(struct fixture *f, struct span text)
{
    const struct json_value *value = NULL;
    assert_int_equal(json_parse(text, f->arena, &value), ERR_OK);
    return value;
}

static void open_plain(struct fixture *f, const char *definition)
{
    struct schema_problem problem;
    memset(f, 0, sizeof(*f));
    assert_int_equal(arena_new(1 << 16, 1 << 26, &f->arena), ERR_OK);
    assert_int_equal(buf_new(1 << 22, &f->out), ERR_OK);
    assert_int_equal(schema_new(json(f, span_str(definition)), SPAN_NONE, &schema_json_matcher, &f->schema, &problem),
                     ERR_OK);
    const struct rls_table table = {.name = span_lit("t")};
    const struct rls_who who = {.group = RLS_USER, .id = span_lit("uA")};
    rls_bind(&table, &who, &f->rls);
    f->verdict = RLS_ALLOW;
}

static int setup_plan(void **state)
{
    open_plain(&fixture, "{\"text\":{\"type\":\"string\"},\"number\":{\"type\":\"int\"},\"o\":{\"type\":\"object\"}}");
    *state = &fixture;
    return 0;
}

static void add_rows(struct fixture *f)
{
    static const char *const owners[] = {"uA", "uB", ""};
    uint32_t dice = 12345;
    for (size_t i = 0; i < ROWS; i++) {
        struct known *row = &f->rows[i];
        dice = dice * 1664525u + 1013904223u;
        row->number = (int64_t)((dice >> 8) % 40) - 20;
        (void)snprintf(row->owner, sizeof(row->owner), "%s", owners[(dice >> 16) % 3]);
        (void)snprintf(row->text, sizeof(row->text), "%c%c", 'a' + (int)((dice >> 20) % 5),
                       'A' + (int)((dice >> 24) % 3));
        const struct row_id id = store_box_insert(f->box, f->table_id, row->owner, row->text, row->number);
        row_id_format(id, row->id);
    }
}

static int setup(void **state)
{
    (void)setup_plan(state);
    fixture.box = store_box_new();
    fixture.table_id = store_box_table(fixture.box);
    add_rows(&fixture);
    assert_int_equal(store_snap_begin(fixture.box->reader, &fixture.snap), ERR_OK);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    store_snap_end(f->snap);
    if (f->box != NULL) {
        store_box_free(f->box);
    }
    schema_free(f->schema);
    buf_free(f->out);
    arena_free(f->arena);
    fault_clear();
    return 0;
}

static enum err plan_of(struct fixture *f, const char *query, const struct plan **out_plan)
{
    const struct row_gate_input gate = {.bound = &f->rls, .op = RLS_LIST, .verdict = f->verdict};
    f->gate = row_gate_of(&gate);
    const struct plan_input input = {
        .arena = f->arena, .schema = f->schema, .gate = &f->gate, .query = span_str(query)};
    return plan_new(&input, out_plan, &f->problem);
}

/* --- plans --- */

struct page_case {
    const char *query;
    uint64_t page, limit, skip;
};

static void plan_new_reads_page_limit_and_offset(void **state)
{
    struct fixture *f = *state;
    static const struct page_case cases[] = {
        {"", 1, 20, 0},
        {"page=3", 3, 20, 40},
        {"page=2&limit=100", 2, 100, 100},
        {"limit=101", 1, 100, 0},
        {"limit=99999999999999999999999999", 1, 100, 0},
        {"limit=1", 1, 1, 0},
        {"offset=45", 3, 20, 45},
        {"offset=0&limit=7", 1, 7, 0},
        {"offset=45&page=1", 1, 20, 0},
        {"unknown=1&unknown=2&page=2", 2, 20, 20},
        {"page=9007199254740992&limit=100", 9007199254740992, 100, 900719925474099100},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct plan *plan = NULL;

        assert_int_equal(plan_of(f, cases[i].query, &plan), ERR_OK);

        assert_int_equal(plan->page, cases[i].page);
        assert_int_equal(plan->limit, cases[i].limit);
        assert_int_equal(plan->skip, cases[i].skip);
        assert_true(plan->descending && plan->sort.column == ROW_COLUMN_ID);
    }
}

static void attack_04_plan_new_refuses_limits_and_parameters_that_mean_nothing(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *query;
        const char *field;
    } cases[] = {
        {"page=0", "page"},
        {"page=-1", "page"},
        {"page=", "page"},
        {"page=null", "page"},
        {"page=1.0", "page"},
        {"page=1e3", "page"},
        {"page=%201", "page"},
        {"page=9007199254740993", "page"},
        {"page=99999999999999999999999999", "page"},
        {"limit=0", "limit"},
        {"limit=-5", "limit"},
        {"limit=all", "limit"},
        {"offset=-1", "offset"},
        {"offset=x", "offset"},
        {"offset=9007199254740993", "offset"},
        {"page=1&page=1", "page"},
        {"limit=1&limit=2", "limit"},
        {"sortBy=text&sortBy=text", "sortBy"},
        {"andFilters=%7B%7D&andFilters=%7B%7D", "andFilters"},
        {"search=a&search=b", "search"},
        {"sortBy=nosuch", "sortBy"},
        {"sortBy=", "sortBy"},
        {"sortBy=text;drop", "sortBy"},
        {"sortBy=$where", "sortBy"},
        {"sortBy=nosuch.text", "sortBy"},
        {"sortDirection=up", "sortDirection"},
        {"sortDirection=", "sortDirection"},
        {"search=a&searchType=nosuch", "searchType"},
        {"search=a&searchType=", "searchType"},
        {"andFilters=%7B", "andFilters"},
        {"andFilters=", "andFilters"},
        {"andFilters=[]", "andFilters"},
        {"andFilters=null", "andFilters"},
        {"orFilters=1", "orFilters"},
        {"andFilters=%7B%22a%22:1,%22a%22:2%7D", "andFilters"},
        {"search=%ff", "query"},
        {"search=%zz", "query"},
        {"search=%4", "query"},
        {"search=%00", "query"},
        {"page=1&x=%c3%28", "query"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct plan *plan = NULL;

        const enum err got = plan_of(f, cases[i].query, &plan);

        if (got != ERR_MALFORMED ||
            !span_equal(span_of(f->problem.field, f->problem.field_len), span_str(cases[i].field))) {
            fail_msg("%s: %s %.*s", cases[i].query, err_name(got), (int)f->problem.field_len, f->problem.field);
        }
        assert_null(plan);
    }
}

static void plan_new_takes_fields_to_sort_and_search_by(void **state)
{
    struct fixture *f = *state;
    static const char *const taken[] = {
        "sortBy=text",           "sortBy=o.any.0",    "sortBy=createdAt&sortDirection=ASC", "sortBy=id",
        "search=&searchType=no", "searchType=nosuch", "search=a+b&searchType=text",         "orFilters=[%7B%7D]"};
    for (size_t i = 0; i < ARRAY_LENGTH(taken); i++) {
        const struct plan *plan = NULL;
        if (plan_of(f, taken[i], &plan) != ERR_OK) {
            fail_msg("%s was refused", taken[i]);
        }
    }
    schema_free(f->schema);
    struct schema_problem problem;
    assert_int_equal(schema_new(NULL, SPAN_NONE, &schema_json_matcher, &f->schema, &problem), ERR_OK);
    const struct plan *plan = NULL;
    assert_int_equal(plan_of(f, "sortBy=anything.at.all", &plan), ERR_OK);
}

static void plan_new_takes_a_filter_of_16_kib_and_not_one_byte_more(void **state)
{
    struct fixture *f = *state;
    static char query[FILTER_TEXT_MAX + 64];
    const struct plan *plan = NULL;
    const int head = snprintf(query, sizeof(query), "andFilters={\"text\":\"");
    const size_t fill = FILTER_TEXT_MAX - strlen("{\"text\":\"\"}");
    memset(query + head, 'a', fill);
    memcpy(query + head + fill, "\"}", 3);
    assert_int_equal(plan_of(f, query, &plan), ERR_OK);
    memcpy(query + head + fill, "a\"}", 4);

    assert_int_equal(plan_of(f, query, &plan), ERR_MALFORMED);
}

static void plan_new_denies_without_an_allowing_verdict(void **state)
{
    struct fixture *f = *state;
    const struct plan *plan = NULL;
    static const enum rls_verdict verdicts[] = {RLS_DENY, (enum rls_verdict)1};
    for (size_t i = 0; i < ARRAY_LENGTH(verdicts); i++) {
        f->verdict = verdicts[i];
        assert_int_equal(plan_of(f, "", &plan), ERR_DENIED);
        assert_null(plan);
    }
    f->verdict = RLS_OWNER;
    assert_int_equal(plan_of(f, "", &plan), ERR_OK);
    assert_true(plan->by_owner);
}

static void plan_new_reports_an_arena_that_is_used_up(void **state)
{
    struct fixture *f = *state;
    struct arena *whole = f->arena;
    SCOPED_ARENA struct arena *small = NULL;
    const struct plan *plan = NULL;
    assert_int_equal(arena_new(0, 64, &small), ERR_OK);
    f->arena = small;

    assert_int_equal(plan_of(f, "", &plan), ERR_NO_MEMORY);
    f->arena = whole;
}

static void plan_select_takes_commas_repetition_and_both_names(void **state)
{
    struct fixture *f = *state;
    struct row_select select;

    assert_int_equal(plan_select(f->arena, span_lit("select=a,b&fields=c&select=,"), &select, &f->problem), ERR_OK);
    assert_int_equal(select.count, 3);
    assert_true(row_selects(&select, span_lit("c")) && !row_selects(&select, span_lit("d")));
    assert_int_equal(plan_select(f->arena, span_lit("page=0&page=0"), &select, &f->problem), ERR_OK);
    assert_true(select.all && row_selects(&select, span_lit("d")));
    assert_int_equal(plan_select(f->arena, span_lit("select="), &select, &f->problem), ERR_OK);
    assert_true(!select.all && select.count == 0);
    assert_int_equal(plan_select(f->arena, span_lit("select=%f"), &select, &f->problem), ERR_MALFORMED);
}

/* --- lists --- */

static struct list_query *list_begin(struct fixture *f, const char *query)
{
    const struct plan *plan = NULL;
    struct list_query *list = NULL;
    if (plan_of(f, query, &plan) != ERR_OK) {
        fail_msg("%s: %s", query, f->problem.why);
    }
    const struct list_input input = {.plan = plan, .snap = f->snap, .table = f->table_id, .out = f->out};
    buf_reset(f->out);
    assert_int_equal(list_query_new(&input, &list), ERR_OK);
    return list;
}

/* Runs a list in slices of so many steps; out_slices counts them. */
static const struct json_value *list_run(struct fixture *f, const char *query, uint32_t steps, size_t *out_slices)
{
    SCOPED_LIST struct list_query *list = list_begin(f, query);
    enum err err = ERR_AGAIN;
    for (*out_slices = 0; err == ERR_AGAIN; (*out_slices)++) {
        struct store_budget budget = {.steps = steps};
        err = list_query_step(list, &budget);
    }
    if (err != ERR_OK) {
        fail_msg("%s: %s", query, err_name(err));
    }
    return json(f, buf_all(f->out));
}

static int64_t page_number(const struct json_value *body, const char *name)
{
    const struct json_value *value = json_find(json_find(body, span_lit("pagination")), span_str(name));
    assert_non_null(value);
    return value->type == JSON_BOOL ? value->as.boolean : value->as.integer;
}

/* The naive list: which rows, in which order. */
struct wanted {
    const char *query;
    const char *owner; /* only rows of this owner, or NULL */
    int64_t least;     /* only numbers from here */
    int (*order)(const struct known *a, const struct known *b);
    bool descending;
};

static int by_id(const struct known *a, const struct known *b)
{
    return strcmp(a->id, b->id);
}

static int by_number(const struct known *a, const struct known *b)
{
    return a->number != b->number ? (a->number < b->number ? -1 : 1) : by_id(a, b);
}

static int by_text(const struct known *a, const struct known *b)
{
    const int order = strcmp(a->text, b->text);
    return order != 0 ? order : by_id(a, b);
}

static size_t naive(const struct fixture *f, const struct wanted *wanted, const struct known **out_rows)
{
    size_t count = 0;
    for (size_t i = 0; i < ROWS; i++) {
        const struct known *row = &f->rows[i];
        if ((wanted->owner != NULL && strcmp(row->owner, wanted->owner) != 0) || row->number < wanted->least) {
            continue;
        }
        size_t at = count;
        while (at > 0 && (wanted->order(row, out_rows[at - 1]) < 0) != wanted->descending) {
            out_rows[at] = out_rows[at - 1];
            at--;
        }
        out_rows[at] = row;
        count++;
    }
    return count;
}

static void check_page(struct fixture *f, const struct wanted *wanted, size_t page, size_t limit, uint32_t steps)
{
    const struct known *rows[ROWS];
    char query[256];
    size_t slices = 0;
    const size_t total = naive(f, wanted, rows);
    (void)snprintf(query, sizeof(query), "%s&page=%zu&limit=%zu", wanted->query, page, limit);

    const struct json_value *body = list_run(f, query, steps, &slices);

    const struct json_value *items = json_find(body, span_lit("items"));
    const size_t skip = (page - 1) * limit;
    const size_t expected = total <= skip ? 0 : (total - skip < limit ? total - skip : limit);
    if (items->as.array.count != expected || page_number(body, "total") != (int64_t)total) {
        fail_msg("%s: %zu items of %d", query, items->as.array.count, (int)page_number(body, "total"));
    }
    for (size_t i = 0; i < expected; i++) {
        const struct span id = json_find(&items->as.array.items[i], span_lit("id"))->as.text;
        if (!span_equal(id, span_str(rows[skip + i]->id))) {
            fail_msg("%s: row %zu is %.*s", query, i, (int)id.len, (const char *)id.data);
        }
    }
    const size_t pages = (total + limit - 1) / limit;
    assert_int_equal(page_number(body, "totalPages"), pages);
    assert_int_equal(page_number(body, "hasNext"), page < pages);
    assert_int_equal(page_number(body, "hasPrev"), page > 1 && total > 0);
}

#define FROM_ZERO "andFilters={\"number\":{\"$gte\":0}}"

static const struct wanted all_lists[] = {
    {"x=1", NULL, -100, by_id, true},
    {"sortDirection=asc", NULL, -100, by_id, false},
    {FROM_ZERO, NULL, 0, by_id, true},
    {FROM_ZERO "&sortDirection=asc", NULL, 0, by_id, false},
    {"sortBy=number", NULL, -100, by_number, true},
    {"sortBy=number&sortDirection=asc", NULL, -100, by_number, false},
    {"sortBy=text", NULL, -100, by_text, true},
    {"sortBy=text&sortDirection=asc&" FROM_ZERO, NULL, 0, by_text, false},
};

static void list_query_agrees_with_a_naive_list_on_every_page_and_in_any_slices(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LENGTH(all_lists); i++) {
        for (size_t page = 1; page < 10; page++) {
            check_page(f, &all_lists[i], page, 20, 1000);
            check_page(f, &all_lists[i], page, 7, 3);
        }
        check_page(f, &all_lists[i], 1, 100, 1);
        check_page(f, &all_lists[i], 1000000, 100, 1000);
    }
}

static void list_query_of_an_owner_agrees_with_a_naive_list(void **state)
{
    struct fixture *f = *state;
    f->verdict = RLS_OWNER;
    for (size_t i = 0; i < ARRAY_LENGTH(all_lists); i++) {
        struct wanted own = all_lists[i];
        own.owner = "uA";
        for (size_t page = 1; page < 6; page++) {
            check_page(f, &own, page, 13, 10);
        }
    }
}

static void list_query_in_default_order_touches_only_the_rows_up_to_the_page(void **state)
{
    struct fixture *f = *state;
    SCOPED_LIST struct list_query *list = list_begin(f, "page=2&limit=10");
    struct store_budget budget = {.steps = 1000};

    assert_int_equal(list_query_step(list, &budget), ERR_OK);

    assert_true(1000 - budget.steps <= 21);
    SCOPED_LIST struct list_query *past = list_begin(f, "page=1000&limit=100");
    budget.steps = 1000;
    assert_int_equal(list_query_step(past, &budget), ERR_OK);
    assert_int_equal(budget.steps, 1000);
}

static void attack_02_rows_of_others_change_nothing_in_an_owners_list(void **state)
{
    struct fixture *f = *state;
    static const char *const queries[] = {"",
                                          "sortBy=number",
                                          "search=a",
                                          FROM_ZERO "&limit=3",
                                          "page=4&limit=9&sortBy=text",
                                          "andFilters={\"createdBy\":\"uB\"}",
                                          "orFilters={\"createdBy\":\"uB\",\"text\":\"aA\"}"};
    struct span before[ARRAY_LENGTH(queries)];
    size_t slices = 0;
    f->verdict = RLS_OWNER;
    for (size_t i = 0; i < ARRAY_LENGTH(queries); i++) {
        (void)list_run(f, queries[i], 1000, &slices);
        assert_int_equal(arena_copy(f->arena, buf_all(f->out), &before[i]), ERR_OK);
    }
    store_snap_end(f->snap);
    for (int i = 0; i < 40; i++) {
        (void)store_box_insert(f->box, f->table_id, i % 2 == 0 ? "uB" : "", "aA", i - 10);
    }
    assert_int_equal(store_snap_begin(f->box->reader, &f->snap), ERR_OK);

    for (size_t i = 0; i < ARRAY_LENGTH(queries); i++) {
        (void)list_run(f, queries[i], 1000, &slices);

        assert_true(span_equal(buf_all(f->out), before[i]));
    }
    const struct json_value *foreign = list_run(f, "andFilters={\"createdBy\":\"uB\"}", 1000, &slices);
    assert_int_equal(page_number(foreign, "total"), 0);
}

static void attack_13_a_search_is_cut_into_slices_and_a_pattern_into_a_budget(void **state)
{
    struct fixture *f = *state;
    size_t slices = 0;
    (void)list_run(f, "search=zzz", 10, &slices);
    assert_true(slices >= ROWS / 10);

    /* 100 states on each of 150 rows is nothing; a program of 4,000 states is too much for a scan of long texts. */
    store_snap_end(f->snap);
    static char text[20001];
    memset(text, 'a', sizeof(text) - 1);
    (void)store_box_insert(f->box, f->table_id, "uA", text, 1);
    assert_int_equal(store_snap_begin(f->box->reader, &f->snap), ERR_OK);
    SCOPED_LIST struct list_query *list = list_begin(f, "andFilters={\"text\":{\"$regex\":\"(a|b){1,600}c\"}}");
    struct store_budget budget = {.steps = 1000};
    assert_int_equal(list_query_step(list, &budget), ERR_BUDGET);
    assert_int_equal(list_query_step(list, &budget), ERR_BUDGET);
}

static void list_query_stops_when_the_response_is_too_large(void **state)
{
    struct fixture *f = *state;
    const struct plan *plan = NULL;
    SCOPED_BUF struct buf *small = NULL;
    SCOPED_LIST struct list_query *list = NULL;
    struct store_budget budget = {.steps = 1000};
    assert_int_equal(buf_new(300, &small), ERR_OK);
    assert_int_equal(plan_of(f, "", &plan), ERR_OK);
    const struct list_input input = {.plan = plan, .snap = f->snap, .table = f->table_id, .out = small};
    assert_int_equal(list_query_new(&input, &list), ERR_OK);

    assert_int_equal(list_query_step(list, &budget), ERR_RANGE);
}

static void list_query_new_reports_a_table_that_is_gone(void **state)
{
    struct fixture *f = *state;
    const struct plan *plan = NULL;
    struct list_query *list = NULL;
    assert_int_equal(plan_of(f, "", &plan), ERR_OK);
    const struct list_input input = {.plan = plan, .snap = f->snap, .table = {f->table_id.value + 1}, .out = f->out};

    assert_int_equal(list_query_new(&input, &list), ERR_NOT_FOUND);
    assert_null(list);
}

static void list_query_writes_selected_fields_and_the_pagination_in_compact_form(void **state)
{
    struct fixture *f = *state;
    size_t slices = 0;
    (void)list_run(f, "limit=1&sortBy=number&sortDirection=asc&select=number,nosuch", 1000, &slices);
    char expected[512];
    const struct known *rows[ROWS];
    const struct wanted wanted = {NULL, NULL, -100, by_number, false};
    (void)naive(f, &wanted, rows);

    const struct span body = buf_all(f->out);

    const int head = snprintf(expected, sizeof(expected),
                              "{\"items\":[{\"id\":\"%s\",\"number\":%d,\"createdBy\":\"%s\",\"createdAt\":\"",
                              rows[0]->id, (int)rows[0]->number, rows[0]->owner);
    assert_true(span_starts_with(body, span_of(expected, (size_t)head)));
    static const char tail[] =
        "\"pagination\":{\"total\":150,\"page\":1,\"limit\":1,\"totalPages\":150,\"hasNext\":true,"
        "\"hasPrev\":false}}";
    assert_memory_equal(body.data + body.len - (sizeof(tail) - 1), tail, sizeof(tail) - 1);
}

#define PLAN(name) cmocka_unit_test_setup_teardown(name, setup_plan, teardown)
#define LIST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAN(plan_new_reads_page_limit_and_offset),
        PLAN(attack_04_plan_new_refuses_limits_and_parameters_that_mean_nothing),
        PLAN(plan_new_takes_fields_to_sort_and_search_by),
        PLAN(plan_new_takes_a_filter_of_16_kib_and_not_one_byte_more),
        PLAN(plan_new_denies_without_an_allowing_verdict),
        PLAN(plan_new_reports_an_arena_that_is_used_up),
        PLAN(plan_select_takes_commas_repetition_and_both_names),
        LIST(list_query_agrees_with_a_naive_list_on_every_page_and_in_any_slices),
        LIST(list_query_of_an_owner_agrees_with_a_naive_list),
        LIST(list_query_in_default_order_touches_only_the_rows_up_to_the_page),
        LIST(attack_02_rows_of_others_change_nothing_in_an_owners_list),
        LIST(attack_13_a_search_is_cut_into_slices_and_a_pattern_into_a_budget),
        LIST(list_query_stops_when_the_response_is_too_large),
        LIST(list_query_new_reports_a_table_that_is_gone),
        LIST(list_query_writes_selected_fields_and_the_pagination_in_compact_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
