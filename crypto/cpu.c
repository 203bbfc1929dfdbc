/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the processor offers, read without any library, so that a test can hold the libraries' choice against it. */
#include "crypto/start_int.h"

#if defined(__x86_64__)

#include <cpuid.h>

/* Spec: Intel SDM volume 2A, CPUID. AES-GCM needs AESNI (leaf 1, ECX bit 25) and PCLMULQDQ (bit 1). */
bool cpu_has_aes(void)
{
    unsigned int eax = 0;
    unsigned int ebx = 0;
    unsigned int ecx = 0;
    unsigned int edx = 0;

    return __get_cpuid(1, &eax, &ebx, &ecx, &edx) == 1 && (ecx & (1u << 25)) != 0 && (ecx & (1u << 1)) != 0;
}

/* Leaf 7, EBX bit 29. */
bool cpu_has_sha(void)
{
    unsigned int eax = 0;
    unsigned int ebx = 0;
    unsigned int ecx = 0;
    unsigned int edx = 0;

    return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 1 && (ebx & (1u << 29)) != 0;
}

#elif defined(__aarch64__)

#include <sys/auxv.h>

#define AT_HWCAP_KEY 16          /* AT_HWCAP */
#define HWCAP_AES_PMULL 0x18ul   /* bits 3 and 4 */
#define HWCAP_SHA2_BIT 0x40ul    /* bit 6 */

/* Spec: the Linux kernel's documentation of arm64 ELF hwcaps. */
bool cpu_has_aes(void)
{
    return (getauxval(AT_HWCAP_KEY) & HWCAP_AES_PMULL) == HWCAP_AES_PMULL;
}

bool cpu_has_sha(void)
{
    return (getauxval(AT_HWCAP_KEY) & HWCAP_SHA2_BIT) != 0;
}

#else

bool cpu_has_aes(void)
{
    return false;
}

bool cpu_has_sha(void)
{
    return false;
}

#endif
