/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Operations of the API box's writer that no request asks for. */
#ifndef TESTS_LIB_API_WRITE_H
#define TESTS_LIB_API_WRITE_H

#include "firmware/data/call.h"
#include "tests/lib/api_box.h"

/* Operation, key_hash or place, sign and body of the call are the test's; the rest is filled in. Fails the test unless the
 * operation succeeds. */
void api_write(struct api_box *box, const struct data_call *call);

#endif
