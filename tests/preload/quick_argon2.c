/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Preloaded under a program that a memory checker runs: Argon2id as it is, but over 8 KiB and once, because at its real cost
 * a hash takes a second there and some tests make hundreds. What calls it, and with what, is what is checked. */
#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>

typedef int argon2id_fn(unsigned char *out, unsigned long long out_len, const char *password, unsigned long long password_len,
                        const unsigned char *salt, unsigned long long passes, size_t memory, int algorithm);

#define PASSES_MIN 1U
#define MEMORY_MIN 8192U /* bytes */

argon2id_fn crypto_pwhash_argon2id;

int crypto_pwhash_argon2id(unsigned char *out, unsigned long long out_len, const char *password,
                           unsigned long long password_len, const unsigned char *salt, unsigned long long passes,
                           size_t memory, int algorithm)
{
    argon2id_fn *real = NULL;
    void *const symbol = dlsym(RTLD_NEXT, "crypto_pwhash_argon2id");

    (void)passes;
    (void)memory;
    if (symbol == NULL) {
        abort();
    }
    *(void **)&real = symbol;
    return real(out, out_len, password, password_len, salt, PASSES_MIN, MEMORY_MIN, algorithm);
}
