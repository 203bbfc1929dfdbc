/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A piece of a test in a process of its own, for what may be stopped by a signal. */
#ifndef TESTS_LIB_CHILD_H
#define TESTS_LIB_CHILD_H

/* Runs work in a forked child, which is silent on stderr and dies of its signals (cmocka would catch them and go on with
 * the test in the child), and gives what waitpid says of it. The child's exit status is what work answers. */
int child_run(int (*work)(void *context), void *context);

#endif
