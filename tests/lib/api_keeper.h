/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the API box has instead of a keeper: keys of tables and of tokens, in memory. */
#ifndef TESTS_LIB_API_KEEPER_H
#define TESTS_LIB_API_KEEPER_H

#include "tests/lib/api_box.h"

/* As firmware/data asks it. */
struct data_keys api_keeper_keys(struct api_box *box);

/* The token keys of an environment, or NULL; and their end. */
struct api_box_environment *api_keeper_environment(struct api_box *box, struct span id);
void api_keeper_forget(struct api_box_environment *environment);

#endif
