/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/courier/ntp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/buf.h"
#include "hal/base/fault.h"

#define NS_PER_S UINT64_C(1000000000)
#define MS       UINT64_C(1000000)

static const uint8_t nonce[NTP_NONCE_BYTES] = {0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88};

struct packet {
    uint8_t bytes[NTP_BYTES];
};

/* Stratum 2, 10 ms from the root and 5 ms of dispersion; came at 2026-11-24T12:00:00Z and left a quarter of a second later. */
static struct packet good(void)
{
    struct packet packet = {{0x24, 2, 6, 0xe9}};

    put_u32be(packet.bytes + 4, 0x10000 / 50);
    put_u32be(packet.bytes + 8, 0x10000 / 200);
    memcpy(packet.bytes + 24, nonce, sizeof(nonce));
    put_u32be(packet.bytes + 32, UINT32_C(2208988800) + 1795521600);
    put_u32be(packet.bytes + 40, UINT32_C(2208988800) + 1795521600);
    put_u32be(packet.bytes + 44, 0x40000000);
    return packet;
}

static struct packet kiss(const char code[4])
{
    struct packet packet = good();

    packet.bytes[1] = 0;
    memcpy(packet.bytes + 12, code, 4);
    return packet;
}

static enum err read_packet(const struct packet *packet, struct ntp_answer *out_answer)
{
    const enum err err = ntp_answer_read(span_array(packet->bytes), nonce, out_answer);

    fault_clear();
    return err;
}

static void assert_refused(struct packet packet, enum err wanted)
{
    struct ntp_answer answer = {.stratum = 77};

    assert_int_equal(read_packet(&packet, &answer), wanted);
    assert_int_equal(answer.stratum, 77);
}

static void a_question_says_nothing_but_its_nonce(void **state)
{
    static const uint8_t wanted[NTP_BYTES] = {0x23, [40] = 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88};
    uint8_t packet[NTP_BYTES];

    memset(packet, 0x5a, sizeof(packet));
    ntp_question(nonce, packet);

    assert_memory_equal(packet, wanted, sizeof(wanted));
}

static void an_answer_is_read(void **state)
{
    const struct packet packet = good();
    struct ntp_answer answer;

    assert_int_equal(read_packet(&packet, &answer), ERR_OK);

    assert_int_equal(answer.kiss, NTP_NO_KISS);
    assert_int_equal(answer.stratum, 2);
    assert_true(answer.came_ns == UINT64_C(1795521600) * NS_PER_S);
    assert_true(answer.left_ns == UINT64_C(1795521600) * NS_PER_S + NS_PER_S / 4);
    assert_true(answer.distance_ns > 14 * MS && answer.distance_ns < 15 * MS);
}

static void the_century_goes_on_after_2036(void **state)
{
    struct packet packet = good();
    struct ntp_answer answer;

    put_u32be(packet.bytes + 32, 0); /* 2036-02-07T06:28:16Z */
    put_u32be(packet.bytes + 36, 0x80000000);
    put_u32be(packet.bytes + 40, 1);
    assert_int_equal(read_packet(&packet, &answer), ERR_OK);
    assert_true(answer.came_ns == UINT64_C(2085978496) * NS_PER_S + NS_PER_S / 2);
    assert_true(answer.left_ns == UINT64_C(2085978497) * NS_PER_S + NS_PER_S / 4);
}

static void attack_19_timestamps_that_were_never_set_are_no_day_in_2036(void **state)
{
    struct packet no_receive = good();
    struct packet no_transmit = good();
    struct packet neither = good();

    memset(no_receive.bytes + 32, 0, 8);
    memset(no_transmit.bytes + 40, 0, 8);
    memset(neither.bytes + 32, 0, 16);

    assert_refused(no_receive, ERR_STATE);
    assert_refused(no_transmit, ERR_STATE);
    assert_refused(neither, ERR_STATE);
}

static void an_answer_to_another_question_is_refused(void **state)
{
    for (size_t bit = 0; bit < sizeof(nonce) * 8; bit++) {
        struct packet packet = good();
        packet.bytes[24 + bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_refused(packet, ERR_AUTH);
    }
}

static void what_is_no_answer_of_version_4_is_refused(void **state)
{
    struct ntp_answer answer;
    struct packet packet = good();

    for (size_t len = 0; len < NTP_BYTES; len++) {
        assert_int_equal(ntp_answer_read(span_of(packet.bytes, len), nonce, &answer), ERR_MALFORMED);
        fault_clear();
    }
    for (unsigned int first = 0; first < 0x40; first++) {
        packet.bytes[0] = (uint8_t)first;
        if (first != 0x24) {
            assert_refused(packet, ERR_MALFORMED);
        }
    }
}

static void a_server_that_does_not_know_the_time_is_refused(void **state)
{
    struct packet alarm = good();
    struct packet stratum = good();
    struct packet far = good();
    struct packet wide = good();
    struct packet no_receive = good();
    struct packet no_transmit = good();
    struct ntp_answer answer;

    alarm.bytes[0] |= 0xc0;
    stratum.bytes[1] = 16;
    put_u32be(far.bytes + 4, 3 * 0x10000);
    put_u32be(wide.bytes + 8, UINT32_MAX);
    put_u32be(no_receive.bytes + 32, UINT32_C(0x80000000)); /* 1968 */
    put_u32be(no_transmit.bytes + 40, UINT32_C(0x80000000));
    assert_refused(alarm, ERR_STATE);
    assert_refused(stratum, ERR_STATE);
    assert_refused(far, ERR_STATE);
    assert_refused(wide, ERR_STATE);
    assert_refused(no_receive, ERR_STATE);
    assert_refused(no_transmit, ERR_STATE);
    stratum.bytes[1] = 15;
    assert_int_equal(read_packet(&stratum, &answer), ERR_OK);
}

static void a_server_that_announces_a_leap_second_is_believed(void **state)
{
    struct packet packet = good();
    struct ntp_answer answer;

    packet.bytes[0] |= 0x40;
    assert_int_equal(read_packet(&packet, &answer), ERR_OK);
    packet.bytes[0] = (uint8_t)(packet.bytes[0] ^ 0xc0);
    assert_int_equal(read_packet(&packet, &answer), ERR_OK);
}

static void kisses_are_told_apart(void **state)
{
    static const struct {
        const char code[5];
        enum ntp_kiss wanted;
    } cases[] = {{"RATE", NTP_KISS_RATE}, {"DENY", NTP_KISS_NEVER}, {"RSTR", NTP_KISS_NEVER},
                 {"NTSN", NTP_KISS_KEYS}, {"STEP", NTP_KISS_OTHER}, {"", NTP_KISS_OTHER}};

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct packet packet = kiss(cases[i].code);
        struct ntp_answer answer;
        packet.bytes[0] |= 0xc0; /* such a server often has no time */
        assert_int_equal(read_packet(&packet, &answer), ERR_OK);
        assert_int_equal(answer.kiss, cases[i].wanted);
    }
}

static void a_kiss_in_answer_to_another_question_is_refused(void **state)
{
    struct packet packet = kiss("DENY");

    packet.bytes[24] ^= 1;
    assert_refused(packet, ERR_AUTH);
}

/* Came there at 100 s and left at 100.010 s. */
static const struct ntp_answer said = {
    .stratum = 3, .came_ns = 100 * NS_PER_S, .left_ns = 100 * NS_PER_S + 10 * MS, .distance_ns = 7 * MS};

static void the_time_is_reckoned_from_the_middle_of_the_way(void **state)
{
    struct outbound_reading reading = {.authenticated = true};

    assert_int_equal(ntp_reading(&said, (struct mono_time){5 * NS_PER_S}, (struct mono_time){5 * NS_PER_S + 50 * MS},
                                 &reading),
                     ERR_OK);

    assert_true(reading.at.ns == 5 * NS_PER_S + 50 * MS);
    assert_true(reading.delay_ns == 40 * MS);
    assert_true(reading.unix_ns == 100 * NS_PER_S + 30 * MS);
    assert_true(reading.distance_ns == 27 * MS);
    assert_int_equal(reading.stratum, 3);
    assert_false(reading.authenticated);
}

static void a_server_that_says_it_took_longer_than_it_was_waited_for_is_refused(void **state)
{
    struct outbound_reading reading;
    struct ntp_answer backward = said;

    backward.left_ns = backward.came_ns - 1;
    assert_int_equal(ntp_reading(&said, (struct mono_time){0}, (struct mono_time){9 * MS}, &reading), ERR_OK);
    assert_true(reading.delay_ns == 0);
    assert_int_equal(ntp_reading(&said, (struct mono_time){0}, (struct mono_time){9 * MS - 1}, &reading), ERR_RANGE);
    assert_int_equal(ntp_reading(&backward, (struct mono_time){0}, (struct mono_time){9 * MS}, &reading), ERR_RANGE);
    assert_int_equal(ntp_reading(&said, (struct mono_time){1}, (struct mono_time){0}, &reading), ERR_RANGE);
}

static void an_answer_that_was_held_back_is_refused(void **state)
{
    const uint64_t longest = 2 * (NTP_DISTANCE_NS_MAX - said.distance_ns) + 10 * MS;
    struct outbound_reading reading;

    assert_int_equal(ntp_reading(&said, (struct mono_time){0}, (struct mono_time){longest}, &reading), ERR_RANGE);
    assert_int_equal(ntp_reading(&said, (struct mono_time){0}, (struct mono_time){UINT64_MAX}, &reading), ERR_RANGE);
    assert_int_equal(ntp_reading(&said, (struct mono_time){0}, (struct mono_time){longest - 2}, &reading), ERR_OK);
}

static int tear_down(void **state)
{
    fault_clear();
    return 0;
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_question_says_nothing_but_its_nonce),
        TEST(an_answer_is_read),
        TEST(the_century_goes_on_after_2036),
        TEST(attack_19_timestamps_that_were_never_set_are_no_day_in_2036),
        TEST(an_answer_to_another_question_is_refused),
        TEST(what_is_no_answer_of_version_4_is_refused),
        TEST(a_server_that_does_not_know_the_time_is_refused),
        TEST(a_server_that_announces_a_leap_second_is_believed),
        TEST(kisses_are_told_apart),
        TEST(a_kiss_in_answer_to_another_question_is_refused),
        TEST(the_time_is_reckoned_from_the_middle_of_the_way),
        TEST(a_server_that_says_it_took_longer_than_it_was_waited_for_is_refused),
        TEST(an_answer_that_was_held_back_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
