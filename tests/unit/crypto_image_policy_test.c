/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/image_policy.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "tests/lib/signed_policy.h"

#define PCR_A "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define PCR_B "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define HEAD "rowlock-policy 1\nboard qemu-x86_64\nversion 1.2.3\nsecurity 7\n"
#define GOOD HEAD "pcr11 " PCR_A "\npcr11 " PCR_B "\n"

static int setup(void **state)
{
    static struct vendor vendor;

    fault_clear();
    vendor_init(&vendor);
    *state = &vendor;
    return 0;
}

static int teardown(void **state)
{
    vendor_done(*state);
    fault_clear();
    return 0;
}

static enum err read_policy(struct vendor *vendor, const struct signed_policy *policy, struct image_policy *out_policy)
{
    return image_policy_read(policy_span(policy), vendor->key, out_policy);
}

static void a_signed_policy_is_read_whole(void **state)
{
    struct vendor *vendor = *state;
    const struct signed_policy policy = vendor_sign(vendor, GOOD);
    struct image_policy got;

    assert_int_equal(read_policy(vendor, &policy, &got), ERR_OK);

    assert_string_equal(got.board, "qemu-x86_64");
    assert_string_equal(got.version, "1.2.3");
    assert_int_equal(got.security, 7);
    assert_int_equal(got.pcr11_count, 2);
    assert_int_equal(got.pcr11[0][1], 0x11);
    assert_int_equal(got.pcr11[1][0], 0xff);
}

static void no_byte_of_a_policy_can_be_changed(void **state)
{
    struct vendor *vendor = *state;
    const struct signed_policy policy = vendor_sign(vendor, GOOD);

    for (size_t at = 0; at < policy.len; at++) {
        struct signed_policy changed = policy;
        struct image_policy got = {.security = 99};
        changed.text[at] = (char)(changed.text[at] ^ 1);

        const enum err err = read_policy(vendor, &changed, &got);

        assert_true(err == ERR_AUTH || err == ERR_MALFORMED);
        assert_int_equal(got.security, 99);
        fault_clear();
    }
}

static void a_policy_that_was_cut_or_grew_is_refused(void **state)
{
    struct vendor *vendor = *state;
    struct signed_policy policy = vendor_sign(vendor, GOOD);
    struct image_policy got;

    for (size_t len = 0; len < policy.len; len++) {
        assert_int_equal(image_policy_read(span_of(policy.text, len), vendor->key, &got), ERR_MALFORMED);
        fault_clear();
    }
    policy.text[policy.len] = '\n';
    assert_int_equal(image_policy_read(span_of(policy.text, policy.len + 1), vendor->key, &got), ERR_MALFORMED);
}

static void what_others_signed_is_refused(void **state)
{
    struct vendor *vendor = *state;
    struct vendor other;
    struct image_policy got;
    vendor_init(&other);
    const struct signed_policy policy = vendor_sign(&other, GOOD);

    const enum err err = read_policy(vendor, &policy, &got);

    vendor_done(&other);
    assert_int_equal(err, ERR_AUTH);
}

/* Also by the vendor: one policy has one form. */
static void other_forms_are_refused(void **state)
{
    static const char *const bodies[] = {
        "rowlock-policy 2\nboard b\nversion 1\nsecurity 1\npcr11 " PCR_A "\n",
        "rowlock-policy 1\nboard \nversion 1\nsecurity 1\npcr11 " PCR_A "\n",
        "rowlock-policy 1\nboard B\nversion 1\nsecurity 1\npcr11 " PCR_A "\n",
        "rowlock-policy 1\nboard b0123456789b0123456789b0123456789\nversion 1\nsecurity 1\npcr11 " PCR_A "\n",
        "rowlock-policy 1\nboard b\nversion 1 2\nsecurity 1\npcr11 " PCR_A "\n",
        "rowlock-policy 1\nboard b\nversion \xc3\xa4\nsecurity 1\npcr11 " PCR_A "\n",
        "rowlock-policy 1\nboard b\nversion 1\nsecurity 0\npcr11 " PCR_A "\n",
        "rowlock-policy 1\nboard b\nversion 1\nsecurity 01\npcr11 " PCR_A "\n",
        "rowlock-policy 1\nboard b\nversion 1\nsecurity 65536\npcr11 " PCR_A "\n",
        "rowlock-policy 1\nboard b\nversion 1\nsecurity -1\npcr11 " PCR_A "\n",
        "rowlock-policy 1\nboard b\nversion 1\nsecurity 1\n",
        "rowlock-policy 1\nboard b\nversion 1\nsecurity 1\npcr11 \n",
        "rowlock-policy 1\nboard b\nversion 1\nsecurity 1\npcr11  " PCR_A "\n",
        "rowlock-policy 1\nboard b\nversion 1\nsecurity 1\npcr11 " PCR_A "0\n",
        "rowlock-policy 1\nboard b\nversion 1\nsecurity 1\npcr11 "
        "00112233445566778899AABBccddeeff00112233445566778899aabbccddeeff\n",
        "rowlock-policy 1\nversion 1\nboard b\nsecurity 1\npcr11 " PCR_A "\n",
        "rowlock-policy 1\nboard b\nversion 1\nsecurity 1\npcr12 " PCR_A "\n",
        "rowlock-policy 1\r\nboard b\nversion 1\nsecurity 1\npcr11 " PCR_A "\n",
        "rowlock-policy 1\nboard b\nversion 1\nsecurity 1\npcr11 " PCR_A "\nmore 1\n",
    };
    struct vendor *vendor = *state;
    struct image_policy got;

    for (size_t i = 0; i < ARRAY_LENGTH(bodies); i++) {
        const struct signed_policy policy = vendor_sign(vendor, bodies[i]);

        assert_int_equal(read_policy(vendor, &policy, &got), ERR_MALFORMED);
        fault_clear();
    }
}

static struct signed_policy with_pcrs(struct vendor *vendor, size_t count)
{
    char body[IMAGE_POLICY_MAX] = HEAD;

    for (size_t i = 0; i < count; i++) {
        (void)strcat(body, "pcr11 " PCR_A "\n");
    }
    return vendor_sign(vendor, body);
}

static void eight_values_of_pcr_11_are_the_most(void **state)
{
    struct vendor *vendor = *state;
    const struct signed_policy most = with_pcrs(vendor, IMAGE_POLICY_PCRS_MAX);
    const struct signed_policy more = with_pcrs(vendor, IMAGE_POLICY_PCRS_MAX + 1);
    struct image_policy got;

    assert_int_equal(read_policy(vendor, &most, &got), ERR_OK);
    assert_int_equal(got.pcr11_count, IMAGE_POLICY_PCRS_MAX);
    assert_int_equal(read_policy(vendor, &more, &got), ERR_MALFORMED);
}

/* Read to its end: a command whose reader goes while it writes fails. */
static size_t output_of(const char *command, char *out_text, size_t max)
{
    FILE *const shell = popen(command, "r");

    assert_non_null(shell);
    const size_t len = fread(out_text, 1, max, shell);
    assert_int_equal(fgetc(shell), EOF);
    assert_int_equal(pclose(shell), 0);
    return len;
}

#define MAKE_POLICY                                                                                                    \
    "python3 board/image/policy.py --key board/keys/qemu/policy.key --board qemu-x86_64 --version 1.2.3+ab~1"          \
    " --security 65535 --pcr11 " PCR_A " " PCR_B

static void the_image_builders_policy_is_read_and_is_the_same_each_time(void **state)
{
    char text[IMAGE_POLICY_MAX];
    char again[IMAGE_POLICY_MAX];
    char hex[HEX_BYTES(SIGN_PUBLIC_BYTES) + 1]; /* and the end of the line */
    uint8_t key[SIGN_PUBLIC_BYTES];
    struct image_policy got;
    (void)state;
    const size_t hex_len = output_of("python3 board/image/signing.py point board/keys/qemu/policy.pub", hex, sizeof(hex));
    assert_int_equal(hex_decode(span_of(hex, hex_len - 1), key, sizeof(key)), ERR_OK);

    const size_t len = output_of(MAKE_POLICY, text, sizeof(text));
    const size_t again_len = output_of(MAKE_POLICY, again, sizeof(again));

    assert_int_equal(image_policy_read(span_of(text, len), key, &got), ERR_OK);
    assert_string_equal(got.version, "1.2.3+ab~1");
    assert_int_equal(got.security, IMAGE_POLICY_SECURITY_MAX);
    assert_int_equal(got.pcr11_count, 2);
    assert_true(span_equal(span_of(text, len), span_of(again, again_len)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signed_policy_is_read_whole),
        cmocka_unit_test(no_byte_of_a_policy_can_be_changed),
        cmocka_unit_test(a_policy_that_was_cut_or_grew_is_refused),
        cmocka_unit_test(what_others_signed_is_refused),
        cmocka_unit_test(other_forms_are_refused),
        cmocka_unit_test(eight_values_of_pcr_11_are_the_most),
        cmocka_unit_test(the_image_builders_policy_is_read_and_is_the_same_each_time),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
