/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "firmware/supervisor/report.h"
#include "firmware/supervisor/supervisor_int.h"
#include "hal/base/fault.h"
#include "hal/process.h"
#include "hal/sim/sim_clock.h"
#include "tests/lib/temp.h"

struct fixture {
    struct temp_dir temp;
    struct options options;
    struct supervisor supervisor;
    struct msg_channel *keeper; /* the other end */
    int printed[2];             /* a pipe in place of standard output */
    int stdout_kept;
    struct sim_clock clock;
};

static int setup(void **state)
{
    static struct fixture fixture;
    struct fixture *const f = &fixture;
    struct supervisor *const s = &f->supervisor;
    int ends[2] = {-1, -1};

    fault_clear();
    fixture = (struct fixture){.temp = temp_dir_make(), .options = {.json = true, .listen_text = "127.0.0.1", .init_fd = -1}};
    f->options.listen.ip[0] = 127;
    s->options = &f->options;
    sim_clock_init(&f->clock);
    s->clock = &f->clock.base;
    s->frames = -1;
    assert_int_equal(datadir_open(f->temp.path, &s->dir), ERR_OK);
    assert_int_equal(channel_pair(ends), ERR_OK);
    assert_int_equal(msg_channel_new(ends[0], MSG_TO_KEEPER, MSG_UPPER, &s->keeper.control), ERR_OK);
    assert_int_equal(channel_set_nonblocking(ends[1]), ERR_OK);
    assert_int_equal(msg_channel_new(ends[1], MSG_TO_KEEPER, MSG_LOWER, &f->keeper), ERR_OK);
    assert_int_equal(MSG_SET(&s->news.recovery, span_lit("lusab-babad")), ERR_OK);
    s->state = BOARD_OPERATIONAL;
    s->known = true;
    assert_int_equal(pipe2(f->printed, O_CLOEXEC | O_NONBLOCK), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *const f = *state;

    msg_channel_free(f->keeper);
    msg_channel_free(f->supervisor.keeper.control);
    datadir_close(f->supervisor.dir);
    (void)close(f->printed[0]);
    (void)close(f->printed[1]);
    temp_dir_remove(&f->temp);
    return 0;
}

static void begin_capture(struct fixture *f)
{
    f->stdout_kept = dup(STDOUT_FILENO);
    (void)dup2(f->printed[1], STDOUT_FILENO);
}

/* What was printed. */
static void end_capture(struct fixture *f, char *out_text, size_t max)
{
    (void)dup2(f->stdout_kept, STDOUT_FILENO);
    (void)close(f->stdout_kept);
    const ssize_t len = read(f->printed[0], out_text, max - 1);
    out_text[len < 0 ? 0 : len] = '\0';
}

/* What it prints, and its result. */
static enum err report(struct fixture *f, char *out_text, size_t max)
{
    begin_capture(f);
    const enum err err = supervisor_answers(&f->supervisor);
    end_capture(f, out_text, max);
    return err;
}

static void the_keeper_is_told_what_was_printed(void **state)
{
    struct fixture *const f = *state;
    char text[1024];
    struct msg msg = MSG_NEW(MSG_KEEPER_STOP);

    assert_int_equal(report(f, text, sizeof(text)), ERR_OK);

    assert_non_null(strstr(text, "lusab-babad"));
    assert_int_equal(msg_recv(f->keeper, MSG_OPERATIONAL, &msg), ERR_OK);
    assert_int_equal(msg.type, MSG_KEEPER_SHOWN);
    assert_true(f->supervisor.shown);
    assert_int_equal(f->supervisor.news.recovery.len, 0);
    assert_int_equal(f->supervisor.news.recovery.data[0], 0);
}

static void a_recovery_key_is_not_printed_when_no_keeper_would_hear_of_it(void **state)
{
    struct fixture *const f = *state;
    char text[1024];
    struct msg_channel *const control = f->supervisor.keeper.control;
    f->supervisor.known = false;
    f->supervisor.keeper.control = NULL; /* as when it has died */

    assert_int_equal(report(f, text, sizeof(text)), ERR_OK);

    assert_string_equal(text, "");
    assert_false(f->supervisor.reported);
    f->supervisor.keeper.control = control;
}

static void a_program_that_reads_one_line_is_told_one_line(void **state)
{
    struct fixture *const f = *state;
    char text[1024];
    assert_int_equal(MSG_SET(&f->supervisor.news.setup, span_lit("AAAABBBBCCCCDDDD")), ERR_OK);
    assert_int_equal(report(f, text, sizeof(text)), ERR_OK);
    assert_non_null(strstr(text, "\"setupCode\":\"AAAABBBBCCCCDDDD\""));
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);

    assert_int_equal(MSG_SET(&f->supervisor.news.setup, span_lit("EEEEFFFFGGGGHHHH")), ERR_OK);
    assert_int_equal(report(f, text, sizeof(text)), ERR_OK);

    assert_string_equal(text, "");
    assert_int_equal(f->supervisor.news.setup.len, 0);
}

/* A TPM that was not there at the first report, for instance. What nobody reads is not called shown. */
static void a_recovery_key_that_comes_after_the_line_waits_for_the_next_start(void **state)
{
    struct fixture *const f = *state;
    char text[1024];
    struct msg msg = MSG_NEW(MSG_KEEPER_STOP);
    f->supervisor.news.recovery.len = 0;
    assert_int_equal(report(f, text, sizeof(text)), ERR_OK);
    assert_false(f->supervisor.shown);

    assert_int_equal(MSG_SET(&f->supervisor.news.recovery, span_lit("lusab-babad")), ERR_OK);
    assert_int_equal(report(f, text, sizeof(text)), ERR_OK);

    assert_string_equal(text, "");
    assert_false(f->supervisor.shown);
    assert_int_equal(msg_recv(f->keeper, MSG_OPERATIONAL, &msg), ERR_AGAIN);
    assert_int_equal(f->supervisor.news.recovery.len, 0);
    assert_int_equal(f->supervisor.news.recovery.data[0], 0);
}

static void a_recovery_key_that_comes_after_the_report_is_printed_for_a_person(void **state)
{
    struct fixture *const f = *state;
    char text[4096];
    struct msg msg = MSG_NEW(MSG_KEEPER_STOP);
    f->options.json = false;
    f->supervisor.news.recovery.len = 0;
    assert_int_equal(report(f, text, sizeof(text)), ERR_OK);

    assert_int_equal(MSG_SET(&f->supervisor.news.recovery, span_lit("lusab-babad")), ERR_OK);
    assert_int_equal(report(f, text, sizeof(text)), ERR_OK);

    assert_non_null(strstr(text, "lusab-babad"));
    assert_true(f->supervisor.shown);
    assert_int_equal(msg_recv(f->keeper, MSG_OPERATIONAL, &msg), ERR_OK);
    assert_int_equal(msg.type, MSG_KEEPER_SHOWN);
}

/* Its end may reach the supervisor after the line was written. */
static void a_keeper_that_dies_as_the_line_is_printed_leaves_it_true(void **state)
{
    struct fixture *const f = *state;
    char text[1024];
    f->supervisor.first = true;
    msg_channel_free(f->keeper);
    f->keeper = NULL;

    assert_int_equal(report(f, text, sizeof(text)), ERR_OK);

    assert_non_null(strstr(text, "lusab-babad"));
    assert_true(f->supervisor.shown); /* what the next keeper is told */
    assert_false(f->supervisor.first); /* and the next worker */
    assert_true(f->supervisor.reported);
}

static void the_setup_code_of_a_worker_that_was_replaced_is_printed_too(void **state)
{
    struct fixture *const f = *state;
    char text[4096];
    f->options.json = false;
    assert_int_equal(MSG_SET(&f->supervisor.news.setup, span_lit("AAAABBBBCCCCDDDD")), ERR_OK);
    assert_int_equal(report(f, text, sizeof(text)), ERR_OK);
    assert_non_null(strstr(text, "AAAABBBBCCCCDDDD"));

    assert_int_equal(report(f, text, sizeof(text)), ERR_OK); /* one whose box has an owner */
    assert_string_equal(text, "");
    assert_int_equal(MSG_SET(&f->supervisor.news.setup, span_lit("EEEEFFFFGGGGHHHH")), ERR_OK);
    assert_int_equal(report(f, text, sizeof(text)), ERR_OK);

    assert_non_null(strstr(text, "EEEEFFFFGGGGHHHH"));
    assert_null(strstr(text, "lusab-babad"));
    assert_int_equal(f->supervisor.news.setup.len, 0);
}

static void who_reads_no_more_holds_up_no_box_that_has_started(void **state)
{
    struct fixture *const f = *state;
    char text[4096];
    f->options.json = false;
    uint8_t filling[4096] = {0};
    assert_int_equal(report(f, text, sizeof(text)), ERR_OK);
    while (write(f->printed[1], filling, sizeof(filling)) > 0) {
    }
    assert_int_equal(fcntl(f->printed[1], F_SETFL, 0), 0); /* from now on to write there is to wait */
    assert_int_equal(MSG_SET(&f->supervisor.news.setup, span_lit("EEEEFFFFGGGGHHHH")), ERR_OK);

    assert_int_equal(report(f, text, sizeof(text)), ERR_OK);

    assert_int_equal(f->supervisor.news.setup.len, 0);
}

static void who_stopped_reading_stops_no_box_that_has_started(void **state)
{
    struct fixture *const f = *state;
    char text[4096];
    f->options.json = false;
    assert_int_equal(report(f, text, sizeof(text)), ERR_OK);
    const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_int_equal(dup2(full, f->printed[1]), f->printed[1]);
    assert_int_equal(MSG_SET(&f->supervisor.news.setup, span_lit("EEEEFFFFGGGGHHHH")), ERR_OK);

    begin_capture(f);
    const enum err err = supervisor_answers(&f->supervisor);
    (void)dup2(f->stdout_kept, STDOUT_FILENO);
    (void)close(f->stdout_kept);
    (void)close(full);

    assert_int_equal(err, ERR_OK);
}

/* What a look at the report prints. */
static enum err look(struct fixture *f, char *out_text, size_t max)
{
    begin_capture(f);
    const enum err err = supervisor_look_at_report(&f->supervisor);
    end_capture(f, out_text, max);
    return err;
}

static void a_box_that_asks_for_its_address_reports_when_it_has_one(void **state)
{
    struct fixture *const f = *state;
    char text[1024];
    f->supervisor.frames = f->printed[0]; /* whose frames they are does not matter here */
    f->options.listens = false;
    assert_int_equal(report(f, text, sizeof(text)), ERR_OK);
    assert_string_equal(text, "");

    assert_int_equal(socket_address_parse(span_lit("10.0.2.15"), &f->supervisor.net[0]), ERR_OK);
    f->supervisor.net_count = 1;
    assert_int_equal(look(f, text, sizeof(text)), ERR_OK);

    assert_non_null(strstr(text, "https://10.0.2.15:"));
    assert_int_equal(look(f, text, sizeof(text)), ERR_OK);
    assert_string_equal(text, "");
}

static void a_box_that_gets_no_address_reports_after_a_while_all_the_same(void **state)
{
    struct fixture *const f = *state;
    char text[1024];
    f->supervisor.frames = f->printed[0];
    assert_int_equal(report(f, text, sizeof(text)), ERR_OK);
    sim_clock_advance_ms(&f->clock, 4999);
    assert_int_equal(look(f, text, sizeof(text)), ERR_OK);
    assert_string_equal(text, "");

    sim_clock_advance_ms(&f->clock, 1);
    assert_int_equal(look(f, text, sizeof(text)), ERR_OK);

    assert_non_null(strstr(text, "lusab-babad"));
}

/* The words of the lines to paste, each in <>, as the shell has them. */
static void paste(const char *text, char *out_words, size_t max)
{
    char path[] = "/tmp/rowlock-report-XXXXXX";
    char command[160];
    const int fd = mkstemp(path);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)snprintf(command, sizeof(command), "(echo 'curl() { printf \"<%%s>\" \"$@\"; }'; grep ^curl %s) | sh", path);

    FILE *const shell = popen(command, "r");
    out_words[fread(out_words, 1, max - 1, shell)] = '\0';

    assert_int_equal(pclose(shell), 0);
    (void)close(fd);
    (void)unlink(path);
}

static void a_path_with_a_quote_in_it_stays_one_word_when_pasted(void **state)
{
    struct fixture *const f = *state;
    const struct report report_of_box = {.url = span_lit("https://localhost:8443"),
                                         .ca_file = span_lit("/home/o'hara/$HOME a/ca.pem"),
                                         .secret = span_lit("sk_0"),
                                         .state = BOARD_OPERATIONAL};
    char text[4096];
    char words[4096];

    begin_capture(f);
    const enum err err = report_text(&report_of_box);
    end_capture(f, text, sizeof(text));

    assert_int_equal(err, ERR_OK);
    paste(text, words, sizeof(words));
    const char *at = words;
    for (int i = 0; i < 3; i++) {
        at = strstr(at, "<--cacert></home/o'hara/$HOME a/ca.pem><-H><X-API-Key: sk_0>");
        assert_non_null(at);
        at++;
    }
}

static void write_ca(struct fixture *f)
{
    f->options.json = false;
    assert_int_equal(supervisor_write_ca(&f->supervisor, span_lit("-----BEGIN of it-----\nEND\n")), ERR_OK);
}

static void the_console_of_a_box_gets_the_ca_certificate_with_a_name_to_keep_it_under(void **state)
{
    struct fixture *const f = *state;
    char text[4096];
    write_ca(f);
    f->options.init_fd = 3;

    assert_int_equal(report(f, text, sizeof(text)), ERR_OK);

    assert_non_null(strstr(text, "  CA file          ca.pem\n"));
    assert_non_null(strstr(text, "\n\n-----BEGIN of it-----\nEND\n\n"));
}

static void a_report_to_who_has_the_files_names_the_file_alone(void **state)
{
    struct fixture *const f = *state;
    char text[4096];
    write_ca(f);

    assert_int_equal(report(f, text, sizeof(text)), ERR_OK);

    assert_null(strstr(text, "BEGIN"));
    assert_null(strstr(text, "  CA file          ca.pem\n"));
}

/* SHA-256 of the three bytes that are in it. */
static void a_person_gets_the_fingerprint_of_the_ca_to_compare(void **state)
{
    struct fixture *const f = *state;
    char text[4096];
    f->options.json = false;
    assert_int_equal(
        supervisor_write_ca(&f->supervisor,
                            span_lit("-----BEGIN CERTIFICATE-----\nYWJj\n-----END CERTIFICATE-----\n")), ERR_OK);

    assert_int_equal(report(f, text, sizeof(text)), ERR_OK);

    assert_non_null(strstr(
        text, "\n  CA fingerprint   ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n"));
}

static void a_ca_file_that_is_damaged_has_no_fingerprint(void **state)
{
    struct fixture *const f = *state;
    char text[4096];
    write_ca(f);

    assert_int_equal(report(f, text, sizeof(text)), ERR_OK);

    assert_null(strstr(text, "fingerprint"));
}

static void an_administrator_with_a_port_of_his_own_is_told_where(void **state)
{
    struct fixture *const f = *state;
    char text[4096];
    f->options.json = false;
    f->options.admin_text = "2001:db8::9";
    f->options.admin.family = SOCKET_IPV6;
    f->supervisor.admin_port = 9443;
    assert_int_equal(MSG_SET(&f->supervisor.news.secret, span_lit("sk_x")), ERR_OK);

    assert_int_equal(report(f, text, sizeof(text)), ERR_OK);

    assert_non_null(strstr(text, "  administrator    https://[2001:db8::9]:9443\n"));
    assert_non_null(strstr(text, " https://[2001:db8::9]:9443/v1/admin/tables\n"));
    assert_null(strstr(text, "localhost:0/v1/admin"));
    assert_non_null(strstr(text, "/v1/data/notes\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_console_of_a_box_gets_the_ca_certificate_with_a_name_to_keep_it_under, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_person_gets_the_fingerprint_of_the_ca_to_compare, setup, teardown),
        cmocka_unit_test_setup_teardown(a_ca_file_that_is_damaged_has_no_fingerprint, setup, teardown),
        cmocka_unit_test_setup_teardown(a_report_to_who_has_the_files_names_the_file_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(the_keeper_is_told_what_was_printed, setup, teardown),
        cmocka_unit_test_setup_teardown(an_administrator_with_a_port_of_his_own_is_told_where, setup, teardown),
        cmocka_unit_test_setup_teardown(a_path_with_a_quote_in_it_stays_one_word_when_pasted, setup, teardown),
        cmocka_unit_test_setup_teardown(a_recovery_key_is_not_printed_when_no_keeper_would_hear_of_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_program_that_reads_one_line_is_told_one_line, setup, teardown),
        cmocka_unit_test_setup_teardown(a_recovery_key_that_comes_after_the_line_waits_for_the_next_start, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_recovery_key_that_comes_after_the_report_is_printed_for_a_person, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_keeper_that_dies_as_the_line_is_printed_leaves_it_true, setup, teardown),
        cmocka_unit_test_setup_teardown(the_setup_code_of_a_worker_that_was_replaced_is_printed_too, setup, teardown),
        cmocka_unit_test_setup_teardown(who_stopped_reading_stops_no_box_that_has_started, setup, teardown),
        cmocka_unit_test_setup_teardown(a_box_that_asks_for_its_address_reports_when_it_has_one, setup, teardown),
        cmocka_unit_test_setup_teardown(a_box_that_gets_no_address_reports_after_a_while_all_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(who_reads_no_more_holds_up_no_box_that_has_started, setup, teardown),
    };

    return cmocka_run_group_tests_name("firmware_report", tests, NULL, NULL);
}
