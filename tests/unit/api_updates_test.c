/* SPDX-License-Identifier: GPL-3.0-or-later */
/* /v1/admin/updates over an updater that says what the test tells it to. */
/* link: --wrap=http_respond --wrap=http_body */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "tests/lib/api_box.h"
#include "tests/lib/api_operator.h"

#define UPDATES "/v1/admin/updates"

struct updater {
    struct api_box *box;
    struct api_user owner;
    enum err starts_with; /* answered at once */
    enum err answers;
    bool has_version;
    size_t asked;
    enum api_update_kind kind;
    uint64_t offset;
    char bytes[64];
    size_t bytes_len;
};

static void on_post(struct loop_post *post)
{
    struct api_update_job *const job = (void *)((char *)post - offsetof(struct api_update_job, post));

    job->done(job, job->err);
}

static enum err start(void *context, struct api_update_job *job)
{
    struct updater *const u = context;

    u->asked++;
    u->kind = job->kind;
    u->offset = job->offset;
    u->bytes_len = job->bytes.len < sizeof(u->bytes) ? job->bytes.len : sizeof(u->bytes);
    if (u->bytes_len != 0) {
        memcpy(u->bytes, job->bytes.data, u->bytes_len);
    }
    if (u->starts_with != ERR_OK) {
        return u->starts_with;
    }
    job->err = u->answers;
    job->phase = "receiving";
    job->received = 12;
    (void)snprintf(job->running, sizeof(job->running), "1.0");
    if (u->has_version) {
        (void)snprintf(job->version, sizeof(job->version), "1.1");
        job->security = 3;
    }
    job->post.run = on_post;
    return loop_post(job->loop, &job->post);
}

static int setup(void **state)
{
    static struct updater updater;
    struct updater *const u = &updater;

    *u = (struct updater){.box = api_box_new()};
    u->box->updates = (struct api_updates){.start = start, .context = u};
    api_box_restart(u->box);
    api_operator_owner(u->box, &u->owner);
    *state = u;
    return 0;
}

static int teardown(void **state)
{
    struct updater *const u = *state;

    api_box_free(u->box);
    return 0;
}

static const struct api_answer *ask(struct updater *u, const char *method, const char *path, const char *body)
{
    return api_operator_ask(u->box, &u->owner, method, path, body);
}

static void what_there_is_is_told_to_owners(void **state)
{
    struct updater *const u = *state;

    const struct api_answer *answer = ask(u, "GET", UPDATES, NULL);
    assert_int_equal(answer->status, 200);
    assert_int_equal(u->kind, API_UPDATE_ASK);
    assert_string_equal(answer->body, "{\"running\":\"1.0\",\"trial\":false,\"state\":\"receiving\",\"received\":12,"
                                      "\"version\":null,\"securityVersion\":null}");
    u->has_version = true;
    answer = ask(u, "GET", UPDATES, NULL);
    assert_string_equal(api_answer_text(answer, "version"), "1.1");
    assert_string_equal(api_answer_text(answer, "securityVersion"), "3");
}

static void a_file_is_begun_brought_in_pieces_and_installed(void **state)
{
    struct updater *const u = *state;

    assert_int_equal(ask(u, "POST", UPDATES, "{}")->status, 200);
    assert_int_equal(u->kind, API_UPDATE_BEGIN);
    assert_int_equal(ask(u, "POST", UPDATES "/bytes?offset=4096", "\x01piece\xff")->status, 200);
    assert_int_equal(u->kind, API_UPDATE_PIECE);
    assert_int_equal(u->offset, 4096);
    assert_int_equal(u->bytes_len, 7);
    assert_memory_equal(u->bytes, "\x01piece\xff", 7);
    assert_int_equal(ask(u, "POST", UPDATES "/install", NULL)->status, 200);
    assert_int_equal(u->kind, API_UPDATE_INSTALL);
}

static void a_piece_without_its_place_or_without_bytes_reaches_nobody(void **state)
{
    static const char *const targets[] = {UPDATES "/bytes",           UPDATES "/bytes?offset=",
                                          UPDATES "/bytes?offset=-1", UPDATES "/bytes?offset=1&offset=2",
                                          UPDATES "/bytes?place=1",   UPDATES "/bytes?offset=9223372036854775808"};
    struct updater *const u = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(targets); i++) {
        assert_refused(ask(u, "POST", targets[i], "x"), 400, "common/invalid-parameters");
    }
    assert_refused(ask(u, "POST", UPDATES "/bytes?offset=0", NULL), 400, "common/invalid-parameters");
    assert_int_equal(u->asked, 0);
}

static void each_error_of_the_updater_has_its_answer(void **state)
{
    static const struct {
        enum err err;
        unsigned int status;
        const char *code;
    } cases[] = {{ERR_UNSUPPORTED, 409, "common/conflict"},
                 {ERR_ROLLBACK, 409, "common/conflict"},
                 {ERR_REVOKED, 409, "common/conflict"},
                 {ERR_EXISTS, 409, "common/conflict"},
                 {ERR_STATE, 409, "common/conflict"},
                 {ERR_CONFLICT, 409, "common/conflict"},
                 {ERR_NOT_FOUND, 409, "common/conflict"},
                 {ERR_AUTH, 400, "common/invalid-parameters"},
                 {ERR_MALFORMED, 400, "common/invalid-parameters"},
                 {ERR_VERSION, 400, "common/invalid-parameters"},
                 {ERR_RANGE, 400, "common/invalid-parameters"},
                 {ERR_FULL, 507, "common/insufficient-storage"},
                 {ERR_IO, 503, "common/unavailable"},
                 {ERR_CLOSED, 503, "common/unavailable"}};
    struct updater *const u = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        u->answers = cases[i].err;
        assert_refused(ask(u, "POST", UPDATES "/bytes?offset=0", "x"), cases[i].status, cases[i].code);
    }
    u->starts_with = ERR_LIMIT;
    assert_refused(ask(u, "GET", UPDATES, NULL), 503, "common/unavailable");
}

static void a_board_without_slots_says_so(void **state)
{
    struct updater *const u = *state;
    u->box->updates.start = NULL;
    api_box_restart(u->box);

    const struct api_answer *const answer = ask(u, "POST", UPDATES, "{}");

    assert_refused(answer, 409, "common/conflict");
    assert_non_null(strstr(answer->body, "no slots"));
}

static void who_is_no_owner_reaches_nobody(void **state)
{
    struct updater *const u = *state;
    struct api_user admin;
    api_operator_make(u->box, "admin");
    api_operator_sign_in(u->box, "admin@example.com", &admin);

    assert_refused(api_operator_ask(u->box, &admin, "POST", UPDATES, "{}"), 403, "auth/forbidden");
    assert_refused(api_box_send(u->box, "POST", u->box->secret, UPDATES "/install", "{}"), 403, "auth/forbidden");
    assert_int_equal(u->asked, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_there_is_is_told_to_owners, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_is_begun_brought_in_pieces_and_installed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_piece_without_its_place_or_without_bytes_reaches_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(each_error_of_the_updater_has_its_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(a_board_without_slots_says_so, setup, teardown),
        cmocka_unit_test_setup_teardown(who_is_no_owner_reaches_nobody, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
