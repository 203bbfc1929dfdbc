/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/leave_out.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

void leave_out(const char *what_is_missing)
{
    print_message("# left out: %s\n", what_is_missing);
    skip();
    abort(); /* skip() jumps */
}

void leave_out_unless_root(void)
{
    if (geteuid() != 0) {
        leave_out("it takes root");
    }
}
