/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/courier/nts.h: the test is the server, which has the same two keys. */
#include "firmware/courier/nts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/crypto.h"
#include "crypto/siv.h"
#include "firmware/courier/ntp.h"
#include "hal/base/fault.h"

#define COOKIE_LEN 100
#define HEADER     NTP_BYTES
#define UNIQUE_AT  (HEADER + 4)

struct fixture {
    struct nts_session session;
    struct random *random;
    struct buf *packet; /* the question */
    struct buf *answer;
    struct buf *sealed; /* fields that the answer holds under its seal */
    uint8_t unique[NTS_UNIQUE_BYTES];
};

static struct secret *key_of(const char *text)
{
    struct secret *key = NULL;

    assert_int_equal(secret_new_copy(span_of(text, SIV_KEY_BYTES), &key), ERR_OK);
    return key;
}

static void give_cookies(struct fixture *f, size_t count, size_t len)
{
    uint8_t cookie[NTS_COOKIE_MAX];

    f->session.count = 0;
    for (size_t i = 0; i < count; i++) {
        memset(cookie, (int)('A' + i), sizeof(cookie));
        assert_int_equal(nts_session_add(&f->session, span_of(cookie, len)), ERR_OK);
    }
}

static int set_up(void **state)
{
    static struct fixture fixture;
    struct fixture *const f = &fixture;

    *f = (struct fixture){.random = NULL};
    assert_int_equal(random_new(SPAN_NONE, &f->random), ERR_OK);
    f->session.to_server = key_of("to the server: thirty-two bytes.");
    f->session.to_client = key_of("to the client: thirty-two bytes.");
    assert_int_equal(buf_new(NTS_PACKET_MAX, &f->packet), ERR_OK);
    assert_int_equal(buf_new(4096, &f->answer), ERR_OK);
    assert_int_equal(buf_new(4096, &f->sealed), ERR_OK);
    give_cookies(f, NTS_COOKIES_MAX, COOKIE_LEN);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *const f = *state;

    nts_session_done(&f->session);
    random_free(f->random);
    buf_free(f->packet);
    buf_free(f->answer);
    buf_free(f->sealed);
    fault_clear();
    return 0;
}

static enum err ask(struct fixture *f)
{
    static const uint8_t header[HEADER] = {0x23};

    buf_reset(f->packet);
    return nts_seal(&f->session, f->random, span_array(header), f->packet, f->unique);
}

static void put_field(struct buf *out, unsigned int type, struct span body)
{
    static const uint8_t zeros[4] = {0};
    const size_t padding = (4 - body.len % 4) % 4;

    assert_int_equal(buf_put_u16be(out, (uint16_t)type), ERR_OK);
    assert_int_equal(buf_put_u16be(out, (uint16_t)(4 + body.len + padding)), ERR_OK);
    assert_int_equal(buf_put(out, body), ERR_OK);
    assert_int_equal(buf_put(out, span_of(zeros, padding)), ERR_OK);
}

static void begin_answer(struct fixture *f, struct span unique)
{
    static const uint8_t header[HEADER] = {0x24, 2};

    buf_reset(f->answer);
    buf_reset(f->sealed);
    assert_int_equal(buf_put(f->answer, span_array(header)), ERR_OK);
    if (unique.len != 0) {
        put_field(f->answer, 0x0104, unique);
    }
}

/* Over all that the answer has so far. */
static void seal_answer(struct fixture *f, size_t nonce_len)
{
    static const uint8_t nonce[32] = {'n'};
    const struct siv_parts parts = {.part = {buf_all(f->answer), span_of(nonce, nonce_len)}, .count = 2};
    const size_t len = SIV_TAG_BYTES + buf_len(f->sealed);
    const size_t padding = (4 - nonce_len % 4) % 4;
    uint8_t bytes[4096];

    assert_int_equal(siv_seal(f->session.to_client, &parts, buf_all(f->sealed), bytes), ERR_OK);
    assert_int_equal(buf_put_u16be(f->answer, 0x0404), ERR_OK);
    assert_int_equal(buf_put_u16be(f->answer, (uint16_t)(8 + nonce_len + padding + len + (4 - len % 4) % 4)), ERR_OK);
    assert_int_equal(buf_put_u16be(f->answer, (uint16_t)nonce_len), ERR_OK);
    assert_int_equal(buf_put_u16be(f->answer, (uint16_t)len), ERR_OK);
    assert_int_equal(buf_put(f->answer, span_of(nonce, nonce_len)), ERR_OK);
    assert_int_equal(buf_put(f->answer, span_of("\0\0\0", padding)), ERR_OK);
    assert_int_equal(buf_put(f->answer, span_of(bytes, len)), ERR_OK);
    assert_int_equal(buf_put(f->answer, span_of("\0\0\0", (4 - len % 4) % 4)), ERR_OK);
}

static enum err open_answer(struct fixture *f)
{
    const enum err err = nts_open(&f->session, buf_all(f->answer), f->unique);

    fault_clear();
    return err;
}

/* The field at this place: type and whole length. */
static unsigned int field_at(struct span packet, size_t at, size_t *out_len)
{
    assert_true(at + 4 <= packet.len);
    *out_len = (size_t)packet.data[at + 2] << 8 | packet.data[at + 3];
    return (unsigned int)packet.data[at] << 8 | packet.data[at + 1];
}

static size_t count_fields(struct span packet, unsigned int type)
{
    size_t len = 0;
    size_t count = 0;

    for (size_t at = HEADER; at < packet.len; at += len) {
        count += field_at(packet, at, &len) == type ? 1u : 0u;
        assert_true(len >= 16 && len % 4 == 0); /* RFC 7822 */
    }
    return count;
}

static void a_question_has_a_number_a_cookie_and_a_seal_over_both(void **state)
{
    struct fixture *const f = *state;
    uint8_t nothing = 0;
    size_t len = 0;

    assert_int_equal(ask(f), ERR_OK);

    const struct span packet = buf_all(f->packet);
    assert_int_equal(field_at(packet, HEADER, &len), 0x0104);
    assert_int_equal(len, 4 + NTS_UNIQUE_BYTES);
    assert_memory_equal(packet.data + UNIQUE_AT, f->unique, NTS_UNIQUE_BYTES);
    assert_int_equal(field_at(packet, HEADER + 36, &len), 0x0204);
    assert_int_equal(len, 4 + COOKIE_LEN);
    assert_int_equal(packet.data[HEADER + 36 + 4], 'A' + NTS_COOKIES_MAX - 1);
    const size_t seal = HEADER + 36 + len;
    assert_int_equal(field_at(packet, seal, &len), 0x0404);
    assert_int_equal(seal + len, packet.len);
    const struct siv_parts parts = {.part = {span_of(packet.data, seal), span_of(packet.data + seal + 8, 16)}, .count = 2};
    assert_int_equal(siv_open(f->session.to_server, &parts, span_of(packet.data + seal + 24, 16), &nothing), ERR_OK);
}

static void no_cookie_and_no_number_is_used_twice(void **state)
{
    struct fixture *const f = *state;
    uint8_t last[NTS_UNIQUE_BYTES] = {0};
    bool seen[NTS_COOKIES_MAX] = {false};

    for (size_t i = 0; i < NTS_COOKIES_MAX; i++) {
        assert_int_equal(ask(f), ERR_OK);
        const size_t cookie = buf_all(f->packet).data[HEADER + 36 + 4] - (size_t)'A';
        assert_false(seen[cookie]);
        seen[cookie] = true;
        assert_memory_not_equal(f->unique, last, sizeof(last));
        memcpy(last, f->unique, sizeof(last));
    }
    assert_int_equal(ask(f), ERR_NOT_FOUND);
}

static void a_question_asks_for_the_cookies_that_are_missing(void **state)
{
    struct fixture *const f = *state;

    for (size_t left = NTS_COOKIES_MAX; left > 0; left--) {
        give_cookies(f, left, COOKIE_LEN);
        assert_int_equal(ask(f), ERR_OK);
        assert_int_equal(count_fields(buf_all(f->packet), 0x0304), NTS_COOKIES_MAX - left);
    }
}

static void a_question_is_never_longer_than_a_packet(void **state)
{
    struct fixture *const f = *state;

    for (size_t len = 1; len <= NTS_COOKIE_MAX; len++) {
        give_cookies(f, 1, len);
        assert_int_equal(ask(f), ERR_OK);
        assert_true(buf_len(f->packet) <= NTS_PACKET_MAX);
    }
    assert_int_equal(count_fields(buf_all(f->packet), 0x0304), 3);
}

static void a_session_keeps_cookies_of_the_right_length_and_eight(void **state)
{
    static const uint8_t cookie[NTS_COOKIE_MAX + 1] = {'x'};
    struct fixture *const f = *state;

    assert_int_equal(nts_session_add(&f->session, span_of(cookie, 4)), ERR_OK);
    assert_int_equal(f->session.count, NTS_COOKIES_MAX);
    assert_int_equal(f->session.cookies[NTS_COOKIES_MAX - 1].len, COOKIE_LEN);
    assert_int_equal(nts_session_add(&f->session, SPAN_NONE), ERR_RANGE);
    assert_int_equal(nts_session_add(&f->session, span_array(cookie)), ERR_RANGE);
}

static void a_sealed_answer_brings_new_cookies(void **state)
{
    static const size_t nonces[] = {1, 12, 16, 31};
    struct fixture *const f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(nonces); i++) {
        give_cookies(f, 2, COOKIE_LEN);
        assert_int_equal(ask(f), ERR_OK);
        begin_answer(f, span_array(f->unique));
        put_field(f->answer, 0x7777, span_lit("a field that nobody knows"));
        put_field(f->sealed, 0x0204, span_lit("first!!!"));
        put_field(f->sealed, 0x7777, span_lit("unknown"));
        put_field(f->sealed, 0x0204, span_lit("second!!"));
        seal_answer(f, nonces[i]);

        assert_int_equal(open_answer(f), ERR_OK);
        assert_int_equal(f->session.count, 3);
        assert_int_equal(f->session.cookies[1].len, 8);
        assert_memory_equal(f->session.cookies[1].bytes, "first!!!", 8);
        assert_memory_equal(f->session.cookies[2].bytes, "second!!", 8);
    }
}

static void what_stands_behind_the_seal_is_not_looked_at(void **state)
{
    struct fixture *const f = *state;

    assert_int_equal(ask(f), ERR_OK);
    begin_answer(f, span_array(f->unique));
    seal_answer(f, 16);
    put_field(f->answer, 0x0204, span_lit("a forged cookie!"));
    assert_int_equal(buf_put(f->answer, span_lit("\xff\xff")), ERR_OK);

    assert_int_equal(open_answer(f), ERR_OK);
    assert_int_equal(f->session.count, NTS_COOKIES_MAX - 1);
}

static void every_flipped_bit_and_every_cut_of_an_answer_is_refused(void **state)
{
    struct fixture *const f = *state;
    uint8_t bytes[1024];

    assert_int_equal(ask(f), ERR_OK);
    begin_answer(f, span_array(f->unique));
    put_field(f->sealed, 0x0204, span_lit("cookie!!"));
    seal_answer(f, 16);
    const size_t len = buf_len(f->answer);
    memcpy(bytes, buf_all(f->answer).data, len);
    for (size_t bit = 0; bit < len * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_not_equal(nts_open(&f->session, span_of(bytes, len), f->unique), ERR_OK);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        fault_clear();
    }
    for (size_t cut = 0; cut < len; cut++) {
        assert_int_not_equal(nts_open(&f->session, span_of(bytes, cut), f->unique), ERR_OK);
        fault_clear();
    }
    assert_int_equal(f->session.count, NTS_COOKIES_MAX - 1);
    assert_int_equal(nts_open(&f->session, span_of(bytes, len), f->unique), ERR_OK);
}

static void an_answer_without_a_number_or_with_two_is_refused(void **state)
{
    struct fixture *const f = *state;

    assert_int_equal(ask(f), ERR_OK);
    begin_answer(f, SPAN_NONE);
    seal_answer(f, 16);
    assert_int_equal(open_answer(f), ERR_MALFORMED);
    begin_answer(f, span_array(f->unique));
    put_field(f->answer, 0x0104, span_array(f->unique));
    seal_answer(f, 16);
    assert_int_equal(open_answer(f), ERR_MALFORMED);
    begin_answer(f, span_array(f->unique));
    assert_int_equal(open_answer(f), ERR_MALFORMED); /* nor is it sealed */
}

static void an_answer_about_another_question_is_refused_though_it_is_sealed(void **state)
{
    struct fixture *const f = *state;

    assert_int_equal(ask(f), ERR_OK);
    begin_answer(f, span_array(f->unique));
    seal_answer(f, 16);
    assert_int_equal(ask(f), ERR_OK); /* the answer to the one before comes now */
    assert_int_equal(open_answer(f), ERR_AUTH);
    begin_answer(f, span_of(f->unique, NTS_UNIQUE_BYTES - 4));
    seal_answer(f, 16);
    assert_int_equal(open_answer(f), ERR_AUTH);
}

static void an_answer_that_is_sealed_with_our_own_key_is_refused(void **state)
{
    struct fixture *const f = *state;
    struct secret *const to_client = f->session.to_client;

    assert_int_equal(ask(f), ERR_OK);
    begin_answer(f, span_array(f->unique));
    f->session.to_client = f->session.to_server;
    seal_answer(f, 16);
    f->session.to_client = to_client;
    assert_int_equal(open_answer(f), ERR_AUTH);
    assert_int_equal(nts_open(&f->session, buf_all(f->packet), f->unique), ERR_AUTH); /* and so is an echo */
}

static void sealed_fields_that_are_none_bring_nothing(void **state)
{
    static const uint8_t long_cookie[NTS_COOKIE_MAX + 4] = {'x'};
    struct fixture *const f = *state;

    give_cookies(f, 2, COOKIE_LEN);
    assert_int_equal(ask(f), ERR_OK);
    begin_answer(f, span_array(f->unique));
    put_field(f->sealed, 0x0204, span_lit("cookie!!"));
    assert_int_equal(buf_put(f->sealed, span_lit("\x02\x04\x00\x05x")), ERR_OK);
    seal_answer(f, 16);
    assert_int_equal(open_answer(f), ERR_MALFORMED);
    begin_answer(f, span_array(f->unique));
    put_field(f->sealed, 0x0204, span_lit("cookie!!"));
    put_field(f->sealed, 0x0204, span_array(long_cookie));
    seal_answer(f, 16);
    assert_int_equal(open_answer(f), ERR_MALFORMED);
    assert_int_equal(f->session.count, 1);
}

static void a_packet_with_too_many_fields_is_refused(void **state)
{
    struct fixture *const f = *state;

    assert_int_equal(ask(f), ERR_OK);
    begin_answer(f, span_array(f->unique));
    for (size_t i = 0; i < 32; i++) {
        put_field(f->answer, 0x7777, span_lit("unknown"));
    }
    seal_answer(f, 16);
    assert_int_equal(open_answer(f), ERR_MALFORMED);
}

static void whom_an_unsealed_answer_is_for_is_told_by_its_number(void **state)
{
    struct fixture *const f = *state;

    assert_int_equal(ask(f), ERR_OK);
    begin_answer(f, span_array(f->unique));
    assert_true(nts_is_about(buf_all(f->answer), f->unique));
    f->unique[31] ^= 1;
    assert_false(nts_is_about(buf_all(f->answer), f->unique));
    begin_answer(f, SPAN_NONE);
    assert_false(nts_is_about(buf_all(f->answer), f->unique));
    assert_false(nts_is_about(span_lit("short"), f->unique));
}

static int start(void **state)
{
    return crypto_start() == ERR_OK ? 0 : -1;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_question_has_a_number_a_cookie_and_a_seal_over_both),
        TEST(no_cookie_and_no_number_is_used_twice),
        TEST(a_question_asks_for_the_cookies_that_are_missing),
        TEST(a_question_is_never_longer_than_a_packet),
        TEST(a_session_keeps_cookies_of_the_right_length_and_eight),
        TEST(a_sealed_answer_brings_new_cookies),
        TEST(what_stands_behind_the_seal_is_not_looked_at),
        TEST(every_flipped_bit_and_every_cut_of_an_answer_is_refused),
        TEST(an_answer_without_a_number_or_with_two_is_refused),
        TEST(an_answer_about_another_question_is_refused_though_it_is_sealed),
        TEST(an_answer_that_is_sealed_with_our_own_key_is_refused),
        TEST(sealed_fields_that_are_none_bring_nothing),
        TEST(a_packet_with_too_many_fields_is_refused),
        TEST(whom_an_unsealed_answer_is_for_is_told_by_its_number),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
