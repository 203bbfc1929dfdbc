/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Somebody on the TPM's bus: a thread between a program and an swtpm that records every byte, changes replies, and cuts
 * the wire. It understands only packets (size, command code), nothing of sessions. All functions may be called while it
 * runs. One connection at a time; a new one may follow. */
#ifndef TESTS_LIB_TPM_PROXY_H
#define TESTS_LIB_TPM_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/base/span.h"

#define TPM_PROXY_CC_SHUTDOWN      UINT32_C(0x145)
#define TPM_PROXY_CC_CREATE        UINT32_C(0x153)
#define TPM_PROXY_CC_LOAD          UINT32_C(0x157)
#define TPM_PROXY_CC_UNSEAL        UINT32_C(0x15e)
#define TPM_PROXY_CC_READ_PUBLIC   UINT32_C(0x173)
#define TPM_PROXY_CC_START_SESSION UINT32_C(0x176)
#define TPM_PROXY_CC_HASH          UINT32_C(0x17d)
#define TPM_PROXY_CC_PCR_READ      UINT32_C(0x17e)

struct tpm_proxy;

/* Listens on a free loopback port and forwards to this socket of an swtpm, whose name is borrowed. Stops the test program if it cannot. */
struct tpm_proxy *tpm_proxy_new(const char *swtpm_path);
void tpm_proxy_free(struct tpm_proxy *proxy); /* NULL is fine */

/* The TCTI string that leads through the proxy; lives as long as the object. */
const char *tpm_proxy_tcti(const struct tpm_proxy *proxy);

/* Did these bytes cross, in one direction, in one piece? */
bool tpm_proxy_saw(struct tpm_proxy *proxy, struct span bytes);
size_t tpm_proxy_recorded_bytes(struct tpm_proxy *proxy);

/* How many commands of this code crossed, and how long the last reply to one was, before any change. */
size_t tpm_proxy_commands(struct tpm_proxy *proxy, uint32_t command_code);
size_t tpm_proxy_reply_bytes(struct tpm_proxy *proxy, uint32_t command_code);

/* From now on xors the byte at `offset` of each reply to this command (xor 0: change nothing). */
void tpm_proxy_change_reply(struct tpm_proxy *proxy, uint32_t command_code, size_t offset, uint8_t xor);

/* From now on hangs up in place of forwarding the reply to this command (0: never). The TPM has carried it out. */
void tpm_proxy_cut_at(struct tpm_proxy *proxy, uint32_t command_code);

#endif
