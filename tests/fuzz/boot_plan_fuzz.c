/* SPDX-License-Identifier: GPL-3.0-or-later */
/* crypto/boot_plan.c, which a taken-over worker can hand any bytes: no text that somebody wrote is taken for the vendor's, and what is
 * taken keeps its bounds. Besides the signed form as it comes, each input is signed by a vendor of the fuzzer's own, so that the way
 * behind the signature is walked, too. The vendor of the first is board/keys/qemu/policy.key; seeds are plans of its own. */
#include <stdio.h>
#include <string.h>

#include "crypto/boot_plan.h"
#include "crypto/crypto.h"
#include "crypto/hash.h"
#include "hal/base/mem.h"
#include "tests/fuzz/fuzz.h"

/* The point of board/keys/qemu/policy.pub. */
static const uint8_t vendor_key[SIGN_PUBLIC_BYTES] = {
    0x04, 0xef, 0x4e, 0x80, 0x32, 0x1d, 0x3c, 0x35, 0x30, 0x79, 0x34, 0xf2, 0xd8,
    0x82, 0x83, 0xd2, 0xba, 0xdf, 0x10, 0xcb, 0x9e, 0x3f, 0xbe, 0x1b, 0x12, 0x13,
    0x4c, 0x23, 0xe5, 0xd2, 0x8d, 0x9a, 0x81, 0x7e, 0xb2, 0xac, 0x19, 0xa3, 0x65,
    0x1b, 0x7f, 0x2f, 0xb1, 0x9c, 0xaa, 0x39, 0x79, 0x8b, 0x6c, 0x7a, 0x30, 0xe3,
    0xd5, 0xc3, 0xf9, 0x53, 0x2a, 0x16, 0xb2, 0xdb, 0xe3, 0x1f, 0x0b, 0x32, 0xf7,
};

/* The fuzzer's own vendor. The signer holds memory of a library in its own locked page, where the leak checker does not look. */
static struct signer *signer;
static uint8_t own_key[SIGN_PUBLIC_BYTES];

static void end(void)
{
    signer_free(signer);
}

static void make_once(void)
{
    struct random *random = NULL;
    struct secret *secret = NULL;

    if (signer != NULL) {
        return;
    }
    FUZZ_CHECK(crypto_start() == ERR_OK && random_new(SPAN_NONE, &random) == ERR_OK);
    FUZZ_CHECK(sign_key_new(random, &secret) == ERR_OK && signer_new(secret, random, &signer) == ERR_OK);
    FUZZ_CHECK(atexit(end) == 0);
    signer_public(signer, own_key);
    secret_free(secret);
    random_free(random);
}

/* What is taken, or nothing is touched. */
static bool is_taken(struct span text, const uint8_t *key, struct boot_plan *out_plan)
{
    memset(out_plan, 0xa5, sizeof(*out_plan));
    const struct boot_plan untouched = *out_plan;
    const enum err err = boot_plan_read(text, key, out_plan);

    FUZZ_CHECK(err == ERR_OK || err == ERR_MALFORMED || err == ERR_AUTH);
    FUZZ_CHECK(err == ERR_OK || memcmp(out_plan, &untouched, sizeof(untouched)) == 0);
    FUZZ_CHECK(err != ERR_OK || text.len <= BOOT_PLAN_MAX);
    return err == ERR_OK;
}

/* One plan has one form: from its fields comes what was signed. */
static void check_form(const struct boot_plan *plan, struct span signed_part)
{
    char hex[HEX_BYTES(HAL_TPM_DIGEST_BYTES) + 1] = "";
    char text[BOOT_PLAN_MAX];

    FUZZ_CHECK(plan->serial >= 1 && plan->security >= 1 && plan->security <= VENDOR_TEXT_SECURITY_MAX);
    FUZZ_CHECK(strlen(plan->board) >= 1 && strlen(plan->board) <= VENDOR_TEXT_BOARD_MAX);
    hex_encode(span_array(plan->pcr7), hex);
    const int len = snprintf(text, sizeof(text), "rowlock-secure-boot-plan 1\nboard %s\nserial %u\nsecurity %u\npcr7 %s\n", plan->board,
                             (unsigned int)plan->serial, (unsigned int)plan->security, hex);
    FUZZ_CHECK(len > 0 && span_equal(span_of(text, (size_t)len), signed_part));
}

static void sign_and_read(struct span lines)
{
    struct boot_plan plan;
    uint8_t digest[SHA256_BYTES];
    uint8_t signature[SIGN_RAW_BYTES];
    char hex[HEX_BYTES(SIGN_RAW_BYTES) + 1] = "";
    char text[2 * BOOT_PLAN_MAX];

    make_once();
    sha256(lines, digest);
    FUZZ_CHECK(signer_sign_raw(signer, span_array(digest), signature) == ERR_OK);
    hex_encode(span_array(signature), hex);
    memcpy(text, lines.data, lines.len);
    const int more = snprintf(text + lines.len, sizeof(text) - lines.len, "signature %s\n", hex);
    FUZZ_CHECK(more > 0 && lines.len + (size_t)more < sizeof(text));
    if (is_taken(span_of(text, lines.len + (size_t)more), own_key, &plan)) {
        check_form(&plan, lines);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char last[] = "signature ";
    struct boot_plan plan;

    fault_clear();
    const struct span text = span_of(data, size);
    if (is_taken(text, vendor_key, &plan)) {
        check_form(&plan, span_of(data, size - (sizeof(last) - 1) - 2 * SIGN_RAW_BYTES - 1));
    }
    if (size != 0 && size <= BOOT_PLAN_MAX && span_starts_with(text, span_lit("rowlock-s"))) {
        sign_and_read(text);
    }
    fault_clear();
    return 0;
}
