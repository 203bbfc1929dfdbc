/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a test can wait for, and yet long for a loaded machine: a start takes a second, an answer some milliseconds. */
#include "firmware/supervisor/health.h"

const struct health_limits health_of_keeper = {.start_ms = 60000, .silence_ms = 6000, .crashes = 3, .window_ms = 600000};
const struct health_limits health_of_worker = {.start_ms = 12000, .silence_ms = 6000, .crashes = 3, .window_ms = 600000};
const struct health_limits health_of_check = {.start_ms = 0, .silence_ms = 6000, .crashes = 3, .window_ms = 600000};

const struct health_limits health_of_courier = {.start_ms = 12000, .silence_ms = 6000, .crashes = 3, .window_ms = 600000};
