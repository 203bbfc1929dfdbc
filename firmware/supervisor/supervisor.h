/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The supervisor: the first process. It opens the data directory and the listening sockets, starts keeper and worker, and
 * starts them again when they die. It reads nothing from strangers. */
#ifndef FIRMWARE_SUPERVISOR_SUPERVISOR_H
#define FIRMWARE_SUPERVISOR_SUPERVISOR_H

#include "firmware/supervisor/options.h"

/* Serves until SIGTERM, SIGINT or SIGHUP. Exit status: 0 ended in order, 1 otherwise. */
int supervisor_serve(const struct options *options);

/* Opens the database of a box that is not running, and has the worker verify all of it; what is damaged is named on
 * standard output. Exit status: 0 nothing is damaged, 1 something is, 2 it could not be checked. */
int supervisor_check(const struct options *options);

#endif
