/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ECDSA P-256. Source: RFC 6979 appendix A.2.5. */
#ifndef TESTS_DATA_SIGN_KNOWN_H
#define TESTS_DATA_SIGN_KNOWN_H

#include <stdbool.h>

#define SIGN_KNOWN_PRIVATE "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"
#define SIGN_KNOWN_PUBLIC                                                                                              \
    "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"                                               \
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"

struct sign_known {
    const char *message;
    bool is_sha384;
    bool is_high; /* s is the upper of the two */
    const char *signature;
};

static const struct sign_known sign_known[] = {
    {"sample", false, true,
     "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
     "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"},
    {"test", false, false,
     "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367"
     "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083"},
    {"sample", true, false,
     "0eafea039b20e9b42309fb1d89e213057cbf973dc0cfc8f129edddc800ef7719"
     "4861f0491e6998b9455193e34e7b0d284ddd7149a74b95b9261f13abde940954"},
};

#endif
