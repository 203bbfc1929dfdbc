/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hal/sim/sim.h"
