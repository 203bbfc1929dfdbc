/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Records of the audit log: their form, and that nothing of them can be changed. Contract 6, 9.4. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/audit/chain.h"
#include "hal/base/fault.h"

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static const struct audit_record example = {.at = {INT64_C(1767225600123)},
                                            .actor_type = {(const uint8_t *)"operator", 8},
                                            .actor_id = {(const uint8_t *)"11111111-1111-4111-8111-111111111111", 36},
                                            .action = {(const uint8_t *)"table.create", 12},
                                            .resource = {(const uint8_t *)"table/x", 7},
                                            .project_id = {(const uint8_t *)"p", 1},
                                            .environment = {(const uint8_t *)"dev", 3},
                                            .ip = {(const uint8_t *)"192.0.2.7", 9},
                                            .user_agent = {(const uint8_t *)"a \"b\"", 5},
                                            .request_id = {(const uint8_t *)"r-1", 3},
                                            .outcome = {(const uint8_t *)"success", 7}};

static struct span write_after(struct buf *out, const struct audit_record *record, struct audit_head *head)
{
    const size_t start = buf_len(out);

    assert_int_equal(audit_write(record, head, out, head), ERR_OK);
    const struct span whole = buf_all(out);
    return span_of(whole.data + start, whole.len - start);
}

static void a_record_is_one_object_that_ends_in_its_hash(void **state)
{
    static const char front[] =
        "{\"seq\":1,\"at\":\"2026-01-01T00:00:00.123Z\",\"actor\":{\"type\":\"operator\",\"id\":"
        "\"11111111-1111-4111-8111-111111111111\"},\"action\":\"table.create\",\"resource\":\"table/x\","
        "\"projectId\":\"p\",\"environment\":\"dev\",\"ip\":\"192.0.2.7\",\"userAgent\":\"a \\\"b\\\"\","
        "\"requestId\":\"r-1\",\"outcome\":\"success\",\"code\":null,\"details\":null,\"prevHash\":\"" ZEROS "\"";
    struct audit_head head = {.seq = 0};
    SCOPED_BUF struct buf *out = NULL;
    uint8_t hash[SHA256_BYTES];
    char expected[1024];
    char hex[HEX_BYTES(SHA256_BYTES) + 1] = "";
    (void)state;

    assert_int_equal(buf_new(AUDIT_TEXT_MAX, &out), ERR_OK);
    const struct span text = write_after(out, &example, &head);

    sha256(span_str(front), hash);
    hex_encode(span_array(hash), hex);
    (void)snprintf(expected, sizeof expected, "%s,\"hash\":\"%s\"}", front, hex);
    assert_int_equal(text.len, strlen(expected));
    assert_memory_equal(text.data, expected, text.len);
    assert_int_equal(head.seq, 1);
    assert_memory_equal(head.hash, hash, sizeof hash);
}

static void each_names_the_one_before(void **state)
{
    const struct audit_head none = {.seq = 0};
    struct audit_head head = none;
    struct audit_head before;
    struct audit_head read;
    SCOPED_BUF struct buf *out = NULL;
    (void)state;

    assert_int_equal(buf_new(AUDIT_TEXT_MAX, &out), ERR_OK);
    for (uint64_t i = 0; i < 5; i++) {
        const struct audit_head was = head;
        const struct span text = write_after(out, &example, &head);
        assert_int_equal(audit_read(text, &before, &read), ERR_OK);
        assert_true(audit_head_equal(&before, &was));
        assert_true(audit_head_equal(&read, &head));
        assert_false(audit_head_equal(&read, &was));
    }
}

static void no_byte_of_a_record_can_be_another(void **state)
{
    struct audit_head head = {.seq = 41};
    struct audit_head before;
    struct audit_head read;
    SCOPED_BUF struct buf *out = NULL;
    static uint8_t copy[AUDIT_TEXT_MAX];
    (void)state;

    assert_int_equal(buf_new(AUDIT_TEXT_MAX, &out), ERR_OK);
    const struct span text = write_after(out, &example, &head);
    for (size_t i = 0; i < text.len; i++) {
        for (unsigned int bit = 0; bit < 8; bit++) {
            memcpy(copy, text.data, text.len);
            copy[i] = (uint8_t)(copy[i] ^ 1u << bit);
            const enum err err = audit_read(span_of(copy, text.len), &before, &read);
            fault_clear();
            assert_true(err == ERR_DAMAGED || err == ERR_MALFORMED);
        }
    }
    for (size_t len = 0; len < text.len; len++) {
        const enum err err = audit_read(span_of(text.data, len), &before, &read);
        fault_clear();
        assert_true(err == ERR_DAMAGED || err == ERR_MALFORMED);
    }
    memcpy(copy, text.data, text.len);
    copy[text.len] = ' ';
    assert_int_equal(audit_read(span_of(copy, text.len + 1), &before, &read), ERR_MALFORMED);
    fault_clear();
}

static void texts_are_cut_and_made_utf8_and_the_largest_record_fits(void **state)
{
    static uint8_t many[1000];
    static uint8_t bad[1000];
    struct audit_head head = {.seq = AUDIT_SEQ_MAX - 1};
    struct audit_head before;
    struct audit_head read;
    SCOPED_BUF struct buf *out = NULL;
    (void)state;

    memset(many, 1, sizeof many); /* \u0001: six bytes for one */
    memset(bad, 0xFF, sizeof bad);
    const struct span text = span_array(many);
    struct audit_record record = {.at = {INT64_MAX}, .actor_type = text,  .actor_id = text, .action = text,
                                  .resource = text,  .project_id = text,  .environment = text, .ip = text,
                                  .user_agent = text, .request_id = text, .outcome = text, .code = text};
    assert_int_equal(buf_new(AUDIT_TEXT_MAX, &out), ERR_OK);
    const struct span largest = write_after(out, &record, &head);
    assert_int_equal(audit_read(largest, &before, &read), ERR_OK);
    assert_int_equal(read.seq, AUDIT_SEQ_MAX);
    assert_int_equal(audit_write(&record, &head, out, &head), ERR_RANGE);
    fault_clear();

    buf_reset(out);
    head.seq = 0;
    record = (struct audit_record){.user_agent = span_array(bad)};
    const struct span cut = write_after(out, &record, &head);
    assert_true(span_is_utf8(cut));
    assert_int_equal(audit_read(cut, &before, &read), ERR_OK);
}

static void a_buffer_that_is_full_leaves_the_chain_where_it_was(void **state)
{
    (void)state;

    for (size_t room = 0; room < 600; room += 7) {
        struct audit_head head = {.seq = 6};
        SCOPED_BUF struct buf *out = NULL;
        assert_int_equal(buf_new(room, &out), ERR_OK);
        const enum err err = audit_write(&example, &head, out, &head);
        fault_clear();
        assert_int_equal(head.seq, err == ERR_OK ? 7 : 6);
        if (room < 400) {
            assert_int_equal(err, ERR_RANGE);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_one_object_that_ends_in_its_hash),
        cmocka_unit_test(each_names_the_one_before),
        cmocka_unit_test(no_byte_of_a_record_can_be_another),
        cmocka_unit_test(texts_are_cut_and_made_utf8_and_the_largest_record_fits),
        cmocka_unit_test(a_buffer_that_is_full_leaves_the_chain_where_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
