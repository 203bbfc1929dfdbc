/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How long children may take, as configured. In a file of its own, so that a test can link shorter times. */
#include "firmware/supervisor/health.h"
#include "hal/base/config.h"

_Static_assert(CONFIG_SUPERVISOR_CRASHES <= HEALTH_CRASHES_MAX, "more crashes than are remembered");

#define S_MS 1000U

const struct health_limits health_of_keeper = {
    .start_ms = CONFIG_SUPERVISOR_KEEPER_START_S * S_MS,
    .silence_ms = CONFIG_SUPERVISOR_SILENCE_S * S_MS,
    .crashes = CONFIG_SUPERVISOR_CRASHES,
    .window_ms = CONFIG_SUPERVISOR_CRASH_WINDOW_S * S_MS,
};

/* A large database takes long. */
const struct health_limits health_of_check = {
    .start_ms = 0,
    .silence_ms = CONFIG_SUPERVISOR_SILENCE_S * S_MS,
    .crashes = CONFIG_SUPERVISOR_CRASHES,
    .window_ms = CONFIG_SUPERVISOR_CRASH_WINDOW_S * S_MS,
};

const struct health_limits health_of_worker = {
    .start_ms = CONFIG_SUPERVISOR_WORKER_START_S * S_MS,
    .silence_ms = CONFIG_SUPERVISOR_SILENCE_S * S_MS,
    .crashes = CONFIG_SUPERVISOR_CRASHES,
    .window_ms = CONFIG_SUPERVISOR_CRASH_WINDOW_S * S_MS,
};

const struct health_limits health_of_courier = {
    .start_ms = CONFIG_SUPERVISOR_WORKER_START_S * S_MS,
    .silence_ms = CONFIG_SUPERVISOR_SILENCE_S * S_MS,
    .crashes = CONFIG_SUPERVISOR_CRASHES,
    .window_ms = CONFIG_SUPERVISOR_CRASH_WINDOW_S * S_MS,
};
