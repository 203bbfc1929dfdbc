/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests that the machine cannot run. */
#ifndef TESTS_LIB_LEAVE_OUT_H
#define TESTS_LIB_LEAVE_OUT_H

#include "hal/base/attr.h"

/* Ends the test as skipped, and says what is missing. tests/run.py prints and counts these, and takes a test that was skipped
 * without a reason as failed. Never in a forked child. */
NO_RETURN void leave_out(const char *what_is_missing);

/* Leaves the test out for whoever is not root. */
void leave_out_unless_root(void);

#endif
