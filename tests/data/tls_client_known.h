/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Certificates of servers, made once with python3-cryptography: P-256 and SHA-256, 2020 to 2120, unless said otherwise.
 * The keys are those of tests and protect nothing. */
#ifndef TESTS_DATA_TLS_CLIENT_KNOWN_H
#define TESTS_DATA_TLS_CLIENT_KNOWN_H

#include "hal/base/attr.h"

/* The CA of all that follow, unless they say otherwise. */
static const char known_ca[] UNUSED =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBTjCB9aADAgECAggGuaZhTG+GFzAKBggqhkjOPQQDAjAaMRgwFgYDVQQDDA9S\n"
    "b3dsb2NrIHRlc3QgQ0EwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBa\n"
    "MBoxGDAWBgNVBAMMD1Jvd2xvY2sgdGVzdCBDQTBZMBMGByqGSM49AgEGCCqGSM49\n"
    "AwEHA0IABCMo7eZWQwFKEoPKupQ6yG1lpl9YNLDLciL1xxIoCPMuJAJGokSmJ7RR\n"
    "FHuHrjOyBzuY5X2wgAG1nxp8Todm3SGjIzAhMA8GA1UdEwEB/wQFMAMBAf8wDgYD\n"
    "VR0PAQH/BAQDAgEGMAoGCCqGSM49BAMCA0gAMEUCIQDSPcZUEWpGn2yOLrhYOOh1\n"
    "Elwr4SRf+ExZL2qdNgrboQIgcbsM6RV1qTe46iFry+Rw2h2ydyfyINIKdtztN68B\n"
    "Bz4=\n"
    "-----END CERTIFICATE-----\n";

/* A CA that has signed none of them. */
static const char known_other_ca[] UNUSED =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBTTCB9aADAgECAggP+/M+G+QVvjAKBggqhkjOPQQDAjAaMRgwFgYDVQQDDA9B\n"
    "bm90aGVyIHRlc3QgQ0EwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBa\n"
    "MBoxGDAWBgNVBAMMD0Fub3RoZXIgdGVzdCBDQTBZMBMGByqGSM49AgEGCCqGSM49\n"
    "AwEHA0IABJvifiIOwvtdtuR+DwTHqVx4RuwvVw0PEwsANqEhUn1+Kft3ySAgy8ad\n"
    "zJORSkYprNLW1H5FR3wqjT+BZujnRFWjIzAhMA8GA1UdEwEB/wQFMAMBAf8wDgYD\n"
    "VR0PAQH/BAQDAgEGMAoGCCqGSM49BAMCA0cAMEQCIDuSDr2PGub91KQBoG3k9pty\n"
    "6fg9ka67nZ11Q3F92dc+AiBusiL3COA2Ln0mGUSf8YtoPrkFCzpoES+UhjgXBPfS\n"
    "+w==\n"
    "-----END CERTIFICATE-----\n";

/* The key of every certificate of a server but the RSA one. */
static const char known_key[] UNUSED =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQggp8WDzvovnn11kIf\n"
    "7vVMEa3cuidJtnkQGa8KVJLtc4yhRANCAAQKaEjQLBxa/c6OEEe3+X7L9SMWAe9t\n"
    "nUE5yYj4st0MyGJYbVeRz/NxZS3g3m9rwe45VccEATtF/2OcEEG/vb8B\n"
    "-----END PRIVATE KEY-----\n";

/* localhost and relay.example. */
static const char known_good[] UNUSED =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBWzCCAQGgAwIBAgIIZ0YomEQCxIswCgYIKoZIzj0EAwIwGjEYMBYGA1UEAwwP\n"
    "Um93bG9jayB0ZXN0IENBMCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAw\n"
    "WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC\n"
    "AAQKaEjQLBxa/c6OEEe3+X7L9SMWAe9tnUE5yYj4st0MyGJYbVeRz/NxZS3g3m9r\n"
    "we45VccEATtF/2OcEEG/vb8BozUwMzAMBgNVHRMBAf8EAjAAMCMGA1UdEQQcMBqC\n"
    "CWxvY2FsaG9zdIINcmVsYXkuZXhhbXBsZTAKBggqhkjOPQQDAgNIADBFAiEA8sr9\n"
    "RkuGw8tcgJ1HKvHiRn4pgA8CIy+fHZq7QjneFIYCIDNTAhdn4DaFbBCUl0zozuE7\n"
    "0OSMvIUIA9+9QZvUgWkO\n"
    "-----END CERTIFICATE-----\n";

/* *.example. */
static const char known_wildcard[] UNUSED =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBQjCB6aADAgECAgd4PaGc29WJMAoGCCqGSM49BAMCMBoxGDAWBgNVBAMMD1Jv\n"
    "d2xvY2sgdGVzdCBDQTAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFow\n"
    "DDEKMAgGA1UEAwwBeDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABApoSNAsHFr9\n"
    "zo4QR7f5fsv1IxYB722dQTnJiPiy3QzIYlhtV5HP83FlLeDeb2vB7jlVxwQBO0X/\n"
    "Y5wQQb+9vwGjJjAkMAwGA1UdEwEB/wQCMAAwFAYDVR0RBA0wC4IJKi5leGFtcGxl\n"
    "MAoGCCqGSM49BAMCA0gAMEUCIQCQxntjIBrl0g4Q7/86XYUWwdHIhejrnCKrpBrj\n"
    "dxvr4wIgMXNrNPnvLvSntozb8n4Uyx9nndzIJYqA+OQu2VsT9GU=\n"
    "-----END CERTIFICATE-----\n";

/* localhost in the common name alone. */
static const char known_common_name[] UNUSED =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBNTCB3KADAgECAghUdR1HcJ++9zAKBggqhkjOPQQDAjAaMRgwFgYDVQQDDA9S\n"
    "b3dsb2NrIHRlc3QgQ0EwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBa\n"
    "MBQxEjAQBgNVBAMMCWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IA\n"
    "BApoSNAsHFr9zo4QR7f5fsv1IxYB722dQTnJiPiy3QzIYlhtV5HP83FlLeDeb2vB\n"
    "7jlVxwQBO0X/Y5wQQb+9vwGjEDAOMAwGA1UdEwEB/wQCMAAwCgYIKoZIzj0EAwID\n"
    "SAAwRQIgO5TjCPJKAlZg1Ru6B03af5TReOqSokigOFB2aUG+xq0CIQCy042sOOn3\n"
    "aipexynOG3X9zMbVqEgSDjmsPmCLXim7EQ==\n"
    "-----END CERTIFICATE-----\n";

/* localhost in the common name, but other.example as the dNSName, which counts. */
static const char known_name_elsewhere[] UNUSED =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBTzCB9qADAgECAghbXQqIAnhLXTAKBggqhkjOPQQDAjAaMRgwFgYDVQQDDA9S\n"
    "b3dsb2NrIHRlc3QgQ0EwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBa\n"
    "MBQxEjAQBgNVBAMMCWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IA\n"
    "BApoSNAsHFr9zo4QR7f5fsv1IxYB722dQTnJiPiy3QzIYlhtV5HP83FlLeDeb2vB\n"
    "7jlVxwQBO0X/Y5wQQb+9vwGjKjAoMAwGA1UdEwEB/wQCMAAwGAYDVR0RBBEwD4IN\n"
    "b3RoZXIuZXhhbXBsZTAKBggqhkjOPQQDAgNIADBFAiEAi227BOGqzUYjt+nAYudc\n"
    "yLDU9Zq2H5ZAAtzUounv/woCIC0rzBQ7EGJVknldvSSTUx6UHHZ1FgrJmfdDaBoH\n"
    "9hct\n"
    "-----END CERTIFICATE-----\n";

/* Over since 2021. */
static const char known_expired[] UNUSED =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBSDCB8KADAgECAgh4HccqZBtaLDAKBggqhkjOPQQDAjAaMRgwFgYDVQQDDA9S\n"
    "b3dsb2NrIHRlc3QgQ0EwHhcNMjAwMTAxMDAwMDAwWhcNMjEwMTAxMDAwMDAwWjAU\n"
    "MRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQK\n"
    "aEjQLBxa/c6OEEe3+X7L9SMWAe9tnUE5yYj4st0MyGJYbVeRz/NxZS3g3m9rwe45\n"
    "VccEATtF/2OcEEG/vb8BoyYwJDAMBgNVHRMBAf8EAjAAMBQGA1UdEQQNMAuCCWxv\n"
    "Y2FsaG9zdDAKBggqhkjOPQQDAgNHADBEAiAWYXJg1lRs7bwP7fLxlN2G7MKoqQ2k\n"
    "JsFJTcXirn1LGgIgf0y8TTjHfDBpwZwjG5PoYoTo87uBRh4aGQP5F3P18x0=\n"
    "-----END CERTIFICATE-----\n";

/* Not before 2110. */
static const char known_future[] UNUSED =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBTTCB9KADAgECAghJICpBvHC9SjAKBggqhkjOPQQDAjAaMRgwFgYDVQQDDA9S\n"
    "b3dsb2NrIHRlc3QgQ0EwIhgPMjExMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAw\n"
    "MFowFDESMBAGA1UEAwwJbG9jYWxob3N0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcD\n"
    "QgAECmhI0CwcWv3OjhBHt/l+y/UjFgHvbZ1BOcmI+LLdDMhiWG1Xkc/zcWUt4N5v\n"
    "a8HuOVXHBAE7Rf9jnBBBv72/AaMmMCQwDAYDVR0TAQH/BAIwADAUBgNVHREEDTAL\n"
    "gglsb2NhbGhvc3QwCgYIKoZIzj0EAwIDSAAwRQIhALx4LWTQZPG9Jt4ahJrigYiV\n"
    "7FmvP0fKcb9O307WF8KVAiBiBK/cXYzbH5ZunyXqkevc9eVBnoaBGdtzRGkieThG\n"
    "pA==\n"
    "-----END CERTIFICATE-----\n";

/* Signed by its own key, and no CA. */
static const char known_self_signed[] UNUSED =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBRDCB7KADAgECAggZg6iwVH2JljAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAls\n"
    "b2NhbGhvc3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBQxEjAQ\n"
    "BgNVBAMMCWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABApoSNAs\n"
    "HFr9zo4QR7f5fsv1IxYB722dQTnJiPiy3QzIYlhtV5HP83FlLeDeb2vB7jlVxwQB\n"
    "O0X/Y5wQQb+9vwGjJjAkMAwGA1UdEwEB/wQCMAAwFAYDVR0RBA0wC4IJbG9jYWxo\n"
    "b3N0MAoGCCqGSM49BAMCA0cAMEQCIGu7f6VnmNF1TY4nKCGwc5jJpCvkauwazOTo\n"
    "Cp6xR83LAiAxRw3XvNxt/kXYxBZVM9m6nZ57JHpx1cDMvobFUrGvXQ==\n"
    "-----END CERTIFICATE-----\n";

/* By way of an intermediate CA, which comes along. */
static const char known_chain[] UNUSED =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBVDCB/KADAgECAghRAxFAFw8LUzAKBggqhkjOPQQDAjAkMSIwIAYDVQQDDBlS\n"
    "b3dsb2NrIHRlc3QgaW50ZXJtZWRpYXRlMCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAw\n"
    "MTAxMDAwMDAwWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggq\n"
    "hkjOPQMBBwNCAAQKaEjQLBxa/c6OEEe3+X7L9SMWAe9tnUE5yYj4st0MyGJYbVeR\n"
    "z/NxZS3g3m9rwe45VccEATtF/2OcEEG/vb8BoyYwJDAMBgNVHRMBAf8EAjAAMBQG\n"
    "A1UdEQQNMAuCCWxvY2FsaG9zdDAKBggqhkjOPQQDAgNHADBEAiAO/CsHuPiDH5b7\n"
    "H8I4DoreWsc9TjNHiol/s9Qbqb0GXgIgRst5szOO1fVUS0XKaOhoqo+S2OluF2Db\n"
    "KVUiV/KR4Qk=\n"
    "-----END CERTIFICATE-----\n"
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBWzCCAQKgAwIBAgIIe3KZQwAHfFYwCgYIKoZIzj0EAwIwGjEYMBYGA1UEAwwP\n"
    "Um93bG9jayB0ZXN0IENBMCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAw\n"
    "WjAkMSIwIAYDVQQDDBlSb3dsb2NrIHRlc3QgaW50ZXJtZWRpYXRlMFkwEwYHKoZI\n"
    "zj0CAQYIKoZIzj0DAQcDQgAEF0jLqKj9PZWMQLhaAEux9KtGzaug1mFjfp0n7CU0\n"
    "IQFr2Xe7zQofTHb5lOqkUX578tpebkQsgWa8jwKD96lX+6MmMCQwEgYDVR0TAQH/\n"
    "BAgwBgEB/wIBADAOBgNVHQ8BAf8EBAMCAQYwCgYIKoZIzj0EAwIDRwAwRAIgCxEX\n"
    "gGZOu97eLt1IP+m5lsJ0VE6s8ST/JL5AvrgaukICIC0I7RlO7RqUOAJzk9Q6Yib7\n"
    "gtw+slBzSS6s0JGGpzDn\n"
    "-----END CERTIFICATE-----\n";

/* Signed by a certificate of the CA that is none itself. */
static const char known_by_a_leaf[] UNUSED =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBTjCB9KADAgECAggCOuPGxEMFTzAKBggqhkjOPQQDAjAcMRowGAYDVQQDDBFS\n"
    "b3dsb2NrIHRlc3QgbGVhZjAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAw\n"
    "MFowFDESMBAGA1UEAwwJbG9jYWxob3N0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcD\n"
    "QgAECmhI0CwcWv3OjhBHt/l+y/UjFgHvbZ1BOcmI+LLdDMhiWG1Xkc/zcWUt4N5v\n"
    "a8HuOVXHBAE7Rf9jnBBBv72/AaMmMCQwDAYDVR0TAQH/BAIwADAUBgNVHREEDTAL\n"
    "gglsb2NhbGhvc3QwCgYIKoZIzj0EAwIDSQAwRgIhAIBeh9iWvi1+jIYnlHX2IbKH\n"
    "5WEuqbgX53EJLlVkw3mLAiEAiPpvxMLkrmVI69ojqbMVNat6QmOI0+lQu9XGIXuq\n"
    "FXc=\n"
    "-----END CERTIFICATE-----\n"
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBVjCB/aADAgECAggLnJb26v9xFjAKBggqhkjOPQQDAjAaMRgwFgYDVQQDDA9S\n"
    "b3dsb2NrIHRlc3QgQ0EwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBa\n"
    "MBwxGjAYBgNVBAMMEVJvd2xvY2sgdGVzdCBsZWFmMFkwEwYHKoZIzj0CAQYIKoZI\n"
    "zj0DAQcDQgAEu8OFr+KIwtdQJTl/H20Pb0iyAElcNrMWLdTg/24LGfVU2Yt+r4TP\n"
    "hru3aQL05AYUV0L8BMRmsfO+RiDdmOJrcaMpMCcwDAYDVR0TAQH/BAIwADAXBgNV\n"
    "HREEEDAOggxldmlsLmV4YW1wbGUwCgYIKoZIzj0EAwIDSAAwRQIgeXBcUq1sRSle\n"
    "2W/Hc4RnRCkhcPm4BaEy3oHqFAeGk9sCIQCFjJQ+ZtSSWnGazSftoe+wzeIVnL2p\n"
    "m9SfDc5q6oJlRw==\n"
    "-----END CERTIFICATE-----\n";

/* The key of the next one. */
static const char known_rsa_key[] UNUSED =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQC3jqznbDg22jvD\n"
    "h4CWxxtSMUlbXzxXCFEpNAxbcIoHkJO7BcK5p/s1SOxHaxDFLRUy0cEJs4YheHQa\n"
    "gqhhsDkrp5I2L/I6SGsE9JiTMyYsv3riYLTzeCUoXN/3qGDTk7rq+GGzfTiy2PGG\n"
    "N0qubW3OA09wfBRVk4Y4MAV/zzu89F5cGZPhUS0rO8v39oug1n54FEeRz6E5GCZ1\n"
    "WKL0Hm12ytWPxBBhbLKvTeMnuB9q3VsR+bbN782cBRWrXiNYUYpGyHtRf+VUFibH\n"
    "WLzRoFVusiU8if2Vu+jXAicp20uj8vpLcvKBJhUa9zdys7cYh43vcCyx1cR0O/dA\n"
    "G/uHJsoPAgMBAAECggEAHXEWkwC83DDRNjG/8oSZgWujYF2xsCSxiUIucI+SrCzz\n"
    "QnkQPIwmPcE7w3wiUqYXs4Yzssp8oKtmirFbWwk+L54vVF6zY8glgO7PTDOqPgeG\n"
    "fn9UIYXWBpfYWqvDasb+y7KET/BYDaPAywOHszDyfwFGltG9cePO5aiaMTURrWMK\n"
    "BZfJ3fd+N1QE97ewwcVNSPx6Hz38TMB364xMhYOzrX01iS/lW/YvYRAmJzcvUbGS\n"
    "XHnoYyDSJ90mxVoaewDF5RwBYeVYyYpScV45XK0eZl3N+2rwPgCiHH9Lo2rFMZ7S\n"
    "ANUkWloWfDUa5CaAhBU7HTydEI+TrSZGVr78jpMzeQKBgQD3eXyLx7djSeSuiRzt\n"
    "hySQT6Nd/wJhE0Ihosz0KCLKlNm4cqNzCXF2doyGVXQCmHzHyPzDp0yerFI/CMQT\n"
    "r+uEl0CHqEnd0I5esUZyXTNqTYG8Ki9vn9VdDkSoUAOLoYfuBFiKy5cWWDyXsxDm\n"
    "D7vxYIInP+uP7hbnrmjke0xayQKBgQC94X5jRffWXqyHFsemPUxmMHvHj/+c09Ci\n"
    "9zE8elYhE+sCLWGHG7vZ2xyBHpb/t98BVmJTGUt1i3jtMteyI0OPd+83BWhogijt\n"
    "3KuUENDnbJlL61AccTKBgwv7ypuaL+LETBeST8+iIg32n50eKfV1UD0BKJheGA9b\n"
    "qkv7aWSSFwKBgEd7TeBKNcx2IZnQfQyXBpawii2yZQuJNobksXKszS/awvCmHFQ0\n"
    "HBPttjVvJW1Cgnhqs6gIAPesKq2OaKSPIeZQkhEdKQjrHtR3PDP4e8tuy9SAEueZ\n"
    "MVYJswcy5XNFmy/DDZg5qlCH+CiRToZFcTINgEq6Cd6vFOqi1CV6/9kRAoGAbE0l\n"
    "TXIm/fpZ5WM01Li5zr9wmk6juMuHgKwFRT1xysQVktRXgDxtVMEI7QyJi6lQZO7k\n"
    "fgk7ZPv8KS6KoGxEqJv7sSJAfvteZO0sX/OHc7gZZ5f7xX07FWutdhwFzFfru5K7\n"
    "DxS+lPdfh39amk3MVvFBGlwRK/oFKH9lfyyJ1FkCgYALF8PGC0NtBrgEICtJHOOx\n"
    "kaBOQeFMGmZzJXhLwsH5eda7bEVgSraz8w0487WF9eTwp8icZ0Jtec1ZD8VM/vQx\n"
    "RvXH9OuPCI7SPKQylTZaOkqe4YOMPV9Upjl68UuMzf2TEG9sPGZOa1jjNc3fjOrm\n"
    "wScAGLXATfa7N06V66e9bw==\n"
    "-----END PRIVATE KEY-----\n";

/* localhost, RSA of 2048 bits. */
static const char known_rsa[] UNUSED =
    "-----BEGIN CERTIFICATE-----\n"
    "MIICFjCCAb2gAwIBAgIICEuMEuVarPYwCgYIKoZIzj0EAwIwGjEYMBYGA1UEAwwP\n"
    "Um93bG9jayB0ZXN0IENBMCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAw\n"
    "WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwggEiMA0GCSqGSIb3DQEBAQUAA4IBDwAw\n"
    "ggEKAoIBAQC3jqznbDg22jvDh4CWxxtSMUlbXzxXCFEpNAxbcIoHkJO7BcK5p/s1\n"
    "SOxHaxDFLRUy0cEJs4YheHQagqhhsDkrp5I2L/I6SGsE9JiTMyYsv3riYLTzeCUo\n"
    "XN/3qGDTk7rq+GGzfTiy2PGGN0qubW3OA09wfBRVk4Y4MAV/zzu89F5cGZPhUS0r\n"
    "O8v39oug1n54FEeRz6E5GCZ1WKL0Hm12ytWPxBBhbLKvTeMnuB9q3VsR+bbN782c\n"
    "BRWrXiNYUYpGyHtRf+VUFibHWLzRoFVusiU8if2Vu+jXAicp20uj8vpLcvKBJhUa\n"
    "9zdys7cYh43vcCyx1cR0O/dAG/uHJsoPAgMBAAGjJjAkMAwGA1UdEwEB/wQCMAAw\n"
    "FAYDVR0RBA0wC4IJbG9jYWxob3N0MAoGCCqGSM49BAMCA0cAMEQCIHaNyZzZZ/oP\n"
    "H6dhGxJaDPhDBHPh29dqNoLVVOV4jGS+AiAbi3t1YE1BVkUC8nHcWsCaaaPZ4l7q\n"
    "9Z21qaagFhYnXQ==\n"
    "-----END CERTIFICATE-----\n";

#endif
