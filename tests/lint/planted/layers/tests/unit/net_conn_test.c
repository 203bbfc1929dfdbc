/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "net/conn.h"
#include "storage/store.h"
#include "hal/sim/sim.h"
