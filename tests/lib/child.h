/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A piece of a test in a process of its own, for what may be stopped by a signal or never end. */
#ifndef TESTS_LIB_CHILD_H
#define TESTS_LIB_CHILD_H

#define CHILD_REASON_BYTES 80

enum child_manner {
    CHILD_SILENT, /* nothing on stderr, and it dies of its signals: cmocka would catch them and go on with the test in it */
    CHILD_TELLS,  /* what LMDB and the sanitizers say of its end goes to stderr */
};

/* Runs work in a forked child and gives what waitpid says of it. The child's exit status is what work answers; 1 is also
 * that of the address sanitizer. A child that goes round for ever is stopped by SIGXCPU after a minute of its own, or by
 * SIGALRM after five minutes if it only waits; an address space of its own is all that it can spoil. */
int child_run(enum child_manner manner, int (*work)(void *context), void *context);

/* "stopped by signal 6 (Aborted)", "ended with status 1". */
void child_reason(int status, char out_reason[CHILD_REASON_BYTES]);

#endif
