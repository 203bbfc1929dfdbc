/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Another system on the same TPM, that deals with NV indexes by raw commands. It needs the TPM's one connection: close the
 * driver before, open it after. What must work stops the test program if it does not. */
#ifndef TESTS_LIB_NV_FORGER_H
#define TESTS_LIB_NV_FORGER_H

#include <stdbool.h>
#include <stdint.h>

#include "hal/base/span.h"

/* TPMA_NV: an ordinary index, a counter, and who may write and read. Spec: TPM 2.0 Part 2, 13.4. */
#define NV_ORDINARY   UINT32_C(0x00000000)
#define NV_COUNTER    UINT32_C(0x00000010)
#define NV_OWNERWRITE UINT32_C(0x00000002)
#define NV_AUTHWRITE  UINT32_C(0x00000004)
#define NV_OWNERREAD  UINT32_C(0x00020000)
#define NV_AUTHREAD   UINT32_C(0x00040000)
#define NV_NO_DA      UINT32_C(0x02000000)
#define NV_PPWRITE    UINT32_C(0x00000001)
#define NV_PLATFORM   UINT32_C(0x40000000)
#define NV_OURS       (NV_COUNTER | NV_OWNERWRITE | NV_OWNERREAD | NV_AUTHREAD | NV_NO_DA)

struct nv_forger {
    const char *path; /* swtpm_path() */
    struct span owner_auth;
    bool as_platform; /* by the platform's authorisation, empty where no firmware has run, instead of the owner's */
};

/* Answers the TPM's response code; 0: done. 8 bytes are the size of what is defined and written. */
uint32_t nv_undefine(const struct nv_forger *forger, uint32_t index);
uint32_t nv_define(const struct nv_forger *forger, uint32_t index, uint32_t attributes);
uint32_t nv_write(const struct nv_forger *forger, uint32_t index, uint64_t value);
uint32_t nv_increment(const struct nv_forger *forger, uint32_t index);

#endif
