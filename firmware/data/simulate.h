/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A proposed policy beside the stored one, over the newest rows of its table: who would be allowed what is denied today,
 * and the other way round. Nothing is stored.
 *
 * The proposal is compiled and checked as when it is saved, and then asked about each row as requests ask: rls_decide and
 * row_gate_passes, for the stored policy and for the proposed one. It runs in slices of the reactor, on a snapshot of its
 * own, and counts as one of its reader's lists. Its work is bounded by CONFIG_DATA_SIMULATE_ROWS and
 * CONFIG_DATA_SIMULATE_DECISIONS. */
#ifndef FIRMWARE_DATA_SIMULATE_H
#define FIRMWARE_DATA_SIMULATE_H

#include "firmware/data/access.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/json_value.h"
#include "hal/base/time.h"

struct data_simulation;

/* Reads {"tableId","policy":{...},"sample"?} and starts. admin's arena, buffer and refusal must live as long as the
 * simulation. ERR_DENIED: the body is not one, there is no such table of the key's environment, or the policy would not be
 * saved (but for tests that do not hold: those are part of the answer). ERR_CONFLICT as data_read; ERR_LIMIT as
 * data_list_new. */
enum err data_simulation_new(const struct data_admin *admin, const struct json_value *body,
                             struct data_simulation **out_simulation) MUST_USE;
void data_simulation_free(struct data_simulation *simulation); /* NULL is fine */

/* Goes on until `until`, as `now` tells it. ERR_OK: the answer is complete; ERR_AGAIN: call again; ERR_DENIED: the tests of
 * the policy are none; ERR_DAMAGED. */
enum err data_simulation_step(struct data_simulation *simulation, struct mono_time (*now)(void *context), void *context,
                              struct mono_time until) MUST_USE;

#endif
