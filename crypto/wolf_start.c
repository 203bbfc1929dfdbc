/* SPDX-License-Identifier: GPL-3.0-or-later */
/* wolfCrypt's part of the start: the floor of its version, at compile time and again in the library that was linked, and
 * which instructions it chose. The floor is 5.9.1 (CVE-2026-5194); board/deps/wolfssl.dep says why there is no other. */
#include "crypto/start_int.h"

#include <wolfssl/options.h>
#include <wolfssl/version.h>
#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/random.h>
#include <wolfssl/wolfcrypt/wc_port.h>
#include <generated/wolfssl_taken.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"

#define FLOOR_HEX 0x05009001

_Static_assert(LIBWOLFSSL_VERSION_HEX >= FLOOR_HEX, "wolfSSL is older than its floor");

enum err wolf_start(void)
{
    const int failed = wolfCrypt_Init();

    if (failed != 0) {
        FAIL(ERR_BUG, "wolfCrypt does not start", failed);
    }
    /* The headers and the library come from one folder; this is for the day when they do not. */
    ENSURE(wolf_version_linked() >= FLOOR_HEX, ERR_VERSION, "the wolfSSL that was linked is older than its floor");
    return ERR_OK;
}

#if defined(WOLFCRYPT_ONLY)
uint32_t wolf_version_linked(void)
{
    return LIBWOLFSSL_VERSION_HEX; /* a library without TLS has no call that tells */
}
#else
/* Declared in <wolfssl/ssl.h>, which only net/ includes. */
unsigned int wolfSSL_lib_version_hex(void);

uint32_t wolf_version_linked(void)
{
    return wolfSSL_lib_version_hex();
}
#endif

const char *wolf_version(void)
{
    return WOLFSSL_TAKEN_VERSION;
}

#if defined(WOLFSSL_AESNI) || defined(WOLFSSL_ARMASM)
bool wolf_has_assembly(void)
{
    return true;
}
#else
bool wolf_has_assembly(void)
{
    return false;
}
#endif

#if defined(WOLFSSL_AESNI)
static bool is_native(const Aes *aes)
{
    return aes->use_aesni != 0;
}
#elif defined(__aarch64__) && defined(WOLFSSL_ARMASM) && !defined(WOLFSSL_ARMASM_NO_HW_CRYPTO)
static bool is_native(const Aes *aes)
{
    return aes->use_aes_hw_crypto != 0 && aes->use_pmull_hw_crypto != 0;
}
#else
static bool is_native(const Aes *aes)
{
    (void)aes;
    return false;
}
#endif

/* wolfCrypt decides when it expands a key, so one of zeros is expanded. */
enum err wolf_uses_native_aes(bool *out_native)
{
    const uint8_t key[32] = {0};
    void *memory = NULL;

    TRY(mem_alloc(sizeof(Aes) + 16, &memory));
    Aes *const aes = memory;

    INVARIANT(wc_AesInit(aes, NULL, INVALID_DEVID) == 0 && wc_AesGcmSetKey(aes, key, sizeof(key)) == 0);
    *out_native = is_native(aes);
    wc_AesFree(aes);
    mem_free(memory);
    return ERR_OK;
}
