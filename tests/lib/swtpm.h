/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A software TPM of a test's own: an swtpm process, its state and its two Unix sockets in a new temporary directory, so
 * that no other test can meet it. One thread. */
#ifndef TESTS_LIB_SWTPM_H
#define TESTS_LIB_SWTPM_H

#define SWTPM_PATH_MAX 64
#define SWTPM_TCTI_MAX 80

struct swtpm;

/* Starts a new TPM. Stops the test program if it cannot. */
struct swtpm *swtpm_new(void);

/* Ends the process and removes the state. NULL is fine. */
void swtpm_free(struct swtpm *swtpm);

/* A power cut: SIGKILL. A TCTI that was connected finds its other side gone. */
void swtpm_cut_power(struct swtpm *swtpm);

/* Power back on, with the same state and the same sockets. Stops the test program if it cannot. */
void swtpm_power_on(struct swtpm *swtpm);

/* Makes it hang, and go on (SIGSTOP, SIGCONT). */
void swtpm_pause(struct swtpm *swtpm);
void swtpm_resume(struct swtpm *swtpm);

/* "swtpm:path=SOCKET"; lives as long as the object. */
const char *swtpm_tcti(const struct swtpm *swtpm);

/* The socket for commands, and a connection to one: -1 while nobody listens. */
const char *swtpm_path(const struct swtpm *swtpm);
int swtpm_connect(const char *path);

#endif
