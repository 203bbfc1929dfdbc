/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/ecc.h>

#include "hal/base/fault.h"
#include "crypto/ct.h"
#include "crypto/x509.h"
#include "tests/lib/temp.h"

#define NOW_MS INT64_C(1795000000000) /* 2026-11-18 */
#define DAY_MS INT64_C(86400000)

struct fixture {
    struct random *random;
    struct secret *ca_key;
    struct secret *leaf_key;
    struct buf *ca;
    struct buf *leaf;
    struct x509_names names;
    struct x509_info info;
    struct wall_time now;
};

static void add_names(struct x509_names *names)
{
    const uint8_t four[4] = {127, 0, 0, 1};
    const uint8_t sixteen[16] = {[15] = 1};

    assert_int_equal(x509_names_add_dns(names, span_lit("localhost")), ERR_OK);
    assert_int_equal(x509_names_add_dns(names, span_lit("box.example.org")), ERR_OK);
    assert_int_equal(x509_names_add_ip(names, span_array(four)), ERR_OK);
    assert_int_equal(x509_names_add_ip(names, span_array(sixteen)), ERR_OK);
}

static enum err make_leaf(struct fixture *f, struct buf *out)
{
    struct x509_leaf leaf = {
        .ca_private = f->ca_key, .ca_der = buf_all(f->ca), .names = &f->names, .now = f->now};

    assert_int_equal(sign_public(f->leaf_key, leaf.public_key), ERR_OK);
    return x509_leaf_new(&leaf, f->random, out);
}

static int setup(void **state)
{
    static struct fixture fixture;
    struct fixture *const f = &fixture;

    fixture = (struct fixture){.now = {NOW_MS}};
    add_names(&f->names);
    assert_int_equal(random_new(SPAN_NONE, &f->random), ERR_OK);
    assert_int_equal(sign_key_new(f->random, &f->ca_key), ERR_OK);
    assert_int_equal(sign_key_new(f->random, &f->leaf_key), ERR_OK);
    assert_int_equal(buf_new(X509_DER_MAX, &f->ca), ERR_OK);
    assert_int_equal(buf_new(X509_DER_MAX, &f->leaf), ERR_OK);
    assert_int_equal(x509_ca_new(f->ca_key, f->random, span_lit("Rowlock box 1"), f->now, f->ca), ERR_OK);
    assert_int_equal(make_leaf(f, f->leaf), ERR_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *const f = *state;

    buf_free(f->leaf);
    buf_free(f->ca);
    secret_free(f->leaf_key);
    secret_free(f->ca_key);
    random_free(f->random);
    fault_clear();
    return 0;
}

static void a_leaf_says_what_it_was_made_for(void **state)
{
    struct fixture *const f = *state;
    uint8_t public_key[SIGN_PUBLIC_BYTES];
    assert_int_equal(sign_public(f->leaf_key, public_key), ERR_OK);

    assert_int_equal(x509_read(buf_all(f->leaf), &f->info), ERR_OK);

    assert_false(f->info.is_ca);
    assert_int_equal(f->info.not_before.ms, NOW_MS - 3600000);
    assert_int_equal(f->info.not_after.ms, NOW_MS + 90 * DAY_MS - 3600000);
    assert_memory_equal(f->info.public_key, public_key, sizeof(public_key));
    assert_int_equal(f->info.names.dns_count, 2);
    assert_int_equal(f->info.names.ip_count, 2);
    assert_memory_equal(f->info.names.dns[1].text, "box.example.org", 15);
    assert_int_equal(x509_verify(buf_all(f->ca), buf_all(f->leaf)), ERR_OK);
}

static void a_ca_lives_ten_years_and_signs_itself(void **state)
{
    struct fixture *const f = *state;

    assert_int_equal(x509_read(buf_all(f->ca), &f->info), ERR_OK);

    assert_true(f->info.is_ca);
    assert_int_equal(f->info.not_after.ms, NOW_MS + 3650 * DAY_MS);
    assert_int_equal(x509_verify(buf_all(f->ca), buf_all(f->ca)), ERR_OK);
}

static void a_leaf_never_outlives_its_ca_and_none_is_made_after_it(void **state)
{
    struct fixture *const f = *state;
    f->now.ms = NOW_MS + 3650 * DAY_MS - 30 * DAY_MS;
    buf_reset(f->leaf);

    assert_int_equal(make_leaf(f, f->leaf), ERR_OK);

    assert_int_equal(x509_read(buf_all(f->leaf), &f->info), ERR_OK);
    assert_int_equal(f->info.not_after.ms, NOW_MS + 3650 * DAY_MS);
    f->now.ms = NOW_MS + 3650 * DAY_MS;
    const size_t before = buf_len(f->leaf);
    assert_int_equal(make_leaf(f, f->leaf), ERR_EXPIRED);
    assert_int_equal(buf_len(f->leaf), before);
}

static void a_leaf_needs_a_name_and_the_right_ca(void **state)
{
    struct fixture *const f = *state;
    struct buf *const out = f->leaf;
    const struct secret *const right = f->ca_key;

    f->names = (struct x509_names){.dns_count = 0};
    assert_int_equal(make_leaf(f, out), ERR_MALFORMED);
    add_names(&f->names);
    struct x509_leaf leaf = {.ca_private = f->leaf_key, .ca_der = buf_all(f->ca), .names = &f->names, .now = f->now};
    assert_int_equal(x509_leaf_new(&leaf, f->random, out), ERR_MALFORMED);
    leaf.ca_private = right;
    leaf.ca_der = span_lit("no certificate");
    assert_int_equal(x509_leaf_new(&leaf, f->random, out), ERR_MALFORMED);
}

static void a_ca_needs_a_common_name(void **state)
{
    struct fixture *const f = *state;
    char name[X509_COMMON_NAME_MAX + 1];
    memset(name, 'n', sizeof(name));

    assert_int_equal(x509_ca_new(f->ca_key, f->random, SPAN_NONE, f->now, f->leaf), ERR_RANGE);
    assert_int_equal(x509_ca_new(f->ca_key, f->random, span_array(name), f->now, f->leaf), ERR_RANGE);
    assert_int_equal(x509_ca_new(f->ca_key, f->random, span_lit("\xff"), f->now, f->leaf), ERR_RANGE);
    assert_int_equal(x509_ca_new(f->ca_key, f->random, span_of(name, sizeof(name) - 1), f->now, f->leaf), ERR_OK);
}

static void x509_verify_refuses_every_flipped_bit(void **state)
{
    struct fixture *const f = *state;
    uint8_t bytes[X509_DER_MAX];
    const size_t len = buf_len(f->leaf);
    memcpy(bytes, buf_all(f->leaf).data, len);

    for (size_t at = 0; at < len; at++) {
        bytes[at] ^= (uint8_t)(1u << at % 8);
        assert_int_not_equal(x509_verify(buf_all(f->ca), span_of(bytes, len)), ERR_OK);
        bytes[at] ^= (uint8_t)(1u << at % 8);
    }
    for (size_t cut = 0; cut < len; cut++) {
        assert_int_equal(x509_read(span_of(bytes, cut), &f->info), ERR_MALFORMED);
    }
    bytes[len] = 0;
    assert_int_equal(x509_read(span_of(bytes, len + 1), &f->info), ERR_MALFORMED);
}

static void renewal_comes_at_two_thirds_or_when_a_name_changes(void **state)
{
    struct fixture *const f = *state;
    struct x509_names other = {.dns_count = 0};
    const int64_t start_ms = NOW_MS - 3600000;
    assert_int_equal(x509_read(buf_all(f->leaf), &f->info), ERR_OK);

    assert_false(x509_wants_renewal(&f->info, &f->names, (struct wall_time){NOW_MS}));
    assert_false(x509_wants_renewal(&f->info, &f->names, (struct wall_time){start_ms + 60 * DAY_MS - 1}));
    assert_true(x509_wants_renewal(&f->info, &f->names, (struct wall_time){start_ms + 60 * DAY_MS}));
    assert_true(x509_wants_renewal(&f->info, &f->names, (struct wall_time){start_ms - 1}));

    const uint8_t sixteen[16] = {[15] = 1};
    const uint8_t four[4] = {127, 0, 0, 1};
    assert_int_equal(x509_names_add_ip(&other, span_array(sixteen)), ERR_OK);
    assert_int_equal(x509_names_add_ip(&other, span_array(four)), ERR_OK);
    assert_int_equal(x509_names_add_dns(&other, span_lit("BOX.example.org")), ERR_OK);
    assert_true(x509_wants_renewal(&f->info, &other, (struct wall_time){NOW_MS}));
    assert_int_equal(x509_names_add_dns(&other, span_lit("localhost")), ERR_OK);
    assert_false(x509_wants_renewal(&f->info, &other, (struct wall_time){NOW_MS}));
    other.ip[1].bytes[3] = 2;
    assert_true(x509_wants_renewal(&f->info, &other, (struct wall_time){NOW_MS}));
}

static void only_host_names_and_addresses_are_names(void **state)
{
    static const char *const good[] = {"a", "localhost", "a.b", "*.example.org", "xn--nxasmq6b", "1.2.3.4"};
    static const char *const bad[] = {"", ".", "a.", ".a", "a..b", "-a", "a-", "a.-b", "*", "*.", "a.*.b", "a b",
                                      "a_b", "a/b", "\xc3\xa9"};
    struct x509_names names = {.dns_count = 0};
    char long_label[64];
    memset(long_label, 'l', sizeof(long_label));

    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        assert_int_equal(x509_names_add_dns(&names, span_str(good[i])), ERR_OK);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        assert_int_equal(x509_names_add_dns(&names, span_str(bad[i])), ERR_MALFORMED);
    }
    assert_int_equal(x509_names_add_dns(&names, span_array(long_label)), ERR_MALFORMED);
    assert_int_equal(x509_names_add_dns(&names, span_of(long_label, 63)), ERR_OK);
    assert_int_equal(x509_names_add_dns(&names, span_lit("A")), ERR_OK);
    assert_int_equal(names.dns_count, ARRAY_LENGTH(good) + 1);
    assert_int_equal(x509_names_add_ip(&names, span_lit("12345")), ERR_MALFORMED);
}

static void names_have_a_limit(void **state)
{
    struct x509_names names = {.dns_count = 0};
    char name[2] = "aa";
    uint8_t address[4] = {10, 0, 0, 0};

    for (size_t i = 0; i < X509_DNS_MAX; i++) {
        name[1] = (char)('a' + i);
        assert_int_equal(x509_names_add_dns(&names, span_array(name)), ERR_OK);
    }
    for (size_t i = 0; i < X509_IP_MAX; i++) {
        address[3] = (uint8_t)i;
        assert_int_equal(x509_names_add_ip(&names, span_array(address)), ERR_OK);
    }

    address[3] = 99;
    assert_int_equal(x509_names_add_dns(&names, span_lit("zz")), ERR_LIMIT);
    assert_int_equal(x509_names_add_ip(&names, span_array(address)), ERR_LIMIT);
}

static void write_pem(const struct temp_dir *dir, const char *name, struct span der)
{
    SCOPED_BUF struct buf *pem = NULL;
    assert_int_equal(buf_new(X509_PEM_MAX, &pem), ERR_OK);
    assert_int_equal(x509_to_pem(der, pem), ERR_OK);
    temp_put(dir, name, buf_all(pem));
}

static void openssl_accepts_the_chain_for_its_names_and_no_others(void **state)
{
    static const char *const checks[] = {
        "-verify_hostname box.example.org", "-verify_ip 127.0.0.1", "-verify_ip ::1",
        "-verify_hostname evil.example.org", "-verify_ip 127.0.0.2",
    };
    struct fixture *const f = *state;
    const struct temp_dir dir = temp_dir_make();
    write_pem(&dir, "ca.pem", buf_all(f->ca));
    write_pem(&dir, "leaf.pem", buf_all(f->leaf));

    for (size_t i = 0; i < ARRAY_LENGTH(checks); i++) {
        char command[512];

        (void)snprintf(command, sizeof(command),
                       "openssl verify -x509_strict -purpose sslserver -attime %lld %s -CAfile %s/ca.pem %s/leaf.pem "
                       ">/dev/null 2>&1",
                       (long long)(NOW_MS / 1000), checks[i], dir.path, dir.path);
        assert_int_equal(system(command) == 0, i < 3);
    }
    temp_dir_remove(&dir);
}

static void x509_to_pem_leaves_nothing_behind_when_there_is_no_room(void **state)
{
    struct fixture *const f = *state;
    SCOPED_BUF struct buf *small = NULL;
    assert_int_equal(buf_new(300, &small), ERR_OK);

    assert_int_equal(x509_to_pem(buf_all(f->leaf), small), ERR_RANGE);

    assert_int_equal(buf_len(small), 0);
}

static void x509_from_pem_gives_back_what_was_written(void **state)
{
    struct fixture *const f = *state;
    SCOPED_BUF struct buf *pem = NULL;
    SCOPED_BUF struct buf *der = NULL;
    assert_int_equal(buf_new(X509_PEM_MAX, &pem), ERR_OK);
    assert_int_equal(buf_new(X509_DER_MAX, &der), ERR_OK);

    for (size_t cut = 0; cut < 49; cut++) { /* each kind of last line, and a full one */
        const struct span whole = span_of(buf_all(f->leaf).data, buf_len(f->leaf) - cut);
        buf_reset(pem);
        buf_reset(der);
        assert_int_equal(x509_to_pem(whole, pem), ERR_OK);

        assert_int_equal(x509_from_pem(buf_all(pem), der), ERR_OK);

        assert_true(span_equal(buf_all(der), whole));
    }
}

static void x509_from_pem_takes_no_other_form(void **state)
{
    static const char *const texts[] = {
        "", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----", "-----BEGIN CERTIFICATE-----\nAQI*\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nAQ ID\n-----END CERTIFICATE-----\n", "-----BEGIN CERTIFICATE-----\nAQ\nID\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nAQJ=\n-----END CERTIFICATE-----\n", "-----BEGIN CERTIFICATE-----\nAQI\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATES----\nAQID\n-----END CERTIFICATE-----\n", "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n\n",
    };
    SCOPED_BUF struct buf *der = NULL;
    assert_int_equal(buf_new(X509_DER_MAX, &der), ERR_OK);

    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        assert_int_equal(x509_from_pem(span_str(texts[i]), der), ERR_MALFORMED);
        assert_int_equal(buf_len(der), 0);
    }
    assert_int_equal(x509_from_pem(span_lit("-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n"), der), ERR_OK);
    assert_true(span_equal(buf_all(der), span_of("\1\2\3", 3)));
}

static void x509_from_pem_leaves_nothing_behind_when_there_is_no_room(void **state)
{
    struct fixture *const f = *state;
    SCOPED_BUF struct buf *pem = NULL;
    SCOPED_BUF struct buf *small = NULL;
    assert_int_equal(buf_new(X509_PEM_MAX, &pem), ERR_OK);
    assert_int_equal(buf_new(100, &small), ERR_OK);
    assert_int_equal(x509_to_pem(buf_all(f->leaf), pem), ERR_OK);

    assert_int_equal(x509_from_pem(buf_all(pem), small), ERR_RANGE);

    assert_int_equal(buf_len(small), 0);
}

static void certificates_of_one_moment_differ_in_serial_and_fingerprint(void **state)
{
    struct fixture *const f = *state;
    SCOPED_BUF struct buf *other = NULL;
    uint8_t a[X509_FINGERPRINT_BYTES];
    uint8_t b[X509_FINGERPRINT_BYTES];
    assert_int_equal(buf_new(X509_DER_MAX, &other), ERR_OK);
    assert_int_equal(make_leaf(f, other), ERR_OK);

    x509_fingerprint(buf_all(f->leaf), a);
    x509_fingerprint(buf_all(other), b);

    assert_memory_not_equal(a, b, sizeof(a));
}

static void x509_verify_refuses_another_ca_of_the_same_name(void **state)
{
    struct fixture *const f = *state;
    SCOPED_BUF struct buf *other = NULL;
    assert_int_equal(buf_new(X509_DER_MAX, &other), ERR_OK);
    assert_int_equal(x509_ca_new(f->leaf_key, f->random, span_lit("Rowlock box 1"), f->now, other), ERR_OK);

    assert_int_equal(x509_verify(buf_all(other), buf_all(f->leaf)), ERR_AUTH);
    buf_reset(other);
    assert_int_equal(x509_ca_new(f->ca_key, f->random, span_lit("Rowlock box 2"), f->now, other), ERR_OK);
    assert_int_equal(x509_verify(buf_all(other), buf_all(f->leaf)), ERR_AUTH);
}

static void a_certificate_is_of_one_key_and_only_a_ca_is_a_ca(void **state)
{
    struct fixture *const f = *state;
    uint8_t ca[SIGN_PUBLIC_BYTES];
    uint8_t leaf[SIGN_PUBLIC_BYTES];
    uint8_t bytes[X509_DER_MAX];
    assert_int_equal(sign_public(f->ca_key, ca), ERR_OK);
    assert_int_equal(sign_public(f->leaf_key, leaf), ERR_OK);

    assert_int_equal(x509_is_of(buf_all(f->leaf), leaf), ERR_OK);
    assert_int_equal(x509_is_of(buf_all(f->leaf), ca), ERR_AUTH);
    assert_int_equal(x509_is_of(span_lit("no certificate"), ca), ERR_MALFORMED);
    assert_int_equal(x509_is_ca_of(buf_all(f->ca), ca), ERR_OK);
    assert_int_equal(x509_is_ca_of(buf_all(f->ca), leaf), ERR_AUTH);
    assert_int_equal(x509_is_ca_of(buf_all(f->leaf), leaf), ERR_AUTH);

    /* A name that was changed by hand: the key is the same, the signature is not of it. */
    const size_t len = buf_len(f->ca);
    memcpy(bytes, buf_all(f->ca).data, len);
    const size_t at = span_find(buf_all(f->ca), 'R');
    bytes[at] = 'r';
    assert_int_equal(x509_is_ca_of(span_of(bytes, len), ca), ERR_AUTH);
}

/* Bytes of an alternative name: the kind (ASN_DNS_TYPE, ASN_IP_TYPE) and the content. */
static bool wolf_has_name(const DecodedCert *cert, int type, struct span name)
{
    for (const DNS_entry *entry = cert->altNames; entry != NULL; entry = entry->next) {
        if (entry->type == type && span_equal(span_of(entry->name, (size_t)entry->len), name)) {
            return true;
        }
    }
    return false;
}

static void wolfcrypt_reads_of_a_leaf_what_was_written(void **state)
{
    struct fixture *const f = *state;
    static DecodedCert cert;
    static const uint8_t four[4] = {127, 0, 0, 1};
    static const uint8_t sixteen[16] = {[15] = 1};
    uint8_t public_key[SIGN_PUBLIC_BYTES];
    const struct span der = buf_all(f->leaf);
    assert_int_equal(sign_public(f->leaf_key, public_key), ERR_OK);

    wc_InitDecodedCert(&cert, der.data, (word32)der.len, NULL);
    assert_int_equal(wc_ParseCert(&cert, CERT_TYPE, NO_VERIFY, NULL), 0);

    assert_false(cert.isCA);
    assert_int_equal(cert.version, 2); /* v3 */
    assert_int_equal(cert.signatureOID, CTC_SHA256wECDSA);
    assert_int_equal(cert.keyOID, ECDSAk);
    assert_int_equal(cert.pubKeySize, SIGN_PUBLIC_BYTES + 26); /* SubjectPublicKeyInfo */
    assert_memory_equal(cert.publicKey + 26, public_key, SIGN_PUBLIC_BYTES);
    assert_true(cert.extKeyUsageCrit && cert.extBasicConstCrit);
    assert_int_equal(cert.extKeyUsage, KEYUSE_DIGITAL_SIG);
    assert_int_equal(cert.extExtKeyUsage, EXTKEYUSE_SERVER_AUTH);
    assert_true(wolf_has_name(&cert, ASN_DNS_TYPE, span_lit("localhost")));
    assert_true(wolf_has_name(&cert, ASN_DNS_TYPE, span_lit("box.example.org")));
    assert_true(wolf_has_name(&cert, ASN_IP_TYPE, span_array(four)));
    assert_true(wolf_has_name(&cert, ASN_IP_TYPE, span_array(sixteen)));
    wc_FreeDecodedCert(&cert);
}

static void wolfcrypt_reads_of_a_ca_what_was_written(void **state)
{
    struct fixture *const f = *state;
    static DecodedCert cert;
    const struct span der = buf_all(f->ca);

    wc_InitDecodedCert(&cert, der.data, (word32)der.len, NULL);
    assert_int_equal(wc_ParseCert(&cert, CERT_TYPE, NO_VERIFY, NULL), 0);

    assert_true(cert.isCA && cert.selfSigned && cert.extBasicConstCrit);
    assert_true(cert.pathLengthSet);
    assert_int_equal(cert.pathLength, 0);
    assert_int_equal(cert.extKeyUsage, KEYUSE_KEY_CERT_SIGN | KEYUSE_CRL_SIGN);
    assert_int_equal(cert.subjectCNLen, 13);
    assert_memory_equal(cert.subjectCN, "Rowlock box 1", 13);
    assert_null(cert.altNames);
    wc_FreeDecodedCert(&cert);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_leaf_says_what_it_was_made_for, setup, teardown),
        cmocka_unit_test_setup_teardown(a_ca_lives_ten_years_and_signs_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(a_leaf_never_outlives_its_ca_and_none_is_made_after_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_leaf_needs_a_name_and_the_right_ca, setup, teardown),
        cmocka_unit_test_setup_teardown(a_ca_needs_a_common_name, setup, teardown),
        cmocka_unit_test_setup_teardown(x509_verify_refuses_every_flipped_bit, setup, teardown),
        cmocka_unit_test_setup_teardown(renewal_comes_at_two_thirds_or_when_a_name_changes, setup, teardown),
        cmocka_unit_test(only_host_names_and_addresses_are_names),
        cmocka_unit_test(names_have_a_limit),
        cmocka_unit_test_setup_teardown(openssl_accepts_the_chain_for_its_names_and_no_others, setup, teardown),
        cmocka_unit_test_setup_teardown(x509_to_pem_leaves_nothing_behind_when_there_is_no_room, setup, teardown),
        cmocka_unit_test_setup_teardown(x509_from_pem_gives_back_what_was_written, setup, teardown),
        cmocka_unit_test(x509_from_pem_takes_no_other_form),
        cmocka_unit_test_setup_teardown(x509_from_pem_leaves_nothing_behind_when_there_is_no_room, setup, teardown),
        cmocka_unit_test_setup_teardown(certificates_of_one_moment_differ_in_serial_and_fingerprint, setup, teardown),
        cmocka_unit_test_setup_teardown(x509_verify_refuses_another_ca_of_the_same_name, setup, teardown),
        cmocka_unit_test_setup_teardown(a_certificate_is_of_one_key_and_only_a_ca_is_a_ca, setup, teardown),
        cmocka_unit_test_setup_teardown(wolfcrypt_reads_of_a_leaf_what_was_written, setup, teardown),
        cmocka_unit_test_setup_teardown(wolfcrypt_reads_of_a_ca_what_was_written, setup, teardown),
    };

    return cmocka_run_group_tests_name("crypto_x509", tests, NULL, NULL);
}
