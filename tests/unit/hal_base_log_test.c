/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hal/base/log.h and hal/base/fault.h: one JSON object a line whatever the values are, and a trail that tells where an
 * error came from. What is logged is read back from stderr. */
#include "hal/base/log.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "hal/base/fault.h"

struct capture {
    FILE *file;
    int stderr_fd;
    char text[8192];
};

static int start_capture(void **state)
{
    static struct capture capture;

    memset(&capture, 0, sizeof(capture));
    capture.file = tmpfile();
    assert_non_null(capture.file);
    capture.stderr_fd = dup(STDERR_FILENO);
    dup2(fileno(capture.file), STDERR_FILENO);
    log_open("test", LOG_INFO);
    fault_clear();
    *state = &capture;
    return 0;
}

/* What went to stderr since the start; stderr is given back. */
static const char *end_capture(struct capture *capture)
{
    if (capture->stderr_fd >= 0) {
        dup2(capture->stderr_fd, STDERR_FILENO);
        close(capture->stderr_fd);
        capture->stderr_fd = -1;
        rewind(capture->file);
        capture->text[fread(capture->text, 1, sizeof(capture->text) - 1, capture->file)] = '\0';
        fclose(capture->file);
    }
    return capture->text;
}

static int stop_capture(void **state)
{
    end_capture(*state);
    fault_clear();
    return 0;
}

/* The one line that was logged, as JSON; the test fails if it is no JSON object or not one line. */
static json_t *logged(struct capture *capture)
{
    const char *const text = end_capture(capture);
    json_t *const object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

    assert_non_null(object);
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    return object;
}

static const char *text_of(json_t *object, const char *key)
{
    const char *const value = json_string_value(json_object_get(object, key));

    assert_non_null(value);
    return value;
}

static void a_line_carries_its_process_level_event_and_fields(void **state)
{
    LOG(LOG_WARN, "started", LOG_NUMBER("port", 8443), LOG_LITERAL("board", "host"), LOG_TEXT("peer", span_lit("::1")));

    json_t *const line = logged(*state);
    assert_string_equal(text_of(line, "process"), "test");
    assert_string_equal(text_of(line, "level"), "warn");
    assert_string_equal(text_of(line, "event"), "started");
    assert_string_equal(text_of(line, "board"), "host");
    assert_string_equal(text_of(line, "peer"), "::1");
    assert_int_equal(json_integer_value(json_object_get(line, "port")), 8443);
    assert_int_equal(strlen(text_of(line, "at")), TIME_ISO_BYTES);
    json_decref(line);
}

static void the_least_and_the_greatest_number_are_written(void **state)
{
    LOG(LOG_INFO, "numbers", LOG_NUMBER("least", INT64_MIN), LOG_NUMBER("greatest", INT64_MAX), LOG_NUMBER("zero", 0));

    json_t *const line = logged(*state);
    assert_true(json_integer_value(json_object_get(line, "least")) == INT64_MIN);
    assert_true(json_integer_value(json_object_get(line, "greatest")) == INT64_MAX);
    assert_true(json_integer_value(json_object_get(line, "zero")) == 0);
    json_decref(line);
}

static void a_value_can_neither_end_its_line_nor_start_a_second_one(void **state)
{
    static const char hostile[] = "a\"}\n{\"event\":\"forged\",\"x\":\"\\\x01\x7f\xff";

    LOG(LOG_INFO, "hostile", LOG_TEXT("text", span_str(hostile)));

    json_t *const line = logged(*state);
    assert_string_equal(text_of(line, "event"), "hostile");
    assert_memory_equal(text_of(line, "text"), "a\"}\n{", 5);
    json_decref(line);
}

static void a_long_value_is_cut(void **state)
{
    char text[LOG_TEXT_MAX + 50];
    memset(text, 'x', sizeof(text));

    LOG(LOG_INFO, "long", LOG_TEXT("text", span_array(text)));

    json_t *const line = logged(*state);
    assert_int_equal(strlen(text_of(line, "text")), LOG_TEXT_MAX);
    json_decref(line);
}

static void a_line_that_grows_too_long_loses_its_last_fields_and_says_so(void **state)
{
    char text[LOG_TEXT_MAX];
    struct log_field fields[5];
    memset(text, 0x01, sizeof(text)); /* six characters each once escaped */
    for (size_t i = 0; i < ARRAY_LENGTH(fields); i++) {
        static const char *const keys[] = {"a", "b", "c", "d", "e"};
        fields[i] = (struct log_field){.key = keys[i], .text = span_array(text)};
    }

    log_event(LOG_INFO, "crowded", fields, ARRAY_LENGTH(fields));

    json_t *const line = logged(*state);
    assert_non_null(json_object_get(line, "b"));
    assert_null(json_object_get(line, "c"));
    assert_true(json_is_true(json_object_get(line, "cut")));
    json_decref(line);
}

static void a_level_below_the_least_is_not_written(void **state)
{
    LOG(LOG_DEBUG, "quiet", LOG_NUMBER("n", 1));

    assert_string_equal(end_capture(*state), "");
}

static enum err fails_at_the_bottom(void)
{
    FAIL(ERR_RANGE, "below", 42);
}

static enum err fails_on_the_way_up(void)
{
    TRY(fails_at_the_bottom());
    return ERR_OK;
}

static enum err ensures(bool condition)
{
    ENSURE(condition, ERR_STATE, "not yet");
    return ERR_OK;
}

static void a_trail_begins_with_the_origin(void **state)
{
    assert_int_equal(fails_on_the_way_up(), ERR_RANGE);

    const struct fault_trail *const trail = fault_trail();
    assert_int_equal(trail->count, 2);
    assert_int_equal(trail->frames[0].err, ERR_RANGE);
    assert_string_equal(trail->frames[0].why, "below");
    assert_int_equal(trail->frames[0].number, 42);
    assert_string_equal(trail->frames[1].why, "fails_at_the_bottom()");
}

static void ensure_adds_a_frame_only_when_it_fails(void **state)
{
    assert_int_equal(ensures(true), ERR_OK);
    assert_int_equal(fault_trail()->count, 0);

    assert_int_equal(ensures(false), ERR_STATE);
    assert_int_equal(fault_trail()->count, 1);
}

static void a_trail_that_is_full_counts_what_it_drops(void **state)
{
    for (int i = 0; i < FAULT_FRAMES_MAX + 3; i++) {
        fault_add(ERR_IO, "file.c", i, "again", i);
    }

    assert_int_equal(fault_trail()->count, FAULT_FRAMES_MAX);
    assert_int_equal(fault_trail()->dropped, 3);
    assert_int_equal(fault_trail()->frames[0].line, 0);
}

static void log_fault_writes_the_trail_once_and_clears_it(void **state)
{
    assert_int_equal(fails_on_the_way_up(), ERR_RANGE);

    log_fault(LOG_ERROR, "failed");

    assert_int_equal(fault_trail()->count, 0);
    json_t *const line = logged(*state);
    json_t *const trail = json_object_get(line, "trail");
    assert_int_equal(json_array_size(trail), 2);
    assert_memory_equal(json_string_value(json_array_get(trail, 0)), "ERR_RANGE ", 10);
    assert_non_null(strstr(json_string_value(json_array_get(trail, 0)), "below 42"));
    json_decref(line);
}

static void the_longest_trail_is_still_one_json_object(void **state)
{
    static const char why[] = "a reason of a hundred characters and more, so that twelve of them do not fit into one line of the "
                              "log, \"quotes\" and all, and the last ones have to go without leaving the line broken behind them";
    for (int i = 0; i < FAULT_FRAMES_MAX; i++) {
        fault_add(ERR_MALFORMED, "folder/with/a/long/path/to/a/source.c", i, why, INT64_MIN);
    }

    log_fault(LOG_ERROR, "long");

    json_t *const line = logged(*state);
    assert_true(json_array_size(json_object_get(line, "trail")) >= 5);
    assert_true(json_is_true(json_object_get(line, "cut")));
    json_decref(line);
}

static void a_broken_invariant_stops_the_process_and_names_the_place(void **state)
{
    const pid_t child = fork();
    if (child == 0) {
        fault_invariant("some/file.c", 123, "one < two");
    }
    int status = 0;

    assert_int_equal(waitpid(child, &status, 0), child);

    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_string_equal(end_capture(*state), "invariant broken: one < two at some/file.c:123\n");
}

/* --- lines held back --- */

/* How many bytes have gone to stderr so far. */
static off_t written(const struct capture *capture)
{
    return lseek(fileno(capture->file), 0, SEEK_END);
}

static void held_lines_are_written_together_and_in_order(void **state)
{
    struct capture *const capture = *state;
    struct log_hold hold;

    log_hold_begin(&hold);
    LOG(LOG_INFO, "first", LOG_NUMBER("n", 1));
    LOG(LOG_INFO, "second", LOG_NUMBER("n", 2));
    const off_t before = written(capture);
    log_hold_flush();
    const off_t after = written(capture);
    log_hold_end();

    assert_int_equal(before, 0);
    assert_true(after > 0);
    const char *const text = end_capture(capture);
    assert_non_null(strstr(text, "first"));
    assert_true(strstr(text, "first") < strstr(text, "second"));
    assert_int_equal(strlen(text), after);
}

static void a_warning_is_written_at_once_behind_what_was_held(void **state)
{
    struct capture *const capture = *state;
    struct log_hold hold;

    log_hold_begin(&hold);
    LOG(LOG_INFO, "routine", LOG_NUMBER("n", 1));
    LOG(LOG_WARN, "warning", LOG_NUMBER("n", 2));
    const off_t after = written(capture);
    log_hold_end();

    const char *const text = end_capture(capture);
    assert_int_equal(strlen(text), after);
    assert_true(strstr(text, "routine") < strstr(text, "warning"));
}

static void lines_that_do_not_fit_any_more_push_the_others_out(void **state)
{
    struct capture *const capture = *state;
    struct log_hold hold;
    size_t lines = 0;

    log_hold_begin(&hold);
    while (written(capture) == 0) {
        LOG(LOG_INFO, "line", LOG_NUMBER("n", lines));
        lines++;
        assert_true(lines < LOG_HOLD_BYTES);
    }
    const off_t first = written(capture);
    log_hold_end();

    assert_in_range(first, LOG_HOLD_BYTES / 2, LOG_HOLD_BYTES);
    const char *at = end_capture(capture);
    for (size_t i = 0; i < lines; i++) {
        char n[32];
        snprintf(n, sizeof(n), "\"n\":%zu}\n", i);
        at = strstr(at, n);
        assert_non_null(at);
    }
}

static void the_end_of_holding_writes_the_rest_and_then_each_line(void **state)
{
    struct capture *const capture = *state;
    struct log_hold hold;

    log_hold_begin(&hold);
    LOG(LOG_INFO, "held", LOG_NUMBER("n", 1));
    log_hold_end();
    const off_t at_end = written(capture);
    LOG(LOG_INFO, "direct", LOG_NUMBER("n", 2));
    const off_t after = written(capture);

    assert_true(at_end > 0);
    assert_true(after > at_end);
    assert_non_null(strstr(end_capture(capture), "direct"));
}

static void a_broken_invariant_leaves_no_held_line_behind(void **state)
{
    struct capture *const capture = *state;
    struct log_hold hold;
    int status = 0;

    const pid_t child = fork();
    if (child == 0) {
        log_hold_begin(&hold);
        LOG(LOG_INFO, "routine", LOG_NUMBER("n", 1));
        INVARIANT(child != 0);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);

    const char *const text = end_capture(capture);
    assert_true(WIFSIGNALED(status));
    assert_non_null(strstr(text, "routine"));
    assert_true(strstr(text, "routine") < strstr(text, "invariant broken"));
}

int main(void)
{
#define CAPTURED(test) cmocka_unit_test_setup_teardown(test, start_capture, stop_capture)
    const struct CMUnitTest tests[] = {
        CAPTURED(a_line_carries_its_process_level_event_and_fields),
        CAPTURED(the_least_and_the_greatest_number_are_written),
        CAPTURED(a_value_can_neither_end_its_line_nor_start_a_second_one),
        CAPTURED(a_long_value_is_cut),
        CAPTURED(a_line_that_grows_too_long_loses_its_last_fields_and_says_so),
        CAPTURED(a_level_below_the_least_is_not_written),
        CAPTURED(a_trail_begins_with_the_origin),
        CAPTURED(ensure_adds_a_frame_only_when_it_fails),
        CAPTURED(a_trail_that_is_full_counts_what_it_drops),
        CAPTURED(log_fault_writes_the_trail_once_and_clears_it),
        CAPTURED(the_longest_trail_is_still_one_json_object),
        CAPTURED(a_broken_invariant_stops_the_process_and_names_the_place),
        CAPTURED(held_lines_are_written_together_and_in_order),
        CAPTURED(a_warning_is_written_at_once_behind_what_was_held),
        CAPTURED(lines_that_do_not_fit_any_more_push_the_others_out),
        CAPTURED(the_end_of_holding_writes_the_rest_and_then_each_line),
        CAPTURED(a_broken_invariant_leaves_no_held_line_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
