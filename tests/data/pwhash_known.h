/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Source: the Argon2 reference implementation (github.com/P-H-C/phc-winner-argon2, as argon2-cffi 25.1.0 has it), version
 * 0x13, one lane; the input and the salt below. */
#ifndef TESTS_DATA_PWHASH_KNOWN_H
#define TESTS_DATA_PWHASH_KNOWN_H

#include <stdint.h>

#define PWHASH_KNOWN_INPUT "peppered password, 32 bytes long"
#define PWHASH_KNOWN_SALT  "0123456789abcdef"

struct pwhash_known {
    uint32_t memory_kib;
    uint32_t passes;
    const char *hash; /* hexadecimal */
};

static const struct pwhash_known pwhash_known[] = {
    {19456, 2, "ca3d297944b6b3d520de3b3fd37c7d3d217d3071eba8c4735b8f25ff1a2aed53"},
    {19457, 3, "732680bd1bf1ed0110c2001082b671bcf4007db7848ff075331a3f4e4fae5d7c"},
};

#endif
