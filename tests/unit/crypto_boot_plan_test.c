/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/boot_plan.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "tests/lib/signed_policy.h"

#define PCR "00112233445566778899aabbccddeeff00112233445566778899aabbccddee7f"
#define KIND "rowlock-secure-boot-plan 1\n"
#define GOOD KIND "board qemu-x86_64\nserial 2026112401\nsecurity 7\npcr7 " PCR "\n"

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

static enum err read_plan(struct vendor *vendor, const struct signed_policy *text, struct boot_plan *out_plan)
{
    return boot_plan_read(policy_span(text), vendor->key, out_plan);
}

static void a_signed_plan_is_read_whole(void **state)
{
    struct vendor *vendor = *state;
    const struct signed_policy text = vendor_sign(vendor, GOOD);
    struct boot_plan got;

    assert_int_equal(read_plan(vendor, &text, &got), ERR_OK);

    assert_string_equal(got.board, "qemu-x86_64");
    assert_int_equal(got.serial, 2026112401);
    assert_int_equal(got.security, 7);
    assert_int_equal(got.pcr7[1], 0x11);
    assert_int_equal(got.pcr7[HAL_TPM_DIGEST_BYTES - 1], 0x7f);
}

static void no_bit_of_a_plan_can_be_changed(void **state)
{
    struct vendor *vendor = *state;
    const struct signed_policy text = vendor_sign(vendor, GOOD);

    for (size_t bit = 0; bit < 8 * text.len; bit++) {
        struct signed_policy changed = text;
        struct boot_plan got = {.serial = 99};
        changed.text[bit / 8] = (char)(changed.text[bit / 8] ^ (1 << bit % 8));

        const enum err err = read_plan(vendor, &changed, &got);

        assert_true(err == ERR_AUTH || err == ERR_MALFORMED);
        assert_int_equal(got.serial, 99);
        fault_clear();
    }
}

static void a_plan_that_was_cut_or_grew_is_refused(void **state)
{
    struct vendor *vendor = *state;
    struct signed_policy text = vendor_sign(vendor, GOOD);
    struct boot_plan got = {.serial = 99};

    for (size_t len = 0; len < text.len; len++) {
        assert_int_equal(boot_plan_read(span_of(text.text, len), vendor->key, &got), ERR_MALFORMED);
        fault_clear();
    }
    text.text[text.len] = '\n';
    assert_int_equal(boot_plan_read(span_of(text.text, text.len + 1), vendor->key, &got), ERR_MALFORMED);
    assert_int_equal(got.serial, 99);
}

static void what_others_signed_is_refused(void **state)
{
    struct vendor *vendor = *state;
    struct vendor other;
    struct boot_plan got = {.serial = 99};
    vendor_init(&other);
    const struct signed_policy text = vendor_sign(&other, GOOD);

    const enum err err = read_plan(vendor, &text, &got);

    vendor_done(&other);
    assert_int_equal(err, ERR_AUTH);
    assert_int_equal(got.serial, 99);
}

/* One key signs both, and a signature on the one is none on the other, whatever stands below the first line. */
static void a_policy_of_an_image_is_no_plan_and_a_plan_no_policy(void **state)
{
    static const char policy_body[] = "rowlock-policy 1\nboard qemu-x86_64\nversion 1.2.3\nsecurity 7\npcr11 " PCR "\n";
    struct vendor *vendor = *state;
    const struct signed_policy plan = vendor_sign(vendor, GOOD);
    const struct signed_policy policy = vendor_sign(vendor, policy_body);
    const struct signed_policy grafted =
        vendor_sign(vendor, "rowlock-policy 1\nboard qemu-x86_64\nserial 2026112401\nsecurity 7\npcr7 " PCR "\n");
    struct boot_plan got;
    struct image_policy got_policy;
    const size_t signature = sizeof(GOOD) - 1;

    assert_int_equal(read_plan(vendor, &policy, &got), ERR_MALFORMED);
    assert_int_equal(image_policy_read(policy_span(&plan), vendor->key, &got_policy), ERR_MALFORMED);
    assert_int_equal(read_plan(vendor, &grafted, &got), ERR_MALFORMED);
    const size_t from = grafted.len - (plan.len - signature);
    struct signed_policy moved = plan; /* the lines of a plan, with the vendor's signature on the same lines under the other word */
    memcpy(moved.text + signature, grafted.text + from, plan.len - signature);
    assert_int_equal(read_plan(vendor, &moved, &got), ERR_AUTH);
}

/* Also by the vendor: one plan has one form. */
static void other_forms_are_refused(void **state)
{
    static const char *const bodies[] = {
        "rowlock-secure-boot-plan 2\nboard b\nserial 1\nsecurity 1\npcr7 " PCR "\n",
        "rowlock-secure-boot-plan 1 \nboard b\nserial 1\nsecurity 1\npcr7 " PCR "\n",
        KIND "board \nserial 1\nsecurity 1\npcr7 " PCR "\n",
        KIND "board B\nserial 1\nsecurity 1\npcr7 " PCR "\n",
        KIND "board b0123456789b0123456789b0123456789\nserial 1\nsecurity 1\npcr7 " PCR "\n",
        KIND "board b\nserial 0\nsecurity 1\npcr7 " PCR "\n",
        KIND "board b\nserial 01\nsecurity 1\npcr7 " PCR "\n",
        KIND "board b\nserial 4294967296\nsecurity 1\npcr7 " PCR "\n",
        KIND "board b\nserial 18446744073709551617\nsecurity 1\npcr7 " PCR "\n",
        KIND "board b\nserial -1\nsecurity 1\npcr7 " PCR "\n",
        KIND "board b\nserial \nsecurity 1\npcr7 " PCR "\n",
        KIND "board b\nserial 1\nsecurity 0\npcr7 " PCR "\n",
        KIND "board b\nserial 1\nsecurity 65536\npcr7 " PCR "\n",
        KIND "board b\nserial 1\nsecurity 1\n",
        KIND "board b\nserial 1\nsecurity 1\npcr7 \n",
        KIND "board b\nserial 1\nsecurity 1\npcr7  " PCR "\n",
        KIND "board b\nserial 1\nsecurity 1\npcr7 " PCR "0\n",
        KIND "board b\nserial 1\nsecurity 1\npcr7 00112233445566778899AABBccddeeff00112233445566778899aabbccddeeff\n",
        KIND "board b\nserial 1\nsecurity 1\npcr11 " PCR "\n",
        KIND "board b\nsecurity 1\nserial 1\npcr7 " PCR "\n",
        KIND "board b\nserial 1\nsecurity 1\npcr7 " PCR "\npcr7 " PCR "\n",
        KIND "board b\nserial 1\nsecurity 1\npcr7 " PCR "\nmore 1\n",
        "rowlock-secure-boot-plan 1\r\nboard b\nserial 1\nsecurity 1\npcr7 " PCR "\n",
        "\n" KIND "board b\nserial 1\nsecurity 1\npcr7 " PCR "\n",
    };
    struct vendor *vendor = *state;
    struct boot_plan got = {.serial = 99};

    for (size_t i = 0; i < ARRAY_LENGTH(bodies); i++) {
        const struct signed_policy text = vendor_sign(vendor, bodies[i]);

        assert_int_equal(read_plan(vendor, &text, &got), ERR_MALFORMED);
        assert_int_equal(got.serial, 99);
        fault_clear();
    }
}

static void the_longest_plan_is_read(void **state)
{
    struct vendor *vendor = *state;
    const struct signed_policy text =
        vendor_sign(vendor, KIND "board b012345678901234567890123456789\nserial 4294967295\nsecurity 65535\npcr7 " PCR "\n");
    struct boot_plan got;

    assert_int_equal(read_plan(vendor, &text, &got), ERR_OK);

    assert_int_equal(strlen(got.board), VENDOR_TEXT_BOARD_MAX);
    assert_true(got.serial == BOOT_PLAN_SERIAL_MAX);
    assert_int_equal(got.security, VENDOR_TEXT_SECURITY_MAX);
    assert_int_equal(text.len, 307); /* as the header says */
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

#define MAKE_PLAN                                                                                                      \
    "python3 board/image/plan.py --key board/keys/qemu/policy.key --board qemu-x86_64 --serial 4294967295"             \
    " --security 65535 --pcr7 " PCR

static void the_vendors_tool_makes_what_is_read_and_the_same_each_time(void **state)
{
    char text[BOOT_PLAN_MAX];
    char again[BOOT_PLAN_MAX];
    char hex[HEX_BYTES(SIGN_PUBLIC_BYTES) + 1]; /* and the end of the line */
    uint8_t key[SIGN_PUBLIC_BYTES];
    struct boot_plan got;
    (void)state;
    const size_t hex_len = output_of("python3 board/image/signing.py point board/keys/qemu/policy.pub", hex, sizeof(hex));
    assert_int_equal(hex_decode(span_of(hex, hex_len - 1), key, sizeof(key)), ERR_OK);

    const size_t len = output_of(MAKE_PLAN, text, sizeof(text));
    const size_t again_len = output_of(MAKE_PLAN, again, sizeof(again));

    assert_int_equal(boot_plan_read(span_of(text, len), key, &got), ERR_OK);
    assert_string_equal(got.board, "qemu-x86_64");
    assert_true(got.serial == BOOT_PLAN_SERIAL_MAX);
    assert_int_equal(got.pcr7[2], 0x22);
    assert_true(span_equal(span_of(text, len), span_of(again, again_len)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signed_plan_is_read_whole),
        cmocka_unit_test(no_bit_of_a_plan_can_be_changed),
        cmocka_unit_test(a_plan_that_was_cut_or_grew_is_refused),
        cmocka_unit_test(what_others_signed_is_refused),
        cmocka_unit_test(a_policy_of_an_image_is_no_plan_and_a_plan_no_policy),
        cmocka_unit_test(other_forms_are_refused),
        cmocka_unit_test(the_longest_plan_is_read),
        cmocka_unit_test(the_vendors_tool_makes_what_is_read_and_the_same_each_time),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
