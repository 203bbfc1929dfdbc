/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A software TPM of a test's own: an swtpm process on two free loopback ports, its state in a new temporary directory.
 * One thread. */
#ifndef TESTS_LIB_SWTPM_H
#define TESTS_LIB_SWTPM_H

#include <stdbool.h>
#include <stdint.h>

#include "hal/base/attr.h"

#define SWTPM_TCTI_MAX 64

struct swtpm;

/* Starts a new TPM. Stops the test program if it cannot. */
struct swtpm *swtpm_new(void);

/* Ends the process and removes the state. NULL is fine. */
void swtpm_free(struct swtpm *swtpm);

/* A power cut: SIGKILL. A TCTI that was connected finds its other side gone. */
void swtpm_cut_power(struct swtpm *swtpm);

/* Power back on, with the same state; the ports may be others. */
void swtpm_power_on(struct swtpm *swtpm);

/* Makes it hang, and go on (SIGSTOP, SIGCONT). */
void swtpm_pause(struct swtpm *swtpm);
void swtpm_resume(struct swtpm *swtpm);

/* "swtpm:host=127.0.0.1,port=N"; lives as long as the object. */
const char *swtpm_tcti(const struct swtpm *swtpm);

/* The data port; the control port is the next one. */
uint16_t swtpm_port(const struct swtpm *swtpm);

/* The directory with the state; lives as long as the object. */
const char *swtpm_state_dir(const struct swtpm *swtpm);

/* Two neighbouring ports that were free a moment ago; returns the first. */
uint16_t swtpm_free_ports(void);

#endif
