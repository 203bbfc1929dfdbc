/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/worker/keeper_link.h: many questions under way, cancelled ones, late answers, a keeper that is gone or lies. */
#include "firmware/worker/keeper_link.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/process.h"

#define TURN_MS 0

static size_t answers;
static struct tls_sign_job *last_job;
static enum err last_err;
static size_t last_len;

/* Stands in for net/tls.c: what the link hands out. */
void __wrap_tls_sign_answer(struct tls_sign_job *job, enum err err, struct span signature);
void __wrap_tls_sign_answer(struct tls_sign_job *job, enum err err, struct span signature)
{
    answers++;
    last_job = job;
    last_err = err;
    last_len = signature.len;
}
/* link: --wrap=tls_sign_answer */

struct fixture {
    struct loop *loop;
    struct msg_channel *keeper; /* the other end */
    struct keeper_link *link;
    struct tls_signer signer;
    struct tls_sign_job jobs[LINK_JOBS_MAX + 1];
};

static int set_up(void **state)
{
    void *memory = NULL;
    struct msg_channel *channel = NULL;
    int ends[2];

    assert_int_equal(mem_alloc(sizeof(struct fixture), &memory), ERR_OK);
    struct fixture *f = memory;
    assert_int_equal(loop_new(hal_clock_system(), 16, &f->loop), ERR_OK);
    assert_int_equal(channel_pair(ends), ERR_OK);
    assert_int_equal(channel_set_nonblocking(ends[0]), ERR_OK);
    assert_int_equal(channel_set_nonblocking(ends[1]), ERR_OK);
    assert_int_equal(msg_channel_new(ends[0], MSG_REACTOR, MSG_UPPER, &f->keeper), ERR_OK);
    assert_int_equal(msg_channel_new(ends[1], MSG_REACTOR, MSG_LOWER, &channel), ERR_OK);
    assert_int_equal(keeper_link_new(f->loop, channel, &f->link), ERR_OK);
    f->signer = keeper_link_signer(f->link);
    for (size_t i = 0; i <= LINK_JOBS_MAX; i++) {
        f->jobs[i].request = (struct tls_sign_request){.kind = TLS_SIGN_13, .transcript_hash = TLS_SHA256,
                                                       .certificate = (uint32_t)i + 1};
    }
    answers = 0;
    last_job = NULL;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    keeper_link_free(f->link);
    msg_channel_free(f->keeper);
    loop_free(f->loop);
    fault_clear();
    mem_free(f);
    return 0;
}

static enum err start(struct fixture *f, size_t job)
{
    return f->signer.start(f->signer.context, &f->jobs[job]);
}

static void turn(struct fixture *f)
{
    assert_int_equal(loop_turn(f->loop, TURN_MS), ERR_OK);
}

/* The next question at the keeper, or false. */
static bool question(struct fixture *f, struct msg *out_msg)
{
    const enum err err = msg_recv(f->keeper, MSG_OPERATIONAL, out_msg);

    assert_true(err == ERR_OK || err == ERR_AGAIN);
    return err == ERR_OK;
}

static void answer(struct fixture *f, uint64_t request, enum err err)
{
    struct msg msg = MSG_NEW(MSG_SIGNED);

    msg.as.signature.request = request;
    msg.as.signature.err = (uint32_t)err;
    if (err == ERR_OK) {
        assert_int_equal(MSG_SET(&msg.as.signature.signature, span_lit("signature")), ERR_OK);
    }
    assert_int_equal(msg_send(f->keeper, &msg), ERR_OK);
}

static void a_question_carries_the_fields_and_its_answer_finds_the_job(void **state)
{
    struct fixture *f = *state;
    struct msg asked = {0};
    f->jobs[0].request.transcript_hash = TLS_SHA384;
    memset(f->jobs[0].request.transcript, 0xab, 48);

    assert_int_equal(start(f, 0), ERR_OK);
    assert_true(question(f, &asked));
    assert_int_equal(answers, 0);
    answer(f, asked.as.sign_tls13.request, ERR_OK);
    turn(f);

    assert_int_equal(asked.type, MSG_SIGN_TLS13);
    assert_int_equal(asked.as.sign_tls13.certificate, 1);
    assert_int_equal(asked.as.sign_tls13.transcript.len, 48);
    assert_memory_equal(asked.as.sign_tls13.transcript.data, f->jobs[0].request.transcript, 48);
    assert_int_equal(answers, 1);
    assert_ptr_equal(last_job, &f->jobs[0]);
    assert_int_equal(last_err, ERR_OK);
    assert_int_equal(last_len, 9);
}

static void a_question_of_tls_1_2_carries_randoms_group_and_point(void **state)
{
    struct fixture *f = *state;
    struct msg asked = {0};
    f->jobs[0].request = (struct tls_sign_request){.kind = TLS_SIGN_12, .certificate = 5, .group = 24,
                                                   .point_bytes = TLS_POINT_MAX};
    memset(f->jobs[0].request.client_random, 1, 32);
    memset(f->jobs[0].request.server_random, 2, 32);
    memset(f->jobs[0].request.point, 3, TLS_POINT_MAX);

    assert_int_equal(start(f, 0), ERR_OK);

    assert_true(question(f, &asked));
    assert_int_equal(asked.type, MSG_SIGN_TLS12);
    assert_int_equal(asked.as.sign_tls12.certificate, 5);
    assert_int_equal(asked.as.sign_tls12.group, 24);
    assert_memory_equal(asked.as.sign_tls12.client_random, f->jobs[0].request.client_random, 32);
    assert_memory_equal(asked.as.sign_tls12.server_random, f->jobs[0].request.server_random, 32);
    assert_int_equal(asked.as.sign_tls12.point.len, TLS_POINT_MAX);
    assert_memory_equal(asked.as.sign_tls12.point.data, f->jobs[0].request.point, TLS_POINT_MAX);
}

static void at_most_so_many_are_with_the_keeper_and_the_rest_follow_in_order(void **state)
{
    struct fixture *f = *state;
    struct msg asked = {0};
    uint64_t first = 0;
    size_t count = 0;

    for (size_t i = 0; i < LINK_JOBS_MAX; i++) {
        assert_int_equal(start(f, i), ERR_OK);
    }
    assert_int_equal(start(f, LINK_JOBS_MAX), ERR_LIMIT);
    while (question(f, &asked)) {
        first = count == 0 ? asked.as.sign_tls13.request : first;
        count++;
    }
    assert_int_equal(count, LINK_SENT_MAX);
    answer(f, first, ERR_OK);
    turn(f);

    assert_true(question(f, &asked));
    assert_int_equal(asked.as.sign_tls13.certificate, LINK_SENT_MAX + 1);
    assert_false(question(f, &asked));
    assert_ptr_equal(last_job, &f->jobs[0]);
    assert_int_equal(start(f, LINK_JOBS_MAX), ERR_OK); /* there is a place again */
}

static void a_cancelled_job_hears_nothing_and_its_place_is_used_again(void **state)
{
    struct fixture *f = *state;
    struct msg asked = {0};

    assert_int_equal(start(f, 0), ERR_OK);
    assert_true(question(f, &asked));
    f->signer.cancel(f->signer.context, &f->jobs[0]);
    answer(f, asked.as.sign_tls13.request, ERR_OK);
    turn(f);

    assert_int_equal(answers, 0);
    for (size_t i = 0; i < LINK_JOBS_MAX; i++) {
        assert_int_equal(start(f, i), ERR_OK);
    }
}

static void a_job_cancelled_while_it_waits_is_never_asked(void **state)
{
    struct fixture *f = *state;
    struct msg asked = {0};
    for (size_t i = 0; i < LINK_SENT_MAX + 2; i++) {
        assert_int_equal(start(f, i), ERR_OK);
    }
    f->signer.cancel(f->signer.context, &f->jobs[LINK_SENT_MAX]);

    assert_true(question(f, &asked));
    answer(f, asked.as.sign_tls13.request, ERR_OK);
    turn(f);

    uint32_t newest = 0;
    while (question(f, &asked)) {
        newest = asked.as.sign_tls13.certificate;
    }
    assert_int_equal(newest, LINK_SENT_MAX + 2);
}

static void an_error_of_the_keeper_reaches_the_job(void **state)
{
    struct fixture *f = *state;
    struct msg asked = {0};

    assert_int_equal(start(f, 0), ERR_OK);
    assert_true(question(f, &asked));
    answer(f, asked.as.sign_tls13.request, ERR_STALE_KEY);
    turn(f);

    assert_int_equal(last_err, ERR_STALE_KEY);
    assert_int_equal(last_len, 0);
}

static void a_keeper_that_is_gone_answers_every_job_once_and_takes_no_more(void **state)
{
    struct fixture *f = *state;
    struct msg asked = {0};
    for (size_t i = 0; i < LINK_SENT_MAX + 3; i++) {
        assert_int_equal(start(f, i), ERR_OK);
    }
    assert_true(question(f, &asked));
    answer(f, asked.as.sign_tls13.request, ERR_OK);
    turn(f);
    assert_int_equal(answers, 1);

    msg_channel_free(f->keeper);
    f->keeper = NULL;
    turn(f);

    assert_int_equal(answers, LINK_SENT_MAX + 3);
    assert_int_equal(last_err, ERR_CLOSED);
    assert_int_equal(start(f, 0), ERR_CLOSED);
}

static void an_answer_that_nobody_asked_for_ends_the_link(void **state)
{
    struct fixture *f = *state;
    struct msg asked = {0};
    assert_int_equal(start(f, 0), ERR_OK);
    assert_true(question(f, &asked));

    answer(f, asked.as.sign_tls13.request + 1, ERR_OK); /* another place */
    turn(f);

    assert_int_equal(answers, 1);
    assert_int_equal(last_err, ERR_CLOSED);
    assert_int_equal(start(f, 1), ERR_CLOSED);
}

static void an_answer_that_comes_twice_ends_the_link(void **state)
{
    struct fixture *f = *state;
    struct msg asked = {0};
    assert_int_equal(start(f, 0), ERR_OK);
    assert_true(question(f, &asked));

    answer(f, asked.as.sign_tls13.request, ERR_OK);
    answer(f, asked.as.sign_tls13.request, ERR_OK);
    turn(f);

    assert_int_equal(answers, 1);
    assert_int_equal(start(f, 1), ERR_CLOSED);
}

struct unlock {
    struct api_unlock_job job;
    size_t answers;
    enum err err;
};

static void on_unlocked(struct api_unlock_job *job, enum err err)
{
    struct unlock *unlock = (struct unlock *)job;

    unlock->answers++;
    unlock->err = err;
}

static void unlocking_is_asked_with_the_text_as_typed(void **state)
{
    struct fixture *f = *state;
    struct msg asked = {0};
    struct msg told = MSG_NEW(MSG_UNLOCKED);
    struct unlock unlock = {.job = {.done = on_unlocked, .text = span_lit("lusab babad"), .is_recovery_key = true}};
    const struct api_unlock api = keeper_link_unlock(f->link);

    assert_int_equal(api.start(api.context, &unlock.job), ERR_OK);
    assert_true(question(f, &asked));
    told.as.unlocked.request = asked.as.unlock.request;
    told.as.unlocked.err = ERR_AUTH;
    assert_int_equal(msg_send(f->keeper, &told), ERR_OK);
    turn(f);

    assert_int_equal(asked.as.unlock.kind, MSG_UNLOCK_RECOVERY);
    assert_int_equal(asked.as.unlock.text.len, 11);
    assert_memory_equal(asked.as.unlock.text.data, "lusab babad", 11);
    assert_int_equal(unlock.answers, 1);
    assert_int_equal(unlock.err, ERR_AUTH);
}

static void the_date_is_set_back_by_those_who_ask_for_it(void **state)
{
    struct fixture *f = *state;
    struct msg asked = {0};
    struct unlock unlock = {
        .job = {.done = on_unlocked, .text = span_lit("lusab"), .is_recovery_key = true, .sets_date_back = true}};
    const struct api_unlock api = keeper_link_unlock(f->link);

    assert_int_equal(api.start(api.context, &unlock.job), ERR_OK);
    assert_true(question(f, &asked));

    assert_int_equal(asked.as.unlock.kind, MSG_UNLOCK_DATE_BACK);
}

static void a_text_longer_than_any_recovery_key_is_refused_here(void **state)
{
    struct fixture *f = *state;
    static const uint8_t text[MSG_RECOVERY_MAX + 1];
    struct unlock unlock = {.job = {.done = on_unlocked, .text = span_array(text)}};
    const struct api_unlock api = keeper_link_unlock(f->link);

    assert_int_equal(api.start(api.context, &unlock.job), ERR_MALFORMED);
    assert_int_equal(unlock.answers, 0);
}

static size_t done_count;
static enum err done_err;

static void on_tokens(struct api_token_job *job UNUSED, enum err err)
{
    done_count++;
    done_err = err;
}

static void on_pepper(struct api_pepper_job *job UNUSED, enum err err)
{
    done_count++;
    done_err = err;
}

static void tokens_are_asked_for_by_every_field_and_come_back(void **state)
{
    struct fixture *f = *state;
    struct msg asked = {0};
    struct msg told = MSG_NEW(MSG_TOKEN_SIGNED);
    const struct api_keeper api = keeper_link_keeper(f->link);
    static struct api_token_job job;
    job = (struct api_token_job){.done = on_tokens,
                                 .environment_id = span_lit("11111111-1111-4111-8111-111111111111"),
                                 .project_id = span_lit("22222222-2222-4222-8222-222222222222"),
                                 .environment = span_lit("dev"),
                                 .user = span_lit("33333333-3333-4333-8333-333333333333"),
                                 .session = span_lit("44444444-4444-4444-8444-444444444444"),
                                 .access_s = 3600,
                                 .refresh_s = 604800};
    done_count = 0;

    assert_int_equal(api.sign_tokens(api.context, &job), ERR_OK);
    assert_true(question(f, &asked));
    told.as.token_signed.request = asked.as.token_sign.request;
    told.as.token_signed.issued_s = 1767225600;
    assert_int_equal(MSG_SET(&told.as.token_signed.access, span_lit("to show")), ERR_OK);
    assert_int_equal(MSG_SET(&told.as.token_signed.refresh, span_lit("to renew")), ERR_OK);
    assert_int_equal(msg_send(f->keeper, &told), ERR_OK);
    turn(f);

    assert_int_equal(asked.type, MSG_TOKEN_SIGN);
    assert_true(span_equal(MSG_VIEW(&asked.as.token_sign.environment_id), job.environment_id));
    assert_true(span_equal(MSG_VIEW(&asked.as.token_sign.project), job.project_id));
    assert_true(span_equal(MSG_VIEW(&asked.as.token_sign.environment), job.environment));
    assert_true(span_equal(MSG_VIEW(&asked.as.token_sign.user), job.user));
    assert_true(span_equal(MSG_VIEW(&asked.as.token_sign.session), job.session));
    assert_int_equal(asked.as.token_sign.access_s, 3600);
    assert_int_equal(asked.as.token_sign.refresh_s, 604800);
    assert_int_equal(done_count, 1);
    assert_int_equal(done_err, ERR_OK);
    assert_true(job.issued_s == 1767225600);
    assert_true(span_equal(span_of(job.access, job.access_len), span_lit("to show")));
    assert_true(span_equal(span_of(job.refresh, job.refresh_len), span_lit("to renew")));
}

static void a_pepper_is_asked_for_by_digest_and_version_and_comes_back(void **state)
{
    struct fixture *f = *state;
    struct msg asked = {0};
    struct msg told = MSG_NEW(MSG_PEPPERED);
    const struct api_keeper api = keeper_link_keeper(f->link);
    struct api_pepper_job job = {.done = on_pepper, .version = 3};
    uint8_t mac[SHA256_BYTES];
    memset(job.digest, 0xd1, sizeof(job.digest));
    memset(mac, 0x3a, sizeof(mac));
    done_count = 0;

    assert_int_equal(api.pepper(api.context, &job), ERR_OK);
    assert_true(question(f, &asked));
    told.as.peppered.request = asked.as.pepper.request;
    told.as.peppered.version = 4;
    memcpy(told.as.peppered.mac, mac, sizeof(mac));
    assert_int_equal(msg_send(f->keeper, &told), ERR_OK);
    turn(f);

    assert_int_equal(asked.type, MSG_PEPPER);
    assert_int_equal(asked.as.pepper.version, 3);
    assert_memory_equal(asked.as.pepper.digest, job.digest, sizeof(job.digest));
    assert_int_equal(done_count, 1);
    assert_int_equal(done_err, ERR_OK);
    assert_int_equal(job.version, 4);
    assert_memory_equal(job.mac, mac, sizeof(mac));
}

static void an_error_for_tokens_brings_none(void **state)
{
    struct fixture *f = *state;
    struct msg asked = {0};
    struct msg told = MSG_NEW(MSG_TOKEN_SIGNED);
    const struct api_keeper api = keeper_link_keeper(f->link);
    static struct api_token_job job;
    job = (struct api_token_job){.done = on_tokens, .environment = span_lit("dev")};
    done_count = 0;

    assert_int_equal(api.sign_tokens(api.context, &job), ERR_OK);
    assert_true(question(f, &asked));
    told.as.token_signed.request = asked.as.token_sign.request;
    told.as.token_signed.err = ERR_STATE;
    assert_int_equal(MSG_SET(&told.as.token_signed.access, span_lit("to show")), ERR_OK);
    assert_int_equal(msg_send(f->keeper, &told), ERR_OK);
    turn(f);

    assert_int_equal(done_count, 1);
    assert_int_equal(done_err, ERR_STATE);
    assert_int_equal(job.access_len, 0);
}

static void what_is_too_long_for_a_token_is_refused_here(void **state)
{
    struct fixture *f = *state;
    struct msg asked = {0};
    static const uint8_t text[MSG_UUID_BYTES + MSG_ENVIRONMENT_MAX + 1];
    const struct api_keeper api = keeper_link_keeper(f->link);
    static struct api_token_job jobs[7];
    jobs[0].environment_id = jobs[1].project_id = jobs[2].user = jobs[3].session = span_of(text, MSG_UUID_BYTES + 1);
    jobs[4].environment = span_of(text, MSG_ENVIRONMENT_MAX + 1);
    jobs[5].access_s = MSG_ACCESS_S_MAX + 1;
    jobs[6].refresh_s = MSG_REFRESH_S_MAX + 1;

    for (size_t i = 0; i < ARRAY_LENGTH(jobs); i++) {
        jobs[i].done = on_tokens;
        assert_int_equal(api.sign_tokens(api.context, &jobs[i]), ERR_RANGE);
    }

    assert_false(question(f, &asked));
}

#define LINK_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LINK_TEST(a_question_carries_the_fields_and_its_answer_finds_the_job),
        LINK_TEST(a_question_of_tls_1_2_carries_randoms_group_and_point),
        LINK_TEST(at_most_so_many_are_with_the_keeper_and_the_rest_follow_in_order),
        LINK_TEST(a_cancelled_job_hears_nothing_and_its_place_is_used_again),
        LINK_TEST(a_job_cancelled_while_it_waits_is_never_asked),
        LINK_TEST(an_error_of_the_keeper_reaches_the_job),
        LINK_TEST(a_keeper_that_is_gone_answers_every_job_once_and_takes_no_more),
        LINK_TEST(an_answer_that_nobody_asked_for_ends_the_link),
        LINK_TEST(an_answer_that_comes_twice_ends_the_link),
        LINK_TEST(unlocking_is_asked_with_the_text_as_typed),
        LINK_TEST(the_date_is_set_back_by_those_who_ask_for_it),
        LINK_TEST(a_text_longer_than_any_recovery_key_is_refused_here),
        LINK_TEST(tokens_are_asked_for_by_every_field_and_come_back),
        LINK_TEST(a_pepper_is_asked_for_by_digest_and_version_and_comes_back),
        LINK_TEST(an_error_for_tokens_brings_none),
        LINK_TEST(what_is_too_long_for_a_token_is_refused_here),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
