/* SPDX-License-Identifier: GPL-3.0-or-later */
/* crypto/x509_read.c: a certificate file that somebody changed is read within its end, what is read of it is within its
 * limits, and none of them counts as signed by a CA that did not. */
#include <string.h>

#include "crypto/x509.h"
#include "tests/fuzz/fuzz.h"

#define NOW_MS INT64_C(1795000000000)

static struct span ca_once(uint8_t out_public[SIGN_PUBLIC_BYTES])
{
    static struct buf *ca;
    static uint8_t public_key[SIGN_PUBLIC_BYTES];

    if (ca == NULL) {
        SCOPED_RANDOM struct random *random = NULL;
        SCOPED_SECRET struct secret *key = NULL;
        FUZZ_CHECK(random_new(SPAN_NONE, &random) == ERR_OK && sign_key_new(random, &key) == ERR_OK);
        FUZZ_CHECK(sign_public(key, public_key) == ERR_OK && buf_new(X509_DER_MAX, &ca) == ERR_OK);
        FUZZ_CHECK(x509_ca_new(key, random, span_lit("Rowlock local CA"), (struct wall_time){NOW_MS}, ca) == ERR_OK);
    }
    memcpy(out_public, public_key, sizeof(public_key));
    return buf_all(ca);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct x509_info info;
    static const struct x509_names names = {.dns_count = 0};
    const struct span der = span_of(data, size);
    uint8_t public_key[SIGN_PUBLIC_BYTES];

    fault_clear();
    const struct span ca = ca_once(public_key);
    const enum err got = x509_read(der, &info);
    FUZZ_CHECK(got == ERR_OK || got == ERR_MALFORMED);
    if (got == ERR_OK) {
        FUZZ_CHECK(info.names.dns_count <= X509_DNS_MAX && info.names.ip_count <= X509_IP_MAX);
        FUZZ_CHECK(info.not_before.ms < info.not_after.ms);
        FUZZ_CHECK(x509_is_of(der, info.public_key) == ERR_OK);
        (void)x509_wants_renewal(&info, &names, (struct wall_time){NOW_MS});
    }
    FUZZ_CHECK(x509_verify(ca, der) != ERR_OK);
    FUZZ_CHECK(x509_is_ca_of(der, public_key) != ERR_OK);
    return 0;
}
