/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Small formats that are read from a disk, a person or a URL: certificates, recovery words, times. The first byte
 * chooses. */
#include "crypto/crypto.h"
#include "crypto/recovery.h"
#include "crypto/x509.h"
#include "hal/base/time.h"
#include "tests/fuzz/fuzz.h"

static void read_certificate(struct span bytes)
{
    struct x509_info info;

    if (x509_read(bytes, &info) == ERR_OK) {
        FUZZ_CHECK(info.names.dns_count <= X509_DNS_MAX && info.names.ip_count <= X509_IP_MAX);
    }
}

static void read_words(struct span bytes)
{
    static bool started;
    struct secret *key = NULL;

    if (!started) {
        FUZZ_CHECK(crypto_start() == ERR_OK);
        started = true;
    }
    if (recovery_from_words(bytes, &key) == ERR_OK) {
        struct secret *words = NULL;

        FUZZ_CHECK(recovery_to_words(key, &words) == ERR_OK);
        secret_free(words);
    }
    secret_free(key);
}

static void read_time(struct span bytes)
{
    struct wall_time time = {0};
    struct wall_time again = {0};
    char text[TIME_ISO_BYTES];

    if (time_parse_iso(bytes, &time) == ERR_OK && time.ms >= 0 && time.ms <= TIME_WALL_MS_MAX) {
        time_format_iso(time, text);
        FUZZ_CHECK(time_parse_iso(span_array(text), &again) == ERR_OK && again.ms == time.ms);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    const struct span rest = span_of(data + 1, size - 1);

    switch (data[0] & 3) {
    case 0:
        read_certificate(rest);
        break;
    case 1:
        read_words(rest);
        break;
    default:
        read_time(rest);
        break;
    }
    return 0;
}
