/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A TPM in memory, for tests of what stands on hal/tpm.h: PCRs, policies, lockout, ownership, and faults by script. It
 * keeps secrets in clear and hashes nothing; it imitates decisions, not cryptography. So it has no authorities and no
 * counter (ERR_UNSUPPORTED): measured boards are tested with a software TPM. One thread. */
#ifndef HAL_SIM_TPM_H
#define HAL_SIM_TPM_H

#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/tpm.h"

#define SIM_TPM_OBJECTS_MAX 128 /* sealed in its life; sealing then answers ERR_DEVICE */

struct sim_tpm;

/* A chip; another seed is another chip. The caller frees it. ERR_NO_MEMORY. */
enum err sim_tpm_new(uint64_t seed, struct sim_tpm **out_tpm) MUST_USE;
void sim_tpm_free(struct sim_tpm *tpm); /* NULL is fine */

/* Its interface; borrowed. hal_tpm_close on it does nothing: a chip stays. */
struct hal_tpm *sim_tpm_hal(struct sim_tpm *tpm);

/* Power off and on: PCRs start again, all else stays. */
void sim_tpm_reboot(struct sim_tpm *tpm);

/* Forgets seed, owner and objects, as TPM2_Clear does. */
void sim_tpm_clear(struct sim_tpm *tpm);

/* Somebody has set lockoutAuth, and nothing else. */
void sim_tpm_foreign_lockout_auth(struct sim_tpm *tpm);

/* Another key lies at the SRK's handle. */
void sim_tpm_substitute_srk(struct sim_tpm *tpm);

/* Lockout time passes: one more try. */
void sim_tpm_recover_one_try(struct sim_tpm *tpm);

/* The k-th call from now (1 = the next) does nothing and answers err; 0 takes the script back. */
void sim_tpm_fail_at(struct sim_tpm *tpm, size_t k, enum err err);

/* From now on all calls answer err (ERR_NO_DEVICE: pulled out); ERR_OK ends that. */
void sim_tpm_fail_always(struct sim_tpm *tpm, enum err err);

/* Calls through the interface so far: to find the k at which a run is untouched. */
size_t sim_tpm_calls(const struct sim_tpm *tpm);

#endif
