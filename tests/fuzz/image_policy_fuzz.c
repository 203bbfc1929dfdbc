/* SPDX-License-Identifier: GPL-3.0-or-later */
/* crypto/image_policy.c: no text that somebody wrote is taken for the vendor's, and what is taken keeps its bounds. The
 * vendor is board/keys/qemu/policy.key; seeds are policies of its own. */
#include <string.h>

#include "crypto/image_policy.h"
#include "tests/fuzz/fuzz.h"

/* The point of board/keys/qemu/policy.pub. */
static const uint8_t vendor_key[SIGN_PUBLIC_BYTES] = {
    0x04, 0xef, 0x4e, 0x80, 0x32, 0x1d, 0x3c, 0x35, 0x30, 0x79, 0x34, 0xf2, 0xd8,
    0x82, 0x83, 0xd2, 0xba, 0xdf, 0x10, 0xcb, 0x9e, 0x3f, 0xbe, 0x1b, 0x12, 0x13,
    0x4c, 0x23, 0xe5, 0xd2, 0x8d, 0x9a, 0x81, 0x7e, 0xb2, 0xac, 0x19, 0xa3, 0x65,
    0x1b, 0x7f, 0x2f, 0xb1, 0x9c, 0xaa, 0x39, 0x79, 0x8b, 0x6c, 0x7a, 0x30, 0xe3,
    0xd5, 0xc3, 0xf9, 0x53, 0x2a, 0x16, 0xb2, 0xdb, 0xe3, 0x1f, 0x0b, 0x32, 0xf7,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct image_policy policy;

    fault_clear();
    memset(&policy, 0xa5, sizeof(policy));
    const struct image_policy untouched = policy;
    const enum err err = image_policy_read(span_of(data, size), vendor_key, &policy);

    FUZZ_CHECK(err == ERR_OK || err == ERR_MALFORMED || err == ERR_AUTH);
    if (err != ERR_OK) {
        FUZZ_CHECK(memcmp(&policy, &untouched, sizeof(policy)) == 0);
        return 0;
    }
    FUZZ_CHECK(size <= IMAGE_POLICY_MAX);
    FUZZ_CHECK(policy.pcr11_count >= 1 && policy.pcr11_count <= IMAGE_POLICY_PCRS_MAX);
    FUZZ_CHECK(policy.security >= 1 && policy.security <= IMAGE_POLICY_SECURITY_MAX);
    FUZZ_CHECK(strlen(policy.board) <= IMAGE_POLICY_BOARD_MAX && strlen(policy.version) <= IMAGE_POLICY_VERSION_MAX);
    return 0;
}
